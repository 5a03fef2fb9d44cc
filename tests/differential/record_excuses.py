"""Records that peers and we judge differently, and what is disputed in each."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final, TypeAlias

from tests.differential import records, strings, values
from tests.differential.compare import Excuse
from tests.differential.records import Record
from tests.differential.string_excuses import ALL, LENIENT, NOT_STRICT, STRINGS
from tests.differential.tree import UNDECLARED, Lexicons, Raw, Schema, Site, integer, mended, write

Mend: TypeAlias = Callable[[Site, Lexicons], object]
SAFE: Final = 2**53 - 1
_LINK: Final = re.compile(r"baf[yk]rei[a-h][a-z2-7]{50}[aeimquy4]")
_BASE64: Final = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?")


def at_sites(mend: Mend) -> Callable[[Record], Record]:
    """Return what mends every value of a record, also those that it put there itself."""

    def settle(record: Record) -> Record:
        text, before = record.text, ""
        while text != before:
            before = text
            text = mended(
                record.lexicons, record.nsid, text, lambda site: mend(site, record.lexicons)
            )
        return replace(record, text=text)

    return settle


_IN_EVERY_OBJECT: Final = {"constructor", "toString", "hasOwnProperty"}
_ELSEWHERE: Final = {"$type": "example.elsewhere.thing"}


def _fine(site: Site, lexicons: Lexicons) -> Any:
    """Return a small valid value for the site."""
    return values.valid(site.schema, site.nsid, lexicons, strings.seeded("fine"), values.MINIMAL)


def _once(record: Record) -> Record:
    def last(pairs: list[tuple[str, object]]) -> dict[str, object]:
        return dict(pairs)

    tree = json.loads(record.text, object_pairs_hook=last, parse_float=Raw, parse_constant=Raw)
    return replace(record, text=write(tree))


_SURROGATE: Final = re.compile(
    r"(\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2})|\\ud[89a-f][0-9a-f]{2}"
)


def _whole_characters(record: Record) -> Record:
    return replace(record, text=_SURROGATE.sub(lambda match: match[1] or "?", record.text))


def _less_deep(record: Record) -> Record:
    """Put 1 for what stands 30 deep, if it holds what is deeper than 32."""

    def cut(site: Site, _lexicons: Lexicons) -> object:
        return 1 if len(site.path) == 30 and _depth(site.value) > 2 else site.value

    return at_sites(cut)(record)


def _depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


def _key(name: str) -> Mend:
    def mend(site: Site, _lexicons: Lexicons) -> object:
        if not isinstance(site.value, dict) or name not in site.value:
            return site.value
        return {key: item for key, item in site.value.items() if key != name}

    return mend


def _whole(site: Site, _lexicons: Lexicons) -> object:
    """Put 1 for a fraction in an undeclared field."""
    if not isinstance(site.value, Raw) or site.schema["type"] != "undeclared":
        return site.value
    return 1 if not float(site.value.text).is_integer() else site.value


def _rounded(site: Site, _lexicons: Lexicons) -> object:
    """Write a fraction as JavaScript reads it, if that is an integer."""
    if not isinstance(site.value, Raw) or not re.fullmatch(
        r"-?[0-9.]+(?:[eE]-\d+)?", site.value.text
    ):
        return site.value
    number = float(site.value.text)
    return int(number) if number.is_integer() else site.value


def _without_sign(site: Site, _lexicons: Lexicons) -> object:
    """Write -0 without its sign."""
    return 0 if isinstance(site.value, Raw) and integer(site.value) == 0 else site.value


def _within(limit: int) -> Mend:
    def mend(site: Site, lexicons: Lexicons) -> object:
        number = integer(site.value)
        if number is None or abs(number) <= limit:
            return site.value
        return _fine(site, lexicons) if site.schema["type"] == "integer" else 1

    return mend


def _named(site: Site, _lexicons: Lexicons) -> object:
    """Take away a `$type` that is no name; in a union, put one that isn't listed."""
    value = site.value
    if not isinstance(value, dict) or "$type" not in value:
        return value
    if isinstance(value["$type"], str) and value["$type"]:
        return value
    if site.schema["type"] == "union":
        return {**value, **_ELSEWHERE}
    return {key: item for key, item in value.items() if key != "$type"}


