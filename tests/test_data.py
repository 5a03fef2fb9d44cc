"""The data model: strict JSON, DAG-CBOR and CIDs, as tables and as laws."""

from __future__ import annotations

import base64
import inspect
import json
import sys
from pathlib import Path
from typing import Any

import libipld
import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.data import (
    DAG_CBOR,
    RAW,
    Cid,
    DataError,
    Fault,
    InvalidCbor,
    InvalidCid,
    Value,
    blob_cid,
    check,
    compact,
    decode,
    dumps,
    encode,
    from_plain,
    loads,
    record_cid,
    to_plain,
)
from publisher.data.cbor import _ordered
from publisher.data.check import _check, _is_sound
from publisher.data.json import _parse
from publisher.findings import Finding, has_errors

LINK = Cid.of(b"a record", DAG_CBOR)
BLOB = Cid.of(b"a blob", RAW)
BLOB_JSON = f'{{"$type": "blob", "ref": {{"$link": "{BLOB}"}}, "mimeType": "image/png", "size": 6}}'
INT64 = 2**63


def faults(text: str | bytes) -> list[tuple[str, str]]:
    """Where and what the faults of a JSON text are."""
    try:
        loads(text)
    except DataError as error:
        return places(error.findings)
    return []


def places(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(found.pointer, found.code) for found in findings]


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


# Numbers in JSON

WHOLE = [
    ("0", 0),
    ("-0", 0),
    ("-0.0", 0),
    ("0.0", 0),
    ("0e5", 0),
    ("0e999", 0),
    ("0e-999", 0),
    ("0e99999999999999999999999", 0),
    ("1.0", 1),
    ("1e2", 100),
    ("1E+2", 100),
    ("100e-2", 1),
    ("-1.50e1", -15),
    ("9007199254740991", 2**53 - 1),
    ("9007199254740993.0", 2**53 + 1),
    ("9223372036854775807", INT64 - 1),
    ("-9223372036854775808", -INT64),
    ("9223372036854775807.000", INT64 - 1),
]


@pytest.mark.parametrize(("text", "value"), WHOLE)
def test_a_whole_number_is_an_integer_however_it_is_written(text: str, value: int) -> None:
    read = loads(text)
    assert (type(read), read) == (int, value)
    assert dumps(read) == f"{value}\n"


NO_INTEGERS = [
    ("1.5", "float"),
    ("-0.1", "float"),
    ("1e-1", "float"),
    ("1e-999999999", "float"),
    ("-1e-99999999999999999999999", "float"),
    ("1.00000000000000000000000000000000000001", "float"),
    ("9223372036854775807.5", "float"),
    ("9223372036854775808", "integer-range"),
    ("-9223372036854775809", "integer-range"),
    ("99999999999999999999", "integer-range"),
    ("1e19", "integer-range"),
    ("1e400", "integer-range"),
    ("1e999999999", "integer-range"),
    ("-1e99999999999999999999999", "integer-range"),
    ("1" * 100_000, "integer-range"),
    ("NaN", "not-a-number"),
    ("Infinity", "not-a-number"),
    ("-Infinity", "not-a-number"),
]


@pytest.mark.parametrize(("text", "code"), NO_INTEGERS, ids=lambda text: text[:30])
def test_other_numbers_are_faults_even_in_fields_that_nobody_knows(text: str, code: str) -> None:
    assert faults(text) == [("", code)]
    assert faults(f'{{"a": [0, {text}]}}') == [("/a/1", code)]


@pytest.mark.parametrize("value", [2**53, -(2**53), INT64 - 1, -INT64])
def test_integers_beyond_53_bits_are_faults_only_for_servers(value: int) -> None:
    assert loads(str(value)) == value
    (found,) = check({"n": value})
    assert (found.pointer, found.code, found.severity) == ("/n", "integer-range", "warning")


@pytest.mark.parametrize("value", [2**53 - 1, 1 - 2**53])
def test_integers_of_53_bits_are_safe(value: int) -> None:
    assert check({"n": value}) == []


