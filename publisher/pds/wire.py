"""What goes over the wire: the answers we read, writes as applyWrites takes them. Pure."""

from __future__ import annotations

import json
from typing import Any, assert_never

from pydantic import BaseModel, Field

from publisher.data import to_plain
from publisher.repo import CreateWrite, DeleteWrite, UpdateWrite, Write

MAX_WRITES = 200
# The server takes 1,000,000 bytes of JSON and 2,000,000 bytes of blocks in one commit.
MAX_BODY = 990_000
MAX_BLOCKS = 1_800_000
ENVELOPE = 4_000  # of a body: what isn't writes
_TREE = 4_000  # of blocks: the tree nodes that one write may rewrite


class CommitAnswer(BaseModel):
    cid: str
    rev: str


class RecordAnswer(BaseModel):
    uri: str
    cid: str
    value: dict[str, Any]


class RecordsAnswer(BaseModel):
    records: list[RecordAnswer]
    cursor: str | None = None


class BlobsAnswer(BaseModel):
    cids: list[str]
    cursor: str | None = None


class DescriptionAnswer(BaseModel):
    collections: list[str]


class LinkAnswer(BaseModel):
    link: str = Field(alias="$link")


class BlobAnswer(BaseModel):
    ref: LinkAnswer
    size: int
    mimeType: str


class UploadAnswer(BaseModel):
    blob: BlobAnswer


class WriteAnswer(BaseModel):
    cid: str | None = None


class ApplyAnswer(BaseModel):
    commit: CommitAnswer
    results: list[WriteAnswer]


def to_wire(write: Write) -> dict[str, object]:
    """Return the write as applyWrites takes it."""
    match write:
        case CreateWrite():
            kind, value = "create", {"value": to_plain(write.value)}
        case UpdateWrite():
            kind, value = "update", {"value": to_plain(write.value)}
        case DeleteWrite():
            kind, value = "delete", {}
        case _:
            assert_never(write)
    return {
        "$type": f"com.atproto.repo.applyWrites#{kind}",
        "collection": write.collection,
        "rkey": write.rkey,
        **value,
    }


def size_of(write: Write) -> int:
    """Return what a write takes of MAX_BODY: its JSON, or its blocks in proportion if more.

    DAG-CBOR is never longer than the JSON, so the JSON stands for the record's block.
    """
    body = len(as_json(to_wire(write))) + 1
    return max(body, (body + _TREE) * MAX_BODY // MAX_BLOCKS)


def as_json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
