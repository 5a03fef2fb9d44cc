"""What may be sent now: the ledger of an account, kept between runs, and waiting for its points."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from publisher.errors import RateLimited, StateError
from publisher.files import write_atomically
from publisher.pds import xrpc
from publisher.pds.failures import come_back
from publisher.pds.ledger import Kind, Ledger, is_metered
from publisher.syntax import Did
from publisher.transport import httpx

_KINDS: dict[str, Kind] = {
    "/xrpc/com.atproto.repo.applyWrites": "writes",
    "/xrpc/com.atproto.repo.putRecord": "writes",
    "/xrpc/com.atproto.repo.deleteRecord": "writes",
    "/xrpc/com.atproto.repo.uploadBlob": "uploads",
}
_SAVED_EVERY = 1.0  # seconds
_NO_LIMIT = 1 << 30
_Ledgers = TypeAdapter(dict[str, Ledger])
_log = logging.getLogger(__name__)


class Meter:
    """The points of one account; thread-safe. `state` is the folder that points.json lies in.

    The folder may come into being later, and is never made here. What can't be read or written
    there is no reason to stop: the server's answers correct the ledger.
    """

    def __init__(
        self,
        did: Did,
        host: str,
        state: Path | None,
        max_wait: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._did = did
        self._host = host
        self._path = state / "points.json" if state else None
        self._max_wait = max_wait
        self._clock = clock
        self._lock = threading.Lock()
        self._ledger = self._kept().get(did, Ledger())
        self._counts: bool | None = None
        self._saved = 0.0

    @property
    def metered(self) -> bool:
        """Whether the server counts points; True as long as no answer came."""
        return self._counts is not False

    def heard(self, path: str, status: int, headers: httpx.Headers) -> None:
        """Learn from an answer."""
        with self._lock:
            if is_metered(headers) or status == 429:
                self._counts = True
            elif self._counts is None and 200 <= status < 300:
                self._counts = False
            if kind := _KINDS.get(path):
                self._ledger = self._ledger.heard(kind, status, headers, self._clock())

    def admit(self, kind: Kind, points: int) -> None:
        """Spend points, and wait for them if need be. Raises RateLimited."""
        self._wait(kind, lambda: self._spend(kind, points))
        self._save()

    def room(self, points: int, promised: int) -> int:
        """Return the points for writes beside those promised already; at least `points`.

        Waits for them if need be. Raises RateLimited.
        """
        self._wait("writes", lambda: self._after(promised).wait("writes", points, self._clock()))
        ledger = self._after(promised)
        return max(ledger.left("writes", self._clock()), points) if self.metered else _NO_LIMIT

    def close(self) -> None:
        """Keep the ledger for the next run."""
        self._save(now=True)

    def _wait(self, kind: Kind, needed: Callable[[], float]) -> None:
        """Wait until `needed` returns 0 seconds."""
        waited = 0.0
        while self.metered and (wait := needed()) > 0:
            if waited + wait > self._max_wait:
                raise RateLimited(f"{self._host}: {come_back(wait, kind)}", remedy="run again then")
            _log.info("%s: its rate limit is used up; waiting for %.0f s", self._host, wait)
            xrpc.sleep(wait)
            waited += wait

    def _spend(self, kind: Kind, points: int) -> float:
        """Spend points if so many are there; else return the seconds until they are."""
        with self._lock:
            now = self._clock()
            wait = self._ledger.wait(kind, points, now)
            if wait <= 0:
                self._ledger = self._ledger.spent(kind, points, now)
        return wait

    def _after(self, promised: int) -> Ledger:
        with self._lock:
            return self._ledger.spent("writes", promised, self._clock())

    def _kept(self) -> dict[str, Ledger]:
        if self._path is None:
            return {}
        try:
            return _Ledgers.validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValidationError):
            _log.info("%s can't be read: points are counted anew", self._path)
            return {}

    def _save(self, *, now: bool = False) -> None:
        if self._path is None or not self._counts or not self._path.parent.is_dir():
            return
        with self._lock:
            if not now and self._clock() - self._saved < _SAVED_EVERY:
                return
            self._saved = self._clock()
            kept = self._kept() | {self._did: self._ledger}
            try:
                write_atomically(self._path, _Ledgers.dump_json(kept), durable=False)
            except StateError as error:
                _log.info("points aren't kept: %s", error.message)
