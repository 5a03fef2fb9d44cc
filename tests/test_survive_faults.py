"""Every call meets every fault: a run does all or says why not, and the next makes it good.

    python -m tests.test_survive_faults

is the whole matrix; the tests take each call and each fault, and not every pair. No secret is in
anything that a run leaves behind or says.
"""

from __future__ import annotations

import io
import json
import logging
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from publisher.commands.items import PublishReport
from publisher.errors import PublisherError
from publisher.output import render, to_json
from tests import reference_pds
from tests.reference_pds import ReferencePds
from tests.survive.faults import FAULTS, Injected, injected
from tests.survive.world import World, make_world

CALLS = (
    "getLatestCommit",
    "listRecords",
    "createSession",
    "uploadBlob",
    "listBlobs",
    "applyWrites",
    "putRecord",
)
STATUSES = {0, 1, 2, 75}
AGAIN = 40  # more often than anything is tried again


def pairs() -> Iterator[tuple[str, str, int]]:
    """Each call with some faults, so that all calls and all faults are met; once, and for long."""
    names = list(FAULTS)
    for place, call in enumerate(CALLS):
        for step in range(5):
            name = names[(place * 5 + step) % len(names)]
            yield call, name, AGAIN if step % 2 else 1


def prepared(world: World, number: int, call: str) -> None:
    """Make documents that lead to the call: a few for single writes, more for a batch."""
    for count in range(7 if call == "applyWrites" else 2):
        name = f"{number}-{count}"
        world.site.picture(f"{name}.png", colour=number * 10 + count)
        world.site.write(f"{name}.md", f"Hello {name}.", cover=f"{name}.png")
    if call in {"listRecords", "listBlobs"}:
        forget(world)


def forget(world: World) -> None:
    """Take away what was remembered of the repo, so that it is read whole."""
    for path in (world.site.root / ".publisher").glob("mirror*"):
        path.unlink()


def survives(world: World, number: int, call: str, name: str, times: int) -> Injected:
    """Publish under a fault, then without: everything is there, once, and no secret anywhere."""
    prepared(world, number, call)
    log = io.StringIO()
    with logged(log), injected(call, FAULTS[name], times=times) as seen:
        status, said = told(world)
    assert status in STATUSES
    documents = len(list(world.site.content.glob("*.md")))
    assert seen.acted > 0, f"{call} was never asked"
    world.has_converged(documents)
    for secret in {world.account.app_password, world.account.password, *seen.tokens}:
        for where, text in (*left_behind(world), ("said", said), ("log", log.getvalue())):
            assert secret not in text, f"a secret is in {where}"
    return seen


def told(world: World) -> tuple[int, str]:
    """Publish; return the exit status and all that is said: report, error, traceback, locals."""
    report, error = tried(world)
    if report is None:
        assert error is not None
        return error.exit_status, in_full(error)
    lines = ["".join(span.text for span in line) for line in render(report)]
    said = [*lines, json.dumps(to_json(report)), in_full(report.error) if report.error else ""]
    return report.exit_status, "\n".join(said)


def in_full(error: PublisherError) -> str:
    """Return an error as a traceback with locals shows it, but for the frames of the tests."""
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    chain: list[traceback.TracebackException | None] = [shown]
    while chain:
        if link := chain.pop():
            link.stack[:] = [f for f in link.stack if "tests/" not in f.filename]
            chain += [link.__cause__, link.__context__]
    return "".join([error.message, error.remedy, *shown.format()])


def tried(world: World) -> tuple[PublishReport | None, PublisherError | None]:
    """Publish; return the report, or what stopped it before there was one."""
    try:
        return world.publish(), None
    except PublisherError as error:
        return None, error


@contextmanager
def logged(stream: io.StringIO) -> Iterator[None]:
    """Write everything that is logged, at any level, into a stream."""
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        root.setLevel(level)
        root.removeHandler(handler)


def left_behind(world: World) -> Iterator[tuple[str, str]]:
    """Every file that a run may write: lock, journal, backups, points, mirror."""
    for path in sorted(world.site.root.rglob("*")):
        if path.is_file() and path.suffix not in {".png", ".md"}:
            yield path.name, path.read_bytes().decode("latin-1")


@pytest.mark.parametrize("call", CALLS)
def test_a_call_that_meets_a_fault_loses_nothing_and_tells_no_secret(
    call: str, pds: ReferencePds, tmp_path: Path
) -> None:
    world = make_world(pds, tmp_path / "site", 1, 1)
    world.has_converged(1)

    for number, (_, name, times) in enumerate(pair for pair in pairs() if pair[0] == call):
        survives(world, number, call, name, times)


def test_every_fault_is_met_by_some_call() -> None:
    assert {name for _, name, _ in pairs()} == set(FAULTS)


def main() -> None:
    """Run the whole matrix; print how many cases there were."""
    began, cases = time.monotonic(), 0
    for call in CALLS:
        with reference_pds.start() as pds, tempfile.TemporaryDirectory() as folder:
            world = make_world(pds, Path(folder) / "site", 1, 1)
            world.has_converged(1)
            for number, (name, times) in enumerate((n, t) for n in FAULTS for t in (1, AGAIN)):
                survives(world, number, call, name, times)
                cases += 1
        print(f"{call}: {len(FAULTS) * 2} faults", flush=True)
    print(f"{cases} cases, {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
