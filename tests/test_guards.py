"""What a plan costs, and where it stops to ask."""

from __future__ import annotations

from pathlib import Path

import pytest

from publisher.data import RAW, Cid, Value
from publisher.documents import DOCUMENT, Blob
from publisher.plan import (
    Action,
    Cost,
    Create,
    Delete,
    LockEntry,
    Pending,
    Unchanged,
    Update,
    cost,
    entry_of,
    guards,
    in_words,
    seconds_at_limits,
)
from publisher.record import Record
from publisher.repo import RemoteRecord
from publisher.syntax import Did, Rkey, tid


def record(number: int, *blobs: Blob) -> Record:
    value: dict[str, Value] = {"$type": DOCUMENT, "title": f"On {number}"}
    return Record(f"{number}.md", f"{number}.md", DOCUMENT, value, frozenset(value), blobs)


def there(number: int) -> RemoteRecord:
    ours = record(number)
    return RemoteRecord(DOCUMENT, Rkey(tid(number)), ours.cid, ours.value)


def entry(number: int) -> LockEntry:
    return entry_of(record(number), Rkey(tid(number)), record(number).value)


def made(creates: int = 0, updates: int = 0, unchanged: int = 0, deletes: int = 0) -> list[Action]:
    rkey, cid = Rkey(tid(1)), record(1).cid
    return [
        *(Create(record(n), rkey) for n in range(creates)),
        *(Update(record(n), rkey, there(n), cid, ()) for n in range(updates)),
        *(Unchanged(record(n), rkey, there(n)) for n in range(unchanged)),
        *(Delete(entry(n), there(n)) for n in range(deletes)),
    ]


@pytest.mark.parametrize(
    ("actions", "documents", "locked", "unclaimed", "names"),
    [
        (made(deletes=3), 0, 3, 0, ["empty"]),
        (made(deletes=5, unchanged=1), 1, 6, 0, []),
        (made(deletes=6, unchanged=1), 1, 7, 0, ["delete"]),
        (made(deletes=10, unchanged=91), 91, 101, 0, []),
        (made(deletes=11, unchanged=90), 90, 101, 0, ["delete"]),
        (made(updates=5), 5, 5, 0, []),
        (made(updates=6, unchanged=6), 12, 12, 0, []),
        (made(updates=7, unchanged=6), 13, 13, 0, ["mass-update"]),
        (made(creates=9), 9, 0, 0, []),
        (made(creates=5), 5, 0, 1, []),
        (made(creates=9), 9, 0, 1, ["mass-create"]),
        (made(creates=9), 9, 1, 1, []),
        (made(creates=6, unchanged=6), 12, 0, 1, []),
    ],
)
def test_what_a_person_should_look_at_first(
    actions: list[Action], documents: int, locked: int, unclaimed: int, names: list[str]
) -> None:
    found = guards(actions, documents=documents, locked=locked, unclaimed=unclaimed)

    assert [guard.name for guard in found] == names
    assert all(f"--allow {guard.name}" in guard.remedy for guard in found)


@pytest.mark.parametrize(
    ("actions", "names"),
    [
        (made(creates=1), ["origin"]),
        (made(updates=1, unchanged=9), ["origin"]),
        (made(updates=7), ["origin", "mass-update"]),
        (made(unchanged=9), []),
        (made(deletes=1, unchanged=9), []),
    ],
)
def test_what_was_pulled_from_another_repo_is_looked_at_before_it_is_written(
    actions: list[Action], names: list[str]
) -> None:
    other = Did("did:plc:44ybard66vv44zksje25o7dz")

    found = guards(actions, documents=9, locked=9, unclaimed=0, origin=other)

    assert [guard.name for guard in found] == names
    assert all(f"--allow {guard.name}" in guard.remedy for guard in found)
    assert all(f"--migrate-from {other}" in each.remedy for each in found if each.name == "origin")


def test_a_cost_counts_points_bytes_and_each_blob_that_is_missing_once() -> None:
    blob = Blob(Cid.of(b"cover", RAW), "image/png", 25_000, Path("cover.png"))
    held = Blob(Cid.of(b"held", RAW), "image/png", 9, None)
    pending: list[Pending] = [
        Create(record(1, blob), Rkey(tid(1))),
        Create(record(2, blob, held), Rkey(tid(2))),
        Update(record(3), Rkey(tid(3)), there(3), record(3).cid, ()),
        Delete(entry(4), there(4)),
    ]

    found = cost(pending, {str(held.cid)})

    assert found == Cost(4, 3 * record(1).size, 1, 25_000, 3 + 3 + 2 + 1)


@pytest.mark.parametrize(
    ("creates", "blobs", "words"),
    [
        (10, 0, "about a second"),
        (1_666, 0, "about 2 seconds"),
        (1_667, 0, "about 1 hour"),
        (11_666, 0, "about 6 hours"),
        (11_667, 0, "about 1 day"),
        (100, 1_001, "about 1 day"),
        (100_000, 0, "about 8 days"),
    ],
)
def test_how_long_it_takes_at_the_usual_limits(creates: int, blobs: int, words: str) -> None:
    assert in_words(seconds_at_limits(Cost(creates, 0, blobs, 0, 3 * creates))) == words
