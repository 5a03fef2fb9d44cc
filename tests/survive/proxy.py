"""A TCP proxy on loopback that does to the server's answers what networks do."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(slots=True)
class Proxy:
    """`cut_after`: each connection breaks after so many bytes of answers; `drips`: one by one.

    `resets`: with a reset, not an orderly end. `broken` counts connections that were cut.
    """

    url: str = ""
    cut_after: int | None = None
    drips: bool = False
    resets: bool = False
    broken: int = 0
    dripped: int = 0

    def heal(self) -> None:
        """Do no more harm."""
        self.cut_after, self.drips = None, False


@contextmanager
def proxied(url: str) -> Iterator[Proxy]:
    """Listen on a port of its own and hand everything on to the server at `url`."""
    target = ("127.0.0.1", urlsplit(url).port or 80)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = Proxy(f"http://localhost:{listener.getsockname()[1]}")
        threading.Thread(target=_accept, args=(proxy, listener, target), daemon=True).start()
        yield proxy


def _accept(proxy: Proxy, listener: socket.socket, target: tuple[str, int]) -> None:
    with suppress(OSError):  # closed: the end
        while True:
            client, _ = listener.accept()
            server = socket.create_connection(target)
            threading.Thread(target=_ask, args=(client, server), daemon=True).start()
            threading.Thread(target=_answer, args=(proxy, server, client), daemon=True).start()


def _ask(client: socket.socket, server: socket.socket) -> None:
    with suppress(OSError), server:
        while part := client.recv(65536):
            server.sendall(part)


def _answer(proxy: Proxy, server: socket.socket, client: socket.socket) -> None:
    sent = 0
    with suppress(OSError), client:
        while part := server.recv(65536):
            if proxy.cut_after is not None and sent + len(part) > proxy.cut_after:
                client.sendall(part[: proxy.cut_after - sent])
                proxy.broken += 1
                _break(client, resets=proxy.resets)
                return
            _send(proxy, client, part)
            sent += len(part)


def _break(client: socket.socket, *, resets: bool) -> None:
    """End a connection that another thread still reads from."""
    if resets:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.shutdown(socket.SHUT_RD if resets else socket.SHUT_RDWR)


def _send(proxy: Proxy, client: socket.socket, part: bytes) -> None:
    if not proxy.drips:
        client.sendall(part)
        return
    for start in range(0, len(part), 16):
        client.sendall(part[start : start + 16])
        proxy.dripped += 1
        time.sleep(0.002)
