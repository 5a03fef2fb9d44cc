"""What a repo held when it was read last, kept in SQLite: at the same commit it needn't be read.

In `.publisher/mirror.sqlite`, or in a temporary file. It is consistent after a power failure, may
be deleted at any time, and is nobody's only copy of anything.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from publisher.data import DAG_CBOR, Cid, InvalidCbor, Value, decode
from publisher.errors import StateError
from publisher.files import writing
from publisher.repo import Applied, Commit, DeleteWrite, RemoteRecord, Snapshot, Write
from publisher.spool import StoredValue, block_of
from publisher.syntax import Did, Nsid, Rkey

_VERSION: Final = 1
# Blocks are kept by CID and apart from the places: a value that somebody holds is still there
# when its record was replaced. What no record needs goes with the first write of the next run.
_SCHEMA: Final = (
    "CREATE TABLE head (did TEXT NOT NULL, cid TEXT, rev TEXT)",
    "CREATE TABLE collection (name TEXT PRIMARY KEY) WITHOUT ROWID",
    "CREATE TABLE record (collection TEXT NOT NULL, rkey TEXT NOT NULL, cid TEXT NOT NULL,"
    " unreadable TEXT NOT NULL, PRIMARY KEY (collection, rkey)) WITHOUT ROWID",
    "CREATE TABLE block (cid TEXT PRIMARY KEY, content BLOB NOT NULL)",
    "CREATE TABLE edge (content BLOB NOT NULL)",
    f"PRAGMA user_version = {_VERSION}",
)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """A record's CID, and why its value can't be read, where it can't."""

    cid: str
    unreadable: str = ""


Place: TypeAlias = tuple[Nsid, Rkey]