def test_true_is_no_integer_and_one_is_not_true() -> None:
    assert exactly(loads("[true, 1]")) == [(bool, True), (int, 1)]
    assert exactly(decode(encode([True, 1]))) == [(bool, True), (int, 1)]
    assert encode([True, 1, False, 0]) == bytes.fromhex("84f501f400")


# Text, keys and depth in JSON

BAD_TEXTS = [
    ('{"a": 1, "a": 2}', [("/a", "duplicate-key")]),
    ('{"a": 1, "\\u0061": 1}', [("/a", "duplicate-key")]),
    ('{"a": {"b": 1, "b": 1, "b": 1}}', [("/a/b", "duplicate-key")]),
    ('{"$type": "x.y.z", "$type": "x.y.z"}', [("/$type", "duplicate-key")]),
    (r'"\ud800"', [("", "surrogate")]),
    (r'["a", "\udc00\ud800"]', [("/1", "surrogate")]),
    (r'{"\ud83d": 1}', [("", "surrogate")]),
    (r'{"a": {"x\udc00": "\udc00"}}', [("/a", "surrogate"), ("/a/x\udc00", "surrogate")]),
    ('"\ud800"', [("", "surrogate")]),
    ('{"$type": ""}', [("/$type", "type-name")]),
    ('{"a": {"$type": null}}', [("/a/$type", "type-name")]),
    ('{"a": [{"$type": 1}]}', [("/a/0/$type", "type-name")]),
    (nested(33), [("/0" * 32, "depth")]),
    (nested(200_000), [("", "depth")]),
    ('{"a":' * 200_000, [("", "depth")]),
    ("", [("", "json-syntax")]),
    ("{", [("", "json-syntax")]),
    ("[1,]", [("", "json-syntax")]),
    ("[01]", [("", "json-syntax")]),
    ("[.5]", [("", "json-syntax")]),
    ("{'a': 1}", [("", "json-syntax")]),
    ("1 2", [("", "json-syntax")]),
    ('"\t"', [("", "json-syntax")]),
    ("\ufeff\ufeff1", [("", "json-syntax")]),
    ("// no\n1", [("", "json-syntax")]),
    (b'"\xff"', [("", "utf-8")]),
    (b'"\xed\xa0\x80"', [("", "utf-8")]),
    ("1".encode("utf-16"), [("", "utf-8")]),
]


@pytest.mark.parametrize(("text", "expected"), BAD_TEXTS, ids=lambda case: repr(case)[:30])
def test_a_text_outside_the_data_model_is_refused(
    text: str | bytes, expected: list[tuple[str, str]]
) -> None:
    assert faults(text) == expected


def test_a_byte_order_mark_is_read_over() -> None:
    assert loads("\ufeff[1]") == loads(b"\xef\xbb\xbf[1]") == [1]


def test_a_pair_of_surrogate_escapes_is_one_character() -> None:
    assert loads(r'"\ud83d\ude00"') == "😀"


def test_a_record_may_be_32_containers_deep() -> None:
    assert faults(nested(32)) == []
    assert faults('{"a":' * 31 + "[1]" + "}" * 31) == []
    assert faults('{"a":' * 32 + "[1]" + "}" * 32) == [("/a" * 32, "depth")]


def test_links_and_bytes_are_no_depth_of_their_own() -> None:
    assert faults("[" * 32 + f'{{"$link": "{LINK}"}}, {{"$bytes": ""}}' + "]" * 32) == []


def test_the_key_proto_is_a_warning() -> None:
    value = loads('{"a": {"__proto__": 1}}')
    assert value == {"a": {"__proto__": 1}}
    assert [(found.pointer, found.code, found.severity) for found in check(value)] == [
        ("/a/__proto__", "proto-key", "warning")
    ]


def test_all_faults_of_a_text_are_told_with_their_pointers() -> None:
    text = r"""{
        "a/b": 1.5, "c~d": [1, NaN, {"$link": "x"}], "e": {"f": 1, "f": 2, "g": "\ud800"},
        "h": {"$type": ""}, "i": {"$bytes": "!"}, "j": 9223372036854775808,
        "k": {"$type": "blob"}
    }"""
    assert sorted(faults(text)) == [
        ("/a~1b", "float"),
        ("/c~0d/1", "not-a-number"),
        ("/c~0d/2", "link-form"),
        ("/e/f", "duplicate-key"),
        ("/e/g", "surrogate"),
        ("/h/$type", "type-name"),
        ("/i", "bytes-form"),
        ("/j", "integer-range"),
        ("/k", "blob-form"),
    ]


