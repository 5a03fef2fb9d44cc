"""What the user wished, applied to what the plan leaves open. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import replace

from publisher import data
from publisher.data import Value
from publisher.plan.actions import (
    Action,
    Adopt,
    Conflict,
    Create,
    Delete,
    Forget,
    Keep,
    Orphan,
    RemoteChanged,
    RemoteDeleted,
    Update,
    Wishes,
)
from publisher.plan.decide import entry_of
from publisher.plan.traits import Trait, by_trait, sharing
from publisher.record import Record
from publisher.repo import RemoteRecord
from publisher.syntax import Rkey


def resolve(
    actions: Iterable[Action], wishes: Wishes, *, sites: Container[Value], prunes: bool = True
) -> list[Action]:
    """Return the actions with the user's wishes carried out.

    Only records of `sites` are pruned, so none that names no site, and none unless `prunes`: not
    while a document is invalid. Nor are those that a document looks like, by path, or date and
    title: it may be theirs.
    """
    actions = list(actions)
    documents = _documents(actions) if wishes.prune else {}
    return [
        _orphaned(action, wishes, sites, documents, prunes=prunes)
        if isinstance(action, Orphan)
        else _resolved(action, wishes)
        for action in actions
    ]


def _documents(actions: Iterable[Action]) -> Mapping[Trait, list[Record]]:
    return by_trait(
        action.record for action in actions if not isinstance(action, (Orphan, Delete, Forget))
    )


def _orphaned(
    orphan: Orphan,
    wishes: Wishes,
    sites: Container[Value],
    documents: Mapping[Trait, list[Record]],
    *,
    prunes: bool,
) -> Orphan | Delete:
    if wishes.prune and not prunes:
        return replace(orphan, spared="invalid")
    site = orphan.theirs.value.get("site")
    if site is None or site not in sites:
        return replace(orphan, spared="site")
    if not wishes.prune:
        return orphan
    if orphan.entry.path in wishes.force:
        return Delete(orphan.entry, orphan.theirs)
    if sharing(orphan.theirs, documents):
        return replace(orphan, spared="alike")
    if orphan.changed:
        return orphan
    return Delete(orphan.entry, orphan.theirs)


def _resolved(action: Action, wishes: Wishes) -> Action:
    match action:
        case Adopt(record, rkey, theirs, cid, changed) if wishes.adopt:
            return Update(record, rkey, theirs, cid, changed)
        case RemoteChanged(record, rkey, theirs, changed) if record.path in wishes.force:
            return _update(record, rkey, theirs, changed)
        case RemoteDeleted(record, rkey) if wishes.recreate:
            return Create(record, rkey)
        case Conflict(record, rkey):
            return _decided(action, record, rkey, wishes) if rkey else action
        case _:
            return action


def _decided(action: Conflict, record: Record, rkey: Rkey, wishes: Wishes) -> Action:
    if action.theirs and record.path in wishes.force:
        return _update(record, rkey, action.theirs, action.changed)
    if action.deleted and wishes.recreate:
        return Create(record, rkey)
    if (action.theirs or action.deleted) and record.path in wishes.keep:
        entry = entry_of(record, rkey, record.value)
        cid = action.theirs.cid if action.theirs else entry.cid
        return Keep(record, rkey, replace(entry, cid=cid))
    return action


def _update(record: Record, rkey: Rkey, theirs: RemoteRecord, changed: tuple[str, ...]) -> Update:
    return Update(record, rkey, theirs, data.record_cid(record.merged(theirs.value)), changed)
