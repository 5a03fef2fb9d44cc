"""The tables of repo.sqlite, transactions on them, and the current commit."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

from cryptography.hazmat.primitives.asymmetric import ec

from publisher.archive import ArchiveError, Tree, build_tree, parse_commit, sign_commit
from publisher.data import DAG_CBOR, Cid, InvalidCbor, InvalidCid, decode
from publisher.errors import RepoUnavailable
from publisher.repo import Commit, RemoteRecord
from publisher.syntax import Did, Nsid, Rkey, tid, tid_value

DATABASE = "repo.sqlite"
_PATIENCE = 10.0  # seconds to wait for another process's write
VERSION = 1
SCHEMA = (
    "CREATE TABLE head (cid BLOB NOT NULL, block BLOB NOT NULL)",
    "CREATE TABLE record (collection TEXT NOT NULL, rkey TEXT NOT NULL, cid BLOB NOT NULL,"
    " block BLOB NOT NULL, PRIMARY KEY (collection, rkey))",
    # the tree needs all keys and CIDs at each commit, and not the blocks between them
    "CREATE INDEX record_cid ON record (collection, rkey, cid)",
    "CREATE TABLE blob (cid BLOB PRIMARY KEY, mime_type TEXT NOT NULL, size INTEGER NOT NULL)",
    "CREATE TABLE record_blob (collection TEXT NOT NULL, rkey TEXT NOT NULL, cid BLOB NOT NULL,"
    " PRIMARY KEY (collection, rkey, cid)) WITHOUT ROWID",
    "CREATE INDEX record_blob_cid ON record_blob (cid)",
    f"PRAGMA user_version = {VERSION}",
)
_FAULTS = {
    sqlite3.SQLITE_BUSY: ("is in use by another process", "wait for it to end, then run again"),
    sqlite3.SQLITE_READONLY: ("can't be written", "make {path} and the files in it writable"),
    sqlite3.SQLITE_CANTOPEN: (
        "can't be opened or written",
        "make {path} and the files in it readable and writable",
    ),
    sqlite3.SQLITE_FULL: ("has no room left", "make room on the disk of {path}, then run again"),
    sqlite3.SQLITE_IOERR: ("can't be read or written", "check the disk of {path}"),
}


@dataclass(frozen=True, slots=True)
class Head:
    """The signed commit as it is stored."""

    cid: Cid
    rev: str
    block: bytes

    @property
    def commit(self) -> Commit:
        """The same for those who don't look into the block."""
        return Commit(str(self.cid), self.rev)


@contextmanager
def transaction(
    path: Path, kind: Literal["DEFERRED", "IMMEDIATE"], *, mode: Literal["rw", "rwc"] = "rw"
) -> Iterator[sqlite3.Connection]:
    """Run the body in a transaction, undone when it raises; faults become RepoUnavailable."""
    uri = f"{(path / DATABASE).absolute().as_uri()}?mode={mode}"
    try:
        with closing(_connect(uri)) as database:
            database.execute(f"BEGIN {kind}")
            yield database
            database.execute("COMMIT")
    except sqlite3.Error as error:
        raise _unavailable(path, error) from error
    except OSError as error:
        raise unwritable(path, error) from error
    except (InvalidCid, InvalidCbor, ArchiveError, UnicodeDecodeError) as error:
        raise _damaged(path, error) from error


def _connect(uri: str) -> sqlite3.Connection:
    database = sqlite3.connect(
        uri, uri=True, timeout=_PATIENCE, isolation_level=None, check_same_thread=False
    )
    # EXTRA is FULL and an fsync after the journal is deleted: a commit that was answered, whose
    # dropped blobs are then deleted, can't be undone by a power failure
    try:
        database.execute("PRAGMA synchronous = EXTRA")
    except sqlite3.Error:
        database.close()
        raise
    return database


def _unavailable(path: Path, error: sqlite3.Error) -> RepoUnavailable:
    code: int = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code not in _FAULTS:
        return _damaged(path, error)
    what, remedy = _FAULTS[code]
    return RepoUnavailable(f"{path} {what} ({error})", remedy=remedy.format(path=path))


def unwritable(path: Path, error: OSError) -> RepoUnavailable:
    """Return the error for a file or folder of the repo that can't be used."""
    return RepoUnavailable(
        f"{error.filename or path} can't be read or written ({error.strerror})",
        remedy=f"make {path} and the files in it readable and writable, with room on the disk",
    )


def _damaged(path: Path, error: Exception) -> RepoUnavailable:
    file = path / DATABASE
    return RepoUnavailable(f"{file} is damaged ({error})", remedy=f"restore {path} from a copy")


def has_database(path: Path) -> bool:
    """Tell whether the folder has a repo.sqlite, empty or not. Raises RepoUnavailable."""
    try:
        return (path / DATABASE).is_file()
    except OSError as error:
        raise unwritable(path, error) from error


