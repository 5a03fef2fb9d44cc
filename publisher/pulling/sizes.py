"""The sizes that records give for their blobs, beside what came.

The CID proves a blob, whatever the record says of it: the file is kept, and a difference told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from publisher.data import Value, blob_places
from publisher.findings import Finding, pointer_to
from publisher.pulling.folder import PulledFile
from publisher.pulling.state import File


@dataclass(frozen=True, slots=True)
class Declared:
    """The size that a record gives for a blob, and where in it; both have files of these names."""

    record: str
    pointer: str
    blob: str
    cid: str
    size: int


def declared(record: str, value: Value, blobs: Iterable[tuple[str, str]]) -> Iterator[Declared]:
    """Yield the sizes that a record gives for blobs: pairs of file and CID."""
    names = {cid: name for name, cid in blobs}
    if not names:
        return
    for place, ref in blob_places(value):
        if (cid := str(ref.cid)) in names:
            yield Declared(record, pointer_to(*place, "size"), names[cid], cid, ref.size)


def with_findings(
    files: Iterable[PulledFile], sizes: Iterable[Declared], known: Mapping[str, File]
) -> list[PulledFile]:
    """Return the files, those of records that give a blob another size with what was found.

    `known` are the files of blobs among others. Nothing is said of a blob that didn't come.
    """
    found: dict[str, tuple[Finding, ...]] = {}
    for each in sizes:
        blob = known.get(each.blob)
        if blob and blob.cid == each.cid and blob.size != each.size:
            found[each.record] = (*found.get(each.record, ()), _differs(each, blob.size))
    return [
        replace(file, findings=found[file.path]) if file.path in found else file for file in files
    ]


def _differs(each: Declared, size: int) -> Finding:
    message = f"says {each.size:,} bytes; {each.cid} has {size:,}, and is kept: its CID proves it"
    return Finding(each.pointer, "blob-size-differs", message, "warning")