def test_every_fault_has_a_message_and_a_remedy() -> None:
    with pytest.raises(DataError) as caught:
        loads('{"a": 1.5, "b": {"$link": "x", "c": 1}, "d": {"$bytes": "!"}, "e": NaN}')
    assert len(caught.value.findings) == 4
    assert all(found.message and found.remedy for found in caught.value.findings)
    assert "/a: 1.5 is a fraction" in str(caught.value)


# Bytes, links and blobs in JSON

BYTES = [
    ("", b""),
    ("YQ==", b"a"),
    ("YQ", b"a"),
    ("YWI=", b"ab"),
    ("YWI", b"ab"),
    ("YWJj", b"abc"),
    ("YR", b"a"),
    ("YR==", b"a"),
    ("YWJ", b"ab"),
    ("+/+/", b"\xfb\xff\xbf"),
]


@pytest.mark.parametrize(("text", "value"), BYTES)
def test_bytes_are_base64_with_or_without_padding_and_any_last_bits(
    text: str, value: bytes
) -> None:
    assert loads(f'{{"$bytes": "{text}"}}') == value


NO_BYTES = [
    '{"$bytes": "Y"}',
    '{"$bytes": "YQ="}',
    '{"$bytes": "YWI=="}',
    '{"$bytes": "YWJj="}',
    '{"$bytes": "YWJj===="}',
    '{"$bytes": "YQ==YQ=="}',
    '{"$bytes": "="}',
    '{"$bytes": "=="}',
    '{"$bytes": "===="}',
    '{"$bytes": "-_-_"}',
    '{"$bytes": "YWJj\\n"}',
    '{"$bytes": "YW Jj"}',
    '{"$bytes": "YWJjé"}',
    '{"$bytes": 1}',
    '{"$bytes": null}',
    '{"$bytes": ["YQ"]}',
    '{"$bytes": "YQ", "a": 1}',
    '{"$bytes": "YQ", "$type": "x.y.z"}',
]


@pytest.mark.parametrize("text", NO_BYTES)
def test_bytes_in_any_other_form_are_a_fault(text: str) -> None:
    assert faults(f'{{"a": {text}}}') == [("/a", "bytes-form")]


def with_padding_bits(cid: Cid) -> str:
    """The same CID, the unused bits of its last character set."""
    alphabet = "abcdefghijklmnopqrstuvwxyz234567"
    text = str(cid)
    return text[:-1] + alphabet[alphabet.index(text[-1]) | 1]


def multibase(prefix: str, raw: bytes) -> str:
    return prefix + base64.b32encode(raw).decode().rstrip("=").lower()


NO_LINKS = [
    f'{{"$link": "{with_padding_bits(LINK)}"}}',
    f'{{"$link": "{str(LINK).upper()}"}}',
    f'{{"$link": "{str(LINK)[:-1]}"}}',
    f'{{"$link": "{LINK}a"}}',
    f'{{"$link": "{LINK}======"}}',
    f'{{"$link": "{LINK}\\n"}}',
    f'{{"$link": " {LINK}"}}',
    f'{{"$link": "{str(LINK)[1:]}"}}',
    '{"$link": "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG"}',
    '{"$link": "zb2rhe5P4gXftAwvA4eXQ5HJwsER2owDyS9sKaQRRVQPn93bA"}',
    # dag-pb, SHA-512/256 of the right length, version 2, an identity hash
    f'{{"$link": "{multibase("b", bytes((1, 0x70)) + LINK.raw[2:])}"}}',
    f'{{"$link": "{multibase("b", bytes((1, 0x71, 0x15)) + LINK.raw[3:])}"}}',
    f'{{"$link": "{multibase("b", bytes((2,)) + LINK.raw[1:])}"}}',
    f'{{"$link": "{multibase("b", bytes((1, 0x55, 0)) + LINK.raw[3:])}"}}',
    '{"$link": ""}',
    '{"$link": 1}',
    '{"$link": null}',
    f'{{"$link": {{"$link": "{LINK}"}}}}',
    f'{{"$link": "{LINK}", "a": 1}}',
    f'{{"$link": "{LINK}", "$bytes": "YQ"}}',
    f'{{"$link": "{LINK}", "$type": "x.y.z"}}',
]


