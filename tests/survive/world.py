"""A site on the reference PDS with covers, foreign fields and a foreign record; and its laws."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from publisher.commands.check import check
from publisher.commands.reports import PublishReport
from publisher.credentials import Secret, store
from publisher.data import Value
from publisher.documents import DOCUMENT
from publisher.progress import Silent
from publisher.repo import Commit, CreateWrite, RemoteRecord, UpdateWrite
from publisher.spool import whole
from publisher.syntax import Did, Rkey
from tests.pds_repo import open_pds_repo
from tests.reference_pds import Account, ReferencePds
from tests.site import Site, make_site

STRANGER = Rkey("3lzzzzzzzzz22")
FOREIGN: dict[str, Value] = {"example.foreign": [None, {"n": 1}, "byte for byte"]}
WRITES = ("applyWrites", "createRecord", "putRecord", "deleteRecord", "uploadBlob")


@dataclass(frozen=True, slots=True)
class World:
    """A site, its account, the server; whether the app password lies in the keyring."""

    pds: ReferencePds
    account: Account
    site: Site
    keyring: bool = False

    def publish(self, *, prune: bool = False) -> PublishReport:
        """Publish in this process; beside the record of another app, that needs a word."""
        allow = frozenset({"mass-create", "mass-update"})
        with self.environment():
            return self.site.publish(prune=prune, allow=allow)

    @contextmanager
    def environment(self) -> Iterator[None]:
        """Have the app password in the environment, where it isn't in the keyring."""
        if self.keyring:
            yield
            return
        os.environ["PUBLISHER_APP_PASSWORD"] = self.account.app_password
        try:
            yield
        finally:
            del os.environ["PUBLISHER_APP_PASSWORD"]

    def records(self) -> dict[Rkey, RemoteRecord]:
        """Return what the repo holds."""
        repo = open_pds_repo(self.pds, self.account)
        try:
            return dict(repo.read([DOCUMENT]).records[DOCUMENT])
        finally:
            repo.close()

    def head(self) -> Commit:
        """Return the repo's current commit."""
        repo = open_pds_repo(self.pds, self.account)
        try:
            return repo.head()
        finally:
            repo.close()

    def writes(self) -> int:
        """Return how many requests have written, as far as they arrived."""
        stats = self.pds.stats()
        return sum(stats.count(f"com.atproto.repo.{name}") for name in WRITES)

    def with_keyring(self) -> World:
        """Put the app password into the keyring, where sessions are kept too."""
        store(Did(self.account.did), Secret(self.account.app_password))
        return replace(self, keyring=True)

    def has_converged(self, documents: int, *, prune: bool = False) -> None:
        """Publish, and hold the repo against the folder; once more, and nothing is written."""
        report = self.publish(prune=prune)
        assert report.exit_status == 0, (report.error, report.items)
        with self.environment():
            compared = check(self.site.config, Silent())
        assert {item.status for item in compared.items} <= {"equal"}, compared.items
        records = self.records()
        stranger = records.pop(STRANGER)
        assert whole(stranger.value) == self.stranger()
        assert len(records) == documents
        paths = [record.value["path"] for record in records.values()]
        assert len(set(paths)) == documents
        before, lock = self.writes(), self.site.lock.read_bytes()
        again = self.publish(prune=prune)
        assert (again.exit_status, again.commits) == (0, 0), again.items
        assert (self.writes(), self.site.lock.read_bytes()) == (before, lock)

    def keeps_foreign_fields(self) -> None:
        """Hold the foreign fields of the first document against what was put there."""
        (record,) = (r for r in self.records().values() if r.value.get("path") == "/0")
        assert {name: record.value[name] for name in FOREIGN} == FOREIGN

    @staticmethod
    def stranger() -> dict[str, Value]:
        """Return the record of another app that stands in the collection."""
        return {
            "$type": DOCUMENT,
            "site": "https://bob.example",
            "path": "/theirs",
            "title": "Theirs",
            "publishedAt": "2026-01-01T00:00:00.000Z",
        }


def make_world(pds: ReferencePds, root: Path, documents: int, covers: int) -> World:
    """Make a site of documents, the first of them with covers, for an account of its own.

    The account's repo has the record of another app in the same collection.
    """
    account = pds.new_account()
    world = World(pds, account, make_site(root, repo=account.did, pds=pds.url, plc=pds.plc))
    repo = open_pds_repo(pds, account)
    repo.apply_one(CreateWrite(DOCUMENT, STRANGER, world.stranger()))
    repo.close()
    for number in range(documents):
        head: dict[str, object] = {}
        if number < covers:
            world.site.picture(f"{number}.png", colour=number)
            head["cover"] = f"{number}.png"
        world.site.write(f"{number}.md", f"Hello {number}.", **head)
    return world


def published(world: World) -> None:
    """Publish it all, and let another app add fields to the first record."""
    assert world.publish().exit_status == 0
    repo = open_pds_repo(world.pds, world.account)
    (theirs,) = (r for r in world.records().values() if r.value.get("path") == "/0")
    value = whole(theirs.value) | FOREIGN
    repo.apply_one(UpdateWrite(DOCUMENT, theirs.rkey, value, theirs.cid))
    repo.close()


def edit(world: World, *numbers: int) -> None:
    """Edit documents; the first one gets another cover."""
    for number in numbers:
        head: dict[str, object] = {}
        if number == 0:
            world.site.picture("new.png", colour=99)
            head["cover"] = "new.png"
        world.site.write(f"{number}.md", f"Hello again {number}.", **head)
