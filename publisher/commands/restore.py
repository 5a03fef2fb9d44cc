"""`publisher restore`: what was overwritten or deleted is listed, and one record put back."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from publisher import backups, lock
from publisher.backups import Backups, Damage, Entry, Kept, Replaced
from publisher.commands.repos import Prompt, configured, open_to_write
from publisher.config import Config
from publisher.data import BlobRef, Cid, InvalidCid, Value, blob_refs
from publisher.errors import RepoRefused, StateError
from publisher.progress import Progress
from publisher.repo import CreateWrite, RemoteRecord, Repo, UpdateWrite
from publisher.spool import whole
from publisher.syntax import AtUri, Did, InvalidSyntax, Nsid, Rkey

_LIST = "`publisher restore` lists what is kept"
_MAX_WAIT = 60.0


@dataclass(frozen=True, slots=True)
class Version:
    """A kept record; `when` it was replaced, in UTC, and by what: an update or a delete."""

    when: str
    action: Replaced
    uri: str
    cid: str
    path: str | None

    @classmethod
    def of(cls, entry: Entry) -> Version:
        """Return what is told of an entry."""
        when = f"{entry.when:%Y-%m-%dT%H:%M:%SZ}"
        return cls(when, entry.action, entry.uri, entry.cid, entry.path)


@dataclass(frozen=True, slots=True)
class BackupsReport:
    """What is kept, the newest first, and what is damaged."""

    versions: tuple[Version, ...]
    damaged: tuple[Damage, ...]

    @property
    def exit_status(self) -> int:
        """1 where something is damaged."""
        return 1 if self.damaged else 0


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """What was put back, or would be; `replaced` is the CID of what it came over.

    `next` is what the next publish does with it.
    """

    repo: str
    restored: Version
    action: Literal["create", "update", "unchanged"]
    dry_run: bool
    replaced: str | None = None
    uploaded: int = 0
    next: str = ""
    exit_status: int = 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which version is put back: WHAT is a document's path, an AT-URI or a CID.

    Without `cid`, the newest.
    """

    what: str
    cid: str | None = None
    dry_run: bool = False


def kept(config: Config) -> BackupsReport:
    """List what is kept. Raises StateError."""
    found = list(backups.entries(config.root))
    return BackupsReport(
        tuple(Version.of(entry) for entry in found if isinstance(entry, Entry)),
        tuple(damage for damage in found if isinstance(damage, Damage)),
    )


def restore(
    config: Config, wanted: Wanted, prompt: Prompt, progress: Progress, *, now: datetime
) -> RestoreReport:
    """Put one record back over what is there now, which is kept, or where there is none.

    Raises StateError when nothing fits or the version is damaged, and what reading and writing
    raise; SwapRefused when the record is changed meanwhile: nothing is overwritten then.
    """
    entry = _chosen(config, wanted)
    value = whole(entry.value)
    target = configured(config)
    state = config.root / lock.FOLDER_NAME
    repo = open_to_write(target, prompt, max_wait=_MAX_WAIT, create=False, state=state)
    try:
        with _hold(config.root, repo.did, dry_run=wanted.dry_run):
            restorer = _Restorer(config, repo, Backups(config.root, now), entry, value)
            return restorer.run(progress, dry_run=wanted.dry_run)
    finally:
        repo.close()


def _hold(root: Path, did: Did, *, dry_run: bool) -> AbstractContextManager[object]:
    return nullcontext() if dry_run else lock.one_run(root, did)


