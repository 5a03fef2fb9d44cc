"""Lexicons: each rule at its edges, what a folder of lexicon files may hold, and the verdicts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from publisher import data
from publisher.data import DAG_CBOR, RAW, Cid, decode
from publisher.findings import Finding
from publisher.lexicon import Catalog, Verdict, leaves, load
from publisher.lexicon.catalog import Profile
from publisher.lexicon.language import LexiconFile
from publisher.resources import bundled

NSID = "com.example.thing"
LINK = Cid.of(b"a record", DAG_CBOR)
BLOB = Cid.of(b"a blob", RAW)
Schema = dict[str, Any]


def lexicon(defs: Schema, nsid: str = NSID) -> Schema:
    return {"lexicon": 1, "id": nsid, "defs": defs}


def record(properties: Schema, *, key: str = "any", **more: object) -> Schema:
    body = {"type": "object", "properties": properties, **more}
    return {"type": "record", "key": key, "record": body}


def catalog(*files: Schema) -> Catalog:
    made = Catalog()
    for file in files:
        made.add(LexiconFile.model_validate(file))
    return made


def of_field(schema: Schema, **defs: Schema) -> Catalog:
    """Lexicons of a record whose field `f` is `schema`; `defs` stand beside it."""
    return catalog(lexicon({"main": record({"f": schema}), **defs}))


def places(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    return [(found.pointer, found.code) for found in findings]


def judge(lexicons: Catalog, **fields: object) -> list[tuple[str, str]]:
    verdict = lexicons.validate({"$type": NSID, **fields}, nsid=NSID)
    return places(found for found in verdict.findings if found.severity == "error")


def in_every_place(schema: Schema, value: object) -> dict[str, list[tuple[str, str]]]:
    """Judge a value as a property, an item, by a ref, and as a field of a union's member."""
    holder = {"type": "object", "properties": {"v": schema}}
    verdicts = {
        "property": judge(of_field(schema), f=value),
        "item": judge(of_field({"type": "array", "items": schema}), f=[value]),
        "member": judge(
            of_field({"type": "union", "refs": ["#holder"]}, holder=holder),
            f={"$type": f"{NSID}#holder", "v": value},
        ),
    }
    if schema["type"] not in {"unknown", "ref"}:  # these can't be definitions of their own
        verdicts["ref"] = judge(of_field({"type": "ref", "ref": "#target"}, target=schema), f=value)
    return verdicts


WHERE = {"property": "/f", "item": "/f/0", "ref": "/f", "member": "/f/v"}


def blob(**changes: object) -> dict[str, object]:
    return {"$type": "blob", "ref": BLOB, "mimeType": "image/png", "size": 6, **changes}


FAMILY = "👨‍👩‍👧‍👦"
FLAGS = "🇩🇪🇫🇷"
COMBINED = "e\u0301\u0323"
INT = {"type": "integer"}
STRING = {"type": "string"}
IMAGE = {"type": "blob", "accept": ["image/*", "text/plain"], "maxSize": 10}

