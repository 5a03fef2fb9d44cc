"""The tree of the records: its nodes as they are kept between commits, the commit that signs it.

The nodes could always be built again from the records; they are kept so that a commit costs what it
changes, however many records there are.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from itertools import zip_longest
from typing import Literal

from cryptography.hazmat.primitives.asymmetric import ec

from publisher.archive import (
    ArchiveError,
    Edited,
    Items,
    MissingBlock,
    RootEdge,
    Tree,
    build_tree,
    edit_tree,
    iter_items,
    iter_nodes,
    parse_commit,
    sign_commit,
)
from publisher.data import DAG_CBOR, Cid
from publisher.folder.database import UPGRADE, VERSION, Head, hashed, stored_cid, version_of
from publisher.repo import Commit
from publisher.syntax import Did


def read_items(database: sqlite3.Connection, head: Head) -> Items:
    """Return all keys with their CIDs. Raises ArchiveError unless head signs their tree."""
    items, edge = Items(), RootEdge()
    for path, cid, _ in _rows(database, "NULL"):
        key = path.encode()
        items.append(key, cid.raw)
        edge.add(key, cid)
    _check_root(edge.finish(), head)
    return items


def _read_tree(database: sqlite3.Connection, head: Head) -> Tree:
    """Return the tree of all keys. Raises ArchiveError unless head signs it."""
    tree = build_tree((path, cid) for path, cid, _ in _rows(database, "NULL"))
    _check_root(tree.root, head)
    return tree


def _check_root(root: Cid, head: Head) -> None:
    if root != parse_commit(head.block).data:
        raise ArchiveError("the records aren't those that the commit signs")


def _rows(
    database: sqlite3.Connection, column: Literal["block", "NULL"]
) -> Iterator[tuple[str, Cid, object]]:
    """Yield key, CID and the column of all records in the tree's order.

    Not that of (collection, rkey): 'a.b.cd/x' comes after 'a.b.c/x', but 'a.b.c.d/x' before it.
    """
    names = database.execute("SELECT DISTINCT collection FROM record").fetchall()
    query = f"SELECT rkey, cid, {column} FROM record WHERE collection = ? ORDER BY rkey"  # noqa: S608  # one of two words
    for prefix in sorted(f"{name}/" for (name,) in names):
        for rkey, raw, value in database.execute(query, (prefix[:-1],)):
            yield f"{prefix}{rkey}", stored_cid(raw), value


def read_blocks(database: sqlite3.Connection, head: Head) -> Iterator[tuple[Cid, bytes]]:
    """Yield the commit, the tree in preorder, the records by key; each block once.

    Each is hashed, and the records must be those that the tree links to. Raises ArchiveError.
    """
    yield head.cid, head.block
    root = parse_commit(head.block).data
    load = _loader(database, head)
    yield from iter_nodes(load, root)
    seen: set[bytes] = set()
    for item, row in zip_longest(iter_items(load, root), _rows(database, "block")):
        if item is None or row is None or item != row[:2]:
            raise ArchiveError("the records aren't those that the commit signs")
        path, cid = item
        if cid.raw not in seen:
            seen.add(cid.raw)
            yield cid, hashed(cid, row[2], path)


def _loader(database: sqlite3.Connection, head: Head) -> Callable[[Cid], bytes]:
    """Return what gives a node's block, also for tables without nodes."""
    if version_of(database) < VERSION:
        return _read_tree(database, head).nodes.__getitem__

    def load(cid: Cid) -> bytes:
        row = database.execute("SELECT block FROM node WHERE cid = ?", (cid.raw,)).fetchone()
        if row is None:
            raise MissingBlock(cid, "the tree")
        return hashed(cid, row[0], f"the node {cid}")

    return load


def upgrade(database: sqlite3.Connection) -> None:
    """Bring the tables of an earlier version to this one; the first edit fills in the nodes."""
    if version_of(database) < VERSION:
        for statement in UPGRADE:
            database.execute(statement)


def edit(database: sqlite3.Connection, head: Head, changes: Mapping[str, Cid | None]) -> Edited:
    """Return head's tree with the keys changed. Raises ArchiveError.

    Where nodes are missing or damaged, all are built again from the records, which must still be
    those that head signs: this comes before the records are changed.
    """
    root, load = parse_commit(head.block).data, _loader(database, head)
    try:
        return edit_tree(load, root, changes)
    except ArchiveError:
        tree = _read_tree(database, head)
    database.execute("DELETE FROM node")
    _add(database, tree.nodes)
    return edit_tree(load, root, changes)


def first_commit(
    database: sqlite3.Connection, did: Did, rev: str, key: ec.EllipticCurvePrivateKey
) -> Commit:
    """Sign the tree of no records and make that the head."""
    tree = build_tree([])
    return write_commit(database, did, rev, key, Edited(tree.root, tree.nodes, set()))


def write_commit(
    database: sqlite3.Connection,
    did: Did,
    rev: str,
    key: ec.EllipticCurvePrivateKey,
    edited: Edited,
) -> Commit:
    """Keep the edited tree instead of the one before, sign it and make that the head."""
    removed = sorted(cid.raw for cid in edited.removed)  # neighbours share pages
    database.executemany("DELETE FROM node WHERE cid = ?", ((raw,) for raw in removed))
    _add(database, edited.added)
    signed = sign_commit(did, rev=rev, data=edited.root, key=key)
    block = signed.encode()
    head = Head(Cid.of(block, DAG_CBOR), rev, block)
    database.execute("DELETE FROM head")
    database.execute("INSERT INTO head VALUES (?, ?)", (head.cid.raw, head.block))
    return head.commit


def _add(database: sqlite3.Connection, nodes: Mapping[Cid, bytes]) -> None:
    rows = sorted((cid.raw, block) for cid, block in nodes.items())
    database.executemany("INSERT INTO node VALUES (?, ?)", rows)
