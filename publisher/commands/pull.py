"""`publisher pull`: records and blobs of any repo come here, proven from the signed commit down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal

from publisher import syntax
from publisher.commands.repos import Target, open_to_read
from publisher.errors import ConfigError, PublisherError, RepoRefused, StateError
from publisher.files import writing
from publisher.pace import Pace
from publisher.progress import Progress, Silent
from publisher.pulling.folder import FileStatus, OutputFolder, PulledFile, Wanted
from publisher.pulling.proof import Known, Read, check_order, read
from publisher.pulling.records import Done, Names, Work, json_names, write_all
from publisher.pulling.state import Head, Held, Proof, State, one_pull, read_manifest
from publisher.pulling.whole import lines, save_archive
from publisher.repo import Commit, Repo
from publisher.syntax import Nsid

Form = Literal["json", "jsonl", "car"]
DOWNLOADS = 16
REPOS = 4
"""How many repos are pulled at the same time."""

RATE = 8.0
"""How many requests a second a server gets where several repos are pulled."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What to pull of one repo: `rkey` of the one collection, some collections, or everything."""

    target: Target
    collections: tuple[Nsid, ...] = ()
    rkey: str | None = None

    @property
    def whole(self) -> bool:
        """Whether everything is wanted."""
        return not self.collections

    def takes(self, key: str) -> bool:
        """Tell whether the record 'collection/rkey' is wanted."""
        collection, _, rkey = key.partition("/")
        return (self.whole or collection in self.collections) and self.rkey in {None, rkey}

    def text(self) -> str:
        """Return what tells two selections apart."""
        return " ".join([*sorted(self.collections), self.rkey or ""])


@dataclass(frozen=True, slots=True)
class PullOptions:
    """What the command line asks for.

    `force` replaces files that were changed here. `mirror`: what is gone from the repo is deleted,
    not moved to the trash. `must_prove`: nothing is taken that isn't proven. `form` is what the
    records become; lines of JSON are handed to `emit`, and nothing is written.
    """

    force: bool = False
    mirror: bool = False
    must_prove: bool = False
    form: Form = "json"
    emit: Callable[[bytes], object] = field(default=lambda _line: None)


@dataclass(frozen=True, slots=True)
class Pulled:
    """What came of one repo: the files that aren't as they were before, and how many are.

    `reason` says why no more than `proof` is known.
    """

    repo: str
    did: str
    rev: str
    folder: Path
    files: tuple[PulledFile, ...]
    unchanged: int = 0
    proof: Proof = "proven"
    reason: str = ""


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
    found: Counter[str] = Counter(file.status for file in pulled.files)
    return {**found, "unchanged": pulled.unchanged}


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


