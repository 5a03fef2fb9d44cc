"""Read, plan, apply: again and again, until nothing is left to be written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from publisher.apply import Applier, Blobs, Keep, Outcome, key_of
from publisher.backups import Backups
from publisher.commands.checked import Checked
from publisher.commands.memory import Memory, WriteAhead, state_of
from publisher.config import Config
from publisher.documents import DOCUMENT
from publisher.errors import (
    GuardStopped,
    Interrupted,
    OutcomeUnknown,
    PublisherError,
    RepoUnavailable,
    SwapRefused,
)
from publisher.lock import Journal
from publisher.plan import (
    Action,
    Cost,
    Create,
    Delete,
    Forget,
    Guard,
    Orphan,
    Pending,
    Update,
    Wishes,
    cost,
    guards,
    plan,
    resolve,
)
from publisher.progress import Progress
from publisher.quality import PUBLICATION
from publisher.repo import Repo, Snapshot
from publisher.syntax import Did, Nsid

OVERTAKEN = 2
"""After so many refusals in a row, writes go one by one, by their own swaps."""

ALONE = 200
"""So many of them, before batches are tried again."""

PATIENCE = 8
"""How often in a row the repo is read and planned anew without a record written."""

SILENCE = 2
"""How often in a row an answer may fail to come."""

Confirm = Callable[[str], bool | None]
"""Asks a person; None where there is nobody to ask."""

Gone = Orphan | Delete | Forget
"""Actions on lines of the lock whose document is gone."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks for; `paths` limits the run to these documents.

    `allow` are guards that don't stop. `differences`: a dry run shows what would change.
    `migrate_from` is the DID of the repo that the documents were pulled from.
    """

    paths: tuple[Path, ...] = ()
    dry_run: bool = False
    differences: bool = False
    adopt: bool = False
    prune: bool = False
    recreate: bool = False
    force: bool = False
    keep_remote: bool = False
    read_back: bool = False
    allow: frozenset[str] = frozenset()
    max_wait: float = 60.0
    migrate_from: str | None = None


@dataclass(slots=True)
class Run:
    """One run: its documents, its state, and what has come of it so far.

    `origin` is the repo that the documents were pulled from, where they aren't migrated; `guards`
    are those that its plan meets.
    """

    config: Config
    options: Options
    checked: Sequence[Checked]
    repo: Repo
    memory: Memory
    selected: frozenset[str]
    journal: Journal | None
    origin: Did | None = None
    actions: list[Action] = field(default_factory=list)
    outcome: Outcome = field(default_factory=Outcome)
    cost: Cost | None = None
    guards: Sequence[Guard] = ()

    @property
    def wishes(self) -> Wishes:
        """What the command line decides of what the table leaves open."""
        options, none = self.options, frozenset[str]()
        return Wishes(
            force=self.selected if options.force else none,
            keep=self.selected if options.keep_remote else none,
            adopt=options.adopt or self.config.settings.adopt,
            recreate=options.recreate,
            prune=options.prune,
        )

    def concerns(self, action: Action) -> bool:
        """Tell whether the action is about a document that this run is for."""
        if isinstance(action, Gone):
            return action.entry.path in self.selected or not self.options.paths
        return action.record.path in self.selected

    def pending(self) -> list[Pending]:
        """Return what is to be written, but for what couldn't be; publications come first."""
        left = [
            action
            for action in self.actions
            if isinstance(action, (Create, Update, Delete))
            if self.concerns(action) and key_of(action) not in self.outcome.failures
        ]
        return sorted(left, key=_is_no_publication)


def _is_no_publication(action: Pending) -> bool:
    """Documents refer to their publication, so it is there before them."""
    return isinstance(action, Delete) or action.record.collection != PUBLICATION


def rounds(run: Run, confirm: Confirm, progress: Progress) -> None:
    """Carry the run out; a dry run is only planned. Raises what stops it."""
    ahead = _write_ahead(run)
    blobs: Blobs | None = None
    idle = 0
    while True:
        snapshot = _read(run, progress)
        pending = run.pending()
        if blobs is None:
            blobs = Blobs(run.repo, run.outcome, empty=not any(snapshot.records.values()))
            run.cost = cost(pending, blobs)
            run.guards = _guards(run, snapshot)
            if run.options.dry_run:
                blobs.without_lost(pending)
                return
            _stop_at(run.guards, confirm)
        if not pending:
            break
        run.repo.authenticate()
        applier = Applier(run.repo, snapshot.commit, blobs, ahead, run.outcome)
        written = len(run.outcome.written)
        alone = idle >= OVERTAKEN
        stopped = _apply(applier, pending[:ALONE] if alone else pending, progress, alone=alone)
        idle = 0 if len(run.outcome.written) > written else idle + 1
        if stopped and idle > _patience(stopped):
            raise _tired(run.repo.name, stopped)
        if not stopped and not (alone and len(pending) > ALONE):
            break
    if run.options.read_back:
        _read_back(run, progress)


