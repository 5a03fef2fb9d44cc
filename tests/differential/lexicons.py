"""Lexicons that nobody published: every type and every limit, in every place."""

from __future__ import annotations

from random import Random
from typing import Any, Final

from tests.differential import strings, values
from tests.differential.tree import Lexicons, Schema

_NAMES: Final = ("note", "item", "list", "kind", "text", "flag", "other")
_FIELDS: Final = (*"abcdefghijklmnop", "length", "a_b9")
_ODD_FIELDS: Final = ("constructor", "toString", "hasOwnProperty")
HOME: Final = "example.home.record"
AWAY: Final = "example.away.defs"


def generated(random: Random) -> Lexicons:
    """Return two lexicons that refer to each other; HOME is a record, AWAY has definitions only."""
    home = {"main": _record(random), **{name: _definition(random) for name in _NAMES}}
    away = {"main": _object(random), **{name: _definition(random) for name in _NAMES}}
    documents: list[dict[str, Any]] = [
        {"lexicon": 1, "id": HOME, "defs": home},
        {"lexicon": 1, "id": AWAY, "defs": away},
        {"lexicon": 1, "id": f"{AWAY}.token", "defs": {"main": {"type": "token"}}},
    ]
    lexicons = Lexicons(documents)
    for document in documents:
        _bind(document["defs"], document["id"], lexicons, random)
    for document in documents:
        _let_end(document["defs"], document["id"], lexicons)
    return lexicons


def _record(random: Random) -> Schema:
    key = random.choice(("tid", "any", "nsid", "literal:self", "literal:a:b~c"))
    return {"type": "record", "key": key, "record": _object(random)}


def _definition(random: Random) -> Schema:
    """Return a definition that isn't `main`; half are objects, which refs and unions are about."""
    if random.random() < 0.5:
        return _object(random)
    return random.choice((_scalar, _scalar, _array, _token))(random)


def _token(_random: Random) -> Schema:
    return {"type": "token"}


def _object(random: Random, depth: int = 0) -> Schema:
    fields = (*_FIELDS, *_ODD_FIELDS) if random.random() < 0.05 else _FIELDS
    names = random.sample(fields, random.randint(0, 5))
    properties = {
        name: _scalar(random) if name in _ODD_FIELDS else _part(random, depth) for name in names
    }
    required = [name for name in names if random.random() < 0.3]
    nullable = [name for name in names if random.random() < 0.2]
    listed = {"required": required, "nullable": nullable}
    kept = {key: names for key, names in listed.items() if names or random.random() < 0.2}
    return {"type": "object", "properties": properties, **kept}


def _part(random: Random, depth: int = 0) -> Schema:
    """Return what may stand in an object or array; refs are bound later."""
    match random.randrange(12):
        case 0 | 1:
            return {"type": "ref", "ref": ""}
        case 2 | 3:
            return _union(random)
        case 4 | 5:
            return _array(random, depth)
        case 6:
            return {"type": "unknown"}
        case 7 if depth < 2 and random.random() < 0.05:
            return _object(random, depth + 1)
        case _:
            return _scalar(random)


def _union(random: Random) -> Schema:
    schema: Schema = {"type": "union", "refs": [""] * random.randint(0, 3)}
    # A closed union of nothing allows nothing.
    if schema["refs"] and random.random() < 0.4:
        schema["closed"] = True
    return schema


def _array(random: Random, depth: int = 0) -> Schema:
    items = _part(random, depth + 1) if depth < 2 else _scalar(random)
    return {"type": "array", "items": items, **_range("Length", 0, 4, random)}


def _range(name: str, low: int, high: int, random: Random) -> dict[str, int]:
    least, most = sorted((random.randint(low, high), random.randint(low, high)))
    limits = {f"min{name}": least, f"max{name}": most}
    return {key: limit for key, limit in limits.items() if random.random() < 0.4}


def _scalar(random: Random) -> Schema:
    kinds = (_string, _string, _string, _integer, _integer, _boolean, _bytes, _cid_link, _blob)
    return random.choice(kinds)(random)


def _string(random: Random) -> Schema:
    match random.randrange(6):
        case 0 | 1:
            return {"type": "string", "format": random.choice(strings.FORMATS)}
        case 2:
            return {"type": "string", "enum": random.sample(("", "a", "B", "é", "#c", "1"), 3)}
        case 3:
            return {"type": "string", "const": random.choice(("", "a", "true", "é"))}
        case _:
            return _with_default(_limited_string(random), random)


def _limited_string(random: Random) -> Schema:
    most = random.choice((0, 1, 4, 30, 200))
    match random.randrange(3):
        case 0:
            return {"type": "string", **_range("Length", 0, most, random)}
        case 1:
            return {"type": "string", **_range("Graphemes", 0, most, random)}
        case _:
            # Graphemes are never more than bytes, so that something fits.
            most_bytes = random.randint(most, 4 * most)
            return {
                "type": "string",
                "maxLength": most_bytes,
                **_range("Graphemes", 0, most, random),
            }


