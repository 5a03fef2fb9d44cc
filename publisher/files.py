"""Files written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from publisher.errors import StateError


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
    with (
        writing(path),
        tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name[:100]}.", delete=False
        ) as file,
    ):
        _write_and_replace(file.name, file.fileno(), path, content, durable=durable)


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Write a large file so that a crash leaves the old or the new one. Raises StateError."""
    with (
        writing(path),
        tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name[:100]}.", delete=False
        ) as file,
    ):
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).chmod(0o666 & ~_umask())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink()
            raise


def _write_and_replace(
    name: str, descriptor: int, path: Path, content: bytes, *, durable: bool
) -> None:
    try:
        left = memoryview(content)
        while left:
            left = left[os.write(descriptor, left) :]
        if durable:
            os.fsync(descriptor)
        Path(name).chmod(0o666 & ~_umask())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink()
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
