"""Threads that end with their work: whatever ends it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager


@contextmanager
def threads(number: int) -> Iterator[ThreadPoolExecutor]:
    """Give a pool. After an error what is at work is waited for, what waits isn't begun.

    Ctrl-C (a KeyboardInterrupt) waits for nothing.
    """
    pool = ThreadPoolExecutor(number)
    try:
        yield pool
    except BaseException as error:
        pool.shutdown(wait=isinstance(error, Exception), cancel_futures=True)
        raise
    pool.shutdown()


@contextmanager
def quick_turns() -> Iterator[None]:
    """Let threads take turns ten times as often: one that sends waits for those that compute.

    Each 64 KB that were sent cost up to 5 ms otherwise, a tenth of the whole.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(before / 10)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