def _is_link(value: Any) -> bool:
    link = value.get("$link") if len(value) == 1 else None
    return isinstance(link, str) and _LINK.fullmatch(link) is not None


def _is_bytes(value: Any) -> bool:
    text = value.get("$bytes") if len(value) == 1 else None
    return isinstance(text, str) and _BASE64.fullmatch(text) is not None


def _special(value: object) -> bool:
    """Tell whether a value claims to be a link or bytes."""
    return isinstance(value, dict) and not value.keys().isdisjoint({"$link", "$bytes"})


def _undeclared_special(site: Site, _lexicons: Lexicons) -> object:
    if site.schema["type"] != "undeclared" or not _special(site.value):
        return site.value
    return site.value if _is_link(site.value) or _is_bytes(site.value) else {"x": 1}


def _is_blob(value: object) -> bool:
    return isinstance(value, dict) and value.get("$type") == "blob"


def _is_sound_blob(value: dict[str, Any]) -> bool:
    ref, mime_type, size = value.get("ref"), value.get("mimeType"), value.get("size")
    return (
        value.keys() == {"$type", "ref", "mimeType", "size"}
        and isinstance(ref, dict)
        and _is_link(ref)
        and ref["$link"].startswith("bafkrei")
        and isinstance(mime_type, str)
        and "/" in mime_type
        and type(size) is int
        and 0 <= size <= SAFE
    )


def _undeclared_blob(site: Site, _lexicons: Lexicons) -> object:
    """Put an object for a broken blob where no blob is declared."""
    free = site.schema["type"] in {"undeclared", "union"}
    broken = free and _is_blob(site.value) and not _is_sound_blob(site.value)
    return _ELSEWHERE if broken else site.value


def _blob_in_union(site: Site, _lexicons: Lexicons) -> object:
    in_union = site.schema["type"] == "union" and _is_blob(site.value)
    return _ELSEWHERE if in_union else site.value


def _without_special_keys(site: Site, _lexicons: Lexicons) -> object:
    """Take `$link` and `$bytes` out of an object of the lexicon."""
    if site.schema["type"] not in {"object", "union"} or not _special(site.value):
        return site.value
    return {key: item for key, item in site.value.items() if key not in {"$link", "$bytes"}}


_ANY_CID: Final = re.compile(r"[a-zA-Z0-9+=]{8,256}")


def _usual_link(site: Site, _lexicons: Lexicons) -> object:
    """Put a link as AT Protocol has them for another CID."""
    if not isinstance(site.value, dict) or site.value.keys() != {"$link"}:
        return site.value
    link = site.value["$link"]
    other = isinstance(link, str) and _ANY_CID.fullmatch(link) and not _LINK.fullmatch(link)
    return {"$link": strings.RAW_CID} if other else site.value


def _usual_bytes(site: Site, lexicons: Lexicons) -> object:
    if not isinstance(site.value, dict) or site.value.keys() != {"$bytes"}:
        return site.value
    if not isinstance(site.value["$bytes"], str) or _is_bytes(site.value):
        return site.value
    return _fine(site, lexicons) if site.schema["type"] == "bytes" else {"$bytes": "AAAA"}


def _at_root(mend: Callable[[dict[str, Any], str], object]) -> Callable[[Record], Record]:
    """Return what mends a record that is an object; `mend` takes it and the collection."""

    def settle(record: Record) -> Record:
        def at(site: Site, _lexicons: Lexicons) -> object:
            at_root = isinstance(site.value, dict) and not site.path
            return mend(site.value, record.nsid) if at_root else site.value

        return at_sites(at)(record)

    return settle


def _typed(value: dict[str, Any], nsid: str) -> object:
    return value if "$type" in value else {"$type": nsid, **value}


_RKEYS: Final = {
    "tid": r"[2-7a-j][2-7a-z]{12}",
    "nsid": r"[a-z]+(?:\.[a-z]+){2,}",
    "any": r"(?!\.{1,2}$)[A-Za-z0-9._:~-]{1,512}",
}


def _usual_rkey(*kinds: str) -> Callable[[Record], Record]:
    """Return what puts a valid record key for another, in collections of these kinds or all."""

    def settle(record: Record) -> Record:
        kind = record.lexicons.record(record.nsid)["key"]
        pattern = _RKEYS.get(kind, re.escape(kind.removeprefix("literal:")))
        if (kinds and kind not in kinds) or re.fullmatch(pattern, record.rkey):
            return record
        return replace(record, rkey=records.rkey(kind, strings.seeded("rkey")))

    return settle


