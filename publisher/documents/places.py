"""Where in the author's file a finding is: its pointer becomes a line and a column.

Only files that have findings are scanned again, so that good ones cost nothing. Pure.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import replace

import yaml

from publisher.documents.front_matter import FENCED, BaseLoader, require_shallow
from publisher.documents.markdown import NAMES
from publisher.findings import Finding, pointer_to

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"?|[{}\[\]]|[^\s,:"{}\[\]]+', re.DOTALL)
_TOML_KEY = re.compile(r"[ \t]*+(\[{1,2})?[ \t]*+(\"[^\"\n]*\"|'[^'\n]*'|[A-Za-z0-9_-]+)")
_IN_MESSAGE = re.compile(r"line (\d+)(?:, column (\d+))?")
_DEEPEST = 64  # levels that are told apart; a record has 32
_FIELDS = {
    "coverImage": "cover",
    "description": "description",
    "path": "path",
    "publishedAt": "published",
    "tags": "tags",
    "title": "title",
    "updatedAt": "updated",
}
"""What the reader of Markdown calls the fields of a record that front matter decides."""

Offsets = dict[str, int]
"""JSON pointers, each with its value's place in the text."""


def locate(text: str, suffix: str, findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings with line and column (from 1, in characters) in the file's text.

    What isn't in the file, such as a missing field, is at the nearest thing around it. Markdown:
    a field of the record is where the front matter has it, under the name that it has there; text
    and content are the first line of the body. Never fails, whatever the text.
    """
    text = text.removeprefix("\ufeff")
    is_json = suffix == ".json"
    offsets = json_offsets(text) if is_json else _markdown_offsets(text)
    return [_placed(finding, text, offsets, is_json=is_json) for finding in findings]


def _placed(finding: Finding, text: str, offsets: Offsets, *, is_json: bool) -> Finding:
    if finding.code in {"json-syntax", "front-matter"}:
        match = _IN_MESSAGE.search(finding.message)
        line, column = (match[1], match[2] or 1) if match else (1, 1)
        return replace(finding, line=int(line), column=int(column))
    pointer = finding.pointer if is_json else _as_written(finding.pointer, offsets)
    while pointer and pointer not in offsets:
        pointer = pointer.rpartition("/")[0]
    offset = offsets.get(pointer, 0)
    line = text.count("\n", 0, offset) + 1
    return replace(finding, line=line, column=offset - text.rfind("\n", 0, offset))


def _as_written(pointer: str, offsets: Offsets) -> str:
    """Return the pointer under the name that the author gave the field."""
    _, first, *rest = pointer.split("/") if pointer else ("", "")
    if f"/{first}" in offsets:
        return pointer
    names = NAMES.get(_FIELDS.get(first, first), ())
    written = {place.lower(): place for place in offsets if place.count("/") == 1}
    for name in names:
        place = written.get(pointer_to(name).lower())
        if place is not None:
            return "/".join((place, *rest))
    return pointer


def json_offsets(text: str) -> Offsets:
    """Return the place of every value of a JSON text, as far as it can be read.

    Of a key that stands twice the second counts. Linear in the text.
    """
    offsets: Offsets = {}
    stack: list[_Open] = []
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark in "}]":
            if stack:
                stack.pop()
            continue
        top = stack[-1] if stack else None
        if top and top.is_object and top.key is None and mark.startswith('"'):
            top.key = _key(mark)
            continue
        pointer = top.next_pointer() if top else ""
        if pointer is not None:
            offsets[pointer] = token.start()
        if mark in "{[":
            known = pointer if len(stack) < _DEEPEST else None
            stack.append(_Open(known, is_object=mark == "{"))
    return offsets


class _Open:
    """An object or array that isn't closed yet; `pointer` is None where it is too deep to tell."""

    def __init__(self, pointer: str | None, *, is_object: bool) -> None:
        self.pointer, self.is_object = pointer, is_object
        self.key: str | None = None
        self.count = 0

    def next_pointer(self) -> str | None:
        """Return the pointer of the value that comes now."""
        step: str | int = self.count if not self.is_object else self.key or ""
        self.key = None
        self.count += 1
        return None if self.pointer is None else self.pointer + pointer_to(step)


def _key(mark: str) -> str:
    try:
        return str(json.loads(mark))
    except ValueError:
        return mark.strip('"')


def _markdown_offsets(text: str) -> Offsets:
    if text.startswith("{"):
        offsets, end = json_offsets(text), _json_end(text)
    else:
        match = FENCED.match(text.replace("\r\n", " \n"))  # of the same length as the file
        if match is None:
            return {}
        head, start, end = match[2], match.start(2), match.end()
        found = _yaml_offsets(head) if match[1] == "---" else _toml_offsets(head)
        offsets = {pointer: start + offset for pointer, offset in found.items()}
    body = len(text) - len(text[end:].lstrip("\r\n")) if end < len(text) else 0
    return {**offsets, "/textContent": body, "/content": body}


def _json_end(text: str) -> int:
    try:
        return json.JSONDecoder().raw_decode(text)[1]
    except (ValueError, RecursionError):
        return len(text)


def _yaml_offsets(head: str) -> Offsets:
    try:
        require_shallow(head)
        node = yaml.compose(head, BaseLoader)
    except (yaml.YAMLError, RecursionError, ValueError):
        return {}
    offsets: Offsets = {}
    waiting = deque([("", node, 0)])
    seen: set[int] = set()
    while waiting:
        pointer, node, depth = waiting.popleft()
        mark = node.start_mark if node else None
        if mark is None or depth > _DEEPEST or id(node) in seen:
            continue
        seen.add(id(node))  # what an alias repeats is where it is written
        if pointer:
            offsets[pointer] = min(mark.index, len(head))
        if isinstance(node, yaml.MappingNode):
            waiting += [
                (pointer + pointer_to(str(key.value)), item, depth + 1)
                for key, item in node.value
                if isinstance(key, yaml.ScalarNode)
            ]
        elif isinstance(node, yaml.SequenceNode):
            waiting += [(f"{pointer}/{at}", item, depth + 1) for at, item in enumerate(node.value)]
    return offsets


def _toml_offsets(head: str) -> Mapping[str, int]:
    """Return the places of top-level keys and tables: tomllib tells none."""
    offsets: Offsets = {}
    in_table, at = False, 0
    for line in head.splitlines(keepends=True):
        match = _TOML_KEY.match(line)
        if match:
            name = pointer_to(match[2].strip("\"'"))
            if match[1] or not in_table:
                offsets.setdefault(name, at + match.start(2))
            in_table = in_table or bool(match[1])
        at += len(line)
    return offsets
