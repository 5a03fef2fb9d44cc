"""What earlier runs know of documents and records, by document and by place. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

from publisher.plan.actions import LockEntry, Place, State
from publisher.record import Record


class Known:
    """The lock's lines and the open intents; `by_place` has the lock's line first."""

    def __init__(self, state: State) -> None:
        self._entries = state.entries
        self._written = state.intents
        self._by_path = {entry.path: entry for entry in state.entries.values()}
        self._intents: dict[str, list[LockEntry]] = {}
        self._bases: dict[tuple[str, str], tuple[LockEntry, ...]] = {}
        self.by_place: dict[Place, list[LockEntry]] = {}
        for intent in state.intents:
            self._intents.setdefault(intent.key, []).append(intent)
        for known in (*state.entries.values(), *state.intents):
            self.by_place.setdefault(place_of(known), []).append(known)

    def is_locked(self, base: LockEntry) -> bool:
        """Tell whether this is a line of the lock, and not only written down."""
        return self._entries.get(base.key) is base

    def bases(self, record: Record) -> tuple[LockEntry, ...]:
        """Return what is known of a document by its key or its path, the lock's line first.

        What was written down for another document since is that one's.
        """
        name = record.key, record.path
        if name not in self._bases:
            self._bases[name] = self._found(record)
        return self._bases[name]

    def _found(self, record: Record) -> tuple[LockEntry, ...]:
        names = (record.key,) if record.key == record.path else (record.key, record.path)
        known = [
            entry
            for name in names
            for entry in (self._entries.get(name), self._by_path.get(name))
            if entry is not None
        ]
        written = [
            intent
            for name in names
            for intent in self._intents.get(name, ())
            if self.by_place[place_of(intent)][-1].key in names
        ]
        there = [base for entry in known for base in self.by_place[place_of(entry)]]
        return tuple(dict.fromkeys((*known, *written, *there)))

    @cached_property
    def lines(self) -> Sequence[LockEntry]:
        """A line for each record that we know of, by key: what was written down, too.

        Of several of one record the lock's counts, else the last.
        """
        known = (*self._written, *self._entries.values())
        lines = {place_of(line): line for line in known}
        return sorted(lines.values(), key=lambda line: line.key)


def place_of(entry: LockEntry) -> Place:
    """Return where a line's record is."""
    return entry.collection, entry.rkey


def without_its_name(line: LockEntry) -> LockEntry:
    """Return the line of a record whose file's name is another document's now."""
    name = f"{line.path} ({line.rkey})"
    return replace(line, key=name, path=name)
