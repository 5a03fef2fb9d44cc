"""A small world of files, a repo and two publishers: each step makes a new one. Pure.

A run is the real plan and the real bookkeeping of lock and journal; only the repo is a table.
tests/plan_laws.py says what a run must never do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from typing import Literal, NamedTuple

from publisher import data
from publisher.apply import Outcome
from publisher.commands.memory import Memory, intents, lines_after
from publisher.data import Value
from publisher.documents import DOCUMENT
from publisher.documents.model import MARKDOWN_OWNED
from publisher.lock import Lock, Settled
from publisher.plan import (
    Action,
    Create,
    Delete,
    LockEntry,
    Pending,
    RemoteChanged,
    State,
    Unchanged,
    Update,
    Wishes,
    entry_of,
    plan,
    resolve,
)
from publisher.record import SALTS, Record, derived_rkey
from publisher.repo import RemoteRecord
from publisher.syntax import Did, Rkey

DID = Did("did:plc:44ybard66vv44zksje25o7dz")
SITE = "https://alice.example"
NAMES = ("a.md", "b.md", "c.md")
THEIRS = "Theirs"
MEDDLING = 2
FOREIGN = "example.foreign"

Cut = tuple[int, int]
"""So many writes were written down, so many arrived; then the run was killed."""

CUTS: tuple[Cut, ...] = ((1, 0), (1, 1), (2, 0), (2, 1), (2, 2))


class Broken(AssertionError):
    """A run broke a law."""


class Doc(NamedTuple):
    """A file; `ident` stays with the document when it is renamed."""

    ident: int
    name: str
    title: str
    path: str


APART = (Doc(0, "a.md", "A0", "/x"), Doc(1, "b.md", "A1", "/y"))
"""Their titles are never the same; those of DOCS are after an edit."""

DOCS = (Doc(0, "a.md", "A", "/x"), Doc(1, "b.md", "B", "/y"))


class Publisher(NamedTuple):
    """A checkout's state, and what it must know by that: `seen` are rkeys with their documents.

    `guarded` are the rkeys whose titles another app changed after this publisher had seen them.
    """

    lock: frozenset[LockEntry] = frozenset()
    journal: tuple[LockEntry, ...] = ()
    seen: frozenset[tuple[Rkey, str]] = frozenset()
    guarded: frozenset[Rkey] = frozenset()


class World(NamedTuple):
    """`repo` has the CIDs of the records; `made` has the document of each.

    `meddled` counts titles by another app: each is a new one.
    """

    files: tuple[Doc, ...] = DOCS
    repo: frozenset[tuple[Rkey, str]] = frozenset()
    publishers: tuple[Publisher, ...] = (Publisher(), Publisher())
    made: frozenset[tuple[int, Rkey]] = frozenset()
    meddled: int = 0
    docs: tuple[Doc, ...] = DOCS


class Step(NamedTuple):
    """What happens next; `at` is a file, a record or a publisher."""

    kind: Literal[
        "edit",
        "rename",
        "swap paths",
        "remove",
        "write",
        "run",
        "prune",
        "kill",
        "kill prune",
        "lose lock",
        "lose state",
        "title there",
        "field there",
        "delete there",
    ]
    at: int = 0
    cut: Cut | None = None

    def __str__(self) -> str:
        cut = f", {self.cut[0]} written down, {self.cut[1]} arrived" if self.cut else ""
        return f"{self.kind} {self.at}{cut}"


VALUES: dict[str, dict[str, Value]] = {}
"""What has a CID; a world holds CIDs only."""


def steps(world: World) -> Iterator[Step]:
    """Yield all that can happen in a world."""
    for at in range(len(world.files)):
        yield Step("edit", at)
        yield Step("rename", at)
        yield Step("remove", at)
    if len(world.files) == 2:
        yield Step("swap paths")
    for doc in DOCS:
        if doc.ident not in {file.ident for file in world.files}:
            yield Step("write", doc.ident)
    for at in range(len(world.publishers)):
        yield Step("run", at)
        yield Step("prune", at)
        yield from (Step("kill", at, cut) for cut in CUTS)
        yield from (Step("kill prune", at, cut) for cut in CUTS)
        if world.publishers[at].lock:
            yield Step("lose lock", at)
            yield Step("lose state", at)
    for at in range(len(world.repo)):
        if world.meddled < MEDDLING:
            yield Step("title there", at)
        yield Step("field there", at)
        yield Step("delete there", at)


def take(world: World, step: Step) -> World:
    """Return the world after a step. Raises Broken."""
    match step.kind:
        case "run" | "prune" | "kill" | "kill prune":
            return run(world, step)
        case "lose lock" | "lose state":
            return _lost(world, step.at, all_of_it=step.kind == "lose state")
        case "title there" | "field there" | "delete there":
            return _meddled(world, step)
        case _:
            return world._replace(files=tuple(sorted(_filed(world, step), key=_name)))


def _name(doc: Doc) -> str:
    return doc.name


def _filed(world: World, step: Step) -> list[Doc]:
    files = world.files
    names = {doc.name for doc in files}
    changed = list(files)
    match step.kind:
        case "edit":
            title = files[step.at].title
            other = ("B" if title[0] == "A" else "A") + title[1:]
            changed[step.at] = files[step.at]._replace(title=other)
        case "rename":
            free = next(name for name in reversed(NAMES) if name not in names)
            changed[step.at] = files[step.at]._replace(name=free)
        case "remove":
            del changed[step.at]
        case "swap paths":
            one, two = files
            changed = [one._replace(path=two.path), two._replace(path=one.path)]
        case _:
            doc, taken = world.docs[step.at], {doc.path for doc in files}
            if doc.name not in names and doc.path not in taken:
                changed.append(doc)
    return changed


def _lost(world: World, at: int, *, all_of_it: bool) -> World:
    known = world.publishers[at]
    journal = () if all_of_it else known.journal
    seen = frozenset((intent.rkey, intent.path) for intent in journal)
    guarded = known.guarded & {rkey for rkey, _ in seen}
    return _with_publisher(world, at, Publisher(frozenset(), journal, seen, guarded))


def _with_publisher(world: World, at: int, publisher: Publisher) -> World:
    publishers = list(world.publishers)
    publishers[at] = publisher
    return world._replace(publishers=tuple(publishers))


def _meddled(world: World, step: Step) -> World:
    rkey, cid = sorted(world.repo)[step.at]
    rest = world.repo - {(rkey, cid)}
    if step.kind == "delete there":
        return _settled(world._replace(repo=rest))
    change: dict[str, Value] = (
        {"title": f"{THEIRS} {world.meddled}"} if step.kind == "title there" else {FOREIGN: 1}
    )
    changed = world._replace(repo=rest | {(rkey, _kept(VALUES[cid] | change))})
    if step.kind == "field there":
        return changed
    return changed._replace(
        meddled=world.meddled + 1,
        publishers=tuple(
            known._replace(guarded=known.guarded | ({rkey} & {seen for seen, _ in known.seen}))
            for known in world.publishers
        ),
    )


def is_theirs(cid: str) -> bool:
    """Tell whether the title of a record is another app's."""
    return str(VALUES[cid]["title"]).startswith(THEIRS)


