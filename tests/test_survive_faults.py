"""Every call meets every fault: a run does all or says why not, and the next makes it good.

    python -m tests.test_survive_faults

is the whole matrix; the tests take each call and each fault, and not every pair. No secret is in
anything that a run leaves behind or says.
"""

from __future__ import annotations

import io
import json
import logging
import os
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import keyring
import pytest

from publisher.commands.reports import PublishReport
from publisher.errors import PublisherError
from publisher.output import render, to_json
from publisher.pds import reading
from tests import reference_pds
from tests.file_keyring import FILE_VARIABLE, FileKeyring
from tests.reference_pds import ReferencePds
from tests.survive.faults import (
    FAULTS,
    OTHER_BYTES,
    REDIRECT,
    REDIRECTS,
    Fault,
    Injected,
    another_pds,
    injected,
)
from tests.survive.secrets import tells_no_secret
from tests.survive.situations import SITUATIONS, Situation, cover_of, keeps
from tests.survive.world import World, make_world

STATUSES = {0, 1, 2, 75}
AGAIN = 40  # more often than anything is tried again


def pairs() -> Iterator[tuple[str, str, int]]:
    """Each situation with a redirect and some faults: all of them are met, once and for long."""
    names = [name for name in FAULTS if name not in REDIRECTS]
    for place, situation in enumerate(SITUATIONS):
        yield situation, names[place * 5 % len(names)], 1
        yield situation, names[(place * 5 + 7) % len(names)], AGAIN
        yield situation, REDIRECTS[place % 2], 1


def begun(pds: ReferencePds, root: Path, situation: Situation) -> World:
    """Make a world with one document that has been published."""
    world = make_world(pds, root, 1, 1)
    if situation.keyring:
        world = world.with_keyring()
    assert world.publish().exit_status == 0
    return world


def survives(world: World, number: int, situation: Situation, fault: Fault, times: int) -> None:
    """Publish under a fault, then without: everything is there, once, and no secret anywhere."""
    cover = cover_of(world)
    situation.prepare(world, number)
    lied = fault is another_pds
    log, head = io.StringIO(), world.head() if lied else None
    with logged(log), few_pages(situation.few_pages), ExitStack() as leads:
        for call, lead in situation.leads.items():
            leads.enter_context(injected(call, lead, times=1))
        seen = leads.enter_context(injected(situation.call, fault, times=times))
        status, said = told(world, prune=situation.prune)
    assert status in STATUSES
    assert seen.acted > 0, f"{situation.call} was never asked"
    tells_no_secret(world.account, world.site.root, said=said, log=log.getvalue())
    assert not lied or (status, world.head()) == (2, head)
    stays_here(world, seen, reads=lied)
    world.has_converged(len(list(world.site.content.glob("*.md"))), prune=situation.prune)
    tells_no_secret(world.account, world.site.root)
    damaged_there = times == AGAIN and fault in OTHER_BYTES
    if cover != cover_of(world) and not damaged_there:
        keeps(world, cover)


@contextmanager
def few_pages(number: int) -> Iterator[None]:
    """List so many pages before a CAR is thought of."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(reading, "FEW_PAGES", number)
        yield


def stays_here(world: World, seen: Injected, *, reads: bool) -> None:
    """Nothing goes to another server, but for questions if it is said to be the account's."""
    for request in seen.elsewhere:
        assert request.path == REDIRECT or (reads and request.method == "GET")
        assert "authorization" not in request.headers
        tells_no_secret(world.account, elsewhere=repr(request))


def told(world: World, *, prune: bool) -> tuple[int, str]:
    """Publish; return the exit status and all that is said: report, error, traceback, locals."""
    report, error = tried(world, prune=prune)
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


def tried(world: World, *, prune: bool) -> tuple[PublishReport | None, PublisherError | None]:
    """Publish; return the report, or what stopped it before there was one."""
    try:
        return world.publish(prune=prune), None
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


@pytest.mark.parametrize("name", SITUATIONS)
def test_a_call_that_meets_a_fault_loses_nothing_and_tells_no_secret(
    name: str, pds: ReferencePds, tmp_path: Path
) -> None:
    situation = SITUATIONS[name]
    world = begun(pds, tmp_path / "site", situation)
    mine = [(FAULTS[fault], times) for who, fault, times in pairs() if who == name]

    for number, (fault, times) in enumerate([*mine, *lies(situation)]):
        survives(world, number, situation, fault, times)


def lies(situation: Situation) -> list[tuple[Fault, int]]:
    """What may be wrong only in an answer that names the PDS."""
    return [(another_pds, AGAIN)] if situation.names_pds else []


def test_every_fault_is_met_by_some_call() -> None:
    met = {(name, times) for _, name, times in pairs() if name not in REDIRECTS}
    assert met == {(name, n) for name in FAULTS if name not in REDIRECTS for n in (1, AGAIN)}
    assert {name for _, name, _ in pairs()} == set(FAULTS)


def main() -> None:
    """Run the whole matrix; print how many cases there were."""
    began, total = time.monotonic(), 0
    for name, situation in SITUATIONS.items():
        cases = [(fault, times) for fault in FAULTS.values() for times in (1, AGAIN)]
        cases += lies(situation)
        with reference_pds.start() as pds, tempfile.TemporaryDirectory() as folder:
            os.environ[FILE_VARIABLE] = str(Path(folder) / "keyring.json")
            keyring.set_keyring(FileKeyring())
            world = begun(pds, Path(folder) / "site", situation)
            for number, (fault, times) in enumerate(cases):
                survives(world, number, situation, fault, times)
        total += len(cases)
        print(f"{name}: {len(cases)} faults", flush=True)
    print(f"{total} cases, {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
