"""What is reported of a publish, document by document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from publisher.apply import Outcome
from publisher.commands.checked import Checked
from publisher.commands.reports import ActionName, Item
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
    LockEntry,
    Orphan,
    RemoteChanged,
    RemoteDeleted,
    Unchanged,
    Update,
    differences,
)
from publisher.record import Record
from publisher.spool import whole
from publisher.syntax import Did


@dataclass(frozen=True, slots=True)
class Reporter:
    """Makes the items of a run. `with_differences`: each shows what would change."""

    did: Did
    outcome: Outcome
    dry_run: bool
    drafts: frozenset[str]
    with_differences: bool = False

    def item(self, action: Action, findings: tuple[Finding, ...] = ()) -> Item | None:
        """Return what is reported of an action; None of a line that is just dropped."""
        match action:
            case Orphan(entry):
                return self._orphan(action)
            case Delete(entry, theirs):
                return self._deletion(entry, theirs.cid)
            case Forget(entry):
                written = self.outcome.written.get(entry.key)
                if isinstance(written, Delete):
                    return self._deletion(entry, written.theirs.cid)
                return None
            case _:
                return self._document(action, findings)

    def _document(
        self,
        action: Create
        | Update
        | Adopt
        | Unchanged
        | RemoteChanged
        | RemoteDeleted
        | Conflict
        | Keep,
        findings: tuple[Finding, ...],
    ) -> Item:
        record = action.record
        uri = f"at://{self.did}/{record.collection}/{action.rkey}" if action.rkey else None
        if failure := self.outcome.failures.get(record.key):
            return Item(record.path, "failed", uri, reason=failure, findings=findings)
        written = self.outcome.written.get(record.key)
        if isinstance(written, (Create, Update)):
            action = written
        findings += _ignored_uri(self.did, record) + _kept_content(action)
        name, cid, changed, reason, remedy = self._words(action)
        shown = self._differences(action)
        return Item(record.path, name, uri, cid, changed, reason, remedy, findings, shown)

    def _words(
        self,
        action: Create
        | Update
        | Adopt
        | Unchanged
        | RemoteChanged
        | RemoteDeleted
        | Conflict
        | Keep,
    ) -> tuple[ActionName, str | None, tuple[str, ...], str, str]:
        path = action.record.path
        match action:
            case Create():
                name, remedy = self._planned("create", action.record.key)
                return name, action.cid, (), "", remedy
            case Update(changed=changed):
                name, remedy = self._planned("update", action.record.key)
                return name, action.cid, changed, "", remedy
            case Adopt(changed=changed):
                remedy = "if it is this document, publish again with --adopt"
                return "adopt", action.cid, changed, "", remedy
            case Unchanged(theirs=theirs):
                return "unchanged", theirs.cid, (), "", ""
            case RemoteChanged(theirs=theirs, changed=changed):
                reason = "another app changed its record; it stays as it is there"
                remedy = f"to publish the document over it: publisher publish --force {path}"
                return "remote-changed", theirs.cid, changed, reason, remedy
            case RemoteDeleted():
                reason = "another app deleted its record; it isn't published again"
                return "remote-deleted", None, (), reason, "to do so: --recreate"
            case Conflict(changed=changed, reason=reason, remedy=remedy):
                return "conflict", None, changed, reason, remedy
            case Keep(entry=entry):
                return "kept", entry.cid, (), "its record stays as it is", ""
            case _:
                assert_never(action)

    def _planned(self, name: ActionName, key: str) -> tuple[ActionName, str]:
        if self.dry_run or key in self.outcome.written:
            return name, ""
        return "pending", "run again"

    def _deletion(self, entry: LockEntry, cid: str) -> Item:
        uri = f"at://{self.did}/{entry.collection}/{entry.rkey}"
        if failure := self.outcome.failures.get(entry.key):
            return Item(entry.path, "failed", uri, reason=failure)
        name, remedy = self._planned("delete", entry.key)
        return Item(entry.path, name, uri, cid, (), self._gone(entry), remedy)

    def _orphan(self, orphan: Orphan) -> Item:
        entry = orphan.entry
        uri = f"at://{self.did}/{entry.collection}/{entry.rkey}"
        if orphan.changed:
            reason = f"{self._gone(entry)}, and another app has changed its record"
            remedy = f"to delete it all the same: publish --prune --force {entry.path}"
            return Item(entry.path, "conflict", uri, orphan.theirs.cid, (), reason, remedy)
        why, remedy = _why_it_stays(orphan)
        reason = f"{self._gone(entry)}; its record stays{why}"
        return Item(entry.path, "orphan", uri, orphan.theirs.cid, (), reason, remedy)

    def _gone(self, entry: LockEntry) -> str:
        return f"its document is {'a draft now' if entry.path in self.drafts else 'gone'}"

    def _differences(self, action: Action) -> tuple[Difference, ...]:
        if not self.with_differences:
            return ()
        match action:
            case Update(theirs=theirs):
                return differences(whole(theirs.value), whole(action.value))
            case Adopt(record, _, theirs) | RemoteChanged(record, _, theirs):
                return differences(whole(theirs.value), record.merged(theirs.value))
            case Conflict(record, theirs=theirs) if theirs:
                return differences(whole(theirs.value), record.merged(theirs.value))
            case _:
                return ()


def invalid(file: Checked) -> Item:
    """Return what is reported of a document that can't be published."""
    return Item(file.key, "invalid", findings=file.findings)


def _why_it_stays(orphan: Orphan) -> tuple[str, str]:
    match orphan.spared:
        case "invalid":
            why = ": nothing is deleted while a document is invalid"
            return why, "correct that one, then --prune deletes this"
        case "site":
            site = orphan.theirs.value.get("site")
            if site is None:
                return ": it is of no site", "delete it with the app that shows it"
            why = f": it is of another site, {site!s}"
            return why, "if that one is yours, name it as `site` or in `formerly`"
        case "alike":
            return ": a document that is here has its path, or its date and title", (
                f"if it is none of that one: --prune --force {orphan.entry.path}"
            )
        case "":
            return "", "to delete it: --prune"


def _kept_content(action: Action) -> tuple[Finding, ...]:
    """Say that the record's `content` is another app's, where ours would be another."""
    if not isinstance(action, (Update, Adopt, Unchanged)):
        return ()
    record, theirs = action.record, action.theirs
    if record.cid == theirs.cid or "content" not in record.value:
        return ()
    if "content" in record.owned_over(theirs.value):
        return ()
    content = theirs.value.get("content")
    kind = content.get("$type") if isinstance(content, dict) else None
    message = f"the record's content is {kind!s}, which another app wrote: it stays"
    return (Finding("/content", "content-kept", message, "info"),)


def _ignored_uri(did: Did, record: Record) -> tuple[Finding, ...]:
    uri = record.at_uri
    if uri is None or uri.authority == did:
        return ()
    message = f"atUri names a record of {uri.authority}, not of {did}: it is ignored"
    return (Finding("/atUri", "at-uri-elsewhere", message, "warning", "remove it, or correct it"),)


def ordered(items: Sequence[Item]) -> tuple[Item, ...]:
    """Return the items in the order of their documents."""
    return tuple(sorted(items, key=lambda item: item.path))