# Each row: a definition, a value, the code of the error or None; all at the edge.
RULES: list[tuple[Schema, object, str | None]] = [
    ({"type": "boolean"}, True, None),
    ({"type": "boolean"}, False, None),
    ({"type": "boolean"}, 1, "type"),
    ({"type": "boolean"}, 0, "type"),
    ({"type": "boolean", "const": False}, False, None),
    ({"type": "boolean", "const": False}, True, "const"),
    ({"type": "boolean", "const": True}, False, "const"),
    (INT, 0, None),
    (INT, True, "type"),
    (INT, "1", "type"),
    ({**INT, "minimum": 0}, 0, None),
    ({**INT, "minimum": 0}, -1, "minimum"),
    ({**INT, "maximum": 0}, 0, None),
    ({**INT, "maximum": 0}, 1, "maximum"),
    ({**INT, "minimum": -5, "maximum": -3}, -5, None),
    ({**INT, "minimum": -5, "maximum": -3}, -3, None),
    ({**INT, "minimum": -5, "maximum": -3}, -6, "minimum"),
    ({**INT, "minimum": -5, "maximum": -3}, -2, "maximum"),
    ({**INT, "enum": [0, -1]}, 0, None),
    ({**INT, "enum": [0, -1]}, -1, None),
    ({**INT, "enum": [0, -1]}, 1, "enum"),
    ({**INT, "enum": [0, 1]}, True, "type"),
    ({**INT, "const": 0}, 0, None),
    ({**INT, "const": 0}, 1, "const"),
    ({**INT, "const": 0}, False, "type"),
    ({**INT, "const": 1}, True, "type"),
    ({**INT, "minimum": 1}, True, "type"),
    (STRING, "", None),
    (STRING, 1, "type"),
    (STRING, [], "type"),
    (STRING, b"a", "type"),
    (STRING, LINK, "type"),
    ({**STRING, "maxLength": 0}, "", None),
    ({**STRING, "maxLength": 0}, "a", "too-long"),
    ({**STRING, "minLength": 0}, "", None),
    ({**STRING, "minLength": 1}, "", "too-short"),
    ({**STRING, "minLength": 1}, "a", None),
    ({**STRING, "maxLength": 4}, "abcd", None),
    ({**STRING, "maxLength": 4}, "abcde", "too-long"),
    ({**STRING, "maxLength": 4}, "éé", None),
    ({**STRING, "maxLength": 4}, "ééa", "too-long"),
    ({**STRING, "maxLength": 4}, "😀", None),
    ({**STRING, "maxLength": 3}, "😀", "too-long"),
    ({**STRING, "minLength": 4}, "éa", "too-short"),
    ({**STRING, "minLength": 4}, "éé", None),
    ({**STRING, "maxLength": 25}, FAMILY, None),
    ({**STRING, "maxLength": 24}, FAMILY, "too-long"),
    ({**STRING, "maxGraphemes": 0}, "", None),
    ({**STRING, "maxGraphemes": 0}, "a", "too-many-graphemes"),
    ({**STRING, "maxGraphemes": 1}, FAMILY, None),
    ({**STRING, "maxGraphemes": 1}, FAMILY + "a", "too-many-graphemes"),
    ({**STRING, "maxGraphemes": 2}, FLAGS, None),
    ({**STRING, "maxGraphemes": 1}, FLAGS, "too-many-graphemes"),
    ({**STRING, "maxGraphemes": 1}, COMBINED, None),
    ({**STRING, "maxGraphemes": 1}, COMBINED * 2, "too-many-graphemes"),
    ({**STRING, "maxGraphemes": 1}, "\r\n", None),
    ({**STRING, "maxGraphemes": 1}, "\n\r", "too-many-graphemes"),
    ({**STRING, "maxGraphemes": 1}, "각", None),
    ({**STRING, "maxGraphemes": 1}, "क्षि", None),
    ({**STRING, "maxGraphemes": 1}, "👍🏽", None),
    ({**STRING, "minGraphemes": 0}, "", None),
    ({**STRING, "minGraphemes": 1}, "", "too-few-graphemes"),
    ({**STRING, "minGraphemes": 2}, FAMILY, "too-few-graphemes"),
    ({**STRING, "minGraphemes": 2}, FLAGS, None),
    ({**STRING, "minGraphemes": 3}, FLAGS, "too-few-graphemes"),
    ({**STRING, "enum": ["a", ""]}, "", None),
    ({**STRING, "enum": ["a", ""]}, "A", "enum"),
    ({**STRING, "const": ""}, "", None),
    ({**STRING, "const": ""}, "a", "const"),
    ({**STRING, "knownValues": ["a"]}, "b", None),
    ({**STRING, "format": "datetime"}, "2026-02-05T16:32:10Z", None),
    ({**STRING, "format": "datetime"}, "2026-02-30T16:32:10Z", "format"),
    ({**STRING, "format": "did"}, "did:web:alice.example\n", "format"),
    ({**STRING, "format": "uri"}, "https://alice.example/é", None),
    ({"type": "bytes"}, b"", None),
    ({"type": "bytes"}, "YQ", "type"),
    ({"type": "bytes"}, LINK, "type"),
    ({"type": "bytes", "maxLength": 0}, b"", None),
    ({"type": "bytes", "maxLength": 0}, b"a", "too-long"),
    ({"type": "bytes", "minLength": 2, "maxLength": 3}, b"ab", None),
    ({"type": "bytes", "minLength": 2, "maxLength": 3}, b"abc", None),
    ({"type": "bytes", "minLength": 2, "maxLength": 3}, b"a", "too-short"),
    ({"type": "bytes", "minLength": 2, "maxLength": 3}, b"abcd", "too-long"),
    ({"type": "cid-link"}, LINK, None),
    ({"type": "cid-link"}, BLOB, None),
    ({"type": "cid-link"}, str(LINK), "type"),
    ({"type": "cid-link"}, {}, "type"),
    ({"type": "array", "items": INT}, [], None),
    ({"type": "array", "items": INT}, {}, "type"),
    ({"type": "array", "items": INT}, "ab", "type"),
    ({"type": "array", "items": INT, "maxLength": 0}, [], None),
    ({"type": "array", "items": INT, "maxLength": 0}, [1], "too-long"),
    ({"type": "array", "items": INT, "minLength": 1, "maxLength": 2}, [], "too-short"),
    ({"type": "array", "items": INT, "minLength": 1, "maxLength": 2}, [1], None),
    ({"type": "array", "items": INT, "minLength": 1, "maxLength": 2}, [1, 2], None),
    ({"type": "array", "items": INT, "minLength": 1, "maxLength": 2}, [1, 2, 3], "too-long"),
    ({"type": "array", "items": {"type": "array", "items": INT}}, [[1], []], None),
    ({"type": "object"}, {}, None),
    ({"type": "object"}, [], "type"),
    ({"type": "object"}, LINK, "type"),
    ({"type": "object"}, b"a", "type"),
    ({"type": "object", "properties": {"a": INT}, "required": ["a"]}, {"a": 0}, None),
    ({"type": "object", "properties": {"a": INT}, "required": ["a"]}, {}, "required"),
    ({"type": "blob"}, blob(), None),
    ({"type": "blob"}, {}, "type"),
    ({"type": "blob"}, LINK, "type"),
    ({"type": "blob"}, {"cid": str(BLOB), "mimeType": "image/png"}, "blob-legacy"),
    ({"type": "unknown"}, {}, None),
    ({"type": "unknown"}, {"$type": "not an nsid", "a": [1]}, None),
    ({"type": "unknown"}, blob(), "type"),
    ({"type": "unknown"}, b"a", "type"),
    ({"type": "unknown"}, LINK, "type"),
    ({"type": "unknown"}, [], "type"),
    ({"type": "unknown"}, "a", "type"),
    ({"type": "unknown"}, 1, "type"),
    ({"type": "token"}, f"{NSID}#target", None),
    ({"type": "token"}, {}, "type"),
    ({"type": "union", "refs": []}, [], "type"),
    ({"type": "union", "refs": []}, "a", "type"),
    ({"type": "union", "refs": []}, LINK, "type"),
    ({"type": "union", "refs": []}, {}, "union-type"),
    ({"type": "union", "refs": []}, {"$type": "com.example.other"}, None),
]


@pytest.mark.parametrize(
    ("schema", "value", "code"), RULES, ids=[f"{row[0]['type']}-{row[2]}" for row in RULES]
)
def test_a_rule_holds_at_its_edge_wherever_the_definition_stands(
    schema: Schema, value: object, code: str | None
) -> None:
    verdicts = in_every_place(schema, value)
    assert verdicts == {place: [(WHERE[place], code)] if code else [] for place in verdicts}


