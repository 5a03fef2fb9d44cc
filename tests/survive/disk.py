"""A disk that fails: each change on it is refused once, and the next run finds it well again."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from tests import reference_pds
from tests.reference_pds import ReferencePds
from tests.survive import runner
from tests.survive.checks import converges
from tests.survive.crash import points_of
from tests.survive.runner import Ended, Runner
from tests.survive.scenarios import SCENARIOS, Scenario, stage

REASONS: Final = (errno.ENOSPC, errno.EROFS, errno.EIO)
CACHE: Final = "mirror.sqlite"


def fail(
    pds: ReferencePds,
    using: Runner,
    folder: Path,
    scenario: Scenario,
    point: str,
    *,
    reason: int,
) -> None:
    """Refuse one change on the disk. Raises AssertionError with what is wrong."""
    ready = stage(pds, using, folder)
    scenario.prepare(ready)
    ended = ready.publish(*scenario.options, **scenario.ways, fail_at=point, errno=reason)
    assert point in ended.points, f"{point} was never reached: {ended}"
    is_told(ended, reason, status=0 if CACHE in point else 2)
    converges(ready, scenario)


def is_told(ended: Ended, reason: int, *, status: int) -> None:
    """The run says what the disk said and what to do; at `status` 0, it did without the file."""
    assert ended.status == status, ended
    assert "Traceback" not in ended.errors, ended
    if status:
        assert os.strerror(reason) in ended.errors, ended
        assert "make the folder writable, or free some space" in ended.errors, ended


def main() -> int:
    """Refuse each change once for each reason; say what was found, and return the exit status."""
    began, refused, failed = time.monotonic(), 0, []
    with (
        reference_pds.start() as pds,
        runner.start() as using,
        tempfile.TemporaryDirectory() as folder,
    ):
        site = Path(folder) / "site"
        for scenario in SCENARIOS.values():
            points = points_of(pds, using, site, scenario)
            for point in points:
                for reason in REASONS if point.startswith("before disk") else ():
                    refused += 1
                    try:
                        fail(pds, using, site, scenario, point, reason=reason)
                    except AssertionError as error:
                        failed.append(f"{scenario.name}, {point}, {os.strerror(reason)}: {error}")
    seconds = time.monotonic() - began
    summary = f"{refused} changes on the disk refused, {seconds:.0f} s, {len(failed)} failures"
    sys.stdout.writelines(f"{line}\n" for line in (summary, *failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
