"""Lexicon files: each rule of the language at its edge, one file alone and folders of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher import data
from publisher.errors import LexiconError
from publisher.findings import Finding
from publisher.lexicon import check, load
from publisher.lexicon.load import read
from tests.published_lexicons import published
from tests.site import make_site, run

ROOT = Path(__file__).parents[1]
NSID = "com.example.thing"
OTHER = "com.example.other"
FIELD = "/defs/main/record/properties/f"
Schema = dict[str, Any]

INT: Schema = {"type": "integer"}
STRING: Schema = {"type": "string"}
OBJECT: Schema = {"type": "object"}
BLOB: Schema = {"type": "blob"}
JSON = "application/json"


def lexicon(defs: Schema, nsid: str = NSID) -> Schema:
    return {"lexicon": 1, "id": nsid, "defs": defs}


def record(properties: Schema, *, key: str = "any", **more: object) -> Schema:
    body = {"type": "object", "properties": properties, **more}
    return {"type": "record", "key": key, "record": body}


def field(schema: Schema, **defs: Schema) -> Schema:
    """A lexicon of a record whose field `f` is `schema`; `defs` stand beside it."""
    return lexicon({"main": record({"f": schema}), **defs})


def main(definition: Schema, **defs: Schema) -> Schema:
    return lexicon({"main": definition, **defs})


def ref(name: str) -> Schema:
    return {"type": "ref", "ref": name}


def union(*names: str, **more: object) -> Schema:
    return {"type": "union", "refs": list(names), **more}


def query(**properties: Schema) -> Schema:
    """A lexicon of a query with these parameters."""
    return main({"type": "query", "parameters": {"type": "params", "properties": properties}})


def answer(schema: Schema, **defs: Schema) -> Schema:
    """A lexicon of a query that answers this."""
    return main({"type": "query", "output": {"encoding": JSON, "schema": schema}}, **defs)


def stream(schema: Schema) -> Schema:
    return main({"type": "subscription", "message": {"schema": schema}}, o=OBJECT)


def grant(**permission: object) -> Schema:
    """A lexicon of a permission set with one permission."""
    given = {"type": "permission", **permission}
    return main({"type": "permission-set", "permissions": [given]})


def rpc(**permission: object) -> Schema:
    return grant(**{"resource": "rpc", "lxm": [OTHER], **permission})


def places(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    return [(found.pointer, found.code) for found in findings]


GOOD: list[Schema] = [
    field({"type": "object", "properties": {"a": {"type": "object", "properties": {}}}}),
    field({"type": "array", "items": {"type": "array", "items": INT}}),
    field(ref("#s"), s=STRING),
    field(ref("#a"), a={"type": "array", "items": INT}),
    field(ref("#u"), u=union("#o"), o=OBJECT),
    field(ref(NSID)),
    field(ref(f"{OTHER}#x")),
    lexicon({"s": STRING, "t": {"type": "token"}, "b": BLOB, "u": union()}),
    lexicon({"main": STRING}),
    {**field(INT), "$type": "com.atproto.lexicon.schema", "revision": 1, "description": "x"},
    {**field(INT), "$schema": "https://example.com", "title": "x", "deprecated": True},
    *(main(record({}, key=key)) for key in ("tid", "nsid", "any", "literal:self", "literal:~")),
    main(record({"a": INT}, required=["a"], nullable=["a"])),
    # Strings
    *(field({**STRING, name: 0}) for name in ("minLength", "maxLength", "minGraphemes")),
    field({**STRING, "minLength": 1, "maxLength": 1, "minGraphemes": 1, "maxGraphemes": 1}),
    field({**STRING, "minGraphemes": 2, "maxLength": 2}),
    field({**STRING, "maxLength": 1, "default": "a"}),
    field({**STRING, "enum": ["a", "b"], "default": "b", "const": "b"}),
    field({**STRING, "format": "did", "const": "did:web:a.example"}),
    field({**STRING, "knownValues": ["a", "#", "a b#c", f"{OTHER}#t"]}),
    field({**STRING, "knownValues": ["#t", f"{NSID}#t"]}, t={"type": "token"}),
    lexicon({"s": {**STRING, "knownValues": [NSID]}}),
    field({**STRING, "description": "x"}),
    # Numbers
    field({**INT, "minimum": -1, "maximum": -1, "default": -1}),
    field({**INT, "minimum": 0, "maximum": 0, "enum": [0], "const": 0}),
    field({"type": "boolean", "default": False}),
    field({"type": "boolean", "const": False, "default": False}),
    # Bytes, links, arrays, blobs
    field({"type": "bytes", "minLength": 0, "maxLength": 0}),
    field({"type": "cid-link"}),
    field({"type": "unknown"}),
    field({"type": "array", "items": INT, "minLength": 1, "maxLength": 1}),
    *(
        field({**BLOB, "accept": [pattern], "maxSize": 0})
        for pattern in ("*/*", "image/*", "image/svg+xml", "text/plain;charset=utf-8", "a/b.c-d")
    ),
    # Refs and unions
    field(union()),
    field(union("#o", f"{NSID}#p"), o=OBJECT, p=OBJECT),
    field(union(NSID, OTHER, f"{OTHER}#o", closed=True)),
    # What ends
    field(ref("#o"), o={"type": "object", "properties": {"o": ref("#o")}}),
    main(record({"f": ref("#main")}, required=["f"], nullable=["f"])),
    main(record({"f": {"type": "array", "items": ref("#main")}}, required=["f"])),
    main(record({"f": {"type": "array", "items": ref("#main"), "minLength": 0}}, required=["f"])),
    main(record({"f": union("#main")}, required=["f"])),
    main(record({"f": union("#main", "#o", closed=True)}, required=["f"]), o=OBJECT),
    main(record({"f": ref(OTHER)}, required=["f"])),
    # Endpoints
    *(main({"type": kind}) for kind in ("query", "procedure", "subscription")),
    query(a=INT, b=STRING, c={"type": "boolean"}, d={"type": "unknown"}),
    *(
        query(a={"type": "array", "items": items, "maxLength": 1})
        for items in (INT, STRING, {"type": "boolean"}, {"type": "unknown"})
    ),
    query(a={**INT, "minimum": 1, "maximum": 100, "default": 50}),
    *(answer(schema, o=OBJECT) for schema in (OBJECT, ref("#o"), union("#o"), ref(OTHER))),
    *(
        main({"type": "procedure", "input": {"encoding": encoding}})
        for encoding in ("*/*", "video/*", "application/vnd.ipld.car", "text/plain;charset=utf-8")
    ),
    main({"type": "query", "errors": [{"name": "NotFound", "description": "x"}]}),
    stream(union("#o")),
    # Permissions
    rpc(lxm=["*"], inheritAud=True),
    rpc(aud="*"),
    rpc(inheritAud=True),
    rpc(aud="*", inheritAud=False),
    grant(resource="repo", collection=[OTHER, f"{NSID}.deeper"]),
    grant(resource="repo", collection=[OTHER], action=["create", "update", "delete"]),
    main(
        {
            "type": "permission-set",
            "title": "a",
            "title:lang": {"de": "a", "pt-BR": "b"},
            "detail": "b",
            "detail:lang": {"en": "c"},
            "permissions": [],
        }
    ),
]


@pytest.mark.parametrize("document", GOOD, ids=range(len(GOOD)))
def test_a_file_of_every_allowed_form_is_taken(document: Schema) -> None:
    assert check(document) == []
    assert check(data.loads(json.dumps(document))) == []  # type: ignore[arg-type]  # any JSON


RECORD = "/defs/main/record"
GRANT = "/defs/main/permissions/0"
PARAM = "/defs/main/parameters/properties"
FORM = "lexicon-form"
NO_VALUE: dict[str, Schema] = {
    "query": {},
    "procedure": {},
    "subscription": {},
    "permission-set": {"permissions": []},
}
BAD: list[tuple[Schema, str, str, str]] = [
    # The file
    ({**field(INT), "lexicon": True}, "/lexicon", FORM, "is true or false, not a whole number"),
    ({**field(INT), "lexicon": 2}, "/lexicon", FORM, "2 is no version of the language"),
    ({**field(INT), "lexicon": "1"}, "/lexicon", FORM, "is a string, not a whole number"),
    ({**field(INT), "lexicon": 0}, "/lexicon", FORM, "0 is no version of the language"),
    ({"id": NSID, "defs": {"a": INT}}, "/lexicon", FORM, "lexicon is missing"),
    ({**field(INT), "id": "thing"}, "/id", FORM, "'thing' is not an NSID"),
    ({**field(INT), "id": f"{NSID}#main"}, "/id", FORM, "is not an NSID"),
    ({**field(INT), "id": None}, "/id", FORM, "is null, not a string"),
    ({"lexicon": 1, "defs": {"a": INT}}, "/id", FORM, "id is missing"),
    ({"lexicon": 1, "id": NSID}, "/defs", FORM, "defs is missing"),
    (lexicon({}), "/defs", FORM, "is empty"),
    ({**field(INT), "defs": []}, "/defs", FORM, "is an array, not an object"),
    (lexicon({"a": 5}), "/defs/a", FORM, "is a whole number, not an object"),
    (lexicon({"": INT}), "/defs/", FORM, "'' can't be the name of a definition"),
    (lexicon({"a#b": INT}), "/defs/a#b", FORM, "'a#b' can't be the name of a definition"),
    ({**field(INT), "revision": "2"}, "/revision", FORM, "is a string, not a whole number"),
    ({**field(INT), "description": 1}, "/description", FORM, "is a whole number, not a string"),
    ({**field(INT), "description": None}, "/description", FORM, "is null → leave description out"),
    (lexicon({"a": {"type": "string", "enum": None}}), "/defs/a/enum", FORM, "is null"),
    (lexicon({"a": {"type": "boolean", "const": None}}), "/defs/a/const", FORM, "is null"),
    (lexicon({"a": {"type": "object", "properties": None}}), "/defs/a/properties", FORM, "is null"),
    (lexicon({"main": {"type": "query", "output": None}}), "/defs/main/output", FORM, "is null"),
    # Types
    (lexicon({"a": {}}), "/defs/a/type", FORM, "type is missing"),
    (lexicon({"a": {"type": 1}}), "/defs/a/type", FORM, "is a whole number, not a string"),
    (
        lexicon({"a": {"type": ["string"]}, "b": {"type": "array", "items": ref("#a")}}),
        "/defs/a/type",
        FORM,
        "is an array, not a string",
    ),
    (
        lexicon({"u": union("#a"), "a": {"type": {}}}),
        "/defs/a/type",
        FORM,
        "is an object, not a string",
    ),
    (lexicon({"a": {"type": "lexicon"}}), "/defs/a/type", "lexicon-type", "is no type"),
    (lexicon({"a": {"type": "float"}}), "/defs/a/type", "lexicon-type", "'float' is no type"),
    (lexicon({"a": {"type": "strng"}}), "/defs/a/type", "lexicon-type", "'strng' is no type"),
    *(
        (lexicon({"a": definition}), "/defs/a/type", "lexicon-type", "of its own")
        for definition in (
            {"type": "unknown"},
            ref(OTHER),
            {"type": "params"},
            {"type": "permission"},
        )
    ),
    *(
        (lexicon({"a": {"type": kind, **more}}), "/defs/a", "lexicon-type", f"a {kind} must be")
        for kind, more in {"record": {"key": "any", "record": OBJECT}, **NO_VALUE}.items()
    ),
    (field(record({})), f"{FIELD}/type", "lexicon-type", "the main definition of its own file"),
    (field({"type": "query"}), f"{FIELD}/type", "lexicon-type", "query can't stand here"),
    (
        lexicon({"o": {**OBJECT, "properties": {"f": {"type": "permission-set"}}}}),
        "/defs/o/properties/f/type",
        "lexicon-type",
        "permission-set can't stand here",
    ),
    (field({"type": "params"}), f"{FIELD}/type", "lexicon-type", "params can't stand here"),
    # Records
    (main({"type": "record", "record": OBJECT}), "/defs/main/key", FORM, "key is missing"),
    *(
        (main(record({}, key=key)), "/defs/main/key", FORM, f"{key!r} is no kind of record key")
        for key in ("", "TID", "tid ", "literal", "literal:", "literal:a b", "literal:..")
    ),
    (main({"type": "record", "key": "tid"}), RECORD, FORM, "record is missing"),
    (
        main({**record({}), "record": ref(OTHER)}),
        f"{RECORD}/type",
        FORM,
        "ref",
    ),
    # Objects
    (
        main(record({"a": INT}, required=["a", "b"])),
        f"{RECORD}/required/1",
        "lexicon-undeclared",
        "required names b, which isn't declared",
    ),
    (
        main(record({"a": INT}, nullable=["a", "b"])),
        f"{RECORD}/nullable/1",
        "lexicon-undeclared",
        "nullable names b, which isn't declared",
    ),
    (lexicon({"a": {**OBJECT, "required": ["b"]}}), "/defs/a/required/0", "lexicon-undeclared", ""),
    (main(record({}, required="a")), f"{RECORD}/required", FORM, "is a string, not an array"),
    (main(record({}, required=[1])), f"{RECORD}/required/0", FORM, "not a string"),
    (main(record({}, nullable=None)), f"{RECORD}/nullable", FORM, "is null, not an array"),
    (lexicon({"a": {**OBJECT, "properties": []}}), "/defs/a/properties", FORM, "not an object"),
    (
        lexicon({"items": {**OBJECT, "properties": {"properties": {**STRING, "enum": [1]}}}}),
        "/defs/items/properties/properties/enum/0",
        FORM,
        "is a whole number",
    ),
    # Strings
    *(
        (field({**STRING, name: -1}), f"{FIELD}/{name}", FORM, "is -1, below 0")
        for name in ("minLength", "maxLength", "minGraphemes", "maxGraphemes")
    ),
    *(
        (
            field({**STRING, least: 2, most: 1}),
            f"{FIELD}/{least}",
            "lexicon-limits",
            f"{least} 2 is above {most} 1",
        )
        for least, most in (
            ("minLength", "maxLength"),
            ("minGraphemes", "maxGraphemes"),
            ("minGraphemes", "maxLength"),
        )
    ),
    (field({**STRING, "maxLength": "5"}), f"{FIELD}/maxLength", FORM, "is a string"),
    (field({**STRING, "maxLength": True}), f"{FIELD}/maxLength", FORM, "is true or false"),
    (field({**STRING, "format": "slug"}), f"{FIELD}/format", FORM, "'slug' isn't known here"),
    (field({**STRING, "enum": []}), f"{FIELD}/enum", FORM, "is empty"),
    (field({**STRING, "enum": ["a", 1]}), f"{FIELD}/enum/1", FORM, "is a whole number"),
    (field({**STRING, "knownValues": [1]}), f"{FIELD}/knownValues/0", FORM, "is a whole number"),
    # Numbers
    (
        field({**INT, "minimum": 1, "maximum": 0}),
        f"{FIELD}/minimum",
        "lexicon-limits",
        "minimum 1 is above maximum 0",
    ),
    (field({**INT, "minimum": True}), f"{FIELD}/minimum", FORM, "is true or false"),
    (field({**INT, "minimum": True, "maximum": 0}), f"{FIELD}/minimum", FORM, "is true or false"),
    (field({**INT, "enum": [True]}), f"{FIELD}/enum/0", FORM, "is true or false"),
    (field({**INT, "enum": []}), f"{FIELD}/enum", FORM, "is empty"),
    (field({**INT, "const": False}), f"{FIELD}/const", FORM, "is true or false"),
    (field({**INT, "default": True}), f"{FIELD}/default", FORM, "is true or false"),
    (field({"type": "boolean", "const": 1}), f"{FIELD}/const", FORM, "is a whole number"),
    (field({"type": "boolean", "default": 0}), f"{FIELD}/default", FORM, "is a whole number"),
    # What a definition refuses itself
    *(
        (field(schema), f"{FIELD}/{place}", "lexicon-value", words)
        for schema, place, words in (
            ({**INT, "default": 1, "maximum": 0}, "default", "1 is above 0"),
            ({**INT, "default": -1, "minimum": 0}, "default", "-1 is below 0"),
            ({**INT, "default": 1, "enum": [0]}, "default", "1 is not allowed"),
            ({**INT, "default": 1, "const": 0}, "default", "1 is not 0"),
            ({**INT, "const": 1, "enum": [0]}, "const", "1 is not allowed"),
            ({**INT, "const": 1, "maximum": 0}, "const", "1 is above 0"),
            ({**INT, "enum": [0, 1], "maximum": 0}, "enum/1", "1 is above 0"),
            ({**STRING, "default": "ä", "maxLength": 1}, "default", "has 2 bytes"),
            ({**STRING, "default": "", "minGraphemes": 1}, "default", "has 0 graphemes"),
            ({**STRING, "default": "x", "format": "did"}, "default", "is not a DID"),
            ({**STRING, "default": "b", "enum": ["a"]}, "default", "'b' is not allowed"),
            ({**STRING, "const": "ab", "maxLength": 1}, "const", "has 2 bytes"),
            ({**STRING, "enum": ["a", "ab"], "maxLength": 1}, "enum/1", "has 2 bytes"),
            ({"type": "boolean", "const": True, "default": False}, "default", "is false"),
        )
    ),
    # Bytes, arrays, blobs
    (
        field({"type": "bytes", "minLength": 2, "maxLength": 1}),
        f"{FIELD}/minLength",
        "lexicon-limits",
        "",
    ),
    (field({"type": "bytes", "maxLength": -1}), f"{FIELD}/maxLength", FORM, "below 0"),
    (field({"type": "array"}), f"{FIELD}/items", FORM, "items is missing"),
    (field({"type": "array", "items": {"type": "array"}}), f"{FIELD}/items/items", FORM, ""),
    (
        field({"type": "array", "items": INT, "minLength": 2, "maxLength": 1}),
        f"{FIELD}/minLength",
        "lexicon-limits",
        "",
    ),
    (field({**BLOB, "maxSize": -1}), f"{FIELD}/maxSize", FORM, "below 0"),
    (field({**BLOB, "accept": []}), f"{FIELD}/accept", FORM, "is empty"),
    (field({**BLOB, "accept": "image/*"}), f"{FIELD}/accept", FORM, "is a string"),
    *(
        (
            field({**BLOB, "accept": ["a/b", text]}),
            f"{FIELD}/accept/1",
            FORM,
            f"{text!r} matches no",
        )
        for text in (
            "",
            "*",
            "image",
            "image/",
            "/png",
            "*/png",
            "image/p*",
            "a/b/c",
            "a /b",
            ".png",
        )
    ),
    # Refs and unions
    (field({"type": "ref"}), f"{FIELD}/ref", FORM, "ref is missing"),
    *(
        (field(ref(text)), f"{FIELD}/ref", FORM, f"{text!r} is no ref")
        for text in ("", "#", "x", "a.b", "lex:a.b.c", f"{OTHER}#", f"{OTHER}#a#b", "#a b", "x#y")
    ),
    (field(ref("#gone")), f"{FIELD}/ref", "ref-dangling", "#gone is defined by no lexicon file"),
    (field(ref(f"{NSID}#gone")), f"{FIELD}/ref", "ref-dangling", f"{NSID}#gone is defined by no"),
    (
        lexicon({"a": {"type": "array", "items": ref("#main")}}),
        "/defs/a/items/ref",
        "ref-dangling",
        "",
    ),
    (field({"type": "union"}), f"{FIELD}/refs", FORM, "refs is missing"),
    (field(union("#o", "o"), o=OBJECT), f"{FIELD}/refs/1", FORM, "'o' is no ref"),
    (field({**union(), "closed": 1}), f"{FIELD}/closed", FORM, "is a whole number"),
    (field(union("#o", "#gone"), o=OBJECT), f"{FIELD}/refs/1", "ref-dangling", "#gone"),
    (field(union(closed=True)), f"{FIELD}/refs", "union-empty", "is closed and empty"),
    *(
        (
            field(union("#o", text), o=OBJECT),
            f"{FIELD}/refs/1",
            "union-twice",
            "the same member as #o",
        )
        for text in ("#o", f"{NSID}#o")
    ),
    (field(union(OTHER, f"{OTHER}#main")), f"{FIELD}/refs/1", "union-twice", "the same member"),
    *(
        (
            field(union("#x"), x=schema),
            f"{FIELD}/refs/0",
            "union-member",
            f"#x is of type {schema['type']};",
        )
        for schema in (STRING, {"type": "token"}, BLOB, union(), {"type": "array", "items": INT})
    ),
    (
        main({"type": "query"}, o={**OBJECT, "properties": {"f": union("#main")}}),
        "/defs/o/properties/f/refs/0",
        "union-member",
        "#main is of type query",
    ),
    *(
        (
            main({"type": kind, **more}, o={**OBJECT, "properties": {"f": ref("#main")}}),
            "/defs/o/properties/f/ref",
            "ref-target",
            f"#main is of type {kind}, which describes no value",
        )
        for kind, more in NO_VALUE.items()
    ),
    # What can't end
    *(
        (
            field(INT, o={**OBJECT, "required": ["o"], "properties": {"o": schema}}),
            "/defs/o",
            "lexicon-endless",
            "can end",
        )
        for schema in (
            ref("#o"),
            union("#o", closed=True),
            {"type": "array", "items": ref("#o"), "minLength": 1},
            {**OBJECT, "required": ["p"], "properties": {"p": ref(f"{NSID}#o")}},
        )
    ),
    (
        field(INT, a={"type": "array", "items": ref("#a"), "minLength": 1}),
        "/defs/a",
        "lexicon-endless",
        "",
    ),
    (main(record({"f": ref("#main")}, required=["f"])), "/defs/main", "lexicon-endless", ""),
    (
        main(record({"s": ref("#s"), "f": ref("#main")}, required=["s", "f"]), s=STRING),
        "/defs/main",
        "lexicon-endless",
        "optional or nullable",
    ),
    # Endpoints
    *(
        (query(a=schema), f"{PARAM}/a/type", "lexicon-type", "can't stand here")
        for schema in (OBJECT, BLOB, ref(OTHER), union(), {"type": "bytes"}, {"type": "cid-link"})
    ),
    (
        query(a={"type": "array", "items": OBJECT}),
        f"{PARAM}/a/items/type",
        "lexicon-type",
        "object",
    ),
    (
        query(a={"type": "array", "items": {"type": "array", "items": INT}}),
        f"{PARAM}/a/items/type",
        "lexicon-type",
        "array",
    ),
    (query(a={**INT, "default": 5, "maximum": 4}), f"{PARAM}/a/default", "lexicon-value", "5"),
    (
        main({"type": "subscription", "parameters": {"type": "params", "required": ["a"]}}),
        "/defs/main/parameters/required/0",
        "lexicon-undeclared",
        "a",
    ),
    (
        main({"type": "procedure", "input": {"encoding": JSON, "schema": ref("#gone")}}),
        "/defs/main/input/schema/ref",
        "ref-dangling",
        "#gone",
    ),
    (
        answer({**OBJECT, "properties": {"schema": {**STRING, "maxLength": -1}}}),
        "/defs/main/output/schema/properties/schema/maxLength",
        FORM,
        "below 0",
    ),
    (
        main({"type": "query", "parameters": {"type": "params", "required": ["a"]}}),
        "/defs/main/parameters/required/0",
        "lexicon-undeclared",
        "a",
    ),
    (main({"type": "query", "parameters": OBJECT}), "/defs/main/parameters/type", FORM, "'object'"),
    (main({"type": "query", "output": {}}), "/defs/main/output/encoding", FORM, "is missing"),
    (
        main({"type": "query", "output": {"encoding": "json"}}),
        "/defs/main/output/encoding",
        FORM,
        "'json' matches no media type",
    ),
    *(
        (answer(schema), "/defs/main/output/schema/type", "lexicon-type", "can't stand here")
        for schema in (STRING, {"type": "array", "items": INT}, {"type": "unknown"}, BLOB)
    ),
    (answer(ref("#gone")), "/defs/main/output/schema/ref", "ref-dangling", "#gone"),
    (
        answer({**OBJECT, "required": ["a"]}),
        "/defs/main/output/schema/required/0",
        "lexicon-undeclared",
        "",
    ),
    *(
        (
            main({"type": "query", "errors": [{"name": name}]}),
            "/defs/main/errors/0/name",
            FORM,
            "is no name",
        )
        for name in ("", "Not Found", "NotFound\n")
    ),
    (main({"type": "query", "errors": [{}]}), "/defs/main/errors/0/name", FORM, "name is missing"),
    (
        main({"type": "subscription", "message": {}}),
        "/defs/main/message/schema",
        FORM,
        "is missing",
    ),
    *(
        (
            stream(schema),
            "/defs/main/message/schema",
            FORM,
            f"{schema['type']!r} isn't union",
        )
        for schema in (OBJECT, ref("#o"))
    ),
    (stream(union("#gone")), "/defs/main/message/schema/refs/0", "ref-dangling", ""),
    # Permissions
    (main({"type": "permission-set"}), "/defs/main/permissions", FORM, "permissions is missing"),
    (
        main({"type": "permission-set", "permissions": [], "title:lang": {"x y": "a"}}),
        "/defs/main/title:lang/x y",
        FORM,
        "is not a language tag",
    ),
    (
        main({"type": "permission-set", "permissions": [{"type": "permission"}]}),
        f"{GRANT}/resource",
        FORM,
        "resource is missing",
    ),
    *(
        (grant(resource=name), f"{GRANT}/resource", "lexicon-permission", f"can't grant {name}")
        for name in ("blob", "account", "identity")
    ),
    (grant(resource="x"), f"{GRANT}/resource", "lexicon-permission", "'x' is no resource"),
    (grant(resource="repo", collection=[]), f"{GRANT}/collection", FORM, "is empty"),
    (grant(resource="repo", collection=["x"]), f"{GRANT}/collection/0", FORM, "'x' is not an NSID"),
    (
        grant(resource="repo", collection=[OTHER], action=["read"]),
        f"{GRANT}/action/0",
        FORM,
        "'read'",
    ),
    (grant(resource="repo"), f"{GRANT}/collection", FORM, "collection is missing"),
    (rpc(lxm=[], inheritAud=True), f"{GRANT}/lxm", FORM, "is empty"),
    (rpc(lxm=["com.example.*"], inheritAud=True), f"{GRANT}/lxm/0", FORM, "is not an NSID"),
    (rpc(), GRANT, "lexicon-permission", "has no audience"),
    (rpc(inheritAud=False), GRANT, "lexicon-permission", "has no audience"),
    (rpc(inheritAud="yes"), f"{GRANT}/inheritAud", FORM, "is a string, not true or false"),
    (rpc(aud="did:web:a.example#x"), GRANT, "lexicon-permission", "can't name its audience"),
    (rpc(aud="*", inheritAud=True), GRANT, "lexicon-permission", "exclude each other"),
    (rpc(aud="*", lxm=["*"]), GRANT, "lexicon-permission", "can't be granted"),
]


@pytest.mark.parametrize(("document", "pointer", "code", "words"), BAD, ids=range(len(BAD)))
def test_a_fault_is_told_once_at_its_place(
    document: Schema, pointer: str, code: str, words: str
) -> None:
    (found,) = check(document)
    assert (found.pointer, found.code, found.severity) == (pointer, code, "error")
    assert words in f"{found.message} → {found.remedy}"
    assert found.remedy


@pytest.mark.parametrize(
    ("document", "pointer", "remedy"),
    [
        (field({**STRING, "maxLenght": 5}), f"{FIELD}/maxLenght", "write maxLength"),
        (field({**STRING, "maxlength": 5}), f"{FIELD}/maxlength", "write maxLength"),
        (field({**STRING, "max_length": 5}), f"{FIELD}/max_length", "write maxLength"),
        (field({**STRING, "maxGrapheme": 5}), f"{FIELD}/maxGrapheme", "write maxGraphemes"),
        (field({**STRING, "maximum": 5}), f"{FIELD}/maximum", "it belongs to integer"),
        (field({**STRING, "required": True}), f"{FIELD}/required", "belongs to object, params"),
        (field({**STRING, "pattern": "a+"}), f"{FIELD}/pattern", "write a format, enum"),
        (field({**INT, "maxLength": 5}), f"{FIELD}/maxLength", "belongs to string, bytes, array"),
        (field({**INT, "format": "did"}), f"{FIELD}/format", "it belongs to string"),
        (field({**ref(OTHER), "default": "x"}), f"{FIELD}/default", "it belongs to"),
        (field({**ref(OTHER), "refs": []}), f"{FIELD}/refs", "write ref"),
        (field({**OBJECT, "$ref": "#a"}), f"{FIELD}/$ref", 'write {"type": "ref"'),
        (main(record({}, requried=[])), f"{RECORD}/requried", "write required"),
        (main({**record({}), "properties": {}}), "/defs/main/properties", "it belongs to object"),
        (main({**record({}), "required": []}), "/defs/main/required", "it belongs to object"),
        (
            main({"type": "query", "parameters": {"type": "params", "nullable": []}}),
            "/defs/main/parameters/nullable",
            "it belongs to object",
        ),
        (main({"type": "query", "params": {}}), "/defs/main/params", "write parameters"),
        (main({"type": "query", "input": {}}), "/defs/main/input", "it belongs to procedure"),
        (rpc(inheritAud=True, collection=[]), f"{GRANT}/collection", "permission to repo"),
    ],
)
def test_a_keyword_that_nothing_obeys_is_an_error(
    document: Schema, pointer: str, remedy: str
) -> None:
    (found,) = check(document)
    assert (found.pointer, found.code, found.severity) == (pointer, "lexicon-keyword", "error")
    assert remedy in found.remedy


@pytest.mark.parametrize(
    ("document", "pointer", "code", "severity"),
    [
        ({**field(INT), "version": 3}, "/version", "lexicon-field", "warning"),
        (field({**STRING, "widget": "area"}), f"{FIELD}/widget", "lexicon-field", "warning"),
        (field({**STRING, "descripton": "x"}), f"{FIELD}/descripton", "lexicon-field", "warning"),
        (field({**INT, "knownValues": [1]}), f"{FIELD}/knownValues", "lexicon-field", "warning"),
        (field({**INT, "revision": 1}), f"{FIELD}/revision", "lexicon-field", "warning"),
        (
            main({"type": "query", "errors": [{"name": "A", "status": 404}]}),
            "/defs/main/errors/0/status",
            "lexicon-field",
            "warning",
        ),
        (
            field({**STRING, "knownValues": ["a", "#gone"]}),
            f"{FIELD}/knownValues/1",
            "known-value",
            "info",
        ),
        (
            field({**STRING, "format": "uri", "default": "https://ä.example"}),
            f"{FIELD}/default",
            "lexicon-value",
            "warning",
        ),
        (
            rpc(lxm=[OTHER, "com.exampled.other"], inheritAud=True),
            f"{GRANT}/lxm/1",
            "permission-outside",
            "warning",
        ),
        (
            grant(resource="repo", collection=["*"]),
            f"{GRANT}/collection/0",
            "permission-outside",
            "warning",
        ),
        (
            field({"type": "object", "properties": {"__proto__": INT}}),
            f"{FIELD}/properties/__proto__",
            "proto-key",
            "warning",
        ),
    ],
)
def test_what_changes_no_rule_is_told_and_leaves_the_file_valid(
    document: Schema, pointer: str, code: str, severity: str, tmp_path: Path
) -> None:
    (found,) = check(document)
    assert (found.pointer, found.code, found.severity) == (pointer, code, severity)
    write(tmp_path, "a.json", document)
    assert list(load(tmp_path).files) == [NSID]


@pytest.mark.parametrize(
    "document",
    [
        {**field(INT), "id": "x" * 5000},
        field(ref("x" * 5000)),
        field({"type": "x" * 5000}),
        field({**STRING, "format": "x" * 5000}),
        field({**STRING, "const": "x" * 5000, "maxLength": 1}),
        grant(resource="x" * 5000),
        rpc(aud="x" * 5000),
    ],
)
def test_a_long_value_is_shortened_in_the_message(document: Schema) -> None:
    (found,) = check(document)
    assert len(found.message) < 120


def test_all_faults_of_a_file_are_told_at_once() -> None:
    properties = {
        "a": {"type": "ref"},
        "b": {**INT, "minimum": "0", "maximun": 5},
        "c": {**STRING, "minLength": 2, "maxLength": 1, "default": ""},
        "d": ref("#gone"),
        "e": {"type": "number"},
    }
    file = {**main(record(properties, required=["a", "z"])), "id": "x", "lexicon": 2}
    fields = f"{RECORD}/properties"
    assert sorted(places(check(file))) == [
        (f"{fields}/a/ref", FORM),
        (f"{fields}/b/maximun", "lexicon-keyword"),
        (f"{fields}/b/minimum", FORM),
        (f"{fields}/c/default", "lexicon-value"),
        (f"{fields}/c/minLength", "lexicon-limits"),
        (f"{fields}/d/ref", "ref-dangling"),
        (f"{fields}/e/type", "lexicon-type"),
        (f"{RECORD}/required/1", "lexicon-undeclared"),
        ("/id", FORM),
        ("/lexicon", FORM),
    ]


def test_refs_in_a_circle_are_no_definitions_and_never_end() -> None:
    found = check(lexicon({"a": ref("#b"), "b": ref("#c"), "c": ref("#a"), "d": OBJECT}))
    assert places(found) == [
        *((f"/defs/{name}/type", "lexicon-type") for name in "abc"),
        *((f"/defs/{name}", "lexicon-endless") for name in "abc"),
    ]
    assert found[3].message == f"no value of it can end: {NSID}#a → {NSID}#b → {NSID}#c → {NSID}#a"


def test_only_what_needs_itself_is_called_endless() -> None:
    needing = {**OBJECT, "required": ["f"], "properties": {"f": ref("#o")}}
    assert places(check(lexicon({"o": needing, "needing": needing}))) == [
        ("/defs/o", "lexicon-endless")
    ]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
WORDS = st.sampled_from(
    [
        *(
            "array",
            "default",
            "defs",
            "enum",
            "id",
            "items",
            "knownValues",
            "lexicon",
            "lxm",
            "main",
        ),
        *("minLength", "object", "output", "permission", "permissions", "properties", "query"),
        *("record", "ref", "refs", "required", "resource", "rpc", "schema", "string", "type"),
        *("union", "#main", NSID),
    ]
)
DOCUMENTS = st.recursive(
    WORDS | st.integers(-1, 2) | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=8),
    max_leaves=60,
)
HALF = st.sampled_from(["\ud83d", {"\ud83d": 1}])
LINK = data.Cid.of(b"a record", data.DAG_CBOR)
FAULT = data.Fault("float", "1.5 is a fraction", "write 1")


def is_told_in_our_words(document: Any) -> bool:
    """Check anything, and tell whether no word of the models' library comes through."""
    found = check(document)
    return all(finding.remedy and "Input" not in finding.message for finding in found)


