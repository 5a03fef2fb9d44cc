"""A document becomes the record that stands for it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher import data
from publisher.data import Value
from publisher.documents import DOCUMENT, Document, Source
from publisher.documents.model import MARKDOWN_OWNED
from publisher.findings import Finding
from publisher.record import SALTS, Record, build, derived_rkey, fingerprint, owned_cid
from publisher.spool import StoredValue
from publisher.syntax import Did, Nsid, tid_value

DID = Did("did:plc:aaaaaaaaaaaaaaaaaaaaaaaa")
SITE = "https://alice.example"
DATE = "2026-02-05T16:32:10.000Z"
SOURCE = Source(Path("content/hello.md"), "hello.md")

VALUE: dict[str, Value] = {
    "$type": "site.standard.document",
    "title": "T",
    "publishedAt": DATE,
    "path": "/hello",
}


def document(**fields: Value) -> Document:
    return Document(SOURCE, DOCUMENT, {**VALUE, **fields}, owned=MARKDOWN_OWNED)


def record(**fields: Value) -> Record:
    """The record of a Markdown document with these fields."""
    built, findings = build(document(**fields), SITE)
    assert findings == []
    return built


def json_record(**fields: Value) -> Record:
    return build(replace(document(**fields), owned=None), SITE)[0]


def test_a_document_without_a_site_gets_the_one_of_the_config() -> None:
    assert build(document(), SITE)[0].value == {**VALUE, "site": SITE}


def test_a_site_of_its_own_stays() -> None:
    built, findings = build(document(site="https://own.example"), None)
    assert (built.site, findings) == ("https://own.example", [])


def test_a_site_that_is_the_same_stays() -> None:
    built, findings = build(document(site=SITE), SITE)
    assert (built.site, findings) == (SITE, [])


def test_a_site_that_differs_from_the_config_is_an_error_that_says_so() -> None:
    built, findings = build(document(site="https://own.example"), SITE)
    message = f"site is https://own.example, but publisher.toml says {SITE}"
    remedy = "make the two equal, or leave it out of the record"
    assert findings == [Finding("/site", "site-differs", message, "error", remedy)]
    assert built.site == "https://own.example"


def test_without_any_site_there_is_none() -> None:
    assert build(document(), None)[0].site is None


def test_a_record_of_another_collection_gets_no_site() -> None:
    value: dict[str, Value] = {"$type": "com.example.thing"}
    built, findings = build(Document(SOURCE, Nsid("com.example.thing"), value), SITE)
    assert (built.value, findings) == (value, [])


def test_building_leaves_the_document_as_it_is() -> None:
    given_document = document()
    build(given_document, SITE)
    assert given_document.value == VALUE


def test_the_key_is_the_place_of_the_file() -> None:
    assert (record().key, record().path) == ("hello.md", "hello.md")


def test_an_id_is_the_key_instead() -> None:
    built, _ = build(replace(document(), id="first"), SITE)
    assert (built.key, built.path) == ("id:first", "hello.md")


def test_a_json_record_owns_the_fields_that_it_has_and_the_site_it_got() -> None:
    assert json_record().owned == {"$type", "title", "publishedAt", "path", "site"}


def test_over_nothing_the_record_is_written_as_it_is() -> None:
    assert record().merged(None) == {**VALUE, "site": SITE}


def test_fields_of_others_stay_and_ours_come_from_the_file() -> None:
    theirs: dict[str, Value] = {
        **VALUE,
        "title": "Old",
        "description": "was removed from the file",
        "bskyPostRef": {"uri": "at://x", "cid": "y"},
        "com.example.own": [1, None],
    }
    assert record().merged(theirs) == {
        **VALUE,
        "site": SITE,
        "bskyPostRef": {"uri": "at://x", "cid": "y"},
        "com.example.own": [1, None],
    }


def test_what_a_json_record_does_not_mention_stays() -> None:
    theirs: dict[str, Value] = {**VALUE, "description": "kept"}
    assert json_record().merged(theirs) == {**VALUE, "site": SITE, "description": "kept"}


OURS: Value = {"$type": "at.markpub.markdown", "text": {"markdown": "new"}}
OLD: Value = {"$type": "at.markpub.markdown", "text": {"markdown": "old"}}
LEAFLET: dict[str, Value] = {"$type": "pub.leaflet.content", "pages": []}


@pytest.mark.parametrize(
    ("ours", "theirs", "merged"),
    [
        (OURS, None, OURS),
        (OURS, OLD, OURS),
        (OURS, LEAFLET, LEAFLET),
        (OURS, {"no": "type"}, {"no": "type"}),
        (OURS, "text", "text"),
        (OURS, {"$type": ["no name"]}, {"$type": ["no name"]}),
        (None, OLD, None),
        (None, LEAFLET, LEAFLET),
        (LEAFLET, LEAFLET, LEAFLET),
        ({**LEAFLET, "pages": [1]}, LEAFLET, {**LEAFLET, "pages": [1]}),
    ],
)
def test_content_is_ours_only_where_it_is_of_a_type_that_we_write(
    ours: Value, theirs: Value, merged: Value
) -> None:
    mine = record(content=ours) if ours is not None else record()
    there: dict[str, Value] = dict(VALUE) if theirs is None else {**VALUE, "content": theirs}
    assert mine.merged(there).get("content") == merged


def test_cid_and_size_are_those_of_the_block_whatever_is_asked_first() -> None:
    block = data.encode({**VALUE, "site": SITE})
    cid = str(data.Cid.of(block, data.DAG_CBOR))
    one, other = record(), record()
    assert (one.size, one.cid) == (len(block), cid)
    assert (other.cid, other.size) == (cid, len(block))
    assert replace(one, value={}).size == 1


def test_values_on_the_disk_are_read_once_each_to_be_merged() -> None:
    readings = []

    def stored(value: dict[str, Value]) -> StoredValue:
        def load() -> dict[str, Value]:
            readings.append(value)
            return value

        return StoredValue(load, value)

    ours = stored({**VALUE, "content": OURS, "textContent": "x" * 300})
    theirs = stored({**VALUE, "content": OLD, "textContent": "y" * 300})
    mine = Record("k", "k", DOCUMENT, ours, MARKDOWN_OWNED)

    assert mine.merged(theirs)["content"] == OURS
    assert len(readings) == 2
    assert owned_cid(theirs, {"content", "tags", "textContent"}) == owned_cid(
        {"content": OLD, "textContent": "y" * 300}, {"content", "textContent"}
    )
    assert len(readings) == 3


def test_a_json_record_without_content_leaves_every_content_alone() -> None:
    assert json_record().merged({**VALUE, "content": OLD})["content"] == OLD


def test_elsewhere_content_is_a_field_like_any_other() -> None:
    value: dict[str, Value] = {"$type": "com.example.thing", "content": "new"}
    built, _ = build(Document(SOURCE, Nsid("com.example.thing"), value), SITE)
    assert built.merged({**value, "content": "old"})["content"] == "new"


fields = st.dictionaries(
    st.sampled_from([*sorted(MARKDOWN_OWNED - {"content"}), "bskyPostRef", "x"]),
    st.one_of(st.integers(0, 3), st.text(max_size=3)),
)


@given(fields, fields)
def test_merging_keeps_all_of_theirs_and_all_of_ours(
    ours: dict[str, Value], theirs: dict[str, Value]
) -> None:
    mine = Record("k", "k", DOCUMENT, ours, MARKDOWN_OWNED)
    merged = mine.merged(theirs)
    foreign = {"bskyPostRef", "x"}
    assert {k: v for k, v in merged.items() if k in foreign} == {
        k: v for k, v in theirs.items() if k in foreign
    }
    assert {k: v for k, v in merged.items() if k not in foreign} == {
        k: v for k, v in ours.items() if k not in foreign
    }
    assert mine.merged(merged) == merged


def test_the_owned_cid_is_that_of_the_owned_fields_alone() -> None:
    value: dict[str, Value] = {"title": "T", "x": 1}
    assert owned_cid(value, {"title", "description"}) == data.record_cid({"title": "T"})


def cbor_text(text: str) -> bytes:
    """The CBOR of a text of 24 to 255 bytes, or of up to 23 (RFC 8949, 3.1)."""
    content = text.encode()
    head = bytes([0x60 + len(content)]) if len(content) < 24 else bytes([0x78, len(content)])
    return head + content


def test_the_derived_rkey_is_made_of_the_date_and_a_hash() -> None:
    cbor = b"\x84" + cbor_text(DID) + cbor_text(SITE) + cbor_text("hello.md") + b"\x03"
    low = int(f"{int.from_bytes(hashlib.sha256(cbor).digest()):0256b}"[:30], 2)
    seconds = int(datetime(2026, 2, 5, 16, 32, 10, tzinfo=UTC).timestamp())
    micros = seconds * 1_000_000 // 2**20 * 2**20
    bits = f"{micros * 2**10 + low:065b}"
    digits = [int(bits[at : at + 5], 2) for at in range(0, 65, 5)]
    tid = "".join("234567abcdefghijklmnopqrstuvwxyz"[digit] for digit in digits)
    assert derived_rkey(record(), DID, 3) == tid


def test_the_derived_rkey_never_changes_with_a_version() -> None:
    assert derived_rkey(record(), DID, 0) == "3me4svhlrbiza"


def test_the_same_document_gets_the_same_rkey_again() -> None:
    edited = record(title="Edited", path="/elsewhere", tags=["new"])
    assert derived_rkey(edited, DID, 0) == derived_rkey(record(), DID, 0)


def test_account_site_key_and_salt_each_make_another_rkey() -> None:
    mine = record()
    moved, _ = build(document(), "https://bob.example")
    rkeys = {
        derived_rkey(mine, DID, 0),
        derived_rkey(mine, Did("did:plc:bbbbbbbbbbbbbbbbbbbbbbbb"), 0),
        derived_rkey(moved, DID, 0),
        derived_rkey(replace(mine, key="other.md"), DID, 0),
        *(derived_rkey(mine, DID, salt) for salt in SALTS),
    }
    assert len(rkeys) == 3 + 8


@pytest.mark.parametrize(
    ("date", "micros"),
    [
        ("1970-01-01T00:00:00.000Z", 0),
        ("1970-01-01T00:00:01.048575Z", 0),
        ("1970-01-01T00:00:01.048576Z", 1 << 20),
        ("1970-01-01T00:00:01.048575999999Z", 0),
        ("1970-01-01T00:00:02.1Z", 2 << 20),
        ("1970-01-01T00:00:02.000Z", 1 << 20),
        ("1970-01-01T01:00:02.000+01:00", 1 << 20),
        ("1969-12-31T23:59:59.000Z", 0),
        ("0001-01-01T00:00:00Z", 0),
        ("0000-01-01T00:00:00Z", 0),
        ("2255-06-05T23:47:34Z", (1 << 53) - (1 << 20)),
        ("9999-12-31T23:59:59Z", (1 << 53) - (1 << 20)),
        ("no date", 0),
        (7, 0),
        (None, 0),
    ],
)
def test_the_upper_bits_are_the_date_rounded_down(date: Value, micros: int) -> None:
    rkey = derived_rkey(record(publishedAt=date), DID, 0)
    assert tid_value(rkey) >> 10 >> 20 << 20 == micros


def test_a_record_that_has_no_date_of_publication_goes_by_that_of_its_making() -> None:
    value: dict[str, Value] = {"$type": "com.example.thing", "createdAt": DATE}
    built, _ = build(Document(SOURCE, Nsid("com.example.thing"), value), None)
    assert (
        tid_value(derived_rkey(built, DID, 0)) >> 30
        == tid_value(derived_rkey(record(), DID, 0)) >> 30
    )


@given(st.datetimes(timezones=st.just(UTC)), st.text(max_size=20), st.sampled_from(SALTS))
def test_every_derived_rkey_is_a_tid_with_the_fingerprint_below(
    moment: datetime, key: str, salt: int
) -> None:
    mine = replace(record(publishedAt=moment.isoformat().replace("+00:00", "Z")), key=key)
    value = tid_value(derived_rkey(mine, DID, salt))
    assert value & (1 << 30) - 1 == fingerprint(mine, DID, salt)
