"""What documents and records are recognised by: path, or date and title. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from publisher.data import Value
from publisher.record import Record
from publisher.repo import RemoteRecord
from publisher.syntax import Nsid

Trait: TypeAlias = tuple[str, str, Value, Value]
ALL_TRAITS = 2
"""What `shared` says where path, date and title agree."""


def _traits(collection: Nsid, value: Mapping[str, Value]) -> Iterator[Trait]:
    path, date, title = value.get("path"), value.get("publishedAt"), value.get("title")
    if isinstance(path, str):
        yield collection, "path", path, None
    if isinstance(date, str) and isinstance(title, str):
        yield collection, "date and title", date, title


def by_trait(records: Iterable[Record]) -> dict[Trait, list[Record]]:
    """Return the documents by each of their traits."""
    index: dict[Trait, list[Record]] = {}
    for record in records:
        for trait in _traits(record.collection, record.value):
            index.setdefault(trait, []).append(record)
    return index


def sharing(theirs: RemoteRecord, index: Mapping[Trait, list[Record]]) -> list[Record]:
    """Return the documents that share a trait with a record."""
    found = {
        record.key: record
        for trait in _traits(theirs.collection, theirs.value)
        for record in index.get(trait, [])
    }
    return list(found.values())


def shared(record: Record, theirs: RemoteRecord) -> int:
    """Return how many traits a document shares with a record: 0 to 2."""
    ours = set(_traits(record.collection, record.value))
    return len(ours.intersection(_traits(theirs.collection, theirs.value)))
