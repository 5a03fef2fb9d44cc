"""A web server on loopback that answers what a test tells it, well-behaved or not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
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
