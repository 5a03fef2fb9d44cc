"""The Lexicon language as models: one class for each type of definition.

Source: the Lexicon specification. Fields that change no verdict on a record or a lexicon file
(description, knownValues) are ignored, as are fields that we don't know.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    model_validator,
)

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
_PRIMARY = {"record", "query", "procedure", "subscription", "permission-set"}
_LIMITS = (
    ("minLength", "maxLength"),
    ("minGraphemes", "maxGraphemes"),
    ("minimum", "maximum"),
)


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _WithLimits(_Model):
    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for least, most in _LIMITS:
            low, high = getattr(self, least, None), getattr(self, most, None)
            if low is not None and high is not None and low > high:
                raise ValueError(f"{least} {low} is above {most} {high}")
        return self


class StringDef(_WithLimits):
    """Lengths are UTF-8 bytes; graphemes are extended grapheme clusters."""

    type: Literal["string"]
    format: Format | None = None
    maxLength: StrictInt | None = None
    minLength: StrictInt | None = None
    maxGraphemes: StrictInt | None = None
    minGraphemes: StrictInt | None = None
    enum: list[StrictStr] | None = None
    const: StrictStr | None = None
    default: StrictStr | None = None


class IntegerDef(_WithLimits):
    """A whole number within limits."""

    type: Literal["integer"]
    minimum: StrictInt | None = None
    maximum: StrictInt | None = None
    enum: list[StrictInt] | None = None
    const: StrictInt | None = None
    default: StrictInt | None = None


class BooleanDef(_Model):
    """True or false."""

    type: Literal["boolean"]
    const: StrictBool | None = None
    default: StrictBool | None = None


class BytesDef(_WithLimits):
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


class ArrayDef(_WithLimits):
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

    @model_validator(mode="after")
    def _declared(self) -> Self:
        for keyword, names in (("required", self.required), ("nullable", self.nullable)):
            if undeclared := [name for name in names if name not in self.properties]:
                raise ValueError(f"{keyword} names {', '.join(undeclared)}, which isn't declared")
        return self


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
    | TokenDef
    | RecordDef
    | EndpointDef,
    Field(discriminator="type"),
]


def _nsid(text: str) -> str:
    if reason := syntax.check("nsid", text):
        raise ValueError(f"{text!r} {reason}")
    return text


def _primary_in_main(defs: dict[str, AnyDef]) -> dict[str, AnyDef]:
    for name, definition in defs.items():
        if name != "main" and definition.type in _PRIMARY:
            raise ValueError(f"the {definition.type} {name!r} must be main")
    return defs


class LexiconFile(_Model):
    """One lexicon document: an NSID and its definitions."""

    lexicon: Annotated[StrictInt, Field(ge=1, le=1)]
    id: Annotated[StrictStr, AfterValidator(_nsid)]
    defs: Annotated[dict[str, AnyDef], Field(min_length=1), AfterValidator(_primary_in_main)]


ArrayDef.model_rebuild()
ObjectDef.model_rebuild()
