"""Actions are carried out: blobs uploaded, intents written down, batches sent, answers compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeAlias

from publisher.data import RAW, Cid
from publisher.documents import Blob
from publisher.errors import RepoRefused, SwapRefused
from publisher.lock import Journal
from publisher.plan import Adopt, Create, LockEntry, Update, entry_of
from publisher.progress import Progress
from publisher.repo import Commit, CreateWrite, Repo, UpdateWrite, Write

UPLOADS = 16
"""Uploads at a time; more gain nothing on a server with one writer a repo."""

Pending: TypeAlias = Create | Update | Adopt


@dataclass(slots=True)
class Outcome:
    """What has been written, by document, and what could not be; grows while work is done."""

    entries: dict[str, LockEntry] = field(default_factory=dict)
    written: dict[str, Pending] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    uploaded: set[str] = field(default_factory=set)
    commits: int = 0


class Applier:
    """Carries out actions that were planned at `commit`. Raises SwapRefused when it is overtaken.

    Everything else that a repo refuses is narrowed down to the documents it is about, which are
    named in `outcome.failures`; the others are written.
    """

    def __init__(
        self, repo: Repo, commit: Commit, journal: Journal | None, outcome: Outcome
    ) -> None:
        self._repo = repo
        self._commit = commit
        self._journal = journal
        self._outcome = outcome
        self._held: set[str] | None = None

    def apply(self, actions: Sequence[Pending], progress: Progress) -> None:
        """Write all of the actions, in order, in batches."""
        pending = self.without_lost_blobs(actions)
        writes = [write_of(action) for action in pending]
        start = 0
        for batch in self._repo.batches(writes):
            self._send(pending[start : start + len(batch)], progress)
            start += len(batch)

    def without_lost_blobs(self, actions: Sequence[Pending]) -> list[Pending]:
        """Return the actions whose blobs are here or in the repo; the others have failed."""
        return [action for action in actions if self._has_blobs(action)]

    def _has_blobs(self, action: Pending) -> bool:
        """Before anything is sent: every blob is here as a file, or the repo holds it."""
        for blob in action.record.blobs:
            if blob.path is None and str(blob.cid) not in self._blobs_held():
                self._fail(action, lost_blob(blob, self._repo.name))
                return False
        return True

    def _blobs_held(self) -> set[str]:
        if self._held is None:
            self._held = self._repo.blobs()
        return self._held

    def _send(self, actions: Sequence[Pending], progress: Progress) -> None:
        actions = self._upload(actions)
        if actions:
            if self._journal:
                self._journal.write(_entry(action) for action in actions)
            self._commit_batch(actions)
        progress.advance(len(actions))

    def _commit_batch(self, actions: Sequence[Pending]) -> None:
        """Send one batch; one that is refused is halved until the faulty document stands alone."""
        writes = [write_of(action) for action in actions]
        try:
            applied = self._repo.apply(writes, swap_commit=self._commit.cid)
        except SwapRefused:
            raise
        except RepoRefused as error:
            if len(actions) == 1:
                self._fail(actions[0], error.message)
                return
            middle = len(actions) // 2
            self._commit_batch(actions[:middle])
            self._commit_batch(actions[middle:])
            return
        self._commit = applied.commit
        self._outcome.commits += 1
        for action, cid in zip(actions, applied.cids, strict=True):
            self._compare(action, cid)

    def _compare(self, action: Pending, cid: str | None) -> None:
        entry = _entry(action)
        if cid != entry.cid:
            message = f"{self._repo.name} answered {cid} for a record whose CID is {entry.cid}"
            self._fail(action, message)
            return
        self._outcome.entries[action.record.key] = entry
        self._outcome.written[action.record.key] = action
        self._outcome.failures.pop(action.record.key, None)

    def _upload(self, actions: Sequence[Pending]) -> Sequence[Pending]:
        """Upload what the repo doesn't hold yet; return the actions whose blobs are all there."""
        wanted = {str(blob.cid): blob for action in actions for blob in action.record.blobs}
        if not wanted:
            return actions
        missing = [blob for cid, blob in wanted.items() if cid not in self._blobs_held()]
        refused: dict[Cid, str] = {}
        for blob, reason in _each(missing, self._upload_one):
            if reason:
                refused[blob.cid] = reason
            else:
                self._blobs_held().add(str(blob.cid))
                self._outcome.uploaded.add(str(blob.cid))
        for action in actions:
            for blob in action.record.blobs:
                if blob.cid in refused:
                    self._fail(action, refused[blob.cid])
        return [a for a in actions if a.record.key not in self._outcome.failures]

    def _upload_one(self, blob: Blob) -> str | None:
        if blob.path is None:
            return None
        try:
            content = blob.path.read_bytes()
        except OSError as error:
            return f"{blob.path}: {error.strerror}"
        if Cid.of(content, RAW) != blob.cid:
            return f"{blob.path} was changed while it was being published; run again"
        try:
            self._repo.upload_blob(content, blob.mime_type)
        except RepoRefused as error:
            return f"{blob.path}: {error.message}"
        return None

    def _fail(self, action: Pending, reason: str) -> None:
        self._outcome.failures.setdefault(action.record.key, reason)


def write_of(action: Pending) -> Write:
    """Return the write that an action stands for."""
    collection = action.record.collection
    if isinstance(action, Create):
        return CreateWrite(collection, action.rkey, action.value)
    return UpdateWrite(collection, action.rkey, action.value, action.swap)


def _entry(action: Pending) -> LockEntry:
    return entry_of(action.record, action.rkey, action.value)


def _each(
    blobs: Iterable[Blob], upload: Callable[[Blob], str | None]
) -> Iterator[tuple[Blob, str | None]]:
    blobs = list(blobs)
    with ThreadPoolExecutor(UPLOADS) as pool:
        yield from zip(blobs, pool.map(upload, blobs), strict=True)


def lost_blob(blob: Blob, repo: str) -> str:
    """Say that a blob is nowhere, and where it may be put."""
    return (
        f"the blob {blob.cid} is neither in {repo} nor in a folder blobs/ "
        f"beside the record; put its file there as blobs/{blob.cid}"
    )
