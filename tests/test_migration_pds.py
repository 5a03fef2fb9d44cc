"""One account's records go to another account, on the reference PDS, as users do it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import migration_world as world
from tests.migration_world import FIRST, LOOSE, MAIN, POST, SECOND, STALE, THIRD
from tests.reference_pds import Account, ReferencePds
from tests.site import Site, make_site, run
from tests.survive.crash import KILLED

WRITES = ("applyWrites", "putRecord", "uploadBlob")


@dataclass(frozen=True, slots=True)
class Move:
    """Two accounts of a PDS, and a site of the second that holds what was pulled of the first."""

    pds: ReferencePds
    old: Account
    new: Account
    there: Site

    def publisher(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        password = {"PUBLISHER_APP_PASSWORD": self.new.app_password}
        return run(*arguments, folder=self.there.root, environment=password)

    def publish(self, *arguments: str) -> dict[str, Any]:
        return self.publish_plainly("--migrate-from", self.old.did, *arguments)

    def publish_plainly(self, *arguments: str) -> dict[str, Any]:
        done = self.publisher("publish", "--json", *arguments)
        assert done.stdout, done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        return report

    def writes(self) -> int:
        return sum(self.pds.stats().count(f"com.atproto.repo.{name}") for name in WRITES)

    def has_arrived(self) -> dict[str, Any]:
        """Hold the new repo against what was pulled; return its records."""
        pulled = self.publisher("pull", "--out", "back", "--require", "proven")
        assert pulled.returncode == 0, pulled.stderr
        back = self.there.root / "back"
        records = world.read(back)
        expected = world.replaced(
            self.there.content, self.old.did, self.new.did, world.cids(records)
        )
        assert world.files(back) == expected
        return records


@pytest.fixture
def moving(pds: ReferencePds, account: Account, tmp_path: Path) -> Move:
    """The first account's site published and pulled; the second account is empty."""
    other = pds.new_account()
    servers = {"pds": pds.url, "plc": pds.plc}
    site = f"at://{account.did}/{MAIN}"
    here = make_site(tmp_path / "here", repo=account.handle, site=site, **servers)
    world.write_site(here, account.did)
    password = {"PUBLISHER_APP_PASSWORD": account.app_password}
    published = run("publish", folder=here.root, environment=password)
    assert published.returncode == 0, published.stdout + published.stderr
    assert run("pull", "--out", "pulled", folder=here.root).returncode == 0
    site = f"at://{other.did}/{MAIN}"
    there = make_site(tmp_path / "there", repo=other.handle, site=site, **servers)
    shutil.copytree(here.root / "pulled", there.content, dirs_exist_ok=True)
    pds.reset()
    return Move(pds, account, other, there)


def test_the_whole_recipe(moving: Move) -> None:
    status = moving.publisher("status", "--migrate-from", moving.old.did)
    assert status.stdout.splitlines()[-3].startswith("8 create in ")
    assert moving.writes() == 0

    done = moving.publish()

    assert (done["counts"], done["uploaded"], done["exit_status"]) == ({"create": 8}, 1, 0)
    assert done["migration"] == {"old": moving.old.did, "staying": 1}
    stale = [item["path"] for item in done["items"] if item["findings"] and STALE in item["path"]]
    assert stale == [f"{STALE}.json"]
    records = moving.has_arrived()
    before, after = world.cids(world.read(moving.there.content)), world.cids(records)
    assert {name for name in before if before[name] == after[name]} == {MAIN, LOOSE}
    assert {records[name]["site"] for name in (FIRST, SECOND, THIRD)} == {
        f"at://{moving.new.did}/{MAIN}"
    }
    assert records[SECOND]["related"] == {
        "uri": f"at://{moving.new.did}/{FIRST}",
        "cid": after[FIRST],
    }
    assert records[THIRD]["bskyPostRef"]["uri"] == f"at://{moving.old.did}/{POST}"
    moving.pds.reset()
    again = moving.publish()
    assert (again["counts"], moving.writes()) == ({"unchanged": 8}, 0)
    assert (moving.publish_plainly(), moving.writes()) == (again, 0)
    verified = moving.publisher("verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_without_a_word_nothing_of_another_account_is_written(moving: Move) -> None:
    moving.there.configure(
        repo=moving.new.handle,
        site=f"at://{moving.old.did}/{MAIN}",
        pds=moving.pds.url,
        plc=moving.pds.plc,
    )

    done = moving.publisher("publish")

    assert (done.returncode, moving.writes()) == (1, 0)
    assert f"pulled from {moving.old.did}, and 8 would be written" in done.stderr
    assert f"--migrate-from {moving.old.did}" in done.stderr


def killed(moving: Move, point: int) -> bool:
    """Publish in batches of three, in a process that ends at a point; tell whether it did."""
    told = moving.there.root.parent / "points"
    command = ("publish", "--migrate-from", moving.old.did)
    done = subprocess.run(
        [sys.executable, "-m", "tests.survive.crash", str(point), str(told), *command],
        cwd=moving.there.root,
        env={
            **os.environ,
            "PYTHONPATH": str(Path(__file__).parents[1]),
            "PUBLISHER_APP_PASSWORD": moving.new.app_password,
            "FEW": "0",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode in {0, KILLED}, done.stdout + done.stderr
    return done.returncode == KILLED


def test_killed_between_its_batches_the_next_run_goes_on(moving: Move) -> None:
    batches: list[int] = []
    for point in range(16, 100):
        was_killed = killed(moving, point)
        batches.append(moving.pds.stats().count("com.atproto.repo.applyWrites"))
        if not was_killed:
            break

    assert {1, 2} & set(batches), "it was never killed in between"
    assert moving.publish()["counts"] == {"unchanged": 8}
    moving.has_arrived()


def test_an_answer_that_is_lost_is_settled_by_reading(moving: Move) -> None:
    moving.pds.faults([{"match": "applyWrites", "after": True}])

    assert moving.publish()["counts"] == {"create": 8}

    assert moving.pds.stats().count("com.atproto.repo.applyWrites") == 1
    moving.has_arrived()
    moving.pds.reset()
    assert (moving.publish()["counts"], moving.writes()) == ({"unchanged": 8}, 0)


def test_the_accounts_own_did_is_an_error(moving: Move) -> None:
    (moving.there.content / "pull.json").unlink()

    done = moving.publisher("publish", "--migrate-from", moving.new.did)

    assert (done.returncode, moving.writes()) == (2, 0)
    assert f"that is {moving.new.handle} itself" in done.stderr