@pytest.mark.parametrize("cid", [LINK, BLOB])
def test_a_link_is_a_cid(cid: Cid) -> None:
    assert loads(f'{{"$link": "{cid}"}}') == cid
    assert Cid.parse(str(cid)) == Cid.decode(cid.raw) == cid
    assert to_plain(cid) == {"$link": str(cid)}


@pytest.mark.parametrize("text", NO_LINKS)
def test_links_in_any_other_form_are_a_fault(text: str) -> None:
    assert faults(f"[{text}]") == [("/0", "link-form")]


@pytest.mark.parametrize("raw", [b"", LINK.raw[:-1], LINK.raw + b"\0", b"\0" + LINK.raw])
def test_a_binary_cid_has_exactly_36_bytes(raw: bytes) -> None:
    with pytest.raises(InvalidCid):
        Cid.decode(raw)


def test_cids_name_their_codec() -> None:
    assert (LINK.codec, str(LINK)[:7]) == (DAG_CBOR, "bafyrei")
    assert (BLOB.codec, str(BLOB)[:7]) == (RAW, "bafkrei")
    assert blob_cid(b"a blob") == str(BLOB)
    assert blob_cid(b"") == "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"


def blob(**changes: object) -> dict[str, object]:
    """A blob with other members; None leaves one out."""
    whole = {"$type": "blob", "ref": BLOB, "mimeType": "image/png", "size": 6, **changes}
    return {key: value for key, value in whole.items() if value is not None}


GOOD_BLOBS = [blob(), blob(size=0), blob(mimeType="a/"), blob(mimeType="*/*"), blob(size=2**53 - 1)]


@pytest.mark.parametrize("value", GOOD_BLOBS)
def test_a_blob_is_exactly_its_four_members(value: dict[str, object]) -> None:
    assert check({"image": value}) == []


def test_a_size_of_nothing_is_no_fault_beside_another() -> None:
    assert places(check(blob(size=0, more=1))) == [("", "blob-form")]


BAD_BLOBS = [
    (blob(ref=None), [""]),
    (blob(mimeType=None), [""]),
    (blob(size=None), [""]),
    (blob(alt="a cat"), [""]),
    (blob(cid="x", ref=None), [""]),
    (blob(ref=str(BLOB)), ["/ref"]),
    (blob(ref=BLOB.raw), ["/ref"]),
    (blob(ref={}), ["/ref"]),
    ({**blob(), "ref": None}, ["/ref"]),
    (blob(mimeType="image"), ["/mimeType"]),
    (blob(mimeType=""), ["/mimeType"]),
    (blob(mimeType=1), ["/mimeType"]),
    ({**blob(), "mimeType": None}, ["/mimeType"]),
    (blob(size=-1), ["/size"]),
    (blob(size=True), ["/size"]),
    (blob(size="6"), ["/size"]),
    ({**blob(), "size": None}, ["/size"]),
    (blob(extra=1, mimeType="png", size=-1), ["", "/mimeType", "/size"]),
]


@pytest.mark.parametrize(("value", "where"), BAD_BLOBS)
def test_anything_else_of_type_blob_is_a_fault(value: dict[str, object], where: list[str]) -> None:
    assert places(check({"image": value})) == [("/image" + place, "blob-form") for place in where]


def test_a_fault_inside_a_blob_is_told_once() -> None:
    text = BLOB_JSON.replace('"image/png"', "NaN").replace("6}", "1.5}").replace(str(BLOB), "x")
    assert faults(text) == [
        ("/ref", "link-form"),
        ("/mimeType", "not-a-number"),
        ("/size", "float"),
    ]