def _with_default(schema: Schema, random: Random) -> Schema:
    if random.random() < 0.8:
        return schema
    return {**schema, "default": values.scalar(schema, random)}


def _integer(random: Random) -> Schema:
    match random.randrange(5):
        case 0:
            return {"type": "integer", "enum": random.sample((-1, 0, 1, 2, 100), 3)}
        case 1:
            return {"type": "integer", "const": random.choice((-1, 0, 1, 7))}
        case _:
            low, high = sorted(random.choices((-100, -1, 0, 1, 2, 100, 2**53 - 1), k=2))
            limits = {"minimum": low, "maximum": high}
            kept = {key: limit for key, limit in limits.items() if random.random() < 0.5}
            return _with_default({"type": "integer", **kept}, random)


def _boolean(random: Random) -> Schema:
    schema: Schema = {"type": "boolean"}
    if random.random() < 0.3:
        return {**schema, "const": random.random() < 0.5}
    return _with_default(schema, random)


def _bytes(random: Random) -> Schema:
    return {"type": "bytes", **_range("Length", 0, random.choice((0, 1, 2, 3, 40)), random)}


def _cid_link(_random: Random) -> Schema:
    return {"type": "cid-link"}


def _blob(random: Random) -> Schema:
    schema: Schema = {"type": "blob"}
    if random.random() < 0.5:
        accept = (["image/*"], ["image/png", "text/*"], ["*/*"], ["image/png"], ["a/b"])
        schema["accept"] = random.choice(accept)
    if random.random() < 0.5:
        schema["maxSize"] = random.choice((0, 1, 1000, 1_000_000))
    return schema


def _bind(tree: Any, nsid: str, lexicons: Lexicons, random: Random) -> None:
    """Put names of definitions into the refs and unions below."""
    if isinstance(tree, list):
        for item in tree:
            _bind(item, nsid, lexicons, random)
    elif isinstance(tree, dict):
        if tree.get("type") == "ref":
            tree["ref"] = _name(nsid, lexicons, random)
        elif tree.get("type") == "union":
            chosen = [_name(nsid, lexicons, random, objects=True) for _ in tree["refs"]]
            members = {lexicons.target(ref, nsid)[2]: ref for ref in chosen}
            tree["refs"] = list(members.values())
        for item in tree.values():
            _bind(item, nsid, lexicons, random)


def _let_end(tree: Any, nsid: str, lexicons: Lexicons) -> None:
    """Require nothing that would need one like itself without end."""
    if isinstance(tree, list):
        for item in tree:
            _let_end(item, nsid, lexicons)
    elif isinstance(tree, dict):
        if tree.get("type") == "object" and "required" in tree:
            properties = tree["properties"]
            tree["required"] = [
                name for name in tree["required"] if _ends(properties[name], nsid, lexicons, ())
            ]
        if tree.get("type") == "array" and not _ends(tree["items"], nsid, lexicons, ()):
            tree.pop("minLength", None)
        for item in tree.values():
            _let_end(item, nsid, lexicons)


def _ends(schema: Schema, nsid: str, lexicons: Lexicons, above: tuple[str, ...]) -> bool:
    """Tell whether a value needs none of the definitions that it is part of."""
    match schema["type"]:
        case "ref":
            return _target_ends(schema["ref"], nsid, lexicons, above)
        case "union" if schema.get("closed"):
            return any(_target_ends(ref, nsid, lexicons, above) for ref in schema["refs"])
        case "array" if schema.get("minLength", 0):
            return _ends(schema["items"], nsid, lexicons, above)
        case "object":
            needed = [schema["properties"][name] for name in schema.get("required", ())]
            return all(_ends(prop, nsid, lexicons, above) for prop in needed)
        case _:
            return True


def _target_ends(ref: str, nsid: str, lexicons: Lexicons, above: tuple[str, ...]) -> bool:
    schema, there, name = lexicons.target(ref, nsid)
    if name in above:
        return False
    return _ends(schema.get("record", schema), there, lexicons, (*above, name))


def _name(nsid: str, lexicons: Lexicons, random: Random, *, objects: bool = False) -> str:
    """Return the name of a definition, as it may be written in the lexicon `nsid`."""
    there = random.choice((HOME, AWAY, AWAY))
    name = random.choice(("main", *_NAMES))
    full = random.choice((f"{AWAY}.token", there)) if name == "main" else there
    ref = (
        full
        if name == "main"
        else random.choice((f"#{name}" if nsid == there else "", f"{there}#{name}"))
        or f"{there}#{name}"
    )
    kinds = {"object", "record"} if objects else set()
    fits = not kinds or lexicons.target(ref, nsid)[0]["type"] in kinds
    return ref if fits else _name(nsid, lexicons, random, objects=objects)