def _without_main(site: Site, _lexicons: Lexicons) -> object:
    """Take `#main` off a `$type`; in a union, where it is an unlisted one, put another of these."""
    name = site.value.get("$type") if isinstance(site.value, dict) else None
    if not isinstance(name, str) or not name.endswith("#main"):
        return site.value
    if site.schema["type"] == "union":
        return {**site.value, **_ELSEWHERE}
    return {**site.value, "$type": name.removesuffix("#main") or _ELSEWHERE["$type"]}


def _named_short(site: Site, _lexicons: Lexicons) -> object:
    """Take `lex:` and `#main` off the `$type` of a record and of a union's member."""
    name = site.value.get("$type") if isinstance(site.value, dict) else None
    if not isinstance(name, str) or (site.path and site.schema["type"] != "union"):
        return site.value
    short_name = name.removeprefix("lex:").removesuffix("#main")
    return site.value if short_name == name else {**site.value, "$type": short_name}


def _named_elsewhere(site: Site, lexicons: Lexicons) -> object:
    """Put another `$type` for one that only seems to name a union's member."""
    return site.value if _named_short(site, lexicons) is site.value else _ELSEWHERE


def _with_defaults(site: Site, lexicons: Lexicons) -> object:
    """Add the required fields that have a default."""
    if site.schema["type"] != "object" or not isinstance(site.value, dict):
        return site.value
    made: dict[str, object] = {}
    for name in site.schema.get("required", ()):
        prop = site.schema["properties"][name]
        if prop["type"] == "ref":
            prop, _, _ = lexicons.target(prop["ref"], site.nsid)
        if name not in site.value and "default" in prop:
            made[name] = prop["default"]
    return {**site.value, **made} if made else site.value


def _legacy(site: Site, lexicons: Lexicons) -> object:
    """Put a blob, or nothing special, for one in the form of before."""
    if not isinstance(site.value, dict) or site.value.keys() != {"cid", "mimeType"}:
        return site.value
    if not all(isinstance(item, str) for item in site.value.values()):
        return site.value
    if site.schema["type"] in {"undeclared", "unknown", "union"}:
        return {"x": 1}
    return _fine(site, lexicons) if site.schema["type"] == "blob" else site.value


def _above_minimum(site: Site, lexicons: Lexicons) -> object:
    """Put a valid integer for one below a minimum of 0 or less."""
    number = integer(site.value)
    minimum = site.schema.get("minimum", 1)
    return site.value if number is None or not number < minimum <= 0 else _fine(site, lexicons)


def _without_hash(site: Site, _lexicons: Lexicons) -> object:
    """Put another value of the enum for one that begins with a hash."""
    if not isinstance(site.value, str) or not site.value.startswith("#"):
        return site.value
    others = [each for each in site.schema.get("enum", ()) if not each.startswith("#")]
    return others[0] if others else site.value


def _an_object(site: Site, _lexicons: Lexicons) -> object:
    """Put an object for what an unknown isn't, though JavaScript has an object for it."""
    if site.schema["type"] != "unknown":
        return site.value
    other = isinstance(site.value, list) or _special(site.value)
    return {"x": 1} if other or _is_blob(site.value) else site.value


def _with_odd_fields(site: Site, lexicons: Lexicons) -> object:
    """Add the fields that JavaScript finds in every object."""
    if site.schema["type"] != "object" or not isinstance(site.value, dict):
        return site.value
    properties = site.schema.get("properties", {})
    missing = _IN_EVERY_OBJECT & properties.keys() - site.value.keys()
    made = {name: _fine(replace(site, schema=properties[name]), lexicons) for name in missing}
    return {**site.value, **made} if made else site.value


def _untyped(site: Site, _lexicons: Lexicons) -> object:
    """Take away the `$type` of an object that isn't the one its field names."""
    if site.name is None or site.schema["type"] != "object" or not isinstance(site.value, dict):
        return site.value
    given = site.value.get("$type")
    if not isinstance(given, str) or given in {"", site.name}:
        return site.value
    return {key: item for key, item in site.value.items() if key != "$type"}


