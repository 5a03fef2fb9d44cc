"""What a run must never do, held against the world before it and the one after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from publisher.plan import (
    Action,
    Adopt,
    Conflict,
    Create,
    Delete,
    Forget,
    Orphan,
    RemoteDeleted,
    Unchanged,
    Update,
)
from publisher.syntax import Rkey
from tests.plan_world import (
    FOREIGN,
    VALUES,
    Broken,
    Doc,
    Ran,
    Step,
    World,
    claims,
    first_names,
    is_theirs,
    planned,
    ran,
)


def check(before: World, step: Step, after: World) -> None:
    """Hold every law against a run; other steps may do what they like. Raises Broken."""
    if step.kind not in {"run", "prune", "kill", "kill prune"}:
        return
    done = ran(before, step)
    if done is None:
        return
    for law in LAWS:
        if said := law(before, step, done, after):
            raise Broken(f"{(law.__doc__ or '').splitlines()[0].rstrip('.')}: {said}")


def _of_documents(done: Ran) -> dict[str, Action]:
    return {action.record.path: action for action in done.actions if hasattr(action, "record")}


def _rkeys(done: Ran) -> Iterator[Rkey]:
    """Yield the records that the documents have."""
    for action in done.actions:
        if not isinstance(action, (Orphan, Delete, Forget)) and action.rkey:
            yield action.rkey


def _each_document_has_one_action(before: World, step: Step, done: Ran, after: World) -> str:
    """Each document gets exactly one action, in order, and no record two documents."""
    named = [a.record.path for a in done.actions if hasattr(a, "record")]
    rkeys = [a.rkey for a in done.actions if isinstance(a, (Create, Update, Adopt, Unchanged))]
    if named != [doc.name for doc in before.files]:
        return f"{named}"
    return f"{rkeys}" if len(rkeys) != len(set(rkeys)) else ""


def _foreign_fields_stay(before: World, step: Step, done: Ran, after: World) -> str:
    """No foreign field is lost."""
    there = dict(after.repo)
    lost = [
        rkey
        for rkey, cid in before.repo
        if FOREIGN in VALUES[cid] and rkey in there and FOREIGN not in VALUES[there[rkey]]
    ]
    return ", ".join(lost)


def _foreign_edits_stay(before: World, step: Step, done: Ran, after: World) -> str:
    """No foreign edit of an owned field is overwritten by who knew what was there before."""
    there = dict(after.repo)
    guarded = before.publishers[step.at].guarded
    lost = [r for r in guarded if r not in there or not is_theirs(there[r])]
    return ", ".join(lost)


def _nothing_is_deleted(before: World, step: Step, done: Ran, after: World) -> str:
    """No record is deleted without --prune, and none of a document that is there with it."""
    there = dict(after.repo)
    gone = {rkey for rkey, _ in before.repo if rkey not in there}
    if "prune" in step.kind:
        gone &= {rkey for _, rkey in _left(before, step, done)}
    return ", ".join(gone)


def _nothing_is_left_behind(before: World, step: Step, done: Ran, after: World) -> str:
    """A document that is there keeps its record, as long as something tells that it is its own.

    Where two records may be, a person is asked. Where its own was deleted, that is said, unless
    what is there is the document to the letter.
    """
    actions, there = _of_documents(done), dict(before.repo)
    docs = {doc.name: doc for doc in before.files}
    left = [
        f"{rkey} of {name}"
        for name, rkey in _left(before, step, done)
        if not isinstance(actions[name], (Adopt, Conflict))
        if not isinstance(actions[name], RemoteDeleted) or _is_same(docs[name], there[rkey])
    ]
    return ", ".join(left)


def _left(before: World, step: Step, done: Ran) -> list[tuple[str, Rkey]]:
    """Return the files whose records no document has now, though that should be seen."""
    has = {
        name: action.rkey
        for name, action in _of_documents(done).items()
        if not isinstance(action, (Orphan, Delete, Forget))
    }
    return [
        (name, rkey)
        for name, rkey in _evident(before, step, done)
        if rkey not in has.values() and not _has_as_good(before, step, (name, has[name]), rkey)
    ]


def _has_as_good(before: World, step: Step, pair: tuple[str, Rkey | None], left: Rkey) -> bool:
    """Tell whether a file has another record that is known, and no less alike than its own.

    One whose key is derived from the file's name is known, where nothing is known of what is left.
    """
    (name, rkey), there = pair, dict(before.repo)
    (doc,) = (doc for doc in before.files if doc.name == name)
    seen = before.publishers[step.at].seen
    if rkey is None or rkey not in there:
        return False
    if left not in dict(seen):
        if (rkey, name) in seen:
            return True
        known = rkey in dict(seen) or first_names()[rkey] == name
    else:
        known = rkey in dict(seen)
    return known and _alike(doc, there[rkey]) and not _is_same(doc, there[left])


def _evident(before: World, step: Step, done: Ran) -> list[tuple[str, Rkey]]:
    """Return the files that have records in the repo, where name or traits tell it."""
    there, found = dict(before.repo), []
    files = {doc.ident: doc for doc in before.files}
    seen = before.publishers[step.at].seen
    for ident, rkey in before.made:
        doc = files.get(ident)
        if doc is None or rkey not in there:
            continue
        if any(_is_same(doc, cid) for other, cid in before.repo if other != rkey):
            continue
        known = first_names()[rkey] == doc.name or (rkey, doc.name) in seen
        if known or (_alike(doc, there[rkey]) and not is_theirs(there[rkey])):
            found.append((doc.name, rkey))
    return found


def _is_same(doc: Doc, cid: str) -> bool:
    """Tell whether a record is a document's to the letter, whosever it was before."""
    return (doc.path, doc.title) == (VALUES[cid]["path"], VALUES[cid]["title"])