def _settled(world: World) -> World:
    """Drop what is remembered of records that are gone, and of titles that are ours again."""
    there = {rkey for rkey, _ in world.repo}
    theirs = {rkey for rkey, cid in world.repo if is_theirs(cid)}
    publishers = tuple(known._replace(guarded=known.guarded & theirs) for known in world.publishers)
    made = frozenset(line for line in world.made if line[1] in there)
    return world._replace(publishers=publishers, made=made)


def _kept(value: dict[str, Value]) -> str:
    cid = data.record_cid(value)
    VALUES.setdefault(cid, value)
    return cid


@cache
def record_of(name: str, title: str, path: str) -> Record:
    """Return what a file wants the repo to hold."""
    value: dict[str, Value] = {
        "$type": DOCUMENT,
        "site": SITE,
        "path": path,
        "title": title,
        "publishedAt": "2026-02-05T10:00:00.000Z",
    }
    return Record(name, name, DOCUMENT, value, MARKDOWN_OWNED)


@cache
def first_names() -> dict[Rkey, str]:
    """Return the names of the files that record keys are derived from."""
    records = [record_of(name, "", "") for name in NAMES]
    return {derived_rkey(record, DID, n): record.path for record in records for n in SALTS}


class Ran(NamedTuple):
    """What a run did: its plan, what it was about to write, and the state it left."""

    actions: tuple[Action, ...]
    pending: tuple[Pending, ...]
    repo: frozenset[tuple[Rkey, str]]
    lock: frozenset[LockEntry]
    journal: tuple[LockEntry, ...]


def run(world: World, step: Step) -> World:
    """Return the world after a run of a publisher, whole or killed."""
    done = ran(world, step)
    return _remembered(world, step, done) if done else world


def ran(world: World, step: Step) -> Ran | None:
    """Return what a run does; None where it has not so many writes as to be killed there."""
    known, prune = world.publishers[step.at], "prune" in step.kind
    done = _ran(world.files, world.repo, known.lock, known.journal, (prune, step.cut))
    return None if step.cut and len(done.pending) < max(step.cut) else done