BLOB_RULES = [
    (blob(size=10), []),
    (blob(size=0), []),
    (blob(size=11), [("/f/size", "blob-size")]),
    (blob(mimeType="text/plain"), []),
    (blob(mimeType="text/html"), [("/f/mimeType", "blob-type")]),
    (blob(mimeType="text/plain;charset=utf-8"), [("/f/mimeType", "blob-type")]),
    (blob(mimeType="Image/png"), [("/f/mimeType", "blob-type")]),
    (blob(mimeType="images/png"), [("/f/mimeType", "blob-type")]),
    (blob(mimeType="x/y", size=11), [("/f/mimeType", "blob-type"), ("/f/size", "blob-size")]),
    (blob(mimeType="image"), [("/f/mimeType", "blob-form"), ("/f/mimeType", "blob-type")]),
    (blob(alt=""), [("/f", "blob-form")]),
]


@pytest.mark.parametrize(("value", "expected"), BLOB_RULES)
def test_a_blob_is_of_an_accepted_type_and_size(
    value: object, expected: list[tuple[str, str]]
) -> None:
    assert judge(of_field(IMAGE), f=value) == expected


def test_a_blob_of_any_type_is_accepted_by_a_star() -> None:
    assert judge(of_field({"type": "blob", "accept": ["*/*"]}), f=blob(mimeType="x/y")) == []
    assert judge(of_field({"type": "blob", "accept": []}), f=blob()) == [
        ("/f/mimeType", "blob-type")
    ]
    assert judge(of_field({"type": "blob", "maxSize": 0}), f=blob(size=0)) == []
    assert judge(of_field({"type": "blob", "maxSize": 0}), f=blob(size=1)) == [
        ("/f/size", "blob-size")
    ]


def test_a_blob_by_a_dag_cbor_cid_is_refused_only_where_a_server_would() -> None:
    lexicons = of_field({"type": "blob"})
    value = {"$type": NSID, "f": blob(ref=LINK)}
    assert lexicons.validate(value, profile="spec").status == "valid"
    assert lexicons.validate(value, profile="publish").status == "invalid"


def test_an_integer_beyond_53_bits_is_refused_only_where_a_server_would() -> None:
    lexicons = of_field(INT)
    assert lexicons.validate({"$type": NSID, "f": 2**53}, profile="spec").status == "valid"
    assert lexicons.validate({"$type": NSID, "f": 2**53}, profile="publish").status == "invalid"
    assert lexicons.validate({"$type": NSID, "f": 2**63}, profile="spec").status == "invalid"


@pytest.mark.parametrize("text", ["a" * 30, "é" * 15, FAMILY])
def test_graphemes_are_not_counted_where_code_points_decide(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_text: str) -> int:
        raise AssertionError("graphemes were counted")

    monkeypatch.setattr(leaves, "count_graphemes", refuse)
    assert judge(of_field({**STRING, "maxGraphemes": 30}), f=text) == []
    with pytest.raises(AssertionError):
        judge(of_field({**STRING, "maxGraphemes": 1}), f=text)


def test_a_doubtful_string_is_a_warning() -> None:
    verdict = of_field({**STRING, "format": "uri"}).validate({"$type": NSID, "f": "file:///a"})
    assert verdict.status == "valid"
    assert [(found.pointer, found.severity) for found in verdict.findings] == [("/f", "warning")]


# Objects

OBJECT = {
    "type": "object",
    "properties": {"a": {"type": "integer", "default": 1}, "b": STRING, "c/d": STRING},
    "required": ["a"],
    "nullable": ["b"],
}
OBJECT_RULES: list[tuple[object, list[tuple[str, str]]]] = [
    ({"a": 1}, []),
    ({}, [("/f", "required")]),
    ({"a": None}, [("/f/a", "null")]),
    ({"a": 1, "b": None}, []),
    ({"a": 1, "b": 2}, [("/f/b", "type")]),
    ({"a": 1, "c/d": None}, [("/f/c~1d", "null")]),
    ({"a": 1, "c/d": 1}, [("/f/c~1d", "type")]),
    ({"a": 1, "other": None}, []),
    ({"a": 1, "other": {"deep": [blob(), LINK, b"a"]}}, []),
    ({"a": 1, "other": {"deep": [1.5]}}, [("/f/other/deep/0", "type")]),
    ({"a": 1, "other": {"deep": blob(size=-1)}}, [("/f/other/deep/size", "blob-form")]),
    ({"a": 1, "other": {"$type": ""}}, [("/f/other/$type", "type-name")]),
    ({"A": 1}, [("/f", "required")]),
]


@pytest.mark.parametrize(("value", "expected"), OBJECT_RULES)
def test_an_object_has_what_is_required_and_null_only_where_allowed(
    value: object, expected: list[tuple[str, str]]
) -> None:
    assert judge(of_field(OBJECT), f=value) == expected


def test_a_blob_is_no_object() -> None:
    assert judge(of_field({"type": "object"}), f=blob()) == [("/f", "type")]


def test_null_is_not_the_same_as_absent() -> None:
    assert judge(of_field(STRING)) == []
    assert judge(of_field(STRING), f=None) == [("/f", "null")]
    items = {"type": "array", "items": STRING}
    assert judge(of_field(items), f=["a", None]) == [("/f/1", "type")]


# References

THING = lexicon({"main": record({"name": STRING}, required=["name"])}, "com.example.named")
MAIN_REF = {"type": "ref", "ref": "com.example.named"}


@pytest.mark.parametrize("ref", ["com.example.named", "com.example.named#main"])
def test_a_ref_to_a_record_is_its_object_with_the_type_required(ref: str) -> None:
    lexicons = catalog(lexicon({"main": record({"f": {"type": "ref", "ref": ref}})}), THING)
    named = {"$type": "com.example.named", "name": "a"}
    assert judge(lexicons, f=named) == []
    assert judge(lexicons, f={"name": "a"}) == [("/f", "required")]
    assert judge(lexicons, f={**named, "$type": NSID}) == [("/f/$type", "ref-type")]
    assert judge(lexicons, f={**named, "$type": "com.example.named#main"}) == [
        ("/f/$type", "type-name")
    ]
    assert judge(lexicons, f={"$type": "com.example.named"}) == [("/f", "required")]
    assert judge(lexicons, f="a") == [("/f", "type")]


