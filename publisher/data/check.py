"""The data model's own rules, held anywhere in a value, in fields that no lexicon knows too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from publisher.data.cid import RAW, Cid, InvalidCid
from publisher.findings import Finding, pointer_to

MAX_DEPTH = 32
SAFE_INTEGER = 2**53 - 1
SERVERS_REFUSE = frozenset({"blob-codec", "blob-legacy", "integer-range", "proto-key"})
"""Codes of warnings about what the specification allows and the reference PDS refuses."""

_RESERVED = {"__proto__", "$link", "$bytes"}
_LEGACY_KEYS = {"cid", "mimeType"}
_BLOB_KEYS = {"$type", "ref", "mimeType", "size"}


@dataclass(frozen=True, slots=True)
class Fault:
    """What the parser found wrong, standing in the place of the value.

    `within` are the values that stood there, in which more may be wrong.
    """

    code: str
    message: str
    remedy: str
    within: tuple[object, ...] = ()


def check(value: object, depth: int = 0) -> list[Finding]:
    """Return every breach of the data model in a value that stands `depth` containers deep.

    An integer beyond ±(2^53-1) is a warning (servers refuse it), beyond 64 bits an error.
    """
    return [] if _is_sound(value, depth) else list(_check(value, (), depth))


def _is_sound(value: object, depth: int) -> bool:
    """Tell whether nothing is to be found; what is unusual is left to `_check`.

    Good data takes this way alone, in a tenth of the time.
    """
    if isinstance(value, str):
        return is_text(value)
    if isinstance(value, (dict, list)):
        if depth >= MAX_DEPTH:
            return False
        if isinstance(value, dict):
            if not _is_sound_object(value):
                return False
            if value.get("$type") == "blob":
                return True
        for item in value.values() if isinstance(value, dict) else value:
            if not _is_sound(item, depth + 1):
                return False
        return True
    if isinstance(value, int):
        return -SAFE_INTEGER <= value <= SAFE_INTEGER
    return value is None or isinstance(value, (Cid, bytes))


def _is_sound_object(value: dict[str, object]) -> bool:
    if not _are_text(value) or not _RESERVED.isdisjoint(value) or value.keys() == _LEGACY_KEYS:
        return False
    return "$type" not in value or is_sound_type(value)


def is_sound_type(value: Mapping[str, object]) -> bool:
    """Tell whether the `$type` of an object needs no finding, nor anything in a blob."""
    name = value["$type"]
    if name != "blob":
        return isinstance(name, str) and name != ""
    ref = value.get("ref")
    return (
        value.keys() == _BLOB_KEYS
        and isinstance(ref, Cid)
        and ref.codec == RAW
        and isinstance(value["mimeType"], str)
        and "/" in value["mimeType"]
        and is_text(value["mimeType"])
        and type(value["size"]) is int
        and 0 <= value["size"] <= SAFE_INTEGER
    )


def _check(value: object, path: tuple[str | int, ...], depth: int) -> Iterator[Finding]:
    if isinstance(value, (dict, list)):
        if depth >= MAX_DEPTH:
            yield too_deep(pointer_to(*path))
            return
        if isinstance(value, dict):
            yield from _check_object(value, path)
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for step, item in items:
            yield from _check(item, (*path, step), depth + 1)
    else:
        yield from _check_scalar(value, path)
        for inner in value.within if isinstance(value, Fault) else ():
            yield from _check(inner, path, depth)


def too_deep(pointer: str) -> Finding:
    """Return the finding about a container that stands too deep."""
    return Finding(pointer, "depth", f"nesting is deeper than {MAX_DEPTH}", "error", "nest it less")


def _check_scalar(value: object, path: tuple[str | int, ...]) -> Iterator[Finding]:
    if isinstance(value, str):
        if not is_text(value):
            yield _found(
                path, "surrogate", "a lone surrogate is no character", "write the whole character"
            )
    elif isinstance(value, bool) or value is None or isinstance(value, (bytes, Cid)):
        return
    elif isinstance(value, int):
        if not is_int64(value):
            shown = value if value.bit_length() < 100 else f"a number of {value.bit_length()} bits"
            yield _found(
                path, "integer-range", f"{shown} is beyond 64 bits", "write it as a string"
            )
        elif abs(value) > SAFE_INTEGER:
            message = f"{value} is beyond ±(2^53-1), which servers refuse"
            yield Finding(
                pointer_to(*path), "integer-range", message, "warning", "write it as a string"
            )
    elif isinstance(value, Fault):
        yield _found(path, value.code, value.message, value.remedy)
    else:
        yield _found(
            path, "type", f"the data model has no {type(value).__name__}", "use a JSON value"
        )


def _check_object(value: dict[Any, object], path: tuple[str | int, ...]) -> Iterator[Finding]:
    for key in value:
        if not isinstance(key, str):
            yield _found(path, "type", f"the key {key!r} is no string", "use a string")
        elif not is_text(key):
            yield _found(path, "surrogate", f"the key {key!a} has a lone surrogate", "rename it")
        if key == "__proto__":
            yield Finding(
                pointer_to(*path, key),
                "proto-key",
                "the key __proto__ is refused by servers and misread by JavaScript readers",
                "warning",
                "rename it",
            )
    for key, code in (("$link", "link-form"), ("$bytes", "bytes-form")):
        if key in value:  # only DAG-CBOR can hold it: in JSON it would be a link or bytes
            yield _found(path, code, f"the key {key} has a meaning of its own", "rename it")
    if is_legacy_blob(value):
        message = "is a blob in the form given up in 2023, which servers refuse anywhere"
        remedy = "write $type, ref, mimeType and size; upload the file again if need be"
        yield Finding(pointer_to(*path), "blob-legacy", message, "warning", remedy)
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


def is_legacy_blob(value: Mapping[str, object]) -> bool:
    """Tell whether servers take an object for a blob in the form that was given up in 2023."""
    cid, mime_type = value.get("cid"), value.get("mimeType")
    if value.keys() != _LEGACY_KEYS or not (isinstance(cid, str) and isinstance(mime_type, str)):
        return False
    try:
        return Cid.parse(cid).codec == RAW and mime_type != ""
    except InvalidCid:
        return False


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


def is_int64(number: int) -> bool:
    """Tell whether a number fits into 64 bits with a sign."""
    return -(2**63) <= number < 2**63


def _are_text(keys: Iterable[object]) -> bool:
    try:
        return is_text("".join(keys))  # type: ignore[arg-type]  # others raise TypeError
    except TypeError:
        return False


def is_text(text: str) -> bool:
    """Tell whether a string is text: no lone surrogate is in it."""
    if text.isascii():
        return True
    try:
        text.encode("utf-16-le")  # half the time of UTF-8
    except UnicodeEncodeError:
        return False
    return True


def _found(path: tuple[str | int, ...], code: str, message: str, remedy: str) -> Finding:
    return Finding(pointer_to(*path), code, message, "error", remedy)
