"""What a plan is made of: lines of the lock, what earlier runs left, and the actions. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from publisher.data import Value
from publisher.record import Record
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


@dataclass(frozen=True, slots=True)
class Create:
    """The repo has no record of this document."""

    record: Record
    rkey: Rkey
    value: dict[str, Value]


@dataclass(frozen=True, slots=True)
class Update:
    """The document changed since its record was written; `swap` is the CID that is replaced."""

    record: Record
    rkey: Rkey
    value: dict[str, Value]
    swap: str
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Adopt:
    """A record that looks like this document but that we have no proof of having written."""

    record: Record
    rkey: Rkey
    value: dict[str, Value]
    swap: str
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Document and record agree."""

    record: Record
    rkey: Rkey
    value: dict[str, Value]


@dataclass(frozen=True, slots=True)
class Orphan:
    """A record that we wrote and whose document is gone; it stays as it is."""

    entry: LockEntry


@dataclass(frozen=True, slots=True)
class Forget:
    """A line of the lock whose document and record are both gone."""

    entry: LockEntry


@dataclass(frozen=True, slots=True)
class Conflict:
    """What can't be decided here: shown, never written."""

    record: Record
    rkey: Rkey | None
    reason: str
    remedy: str
    changed: tuple[str, ...] = ()


Action: TypeAlias = Create | Update | Adopt | Unchanged | Orphan | Forget | Conflict


@dataclass(frozen=True, slots=True)
class State:
    """What earlier runs left: `entries` from the lock, `intents` written down before sending.

    `present` are the paths of all files, drafts too; `held` those of documents that can't be judged
    now (invalid, unreadable): their entries and records are left alone.
    """

    entries: Mapping[str, LockEntry] = field(default_factory=dict)
    intents: Sequence[LockEntry] = ()
    held: frozenset[str] = frozenset()
    present: frozenset[str] = frozenset()
