"""What validation says, word for word: tests/golden/findings.txt has it, to be read by people.

Each case is a definition of the field `f` and values that break it. After a change on purpose,
`python -m tests.test_words` prints the file anew.
"""

from __future__ import annotations

import difflib
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from publisher import data
from publisher.data import DAG_CBOR, RAW, Cid
from publisher.errors import LexiconError
from publisher.findings import Finding
from publisher.lexicon import Catalog, check, load
from publisher.lexicon.catalog import Profile
from publisher.lexicon.language import LexiconFile
from publisher.lexicon.readers import READERS, findings
from tests import test_lexicon_files as files
from tests.test_data import REFUSED

GOLDEN = Path(__file__).parent / "golden" / "findings.txt"
NSID = "com.example.thing"
LINK = Cid.of(b"a record", DAG_CBOR)
IMAGE = {"$type": "blob", "ref": Cid.of(b"a blob", RAW), "mimeType": "image/png", "size": 6}
LEGACY = {"cid": str(Cid.of(b"a blob", RAW)), "mimeType": "image/png"}
KINDS: tuple[object, ...] = (None, "text", 1, True, [1], {"a": 1}, b"\x01", LINK, IMAGE, LEGACY)
OBJECT = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}

CASES: tuple[tuple[dict[str, Any], tuple[object, ...]], ...] = (
    ({"type": "string"}, KINDS),
    ({"type": "integer"}, KINDS),
    ({"type": "boolean"}, KINDS),
    ({"type": "bytes"}, KINDS),
    ({"type": "cid-link"}, KINDS),
    ({"type": "blob"}, KINDS),
    ({"type": "array", "items": {"type": "integer"}}, KINDS),
    ({"type": "object"}, KINDS),
    ({"type": "unknown"}, KINDS),
    ({"type": "ref", "ref": "#kind"}, (*KINDS, f"{NSID}#other")),
    ({"type": "ref", "ref": "#named"}, (*KINDS, {"$type": "com.example.other", "n": 1})),
    ({"type": "ref", "ref": "com.example.record"}, ({"n": 1}, {"$type": "com.example.other"})),
    ({"type": "ref", "ref": "com.example.gone"}, (1,)),
    (
        {"type": "union", "refs": ["#named", "com.example.record", "com.example.gone"]},
        (
            *KINDS,
            {"$type": "com.example.gone"},
            {"$type": "not a name"},
            {"$type": "com.example.a#main"},
            {"$type": "com.example.hint", "n": "x", "s": "\ud83d"},
        ),
    ),
    ({"type": "union", "refs": []}, ({}, {"$type": ""}, {"$type": 1})),
    (
        {"type": "union", "refs": ["#named", "com.example.record"], "closed": True},
        ({"$type": "com.example.hint"}, {"$type": "com.example.record#main"}),
    ),
    (
        {"type": "union", "refs": ["#named"], "closed": True},
        ({"$type": "com.example.hint"}, {"a": 1}),
    ),
    ({"type": "string", "maxLength": 1000, "maxGraphemes": 100}, ("é" * 1500, "👍🏽" * 101)),
    ({"type": "string", "minLength": 3, "minGraphemes": 2}, ("é", "")),
    ({"type": "string", "enum": ["a", "b"]}, ("c" * 99,)),
    ({"type": "string", "const": "a"}, ("b",)),
    ({"type": "string", "format": "datetime"}, ("2026-02-30T00:00:00Z", "x" * 99)),
    ({"type": "string", "format": "uri"}, ("no address", "https://alice.example/é")),
    ({"type": "integer", "minimum": -2, "maximum": 2}, (-3, 3)),
    ({"type": "integer", "enum": [1, 2]}, (3,)),
    ({"type": "integer", "const": 1}, (2,)),
    ({"type": "boolean", "const": True}, (False,)),
    ({"type": "boolean", "const": False}, (True,)),
    ({"type": "bytes", "minLength": 2, "maxLength": 2}, (b"\x01", b"\x01\x02\x03")),
    ({"type": "array", "items": {"type": "integer"}, "minLength": 1, "maxLength": 1}, ([], [1, 2])),
    (
        {"type": "blob", "accept": ["image/*", "text/plain"], "maxSize": 1000},
        ({**IMAGE, "mimeType": "video/mp4"}, {**IMAGE, "size": 1001}),
    ),
)
TEXTS = (
    '{"a": 1, "a": 2}',
    '{"a": NaN, "b": 1.5, "c": 9223372036854775808, "d": 1e999}',
    '{"a": "\\ud83d", "\\ud83d": 1}',
    '{"$type": "", "b": {"$type": 1}}',
    '{"a": {"$link": "x", "b": 1}, "b": {"$link": "bafyx"}}',
    '{"a": {"$bytes": 1}, "b": {"$bytes": "-"}, "c": {"$bytes": "A"}}',
    '{"$link": "bafyreie3oagoqkmnx4dvbmoyh43la4zuetlpztuv7bv4ljcwwxvqfftjpz"}',
    '{"a": {"$type": "blob", "ref": 1, "mimeType": "png", "size": -1, "x": 1}}',
    "[" * 40 + "]" * 40,
    "[" * 100_000,
    "{",
    '{"a": 1} 2',
    '{"a": ' + "1" * 30 + ".5}",
)
VALUES: tuple[object, ...] = (
    2**53,
    10**30,
    1.5,
    {1: 2},
    {"__proto__": 1},
    {"$link": "a"},
    {"$bytes": "a"},
    LEGACY,
    {**IMAGE, "ref": LINK},
)


