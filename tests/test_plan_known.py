"""What earlier runs know of a record is neither lost nor outdone by what its key says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from publisher.apply import Outcome
from publisher.commands.memory import Memory, lines_after
from publisher.lock import Lock, Settled
from publisher.plan import (
    Action,
    Adopt,
    Conflict,
    Create,
    Delete,
    Forget,
    LockEntry,
    Orphan,
    RemoteChanged,
    RemoteDeleted,
    State,
    Unchanged,
    Update,
    plan,
)
from publisher.record import Record, derived_rkey
from publisher.syntax import Rkey
from tests.test_plan import DID, at, locked, make, remote

AT_X, AT_Y = Rkey("3lzzzzzzzzz22"), Rkey("3lzzzzzzzzz33")
A, X, Y = make("a.md"), make("x.md"), make("y.md")
Y_DERIVED = derived_rkey(Y, DID, 0)


def named(record: Record, name: str) -> Record:
    return replace(record, key=name, path=name)


def told(actions: list[Action]) -> list[tuple[type[Action], str, Rkey | None]]:
    return [
        (type(a), a.entry.path, a.entry.rkey)
        if isinstance(a, (Orphan, Delete, Forget))
        else (type(a), a.record.path, a.rkey)
        for a in actions
    ]


def after(memory: Memory, actions: list[Action]) -> tuple[dict[str, LockEntry], list[LockEntry]]:
    """The lock's lines after a run that had nothing to write, and what stays in the journal."""
    entries, settles = lines_after(memory, actions, Outcome())
    settled = Settled.by(settles)
    return entries, [intent for intent in memory.intents if not settled.covers(intent)]


@pytest.fixture
def outlived() -> State:
    """Y has the name, and so the derived key, of X, whose record is an orphan now."""
    name, rkey = f"x.md ({AT_X})", derived_rkey(X, DID, 0)
    return State({"x.md": locked(named(Y, "x.md"), AT_Y), name: locked(named(X, name), rkey)})


def test_a_record_at_the_derived_key_is_not_taken_for_the_deleted_one_of_the_lock(
    outlived: State,
) -> None:
    theirs = at(derived_rkey(X, DID, 0), make("x.md", title="of another app").value)

    actions = plan(DID, [named(Y, "x.md")], remote(theirs), outlived)

    assert told(actions) == [
        (RemoteDeleted, "x.md", AT_Y),
        (Orphan, f"x.md ({AT_X})", theirs.rkey),
    ]


def test_of_a_document_that_was_sent_to_two_places_both_records_are_orphans() -> None:
    written = State(intents=[locked(A, AT_X), locked(A, AT_Y)])

    actions = plan(DID, [], remote(at(AT_X, A.value), at(AT_Y, A.value)), written)

    assert sorted(told(actions)) == [(Orphan, "a.md", AT_X), (Orphan, "a.md", AT_Y)]


def test_a_create_that_never_arrived_is_forgotten_when_its_document_has_another_record() -> None:
    memory = Memory(intents=[locked(A, AT_X), locked(A, AT_Y)])
    actions = plan(DID, [A], remote(at(AT_Y, A.value)), State(intents=memory.intents))

    entries, journal = after(memory, actions)

    assert told(actions)[0] == (Unchanged, "a.md", AT_Y)
    assert [*entries] == ["a.md"]
    assert journal == []


def test_what_is_known_of_a_record_in_question_stays_when_its_name_has_another() -> None:
    there = remote(at(AT_X, X.value), at(AT_Y, make("y.md", title="of another app").value))
    edited = make("y.md", title="edited")
    renamed = [named(X, "y.md"), named(edited, "z.md")]
    memory = Memory(intents=[locked(X, AT_X), locked(Y, AT_Y)])

    actions = plan(DID, renamed, there, State(intents=memory.intents))
    _, journal = after(memory, actions)

    assert told(actions)[:2] == [(Unchanged, "y.md", AT_X), (Adopt, "z.md", AT_Y)]
    assert journal == [locked(Y, AT_Y)]


def test_a_document_in_question_with_two_lines_loses_neither() -> None:
    lines = {"x.md": locked(X, AT_X), "y.md": locked(Y, AT_Y)}
    asked = Conflict(X, AT_Y, "both changed", "decide")

    entries, _ = after(Memory(Lock(DID, lines), lines), [asked])

    assert entries == lines


def test_a_document_that_a_record_equals_takes_no_other_that_it_resembles() -> None:
    theirs = make("x.md", title="of another app", path="/y")
    files = [make("x.md", path="/new"), Y]
    written = State(intents=[locked(theirs, AT_X)])

    actions = plan(DID, files, remote(at(AT_X, theirs.value), at(Y_DERIVED, Y.value)), written)

    assert told(actions) == [(Update, "x.md", AT_X), (Unchanged, "y.md", Y_DERIVED)]


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("On y.md", [(Conflict, "y.md", None)]),
        ("On x.md", [(Unchanged, "y.md", AT_X), (Forget, "x.md", AT_X)]),  # x.md to the letter
        ("of another app", [(Unchanged, "y.md", Y_DERIVED), (Orphan, "x.md", AT_X)]),
    ],
)
def test_a_record_at_the_derived_key_and_one_that_lost_its_file_are_a_question(
    title: str, expected: list[tuple[type[Action], str, Rkey | None]]
) -> None:
    lost, derived = make("x.md", path="/y"), make("y.md", title="of another app")
    state = State({"x.md": locked(lost, AT_X)})

    actions = plan(
        DID,
        [make("y.md", title=title)],
        remote(at(AT_X, lost.value), at(Y_DERIVED, derived.value)),
        state,
    )

    assert told(actions) == expected


