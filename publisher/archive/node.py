"""A node of the Merkle search tree as bytes: its entries, with prefixes that are not repeated.

Source: https://atproto.com/specs/repository#mst-structure.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from publisher.archive.car import ArchiveError
from publisher.data import Cid, InvalidCbor, Value, decode

MAX_KEY = 1024  # bytes, as the reference implementation has it

# A node in its one encoding: numbers in shortest form, the fields in their order, links or null.
_CID = rb"\xd8\x2a\x58\x25\x00(\x01[\x55\x71]\x12\x20.{32})"
_HEAD = rb"\xa4ak([\x40-\x57]|\x58[\x18-\xff]|\x59[\x01-\xff].)"
_NEXT = rb"(?:" + _HEAD + rb"|al(?:\xf6|" + _CID + rb")\Z)"
_START = re.compile(rb"\xa2ae([\x80-\x97]|\x98[\x18-\xff]|\x99[\x01-\xff].)" + _NEXT, re.DOTALL)
_REST = re.compile(
    rb"ap([\x00-\x17]|\x18[\x18-\xff]|\x19[\x01-\xff].)at(?:\xf6|" + _CID + rb")av" + _CID + _NEXT,
    re.DOTALL,
)

_LINK = b"\xd8\x2a\x58\x25\x00"
_NULL_AV = b"\xf6av" + _LINK
_HEADS = {
    major: [
        bytes((major << 5 | number,)) if number < 24 else bytes((major << 5 | 24, number))
        for number in range(256)
    ]
    for major in (0, 2, 4)  # a number, bytes, a list
}

RawEntry: TypeAlias = tuple[int, bytes, bytes, bytes | None]
"""What an `Entry` is, its links as the bytes of their CIDs."""


@dataclass(slots=True)
class Node:
    """A node with its whole keys; `rights` are the links behind each of the entries."""

    left: Cid | None = None
    entries: list[tuple[bytes, Cid]] = field(default_factory=list)
    rights: list[Cid | None] = field(default_factory=list)

    def hang(self, child: Cid | None) -> Cid | None:
        """Replace the last link; return what it was."""
        if self.rights:
            before, self.rights[-1] = self.rights[-1], child
        else:
            before, self.left = self.left, child
        return before

    def children(self) -> Iterator[Cid]:
        """Yield the links to nodes, left to right."""
        return (child for child in (self.left, *self.rights) if child is not None)

    def parts(self) -> Iterator[Cid | tuple[bytes, Cid]]:
        """Yield links and entries, left to right."""
        if self.left:
            yield self.left
        for entry, right in zip(self.entries, self.rights, strict=True):
            yield entry
            if right:
                yield right


def key_depth(key: bytes) -> int:
    """Return a key's layer: half the zero bits that its SHA-256 begins with, rounded down."""
    digest = hashlib.sha256(key).digest()
    if digest[0] > 63:  # as that of three in four keys
        return 0
    return (256 - int.from_bytes(digest).bit_length()) // 2


def encode_node(node: Node) -> bytes:
    """Return a node's block."""
    parts = [b"\xa2ae", _head(4, len(node.entries))]
    previous = b""
    for (key, value), right in zip(node.entries, node.rights, strict=True):
        shared = _shared(previous, key)
        rest = key[shared:]
        parts += (b"\xa4ak", _head(2, len(rest)), rest, b"ap", _head(0, shared), b"at")
        parts += (_LINK, right.raw, b"av", _LINK, value.raw) if right else (_NULL_AV, value.raw)
        previous = key
    parts += (b"al", _LINK, node.left.raw) if node.left else (b"al\xf6",)
    return b"".join(parts)


