"""`publisher pull --check`: does the repo hold what would be published? Nothing is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, assert_never

from publisher import lock
from publisher.commands.checked import Checked
from publisher.commands.collect import collect, load_catalog, sources
from publisher.commands.judge import Judge
from publisher.commands.memory import Memory, state_of
from publisher.commands.migrating import migration, remembered
from publisher.commands.repos import configured, open_to_read
from publisher.config import Config
from publisher.data import blob_refs
from publisher.documents import DOCUMENT
from publisher.findings import Finding
from publisher.plan import (
    Action,
    Adopt,
    Conflict,
    Create,
    Delete,
    Difference,
    Forget,
    Keep,
    Orphan,
    RemoteChanged,
    RemoteDeleted,
    Unchanged,
    Update,
    differences,
    plan,
)
from publisher.progress import Progress
from publisher.pulling.proof import read, snapshot
from publisher.pulling.state import Proof
from publisher.record import Record
from publisher.repo import RemoteRecord, Repo
from publisher.spool import whole

Verdict = Literal["equal", "differs", "missing", "extra", "invalid", "blob-missing"]


@dataclass(frozen=True, slots=True)
class Compared:
    """A document beside its record: `fields` are those that differ.

    `differences` lead from the record to the document.
    """

    path: str
    status: Verdict
    uri: str | None = None
    fields: tuple[str, ...] = ()
    reason: str = ""
    differences: tuple[Difference, ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckReport:
    """Every document and every record of ours without one."""

    repo: str
    did: str
    rev: str
    items: tuple[Compared, ...]
    proof: Proof = "proven"

    @property
    def exit_status(self) -> int:
        """1 for any difference."""
        return 1 if any(item.status != "equal" for item in self.items) else 0


def check(config: Config, progress: Progress) -> CheckReport:
    """Compare the repo with the config's documents, field by field and blob by blob."""
    known = lock.load(config.root) if config.settings.state == "lock" else lock.Lock()
    found = sources(config, [])
    catalog = load_catalog(config)
    repo = open_to_read(configured(config))
    try:
        dids = remembered(config, known) if known.did == repo.did else None
        moves = migration(config, dids, found)[0] if dids else None
        checked = collect(Judge(config, catalog, migration=moves), found, progress)
        return _compare(config, checked, known, repo, progress)
    finally:
        repo.close()


def _compare(
    config: Config, checked: Sequence[Checked], known: lock.Lock, repo: Repo, progress: Progress
) -> CheckReport:
    records = [file.record for file in checked if file.record]
    entries = known.entries if known.did == repo.did else {}
    collections = sorted({record.collection for record in records} | {DOCUMENT})
    progress.stage("reading the repo", 1)
    with read(repo, collections, None, must_prove=False) as found:
        there = snapshot(found, collections)
        blobs = repo.blobs() if any(record.blobs for record in records) else set()
        progress.advance()
        actions = plan(
            repo.did,
            records,
            there.records,
            state_of(checked, Memory(known, entries), there),
            formerly=config.settings.formerly,
        )
        items = [_invalid(file) for file in checked if file.status == "invalid"]
        items += [
            _item(action, repo.did, blobs) for action in actions if not isinstance(action, Forget)
        ]
    return CheckReport(repo.name, repo.did, found.commit.rev, tuple(items), found.proof)


def _invalid(file: Checked) -> Compared:
    return Compared(file.key, "invalid", findings=file.findings)


def _item(action: Action, did: str, blobs: set[str]) -> Compared:
    if isinstance(action, (Orphan, Delete, Forget)):
        place = f"at://{did}/{action.entry.collection}/{action.entry.rkey}"
        return Compared(action.entry.path, "extra", place, reason="its document is gone")
    record = action.record
    uri = f"at://{did}/{record.collection}/{action.rkey}" if action.rkey else None
    match action:
        case Create():
            return Compared(record.path, "missing", reason="no record in the repo")
        case RemoteDeleted():
            return Compared(record.path, "missing", uri, reason="another app deleted it")
        case Conflict(theirs=None):
            return Compared(record.path, "missing", uri, reason=action.reason)
        case Unchanged(theirs=theirs):
            return _with_blobs(record.path, uri, theirs, blobs)
        case Update(theirs=theirs) | Adopt(theirs=theirs) | RemoteChanged(theirs=theirs):
            return _differing(record, uri, action.changed, theirs)
        case Conflict(theirs=theirs):
            return _differing(record, uri, action.changed, theirs)
        case Keep():
            return Compared(record.path, "differs", uri)
        case _:
            assert_never(action)


def _differing(
    record: Record, uri: str | None, fields: tuple[str, ...], theirs: RemoteRecord | None
) -> Compared:
    shown = differences(whole(theirs.value), record.merged(theirs.value)) if theirs else ()
    return Compared(record.path, "differs", uri, fields, differences=shown)


def _with_blobs(path: str, uri: str | None, theirs: RemoteRecord, blobs: set[str]) -> Compared:
    held = (str(blob.cid) for blob in blob_refs(whole(theirs.value)))
    absent = [cid for cid in held if cid not in blobs]
    if absent:
        reason = f"the repo doesn't hold the blob {absent[0]}"
        return Compared(path, "blob-missing", uri, reason=reason)
    return Compared(path, "equal", uri)
