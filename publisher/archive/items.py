"""The keys and values of a whole tree, in little memory."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import ItemsView, Iterator, Mapping

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

    def append(self, key: bytes, raw: bytes) -> None:
        """Add a key that comes after all others, with the bytes of its CID."""
        self._keys += key
        self._ends.append(len(self._keys))
        self._cids += raw

    def __getitem__(self, path: str) -> Cid:
        key, at = path.encode("utf-8", "surrogatepass"), self._next
        if at >= len(self) or self._key(at) != key:
            at = bisect_left(range(len(self)), key, key=self._key)
            if at == len(self) or self._key(at) != key:
                raise KeyError(path)
        self._next = at + 1
        return Cid(bytes(self._cids[at * _CID_SIZE : (at + 1) * _CID_SIZE]))

    def __iter__(self) -> Iterator[str]:
        return (self._key(at).decode("ascii") for at in range(len(self)))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def items(self) -> ItemsView[str, Cid]:
        """Return keys and CIDs; going through them looks nothing up."""
        return _View(self)

    def raw(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield what was appended."""
        for at in range(len(self)):
            yield self._key(at), bytes(self._cids[at * _CID_SIZE : (at + 1) * _CID_SIZE])

    def _key(self, at: int) -> bytes:
        return bytes(self._keys[self._ends[at] : self._ends[at + 1]])


class _View(ItemsView[str, Cid]):
    _mapping: Items

    def __iter__(self) -> Iterator[tuple[str, Cid]]:
        return ((key.decode("ascii"), Cid(raw)) for key, raw in self._mapping.raw())
