"""`publisher publish`: the repo is made to equal the folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from publisher import data, lock
from publisher.commands.apply import Applier, Outcome, Pending, lost_blob
from publisher.commands.collect import collect, load_catalog, sources
from publisher.commands.judge import Checked, Judge
from publisher.commands.repos import Prompt, configured, open_to_write
from publisher.config import Config
from publisher.documents import DOCUMENT
from publisher.errors import (
    CredentialError,
    GuardStopped,
    PublisherError,
    RepoUnavailable,
    SourceError,
    SwapRefused,
)
from publisher.findings import Finding
from publisher.lock import Journal, Lock
from publisher.plan import (
    Action,
    Adopt,
    Conflict,
    Create,
    Forget,
    LockEntry,
    Orphan,
    State,
    Unchanged,
    Update,
    entry_of,
    plan,
)
from publisher.progress import Progress
from publisher.record import Record
from publisher.repo import Repo, Snapshot
from publisher.syntax import Nsid

ROUNDS = 5
"""How often a repo that others write to at the same time is read and planned anew."""

ActionName = Literal[
    "create",
    "update",
    "adopt",
    "unchanged",
    "orphan",
    "conflict",
    "failed",
    "invalid",
    "pending",
]
"""`adopt` is one that waits for --adopt, `pending` one that an error came before."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks for; `paths` limits the run to these documents."""

    paths: tuple[Path, ...] = ()
    dry_run: bool = False
    adopt: bool = False
    allow_account: bool = False
    max_wait: float = 60.0


@dataclass(frozen=True, slots=True)
class Item:
    """What happens, or happened, to one document or record."""

    path: str
    action: ActionName
    uri: str | None = None
    cid: str | None = None
    changed: tuple[str, ...] = ()
    reason: str = ""
    remedy: str = ""
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class PublishReport:
    """One item a document, in their order; `error` is what ended the run early."""

    repo: str
    did: str
    dry_run: bool
    items: tuple[Item, ...]
    uploaded: int = 0
    commits: int = 0
    error: PublisherError | None = None

    @property
    def counts(self) -> dict[str, int]:
        """How many items have each action."""
        return dict(Counter(item.action for item in self.items))

    @property
    def exit_status(self) -> int:
        """1 when something needs a person; an error's own status before that."""
        if self.error:
            return self.error.exit_status
        needy = {"conflict", "adopt", "failed", "invalid"}
        return 1 if any(item.action in needy for item in self.items) else 0


@dataclass(slots=True)
class _Run:
    """One run: its documents, its state, and what has come of it so far."""

    config: Config
    options: Options
    checked: Sequence[Checked]
    repo: Repo
    selected: frozenset[str]
    entries: dict[str, LockEntry] = field(default_factory=dict)
    intents: Sequence[LockEntry] = ()
    actions: list[Action] = field(default_factory=list)
    outcome: Outcome = field(default_factory=Outcome)

    @property
    def adopts(self) -> bool:
        """Whether records that only look like ours are taken over."""
        return self.options.adopt or self.config.settings.adopt


def publish(config: Config, options: Options, prompt: Prompt, progress: Progress) -> PublishReport:
    """Publish the config's documents, or say what would be done (`dry_run`).

    Raises PublisherError for what stops it before the plan; later errors are in the report.
    """
    target = configured(config)
    checked = collect(Judge(config, load_catalog(config)), sources(config, []), progress)
    selected = _selected(config, checked, options.paths)
    if options.dry_run and target.folder is not None and not target.folder.exists():
        return _first_publish(target.name, checked, selected)
    repo = open_to_write(target, prompt, max_wait=options.max_wait, create=not options.dry_run)
    try:
        with _hold(config, options, repo) as journal:
            run = _Run(config, options, checked, repo, selected)
            return _execute(run, journal, progress)
    finally:
        repo.close()


def _first_publish(
    name: str, checked: Sequence[Checked], selected: frozenset[str]
) -> PublishReport:
    """A folder repo that isn't there yet: everything would be created, nothing is read."""
    items = [
        _first_item(name, file)
        for file in checked
        if file.key in selected and (file.record or file.status == "invalid")
    ]
    return PublishReport(name, "", dry_run=True, items=tuple(items))


def _first_item(name: str, file: Checked) -> Item:
    if file.record is None:
        return _invalid(file)
    lost = next((blob for blob in file.record.blobs if blob.path is None), None)
    if lost:
        return Item(file.key, "failed", reason=lost_blob(lost, name), findings=file.findings)
    return Item(file.key, "create", None, file.record.cid, findings=file.findings)


