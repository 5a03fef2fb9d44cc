"""A folder of files becomes Documents: Markdown with front matter, and JSON records."""

from __future__ import annotations

import errno
import os
import stat
import unicodedata
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path

from publisher.documents.json_record import escape_rkey, read_json
from publisher.documents.markdown import read_markdown
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
    "read",
    "source_of",
]

READERS: dict[str, Callable[[Source, bytes, Context], Reading]] = {
    ".json": read_json,
    ".markdown": read_markdown,
    ".md": read_markdown,
}
"""The reader of each suffix; another format is another line here."""

_NO_DOCUMENTS = frozenset({"node_modules", "__pycache__"})
_SECTION_PAGES = frozenset({"_index.md", "_index.markdown"})


def find(folder: Path) -> Iterator[Source]:
    """Yield the documents below a folder, in the order of their keys.

    Symbolic links are followed, and each folder is read once: as itself where it is below
    `folder`, else by the first link that leads there. Left out: hidden folders, node_modules,
    section pages (`_index.md`), and folders that a pull wrote (they hold `pull.json`), unless
    `folder` is one itself. Raises SourceError.
    """
    yield from sorted(
        (source_of(path, folder) for path in _walk(folder)), key=lambda found: found.key
    )


def source_of(path: Path, folder: Path) -> Source:
    """Return a file as a source; its key is its path below `folder`."""
    relative = Path(os.path.relpath(path, folder)).as_posix()
    return Source(path, unicodedata.normalize("NFC", relative))


def read(source: Source, context: Context) -> Reading:
    """Read one file with the reader of its suffix; what is wrong with it is in `findings`."""
    reader = READERS.get(source.path.suffix.lower())
    if reader is None:
        message = f"no reader for {source.path.suffix or 'a file without suffix'}"
        remedy = f"name a file that ends in {', '.join(sorted(READERS))}"
        return Reading(source, None, (Finding("", "suffix", message, "error", remedy),))
    if _is_not_utf8(source.key):
        finding = Finding("", "file-name", "the file's name is not UTF-8", "error", "rename it")
        return Reading(source, None, (finding,))
    try:
        content = source.path.read_bytes()
    except OSError as error:
        lost = error.errno in {errno.ENOENT, errno.ELOOP} and source.path.is_symlink()
        remedy = "mend the link, or remove it" if lost else "make it readable"
        finding = Finding("", "unreadable", str(error.strerror), "error", remedy)
        return Reading(source, None, (finding,))
    return reader(source, content, context)


def _is_not_utf8(name: str) -> bool:
    """Tell whether a name holds bytes that Python could only keep as lone surrogates."""
    return any("\ud800" <= character <= "\udfff" for character in name)


def _walk(folder: Path) -> Iterator[Path]:
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
            starts += yield from _walk_one(start, seen, is_root=start == str(folder))


def _walk_one(start: str, seen: set[str], *, is_root: bool) -> Generator[Path, None, list[str]]:
    """Yield the files below one folder, links to folders aside: these are returned."""
    links = []
    for parent, folders, files in os.walk(start, onerror=_unreadable):
        real = os.path.realpath(parent)
        if real in seen or ("pull.json" in files and not (is_root and parent == start)):
            folders.clear()
            continue
        seen.add(real)
        kept = [Path(parent, name) for name in _kept(folders)]
        links += [str(path) for path in kept if path.is_symlink()]
        folders[:] = [path.name for path in kept]
        yield from (path for name in files if _is_document(path := Path(parent, name)))
    return links


def _is_document(path: Path) -> bool:
    if path.suffix.lower() not in READERS or path.name.startswith("."):
        return False
    if path.name in _SECTION_PAGES:
        return False
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:  # reading it says why
        return True


def _kept(folders: Iterable[str]) -> Iterator[str]:
    return (name for name in folders if not name.startswith(".") and name not in _NO_DOCUMENTS)


def _unreadable(error: OSError) -> None:
    raise SourceError(
        f"{error.filename}: {error.strerror}", remedy="make the folder readable"
    ) from error
