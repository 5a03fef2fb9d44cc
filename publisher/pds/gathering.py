"""Records as they are read: values go to the mirror, what isn't one is named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from publisher.data import DAG_CBOR, Cid, InvalidCbor, Value, decode
from publisher.mirror import Entry, Mirror, Place
from publisher.repo import Commit, RemoteRecord, Snapshot
from publisher.syntax import Nsid, Rkey

_TOGETHER: Final = 500  # blocks that are written to the mirror at once
_BYTES: Final = 4 << 20  # that these have at most, but for the last


class Gathering:
    """What is read of some collections, one record after the other."""

    def __init__(self, mirror: Mirror, collections: Iterable[Nsid]) -> None:
        self.bytes = 0
        self.entries: dict[Place, Entry] = {}
        self._mirror = mirror
        self._records: dict[Nsid, dict[Rkey, RemoteRecord]] = {name: {} for name in collections}
        self._blocks: list[tuple[str, bytes]] = []
        self._size = 0

    def take(self, place: Place, cid: Cid, block: bytes) -> None:
        """Take a record's block, which was hashed; what is no record is named."""
        try:
            value = decode(block) if cid.codec == DAG_CBOR else None
            reason = "" if isinstance(value, dict) else "it is no object"
        except InvalidCbor as error:
            value, reason = None, str(error)
        if isinstance(value, dict):
            self.add(place, str(cid), block, value)
        else:
            self.refuse(place, str(cid), f"is no record of the data model: {reason}")

    def add(self, place: Place, cid: str, block: bytes, value: Mapping[str, Value]) -> None:
        """Add a record by its block and the value that this holds."""
        self.entries[place] = Entry(cid)
        self.bytes += len(block)
        self._blocks.append((cid, block))
        self._size += len(block)
        if len(self._blocks) >= _TOGETHER or self._size >= _BYTES:
            self.flush()
        collection, rkey = place
        record = RemoteRecord(collection, rkey, cid, self._mirror.stored(cid, value))
        self._records[collection][rkey] = record

    def refuse(self, place: Place, cid: str, reason: str) -> None:
        """Name a record that can't be read."""
        self.entries[place] = Entry(cid, reason)

    def flush(self) -> None:
        """Write what is left to the mirror."""
        self._mirror.keep(self._blocks)
        self._blocks.clear()
        self._size = 0

    def finish(self, commit: Commit, edges: Mapping[Cid, bytes]) -> Snapshot:
        """Return what was read, all of it at this commit; the mirror holds just that now."""
        self.flush()
        self._mirror.replace(commit, list(self._records), self.entries, edges)
        unreadable = {p: entry.unreadable for p, entry in self.entries.items() if entry.unreadable}
        return Snapshot(commit, self._records, unreadable)
