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
from typing import TypeVar

from publisher.progress import Progress

Item = TypeVar("Item")
Result = TypeVar("Result")

_AHEAD = 4  # pieces of work for each core that wait or are done before their turn


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def spread(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    progress: Progress,
    *,
    begin: Callable[[], None],
) -> Iterator[Result]:
    """Yield `work(item)` for each item, in order; only a few items are held at a time.

    Each process runs `begin` first; on one core that is this one. `work`, `begin`, items and
    results must be picklable. What `work` raises is raised here, when it is the item's turn.
    """
    if cores() == 1:
        begin()
        yield from map(work, items)
        return
    # A fork is ready at once; it is safe on Linux while no other thread runs (the bar's is paused).
    method = "fork" if sys.platform == "linux" else "spawn"
    context = multiprocessing.get_context(method)
    waiting: deque[Future[Result]] = deque()
    with ProcessPoolExecutor(cores(), context, _begin, (begin,)) as pool:
        try:
            with progress.paused():
                pool.submit(_nothing)
            for item in items:
                waiting.append(pool.submit(work, item))
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


def _begin(begin: Callable[[], None]) -> None:
    """Let the parent alone answer to Ctrl-C: it ends its processes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()  # what the parent has made is no garbage: it needn't be looked at, nor copied
    begin()
