"""A repo in a folder: signed commits, blobs and compare-and-swap without a server.

    repo.sqlite     the records, the signed commit, which blobs there are
    blobs/<cid>     the blobs' bytes
    signing.key     the private key (K-256, PEM, mode 0600); its did:key is the repo's DID
    .gitignore      keeps the key out of version control

SQLite runs with its default rollback journal rather than a write-ahead log: at rest the repo is
these files and no others, so it can be copied or read from a read-only disk, and reading writes
nothing (save for undoing what a killed process left half done). Every operation opens its own
connection, so that threads and processes may share a repo.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import Final, Literal

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from publisher import repo
from publisher.archive import (
    ArchiveError,
    SignedCommit,
    build_tree,
    did_key,
    parse_commit,
    sign_commit,
    write_car,
)
from publisher.data import (
    DAG_CBOR,
    RAW,
    Cid,
    InvalidCbor,
    InvalidCid,
    Value,
    check,
    decode,
    encode,
    to_plain,
)
from publisher.errors import RepoRefused, RepoUnavailable, SwapRefused
from publisher.findings import has_errors
from publisher.repo import (
    Applied,
    Commit,
    CreateWrite,
    DeleteWrite,
    RemoteRecord,
    Snapshot,
    Write,
)
from publisher.syntax import Did, Nsid, Rkey, tid, tid_value
from publisher.syntax import check as check_syntax

MAX_WRITES: Final = 200
MAX_BYTES: Final = 1_000_000  # of JSON; both limits are those of the reference PDS

_DATABASE = "repo.sqlite"
_KEY = "signing.key"
_BLOBS = "blobs"
_ENVELOPE = 512  # bytes of a request around its writes
_PATIENCE = 10.0  # seconds to wait for another process's write
_VERSION = 1
_SCHEMA = (
    "CREATE TABLE head (cid BLOB NOT NULL, rev TEXT NOT NULL, block BLOB NOT NULL)",
    "CREATE TABLE record (collection TEXT NOT NULL, rkey TEXT NOT NULL, cid BLOB NOT NULL,"
    " block BLOB NOT NULL, PRIMARY KEY (collection, rkey))",
    # the tree needs all keys and CIDs at each commit, and not the blocks between them
    "CREATE INDEX record_cid ON record (collection, rkey, cid)",
    "CREATE TABLE blob (cid BLOB PRIMARY KEY, mime_type TEXT NOT NULL, size INTEGER NOT NULL)",
    "CREATE TABLE record_blob (collection TEXT NOT NULL, rkey TEXT NOT NULL, cid BLOB NOT NULL,"
    " PRIMARY KEY (collection, rkey, cid)) WITHOUT ROWID",
    "CREATE INDEX record_blob_cid ON record_blob (cid)",
    f"PRAGMA user_version = {_VERSION}",
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

_log = logging.getLogger(__name__)


def microseconds() -> int:
    """Return the time of the system's clock, in microseconds since 1970."""
    return time.time_ns() // 1000


