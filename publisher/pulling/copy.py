"""One repo brought into one folder: read, proven, written, remembered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from itertools import repeat

from publisher.data import InvalidCbor, Value, decode
from publisher.documents import DOCUMENT
from publisher.errors import RepoRefused, RepoUnavailable
from publisher.progress import Progress
from publisher.pulling.folder import OutputFolder, PulledFile
from publisher.pulling.manifest import read_manifest
from publisher.pulling.pages import Named, archive_may_have_pages, may_have_pages, pages_of
from publisher.pulling.proof import Known, Read, as_known, check_order, read, read_record
from publisher.pulling.records import (
    Names,
    Work,
    blob_files,
    block_in,
    json_names,
    write_all,
)
from publisher.pulling.sizes import Declared, with_findings
from publisher.pulling.state import Head, Held, Proof, State
from publisher.pulling.wanted import Pulled, PullOptions, Scope
from publisher.repo import Commit, Repo
from publisher.syntax import Rkey

DOWNLOADS = 16
UNANSWERED = 8
"""How many blobs may fail to come for reasons that a later try may not have."""


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
        self._is_again = state.head is not None and state.head.scope == self._text()
        self._files: list[PulledFile] = []
        self._fetched: set[str] = set()
        self._sizes: list[Declared] = []
        self._unanswered = 0
        self._site: str | None = None

    def run(self, commit: Commit) -> Pulled:
        """Bring the folder up to the repo's head, `commit`, or a later one.

        Raises ProofFailed, StateError, Repo….
        """
        self._progress.stage(f"reading {self._repo.name}", 1)
        before = self._state.head
        check_order(self._repo, commit, before.commit if before else None)
        if before and self._is_as_before(before, commit):
            self._progress.advance()
            return self._report(before.commit, before.proof, "", len(self._state.files))
        # Who could prove it once must do so again: a listing might hide what it likes.
        must_prove = self._options.must_prove or (before is not None and before.proof == "proven")
        known = self._known()
        if before and known and before.commit == commit:  # only blobs may be missing
            self._progress.advance()
            return self._write(as_known(commit, known))
        with read_scope(self._repo, self._scope, known, must_prove=must_prove) as found:
            check_order(self._repo, found.commit, before.commit if before else None)
            self._progress.advance()
            return self._write(found)

    def _is_as_before(self, before: Head, commit: Commit) -> bool:
        """Tell whether the repo hasn't moved, and the files are as the last pull left them."""
        if before.commit != commit or not before.complete:
            return False
        if not self._is_again:
            return False
        if self._options.must_prove and before.proof != "proven":
            return False
        return all(self._folder.has(path, file.cid) for path, file in self._state.files.items())

    def _known(self) -> Known | None:
        """Return what was proven before, where its files are here: what is new builds upon it."""
        head = self._state.head
        if not head or head.proof != "proven":
            return None
        if not self._is_again or self._scope.publication:
            return None
        known = Known(head.commit.rev, *self._state.records())
        complete = all(
            (held := self._state.held.get(key)) and self._is_written(held, known.texts[raw])
            for path, raw in known.items.raw()
            if self._scope.takes(key := path.decode("ascii"))
        )
        return known if complete else None

    def _is_written(self, held: Held, cid: str) -> bool:
        return all(map(self._folder.has, held.paths, repeat(cid)))

    def _write(self, found: Read) -> Pulled:
        wanted = {key: cid for key, cid in found.items.items() if self._takes(found, key)}
        if not wanted and self._scope.rkey:
            raise RepoRefused(
                f"{self._repo.name} has no record {self._scope.collections[0]}/{self._scope.rkey}",
                name="RecordNotFound",
                remedy="correct the AT-URI",
            )
        head = Head(found.commit, found.proof, self._text(), complete=False)
        self._folder.begin()
        if not read_manifest(self._folder.path):  # from here on, it is no folder of documents
            self._state.begin(head)
        held = dict(self._state.held)
        done = False
        try:
            late = self._late(wanted, held)
            new = self._new(wanted, held, late)
            found = _with_blocks(found, late)
            if self._options.form == "markdown":
                self._prepare_markdown(found, new)
            self._prepare_pages(found, new)
            self._records(found, new, held)
            self._sweep(wanted, held, found.commit.rev)
            done = True
        finally:
            complete = done and not any(f.status in {"kept", "failed"} for f in self._files)
            items = found.items if found.whole and found.proof == "proven" else None
            head = replace(head, complete=complete, ended=done, site=self._site or "")
            self._state.save(head, items, self._folder.files, held)
        unchanged = sum(file.status == "unchanged" for file in self._files)
        return self._report(found.commit, found.proof, found.reason, unchanged)

    def _takes(self, found: Read, key: str) -> bool:
        if not self._scope.takes(key):
            return False
        if self._scope.publication is None:
            return True
        return self._scope.takes_value(key, value_of(found, key), self._repo.did)

    def _late(self, wanted: Mapping[str, str], held: Mapping[str, Held]) -> dict[str, bytes]:
        """Return the blocks of records that were written before a blob of theirs came, as now."""
        lacking = {
            key: known
            for key, known in held.items()
            if key in wanted and any(path not in self._folder.files for path, _ in known.blobs)
            if self._is_written(known, wanted[key]) and self._is_of_form(key)
        }
        self._blobs(pair for known in lacking.values() for pair in known.blobs)
        came = {file.path for file in self._files if file.status == "new"}
        blocks = {
            key: block_in(self._folder, known, wanted[key])
            for key, known in lacking.items()
            if any(path in came for path, _ in known.blobs)
        }
        late = {key: block for key, block in blocks.items() if block}
        self._folder.outdate(path for key in late for path in held[key].paths)
        return late

    def _new(
        self, wanted: Mapping[str, str], held: Mapping[str, Held], late: Container[str]
    ) -> dict[str, str]:
        """Return the records whose files aren't here as they should be, and those of `late`."""
        new: dict[str, str] = {}
        for key, cid in wanted.items():
            known = held.get(key) if key not in late else None
            if known and self._is_written(known, cid) and self._is_of_form(key):
                self._files += [PulledFile(path, "unchanged", cid) for path in known.paths]
            else:
                new[key] = cid
        return new

    def _is_of_form(self, key: str) -> bool:
        """Tell whether a record's files, which are here, are of the form that is wanted."""
        return self._is_again or not key.startswith(f"{DOCUMENT}/")

    def _prepare_markdown(self, found: Read, new: Iterable[str]) -> None:
        """Fetch the blobs first: what becomes of some documents depends on them."""
        from publisher.pulling.markdown import named_blobs

        self._site = self._site_of(found, new)
        self._blobs(pair for key in new for pair in named_blobs(value_of(found, key)))

    def _prepare_pages(self, found: Read, new: Collection[str]) -> None:
        """Fetch the blobs that only pages name which lie in a blob themselves."""
        most = 2 * len(new) > len(found.items)  # else to look at each new one is quicker
        if most and found.archive and not archive_may_have_pages(found.archive):
            return
        values = [value_of(found, key) for key in new if may_have_pages(key, found.block(key))]
        if not values:
            return
        named = self._named()
        self._blobs(pair for value in values for pair in named(value))
        pages = [pages_of(self._folder, value, named) for value in values]
        self._blobs(pair for each in pages for pair in named(each))

    def _named(self) -> Named:
        if self._options.form != "markdown":
            return blob_files
        from publisher.pulling.markdown import named_blobs

        return named_blobs

    def _records(self, found: Read, new: Mapping[str, str], held: dict[str, Held]) -> None:
        self._progress.stage("writing records", len(new))
        works = self._works(found, new, held)
        all_done = write_all(
            *(self._folder, works, found.block, len(new), self._progress), alone=self._alone
        )
        for done in all_done:
            self._files += done.files
            self._sizes += done.sizes
            self._folder.files.update(done.written)
            if done.held:
                held[done.key] = done.held

    def _works(
        self, found: Read, new: Mapping[str, str], held: Mapping[str, Held]
    ) -> Iterator[Work]:
        names = Names({key: each.paths[0] for key, each in held.items()})
        for key, cid in new.items():
            path = names.of(key, json_names(key), ".json")
            markdown = self._markdown_name(found, key, names)
            content = self._options.with_content
            yield Work(key, cid, path, markdown, self._site, content)

    def _markdown_name(self, found: Read, key: str, names: Names) -> str | None:
        if self._options.form != "markdown" or not key.startswith(f"{DOCUMENT}/"):
            return None
        from publisher.pulling.markdown import markdown_names

        return names.of(key, markdown_names(key, value_of(found, key)), ".md")

    def _site_of(self, found: Read, keys: Iterable[str]) -> str | None:
        """Return the site of earlier pulls, else the one that most of the documents have."""
        head = self._state.head
        if head and head.site and self._is_again:
            return head.site
        sites = Counter(
            site for key in keys if isinstance(site := value_of(found, key).get("site"), str)
        )
        return max(sites, key=lambda site: sites[site], default=None)

    def _blobs(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Fetch the blobs that aren't here: pairs of file and CID."""
        missing = [pair for pair in dict.fromkeys(pairs) if pair[0] not in self._fetched]
        self._fetched.update(path for path, _ in missing)
        self._progress.stage("fetching blobs", len(missing))
        with ThreadPoolExecutor(DOWNLOADS) as pool:
            for file in pool.map(self._blob, missing):
                self._files.append(file)
                self._progress.advance()

    def _blob(self, pair: tuple[str, str]) -> PulledFile:
        path, cid = pair
        try:
            return self._folder.fetch(path, cid, self._repo.fetch_blob)
        except RepoUnavailable as error:
            self._unanswered += 1
            if self._unanswered > UNANSWERED:
                raise
            return PulledFile(path, "failed", cid, error.message)

    def _sweep(self, wanted: Mapping[str, str], held: dict[str, Held], rev: str) -> None:
        """Fetch the blobs that records need, and take away the files that none does."""
        for key in [key for key in held if self._scope.takes(key) and key not in wanted]:
            del held[key]
        self._blobs(sorted({pair for each in held.values() for pair in each.blobs}))
        needed = {path for each in held.values() for path in each.paths}
        needed |= {path for each in held.values() for path, _ in each.blobs}
        into = None if self._options.mirror else rev
        gone = {path for path in self._folder.files if path not in needed}
        vain = gone & self._fetched - self._state.files.keys()  # for what became JSON after all
        self._folder.remove(vain, into=None, reasons={})
        self._files = [file for file in self._files if file.path not in vain]
        reasons = self._reasons(held) if gone else {}
        self._files += self._folder.remove(gone - vain, into=into, reasons=reasons)

    def _reasons(self, held: Mapping[str, Held]) -> dict[str, str]:
        """Return what became of the files of the last pull."""
        reasons: dict[str, str] = {}
        for key, before in self._state.held.items():
            after = held.get(key, Held((), ()))
            blobs = {cid: path for path, cid in after.blobs}
            now = dict.fromkeys(before.paths, next(iter(after.paths), None))
            now |= {path: blobs.get(cid) for path, cid in before.blobs}
            reasons |= {
                path: f"is written as {other} now" if other else "is no longer in the repo"
                for path, other in now.items()
            }
        return reasons

    def _text(self) -> str:
        """Return what tells two pulls apart that leave different files."""
        form = self._options.form
        return self._scope.text() if form == "json" else f"{form} {self._scope.text()}"

    def _lossy(self) -> dict[str, tuple[str, ...]]:
        """Return what earlier pulls said of files that are wanted, and were left as they are."""
        told = {file.path for file in self._files if file.losses and file.status != "unchanged"}
        return {
            held.paths[0]: held.losses
            for key, held in sorted(self._state.held.items())
            if held.losses and self._scope.takes(key) and held.paths[0] not in told
        }

    def _report(self, commit: Commit, proof: Proof, reason: str, unchanged: int) -> Pulled:
        known = with_findings(self._files, self._sizes, self._folder.files)
        files = [file for file in known if file.status != "unchanged" or file.findings]
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
            self._lossy(),
        )


def _with_blocks(found: Read, blocks: Mapping[str, bytes]) -> Read:
    """Return what was read with blocks from elsewhere: what was known before needn't have come."""
    return replace(found, block=lambda key: blocks.get(key) or found.block(key))


def value_of(found: Read, key: str) -> dict[str, Value]:
    """Return a record's value; nothing where it is none: that is told where it is written."""
    try:
        value = decode(found.block(key))
    except InvalidCbor:
        return {}
    return value if isinstance(value, dict) else {}


@contextmanager
def read_scope(
    repo: Repo, scope: Scope, known: Known | None, *, must_prove: bool
) -> Iterator[Read]:
    """Read what is wanted of a repo, or more; as `proof.read`, but a single record by its proof."""
    if scope.rkey and not must_prove:
        single = read_record(repo, scope.collections[0], Rkey(scope.rkey))
        if single:
            yield single
            return
    with read(repo, scope.collections, known, must_prove=must_prove) as found:
        yield found