def test_the_type_of_a_record_behind_a_ref_is_the_rule_of_every_profile() -> None:
    lexicons = catalog(lexicon({"main": record({"f": MAIN_REF})}), THING)
    value = {"$type": NSID, "f": {"$type": NSID, "name": "a"}}
    assert lexicons.validate(value, profile="spec").status == "invalid"


def test_a_type_behind_a_ref_to_an_object_may_be_absent_but_not_another() -> None:
    lexicons = of_field({"type": "ref", "ref": "#o"}, o={"type": "object"})
    wrong = {"$type": NSID, "f": {"$type": f"{NSID}#other"}}
    assert judge(lexicons, f={}) == []
    assert judge(lexicons, f={"$type": f"{NSID}#o"}) == []
    assert judge(lexicons, f={"$type": f"{NSID}#other"}) == [("/f/$type", "ref-type")]
    assert lexicons.validate(wrong, profile="spec").status == "valid"
    assert lexicons.validate(wrong, profile="publish").status == "invalid"


def test_a_ref_to_a_union_leaves_the_type_to_the_union() -> None:
    union = {"type": "union", "refs": ["#o"], "closed": True}
    lexicons = of_field({"type": "ref", "ref": "#u"}, u=union, o={"type": "object"})
    assert judge(lexicons, f={"$type": f"{NSID}#o"}) == []
    assert judge(lexicons, f={"$type": f"{NSID}#u"}) == [("/f/$type", "union-type")]


TREE = {
    "type": "object",
    "properties": {
        "size": INT,
        "one": {"type": "ref", "ref": "#tree"},
        "many": {"type": "array", "items": {"type": "union", "refs": ["#tree"]}},
    },
}


def test_a_ref_may_lead_back_to_itself() -> None:
    lexicons = of_field({"type": "ref", "ref": "#tree"}, tree=TREE)
    leaf = {"$type": f"{NSID}#tree", "size": "x"}
    assert judge(lexicons, f={"one": {"one": {"many": [{"$type": f"{NSID}#tree"}, leaf]}}}) == [
        ("/f/one/one/many/1/size", "type")
    ]


def test_two_lexicons_may_refer_to_each_other() -> None:
    one = lexicon({"main": record({"f": {"type": "ref", "ref": "com.example.b#x"}})})
    back = {"type": "object", "properties": {"g": {"type": "ref", "ref": NSID}}}
    lexicons = catalog(one, lexicon({"x": back}, "com.example.b"))
    assert judge(lexicons, f={"g": {"$type": NSID, "f": {"g": 1}}}) == [("/f/g/f/g", "type")]


def test_a_union_that_lists_itself_is_a_dead_end_and_not_a_loop() -> None:
    union = {"type": "union", "refs": ["#u"]}
    lexicons = of_field({"type": "ref", "ref": "#u"}, u=union)
    assert judge(lexicons, f={"$type": f"{NSID}#u"}) == [("/f", "ref-dangling")]


def test_a_value_too_deep_for_the_data_model_is_told_so_and_not_walked_further() -> None:
    lexicons = of_field({"type": "ref", "ref": "#tree"}, tree=TREE)
    deep: dict[str, object] = {}
    for _ in range(5_000):
        deep = {"one": deep}
    assert judge(lexicons, f=deep) == [("/f" + "/one" * 31, "depth")]
    from_cbor = decode(b"\xa1\x63one" * 250 + b"\xa0")
    assert judge(lexicons, f=from_cbor) == [("/f" + "/one" * 31, "depth")]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "ref", "ref": "#gone"},
        {"type": "ref", "ref": "com.example.gone"},
        {"type": "ref", "ref": "com.example.query"},
    ],
)
def test_a_dangling_ref_fails_only_the_record_that_reaches_it(schema: Schema) -> None:
    query = lexicon({"main": {"type": "query"}}, "com.example.query")
    lexicons = catalog(lexicon({"main": record({"f": schema, "g": INT})}), query)
    assert judge(lexicons, g=1) == []
    assert judge(lexicons, g="x", f={}) == [("/g", "type"), ("/f", "ref-dangling")]


def test_a_dangling_member_fails_only_the_value_that_names_it() -> None:
    lexicons = of_field({"type": "union", "refs": ["#o", "#gone"]}, o={"type": "object"})
    assert judge(lexicons, f={"$type": f"{NSID}#o"}) == []
    assert judge(lexicons, f={"$type": f"{NSID}#gone"}) == [("/f", "ref-dangling")]


def test_all_faults_of_one_value_are_told() -> None:
    limits = {"minimum": 0, "maximum": 5, "enum": [1, 2], "const": 1}
    assert judge(of_field({**INT, **limits}), f=-1) == [
        *(("/f", "minimum"), ("/f", "enum"), ("/f", "const"))
    ]
    assert judge(of_field({**INT, **limits}), f=2**63) == [
        *(("/f", "integer-range"), ("/f", "maximum"), ("/f", "enum"), ("/f", "const"))
    ]
    assert judge(of_field({**INT, "minimum": 0}), f=-(2**63) - 1) == [
        *(("/f", "integer-range"), ("/f", "minimum"))
    ]
    two = record({"a": INT, "b": INT}, required=["a", "b"])
    assert judge(catalog(lexicon({"main": two}))) == [("", "required"), ("", "required")]
    text = {**STRING, "minLength": 2, "format": "did", "enum": ["x"], "const": "x"}
    assert judge(of_field(text), f="a") == [
        *(("/f", "format"), ("/f", "too-short"), ("/f", "enum"), ("/f", "const"))
    ]
    assert judge(of_field(IMAGE), f=blob(mimeType="a/b", size=11)) == [
        *(("/f/mimeType", "blob-type"), ("/f/size", "blob-size"))
    ]