class FolderRepo:
    """The repo in the folder `path`. Made by `open`, `create` or `open_or_create`."""

    def __init__(self, path: Path, did: Did, clock: Callable[[], int]) -> None:
        self._path = path
        self._did = did
        self._clock = clock

    @classmethod
    def open(cls, path: Path, *, clock: Callable[[], int] = microseconds) -> FolderRepo:
        """Open the repo that the folder holds; the signing key is needed only by `apply`.

        `clock` gives microseconds since 1970, for the revs. Raises RepoUnavailable.
        """
        if not _has_database(path):
            raise RepoUnavailable(
                f"{path} holds no repo",
                remedy=f"check the path {path}: a repo in a folder has a file {_DATABASE}",
            )
        with _transaction(path, "DEFERRED") as database:
            if _version(database) != _VERSION:
                raise RepoUnavailable(
                    f"{path / _DATABASE} is no repo that this version reads",
                    remedy=f"check the path {path}, or use the version that made it",
                )
            return cls(path, parse_commit(_head(database).block).did, clock)

    @classmethod
    def create(cls, path: Path, *, clock: Callable[[], int] = microseconds) -> FolderRepo:
        """Make an empty repo with a new key in the folder, and the folder if there is none.

        A creation that was cut short is finished. Raises RepoUnavailable, also when the folder
        holds a repo already.
        """
        try:
            (path / _BLOBS).mkdir(parents=True, exist_ok=True)
            _ignore_key(path)
        except OSError as error:
            raise _unwritable(path, error) from error
        with _transaction(path, "IMMEDIATE", mode="rwc") as database:
            if _version(database):
                raise RepoUnavailable(
                    f"{path} holds a repo already", remedy=f"open {path}, or name another folder"
                )
            for statement in _SCHEMA:
                database.execute(statement)
            key = _make_key(path)
            did = did_key(key.public_key())
            _commit(database, did, _next_rev("", clock(), did), key)
        return cls(path, did, clock)

    @classmethod
    def open_or_create(cls, path: Path, *, clock: Callable[[], int] = microseconds) -> FolderRepo:
        """Open the folder's repo, or make an empty one where there is none."""
        if not _has_database(path):
            return cls.create(path, clock=clock)
        with _transaction(path, "DEFERRED") as database:
            version = _version(database)  # 0 where a creation was cut short
        return (cls.open if version else cls.create)(path, clock=clock)

    @property
    def did(self) -> Did:
        """The did:key of the signing key."""
        return self._did

    @property
    def name(self) -> str:
        """The folder, as it was given."""
        return str(self._path)

    def collections(self) -> list[Nsid]:
        """Return the collections that hold records, sorted."""
        with self._reading() as database:
            rows = database.execute("SELECT DISTINCT collection FROM record ORDER BY collection")
            return [Nsid(collection) for (collection,) in rows]

    def head(self) -> Commit:
        """Return the current commit."""
        with self._reading() as database:
            return _head(database).commit

    def read(self, collections: Sequence[Nsid]) -> Snapshot:
        """Return all records of the collections at the current commit, each block hashed."""
        with self._reading() as database:
            records = {
                collection: {record.rkey: record for record in _records(database, collection)}
                for collection in collections
            }
            return Snapshot(_head(database).commit, records)

    def blobs(self) -> set[str]:
        """Return the CIDs of the blobs that records refer to."""
        with self._reading() as database:
            rows = database.execute("SELECT DISTINCT cid FROM record_blob")
            return {str(Cid.decode(raw)) for (raw,) in rows}

    def fetch_blob(self, cid: str) -> bytes:
        """Return a blob's bytes, hashed. Raises RepoRefused when no record refers to it."""
        if cid not in self.blobs():
            raise RepoRefused(f"no record in {self.name} refers to {cid}", name="BlobNotFound")
        content = self._blob_content(Cid.parse(cid))
        if content is None:
            file = self._path / _BLOBS / cid
            raise RepoUnavailable(
                f"{file} is missing or damaged",
                remedy=f"restore {file} from a copy, or upload the blob again",
            )
        return content

    def upload_blob(self, content: bytes, mime_type: str) -> None:
        """Keep a blob for records to refer to; until one does, it can't be fetched.

        The type is taken as declared. Later uploads change it only while no record refers to it.
        """
        cid = Cid.of(content, RAW)
        with self._writing() as database:
            if self._blob_content(cid) is None:
                self._store_blob(cid, content)
            database.execute(
                "INSERT INTO blob VALUES (?1, ?2, ?3)"
                " ON CONFLICT (cid) DO UPDATE SET mime_type = ?2"
                " WHERE NOT EXISTS (SELECT 1 FROM record_blob WHERE cid = ?1)",
                (cid.raw, mime_type, len(content)),
            )

    def apply(self, writes: Sequence[Write], *, swap_commit: str) -> Applied:
        """Apply all of the writes in one signed commit, or none.

        Raises SwapRefused when `swap_commit` isn't the head or a record isn't the one to be
        replaced, RepoRefused for what the repo won't take, RepoUnavailable without the key.
        """
        self._check_size(writes)
        prepared = [_prepare(write) for write in writes]
        key = self._signing_key()
        with self._writing() as database:
            head = _head(database).commit
            if head.cid != swap_commit:
                raise SwapRefused(
                    f"{self.name} is at commit {head.cid}, not at {swap_commit}",
                    name="InvalidSwap",
                    remedy="read the repo again",
                )
            released = set(chain.from_iterable(_write(database, item) for item in prepared))
            dropped = _drop_blobs(database, released)
            rev = _next_rev(head.rev, self._clock(), self._did)
            commit = _commit(database, self._did, rev, key)
        if dropped:
            self._sweep()
        return Applied(commit, [str(item.cid) if item.cid else None for item in prepared])

    def batches(self, writes: Sequence[Write]) -> Iterator[Sequence[Write]]:
        """Cut writes into runs of at most 200, and 1,000,000 bytes of JSON."""
        sizes = [_size(write) for write in writes]
        room = MAX_BYTES - _ENVELOPE
        return repo.batches(writes, sizes, max_writes=MAX_WRITES, max_bytes=room)

    def car(self) -> Iterator[bytes]:
        """Yield the whole repo as a CAR: the commit, the tree in preorder, the records by key.

        All of it is of one commit: until the last piece is taken, writes to the repo wait.
        """
        with self._reading() as database:
            head = _head(database)
            items = _items(database)
            tree = build_tree(items)
            if tree.root != parse_commit(head.block).data:
                raise ArchiveError("the records aren't those of the commit")
            places = {cid: path for path, cid in items}  # each block once
            records = ((cid, _block(database, path, cid)) for cid, path in places.items())
            blocks = chain([(head.cid, head.block)], tree.nodes.items(), records)
            yield from write_car(head.cid, blocks)

    def close(self) -> None:
        """Do nothing: no connection outlives its operation."""

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with _transaction(self._path, "DEFERRED") as database:
            yield database

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with _transaction(self._path, "IMMEDIATE") as database:
            yield database

    def _check_size(self, writes: Sequence[Write]) -> None:
        if len(writes) > MAX_WRITES:
            raise RepoRefused(
                f"{len(writes)} writes are beyond the limit of {MAX_WRITES}", name="InvalidRequest"
            )
        size = _ENVELOPE + sum(_size(write) for write in writes)
        if size > MAX_BYTES:
            raise RepoRefused(
                f"writes of {size} bytes are beyond the limit of {MAX_BYTES}",
                name="PayloadTooLarge",
                remedy="make the largest record smaller",
            )

    def _signing_key(self) -> ec.EllipticCurvePrivateKey:
        key = _load_key(self._path)
        if did_key(key.public_key()) != self._did:
            file = self._path / _KEY
            raise RepoUnavailable(
                f"{file} is not the key of {self._did}", remedy=f"restore {file} from a copy"
            )
        return key

    def _blob_content(self, cid: Cid) -> bytes | None:
        """Return the bytes that are kept, or None when they are missing or damaged."""
        try:
            content = (self._path / _BLOBS / str(cid)).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unwritable(self._path, error) from error
        return content if Cid.of(content, RAW) == cid else None

    def _store_blob(self, cid: Cid, content: bytes) -> None:
        """Write a blob's file. Only under the write lock, so `_sweep` never meets a half one."""
        folder = self._path / _BLOBS
        folder.mkdir(exist_ok=True)  # git keeps no empty folders
        temporary = folder / f"{cid}.tmp"
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(folder / str(cid))
        _sync_folder(folder)

    def _sweep(self) -> None:
        """Delete the files of blobs that are gone, and what killed processes left behind.

        The commit stands already, so a failure here is only logged; the next sweep makes it good.
        """
        try:
            with self._writing() as database:
                rows = database.execute("SELECT cid FROM blob")
                kept = {str(Cid.decode(raw)) for (raw,) in rows}
                for file in (self._path / _BLOBS).iterdir():
                    if file.name not in kept:
                        file.unlink()
        except RepoUnavailable as error:
            _log.warning("files of deleted blobs stay in %s: %s", self.name, error)


