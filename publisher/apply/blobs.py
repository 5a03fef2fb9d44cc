"""Blobs on their way to the repo: what it holds already, what is here, what is nowhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from publisher.apply.outcome import Outcome
from publisher.apply.threads import threads
from publisher.data import RAW, Cid
from publisher.documents import Blob
from publisher.errors import RepoRefused
from publisher.plan import Create, Delete, Pending, Update
from publisher.progress import Progress
from publisher.repo import Repo

UPLOADS = 16
"""Uploads at a time; more gain nothing on a server with one writer a repo."""


class Blobs:
    """The blobs of a run. `empty`: the repo had no record when it was read, so it holds no blob."""

    def __init__(self, repo: Repo, outcome: Outcome, *, empty: bool) -> None:
        self._repo = repo
        self._outcome = outcome
        self._held: set[str] | None = set() if empty else None

    @property
    def held(self) -> set[str]:
        """The CIDs that the repo holds, as far as is known; asked for once, when first needed."""
        if self._held is None:
            self._held = self._repo.blobs()
        return self._held

    def __contains__(self, cid: object) -> bool:
        """Tell whether the repo holds a blob."""
        return cid in self.held

    def without_lost(self, actions: Iterable[Pending]) -> list[Pending]:
        """Return the actions whose blobs are here or in the repo; the others have failed."""
        return [action for action in actions if self._has_all(action)]

    def forget(self, actions: Iterable[Pending]) -> None:
        """Believe no longer that the repo holds the blobs of these actions."""
        if self._held is not None:
            self._held -= {str(blob.cid) for action in actions for blob in blobs_of(action)}

    def upload(self, actions: Sequence[Pending], progress: Progress) -> Sequence[Pending]:
        """Upload what the repo doesn't hold; return the actions whose blobs are all there."""
        wanted = {str(blob.cid): blob for action in actions for blob in blobs_of(action)}
        if not wanted:
            return actions
        missing = [blob for cid, blob in wanted.items() if cid not in self]
        refused = self._upload_all(missing, progress)
        for action in actions:
            for blob in blobs_of(action):
                if blob.cid in refused:
                    self._outcome.fail(action, refused[blob.cid])
        return [a for a in actions if not any(b.cid in refused for b in blobs_of(a))]

    def _upload_all(self, blobs: Sequence[Blob], progress: Progress) -> dict[Cid, str]:
        refused: dict[Cid, str] = {}
        with threads(UPLOADS) as pool:
            for blob, reason in zip(blobs, pool.map(self._upload_one, blobs), strict=True):
                if reason:
                    refused[blob.cid] = reason
                else:
                    self.held.add(str(blob.cid))
                    self._outcome.uploaded.add(str(blob.cid))
                    progress.blob()
        return refused

    def _upload_one(self, blob: Blob) -> str | None:
        if blob.path is None:
            return None if str(blob.cid) in self else lost_blob(blob, self._repo.name)
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

    def _has_all(self, action: Pending) -> bool:
        """Before anything is sent: every blob is here as a file, or the repo holds it."""
        for blob in blobs_of(action):
            if blob.path is None and str(blob.cid) not in self:
                self._outcome.fail(action, lost_blob(blob, self._repo.name))
                return False
        return True


def blobs_of(action: Pending) -> Sequence[Blob]:
    """Return the blobs that an action's document refers to."""
    match action:
        case Create() | Update():
            return action.record.blobs
        case Delete():
            return ()


def lost_blob(blob: Blob, repo: str) -> str:
    """Say that a blob is nowhere, and where it may be put."""
    return (
        f"the blob {blob.cid} is neither in {repo} nor in a folder blobs/ "
        f"beside the record; put its file there as blobs/{blob.cid}"
    )