@given(JSON_VALUES | DOCUMENTS)
def test_any_json_is_checked_without_an_exception(document: Any) -> None:
    assert is_told_in_our_words(document)
    assert is_told_in_our_words({"lexicon": 1, "id": NSID, "defs": document})
    assert is_told_in_our_words({"lexicon": 1, "id": NSID, "defs": {"main": document}})


@given(st.data(), DOCUMENTS | st.sampled_from([LINK, b"bytes", FAULT]) | HALF)
def test_a_lexicon_with_anything_in_the_place_of_anything_is_checked(
    drawn: st.DataObject, intruder: object
) -> None:
    given_one = drawn.draw(st.sampled_from([*GOOD, *(row[0] for row in BAD)]))
    document = json.loads(json.dumps(given_one))
    places = list(within(document))
    holder, step = drawn.draw(st.sampled_from(places))
    holder[step] = intruder
    assert is_told_in_our_words(document)


def within(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each place in a value: an object or array, and a key or index of it."""
    if isinstance(value, (dict, list)):
        for step in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, step
            yield from within(value[step])


def test_nesting_beyond_all_measure_is_a_finding() -> None:
    schema: Schema = INT
    for _ in range(5000):
        schema = {"type": "array", "items": schema}
    assert {found.code for found in check(lexicon({"a": schema}))} == {"depth"}


# Folders


def write(folder: Path, name: str, content: str | bytes | Schema) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, dict):
        content = json.dumps(content)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


NO_LEXICONS: list[tuple[str | bytes, str]] = [
    ("", "json-syntax"),
    ("{", "json-syntax"),
    ("[]", FORM),
    ("null", FORM),
    ("1", FORM),
    ('"x"', FORM),
    ("{}", FORM),
    (b"\xff\xfe\x00", "utf-8"),
    ("[" * 100_000, "depth"),
    ("NaN", "not-a-number"),
    (json.dumps({**field(INT), "lexicon": 2}), FORM),
    (json.dumps(lexicon({"x": {"type": "array", "items": {"type": "float"}}})), "lexicon-type"),
    (json.dumps(field({**INT, "minimum": 0.5})), "float"),
    (
        '{"lexicon": 1, "id": "com.example.thing", "id": "com.example.thing", "defs": {}}',
        "duplicate-key",
    ),
    (
        '{"lexicon": 1, "id": "com.example.deep", "defs": {"x": '
        + '{"type": "array", "items": ' * 400
        + '{"type": "string"}'
        + "}" * 402,
        "depth",
    ),
]


@pytest.mark.parametrize(("content", "code"), NO_LEXICONS, ids=range(len(NO_LEXICONS)))
def test_a_file_that_is_no_lexicon_becomes_findings_that_name_it(
    tmp_path: Path, content: str | bytes, code: str
) -> None:
    path = write(tmp_path, "deep/faulty.json", content)
    write(tmp_path, "good.json", field(INT))
    lexicons = load(tmp_path)
    assert list(lexicons.files) == [NSID]
    assert code in {found.code for found in lexicons.findings}
    assert all(found.message.startswith(f"{path}: ") for found in lexicons.findings)
    assert all(found.severity == "error" and found.remedy for found in lexicons.findings)


@pytest.mark.parametrize(
    "place", ["/defs", "/defs/main", f"{RECORD}", f"{RECORD}/properties", FIELD, f"{FIELD}/type"]
)
@pytest.mark.parametrize("value", [{"$link": str(LINK)}, {"$bytes": "YQ"}, {"$link": "x"}])
def test_a_link_in_the_place_of_anything_is_told(value: Schema, place: str, tmp_path: Path) -> None:
    document = json.loads(json.dumps(field(INT)))
    *above, last = place.split("/")[1:]
    holder = document
    for step in above:
        holder = holder[step]
    holder[last] = value
    write(tmp_path, "a.json", document)
    assert places(load(tmp_path).findings)[0][0] == place


@pytest.mark.parametrize("definition", ['"type": "token", "type": "token"', '"type": NaN'])
def test_what_the_data_model_refuses_is_told_once(definition: str, tmp_path: Path) -> None:
    start = '{"lexicon": 1, "id": "com.example.thing", "defs": {"x": {'
    write(tmp_path, "a.json", start + definition + "}}}")
    assert [found.pointer for found in load(tmp_path).findings] == ["/defs/x/type"]


def test_a_faulty_lexicon_leaves_its_records_unknown_and_others_alone(tmp_path: Path) -> None:
    write(tmp_path, "a.json", field({**INT, "minimum": 2, "maximum": 1}))
    write(tmp_path, "b.json", lexicon({"main": record({"f": ref(NSID), "n": INT})}, OTHER))
    lexicons = load(tmp_path)
    assert [found.code for found in lexicons.findings] == ["lexicon-limits"]
    assert lexicons.validate({"$type": NSID, "f": 1}).status == "unknown"
    assert lexicons.validate({"$type": OTHER, "n": 1}).status == "valid"
    assert lexicons.validate({"$type": OTHER, "n": "x"}).status == "invalid"


def test_every_json_file_below_the_folders_is_read_and_nothing_else(tmp_path: Path) -> None:
    write(tmp_path, "one/a/b/c.json", lexicon({"s": STRING}, "a.b.c"))
    write(tmp_path, "two/d.json", lexicon({"s": STRING}, "d.e.f"))
    write(tmp_path, "two/README.md", "not a lexicon")
    lexicons = load(tmp_path / "one", str(tmp_path / "two"))
    assert (sorted(lexicons.files), lexicons.findings) == (["a.b.c", "d.e.f"], [])
    assert lexicons.replaced == []


def test_a_lexicon_that_replaces_another_is_named(tmp_path: Path) -> None:
    write(tmp_path, "one/a.json", field(INT))
    write(tmp_path, "two/b.json", field(STRING))
    lexicons = load(tmp_path / "one", tmp_path / "two")
    assert (lexicons.replaced, lexicons.findings) == ([NSID], [])
    assert lexicons.validate({"$type": NSID, "f": "text"}).status == "valid"
    assert lexicons.validate({"$type": NSID, "f": 1}).status == "invalid"


def test_what_is_wrong_with_a_lexicon_is_not_told_of_the_one_that_it_replaces(
    tmp_path: Path,
) -> None:
    write(tmp_path, "one/a.json", field(INT))
    path = write(tmp_path, "two/b.json", field(ref("#gone")))
    lexicons = load(tmp_path / "one", tmp_path / "two")
    assert [found.message for found in lexicons.findings] == [
        f"{path}: #gone is defined by no lexicon file"
    ]


def test_of_two_files_with_one_nsid_in_a_folder_the_first_counts(tmp_path: Path) -> None:
    first = write(tmp_path, "a.json", field(INT))
    second = write(tmp_path, "b/b.json", field(STRING))
    lexicons = load(tmp_path)
    assert [(found.message, found.code) for found in lexicons.findings] == [
        (f"{second}: {NSID} is in {first} too, which is used", "lexicon-twice")
    ]
    assert lexicons.validate({"$type": NSID, "f": 1}).status == "valid"
    assert lexicons.replaced == []


def test_dangling_refs_of_a_folder_are_told_once_with_file_and_pointer(tmp_path: Path) -> None:
    defs = {
        "main": record({"f": union("#o", "d.e.f", "d.e.f#gone"), "g": ref("com.example.named")})
    }
    path = write(tmp_path, "a.json", lexicon({**defs, "o": OBJECT}))
    write(tmp_path, "d.json", lexicon({"main": OBJECT, "going": OBJECT}, "d.e.f"))
    lexicons = load(tmp_path)
    lexicons.validate({"$type": NSID, "g": {}})
    assert [(found.pointer, found.message, found.remedy) for found in lexicons.findings] == [
        (
            f"{FIELD}/refs/2",
            f"{path}: d.e.f#gone is defined by no lexicon file",
            "write d.e.f#going",
        ),
        (
            f"{RECORD}/properties/g/ref",
            f"{path}: com.example.named is defined by no lexicon file",
            "add that lexicon to the folder of lexicons",
        ),
    ]


@pytest.mark.parametrize(
    ("schema", "other", "code"),
    [
        (ref(f"{OTHER}#x"), {"x": STRING}, None),
        (ref(OTHER), {"main": record({})}, None),
        (ref(OTHER), {"main": {"type": "float"}}, None),
        (ref(OTHER), {"x": STRING}, "ref-dangling"),
        (ref(OTHER), {"main": {"type": "query"}}, "ref-target"),
        (union(OTHER), {"main": record({})}, None),
        (union(f"{OTHER}#x"), {"x": OBJECT}, None),
        (union(f"{OTHER}#x"), {"x": STRING}, "union-member"),
        (union(f"{OTHER}#x"), {"x": {"type": "token"}}, "union-member"),
        (union(OTHER), {"main": {"type": "query"}}, "union-member"),
        ({**STRING, "knownValues": [f"{OTHER}#x"]}, {"x": {"type": "token"}}, None),
        ({**STRING, "knownValues": [f"{OTHER}#x"]}, {"y": {"type": "token"}}, "known-value"),
        ({**STRING, "knownValues": ["com.example.unheard#x"]}, {"x": STRING}, "known-value"),
    ],
)
def test_what_is_referred_to_is_looked_up_in_the_other_file(
    schema: Schema, other: Schema, code: str | None, tmp_path: Path
) -> None:
    for name, document in (
        ("record", field(schema)),
        ("query", answer({**OBJECT, "properties": {"f": schema}})),
    ):
        folder = tmp_path / name
        write(folder, "a.json", document)
        write(folder, "b.json", lexicon(other, OTHER))
        found = {found.code for found in load(folder).findings if NSID not in found.message}
        assert found - {"lexicon-type"} == ({code} if code else set())


def test_what_needs_itself_through_other_files_is_endless_in_each(tmp_path: Path) -> None:
    for nsid, next_one in (("a.b.c", "a.b.d"), ("a.b.d", "a.b.e"), ("a.b.e", "a.b.c")):
        write(
            tmp_path,
            f"{nsid}.json",
            lexicon({"main": record({"f": ref(next_one)}, required=["f"])}, nsid),
        )
    assert places(load(tmp_path).findings) == [("/defs/main", "lexicon-endless")] * 3


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("com/example/thing.json", None),
        ("com.example.thing.json", None),
        ("com.example/thing.json", None),
        ("src/lexicons/com/example/thing.json", None),
        ("thing.json", None),
        ("example/other.json", None),
        ("any/where/else.json", None),
        ("com/thing.json", None),
        ("com/example/other.json", "com.example.other"),
        ("com/example/Thing.json", "com.example.Thing"),
        ("com.example.other.json", "com.example.other"),
        ("org.example.thing.json", "org.example.thing"),
        ("lexicons/com/example/thing/thing.json", "com.example.thing.thing"),
    ],
)
def test_a_place_that_reads_as_another_nsid_is_told(
    name: str, told: str | None, tmp_path: Path
) -> None:
    write(tmp_path, name, field(INT))
    found = load(tmp_path).findings
    assert [(f.pointer, f.code, f.severity) for f in found] == (
        [("/id", "lexicon-place", "info")] if told else []
    )
    assert all(f"the file lies where {told} is looked for" in f.message for f in found)


def test_a_file_without_an_id_is_held_to_its_own_definitions(tmp_path: Path) -> None:
    document = {"lexicon": 1, "defs": {"main": record({"f": ref("#gone")})}}
    write(tmp_path, "a.json", document)
    for found in (check(document), load(tmp_path).findings):
        assert [(fault.pointer, fault.code) for fault in found] == [
            ("/id", "lexicon-form"),
            (f"{FIELD}/ref", "ref-dangling"),
        ]
        assert found[1].remedy == "define gone in this file"


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LexiconError, match="is no folder"):
        load(tmp_path / "gone")


# What others publish

TRUE_FAULTS = {
    # A type of definition that is proposed for shared data; the language doesn't have it.
    ("social.grain.privateGallery", "lexicon-type"),
}


def test_no_lexicon_that_others_publish_has_a_false_alarm() -> None:
    files = read(published())
    assert len(files) == 576
    told = {
        (loaded.nsid, found.code)
        for loaded in files
        for found in loaded.findings
        if found.severity != "info"
    }
    assert told == TRUE_FAULTS
    assert sum(loaded.lexicon is None for loaded in files) == 1


def test_the_reference_lexicons_are_read_without_a_fault(reference: Path) -> None:
    lexicons = load(reference / "lexicons")
    assert [found for found in lexicons.findings if found.code != "ref-dangling"] == []
    assert "site.standard.document" in lexicons.files


def test_the_lexicons_of_the_program_have_no_finding() -> None:
    assert load(ROOT / "lexicons").findings == []


# The command


def test_lexicon_files_are_checked_with_line_column_and_remedy(tmp_path: Path) -> None:
    text = json.dumps(field({**STRING, "maxLenght": 5}), indent=1)
    write(tmp_path, "lexicons/a.json", text)
    write(tmp_path, "lexicons/b.json", lexicon({"main": record({"f": ref(NSID)})}, OTHER))

    done = run("lexicon", "check", folder=tmp_path)

    assert done.stdout == (
        "lexicons/a.json\n"
        "  error   13:20  /defs/main/record/properties/f/maxLenght"
        "  maxLenght is no keyword, and nothing obeys it  [lexicon-keyword]\n"
        "          → write maxLength\n"
        "1 valid, 1 invalid; 1 error\n"
    )
    assert (done.returncode, done.stderr) == (1, "")


def test_refs_may_lead_to_the_lexicons_of_the_program_which_are_not_reported(
    tmp_path: Path,
) -> None:
    properties = {"f": ref("com.atproto.repo.strongRef"), "g": ref("com.atproto.repo.strongRef#x")}
    write(tmp_path, "lex/a.json", main(record(properties)))

    done = run("lexicon", "check", "lex", "--json", folder=tmp_path)

    report = json.loads(done.stdout)
    (file,) = report["files"]
    assert (file["path"], file["status"]) == ("lex/a.json", "invalid")
    assert [(f["pointer"], f["code"]) for f in file["findings"]] == [
        (f"{RECORD}/properties/g/ref", "ref-dangling")
    ]
    assert (report["counts"], report["exit_status"], report["version"]) == ({"invalid": 1}, 1, 1)


def test_a_copy_of_a_lexicon_of_the_program_is_checked_as_one_s_own(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "lexicons", tmp_path / "lexicons")
    done = run("lexicon", "check", folder=tmp_path)
    assert (done.stdout, done.returncode) == ("13 valid\n", 0)


def test_the_folder_of_the_config_is_checked_and_each_file_once(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site", lexicons="schemas")
    write(site.root, "schemas/deep/a.json", field(ref("#gone")))
    done = run("lexicon", "check", folder=site.root)
    assert done.stdout.startswith("schemas/deep/a.json\n")
    assert done.stdout.endswith("\n1 invalid; 1 error\n")
    again = run("lexicon", "check", "schemas", "schemas/deep", folder=site.root)
    assert again.stdout == done.stdout


@pytest.mark.parametrize(
    ("options", "status", "codes"),
    [
        ([], 0, ["lexicon-field"]),
        (["--fail-on", "warning"], 1, ["lexicon-field"]),
        (["--fail-on", "warning", "--ignore", "lexicon-field"], 0, []),
        (["--fail-on", "warning", "--select", "lexicon-form"], 0, []),
        (["--fail-on", "warning", "--select", "lexicon-field"], 1, ["lexicon-field"]),
    ],
)
def test_what_counts_is_chosen(
    options: list[str], status: int, codes: list[str], tmp_path: Path
) -> None:
    write(tmp_path, "lexicons/a.json", field({**INT, "widget": "x"}))
    done = run("lexicon", "check", "--json", *options, folder=tmp_path)
    (file,) = json.loads(done.stdout)["files"]
    assert (done.returncode, [found["code"] for found in file["findings"]]) == (status, codes)


def test_rules_of_the_config_hold_for_lexicon_files(tmp_path: Path) -> None:
    write(tmp_path, "lexicons/a.json", field({**INT, "widget": "x", "maximun": 1}))
    rules = '[rules]\nlexicon-field = "off"\nlexicon-keyword = "off"\n'
    write(tmp_path, "publisher.toml", 'lexicons = "lexicons"\n' + rules)
    write(tmp_path, "a.json", json.dumps({"$type": OTHER}))
    for command in (["lexicon", "check"], ["validate", "a.json"]):
        done = run(*command, folder=tmp_path)
        assert "[lexicon-keyword]" in done.stdout  # what is an error stays one
        assert "[lexicon-field]" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "lexicons: is no folder"),
        (["gone"], "gone: is no folder"),
        (["empty"], "empty: no lexicon file is here"),
        (["empty", "--ignore", "lexicon-frm"], "the nearest is lexicon-form"),
    ],
)
def test_what_cannot_be_checked_exits_with_2(
    arguments: list[str], words: str, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    done = run("lexicon", "check", *arguments, folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_annotations_and_sarif_name_the_file_and_the_line(tmp_path: Path) -> None:
    write(
        tmp_path,
        "lexicons/a.json",
        '{"lexicon": 1,\n "id": "thing",\n "defs": {"x": {"type": "token"}}}',
    )

    lines = run("lexicon", "check", "--format", "github", folder=tmp_path).stdout.splitlines()
    log = json.loads(run("lexicon", "check", "--format", "sarif", folder=tmp_path).stdout)

    assert lines[0].startswith("::error file=lexicons/a.json,line=2,col=8,title=lexicon-form::/id ")
    (result,) = log["runs"][0]["results"]
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "lexicons/a.json"
    assert place["region"] == {"startLine": 2, "startColumn": 8}


def test_what_is_no_text_or_no_json_is_told_with_its_line(tmp_path: Path) -> None:
    write(tmp_path, "lexicons/a.json", '{"lexicon": 1,\n "id" "x"}')
    write(tmp_path, "lexicons/b.json", b'{"lexicon": 1, "id": "\xff"}')
    twice = '{"lexicon": 1, "id": "com.example.thing",\n"defs": {\n"x": {"type": "token"},\n'
    write(tmp_path, "lexicons/c.json", twice + '"x": {"type": "token"}}}')

    files = json.loads(run("lexicon", "check", "--json", folder=tmp_path).stdout)["files"]

    found = [(f["code"], f["line"]) for file in files for f in file["findings"]]
    assert found == [("json-syntax", 2), ("utf-8", None), ("duplicate-key", 4)]
