"""A document becomes the record that stands for it: value, CID, blobs and owned fields. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from publisher import data, syntax
from publisher.data import DAG_CBOR, Cid, Value
from publisher.documents import DOCUMENT, Blob, Document
from publisher.findings import Finding
from publisher.spool import outline, whole
from publisher.syntax import AtUri, Did, Nsid, Rkey

MAX_BYTES = 950_000
"""The JSON of one record, in bytes: a server takes 1,000,000 with all that stands around it."""

CONTENT_TYPES = frozenset({"at.markpub.markdown"})
"""The types of `content` that we write; any other in the repo is somebody else's."""

SALTS = range(8)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_Rest: TypeAlias = tuple[frozenset[str], tuple[Blob, ...], Rkey | None, AtUri | None]
Packed: TypeAlias = tuple[
    tuple[bytes, dict[str, Value], bytes], tuple[str, "OwnedCids"], tuple[str, str, Nsid], _Rest
]
"""A record on its way from another process: block, outline and JSON; its CIDs; all else."""

OwnedCids: TypeAlias = tuple[str, str | None]
"""The CID of the owned fields but `content`, and that of `content` if it is owned."""

CONTENT = frozenset({"content"})


@dataclass(frozen=True, slots=True)
class Record:
    """What a document wants the repo to hold.

    `key` names it in the lock and in its rkey: the place of its file, or `id:` and its id.
    `value` holds every field that the document decides, and may lie on the disk; `owned` names
    these and those that it decides to leave out.
    """

    key: str
    path: str
    collection: Nsid
    value: Mapping[str, Value]
    owned: frozenset[str]
    blobs: tuple[Blob, ...] = ()
    rkey: Rkey | None = None
    at_uri: AtUri | None = None
    _cid: str = field(default="", init=False, repr=False, compare=False)
    _size: int = field(default=0, init=False, repr=False, compare=False)
    _owned_cids: OwnedCids | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def cid(self) -> str:
        """The CID of the value as it stands, without fields of others; computed once."""
        if not self._cid:
            self._measure(data.encode(whole(self.value)))
        return self._cid

    @property
    def size(self) -> int:
        """How many bytes the record's block has; computed once."""
        if not self._size:
            self._measure(data.encode(whole(self.value)))
        return self._size

    @property
    def owned_cids(self) -> OwnedCids:
        """The CIDs of what the document decides, as the value stands; computed once."""
        if self._owned_cids is None:
            value = whole(self.value)
            owned = self.owned_over(value)
            content = owned_cid(value, CONTENT) if "content" in owned else None
            object.__setattr__(self, "_owned_cids", (owned_cid(value, owned - CONTENT), content))
        return self._owned_cids or ("", None)

    def packed(self) -> Packed:
        """Return the record as it goes to another process, where it is `unpacked`.

        What sending it takes is made there too: on another core, and not beside the server.
        """
        value = whole(self.value)
        block = data.encode(value)
        self._measure(block)
        named, rest = (
            (self.key, self.path, self.collection),
            (self.owned, self.blobs, self.rkey, self.at_uri),
        )
        stored = (block, outline(value), data.compact(value))
        return stored, (self._cid, self.owned_cids), named, rest

    @classmethod
    def unpacked(cls, packed: Packed, value: Mapping[str, Value]) -> Record:
        """Return the record; `value` is its block's, wherever that lies now."""
        (block, *_), (cid, owned_cids), named, (owned, blobs, rkey, at_uri) = packed
        owned = _owned.setdefault(owned, owned)
        return cls(*named, value, owned, blobs, rkey, at_uri).known(cid, len(block), owned_cids)

    def known(self, cid: str, size: int, owned_cids: OwnedCids) -> Record:
        """Return the record, which needn't compute what was computed of it before."""
        self._know(cid, size)
        object.__setattr__(self, "_owned_cids", owned_cids)
        return self

    def _measure(self, block: bytes) -> None:
        self._know(str(Cid.of(block, DAG_CBOR)), len(block))

    def _know(self, cid: str, size: int) -> None:
        object.__setattr__(self, "_cid", cid)
        object.__setattr__(self, "_size", size)

    @property
    def site(self) -> Value:
        """The publication or address that the document belongs to."""
        return self.value.get("site")

    def merged(self, theirs: Mapping[str, Value] | None) -> dict[str, Value]:
        """Return what to write over `theirs`: our fields from here, all others from there."""
        ours = whole(self.value)
        if theirs is None:
            return ours
        theirs = whole(theirs)
        owned = self._owned_over(theirs, ours)
        foreign = {name: item for name, item in theirs.items() if name not in owned}
        return foreign | {name: item for name, item in ours.items() if name in owned}

    def owned_over(self, theirs: Mapping[str, Value]) -> frozenset[str]:
        """Return the owned fields; `content` of a type that we don't write is never ours."""
        return self._owned_over(theirs, self.value)

    def _owned_over(self, theirs: Mapping[str, Value], ours: Mapping[str, Value]) -> frozenset[str]:
        if self.collection != DOCUMENT or "content" not in theirs:
            return self.owned
        kind = _type(theirs["content"])
        if kind in CONTENT_TYPES or (kind is not None and kind == _type(ours.get("content"))):
            return self.owned
        return self.owned - {"content"}