def test_the_profile_of_a_reader_holds_collection_and_record_key_too() -> None:
    lexicons = catalog(lexicon({"main": record({}, key="tid")}))
    verdict = lexicons.validate({"$type": NSID}, nsid=NSID, rkey="self", profile="leaflet")
    assert places(verdict.findings) == [("", "rkey")]
    other = {"$type": "com.example.other"}
    assert lexicons.validate(other, nsid=NSID, profile="bluesky").status == "invalid"
    blob_of_nodes = {"$type": NSID, "x": blob(ref=LINK)}
    assert lexicons.validate(blob_of_nodes, profile="bluesky").status == "invalid"


@pytest.mark.parametrize(
    ("profile", "codes"),
    [
        ("bluesky", ["bluesky-card", "bluesky-card", "bluesky-reading-time"]),
        ("leaflet", ["leaflet-limit"]),
        ("spec", []),
        ("publish", []),
    ],
)
@pytest.mark.parametrize("nsid", ["site.standard.document", None])
def test_a_reader_s_profile_adds_what_that_reader_drops(
    profile: Profile, codes: list[str], nsid: str | None
) -> None:
    document = {
        "$type": "site.standard.document",
        "site": "https://alice.example",
        "title": "T",
        "publishedAt": "2026-02-05T16:32:10Z",
        "tags": ["é" * 51],
    }
    verdict = load(bundled("lexicons")).validate(document, nsid=nsid, profile=profile)
    assert [found.code for found in verdict.findings] == codes
    assert {found.severity for found in verdict.findings} <= {"warning"}


def test_a_record_of_an_unknown_collection_is_held_to_its_name() -> None:
    verdict = of_field(INT).validate({"$type": NSID}, nsid="com.example.unheard")
    assert places(verdict.findings) == [("/$type", "record-type"), ("", "lexicon-unknown")]
    assert verdict.status == "invalid"
    deep = {"$type": "com.example.unheard", "x": objects(31)}
    assert of_field(INT).validate(deep).status == "unknown"
    assert of_field(INT).validate({**deep, "x": objects(32)}).status == "invalid"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a" * 38, "'" + "a" * 38 + "'"),
        ("a" * 39, "'" + "a" * 35 + "…'"),
        ("a" * 5000, "'" + "a" * 35 + "…'"),
        ([1] * 20, "[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,…]"),
        (b"ab", "b'ab'"),
    ],
)
def test_a_value_is_shown_in_40_characters(value: object, shown: str) -> None:
    assert leaves.short(value) == shown


def test_a_remedy_lists_a_dozen_of_many_values() -> None:
    for count, end in ((12, "11"), (13, "11, …")):
        lexicons = of_field({**INT, "enum": list(range(count))})
        (found,) = lexicons.validate({"$type": NSID, "f": 99}).findings
        assert found.remedy.endswith(end)


def test_a_ref_to_a_token_is_the_name_of_the_token() -> None:
    ref = {"type": "ref", "ref": "#kind"}
    lexicons = of_field(ref, kind={"type": "token"})
    assert judge(lexicons, f=f"{NSID}#kind") == []
    assert judge(lexicons, f=f"{NSID}#other") == [("/f", "const")]
    assert judge(lexicons, f="kind") == [("/f", "const")]
    main = lexicon({"main": {"type": "token"}}, "com.example.kind")
    lexicons = catalog(
        lexicon({"main": record({"f": {"type": "ref", "ref": "com.example.kind"}})}), main
    )
    assert judge(lexicons, f="com.example.kind") == []
    assert judge(lexicons, f="com.example.kind#main") == [("/f", "const")]


# Unions


def union_of(*, closed: bool) -> Catalog:
    member = {"type": "object", "properties": {"n": INT}, "required": ["n"]}
    union = {"type": "union", "refs": ["#o", "com.example.named"], "closed": closed}
    other = lexicon({"main": record({"n": INT})}, "com.example.known")
    return catalog(lexicon({"main": record({"f": union}), "o": member}), THING, other)


UNION_RULES: list[tuple[object, list[tuple[str, str]], list[tuple[str, str]]]] = [
    ({"$type": f"{NSID}#o", "n": 1}, [], []),
    ({"$type": "com.example.named", "name": "a"}, [], []),
    ({"$type": f"{NSID}#o", "n": True}, [("/f/n", "type")], [("/f/n", "type")]),
    ({"$type": f"{NSID}#o"}, [("/f", "required")], [("/f", "required")]),
    ({"$type": "com.example.named"}, [("/f", "required")], [("/f", "required")]),
    ({"n": 1}, [("/f", "union-type")], [("/f", "union-type")]),
    ({"$type": "#o", "n": 1}, [], [("/f/$type", "union-type")]),
    ({"$type": "com.example.unheard"}, [], [("/f/$type", "union-type")]),
    ({"$type": "com.example.known", "n": "x"}, [], [("/f/$type", "union-type")]),
    (
        {"$type": "com.example.named#main", "name": "a"},
        [("/f/$type", "type-name")],
        [("/f/$type", "type-name")],
    ),
    (
        {"$type": "com.example.unheard#main"},
        [("/f/$type", "type-name")],
        [("/f/$type", "union-type"), ("/f/$type", "type-name")],
    ),
    ([], [("/f", "type")], [("/f", "type")]),
]


