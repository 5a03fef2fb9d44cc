"""Runs that end at a point: every point of every scenario is killed once, on a fresh account."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests import reference_pds
from tests.reference_pds import ReferencePds
from tests.survive import runner
from tests.survive.checks import converges, forget
from tests.survive.points import KILLED
from tests.survive.runner import Runner
from tests.survive.scenarios import SCENARIOS, Scenario, stage

LOSSES = ("", "publisher.lock", ".publisher/journal", ".publisher")
"""What else is lost between a crash and the next run."""


def points_of(pds: ReferencePds, using: Runner, folder: Path, scenario: Scenario) -> Sequence[str]:
    """Return the points of a scenario, in the order in which a run reached them."""
    ready = stage(pds, using, folder)
    scenario.prepare(ready)
    ended = ready.publish(*scenario.options, **scenario.ways)
    assert ended.status == 0, ended
    return ended.points


def crash(
    pds: ReferencePds,
    using: Runner,
    folder: Path,
    scenario: Scenario,
    point: str,
    *,
    loss: str = "",
) -> None:
    """Kill a run at a point, lose a file, run again. Raises AssertionError with what is wrong."""
    ready = stage(pds, using, folder)
    scenario.prepare(ready)
    ended = ready.publish(*scenario.options, **scenario.ways, kill_at=point)
    assert ended.status == KILLED, f"{point} was never reached: {ended}"
    if loss:
        forget(ready, loss)
    converges(ready, scenario, backups=loss != ".publisher")


def losses_of(scenario: Scenario) -> Sequence[str]:
    """Return what may be lost: only the lock knows what `--prune` may delete."""
    if "--prune" in scenario.options:
        return [loss for loss in LOSSES if loss != "publisher.lock"]
    return LOSSES


def main() -> int:
    """Run all, or one again; say what was found, and return the exit status."""
    options = _options()
    failures = 0
    with reference_pds.start() as pds, runner.start() as using, _folder() as folder:
        sys.stdout.write("| scenario | points | kills | s | failures |\n|---|---|---|---|---|\n")
        for name in options.scenario:
            failures += _campaign(pds, using, Path(folder), SCENARIOS[name], options.point)
    return 1 if failures else 0


def _campaign(
    pds: ReferencePds, using: Runner, folder: Path, scenario: Scenario, wanted: str | None
) -> int:
    began, kills, failed = time.monotonic(), 0, []
    points = points_of(pds, using, folder / "site", scenario)
    losses = losses_of(scenario)
    for number, point in enumerate(points if wanted is None else [wanted]):
        for loss in ("", losses[1 + number % (len(losses) - 1)]):
            kills += 1
            try:
                crash(pds, using, folder / "site", scenario, point, loss=loss)
            except AssertionError as error:
                failed.append(f"{scenario.name}, {point}, lost: {loss or 'nothing'}: {error}")
    seconds = time.monotonic() - began
    row = f"| {scenario.name} | {len(points)} | {kills} | {seconds:.0f} | {len(failed)} |"
    sys.stdout.writelines(f"{line}\n" for line in (row, *failed))
    sys.stdout.flush()
    return len(failed)


def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.survive.crash", description=__doc__)
    names = list(SCENARIOS)
    parser.add_argument("--scenario", nargs="+", choices=names, default=names)
    parser.add_argument("--point", help="only this one, like 'after request applyWrites 2'")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
