"""What some collections hold, from part of a tree's nodes and what was known of an older tree.

A node that isn't among the blocks was in the older tree already, or the blocks are torn. Its range
alone doesn't tell its keys: others may have been there, beside a key of a higher layer that is gone
too. So what is taken from the older tree is built again and compared by its CID; a node that can't
be built, since it holds keys of other collections as well, is fetched.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Final, TypeAlias

from publisher.archive.car import ArchiveError, MissingBlock
from publisher.archive.mst import build_tree
from publisher.archive.node import MAX_KEY, full_key, key_depth, parse_node
from publisher.data import DAG_CBOR, Cid, encode
from publisher.syntax import check

Get: TypeAlias = Callable[[Cid], bytes | None]
"""Gives a node that is at hand; it was hashed."""

Fetch: TypeAlias = Callable[[Sequence[Cid]], Mapping[Cid, bytes]]
"""Gets nodes from elsewhere, as many of them as there are; they are hashed here."""

_END: Final = b"\xff"  # above every key


@dataclass(frozen=True, slots=True)
class Part:
    """The records of the collections: 'collection/rkey' to CID.

    `edges` are the nodes that hold other keys as well: with these nothing need be fetched again.
    """

    items: Mapping[str, Cid]
    edges: Mapping[Cid, bytes]


@dataclass(frozen=True, slots=True)
class _Subtree:
    """A node with the keys that it lies between; the root's layer isn't known before it is seen."""

    cid: Cid
    low: bytes = b""
    high: bytes = _END
    layer: int | None = None


def walk_part(
    root: Cid,
    get: Get,
    collections: Iterable[str],
    *,
    old: Mapping[str, Cid],
    fetch: Fetch,
) -> Part:
    """Return what `collections` hold in the tree below `root`; all of it is proven by `root`.

    `old` is what the collections held in an older tree, all of it;
    wrong or incomplete, it costs more to be fetched, and nothing else. Raises MissingBlock when
    nodes can't be got, ArchiveError for a tree that is none.
    """
    return _Walk(get, collections, old, fetch).walk(root)


class _Walk:
    def __init__(
        self,
        get: Get,
        collections: Iterable[str],
        old: Mapping[str, Cid],
        fetch: Fetch,
    ) -> None:
        self._get = get
        self._fetch = fetch
        self._fetched: dict[Cid, bytes] = {}
        # '0' comes right after '/'
        self._ranges = [(f"{name}/".encode(), f"{name}0".encode()) for name in collections]
        self._old = old
        self._old_keys = sorted(key.encode() for key in old)
        self._items: dict[str, Cid] = {}
        self._edges: dict[Cid, bytes] = {}

    def walk(self, root: Cid) -> Part:
        waiting = [_Subtree(root)]
        while waiting:
            absent: list[_Subtree] = []
            while waiting:
                subtree = waiting.pop()
                if self._touches(subtree) and not self._open(subtree, waiting):
                    absent.append(subtree)
            self._complete(absent)
            waiting = absent
        return Part(self._items, self._edges)

    def _open(self, subtree: _Subtree, waiting: list[_Subtree]) -> bool:
        """Take a subtree's own keys, and list what is below it; False if it is absent."""
        block = self._get(subtree.cid) or self._fetched.get(subtree.cid)
        if block is None:
            return self._is_old(subtree)
        if not self._is_inside(subtree):
            self._edges[subtree.cid] = block
        waiting.extend(self._children(subtree, block))
        return True

    def _complete(self, absent: Sequence[_Subtree]) -> None:
        if not absent:
            return
        found = self._fetch([subtree.cid for subtree in absent])
        for subtree in absent:
            block = found.get(subtree.cid)
            if block is None or Cid.of(block, DAG_CBOR) != subtree.cid:
                raise MissingBlock(subtree.cid, "the tree")
            self._fetched[subtree.cid] = block

    def _children(self, subtree: _Subtree, block: bytes) -> Iterator[_Subtree]:
        left, entries = parse_node(subtree.cid, block)
        keys: list[bytes] = []
        for entry in entries:
            keys.append(full_key(keys[-1] if keys else b"", entry))
            self._take(keys[-1], entry.value)
        layer = self._layer(subtree, keys, empty=left is None)
        bounds = [subtree.low, *keys, subtree.high]
        if any(low >= high for low, high in pairwise(bounds)):
            raise ArchiveError(f"the node {subtree.cid} has keys out of order or out of its range")
        links = [left, *(entry.right for entry in entries)]
        for cid, (low, high) in zip(links, pairwise(bounds), strict=True):
            if cid is not None:
                yield _Subtree(cid, low, high, layer - 1)

    def _layer(self, subtree: _Subtree, keys: Sequence[bytes], *, empty: bool) -> int:
        layers = {key_depth(key) for key in keys}
        if subtree.layer is not None:
            layers.add(subtree.layer)
        elif not keys and empty:
            return 0  # the tree without keys
        if len(layers) != 1 or min(layers) < 0 or (not keys and empty):
            raise ArchiveError(f"the node {subtree.cid} lies in the wrong layer")
        return layers.pop()

    def _take(self, key: bytes, value: Cid) -> None:
        for start, _ in self._ranges:
            if key.startswith(start):
                rkey = key[len(start) :].decode("latin-1")
                if len(key) > MAX_KEY or check("record-key", rkey):
                    raise ArchiveError(f"the key {key!r} doesn't end in a record key")
                self._items[key.decode("ascii")] = value

    def _touches(self, subtree: _Subtree) -> bool:
        return any(subtree.low < end and start < subtree.high for start, end in self._ranges)

    def _is_inside(self, subtree: _Subtree) -> bool:
        return any(start <= subtree.low and subtree.high <= end for start, end in self._ranges)

    def _is_old(self, subtree: _Subtree) -> bool:
        """Take a subtree's keys from the older tree, if they make this very node."""
        start = bisect_right(self._old_keys, subtree.low)
        end = bisect_left(self._old_keys, subtree.high)
        for keys in _runs(self._old_keys[start:end], subtree.layer):
            items = [(key, self._old[key]) for key in keys]
            if _node_of(items, subtree.layer) == subtree.cid:
                self._items.update(items)
                return True
        return False


def _runs(keys: Iterable[bytes], layer: int | None) -> Iterator[list[str]]:
    """Yield the keys that made one subtree of the layer each: between two of higher layers."""
    for below, run in groupby(keys, lambda key: layer is None or key_depth(key) <= layer):
        if below:
            yield [key.decode("ascii") for key in run]


def _node_of(items: Sequence[tuple[str, Cid]], layer: int | None) -> Cid:
    """Return the node of the layer that holds the items: down to their highest, one link each."""
    cid = build_tree(items).root
    top = max(key_depth(key.encode()) for key, _ in items)
    for _ in range(0 if layer is None else layer - top):
        cid = Cid.of(encode({"e": [], "l": cid}), DAG_CBOR)
    return cid
