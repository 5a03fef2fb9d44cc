"""Requests held back, so that many of them are no burden to a server."""

from __future__ import annotations

import threading
import time


class Pace:
    """So many requests a second to one host at most, whichever thread sends them; thread-safe."""

    def __init__(self, rate: float) -> None:
        self._interval = 1 / rate
        self._next: dict[str, float] = {}
        self._lock = threading.Lock()

    def wait(self, host: str) -> None:
        """Wait until it is the next request's turn."""
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next.get(host, now))
            self._next[host] = turn + self._interval
        time.sleep(turn - now)
