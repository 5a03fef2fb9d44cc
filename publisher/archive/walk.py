"""A tree walked strictly, key by key: nothing passes that the tree of its keys wouldn't have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from publisher.archive.car import ArchiveError, MissingBlock
from publisher.archive.node import MAX_KEY, RawEntry, join_key, key_depth, read_entries
from publisher.data import DAG_CBOR, Cid
from publisher.syntax import check

Load: TypeAlias = Callable[[bytes], bytes | None]
"""Gives the block, hashed, whose CID has these 36 bytes."""


class Walker:
    """Yields keys and values in order, the latter as the bytes of their CIDs."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._last = b""
        self._collections: set[bytes] = set()

    def walk(self, root: Cid) -> Iterator[tuple[bytes, bytes]]:
        """Walk all of the tree.

        Raises MissingBlock, and ArchiveError for wrong order, layer or prefix, a node without use,
        an invalid key.
        """
        left, entries = self._read(root.raw)
        if entries:
            shared, rest, _, _ = entries[0]
            yield from self._entries(left, entries, key_depth(join_key(b"", shared, rest)))
        elif left:
            raise ArchiveError("the tree's root has no entries")

    def _below(self, raw: bytes, layer: int) -> Iterator[tuple[bytes, bytes]]:
        if layer < 0:
            raise ArchiveError("a node lies below the lowest layer")
        left, entries = self._read(raw)
        if not entries and left is None:
            raise ArchiveError("a node below the root is empty")
        yield from self._entries(left, entries, layer)

    def _entries(
        self, left: bytes | None, entries: list[RawEntry], layer: int
    ) -> Iterator[tuple[bytes, bytes]]:
        if left:
            yield from self._below(left, layer - 1)
        key = b""
        for shared, rest, value, right in entries:
            key = join_key(key, shared, rest)
            if key <= self._last:
                raise ArchiveError(f"the key {key!r} is out of order or repeated")
            if key_depth(key) != layer:
                raise ArchiveError(f"the key {key!r} lies in the wrong layer")
            self._check(key)
            self._last = key
            yield key, value
            if right:
                yield from self._below(right, layer - 1)

    def _check(self, key: bytes) -> None:
        collection, slash, rkey = key.partition(b"/")
        if collection not in self._collections:
            if check("nsid", collection.decode("latin-1")):
                raise ArchiveError(f"the key {key!r} doesn't begin with a collection")
            self._collections.add(collection)
        # anything beyond ASCII is refused by the rules of record keys
        if not slash or len(key) > MAX_KEY or check("record-key", rkey.decode("latin-1")):
            raise ArchiveError(f"the key {key!r} doesn't end in a record key")

    def _read(self, raw: bytes) -> tuple[bytes | None, list[RawEntry]]:
        block = self._load(raw)
        if block is None:
            raise MissingBlock(Cid(raw), "the tree")
        if raw[1] != DAG_CBOR:
            raise ArchiveError(f"the node {Cid(raw)} is no DAG-CBOR by its CID")
        return read_entries(Cid(raw), block)
