"""`publisher pull`: records and blobs of any repo come here, each CID recomputed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, StrictBool, StrictStr, ValidationError

from publisher import data, syntax
from publisher.commands.repos import Target, open_to_read
from publisher.data import RAW, Cid, Value, blob_refs
from publisher.documents import escape_rkey
from publisher.errors import ConfigError, PublisherError, RepoRefused, StateError
from publisher.files import write_atomically
from publisher.progress import Progress
from publisher.repo import RemoteRecord, Repo, Snapshot
from publisher.spool import whole
from publisher.syntax import Nsid

MANIFEST = "pull.json"
DOWNLOADS = 16
_LONGEST_NAME = 255  # bytes, on the usual file systems
FileStatus = Literal["new", "updated", "unchanged", "kept", "gone", "failed"]


@dataclass(frozen=True, slots=True)
class Selection:
    """What to pull of one repo: `rkey` of the one collection, some collections, or everything."""

    target: Target
    collections: tuple[Nsid, ...] = ()
    rkey: str | None = None


@dataclass(frozen=True, slots=True)
class PulledFile:
    """A file below the output folder; `kept` is the user's, `gone` no longer in the repo."""

    path: str
    status: FileStatus
    cid: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Pulled:
    """What came of one repo."""

    repo: str
    did: str
    rev: str
    folder: Path
    files: tuple[PulledFile, ...]
    proof: str = "listed"


@dataclass(frozen=True, slots=True)
class PullReport:
    """One entry a repo; `errors` are the repos that could not be pulled, by name."""

    repos: tuple[Pulled, ...]
    errors: Mapping[str, PublisherError] = field(default_factory=dict)

    @property
    def exit_status(self) -> int:
        """1 for a file that was kept or failed; an error's own status before that."""
        if self.errors:
            return max(error.exit_status for error in self.errors.values())
        statuses = {file.status for pulled in self.repos for file in pulled.files}
        return 1 if statuses & {"kept", "failed"} else 0


def counts(pulled: Pulled) -> dict[str, int]:
    """Return how many files have each status."""
    return dict(Counter(file.status for file in pulled.files))


class _Manifest(BaseModel):
    """`pull.json`: what the folder holds and how far it is proven; `files` is path to CID.

    While it isn't `complete`, a pull is at work or was cut short; `rev` is what it reads.
    """

    model_config = ConfigDict(extra="forbid")
    version: Literal[1]
    did: StrictStr
    rev: StrictStr
    proof: StrictStr
    complete: StrictBool
    files: dict[StrictStr, StrictStr]


def select(name: str, template: Target, collections: Sequence[Nsid]) -> Selection:
    """Read what the user calls a repo: a handle, a DID, an AT-URI, or `folder:PATH`.

    `template` gives the servers and the folder that names are relative to. Raises ConfigError.
    """
    name = name.removeprefix("@")
    if name.startswith("at://"):
        try:
            uri = syntax.AtUri.parse(name)
        except syntax.InvalidSyntax as error:
            raise ConfigError(f"{name} {error}", remedy="write at://DID/collection/rkey") from error
        if uri.collection and collections:
            raise ConfigError(
                f"{name} names a collection, and so does --collection", remedy="use one of them"
            )
        chosen = (uri.collection,) if uri.collection else tuple(collections)
        return Selection(replace(template, name=uri.authority), chosen, uri.rkey)
    target = replace(template, name=name)
    if target.folder is None and (reason := syntax.check("at-identifier", name)):
        raise ConfigError(
            f"{name!r} {reason}", remedy="write a handle, a DID, an AT-URI or folder:PATH"
        )
    return Selection(target, tuple(collections))


def pull(
    selections: Sequence[Selection], out: Path, *, force: bool, progress: Progress
) -> PullReport:
    """Pull the repos into `out`; several get a folder each, named by their DIDs.

    A file that isn't as `pull.json` remembers it is the user's: kept unless `force`.
    """
    done: list[Pulled] = []
    errors: dict[str, PublisherError] = {}
    for selection in selections:
        try:
            done.append(
                _pull(selection, out, progress, own_folder=len(selections) > 1, force=force)
            )
        except PublisherError as error:
            if len(selections) == 1:
                raise
            errors[selection.target.name] = error
    return PullReport(tuple(done), errors)


def _pull(
    selection: Selection, out: Path, progress: Progress, *, own_folder: bool, force: bool
) -> Pulled:
    repo = open_to_read(selection.target)
    try:
        folder = out / repo.did.replace(":", "_").replace("%", "_") if own_folder else out
        before = _manifest(folder, repo)
        progress.stage(f"reading {repo.name}", 1)
        snapshot = repo.read(selection.collections or repo.collections())
        progress.advance()
        records = _selected(snapshot, selection)
        writer = _Writer(folder, before.files if before else {}, force=force)
        if before is None:  # from here on, nobody takes the folder for one of documents
            _remember(writer, repo.did, snapshot.commit.rev, complete=False)
        complete = False
        try:
            _write(repo, records, writer, progress)
            if not selection.collections:
                _gone(writer, before)
            complete = True
        finally:
            _remember(writer, repo.did, snapshot.commit.rev, complete=complete)
        return Pulled(repo.name, repo.did, snapshot.commit.rev, folder, tuple(writer.files))
    finally:
        repo.close()


