"""What earlier runs left, and what this one leaves: lock, journal, backups."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from publisher import lock
from publisher.apply import Outcome, threads, uri_of
from publisher.backups import Backups, Kept
from publisher.commands.checked import Checked
from publisher.config import Config
from publisher.data import blob_refs
from publisher.errors import GuardStopped, RepoRefused
from publisher.lock import Journal, Lock
from publisher.plan import (
    Action,
    Conflict,
    Delete,
    Forget,
    Keep,
    LockEntry,
    Orphan,
    Pending,
    Place,
    RemoteChanged,
    State,
    Unchanged,
    Update,
    entry_for,
    entry_of,
    without_its_name,
)
from publisher.record import Record
from publisher.repo import Repo, Snapshot
from publisher.spool import whole
from publisher.syntax import Did

_DOWNLOADS = 16


@dataclass(frozen=True, slots=True)
class Memory:
    """The lock as it was read, its lines where they are this account's, and what was sent since."""

    before: Lock = field(default_factory=Lock)
    entries: Mapping[str, LockEntry] = field(default_factory=dict)
    intents: Sequence[LockEntry] = ()


def recall(config: Config, repo: Repo, *, allow_account: bool) -> Memory:
    """Take over what earlier runs left. Raises GuardStopped when it is another account's."""
    if config.settings.state == "none":
        return Memory()
    before = lock.load(config.root)
    if before.did in {None, repo.did}:
        return Memory(before, before.entries, lock.read_journal(config.root, repo.did))
    if allow_account:
        return Memory(before)
    raise another_account(before, f"{repo.name} is {repo.did}")


def another_account(before: Lock, repo: str) -> GuardStopped:
    """Return what stops a run whose lock is not its repo's."""
    return GuardStopped(
        f"publisher.lock belongs to {before.did}, but {repo}",
        remedy="correct `repo`; or, to start anew for this account, publish with --allow account",
    )


def state_of(checked: Sequence[Checked], memory: Memory, snapshot: Snapshot) -> State:
    """Return what earlier runs left, beside the files and unreadable records of now."""
    held = frozenset(file.key for file in checked if file.status == "invalid")
    present = frozenset(file.key for file in checked)
    return State(memory.entries, memory.intents, held, present, snapshot.unreadable)


def remember(
    config: Config,
    memory: Memory,
    actions: Iterable[Action],
    outcome: Outcome,
    journal: Journal,
    *,
    migrated: Did | None = None,
) -> None:
    """Write the lock when it changed, and take what it has now out of the journal.

    What was sent and not answered, or is in conflict, stays there. `migrated` is the repo that this
    run took the documents to be of. Raises StateError.
    """
    entries, settled = lines_after(memory, actions, outcome)
    before = memory.before
    migrated = migrated or (before.migrated if before.did == journal.did else None)
    is_other = (before.did, before.migrated) != (journal.did, migrated)
    if entries != before.entries or (entries and is_other):
        lock.save(config.root, Lock(journal.did, entries, migrated))
    journal.settle(settled)


def lines_after(
    memory: Memory, actions: Iterable[Action], outcome: Outcome
) -> tuple[dict[str, LockEntry], list[LockEntry]]:
    """Return the lock's lines after a run, and those that settle what the journal has. Pure."""
    known, gone = dict(outcome.entries), dict[str, LockEntry]()
    moved = dict[Place, Record]()
    locked = {(entry.collection, entry.rkey) for entry in memory.entries.values()}
    for action in actions:
        match action:
            case Unchanged(record):
                known.setdefault(record.key, entry_for(action, memory.entries.get(record.key)))
            case Keep(record, entry=entry):
                known[record.key] = entry
            case Orphan(entry):
                known[entry.key] = entry
            case Forget(entry):
                gone[entry.key] = entry
            case RemoteChanged(record, rkey) if (record.collection, rkey) not in locked:
                known.setdefault(record.key, entry_of(record, rkey, record.value))
            case RemoteChanged(record, rkey) | Conflict(record, rkey) if rkey:
                moved[record.collection, rkey] = record
            case _:
                pass
    gone |= {k: done.entry for k, done in outcome.written.items() if isinstance(done, Delete)}
    places = {(entry.collection, entry.rkey) for entry in known.values()}
    left = {
        key: entry
        for key, entry in memory.entries.items()
        if key not in gone and (entry.collection, entry.rkey) not in places
    }
    named = (_under_its_name(entry, moved, left) for entry in left.values())
    kept = (without_its_name(entry) if entry.key in known else entry for entry in named)
    return {entry.key: entry for entry in kept} | known, [*known.values(), *gone.values()]


def _under_its_name(
    entry: LockEntry, moved: Mapping[Place, Record], taken: Container[str]
) -> LockEntry:
    """Return the line of a document that was renamed while its record is in question.

    It keeps its old name where that document has another line: none is lost.
    """
    record = moved.get((entry.collection, entry.rkey))
    if record is None or record.key in taken:
        return entry
    return replace(entry, key=record.key, path=record.path)


@dataclass(frozen=True, slots=True)
class WriteAhead:
    """Puts on the disk what is about to be replaced, deleted and sent."""

    repo: Repo
    backups: Backups
    journal: Journal

    def __call__(self, actions: Sequence[Pending], entries: Sequence[LockEntry]) -> None:
        """Keep what these actions replace, then what they write. Raises StateError, Repo…."""
        replaced = [action for action in actions if isinstance(action, (Update, Delete))]
        if replaced:
            self._keep_blobs(replaced)
            self.backups.keep(self._kept(action) for action in replaced)
        if entries:
            self.journal.write(intents(actions, entries))

    def _kept(self, action: Update | Delete) -> Kept:
        uri, cid, value = uri_of(action, self.repo.did), action.theirs.cid, action.theirs.value
        if isinstance(action, Delete):
            return Kept(uri, cid, whole(value), "delete", action.entry.path)
        return Kept(uri, cid, whole(value), "update", action.record.path)

    def _keep_blobs(self, actions: Sequence[Update | Delete]) -> None:
        """Keep the blobs that may lose their last reference: the server deletes them then."""
        released = {cid for action in actions for cid in _released(action)}
        missing = sorted(cid for cid in released if not self.backups.has_blob(cid))
        if not missing:
            return
        with threads(_DOWNLOADS) as pool:
            deque(pool.map(self._keep_blob, missing), maxlen=0)

    def _keep_blob(self, cid: str) -> None:
        with suppress(RepoRefused):  # it is gone or damaged there: nothing is lost that there was
            self.backups.keep_blob(cid, self.repo.fetch_blob)


def intents(actions: Iterable[Pending], entries: Iterable[LockEntry]) -> list[LockEntry]:
    """Return what is written down before these actions are sent. Pure."""
    return [*(_before(action) for action in actions if isinstance(action, Update)), *entries]


def _before(action: Update) -> LockEntry:
    """Return the line for what an update replaces: if it never arrives, that is still there.

    Without the lock nothing else would tell it from another app's change.
    """
    theirs = action.theirs
    return entry_of(action.record, action.rkey, theirs.value, theirs.cid)


def _released(action: Update | Delete) -> Iterator[str]:
    after = set() if isinstance(action, Delete) else {b.cid for b in blob_refs(whole(action.value))}
    return (str(b.cid) for b in blob_refs(whole(action.theirs.value)) if b.cid not in after)
