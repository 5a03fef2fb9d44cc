"""What has come of a run so far; it grows while work is done, and outlives what stops it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from publisher.plan import Action, Create, Delete, Forget, LockEntry, Pending, Unchanged, Update
from publisher.syntax import Did


@dataclass(slots=True)
class Outcome:
    """By document (`Record.key`, `LockEntry.key`): what was sent, written, and could not be.

    `sent` are actions whose answer hasn't come; `entries` is what the lock shall say.
    """

    entries: dict[str, LockEntry] = field(default_factory=dict)
    sent: dict[str, Pending] = field(default_factory=dict)
    written: dict[str, Pending] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    uploaded: set[str] = field(default_factory=set)
    commits: int = 0

    def succeed(self, action: Pending, entry: LockEntry | None) -> None:
        """Note that an action is done; a deleted record has no entry any more."""
        key = key_of(action)
        self.sent.pop(key, None)
        self.failures.pop(key, None)
        self.written[key] = action
        if entry:
            self.entries[key] = entry

    def fail(self, action: Pending, reason: str) -> None:
        """Note why an action could not be done; the first reason stays."""
        key = key_of(action)
        self.sent.pop(key, None)
        self.failures.setdefault(key, reason)

    def settle(self, actions: Iterable[Action]) -> None:
        """After the repo was read again: what was sent and is there now was written by us."""
        for action in actions:
            match action:
                case Unchanged(record, rkey, theirs):
                    sent = self.sent.get(record.key)
                    if isinstance(sent, (Create, Update)) and (sent.rkey, sent.cid) == (
                        rkey,
                        theirs.cid,
                    ):
                        self.succeed(sent, None)
                case Forget(entry):
                    sent = self.sent.get(entry.key)
                    if isinstance(sent, Delete):
                        self.succeed(sent, None)
                case _:
                    pass


def key_of(action: Pending) -> str:
    """Return the key of the document that an action is about."""
    return action.entry.key if isinstance(action, Delete) else action.record.key


def uri_of(action: Pending, did: Did) -> str:
    """Return the AT-URI of the record that an action writes."""
    if isinstance(action, Delete):
        return f"at://{did}/{action.entry.collection}/{action.entry.rkey}"
    return f"at://{did}/{action.record.collection}/{action.rkey}"
