"""Run `publisher` as it is, and write down its requests as its sockets saw them.

    python benchmarks/publish_recorded.py TRACE BODIES ARGUMENTS…

TRACE becomes the JSON of `as_trace`. BODIES becomes a folder with the bodies of the writes, in the
order in which they were begun; '' keeps none. Only plain http is seen, which is what loopback has.
"""

from __future__ import annotations

import json
import resource
import runpy
import socket
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

METHODS: Final = (b"GET /", b"POST /")
WRITES: Final = b"POST /xrpc/com.atproto.repo."


@dataclass(slots=True)
class Request:
    """One request: its NSID (or path), from the first byte sent to the last one received.

    `received` are bytes, heads of answers included.
    """

    name: str
    writes: bool
    begun: float
    ended: float
    received: int = 0
    sent: bytearray = field(default_factory=bytearray)


class Recorder:
    """Notes what passes the sockets of this process; `keep`: the bodies of the writes too."""

    def __init__(self, *, keep: bool) -> None:
        self.requests: list[Request] = []
        self._keep = keep
        self._current: dict[int, Request] = {}
        self._plain = {
            name: getattr(socket.socket, name) for name in ("send", "sendall", "recv", "recv_into")
        }

    def watching(self) -> ExitStack:
        """Return what puts the recorder between the process and its sockets."""
        stack = ExitStack()
        for name in self._plain:
            method = self._sender(name) if name.startswith("send") else self._receiver(name)
            stack.enter_context(patch.object(socket.socket, name, method))
        return stack

    def _sender(self, name: str) -> Any:
        plain = self._plain[name]

        def send(connection: socket.socket, data: Any, *flags: int) -> int | None:
            begun = time.perf_counter()
            count: int | None = plain(connection, data, *flags)
            self._sent(id(connection), memoryview(data)[:count], begun)
            return count

        return send

    def _receiver(self, name: str) -> Any:
        plain = self._plain[name]

        def receive(connection: socket.socket, *arguments: Any) -> Any:
            got = plain(connection, *arguments)
            count = got if isinstance(got, int) else len(got)
            if count and (request := self._current.get(id(connection))):
                request.ended = time.perf_counter()
                request.received += count
            return got

        return receive

    def _sent(self, connection: int, data: memoryview, begun: float) -> None:
        head = bytes(data[:200])
        if head.startswith(METHODS):
            path = head.split(b" ", 2)[1].split(b"?")[0].decode()
            request = Request(path.removeprefix("/xrpc/"), head.startswith(WRITES), begun, begun)
            self._current[connection] = request
            self.requests.append(request)
        if self._keep and (current := self._current.get(connection)) and current.writes:
            current.sent += data


def main() -> None:
    """Run the command; the trace is written however it ends."""
    trace, bodies = sys.argv[1:3]
    sys.argv[:3] = ["publisher"]
    recorder = Recorder(keep=bool(bodies))
    try:
        with recorder.watching():
            runpy.run_module("publisher", run_name="__main__", alter_sys=True)
    finally:
        Path(trace).write_text(json.dumps(as_trace(recorder.requests)))
        if bodies:
            write_bodies(recorder.requests, Path(bodies))


def as_trace(requests: list[Request]) -> dict[str, Any]:
    """Return the requests as (name, writes, begun, ended, received), and the seconds of CPU."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return {
        "requests": [
            [request.name, request.writes, request.begun, request.ended, request.received]
            for request in requests
        ],
        "cpu": sum(usage.ru_utime + usage.ru_stime for usage in used),
    }


def write_bodies(requests: list[Request], folder: Path) -> None:
    """Write each body to a file whose suffix is the name of the procedure."""
    folder.mkdir()
    for number, request in enumerate(request for request in requests if request.writes):
        head, body = bytes(request.sent).split(b"\r\n\r\n", 1)
        assert b"transfer-encoding" not in head.lower(), head
        assert b"content-encoding" not in head.lower(), head
        (folder / f"{number:06}.{request.name.rpartition('.')[2]}").write_bytes(body)


if __name__ == "__main__":
    main()
