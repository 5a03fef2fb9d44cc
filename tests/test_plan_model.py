"""Every way through a small world, as deep as time allows: no run breaks a law.

    python -m tests.test_plan_model [DEPTH]

goes deeper than the tests, and prints how many worlds there are.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from publisher.plan import LockEntry, Wishes
from publisher.plan.known import Known
from publisher.plan.matching import Matching
from publisher.plan.renames import Renames
from publisher.plan.unclaimed import Unclaimed
from tests import plan_world
from tests.plan_laws import check
from tests.plan_world import APART, Broken, Step, World, forget, steps, take

DEPTH = 4

pytestmark = pytest.mark.usefixtures("unmeasured")  # the same lines, some ten thousand times


class Walk:
    """Breadth-first from a world; each world is looked at once, by its shortest path."""

    def __init__(self, start: World) -> None:
        self.came: dict[World, tuple[World, Step] | None] = {start: None}
        self.edges = 0
        self._last = [start]

    def deeper(self) -> None:
        """Take every step from the worlds that were reached last. Raises Broken with the path."""
        reached: list[World] = []
        for world in self._last:
            for step in steps(world):
                self.edges += 1
                try:
                    after = take(world, step)
                    if after not in self.came:
                        self.came[after] = (world, step)
                        reached.append(after)
                    check(world, step, after)
                except Broken as broken:
                    path = [*self.path(world), step]
                    raise Broken("\n".join([str(broken), *map(str, path)])) from broken
        self._last = reached

    def path(self, world: World) -> list[Step]:
        """Return the steps that lead to a world."""
        path: list[Step] = []
        while came := self.came[world]:
            world, step = came
            path.append(step)
        return path[::-1]


NEW = World()
PUBLISHED = take(NEW, Step("run"))


def walked(depth: int, start: World = NEW) -> Walk:
    """Walk so many steps deep. Raises Broken."""
    walk = Walk(start)
    for _ in range(depth):
        walk.deeper()
    return walk


@pytest.fixture
def planned_anew() -> Iterator[None]:
    """Whatever was planned by another planner is forgotten."""
    forget()
    yield
    forget()


def test_no_run_breaks_a_law_whatever_came_before() -> None:
    assert len(walked(DEPTH).came) > 10_000


@dataclass(frozen=True, slots=True)
class Fault:
    """A function that is broken on purpose, words of the law that it breaks, and from where."""

    owner: object
    name: str
    broken: object
    law: str
    start: World = NEW


def finds_nothing(*_: object) -> Iterator[object]:
    return iter(())


def only_the_lock(known: Known) -> list[LockEntry]:
    return list(known._entries.values())


FAULTS = {
    "intents are no lines": Fault(Known, "lines", property(only_the_lock), "is an orphan"),
    "nothing is written down": Fault(plan_world, "intents", lambda *_: [], "is an orphan"),
    "the lock is lost": Fault(plan_world, "lines_after", lambda *_: ({}, []), "is an orphan"),
    "bases agree with all": Fault(LockEntry, "agrees", lambda *_: True, "is overwritten"),
    "nothing moves": Fault(Renames, "moved", finds_nothing, "to the letter"),
    "nothing is exchanged": Fault(Renames, "exchanged", lambda *_: ([], []), "to the letter"),
    "nothing is a candidate": Fault(Matching, "_candidates", finds_nothing, "keeps its record"),
    "nothing reminds": Fault(
        Unclaimed, "reminding", lambda *_: set(), "keeps its record", PUBLISHED
    ),
    "orphans go unasked": Fault(
        plan_world, "Wishes", lambda **_: Wishes(prune=True), "without --prune"
    ),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_the_walk_sees_a_planner_that_breaks_a_law(
    fault: Fault, monkeypatch: pytest.MonkeyPatch, planned_anew: None
) -> None:
    monkeypatch.setattr(fault.owner, fault.name, fault.broken)

    with pytest.raises(Broken, match=fault.law) as seen:
        walked(DEPTH, fault.start)

    assert len(str(seen.value).splitlines()) in range(2, DEPTH + 2)  # the law, then the steps


class Longer(RuleBasedStateMachine):
    """The same steps, drawn by hypothesis: not every way, but longer ones."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(APART, docs=APART)

    def takes(self, kinds: Collection[str], data: st.DataObject) -> None:
        possible = [step for step in steps(self.world) if step.kind in kinds]
        if possible:
            step = data.draw(st.sampled_from(possible))
            before, self.world = self.world, take(self.world, step)
            check(before, step, self.world)

    @rule(data=st.data())
    def files_change(self, data: st.DataObject) -> None:
        self.takes({"edit", "rename", "swap paths", "remove", "write"}, data)

    @rule(data=st.data())
    def another_app_writes(self, data: st.DataObject) -> None:
        self.takes({"title there", "field there", "delete there"}, data)

    @rule(data=st.data())
    def state_is_lost(self, data: st.DataObject) -> None:
        self.takes({"lose lock", "lose state"}, data)

    @rule(data=st.data())
    def a_run_is_killed(self, data: st.DataObject) -> None:
        self.takes({"kill", "kill prune"}, data)

    @rule(data=st.data())
    def a_run_ends(self, data: st.DataObject) -> None:
        self.takes({"run", "prune"}, data)


TestLonger = Longer.TestCase
TestLonger.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)


def main() -> None:
    """Walk, and print what was seen."""
    walk, began = Walk(World()), time.monotonic()
    for depth in range(1, int(sys.argv[1]) + 1 if len(sys.argv) > 1 else 6):
        walk.deeper()
        seconds = time.monotonic() - began
        worlds = f"{len(walk.came):,} worlds, {walk.edges:,} steps"
        sys.stdout.write(f"depth {depth}: {worlds}, {seconds:.1f} s\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
