"""Files on their way: a name beside each file until it is whole, and what killed pulls left."""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Final

from publisher.files import open_new, writing
from publisher.pulling.manifest import MANIFEST
from publisher.pulling.state import HOLD

_PART: Final = re.compile(rf"\.[0-9]+-[0-9]+\.pull|\.{re.escape(MANIFEST)}\.[0-9a-z_]+")
_FOLDERS: Final = 2
"""How deep files lie below the output folder: in their collection's folder, or in one of those."""


@contextmanager
def part_of(target: Path) -> Iterator[FileIO]:
    """Write a file that gets the name of `target` at the end, or is removed. Raises StateError.

    A link at either name is replaced, not followed.
    """
    # Text in place of a Path takes a tenth off the writing of many records.
    part = f"{target.parent}/.{os.getpid()}-{threading.get_ident()}.pull"
    with writing(target), _opened(part) as file:
        try:
            yield file
            os.replace(part, target)  # noqa: PTH105
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise


class TakenError(Exception):
    """Something has the name already that a new file was to get."""


def write_new(target: Path, content: bytes) -> os.stat_result | None:
    """Write a file that has no name until it is whole; a kill before leaves nothing.

    ext4 finds room for it without the lock of its folder, for which other processes would wait.
    None where the system or the disk can't do it. Raises TakenError: nothing is replaced.
    """
    if sys.platform != "linux":
        return None
    with writing(target):
        try:
            file = os.open(target.parent, os.O_WRONLY | os.O_TMPFILE | os.O_CLOEXEC, 0o666)
        except OSError:
            return None
        try:
            return _named(file, target, content)
        except FileExistsError as error:
            raise TakenError from error
        except OSError:
            return None
        finally:
            os.close(file)


def _named(file: int, target: Path, content: bytes) -> os.stat_result:
    left = memoryview(content)
    while left:
        left = left[os.write(file, left) :]
    seen = os.fstat(file)
    # With `src_dir_fd`, which an absolute path leaves unused, Python has the link there followed.
    os.link(f"/proc/self/fd/{file}", target, src_dir_fd=file)
    return seen


def _opened(part: str) -> FileIO:
    """Begin a file; what lies there, a link even, is removed and not written into."""
    try:
        return open_new(part)
    except FileExistsError:
        Path(part).unlink()
        return open_new(part)


def remove_parts(root: Path) -> None:
    """Remove what pulls that were killed left behind; no other may be at work. Raises StateError.

    No link is followed. 10,000 files take 5 ms.
    """
    with writing(root):
        for part in list(_parts(root, _FOLDERS)):
            part.unlink()


def _parts(folder: Path, below: int) -> Iterator[Path]:
    with os.scandir(folder) as found:
        entries = list(found)
    if below < _FOLDERS and any(entry.name == HOLD for entry in entries):
        return  # another pull may be at work there
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            if below and entry.name != ".trash":
                yield from _parts(Path(entry), below - 1)
        elif _PART.fullmatch(entry.name):
            yield Path(entry)
