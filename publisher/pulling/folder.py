"""The folder that a pull writes into: never over what is the user's, never outside of it."""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Final, Literal, TypeAlias

from publisher.data import RAW, Cid
from publisher.errors import RepoRefused, StateError
from publisher.files import content_of, digest_of, write_whole, writing
from publisher.findings import Finding
from publisher.pulling.parts import TakenError, part_of, remove_parts, write_new
from publisher.pulling.state import File

TRASH: Final = ".trash"
_LONGEST_NAME: Final = 255  # bytes, on the usual file systems
_NO_FILE: Final = "no file"
_CHANGED: Final = "was changed here since it was pulled; --force replaces it"
_Present: TypeAlias = bytes | Literal["no file"] | None
"""Bytes of or about a file, that it is no file but a link or a folder, or that nothing is there."""

FileStatus = Literal["new", "updated", "unchanged", "kept", "trashed", "deleted", "failed"]


@dataclass(frozen=True, slots=True)
class PulledFile:
    """A file below the output folder; `kept` is the user's, `trashed` no longer needed.

    `losses` are what it doesn't say of its record, each with its field; `findings` are what is odd
    about the record.
    """

    path: str
    status: FileStatus
    cid: str
    reason: str = ""
    losses: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file that shall be there: the CID that it stands for, and what it holds.

    `content` is asked for only when it may be written; it raises RepoRefused where it can't be had.
    `same` tells of bytes that aren't the content whether they stand for the CID all the same.
    """

    path: str
    cid: str
    content: Callable[[], bytes]
    same: Callable[[bytes], bool] = lambda _content: False


class OutputFolder:
    """Writes files below `path`; thread-safe. `known` are those of earlier pulls.

    `files` is what is known of each now.
    """

    def __init__(self, path: Path, known: Mapping[str, File], *, force: bool) -> None:
        self.path = path
        self.files = dict(known)
        self.force = force
        self._text = str(path)
        self._real = path.resolve()
        self._made: set[Path] = set()
        self._seen: dict[str, File] = {}  # what was found as it was written
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[object, ...]:
        """Go to another process, which begins with what is known now."""
        return partial(OutputFolder, force=self.force), (self.path, self.files)

    def begin(self) -> None:
        """Make the folder itself, and remove what killed pulls left there. Raises StateError."""
        self._make(self.path)
        remove_parts(self.path)

    def has(self, path: str, cid: str) -> bool:
        """Tell whether a file is there as it was written for the CID, by its size and time."""
        known = self.files.get(path)
        if known is None or known.cid != cid:
            return False
        if self._seen.get(path) is known:
            return True
        untouched = _is_untouched(f"{self._text}/{path}", known)
        if untouched:
            self._seen[path] = known
        return untouched

    def content(self, path: str) -> bytes | None:
        """Return what a file holds that was written here; None where it wasn't."""
        present = _look(self.path / path, content_of) if path in self.files else None
        return None if present == _NO_FILE else present

    def outdate(self, paths: Iterable[str]) -> None:
        """Have files written again, though they stand for the same CIDs."""
        for path in paths:
            self.files[path] = self.files[path]._replace(cid="")

    def put(self, wanted: Wanted) -> PulledFile:
        """Bring one file up to date. Raises StateError."""
        path, cid = wanted.path, wanted.cid
        target = self.path / path
        if too_long := [part for part in path.split("/") if len(part.encode()) > _LONGEST_NAME]:
            what = "record key" if path.endswith(too_long[0]) else "collection"
            return PulledFile(path, "failed", cid, f"its {what} is too long for a file name")
        if self.has(path, cid):
            return PulledFile(path, "unchanged", cid)
        self._make(target.parent)
        try:
            return self._put(target, wanted, _look(target, content_of))
        except RepoRefused as error:
            return PulledFile(path, "failed", cid, error.message)

    def fetch(self, path: str, cid: str, fetch: Callable[[str, IO[bytes]], None]) -> PulledFile:
        """Bring the file of a blob up to date; `fetch` writes it where it isn't here already.

        What `fetch` writes is the blob, or it raises. Raises StateError, too.
        """
        target = self.path / path
        if self.has(path, cid):
            return PulledFile(path, "unchanged", cid)
        self._make(target.parent)
        present = _look(target, digest_of)
        if isinstance(present, bytes) and str(Cid.hashed(present, RAW)) == cid:
            return self._keep(target, cid, present)
        if present is not None and not self.force:
            return PulledFile(path, "kept", cid, _CHANGED)
        try:
            with part_of(target) as file:
                fetch(cid, file)
                seen = os.fstat(file.fileno())
        except RepoRefused as error:
            return PulledFile(path, "failed", cid, error.message)
        self._remember(path, cid, seen, Cid.parse(cid).digest)
        return PulledFile(path, "new" if present is None else "updated", cid)

    def _put(self, target: Path, wanted: Wanted, present: _Present) -> PulledFile:
        content: bytes | None = None
        if present is None:
            return self._write(target, wanted, wanted.content(), "new")
        if isinstance(present, bytes):
            known = self.files.get(wanted.path)
            if known and hashlib.sha256(present).digest() == known.digest:
                if known.cid == wanted.cid:
                    return self._keep(target, wanted.cid, known.digest)
                content = wanted.content()
                if content == present:
                    return self._keep(target, wanted.cid, known.digest)
                return self._write(target, wanted, content, "updated")
            if wanted.same(present) or (content := wanted.content()) == present:
                return self._keep(target, wanted.cid, hashlib.sha256(present).digest())
        if self.force:
            content = wanted.content() if content is None else content
            return self._write(target, wanted, content, "updated")
        return PulledFile(wanted.path, "kept", wanted.cid, _CHANGED)

    def remove(
        self, paths: Iterable[str], *, into: str | None, reasons: Mapping[str, str]
    ) -> list[PulledFile]:
        """Take away files of earlier pulls: into a folder of the trash, or for good.

        What was changed here is kept. `reasons` say of some what became of them.
        """
        done = []
        for path in sorted(paths):
            known = self.files[path]
            why = reasons.get(path, "is no longer needed")
            target = self.path / path
            present = _look(target, digest_of) if self._is_inside(target.parent) else None
            if present is None:
                self.files.pop(path)
            elif present != known.digest:
                done.append(PulledFile(path, "kept", known.cid, f"{why}, but was changed here"))
            else:
                done.append(self._take_away(path, known, into, why))
        return done

    def _take_away(self, path: str, known: File, into: str | None, why: str) -> PulledFile:
        target = self.path / path
        self.files.pop(path)
        if into is None:
            with writing(target):
                target.unlink()
            return PulledFile(path, "deleted", known.cid, why)
        trash = self.path / TRASH / into / path
        self._make(trash.parent)
        with writing(target):
            target.replace(trash)
        return PulledFile(path, "trashed", known.cid, f"{why}; the file is in {TRASH}/{into}")

    def _write(
        self, target: Path, wanted: Wanted, content: bytes, status: FileStatus
    ) -> PulledFile:
        try:
            seen = write_new(target, content) if status == "new" else None
        except TakenError:  # it came since the place was looked at
            return self.put(wanted)
        if seen is None:
            with part_of(target) as file:
                write_whole(file, content)
                seen = os.fstat(file.fileno())
        self._remember(wanted.path, wanted.cid, seen, hashlib.sha256(content).digest())
        return PulledFile(wanted.path, status, wanted.cid)

    def _keep(self, target: Path, cid: str, digest: bytes) -> PulledFile:
        path = target.relative_to(self.path).as_posix()
        self._remember(path, cid, target.lstat(), digest)
        return PulledFile(path, "unchanged", cid)

    def _remember(self, path: str, cid: str, seen: os.stat_result, digest: bytes) -> None:
        with self._lock:
            self.files[path] = File(cid, seen.st_size, seen.st_mtime_ns, digest)

    def _make(self, folder: Path) -> None:
        """Make a folder, which must not lead elsewhere. Raises StateError."""
        if folder in self._made:
            return
        if not self._is_inside(folder):  # before: nothing may be made where it leads
            raise StateError(
                f"{folder} leads out of {self.path}", remedy="remove the symbolic link there"
            )
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        self._made.add(folder)

    def _is_inside(self, folder: Path) -> bool:
        return folder.resolve().is_relative_to(self._real)


def _look(target: Path, read: Callable[[Path], bytes]) -> _Present:
    """Return what `read` returns of a file, if it is one. Raises StateError."""
    try:
        if not stat.S_ISREG(os.lstat(target).st_mode):  # of text: a third of what pathlib takes
            return _NO_FILE
        return read(target)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateError(f"{target}: {error.strerror}", remedy="make it readable") from error


def _is_untouched(path: str, known: File) -> bool:
    try:
        seen = os.lstat(path)  # a tenth of what pathlib takes, and there are many
    except OSError:
        return False
    return stat.S_ISREG(seen.st_mode) and (seen.st_size, seen.st_mtime_ns) == (
        known.size,
        known.mtime,
    )
