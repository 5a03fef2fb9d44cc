"""Work spread over the machine's cores, its results in the order of the work."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice
from typing import Any, Final, TypeVar

from publisher.progress import Progress

Item = TypeVar("Item")
Result = TypeVar("Result")

# A fork is ready at once; it is safe on Linux while no other thread runs (the bar's is paused, a
# download has ended): nobody else holds a lock then, which would stay closed in the new process.
FORKS: Final = sys.platform == "linux"
"""Whether the processes begin with all that this one has, and share its open files."""

_AHEAD = 4  # pieces of work for each core that wait or are done before their turn


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def spread(
    work: Callable[[Item], Result], items: Iterable[Item], progress: Progress
) -> Iterator[Result]:
    """Yield `work(item)` for each item, in order; only a few items are held at a time.

    Items and results must be picklable; `work` too, unless it FORKS: it is sent once to each
    process. What it raises is raised here, when it is the item's turn. On one core it is done here.
    """
    if cores() == 1:
        yield from map(work, items)
        return
    context = multiprocessing.get_context("fork" if FORKS else "spawn")
    waiting: deque[Future[Result]] = deque()
    with ProcessPoolExecutor(cores(), context, _begin, (work,)) as pool:
        try:
            with progress.paused():
                pool.submit(_nothing)
            for item in items:
                waiting.append(pool.submit(_do, item))
                if len(waiting) >= _AHEAD * cores():
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def pieces(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield the items in lists of `size`."""
    rest = iter(items)
    while piece := list(islice(rest, size)):
        yield piece


def _nothing() -> None:
    """Be the first piece of work: it starts the processes."""


_works: list[Callable[..., Any]] = []
"""What this process does for another one."""


def _begin(work: Callable[..., object]) -> None:
    """Let the parent alone answer to Ctrl-C: it ends its processes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()  # what the parent has made is no garbage: it needn't be looked at, nor copied
    _works[:] = [work]


def _do(item: object) -> Any:
    return _works[0](item)
