"""The Lexicon language as models: one class for each type of definition.

Source: the Lexicon specification. Fields that change no verdict on a record (description,
default, knownValues) are kept as they come; fields that we don't know are ignored.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr

from publisher import syntax

Format = Literal[
    "at-identifier",
    "at-uri",
    "cid",
    "datetime",
    "did",
    "handle",
    "language",
    "nsid",
    "record-key",
    "tid",
    "uri",
]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class StringDef(_Model):
    """Lengths are UTF-8 bytes; graphemes are extended grapheme clusters."""

    type: Literal["string"]
    format: Format | None = None
    maxLength: StrictInt | None = None
    minLength: StrictInt | None = None
    maxGraphemes: StrictInt | None = None
    minGraphemes: StrictInt | None = None
    enum: list[StrictStr] | None = None
    const: StrictStr | None = None


class IntegerDef(_Model):
    """A whole number within limits."""

    type: Literal["integer"]
    minimum: StrictInt | None = None
    maximum: StrictInt | None = None
    enum: list[StrictInt] | None = None
    const: StrictInt | None = None


class BooleanDef(_Model):
    """True or false."""

    type: Literal["boolean"]
    const: StrictBool | None = None


class BytesDef(_Model):
    """Raw bytes; lengths in bytes."""

    type: Literal["bytes"]
    maxLength: StrictInt | None = None
    minLength: StrictInt | None = None


class CidLinkDef(_Model):
    """A link to another node."""

    type: Literal["cid-link"]


class BlobDef(_Model):
    """A blob object; `maxSize` in bytes, `accept` as media types with `*`."""

    type: Literal["blob"]
    accept: list[StrictStr] | None = None
    maxSize: StrictInt | None = None


class ArrayDef(_Model):
    """Items of one definition; lengths in items."""

    type: Literal["array"]
    items: Schema
    maxLength: StrictInt | None = None
    minLength: StrictInt | None = None


class ObjectDef(_Model):
    """Named properties; others are allowed as they are."""

    type: Literal["object"]
    properties: dict[str, Schema] = Field(default_factory=dict)
    required: list[StrictStr] = Field(default_factory=list)
    nullable: list[StrictStr] = Field(default_factory=list)


class RefDef(_Model):
    """Another definition: `#name` in this file, `nsid` or `nsid#name` elsewhere."""

    type: Literal["ref"]
    ref: StrictStr


class UnionDef(_Model):
    """One of several definitions, told apart by `$type`."""

    type: Literal["union"]
    refs: list[StrictStr]
    closed: StrictBool = False


class UnknownDef(_Model):
    """Any object."""

    type: Literal["unknown"]


class TokenDef(_Model):
    """A name without data."""

    type: Literal["token"]


class RecordDef(_Model):
    """What a repo holds under a record key of the kind `key`."""

    type: Literal["record"]
    key: StrictStr
    record: ObjectDef


class EndpointDef(_Model):
    """A definition that describes no value: an endpoint, its parameters, a set of permissions."""

    type: Literal["query", "procedure", "subscription", "params", "permission-set", "permission"]


Schema = Annotated[
    StringDef
    | IntegerDef
    | BooleanDef
    | BytesDef
    | CidLinkDef
    | BlobDef
    | ArrayDef
    | ObjectDef
    | RefDef
    | UnionDef
    | UnknownDef
    | TokenDef,
    Field(discriminator="type"),
]
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
    | RefDef
    | UnknownDef
    | TokenDef
    | RecordDef
    | EndpointDef,
    Field(discriminator="type"),
]


def _nsid(text: str) -> str:
    if reason := syntax.check("nsid", text):
        raise ValueError(f"{text!r} {reason}")
    return text


class LexiconFile(_Model):
    """One lexicon document: an NSID and its definitions."""

    lexicon: Annotated[StrictInt, Field(ge=1, le=1)]
    id: Annotated[StrictStr, AfterValidator(_nsid)]
    defs: Annotated[dict[str, AnyDef], Field(min_length=1)]


ArrayDef.model_rebuild()
ObjectDef.model_rebuild()
