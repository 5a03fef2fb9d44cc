"""The plan: each document and its record decided on their own, from (ours, base, theirs). Pure.

docs/architecture.md has the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from publisher import data
from publisher.data import Value
from publisher.plan.actions import (
    Action,
    Adopt,
    Conflict,
    Create,
    LockEntry,
    Remote,
    State,
    Unchanged,
    Update,
)
from publisher.plan.matching import Match, Matching
from publisher.record import Record, owned_cid
from publisher.syntax import Did, Rkey

CONTENT = frozenset({"content"})


def plan(
    did: Did,
    records: Sequence[Record],
    remote: Remote,
    state: State,
    *,
    formerly: Sequence[str] = (),
) -> list[Action]:
    """Return one action for each record, in their order, then those for lines of the lock."""
    matching = Matching(did, remote, state, formerly)
    matching.run(records)
    actions: list[Action] = []
    for record in records:
        if conflict := matching.conflicts.get(record.key):
            actions.append(conflict)
        elif match := matching.matches.get(record.key):
            actions.append(_decide(record, match, remote))
        else:
            actions.append(matching.create(record))
    return actions + list(matching.left_over(records))


def entry_of(record: Record, rkey: Rkey, value: Mapping[str, Value]) -> LockEntry:
    """Return what the lock remembers of a record that holds `value`."""
    owned = record.owned_over(value)
    return LockEntry(
        record.key,
        record.path,
        record.collection,
        rkey,
        data.record_cid(dict(value)),
        owned_cid(value, owned - CONTENT),
        owned_cid(value, CONTENT) if "content" in owned else None,
        owned,
    )


def agrees(value: Mapping[str, Value], base: LockEntry, owned: frozenset[str]) -> bool:
    """Tell whether the fields that we wrote are as we left them, of those that are ours now."""
    if owned_cid(value, base.fields - CONTENT) != base.owned:
        return False
    judged = "content" in base.fields & owned
    return not judged or owned_cid(value, CONTENT) == base.content


def changed_fields(ours: Mapping[str, Value], theirs: Mapping[str, Value]) -> tuple[str, ...]:
    """Return the names of the top-level fields that differ, sorted."""
    names = ours.keys() | theirs.keys()
    return tuple(sorted(name for name in names if not _equal(ours, theirs, name)))


def _equal(ours: Mapping[str, Value], theirs: Mapping[str, Value], name: str) -> bool:
    if (name in ours) != (name in theirs):
        return False
    return data.encode(ours[name]) == data.encode(theirs[name])


def _decide(record: Record, match: Match, remote: Remote) -> Action:
    collection, rkey = match.place
    theirs = remote.get(collection, {}).get(rkey)
    if theirs is None:
        return _absent(record, rkey, expected=match.expected)
    record = _with_earlier_fields(record, match.bases)
    value = record.merged(theirs.value)
    if data.record_cid(value) == theirs.cid:
        return Unchanged(record, rkey, value)
    changed = changed_fields(value, theirs.value)
    owned = record.owned_over(theirs.value)
    if any(agrees(theirs.value, base, owned) for base in match.bases):
        return Update(record, rkey, value, theirs.cid, changed)
    if match.bases:
        return Conflict(record, rkey, *_both_changed(record, match.bases), changed)
    action = Update if match.proven else Adopt
    return action(record, rkey, value, theirs.cid, changed)


def _absent(record: Record, rkey: Rkey, *, expected: bool) -> Action:
    if not expected:
        return Create(record, rkey, record.value)
    return Conflict(
        record,
        rkey,
        "its record was deleted in the repo since it was last published",
        "delete the file, or its line in publisher.lock to publish it again",
    )


def _both_changed(record: Record, bases: Iterable[LockEntry]) -> tuple[str, str]:
    remedy = (
        "to keep the record's text, copy it into the document (`publisher pull` brings it); "
        "to publish the document over it, delete its line in publisher.lock"
    )
    if any(agrees(record.value, base, record.owned) for base in bases):
        return "its record was changed in the repo since it was last published", remedy
    return "both the document and its record changed since it was last published", remedy


def _with_earlier_fields(record: Record, bases: Iterable[LockEntry]) -> Record:
    """A field that we wrote before and that the file no longer has is ours to remove."""
    earlier = frozenset[str]().union(*(base.fields for base in bases))
    if earlier <= record.owned:
        return record
    return Record(
        record.key,
        record.path,
        record.collection,
        record.value,
        record.owned | earlier,
        record.blobs,
        record.rkey,
        record.at_uri,
    )