class Mirror:
    """The records of some collections at one commit; thread-safe.

    It is open as long as somebody holds it or a value that it gave. Its methods raise StateError
    where the file is damaged (`begin_anew` helps) or the disk is full.
    """

    def __init__(self, path: Path | None, did: Did) -> None:
        self._path = path
        self._did = did
        self._lock = threading.RLock()
        self._later = ThreadPoolExecutor(1, thread_name_prefix="mirror")
        self._pending: Future[None] | None = None
        self._swept = False
        self._use(_open(path, did))

    @classmethod
    def open(cls, path: Path | None, did: Did) -> Mirror:
        """Open the mirror of a repo; without a path, an empty one in a temporary file.

        A file of another repo or version, or a damaged one, is begun anew. Where none can be kept
        (a folder that can't be written), the mirror is temporary.
        """
        return cls(path, did)

    def begin_anew(self) -> None:
        """Forget everything, the values that it gave too."""
        with self._lock:
            self._let_go()
            if self._path:
                _delete(self._path)
            self._use(_open(self._path, self._did))

    @property
    def commit(self) -> Commit | None:
        """The commit that it stands at; None while it is empty."""
        with self._reading():
            return self._head()

    @property
    def collections(self) -> frozenset[Nsid]:
        """The collections that it holds all records of."""
        with self._reading():
            return self._complete()

    @property
    def entries(self) -> dict[Place, Entry]:
        """Every record of these collections."""
        with self._reading():
            rows = self._database.execute("SELECT collection, rkey, cid, unreadable FROM record")
            return {(Nsid(c), Rkey(r)): Entry(cid, reason) for c, r, cid, reason in rows}

    @property
    def edges(self) -> dict[Cid, bytes]:
        """The nodes of the tree at these collections' edges, as far as they are known."""
        with self._reading():
            rows = self._database.execute("SELECT content FROM edge")
            return {Cid.of(content, DAG_CBOR): content for (content,) in rows}

    def snapshot(self, collections: Sequence[Nsid]) -> Snapshot | None:
        """Return what the collections hold, or None where it isn't known.

        Values are read, and their hashes checked, when they are looked at.
        """
        with self._reading():
            commit = self._head()
            if commit is None or not self._complete().issuperset(collections):
                return None
            unreadable: dict[Place, str] = {}
            records = {name: self._records(name, unreadable) for name in collections}
            return Snapshot(commit, records, unreadable)

    def block(self, cid: str) -> bytes | None:
        """Return a record's block, hashed; None where it isn't held."""
        with self._lock, self._named():
            rows = self._database.execute("SELECT content FROM block WHERE cid = ?", (cid,))
            block: bytes | None = next((content for (content,) in rows), None)
        if block is not None and str(Cid.of(block, DAG_CBOR)) != cid:
            raise self._damaged(f"the block {cid} is another")
        return block

    def keep(self, blocks: Iterable[tuple[str, bytes]]) -> None:
        """Keep records' blocks by CID, before `replace` or `advance` says whose they are."""
        with self._writing():
            self._keep(blocks)

    def stored(self, cid: str, value: Mapping[str, Value] | None = None) -> StoredValue:
        """Return the value of a block that is kept; `value` is what it holds, where known."""
        return StoredValue(_Stored(self, cid), value)

    def load(self, cid: str) -> dict[str, Value]:
        """Return the value of a block that is kept."""
        block = self.block(cid)
        if block is None:
            raise self._damaged(f"the block {cid} is missing")
        try:
            value = decode(block)
        except InvalidCbor as error:
            raise self._damaged(f"the block {cid} is no DAG-CBOR: {error}") from error
        if not isinstance(value, dict):
            raise self._damaged(f"the block {cid} is no record")
        return value

    def replace(
        self,
        commit: Commit,
        collections: Iterable[Nsid],
        entries: Mapping[Place, Entry],
        edges: Mapping[Cid, bytes],
    ) -> None:
        """Forget everything for what was read whole."""
        with self._writing():
            self._database.execute("DELETE FROM record")
            self._database.execute("DELETE FROM collection")
            names = [(name,) for name in collections]
            self._database.executemany("INSERT INTO collection VALUES (?)", names)
            self._move(commit, entries, ())
            self._bound(edges)

    def advance(
        self,
        commit: Commit,
        changed: Mapping[Place, Entry],
        removed: Iterable[Place],
        edges: Mapping[Cid, bytes],
    ) -> None:
        """Take over what has changed since the commit that it stands at."""
        with self._writing():
            self._move(commit, changed, removed)
            self._bound(edges)

    def applied(self, before: str, writes: Sequence[Write], applied: Applied) -> None:
        """Take over a batch of ours, in another thread, if it stands at the commit `before`.

        Else it stays as it is, and the next reading brings it up to date.
        """
        self._pending = self._later.submit(self._take_over, before, writes, applied)

    def close(self) -> None:
        """Wait until everything is taken over. Values can still be looked at."""
        self._later.shutdown()

    def _records(self, collection: Nsid, unreadable: dict[Place, str]) -> dict[Rkey, RemoteRecord]:
        query = "SELECT rkey, cid, unreadable FROM record WHERE collection = ?"
        records: dict[Rkey, RemoteRecord] = {}
        for rkey, cid, reason in self._database.execute(query, (collection,)):
            if reason:
                unreadable[collection, rkey] = reason
            else:
                records[rkey] = RemoteRecord(collection, rkey, cid, self.stored(cid))
        return records

    def _head(self) -> Commit | None:
        cid, rev = self._database.execute("SELECT cid, rev FROM head").fetchone()
        return Commit(cid, rev) if cid else None

    def _complete(self) -> frozenset[Nsid]:
        rows = self._database.execute("SELECT name FROM collection")
        return frozenset(Nsid(name) for (name,) in rows)

    def _keep(self, blocks: Iterable[tuple[str, bytes]]) -> None:
        self._database.executemany("INSERT OR IGNORE INTO block VALUES (?, ?)", blocks)

    def _move(
        self, commit: Commit, changed: Mapping[Place, Entry], removed: Iterable[Place]
    ) -> None:
        query = "DELETE FROM record WHERE collection = ? AND rkey = ?"
        self._database.executemany(query, removed)
        rows = ((*place, entry.cid, entry.unreadable) for place, entry in changed.items())
        self._database.executemany("INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?)", rows)
        self._database.execute("UPDATE head SET cid = ?, rev = ?", (commit.cid, commit.rev))

    def _bound(self, edges: Mapping[Cid, bytes]) -> None:
        self._database.execute("DELETE FROM edge")
        rows = ((block,) for block in edges.values())
        self._database.executemany("INSERT INTO edge VALUES (?)", rows)

    def _take_over(self, before: str, writes: Sequence[Write], applied: Applied) -> None:
        blocks = {
            (write.collection, write.rkey): block_of(write.value)
            for write in writes
            if not isinstance(write, DeleteWrite)
        }
        changed = {place: Entry(str(Cid.of(block, DAG_CBOR))) for place, block in blocks.items()}
        if [entry.cid for entry in changed.values()] != [cid for cid in applied.cids if cid]:
            return  # the server holds other values than these
        removed = [(w.collection, w.rkey) for w in writes if isinstance(w, DeleteWrite)]
        try:
            with self._writing():
                head, held = self._head(), self._complete()
                if head is None or head.cid != before:
                    return
                changed = {place: entry for place, entry in changed.items() if place[0] in held}
                self._keep((entry.cid, blocks[place]) for place, entry in changed.items())
                self._move(applied.commit, changed, removed)
        except StateError as error:
            _log.info("%s", error.message)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        if self._pending:
            self._pending.result()
        with self._lock, self._named():
            yield

    @contextmanager
    def _writing(self) -> Iterator[None]:
        disk = writing(self._path) if self._path else nullcontext()
        with self._lock, self._named(), disk:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                self._sweep()
                yield
                self._database.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._database.execute("ROLLBACK")
                raise

    def _sweep(self) -> None:
        if not self._swept:
            query = "DELETE FROM block WHERE cid NOT IN (SELECT cid FROM record)"
            self._database.execute(query)
            self._swept = True

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._damaged(str(error)) from error

    def _damaged(self, reason: str) -> StateError:
        name = self._path or "a temporary file of SQLite"
        return StateError(
            f"{name} can't be read or written ({reason})",
            remedy=f"free some space, or delete {name}: it is made again",
        )

    def _use(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._let_go = weakref.finalize(self, database.close)
        self._swept = False


@dataclass(frozen=True, slots=True)
class _Stored:
    """Reads a value from a mirror."""

    mirror: Mirror
    cid: str

    def __call__(self) -> dict[str, Value]:
        return self.mirror.load(self.cid)


def _open(path: Path | None, did: Did) -> sqlite3.Connection:
    """Return a database with our tables: that of the path, a new one there, or a temporary one."""
    if path:
        for _ in range(2):
            try:
                return _connect(str(path), did)
            except sqlite3.OperationalError as error:
                _log.info("%s: %s; a temporary file is used", path, error)
                break
            except sqlite3.DatabaseError as error:
                _log.info("%s: %s; it is begun anew", path, error)
                _delete(path)
    return _connect("", did)


def _connect(name: str, did: Did) -> sqlite3.Connection:
    """Raises sqlite3.OperationalError where it can't be written, DatabaseError if it isn't ours."""
    database = sqlite3.connect(name, isolation_level=None, check_same_thread=False)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("BEGIN IMMEDIATE")
        if not database.execute("SELECT 1 FROM sqlite_master").fetchone():
            for statement in _SCHEMA:
                database.execute(statement)
            database.execute("INSERT INTO head VALUES (?, NULL, NULL)", (did,))
        database.execute("COMMIT")
        _check(database, did)
    except BaseException:
        database.close()
        raise
    return database


def _check(database: sqlite3.Connection, did: Did) -> None:
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version != _VERSION:
        raise sqlite3.DatabaseError(f"it is of version {version}")
    if database.execute("SELECT did FROM head").fetchall() != [(did,)]:
        raise sqlite3.DatabaseError("it is that of another repo")


def _delete(path: Path) -> None:
    with suppress(OSError):
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
