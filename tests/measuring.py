"""Which lines run is measured; not where the same ones run thousands of times.

Python takes four times as long where it is measured, and a program half a second more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import coverage


@contextmanager
def unmeasured() -> Iterator[None]:
    """Measure no lines of this process until the block ends."""
    running = coverage.Coverage.current()
    if running is None:
        yield
        return
    running.stop()
    try:
        yield
    finally:
        running.start()


def stop_measuring() -> None:
    """Measure no lines of this process any more."""
    running = coverage.Coverage.current()
    if running is not None:
        running.stop()


def uncovered(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which a program's lines are not measured."""
    return {k: v for k, v in environment.items() if not k.startswith("COVERAGE_")}
