"""State on disk: `publisher.lock` (committed), `.publisher/` (the journal, one run at a time)."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import IO, TypeVar

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, StrictInt, StrictStr, ValidationError

from publisher.documents.model import MARKDOWN_OWNED
from publisher.errors import StateError
from publisher.files import write_atomically, write_parts, writing
from publisher.plan import LockEntry
from publisher.syntax import Did, Nsid, Rkey

FILE_NAME = "publisher.lock"
FOLDER_NAME = ".publisher"
JOURNAL_NAME = "journal"
VERSION = 1
_TOGETHER = 1_000  # lines that are written at once

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Lock:
    """What was published last, by document; `did` is None while nothing was.

    `migrated` is the repo that the documents were pulled from, where they were migrated.
    """

    did: Did | None = None
    entries: Mapping[str, LockEntry] = field(default_factory=dict)
    migrated: Did | None = None


class _Version(BaseModel):
    version: StrictInt


class _Head(_Version):
    model_config = ConfigDict(extra="forbid")
    did: StrictStr
    migrated: StrictStr | None = None


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid")
    did: StrictStr | None = None  # in the journal only
    key: StrictStr
    path: StrictStr | None = None  # where it isn't the key
    collection: StrictStr
    rkey: StrictStr
    cid: StrictStr
    owned: StrictStr
    content: StrictStr | None = None
    fields: list[StrictStr] | None = None


def load(root: Path) -> Lock:
    """Read `publisher.lock`; one that isn't there is empty. Raises StateError with the line."""
    path = root / FILE_NAME
    try:
        with path.open(encoding="utf-8") as file:
            return _loaded(file, path)
    except FileNotFoundError:
        return Lock()
    except (OSError, UnicodeDecodeError) as error:
        raise StateError(f"{path}: {error}", remedy="make it readable, or restore it") from error


def _loaded(file: Iterable[str], path: Path) -> Lock:
    lines = (line.removesuffix("\n") for line in file)
    first, second = next(lines, ""), next(lines, None)
    if not first and second is None:
        return Lock()
    head = _head(first, path)
    entries: dict[str, LockEntry] = {}
    for number, text in enumerate(lines if second is None else chain([second], lines), 2):
        entry = _entry(_parsed(_Line, text, path, number))
        if entry.key in entries:
            raise StateError(
                f"{path}, line {number}: {entry.key!r} stands here twice",
                remedy="keep the line of the record that is in the repo, delete the other",
            )
        entries[entry.key] = entry
    return Lock(Did(head.did), entries, Did(head.migrated) if head.migrated else None)


def _head(text: str, path: Path) -> _Head:
    # Looked at alone first: a newer version may have more in this line.
    version = _parsed(_Version, text, path, 1).version
    if version != VERSION:
        raise StateError(
            f"{path}: version {version} of the lock is unknown here", remedy="update publisher"
        )
    return _parsed(_Head, text, path, 1)


def save(root: Path, lock: Lock) -> None:
    """Replace `publisher.lock` atomically: sorted, one line a document, so that git merges it."""
    head = {"version": VERSION, "did": lock.did}
    if lock.migrated:
        head["migrated"] = lock.migrated
    lines = (_text(lock.entries[key]) for key in sorted(lock.entries))
    write_parts(root / FILE_NAME, _joined(chain([json.dumps(head)], lines)))


def _joined(lines: Iterator[str]) -> Iterator[bytes]:
    """Yield the lines' bytes, many at a time."""
    while some := list(islice(lines, _TOGETHER)):
        yield "".join(f"{line}\n" for line in some).encode()


def read_journal(root: Path, did: Did) -> list[LockEntry]:
    """Return what was about to be sent to this account when an earlier run ended.

    A last line that was torn is no line. Raises StateError.
    """
    path = root / FOLDER_NAME / JOURNAL_NAME
    return [_entry(line) for line in _journal_lines(path) if line.did == did]


