"""The block of data at the head of a Markdown file: YAML, TOML or JSON."""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Any

import yaml

FENCED = re.compile(r"(---|\+\+\+)[ \t]*\n(.*?)^\1[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_REPEATED = 100  # times that aliases may make of what is written
_LONG = 3_500  # characters, fewer than a number has that Python refuses to print (in base 16)
_TOO_LONG = "line 1: a number has more digits than Python takes"
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

    def __init__(self, head: str) -> None:
        super().__init__(head)
        self._may_repeat = "*" in head

    def construct_document(self, node: yaml.Node) -> object:
        """Build the value. Raises yaml.YAMLError where aliases repeat too much."""
        if self._may_repeat:
            sizes: dict[int, float] = {}
            if _size(node, sizes) > _REPEATED * len(sizes):
                raise yaml.MarkedYAMLError(
                    problem="aliases repeat too much", problem_mark=node.start_mark
                )
        return super().construct_document(node)

    def construct_mapping(
        self,
        node: yaml.MappingNode,
        deep: bool = False,  # noqa: FBT001, FBT002  # PyYAML's signature
    ) -> dict[Any, Any]:
        """Build a mapping. Raises yaml.YAMLError at a repeated key."""
        if not self._may_repeat:  # else `_size` has looked, before keys were merged into this
            _require_unique(node)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        return mapping


def _size(node: yaml.Node, sizes: dict[int, float]) -> float:
    """Count what is in a node as often as aliases repeat it; what holds itself is endless.

    `sizes` are those of the nodes already seen, by their id.
    """
    if id(node) in sizes:
        return sizes[id(node)]
    sizes[id(node)] = inf
    below: list[yaml.Node] = []
    if isinstance(node, yaml.MappingNode):
        _require_unique(node)
        below = [part for pair in node.value for part in pair]
    elif isinstance(node, yaml.SequenceNode):
        below = node.value
    sizes[id(node)] = 1 + sum(_size(part, sizes) for part in below)
    return sizes[id(node)]


def _require_unique(mapping: yaml.MappingNode) -> None:
    seen = set()
    for node, _ in mapping.value:
        key = node.value
        if isinstance(key, str) and key != "<<":
            if key in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the key {key!r} stands twice", problem_mark=node.start_mark
                )
            seen.add(key)


def _reading(kind: str) -> Callable[[_Loader, yaml.Node], object]:
    """Return what builds scalars of a kind and fails only with a place."""
    build = BaseLoader.yaml_constructors[f"tag:yaml.org,2002:{kind}"]

    def built(loader: _Loader, node: yaml.Node) -> object:
        try:
            return build(loader, node)
        except (ValueError, LookupError, AttributeError) as error:  # `!!bool maybe`, `!!int ""`
            raise yaml.MarkedYAMLError(
                problem=f"can't be read as {kind}", problem_mark=node.start_mark
            ) from error

    return built


for _kind in ("bool", "int", "float", "timestamp"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", _reading(_kind))
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
    head = parse(match[2])
    if len(match[2]) > _LONG:
        _require_printable(head)
    return Parts(_mapping(head), text[match.end() :].strip("\n"))


def _require_printable(head: object) -> None:
    """Refuse a number that messages couldn't show; one in base 16 is read whatever its length."""
    try:
        repr(head)
    except ValueError as error:
        raise InvalidFrontMatter(_TOO_LONG) from error


def _split_json(text: str) -> Parts:
    try:
        decoder = json.JSONDecoder(
            object_pairs_hook=_unique, parse_int=_whole, parse_constant=_constant
        )
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


def _whole(digits: str) -> int:
    try:
        return int(digits)
    except ValueError as error:
        raise InvalidFrontMatter(_TOO_LONG) from error


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
        (twice, _), *_ = Counter(key for key, _ in pairs).most_common(1)
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
    except ValueError as error:
        raise InvalidFrontMatter(_TOO_LONG) from error


def _mapping(head: object) -> dict[str, object]:
    if head is None:
        return {}
    if not isinstance(head, dict):
        raise InvalidFrontMatter("line 1: the front matter is no mapping of names to values")
    return {str(key): item for key, item in head.items()}
