"""One repo brought into one folder: read, proven, written, remembered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal

from publisher.errors import RepoRefused
from publisher.progress import Progress
from publisher.pulling.folder import OutputFolder, PulledFile, Wanted
from publisher.pulling.proof import Known, Read, check_order, read
from publisher.pulling.records import Done, Names, Work, json_names, write_all
from publisher.pulling.state import Head, Held, Proof, State, read_manifest
from publisher.repo import Commit, Repo
from publisher.syntax import Nsid

Form = Literal["json", "jsonl", "car"]
DOWNLOADS = 16


@dataclass(frozen=True, slots=True)
class Scope:
    """What is wanted of a repo: `rkey` of the one collection, some collections, or everything."""

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

    @property
    def counts(self) -> dict[str, int]:
        """How many files have each status."""
        found: Counter[str] = Counter(file.status for file in self.files)
        return {**found, "unchanged": self.unchanged}


class Copy:
    """A repo on its way into a folder; `alone`: no other process may be begun."""

    def __init__(
        self,
        repo: Repo,
        scope: Scope,
        state: State,
        options: PullOptions,
        progress: Progress,
        *,
        alone: bool,
    ) -> None:
        self._alone = alone
        self._repo = repo
        self._scope = scope
        self._state = state
        self._options = options
        self._progress = progress
        self._folder = OutputFolder(state.folder, state.files, force=options.force)
        self._files: list[PulledFile] = []

    def run(self) -> Pulled:
        """Bring the folder up to date. Raises ProofFailed, StateError, Repo…."""
        self._progress.stage(f"reading {self._repo.name}", 1)
        commit = self._repo.head()
        before = self._state.head
        check_order(self._repo, commit, before.commit if before else None)
        if before and self._is_as_before(before, commit):
            self._progress.advance()
            return self._report(before.commit, before.proof, "", len(self._state.files))
        collections = self._scope.collections
        must_prove = self._options.must_prove
        with read(self._repo, collections, self._known(commit), must_prove=must_prove) as found:
            check_order(self._repo, found.commit, before.commit if before else None)
            self._progress.advance()
            return self._write(found)

    def _is_as_before(self, before: Head, commit: Commit) -> bool:
        """Tell whether the repo hasn't moved, and the files are as the last pull left them."""
        if before.commit != commit or not before.complete:
            return False
        if before.scope != self._scope.text():
            return False
        if self._options.must_prove and before.proof != "proven":
            return False
        return all(self._folder.has(path, file.cid) for path, file in self._state.files.items())

    def _known(self, commit: Commit) -> Known | None:
        """Return what was proven before, where what is new since can be built upon it."""
        head = self._state.head
        if not head or head.proof != "proven" or head.commit.rev >= commit.rev:
            return None
        if head.scope != self._scope.text():
            return None
        records = self._state.records()
        complete = all(
            (held := self._state.held.get(key)) and self._folder.has(held.path, cid)
            for key, cid in records.items()
            if self._scope.takes(key)
        )
        return Known(head.commit.rev, records) if complete else None

    def _write(self, found: Read) -> Pulled:
        wanted = {key: cid for key, cid in found.items.items() if self._scope.takes(key)}
        if not wanted and self._scope.rkey:
            raise RepoRefused(
                f"{self._repo.name} has no record {self._scope.collections[0]}/{self._scope.rkey}",
                name="RecordNotFound",
                remedy="correct the AT-URI",
            )
        scope = self._scope.text()
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
        gone = [key for key in held if self._scope.takes(key) and key not in wanted]
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
