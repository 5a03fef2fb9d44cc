"""Two verdicts on each input: differences are settled one by one, or stay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Literal, Protocol, TypeVar

Input = TypeVar("Input")


@dataclass(frozen=True, slots=True)
class Excuse(Generic[Input]):
    """A known difference, and how to take it out of an input.

    `settle` takes what is disputed out and leaves the rest, other faults included; an input without
    it comes back as it is. `row` is one of docs/validation.md, word for word; `we` is what we do
    with such an input where these peers do the opposite.
    """

    row: str
    we: Literal["take", "refuse", "either"]
    peers: frozenset[str]
    settle: Callable[[Input], Input]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What we say of an input and what a peer says; None is acceptance."""

    peer: str
    ours: str | None
    theirs: str | None
    unable: str | None = None
    """The row that says why the peer has no verdict at all."""

    @property
    def differ(self) -> bool:
        """Tell whether one accepts what the other refuses."""
        return self.unable is None and (self.ours is None) != (self.theirs is None)

    def may_be(self, we: str) -> bool:
        """Tell whether this is the difference of an excuse; what both refuse may be any."""
        return we == "either" or not self.differ or (we == "take") == (self.ours is None)

    @property
    def accepted(self) -> bool:
        """Tell whether both accept."""
        return self.ours is None and self.theirs is None


@dataclass(frozen=True, slots=True)
class Case(Generic[Input]):
    """An input, and the name by which it is made again."""

    name: str
    input: Input


class Kind(Protocol[Input]):
    """What is compared: strings of formats, records, or lexicon documents."""

    def judge(self, inputs: Sequence[Input]) -> list[list[Verdict]]:
        """Return each input's verdicts, one for each peer that has an opinion."""
        ...

    def excuses(self, input: Input, verdict: Verdict) -> Sequence[Excuse[Input]]:
        """Return what may explain a difference, in the order in which it is settled."""
        ...

    def shown(self, input: Input) -> str:
        """Return the input as a report shows it."""
        ...


@dataclass(frozen=True, slots=True)
class Difference(Generic[Input]):
    """A case on which a peer and we differ, and what is left of it after some settling."""

    case: Case[Input]
    first: Verdict
    left: Input
    verdict: Verdict
    tried: tuple[str, ...] = ()


@dataclass(slots=True)
class Tally:
    """What came of a run.

    `excused` counts by peer and by the row that settled it, `unable` by peer and by the row that
    says why it has no verdict.
    """

    cases: int = 0
    agreed: Counter[str] = field(default_factory=Counter)
    excused: Counter[tuple[str, str]] = field(default_factory=Counter)
    unable: Counter[tuple[str, str]] = field(default_factory=Counter)
    unexplained: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Count another run's outcome in."""
        self.cases += other.cases
        self.agreed += other.agreed
        self.excused += other.excused
        self.unable += other.unable
        self.unexplained += other.unexplained


def compare(kind: Kind[Input], cases: Sequence[Case[Input]]) -> Tally:
    """Judge all cases, and settle each difference step by step until both sides accept."""
    tally = Tally(cases=len(cases))
    open_: list[Difference[Input]] = []
    for case, verdicts in zip(cases, kind.judge([case.input for case in cases]), strict=True):
        tally.agreed.update(each.peer for each in verdicts if not each.differ and not each.unable)
        tally.unable.update((each.peer, each.unable) for each in verdicts if each.unable)
        open_ += [
            Difference(case, verdict, case.input, verdict) for verdict in verdicts if verdict.differ
        ]
    while open_:
        open_ = _settle(kind, open_, tally)
    return tally


def _settle(
    kind: Kind[Input], differences: list[Difference[Input]], tally: Tally
) -> list[Difference[Input]]:
    """Take one more disputed thing out of each input; return those that still aren't accepted."""
    steps = [(difference, _next(kind, difference)) for difference in differences]
    tally.unexplained += [_report(kind, difference) for difference, step in steps if step is None]
    taken = [(difference, step) for difference, step in steps if step is not None]
    left: list[Difference[Input]] = []
    judged = kind.judge([settled for _, (_, settled) in taken])
    for (difference, (row, settled)), verdicts in zip(taken, judged, strict=True):
        verdict = next(each for each in verdicts if each.peer == difference.first.peer)
        if verdict.accepted:
            tally.excused[verdict.peer, row] += 1
        elif verdict.unable:
            tally.unable[verdict.peer, verdict.unable] += 1
        else:
            tried = (*difference.tried, row)
            left.append(Difference(difference.case, difference.first, settled, verdict, tried))
    return left


def _next(kind: Kind[Input], difference: Difference[Input]) -> tuple[str, Input] | None:
    """Return the first excuse that has something to take out, and what it leaves."""
    for excuse in kind.excuses(difference.left, difference.first):
        if difference.first.peer not in excuse.peers or excuse.row in difference.tried:
            continue
        if not difference.verdict.may_be(excuse.we):
            continue
        settled = excuse.settle(difference.left)
        if settled != difference.left:
            return excuse.row, settled
    return None


def _report(kind: Kind[Input], difference: Difference[Input]) -> str:
    first, verdict = difference.first, difference.verdict
    lines = [
        f"{difference.case.name}: {first.peer} differs",
        f"  input: {kind.shown(difference.case.input)}",
        f"  we:    {first.ours or 'accept it'}",
        f"  they:  {first.theirs or 'accept it'}",
    ]
    if difference.tried:
        lines += [
            f"  without {'; '.join(difference.tried)}: {kind.shown(difference.left)}",
            f"  we:    {verdict.ours or 'accept it'}",
            f"  they:  {verdict.theirs or 'accept it'}",
        ]
    return "\n".join(lines)
