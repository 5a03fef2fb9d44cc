"""Connections to addresses that were checked, ended by the deadline of whoever uses them."""

from __future__ import annotations

import ipaddress
import select
import socket
from collections.abc import Callable
from contextlib import suppress
from email.errors import FirstHeaderLineIsContinuationDefect, MissingHeaderBodySeparatorDefect
from http.client import (
    NO_CONTENT,
    NOT_MODIFIED,
    SWITCHING_PROTOCOLS,
    HTTPConnection,
    HTTPException,
    HTTPMessage,
    HTTPResponse,
)
from io import BufferedReader, RawIOBase
from ssl import SSLContext, SSLEOFError
from typing import TYPE_CHECKING, Final

from publisher.transport.bare_httpx import httpx
from publisher.transport.clock import TransportError, left
from publisher.transport.origins import is_local, is_public

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_CONNECT: Final = 10.0  # seconds
_READ_AHEAD: Final = 1 << 16  # bytes
_WRITE_SLICE: Final = 1 << 18
_FINAL: Final = 200  # the answer that counts comes after those with a lower status
_NAMELESS: Final = (FirstHeaderLineIsContinuationDefect, MissingHeaderBodySeparatorDefect)
_PORTS: Final = {"http": 80, "https": 443}


class _Answer(HTTPResponse):
    """An answer; http.client takes one that says what is to come (103) for the one that counts."""

    def begin(self) -> None:
        """Read the head of the answer that counts."""
        super().begin()
        while 100 < self.status < _FINAL and self.status != SWITCHING_PROTOCOLS:
            self.headers = None  # type: ignore[assignment]  # as before the first
            super().begin()
        if self.status in {NO_CONTENT, NOT_MODIFIED}:  # they have no body, whatever they say
            self.chunked = False


class Connection(HTTPConnection):
    """A connection to the server of a URL, made when it is first needed; for one thread at a time.

    By https it holds the server to `certificates`, which are read then. What is sent and read ends
    with the deadline of the clock that runs. Raises TransportError where none can be made.
    """

    response_class = _Answer

    def __init__(
        self, url: httpx.URL, certificates: Callable[[], SSLContext], *, allow_private: bool
    ) -> None:
        self._netloc = url.netloc.decode("ascii")
        self._certificates = certificates if url.scheme == "https" else None
        self._allow_private = allow_private
        self._socket: socket.socket | None = None
        super().__init__(url.raw_host.decode("ascii"), url.port or _PORTS[url.scheme])

    def ask(self, request: httpx.Request, target: bytes) -> HTTPResponse:
        """Send a request; return the answer, of which the body is to be read."""
        try:
            self.putrequest(
                request.method, target.decode("ascii"), skip_host=True, skip_accept_encoding=True
            )
            for name, value in request.headers.raw:
                self.putheader(name, value)
        except (ValueError, HTTPException):  # its text quotes what is wrong, a token among it
            reason = "the request is no valid HTTP"
            raise TransportError(self._netloc, reason, unsent=True) from None
        with suppress(ConnectionError, SSLEOFError):  # a server may refuse before it has all
            self.endheaders(request.read())
        answer = self.getresponse()
        if answer.status < _FINAL or not _is_sound(answer.headers):
            raise HTTPException
        return answer

    def connect(self) -> None:
        """Connect to the first address that answers, of those that are allowed."""
        failure: OSError = OSError("no address")
        for address in self._addresses():
            try:
                self._socket = self._connected(address)
            except OSError as error:
                failure = error
            else:
                self.sock = _Wire(self._socket)
                return
        raise self._unreachable(failure) from failure

    def end(self) -> None:
        """Close the connection."""
        self.close()
        if self._socket:
            self._socket.close()

    @property
    def stale(self) -> bool:
        """Whether the server ended the connection, or says what it wasn't asked."""
        return self._socket is None or _is_readable(self._socket)

    def _connected(self, address: str) -> socket.socket:
        made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        try:
            made.settimeout(left(_CONNECT))
            made.connect((address, self.port))
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._certificates is None:
                return made
            context = self._certificates()
            made.settimeout(left(_CONNECT))
            return context.wrap_socket(made, server_hostname=self.host)
        except BaseException:
            made.close()
            raise

    def _unreachable(self, error: OSError) -> TransportError:
        if isinstance(error, TimeoutError):
            reason = "the connection took too long"
        else:
            reason = f"can't be reached ({error})"
        return TransportError(self._netloc, reason, transient=True, unsent=True)

    def _addresses(self) -> list[str]:
        # getaddrinfo can't be given a deadline; the system's resolver has its own (10 to 20 s).
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise self._unreachable(OSError("its name can't be resolved")) from error
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        allowed = [text for text in addresses if self._allows(text)]
        if not allowed:
            reason = f"its address {', '.join(addresses)} isn't a public one"
            raise TransportError(self.host, reason, unsent=True)
        return allowed

    def _allows(self, text: str) -> bool:
        address = ipaddress.ip_address(text)
        if self.host == "localhost":
            return self._allow_private and address.is_loopback
        if self._allow_private and is_local(address):
            return True
        return is_public(address)


def _is_sound(headers: HTTPMessage) -> bool:
    """Tell whether headers say how long the body is, or at least nothing else; so may http.client.

    It takes the first of two lengths, forgets a length that is none, and the headers after one that
    has no name.
    """
    lengths = headers.get_all("content-length", [])
    encodings = headers.get_all("transfer-encoding", [])
    return (
        all(length.strip().isdecimal() and length == lengths[0] for length in lengths)
        and all(encoding.lower() == "chunked" for encoding in encodings)
        and not any(isinstance(defect, _NAMELESS) for defect in headers.defects)
    )


def _is_readable(connected: socket.socket) -> bool:
    poll = select.poll()
    poll.register(connected, select.POLLIN)
    return bool(poll.poll(0))


class _Wire:
    """A socket as http.client uses it; each of its calls ends with the deadline."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected

    def sendall(self, content: bytes) -> None:
        rest = memoryview(content)
        while rest:
            self._socket.settimeout(left())
            self._socket.sendall(rest[:_WRITE_SLICE])
            rest = rest[_WRITE_SLICE:]

    def makefile(self, _mode: str) -> BufferedReader:
        return _Reader(_Incoming(self._socket), _READ_AHEAD)

    def close(self) -> None:
        """Do nothing: the answer may still be read."""


class _Incoming(RawIOBase):
    """What a socket gives."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        self._socket.settimeout(left())
        return self._socket.recv_into(buffer)


class _Reader(BufferedReader):
    """Reads as much as it is told to: http.client takes a chunk of -1 bytes for all there is."""

    def read(self, size: int | None = -1) -> bytes:
        if size is None or size < 0:
            raise HTTPException
        return super().read(size)
