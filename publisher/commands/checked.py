"""What came of a file or record that was checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from publisher.data import Value
from publisher.findings import Finding
from publisher.record import Record
from publisher.syntax import Nsid

Status = Literal["valid", "invalid", "unknown", "draft", "skipped"]


@dataclass(frozen=True, slots=True)
class Claims:
    """What a document takes for itself, so that no other may have it too.

    `named` are the collection and rkey of the records that the author named.
    """

    key: str
    collection: Nsid
    site: Value
    path: Value
    url: Value
    named: tuple[tuple[str, str], ...]

    def __reduce__(self) -> tuple[object, ...]:
        """Go to another process in a fifth of the time that dataclasses take."""
        parts = (self.key, self.collection, self.site, self.path, self.url, self.named)
        return Claims, parts

    @classmethod
    def of(cls, record: Record) -> Claims:
        """Return what a record claims."""
        uri = record.at_uri
        places = [(record.collection, record.rkey)]
        if uri and uri.collection:
            places.append((uri.collection, uri.rkey))
        named = tuple(dict.fromkeys((place, rkey) for place, rkey in places if rkey))
        return cls(
            record.key,
            record.collection,
            record.site,
            record.value.get("path"),
            record.value.get("url"),
            named,
        )


@dataclass(frozen=True, slots=True)
class Checked:
    """A file or record after all checks.

    `record` is there when it is valid or unknown, and was asked for; `claims` also without.
    `digest` is the SHA-256 of the file, where it was read for this.
    """

    path: Path
    key: str
    status: Status
    record: Record | None
    findings: tuple[Finding, ...]
    claims: Claims | None = None
    cid: str | None = None
    digest: bytes = b""

    def __reduce__(self) -> tuple[object, ...]:
        """Go to another process in a fifth of the time that dataclasses take."""
        rest = (self.status, self.record, self.findings, self.claims, self.cid, self.digest)
        return Checked, (self.path, self.key, *rest)