def test_a_file_that_got_the_name_of_its_key_again_is_no_question() -> None:
    state = State({"x.md": locked(named(Y, "x.md"), Y_DERIVED)})

    actions = plan(DID, [make("y.md", title="edited")], remote(at(Y_DERIVED, Y.value)), state)

    assert told(actions) == [(Update, "y.md", Y_DERIVED), (Forget, "x.md", Y_DERIVED)]


@pytest.mark.parametrize("is_locked", [True, False])
def test_a_changed_record_that_lost_its_file_is_a_question_where_the_own_one_reminds_of_nothing(
    *, is_locked: bool
) -> None:
    """Y was removed and X renamed to it; or Y was written anew, and X was removed."""
    known = [locked(X, AT_X), locked(Y, AT_Y)]
    state = State({line.key: line for line in known}) if is_locked else State(intents=known)
    changed = make("x.md", title="of another app")

    actions = plan(
        DID,
        [make("y.md", path="/x", title="edited")],
        remote(at(AT_X, changed.value), at(AT_Y, Y.value)),
        state,
    )

    assert told(actions) == [(Conflict, "y.md", AT_X), (Orphan, f"y.md ({AT_Y})", AT_Y)]


def test_a_record_is_known_by_the_name_that_was_written_down_last() -> None:
    written = State(intents=[locked(named(X, "y.md"), AT_X), locked(X, AT_X)])

    actions = plan(DID, [Y], remote(at(AT_X, X.value)), written)

    assert told(actions) == [(Create, "y.md", Y_DERIVED), (Orphan, "x.md", AT_X)]


def test_a_record_that_another_app_changed_is_in_the_lock_once_that_was_told() -> None:
    memory = Memory(intents=[locked(X, AT_X)])
    theirs = at(AT_X, make("x.md", title="of another app").value)
    actions = plan(DID, [named(X, "y.md")], remote(theirs), State(intents=memory.intents))

    entries, journal = after(memory, actions)

    assert told(actions) == [(RemoteChanged, "y.md", AT_X)]
    assert (entries, journal) == ({"y.md": locked(named(X, "y.md"), AT_X)}, [])


def test_a_record_that_was_written_down_for_another_document_since_is_in_no_conflict() -> None:
    """A has the path of Y, and took its record; that run was killed before it arrived."""
    mine, anew = make("a.md", path="/y"), make("y.md", path="/new", title="New")
    written = [locked(named(Y, "a.md"), AT_Y), locked(mine, AT_Y)]

    actions = plan(
        DID, [mine, anew], remote(at(AT_Y, Y.value)), State({"y.md": locked(Y, AT_Y)}, written)
    )

    assert told(actions) == [(Update, "a.md", AT_Y), (Create, "y.md", Y_DERIVED)]


def test_a_record_that_is_another_apps_by_now_is_left_for_the_one_that_is_the_document() -> None:
    theirs = make("z.md", title="of another app")
    there = remote(at(AT_X, theirs.value), at(Y_DERIVED, Y.value))

    actions = plan(DID, [Y], there, State({"y.md": locked(named(X, "y.md"), AT_X)}))

    assert told(actions) == [
        (Unchanged, "y.md", Y_DERIVED),
        (Orphan, f"y.md ({AT_X})", AT_X),
    ]


def test_of_records_at_derived_keys_the_one_that_is_most_alike_counts() -> None:
    second = derived_rkey(Y, DID, 1)
    there = remote(at(Y_DERIVED, X.value), at(second, make("y.md", title="edited").value))

    actions = plan(DID, [Y], there, State({"y.md": locked(Y, AT_Y)}))  # that was deleted there

    assert told(actions) == [(Update, "y.md", second), (Forget, f"y.md ({AT_Y})", AT_Y)]


def test_a_changed_record_that_was_written_down_for_the_document_comes_before_a_strange_one() -> (
    None
):
    """Y was written anew; the lock has another record for its name."""
    there = remote(at(AT_X, X.value), at(AT_Y, make("y.md", title="of another app").value))
    state = State({"y.md": locked(named(X, "y.md"), AT_X)}, [locked(Y, AT_Y)])

    actions = plan(DID, [make("y.md", title="edited")], there, state)

    assert told(actions) == [(Adopt, "y.md", AT_Y), (Orphan, f"y.md ({AT_X})", AT_X)]


def test_a_record_at_a_derived_key_is_left_for_the_document_that_it_is() -> None:
    state = State({"x.md": locked(named(A, "x.md"), Y_DERIVED)})

    actions = plan(DID, [A, Y], remote(at(Y_DERIVED, A.value)), state)

    assert told(actions) == [
        (Unchanged, "a.md", Y_DERIVED),
        (Create, "y.md", derived_rkey(Y, DID, 1)),
        (Forget, "x.md", Y_DERIVED),
    ]
