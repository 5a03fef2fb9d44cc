"""Files written whole or not at all."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import IO, Final

from publisher.errors import StateError

_LONGEST_STEM: Final = 100
_RANDOM: Final = re.compile("[0-9a-f]{16}")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Every change of ours on the disk happens in this context: written, replaced, removed.

    Raises StateError where the disk refuses.
    """
    try:
        yield
    except OSError as error:
        raise StateError(
            f"{path}: {error.strerror}", remedy="make the folder writable, or free some space"
        ) from error


def write_atomically(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write a file so that a crash leaves the old or the new content, never a part.

    `durable` also waits until it is on the disk. A symbolic link at `path` is replaced, not
    followed. Raises StateError.
    """
    write_parts(path, [content], durable=durable)


def write_parts(path: Path, parts: Iterable[bytes], *, durable: bool = True) -> None:
    """Write a file as `write_atomically` does, of which only a part is in memory at a time."""
    remove_abandoned(path.parent, path.name)
    with _replacing(path, durable=durable) as file:
        for part in parts:
            left = memoryview(part)
            while left:
                left = left[os.write(file.fileno(), left) :]


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Write a large file so that a crash leaves the old or the new one. Raises StateError.

    What a crash leaves of the new one, `remove_abandoned` removes.
    """
    with _replacing(path, durable=True) as file:
        yield file


@contextmanager
def _replacing(path: Path, *, durable: bool) -> Iterator[FileIO]:
    with writing(path):
        temporary, opened = _begin(path)
        with opened as file:
            try:
                yield file
                if durable:
                    os.fsync(file.fileno())
                temporary.replace(path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise


def _begin(path: Path) -> tuple[Path, FileIO]:
    """Begin a file beside `path`, and hold it until it is closed or the process ends."""
    while True:
        temporary = path.with_name(f"{_stem(path.name)}.{secrets.token_hex(8)}")
        file = open_new(temporary)
        with suppress(OSError):  # not every file system knows holds, and who removes it needs one
            fcntl.flock(file, fcntl.LOCK_EX)  # who looks whether it is held lets go at once
        if temporary.exists():
            return temporary, file
        file.close()  # it was taken for abandoned before it was held


def _stem(name: str) -> str:
    return f".{name[:_LONGEST_STEM]}"


def remove_abandoned(folder: Path, name: str | None = None) -> None:
    """Remove what writers that were killed left of the file `name`; of every file without it.

    No link is followed. What somebody holds, or what can't be removed, stays.
    """
    with suppress(OSError, StateError), os.scandir(folder) as found:
        for entry in found:
            stem, _, random = entry.name.rpartition(".")
            is_ours = stem.startswith(".") if name is None else stem == _stem(name)
            if is_ours and _RANDOM.fullmatch(random) and entry.is_file(follow_symlinks=False):
                _remove_unheld(Path(entry))


def _remove_unheld(path: Path) -> None:
    with suppress(OSError, StateError), open(path, "r+b", 0, opener=_without_links) as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with writing(path):
            path.unlink()


def open_new(path: Path | str) -> FileIO:
    """Begin a file where nothing is, not even a link. Raises FileExistsError, OSError."""
    return FileIO(path, "xb")


def write_whole(file: IO[bytes], content: bytes) -> None:
    """Write all bytes into a file without a buffer. Raises OSError."""
    left = memoryview(content)
    while left:
        left = left[file.write(left) :]


class Hashed:
    """What is written into a file, hashed as it comes."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._size = 0
        self._sha256 = hashlib.sha256()

    def begin(self) -> None:
        """Begin anew: what was written until now is cut off."""
        if self._size:
            self._file.seek(0)
            self._file.truncate()
        self._size = 0
        self._sha256 = hashlib.sha256()

    def write(self, part: bytes) -> None:
        """Write a part. Raises OSError."""
        self._size += len(part)
        self._sha256.update(part)
        write_whole(self._file, part)

    @property
    def digest(self) -> bytes:
        """The SHA-256 of what was written."""
        return self._sha256.digest()


_KINDS: Final = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
}


def content_of(path: Path, most: int | None = None) -> bytes:
    """Return what a file holds; no link is followed, no pipe or device opened.

    Raises OSError, for more than `most` bytes, too.
    """
    kind = stat.S_IFMT(path.lstat().st_mode)
    if kind != stat.S_IFREG:
        raise OSError(errno.EINVAL, f"is {_KINDS.get(kind, 'a device')}", str(path))
    with open(path, "rb", buffering=0, opener=_without_links) as file:
        if most is None:
            return file.read()
        if (size := os.fstat(file.fileno()).st_size) > most:
            raise OSError(errno.EFBIG, f"has {size:,} bytes", str(path))
        return file.read(most)


def digest_of(path: Path) -> bytes:
    """Return the SHA-256 of a file, read part by part; no link is followed. Raises OSError."""
    with open(path, "rb", buffering=0, opener=_without_links) as file:
        return hashlib.file_digest(file, "sha256").digest()


def _without_links(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
