"""A JSON file that holds a record becomes a Document."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from publisher import data, syntax
from publisher.data import Cid, Value, blob_refs
from publisher.documents.cover import read_cover
from publisher.documents.model import DOCUMENT, Blob, Context, Document, Reading, Source
from publisher.findings import Finding

_parse_nsid = lru_cache(maxsize=1_000)(syntax.parse_nsid)  # a folder has few collections


_CAPITAL = re.compile("[A-Z]")
_ESCAPE = re.compile("%([0-7][0-9A-F])")
_DEVICE = re.compile(r"(?i:con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")


def read_json(source: Source, content: bytes, context: Context) -> Reading:
    """Read a JSON record. One without `$type` is no record: skipped, with a warning."""
    findings: list[Finding] = []
    try:
        value = data.loads(content)
    except data.DataError as error:
        value, findings = _readable(error), list(error.findings)
        if value is None:
            return Reading(source, None, tuple(findings))
    if not isinstance(value, dict) or "$type" not in value:
        return Reading(source, None, (*findings, *_skipped(source)))
    name = str(value["$type"])
    try:
        collection = _parse_nsid(name)
    except syntax.InvalidSyntax as error:
        finding = Finding("/$type", "record-type", f"{name!r} {error}", "error")
        return Reading(source, None, (*findings, finding))
    cover = list(_cover(value, source, context, findings))
    blobs = cover
    if b"blob" in content or b"\\u" in content:  # letters may be escaped
        blobs = [*_blobs(value, source, context, findings), *cover]  # the cover's own file is known
    document = Document(
        source,
        collection,
        value,
        blobs=tuple({blob.cid: blob for blob in blobs}.values()),
        rkey=_rkey(source, collection, findings),
    )
    return Reading(source, document, tuple(findings))


def _readable(error: data.DataError) -> Any:
    """Return a record whose other faults can be told too; it is never published."""
    value = error.value
    name = value.get("$type") if isinstance(value, dict) else None
    return value if isinstance(name, str) and name else None


def _skipped(source: Source) -> tuple[Finding, ...]:
    if source.path.name == "pull.json":
        return ()
    message, remedy = "has no $type, so it is no record: skipped", "add $type, or move the file"
    return (Finding("", "no-record", message, "warning", remedy),)


def _rkey(source: Source, collection: str, findings: list[Finding]) -> syntax.Rkey | None:
    """A file in a folder named by its collection is named by its rkey; elsewhere it isn't."""
    if source.path.parts[-2:-1] != (collection,):
        return None
    try:
        return syntax.parse_rkey(unescape_rkey(source.path.stem))
    except syntax.InvalidSyntax as error:
        message = f"the file name {source.path.stem!r} {error}"
        remedy = f"name it by its rkey, or move it out of {collection}/"
        findings.append(Finding("", "rkey", message, "error", remedy))
        return None


def named_record(path: Path) -> str | None:
    """Return COLLECTION/RKEY of a JSON file that lies and is named as a pull writes it."""
    collection, rkey = path.parent.name, unescape_rkey(path.stem)
    if path.suffix.lower() != ".json" or syntax.check("nsid", collection):
        return None
    return None if syntax.check("record-key", rkey) else f"{collection}/{rkey}"


def escape_rkey(rkey: str, *, cases: bool = False) -> str:
    """Return a file name for a rkey on any system, which `unescape_rkey` undoes.

    '%' can't occur in a rkey: ':', a '.' at either end, and the first letter of what Windows keeps
    for its devices are written as %3A, …; with `cases`, capital letters too.
    """
    name = _CAPITAL.sub(_escaped, rkey) if cases else rkey
    name = name.replace(":", "%3A")
    if name.startswith(".") or _DEVICE.fullmatch(name):
        name = f"%{ord(name[0]):02X}{name[1:]}"
    return f"{name[:-1]}%2E" if name.endswith(".") else name


def unescape_rkey(name: str) -> str:
    """Return the rkey of a file name that `escape_rkey` made."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), name)


def _escaped(found: re.Match[str]) -> str:
    return f"%{ord(found[0]):02X}"


def _cover(
    value: dict[str, Value], source: Source, context: Context, findings: list[Finding]
) -> Iterator[Blob]:
    name = value.get("coverImage")
    if not isinstance(name, str) or value["$type"] != DOCUMENT:
        return
    cover = read_cover(name, source.path, context)
    if isinstance(cover, Finding):
        findings.append(cover)
        del value["coverImage"]
    else:
        value["coverImage"] = cover.value()
        yield cover


def _blobs(
    value: Value, source: Source, context: Context, findings: list[Finding]
) -> Iterator[Blob]:
    """Yield the blobs that the record refers to, with their files where they are here."""
    for blob in blob_refs(value):
        path = find_blob(blob.cid, source.path, context)
        if path is None or _is(blob.cid, blob.size, path, findings):
            yield Blob(blob.cid, blob.mime_type, blob.size, path)


def find_blob(cid: Cid, beside: Path, context: Context) -> Path | None:
    """Return `blobs/<cid>` beside a document or in a folder above, up to the content folder."""
    for folder in beside.parents:
        path = folder / "blobs" / str(cid)
        if path.is_file():
            return path
        if folder == context.folder:
            break
    return None


def _is(cid: Cid, size: int, path: Path, findings: list[Finding]) -> bool:
    try:
        content = path.read_bytes()
    except OSError as error:
        findings.append(Finding("", "blob-file", f"{path}: {error.strerror}", "error"))
        return False
    if Cid.of(content, cid.codec) == cid and len(content) == size:
        return True
    message = f"{path} isn't the blob that its name says (its bytes have another CID or size)"
    findings.append(Finding("", "blob-file", message, "error", "pull it again"))
    return False
