"""Calls to one PDS: what is sent again, and what isn't."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from publisher.credentials import Secret
from publisher.pds import xrpc
from publisher.pds.failures import Failed
from publisher.pds.xrpc import Xrpc
from publisher.transport import Limits, transport_for
from tests.local_server import Answer, LocalServer, Seen, serve

BUSY = Answer(b'{"error": "Busy", "message": "later"}', 503)


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Switch waiting off; what would have been waited is listed here."""
    waited: list[float] = []
    monkeypatch.setattr(xrpc, "sleep", waited.append)
    return waited


@contextmanager
def asking(answers: Callable[[Seen], Answer]) -> Iterator[tuple[Xrpc, LocalServer]]:
    with serve(answers) as server:
        opened = Xrpc(server.url, transport_for(server.url), max_wait=60.0)
        yield opened, server
        opened.close()


def in_turn(*answers: Answer) -> Callable[[Seen], Answer]:
    left = iter(answers)
    return lambda _: next(left)


def test_a_download_is_handed_on_part_by_part() -> None:
    body = bytes(range(256)) * 4096
    parts: list[bytes] = []
    with asking(lambda _: Answer(body)) as (server, _):
        server.download("com.example.get", {"did": "a b"}, parts.append, limits=Limits())
    assert b"".join(parts) == body
    assert max(map(len, parts)) < len(body)


def test_a_download_is_asked_for_again_before_its_first_byte() -> None:
    parts: list[bytes] = []
    with asking(in_turn(BUSY, BUSY, Answer(b"whole"))) as (server, _):
        server.download("com.example.get", {}, parts.append, limits=Limits())
    assert parts == [b"whole"]


def test_a_download_that_breaks_off_is_not_begun_again() -> None:
    torn = Answer(b"torn", headers={"Content-Length": "99"})
    parts: list[bytes] = []
    with asking(lambda _: torn) as (server, asked):
        with pytest.raises(Failed, match="broke off") as caught:
            server.download("com.example.get", {}, parts.append, limits=Limits())
        assert len(asked.seen) == 1
    assert caught.value.transient
    assert parts == [b"torn"]


def test_a_download_has_a_cap_of_its_own() -> None:
    parts: list[bytes] = []
    refused = pytest.raises(Failed, match="larger than the 10 bytes")
    with asking(lambda _: Answer(bytes(11))) as (server, _), refused:
        server.download("com.example.get", {}, parts.append, limits=Limits(max_bytes=10))
    assert parts == []


def test_who_receives_a_download_may_end_it() -> None:
    class EnoughError(Exception):
        pass

    def stop(_: bytes) -> None:
        raise EnoughError

    with asking(lambda _: Answer(bytes(1 << 22))) as (server, asked):
        with pytest.raises(EnoughError):
            server.download("com.example.get", {}, stop, limits=Limits())
        assert len(asked.seen) == 1


def test_a_long_refusal_is_not_read_to_its_end() -> None:
    endless = Answer(b'{"error": "Bad", "message": "' + b"x" * (1 << 22) + b'"}', 400)
    refused = pytest.raises(Failed, match="it answered 400")
    with asking(lambda _: endless) as (server, _), refused:
        server.query("com.example.get", {})


Sent = Callable[[Xrpc, bytes], object]
TOKEN = Secret("token")
SENDING: dict[str, Sent] = {
    "a procedure": lambda server, body: server.procedure("com.example.put", body, TOKEN),
    "an upload": lambda server, body: server.upload(
        "com.example.put", body, "image/png", TOKEN, limits=Limits()
    ),
}


@pytest.fixture
def no_collector() -> Iterator[None]:
    """What is only found by the garbage collector stays."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("answers", [[Answer(b"{}")], [BUSY, Answer(b"{}")]], ids=["", "again"])
@pytest.mark.parametrize("send", SENDING.values(), ids=SENDING)
def test_nothing_holds_on_to_a_body_that_was_answered(send: Sent, answers: list[Answer]) -> None:
    body = b"{%s}" % (b" " * 100_000)
    with asking(in_turn(*answers)) as (server, _):
        before = sys.getrefcount(body)
        send(server, body)
        assert sys.getrefcount(body) == before
