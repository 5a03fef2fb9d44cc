"""What a repo is to the rest of the program: one small protocol, two implementations.

`publisher.pds` reaches a repo on a server, `publisher.folder` keeps one in a folder. Both pass
tests/test_repo_contract.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from publisher.data import Value
from publisher.syntax import Did, Nsid, Rkey


@dataclass(frozen=True, slots=True)
class Commit:
    """A state of the repo: the CID of its signed commit, and its rev (a TID)."""

    cid: str
    rev: str


@dataclass(frozen=True, slots=True)
class RemoteRecord:
    """A record as the repo holds it; `cid` was computed here from `value`, never taken on trust."""

    collection: Nsid
    rkey: Rkey
    cid: str
    value: dict[str, Value]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Records that all belong to one commit, keyed by rkey within each collection."""

    commit: Commit
    records: Mapping[Nsid, Mapping[Rkey, RemoteRecord]]


@dataclass(frozen=True, slots=True)
class CreateWrite:
    """Put a record where there is none."""

    collection: Nsid
    rkey: Rkey
    value: dict[str, Value]


@dataclass(frozen=True, slots=True)
class UpdateWrite:
    """Replace the record whose CID is `swap`."""

    collection: Nsid
    rkey: Rkey
    value: dict[str, Value]
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

    def read(self, collections: Sequence[Nsid]) -> Snapshot:
        """Return all records of the collections, all read at one commit.

        Where a listing was overtaken by a commit it is read again, a few times at most.
        """

    def blobs(self) -> set[str]:
        """Return the CIDs of the blobs that records of the repo refer to."""

    def fetch_blob(self, cid: str) -> bytes:
        """Return a blob's bytes, whose CID has been computed and compared."""

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
        caller compares the answered CIDs with its own.
        """

    def batches(self, writes: Sequence[Write]) -> Iterator[Sequence[Write]]:
        """Cut writes, in order, into batches that `apply` takes."""

    def close(self) -> None:
        """Let go of connections and locks."""


def batches(
    writes: Sequence[Write], sizes: Sequence[int], *, max_writes: int, max_bytes: int
) -> Iterator[Sequence[Write]]:
    """Cut writes into runs of at most `max_writes` whose `sizes` add up to at most `max_bytes`.

    `sizes` are the writes' bytes, index for index. A write above `max_bytes` gets its own run.
    """
    start = total = 0
    for index, size in enumerate(sizes):
        if index > start and (index - start >= max_writes or total + size > max_bytes):
            yield writes[start:index]
            start, total = index, 0
        total += size
    if start < len(writes):
        yield writes[start:]