@pytest.mark.parametrize(("value", "when_open", "when_closed"), UNION_RULES)
def test_a_union_is_told_apart_by_type(
    value: object, when_open: list[tuple[str, str]], when_closed: list[tuple[str, str]]
) -> None:
    assert judge(union_of(closed=False), f=value) == when_open
    assert judge(union_of(closed=True), f=value) == when_closed


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"$type": "com.example.unheard", "n": "x"}, []),
        ({"$type": "com.example.known", "n": 1}, []),
        ({"$type": "com.example.known", "n": "x"}, [("/f/n", "type", "info")]),
        ({"$type": "not an nsid"}, [("/f/$type", "union-name", "warning")]),
        ({"$type": "#o"}, [("/f/$type", "union-name", "warning")]),
    ],
)
def test_what_an_open_union_does_not_list_is_valid_with_a_hint(
    value: object, expected: list[tuple[str, str, str]]
) -> None:
    verdict = union_of(closed=False).validate({"$type": NSID, "f": value})
    found = [(finding.pointer, finding.code, finding.severity) for finding in verdict.findings]
    assert (verdict.status, found) == ("valid", expected)


# Records


def test_all_faults_of_a_record_are_told_at_once() -> None:
    properties = {
        "title": {**STRING, "maxLength": 3},
        "tags": {"type": "array", "items": STRING, "maxLength": 1},
        "at": {**STRING, "format": "datetime"},
    }
    lexicons = catalog(lexicon({"main": record(properties, key="tid")}))
    value = {
        "$type": "com.example.other",
        "title": "long",
        "tags": ["a", 1],
        "at": "today",
        "other": 1.5,
    }
    verdict = lexicons.validate(value, nsid=NSID, rkey="self")
    assert verdict.status == "invalid"
    assert places(verdict.findings) == [
        ("/$type", "record-type"),
        ("/title", "too-long"),
        ("/tags", "too-long"),
        ("/tags/1", "type"),
        ("/at", "format"),
        ("/other", "type"),
        ("", "rkey"),
    ]
    assert all(finding.message for finding in verdict.findings)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"f": 1}, [("", "record-type")]),
        ({"$type": "com.example.other", "f": 1}, [("/$type", "record-type")]),
        ({"$type": f"{NSID}#main", "f": 1}, [("/$type", "type-name")]),
        ({"$type": "", "f": 1}, [("/$type", "type-name")]),
        ([], [("", "type")]),
        ("a", [("", "type")]),
        (None, [("", "type")]),
        (LINK, [("", "type")]),
    ],
)
def test_a_record_is_an_object_of_the_type_of_its_collection(
    value: object, expected: list[tuple[str, str]]
) -> None:
    verdict = of_field(INT).validate(value, nsid=NSID)
    assert verdict.status == "invalid"
    assert places(verdict.findings) == expected


def test_a_record_without_a_collection_is_judged_by_its_type() -> None:
    lexicons = of_field(INT)
    assert lexicons.validate({"$type": NSID, "f": 1}) == Verdict("valid", [])
    assert lexicons.validate({"$type": NSID, "f": "x"}).status == "invalid"
    assert lexicons.validate({"$type": f"{NSID}#main", "f": 1}).status == "invalid"


def test_a_record_of_an_unknown_lexicon_is_unknown_and_never_valid() -> None:
    verdict = of_field(INT).validate({"$type": "com.example.unheard", "a": 1})
    assert verdict.status == "unknown"
    assert places(verdict.findings) == [("", "lexicon-unknown")]


def test_a_breach_of_the_data_model_is_invalid_without_a_lexicon_too() -> None:
    verdict = Catalog().validate({"$type": "com.example.unheard", "a": 1.5})
    assert verdict.status == "invalid"
    assert ("/a", "type") in places(verdict.findings)


RKEYS = [
    ("any", "self", True),
    ("any", "a:b", True),
    ("any", "..", False),
    ("any", "a/b", False),
    ("any", "", False),
    ("tid", "3jzfcijpj2z2a", True),
    ("tid", "self", False),
    ("tid", "3jzfcijpj2z2a\n", False),
    ("nsid", "com.example.thing", True),
    ("nsid", "self", False),
    ("literal:self", "self", True),
    ("literal:self", "Self", False),
    ("literal:self", "literal:self", False),
]


@pytest.mark.parametrize(("kind", "rkey", "valid"), RKEYS)
def test_a_record_key_is_of_the_kind_that_the_lexicon_asks_for(
    kind: str, rkey: str, valid: bool
) -> None:
    lexicons = catalog(lexicon({"main": record({}, key=kind)}))
    verdict = lexicons.validate({"$type": NSID}, rkey=rkey)
    assert places(verdict.findings) == ([] if valid else [("", "rkey")])
    assert lexicons.record_key(NSID) == kind


def test_only_a_record_has_a_kind_of_record_key() -> None:
    lexicons = catalog(lexicon({"main": {"type": "query"}}))
    assert lexicons.record_key(NSID) is None
    assert lexicons.record_key("com.example.unheard") is None


def test_a_lexicon_added_later_judges_from_then_on() -> None:
    lexicons = of_field({"type": "ref", "ref": "com.example.named"})
    named = {"$type": "com.example.named", "name": "a"}
    assert judge(lexicons, f=named) == [("/f", "ref-dangling")]
    lexicons.add(LexiconFile.model_validate(THING))
    assert judge(lexicons, f=named) == []


# The data model within a lexicon


@pytest.mark.parametrize(("name", "pointer"), [("a/b", "/a~1b"), ("~", "/~0"), ("~1", "/~01")])
def test_a_pointer_escapes_what_separates_its_steps(name: str, pointer: str) -> None:
    lexicons = catalog(lexicon({"main": record({name: INT})}))
    assert judge(lexicons, **{name: "x"}) == [(pointer, "type")]
    assert judge(of_field(INT), **{name: 1.5}) == [(pointer, "type")]


DEEP: object = []
for _ in range(31):
    DEEP = [DEEP]
SURROGATE = "\ud83d"
HALF_BLOB = {"$type": "blob", "ref": BLOB, "mimeType": "image/png"}