def _hold(config: Config, options: Options, repo: Repo) -> AbstractContextManager[Journal | None]:
    if options.dry_run or config.settings.state == "none":
        return nullcontext()
    return lock.one_run(config.root, repo.did)


def _selected(config: Config, checked: Sequence[Checked], paths: Sequence[Path]) -> frozenset[str]:
    """Return the keys of the documents named by `paths`; without any, all of them."""
    if not paths:
        return frozenset(file.key for file in checked)
    named = {path.resolve(): path for path in paths}
    found: dict[Path, set[str]] = {resolved: set() for resolved in named}
    for file in checked:
        resolved = file.path.resolve()
        for place in (resolved, *resolved.parents):
            if place in found:
                found[place].add(file.key)
    for resolved, keys in found.items():
        if not keys:
            raise SourceError(
                f"{named[resolved]}: no document of {config.documents} is here",
                remedy="name a file or folder below `documents` in publisher.toml",
            )
    return frozenset().union(*found.values())


def _execute(run: _Run, journal: Journal | None, progress: Progress) -> PublishReport:
    before = _recall(run)
    error: PublisherError | None = None
    try:
        _rounds(run, journal, progress)
    except PublisherError as stopped:
        if not run.actions or (isinstance(stopped, CredentialError) and not run.outcome.written):
            raise
        error = stopped
    finally:
        unsaved = _save(run, before, journal) if journal else None
    return _report(run, error or unsaved)


def _recall(run: _Run) -> Lock:
    """Take over what earlier runs left. Raises GuardStopped when it is another account's."""
    if run.config.settings.state == "none":
        return Lock()
    before = lock.load(run.config.root)
    if before.did in {None, run.repo.did}:
        run.entries = dict(before.entries)
        run.intents = lock.read_journal(run.config.root, run.repo.did)
    elif not run.options.allow_account:
        raise GuardStopped(
            f"publisher.lock belongs to {before.did}, but {run.repo.name} is {run.repo.did}",
            remedy="correct `repo`; or start anew for this account with --allow account",
        )
    return before


def _rounds(run: _Run, journal: Journal | None, progress: Progress) -> None:
    for _ in range(ROUNDS):
        progress.stage("reading the repo", 1)
        snapshot = run.repo.read(_collections(run))
        progress.advance()
        run.actions = _plan(run, snapshot)
        pending = _pending(run)
        applier = Applier(run.repo, snapshot.commit, journal, run.outcome)
        if run.options.dry_run:
            applier.without_lost_blobs(pending)
            return
        if not pending:
            return
        run.repo.authenticate()
        progress.stage("publishing", len(pending))
        try:
            applier.apply(pending, progress)
        except SwapRefused:
            run.entries |= run.outcome.entries
            continue
        return
    raise RepoUnavailable(
        f"{run.repo.name} is being written to by others all the time",
        remedy="run again; what was written stays",
    )


def _collections(run: _Run) -> list[Nsid]:
    wanted = {file.record.collection for file in run.checked if file.record}
    wanted |= {entry.collection for entry in run.entries.values()}
    return sorted(wanted or {DOCUMENT})


def _plan(run: _Run, snapshot: Snapshot) -> list[Action]:
    return plan(
        run.repo.did,
        [file.record for file in run.checked if file.record],
        snapshot.records,
        state_of(run.checked, run.entries, run.intents),
        formerly=run.config.settings.formerly,
    )


def state_of(
    checked: Sequence[Checked], entries: Mapping[str, LockEntry], intents: Sequence[LockEntry] = ()
) -> State:
    """Return what earlier runs left, beside the files that are there now."""
    held = frozenset(file.key for file in checked if file.status == "invalid")
    return State(entries, intents, held, frozenset(file.key for file in checked))


def _pending(run: _Run) -> list[Pending]:
    return [
        action
        for action in run.actions
        if isinstance(action, (Create, Update)) or (run.adopts and isinstance(action, Adopt))
        if action.record.path in run.selected and action.record.key not in run.outcome.failures
    ]


def _save(run: _Run, before: Lock, journal: Journal) -> PublisherError | None:
    """Write the lock when it changed, and take what it has now out of the journal.

    What was sent and not answered, or is in conflict, stays there. Returns what went wrong: the
    report of what was written must not be lost for it.
    """
    try:
        _save_lock(run, before)
        journal.settle(run.outcome.entries.values())
    except PublisherError as error:
        return error
    return None


