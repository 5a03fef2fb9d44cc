"""What describes no value in the Lexicon language: endpoints, and sets of permissions.

Loaded only for a file that has one, since records are judged without. Sources: the specifications
of Lexicon, HTTP API (XRPC), event streams and permissions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field

from publisher import syntax
from publisher.lexicon.values import (
    BooleanDef,
    IntegerDef,
    Model,
    ObjectDef,
    RefDef,
    Size,
    StringDef,
    UnionDef,
    UnknownDef,
    fault,
    media_range,
)

_ERROR_NAME = re.compile(r"\S+")


def _error_name(text: str) -> str:
    if not _ERROR_NAME.fullmatch(text):
        raise fault(text, "is no name of an error", "write one word, like NotFound")
    return text


def _nsid_or_all(text: str) -> str:
    if text != "*" and (reason := syntax.check("nsid", text)):
        raise fault(text, reason, "write whole NSIDs")
    return text


def _language(text: str) -> str:
    if reason := syntax.check("language", text):
        raise fault(text, reason, "write en or pt-BR")
    return text


def _is_union(schema: Body) -> Body:
    if not isinstance(schema, UnionDef):
        raise fault(schema.type, "isn't union", "write a union of the messages' refs")
    return schema


class ParamArrayDef(Model):
    """A parameter that may be given more than once."""

    type: Literal["array"]
    items: Annotated[BooleanDef | IntegerDef | StringDef | UnknownDef, Field(discriminator="type")]
    maxLength: Size | None = None
    minLength: Size | None = None


class ParamsDef(Model):
    """The parameters of an address."""

    type: Literal["params"]
    properties: dict[
        str,
        Annotated[
            BooleanDef | IntegerDef | StringDef | UnknownDef | ParamArrayDef,
            Field(discriminator="type"),
        ],
    ] = Field(default_factory=dict)
    required: list[str] = Field(default_factory=list)


Body = Annotated[ObjectDef | RefDef | UnionDef, Field(discriminator="type")]


class Payload(Model):
    """What is sent or answered; without a schema, bytes of the media type."""

    encoding: Annotated[str, AfterValidator(media_range)]
    body: Body | None = Field(default=None, alias="schema")


class Message(Model):
    """What a subscription sends, over and over."""

    body: Annotated[Body, AfterValidator(_is_union)] = Field(alias="schema")


class ErrorDef(Model):
    """An error that an endpoint may answer."""

    name: Annotated[str, AfterValidator(_error_name)]


class _Endpoint(Model):
    parameters: ParamsDef | None = None
    errors: list[ErrorDef] | None = None


class QueryDef(_Endpoint):
    """An endpoint that changes nothing."""

    type: Literal["query"]
    output: Payload | None = None


class ProcedureDef(_Endpoint):
    """An endpoint that may change something."""

    type: Literal["procedure"]
    input: Payload | None = None
    output: Payload | None = None


class SubscriptionDef(_Endpoint):
    """A stream of messages."""

    type: Literal["subscription"]
    message: Message | None = None


class RepoPermission(Model):
    """Leave to write records."""

    type: Literal["permission"]
    resource: Literal["repo"]
    collection: Annotated[list[Annotated[str, AfterValidator(_nsid_or_all)]], Field(min_length=1)]
    action: Annotated[list[Literal["create", "update", "delete"]], Field(min_length=1)] | None = (
        None
    )


class RpcPermission(Model):
    """Leave to call endpoints of other services."""

    type: Literal["permission"]
    resource: Literal["rpc"]
    lxm: Annotated[list[Annotated[str, AfterValidator(_nsid_or_all)]], Field(min_length=1)]
    aud: str | None = None
    inheritAud: bool | None = None


_Translated: TypeAlias = dict[Annotated[str, AfterValidator(_language)], str]


class PermissionSetDef(Model):
    """Permissions that are asked for by one name; blob, account and identity can't be in a set."""

    type: Literal["permission-set"]
    title: str | None = None
    titles: _Translated | None = Field(default=None, alias="title:lang")
    detail: str | None = None
    details: _Translated | None = Field(default=None, alias="detail:lang")
    permissions: list[Annotated[RepoPermission | RpcPermission, Field(discriminator="resource")]]


KINDS: Mapping[str, type[Model]] = {
    "params": ParamsDef,
    "query": QueryDef,
    "procedure": ProcedureDef,
    "subscription": SubscriptionDef,
    "payload": Payload,
    "message": Message,
    "error": ErrorDef,
    "permission-set": PermissionSetDef,
    "permission to repo": RepoPermission,
    "permission to rpc": RpcPermission,
}
"""The models of nodes (`nodes.Node`) by their kind."""