def _not_negative(site: Site, lexicons: Lexicons) -> object:
    """Put a valid integer for one below 0 where only a maximum is set."""
    number, schema = integer(site.value), site.schema
    negative = number is not None and number < 0 and "maximum" in schema and "minimum" not in schema
    return _fine(site, lexicons) if negative else site.value


def _object_named_blob(site: Site, _lexicons: Lexicons) -> object:
    """Take away the `$type` of an object of the lexicon that calls itself a blob."""
    if site.schema["type"] != "object" or not _is_blob(site.value):
        return site.value
    return {key: item for key, item in site.value.items() if key != "$type"}


def _object_for_array(site: Site, lexicons: Lexicons) -> object:
    array = isinstance(site.value, list) and site.schema["type"] == "object"
    return _fine(site, lexicons) if array else site.value


def _acceptable(site: Site, lexicons: Lexicons) -> object:
    """Put a media type and a size that the blob's schema takes for those that it doesn't."""
    value, schema = site.value, site.schema
    if schema["type"] != "blob" or not isinstance(value, dict):
        return value
    wrong = set()
    mime_type, size = value.get("mimeType"), integer(value.get("size"))
    if isinstance(mime_type, str) and not _accepts(schema.get("accept", ["*/*"]), mime_type):
        wrong.add("mimeType")
    if size is not None and not 0 <= size <= schema.get("maxSize", size):
        wrong.add("size")
    fine = _fine(site, lexicons)
    return {**value, **{field: fine[field] for field in wrong}} if wrong else value


def _accepts(patterns: list[str], mime_type: str) -> bool:
    ways = [re.escape(pattern).replace(r"\*", ".*") for pattern in patterns]
    return "/" in mime_type and any(re.fullmatch(way, mime_type) for way in ways)


def _strings() -> Iterator[Excuse[Record]]:
    """Return the excuses of strings, for those in records."""

    def lifted(format: str, excuse: Excuse[str]) -> Mend:
        def mend(site: Site, _lexicons: Lexicons) -> object:
            if not isinstance(site.value, str) or site.schema.get("format") != format:
                return site.value
            settled = excuse.settle(site.value)
            return site.value if settled == site.value else settled

        return mend

    for format, excuses in STRINGS.items():
        for excuse in excuses:
            yield Excuse(excuse.row, excuse.we, excuse.peers, at_sites(lifted(format, excuse)))