def test_a_blob_by_a_dag_cbor_cid_is_a_warning() -> None:
    findings = check({"image": blob(ref=LINK)})
    assert [(found.pointer, found.code, found.severity) for found in findings] == [
        ("/image/ref", "blob-codec", "warning")
    ]


@pytest.mark.parametrize("value", [1.0, float("nan"), (1,), object(), {1}, bytearray(b"a")])
def test_python_values_outside_the_data_model_are_faults(value: object) -> None:
    assert places(check({"a": value})) == [("/a", "type")]


# JSON that another parser has read


def test_plain_json_becomes_the_same_value() -> None:
    text = f'{{"a": [1.0, {{"$link": "{LINK}"}}, {{"$bytes": "YQ"}}], "image": {BLOB_JSON}}}'
    assert from_plain(json.loads(text)) == loads(text)
    assert from_plain(1e2) == 100


def test_plain_json_outside_the_data_model_is_refused_with_every_pointer() -> None:
    plain = {"a": 1.5, "b": [float("nan"), float("inf"), 1e300], "c": {"$link": 1}, "d": "\ud800"}
    with pytest.raises(DataError) as caught:
        from_plain(plain)
    assert places(caught.value.findings) == [
        ("/a", "float"),
        ("/b/0", "not-a-number"),
        ("/b/1", "not-a-number"),
        ("/b/2", "integer-range"),
        ("/c", "link-form"),
        ("/d", "surrogate"),
    ]


def test_plain_json_of_any_depth_is_refused_and_not_a_crash() -> None:
    deep: list[object] = []
    for _ in range(50_000):
        deep = [deep]
    with pytest.raises(DataError) as caught:
        from_plain(deep)
    assert places(caught.value.findings) == [("", "depth")]


# Laws

KEYS = st.text(max_size=5).filter(lambda key: not key.startswith("$"))
CIDS = st.builds(Cid.of, st.binary(max_size=4), st.sampled_from([RAW, DAG_CBOR]))
LEAVES: st.SearchStrategy[Value] = (
    st.none() | st.booleans() | st.integers(-INT64, INT64 - 1) | st.text(max_size=8) | CIDS
)


def make_blob(ref: Cid, mime_type: str, size: int) -> Value:
    return {"$type": "blob", "ref": ref, "mimeType": mime_type, "size": size}


BLOBS: st.SearchStrategy[Value] = st.builds(
    make_blob, CIDS, st.sampled_from(["image/png", "text/plain"]), st.integers(0, 2**53)
)


def trees(leaves: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
        max_leaves=12,
    )


WITHOUT_BYTES: st.SearchStrategy[Value] = trees(LEAVES | BLOBS)
VALUES: st.SearchStrategy[Value] = trees(LEAVES | BLOBS | st.binary(max_size=40))


ODD: st.SearchStrategy[Any] = st.sampled_from(
    [2**53, 2**63, -(2**63) - 1, 1.5, "\ud800", (), Fault("float", "a", "b"), object()]
)
TREES_OF_ANYTHING: st.SearchStrategy[object] = st.recursive(
    LEAVES | BLOBS | ODD | st.builds(make_blob, CIDS, ODD, ODD) | st.builds(lambda: 10**5000),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            KEYS | st.sampled_from(["$type", "$link", "cid", "__proto__", "\ud800", 1]), inner
        )
    ),
    max_leaves=8,
)


def exactly(value: Value) -> object:
    """A form in which True and 1 differ, as they do in the data model."""
    if isinstance(value, dict):
        return {key: exactly(item) for key, item in value.items()}
    if isinstance(value, list):
        return [exactly(item) for item in value]
    return (type(value), value)


