"""What goes over the wire: the answers we read, writes as applyWrites takes them. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, assert_never

from pydantic import BaseModel, Field

from publisher.data import Value
from publisher.repo import CreateWrite, DeleteWrite, UpdateWrite, Write
from publisher.spool import text_of
from publisher.syntax import Did

MAX_WRITES = 200
# The server takes 1,000,000 bytes of JSON and 2,000,000 bytes of blocks in one commit.
MAX_BODY = 990_000
MAX_BLOCKS = 1_800_000
ENVELOPE = 4_000  # of a body: what isn't writes
_WRITES = "com.atproto.repo.applyWrites#"
_TREE = 4_000  # of blocks: the tree nodes that one write may rewrite


class CommitAnswer(BaseModel):
    """What getLatestCommit answers, and part of what applyWrites does."""

    cid: str
    rev: str


class RecordAnswer(BaseModel):
    """A record as listRecords answers it; what is no object is told of, and the others are read."""

    uri: str
    cid: str
    value: Any


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
    return "com.atproto.repo.putRecord", _with(place, "record", write.value)


def json_of(write: Write) -> bytes:
    """Return the write's JSON as applyWrites takes it."""
    place: dict[str, object] = {"collection": write.collection, "rkey": write.rkey}
    match write:
        case CreateWrite():
            return _with({"$type": f"{_WRITES}create", **place}, "value", write.value)
        case UpdateWrite():
            return _with({"$type": f"{_WRITES}update", **place}, "value", write.value)
        case DeleteWrite():
            return as_json({"$type": f"{_WRITES}delete", **place})
        case _:
            assert_never(write)


def _with(head: dict[str, object], name: str, value: Mapping[str, Value]) -> bytes:
    return b'%s,"%s":%s}' % (as_json(head)[:-1], name.encode(), text_of(value))


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
