"""A tree walked strictly, key by key: nothing passes that the tree of its keys wouldn't have."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeAlias

from publisher.archive.car import ArchiveError, MissingBlock
from publisher.archive.node import MAX_KEY, RawEntry, join_key, key_depth, read_entries
from publisher.data import DAG_CBOR, Cid
from publisher.syntax import check

if TYPE_CHECKING:
    from publisher.archive.older import OlderTree

Load: TypeAlias = Callable[[bytes], bytes | None]
"""Gives the block, hashed, whose CID has these 36 bytes."""


Step: TypeAlias = tuple[bytes, bytes] | range
"""A key with its value as the bytes of a CID, or a part of an older tree that is taken over."""


class Walker:
    """Reads a tree by its root.

    Raises MissingBlock, and ArchiveError for wrong order, layer or prefix, a node without use, an
    invalid key, wherever it looks.
    """

    def __init__(self, load: Load, older: OlderTree | None = None) -> None:
        self._load = load
        self._older = older
        self._last = b""
        self._prefix = b""  # the collection of the last key, with its slash

    def walk(self, root: Cid) -> Iterator[tuple[bytes, bytes]]:
        """Yield all keys in order, with their values as the bytes of CIDs."""
        return (step for step in self.steps(root) if not isinstance(step, range))

    def steps(self, root: Cid) -> Iterator[Step]:
        """Yield all keys in order as `walk`; subtrees that aren't here as parts of the older tree.

        A subtree that the older tree has in the same layer is as it should be.
        """
        part = self._taken(root.raw, None)
        if part is not None:
            yield part
            return
        left, entries, layer = self._root(root)
        waiting: list[tuple[Iterator[RawEntry], bytes, int]] = []  # entries still to come
        while True:
            waiting.append((iter(entries), b"", layer))
            child = left
            while waiting:
                part = self._taken(child, layer - 1) if child else None
                if part is not None:
                    yield part
                elif child:
                    break
                child = None
                more, key, layer = waiting.pop()
                for shared, rest, value, child in more:
                    key = self._next(key, shared, rest, layer)
                    yield key, value
                    if child:
                        waiting.append((more, key, layer))
                        break
            if child is None:
                return
            layer -= 1
            left, entries = self._inner(child, layer)

    def _taken(self, raw: bytes, layer: int | None) -> range | None:
        """Return the part of the older tree that lies below a node which isn't here."""
        if self._older is None or self._load(raw) is not None:
            return None
        part = self._older.find(raw, layer)
        if part:
            first, last = self._older.items.key(part[0]), self._older.items.key(part[-1])
            if first <= self._last:
                raise ArchiveError(f"the key {first!r} is out of order or repeated")
            self._last = last
        return part

    def find(self, root: Cid, wanted: bytes) -> bytes | None:
        """Return the value of a key; None proves that the tree hasn't got it.

        Reads the nodes from the root to the layer in which the key belongs, and no other.
        """
        low, high = b"", b"\xff"
        left, entries, layer = self._root(root)
        while True:
            keys = self._keys(entries, layer, low, high)
            at = bisect_right(keys, wanted)
            if at and keys[at - 1] == wanted:
                return entries[at - 1][2]
            child = entries[at - 1][3] if at else left
            if child is None or layer <= key_depth(wanted):
                return None
            low, high = [low, *keys, high][at : at + 2]
            layer -= 1
            left, entries = self._inner(child, layer)

    def _keys(self, entries: list[RawEntry], layer: int, low: bytes, high: bytes) -> list[bytes]:
        """Return a node's keys, all of them between two of the nodes above."""
        keys: list[bytes] = []
        self._last, key = low, b""
        for shared, rest, _, _ in entries:
            key = self._next(key, shared, rest, layer)
            keys.append(key)
        if keys and keys[-1] >= high:
            raise ArchiveError(f"the key {keys[-1]!r} is out of order or repeated")
        return keys

    def _root(self, root: Cid) -> tuple[bytes | None, list[RawEntry], int]:
        left, entries = self._read(root.raw)
        if entries:
            shared, rest, _, _ = entries[0]
            return left, entries, key_depth(join_key(b"", shared, rest))
        if left:
            raise ArchiveError("the tree's root has no entries")
        return None, [], 0

    def _inner(self, raw: bytes, layer: int) -> tuple[bytes | None, list[RawEntry]]:
        if layer < 0:
            raise ArchiveError("a node lies below the lowest layer")
        left, entries = self._read(raw)
        if not entries and left is None:
            raise ArchiveError("a node below the root is empty")
        return left, entries

    def _next(self, before: bytes, shared: int, rest: bytes, layer: int) -> bytes:
        key = join_key(before, shared, rest)
        if key <= self._last:
            raise ArchiveError(f"the key {key!r} is out of order or repeated")
        if key_depth(key) != layer:
            raise ArchiveError(f"the key {key!r} lies in the wrong layer")
        if not self._prefix or not key.startswith(self._prefix):
            self._prefix = _prefix(key)
        # what isn't ASCII is refused by the rules of record keys
        rkey = key[len(self._prefix) :].decode("latin-1")
        if check("record-key", rkey) or len(key) > MAX_KEY:
            raise ArchiveError(f"the key {key!r} doesn't end in a record key")
        self._last = key
        return key

    def _read(self, raw: bytes) -> tuple[bytes | None, list[RawEntry]]:
        block = self._load(raw)
        if block is None:
            raise MissingBlock(Cid(raw), "the tree")
        if raw[1] != DAG_CBOR:
            raise ArchiveError(f"the node {Cid(raw)} is no DAG-CBOR by its CID")
        return read_entries(Cid(raw), block)


def _prefix(key: bytes) -> bytes:
    """Return a key's collection, with the slash."""
    collection, slash, _ = key.partition(b"/")
    if check("nsid", collection.decode("latin-1")):
        raise ArchiveError(f"the key {key!r} doesn't begin with a collection")
    if not slash:
        raise ArchiveError(f"the key {key!r} doesn't end in a record key")
    return collection + slash