# Each row: a definition that takes or refuses the value without looking into it, and the value.
UNSEEN: list[tuple[Schema, object]] = [
    (STRING, {"x": SURROGATE}),
    (STRING, SURROGATE),
    ({**STRING, "maxLength": 9}, SURROGATE),
    ({"type": "token"}, SURROGATE),
    (INT, [SURROGATE]),
    (INT, 2**63),
    ({"type": "boolean"}, {"x": [2**64]}),
    ({"type": "bytes"}, [SURROGATE]),
    ({"type": "cid-link"}, {"$type": ""}),
    ({"type": "array", "items": INT}, {"x": SURROGATE}),
    ({"type": "object"}, [SURROGATE]),
    ({"type": "object"}, {"x": {"$type": ""}}),
    ({"type": "object"}, {"$type": 1}),
    ({"type": "object"}, {SURROGATE: 1}),
    ({"type": "object"}, HALF_BLOB),
    ({"type": "blob"}, HALF_BLOB),
    ({"type": "blob"}, {"x": SURROGATE}),
    ({"type": "blob"}, {"cid": 1, "mimeType": SURROGATE}),
    ({"type": "unknown"}, {"x": SURROGATE}),
    ({"type": "unknown"}, [SURROGATE]),
    ({"type": "ref", "ref": "#gone"}, {"x": SURROGATE}),
    ({"type": "union", "refs": []}, {"$type": "com.example.unheard", "x": SURROGATE}),
    ({"type": "union", "refs": []}, {"$type": NSID, "x": SURROGATE}),
    ({"type": "union", "refs": [], "closed": True}, {"$type": "com.example.no", "x": SURROGATE}),
    ({"type": "union", "refs": ["#gone"]}, {"$type": f"{NSID}#gone", "x": SURROGATE}),
    ({"type": "union", "refs": []}, {"x": SURROGATE}),
    ({"type": "union", "refs": []}, [SURROGATE]),
    ({"type": "array", "items": {"type": "unknown"}}, [{"x": DEEP}]),
    (INT, DEEP),
    ({"type": "unknown"}, {"x": DEEP}),
]


@pytest.mark.parametrize(("schema", "value"), UNSEEN)
def test_a_verdict_has_every_fault_of_the_data_model(schema: Schema, value: object) -> None:
    whole = {"$type": NSID, "f": value}
    of_data = [found for found in data.check(whole) if found.severity == "error"]
    assert of_data
    found = of_field(schema).validate(whole).findings
    assert [fault for fault in of_data if fault not in found] == []


def lists(count: int) -> object:
    value: object = "x"
    for _ in range(count):
        value = [value]
    return value


def objects(count: int, **inner: object) -> object:
    value: object = inner or {"x": 1}
    for _ in range(count - 1):
        value = {"x": value}
    return value


def typed(count: int, name: str) -> object:
    return {"$type": name, "x": objects(count - 1)}


ITSELF: Schema = {"type": "object", "properties": {"x": {"type": "ref", "ref": "#target"}}}
DEEP_ONES: list[tuple[Schema, Callable[[int], object]]] = [
    *((schema, lists) for schema in (STRING, INT, {"type": "boolean"}, {"type": "bytes"})),
    *((schema, objects) for schema in (STRING, INT, {"type": "boolean"}, {"type": "bytes"})),
    *(
        ({"type": kind}, make)
        for kind in ("cid-link", "blob", "object", "unknown")
        for make in (lists, objects)
    ),
    ({"type": "array", "items": INT}, lists),
    ({"type": "ref", "ref": "#list"}, lists),
    ({"type": "array", "items": {"type": "array", "items": STRING}}, lists),
    ({"type": "array", "items": {"type": "unknown"}}, lambda count: [objects(count - 1)]),
    ({"type": "array", "items": INT}, objects),
    ({"type": "ref", "ref": "#token"}, objects),
    ({"type": "ref", "ref": "#gone"}, objects),
    ({"type": "ref", "ref": "#target"}, objects),
    ({"type": "ref", "ref": "com.example.named"}, objects),
    ({"type": "ref", "ref": "com.example.named"}, lambda count: typed(count, "com.example.named")),
    ({"type": "union", "refs": ["#target"]}, objects),
    ({"type": "union", "refs": ["#target"]}, lists),
    ({"type": "union", "refs": ["#target"]}, lambda count: typed(count, f"{NSID}#target")),
    ({"type": "union", "refs": ["#gone"]}, lambda count: typed(count, f"{NSID}#gone")),
    ({"type": "union", "refs": []}, lambda count: typed(count, "com.example.named")),
    ({"type": "union", "refs": []}, lambda count: typed(count, "com.example.unheard")),
    ({"type": "union", "refs": [], "closed": True}, lambda count: typed(count, "com.example.no")),
    ({"type": "object", "properties": {"x": {"type": "unknown"}}}, objects),
    (
        {"type": "object", "properties": {"x": {"type": "object"}}},
        lambda count: {"x": {"$type": objects(count - 2)}},
    ),
]


@pytest.mark.parametrize(("schema", "value"), DEEP_ONES)
def test_a_record_may_be_32_deep_whatever_looks_at_it(
    schema: Schema, value: Callable[[int], object]
) -> None:
    field = {"type": "object", "properties": {"f": schema}}
    lexicons = catalog(
        lexicon(
            {
                "main": {"type": "record", "key": "any", "record": field},
                "target": ITSELF,
                "token": {"type": "token"},
                "list": {"type": "array", "items": {"type": "ref", "ref": "#list"}},
            }
        ),
        THING,
    )
    assert "depth" not in [code for _, code in judge(lexicons, f=value(31))]
    deeper = judge(lexicons, f=value(32))
    assert [code for _, code in deeper].count("depth") == 1
    assert [found for found in places(data.check({"f": value(32)})) if found not in deeper] == []


