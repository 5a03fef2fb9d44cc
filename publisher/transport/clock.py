"""The deadline of a request, and what went wrong with it as our error."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from http.client import HTTPException
from typing import Final

from publisher.errors import PublisherError

SILENCE: Final = 30.0
"""Seconds that a server may take for the next byte, in or out."""

_deadline: ContextVar[float] = ContextVar("deadline")


class TransportError(PublisherError):
    """A request that got no answer, or none that may be used; names the host and the reason.

    `transient`: the same request may do better later. `unsent`: the server can't have seen it.
    """

    def __init__(
        self, host: str, reason: str, *, transient: bool = False, unsent: bool = False
    ) -> None:
        super().__init__(
            f"{host}: {reason}",
            remedy="check the connection, or try again later" if transient else "",
        )
        self.host = host
        self.reason = reason
        self.transient = transient
        self.unsent = unsent


@dataclass(frozen=True, slots=True)
class Clock:
    """Runs a stretch of a request under its deadline, and turns what goes wrong into our error."""

    host: str
    seconds: float
    ends: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "ends", time.monotonic() + self.seconds)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let what happens within be `left` in time, or raise TransportError."""
        token = _deadline.set(self.ends)
        try:
            yield
        except HTTPException:
            # Its text quotes the answer: neither text nor chain is kept.
            reason = "broke off its answer, or answered no HTTP"
            raise TransportError(self.host, reason, transient=True) from None
        except TimeoutError as error:
            raise TransportError(self.host, self._late(), transient=True) from error
        except OSError as error:
            reason = f"the connection broke ({error})"
            raise TransportError(self.host, reason, transient=True) from error
        finally:
            _deadline.reset(token)

    def _late(self) -> str:
        if time.monotonic() >= self.ends:
            return f"no whole answer within {self.seconds:g} seconds"
        return f"nothing came for {SILENCE:g} seconds"


def left(timeout: float = SILENCE) -> float:
    """Return the seconds that a socket call may take: `timeout`, or less near the deadline.

    Raises TimeoutError after it.
    """
    rest = _deadline.get() - time.monotonic()
    if rest <= 0:
        raise TimeoutError("deadline")
    return min(timeout, rest)
