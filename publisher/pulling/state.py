"""What earlier pulls wrote into a folder: `pull.json` for people, `.pull.sqlite` for the next pull.

`pull.json` says whose repo it is, at which commit, and how far that was proven. The database has
each record's CID, file and blobs, and what each file was when it was written. It may be deleted:
then every file is read and compared again.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeAlias

from filelock import FileLock, Timeout

from publisher.archive import Items
from publisher.data import Cid
from publisher.errors import StateError
from publisher.files import write_atomically, writing
from publisher.pulling.manifest import DATABASE, MANIFEST
from publisher.repo import Commit
from publisher.syntax import Did

HOLD: Final = ".pull.lock"
_VERSION: Final = 2
_SCHEMA: Final = (
    "CREATE TABLE head (did TEXT NOT NULL, cid TEXT NOT NULL, rev TEXT NOT NULL,"
    " proof TEXT NOT NULL, scope TEXT NOT NULL, complete INTEGER NOT NULL, site TEXT NOT NULL)",
    # the bytes too: making them of 10,000 texts, or texts of them, takes longer than all the rest
    "CREATE TABLE record (key TEXT PRIMARY KEY, cid TEXT NOT NULL, raw BLOB NOT NULL)"
    " WITHOUT ROWID",
    "CREATE TABLE held (key TEXT PRIMARY KEY, paths TEXT NOT NULL, blobs TEXT NOT NULL,"
    " losses TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE file (path TEXT PRIMARY KEY, cid TEXT NOT NULL, size INTEGER NOT NULL,"
    " mtime INTEGER NOT NULL, digest BLOB NOT NULL) WITHOUT ROWID",
    f"PRAGMA user_version = {_VERSION}",
)

_KEYS: Final = {"file": "path", "held": "key"}
Proof = Literal["proven", "record proof", "listed"]


@dataclass(frozen=True, slots=True)
class Head:
    """The commit that a folder stands at.

    `scope` is what was asked for, as text; `site` that of documents whose files don't name it.
    `ended`: the pull came to its end, whatever it lacked; only `pull.json` has that.
    """

    commit: Commit
    proof: Proof
    scope: str
    complete: bool
    site: str = ""
    ended: bool = False


class File(NamedTuple):
    """A file as it was written: its CID, and what tells whether it was touched since."""

    cid: str
    size: int
    mtime: int
    digest: bytes

    def columns(self) -> tuple[object, ...]:
        """Return what the table has of it."""
        return self


class Held(NamedTuple):
    """The files of a record, the first its own, and those of its blobs with their CIDs.

    `losses` are what its own file doesn't say of the record.
    """

    paths: tuple[str, ...]
    blobs: tuple[tuple[str, str], ...]
    losses: tuple[str, ...] = ()

    def columns(self) -> tuple[object, ...]:
        """Return what the table has of it."""
        blobs = "\n".join(" ".join(pair) for pair in self.blobs)
        return "\n".join(self.paths), blobs, json.dumps(self.losses) if self.losses else ""


_Row: TypeAlias = File | Held


def _lines(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text)) if text else ()


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    """Return pairs of path and CID; neither has a space."""
    if not text:  # as most records have it
        return ()
    pairs = (line.partition(" ") for line in text.split("\n") if line)
    return tuple((path, cid) for path, _, cid in pairs)


@contextmanager
def one_pull(folder: Path, *, waits: bool) -> Iterator[None]:
    """Hold a folder for this thread; the hold dies with the process.

    Another pull at work there is waited for, or StateError is raised.
    """
    hold = FileLock(folder / HOLD, timeout=-1 if waits else 0)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            hold.acquire()
        except Timeout as error:
            raise StateError(
                f"another `publisher pull` is at work in {folder}",
                remedy="wait until it has ended",
            ) from error
    try:
        yield
    finally:
        hold.release()


class State:
    """The database of one folder, open. Raises StateError where the disk refuses."""

    def __init__(self, folder: Path, did: Did) -> None:
        self._folder = folder
        self._did = did
        self._path = folder / DATABASE
        self._database: sqlite3.Connection | None = None
        self.head: Head | None = None
        self.files: dict[str, File] = {}
        self.held: dict[str, Held] = {}
        if self._path.is_dir() and not self._path.is_symlink():
            raise StateError(f"{self._path} is a folder", remedy="remove it")
        if self._path.is_symlink():  # what it leads to isn't ours to write
            self._begin_anew()
        elif self._path.is_file():
            self._load()

    @property
    def folder(self) -> Path:
        """The folder that it is the state of."""
        return self._folder

    def records(self) -> tuple[Items, dict[bytes, str]]:
        """Return all records of the repo, and their CIDs as text by their bytes. Raises StateError.

        Keys are ordered by their bytes, which SQLite does by default.
        """
        items, texts = Items(), dict[bytes, str]()
        with self._named(sqlite3.Error):
            rows = self._connection().execute("SELECT key, cid, raw FROM record ORDER BY key")
            for key, text, raw in rows:
                items.append(key.encode(), raw)
                texts[raw] = text
        return items, texts

    def begin(self, head: Head) -> None:
        """Say in `pull.json` what is being written, before the first file is."""
        self._describe(head, {})

    def save(
        self,
        head: Head,
        records: Mapping[str, str] | None,
        files: Mapping[str, File],
        held: Mapping[str, Held],
    ) -> None:
        """Remember what the folder holds now; `records` are those of the whole repo, if known."""
        with self._writing() as database:
            self._change(database, "file", self.files, files)
            self._change(database, "held", self.held, held)
            if records is not None:
                self._move(database, records)
            database.execute("DELETE FROM head")
            database.execute(
                "INSERT INTO head VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    *(self._did, head.commit.cid, head.commit.rev),
                    *(head.proof, head.scope, head.complete, head.site),
                ),
            )
        self.head, self.files, self.held = head, dict(files), dict(held)
        self._describe(head, files)

    def close(self) -> None:
        """Close the database."""
        if self._database:
            self._database.close()
            self._database = None

    def _load(self) -> None:
        try:
            database = self._connection()
            if database.execute("PRAGMA user_version").fetchone() != (_VERSION,):
                raise sqlite3.DatabaseError("it is of another version")
            rows = database.execute("SELECT * FROM head").fetchall()
            if not rows or rows[0][0] != self._did:
                raise sqlite3.DatabaseError("it is that of another repo")
            _, cid, rev, proof, scope, complete, site = rows[0]
            self.head = Head(Commit(cid, rev), proof, scope, bool(complete), site)
            self.files = {
                row[0]: File._make(row[1:]) for row in database.execute("SELECT * FROM file")
            }
            self.held = {
                key: Held(tuple(paths.split("\n")), _pairs(blobs), _lines(told))
                for key, paths, blobs, told in database.execute("SELECT * FROM held")
            }
        except (sqlite3.Error, ValueError, TypeError):
            self._begin_anew()

    def _begin_anew(self) -> None:
        self.close()
        self.head, self.files, self.held = None, {}, {}
        with self._named(OSError):
            for suffix in ("", "-journal"):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)

    def _connection(self) -> sqlite3.Connection:
        if self._database is None:
            database = sqlite3.connect(self._path, isolation_level=None)
            try:
                database.execute("BEGIN IMMEDIATE")
                if not database.execute("SELECT 1 FROM sqlite_master").fetchone():
                    for statement in _SCHEMA:
                        database.execute(statement)
                database.execute("COMMIT")
            except BaseException:
                database.close()
                raise
            self._database = database
        return self._database

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._named(sqlite3.Error):
            database = self._connection()
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
                database.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    database.execute("ROLLBACK")
                raise

    @contextmanager
    def _named(self, kind: type[Exception]) -> Iterator[None]:
        try:
            yield
        except kind as error:
            raise StateError(
                f"{self._path}: {error}", remedy="make the folder writable, or free some space"
            ) from error

    def _change(
        self,
        database: sqlite3.Connection,
        table: str,
        before: Mapping[str, _Row],
        after: Mapping[str, _Row],
    ) -> None:
        """Bring a table from one state to the other; the first column is its key."""
        gone = [(key,) for key in before.keys() - after.keys()]
        new = [
            (key, *row.columns())
            for key, row in after.items()
            if (old := before.get(key)) is not row and old != row
        ]
        name = _KEYS[table]
        database.executemany(f"DELETE FROM {table} WHERE {name} = ?", gone)  # noqa: S608  # ours
        if new:
            marks = ", ".join("?" * len(new[0]))
            database.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", new)  # noqa: S608

    def _move(self, database: sqlite3.Connection, records: Mapping[str, str]) -> None:
        before = dict(database.execute("SELECT key, cid FROM record").fetchall())
        gone = [(key,) for key in before.keys() - records.keys()]
        new = [
            (key, cid, Cid.parse(cid).raw) for key, cid in records.items() if before.get(key) != cid
        ]
        database.executemany("DELETE FROM record WHERE key = ?", gone)
        database.executemany("INSERT OR REPLACE INTO record VALUES (?, ?, ?)", new)

    def _describe(self, head: Head, files: Iterable[str]) -> None:
        """Write `pull.json`, if that changes it."""
        names = list(files)
        blobs = sum(name.startswith("blobs/") for name in names)
        manifest = {
            "version": 2,
            "did": self._did,
            "rev": head.commit.rev,
            "commit": head.commit.cid,
            "proof": head.proof,
            "complete": head.complete,
            "ended": head.ended,
            "files": {"records": len(names) - blobs, "blobs": blobs},
        }
        text = json.dumps(manifest, indent=2) + "\n"
        path = self._folder / MANIFEST
        if not path.exists() or path.read_text("utf-8", "replace") != text:
            write_atomically(path, text.encode())
