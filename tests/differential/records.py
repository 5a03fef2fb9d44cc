"""Records of any lexicon, valid ones and broken ones, as JSON text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from tests.differential import strings, values
from tests.differential.tree import ABSENT, Lexicons, Raw, Site, replaced, write


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it is judged; `text` is JSON, and may be what no data model has."""

    lexicons: Lexicons
    nsid: str
    rkey: str
    text: str


def record(lexicons: Lexicons, nsid: str, random: Random) -> Record:
    """Return a record of the collection: a third are valid, most others have one fault."""
    definition = lexicons.record(nsid)
    tree: object = {"$type": nsid, **values.valid(definition["record"], nsid, lexicons, random)}
    for _ in range(random.choice((0, 0, 1, 1, 1, 2))):
        tree = _broken(tree, lexicons, nsid, random)
    text = write(tree)
    return Record(lexicons, nsid, _rkey(definition["key"], random), text)


def rkey(kind: str, random: Random) -> str:
    """Return a valid record key of the kind that a lexicon asks for."""
    match kind:
        case "tid":
            return strings.valid("tid", random)
        case "nsid":
            return strings.valid("nsid", random)
        case _ if kind.startswith("literal:"):
            return kind.removeprefix("literal:")
        case _:
            return strings.valid("record-key", random)


def _rkey(kind: str, random: Random) -> str:
    if random.random() < 0.95:
        return rkey(kind, random)
    return random.choice(
        ("self", "a.b.c", "..", "", "3mdvjx6ojy223", "ä", strings.mutated("tid", random))
    )


def _broken(tree: object, lexicons: Lexicons, nsid: str, random: Random) -> object:
    sites = list(lexicons.sites(nsid, tree))
    wanted = random.choice((_has_limits, _has_limits, _has_parts, _is_anything))
    site = random.choice([site for site in sites if wanted(site)] or sites)
    change = random.choice(_fitting(site))
    return replaced(tree, site.path, change(site, random))


def _has_limits(site: Site) -> bool:
    return site.schema["type"] in {"string", "integer", "boolean", "bytes", "blob", "array"}


def _has_parts(site: Site) -> bool:
    return isinstance(site.value, dict)


def _is_anything(_site: Site) -> bool:
    return True


Change = Callable[[Site, Random], Any]


def _fitting(site: Site) -> tuple[Change, ...]:
    if isinstance(site.value, dict) and site.schema["type"] == "blob":
        return (_blob, _blob, _blob, _edge, _retyped, _object)
    if isinstance(site.value, dict) and site.value.keys() & {"$link", "$bytes"}:
        return (_special, _special, _edge, _retyped)
    if isinstance(site.value, dict):
        return (_object, _object, _object, _retyped, _dropped, _deep)
    if isinstance(site.value, list):
        return (_length, _length, _retyped, _object, _dropped)
    if site.schema["type"] == "string" and "format" in site.schema:
        return (_format, _format, _format, _retyped)
    return (_edge, _edge, _edge, _retyped, _number, _dropped)


def _edge(site: Site, random: Random) -> Any:
    found = list(values.edges(site.schema, random))
    return random.choice(found) if found else _retyped(site, random)


def _format(site: Site, random: Random) -> Any:
    return strings.mutated(site.schema["format"], random)


_TYPES: Final[tuple[object, ...]] = (
    *(None, True, False, 0, 1, -1, "", "text", "true", "1", [], [1], {}, {"x": 1}, [None]),
    *(values.BLOB, {"$link": strings.CID}, {"$bytes": "AAAA"}, {"$type": "a.b.c"}, {"$type": ""}),
    *({"$type": 1}, {"$type": None}, {"$type": "blob"}, Raw("1.0"), Raw("0.5")),
)


def _retyped(_site: Site, random: Random) -> Any:
    return random.choice(_TYPES)


_NUMBERS: Final = (
    *("-0", "1.0", "1e2", "-0.0", "1E400", "-1e-400", "0.1", "1.5e1", "NaN", "Infinity", "01"),
    *("9007199254740991", "9007199254740992", "-9007199254740991", "-9007199254740992"),
    *("9223372036854775807", "9223372036854775808", "-9223372036854775808", "1" + "0" * 30, "+1"),
)


def _number(_site: Site, random: Random) -> Any:
    return Raw(random.choice(_NUMBERS))


def _dropped(_site: Site, _random: Random) -> Any:
    return ABSENT


def _deep(site: Site, random: Random) -> Any:
    """Nest something until the record is about 32 deep, or much deeper."""
    # The record itself is the first level.
    levels = random.choice((30, 31, 32, 33, 40, 200)) - len(site.path)
    nested: object = 1
    for _ in range(levels):
        nested = [nested] if random.random() < 0.5 else {"x": nested}
    return {**site.value, "x": nested}


