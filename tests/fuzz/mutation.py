"""Mutation by bytes, by tokens, and by the nodes of JSON; bombs that grow when they are read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from copy import deepcopy
from random import Random
from typing import Any

from tests.fuzz.corpus import ATOMS

MOST = 100_000
"""Bytes of an input, at most."""

HEAD = "---\ntitle: T\ndate: 2026-02-05\n---\n"
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\w.$-]+|\s+|.', re.DOTALL)


def text(random: Random, corpus: Sequence[str]) -> str:
    """Return a text of the corpus with a few tokens changed, or a bomb."""
    if random.random() < 0.05:
        return random.choice(BOMBS)(random)[:MOST]
    tokens = _TOKEN.findall(random.choice(corpus))
    for _ in range(random.choice((0, 1, 1, 2, 3, 8))):
        other = random.choice((ATOMS, tokens, _TOKEN.findall(random.choice(corpus))))
        _change(random, tokens, [random.choice(other)] if other else [])
    return "".join(tokens)[:MOST]


def octets(random: Random, content: bytes, corpus: Sequence[bytes]) -> bytes:
    """Return bytes with a few of them changed."""
    items = list(content)
    for _ in range(random.choice((0, 0, 1, 1, 2, 8))):
        at, other = random.randrange(256), random.choice(corpus)
        start = random.randrange(len(other) + 1)
        piece = random.choice((bytes([at]), bytes([at]), other[start : start + at]))
        _change(random, items, piece)
    return bytes(items[:MOST])


def _change(random: Random, items: list[Any], piece: Sequence[Any]) -> None:
    """Insert, put in place, remove, repeat, move or cut off."""
    at = random.randrange(len(items) + 1)
    end = min(len(items), at + random.choice((1, 1, 2, 8, 64)))
    match random.randrange(7):
        case 0 | 1:
            items[at:at] = piece
        case 2 | 3:
            items[at:end] = piece
        case 4:
            del items[at:end]
        case 5:
            items[at:at] = items[at:end] * random.choice((1, 2, 40))
        case _ if random.random() < 0.3:
            del items[at:]
        case _:
            items[at:at] = items[(start := random.randrange(len(items) + 1)) : start + end - at]


def tree(random: Random, corpus: Sequence[str]) -> Any:
    """Return a JSON value of the corpus with a few of its nodes changed."""
    value = json.loads(random.choice(corpus))
    others = nodes(json.loads(random.choice(corpus)))
    for _ in range(random.choice((0, 1, 1, 2, 3, 8))):
        held = random.choice(
            [node for node in nodes([value]) if isinstance(node, (dict, list)) and node]
        )
        step = random.choice(list(held) if isinstance(held, dict) else range(len(held)))
        match random.randrange(6):
            case 0:
                held[step] = deepcopy(random.choice(others))
            case 1 | 2:
                held[step] = deepcopy(random.choice(SCALARS))
            case 3:
                held.pop(step)
            case 4 if isinstance(held, dict):
                held[random.choice(NAMES)] = held.pop(step)
            case 5:
                held[step] = nested(random, held[step])
            case _:
                held[step] = [held[step], deepcopy(held[step])]
    return value


def nodes(value: Any) -> list[Any]:
    """Return a JSON value and all below it."""
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [value, *(node for item in below for node in nodes(item))]


def nested(random: Random, value: Any) -> Any:
    """Return the value a few levels further down."""
    for _ in range(random.choice((1, 2, 30, 60))):
        value = random.choice(([value], {"a": value}))
    return value


NAMES = (
    "$type",
    "$link",
    "$bytes",
    "ref",
    "__proto__",
    "",
    "a/b~c",
    "\ud800",
    "é",
    "type",
    "title",
)
SCALARS: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2**53, 2**63, -(2**63) - 1, 10**30, 0.5, 1.0, 1e300, "", "x"),
    *("\ud800", "\0", "e\u0301" * 200, "x" * 3_000, "blob", "site.standard.document", "a.b.c#main"),
    *("record", "object", "string", "array", "union", "ref", "#self", "#none", "tid", "literal:x"),
    *({}, [], {"$link": "x"}, {"$bytes": "?"}, {"$type": ""}, {"$type": "blob"}, [[]], [None]),
    *({"type": "ref", "ref": "#main"}, {"type": "array", "items": {"type": "ref", "ref": "#set"}}),
)


def _deep(random: Random) -> str:
    opened, closed = random.choice(
        (("[", "]"), ('{"a":', "}"), ("- ", ""), ("> ", ""), ("<b>", ""))
    )
    times = random.choice((31, 33, 70, 2_000, 15_000))
    body = opened * times + random.choice(("1", "")) + closed * random.choice((times, 0))
    return random.choice(("{}", "{}", "---\na: {}\n---\n", "+++\na = {}\n+++\n")).replace(
        "{}", body
    )


def _aliases(random: Random) -> str:
    """YAML whose anchors stand for ten times as much each."""
    levels, times = random.choice((3, 9, 30)), random.choice((2, 10))
    item = random.choice(("[{}]", "{{<<: [{}], k: 1}}", "{{a: [{}]}}"))
    lines = [f"a0: &a0 {{x: {random.choice('1z')}}}"]
    lines += [
        f"a{level}: &a{level} " + item.format(", ".join([f"*a{level - 1}"] * times))
        for level in range(1, levels)
    ]
    name = random.choice(("tags", "title", "date", "cover", "zz", "draft"))
    return "\n".join(["---", *lines, f"{name}: *a{levels - 1}", "---", "Hi"])


def _cyclic(random: Random) -> str:
    name = random.choice(("tags", "title", "date", "cover", "<<", "zz"))
    held = random.choice(("[*a]", "{b: *a}", "{<<: *a}", "[1, {c: *a}]", "!!set {? *a}"))
    return f"---\n{name}: &a {held}\ntitle: T\n---\n"


def _many(random: Random) -> str:
    piece = random.choice(
        (*ATOMS, "[a](b)", "<p>", "<script>", "a: 1\n", '"k": 1,', "a.", "[^1]", "&a [", "{% a")
    )
    times = random.choice((50, 1_000, MOST))
    body = piece * min(times, (MOST - 50) // len(piece))
    head = random.choice(("{}", '{"a": "{}', "---\na: {}\n---\n", "+++\n{}\n+++\n", HEAD + "{}"))
    return head.replace("{}", body)


BOMBS: tuple[Callable[[Random], str], ...] = (_deep, _aliases, _cyclic, _many)
