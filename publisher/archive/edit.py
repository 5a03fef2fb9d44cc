"""A tree changed at some of its keys: only what lies around them is read and made anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from publisher.archive.car import ArchiveError
from publisher.archive.mst import RightEdge
from publisher.archive.node import Node, key_depth
from publisher.data import Cid


@dataclass(frozen=True, slots=True)
class Edited:
    """The new root, the nodes that only the new tree has, and those that only the old one had."""

    root: Cid
    added: Mapping[Cid, bytes]
    removed: set[Cid]


def edit_tree(load: Callable[[Cid], bytes], root: Cid, changes: Mapping[str, Cid | None]) -> Edited:
    """Set the keys of the tree `root` to their values; None takes a key out, if it is there.

    What comes out is what `build_tree` makes of the changed items. Reads and makes a few nodes for
    each change and layer, however large the tree. `load` returns the block of a node, hashed, and
    raises what it likes. Raises ArchiveError for nodes that make no tree.
    """
    if not changes:
        return Edited(root, {}, set())
    edge = RightEdge(load)
    _Editor(edge, changes).edit(root)
    new = edge.finish()
    added = {cid: block for cid, block in edge.finished.items() if cid not in edge.opened}
    return Edited(new, added, edge.opened - edge.finished.keys())


class _Editor:
    """Carries the old tree over to the right edge of the new one, with the changes in their places.

    A subtree into whose range no change falls is carried over whole. The edge refuses it where keys
    around it went or came, and it is opened by a layer.
    """

    def __init__(self, edge: RightEdge, changes: Mapping[str, Cid | None]) -> None:
        self._edge = edge
        self._waiting = sorted(
            ((text.encode(), value) for text, value in changes.items()), reverse=True
        )

    def edit(self, root: Cid) -> None:
        node = self._edge.open(root)
        if node.entries:
            self._merge(node, key_depth(node.entries[0][0]), None)
        elif node.left:
            raise ArchiveError("the tree's root has no entries")
        self._change_before(None)

    def _merge(self, node: Node, layer: int, end: bytes | None) -> None:
        """Carry over a node; all its keys, and changes that belong into it, are below `end`."""
        child = node.left
        for (key, value), right in zip(node.entries, node.rights, strict=True):
            self._carry(child, layer - 1, key)
            self._change_before(key)
            self._set(key, value)
            child = right
        self._carry(child, layer - 1, end)

    def _carry(self, cid: Cid | None, layer: int, end: bytes | None) -> None:
        if cid is None:
            return
        if layer < 0:
            raise ArchiveError("a node lies below the lowest layer")
        if self._is_change_before(end) or not self._edge.take(cid, layer):
            self._merge(self._edge.open(cid), layer, end)

    def _set(self, key: bytes, value: Cid) -> None:
        if self._waiting and self._waiting[-1][0] == key:
            _, changed = self._waiting.pop()
            if changed:
                self._edge.add(key, changed)
        else:
            self._edge.add(key, value)

    def _change_before(self, end: bytes | None) -> None:
        while self._is_change_before(end):
            key, value = self._waiting.pop()
            if value:
                self._edge.add(key, value)

    def _is_change_before(self, end: bytes | None) -> bool:
        return bool(self._waiting) and (end is None or self._waiting[-1][0] < end)
