"""Publishers and another app at work on one repo, in any order: no update is lost.

The rules edit documents, publish from two folders, and let another app change, add and delete, also
in the moment between reading and writing. What the other app wrote is remembered, and held against
the repo after each step.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from publisher.apply import applier
from publisher.commands.reports import PublishReport
from publisher.data import Value
from publisher.documents import DOCUMENT
from publisher.folder import FolderRepo
from publisher.pds import PdsRepo
from publisher.repo import Applied, DeleteWrite, RemoteRecord, Repo, UpdateWrite, Write
from publisher.spool import whole
from publisher.syntax import Rkey
from tests.site import Site, make_site

NAMES = ("a.md", "b.md", "c.md")
WORDS = st.sampled_from(["one", "two", "three", "four"])
EVERYTHING = frozenset({"empty", "delete", "mass-update", "mass-create"})


class Writers(RuleBasedStateMachine):
    """Two folders of the same site, each with its lock; one repo; another app."""

    few: ClassVar[int] = 0
    kind: ClassVar[type[FolderRepo | PdsRepo]] = FolderRepo

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.sites = [self.make_site(self.folder / name) for name in ("here", "there")]
        self.foreign: dict[Rkey, dict[str, Value]] = {}
        self.meddling: list[Callable[[], None]] = []
        self.count = 0

    def make_site(self, root: Path) -> Site:
        return make_site(root, repo=f"folder:{self.folder / 'repo'}")

    def repo(self) -> Repo:
        return FolderRepo.open_or_create(self.folder / "repo")

    def publish(self, site: Site, **options: object) -> PublishReport:
        return site.publish(**options)

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    def records(self) -> Mapping[Rkey, RemoteRecord]:
        repo = self.repo()
        try:
            return repo.read([DOCUMENT], afresh=True).records[DOCUMENT]
        finally:
            repo.close()

    @rule(site=st.integers(0, 1), name=st.sampled_from(NAMES), word=WORDS)
    def edit(self, site: int, name: str, word: str) -> None:
        self.sites[site].write(name, "Hello.", title=word, path=f"/{name}")

    @rule(site=st.integers(0, 1), name=st.sampled_from(NAMES))
    def remove(self, site: int, name: str) -> None:
        (self.sites[site].content / name).unlink(missing_ok=True)

    @rule(site=st.integers(0, 1))
    def lose_the_lock(self, site: int) -> None:
        self.sites[site].lock.unlink(missing_ok=True)

    @rule(site=st.integers(0, 1))
    def lose_all_state(self, site: int) -> None:
        self.sites[site].lock.unlink(missing_ok=True)
        shutil.rmtree(self.sites[site].root / ".publisher", ignore_errors=True)

    @precondition(lambda self: any(list(site.content.iterdir()) for site in self.sites))
    @rule(site=st.integers(0, 1), prune=st.booleans(), meddles=st.booleans())
    def publish_one(self, site: int, prune: bool, meddles: bool) -> None:
        if not list(self.sites[site].content.iterdir()):
            return
        if meddles:
            self.meddling = [lambda: self.add_there(0, "meddled"), lambda: self.title_there(1)]
        before, known = self.records(), self.known(site)
        with overtaken(self):
            report = self.publish(self.sites[site], prune=prune, allow=EVERYTHING)
        assert report.exit_status in {0, 1}, report.error
        self.check_that_what_went_was_ours(before, prune=prune)
        self.let_go_of_titles(known)

    def known(self, site: int) -> set[str]:
        """The rkeys that the lock of a site knows."""
        lock = self.sites[site].lock
        return {line["rkey"] for line in self.sites[site].lock_lines()} if lock.exists() else set()

    def let_go_of_titles(self, known: set[str]) -> None:
        """Without a line in the lock the document decides, at a key that only we derive."""
        records = self.records()
        for rkey, fields in self.foreign.items():
            there = records[rkey].value.get("title") if rkey in records else None
            if "title" in fields and there != fields["title"] and rkey not in known:
                del fields["title"]

    @rule(site=st.integers(0, 1))
    def publish_twice_writes_once(self, site: int) -> None:
        if not list(self.sites[site].content.iterdir()):
            return
        known = self.known(site)
        self.publish(self.sites[site], allow=EVERYTHING)
        self.let_go_of_titles(known)

        again = self.publish(self.sites[site], allow=EVERYTHING)

        assert again.commits == 0, [item for item in again.items if item.action != "unchanged"]

    @rule(number=st.integers(0, 5), word=WORDS)
    def add_there(self, number: int, word: str) -> None:
        """Another app adds a field that we don't know, or changes it."""
        self.change_there(number, {"example.foreign": [word, {"n": None}]})

    @rule(number=st.integers(0, 5))
    def title_there(self, number: int) -> None:
        """Another app changes a field that we own."""
        self.count += 1
        self.change_there(number, {"title": f"Theirs {self.count}"})

    @rule(number=st.integers(0, 5))
    def delete_there(self, number: int) -> None:
        """Another app deletes a record."""
        if record := self.pick(number):
            repo = self.repo()
            repo.apply_one(DeleteWrite(DOCUMENT, record.rkey, record.cid))
            repo.close()
            self.foreign.pop(record.rkey, None)

    def change_there(self, number: int, fields: dict[str, Value]) -> None:
        if record := self.pick(number):
            repo = self.repo()
            value = whole(record.value) | fields
            repo.apply_one(UpdateWrite(DOCUMENT, record.rkey, value, record.cid))
            repo.close()
            self.foreign.setdefault(record.rkey, {}).update(fields)

    def pick(self, number: int) -> RemoteRecord | None:
        records = sorted(self.records().values(), key=lambda record: record.rkey)
        return records[number % len(records)] if records else None

    def check_that_what_went_was_ours(
        self, before: Mapping[Rkey, RemoteRecord], *, prune: bool
    ) -> None:
        gone = before.keys() - self.records().keys()
        assert prune or not gone
        for rkey in gone:  # what another app changed of ours is never pruned
            assert "title" not in self.foreign.get(rkey, {})
            self.foreign.pop(rkey, None)

    @invariant()
    def nothing_of_the_other_app_is_lost(self) -> None:
        records = self.records()
        for rkey, fields in self.foreign.items():
            assert rkey in records
            value = whole(records[rkey].value)
            assert {name: value.get(name) for name in fields} == fields

    @invariant()
    def no_document_has_two_records(self) -> None:
        paths = [record.value.get("path") for record in self.records().values()]
        assert len(paths) == len(set(paths))