def _journal_lines(path: Path) -> Iterator[_Line]:
    """Yield the lines one by one: before a run has ended there are as many as documents."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.endswith(b"\n"):
                    text = line[:-1].decode("utf-8", "replace")
                    yield _parsed(_Line, text, path, number)
    except FileNotFoundError:
        return
    except OSError as error:
        raise StateError(f"{path}: {error}", remedy="make it readable, or delete it") from error


@dataclass(frozen=True, slots=True)
class Settled:
    """The places of which the lock says enough now."""

    places: frozenset[tuple[str, str]]

    @classmethod
    def by(cls, entries: Iterable[LockEntry]) -> Settled:
        """Return what these lines of the lock settle, those that are dropped too."""
        return cls(frozenset((entry.collection, entry.rkey) for entry in entries))

    def covers(self, intent: LockEntry | _Line) -> bool:
        """Tell whether a line of the journal is needed no longer."""
        return (intent.collection, intent.rkey) in self.places


class Journal:
    """Entries written down, and on the disk, before they are sent to the account `did`."""

    def __init__(self, root: Path, did: Did) -> None:
        self.did = did
        self._path = root / FOLDER_NAME / JOURNAL_NAME
        self._file: IO[bytes] | None = None

    def write(self, entries: Iterable[LockEntry]) -> None:
        """Append the entries; they are on the disk when this returns. Raises StateError."""
        lines = b"".join(_text(entry, self.did).encode() + b"\n" for entry in entries)
        try:
            with writing(self._path):
                if self._file is None:
                    self._file = self._path.open("a+b", buffering=0)
                    _cut_torn_line(self._file)
                _write_all(self._file, lines)
                os.fsync(self._file.fileno())
        except BaseException:
            self.close()  # the line may be torn: whoever writes next, cuts it
            raise

    def settle(self, entries: Iterable[LockEntry]) -> None:
        """Forget what the lock has now; what is still open stays. Raises StateError."""
        self.close()
        settled = Settled.by(entries)
        kept = dict.fromkeys(
            line.model_dump_json(exclude_none=True)
            for line in _journal_lines(self._path)
            if line.did != self.did or not settled.covers(line)
        )
        if kept:
            write_parts(self._path, _joined(iter(kept)))
        elif self._path.exists():
            with writing(self._path):
                self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file."""
        if self._file:
            self._file.close()
            self._file = None


def _write_all(file: IO[bytes], content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[file.write(left) :]


def _cut_torn_line(file: IO[bytes]) -> None:
    file.seek(0)
    file.truncate(file.read().rfind(b"\n") + 1)


@contextmanager
def one_run(root: Path, did: Did) -> Iterator[Journal]:
    """Make `.publisher/` and hold it for this process; the hold dies with the process.

    Raises StateError when another run holds it or the folder can't be written.
    """
    folder = root / FOLDER_NAME
    hold = FileLock(folder / "run", timeout=0)
    with writing(folder):
        folder.mkdir(exist_ok=True)
        try:
            hold.acquire()
        except Timeout as error:
            raise StateError(
                f"another `publisher publish` is at work in {root}",
                remedy="wait until it has ended",
            ) from error
    journal = Journal(root, did)
    try:
        if not (folder / ".gitignore").exists():
            write_atomically(folder / ".gitignore", b"*\n")
        yield journal
    finally:
        journal.close()
        hold.release()


def _parsed(model: type[Model], text: str, path: Path, number: int) -> Model:
    if text.startswith(("<<<<<<<", "=======", ">>>>>>>")):
        raise StateError(
            f"{path}, line {number}: a merge was left unfinished",
            remedy="keep one line for each document and delete the markers",
        )
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        raise StateError(
            f"{path}, line {number}: {'.'.join(map(str, fault['loc']))} {fault['msg']}",
            remedy="restore it from git; or delete it, and records are found again by their keys",
        ) from error


def _entry(line: _Line) -> LockEntry:
    fields = MARKDOWN_OWNED if line.fields is None else frozenset(line.fields)
    return LockEntry(
        line.key,
        line.path or line.key,
        Nsid(sys.intern(line.collection)),
        Rkey(line.rkey),
        line.cid,
        line.owned,
        line.content,
        fields,
    )


def _text(entry: LockEntry, did: Did | None = None) -> str:
    line = _Line(
        did=did,
        key=entry.key,
        path=entry.path if entry.path != entry.key else None,
        collection=entry.collection,
        rkey=entry.rkey,
        cid=entry.cid,
        owned=entry.owned,
        content=entry.content,
        fields=sorted(entry.fields) if entry.fields != MARKDOWN_OWNED else None,
    )
    return json.dumps(line.model_dump(exclude_none=True), ensure_ascii=False)
