"""A web server on loopback that answers what a test tells it, well-behaved or not."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread


@dataclass(frozen=True, slots=True)
class Seen:
    """A request that arrived; header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What to answer; with `drip`, so many seconds between the bytes (of headers and body).

    `more` comes after that, in pieces that may have no end; `unended`: so do the headers.
    """

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    drip: float = 0.0
    more: Iterable[bytes] = ()
    unended: bool = False


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A running server; `seen` grows with every request."""

    url: str
    seen: list[Seen]


@contextmanager
def serve(answer: Callable[[Seen], Answer]) -> Iterator[LocalServer]:
    """Run a server on 127.0.0.1 until the block ends; `answer` is called in its threads."""
    seen: list[Seen] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", "0")))
            request = Seen(self.command, self.path, headers, body)
            seen.append(request)
            self._send(answer(request))

        do_POST = do_GET

        def _send(self, given: Answer) -> None:
            self.close_connection = True
            headers = {"Connection": "close", **given.headers}
            if "Transfer-Encoding" not in headers:
                headers.setdefault("Content-Length", str(len(given.body)))
            lines = [f"HTTP/1.1 {given.status} x", *(f"{k}: {v}" for k, v in headers.items())]
            raw = (
                "\r\n".join([*lines, "", ""][: -1 if given.unended else None]).encode() + given.body
            )
            step = 1 if given.drip else len(raw)
            try:
                for start in range(0, len(raw), step):
                    self.wfile.write(raw[start : start + step])
                    time.sleep(given.drip)
                for piece in given.more:
                    self.wfile.write(piece)
            except OSError:
                return  # the client had enough

        def log_message(self, format: str, *args: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield LocalServer(f"http://127.0.0.1:{server.server_port}", seen)
        finally:
            server.shutdown()


@dataclass(slots=True)
class RawServer:
    """A running server; `connections` grows with every one."""

    url: str
    connections: int = 0


@contextmanager
def raw_server(*answers: bytes, context: ssl.SSLContext | None = None) -> Iterator[RawServer]:
    """Run a server that answers each request with the next bytes, and reads no body.

    With `context` it does so by TLS. A connection ends after an answer that says so, or nothing of
    a length, and after the last.
    """
    left = list(answers)

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            running.connections += 1
            with suppress(ConnectionError):  # the client had enough
                self._answer()

        def _answer(self) -> None:
            while left:
                while (line := self.rfile.readline()) != b"\r\n":
                    if not line:
                        return
                answer = left.pop(0)
                self.wfile.write(answer)
                if b"Connection: close" in answer or b"Content-Length" not in answer:
                    time.sleep(0.02)  # what is unread then resets the connection
                    return

    with ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        running = RawServer(f"http://127.0.0.1:{server.server_address[1]}")
        try:
            yield running
        finally:
            server.shutdown()
