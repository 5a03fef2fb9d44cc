"""Whoever lies to a pull is refused, and leaves no trace: each lie was really told."""

from __future__ import annotations

import functools
import json
import time
import tracemalloc
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path

import pytest

from publisher import config, identity, transport
from publisher.commands.reports import PullReport
from publisher.commands.repos import Target
from publisher.commands.verify import verify
from publisher.data import Cid
from publisher.errors import ProofFailed, PublisherError, RepoUnavailable
from publisher.output import json_text, render
from publisher.progress import Silent
from publisher.syntax import tid
from publisher.terminal import show_error
from tests.liars.blobs import BLOBS
from tests.liars.cars import CARS, GARBAGE, chunked, large_block
from tests.liars.documents import documents
from tests.liars.forge import Blocks, car, section
from tests.liars.identities import IDENTITIES
from tests.liars.liar import Liar, Outcome, Partly, Refused, check_truth
from tests.liars.listings import LISTINGS, WORDS
from tests.liars.owners import NAMES, NASTY, RECORDS
from tests.liars.planted import PLANTED
from tests.liars.proofs import PROOFS
from tests.liars.world import Bridge, World, did_document, opened, service
from tests.local_server import Answer, Seen
from tests.repo_server import ALICE, NOTE, State, note, path

LIARS = (*CARS, *PROOFS, *BLOBS, *RECORDS, *NAMES, *IDENTITIES, *LISTINGS, *WORDS, *PLANTED)
TOLD = [(liar, when) for liar in LIARS for when in liar.when]
GIGABYTE = 1 << 30
SETTINGS = config.Config(Path(), None, config.Settings())

pytestmark = pytest.mark.usefixtures("unmeasured")  # some hundred times the same lines


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with opened(tmp_path) as made:
        resolve = functools.partial(identity.resolve, lookup_txt=made.lookup)
        monkeypatch.setattr(identity, "resolve", resolve)
        monkeypatch.setattr(transport, "transport_for", lambda *_, **__: Bridge(made))
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
        check_honest(world, world.pull(**liar.earlier), whole=not liar.earlier)
    world.repo.put({path(2): note("newest")}, path(1))
    liar.arrange(world)
    before, around = world.files(), world.around()
    with monkeypatch.context() as lowered:
        for name, value in liar.limits.items():
            lowered.setattr(name, value)
        outcome = world.pull(**liar.options)
        assert world.ledger, "the lie wasn't told"
        assert not (liar.silent and world.asked)
        liar.expect.check(world, outcome, before)
        assert world.around() == around
        if isinstance(liar.expect, Partly):  # it isn't forgotten where nothing else moves
            liar.expect.check(world, world.pull(**liar.options), before)
    check_printed(outcome, capsys)
    if liar.verified and when == "again":
        check_verify(world, liar)
    world.repent()
    check_honest(world, world.pull())
    assert world.around() == around


def check_honest(world: World, outcome: Outcome, *, whole: bool = True) -> None:
    assert isinstance(outcome, PullReport), outcome
    assert outcome.exit_status == 0, outcome
    if whole:
        check_truth(world)


def check_printed(outcome: Outcome, capsys: pytest.CaptureFixture[str]) -> None:
    """Make sure that a terminal obeys nothing of it."""
    capsys.readouterr()
    if isinstance(outcome, PullReport):
        shown = ["".join(span.text for span in line) for line in render(outcome)]
        shown += json_text(outcome).split("\n")
    else:
        show_error(outcome)
        shown = capsys.readouterr().err.rstrip("\n").split("\n")
    assert shown
    assert [line for line in shown if not line.isprintable()] == []


def check_verify(world: World, liar: Liar) -> None:
    assert isinstance(liar.expect, Refused)
    told = len(world.ledger)
    with pytest.raises(liar.expect.error, match=liar.expect.says):
        verify(Target(ALICE), SETTINGS, Silent())
    assert len(world.ledger) > told


def test_there_are_liars_enough_and_no_two_of_a_name() -> None:
    names = [liar.name for liar in LIARS]
    assert len(names) >= 250
    assert len(set(names)) == len(names)