def _length(site: Site, random: Random) -> Any:
    limits = [site.schema[name] for name in ("minLength", "maxLength") if name in site.schema]
    length = max(0, random.choice(limits or [2]) + random.choice((-1, 0, 1)))
    items = site.value or ["text"]
    return [items[index % len(items)] for index in range(min(length, 300))]


def _object(site: Site, random: Random) -> Any:
    if isinstance(site.value, list):
        return {str(index): item for index, item in enumerate(site.value)}
    change = random.choice((_less, _less, _more, _more, _null, _other_type, _twice, _strange_key))
    return change(site.value, random)


def _less(value: dict[str, Any], random: Random) -> Any:
    gone = random.choice([*value, ""])
    return {key: item for key, item in value.items() if key != gone}


def _more(value: dict[str, Any], random: Random) -> Any:
    more = random.choice((*_TYPES, *map(Raw, _NUMBERS), *_SPECIAL, *_blobs(random)))
    return {**value, random.choice(("extra", "$extra", "type", "")): more}


def _null(value: dict[str, Any], random: Random) -> Any:
    return {**value, random.choice([*value, "extra"]): None}


_NAMES: Final[tuple[object, ...]] = (
    *(
        "",
        "blob",
        "a.b",
        "a.b.c",
        "a.b.c#d",
        "site.standard.document",
        "#main",
        "a b",
        "not-an-nsid",
    ),
    *(1, None, True, [], {}, "com.atproto.repo.strongRef", "com.atproto.repo.strongRef#main"),
)


def _other_type(value: dict[str, Any], random: Random) -> Any:
    given = value.get("$type")
    names = (f"{given}#main", f"{given}x", f"lex:{given}") if isinstance(given, str) else ()
    return {**value, "$type": random.choice((*_NAMES, *names))}


def _twice(value: dict[str, Any], random: Random) -> Any:
    key = random.choice([*value, "extra"])
    again = write({key: random.choice(_TYPES)})[1:-1]
    return Raw("{" + ",".join([*filter(None, [write(value)[1:-1]]), again, again]) + "}")


def _strange_key(value: dict[str, Any], random: Random) -> Any:
    key = random.choice(
        ("__proto__", "constructor", "toString", "\ud800", "a" * 300, "é", "\0", "$link")
    )
    return {**value, key: random.choice(_TYPES)}


_SPECIAL: Final[tuple[object, ...]] = (
    *(
        {"$link": strings.CID, "x": 1},
        {"$link": 1},
        {"$link": ""},
        {"$link": None},
        {"$link": "bafy"},
    ),
    {"$link": "QmSgvgwxZGaBLqkGyWemEDqikCqU52XxsYLKtdy3vGZ8uq"},
    {"$link": strings.CID.upper()},
    {"$link": strings.CID[:-1] + "b"},
    {"$link": strings.CID + "\n"},
    {"$link": "bagaaierasords4njcts6vs7qvdjfcvgnume4hqohf65zsfguprqphs3icwea"},
    {"$link": "zb2rhe5P4gXftAwvA4eXQ5HJwsER2owDyS9sKaQRRVQPn93bA"},
    *({"$bytes": text} for text in ("", "AA", "AA==", "AA=", "A", "AAA", "AAA=", "AAAA=", "A===")),
    *(
        {"$bytes": text}
        for text in ("AB==", "-_-_", "A A=", "AA\n", "AAAA\n", "é", "====", "AAAAA")
    ),
    *({"$bytes": 1}, {"$bytes": None}, {"$bytes": "AAAA", "x": 1}, {"$bytes": "A" * 40}),
    *({"$bytes": "AAAA", "$link": strings.CID}, {"$link": strings.CID, "$type": "a.b.c"}),
)


def _special(_site: Site, random: Random) -> Any:
    return random.choice(_SPECIAL)


def _blob(_site: Site, random: Random) -> Any:
    return random.choice(_blobs(random))


def _blobs(random: Random) -> tuple[object, ...]:
    """Blobs broken in each way."""
    without = random.choice(list(values.BLOB))
    return (
        {key: item for key, item in values.BLOB.items() if key != without},
        {**values.BLOB, "extra": 1},
        {**values.BLOB, "$type": random.choice(("Blob", "", None, "a.b.c", 1))},
        {
            **values.BLOB,
            "size": random.choice((0, -1, -2, "1", None, True, Raw("1.0"), Raw("1.5"))),
        },
        {**values.BLOB, "size": Raw(random.choice(_NUMBERS))},
        {
            **values.BLOB,
            "mimeType": random.choice(("", "image", "/", None, 1, "image/png\n", "*/*")),
        },
        {**values.BLOB, "ref": random.choice((*_SPECIAL, strings.RAW_CID, None, {}, []))},
        {**values.BLOB, "ref": {"$link": strings.CID}},
        {"cid": strings.RAW_CID, "mimeType": "image/png"},
        {"cid": strings.CID, "mimeType": random.choice(("image/png", "image", ""))},
        {"cid": "text", "mimeType": "image/png"},
        {"cid": strings.RAW_CID, "mimeType": "image/png", "size": 1},
    )
