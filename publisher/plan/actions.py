"""What a plan is made of: lines of the lock, what earlier runs left, and the actions. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from publisher.data import Value
from publisher.record import CONTENT, Record, owned_cid
from publisher.repo import RemoteRecord
from publisher.syntax import Nsid, Rkey

Place: TypeAlias = tuple[Nsid, Rkey]
Remote: TypeAlias = Mapping[Nsid, Mapping[Rkey, RemoteRecord]]


@dataclass(frozen=True, slots=True)
class LockEntry:
    """A record as it was last published, and the document that it belongs to.

    `cid` is that of the whole record, `owned` that of the `fields` that we decided, `content` left
    out; `content` is the CID of that field alone, since another app may take it over.
    """

    key: str
    path: str
    collection: Nsid
    rkey: Rkey
    cid: str
    owned: str
    content: str | None
    fields: frozenset[str]

    def agrees(self, value: Mapping[str, Value], owned: frozenset[str]) -> bool:
        """Tell whether the fields that we wrote are as we left them, of those `owned` now."""
        if owned_cid(value, self.fields - CONTENT) != self.owned:
            return False
        judged = "content" in self.fields & owned
        return not judged or owned_cid(value, CONTENT) == self.content


@dataclass(frozen=True, slots=True)
class Create:
    """The repo has no record of this document; `cid` is the one that it shall have."""

    record: Record
    rkey: Rkey

    @property
    def cid(self) -> str:
        """The CID that the record shall have."""
        return self.record.cid

    @property
    def value(self) -> Mapping[str, Value]:
        """What is written; it may lie on the disk."""
        return self.record.value


@dataclass(frozen=True, slots=True)
class Update:
    """The document changed since its record was written; `cid` is the one that it shall have."""

    record: Record
    rkey: Rkey
    theirs: RemoteRecord
    cid: str
    changed: tuple[str, ...]

    @property
    def value(self) -> Mapping[str, Value]:
        """What is written: our fields from the document, all others from the record; made anew."""
        return self.record.merged(self.theirs.value)


@dataclass(frozen=True, slots=True)
class Adopt:
    """A record that looks like this document but that we have no proof of having written."""

    record: Record
    rkey: Rkey
    theirs: RemoteRecord
    cid: str
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Document and record agree."""

    record: Record
    rkey: Rkey
    theirs: RemoteRecord


@dataclass(frozen=True, slots=True)
class RemoteChanged:
    """The record was changed by another app, the document wasn't: it stays, and is reported."""

    record: Record
    rkey: Rkey
    theirs: RemoteRecord
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RemoteDeleted:
    """The record was deleted by another app, the document wasn't edited: it isn't made again."""

    record: Record
    rkey: Rkey


@dataclass(frozen=True, slots=True)
class Orphan:
    """A record that we wrote and whose document is gone; it stays as it is.

    `changed`: another app has changed it since, so that it can't be pruned without a word.
    `spared`: why it isn't pruned though that was wished: a document is invalid, it is of another
    site, or a document that is here looks like it.
    """

    entry: LockEntry
    theirs: RemoteRecord
    changed: bool = False
    spared: Literal["", "invalid", "site", "alike"] = ""


@dataclass(frozen=True, slots=True)
class Delete:
    """A record that we wrote, whose document is gone, and that shall go too."""

    entry: LockEntry
    theirs: RemoteRecord


@dataclass(frozen=True, slots=True)
class Forget:
    """A line of the lock whose document and record are both gone."""

    entry: LockEntry


@dataclass(frozen=True, slots=True)
class Conflict:
    """What can't be decided here: shown, never written.

    `theirs` is the record that stands against the document; `deleted` says that there was one.
    Without both, no wish decides it: the remedy does.
    """

    record: Record
    rkey: Rkey | None
    reason: str
    remedy: str
    changed: tuple[str, ...] = ()
    theirs: RemoteRecord | None = None
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Keep:
    """A conflict that was decided for the repo: nothing is written, `entry` goes into the lock.

    The entry's base is the document as it stands, so that only a later edit is a conflict again.
    """

    record: Record
    rkey: Rkey
    entry: LockEntry


Action: TypeAlias = (
    Create
    | Update
    | Adopt
    | Unchanged
    | RemoteChanged
    | RemoteDeleted
    | Orphan
    | Delete
    | Forget
    | Conflict
    | Keep
)
Pending: TypeAlias = Create | Update | Delete
"""What is written."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line decides of what the table leaves open.

    `force` and `keep` are paths of documents (`LockEntry.path` or `Record.path`): there, what is in
    the repo is overwritten, or stays. `recreate`: what was deleted in the repo is published again.
    """

    force: frozenset[str] = frozenset()
    keep: frozenset[str] = frozenset()
    adopt: bool = False
    recreate: bool = False
    prune: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """What earlier runs left: `entries` from the lock, `intents` written down before sending.

    `present` are the paths of all files, drafts too; `held` those of documents that can't be judged
    now (invalid, unreadable): their entries and records are left alone. `unreadable` are places in
    the repo whose records can't be read, with the reason: nothing is written there.
    """

    entries: Mapping[str, LockEntry] = field(default_factory=dict)
    intents: Sequence[LockEntry] = ()
    held: frozenset[str] = frozenset()
    present: frozenset[str] = frozenset()
    unreadable: Mapping[Place, str] = field(default_factory=dict)