def _head(major: int, number: int) -> bytes:
    if number < 1 << 8:
        return _HEADS[major][number]
    if number < 1 << 16:
        return bytes((major << 5 | 25,)) + number.to_bytes(2)
    return bytes((major << 5 | 26,)) + number.to_bytes(4)


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a node as it is stored: the key without the prefix shared with the one before."""

    shared: int
    rest: bytes
    value: Cid
    right: Cid | None


def parse_node(cid: Cid, block: bytes) -> tuple[Cid | None, list[Entry]]:
    """Return a node's left link and its entries. Raises ArchiveError."""
    left, entries = read_entries(cid, block)
    return _link_to(left), [
        Entry(shared, rest, Cid(value), _link_to(right)) for shared, rest, value, right in entries
    ]


def _link_to(raw: bytes | None) -> Cid | None:
    return Cid(raw) if raw else None


def read_entries(cid: Cid, block: bytes) -> tuple[bytes | None, list[RawEntry]]:
    """Return a node's left link and its entries; faster than `parse_node`. Raises ArchiveError."""
    return _read_quickly(block) or _read(cid, block)


def _read_quickly(block: bytes) -> tuple[bytes | None, list[RawEntry]] | None:
    """Read a node that is as it should be; None for any other block."""
    start = _START.match(block)
    if not start:
        return None
    count, head, left = start.groups()
    end, entries = start.end(), list[RawEntry]()
    while head:
        begin, end = end, end + _number(head)
        rest = _REST.match(block, end)
        if not rest:
            return None
        shared, right, value, head, left = rest.groups()
        entries.append((_number(shared), block[begin:end], value, right))
        end = rest.end()
    return (left, entries) if len(entries) == _number(count) else None


def _number(head: bytes) -> int:
    return head[0] & 31 if len(head) == 1 else int.from_bytes(head[1:])


def _read(cid: Cid, block: bytes) -> tuple[bytes | None, list[RawEntry]]:
    try:
        node = decode(block)
    except InvalidCbor as error:
        raise ArchiveError(f"the node {cid} is no DAG-CBOR: {error}") from error
    if not isinstance(node, dict) or node.keys() != {"e", "l"}:
        raise ArchiveError("a node of the tree is not exactly e and l")
    left, entries = node["l"], node["e"]
    if not isinstance(left, Cid | None) or not isinstance(entries, list):
        raise ArchiveError("a node of the tree has a wrong e or l")
    return left.raw if left else None, [_read_entry(entry) for entry in entries]


def _read_entry(entry: Value) -> RawEntry:
    if not isinstance(entry, dict) or entry.keys() != {"k", "p", "t", "v"}:
        raise ArchiveError("an entry of the tree is not exactly k, p, t and v")
    rest, shared, right, value = entry["k"], entry["p"], entry["t"], entry["v"]
    if not isinstance(rest, bytes) or not isinstance(shared, int) or isinstance(shared, bool):
        raise ArchiveError("an entry of the tree has a wrong key")
    if not isinstance(value, Cid) or not isinstance(right, Cid | None):
        raise ArchiveError("an entry of the tree has a wrong link")
    return shared, rest, value.raw, right.raw if right else None


def full_key(previous: bytes, entry: Entry) -> bytes:
    """Return an entry's key; `previous` is that of the entry before. Raises ArchiveError."""
    return join_key(previous, entry.shared, entry.rest)


def join_key(previous: bytes, shared: int, rest: bytes) -> bytes:
    """Return the key that shares so much with the one before. Raises ArchiveError."""
    key = previous[:shared] + rest if 0 <= shared <= len(previous) else b""
    if not key or (rest and previous[shared : shared + 1] == rest[:1]):
        raise ArchiveError("a key in the tree doesn't share the prefix that it should")
    return key


def read_node(cid: Cid, block: bytes) -> Node:
    """Return a node with its whole keys. Raises ArchiveError."""
    left, entries = parse_node(cid, block)
    node, key = Node(left), b""
    for entry in entries:
        key = full_key(key, entry)
        node.entries.append((key, entry.value))
        node.rights.append(entry.right)
    return node


def _shared(one: bytes, other: bytes) -> int:
    """Return the length of the prefix that two keys share."""
    end = min(len(one), len(other))
    difference = int.from_bytes(one[:end]) ^ int.from_bytes(other[:end])
    return end - (difference.bit_length() + 7) // 8
