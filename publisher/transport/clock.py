"""The deadline of a request, and what went wrong with it as our error."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import httpcore

from publisher.errors import PublisherError

TIMEOUTS = {"connect": 10.0, "read": 30.0, "write": 30.0, "pool": 60.0}

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
        except (httpcore.TimeoutException, httpcore.NetworkError) as error:
            raise self._broken(error) from error
        except (httpcore.ProtocolError, httpcore.UnsupportedProtocol) as error:
            # Their texts quote headers, a token among them: neither text nor chain is kept.
            raise self._garbled(error) from None
        finally:
            _deadline.reset(token)

    def _broken(self, error: Exception) -> TransportError:
        unsent = isinstance(
            error, (httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.PoolTimeout)
        )
        if isinstance(error, httpcore.TimeoutException):
            reason = "the connection took too long" if unsent else self._late()
        else:
            verb = "can't be reached" if unsent else "the connection broke"
            reason = f"{verb} ({error})" if str(error) else verb
        return TransportError(self.host, reason, transient=True, unsent=unsent)

    def _late(self) -> str:
        if time.monotonic() >= self.ends:
            return f"no whole answer within {self.seconds:g} seconds"
        return f"nothing came for {TIMEOUTS['read']:g} seconds"

    def _garbled(self, error: Exception) -> TransportError:
        if isinstance(error, httpcore.RemoteProtocolError):
            return TransportError(
                self.host, "broke off its answer, or answered no HTTP", transient=True
            )
        return TransportError(self.host, "the request is no valid HTTP", unsent=True)


def left(timeout: float | None) -> float:
    """Return the seconds that a socket call may take: `timeout`, or less near the deadline."""
    rest = _deadline.get() - time.monotonic()
    if rest <= 0:
        raise httpcore.ReadTimeout("deadline")
    return rest if timeout is None else min(timeout, rest)