def test_an_endless_archive_takes_no_memory(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = 0

    def pieces() -> Iterator[bytes]:
        nonlocal sent
        for piece in repeat(section(*large_block())):
            sent += len(piece)
            yield piece

    world.lie("getRepo", lambda _: chunked(pieces(), begin=car([GARBAGE], {})))
    monkeypatch.setattr("publisher.pds.repo.ANY_BYTES", GIGABYTE // 8)
    tracemalloc.start()
    try:
        outcome = world.pull()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert isinstance(outcome, RepoUnavailable)
    assert "larger than the" in outcome.message
    assert sent >= GIGABYTE // 8
    assert peak < 16 << 20


@pytest.mark.parametrize("form", ["markdown", "json"])
def test_documents_choose_no_place_outside(
    world: World, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    values = documents(world)
    around = world.around()

    outcome = world.pull(form=form)

    assert isinstance(outcome, PullReport), outcome
    (one,) = outcome.repos
    assert {file.status for file in one.files} <= {"new", "trashed"}
    assert len(world.files()) > len(values)
    assert world.around() == around
    names = [place.casefold() for place in world.files()]
    assert len(set(names)) == len(names)
    assert all(name.isprintable() and len(name) < 300 for name in names)
    check_printed(outcome, capsys)
    again = world.pull(form=form)
    assert isinstance(again, PullReport), again
    assert (again.exit_status, again.repos[0].files) == (0, ())


def test_lines_of_json_hold_nothing_that_a_terminal_obeys(world: World) -> None:
    value = {"$type": NOTE, NASTY: [NASTY, "\u061c\u200e\u2028\ufeff\x7f"]}
    world.repo.put({path(5): value})  # type: ignore[dict-item]
    lines: list[bytes] = []

    world.pull(form="jsonl", emit=lines.append)

    assert [line for line in lines if json.loads(line)["value"] == value]
    for line in lines:
        text = line.decode().removesuffix("\n")
        assert text.isprintable(), text
    assert world.files() == {}


@pytest.mark.parametrize("earlier", [True, False])
def test_commits_that_come_in_between_are_pulled_too(world: World, earlier: bool) -> None:
    if earlier:
        check_honest(world, world.pull())
        world.repo.put({path(4): note("before the head")})
    commits = iter([{path(6): note("after the head")}, {path(7): note("one more")}])

    def moved(_: Seen) -> Answer | None:
        world.repo.put(next(commits, {}), path(1))
        return None

    world.lie("getRepo", moved)

    outcome = world.pull()
    check_honest(world, outcome)
    assert isinstance(outcome, PullReport)
    assert outcome.repos[0].rev == world.repo.now.rev


def test_an_archive_torn_by_a_commit_is_fetched_again(world: World) -> None:
    old = world.repo.now.blocks()[1]
    world.repo.put({path(2): note("came in between")})

    def tear(root: Cid, new: Blocks) -> bytes:
        torn = len(world.ledger) == 1
        return car([root], {cid: new[cid] for cid in new if not torn or cid in {root, *old}})

    world.car(tear)

    check_honest(world, world.pull())
    assert world.ledger == ["getRepo", "getRepo"]


def test_a_pds_that_moves_is_followed(world: World) -> None:
    check_honest(world, world.pull())
    world.repo.put({path(4): note("from the new PDS")})
    world.document = did_document(service=[service("https://moved.example")])
    world.asked.clear()

    check_honest(world, world.pull())

    assert set(world.asked) == {"plc.directory", "moved.example"}


def test_a_clock_that_was_set_back_doesnt_matter(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    year_2100 = 4_102_444_800 * 1_000_000 << 10
    for number, now in ((1, 1e9), (2, 0.0), (3, 5e9)):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        values = {path(number): note(f"from the future, {number}"), path(9): note(f"{number}")}
        world.repo.states.append(State(ALICE, tid(year_2100 + (number << 20)), values))
        check_honest(world, world.pull())


def test_a_repo_that_goes_back_is_refused_until_it_is_ahead(world: World) -> None:
    check_honest(world, world.pull())
    ahead = world.next_rev
    world.repo.states.append(State(ALICE, tid(1), {path(1): note("restored")}))
    outcome = world.pull()
    assert isinstance(outcome, ProofFailed)
    assert "--out" in outcome.remedy

    world.repo.states.append(State(ALICE, ahead, {path(1): note("restored")}))
    check_honest(world, world.pull())


def test_every_error_says_what_to_do_next(world: World) -> None:
    silent = []
    for liar in (*CARS[:20], *LISTINGS[-4:]):
        liar.arrange(world)
        outcome = world.pull()
        if isinstance(outcome, PublisherError) and not outcome.remedy:
            silent.append(liar.name)
        world.repent()
    assert silent == []
