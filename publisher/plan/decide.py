"""The plan: each document and its record decided on their own, from (ours, base, theirs). Pure.

docs/architecture.md has the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from publisher import data
from publisher.data import Value
from publisher.plan.actions import (
    Action,
    Adopt,
    Conflict,
    Create,
    LockEntry,
    Remote,
    RemoteChanged,
    RemoteDeleted,
    State,
    Unchanged,
    Update,
)
from publisher.plan.matching import Matching
from publisher.plan.pairs import Match
from publisher.record import CONTENT, Record, owned_cid
from publisher.repo import RemoteRecord
from publisher.spool import whole
from publisher.syntax import Did, Rkey


def plan(
    did: Did,
    records: Sequence[Record],
    remote: Remote,
    state: State,
    *,
    formerly: Sequence[str] = (),
) -> list[Action]:
    """Return one action for each record, in their order, then those for lines of the lock."""
    matching = Matching(did, records, remote, state, formerly)
    matching.run()
    actions: list[Action] = []
    for record in records:
        if conflict := matching.conflicts.get(record.key):
            actions.append(conflict)
        elif match := matching.matches.get(record.key):
            readable = match.place not in state.unreadable
            decided = _decide(record, match, remote) if readable else None
            actions.append(decided or matching.unreadable(record, match.place))
        else:
            actions.append(matching.create(record))
    open_places = {
        (action.record.collection, action.rkey)
        for action in actions
        if isinstance(action, (Adopt, Conflict, RemoteChanged)) and action.rkey
    }
    return actions + list(matching.left_over(open_places))


def entry_of(
    record: Record, rkey: Rkey, value: Mapping[str, Value], cid: str | None = None
) -> LockEntry:
    """Return what the lock remembers of a record that holds `value`; `cid`, where it is known."""
    if cid is not None and cid == record.cid:
        rest, content = record.owned_cids
        owned = record.owned if content else record.owned - CONTENT
    else:
        value = whole(value)
        cid, owned = cid or data.record_cid(value), record.owned_over(value)
        rest = owned_cid(value, owned - CONTENT)
        content = owned_cid(value, CONTENT) if "content" in owned else None
    return LockEntry(record.key, record.path, record.collection, rkey, cid, rest, content, owned)


def entry_for(action: Unchanged, known: LockEntry | None) -> LockEntry:
    """Return the lock's line for a record that is as it should be: `known` where that says it."""
    record, theirs = action.record, action.theirs
    if known and (known.key, known.path, known.collection, known.rkey, known.cid) == (
        record.key,
        record.path,
        record.collection,
        action.rkey,
        theirs.cid,
    ):
        return known
    return entry_of(record, action.rkey, theirs.value, theirs.cid)


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
        return _absent(record, rkey, match)
    if record.cid == theirs.cid:
        return Unchanged(record, rkey, theirs)
    record = _with_earlier_fields(record, match.bases)
    there = whole(theirs.value)
    value = record.merged(there)
    cid = data.record_cid(value)
    if cid == theirs.cid:
        return Unchanged(record, rkey, theirs)
    changed = changed_fields(value, there)
    owned = record.owned_over(there)
    if any(base.agrees(there, owned) for base in match.bases):
        return Update(record, rkey, theirs, cid, changed)
    if match.bases:
        return _both_changed(record, match, theirs, changed)
    action = Update if match.proven else Adopt
    return action(record, rkey, theirs, cid, changed)


def _absent(record: Record, rkey: Rkey, match: Match) -> Action:
    if not match.expected:
        return Create(record, rkey)
    if _is_base(record, match.bases):
        return RemoteDeleted(record, rkey)
    return Conflict(
        record,
        rkey,
        "the document was edited, and its record was deleted in the repo",
        f"--recreate publishes it again; --keep-remote {record.path} leaves it deleted",
        deleted=True,
    )


def _is_base(record: Record, bases: Iterable[LockEntry]) -> bool:
    ours = whole(record.value)
    return any(base.agrees(ours, record.owned) for base in bases)


def _both_changed(
    record: Record, match: Match, theirs: RemoteRecord, changed: tuple[str, ...]
) -> Action:
    rkey = match.place[1]
    if _is_base(record, match.bases):
        return RemoteChanged(record, rkey, theirs, changed)
    path = record.path
    return Conflict(
        record,
        rkey,
        "both the document and its record changed since it was last published",
        f"publisher diff {path} shows both; then publish --force {path} to overwrite the record, "
        f"or --keep-remote {path} to leave it",
        changed,
        theirs,
    )


def _with_earlier_fields(record: Record, bases: Iterable[LockEntry]) -> Record:
    """A field that we wrote before and that the file no longer has is ours to remove."""
    earlier = frozenset[str]().union(*(base.fields for base in bases))
    if earlier <= record.owned:
        return record
    return replace(record, owned=record.owned | earlier)