_ATCUTE: Final = frozenset({"atcute"})
_LEXICON: Final = frozenset({"lexicon"})
_BY_VALUE: Final = ALL - {"lex strict"}
_ANY_LEXICON: Final = ALL - {"pds"}
_AS_LEX: Final = "`$type` with `lex:` before it, or `#main` after a member's"
RECORDS: Final = (
    Excuse("a key twice in one object", "refuse", ALL, _once),
    Excuse("half of a character", "refuse", ALL, _whole_characters),
    Excuse(_AS_LEX, "refuse", _LEXICON, at_sites(_named_short)),
    Excuse(_AS_LEX, "take", _LEXICON, at_sites(_named_elsewhere)),
    Excuse("nesting deeper than 32", "refuse", ALL, _less_deep),
    Excuse("a key `__proto__`", "take", LENIENT, at_sites(_key("__proto__"))),
    Excuse("a fraction in an undeclared field", "refuse", NOT_STRICT, at_sites(_whole)),
    Excuse("a fraction that JavaScript rounds to an integer", "refuse", ALL, at_sites(_rounded)),
    Excuse(
        "-0 where 0 is the const", "take", frozenset({"lex strict", "lex"}), at_sites(_without_sign)
    ),
    Excuse("an integer beyond 64 bits", "refuse", NOT_STRICT, at_sites(_within(2**63 - 1))),
    Excuse("an integer beyond ±(2^53-1)", "take", _ATCUTE | {"lex"}, at_sites(_within(SAFE))),
    Excuse("`$type` empty or no string", "refuse", _BY_VALUE, at_sites(_named)),
    Excuse(
        "a broken link or bytes in an undeclared field",
        "refuse",
        _BY_VALUE,
        at_sites(_undeclared_special),
    ),
    Excuse("a broken blob where none is declared", "refuse", _BY_VALUE, at_sites(_undeclared_blob)),
    Excuse("a blob in a union", "take", _LEXICON, at_sites(_blob_in_union)),
    Excuse(
        "`$link` or `$bytes` among other fields",
        "refuse",
        _BY_VALUE,
        at_sites(_without_special_keys),
    ),
    Excuse("a link by another CID", "refuse", ALL, at_sites(_usual_link)),
    Excuse(
        "bytes: base64 with wrong padding or alphabet",
        "refuse",
        ALL - _ATCUTE,
        at_sites(_usual_bytes),
    ),
    Excuse("a record without `$type`", "refuse", frozenset({"pds"}), _at_root(_typed)),
    Excuse("`$type` that ends in `#main`", "refuse", ALL, at_sites(_without_main)),
    Excuse(
        "a required field that is absent and has a default",
        "refuse",
        _ATCUTE | _LEXICON,
        at_sites(_with_defaults),
    ),
    Excuse("a record key of another kind", "refuse", LENIENT, _usual_rkey()),
    Excuse("a record key where any is allowed", "refuse", _ATCUTE, _usual_rkey("any")),
    Excuse("unknown: arrays, links, bytes and blobs", "refuse", _ANY_LEXICON, at_sites(_an_object)),
    Excuse("enum: a value that begins with `#`", "take", _LEXICON, at_sites(_without_hash)),
    Excuse(
        "an absent field named `constructor`, `toString` or the like",
        "take",
        _ANY_LEXICON,
        at_sites(_with_odd_fields),
    ),
    Excuse(
        "a ref to an object whose `$type` is another", "take", _ATCUTE | {"lex"}, at_sites(_untyped)
    ),
    Excuse(
        "an object of the lexicon that calls itself a blob",
        "refuse",
        _LEXICON,
        at_sites(_object_named_blob),
    ),
    Excuse("an array for an object", "refuse", _LEXICON, at_sites(_object_for_array)),
    Excuse("blob: accept and maxSize", "refuse", LENIENT, at_sites(_acceptable)),
    Excuse(
        "blob: a mimeType without a slash or in another case, a size below 0",
        "refuse",
        _ATCUTE,
        at_sites(_acceptable),
    ),
    Excuse("blob: the form of before 2023", "either", LENIENT | {"lex strict"}, at_sites(_legacy)),
    Excuse("integer: a minimum of 0 or less", "refuse", _ATCUTE, at_sites(_above_minimum)),
    Excuse("integer: a maximum without a minimum", "take", _ATCUTE, at_sites(_not_negative)),
    *_strings(),
)


def _reaches(test: Callable[[Schema, str, Lexicons], bool]) -> Callable[[Record], bool]:
    def applies(record: Record) -> bool:
        lexicons = record.lexicons
        return any(test(schema, nsid, lexicons) for schema, nsid in lexicons.reachable(record.nsid))

    return applies


def _refers_to(*kinds: str, by: str) -> Callable[[Schema, str, Lexicons], bool]:
    def test(schema: Schema, nsid: str, lexicons: Lexicons) -> bool:
        refs = schema.get("refs", [schema.get("ref")]) if schema["type"] == by else []
        return any(lexicons.target(ref, nsid)[0]["type"] in kinds for ref in refs)

    return test


def _below_zero(schema: Schema, _nsid: str, _lexicons: Lexicons) -> bool:
    values = (schema.get("maximum"), schema.get("const"), schema.get("default"))
    numbers = (*values, *schema.get("enum", ()))
    return schema["type"] == "integer" and any(
        number is not None and number < 0 for number in numbers
    )


def _holds_objects(schema: Schema, _nsid: str, _lexicons: Lexicons) -> bool:
    parts = (*schema.get("properties", {}).values(), schema.get("items", UNDECLARED))
    return any(part["type"] == "object" for part in parts)


UNABLE: Final[tuple[tuple[str, frozenset[str], Callable[[Record], bool]], ...]] = (
    ("a ref to a record", _ATCUTE | _LEXICON, _reaches(_refers_to("record", by="ref"))),
    ("a ref to a token", _LEXICON, _reaches(_refers_to("token", by="ref"))),
    ("a record in a union", _ATCUTE | _LEXICON, _reaches(_refers_to("record", by="union"))),
    ("a lexicon with integers below 0", _ATCUTE, _reaches(_below_zero)),
    (
        "an object written within another or in an array",
        _ATCUTE | {"lex", "lex strict"},
        _reaches(_holds_objects),
    ),
)
"""Why a peer has no verdict: the row, the peers, and whether the lexicons of a record show it."""
