"""Whoever lies to a pull is refused, and leaves no trace: each lie was really told."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from publisher import transport
from publisher.commands.pull import PullReport
from publisher.output import escape, render
from publisher.terminal import show_error
from tests.liars.cars import CARS
from tests.liars.liar import Liar, Outcome, check_truth
from tests.liars.world import Bridge, World, opened
from tests.repo_server import note, path

LIARS: tuple[Liar, ...] = (*CARS,)
TOLD = [(liar, when) for liar in LIARS for when in liar.when]
context = functools.cache(httpx.create_ssl_context)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with opened(tmp_path) as made:
        monkeypatch.setattr(transport, "transport_for", lambda *_, **__: Bridge(made))
        monkeypatch.setattr(httpx, "create_ssl_context", context)  # 40 ms each
        monkeypatch.setattr("publisher.pds.xrpc.sleep", lambda _: None)
        monkeypatch.chdir(made.outside)
        yield made


@pytest.mark.parametrize(("liar", "when"), TOLD, ids=[f"{liar.name}-{w}" for liar, w in TOLD])
def test_a_liar_gets_nowhere(
    world: World,
    liar: Liar,
    when: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if when == "again":
        check_honest(world, world.pull())
    world.repo.put({path(2): note("newest")}, path(1))
    liar.arrange(world)
    before, around = world.files(), world.around()
    with monkeypatch.context() as lowered:
        for name, value in liar.limits.items():
            lowered.setattr(name, value)
        outcome = world.pull(**liar.options)

    assert world.ledger, "the lie wasn't told"
    liar.expect.check(world, outcome, before)
    assert world.around() == around
    check_printed(outcome, capsys)
    world.repent()
    check_honest(world, world.pull())
    assert world.around() == around


def check_honest(world: World, outcome: Outcome) -> None:
    assert isinstance(outcome, PullReport), outcome
    assert outcome.exit_status == 0, outcome
    check_truth(world)


def check_printed(outcome: Outcome, capsys: pytest.CaptureFixture[str]) -> None:
    """Make sure that a terminal obeys nothing of it."""
    if isinstance(outcome, PullReport):
        shown = ["".join(span.text for span in line) for line in render(outcome)]
    else:
        capsys.readouterr()
        show_error(outcome)
        shown = capsys.readouterr().err.splitlines()
    assert shown
    assert [escape(line) for line in shown] == shown
