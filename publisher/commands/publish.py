"""`publisher publish`: the repo is made to equal the folder. `status` and `diff` plan, and stop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

from publisher import lock
from publisher.apply import lost_blob
from publisher.commands.checked import Checked
from publisher.commands.collect import collect, load_catalog, sources
from publisher.commands.items import Reporter, invalid, ordered
from publisher.commands.judge import Judge
from publisher.commands.judgements import Judgements
from publisher.commands.memory import another_account, recall, remember
from publisher.commands.migrating import migration, remembered, repos
from publisher.commands.reports import Item, PublishReport
from publisher.commands.repos import Prompt, Target, configured, open_to_write
from publisher.commands.rounds import Confirm, Gone, Options, Run, rounds
from publisher.config import Config
from publisher.documents import Context, Source
from publisher.errors import CredentialError, PublisherError, SourceError
from publisher.lock import Journal, Lock
from publisher.migration import Moving
from publisher.plan import Guard, LockEntry, in_words, seconds_at_limits, unmigrated
from publisher.progress import Progress
from publisher.pulling.manifest import origin
from publisher.repo import Repo
from publisher.syntax import Did


def publish(
    config: Config,
    options: Options,
    prompt: Prompt,
    progress: Progress,
    confirm: Confirm = lambda _: None,
) -> PublishReport:
    """Publish the config's documents, or say what would be done (`dry_run`).

    `confirm` is asked where a guard would stop. Raises PublisherError for what stops it before the
    plan; later errors are in the report.
    """
    target = configured(config)
    checked, selected, known, moving = _documents(config, options, target, progress)
    pulled = None if moving else origin(config.documents)
    if options.dry_run and target.folder is not None and not target.folder.exists():
        report = _first_publish(target.name, checked, selected)
        return replace(report, guards=_first_guards(config, options, report, pulled))
    state = config.root / lock.FOLDER_NAME if config.settings.state == "lock" else None
    repo = open_to_write(
        target, prompt, max_wait=options.max_wait, create=not options.dry_run, state=state
    )
    try:
        with _hold(config, options, repo) as journal:
            memory = recall(config, repo, allow_account="account" in options.allow)
            run = Run(config, options, checked, repo, memory, selected, journal, pulled)
            report = _execute(run, moving, confirm, progress)
            if journal:
                known.keep()
            return report
    finally:
        repo.close()


def _documents(
    config: Config, options: Options, target: Target, progress: Progress
) -> tuple[list[Checked], frozenset[str], Judgements, Moving | None]:
    """Return all documents, the paths of those that the run is for, and by what they were judged.

    The lock is read here as it is now; what counts is how it is while the run holds it.
    """
    before = lock.load(config.root) if config.settings.state == "lock" else Lock()
    entries = before.entries
    found = _found(config, entries)
    judge, moving = _judge(config, options, target, before, found)
    known = Judgements(judge, config.root / lock.FOLDER_NAME, entries.values())
    checked = collect(judge, found, progress, known)
    return checked, _selected(config, checked, entries, options.paths), known, moving


def compare(
    config: Config, paths: tuple[Path, ...], progress: Progress, *, migrate_from: str | None = None
) -> PublishReport:
    """Return the documents whose records differ, each with its differences; nothing is written."""
    options = Options(paths, dry_run=True, differences=True, migrate_from=migrate_from)
    report = publish(config, options, lambda _: None, progress)
    items = tuple(item for item in report.items if item.differences)
    return replace(report, items=items, cost=None, guards=())


def _found(config: Config, entries: Mapping[str, LockEntry]) -> list[tuple[Source, Context]]:
    """Return all documents; that there are none is a guard's business where there were some."""
    try:
        return sources(config, [])
    except SourceError:
        if not entries or not config.documents.is_dir():
            raise
        return []


def _judge(
    config: Config,
    options: Options,
    target: Target,
    before: Lock,
    found: Sequence[tuple[Source, Context]],
) -> tuple[Judge, Moving | None]:
    """Return by what the documents are judged: for a migration, the repo's DID is found out now.

    One that was made before goes on.
    """
    catalog = load_catalog(config)
    if options.migrate_from is not None:
        dids = repos(config, target, options.migrate_from, create=not options.dry_run)
    elif "account" in options.allow:  # then the lock may be that of another repo
        dids = None
    else:
        dids = remembered(config, before)
    if dids is None:
        return Judge(config, catalog), None
    moves, moving = migration(config, dids, found)
    return Judge(config, catalog, migration=moves), moving


