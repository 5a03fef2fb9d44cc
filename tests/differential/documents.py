"""Lexicon documents, sound ones and broken ones, as JSON text."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from random import Random
from typing import Any, Final

from tests.differential.document_excuses import KEYWORDS
from tests.differential.tree import ABSENT, Path, Raw, replaced, write

_PARAMETERS: Final = {
    "type": "params",
    "required": ["q"],
    "properties": {
        "q": {"type": "string", "maxLength": 10},
        "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 50},
        "tags": {"type": "array", "items": {"type": "string"}, "maxLength": 3},
    },
}
_BODY: Final = {
    "encoding": "application/json",
    "schema": {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}},
}
_PERMISSIONS: Final = [
    {"type": "permission", "resource": "repo", "collection": ["a.b.c"], "action": ["create"]},
    {"type": "permission", "resource": "rpc", "lxm": ["a.b.c"], "inheritAud": True},
]
ENDPOINTS: Final[tuple[dict[str, Any], ...]] = (
    {"type": "query", "parameters": _PARAMETERS, "output": _BODY, "errors": [{"name": "Gone"}]},
    {"type": "procedure", "input": _BODY, "output": {"encoding": "*/*"}},
    {"type": "procedure"},
    {"type": "query", "parameters": {"type": "params", "properties": {"q": {"type": "unknown"}}}},
    {
        "type": "subscription",
        "parameters": _PARAMETERS,
        "message": {"schema": {"type": "union", "refs": ["#a"]}},
    },
    {"type": "permission-set", "title": "All", "title:lang": {"de": "Alle"}, "permissions": []},
    {"type": "permission-set", "permissions": _PERMISSIONS, "detail": "Each"},
)
"""Definitions that no record has."""


def endpoints() -> list[dict[str, Any]]:
    """Return lexicons of queries, procedures, subscriptions and permission sets."""
    return [
        {
            "lexicon": 1,
            "id": "a.b.c",
            "defs": {"main": main, "a": {"type": "object", "properties": {}}},
        }
        for main in ENDPOINTS
    ]


def document(sources: Sequence[dict[str, Any]], random: Random) -> str:
    """Return one of the lexicons, with up to two changes."""
    tree: object = copy.deepcopy(random.choice(sources))
    for _ in range(random.choice((0, 1, 1, 1, 2))):
        tree = _changed(tree, random)
    return write(tree)


def _changed(tree: object, random: Random) -> object:
    paths = list(_paths(tree))
    # Definitions are where the rules are; `defs` and the like have few places in a large tree.
    path = random.choice([path for path in paths if len(path) <= random.choice((1, 3, 9))])
    value = _at(tree, path)
    if isinstance(value, dict):
        change = random.choice((_with, _with, _without, _renamed, _odd))
        return replaced(tree, path, change(value, random))
    name = path[-1]
    fitting = _VALUES.get(name) if isinstance(name, str) else None
    return replaced(tree, path, random.choice(fitting or _ANY))


def _paths(tree: object, path: Path = ()) -> list[Path]:
    if isinstance(tree, dict):
        return [path, *(each for key in tree for each in _paths(tree[key], (*path, key)))]
    if isinstance(tree, list):
        return [path, *(each for i, item in enumerate(tree) for each in _paths(item, (*path, i)))]
    return [path]


def _at(tree: Any, path: Path) -> Any:
    for step in path:
        tree = tree[step]
    return tree


_ANY: Final[tuple[object, ...]] = (
    *(None, True, False, 0, 1, -1, 2**53, "", "text", [], ["text"], {}, Raw("1.0"), Raw("0.5")),
    *(ABSENT, [1], [None], {"type": "string"}, {"type": "integer", "minimum": 2, "maximum": 1}),
)
_LENGTHS: Final[tuple[object, ...]] = (
    0,
    1,
    -1,
    5,
    2**53,
    None,
    "1",
    True,
    Raw("1.0"),
    Raw("0.5"),
    [],
)
_NAMES: Final[tuple[object, ...]] = ([], ["a"], ["text"], ["a", "a"], [1], "a", None, {}, [""])
_VALUES: Final[dict[str, tuple[object, ...]]] = {
    "lexicon": (0, 1, 2, True, "1", None, Raw("1.0"), ABSENT),
    "id": ("a.b", "a.b.c", "a.b.c#d", "", 1, None, "A.b.c", "a.b.9", "a.b.c-d", ABSENT),
    "type": (
        *("string", "integer", "boolean", "bytes", "cid-link", "blob", "array", "object", "ref"),
        *("union", "unknown", "token", "record", "query", "procedure", "subscription", "params"),
        *("permission-set", "permission", "null", "number", "", 1, None, ABSENT, "datetime"),
    ),
    "key": (
        "tid",
        "any",
        "nsid",
        "literal:self",
        "literal:",
        "literal:a b",
        "literal",
        "",
        1,
        ABSENT,
    ),
    "ref": (
        "#a",
        "#main",
        "a.b.c",
        "a.b.c#d",
        "",
        "#",
        "a b",
        "a.b.c#d#e",
        "a.b.c#9",
        1,
        None,
        "a",
    ),
    "refs": ([], ["#a"], ["#a", "#a"], "#a", [1], [""], None, ["a b"]),
    "closed": (True, False, "true", 1, None),
    "format": ("datetime", "uri", "cid", "email", "", None, 1, "date-time", "record-key"),
    "minLength": _LENGTHS,
    "maxLength": _LENGTHS,
    "minGraphemes": _LENGTHS,
    "maxGraphemes": _LENGTHS,
    "maxSize": _LENGTHS,
    "minimum": _LENGTHS,
    "maximum": _LENGTHS,
    "required": _NAMES,
    "nullable": _NAMES,
    "enum": ([], ["a"], [1], [-1, 0], ["a", 1], [True], None, "a", [None], [Raw("1.0")]),
    "knownValues": ([], ["a"], [1], None, "a"),
    "const": ("a", 1, 0, -1, True, False, None, Raw("1.0"), []),
    "default": ("a", "", 1, 0, -1, 200, True, False, None, Raw("1.0"), []),
    "accept": ([], ["image/*"], ["*/*"], ["*"], ["image"], "image/*", [1], ["*/*", "a/b"], None),
    "description": ("text", "", 1, None, []),
    "x-note": ("text", Raw("0.5"), Raw("1.5")),
    "revision": (1, 0, -1, "1", None, Raw("1.5"), Raw("1.0")),
    "encoding": (
        "application/json",
        "*/*",
        "a/b, c/d",
        "text/plain; charset=utf-8",
        "",
        "a",
        1,
        ABSENT,
    ),
    "name": ("Gone", "", "not found", 1, None, ABSENT),
    "resource": ("repo", "rpc", "blob", "", 1, None, ABSENT),
    "lxm": (["*"], ["a.b.c"], [], "*", [1], ["a b"]),
    "collection": (["*"], ["a.b.c"], [], "*", [1], ["a b"]),
    "action": (["create"], ["write"], [], "create"),
    "title:lang": ({}, {"de": "Titel"}, {"DE_de": "Titel"}, {"de": 1}, []),
    "items": (
        {"type": "string"},
        {"type": "array", "items": {"type": "string"}},
        {},
        [],
        None,
        ABSENT,
    ),
    "properties": (
        {},
        [],
        None,
        {"a": {}},
        {"a": {"type": "string"}},
        ABSENT,
        {"a b": {"type": "string"}},
    ),
    "defs": (
        {},
        [],
        None,
        ABSENT,
        {"main": {}},
        {"": {"type": "token"}},
        {"a": {"type": "union", "refs": []}},
        {"a b": {"type": "token"}},
    ),
}
"""What may be put for a field of this name."""


_ODD: Final = (
    {"type": "union", "refs": [], "closed": True},
    {"type": "string", "format": "cid", "knownValues": ["a"]},
    {"type": "integer", "const": 1, "enum": [1]},
    {"type": "string", "minGraphemes": 2, "maxLength": 1},
    {"type": "integer", "minimum": 2, "maximum": 1},
    {"type": "integer", "minimum": "1"},
    {"type": "array", "items": {"type": "array", "items": {"type": "string", "format": "x"}}},
    {"type": "object", "properties": {"a": {"type": "token"}}},
)


def _odd(value: dict[str, Any], random: Random) -> dict[str, Any]:
    """Add a property or an error that is disputed."""
    if isinstance(value.get("properties"), dict):
        more = {random.choice(("a", "z", "constructor")): random.choice(_ODD)}
        return {**value, "properties": {**value["properties"], **more}}
    return {**value, "errors": [{"name": random.choice(("", "not found", "Gone"))}]}


def _with(value: dict[str, Any], random: Random) -> dict[str, Any]:
    kind = "lexicon" if "lexicon" in value else str(value.get("type"))
    fitting = [name for name in KEYWORDS.get(kind, ()) if name in _VALUES]
    name = random.choice(fitting if fitting and random.random() < 0.7 else list(_VALUES))
    return {**value, name: random.choice([v for v in _VALUES[name] if v is not ABSENT])}


def _without(value: dict[str, Any], random: Random) -> dict[str, Any]:
    gone = random.choice([*value, ""])
    return {key: item for key, item in value.items() if key != gone}


def _renamed(value: dict[str, Any], random: Random) -> dict[str, Any]:
    old = random.choice([*value, ""])
    new = random.choice(("main", "other", "", "a b", "a" * 64, "9", "toString", "_a", "a-b"))
    return {new if key == old else key: item for key, item in value.items()}