def _save_lock(run: _Run, before: Lock) -> None:
    entries = dict(run.entries)
    for action in run.actions:
        if isinstance(action, Unchanged) and action.record.path in run.selected:
            entry = entry_of(action.record, action.rkey, action.value)
            run.outcome.entries.setdefault(action.record.key, entry)
        elif isinstance(action, Forget) and not run.options.paths:
            entries.pop(action.entry.key, None)
    places = {(entry.collection, entry.rkey) for entry in run.outcome.entries.values()}
    entries = {
        key: entry for key, entry in entries.items() if (entry.collection, entry.rkey) not in places
    }
    entries |= run.outcome.entries
    if entries != before.entries or (entries and before.did != run.repo.did):
        lock.save(run.config.root, Lock(run.repo.did, entries))


def _report(run: _Run, error: PublisherError | None) -> PublishReport:
    by_key = {file.record.key: file for file in run.checked if file.record}
    items = [_invalid(f) for f in run.checked if f.status == "invalid" and f.key in run.selected]
    for action in run.actions:
        if isinstance(action, (Orphan, Forget)):
            if isinstance(action, Orphan) and not run.options.paths:
                items.append(_orphan(run, action.entry))
        elif action.record.path in run.selected:
            items.append(_item(run, action, by_key[action.record.key].findings))
    return PublishReport(
        run.repo.name,
        run.repo.did,
        run.options.dry_run,
        tuple(items),
        len(run.outcome.uploaded),
        run.outcome.commits,
        error,
    )


def _item(
    run: _Run,
    action: Create | Update | Adopt | Unchanged | Conflict,
    findings: tuple[Finding, ...],
) -> Item:
    key, path = action.record.key, action.record.path
    uri = f"at://{run.repo.did}/{action.record.collection}/{action.rkey}" if action.rkey else None
    if failure := run.outcome.failures.get(key):
        return Item(path, "failed", uri, reason=failure, findings=findings)
    action = run.outcome.written.get(key, action)
    if isinstance(action, Conflict):
        reason, remedy = action.reason, action.remedy
        return Item(path, "conflict", uri, None, action.changed, reason, remedy, findings)
    name, remedy = _name(run, action)
    changed = action.changed if isinstance(action, (Update, Adopt)) else ()
    findings += _kept_content(action) + _ignored_uri(run, action.record)
    return Item(path, name, uri, data.record_cid(action.value), changed, "", remedy, findings)


def _kept_content(action: Create | Update | Adopt | Unchanged) -> tuple[Finding, ...]:
    """Say that the record's `content` is another app's, where ours would be another."""
    ours, there = action.record.value.get("content"), action.value.get("content")
    if ours is None or ours == there or not isinstance(there, dict):
        return ()
    kind = str(there.get("$type"))
    message = f"the record's content is {kind}, which another app wrote: it stays"
    return (Finding("/content", "content-kept", message, "info"),)


def _ignored_uri(run: _Run, record: Record) -> tuple[Finding, ...]:
    uri = record.at_uri
    if uri is None or uri.authority == run.repo.did:
        return ()
    message = f"atUri names a record of {uri.authority}, not of {run.repo.did}: it is ignored"
    return (Finding("/atUri", "at-uri-elsewhere", message, "warning", "remove it, or correct it"),)


def _name(run: _Run, action: Create | Update | Adopt | Unchanged) -> tuple[ActionName, str]:
    """Return what is reported of an action, and what to do about it."""
    if isinstance(action, Unchanged):
        return "unchanged", ""
    if isinstance(action, Adopt) and not run.adopts:
        return "adopt", "if it is this document, publish again with --adopt"
    if not run.options.dry_run and action.record.key not in run.outcome.written:
        return "pending", "run again"
    return ("create", "") if isinstance(action, Create) else ("update", "")


def _orphan(run: _Run, entry: LockEntry) -> Item:
    uri = f"at://{run.repo.did}/{entry.collection}/{entry.rkey}"
    return Item(entry.key, "orphan", uri, entry.cid, reason=_why(run, entry))


def _why(run: _Run, entry: LockEntry) -> str:
    draft = any(file.key == entry.path and file.status == "draft" for file in run.checked)
    return "its document is a draft now; it stays" if draft else "its document is gone; it stays"


def _invalid(file: Checked) -> Item:
    return Item(file.key, "invalid", findings=file.findings)
