"""What describes values in the Lexicon language: one strict model for each type of definition.

Source: the Lexicon specification. A model takes what is of the right form; what its keywords say
together (limits in order, names that are declared) is for `document.py`, fields that it doesn't
know are for `keywords.py`.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

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
_DEF_NAME = re.compile(r"[A-Za-z0-9_-]+")
_MEDIA_TOKEN = r"[A-Za-z0-9!#$&^_.+-]+"  # noqa: S105  # RFC 6838, section 4.2
_MEDIA_RANGE = re.compile(rf"\*/\*|{_MEDIA_TOKEN}/(?:\*|{_MEDIA_TOKEN}(?:;.+)?)")


def fault(value: object, reason: str, remedy: str) -> PydanticCustomError:
    """Return what a validator of a model raises: words that `form.py` puts together."""
    context = {"value": value, "reason": reason, "remedy": remedy}
    return PydanticCustomError("lexicon-form", "{value} {reason}", context)


def _def_name(text: str) -> str:
    if not _DEF_NAME.fullmatch(text):
        raise fault(text, "can't be the name of a definition", "use letters and digits")
    return text


def full_name(ref: str, nsid: str) -> str:
    """Return `nsid#def` for a ref as it is written in the file of `nsid`."""
    name = nsid + ref if ref.startswith("#") else ref
    return name if "#" in name else name + "#main"


def is_ref(text: str) -> bool:
    """Tell whether a text is `#name`, `nsid` or `nsid#name`."""
    nsid, mark, name = text.partition("#")
    if mark and not _DEF_NAME.fullmatch(name):
        return False
    return (mark != "" and not nsid) or not syntax.check("nsid", nsid)


def _ref(text: str) -> str:
    if not is_ref(text):
        raise fault(text, "is no ref", "write #name, an NSID, or an NSID and #name")
    return text


def media_range(text: str) -> str:
    """Return a media type, or a range of them. Raises PydanticCustomError for another text."""
    if not _MEDIA_RANGE.fullmatch(text):
        raise fault(
            text,
            "matches no media type",
            "write a media type like image/png or application/json, image/* or */*",
        )
    return text


class Model(BaseModel):
    """What every part of a lexicon file has."""

    # Only the whole file's validator is built, when it is first needed.
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, defer_build=True)
    description: str | None = None


Size = Annotated[int, Field(ge=0)]
Ref = Annotated[str, AfterValidator(_ref)]
DefName = Annotated[str, AfterValidator(_def_name)]


class StringDef(Model):
    """Lengths are UTF-8 bytes; graphemes are extended grapheme clusters."""

    type: Literal["string"]
    format: Format | None = None
    maxLength: Size | None = None
    minLength: Size | None = None
    maxGraphemes: Size | None = None
    minGraphemes: Size | None = None
    knownValues: list[str] | None = None
    enum: Annotated[list[str], Field(min_length=1)] | None = None
    const: str | None = None
    default: str | None = None


class IntegerDef(Model):
    """A whole number within limits."""

    type: Literal["integer"]
    minimum: int | None = None
    maximum: int | None = None
    enum: Annotated[list[int], Field(min_length=1)] | None = None
    const: int | None = None
    default: int | None = None


class BooleanDef(Model):
    """True or false."""

    type: Literal["boolean"]
    const: bool | None = None
    default: bool | None = None


class BytesDef(Model):
    """Raw bytes; lengths in bytes."""

    type: Literal["bytes"]
    maxLength: Size | None = None
    minLength: Size | None = None


class CidLinkDef(Model):
    """A link to another node."""

    type: Literal["cid-link"]


class BlobDef(Model):
    """A blob object; `maxSize` in bytes, `accept` as media types with `*`."""

    type: Literal["blob"]
    accept: list[Annotated[str, AfterValidator(media_range)]] | None = None
    maxSize: Size | None = None


class ArrayDef(Model):
    """Items of one definition; lengths in items."""

    type: Literal["array"]
    items: Schema
    maxLength: Size | None = None
    minLength: Size | None = None


class ObjectDef(Model):
    """Named properties; others are allowed as they are."""

    type: Literal["object"]
    properties: dict[str, Schema] = Field(default_factory=dict)
    required: list[str] = Field(default_factory=list)
    nullable: list[str] = Field(default_factory=list)


class RefDef(Model):
    """Another definition: `#name` in this file, `nsid` or `nsid#name` elsewhere."""

    type: Literal["ref"]
    ref: Ref


class UnionDef(Model):
    """One of several definitions, told apart by `$type`."""

    type: Literal["union"]
    refs: list[Ref]
    closed: bool = False


class UnknownDef(Model):
    """Any object."""

    type: Literal["unknown"]


class TokenDef(Model):
    """A name without data."""

    type: Literal["token"]


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
