"""A write: checked on its own, then against the records and blobs, then done."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from publisher.data import (
    DAG_CBOR,
    SERVERS_REFUSE,
    BlobRef,
    Cid,
    Value,
    blob_refs,
    check,
    encode,
    to_plain,
)
from publisher.errors import RepoRefused, SwapRefused
from publisher.folder.database import read_cids
from publisher.repo import CreateWrite, DeleteWrite, Write
from publisher.spool import whole
from publisher.syntax import Nsid
from publisher.syntax import check as check_syntax

ENVELOPE = 512  # bytes of a request around its writes


@dataclass(frozen=True, slots=True)
class Prepared:
    """A write that was checked; `cid` is None for a delete."""

    write: Write
    cid: Cid | None
    block: bytes
    blobs: Sequence[BlobRef]

    @property
    def place(self) -> tuple[str, str]:
        """The record's key in the tables."""
        return self.write.collection, self.write.rkey

    def __str__(self) -> str:
        return "/".join(self.place)


def prepare(write: Write) -> Prepared:
    """Check a write for what doesn't depend on the repo's state, and encode its record."""
    target = f"{write.collection}/{write.rkey}"
    if reason := check_syntax("nsid", write.collection):
        raise RepoRefused(f"{target}: the collection {reason}", name="InvalidRequest")
    if reason := check_syntax("record-key", write.rkey):
        raise RepoRefused(f"{target}: the rkey {reason}", name="InvalidRequest")
    if isinstance(write, DeleteWrite):
        return Prepared(write, None, b"", ())
    value = whole(write.value)
    _check_value(target, write.collection, value)
    block = encode(value)
    return Prepared(write, Cid.of(block, DAG_CBOR), block, tuple(blob_refs(value)))


def _check_value(target: str, collection: Nsid, value: dict[str, Value]) -> None:
    if value.get("$type") != collection:
        actual = repr(value["$type"]) if "$type" in value else "missing"
        raise RepoRefused(
            f"{target}: $type is {actual}", name="InvalidRequest", remedy=f"write {collection!r}"
        )
    for found in check(value):
        if found.severity == "error" or found.code in SERVERS_REFUSE:
            message = f"{target}{found.pointer}: {found.message}"
            raise RepoRefused(message, name="InvalidRequest", remedy=found.remedy)


def write_size(write: Write) -> int:
    """Return the bytes that the write takes in a request to a PDS, its comma included."""
    body: dict[str, object] = {
        "$type": "com.atproto.repo.applyWrites#create",
        "collection": write.collection,
        "rkey": write.rkey,
    }
    if not isinstance(write, DeleteWrite):
        body["value"] = to_plain(whole(write.value))
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return len(text.encode("utf-8", "surrogatepass")) + 1


def do_write(database: sqlite3.Connection, item: Prepared) -> set[Cid]:
    """Do one write; return the blobs that it refers to no more, or refers to as before."""
    _check_current(database, item)
    released = read_cids(
        database.execute(
            "DELETE FROM record_blob WHERE collection = ? AND rkey = ? RETURNING cid", item.place
        )
    )
    if item.cid is None:
        database.execute("DELETE FROM record WHERE collection = ? AND rkey = ?", item.place)
        return released
    for blob in item.blobs:
        _refer(database, item, blob, known=blob.cid in released)
    database.execute(
        "INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?)",
        (*item.place, item.cid.raw, item.block),
    )
    return released


def is_done(database: sqlite3.Connection, item: Prepared) -> bool:
    """Tell whether the repo holds what the write wants. Raises SwapRefused for another record."""
    current = _current(database, item)
    if current == (str(item.cid) if item.cid else None):
        return True
    swap = None if isinstance(item.write, CreateWrite) else item.write.swap
    if current != swap:
        raise SwapRefused(
            f"{item} is {current or 'not there'}, not {swap or 'free'}",
            name="InvalidSwap",
            remedy="read the repo again",
        )
    return False


def _current(database: sqlite3.Connection, item: Prepared) -> str | None:
    query = "SELECT cid FROM record WHERE collection = ? AND rkey = ?"
    row = database.execute(query, item.place).fetchone()
    return next((str(cid) for cid in read_cids([row])), None) if row else None


def _check_current(database: sqlite3.Connection, item: Prepared) -> None:
    current = _current(database, item)
    if isinstance(item.write, CreateWrite):
        if current:
            raise RepoRefused(f"{item} exists already ({current})", name="RecordExists")
    elif current is None:
        raise RepoRefused(f"{item} doesn't exist", name="RecordNotFound")
    elif current != item.write.swap:
        raise SwapRefused(
            f"{item} is {current}, not {item.write.swap}",
            name="InvalidSwap",
            remedy="read the repo again",
        )


def _refer(database: sqlite3.Connection, item: Prepared, blob: BlobRef, *, known: bool) -> None:
    """Note that the record refers to the blob; one that no record referred to yet is compared."""
    query = (
        "SELECT mime_type, size, EXISTS (SELECT 1 FROM record_blob WHERE cid = :cid)"
        " FROM blob WHERE cid = :cid"
    )
    row = database.execute(query, {"cid": blob.cid.raw}).fetchone()
    if row is None:
        raise RepoRefused(
            f"{item} refers to the blob {blob.cid}, which was never uploaded or was deleted",
            name="BlobNotFound",
            remedy="upload it, then write the record",
        )
    mime_type, size, referred = row
    if not (known or referred):
        _check_blob(item, blob, mime_type, size)
    database.execute(
        "INSERT OR IGNORE INTO record_blob VALUES (?, ?, ?)", (*item.place, blob.cid.raw)
    )


def _check_blob(item: Prepared, blob: BlobRef, mime_type: str, size: int) -> None:
    if blob.mime_type != mime_type:
        raise RepoRefused(
            f"{item} says that the blob {blob.cid} is {blob.mime_type}; uploaded was {mime_type}",
            name="InvalidMimeType",
        )
    if blob.size != size:
        raise RepoRefused(
            f"{item} says that the blob {blob.cid} has {blob.size} bytes; uploaded were {size}",
            name="InvalidSize",
        )


def drop_blobs(database: sqlite3.Connection, released: Iterable[Cid]) -> bool:
    """Forget those of the blobs that no record refers to now; tell whether there were any."""
    count = 0
    for cid in released:
        count += database.execute(
            "DELETE FROM blob WHERE cid = :cid"
            " AND NOT EXISTS (SELECT 1 FROM record_blob WHERE cid = :cid)",
            {"cid": cid.raw},
        ).rowcount
    return count > 0