def _alike(doc: Doc, cid: str) -> bool:
    return doc.path == VALUES[cid]["path"] or doc.title == VALUES[cid]["title"]


def _what_is_gone_is_told(before: World, step: Step, done: Ran, after: World) -> str:
    """A record that we wrote, whose document is gone, is an orphan: it can be pruned."""
    if step.cut:
        return ""
    there, names = dict(before.repo), {doc.name for doc in before.files}
    told = {a.entry.rkey for a in done.actions if isinstance(a, (Orphan, Delete))}
    told |= set(_rkeys(done))
    seen = before.publishers[step.at].seen
    doubts = " ".join(a.reason for a in done.actions if isinstance(a, Conflict))
    left = [
        rkey
        for rkey, name in seen
        if name not in names and rkey in there and rkey not in told and rkey not in doubts
    ]
    return ", ".join(left)


def _what_is_done_is_as_wanted(before: World, step: Step, done: Ran, after: World) -> str:
    """What is created, updated or unchanged holds what its file says."""
    if step.cut:
        return ""
    there = dict(after.repo)
    docs = {doc.name: doc for doc in before.files}
    wrong = [
        rkey
        for rkey, name in claims(done.actions).items()
        if (VALUES[there[rkey]]["title"], VALUES[there[rkey]]["path"]) != docs[name][2:]
    ]
    return ", ".join(wrong)


def _what_is_the_same_is_no_question(before: World, step: Step, done: Ran, after: World) -> str:
    """A known record that is one document to the letter is that one's, by whatever names."""
    actions, seen = _of_documents(done), dict(before.publishers[step.at].seen)
    wrong = []
    for doc in before.files:
        same = [rkey for rkey, cid in before.repo if _is_same(doc, cid)]
        twins = [other for other in before.files if other[2:] == doc[2:]]
        if len(same) == len(twins) == 1 and same[0] in seen:
            action = actions[doc.name]
            if not isinstance(action, Unchanged) or action.rkey != same[0]:
                wrong.append(f"{same[0]} is {doc.name}")
    return ", ".join(wrong)


def _no_path_has_two_records(before: World, step: Step, done: Ran, after: World) -> str:
    """Where nothing needs a person, no path of a document has two records."""
    actions = _of_documents(done).values()
    if step.cut or not all(isinstance(a, (Create, Update, Unchanged)) for a in actions):
        return ""
    gone = {action.entry.rkey for action in done.actions if isinstance(action, Orphan)}
    ours = {rkey for rkey, _ in after.publishers[step.at].seen} - gone
    paths = [VALUES[cid]["path"] for rkey, cid in after.repo if rkey in ours]
    twice = [doc.path for doc in before.files if paths.count(doc.path) != 1]
    return ", ".join(twice)


def _the_next_run_writes_nothing(before: World, step: Step, done: Ran, after: World) -> str:
    """The run after a whole run writes nothing."""
    if step.cut:
        return ""
    known, prune = after.publishers[step.at], "prune" in step.kind
    _, pending = planned(after.files, after.repo, known.lock, known.journal, prune=prune)
    return ", ".join(type(action).__name__ for action in pending)


Law = Callable[[World, Step, Ran, World], str]
LAWS: tuple[Law, ...] = (
    _each_document_has_one_action,
    _foreign_fields_stay,
    _foreign_edits_stay,
    _nothing_is_deleted,
    _nothing_is_left_behind,
    _what_is_gone_is_told,
    _what_is_done_is_as_wanted,
    _what_is_the_same_is_no_question,
    _no_path_has_two_records,
    _the_next_run_writes_nothing,
)