def listed(path: Path) -> list[str]:
    """Return the repos that a file names, one a line; `#` begins a comment. Raises ConfigError."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path}: {error}", remedy="name a text file with a repo a line"
        ) from error
    names = (line.partition("#")[0].strip() for line in text.splitlines())
    found = list(dict.fromkeys(filter(None, names)))
    if not found:
        raise ConfigError(f"{path} names no repo", remedy="write a handle or a DID a line")
    return found


def pull(
    selections: Sequence[Selection], out: Path, options: PullOptions, progress: Progress
) -> PullReport:
    """Pull the repos into `out`; several get a folder each, named by their DIDs.

    A file that isn't as the last pull wrote it is the user's: kept unless `force`. Nothing is
    written of a repo that doesn't hold: ProofFailed.
    """
    if len(selections) == 1:
        return PullReport((_pull(selections[0], out, options, progress),))
    return _pull_many(selections, out, options, progress)


def _pull_many(
    selections: Sequence[Selection], out: Path, options: PullOptions, progress: Progress
) -> PullReport:
    """Pull several repos at once, so slowly that no server minds."""
    pace = Pace(RATE)
    done: list[Pulled] = []
    errors: dict[str, PublisherError] = {}
    progress.stage("pulling repos", len(selections))
    with ThreadPoolExecutor(REPOS) as pool:
        works = [
            pool.submit(_pull, selection, out, options, Silent(), pace) for selection in selections
        ]
        for selection, work in zip(selections, works, strict=True):
            try:
                done.append(work.result())
            except PublisherError as error:
                errors[selection.target.name] = error
            progress.advance()
    return PullReport(tuple(done), errors)


def _pull(
    selection: Selection,
    out: Path,
    options: PullOptions,
    progress: Progress,
    pace: Pace | None = None,
) -> Pulled:
    """Pull one repo; where there are several, which a pace tells, into a folder of its own."""
    repo = open_to_read(selection.target, pace=pace)
    try:
        name = repo.did.replace(":", "_").replace("%", "_")
        folder = out / name if pace else out
        if options.form == "jsonl":
            return _lines(repo, selection, options)
        if options.form == "car":
            return _archive(repo, selection, out / f"{name}.car")
        with one_pull(folder, waits=pace is not None):
            _check_owner(folder, repo)
            state = State(folder, repo.did)
            try:
                alone = pace is not None  # beside other threads no process can be forked
                return _Pull(repo, selection, state, options, progress, alone=alone).run()
            finally:
                state.close()
    finally:
        repo.close()


def _lines(repo: Repo, selection: Selection, options: PullOptions) -> Pulled:
    with read(repo, selection.collections, None, must_prove=options.must_prove) as found:
        keys = [key for key in found.items if selection.takes(key)]
        for line in lines(found, keys, repo.did):
            options.emit(line)
        files = tuple(PulledFile(key, "new", found.items[key]) for key in keys)
        return Pulled(
            *(repo.name, repo.did, found.commit.rev, Path("-"), files),
            proof=found.proof,
            reason=found.reason,
        )


def _archive(repo: Repo, selection: Selection, path: Path) -> Pulled:
    if not selection.whole:
        raise ConfigError(
            "a CAR holds a whole repo", remedy="leave the collections out, or pull as json"
        )
    status: FileStatus = "updated" if path.exists() else "new"
    with read(repo, (), None, must_prove=True) as found:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        save_archive(found, path)
        file = PulledFile(path.name, status, found.commit.cid)
        return Pulled(repo.name, repo.did, found.commit.rev, path.parent, (file,))


def _check_owner(folder: Path, repo: Repo) -> None:
    manifest = read_manifest(folder)
    if manifest and manifest.did != repo.did:
        raise StateError(
            f"{folder} holds the repo of {manifest.did}, not of {repo.did}",
            remedy="pull into another folder (--out)",
        )


class _Pull:
    """One repo into one folder."""

    def __init__(
        self,
        repo: Repo,
        selection: Selection,
        state: State,
        options: PullOptions,
        progress: Progress,
        *,
        alone: bool,
    ) -> None:
        self._alone = alone
        self._repo = repo
        self._selection = selection
        self._state = state
        self._options = options
        self._progress = progress
        self._folder = OutputFolder(state.folder, state.files, force=options.force)
        self._files: list[PulledFile] = []

    def run(self) -> Pulled:
        self._progress.stage(f"reading {self._repo.name}", 1)
        commit = self._repo.head()
        before = self._state.head
        check_order(self._repo, commit, before.commit if before else None)
        if before and self._is_as_before(before, commit):
            self._progress.advance()
            return self._report(before.commit, before.proof, "", len(self._state.files))
        collections = self._selection.collections
        must_prove = self._options.must_prove
        with read(self._repo, collections, self._known(commit), must_prove=must_prove) as found:
            check_order(self._repo, found.commit, before.commit if before else None)
            self._progress.advance()
            return self._write(found)

    def _is_as_before(self, before: Head, commit: Commit) -> bool:
        """Tell whether the repo hasn't moved, and the files are as the last pull left them."""
        if before.commit != commit or not before.complete:
            return False
        if before.scope != self._selection.text():
            return False
        if self._options.must_prove and before.proof != "proven":
            return False
        return all(self._folder.has(path, file.cid) for path, file in self._state.files.items())

    def _known(self, commit: Commit) -> Known | None:
        """Return what was proven before, where what is new since can be built upon it."""
        head = self._state.head
        if not head or head.proof != "proven" or head.commit.rev >= commit.rev:
            return None
        if head.scope != self._selection.text():
            return None
        records = self._state.records()
        complete = all(
            (held := self._state.held.get(key)) and self._folder.has(held.path, cid)
            for key, cid in records.items()
            if self._selection.takes(key)
        )
        return Known(head.commit.rev, records) if complete else None

    def _write(self, found: Read) -> Pulled:
        wanted = {key: cid for key, cid in found.items.items() if self._selection.takes(key)}
        if not wanted and self._selection.rkey:
            raise RepoRefused(
                f"{self._repo.name} has no record {self._selection.collections[0]}"
                f"/{self._selection.rkey}",
                name="RecordNotFound",
                remedy="correct the AT-URI",
            )
        scope = self._selection.text()
        head = Head(found.commit, found.proof, scope, complete=False)
        self._folder.make_root()
        if not read_manifest(self._folder.path):  # from here on, it is no folder of documents
            self._state.begin(head)
        held = dict(self._state.held)
        complete = False
        try:
            self._records(found, wanted, held)
            self._blobs(held, found.commit.rev)
            complete = True
        finally:
            head = replace(head, complete=complete)
            items = found.items if found.whole and found.proof == "proven" else None
            self._state.save(head, items, self._folder.files, held)
        unchanged = sum(file.status == "unchanged" for file in self._files)
        return self._report(found.commit, found.proof, found.reason, unchanged)

    def _records(self, found: Read, wanted: Mapping[str, str], held: dict[str, Held]) -> None:
        """Write the records, and take away the files of those that are gone."""
        self._progress.stage("writing records", len(wanted))
        names = Names({key: each.path for key, each in held.items()})
        new: dict[str, str] = {}
        for key, cid in wanted.items():
            known = held.get(key)
            if known and self._folder.has(known.path, cid):
                self._files.append(PulledFile(known.path, "unchanged", cid))
                self._progress.advance()
            else:
                new[key] = cid
        works = (
            Work(key, cid, names.of(key, json_names(key)), found.block(key))
            for key, cid in new.items()
        )
        done = write_all(self._folder, works, len(new), self._progress, alone=self._alone)
        for each in done:
            self._take(each, held)
        gone = [key for key in held if self._selection.takes(key) and key not in wanted]
        self._remove([held.pop(key).path for key in gone], found.commit.rev)

    def _take(self, done: Done, held: dict[str, Held]) -> None:
        self._files.append(done.file)
        if done.written:
            self._folder.files[done.file.path] = done.written
        if done.held:
            held[done.key] = done.held

    def _blobs(self, held: Mapping[str, Held], rev: str) -> None:
        """Fetch the blobs that aren't here, and take away those that nothing refers to."""
        cids = sorted({cid for each in held.values() for cid in each.blobs})
        self._progress.stage("fetching blobs", len(cids))
        with ThreadPoolExecutor(DOWNLOADS) as pool:
            for file in pool.map(self._blob, cids):
                self._files.append(file)
                self._progress.advance()
        needed = {f"blobs/{cid}" for cid in cids}
        paths = [path for path in self._folder.files if path.startswith("blobs/")]
        self._remove([path for path in paths if path not in needed], rev)

    def _blob(self, cid: str) -> PulledFile:
        return self._folder.put(Wanted(f"blobs/{cid}", cid, partial(self._repo.fetch_blob, cid)))

    def _remove(self, paths: Iterable[str], rev: str) -> None:
        into = None if self._options.mirror else rev
        known = [path for path in paths if path in self._folder.files]
        self._files += self._folder.remove(known, into=into)

    def _report(self, commit: Commit, proof: Proof, reason: str, unchanged: int) -> Pulled:
        files = [file for file in self._files if file.status != "unchanged"]
        files.sort(key=lambda file: (file.path.startswith("blobs/"), file.path))
        return Pulled(
            self._repo.name,
            self._repo.did,
            commit.rev,
            self._folder.path,
            tuple(files),
            unchanged,
            proof,
            reason,
        )
