"""The block of data at the head of a Markdown file: YAML, TOML or JSON."""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import Any

import yaml

FENCED = re.compile(r"(---|\+\+\+)[ \t]*\n(.*?)^\1[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_REPEATED = 100  # times that aliases may make of what is written
_DEEPEST = 64  # levels
_BITS = 14_000  # of a number, fewer than of one that Python refuses to print
_LONG = 1_000  # characters, fewer than such a number has in base 16, or hundreds of levels
_TOO_LONG = "line 1: a number has more digits than Python takes"
BaseLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class InvalidFrontMatter(ValueError):
    """A head that can't be read; the message names line and column in the file."""


@dataclass(frozen=True, slots=True)
class Parts:
    """A file's head as a mapping, and its body without the blank lines around it.

    `whole` is the body with them: all that comes after the line that ends the head.
    """

    head: dict[str, object]
    body: str
    whole: str = field(default="", compare=False)


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
    return _parts(_mapping(parse(match[2]), match[2]), text[match.end() :])


def _parts(head: dict[str, object], whole: str) -> Parts:
    return Parts(head, whole.strip("\n"), whole)


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
    mapping = _mapping(head, text[:end])
    for key, item in mapping.items():
        if _has_lone_surrogate([key, item]):
            raise InvalidFrontMatter(f"{key!a}: a lone surrogate is no character (JSON)")
    return _parts(mapping, text[end:].removeprefix("\n"))


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


def require_shallow(head: str) -> None:
    """Refuse deep YAML before its nodes are put together, which takes C's stack, and crashes.

    Raises yaml.YAMLError. Costs nothing for what has few brackets and dashes.
    """
    if sum(map(head.count, ("[", "{", "- ", "? "))) <= _DEEPEST:
        return
    depth = 0
    for event in yaml.parse(head, BaseLoader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            mark: Any = event.start_mark  # of two kinds in the stubs
            raise yaml.MarkedYAMLError(problem="nested too deeply", problem_mark=mark)


def _yaml(head: str) -> object:
    try:
        require_shallow(head)
        return yaml.load(head, _Loader)  # noqa: S506  # a subclass of the safe loader
    except yaml.MarkedYAMLError as error:
        mark, began = error.problem_mark, error.context_mark
        place = "line {}, column {}: ".format(*_place(head, mark)) if mark else ""
        since = f" {error.context} that begins in line {_place(head, began)[0]}" if began else ""
        raise InvalidFrontMatter(f"{place}{error.problem or error}{since} (YAML)") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InvalidFrontMatter(f"{str(error).splitlines()[0]} (YAML)") from error


def _place(head: str, mark: yaml.Mark) -> tuple[int, int]:
    """Return line and column in the file; YAML has ends of lines that editors don't count."""
    at = min(mark.index, len(head))
    return head.count("\n", 0, at) + 2, at - head.rfind("\n", 0, at)


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


def _mapping(head: object, written: str) -> dict[str, object]:
    if head is None:
        return {}
    if len(written) > _LONG:
        _require_printable(head)
    if not isinstance(head, dict):
        raise InvalidFrontMatter("line 1: the front matter is no mapping of names to values")
    return {str(key): item for key, item in head.items()}


def _require_printable(head: object) -> None:
    """Refuse what messages couldn't show: numbers of thousands of digits, hundreds of levels."""
    waiting = [(head, 0)]
    while waiting:
        value, depth = waiting.pop()
        if depth > _DEEPEST:
            raise InvalidFrontMatter("line 1: nested too deeply")
        if isinstance(value, int) and value.bit_length() > _BITS:
            raise InvalidFrontMatter(_TOO_LONG)
        items = value if isinstance(value, list) else ()
        if isinstance(value, dict):
            items = [*value, *value.values()]
        waiting += [(item, depth + 1) for item in items]
