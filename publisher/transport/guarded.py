"""The transport itself: requests out, answers in under their limits."""

from __future__ import annotations

import functools
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPResponse, IncompleteRead
from typing import Final, Protocol, TypeAlias

from publisher import __version__
from publisher.pace import Pace
from publisher.transport.bare_httpx import httpx
from publisher.transport.clock import Clock, TransportError
from publisher.transport.connections import Connection
from publisher.transport.origins import is_loopback

USER_AGENT = f"publisher/{__version__}"
_MEBIBYTE = 1 << 20
_PART: Final = 1 << 18  # bytes that are read at once
# Node closes idle connections after 5 s; ours must be given up before, or a request meets the end.
_KEEPALIVE: Final = 4.0

_certificates = functools.cache(httpx.create_ssl_context)
"""Reads the well-known certificates, which takes 50 ms, once for all connections."""

_Origin: TypeAlias = tuple[str, str]  # scheme, host and port


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
        self._idle = _Idle()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; the body of the answer is checked while it is read.

        Raises TransportError, here and while the body is read.
        """
        url = request.url
        host = url.netloc.decode("ascii")
        self._check_scheme(url, host)
        if self._pace:
            self._pace.wait(host)
        request.headers["accept-encoding"] = "identity"
        request.headers["user-agent"] = USER_AGENT
        limits = request.extensions.get("limits", Limits())
        clock = Clock(host, limits.seconds)
        origin = (url.scheme, host)
        connection = self._idle.take(origin) or Connection(
            url, _certificates, allow_private=self.allow_private
        )
        try:
            with clock.running():
                target = request.extensions.get("target", url.raw_path)
                answer = connection.ask(request, target)
            headers = _headers(answer)
            _check_headers(answer.status, headers, host, limits.max_bytes)
        except BaseException:
            connection.end()
            raise
        leave = functools.partial(self._leave, origin, connection, answer)
        body = _Body(answer, clock, limits.max_bytes, leave)
        return httpx.Response(answer.status, headers=headers, stream=body)

    def _check_scheme(self, url: httpx.URL, host: str) -> None:
        if url.scheme == "https" or (
            url.scheme == "http" and self.allow_private and is_loopback(url)
        ):
            return
        raise TransportError(
            host, f"{url.scheme} isn't used outside this machine, only https", unsent=True
        )

    def _leave(
        self, origin: _Origin, connection: Connection, answer: HTTPResponse, *, whole: bool
    ) -> None:
        """Keep a connection whose answer was read to its end; end any other."""
        if whole and not answer.will_close:
            self._idle.give(origin, connection)
        else:
            connection.end()

    def close(self) -> None:
        """Close the connections."""
        self._idle.close()


def transport_for(*typed: str | None, pace: Pace | None = None) -> GuardedTransport:
    """Return a transport that reaches loopback only if a URL that the user typed lies there."""
    private = any(url and is_loopback(url) for url in typed)
    return GuardedTransport(allow_private=private, pace=pace)


def open_client(transport: GuardedTransport) -> httpx.Client:
    """Return an httpx client over the transport; closing it closes the transport."""
    return httpx.Client(transport=transport, trust_env=False, follow_redirects=False)


class _Idle:
    """Connections that wait for their next request; thread-safe."""

    def __init__(self) -> None:
        self._waiting: defaultdict[_Origin, list[tuple[Connection, float]]] = defaultdict(list)
        self._closed = False
        self._lock = threading.Lock()

    def take(self, origin: _Origin) -> Connection | None:
        """Return the connection that was used last, if there is one that still stands."""
        while True:
            with self._lock:
                waiting = self._waiting[origin]
                if not waiting:
                    return None
                connection, since = waiting.pop()
            if time.monotonic() - since < _KEEPALIVE and not connection.stale:
                return connection
            connection.end()

    def give(self, origin: _Origin, connection: Connection) -> None:
        """Keep a connection for later."""
        with self._lock:
            if not self._closed:
                self._waiting[origin].append((connection, time.monotonic()))
                return
        connection.end()

    def close(self) -> None:
        """Close them, and those that come later."""
        with self._lock:
            self._closed = True
            waiting = [pair for pairs in self._waiting.values() for pair in pairs]
            self._waiting.clear()
        for connection, _ in waiting:
            connection.end()


class _Leave(Protocol):
    """Says whether a body was read to its end, when it is left."""

    def __call__(self, *, whole: bool) -> None: ...


class _Body(httpx.SyncByteStream):
    """A body under its cap and deadline."""

    def __init__(self, answer: HTTPResponse, clock: Clock, max_bytes: int, leave: _Leave) -> None:
        self._answer = answer
        self._clock = clock
        self._max_bytes = max_bytes
        self._leave: _Leave | None = leave
        self._whole = False

    def __iter__(self) -> Iterator[bytes]:
        room = self._max_bytes
        while True:
            with self._clock.running():
                part = self._answer.read(min(_PART, room + 1))
                if not part and self._answer.length:  # http.client says nothing of it
                    raise IncompleteRead(b"")
            if not part:
                self._whole = True
                return
            room -= len(part)
            if room < 0:
                raise _too_large(self._clock.host, self._max_bytes)
            yield part

    def close(self) -> None:
        leave, self._leave = self._leave, None
        if leave:
            leave(whole=self._whole)


def _headers(answer: HTTPResponse) -> httpx.Headers:
    """Return headers as bytes, which they are: what isn't ASCII may be anything."""
    pairs = answer.getheaders()
    return httpx.Headers([(name.encode("latin-1"), text.encode("latin-1")) for name, text in pairs])


def _check_headers(status: int, headers: httpx.Headers, host: str, max_bytes: int) -> None:
    if 300 <= status < 400 and "location" in headers:
        raise TransportError(host, f"answered {status}, a redirect, which isn't followed")
    if headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
        raise TransportError(host, "answered an encoded body, which wasn't asked for")
    length = headers.get("content-length", "0")
    if length.isdecimal() and int(length[:20]) > max_bytes:
        raise _too_large(host, max_bytes)


def _too_large(host: str, max_bytes: int) -> TransportError:
    return TransportError(host, f"its answer is larger than the {max_bytes} bytes allowed here")
