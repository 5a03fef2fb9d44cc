"""Valid values of any schema, and values at, below and above each of its limits."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from random import Random
from typing import Any, Final

from tests.differential import strings
from tests.differential.tree import Lexicons, Raw, Schema

BLOB: Final = {
    "$type": "blob",
    "ref": {"$link": strings.RAW_CID},
    "mimeType": "image/png",
    "size": 1000,
}
# One grapheme each, of one to 25 bytes; the last ones join with their own kind.
GRAPHEMES: Final = (
    *("a", "é", "€", "𐍈", "e\u0301", "\r\n", "👩\u200d👩\u200d👧\u200d👦", "🇳🇱", "각", "क्षि"),
    *("\u0600b", "🏽", "\u1100\u1161", "z\u0300\u0301\u0302"),
)
MINIMAL: Final = 6
"""From this depth on, values have only what they must have."""


def valid(schema: Schema, nsid: str, lexicons: Lexicons, random: Random, depth: int = 0) -> Any:
    """Return a value that the schema allows, where its limits leave one that is easily found."""
    if depth > 3 * MINIMAL:  # what must hold one like itself has no end
        return {}
    match schema["type"]:
        case "object":
            return _object(schema, nsid, lexicons, random, depth)
        case "array":
            least = schema.get("minLength", 0)
            most = min(schema.get("maxLength", least + 2), least + 2)
            count = least if depth >= MINIMAL else random.randint(min(least, most), most)
            items = schema["items"]
            return [valid(items, nsid, lexicons, random, depth + 1) for _ in range(count)]
        case "ref":
            return _target(schema["ref"], nsid, lexicons, random, depth)
        case "union":
            return _member(schema, nsid, lexicons, random, depth)
        case _:
            return scalar(schema, random)


def _object(schema: Schema, nsid: str, lexicons: Lexicons, random: Random, depth: int) -> Any:
    required, nullable = schema.get("required", ()), schema.get("nullable", ())
    filled = random.choice((0.2, 0.6, 1)) if depth < MINIMAL else 0
    made: dict[str, Any] = {}
    for name, prop in schema.get("properties", {}).items():
        if name not in required and random.random() > filled:
            continue
        null = name in nullable and random.random() < 0.3
        made[name] = None if null else valid(prop, nsid, lexicons, random, depth + 1)
    return made


def _target(ref: str, nsid: str, lexicons: Lexicons, random: Random, depth: int) -> Any:
    schema, there, name = lexicons.target(ref, nsid)
    if schema["type"] == "token":
        return name
    value = valid(schema.get("record", schema), there, lexicons, random, depth + 1)
    typed = schema["type"] == "record" or (schema["type"] == "object" and random.random() < 0.3)
    return {"$type": name, **value} if typed else value


def _member(schema: Schema, nsid: str, lexicons: Lexicons, random: Random, depth: int) -> Any:
    if not schema["refs"] or (not schema.get("closed") and random.random() < 0.1):
        return {"$type": "example.elsewhere.thing", "x": 1}
    ref = random.choice(schema["refs"])
    member, there, name = lexicons.target(ref, nsid)
    value = valid(member.get("record", member), there, lexicons, random, depth + 1)
    return {"$type": name, **value} if isinstance(value, dict) else value


def scalar(schema: Schema, random: Random) -> Any:
    """Return a value of a type that has no parts."""
    for fixed in ("const", "enum"):
        if fixed in schema:
            return schema["const"] if fixed == "const" else random.choice(schema["enum"])
    match schema["type"]:
        case "string" if "format" in schema:
            return strings.valid(schema["format"], random)
        case "string":
            return _text(schema, random)
        case "integer":
            low = schema.get("minimum", min(0, schema.get("maximum", 0)))
            return random.randint(low, schema.get("maximum", min(max(low, 0) + 9, 2**53 - 1)))
        case "boolean":
            return random.random() < 0.5
        case "bytes":
            return _bytes(random.randint(*_range(schema, "Length", 4)), random)
        case "cid-link":
            return {"$link": random.choice((strings.CID, strings.RAW_CID))}
        case "blob":
            return _blob(schema, random)
        case _:
            return {"x": random.choice((1, "text", None, [True], {"$link": strings.CID}, BLOB))}


def _range(schema: Schema, name: str, more: int) -> tuple[int, int]:
    least = schema.get(f"min{name}", 0)
    return least, min(schema.get(f"max{name}", least + more), least + more)


def _text(schema: Schema, random: Random) -> str:
    least, most = _range(schema, "Length", 12)
    if "minGraphemes" in schema or "maxGraphemes" in schema:
        fewest, some = _range(schema, "Graphemes", 12)
        least, most = max(least, fewest), min(most, some) if "maxLength" in schema else some
    count = random.randint(least, max(least, most))
    return "".join(random.choices("abcdefgh ", k=count))


def _bytes(count: int, random: Random) -> dict[str, str]:
    text = base64.b64encode(random.randbytes(count)).decode()
    return {"$bytes": random.choice((text, text.rstrip("=")))}


def _blob(schema: Schema, random: Random) -> dict[str, object]:
    pattern: str = random.choice(schema.get("accept") or ["image/png"])
    size = random.randint(0, min(schema.get("maxSize", 1000), 1000))
    return {**BLOB, "mimeType": pattern.replace("*/*", "a/b").replace("*", "png"), "size": size}


def edges(schema: Schema, random: Random) -> Iterator[Any]:
    """Yield values at, below and above each limit of a schema, other limits kept by chance only."""
    match schema["type"]:
        case "string":
            yield from _edges_of_text(schema, random)
        case "integer":
            yield from (-1, -1, 0)
            for limit in _limits(schema, "minimum", "maximum"):
                yield from (limit - 1, limit, limit + 1)
        case "bytes":
            for limit in _limits(schema, "minLength", "maxLength"):
                yield from (_bytes(max(0, limit + by), random) for by in (-1, 0, 1))
        case "blob":
            for limit in _limits(schema, "maxSize"):
                yield from ({**_blob(schema, random), "size": limit + by} for by in (-1, 0, 1))
            for mime_type in (
                "image",
                "image/",
                "/png",
                "image/PNG",
                "text/html",
                "IMAGE/png",
                "a/b/c",
            ):
                yield {**_blob(schema, random), "mimeType": mime_type}
    if "const" in schema or "enum" in schema:
        for near in (schema.get("const"), *schema.get("enum", ())):
            yield from _near(near)


def _limits(schema: Schema, *names: str) -> list[int]:
    return [schema[name] for name in names if name in schema]


def _near(value: object) -> Iterator[object]:
    """Yield what a loose comparison takes for the value."""
    if isinstance(value, str):
        yield from (value, value + " ", value.upper(), [value])
    elif isinstance(value, bool):
        yield from (not value, int(value), str(value).lower())
    elif isinstance(value, int):
        yield from (value, str(value), bool(value), Raw(f"{value}.0"), Raw(f"{value}.5"), -value)
        if value == 0:
            yield from (Raw("-0"), Raw("-0.0"))


def _edges_of_text(schema: Schema, random: Random) -> Iterator[str]:
    for limit in _limits(schema, "minLength", "maxLength"):
        for by in (-1, 0, 1):
            yield _of_bytes(max(0, limit + by), random)
    for limit in _limits(schema, "minGraphemes", "maxGraphemes"):
        for by in (-1, 0, 1):
            yield _of_graphemes(max(0, limit + by), random)


def _of_bytes(count: int, random: Random) -> str:
    """Return a text of so many bytes in UTF-8, its characters of one kind and some ASCII."""
    grapheme = random.choice(GRAPHEMES)
    size = len(grapheme.encode())
    whole = random.choice((count // size, min(count // size, 1)))
    return grapheme * whole + "a" * (count - whole * size)


def _of_graphemes(count: int, random: Random) -> str:
    """Return a text of about so many graphemes; flags and the like join, so count for yourself."""
    if count >= 5000:
        return "a" * count
    if random.random() < 0.2:
        return "".join(_any_character(random) for _ in range(count))
    return "".join(random.choices(GRAPHEMES, k=count))


def _any_character(random: Random) -> str:
    point = random.choice((random.randrange(0x3000), random.randrange(0x110000 - 0x800)))
    return chr(point if point < 0xD800 else point + 0x800)
