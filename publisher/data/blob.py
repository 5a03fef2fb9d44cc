"""The blobs that a value refers to, wherever in it they stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from publisher.data.cbor import Value
from publisher.data.cid import Cid


@dataclass(frozen=True, slots=True)
class BlobRef:
    """A blob as a record refers to it; `size` in bytes."""

    cid: Cid
    mime_type: str
    size: int


def blob_refs(value: Value) -> Iterator[BlobRef]:
    """Yield every blob that a value refers to; one that `check` would refuse is left out."""
    if isinstance(value, dict) and value.get("$type") == "blob":
        if ref := _ref(value):
            yield ref
    elif isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            if isinstance(item, (dict, list)):  # most are not: no call for them
                yield from blob_refs(item)


def blob_places(
    value: Value, place: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], BlobRef]]:
    """Yield what `blob_refs` does, each with the keys and indices that lead to it."""
    if isinstance(value, dict) and value.get("$type") == "blob":
        if ref := _ref(value):
            yield place, ref
    elif isinstance(value, (dict, list)):
        for step, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from blob_places(item, (*place, step))


def _ref(value: Mapping[str, Value]) -> BlobRef | None:
    cid, mime_type, size = value.get("ref"), value.get("mimeType"), value.get("size")
    if isinstance(cid, Cid) and isinstance(mime_type, str) and isinstance(size, int):
        return BlobRef(cid, mime_type, size)
    return None
