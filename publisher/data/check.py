"""The data model's own rules, held anywhere in a value, in fields that no lexicon knows too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from publisher.data.cid import RAW, Cid
from publisher.findings import Finding, pointer_to

MAX_DEPTH = 32
SAFE_INTEGER = 2**53 - 1
_INT64 = (-(2**63), 2**63 - 1)
_BLOB_KEYS = {"$type", "ref", "mimeType", "size"}


@dataclass(frozen=True, slots=True)
class Fault:
    """What the parser found wrong, standing in the place of the value."""

    code: str
    message: str
    remedy: str


def check(value: object, *, safe_integers: bool = False) -> list[Finding]:
    """Return every breach of the data model; `safe_integers` also refuses beyond ±(2^53-1)."""
    return list(_check(value, (), safe_integers=safe_integers))


def _check(value: object, path: tuple[str | int, ...], *, safe_integers: bool) -> Iterator[Finding]:
    if isinstance(value, (dict, list)):
        if len(path) >= MAX_DEPTH:
            yield _found(path, "depth", f"nesting is deeper than {MAX_DEPTH}", "nest it less")
            return
        if isinstance(value, dict):
            yield from _check_object(value, path)
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for step, item in items:
            yield from _check(item, (*path, step), safe_integers=safe_integers)
    else:
        yield from _check_scalar(value, path, safe_integers=safe_integers)


def _check_scalar(
    value: object, path: tuple[str | int, ...], *, safe_integers: bool
) -> Iterator[Finding]:
    if isinstance(value, str):
        if not _is_text(value):
            yield _found(
                path, "surrogate", "a lone surrogate is no character", "write the whole character"
            )
    elif isinstance(value, bool) or value is None or isinstance(value, (bytes, Cid)):
        return
    elif isinstance(value, int):
        if not _INT64[0] <= value <= _INT64[1]:
            yield _found(path, "integer-range", f"{value} is beyond 64 bits", "write a string")
        elif safe_integers and abs(value) > SAFE_INTEGER:
            yield _found(
                path,
                "integer-range",
                f"{value} is beyond ±(2^53-1), which servers refuse",
                "write it as a string",
            )
    elif isinstance(value, Fault):
        yield _found(path, value.code, value.message, value.remedy)
    else:
        yield _found(
            path, "type", f"the data model has no {type(value).__name__}", "use a JSON value"
        )


def _check_object(value: dict[str, object], path: tuple[str | int, ...]) -> Iterator[Finding]:
    for key in value:
        if not _is_text(key):
            yield _found(path, "surrogate", f"the key {key!a} has a lone surrogate", "rename it")
        if key == "__proto__":
            yield Finding(
                pointer_to(*path, key),
                "proto-key",
                "the key __proto__ is dropped or misread by JavaScript readers",
                "warning",
                "rename it",
            )
    if "$type" not in value:
        return
    name = value["$type"]
    if not isinstance(name, str) or not name:
        if not isinstance(name, Fault):
            yield _found(
                (*path, "$type"), "type-name", "$type is no name", "write a lexicon's name"
            )
    elif name == "blob":
        yield from _check_blob(value, path)


def _check_blob(value: dict[str, object], path: tuple[str | int, ...]) -> Iterator[Finding]:
    if value.keys() != _BLOB_KEYS:
        wrong = sorted(value.keys() ^ _BLOB_KEYS)
        yield _found(
            path,
            "blob-form",
            "a blob is exactly $type, ref, mimeType and size; " + f"wrong here: {', '.join(wrong)}",
            "add what is missing and remove the rest",
        )
    ref, mime_type, size = value.get("ref"), value.get("mimeType"), value.get("size")
    if "ref" in value and not isinstance(ref, (Cid, Fault)):
        yield _found((*path, "ref"), "blob-form", "ref is no link", 'write {"$link": CID}')
    if "mimeType" in value and not _is_media_type(mime_type):
        yield _found(
            (*path, "mimeType"), "blob-form", "mimeType is no media type", "write it as image/webp"
        )
    if "size" in value and not _is_size(size):
        yield _found((*path, "size"), "blob-form", "size is no number of bytes", "write the size")
    if isinstance(ref, Cid) and ref.codec != RAW:
        yield Finding(
            pointer_to(*path, "ref"),
            "blob-codec",
            "the blob's CID isn't one of raw bytes (bafkrei…)",
            "warning",
            "refer to the blob by the CID that the upload answered",
        )


def _is_media_type(value: object) -> bool:
    """Tell whether a blob's mimeType needs no finding; a Fault has its own."""
    return isinstance(value, Fault) or (isinstance(value, str) and "/" in value)


def _is_size(value: object) -> bool:
    """Tell whether a blob's size needs no finding; a Fault has its own."""
    if isinstance(value, Fault):
        return True
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _found(path: tuple[str | int, ...], code: str, message: str, remedy: str) -> Finding:
    return Finding(pointer_to(*path), code, message, "error", remedy)
