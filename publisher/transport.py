"""The one way to the network: a guarded httpx transport, under the SDK's client too.

It refuses what a hostile or broken server could use against us: redirects (they would carry
credentials elsewhere), addresses that aren't public (a name that points into the local network),
plain http, encoded bodies (194 KB of gzip have become 200 MB), endless bodies and endless waiting.
Proxies and credentials from the environment (HTTP_PROXY, .netrc) are not used: a proxy would
resolve names out of sight of the address check.
"""

from __future__ import annotations

import ipaddress
import itertools
import re
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeAlias

import httpcore
import httpx

from publisher import __version__
from publisher.errors import PublisherError
from publisher.pace import Pace

USER_AGENT = f"publisher/{__version__}"
_MEBIBYTE = 1 << 20
_TIMEOUTS = {"connect": 10.0, "read": 30.0, "write": 30.0, "pool": 60.0}
_CONNECTIONS, _POOLS = 32, 4
_WRITE_SLICE = 1 << 18
# Node closes idle connections after 5 s; ours must be given up before, or a request meets the end.
_KEEPALIVE = 4.0

_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_LOCAL = tuple(
    ipaddress.ip_network(text)
    for text in (
        *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
        *("::1/128", "fc00::/7"),
    )
)
_UNICAST6 = ipaddress.IPv6Network("2000::/3")
# Special ranges of IANA's registry inside 2000::/3; not every Python 3.11 knows them all.
_SPECIAL6 = tuple(
    ipaddress.IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)
_HOST = re.compile(rb"[A-Za-z0-9.-]+|[0-9A-Fa-f:.]+")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

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


class InvalidOrigin(ValueError):
    """A URL that is no origin we would talk to; its message is the reason."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may take; pass it as `extensions={"limits": Limits(…)}`.

    `seconds` runs from the call to the last byte of the body, connecting included.
    """

    max_bytes: int = 16 * _MEBIBYTE
    seconds: float = 60.0


class GuardedTransport(httpx.BaseTransport):
    """Sends requests under the rules of this module; thread-safe.

    `allow_private` lets it reach loopback (by plain http too) and private networks. `pace` holds
    requests back.
    """

    def __init__(self, *, allow_private: bool, pace: Pace | None = None) -> None:
        self.allow_private = allow_private
        self._pace = pace
        context = httpx.create_ssl_context()
        # A pool looks at all of its connections for each request: with 16 in one, that is a third
        # of what an upload costs us. Threads take the pools by turns.
        self._pools = [
            httpcore.ConnectionPool(
                ssl_context=context,
                max_connections=_CONNECTIONS // _POOLS,
                keepalive_expiry=_KEEPALIVE,
                network_backend=_CheckedBackend(allow_private=self.allow_private),
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
        clock = _Clock(host, limits.seconds)
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


def is_loopback(url: str | httpx.URL) -> bool:
    """Tell whether the host of a URL is this machine by its name ('localhost') or address."""
    try:
        host = httpx.URL(url).host.lower()
    except httpx.InvalidURL:
        return False
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def parse_origin(url: str, *, allow_loopback: bool) -> str:
    """Return 'https://host' (or with ':port') of a URL that has no path, query or user.

    With `allow_loopback`, http is fine on this machine. Raises InvalidOrigin.
    """
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise InvalidOrigin("is no URL") from error
    local = is_loopback(url)
    if not _HOST.fullmatch(parsed.raw_host) or parsed.scheme not in {"https", "http"}:
        raise InvalidOrigin("is no URL like https://pds.example")
    if local and not allow_loopback:
        raise InvalidOrigin("points to this machine")
    if parsed.scheme == "http" and not local:
        raise InvalidOrigin("isn't https")
    if parsed.port is not None and not 0 < parsed.port < 1 << 16:
        raise InvalidOrigin("is no URL like https://pds.example")
    if parsed.userinfo or parsed.query or parsed.fragment or parsed.path != "/" or "?" in url:
        raise InvalidOrigin("has more than a scheme, a host and a port")
    return f"{parsed.scheme}://{parsed.netloc.decode('ascii')}"


@dataclass(frozen=True, slots=True)
class _Clock:
    """Runs a stretch of a request under its deadline, and turns what goes wrong into our error."""

    host: str
    seconds: float
    ends: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "ends", time.monotonic() + self.seconds)

    @contextmanager
    def running(self) -> Iterator[None]:
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
        return f"nothing came for {_TIMEOUTS['read']:g} seconds"

    def _garbled(self, error: Exception) -> TransportError:
        if isinstance(error, httpcore.RemoteProtocolError):
            return TransportError(
                self.host, "broke off its answer, or answered no HTTP", transient=True
            )
        return TransportError(self.host, "the request is no valid HTTP", unsent=True)


class _GuardedBody(httpx.SyncByteStream):
    """A body under its cap and deadline."""

    def __init__(self, answer: httpcore.Response, clock: _Clock, max_bytes: int) -> None:
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


class _CheckedBackend(httpcore.NetworkBackend):
    """Resolves a host, and connects to the very address that passed the check."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        failure: Exception = httpcore.ConnectError("no address")
        for address in self._checked(host, port):
            try:
                return _DeadlineStream(
                    self._sockets.connect_tcp(
                        address, port, _left(timeout), local_address, socket_options
                    )
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    def _checked(self, host: str, port: int) -> list[str]:
        # getaddrinfo can't be given a deadline; the system's resolver has its own (10 to 20 s).
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError("its name can't be resolved") from error
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        allowed = [text for text in addresses if self._allows(host, text)]
        if not allowed:
            raise TransportError(
                host,
                f"its address {', '.join(addresses)} isn't a public one",
                unsent=True,
            )
        return allowed

    def _allows(self, host: str, text: str) -> bool:
        address = ipaddress.ip_address(text)
        if host == "localhost":
            return self._allow_private and address.is_loopback
        if self._allow_private and any(address in network for network in _LOCAL):
            return True
        return is_public(address)


class _DeadlineStream(httpcore.NetworkStream):
    """A connection whose every read and write ends with the deadline of the current request."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _WRITE_SLICE):
            self._stream.write(buffer[start : start + _WRITE_SLICE], _left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _DeadlineStream(self._stream.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def is_public(address: _Address) -> bool:
    """Tell whether an address belongs to the public internet, by IANA's registries."""
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_global and not address.is_multicast and not address.is_reserved
    if address in _NAT64:
        return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return (
        address in _UNICAST6
        and address.is_global
        and not any(address in network for network in _SPECIAL6)
    )


def _wire(request: httpx.Request) -> httpcore.Request:
    request.headers["accept-encoding"] = "identity"
    request.headers["user-agent"] = USER_AGENT
    return httpcore.Request(
        method=request.method,
        url=httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        ),
        headers=request.headers.raw,
        content=request.read(),
        extensions={"timeout": _TIMEOUTS},
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


def _left(timeout: float | None) -> float:
    """Return the seconds that a socket call may take: `timeout`, or less near the deadline."""
    left = _deadline.get() - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("deadline")
    return left if timeout is None else min(timeout, left)
