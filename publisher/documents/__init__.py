"""A folder of files becomes Documents: Markdown with front matter, and JSON records."""

from __future__ import annotations

import errno
import os
import stat
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TypeAlias

from publisher.documents.cover import is_first
from publisher.documents.json_record import escape_rkey, find_blob, named_record, read_json
from publisher.documents.model import (
    DOCUMENT,
    Blob,
    Context,
    Document,
    Reading,
    Source,
)
from publisher.errors import SourceError
from publisher.findings import Finding

__all__ = [
    "DOCUMENT",
    "READERS",
    "Blob",
    "Context",
    "Document",
    "Reading",
    "Source",
    "escape_rkey",
    "find",
    "is_still_found",
    "named_record",
    "read",
    "source_of",
]


def _read_markdown(source: Source, content: bytes, context: Context) -> Reading:
    """Read Markdown; what parses it is loaded with the first one: it is a tenth of start-up."""
    from publisher.documents.markdown import read_markdown

    return read_markdown(source, content, context)


READERS: dict[str, Callable[[Source, bytes, Context], Reading]] = {
    ".json": read_json,
    ".markdown": _read_markdown,
    ".md": _read_markdown,
}
"""The reader of each suffix; another format is another line here."""

Entry: TypeAlias = "os.DirEntry[str]"

_SUFFIXES = tuple(READERS)
_NO_DOCUMENTS = frozenset({"node_modules", "__pycache__"})
_SECTION_PAGES = frozenset({"_index.md", "_index.markdown"})


def find(folder: Path, *, below: Path | None = None) -> Iterator[Source]:
    """Yield the documents below a folder, their paths absolute, in the order of their keys.

    A key is the place below `below`, by default below `folder`. Symbolic links are followed. Each
    folder is read once: as itself where it is below `folder`, else by the first link that leads
    there; of a file's names the first counts. Left out: hidden folders, node_modules, section
    pages (`_index.md`), and folders that a pull wrote (they hold `pull.json`), unless `folder` is
    one itself. Raises SourceError.
    """
    found = sorted(_walk(folder, below or folder), key=lambda each: each[0].key)
    if not any(is_link for _, is_link in found):
        yield from (source for source, _ in found)
        return
    seen: set[str] = set()
    for source, _ in found:
        real = os.path.realpath(source.path)  # it asks the disk about every part of the path
        if real not in seen:
            seen.add(real)
            yield source


def source_of(path: Path, folder: Path) -> Source:
    """Return a file as a source; its key is its path below `folder`."""
    return Source(path, _key(path, folder))


def _key(path: Path, folder: Path) -> str:
    relative = Path(os.path.relpath(path, folder)).as_posix()
    return unicodedata.normalize("NFC", relative)


def read(source: Source, context: Context) -> Reading:
    """Read one file with the reader of its suffix; what is wrong with it is in `findings`."""
    suffix = source.path.suffix
    reader = READERS.get(suffix.lower())
    if reader is None:
        message = f"no reader for {suffix or 'a file without suffix'}"
        remedy = f"name a file that ends in {', '.join(sorted(READERS))}"
        return Reading(source, None, (Finding("", "suffix", message, "error", remedy),))
    if _is_not_utf8(source.key):
        finding = Finding("", "file-name", "the file's name is not UTF-8", "error", "rename it")
        return Reading(source, None, (finding,))
    try:
        with source.path.open("rb", buffering=0) as file:
            content = file.read()
    except OSError as error:
        lost = error.errno in {errno.ENOENT, errno.ELOOP} and source.path.is_symlink()
        remedy = "mend the link, or remove it" if lost else "make it readable"
        finding = Finding("", "unreadable", str(error.strerror), "error", remedy)
        return Reading(source, None, (finding,))
    return replace(reader(source, content, context), digest=sha256(content).digest())


def is_still_found(blob: Blob, beside: Path, context: Context) -> bool:
    """Tell whether a blob's file is still the one that a document at `beside` would be given."""
    if blob.path is None:
        return False
    if blob.path.name == str(blob.cid):
        return find_blob(blob.cid, beside, context) == blob.path
    return is_first(blob.path, context)


def _is_not_utf8(name: str) -> bool:
    """Tell whether a name holds bytes that Python could only keep as lone surrogates."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return True
    return False


def _walk(folder: Path, below: Path) -> Iterator[tuple[Source, bool]]:
    """Yield the documents below a folder, and whether each is a link."""
    if not folder.is_dir():
        raise SourceError(
            f"{folder}: there is no such folder",
            remedy="correct `documents` in publisher.toml, or create the folder",
        )
    seen: set[str] = set()
    starts = [str(folder)]
    while starts:
        # Links last: none may take a key from a document that is here without it.
        start = min(starts)
        starts.remove(start)
        if os.path.realpath(start) not in seen:
            for parent, entries in _walk_one(start, seen, starts, is_root=start == str(folder)):
                yield from _documents(entries, parent.absolute(), below)


def _walk_one(
    start: str, seen: set[str], links: list[str], *, is_root: bool
) -> Iterator[tuple[Path, list[Entry]]]:
    """Yield the folders from one on, each with what else is in it; links to folders: `links`."""
    waiting = [start]
    while waiting:
        parent = waiting.pop()
        folders, others = _inside(parent)
        pulled = any(entry.name == "pull.json" for entry in others)
        real = os.path.realpath(parent)
        if real in seen or (pulled and not (is_root and parent == start)):
            continue
        seen.add(real)
        for entry in folders:
            if not entry.name.startswith(".") and entry.name not in _NO_DOCUMENTS:
                (links if entry.is_symlink() else waiting).append(entry.path)
        yield Path(parent), others


def _inside(folder: str) -> tuple[list[Entry], list[Entry]]:
    """Return the folders in a folder, and what else is there. Raises SourceError."""
    folders: list[Entry] = []
    others: list[Entry] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                (folders if _is_folder(entry) else others).append(entry)
    except OSError as error:
        raise SourceError(
            f"{error.filename}: {error.strerror}", remedy="make the folder readable"
        ) from error
    return folders, others


def _is_folder(entry: Entry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _documents(entries: list[Entry], parent: Path, below: Path) -> Iterator[tuple[Source, bool]]:
    place = _key(parent, below)
    prefix = "" if place == "." else f"{place}/"
    for entry in filter(_is_document, entries):
        key = prefix + unicodedata.normalize("NFC", entry.name)
        yield Source(parent / entry.name, key), entry.is_symlink()


def _is_document(entry: Entry) -> bool:
    name = entry.name
    if name.startswith(".") or name in _SECTION_PAGES or not name.lower().endswith(_SUFFIXES):
        return False
    try:
        return entry.is_file(follow_symlinks=False) or stat.S_ISREG(entry.stat().st_mode)
    except OSError:  # reading it says why
        return True