def lexicons() -> Catalog:
    made = Catalog()
    for nsid, defs in (
        ("com.example.record", {"main": {"type": "record", "key": "tid", "record": OBJECT}}),
        ("com.example.hint", {"main": OBJECT}),
        ("com.example.note", {"main": {"type": "record", "key": "literal:self", "record": OBJECT}}),
    ):
        made.add(LexiconFile.model_validate({"lexicon": 1, "id": nsid, "defs": defs}))
    return made


def of_field(schema: dict[str, Any]) -> Catalog:
    made = lexicons()
    body = {"type": "object", "properties": {"f": schema}}
    defs = {
        "main": {"type": "record", "key": "any", "record": body},
        "kind": {"type": "token"},
        "named": OBJECT,
    }
    made.add(LexiconFile.model_validate({"lexicon": 1, "id": NSID, "defs": defs}))
    return made


def lines() -> Iterator[str]:
    for schema, values in CASES:
        catalog = of_field(schema)
        for value in values:
            yield from said(f"{schema} {shown(value)}", of(catalog, {"$type": NSID, "f": value}))
    yield from records()
    yield from readers()
    yield from lexicon_files()
    for text in TEXTS:
        try:
            data.loads(text)
        except data.DataError as error:
            yield from said(shown(text), error.findings)
    for value in VALUES:
        yield from said(shown(value), data.check(value))
    yield from cbor()
    yield from folders_of_lexicons()


def records() -> Iterator[str]:
    """What is said of a record as a whole."""
    catalog = lexicons()
    note = {"$type": "com.example.note", "n": 1}
    yield from said("no $type", catalog.validate({"n": 1}, nsid="com.example.note").findings)
    yield from said("no $type at all", catalog.validate({"n": 1}).findings)
    yield from said("another $type", catalog.validate(note, nsid="com.example.record").findings)
    yield from said("no lexicon", catalog.validate({"$type": "com.example.none"}).findings)
    yield from said("no object", catalog.validate([]).findings)
    with pytest.raises(ValueError, match="known are") as refused:
        catalog.validate(note, profile="none")  # type: ignore[arg-type]
    yield f"{refused.value}\n"
    yield from said("a fixed rkey", catalog.validate(note, rkey="other").findings)
    record = {"$type": "com.example.record", "n": 1}
    for rkey in ("other", "a b"):
        yield from said(f"the rkey {rkey}", catalog.validate(record, rkey=rkey).findings)