def as_libipld(value: Value) -> object:
    """The form of libipld: it writes the bytes of a CID as a link."""
    if isinstance(value, dict):
        return {key: as_libipld(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_libipld(item) for item in value]
    return value.raw if isinstance(value, Cid) else value


@given(VALUES)
def test_json_and_back_is_the_same_value(value: Value) -> None:
    assert exactly(loads(dumps(value))) == exactly(value)
    assert exactly(from_plain(to_plain(value))) == exactly(value)


@given(VALUES)
def test_json_is_written_as_pythons_own_writer_has_it(value: Value) -> None:
    plain = to_plain(value)
    lines = json.dumps(plain, indent=2, sort_keys=True, ensure_ascii=False)
    assert dumps(value) == f"{lines}\n"
    assert compact(value).decode() == json.dumps(plain, ensure_ascii=False, separators=(",", ":"))


@given(VALUES)
def test_cbor_and_back_is_the_same_value(value: Value) -> None:
    assert exactly(decode(encode(value))) == exactly(value)


@given(VALUES)
def test_a_value_of_the_data_model_has_no_fault(value: Value) -> None:
    assert not has_errors(check(value))


@given(st.lists(st.tuples(KEYS, VALUES), max_size=5, unique_by=lambda item: item[0]), st.data())
def test_the_order_of_keys_changes_nothing_that_is_written(
    items: list[tuple[str, Value]], data: st.DataObject
) -> None:
    other = data.draw(st.permutations(items))
    assert encode(dict(other)) == encode(dict(items))
    assert dumps(dict(other)) == dumps(dict(items))


def test_long_names_are_ordered_like_any_others_and_not_remembered() -> None:
    value: dict[str, Value] = {"b" * 999: 1, "a" * 1000: 2, "c": {"d" * 998: 3, "e": 4}}
    _ordered.cache_clear()
    written = decode(encode(value))
    assert isinstance(written, dict)
    assert list(written) == ["c", "b" * 999, "a" * 1000]
    assert written == value
    assert _ordered.cache_info().currsize == 1  # the inner one: 999 characters


@given(WITHOUT_BYTES)
def test_cbor_agrees_with_libipld_where_no_bytes_occur(value: Value) -> None:
    assert encode(value) == libipld.encode_dag_cbor(as_libipld(value))
    assert as_libipld(decode(encode(value))) == libipld.decode_dag_cbor(encode(value))


@given(st.binary(max_size=60))
def test_random_bytes_are_decoded_or_refused_and_read_in_one_way_only(block: bytes) -> None:
    try:
        value = decode(block)
    except InvalidCbor:
        return
    assert encode(value) == block


@given(VALUES, st.data())
def test_a_changed_byte_is_refused_or_is_the_encoding_of_another_value(
    value: Value, data: st.DataObject
) -> None:
    block = bytearray(encode(value))
    block[data.draw(st.integers(0, len(block) - 1))] = data.draw(st.integers(0, 255))
    try:
        changed = decode(bytes(block))
    except InvalidCbor:
        return
    assert encode(changed) == bytes(block)


@given(st.text(st.characters(), max_size=40) | st.binary(max_size=40))
def test_random_texts_are_read_or_refused_with_findings(text: str | bytes) -> None:
    assert all(code for _, code in faults(text))


# JSON that both parsers read: the fast one, and the one that names faults

TOKENS = st.sampled_from(
    [
        *('{"a": 1}', '{"a": 1, "a": 2}', "[]", "{}", "[1, 2]", "1.0", "1e2", "1.5", "-0", "01"),
        *("true", "null", '"x"', '"\\ud83d"', '"\\ud83d\\ude00"', '"\\u0022"', '"é"', "NaN", "-1"),
        *("9007199254740993", "9223372036854775807", "9223372036854775808", "1e999", "1" * 5000),
        *(BLOB_JSON, BLOB_JSON.replace("6", "-6"), f'{{"$link": "{LINK}"}}', '{"$link": "x"}'),
        *('{"$bytes": "YQ"}', '{"$bytes": "YQ", "a": 1}', '{"$type": ""}', '{"$type": "a#main"}'),
        *('{"__proto__": 1}', nested(31), nested(32), nested(300), "\ufeff1", "", "1 2", '"\t"'),
    ]
)
TEXTS = st.recursive(
    TOKENS,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.lists(inner, max_size=3).map(
            lambda items: "{" + ", ".join(f'"k{n}": {item}' for n, item in enumerate(items)) + "}"
        )
    ),
    max_leaves=6,
)