def test_a_blob_may_be_as_deep_as_any_object() -> None:
    node = {**ITSELF, "properties": {**ITSELF["properties"], "b": {"type": "blob"}}}
    lexicons = catalog(
        lexicon({"main": record({"f": {"type": "ref", "ref": "#target"}}), "target": node})
    )
    assert judge(lexicons, f=objects(30, b=blob())) == []
    too_deep = [("/f" + "/x" * 30 + "/b", "depth")]
    assert judge(lexicons, f=objects(31, b=blob())) == too_deep
    assert judge(lexicons, f=objects(31, b=HALF_BLOB)) == too_deep


def test_hints_of_a_large_value_are_told_apart_from_faults_in_linear_time() -> None:
    hint = lexicon(
        {"main": {"type": "object", "properties": {"a": {"type": "array", "items": STRING}}}},
        "com.example.hint",
    )
    lexicons = catalog(lexicon({"main": record({"f": {"type": "union", "refs": []}})}), hint)
    value = {"$type": "com.example.hint", "a": [2**53] * 20_000}
    start = time.process_time()
    verdict = lexicons.validate({"$type": NSID, "f": value})
    assert time.process_time() - start < 5  # 0.2 s; with the square, half a minute
    assert [found.code for found in verdict.findings].count("integer-range") == 20_000
    assert [found.severity for found in verdict.findings].count("info") == 20_000


def hints(value: Schema) -> list[tuple[str, str, str]]:
    other = {"type": "object", "properties": {"n": STRING}}
    hint = lexicon(
        {"main": {**other, "properties": {"n": INT}}, "other": other}, "com.example.hint"
    )
    lexicons = catalog(lexicon({"main": record({"f": {"type": "union", "refs": []}})}), hint)
    found = lexicons.validate({"$type": NSID, "f": value}).findings
    return [(fault.pointer, fault.code, fault.severity) for fault in found]


def test_a_hint_is_by_the_definition_that_the_type_names() -> None:
    assert hints({"$type": "com.example.hint", "n": "x"}) == [("/f/n", "type", "info")]
    assert hints({"$type": "com.example.hint", "n": 1}) == []
    assert hints({"$type": "com.example.hint#other", "n": 1}) == [("/f/n", "type", "info")]
    assert hints({"$type": "com.example.hint#other", "n": "x"}) == []
    assert hints({"$type": "com.example.hint#main", "n": "x"}) == [
        ("/f/$type", "type-name", "error")
    ]


def test_a_type_that_stands_twice_is_told_once_in_a_union() -> None:
    with pytest.raises(data.DataError) as read:
        data.loads(f'{{"$type": "{NSID}", "f": {{"$type": "a.b.c", "$type": "a.b.d"}}}}')
    verdict = of_field({"type": "union", "refs": []}).validate(read.value.value)
    assert places(verdict.findings) == [("/f/$type", "duplicate-key")]


def test_a_hint_doesn_t_say_again_what_the_data_model_says() -> None:
    hint = lexicon(
        {"main": {"type": "object", "properties": {"b": {"type": "blob"}}}}, "com.example.hint"
    )
    lexicons = catalog(lexicon({"main": record({"f": {"type": "union", "refs": []}})}), hint)
    legacy = {"cid": str(BLOB), "mimeType": "image/png"}
    verdict = lexicons.validate({"$type": NSID, "f": {"$type": "com.example.hint", "b": legacy}})
    assert [found.code for found in verdict.findings] == ["blob-legacy"]


def test_a_recursive_definition_is_followed_as_deep_as_a_record_may_be() -> None:
    node = {"type": "object", "properties": {"n": {"type": "ref", "ref": "#node"}}}
    nodes = {"type": "array", "items": {"type": "ref", "ref": "#node"}}
    lexicons = of_field({"type": "ref", "ref": "#node"}, node=node)
    value: dict[str, object] = {}
    for _ in range(30):
        value = {"n": value}
    assert judge(lexicons, f=value) == []
    assert judge(lexicons, f={"n": value}) == [("/f" + "/n" * 31, "depth")]
    assert judge(of_field(nodes, node=node), f=[value]) == [("/f/0" + "/n" * 30, "depth")]


@pytest.mark.parametrize(
    ("field", "code"),
    [
        ({"x": {"cid": str(BLOB), "mimeType": "image/png"}}, "blob-legacy"),
        ({"x": {"__proto__": 1}}, "proto-key"),
        ({"x": 2**53}, "integer-range"),
        ({"x": blob(ref=LINK)}, "blob-codec"),
    ],
)
def test_what_only_servers_refuse_is_a_warning_for_the_specification(
    field: Schema, code: str
) -> None:
    value = {"$type": NSID, **field}
    publish = of_field(INT).validate(value)
    assert [(found.code, found.severity) for found in publish.findings] == [(code, "error")]
    spec = of_field(INT).validate(value, profile="spec")
    assert (spec.status, [found.severity for found in spec.findings]) == ("valid", ["warning"])


@pytest.mark.parametrize("value", [{"cid": str(LINK), "mimeType": "a/b"}, {"cid": str(BLOB)}])
def test_other_objects_with_a_cid_are_no_legacy_blobs(value: object) -> None:
    assert judge(of_field(INT), x=value) == []


@pytest.mark.parametrize(
    "schema", [{"type": "unknown"}, {"type": "object"}, {"type": "union", "refs": []}]
)
def test_a_type_never_ends_in_main(schema: Schema) -> None:
    value = {"$type": "com.example.a", "x": [{"$type": "com.example.b#main"}]}
    assert judge(of_field(schema), f=value) == [("/f/x/0/$type", "type-name")]
    assert judge(of_field(INT), x=value) == [("/x/x/0/$type", "type-name")]


@pytest.mark.parametrize("name", ["com.example.a#", "com.example.a#b#c", "com.example.a#1", "a"])
def test_a_type_in_an_open_union_that_names_nothing_is_a_warning(name: str) -> None:
    verdict = of_field({"type": "union", "refs": []}).validate(
        {"$type": NSID, "f": {"$type": name}}
    )
    assert [(found.pointer, found.code) for found in verdict.findings] == [
        ("/f/$type", "union-name")
    ]
    assert verdict.status == "valid"