_owned: dict[frozenset[str], frozenset[str]] = {}
"""Most records own the same fields; those that come from other processes share them again."""


def _type(content: Value) -> str | None:
    name = content.get("$type") if isinstance(content, dict) else None
    return name if isinstance(name, str) else None


def owned_cid(value: Mapping[str, Value], fields: Iterable[str]) -> str:
    """Return the CID of just these fields of a record, as far as it has them."""
    value = whole(value)
    return data.record_cid({name: value[name] for name in sorted(fields) if name in value})


def build(document: Document, site: str | None) -> tuple[Record, list[Finding]]:
    """Return the document's record and what its site is at fault for.

    A document without a site of its own gets `site`; one that has another is an error.
    """
    value, findings = dict(document.value), []
    if document.collection == DOCUMENT:
        own = value.get("site")
        if own is None and "site" not in value and site is not None:
            value["site"] = site
        elif site is not None and isinstance(own, str) and own != site:
            message = f"site is {own}, but publisher.toml says {site}"
            remedy = "make the two equal, or leave it out of the record"
            findings.append(Finding("/site", "site-differs", message, "error", remedy))
    owned = document.owned if document.owned is not None else frozenset(value)
    record = Record(
        f"id:{document.id}" if document.id else document.source.key,
        document.source.key,
        document.collection,
        value,
        owned,
        document.blobs,
        document.rkey,
        document.at_uri,
    )
    return record, findings


def derived_rkey(record: Record, did: Did, salt: int, site: Value = None) -> Rkey:
    """Return the rkey of a new record: a TID that the same document always gets again.

    Its upper bits are `publishedAt` in microseconds, rounded down to 2^20; its low 30 bits are
    the first of SHA-256 over the DAG-CBOR of [did, site, key, salt]. Not by the clock, so that a
    lost answer or a lost lock can't make a second record. `site` is another one than the record's.
    """
    micros = _microseconds(record.value.get("publishedAt", record.value.get("createdAt")))
    return Rkey(syntax.tid((micros >> 20 << 20) << 10 | fingerprint(record, did, salt, site)))


def fingerprint(record: Record, did: Did, salt: int, site: Value = None) -> int:
    """Return the low 30 bits of the record's derived rkey."""
    parts: list[Value] = [did, site or record.site, record.key, salt]
    digest = hashlib.sha256(data.encode(parts)).digest()
    return int.from_bytes(digest[:4]) >> 2


def _microseconds(moment: Value) -> int:
    if not isinstance(moment, str) or syntax.check("datetime", moment):
        return 0
    try:
        when = datetime.fromisoformat(moment)
    except ValueError:  # the year 0000, which Python doesn't have
        return 0
    return min(max((when - _EPOCH) // timedelta(microseconds=1), 0), (1 << 53) - 1)
