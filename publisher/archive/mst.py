"""The Merkle search tree from keys to CIDs: built in one pass, walked strictly.

Source: https://atproto.com/specs/repository#mst-structure. One set of keys and values has exactly
one tree, so a tree that was walked can be proven by building it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from publisher.archive.car import ArchiveError
from publisher.archive.node import Node, encode_node, key_depth, read_node
from publisher.archive.walk import Walker
from publisher.data import DAG_CBOR, Cid


@dataclass(frozen=True, slots=True)
class Tree:
    """A tree's root and its nodes, in preorder (a node before what it links to)."""

    root: Cid
    nodes: Mapping[Cid, bytes]


def build_tree(items: Iterable[tuple[str, Cid]]) -> Tree:
    """Build the tree of (key, value) items, sorted by the bytes of the keys and without repeats.

    Linear in the items: 10,000 take about 60 ms. Raises ArchiveError when they aren't sorted.
    """
    nothing: dict[Cid, bytes] = {}
    edge = RightEdge(nothing.__getitem__)
    previous: bytes | None = None
    for text, value in items:
        key = text.encode()
        if previous is not None and key <= previous:
            raise ArchiveError(f"the key {text} is out of order or repeated")
        edge.add(key, value)
        previous = key
    root = edge.finish()
    return Tree(root, {cid: edge.finished[cid] for cid in _preorder(root, edge.children)})


def _preorder(root: Cid, children: Mapping[Cid, Sequence[Cid]]) -> Iterator[Cid]:
    waiting = [root]
    while waiting:
        cid = waiting.pop()
        yield cid
        waiting.extend(reversed(children[cid]))


def walk_tree(blocks: Mapping[Cid, bytes], root: Cid) -> dict[str, Cid]:
    """Return key → value of the tree below `root`, in order.

    Raises MissingBlock, and ArchiveError for anything that the tree of these keys wouldn't have:
    wrong order, layer or prefix, a node without use, an invalid key.
    """
    walker = Walker(lambda raw: blocks.get(Cid(raw)))
    return {key.decode("ascii"): Cid(value) for key, value in walker.walk(root)}


def iter_nodes(load: Callable[[Cid], bytes], root: Cid) -> Iterator[tuple[Cid, bytes]]:
    """Yield the nodes of a tree that is known to be right, in preorder. Raises ArchiveError.

    `load` returns the block of a node, hashed, and raises what it likes.
    """
    waiting = [root]
    while waiting:
        cid = waiting.pop()
        block = load(cid)
        yield cid, block
        waiting.extend(reversed(list(read_node(cid, block).children())))


def iter_items(load: Callable[[Cid], bytes], root: Cid) -> Iterator[tuple[str, Cid]]:
    """Yield key and value of the tree's entries in order; the rest as for `iter_nodes`."""
    waiting: list[Cid | tuple[bytes, Cid]] = [root]
    while waiting:
        match waiting.pop():
            case Cid() as cid:
                waiting.extend(reversed(list(read_node(cid, load(cid)).parts())))
            case key, value:
                yield key.decode(), value


class RightEdge:
    """The unfinished right edge of a tree, which grows to the right, lowest layer first.

    A layer holds a node with entries, the link to a subtree of another tree that was taken whole
    (then the layers below it hold nothing), or nothing. `finished` are the nodes that were made,
    `opened` those of the other tree that were read.
    """

    def __init__(self, load: Callable[[Cid], bytes]) -> None:
        self.finished: dict[Cid, bytes] = {}
        self.opened: set[Cid] = set()
        self.children: dict[Cid, list[Cid]] = {}
        self._load = load
        self._edge: list[Node | Cid | None] = []
        self._taken = -1  # the layer of the subtree that was taken whole

    def add(self, key: bytes, value: Cid) -> None:
        """Add an entry; the caller sees to the order."""
        layer = key_depth(key)
        if self._taken >= layer:
            self._reopen(layer)
        self._reach(layer)
        below = self._close(layer)
        node = self._edge[layer]
        if not isinstance(node, Node):
            self._edge[layer] = node = Node()
        if below:
            node.hang(below)
        node.entries.append((key, value))
        node.rights.append(None)

    def take(self, cid: Cid, layer: int) -> bool:
        """Take a subtree of the other tree whole, where nothing has to be joined with it."""
        if self._taken > layer:
            self._reopen(layer + 1)
        self._reach(layer)
        if any(self._edge[: layer + 1]):
            return False
        self._edge[layer] = cid
        self._taken = layer
        return True

    def open(self, cid: Cid) -> Node:
        """Read a node of the other tree. Raises ArchiveError."""
        self.opened.add(cid)
        return read_node(cid, self._load(cid))

    def finish(self) -> Cid:
        """Finish all layers and return the root, which has entries unless the tree is empty."""
        while self._edge and not isinstance(self._edge[-1], Node):
            if self._edge[-1] is None:
                self._edge.pop()
            else:
                self._reopen(self._taken)
        return self._close(len(self._edge)) or self._finish(Node(), 0)

    def _reach(self, layer: int) -> None:
        while len(self._edge) <= layer:
            self._edge.append(None)

    def _reopen(self, lowest: int) -> None:
        """Open what was taken whole along its right side, down to the layer."""
        while self._taken >= lowest and isinstance(cid := self._edge[self._taken], Cid):
            node = self.open(cid)
            layer, below = self._taken, node.hang(None)
            self._edge[layer] = node if node.entries else None
            self._taken = -1
            if below and layer == 0:
                raise ArchiveError("a node lies below the lowest layer")
            if below:
                self._edge[layer - 1] = below
                self._taken = layer - 1

    def _close(self, depth: int) -> Cid | None:
        """Finish the layers under `depth` and return the link to what they held."""
        below: Cid | None = None
        for layer in range(depth):
            node = self._edge[layer]
            if isinstance(node, Cid):
                below, self._taken = node, -1
            elif node or below:
                node = node or Node()
                node.hang(below)
                below = self._finish(node, layer)
            self._edge[layer] = None
        return below

    def _finish(self, node: Node, _layer: int, /) -> Cid:
        block = encode_node(node)
        cid = Cid.of(block, DAG_CBOR)
        self.finished[cid] = block
        self.children[cid] = list(node.children())
        return cid


class RootEdge(RightEdge):
    """Builds a tree for its root alone: no node is kept."""

    def __init__(self) -> None:
        nothing: dict[Cid, bytes] = {}
        super().__init__(nothing.__getitem__)

    def _finish(self, node: Node, _layer: int, /) -> Cid:
        return Cid.of(encode_node(node), DAG_CBOR)
