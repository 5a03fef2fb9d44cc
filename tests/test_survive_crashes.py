"""Killed at every point, the next run converges: no duplicate, nothing lost, nothing written twice.

    python -m tests.test_survive_crashes [RUNS]

kills at all points, and RUNS times (200) at a random one. The tests take some of them.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import reference_pds
from tests.forked import run_module
from tests.measuring import uncovered
from tests.reference_pds import ReferencePds
from tests.survive.crash import KILLED
from tests.survive.secrets import tells_no_secret
from tests.survive.world import World, edit, make_world, published

ROOT = Path(__file__).parents[1]
DOCUMENTS = 7
COVERS = 4
# A first publish beside records of others, and edits of nearly everything, ask for a word.
ALLOWED = ("--allow", "mass-create", "--allow", "mass-update")


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is published: made by `make`, with these options, so many documents afterwards."""

    make: Callable[[World], None]
    documents: int = DOCUMENTS
    few: int = 5
    arguments: tuple[str, ...] = ()
    prune: bool = False
    loses: tuple[str, ...] = ("nothing", "publisher.lock", ".publisher/journal", ".publisher")


def nothing_yet(_world: World) -> None:
    """Leave it as it is."""


def some_edited(world: World) -> None:
    published(world)
    edit(world, 0, 1, 2)


def all_edited_and_one_gone(world: World) -> None:
    published(world)
    edit(world, *range(DOCUMENTS - 1))
    (world.site.content / f"{DOCUMENTS - 1}.md").unlink()


SCENARIOS = {
    "first": Scenario(nothing_yet, few=0),
    "edits": Scenario(some_edited),
    "prune": Scenario(
        all_edited_and_one_gone,
        documents=DOCUMENTS - 1,
        few=0,
        arguments=("--prune",),
        prune=True,
        loses=("nothing", ".publisher/journal"),  # without the lock nobody knows what to prune
    ),
}


def run(world: World, scenario: Scenario, point: int) -> tuple[int, int]:
    """Publish in a process of its own; return its exit status and how many points it passed.

    No secret is in what it says, and in no file that it leaves, those for a moment included.
    """
    around = world.site.root.parent
    told, temporary = around / "points", around / "temporary"
    temporary.mkdir(exist_ok=True)
    done = run_module(
        "tests.survive.crash",
        [str(point), str(told), "publish", *ALLOWED, *scenario.arguments],
        folder=world.site.root,
        environment={
            **uncovered(os.environ),
            "FEW": str(scenario.few),
            "TMPDIR": str(temporary),
            "PUBLISHER_APP_PASSWORD": world.account.app_password,
        },
        fresh=True,
    )
    assert done.returncode in {0, KILLED}, done.stdout + done.stderr
    assert "DEBUG" in done.stderr
    tells_no_secret(world.account, around, said=done.stdout + done.stderr)
    return done.returncode, int(told.read_text()) if done.returncode == 0 else 0


def world_of(scenario: Scenario, pds: ReferencePds, root: Path) -> World:
    world = make_world(pds, root / "site", DOCUMENTS, COVERS)
    scenario.make(world)
    return world


def lose(world: World, name: str) -> None:
    """Remove a file or folder of the site's state, if it is there."""
    path = world.site.root / name
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def killed_and_converged(
    name: str, point: int, pds: ReferencePds, root: Path, *, loses: str
) -> None:
    """Kill a run at a point; the next one must make it good."""
    scenario = SCENARIOS[name]
    world = world_of(scenario, pds, root)
    status, _ = run(world, scenario, point)
    assert status == KILLED, f"point {point} was never reached"
    lose(world, loses)
    if loses == "nothing":  # then the journal tells that what arrived was ours
        world.site.write("2.md", "Hello a third time.")
    world.has_converged(scenario.documents, prune=scenario.prune)
    if scenario.make is not nothing_yet:
        world.keeps_foreign_fields()
    tells_no_secret(world.account, root)


def points_of(name: str, pds: ReferencePds, root: Path) -> int:
    """Return how many points a whole run passes."""
    scenario = SCENARIOS[name]
    status, passed = run(world_of(scenario, pds, root), scenario, 0)
    assert (status, passed > 20) == (0, True)
    return passed


@pytest.mark.parametrize("name", SCENARIOS)
def test_killed_at_a_point_the_next_run_converges(
    name: str, pds: ReferencePds, tmp_path: Path
) -> None:
    total = points_of(name, pds, tmp_path / "count")
    loses = SCENARIOS[name].loses
    some = range(total - 1, 0, -max(total // 6, 1))  # from the end: most happens there

    for turn, point in enumerate(some):
        folder = tmp_path / str(point)
        killed_and_converged(name, point, pds, folder, loses=loses[turn % len(loses)])


def killed_at_random(pds: ReferencePds, root: Path, after: float) -> bool:
    """Kill a run after so many seconds; return whether it was still at work."""
    world = make_world(pds, root / "site", 30, 15)
    with (root / "said").open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "publisher", "publish", *ALLOWED],
            cwd=world.site.root,
            env={
                **uncovered(os.environ),
                "PYTHONPATH": str(ROOT),
                "TMPDIR": str(root),
                "PUBLISHER_APP_PASSWORD": world.account.app_password,
            },
            stdout=said,
            stderr=said,
        )
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    killed = process.wait(timeout=60) == -signal.SIGKILL
    tells_no_secret(world.account, root)
    world.has_converged(30)
    return killed


def test_killed_at_random_times_the_next_run_converges(pds: ReferencePds, tmp_path: Path) -> None:
    chance = random.Random(7)  # noqa: S311  # times, the same in every run

    killed = [killed_at_random(pds, tmp_path / str(n), chance.uniform(0.5, 1.6)) for n in range(4)]

    assert any(killed)


def main() -> None:
    """Kill at every point, and at random times; print what was done."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with reference_pds.start() as pds, tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name, scenario in SCENARIOS.items():
            began = time.monotonic()
            total = points_of(name, pds, root / name)
            for point in range(1, total + 1):
                loses = scenario.loses[point % len(scenario.loses)]
                place = root / f"{name}{point}"
                killed_and_converged(name, point, pds, place, loses=loses)
                shutil.rmtree(place)
            seconds = time.monotonic() - began
            print(f"{name}: killed at each of {total} points, {seconds:.0f} s", flush=True)
        chance = random.Random(1)  # noqa: S311  # times, the same in every run
        began = time.monotonic()
        killed = 0
        for number in range(runs):
            place = root / f"random{number}"
            killed += killed_at_random(pds, place, chance.uniform(0.3, 1.8))
            shutil.rmtree(place)
        seconds = time.monotonic() - began
        print(f"SIGKILL: {runs} runs, {killed} still at work, {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