def _selected(snapshot: Snapshot, selection: Selection) -> list[RemoteRecord]:
    records = [
        record
        for collection in sorted(snapshot.records)
        for _, record in sorted(snapshot.records[collection].items())
        if selection.rkey in {None, record.rkey}
    ]
    if not records and selection.rkey:
        raise RepoRefused(
            f"{selection.target.name} has no record {selection.collections[0]}/{selection.rkey}",
            name="RecordNotFound",
            remedy="correct the AT-URI",
        )
    return records


def _manifest(folder: Path, repo: Repo) -> _Manifest | None:
    path = folder / MANIFEST
    try:
        manifest = _Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise StateError(
            f"{path}: can't be read as what a pull wrote", remedy="pull into another folder (--out)"
        ) from error
    if manifest.did != repo.did:
        raise StateError(
            f"{folder} holds the repo of {manifest.did}, not of {repo.did}",
            remedy="pull into another folder (--out)",
        )
    return manifest


class _Writer:
    """Writes files below a folder, and never over what is the user's.

    `known` are the CIDs of the files that earlier pulls wrote; `files` what became of each now.
    """

    def __init__(self, folder: Path, known: Mapping[str, str], *, force: bool) -> None:
        self.folder = folder
        self.known = dict(known)
        self.files: list[PulledFile] = []
        self._force = force

    def put(self, path: str, cid: str, content: Callable[[], bytes]) -> None:
        """Bring one file up to date; `content` is asked for only when it is to be written."""
        file = self._put(path, cid, content)
        self.files.append(file)
        if file.status not in {"kept", "failed"}:
            self.known[path] = cid

    def _put(self, path: str, cid: str, content: Callable[[], bytes]) -> PulledFile:
        target = self.folder / path
        if len(target.name.encode()) > _LONGEST_NAME:
            return PulledFile(path, "failed", cid, "its record key is too long for a file name")
        present = _cid_of(target)
        if present == cid:
            return PulledFile(path, "unchanged", cid)
        if present is not None and present != self.known.get(path) and not self._force:
            reason = "was changed here since it was pulled; --force replaces it"
            return PulledFile(path, "kept", cid, reason)
        try:
            body = content()
        except RepoRefused as error:
            return PulledFile(path, "failed", cid, error.message)
        self.make(target.parent)
        write_atomically(target, body, durable=False)
        return PulledFile(path, "new" if present is None else "updated", cid)

    def make(self, folder: Path) -> None:
        """Make a folder, which must not lead elsewhere. Raises StateError."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StateError(
                f"{folder}: {error.strerror}", remedy="make the folder writable, or use --out"
            ) from error
        if not folder.resolve().is_relative_to(self.folder.resolve()):
            raise StateError(
                f"{folder} leads out of {self.folder}", remedy="remove the symbolic link there"
            )


def _write(
    repo: Repo, records: Sequence[RemoteRecord], writer: _Writer, progress: Progress
) -> None:
    progress.stage("writing records", len(records))
    for record in records:
        path = f"{record.collection}/{escape_rkey(record.rkey)}.json"
        writer.put(path, record.cid, partial(_text, whole(record.value)))
        progress.advance()
    cids = sorted({str(blob.cid) for record in records for blob in blob_refs(whole(record.value))})
    progress.stage("fetching blobs", len(cids))

    def fetch(cid: str) -> None:
        writer.put(f"blobs/{cid}", cid, partial(repo.fetch_blob, cid))
        progress.advance()

    with ThreadPoolExecutor(DOWNLOADS) as pool:
        list(pool.map(fetch, cids))
    writer.files.sort(key=lambda file: (file.path.startswith("blobs/"), file.path))


def _text(value: Value) -> bytes:
    return data.dumps(value).encode()


def _gone(writer: _Writer, before: _Manifest | None) -> None:
    """Report what an earlier pull wrote and the repo no longer has; its files stay."""
    written = {file.path for file in writer.files}
    for path, cid in sorted((before.files if before else {}).items()):
        if path in written:
            continue
        if (writer.folder / path).exists():
            reason = "is no longer in the repo; the file stays"
            writer.files.append(PulledFile(path, "gone", cid, reason))
        else:
            writer.known.pop(path, None)


def _remember(writer: _Writer, did: str, rev: str, *, complete: bool) -> None:
    """Write `pull.json`, if that changes it."""
    manifest = _Manifest(
        version=1, did=did, rev=rev, proof="listed", complete=complete, files=writer.known
    )
    text = json.dumps(manifest.model_dump(), indent=2, sort_keys=True) + "\n"
    writer.make(writer.folder)
    path = writer.folder / MANIFEST
    if not path.exists() or path.read_text("utf-8") != text:
        write_atomically(path, text.encode())


def _cid_of(path: Path) -> str | None:
    """Return the CID of what a file holds ('' for what is no record), None where there is none."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateError(f"{path}: {error.strerror}", remedy="make it readable") from error
    if path.suffix != ".json":
        return str(Cid.of(content, RAW))
    try:
        return data.record_cid(data.loads(content))
    except data.DataError:
        return ""
