"""What a record becomes in a folder: canonical JSON, or Markdown with front matter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from publisher import data
from publisher.cores import pieces, spread
from publisher.data import InvalidCbor, Value, blob_refs
from publisher.documents import escape_rkey
from publisher.progress import Progress
from publisher.pulling.folder import OutputFolder, PulledFile, Wanted
from publisher.pulling.state import File, Held

_PIECE: Final = 100  # records that go to a process at once
_ALONE: Final = 2 * _PIECE


@dataclass(slots=True)
class Names:
    """The names of files, of which no two differ by case alone: many disks don't tell them apart.

    `taken` are those of earlier pulls, by record.
    """

    taken: Mapping[str, str]
    _used: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._used = {path.casefold(): key for key, path in self.taken.items()}

    def of(self, key: str, paths: Iterable[str]) -> str:
        """Return the name that a record has, else the first of `paths` that is free."""
        if key in self.taken:
            return self.taken[key]
        path = ""
        for path in paths:
            if self._used.setdefault(path.casefold(), key) == key:
                return path
        return path


def json_names(key: str) -> Iterator[str]:
    """Yield where a record's JSON may lie, in the folder of its collection."""
    collection, _, rkey = key.partition("/")
    yield f"{collection}/{escape_rkey(rkey)}.json"
    yield f"{collection}/{escape_rkey(rkey, cases=True)}.json"


@dataclass(frozen=True, slots=True)
class Work:
    """A record that is to be written: its place in the repo and in the folder."""

    key: str
    cid: str
    path: str
    block: bytes


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a record: its file, and what is remembered of both where it was written."""

    key: str
    file: PulledFile
    written: File | None = None
    held: Held | None = None


def write(folder: OutputFolder, work: Work) -> Done:
    """Write a record as JSON. Raises StateError."""
    try:
        value = data.decode(work.block)
        reason = "" if isinstance(value, dict) else "it is no object"
    except InvalidCbor as error:
        value, reason = None, str(error)
    if reason:
        reason = f"is no record of the data model: {reason}"
        return Done(work.key, PulledFile(work.path, "failed", work.cid, reason))
    file = folder.put(
        Wanted(work.path, work.cid, partial(text_of, value), partial(is_record, work.cid))
    )
    written = folder.files.get(work.path)
    return Done(work.key, file, written, Held(work.path, blobs_of(value)))


def write_all(
    folder: OutputFolder, works: Iterable[Work], count: int, progress: Progress, *, alone: bool
) -> Iterator[Done]:
    """Write `count` records; many over all cores, unless it must be done `alone`."""
    if alone or count <= _ALONE:
        for work in works:
            yield write(folder, work)
            progress.advance()
        return
    begin = partial(_begin, folder.path, folder.files, force=folder.force)
    for part in spread(_write_piece, pieces(works, _PIECE), progress, begin=begin):
        yield from part
        progress.advance(len(part))


_folders: list[OutputFolder] = []
"""The folder that this process writes to for another one."""


def _begin(path: Path, known: Mapping[str, File], *, force: bool) -> None:
    _folders[:] = [OutputFolder(path, known, force=force)]


def _write_piece(works: Sequence[Work]) -> list[Done]:
    return [write(_folders[0], work) for work in works]


def text_of(value: Value) -> bytes:
    """Return a record's file."""
    return data.dumps(value).encode()


def blobs_of(value: Value) -> tuple[str, ...]:
    """Return the CIDs of the blobs that a record refers to, each once."""
    return tuple(dict.fromkeys(str(blob.cid) for blob in blob_refs(value)))


def is_record(cid: str, content: bytes) -> bool:
    """Tell whether JSON, however it is written, is the record of the CID."""
    try:
        return data.record_cid(data.loads(content)) == cid
    except data.DataError:
        return False