def _selected(
    config: Config,
    checked: Sequence[Checked],
    entries: Mapping[str, LockEntry],
    paths: Sequence[Path],
) -> frozenset[str]:
    """Return the paths of the documents that `paths` name, those that are gone too.

    Without any, all that are there.
    """
    if not paths:
        return frozenset(file.key for file in checked)
    named = {path.resolve(): path for path in paths}
    found: dict[Path, set[str]] = {resolved: set() for resolved in named}
    gone = ((config.documents / entry.path, entry.path) for entry in entries.values())
    for file, key in (*((file.path, file.key) for file in checked), *gone):
        resolved = file.resolve()
        for place in (resolved, *resolved.parents):
            if place in found:
                found[place].add(key)
    for resolved, keys in found.items():
        if not keys:
            raise SourceError(
                f"{named[resolved]}: no document of {config.documents} is here",
                remedy="name a file or folder below `documents` in publisher.toml",
            )
    return frozenset().union(*found.values())


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


def _first_guards(
    config: Config, options: Options, report: PublishReport, pulled: Did | None
) -> tuple[Guard, ...]:
    """Return the guards of a new repo, whose DID will be no other's. Raises GuardStopped."""
    before = lock.load(config.root) if config.settings.state == "lock" else Lock()
    if before.did and "account" not in options.allow:
        raise another_account(before, f"{report.repo} isn't there yet")
    writes = sum(item.action != "invalid" for item in report.items)
    if not pulled or not writes or "origin" in options.allow:
        return ()
    return (unmigrated(pulled, writes),)


def _first_item(name: str, file: Checked) -> Item:
    if file.record is None:
        return invalid(file)
    lost = next((blob for blob in file.record.blobs if blob.path is None), None)
    if lost:
        return Item(file.key, "failed", reason=lost_blob(lost, name), findings=file.findings)
    return Item(file.key, "create", None, file.record.cid, findings=file.findings)


def _hold(config: Config, options: Options, repo: Repo) -> AbstractContextManager[Journal | None]:
    if options.dry_run or config.settings.state == "none":
        return nullcontext()
    return lock.one_run(config.root, repo.did)


def _execute(
    run: Run, moving: Moving | None, confirm: Confirm, progress: Progress
) -> PublishReport:
    error: PublisherError | None = None
    try:
        rounds(run, confirm, progress)
    except PublisherError as stopped:
        if not run.actions or (isinstance(stopped, CredentialError) and not run.outcome.written):
            raise
        error = stopped
    finally:
        unsaved = _saved(run, moving)
    return replace(_report(run, error or unsaved), migration=moving)


def _saved(run: Run, moving: Moving | None) -> PublisherError | None:
    """Return what went wrong: the report of what was written must not be lost for it."""
    if run.journal is None:
        return None
    actions = [action for action in run.actions if run.concerns(action)]
    try:
        migrated = moving.old if moving else None
        remember(run.config, run.memory, actions, run.outcome, run.journal, migrated=migrated)
    except PublisherError as error:
        return error
    return None


def _report(run: Run, error: PublisherError | None) -> PublishReport:
    findings = {file.key: file.findings for file in run.checked if file.findings}
    reporter = Reporter(
        run.repo.did,
        run.outcome,
        run.options.dry_run,
        frozenset(file.key for file in run.checked if file.status == "draft"),
        with_differences=run.options.differences,
    )
    items = [invalid(f) for f in run.checked if f.status == "invalid" and f.key in run.selected]
    for action in run.actions:
        if run.concerns(action):
            path = "" if isinstance(action, Gone) else action.record.path
            item = reporter.item(action, findings.get(path, ()))
            items += [item] if item else []
    counted = run.cost if run.repo.metered else None
    return PublishReport(
        run.repo.name,
        run.repo.did,
        run.options.dry_run,
        ordered(items),
        len(run.outcome.uploaded),
        run.outcome.commits,
        run.cost,
        in_words(seconds_at_limits(counted)) if counted else None,
        guards=tuple(run.guards) if run.options.dry_run else (),
        error=error,
    )
