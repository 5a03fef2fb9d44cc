"""A part of the crash campaign: each kind of point is killed once. `make survive` kills at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.reference_pds import ReferencePds
from tests.survive import runner
from tests.survive.crash import crash, points_of
from tests.survive.runner import Runner
from tests.survive.scenarios import SCENARIOS

JOURNAL = ".publisher/journal"
KILLS = [
    ("first", "after request resolveHandle 1", ""),
    ("first", "after disk .publisher 1", ""),
    ("first", "before disk .gitignore 1", ""),
    ("first", "before request getLatestCommit 2", ""),
    ("first", "after request listRecords 1", ""),
    ("first", "after disk mirror.sqlite 2", ""),
    ("first", "after request listBlobs 1", ""),
    ("first", "after request createSession 1", ""),
    ("first", "after disk journal 1", ""),
    ("first", "after request uploadBlob 3", JOURNAL),
    ("first", "after request applyWrites 1", ".publisher"),
    ("first", "before disk publisher.lock 1", JOURNAL),
    ("edits", "after request putRecord 2", "publisher.lock"),
    ("edits", "before disk blob 1", ""),
    ("edits", "after disk backups 2", ""),
    ("prune", "after request getRepo 1", ""),
    ("prune", "before request getBlob 1", ".publisher"),
    ("prune", "after disk blobs 1", ""),
    ("prune", "after request applyWrites 3", JOURNAL),
    ("recreate", "after request putRecord 1", "publisher.lock"),
]


@pytest.fixture(scope="module")
def using() -> Iterator[Runner]:
    with runner.start() as started:
        yield started


@pytest.mark.parametrize("kill", KILLS, ids=" ".join)
def test_killed_anywhere_the_next_run_ends_in_the_same_state(
    pds: ReferencePds, using: Runner, tmp_path: Path, kill: tuple[str, str, str]
) -> None:
    scenario, point, loss = kill
    crash(pds, using, tmp_path / "site", SCENARIOS[scenario], point, loss=loss)


def test_every_kind_of_request_and_of_file_is_among_the_kills(
    pds: ReferencePds, using: Runner, tmp_path: Path
) -> None:
    reached = {
        point
        for name in ("first", "edits", "prune")
        for point in points_of(pds, using, tmp_path / name, SCENARIOS[name])
    }

    assert {kind(point) for point in reached} == {kind(point) for _, point, _ in KILLS}


def test_a_point_that_is_never_reached_is_told(
    pds: ReferencePds, using: Runner, tmp_path: Path
) -> None:
    with pytest.raises(AssertionError, match="request nothing 1 was never reached"):
        crash(pds, using, tmp_path / "site", SCENARIOS["first"], "after request nothing 1")


def kind(point: str) -> str:
    _, kind, name, _ = point.split()
    return f"{kind} {name}"