def readers() -> Iterator[str]:
    """What is said of what readers drop."""
    document: dict[str, object] = {
        "$type": "site.standard.document",
        "path": "/a",
        "textContent": "a",
        "title": "a",
    }
    publication: dict[str, object] = {
        "$type": "site.standard.publication",
        "url": "https://a.example",
        "name": "a",
    }
    did = "at://did:web:a.example"
    values: tuple[dict[str, object], ...] = (
        *({**document, "site": site} for site in SITES),
        {**document, "site": f"{did}/site.standard.publication/3lwafzkjqm25s"},
        {**document, "title": ""},
        {"$type": "site.standard.document", "tags": ["a", 1, "é" * 50, "é" * 51, "d" * 101]},
        {**document, "path": "/a?b"},
        {**document, "path": "/a#b", "textContent": " "},
        publication,
        {**publication, "url": "http://a.example"},
        {**publication, "url": "https://a.example/?b"},
        {**publication, "url": "https://a.example/#b", "name": "é" * 129, "description": "é" * 301},
        {**publication, "url": 1, "name": "n" * 1281},
    )
    for value in values:
        for reader in READERS:
            yield from said(
                f"{reader} {shown(value)}", findings(value, str(value["$type"]), reader)
            )


SITES = (
    *("https://a.example", "at://a.example/site.standard.publication/3lwafzkjqm25s"),
    *("at://did:web:a.example/site.standard.publication/3lwafzkjqm25s/", "at://did:web:a.example"),
    *("at://did:web:a.example/site.standard.document/a", "at://did:web:a.example/"),
    "at://did:web:a.example/site.standard.publication",
)


def lexicon_files() -> Iterator[str]:
    """What is said of lexicon files, by the cases of their own tests."""
    tests = (
        files.test_a_fault_is_told_once_at_its_place,
        files.test_a_keyword_that_nothing_obeys_is_an_error,
        files.test_what_changes_no_rule_is_told_and_leaves_the_file_valid,
    )
    for test in tests:
        for document, *_ in cases(test):
            yield from said(shown(document.get("defs", document)), check(document))


def folders_of_lexicons() -> Iterator[str]:
    """What is said of files beside each other, and of folders that can't be read."""
    thing = {"lexicon": 1, "id": NSID, "defs": {"main": OBJECT}}
    with tempfile.TemporaryDirectory() as folder:
        for name, text in (
            ("com/example/other.json", json.dumps(thing)),
            ("com/example/thing.json", json.dumps(thing)),
            ("no.json", "{"),
            ("twice.json", '{"lexicon": 1, "lexicon": 1}'),
        ):
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        text = "".join(said("a folder", load(folder).findings))
        with pytest.raises(LexiconError) as refused:
            load(Path(folder, "gone"))
        Path(folder, "folder.json").mkdir()
        with pytest.raises(LexiconError) as unreadable:
            load(folder)
    for error in (refused.value, unreadable.value):
        text += f"{error.message} → {error.remedy}\n"
    yield text.replace(folder, "FOLDER")


def cases(test: object) -> Any:
    """Return the rows of a test's table."""
    marks: list[pytest.Mark] = getattr(test, "pytestmark", [])
    return marks[0].args[1]


def cbor() -> Iterator[str]:
    """Why blocks are refused, values can't be written, and binary CIDs aren't taken."""
    for name, block in REFUSED.items():
        yield f"# {name}\n{reason(data.decode, bytes.fromhex(block))}\n"
    deep: list[data.Value] = []
    for _ in range(5_000):
        deep = [deep]
    for value in (1.5, "\ud83d", {1: 2}, 2**64, deep):
        yield f"# {shown(value) if value is not deep else 'deep'}\n{reason(data.encode, value)}\n"
    yield f"# nothing\n{reason(data.decode, b'')}\n"
    yield f"# a CID\n{reason(Cid.decode, b'x')}\n"


def reason(read: Callable[[Any], object], given: object) -> str:
    """Return with what words something is refused."""
    with pytest.raises((data.InvalidCbor, data.InvalidCid)) as refused:
        read(given)
    return str(refused.value)


def of(catalog: Catalog, value: object, profile: Profile = "spec") -> list[Finding]:
    return catalog.validate(value, profile=profile).findings


def shown(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:40]}… ({len(text)})"


def said(what: str, found_here: list[Finding]) -> Iterator[str]:
    yield f"# {what}\n"
    for found in found_here:
        where = found.pointer or "/"
        yield f"{found.severity} {found.code} at {where}: {found.message} → {found.remedy}\n"


def test_validation_says_what_it_said() -> None:
    expected = GOLDEN.read_text("utf-8").splitlines(keepends=True)
    said_now = "".join(lines()).splitlines(keepends=True)
    assert list(difflib.unified_diff(expected, said_now, n=1)) == []


if __name__ == "__main__":
    sys.stdout.writelines(lines())
