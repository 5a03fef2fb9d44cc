"""Faults between the program and the server, at the one function through which requests pass."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import pytest

from publisher.pds import xrpc
from publisher.transport import GuardedTransport, TransportError
from tests.local_server import Answer, Seen, serve

Send = Callable[[httpx.Request], httpx.Response]


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request, what sends it on, and a server on this machine that isn't the account's.

    That one leads from one of its pages to another, and has no others.
    """

    request: httpx.Request
    send: Send
    elsewhere: str

    def done(self) -> bytes:
        """Let the server do it; return its answer."""
        return self.send(self.request).read()


Fault = Callable[[Exchange], httpx.Response]


@dataclass(slots=True)
class Injected:
    """How often the fault acted, and what arrived elsewhere."""

    elsewhere: Sequence[Seen]
    acted: int = 0


def _broken(reason: str, *, unsent: bool) -> TransportError:
    return TransportError("pds", reason, transient=True, unsent=unsent)


def refused(_exchange: Exchange) -> httpx.Response:
    """Nothing listens."""
    raise _broken("can't be reached", unsent=True)


def cut_before(_exchange: Exchange) -> httpx.Response:
    """The connection breaks, and nothing arrived."""
    raise _broken("the connection broke", unsent=False)


def lost_answer(exchange: Exchange) -> httpx.Response:
    """The server does it, and its answer is lost."""
    exchange.done()
    raise _broken("the connection broke", unsent=False)


def timed_out(exchange: Exchange) -> httpx.Response:
    """The server does it, and answers too late."""
    exchange.done()
    raise _broken("no whole answer within 60 seconds", unsent=False)


def cut_body(exchange: Exchange) -> httpx.Response:
    """Half of the answer comes, as if it were whole."""
    body = exchange.done()
    return httpx.Response(200, content=body[: len(body) // 2])


def garbled(exchange: Exchange) -> httpx.Response:
    """The answer is no JSON, though the server did it."""
    exchange.done()
    return httpx.Response(200, content=b"\x00\xff{]")


def page(exchange: Exchange) -> httpx.Response:
    """A captive portal answers, with 200."""
    exchange.done()
    return httpx.Response(200, html="<h1>Welcome to the hotel</h1>")


def status(code: int, **headers: str) -> Fault:
    """The server refuses with a status."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}

    def answer(_exchange: Exchange) -> httpx.Response:
        error = "RateLimitExceeded" if code == 429 else "InternalServerError"
        return httpx.Response(code, headers=names, json={"error": error, "message": "no"})

    return answer


def done_and_500(exchange: Exchange) -> httpx.Response:
    """The server does it, and fails at its answer."""
    exchange.done()
    return status(500)(exchange)


def expired(_exchange: Exchange) -> httpx.Response:
    """The access token has expired."""
    body = {"error": "ExpiredToken", "message": "Token has expired"}
    return httpx.Response(400, json=body)


def redirected(exchange: Exchange) -> httpx.Response:
    """The answer leads to another server: as it comes from the wire."""
    return exchange.send(httpx.Request("GET", exchange.elsewhere + REDIRECT))


def redirected_within(exchange: Exchange) -> httpx.Response:
    """The answer leads to another server, and has passed the guard that refuses that."""
    return httpx.Response(302, headers={"location": exchange.elsewhere + TARGET})


def another_pds(exchange: Exchange) -> httpx.Response:
    """The DID document in the answer names another server."""
    answer = exchange.send(exchange.request)
    body = answer.read()
    document = answer.json()
    (service,) = document.get("didDoc", document)["service"]
    theirs = service["serviceEndpoint"].encode()
    content = body.replace(theirs, exchange.elsewhere.encode())
    return httpx.Response(answer.status_code, content=content)


FAULTS: dict[str, Fault] = {
    "refused": refused,
    "cut before": cut_before,
    "lost answer": lost_answer,
    "timed out": timed_out,
    "cut body": cut_body,
    "garbled": garbled,
    "page": page,
    "429": status(429),
    "429 soon": status(429, retry_after="1"),
    "429 negative": status(429, retry_after="-5"),
    "429 huge": status(429, retry_after="99999999999999999999"),
    "429 past": status(429, retry_after="Wed, 21 Oct 2015 07:28:00 GMT"),
    "429 words": status(429, retry_after="soon", ratelimit_reset="later"),
    "500": status(500),
    "502": status(502),
    "503": status(503),
    "500 and done": done_and_500,
    "expired": expired,
    "redirected": redirected,
    "redirected within": redirected_within,
}
REDIRECTS = ("redirected", "redirected within")
OTHER_BYTES = {cut_body, garbled, page}
REDIRECT, TARGET = "/from", "/to"


def _elsewhere(request: Seen) -> Answer:
    if request.path == REDIRECT:
        return Answer(status=302, headers={"Location": f"http://{request.headers['host']}{TARGET}"})
    return Answer(b"not found", 404)


@contextmanager
def injected(call: str, fault: Fault, *, times: int) -> Iterator[Injected]:
    """Let the fault act on the first `times` requests whose path has `call` in it."""
    original = GuardedTransport.handle_request
    with serve(_elsewhere) as other, pytest.MonkeyPatch.context() as patched:
        seen = Injected(other.seen)

        def handle(guarded: GuardedTransport, request: httpx.Request) -> httpx.Response:
            def send(asked: httpx.Request) -> httpx.Response:
                return original(guarded, asked)

            if call in request.url.path and seen.acted < times:
                seen.acted += 1
                return fault(Exchange(request, send, other.url))
            return send(request)

        patched.setattr(GuardedTransport, "handle_request", handle)
        patched.setattr(xrpc, "sleep", lambda _seconds: time.sleep(0.001))
        yield seen