@lru_cache(maxsize=200_000)
def _ran(
    files: tuple[Doc, ...],
    repo: frozenset[tuple[Rkey, str]],
    lock: frozenset[LockEntry],
    journal: tuple[LockEntry, ...],
    how: tuple[bool, Cut | None],
) -> Ran:
    prune, cut = how
    actions, pending = planned(files, repo, lock, journal, prune=prune)
    down, arrived = cut or (len(pending), len(pending))
    outcome, there = Outcome(), dict(repo)
    for action in pending[:down]:
        entry = _line(action)
        journal += tuple(intents([action], [entry] if entry else []))
    for action in pending[:arrived]:
        _arrive(action, there)
        outcome.succeed(action, _line(action))
    if cut is None:
        entries = {entry.key: entry for entry in lock}
        memory = Memory(Lock(DID, entries), entries, journal)
        after, settles = lines_after(memory, actions, outcome)
        settled = Settled.by(settles)
        lock = frozenset(after.values())
        journal = tuple(intent for intent in journal if not settled.covers(intent))
    journal = tuple(dict.fromkeys(journal))
    return Ran(tuple(actions), tuple(pending), frozenset(there.items()), lock, journal)


@lru_cache(maxsize=200_000)
def planned(
    files: tuple[Doc, ...],
    repo: frozenset[tuple[Rkey, str]],
    lock: frozenset[LockEntry],
    journal: tuple[LockEntry, ...],
    *,
    prune: bool,
) -> tuple[list[Action], list[Pending]]:
    """Return the plan, and what of it is to be written."""
    records = [record_of(*doc[1:]) for doc in files]
    there = {rkey: RemoteRecord(DOCUMENT, rkey, cid, VALUES[cid]) for rkey, cid in sorted(repo)}
    entries = {entry.key: entry for entry in sorted(lock, key=lambda entry: entry.key)}
    state = State(entries, journal, present=frozenset(doc.name for doc in files))
    actions = plan(DID, records, {DOCUMENT: there}, state)
    actions = resolve(actions, Wishes(prune=prune), sites={SITE})
    return actions, [a for a in actions if isinstance(a, (Create, Update, Delete))]


def forget() -> None:
    """Plan everything anew: the planner is another one now."""
    planned.cache_clear()
    _ran.cache_clear()


def _line(action: Pending) -> LockEntry | None:
    if isinstance(action, Delete):
        return None
    return entry_of(action.record, action.rkey, action.value, action.cid)


def _arrive(action: Pending, there: dict[Rkey, str]) -> None:
    """Write as a repo does: by the CID that is named."""
    rkey = action.entry.rkey if isinstance(action, Delete) else action.rkey
    named = None if isinstance(action, Create) else action.theirs.cid
    if there.get(rkey) != named:
        raise Broken(f"{type(action).__name__} of {rkey} names {named}")
    if isinstance(action, Delete):
        del there[rkey]
    else:
        there[rkey] = _kept(dict(action.value))


def _remembered(world: World, step: Step, done: Ran) -> World:
    """Return the world after a run, with what its publisher must know from now on."""
    before, cut = world.publishers[step.at], step.cut
    pairs = claims(done.actions)
    down = {_rkey(action) for action in done.pending[: cut[0]]} if cut else pairs.keys()
    seen = {(rkey, pairs[rkey]) for rkey in down if rkey in pairs}
    seen |= {
        (a.rkey, a.record.path) for a in done.actions if isinstance(a, RemoteChanged) and not cut
    }
    taken = {rkey for rkey, _ in seen}
    older = {line for line in before.seen if line[0] not in taken}
    there = dict(done.repo)
    if cut is None:
        older = {line for line in older if line[0] in there}
    known = Publisher(done.lock, done.journal, frozenset(seen | older), before.guarded)
    idents = {doc.name: doc.ident for doc in world.files}
    made = {ident: rkey for ident, rkey in world.made if rkey not in pairs}
    made |= {idents[name]: rkey for rkey, name in pairs.items() if rkey in there}
    after = _with_publisher(world, step.at, known)._replace(
        repo=done.repo, made=frozenset(made.items())
    )
    return _settled(after)


def claims(actions: Sequence[Action]) -> dict[Rkey, str]:
    """Return the records that are as their documents want them, or will be, with their names."""
    return {
        action.rkey: action.record.path
        for action in actions
        if isinstance(action, (Create, Update, Unchanged))
    }


def _rkey(action: Pending) -> Rkey:
    return action.entry.rkey if isinstance(action, Delete) else action.rkey
