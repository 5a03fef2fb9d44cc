"""The points at which a run can be ended: around each request and each change on the disk.

All of them pass through two functions, `GuardedTransport.handle_request` and `files.writing`.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypeAlias

import httpx

from publisher import files
from publisher.transport import GuardedTransport

KILLED = 9
Act: TypeAlias = Callable[[str], None]
"""Is told each point by its name, in any thread: 'before disk journal 2' is the second of these."""


def watch(act: Act) -> None:
    """Let `act` be told of each point of this process from now on."""
    seen: Counter[str] = Counter()
    turn = threading.Lock()

    def reach(kind: str) -> None:
        with turn:
            seen[kind] += 1
            name = f"{kind} {seen[kind]}"
        act(name)

    _watch_requests(reach)
    _watch_disk(reach)


def teller(log: Path, *, kill_at: str, fail_at: str, errno: int) -> Act:
    """Return what writes each point into `log`, and ends the process or fails at one of them.

    Failing is the disk's: OSError with this `errno`.
    """
    told = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def act(name: str) -> None:
        os.write(told, f"{name}\n".encode())
        if name == kill_at:
            os._exit(KILLED)
        if name == fail_at:
            raise OSError(errno, os.strerror(errno))

    return act


def _watch_requests(reach: Act) -> None:
    send = GuardedTransport.handle_request

    def handle_request(self: GuardedTransport, request: httpx.Request) -> httpx.Response:
        what = f"request {request.url.path.rpartition('.')[2]}"
        reach(f"before {what}")
        answer = send(self, request)
        reach(f"after {what}")
        return answer

    GuardedTransport.handle_request = handle_request  # type: ignore[method-assign]


def _watch_disk(reach: Act) -> None:
    """Put a watched `writing` wherever the real one was imported to."""
    write = files.writing

    @contextmanager
    def writing(path: Path) -> Iterator[None]:
        what = f"disk {_kind(path)}"
        with write(path):
            reach(f"before {what}")
            yield
            reach(f"after {what}")

    for module in list(sys.modules.values()):
        if _writing_of(module) is write:
            setattr(module, "writing", writing)  # noqa: B010 - any module, known only now


def _writing_of(module: object) -> Callable[[Path], AbstractContextManager[None]] | None:
    return getattr(module, "__dict__", {}).get("writing")


def _kind(path: Path) -> str:
    """Return the file's name without what differs from run to run."""
    if path.suffix == ".jsonl":
        return "backups"
    return "blob" if path.parent.name == "blobs" else path.name