@dataclass(frozen=True, slots=True)
class _Head:
    cid: Cid
    rev: str
    block: bytes

    @property
    def commit(self) -> Commit:
        return Commit(str(self.cid), self.rev)


@dataclass(frozen=True, slots=True)
class _Blob:
    cid: Cid
    mime_type: str
    size: int


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A write that was checked; `cid` is None for a delete."""

    write: Write
    cid: Cid | None
    block: bytes
    blobs: Sequence[_Blob]

    @property
    def place(self) -> tuple[str, str]:
        return self.write.collection, self.write.rkey

    def __str__(self) -> str:
        return "/".join(self.place)


@contextmanager
def _transaction(
    path: Path, kind: Literal["DEFERRED", "IMMEDIATE"], *, mode: Literal["rw", "rwc"] = "rw"
) -> Iterator[sqlite3.Connection]:
    """Run the body in a transaction, undone when it raises; faults become RepoUnavailable."""
    uri = f"{(path / _DATABASE).absolute().as_uri()}?mode={mode}"
    try:
        with closing(_connect(uri)) as database:
            database.execute(f"BEGIN {kind}")
            yield database
            database.execute("COMMIT")
    except sqlite3.Error as error:
        raise _unavailable(path, error) from error
    except OSError as error:
        raise _unwritable(path, error) from error
    except (InvalidCid, InvalidCbor, ArchiveError) as error:
        raise _damaged(path, error) from error


def _connect(uri: str) -> sqlite3.Connection:
    database = sqlite3.connect(
        uri, uri=True, timeout=_PATIENCE, isolation_level=None, check_same_thread=False
    )
    # EXTRA is FULL and an fsync after the journal is deleted: a commit that was answered, whose
    # dropped blobs are then deleted, can't be undone by a power failure
    database.execute("PRAGMA synchronous = EXTRA")
    return database


def _unavailable(path: Path, error: sqlite3.Error) -> RepoUnavailable:
    code: int = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code not in _FAULTS:
        return _damaged(path, error)
    what, remedy = _FAULTS[code]
    return RepoUnavailable(f"{path} {what} ({error})", remedy=remedy.format(path=path))


def _unwritable(path: Path, error: OSError) -> RepoUnavailable:
    return RepoUnavailable(
        f"{error.filename or path} can't be read or written ({error.strerror})",
        remedy=f"make {path} and the files in it readable and writable, with room on the disk",
    )


def _damaged(path: Path, error: Exception) -> RepoUnavailable:
    file = path / _DATABASE
    return RepoUnavailable(f"{file} is damaged ({error})", remedy=f"restore {path} from a copy")


def _has_database(path: Path) -> bool:
    try:
        return (path / _DATABASE).is_file()
    except OSError as error:
        raise _unwritable(path, error) from error


def _version(database: sqlite3.Connection) -> int:
    version: int = database.execute("PRAGMA user_version").fetchone()[0]
    return version


def _head(database: sqlite3.Connection) -> _Head:
    row = database.execute("SELECT cid, rev, block FROM head").fetchone()
    if row is None:
        raise ArchiveError("the commit is missing")
    raw, rev, block = row
    return _Head(_matching(raw, block, "the commit"), rev, block)


def _matching(raw: bytes, block: bytes, what: str) -> Cid:
    cid = Cid.decode(raw)
    if Cid.of(block, DAG_CBOR) != cid:
        raise ArchiveError(f"{what} is not what its CID says")
    return cid


def _records(database: sqlite3.Connection, collection: Nsid) -> Iterator[RemoteRecord]:
    rows = database.execute(
        "SELECT rkey, cid, block FROM record WHERE collection = ? ORDER BY rkey", (collection,)
    )
    for rkey, raw, block in rows:
        cid = _matching(raw, block, f"{collection}/{rkey}")
        value = decode(block)
        if not isinstance(value, dict):
            raise ArchiveError(f"{collection}/{rkey} is no object")
        yield RemoteRecord(collection, Rkey(rkey), str(cid), value)


def _items(database: sqlite3.Connection) -> list[tuple[str, Cid]]:
    """Return all keys with their CIDs in the tree's order.

    Not that of (collection, rkey): 'a.b.cd/x' comes after 'a.b.c/x', but 'a.b.c.d/x' before it.
    """
    rows = database.execute("SELECT collection || '/' || rkey, cid FROM record")
    return sorted((path, Cid.decode(raw)) for path, raw in rows)


def _block(database: sqlite3.Connection, path: str, cid: Cid) -> bytes:
    place = path.split("/")
    query = "SELECT block FROM record WHERE collection = ? AND rkey = ?"
    block: bytes = database.execute(query, place).fetchone()[0]
    _matching(cid.raw, block, path)
    return block


def _commit(
    database: sqlite3.Connection, did: Did, rev: str, key: ec.EllipticCurvePrivateKey
) -> Commit:
    """Sign the records as they stand now and make that the head."""
    tree = build_tree(_items(database))
    signed: SignedCommit = sign_commit(did, rev=rev, data=tree.root, key=key)
    block = signed.encode()
    head = _Head(Cid.of(block, DAG_CBOR), rev, block)
    database.execute("DELETE FROM head")
    database.execute("INSERT INTO head VALUES (?, ?, ?)", (head.cid.raw, head.rev, head.block))
    return head.commit


def _next_rev(previous: str, now: int, did: Did) -> str:
    """Return a TID above `previous`, of the time `now` unless the clock stands or runs back.

    The clock id is the repo's own, from its DID.
    """
    clock_id = int.from_bytes(sha256(did.encode()).digest()[:2]) & 1023
    value = max(now, 0) << 10 | clock_id
    return tid(max(value, tid_value(previous) + 1) if previous else value)


def _prepare(write: Write) -> _Prepared:
    """Check a write for what doesn't depend on the repo's state, and encode its record."""
    target = f"{write.collection}/{write.rkey}"
    if reason := check_syntax("nsid", write.collection):
        raise RepoRefused(f"{target}: the collection {reason}", name="InvalidRequest")
    if reason := check_syntax("record-key", write.rkey):
        raise RepoRefused(f"{target}: the rkey {reason}", name="InvalidRequest")
    if isinstance(write, DeleteWrite):
        return _Prepared(write, None, b"", ())
    _check_value(target, write.collection, write.value)
    block = encode(write.value)
    return _Prepared(write, Cid.of(block, DAG_CBOR), block, tuple(_blobs_of(write.value)))


def _check_value(target: str, collection: Nsid, value: dict[str, Value]) -> None:
    if value.get("$type") != collection:
        found = repr(value["$type"]) if "$type" in value else "missing"
        raise RepoRefused(
            f"{target}: $type is {found}", name="InvalidRequest", remedy=f"write {collection!r}"
        )
    findings = check(value, safe_integers=True)
    if has_errors(findings):
        first = next(found for found in findings if found.severity == "error")
        raise RepoRefused(
            f"{target}{first.pointer}: {first.message}", name="InvalidRequest", remedy=first.remedy
        )


def _blobs_of(value: Value) -> Iterator[_Blob]:
    """Yield the blobs that a value refers to, which `check` has passed."""
    if isinstance(value, dict):
        if value.get("$type") == "blob":
            ref, mime_type, size = (value[name] for name in ("ref", "mimeType", "size"))
            if isinstance(ref, Cid) and isinstance(mime_type, str) and isinstance(size, int):
                yield _Blob(ref, mime_type, size)
            return
        yield from chain.from_iterable(_blobs_of(item) for item in value.values())
    elif isinstance(value, list):
        yield from chain.from_iterable(_blobs_of(item) for item in value)


def _size(write: Write) -> int:
    """Return the bytes that the write takes in a request to a PDS, its comma included."""
    body: dict[str, object] = {
        "$type": "com.atproto.repo.applyWrites#create",
        "collection": write.collection,
        "rkey": write.rkey,
    }
    if not isinstance(write, DeleteWrite):
        body["value"] = to_plain(write.value)
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return len(text.encode("utf-8", "surrogatepass")) + 1


def _write(database: sqlite3.Connection, item: _Prepared) -> set[Cid]:
    """Do one write; return the blobs that it refers to no more, or refers to as before."""
    _check_current(database, item)
    released = {
        Cid.decode(raw)
        for (raw,) in database.execute(
            "DELETE FROM record_blob WHERE collection = ? AND rkey = ? RETURNING cid", item.place
        ).fetchall()
    }
    if item.cid is None:
        database.execute("DELETE FROM record WHERE collection = ? AND rkey = ?", item.place)
        return released
    for blob in item.blobs:
        _refer(database, item, blob, known=blob.cid in released)
    database.execute(
        "INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?)",
        (*item.place, item.cid.raw, item.block),
    )
    return released


def _check_current(database: sqlite3.Connection, item: _Prepared) -> None:
    query = "SELECT cid FROM record WHERE collection = ? AND rkey = ?"
    row = database.execute(query, item.place).fetchone()
    current = str(Cid.decode(row[0])) if row else None
    if isinstance(item.write, CreateWrite):
        if current:
            raise RepoRefused(f"{item} exists already ({current})", name="RecordExists")
    elif current is None:
        raise RepoRefused(f"{item} doesn't exist", name="RecordNotFound")
    elif current != item.write.swap:
        raise SwapRefused(
            f"{item} is {current}, not {item.write.swap}",
            name="InvalidSwap",
            remedy="read the repo again",
        )


def _refer(database: sqlite3.Connection, item: _Prepared, blob: _Blob, *, known: bool) -> None:
    """Note that the record refers to the blob; one that no record referred to yet is compared."""
    query = (
        "SELECT mime_type, size, EXISTS (SELECT 1 FROM record_blob WHERE cid = ?1)"
        " FROM blob WHERE cid = ?1"
    )
    row = database.execute(query, (blob.cid.raw,)).fetchone()
    if row is None:
        raise RepoRefused(
            f"{item} refers to the blob {blob.cid}, which was never uploaded or was deleted",
            name="BlobNotFound",
            remedy="upload it, then write the record",
        )
    mime_type, size, referred = row
    if not (known or referred):
        _check_blob(item, blob, mime_type, size)
    database.execute(
        "INSERT OR IGNORE INTO record_blob VALUES (?, ?, ?)", (*item.place, blob.cid.raw)
    )


def _check_blob(item: _Prepared, blob: _Blob, mime_type: str, size: int) -> None:
    if blob.mime_type != mime_type:
        raise RepoRefused(
            f"{item} says that the blob {blob.cid} is {blob.mime_type}; uploaded was {mime_type}",
            name="InvalidMimeType",
        )
    if blob.size != size:
        raise RepoRefused(
            f"{item} says that the blob {blob.cid} has {blob.size} bytes; uploaded were {size}",
            name="InvalidSize",
        )


def _drop_blobs(database: sqlite3.Connection, released: Iterable[Cid]) -> bool:
    """Forget those of the blobs that no record refers to now; tell whether there were any."""
    count = 0
    for cid in released:
        count += database.execute(
            "DELETE FROM blob WHERE cid = ?1"
            " AND NOT EXISTS (SELECT 1 FROM record_blob WHERE cid = ?1)",
            (cid.raw,),
        ).rowcount
    return count > 0


def _ignore_key(path: Path) -> None:
    """Name the key, and SQLite's journal, in the folder's .gitignore."""
    file = path / ".gitignore"
    lines = file.read_text("utf-8").splitlines() if file.exists() else []
    missing = [name for name in (_KEY, f"{_DATABASE}-journal") if name not in lines]
    if missing:
        file.write_text("\n".join([*lines, *missing]) + "\n", "utf-8")


def _make_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """Make the signing key, or take the one that a creation cut short has left."""
    file = path / _KEY
    if file.exists() and file.stat().st_size:
        return _load_key(path)
    file.unlink(missing_ok=True)  # an empty one: killed before the key was written
    key = ec.generate_private_key(ec.SECP256K1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(pem)
        stream.flush()
        os.fsync(stream.fileno())
    _sync_folder(path)
    return key


def _load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    file = path / _KEY
    try:
        key = load_pem_private_key(file.read_bytes(), None)
    except FileNotFoundError as error:
        raise RepoUnavailable(
            f"{file} is missing, so {path} can only be read",
            remedy=f"restore {file} from where the repo was made (version control leaves it out)",
        ) from error
    except OSError as error:
        raise _unwritable(path, error) from error
    except (ValueError, TypeError) as error:
        raise _no_key(file) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256k1":
        raise _no_key(file)
    return key


def _no_key(file: Path) -> RepoUnavailable:
    return RepoUnavailable(
        f"{file} is no K-256 private key in PEM", remedy=f"restore {file} from a copy"
    )


def _sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