def version_of(database: sqlite3.Connection) -> int:
    """Return the version of the tables: 0 where there are none yet."""
    version: int = database.execute("PRAGMA user_version").fetchone()[0]
    return version


def read_cids(rows: Iterable[tuple[object]]) -> set[Cid]:
    """Return the CIDs of rows of nothing else. Raises ArchiveError for damaged ones."""
    return {_cid(raw) for (raw,) in rows}


def read_head(database: sqlite3.Connection) -> Head:
    """Return the current commit, hashed. Raises ArchiveError."""
    row = database.execute("SELECT cid, block FROM head").fetchone()
    if row is None:
        raise ArchiveError("the commit is missing")
    cid = _cid(row[0])
    block = _hashed(cid, row[1], "the commit")
    return Head(cid, parse_commit(block).rev, block)


def _cid(raw: object) -> Cid:
    if not isinstance(raw, bytes):  # columns of a damaged file may hold anything
        raise ArchiveError("a CID is no bytes")
    return Cid.decode(raw)


def _hashed(cid: Cid, block: object, what: str) -> bytes:
    if not isinstance(block, bytes) or Cid.of(block, DAG_CBOR) != cid:
        raise ArchiveError(f"{what} is not what its CID says")
    return block


def read_tree(database: sqlite3.Connection, head: Head) -> tuple[list[tuple[str, Cid]], Tree]:
    """Return all keys with their CIDs, and their tree. Raises ArchiveError unless head signs it."""
    items = read_items(database)
    tree = build_tree(items)
    if tree.root != parse_commit(head.block).data:
        raise ArchiveError("the records aren't those that the commit signs")
    return items, tree


def read_records(
    database: sqlite3.Connection, collection: Nsid, tree: Iterable[tuple[str, Cid]]
) -> dict[Rkey, RemoteRecord]:
    """Return a collection's records, which must be those of the tree. Raises ArchiveError.

    SQLite takes the tree's items from an index, which in a damaged file may differ from the table.
    """
    prefix = f"{collection}/"
    cids = {path.removeprefix(prefix): cid for path, cid in tree if path.startswith(prefix)}
    query = "SELECT rkey, block FROM record WHERE collection = ? ORDER BY rkey"
    blocks = dict(database.execute(query, (collection,)).fetchall())
    if blocks.keys() != cids.keys():
        raise ArchiveError(f"the records of {collection} aren't those of the tree")
    return {
        Rkey(rkey): _record(collection, Rkey(rkey), cids[rkey], block)
        for rkey, block in blocks.items()
    }


def _record(collection: Nsid, rkey: Rkey, cid: Cid, block: object) -> RemoteRecord:
    value = decode(_hashed(cid, block, f"{collection}/{rkey}"))
    if not isinstance(value, dict):
        raise ArchiveError(f"{collection}/{rkey} is no object")
    return RemoteRecord(collection, rkey, str(cid), value)


def read_items(database: sqlite3.Connection) -> list[tuple[str, Cid]]:
    """Return all keys with their CIDs in the tree's order.

    Not that of (collection, rkey): 'a.b.cd/x' comes after 'a.b.c/x', but 'a.b.c.d/x' before it.
    """
    rows = database.execute("SELECT collection || '/' || rkey, cid FROM record")
    return sorted((str(path), _cid(raw)) for path, raw in rows)


def read_block(database: sqlite3.Connection, path: str, cid: Cid) -> bytes:
    """Return the block of the record at 'collection/rkey', hashed. Raises ArchiveError."""
    query = "SELECT block FROM record WHERE collection = ? AND rkey = ?"
    row = database.execute(query, path.split("/", 1)).fetchone()
    return _hashed(cid, row[0] if row else None, path)


def write_commit(
    database: sqlite3.Connection, did: Did, rev: str, key: ec.EllipticCurvePrivateKey
) -> Commit:
    """Sign the records as they stand now and make that the head."""
    tree = build_tree(read_items(database))
    signed = sign_commit(did, rev=rev, data=tree.root, key=key)
    block = signed.encode()
    head = Head(Cid.of(block, DAG_CBOR), rev, block)
    database.execute("DELETE FROM head")
    database.execute("INSERT INTO head VALUES (?, ?)", (head.cid.raw, head.block))
    return head.commit


def next_rev(previous: str, now: int, did: Did) -> str:
    """Return a TID above `previous`, of the time `now` unless the clock stands or runs back.

    The clock id is the repo's own, from its DID.
    """
    clock_id = int.from_bytes(sha256(did.encode()).digest()[:2]) & 1023
    value = max(now, 0) << 10 | clock_id
    return tid(max(value, tid_value(previous) + 1) if previous else value)
