"""What a repo is to the rest of the program: one small protocol, two implementations.

`publisher.pds` reaches a repo on a server, `publisher.folder` keeps one in a folder. Both pass
tests/test_repo_contract.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import IO, BinaryIO, Protocol, TypeAlias

from publisher.data import Value
from publisher.syntax import Did, Nsid, Rkey


@dataclass(frozen=True, slots=True)
class Commit:
    """A state of the repo: the CID of its signed commit, and its rev (a TID)."""

    cid: str
    rev: str


@dataclass(frozen=True, slots=True)
class RemoteRecord:
    """A record as the repo holds it; `cid` was computed here from `value`, never taken on trust.

    `value` may lie on the disk (publisher.spool).
    """

    collection: Nsid
    rkey: Rkey
    cid: str
    value: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Records that all belong to one commit, keyed by rkey within each collection.

    `unreadable` are records, by their places, that are none of the data model or not what their
    CIDs say, each with the reason; `records` is without them.
    """

    commit: Commit
    records: Mapping[Nsid, Mapping[Rkey, RemoteRecord]]
    unreadable: Mapping[tuple[Nsid, Rkey], str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CreateWrite:
    """Put a record where there is none."""

    collection: Nsid
    rkey: Rkey
    value: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class UpdateWrite:
    """Replace the record whose CID is `swap`."""

    collection: Nsid
    rkey: Rkey
    value: Mapping[str, Value]
    swap: str


@dataclass(frozen=True, slots=True)
class DeleteWrite:
    """Remove the record whose CID is `swap`."""

    collection: Nsid
    rkey: Rkey
    swap: str


Write: TypeAlias = CreateWrite | UpdateWrite | DeleteWrite


@dataclass(frozen=True, slots=True)
class Applied:
    """What a batch became: the new commit, and each write's CID in order (None for a delete)."""

    commit: Commit
    cids: Sequence[str | None]


class Repo(Protocol):
    """A repo that can be read by anyone and written by its owner.

    Reading raises RepoUnavailable (no answer, or none that can be trusted) and RepoRefused (the
    answer is no). Writing raises these too, CredentialError, RateLimited and SwapRefused.
    """

    @property
    def did(self) -> Did:
        """The DID of the account that the repo belongs to."""

    @property
    def name(self) -> str:
        """How messages call the repo: its handle or folder."""

    def collections(self) -> list[Nsid]:
        """Return the collections that hold records, sorted."""

    def head(self) -> Commit:
        """Return the current commit."""

    @property
    def metered(self) -> bool:
        """Whether the server counts points of its rate limits; True as long as it isn't known."""

    def read(self, collections: Sequence[Nsid], *, afresh: bool = False) -> Snapshot:
        """Return all records of the collections, all read at one commit, the cheapest way.

        Where a reading was overtaken by a commit it is done again, a few times at most. `afresh`
        uses nothing that is remembered from earlier readings.
        """

    def archive(self, *, since: str | None = None) -> AbstractContextManager[BinaryIO]:
        """Have the repo as a CAR in a temporary file, at its beginning; nothing of it is checked.

        Forked processes can read it at once, too. With `since`, only what is new since that rev, or
        more. Raises StateError for a full disk.
        """

    def record_proof(self, collection: Nsid, rkey: Rkey) -> bytes | None:
        """Return a CAR of the commit, the nodes on the way to a record, and the record.

        None where a repo is only to be had whole. Nothing of it is checked.
        """

    def signing_key(self, *, afresh: bool = False) -> str:
        """Return the did:key that signs the commits; `afresh`: not as it was seen before.

        Raises IdentityError.
        """

    def blobs(self) -> set[str]:
        """Return the CIDs of the blobs that records of the repo refer to."""

    def fetch_blob(self, cid: str, file: IO[bytes]) -> None:
        """Write a blob into an empty file; its CID is computed as it comes, and compared.

        Raises OSError where the file can't be written. What came until an error is of no use.
        """

    def authenticate(self) -> None:
        """Make sure, before anything is written down or sent, that writing is allowed.

        Asks for the app password where there is one to ask for. Raises CredentialError.
        """

    def upload_blob(self, content: bytes, mime_type: str) -> None:
        """Make the repo hold a blob, so that records can refer to it.

        Raises RepoRefused when the answered CID, size or type isn't ours.
        """

    def apply(self, writes: Sequence[Write], *, swap_commit: str) -> Applied:
        """Apply all of the writes in one commit, or none.

        `swap_commit` is the commit at which the records were read; when the repo has moved,
        SwapRefused is raised and nothing is written. The writes are a run that `batches` cut. The
        caller compares the answered CIDs with its own. Raises OutcomeUnknown when no answer came.
        """

    def apply_one(self, write: Write) -> str | None:
        """Apply one write by its own swap, whatever else goes on in the repo; safe to send twice.

        Returns the record's CID, None for a delete. What is as wanted already is left as it is: the
        same record there, or none any more. Raises SwapRefused when another record is there than
        the write names, or none; OutcomeUnknown when no answer came.
        """

    def batches(self, writes: Iterable[Write]) -> Iterator[Sequence[Write]]:
        """Cut writes, in order and taken one by one, into batches that `apply` takes.

        A batch is no larger than what the rate limit leaves. Where that is nothing, it is waited
        for, or RateLimited is raised.
        """

    def close(self) -> None:
        """Let go of connections and locks."""


def batches(
    writes: Iterable[tuple[Write, int]], *, max_writes: int, max_bytes: int
) -> Iterator[Sequence[Write]]:
    """Cut writes, each with its size in bytes, into runs of at most `max_writes` and `max_bytes`.

    They are taken one by one. A write above `max_bytes` gets its own run.
    """
    run: list[Write] = []
    total = 0
    for write, size in writes:
        if run and (len(run) >= max_writes or total + size > max_bytes):
            yield run
            run, total = [], 0
        run.append(write)
        total += size
    if run:
        yield run