@dataclass(frozen=True, slots=True)
class _Restorer:
    config: Config
    repo: Repo
    backups: Backups
    entry: Entry
    value: dict[str, Value]

    @property
    def _place(self) -> tuple[Nsid, Rkey]:
        return self.entry.collection, self.entry.rkey

    def run(self, progress: Progress, *, dry_run: bool) -> RestoreReport:
        """Read what is there, and put the version in its place."""
        if self.entry.did != self.repo.did:
            raise StateError(
                f"{self.entry.uri} is of another account than {self.repo.name}, {self.repo.did}",
                remedy="correct `repo`, or choose another version",
            )
        theirs = self._there(progress)
        if theirs and theirs.cid == self.entry.cid:
            return self._report("unchanged", dry_run=dry_run)
        missing = self._missing()
        action: Literal["create", "update"] = "update" if theirs else "create"
        replaced = theirs.cid if theirs else None
        if not dry_run:
            self._write(theirs, missing)
        return self._report(action, replaced, len(missing), dry_run=dry_run)

    def _there(self, progress: Progress) -> RemoteRecord | None:
        collection, rkey = self._place
        progress.stage("reading the repo", 1)
        snapshot = self.repo.read([collection])
        progress.advance()
        if reason := snapshot.unreadable.get((collection, rkey)):
            raise RepoRefused(
                f"{self.entry.uri} can't be read, so it can't be kept: {reason}",
                remedy="delete the record with another tool, then run again",
            )
        return snapshot.records[collection].get(rkey)

    def _missing(self) -> Mapping[BlobRef, bytes]:
        """Return the blobs to upload: those that the repo doesn't hold any more."""
        refs = list(blob_refs(self.value))
        held = self.repo.blobs() if refs else set()
        missing: dict[BlobRef, bytes] = {}
        for ref in refs:
            if str(ref.cid) in held:
                continue
            content = self.backups.blob(str(ref.cid))
            if content is None:
                raise StateError(
                    f"the blob {ref.cid} is neither in {self.repo.name} nor among the backups",
                    remedy=f"put its file there as {backups.FOLDER / backups.BLOBS / str(ref.cid)}",
                )
            missing[ref] = content
        return missing

    def _write(self, theirs: RemoteRecord | None, missing: Mapping[BlobRef, bytes]) -> None:
        self.repo.authenticate()
        for ref, content in missing.items():
            self.repo.upload_blob(content, ref.mime_type)
        if theirs is None:
            cid = self.repo.apply_one(CreateWrite(*self._place, self.value))
        else:
            self._keep(theirs)
            cid = self.repo.apply_one(UpdateWrite(*self._place, self.value, theirs.cid))
        if cid != self.entry.cid:
            raise RepoRefused(
                f"{self.repo.name} answered {cid} for a record whose CID is {self.entry.cid}",
                remedy="look at the record: `publisher pull` brings it",
            )

    def _keep(self, theirs: RemoteRecord) -> None:
        """Keep what is overwritten, its blobs that may lose their last reference first."""
        there = whole(theirs.value)
        released = {str(ref.cid) for ref in blob_refs(there)}
        for cid in sorted(released - {str(ref.cid) for ref in blob_refs(self.value)}):
            if not self.backups.has_blob(cid):
                self._keep_blob(cid)
        uri, path = self.entry.uri, self.entry.path
        self.backups.keep([Kept(uri, theirs.cid, there, "update", path)])

    def _keep_blob(self, cid: str) -> None:
        with suppress(RepoRefused):  # it is gone or damaged there: nothing is lost that there was
            self.backups.keep_blob(cid, self.repo.fetch_blob)

    def _report(
        self,
        action: Literal["create", "update", "unchanged"],
        replaced: str | None = None,
        uploaded: int = 0,
        *,
        dry_run: bool,
    ) -> RestoreReport:
        version, then = Version.of(self.entry), "" if action == "unchanged" else self._next()
        return RestoreReport(self.repo.name, version, action, dry_run, replaced, uploaded, then)

    def _next(self) -> str:
        """Say what the next publish does: it must not undo this without a word."""
        if self.config.settings.state == "none":
            return "without a lock, the next publish writes the document over it: change it there"
        known = lock.load(self.config.root)
        places = {(line.collection, line.rkey) for line in known.entries.values()}
        if known.did == self.repo.did and self._place in places:
            return (
                "publisher.lock is left as it is: the next publish says that the record was "
                "changed, and leaves it; take its text into the document to keep it"
            )
        return (
            "no line of publisher.lock is about it: it stays, unless a document has the same "
            "record key"
        )


def _chosen(config: Config, wanted: Wanted) -> Entry:
    """Return the newest version that fits. Raises StateError."""
    found = [entry for entry in _entries(config) if _fits(config, entry, wanted.what)]
    if not found:
        raise StateError(f"{wanted.what}: nothing is kept of it", remedy=_LIST)
    if wanted.cid:
        found = [entry for entry in found if entry.cid == wanted.cid]
    if not found:
        raise StateError(f"{wanted.what}: no version {wanted.cid} is kept", remedy=_LIST)
    places = {entry.uri for entry in found}
    if _is_cid(wanted.what) and len(places) > 1:
        raise StateError(
            f"{wanted.what} was the record of {', '.join(sorted(places))}",
            remedy=f"name the record: publisher restore at://… --cid {wanted.what}",
        )
    return found[0]


def _entries(config: Config) -> Iterator[Entry]:
    return (entry for entry in backups.entries(config.root) if isinstance(entry, Entry))


def _fits(config: Config, entry: Entry, what: str) -> bool:
    if _is_cid(what):
        return entry.cid == what
    if what.startswith("at://"):
        return _same(entry, what)
    if entry.path is None:
        return False
    place = os.path.normpath(config.documents.absolute() / entry.path)
    return what == entry.path or os.path.normpath(Path(what).absolute()) == place


def _same(entry: Entry, what: str) -> bool:
    """Tell whether a URI names the record; a handle stands for the repo's account."""
    try:
        named = AtUri.parse(what)
    except InvalidSyntax:
        return False
    same = (named.collection, named.rkey) == (entry.collection, entry.rkey)
    return same and (named.authority == entry.did or not named.authority.startswith("did:"))


def _is_cid(what: str) -> bool:
    try:
        Cid.parse(what)
    except InvalidCid:
        return False
    return True
