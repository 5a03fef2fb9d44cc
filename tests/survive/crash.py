"""The command, ended at a chosen point.

    python -m tests.survive.crash POINT FILE publish …

Points are counted before and after each request and each change on the disk, at the two functions
through which all of them pass. With POINT 0 nothing ends, and their number goes into FILE. With
FAULT=ENOSPC (or another name of errno) in the environment, the N-th change on the disk fails
instead. All that is logged goes to stderr.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from publisher import files, transport

KILLED = 9
FAULT = os.environ.get("FAULT", "")


class Points:
    """Counts the points that are passed; the chosen one ends the process."""

    def __init__(self, chosen: int) -> None:
        self.passed = 0
        self._chosen = chosen
        self._lock = threading.Lock()

    def passes(self) -> None:
        """Count one."""
        with self._lock:
            self.passed += not FAULT
            if self.passed == self._chosen and not FAULT:
                os._exit(KILLED)

    def fails_here(self) -> None:
        """Count a change on the disk, which may be the one that fails."""
        with self._lock:
            self.passed += bool(FAULT)
            if self.passed == self._chosen and FAULT:
                number = getattr(errno, FAULT)
                raise OSError(number, os.strerror(number))


def install(points: Points) -> None:
    """Let every request and every change on the disk pass the points."""
    send, writing = transport.GuardedTransport.handle_request, files.writing

    def counted(guarded: transport.GuardedTransport, request: httpx.Request) -> httpx.Response:
        points.passes()
        answer = send(guarded, request)
        points.passes()
        return answer

    @contextmanager
    def counted_writing(path: Path) -> Iterator[None]:
        points.passes()
        with writing(path):
            points.fails_here()
            yield
        points.passes()

    setattr(transport.GuardedTransport, "handle_request", counted)  # noqa: B010  # not for mypy
    files.writing = counted_writing


def main() -> None:
    """Run the command; small batches, so that there are several."""
    chosen, told, *arguments = sys.argv[1:]
    points = Points(int(chosen))
    install(points)
    logging.basicConfig(level=logging.DEBUG)
    # After that: modules take `writing` by name.
    from publisher import cli
    from publisher.apply import applier
    from publisher.pds import wire

    wire.MAX_WRITES = 3
    applier.WRITTEN_AHEAD = 3
    applier.FEW = int(os.environ.get("FEW", applier.FEW))
    sys.argv = ["publisher", *arguments]
    try:
        cli.main()
    finally:
        Path(told).write_text(str(points.passed))


if __name__ == "__main__":
    main()