@contextmanager
def overtaken(machine: Writers) -> Iterator[None]:
    """Let the other app act right before each write of the publisher, as long as it has plans."""
    kind = machine.kind
    apply, apply_one = kind.apply, kind.apply_one

    def meddle() -> None:
        if machine.meddling:
            act = machine.meddling.pop(0)
            with plain():
                act()

    @contextmanager
    def plain() -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(kind, "apply", apply)
            patched.setattr(kind, "apply_one", apply_one)
            yield

    def batch(repo: Repo, writes: Sequence[Write], *, swap_commit: str) -> Applied:
        meddle()
        return apply(repo, writes, swap_commit=swap_commit)  # type: ignore[arg-type]  # its own kind

    def one(repo: Repo, write: Write) -> str | None:
        meddle()
        return apply_one(repo, write)  # type: ignore[arg-type]  # its own kind

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(kind, "apply", batch)
        patched.setattr(kind, "apply_one", one)
        patched.setattr(applier, "FEW", machine.few)
        yield
    machine.meddling.clear()


class WritersAlone(Writers):
    """The same with single writes."""

    few = 100


LONG = settings(
    max_examples=100,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestWriters = Writers.TestCase
TestWriters.settings = LONG
TestWritersAlone = WritersAlone.TestCase
TestWritersAlone.settings = LONG
