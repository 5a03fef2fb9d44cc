"""Documents beside the records that may be theirs. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TypeAlias

from publisher.plan.actions import LockEntry, Place
from publisher.record import Record


@dataclass(frozen=True, slots=True)
class Match:
    """The record that belongs to a document: `proven` where only we can have written it."""

    place: Place
    _: KW_ONLY
    proven: bool = True
    bases: tuple[LockEntry, ...] = ()
    expected: bool = False  # the lock says that the record is there


Pair: TypeAlias = tuple[Record, Match]


def alone(pairs: Sequence[Pair]) -> list[Pair]:
    """Return the pairs whose document and record are in no other."""
    documents = Counter(record.key for record, _ in pairs)
    places = Counter(match.place for _, match in pairs)
    return [(r, m) for r, m in pairs if documents[r.key] == 1 and places[m.place] == 1]


def surest(pairs: Sequence[Pair], sure: Sequence[Pair]) -> list[Pair]:
    """Return the pairs that are alone: first among those that are sure, then among the others."""
    chosen = alone(sure)
    keys = {record.key for record, _ in chosen}
    places = {match.place for _, match in chosen}
    rest = [(r, m) for r, m in pairs if r.key not in keys and m.place not in places]
    return chosen + alone(rest)
