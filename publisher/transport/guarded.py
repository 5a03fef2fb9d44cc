"""The transport itself: requests out, answers in under their limits."""

from __future__ import annotations

import functools
import itertools
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import httpcore
import httpx

from publisher import __version__
from publisher.pace import Pace
from publisher.transport.clock import TIMEOUTS, Clock, TransportError
from publisher.transport.connections import CheckedBackend
from publisher.transport.origins import is_loopback

USER_AGENT = f"publisher/{__version__}"
_MEBIBYTE = 1 << 20
_CONNECTIONS, _POOLS = 32, 4
# Node closes idle connections after 5 s; ours must be given up before, or a request meets the end.
_KEEPALIVE = 4.0

_certificates = functools.cache(httpx.create_ssl_context)
"""Reads the machine's certificates, which takes 50 ms, once for all transports."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may take; pass it as `extensions={"limits": Limits(…)}`.

    `seconds` runs from the call to the last byte of the body, connecting included.
    """

    max_bytes: int = 16 * _MEBIBYTE
    seconds: float = 60.0


class GuardedTransport(httpx.BaseTransport):
    """Sends requests under the rules of this package; thread-safe.

    `allow_private` lets it reach loopback (by plain http too) and private networks. `pace` holds
    requests back. `extensions={"target": …}` is asked for instead of the URL's path and query.
    """

    def __init__(self, *, allow_private: bool, pace: Pace | None = None) -> None:
        self.allow_private = allow_private
        self._pace = pace
        context = _certificates()
        # A pool looks at all of its connections for each request: with 16 in one, that is a third
        # of what an upload costs us. Threads take the pools by turns.
        self._pools = [
            httpcore.ConnectionPool(
                ssl_context=context,
                max_connections=_CONNECTIONS // _POOLS,
                keepalive_expiry=_KEEPALIVE,
                network_backend=CheckedBackend(allow_private=self.allow_private),
            )
            for _ in range(_POOLS)
        ]
        self._turns = itertools.cycle(self._pools)
        self._own = threading.local()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; the body of the answer is checked while it is read.

        Raises TransportError, here and while the body is read.
        """
        host = request.url.netloc.decode("ascii")
        self._check_scheme(request.url, host)
        if self._pace:
            self._pace.wait(host)
        limits = request.extensions.get("limits", Limits())
        clock = Clock(host, limits.seconds)
        with clock.running():
            answer = self._pool().handle_request(_wire(request))
        body = _GuardedBody(answer, clock, limits.max_bytes)
        try:
            _check_headers(answer, host, limits.max_bytes)
        except TransportError:
            body.close()
            raise
        return httpx.Response(answer.status, headers=answer.headers, stream=body)

    def _check_scheme(self, url: httpx.URL, host: str) -> None:
        if url.scheme == "https" or (
            url.scheme == "http" and self.allow_private and is_loopback(url)
        ):
            return
        raise TransportError(
            host, f"{url.scheme} isn't used outside this machine, only https", unsent=True
        )

    def close(self) -> None:
        """Close the connections."""
        for pool in self._pools:
            pool.close()

    def _pool(self) -> httpcore.ConnectionPool:
        pool: httpcore.ConnectionPool | None = getattr(self._own, "pool", None)
        if pool is None:
            pool = self._own.pool = next(self._turns)
        return pool


def transport_for(*typed: str | None, pace: Pace | None = None) -> GuardedTransport:
    """Return a transport that reaches loopback only if a URL that the user typed lies there."""
    private = any(url and is_loopback(url) for url in typed)
    return GuardedTransport(allow_private=private, pace=pace)


def open_client(transport: GuardedTransport) -> httpx.Client:
    """Return an httpx client over the transport; closing it closes the transport."""
    return httpx.Client(transport=transport, trust_env=False, follow_redirects=False)


class _GuardedBody(httpx.SyncByteStream):
    """A body under its cap and deadline."""

    def __init__(self, answer: httpcore.Response, clock: Clock, max_bytes: int) -> None:
        self._answer = answer
        self._clock = clock
        self._max_bytes = max_bytes

    def __iter__(self) -> Iterator[bytes]:
        chunks = self._answer.iter_stream()
        total = 0
        while True:
            with self._clock.running():
                chunk = next(chunks, None)
            if chunk is None:
                return
            total += len(chunk)
            if total > self._max_bytes:
                raise _too_large(self._clock.host, self._max_bytes)
            yield chunk

    def close(self) -> None:
        with self._clock.running():
            self._answer.close()


def _wire(request: httpx.Request) -> httpcore.Request:
    request.headers["accept-encoding"] = "identity"
    request.headers["user-agent"] = USER_AGENT
    return httpcore.Request(
        method=request.method,
        url=httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.extensions.get("target", request.url.raw_path),
        ),
        headers=request.headers.raw,
        content=request.read(),
        extensions={"timeout": TIMEOUTS},
    )


def _check_headers(answer: httpcore.Response, host: str, max_bytes: int) -> None:
    headers = httpx.Headers(answer.headers)
    if 300 <= answer.status < 400 and "location" in headers:
        raise TransportError(host, f"answered {answer.status}, a redirect, which isn't followed")
    if headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
        raise TransportError(host, "answered an encoded body, which wasn't asked for")
    length = headers.get("content-length", "0")
    if length.isdecimal() and int(length[:20]) > max_bytes:
        raise _too_large(host, max_bytes)


def _too_large(host: str, max_bytes: int) -> TransportError:
    return TransportError(host, f"its answer is larger than the {max_bytes} bytes allowed here")