def _apply(
    applier: Applier, pending: Sequence[Pending], progress: Progress, *, alone: bool
) -> SwapRefused | OutcomeUnknown | None:
    """Write what is pending; return why the rest must be read and planned anew."""
    stopped: SwapRefused | OutcomeUnknown | None = None
    progress.stage("publishing", len(pending))
    with progress.finishing() as stop:
        try:
            applier.apply(pending, progress, stop, alone=alone)
        except (SwapRefused, OutcomeUnknown) as error:
            stopped = error
        if stop():
            raise Interrupted(
                "interrupted between two requests; what was written stands",
                remedy="run again to go on",
            )
    return stopped


def _patience(stopped: SwapRefused | OutcomeUnknown) -> int:
    return PATIENCE if isinstance(stopped, SwapRefused) else SILENCE


def _tired(name: str, stopped: SwapRefused | OutcomeUnknown) -> PublisherError:
    if isinstance(stopped, OutcomeUnknown):
        return stopped
    return RepoUnavailable(
        f"{name} is being written to by others all the time",
        remedy="run again; what was written stays",
    )


def _read(run: Run, progress: Progress) -> Snapshot:
    """Read the repo and plan."""
    progress.stage("reading the repo", 1)
    snapshot = run.repo.read(_collections(run))
    progress.advance()
    actions = plan(
        run.repo.did,
        [file.record for file in run.checked if file.record],
        snapshot.records,
        state_of(run.checked, run.memory, snapshot),
        formerly=run.config.settings.formerly,
    )
    run.outcome.settle(actions)
    settings = run.config.settings
    run.actions = resolve(
        actions,
        run.wishes,
        sites={settings.site, *settings.formerly},
        prunes=all(file.status != "invalid" for file in run.checked),
    )
    return snapshot


def _collections(run: Run) -> list[Nsid]:
    wanted = {file.record.collection for file in run.checked if file.record}
    wanted |= {entry.collection for entry in run.memory.entries.values()}
    wanted |= {intent.collection for intent in run.memory.intents}
    return sorted(wanted or {DOCUMENT})


def _write_ahead(run: Run) -> Keep:
    if run.journal is None:
        return lambda _actions, _entries: None
    backups = Backups(run.config.root, datetime.now(UTC))
    return WriteAhead(run.repo, backups, run.journal)


def _guards(run: Run, snapshot: Snapshot) -> list[Guard]:
    """Return the guards that stop this run."""
    theirs = (getattr(action, "theirs", None) for action in run.actions)
    claimed = {(record.collection, record.rkey) for record in theirs if record}
    found = guards(
        [action for action in run.actions if run.concerns(action)],
        documents=sum(file.status != "skipped" for file in run.checked),
        locked=len(run.memory.entries),
        unclaimed=sum(len(records) for records in snapshot.records.values()) - len(claimed),
        origin=run.origin if run.origin != run.repo.did else None,
    )
    return [guard for guard in found if guard.name not in run.options.allow]


def _stop_at(guards: Sequence[Guard], confirm: Confirm) -> None:
    """Ask a person about each. Raises GuardStopped."""
    for guard in guards:
        if not confirm(f"{guard.message}. Go on?"):
            raise GuardStopped(guard.message, remedy=f"look at it with --dry-run; {guard.remedy}")


def _read_back(run: Run, progress: Progress) -> None:
    """Read everything again, and compare it with what was written."""
    progress.stage("reading back", 1)
    records = run.repo.read(_collections(run), afresh=True).records
    progress.advance()
    for key, action in run.outcome.written.items():
        entry = action.entry if isinstance(action, Delete) else run.outcome.entries.get(key)
        if entry is None:
            continue
        there = records[entry.collection].get(entry.rkey)
        found, wanted = there.cid if there else None, _wanted(action)
        if found != wanted:
            run.outcome.failures[key] = (
                f"read back, its record is {found or 'not there'}, not {wanted or 'gone'}"
            )


def _wanted(action: Pending) -> str | None:
    return None if isinstance(action, Delete) else action.cid
