"""Connections to addresses that were checked, ended by the deadline of whoever uses them."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from typing import Any

import httpcore

from publisher.transport.clock import TransportError, left
from publisher.transport.origins import is_local, is_public

_WRITE_SLICE = 1 << 18


class CheckedBackend(httpcore.NetworkBackend):
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
        """Connect to the first address that answers, of those that are allowed."""
        failure: Exception = httpcore.ConnectError("no address")
        for address in self._checked(host, port):
            try:
                return _DeadlineStream(
                    self._sockets.connect_tcp(
                        address, port, left(timeout), local_address, socket_options
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
        if self._allow_private and is_local(address):
            return True
        return is_public(address)


class _DeadlineStream(httpcore.NetworkStream):
    """A connection whose every read and write ends with the deadline of the current request."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _WRITE_SLICE):
            self._stream.write(buffer[start : start + _WRITE_SLICE], left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _DeadlineStream(self._stream.start_tls(ssl_context, server_hostname, left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