def thorough(text: str) -> object:
    """What the parser that names faults and the walk over all of its value say."""
    try:
        value = _parse(text.removeprefix("\ufeff"))
    except DataError as error:
        return error.findings
    findings = check(value)
    return findings if has_errors(findings) else exactly(value)  # type: ignore[arg-type]


@given(text=TEXTS)
def test_a_text_is_read_fast_only_where_nothing_is_to_be_found(text: str) -> None:
    for given_text in (text, text.encode("utf-8", "surrogatepass")):
        try:
            read: object = exactly(loads(given_text))
        except DataError as error:
            read = error.findings
        assert read == thorough(text)


@given(value=TREES_OF_ANYTHING)
def test_a_value_is_sound_where_nothing_is_to_be_found(value: object) -> None:
    found = list(_check(value, (), 0))
    assert check(value) == found
    assert _is_sound(value, 0) is (found == [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": [1.5], "a": 2}', [("/a", "duplicate-key"), ("/a/0", "float")]),
        (
            '{"a": 1.5, "a": 2, "a": 2.5}',
            [("/a", "duplicate-key"), ("/a", "float"), ("/a", "float")],
        ),
        ('{"x": {"$link": "bafy", "b": 1.5}}', [("/x", "link-form"), ("/x/b", "float")]),
        ('{"x": {"$bytes": "YQ", "b": 1.5}}', [("/x", "bytes-form"), ("/x/b", "float")]),
    ],
)
def test_a_fault_hides_none_of_what_it_holds(text: str, expected: list[tuple[str, str]]) -> None:
    assert faults(text) == expected


# DAG-CBOR


def test_bytes_that_look_like_a_cid_stay_bytes() -> None:
    assert encode(LINK.raw) == b"\x58\x24" + LINK.raw
    assert decode(encode([LINK.raw, LINK])) == [LINK.raw, LINK]


ENCODED: list[tuple[Value, str]] = [
    (None, "f6"),
    (23, "17"),
    (24, "1818"),
    (255, "18ff"),
    (256, "190100"),
    (65536, "1a00010000"),
    (2**32, "1b0000000100000000"),
    (-1, "20"),
    (-25, "3818"),
    (-INT64, "3b7fffffffffffffff"),
    ("é", "62c3a9"),
    (b"ab", "426162"),
    ([], "80"),
    ({}, "a0"),
    ({"bb": 1, "c": 2, "aa": 3}, "a36163026261610362626201"),
    (LINK, "d82a582500" + LINK.raw.hex()),
]


@pytest.mark.parametrize(("value", "expected"), ENCODED, ids=[row[1][:20] for row in ENCODED])
def test_a_value_has_one_encoding(value: Value, expected: str) -> None:
    assert encode(value).hex() == expected
    assert decode(bytes.fromhex(expected)) == value


REFUSED = {
    "a float of 16 bits": "f93c00",
    "a float of 32 bits": "fa3f800000",
    "a float of 64 bits": "fb3ff0000000000000",
    "undefined": "f7",
    "a simple value": "e0",
    "a simple value in two bytes": "f814",
    "a padded integer of 8 bits": "1817",
    "a padded integer of 16 bits": "1900ff",
    "a padded integer of 32 bits": "1a0000ffff",
    "a padded integer of 64 bits": "1b00000000ffffffff",
    "a padded negative integer": "3817",
    "a padded length of text": "780161",
    "a padded length of bytes": "580161",
    "a padded length of a list": "980101",
    "a padded length of a map": "b801616101",
    "a padded length of a key": "a178016101",
    "indefinite bytes": "5f4161ff",
    "an indefinite text": "7f6161ff",
    "an indefinite list": "9f01ff",
    "an indefinite map": "bf616101ff",
    "a reserved length": "1c",
    "a break": "ff",
    "unsorted keys": "a2616201616101",
    "a longer key first": "a262616101616201",
    "a repeated key": "a2616101616102",
    "a key that is a number": "a10101",
    "a key that is bytes": "a1416101",
    "trailing bytes": "0000",
    "text that is not UTF-8": "61ff",
    "a surrogate": "63eda080",
    "a key that is not UTF-8": "a161ff01",
    "a tag that is no link": "c100",
    "a link to text": "d82a6161",
    "a link without the zero byte": "d82a5824" + LINK.raw.hex(),
    "a link with another prefix": "d82a582501" + LINK.raw.hex(),
    "a padded tag": "d9002a582500" + LINK.raw.hex(),
    "a link to dag-pb": "d82a5825000170" + LINK.raw[2:].hex(),
    "a link that is too long": "d82a582600" + LINK.raw.hex() + "00",
    "a list longer than memory": "9bffffffffffffffff",
    "a map longer than memory": "bbffffffffffffffff",
    "bytes longer than memory": "5bffffffffffffffff",
    "a deep list": "81" * 5000 + "00",
    "a deep map": "a160" * 5000 + "00",
}


