"""The tables of repo.sqlite, transactions on them, the current commit and the records."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from itertools import zip_longest
from pathlib import Path
from typing import Literal, TypeAlias

from publisher.archive import ArchiveError, parse_commit
from publisher.data import DAG_CBOR, Cid, InvalidCbor, InvalidCid, Value, decode
from publisher.errors import RepoUnavailable
from publisher.repo import Commit, RemoteRecord
from publisher.spool import Spool
from publisher.syntax import Did, Nsid, Rkey, tid, tid_value

DATABASE = "repo.sqlite"
_PATIENCE = 10.0  # seconds to wait for another process's write
_TOGETHER = 1 << 18  # bytes of values that go to a spool at once
_CACHE = 65_536  # KiB of pages that a writer holds
VERSION = 2
READABLE = (1, VERSION)
_NODE_TABLE = "CREATE TABLE node (cid BLOB PRIMARY KEY, block BLOB NOT NULL) WITHOUT ROWID"
SCHEMA = (
    "CREATE TABLE head (cid BLOB NOT NULL, block BLOB NOT NULL)",
    "CREATE TABLE record (collection TEXT NOT NULL, rkey TEXT NOT NULL, cid BLOB NOT NULL,"
    " block BLOB NOT NULL, PRIMARY KEY (collection, rkey))",
    # a reader proves all keys and CIDs, and doesn't want the blocks between them
    "CREATE INDEX record_cid ON record (collection, rkey, cid)",
    "CREATE TABLE blob (cid BLOB PRIMARY KEY, mime_type TEXT NOT NULL, size INTEGER NOT NULL)",
    "CREATE TABLE record_blob (collection TEXT NOT NULL, rkey TEXT NOT NULL, cid BLOB NOT NULL,"
    " PRIMARY KEY (collection, rkey, cid)) WITHOUT ROWID",
    "CREATE INDEX record_blob_cid ON record_blob (cid)",
    _NODE_TABLE,  # of the current tree, and of no earlier one
    f"PRAGMA user_version = {VERSION}",
)
UPGRADE = (_NODE_TABLE, f"PRAGMA user_version = {VERSION}")  # from version 1
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


_Found: TypeAlias = tuple[Rkey, Cid, bytes, dict[str, Value]]


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
            if kind == "IMMEDIATE":
                # with less, a commit in a large repo writes its journal in many pieces
                database.execute(f"PRAGMA cache_size = -{_CACHE}")
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
    return {stored_cid(raw) for (raw,) in rows}


def read_head(database: sqlite3.Connection) -> Head:
    """Return the current commit, hashed. Raises ArchiveError."""
    row = database.execute("SELECT cid, block FROM head").fetchone()
    if row is None:
        raise ArchiveError("the commit is missing")
    cid = stored_cid(row[0])
    block = hashed(cid, row[1], "the commit")
    return Head(cid, parse_commit(block).rev, block)


def stored_cid(raw: object) -> Cid:
    """Return the CID of a column. Raises ArchiveError, InvalidCid."""
    if not isinstance(raw, bytes):  # columns of a damaged file may hold anything
        raise ArchiveError("a CID is no bytes")
    return Cid.decode(raw)


def hashed(cid: Cid, block: object, what: str) -> bytes:
    """Return the block when it is what its CID says. Raises ArchiveError."""
    if not isinstance(block, bytes) or Cid.of(block, DAG_CBOR) != cid:
        raise ArchiveError(f"{what} is not what its CID says")
    return block


def read_records(
    database: sqlite3.Connection, collection: Nsid, tree: Iterable[tuple[str, Cid]], spool: Spool
) -> dict[Rkey, RemoteRecord]:
    """Return a collection's records, which must be those of the tree. Raises ArchiveError.

    SQLite takes the tree's items from an index, which in a damaged file may differ from the table.
    The values go to the spool: the table may have others when somebody looks at them.
    """
    records: dict[Rkey, RemoteRecord] = {}
    for some in _together(_values(database, collection, tree)):
        stored = spool.put_all([(block, value, b"") for *_, block, value in some])
        for (rkey, cid, *_), value in zip(some, stored, strict=True):
            records[rkey] = RemoteRecord(collection, rkey, str(cid), value)
    return records


def _together(found: Iterable[_Found]) -> Iterator[list[_Found]]:
    some: list[_Found] = []
    size = 0
    for each in found:
        some.append(each)
        size += len(each[2])
        if size >= _TOGETHER:
            yield some
            some, size = [], 0
    if some:
        yield some


def _values(
    database: sqlite3.Connection, collection: Nsid, tree: Iterable[tuple[str, Cid]]
) -> Iterator[_Found]:
    prefix = f"{collection}/"
    wanted = ((path.removeprefix(prefix), cid) for path, cid in tree if path.startswith(prefix))
    query = "SELECT rkey, block FROM record WHERE collection = ? ORDER BY rkey"
    for item, row in zip_longest(wanted, database.execute(query, (collection,))):
        if item is None or row is None or item[0] != row[0]:
            raise ArchiveError(f"the records of {collection} aren't those of the tree")
        rkey, cid = item
        block = hashed(cid, row[1], f"{prefix}{rkey}")
        value = decode(block)
        if not isinstance(value, dict):
            raise ArchiveError(f"{prefix}{rkey} is no object")
        yield Rkey(rkey), cid, block, value


def next_rev(previous: str, now: int, did: Did) -> str:
    """Return a TID above `previous`, of the time `now` unless the clock stands or runs back.

    The clock id is the repo's own, from its DID.
    """
    clock_id = int.from_bytes(sha256(did.encode()).digest()[:2]) & 1023
    value = max(now, 0) << 10 | clock_id
    return tid(max(value, tid_value(previous) + 1) if previous else value)
