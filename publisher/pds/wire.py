"""What goes over the wire: the answers we read, writes as applyWrites takes them. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, assert_never

from pydantic import BaseModel, Field

from publisher.data import to_plain
from publisher.repo import CreateWrite, DeleteWrite, UpdateWrite, Write
from publisher.spool import whole
from publisher.syntax import Did

MAX_WRITES = 200
# The server takes 1,000,000 bytes of JSON and 2,000,000 bytes of blocks in one commit.
MAX_BODY = 990_000
MAX_BLOCKS = 1_800_000
ENVELOPE = 4_000  # of a body: what isn't writes
_TREE = 4_000  # of blocks: the tree nodes that one write may rewrite


class CommitAnswer(BaseModel):
    """What getLatestCommit answers, and part of what applyWrites does."""

    cid: str
    rev: str


class RecordAnswer(BaseModel):
    """A record as listRecords answers it."""

    uri: str
    cid: str
    value: dict[str, Any]


class RecordsAnswer(BaseModel):
    """A page of listRecords."""

    records: list[RecordAnswer]
    cursor: str | None = None


class BlobsAnswer(BaseModel):
    """A page of listBlobs."""

    cids: list[str]
    cursor: str | None = None


class DescriptionAnswer(BaseModel):
    """What describeRepo answers, as far as it is used."""

    collections: list[str]


class LinkAnswer(BaseModel):
    """A link in JSON."""

    link: str = Field(alias="$link")


class BlobAnswer(BaseModel):
    """A blob as a record refers to it."""

    ref: LinkAnswer
    size: int
    mimeType: str


class UploadAnswer(BaseModel):
    """What uploadBlob answers."""

    blob: BlobAnswer


class WriteAnswer(BaseModel):
    """A result of applyWrites; a delete has no CID."""

    cid: str | None = None


class ApplyAnswer(BaseModel):
    """What applyWrites answers; results are in the order of the writes."""

    commit: CommitAnswer
    results: list[WriteAnswer]


def to_wire(write: Write) -> dict[str, object]:
    """Return the write as applyWrites takes it."""
    match write:
        case CreateWrite():
            kind, value = "create", {"value": to_plain(whole(write.value))}
        case UpdateWrite():
            kind, value = "update", {"value": to_plain(whole(write.value))}
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


def one(did: Did, write: Write) -> tuple[str, bytes]:
    """Return the procedure and body that apply one write by its own swap.

    `swapRecord: null` is a record that mustn't be there.
    """
    place: dict[str, object] = {
        "repo": did,
        "collection": write.collection,
        "rkey": write.rkey,
        "swapRecord": None if isinstance(write, CreateWrite) else write.swap,
    }
    if isinstance(write, DeleteWrite):
        return "com.atproto.repo.deleteRecord", as_json(place)
    return "com.atproto.repo.putRecord", as_json(place | {"record": to_plain(whole(write.value))})


def json_of(write: Write) -> bytes:
    """Return the write's JSON as applyWrites takes it."""
    return as_json(to_wire(write))


def weight(text: bytes) -> int:
    """Return what a write takes of MAX_BODY: its JSON, or its blocks in proportion if more.

    DAG-CBOR is never longer than the JSON, so the JSON stands for the record's block.
    """
    body = len(text) + 1
    return max(body, (body + _TREE) * MAX_BODY // MAX_BLOCKS)


def apply_body(did: Did, texts: Iterable[bytes], swap_commit: str) -> bytes:
    """Return the body of applyWrites for writes whose JSON is `texts`."""
    head = as_json({"repo": did, "swapCommit": swap_commit})
    return b'%s,"writes":[%s]}' % (head[:-1], b",".join(texts))


def as_json(value: object) -> bytes:
    """Return compact JSON in UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
