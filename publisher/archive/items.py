"""The keys and values of a whole tree, in little memory."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import ItemsView, Iterable, Iterator, Mapping

from publisher.data import Cid

_CID_SIZE = 36


class Items(Mapping[str, Cid]):
    """'collection/rkey' to CID in the order of the keys, which they are appended in.

    Takes the keys' bytes and 44 more for each; looking one up takes some microseconds, less where
    it is the one after the last.
    """

    def __init__(self) -> None:
        self._keys = bytearray()
        self._ends = array("Q", [0])
        self._cids = bytearray()
        self._next = 0

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, Cid]]) -> Items:
        """Return pairs of 'collection/rkey' and CID, which may come in any order."""
        items = cls()
        for key, cid in sorted((path.encode(), cid) for path, cid in pairs):
            items.append(key, cid.raw)
        return items

    def append(self, key: bytes, raw: bytes) -> None:
        """Add a key that comes after all others, with the bytes of its CID."""
        self._keys += key
        self._ends.append(len(self._keys))
        self._cids += raw

    def extend(self, other: Items, part: range) -> None:
        """Add a part of another one, which comes after all that is here."""
        if part:
            begin, end = other._ends[part.start], other._ends[part.stop]
            moved = len(self._keys) - begin
            self._keys += other._keys[begin:end]
            self._ends.extend(at + moved for at in other._ends[part.start + 1 : part.stop + 1])
            self._cids += other._cids[part.start * _CID_SIZE : part.stop * _CID_SIZE]

    def key(self, at: int) -> bytes:
        """Return the key at a place, counted from 0."""
        return bytes(self._keys[self._ends[at] : self._ends[at + 1]])

    def __getitem__(self, path: str) -> Cid:
        key, at = path.encode("utf-8", "surrogatepass"), self._next
        if at >= len(self) or self.key(at) != key:
            at = bisect_left(range(len(self)), key, key=self.key)
            if at == len(self) or self.key(at) != key:
                raise KeyError(path)
        self._next = at + 1
        return Cid(bytes(self._cids[at * _CID_SIZE : (at + 1) * _CID_SIZE]))

    def __iter__(self) -> Iterator[str]:
        return (self.key(at).decode("ascii") for at in range(len(self)))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def items(self) -> ItemsView[str, Cid]:
        """Return keys and CIDs; going through them looks nothing up."""
        return _View(self)

    def raw(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield what was appended."""
        for at in range(len(self)):
            yield self.key(at), bytes(self._cids[at * _CID_SIZE : (at + 1) * _CID_SIZE])


class _View(ItemsView[str, Cid]):
    _mapping: Items

    def __iter__(self) -> Iterator[tuple[str, Cid]]:
        return ((key.decode("ascii"), Cid(raw)) for key, raw in self._mapping.raw())
