"""The block of data at the head of a Markdown file: YAML, TOML or JSON."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass
from typing import Any

import yaml

FENCED = re.compile(r"(---|\+\+\+)[ \t]*\n(.*?)^\1[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
BaseLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class InvalidFrontMatter(ValueError):
    """A head that can't be read; the message names line and column in the file."""


@dataclass(frozen=True, slots=True)
class Parts:
    """A file's head as a mapping, and its body without the blank lines around it."""

    head: dict[str, object]
    body: str


class _Loader(BaseLoader):  # type: ignore[misc]  # the base is the C loader where there is one
    """YAML that keeps dates as they are written and refuses a key that stands twice."""

    def construct_mapping(
        self,
        node: yaml.MappingNode,
        deep: bool = False,  # noqa: FBT001, FBT002  # PyYAML's signature
    ) -> dict[Any, Any]:
        """Build a mapping. Raises yaml.YAMLError at a repeated key."""
        seen = set()
        for key_node, _ in node.value:
            key = getattr(key_node, "value", None)
            if isinstance(key, str) and key != "<<":
                if key in seen:
                    raise yaml.MarkedYAMLError(
                        problem=f"the key {key!r} stands twice", problem_mark=key_node.start_mark
                    )
                seen.add(key)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        return mapping


_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in BaseLoader.yaml_implicit_resolvers.items()
}


def split(text: str) -> Parts | None:
    """Return head and body, None where the file has no head. Raises InvalidFrontMatter.

    `---` fences YAML, `+++` TOML; a file that begins with `{` begins with JSON. All line ends
    become line feeds, so that a checkout on Windows is the same document.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    if text.startswith("{"):
        return _split_json(text)
    if not text.startswith(("---", "+++")):
        return None
    match = FENCED.match(text)
    if not match:
        fence = text[:3]
        if text[3:4].strip():
            return None
        raise InvalidFrontMatter(f"line 1: the {fence} is never closed")
    parse = _yaml if match[1] == "---" else _toml
    return Parts(_mapping(parse(match[2])), text[match.end() :].strip("\n"))


def _split_json(text: str) -> Parts:
    try:
        decoder = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_constant)
        head, end = decoder.raw_decode(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise InvalidFrontMatter(f"{place}: {error.msg} (JSON)") from error
    except RecursionError as error:
        raise InvalidFrontMatter("line 1: nested too deeply (JSON)") from error
    mapping = _mapping(head)
    for key, item in mapping.items():
        if _has_lone_surrogate([key, item]):
            raise InvalidFrontMatter(f"{key!a}: a lone surrogate is no character (JSON)")
    return Parts(mapping, text[end:].strip("\n"))


def _constant(name: str) -> object:
    raise InvalidFrontMatter(f"{name} is no JSON")


def _has_lone_surrogate(value: object) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise InvalidFrontMatter(f"the key {twice!a} stands twice (JSON)")
    return mapping


def _yaml(head: str) -> object:
    try:
        return yaml.load(head, _Loader)  # noqa: S506  # a subclass of the safe loader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"line {mark.line + 2}, column {mark.column + 1}: " if mark else ""
        began = error.context_mark
        since = f" {error.context} that begins in line {began.line + 2}" if began else ""
        raise InvalidFrontMatter(f"{place}{error.problem or error}{since} (YAML)") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InvalidFrontMatter(f"{str(error).splitlines()[0]} (YAML)") from error


def _toml(head: str) -> object:
    try:
        return tomllib.loads(head)
    except tomllib.TOMLDecodeError as error:
        message = re.sub(r"line (\d+)", lambda m: f"line {int(m[1]) + 1}", str(error))
        raise InvalidFrontMatter(f"{message} (TOML)") from error
    except RecursionError as error:
        raise InvalidFrontMatter("line 1: nested too deeply (TOML)") from error


def _mapping(head: object) -> dict[str, object]:
    if head is None:
        return {}
    if not isinstance(head, dict):
        raise InvalidFrontMatter("line 1: the front matter is no mapping of names to values")
    return {str(key): item for key, item in head.items()}
