"""The Lexicon language as far as records need it: a file, and what its definitions may be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from publisher import syntax
from publisher.lexicon.values import (
    ArrayDef,
    BlobDef,
    BooleanDef,
    BytesDef,
    CidLinkDef,
    DefName,
    Format,
    IntegerDef,
    Model,
    ObjectDef,
    RefDef,
    StringDef,
    TokenDef,
    UnionDef,
    UnknownDef,
    fault,
)

__all__ = [
    "ENDPOINTS",
    "KINDS",
    "PRIMARY",
    "ArrayDef",
    "BlobDef",
    "BooleanDef",
    "BytesDef",
    "CidLinkDef",
    "EndpointDef",
    "Format",
    "IntegerDef",
    "LexiconFile",
    "ObjectDef",
    "RecordDef",
    "RefDef",
    "StringDef",
    "TokenDef",
    "UnionDef",
    "UnknownDef",
]


def _nsid(text: str) -> str:
    if reason := syntax.check("nsid", text):
        raise fault(text, reason, "write an NSID: your domain reversed, and a name")
    return text


def _version(number: int) -> int:
    if number != 1:
        raise fault(
            number, "is no version of the language; 1 is the only one", 'write "lexicon": 1'
        )
    return number


def _record_key(kind: str) -> str:
    literal = kind.removeprefix("literal:")
    if kind in {"tid", "nsid", "any"} or (
        literal != kind and not syntax.check("record-key", literal)
    ):
        return kind
    raise fault(kind, "is no kind of record key", "write tid, nsid, any, or literal:self")


class RecordDef(Model):
    """What a repo holds under a record key of the kind `key`."""

    type: Literal["record"]
    key: Annotated[str, AfterValidator(_record_key)]
    record: ObjectDef


class EndpointDef(Model):
    """A definition that describes no value: `endpoints.py` has what more it must be."""

    type: Literal["query", "procedure", "subscription", "permission-set"]


AnyDef = Annotated[
    StringDef
    | IntegerDef
    | BooleanDef
    | BytesDef
    | CidLinkDef
    | BlobDef
    | ArrayDef
    | ObjectDef
    | UnionDef
    | TokenDef
    | RecordDef
    | EndpointDef,
    Field(discriminator="type"),
]


class LexiconFile(Model):
    """One lexicon document: an NSID and its definitions."""

    lexicon: Annotated[int, AfterValidator(_version)]
    id: Annotated[str, AfterValidator(_nsid)]
    revision: int | None = None
    defs: Annotated[dict[DefName, AnyDef], Field(min_length=1)]


ENDPOINTS = frozenset({"query", "procedure", "subscription", "permission-set"})
PRIMARY = ENDPOINTS | {"record"}
"""The types of which a file has one at most, as its main definition."""

KINDS: Mapping[str, type[Model]] = {
    "lexicon": LexiconFile,
    "string": StringDef,
    "integer": IntegerDef,
    "boolean": BooleanDef,
    "bytes": BytesDef,
    "cid-link": CidLinkDef,
    "blob": BlobDef,
    "array": ArrayDef,
    "object": ObjectDef,
    "ref": RefDef,
    "union": UnionDef,
    "unknown": UnknownDef,
    "token": TokenDef,
    "record": RecordDef,
}
"""The models of nodes (`nodes.Node`) by their kind; `endpoints.py` has the others."""