@pytest.mark.parametrize("block", REFUSED.values(), ids=REFUSED.keys())
def test_any_other_encoding_is_refused(block: str) -> None:
    with pytest.raises(InvalidCbor):
        decode(bytes.fromhex(block))


def test_a_block_cut_short_anywhere_is_refused() -> None:
    value: Value = {
        "a": [1, 1000, -(2**40), None, True],
        "text": "é" * 30,
        "b": b"x" * 300,
        "l": LINK,
    }
    block = encode(value)
    for end in range(len(block)):
        with pytest.raises(InvalidCbor):
            decode(block[:end])


@pytest.mark.parametrize("value", [1.0, "\ud800", {"\ud800": 1}, {1: 1}, (1,), 2**64, object()])
def test_a_value_outside_the_data_model_has_no_encoding(value: object) -> None:
    with pytest.raises(InvalidCbor):
        encode([value])  # type: ignore[list-item]


def test_a_value_of_any_depth_is_refused_and_not_a_crash() -> None:
    deep: list[Value] = []
    for _ in range(50_000):
        deep = [deep]
    with pytest.raises(InvalidCbor):
        encode(deep)
    assert places(check(deep)) == [("/0" * 32, "depth")]


@pytest.mark.parametrize("head", ["81", "a160"])
def test_a_block_may_be_250_deep(head: str) -> None:
    value = decode(bytes.fromhex(head * 249 + "81") + b"\xd8\x2a\x58\x25\x00" + LINK.raw)
    assert json.loads(dumps(value)) == json.loads(compact(value)) == to_plain(value)
    with pytest.raises(InvalidCbor, match="250"):
        decode(bytes.fromhex(head * 251 + "00"))


@pytest.mark.parametrize(("key", "code"), [("$link", "link-form"), ("$bytes", "bytes-form")])
def test_a_map_that_json_would_read_as_something_else_is_a_fault(key: str, code: str) -> None:
    assert places(check({"a": decode(encode({key: "YQ"}))})) == [("/a", code)]


def test_a_block_is_read_or_refused_however_deep_the_caller_stands() -> None:
    def below(frames: int) -> Value:
        return below(frames - 1) if frames else decode(b"\x81" * 50 + b"\x00")

    assert below(0)
    with pytest.raises(InvalidCbor, match="^nesting is too deep$"):
        below(sys.getrecursionlimit() - len(inspect.stack()) - 50)


def test_json_files_are_sorted_and_keep_their_characters() -> None:
    assert dumps({"b": "é😀", "a": [b"a", LINK], "$type": "x.y.z"}) == (
        '{\n  "$type": "x.y.z",\n  "a": [\n    {\n      "$bytes": "YQ"\n    },\n'
        f'    {{\n      "$link": "{LINK}"\n    }}\n  ],\n  "b": "é😀"\n}}\n'
    )


def test_a_published_record_has_the_cid_that_the_network_knows(reference: Path) -> None:
    record = loads((reference / "seeds" / "dawn-document.json").read_bytes())
    assert isinstance(record, dict)
    value = record.get("value", record)
    assert record_cid(value) == "bafyreiav6nhoz4j4dhusgtdy4bm4weni4xgsqgdqkytstbmbai6y7xf2cq"
