"""Records move to another repo, and what they say of one another goes along. Pure.

A reference is a string that is an AT-URI, the whole of it. Beside `uri`, `cid` is the CID of the
record that it leads to (com.atproto.repo.strongRef): it changes where that record does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from graphlib import TopologicalSorter
from typing import TypeAlias

from publisher import syntax
from publisher.data import Cid, Value
from publisher.documents import Document
from publisher.findings import Finding, pointer_to
from publisher.syntax import Did

Name: TypeAlias = str
"""A record within its repo: COLLECTION/RKEY."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A string that names a record of the old repo, and the CID beside it if there is one."""

    name: Name
    cid: str | None = None


@dataclass(frozen=True, slots=True)
class Migration:
    """From the repo `old` to the repo `new`; `here` are the records that move.

    `cids` has the CIDs, before and after, of those that others refer to by CID.
    """

    old: Did
    new: Did
    here: frozenset[Name]
    cids: Mapping[Name, tuple[str, str]] = field(default_factory=dict)

    def moved(self, value: dict[str, Value]) -> tuple[dict[str, Value], list[Finding]]:
        """Return a record as it is in the new repo, and a finding for each CID that stays."""
        found: list[Finding] = []
        return self._object(value, (), found), found

    def document(self, document: Document) -> tuple[Document, list[Finding]]:
        """Return a document with its record moved, and the findings of that."""
        value, found = self.moved(document.value)
        return replace(document, value=value), found

    def basis(self) -> tuple[object, ...]:
        """Return all that a moved record depends on beside itself, in an order of its own."""
        return self.old, self.new, sorted(self.here), sorted(self.cids.items())

    def _any(self, value: Value, place: tuple[str | int, ...], found: list[Finding]) -> Value:
        if isinstance(value, str):
            name = self._name(value)
            return f"at://{self.new}/{name}" if name else value
        if isinstance(value, dict):
            return self._object(value, place, found)
        if isinstance(value, list):
            return [self._any(item, (*place, step), found) for step, item in enumerate(value)]
        return value

    def _object(
        self, value: dict[str, Value], place: tuple[str | int, ...], found: list[Finding]
    ) -> dict[str, Value]:
        moved = {key: self._any(item, (*place, key), found) for key, item in value.items()}
        name, cid = self._name(value.get("uri")), value.get("cid")
        if name is None or not isinstance(cid, (str, Cid)):
            return moved
        before, after = self.cids.get(name, ("", ""))
        if str(cid) != before:
            found.append(_stays(name, pointer_to(*place, "cid")))
        elif before != after:
            moved["cid"] = after if isinstance(cid, str) else Cid.parse(after)
        return moved

    def _name(self, value: Value) -> Name | None:
        """Return which of the records here a string names."""
        name = _below(value, self.old)
        return name if name in self.here else None


@dataclass(frozen=True, slots=True)
class Moving:
    """What is reported of a migration: `staying` references lead to records that aren't here."""

    old: Did
    staying: int


def _below(value: Value, did: Did) -> Name | None:
    prefix = f"at://{did}/"
    if isinstance(value, str) and value.startswith(prefix):
        return value.removeprefix(prefix)
    return None


def _stays(name: Name, pointer: str) -> Finding:
    message = f"the cid isn't that of {name} as it is here: it stays"
    remedy = "if it shall be this record, write its CID; if an older one is meant, leave it"
    return Finding(pointer, "reference-cid", message, "warning", remedy)


def mentions(text: bytes, did: Did) -> bool:
    """Tell whether JSON may have a reference to a record of the DID; quick, and never wrongly no.

    Slashes and letters may be escaped.
    """
    return f"at://{did}/".encode() in text or b"\\/" in text or b"\\u" in text


def references(value: Value, did: Did) -> Iterator[Reference]:
    """Yield what a value refers to in the DID's repo, wherever it stands."""
    if isinstance(value, dict):
        uri, cid = value.get("uri"), value.get("cid")
        if isinstance(cid, (str, Cid)) and (name := _record(uri, did)):
            yield Reference(name, str(cid))
            value = {key: item for key, item in value.items() if key != "uri"}
        for item in value.values():
            yield from references(item, did)
    elif isinstance(value, list):
        for item in value:
            yield from references(item, did)
    elif name := _record(value, did):
        yield Reference(name)


def _record(value: Value, did: Did) -> Name | None:
    name = _below(value, did)
    if name is None or "/" not in name or syntax.check("at-uri", f"at://{did}/{name}"):
        return None
    return name


def with_cids(
    migration: Migration,
    before: Mapping[Name, str],
    referring: Mapping[Name, Sequence[Reference]],
    after: Callable[[Name, Migration], str],
) -> Migration:
    """Return the migration with the CIDs of the records that `before` has.

    `referring` are these records' references by CID; `after` answers a record's CID by a migration
    that has the CIDs of all that it refers to. It can't lead in a circle: a CID is known only once
    the record is.
    """
    graph = {
        name: {
            to.name for to in referring.get(name, ()) if to.cid and before.get(to.name) == to.cid
        }
        for name in before
    }
    cids: dict[Name, tuple[str, str]] = {}
    growing = Migration(migration.old, migration.new, migration.here, cids)
    for name in TopologicalSorter(graph).static_order():
        cids[name] = before[name], after(name, growing)
    return growing
