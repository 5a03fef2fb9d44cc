"""A file system of its own, small enough to be full."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_ROOMY: Final = 16 << 20


@dataclass(frozen=True, slots=True)
class Disk:
    """A mounted tmpfs."""

    folder: Path

    def leave(self, free: int) -> None:
        """Leave so many bytes free; a file takes whole pages."""
        now = os.statvfs(self.folder)
        self._resize((now.f_blocks - now.f_bfree) * now.f_frsize + free)

    def enlarge(self) -> None:
        """Leave more than enough."""
        self._resize(_ROOMY)

    def _resize(self, size: int) -> None:
        _call("mount", "-o", f"remount,size={size}", str(self.folder))


@contextmanager
def small_disk(folder: Path) -> Iterator[Disk]:
    """Mount a tmpfs at a new folder; skip the test where that isn't allowed."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root on Linux mounts a tmpfs")
    folder.mkdir()
    try:
        _call("mount", "-t", "tmpfs", "-o", f"size={_ROOMY}", "tmpfs", str(folder))
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"a tmpfs can't be mounted here: {error}")
    try:
        yield Disk(folder)
    finally:
        _call("umount", "--lazy", str(folder))


def _call(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
