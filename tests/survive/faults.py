"""Faults between the program and the server, at the one function through which requests pass."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import pytest

from publisher.pds import xrpc
from publisher.transport import GuardedTransport, TransportError

Send = Callable[[httpx.Request], httpx.Response]
Fault = Callable[[httpx.Request, Send], httpx.Response]


@dataclass(slots=True)
class Injected:
    """What happened: how often the fault acted, and every token that the server gave out."""

    acted: int = 0
    tokens: set[str] = field(default_factory=set)


def _broken(reason: str, *, unsent: bool) -> TransportError:
    return TransportError("pds", reason, transient=True, unsent=unsent)


def refused(_request: httpx.Request, _send: Send) -> httpx.Response:
    """Nothing listens."""
    raise _broken("can't be reached", unsent=True)


def cut_before(_request: httpx.Request, _send: Send) -> httpx.Response:
    """The connection breaks, and nothing arrived."""
    raise _broken("the connection broke", unsent=False)


def lost_answer(request: httpx.Request, send: Send) -> httpx.Response:
    """The server does it, and its answer is lost."""
    send(request).read()
    raise _broken("the connection broke", unsent=False)


def timed_out(request: httpx.Request, send: Send) -> httpx.Response:
    """The server does it, and answers too late."""
    send(request).read()
    raise _broken("no whole answer within 60 seconds", unsent=False)


def cut_body(request: httpx.Request, send: Send) -> httpx.Response:
    """Half of the answer comes, as if it were whole."""
    body = send(request).read()
    return httpx.Response(200, content=body[: len(body) // 2])


def garbled(request: httpx.Request, send: Send) -> httpx.Response:
    """The answer is no JSON, though the server did it."""
    send(request).read()
    return httpx.Response(200, content=b"\x00\xff{]")


def page(request: httpx.Request, send: Send) -> httpx.Response:
    """A captive portal answers, with 200."""
    send(request).read()
    return httpx.Response(200, html="<h1>Welcome to the hotel</h1>")


def status(code: int, **headers: str) -> Fault:
    """The server refuses with a status."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}

    def answer(_request: httpx.Request, _send: Send) -> httpx.Response:
        error = "RateLimitExceeded" if code == 429 else "InternalServerError"
        return httpx.Response(code, headers=names, json={"error": error, "message": "no"})

    return answer


def expired(_request: httpx.Request, _send: Send) -> httpx.Response:
    """The access token has expired."""
    body = {"error": "ExpiredToken", "message": "Token has expired"}
    return httpx.Response(400, json=body)


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
    "expired": expired,
}


@contextmanager
def injected(call: str, fault: Fault, *, times: int) -> Iterator[Injected]:
    """Let the fault act on the first `times` requests whose path has `call` in it."""
    seen = Injected()
    original = GuardedTransport.handle_request

    def handle(guarded: GuardedTransport, request: httpx.Request) -> httpx.Response:
        def send(asked: httpx.Request) -> httpx.Response:
            answer = original(guarded, asked)
            if "Session" not in asked.url.path:
                return answer
            body = answer.read()
            _remember(seen, body)
            return httpx.Response(answer.status_code, content=body)

        if call in request.url.path and seen.acted < times:
            seen.acted += 1
            return fault(request, send)
        return send(request)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(GuardedTransport, "handle_request", handle)
        patched.setattr(xrpc, "sleep", lambda _seconds: time.sleep(0.001))
        yield seen


def _remember(seen: Injected, body: bytes) -> None:
    try:
        session = json.loads(body)
    except ValueError:
        return
    seen.tokens |= {session[name] for name in ("accessJwt", "refreshJwt") if name in session}
