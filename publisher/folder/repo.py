"""The repo in a folder, put together: what `publisher.repo.Repo` asks for."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from io import BufferedReader
from itertools import chain
from pathlib import Path
from typing import IO, BinaryIO, Final

from cryptography.hazmat.primitives.asymmetric import ec

from publisher.archive import did_key, parse_commit, write_car
from publisher.data import RAW, Cid, InvalidCid
from publisher.errors import RepoRefused, RepoUnavailable, SwapRefused
from publisher.folder.blobs import BLOBS, copy_blob, has_blob, store_blob, sweep
from publisher.folder.database import (
    DATABASE,
    READABLE,
    SCHEMA,
    has_database,
    next_rev,
    read_cids,
    read_head,
    read_records,
    transaction,
    unwritable,
    version_of,
)
from publisher.folder.key import KEY_FILE, ignore_key, load_key, make_key
from publisher.folder.tree import (
    edit,
    first_commit,
    read_blocks,
    read_items,
    upgrade,
    write_commit,
)
from publisher.folder.writes import (
    ENVELOPE,
    Prepared,
    do_write,
    drop_blobs,
    is_done,
    prepare,
    write_size,
)
from publisher.repo import Applied, Commit, Snapshot, Write
from publisher.repo import batches as cut_batches
from publisher.spool import Placed, Spool, temporary_file, write_all
from publisher.syntax import Did, Nsid, Rkey

MAX_WRITES: Final = 200
MAX_BYTES: Final = 1_000_000  # of JSON; both limits are those of the reference PDS

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
        if not has_database(path):
            raise RepoUnavailable(
                f"{path} holds no repo",
                remedy=f"check the path {path}: a repo in a folder has a file {DATABASE}",
            )
        with transaction(path, "DEFERRED") as database:
            if version_of(database) not in READABLE:
                raise RepoUnavailable(
                    f"{path / DATABASE} is no repo that this version reads",
                    remedy=f"check the path {path}, or use the version that made it",
                )
            return cls(path, parse_commit(read_head(database).block).did, clock)

    @classmethod
    def create(cls, path: Path, *, clock: Callable[[], int] = microseconds) -> FolderRepo:
        """Make an empty repo with a new key in the folder, and the folder if there is none.

        A creation that was cut short is finished. Raises RepoUnavailable, also when the folder
        holds a repo already.
        """
        try:
            (path / BLOBS).mkdir(parents=True, exist_ok=True)
            ignore_key(path)
        except OSError as error:
            raise unwritable(path, error) from error
        with transaction(path, "IMMEDIATE", mode="rwc") as database:
            if version_of(database):
                raise RepoUnavailable(
                    f"{path} holds a repo already", remedy=f"open {path}, or name another folder"
                )
            for statement in SCHEMA:
                database.execute(statement)
            key = make_key(path)
            did = did_key(key.public_key())
            first_commit(database, did, next_rev("", clock(), did), key)
        return cls(path, did, clock)

    @classmethod
    def open_or_create(cls, path: Path, *, clock: Callable[[], int] = microseconds) -> FolderRepo:
        """Open the folder's repo, or make an empty one where there is none."""
        if not has_database(path):
            return cls.create(path, clock=clock)
        with transaction(path, "DEFERRED") as database:
            version = version_of(database)  # 0 where a creation was cut short
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
            return read_head(database).commit

    @property
    def metered(self) -> bool:
        """False: a folder has no rate limits."""
        return False

    def read(self, collections: Sequence[Nsid], *, afresh: bool = False) -> Snapshot:  # noqa: ARG002  # nothing is remembered
        """Return all records of the collections; the commit's tree proves that they are all."""
        spool = Spool()
        with self._reading() as database:
            head = read_head(database)
            items = read_items(database, head).items()
            records = {name: read_records(database, name, items, spool) for name in collections}
            return Snapshot(head.commit, records)

    @contextmanager
    def archive(self, *, since: str | None = None) -> Iterator[BinaryIO]:  # noqa: ARG002  # all
        """Have the whole repo as a CAR in a temporary file."""
        with temporary_file() as file:
            for part in self.car():
                write_all(file, part)
            yield BufferedReader(Placed(file))

    def record_proof(self, collection: Nsid, rkey: Rkey) -> None:  # whole
        """Return None: the whole is at hand."""

    def signing_key(self, *, afresh: bool = False) -> str:  # noqa: ARG002  # it never changes
        """Return the DID, which is the key."""
        return self._did

    def blobs(self) -> set[str]:
        """Return the CIDs of the blobs that records refer to."""
        with self._reading() as database:
            rows = database.execute("SELECT DISTINCT cid FROM record_blob")
            return {str(cid) for cid in read_cids(rows)}

    def fetch_blob(self, cid: str, file: IO[bytes]) -> None:
        """Write a blob into an empty file, hashed.

        Raises RepoRefused when no record refers to it.
        """
        try:
            link = Cid.parse(cid)
        except InvalidCid as error:
            raise RepoRefused(f"{cid} {error}", name="InvalidRequest") from error
        with self._reading() as database:
            query = "SELECT 1 FROM record_blob WHERE cid = ?"
            referred = database.execute(query, (link.raw,)).fetchone()
        if not referred:
            raise RepoRefused(f"no record in {self.name} refers to {cid}", name="BlobNotFound")
        if not copy_blob(self._path, link, file):
            place = self._path / BLOBS / cid
            raise RepoUnavailable(
                f"{place} is missing or damaged",
                remedy=f"restore {place} from a copy, or upload the blob again",
            )

    def authenticate(self) -> None:
        """Make sure that the signing key is here and is the repo's. Raises RepoUnavailable."""
        self._signing_key()

    def upload_blob(self, content: bytes, mime_type: str) -> None:
        """Keep a blob for records to refer to; until one does, it can't be fetched.

        The type is taken as declared. Later uploads change it only while no record refers to it.
        """
        cid = Cid.of(content, RAW)
        with self._writing() as database:
            if not has_blob(self._path, cid):
                store_blob(self._path, cid, content)
            database.execute(
                "INSERT INTO blob VALUES (:cid, :mime_type, :size)"
                " ON CONFLICT (cid) DO UPDATE SET mime_type = :mime_type"
                " WHERE NOT EXISTS (SELECT 1 FROM record_blob WHERE cid = :cid)",
                {"cid": cid.raw, "mime_type": mime_type, "size": len(content)},
            )

    def apply(self, writes: Sequence[Write], *, swap_commit: str) -> Applied:
        """Apply all of the writes in one signed commit, or none.

        Raises SwapRefused when `swap_commit` isn't the head or a record isn't the one to be
        replaced, RepoRefused for what the repo won't take, RepoUnavailable without the key.
        """
        prepared = [prepare(write) for write in writes]
        self._check_size(writes)
        key = self._signing_key()
        with self._writing() as database:
            head = read_head(database).commit
            if head.cid != swap_commit:
                raise SwapRefused(
                    f"{self.name} is at commit {head.cid}, not at {swap_commit}",
                    name="InvalidSwap",
                    remedy="read the repo again",
                )
            commit, dropped = self._commit(database, prepared, key)
        if dropped:
            self._sweep()
        return Applied(commit, [str(item.cid) if item.cid else None for item in prepared])

    def apply_one(self, write: Write) -> str | None:
        """Apply one write by its own swap; safe to do twice. Raises SwapRefused."""
        item = prepare(write)
        self._check_size([write])
        key = self._signing_key()
        dropped = False
        with self._writing() as database:
            if not is_done(database, item):
                _, dropped = self._commit(database, [item], key)
        if dropped:
            self._sweep()
        return str(item.cid) if item.cid else None

    def _commit(
        self,
        database: sqlite3.Connection,
        items: Sequence[Prepared],
        key: ec.EllipticCurvePrivateKey,
    ) -> tuple[Commit, bool]:
        """Do the writes and sign what they make; tell whether blobs were dropped."""
        upgrade(database)
        head = read_head(database)
        edited = edit(database, head, {str(item): item.cid for item in items})
        released = set(chain.from_iterable(do_write(database, item) for item in items))
        dropped = drop_blobs(database, released)
        rev = next_rev(head.rev, self._clock(), self._did)
        return write_commit(database, self._did, rev, key, edited), dropped

    def batches(self, writes: Iterable[Write]) -> Iterator[Sequence[Write]]:
        """Cut writes into runs of at most 200, and 1,000,000 bytes of JSON."""
        sized = ((write, write_size(write)) for write in writes)
        return cut_batches(sized, max_writes=MAX_WRITES, max_bytes=MAX_BYTES - ENVELOPE)

    def car(self) -> Iterator[bytes]:
        """Yield the whole repo as a CAR: the commit, the tree in preorder, the records by key.

        All of it is of one commit: until the last piece is taken, writes to the repo wait.
        """
        with self._reading() as database:
            head = read_head(database)
            yield from write_car(head.cid, read_blocks(database, head))

    def close(self) -> None:
        """Do nothing: no connection outlives its operation."""

    def _reading(self) -> AbstractContextManager[sqlite3.Connection]:
        return transaction(self._path, "DEFERRED")

    def _writing(self) -> AbstractContextManager[sqlite3.Connection]:
        return transaction(self._path, "IMMEDIATE")

    def _check_size(self, writes: Sequence[Write]) -> None:
        if len(writes) > MAX_WRITES:
            raise RepoRefused(
                f"{len(writes)} writes are beyond the limit of {MAX_WRITES}", name="InvalidRequest"
            )
        size = ENVELOPE + sum(write_size(write) for write in writes)
        if size > MAX_BYTES:
            raise RepoRefused(
                f"writes of {size} bytes are beyond the limit of {MAX_BYTES}",
                name="PayloadTooLarge",
                remedy="make the largest record smaller",
            )

    def _signing_key(self) -> ec.EllipticCurvePrivateKey:
        key = load_key(self._path)
        if did_key(key.public_key()) != self._did:
            file = self._path / KEY_FILE
            raise RepoUnavailable(
                f"{file} is not the key of {self._did}", remedy=f"restore {file} from a copy"
            )
        return key

    def _sweep(self) -> None:
        """Delete the files of blobs that are gone, and what killed processes left behind.

        The commit stands already, so a failure here is only logged; the next sweep makes it good.
        """
        try:
            with self._writing() as database:
                rows = database.execute("SELECT cid FROM blob")
                sweep(self._path, read_cids(rows))
        except RepoUnavailable as error:
            _log.warning("files of deleted blobs stay in %s: %s", self.name, error)
