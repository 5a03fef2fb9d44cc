"""What is published when a run is killed: a site, its account, and another app that writes too."""

from __future__ import annotations

import json
import shutil
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

from tests.reference_pds import Account, ReferencePds
from tests.site import Site, make_site
from tests.survive.runner import Ended, Job, Runner

DOCUMENT: Final = "site.standard.document"
FOREIGN: Final = {
    "$type": DOCUMENT,
    "site": "https://bob.example",
    "path": "/theirs",
    "title": "Not ours",
    "publishedAt": "2026-01-01T00:00:00+02:00",
    "org.example.nested": {"list": [1, None, {"é": "\u2028"}]},
}
NOTES: Final = {
    "bskyPostRef": {
        "uri": "at://did:plc:ewvi7nxzyoun6zhxrhs64oiz/app.bsky.feed.post/3l6oveex3ii2l",
        "cid": "bafyreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy",
    },
    "org.example.note": {"z": 1, "a": ["ü", None]},
}
"""What another app adds to records of ours."""

Places: TypeAlias = dict[str, dict[str, Any]]


@dataclass(slots=True)
class Stage:
    """A site with a fresh account, and what must be so in the end.

    `bodies` and `covers` are by path of the site; `noted` are the paths of records with `NOTES`,
    `replaced` the CIDs of records and blobs that the run overwrites or deletes.
    """

    pds: ReferencePds
    runner: Runner
    account: Account
    site: Site
    bodies: dict[str, str] = field(default_factory=dict)
    covers: dict[str, int] = field(default_factory=dict)
    noted: set[str] = field(default_factory=set)
    replaced: set[str] = field(default_factory=set)

    def write(self, name: str, body: str, cover: int | None = None) -> None:
        """Write the document `name`.md, with a cover of a colour."""
        head = {}
        self.bodies[f"/{name}"] = body
        if cover is not None:
            head["cover"] = f"{cover}.png"
            self.site.picture(f"{cover}.png", cover)
            self.covers[f"/{name}"] = cover
        self.site.write(f"{name}.md", body, **head)

    def remove(self, name: str) -> None:
        """Remove a document."""
        (self.site.content / f"{name}.md").unlink()
        del self.bodies[f"/{name}"]
        self.covers.pop(f"/{name}", None)

    def publish(self, *options: str, **faults: Any) -> Ended:
        """Run `publisher publish`."""
        return self.run("publish", *options, **faults)

    def run(self, *arguments: str, **faults: Any) -> Ended:
        """Run a command in the site's folder."""
        environment = {"PUBLISHER_APP_PASSWORD": self.account.app_password}
        return self.runner.run(Job(str(self.site.root), arguments, environment, **faults))

    def records(self) -> Places:
        """Return the records of the collection by rkey: each with its uri, cid and value."""
        query = f"repo={self.account.did}&collection={DOCUMENT}&limit=100"
        listed = json.loads(self.fetch("com.atproto.repo.listRecords", query))["records"]
        return {record["uri"].rpartition("/")[2]: record for record in listed}

    def fetch(self, nsid: str, query: str) -> bytes:
        """Return what a public query answers."""
        address = self.pds.url.replace("localhost", "127.0.0.1")
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(f"{address}/xrpc/{nsid}?{query}", timeout=60) as answer:
            content: bytes = answer.read()
        return content

    def by_path(self) -> Places:
        """Return them by the path of their document."""
        return {record["value"]["path"]: record for record in self.records().values()}

    def write_as_another_app(self, nsid: str, rkey: str, **more: object) -> None:
        """Call a writing endpoint, as a program of somebody else."""
        place = {"repo": self.account.did, "collection": DOCUMENT, "rkey": rkey}
        self.pds.call(f"com.atproto.repo.{nsid}", {**place, **more}, token=self.account.token)

    def note(self, name: str) -> None:
        """Let another app add its fields to the record of a document."""
        record = self.by_path()[f"/{name}"]
        rkey = record["uri"].rpartition("/")[2]
        self.write_as_another_app("putRecord", rkey, record={**record["value"], **NOTES})
        self.noted.add(f"/{name}")

    def will_replace(self, *names: str) -> None:
        """Say whose records are overwritten or deleted by the run."""
        found = self.by_path()
        self.replaced |= {found[f"/{name}"]["cid"] for name in names}


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is published: `prepare` makes it ready, `options` are those of every run."""

    name: str
    prepare: Callable[[Stage], None]
    options: tuple[str, ...] = ()
    batch: int | None = None

    @property
    def ways(self) -> Mapping[str, Any]:
        """How the runs write: in batches of so many, or one by one."""
        return {"batch": self.batch} if self.batch else {}


def stage(pds: ReferencePds, runner: Runner, folder: Path) -> Stage:
    """Make an account and an empty site in `folder`, which is emptied."""
    shutil.rmtree(folder, ignore_errors=True)
    account = pds.new_account()
    site = make_site(folder, repo=account.handle, pds=pds.url, plc=pds.plc)
    made = Stage(pds, runner, account, site)
    made.write_as_another_app("putRecord", "3l6oveex3ii2l", record=FOREIGN)
    return made


def _seven(stage: Stage) -> None:
    for number in range(7):
        stage.write(f"d{number}", f"Text {number}.", cover=number if number < 4 else None)


def _published(stage: Stage) -> None:
    _seven(stage)
    done = stage.publish("--allow", "mass-create")
    assert done.status == 0, done
    stage.note("d0")
    stage.note("d4")


def _edits(stage: Stage) -> None:
    _published(stage)
    stage.will_replace("d0", "d1", "d4")
    stage.replaced.add(_cid_of_cover(stage, "d1"))
    stage.write("d0", "Edited 0.", cover=0)
    stage.write("d4", "Edited 4.")
    stage.write("d1", "Text 1.", cover=11)


def _many_and_one_less(stage: Stage) -> None:
    _published(stage)
    stage.will_replace(*(f"d{number}" for number in range(7)))
    stage.replaced.add(_cid_of_cover(stage, "d3"))
    stage.remove("d3")
    for number in (0, 1, 2, 4, 5, 6):
        stage.write(f"d{number}", f"Edited {number}.", cover=number if number < 4 else None)


def _deleted_by_others(stage: Stage) -> None:
    _published(stage)
    found = stage.by_path()
    for path in ("/d0", "/d5"):
        stage.write_as_another_app("deleteRecord", found[path]["uri"].rpartition("/")[2])
    stage.noted.discard("/d0")


def _cid_of_cover(stage: Stage, name: str) -> str:
    cid: str = stage.by_path()[f"/{name}"]["value"]["coverImage"]["ref"]["$link"]
    return cid


SCENARIOS: Final = {
    scenario.name: scenario
    for scenario in (
        Scenario("first", _seven, ("--allow", "mass-create"), batch=3),
        Scenario("edits", _edits),
        Scenario("prune", _many_and_one_less, ("--prune", "--allow", "mass-update"), batch=3),
        Scenario("recreate", _deleted_by_others, ("--recreate",)),
    )
}
