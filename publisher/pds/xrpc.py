"""Calls to one PDS, with retries: the one place that decides on waiting, and that uses the SDK.

Bodies go in and out as bytes, because the SDK's record models are lossy. Its client is made (and
imported, which costs 0.7 s) for the first write: reading, uploading and logging in do without.
"""

from __future__ import annotations

import importlib
import logging
import threading
import time
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ValidationError
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_any,
    wait_exponential,
    wait_random,
)
from tenacity.stop import stop_base

from publisher.credentials import Secret
from publisher.data import Cid, InvalidCid
from publisher.errors import RepoUnavailable
from publisher.pds.answers import Answers, Heard
from publisher.pds.failures import Failed, printable
from publisher.transport import GuardedTransport, Limits, httpx

if TYPE_CHECKING:
    from atproto_client.client.base import ClientBase  # type: ignore[import-untyped]

_ATTEMPTS = 4
_log = logging.getLogger(__name__)

sleep: Callable[[float], None] = time.sleep
"""What waits between two attempts; tests replace it."""

Model = TypeVar("Model", bound=BaseModel)
Result = TypeVar("Result")


def _at_once() -> None:
    return


def _nothing(_path: str, _status: int, _headers: httpx.Headers) -> None:
    return


class Xrpc:
    """One server; thread-safe. `max_wait`: seconds that a call may wait for rate limits."""

    def __init__(
        self, url: str, transport: GuardedTransport, max_wait: float, heard: Heard = _nothing
    ) -> None:
        self.host = httpx.URL(url).netloc.decode("ascii")
        self._url = url
        self._endpoints: dict[str, httpx.URL] = {}
        self._max_wait = max_wait
        self._secrets: list[str] = []
        self._answers = Answers(transport, self.shown, heard)

    def hide(self, secret: str) -> None:
        """Keep a secret out of every text from this server, which might send it back to us."""
        self._secrets.append(secret)

    def shown(self, text: str) -> str:
        """Return foreign text as messages may show it: no secrets, one line, not long."""
        for secret in self._secrets:
            text = text.replace(secret, "…")
        return printable(text)

    def strange(self, what: str) -> RepoUnavailable:
        """Return the error for an answer that makes no sense."""
        return RepoUnavailable(
            f"{self.host} {self.shown(what)}", remedy="check that pds is one, or try again later"
        )

    def query(
        self,
        nsid: str,
        params: Mapping[str, str | int],
        token: Secret | None = None,
        *,
        limits: Limits | None = None,
    ) -> bytes:
        """Call a query. Raises Failed."""
        return self._attempts(
            lambda: self._answers.body(self._query(nsid, params, limits, token)), _worth_retrying
        )

    def download(
        self,
        nsid: str,
        params: Mapping[str, str | int],
        write: Callable[[bytes], object],
        *,
        limits: Limits,
        begin: Callable[[], None] | None = None,
    ) -> None:
        """Call a query and hand the body on, part by part; sent again only before the first part.

        `begin` is called before each attempt: if it undoes what was written, there may be one after
        the first part, too. What `write` raises ends the download. Raises Failed.
        """
        begun = False

        def hand_on(part: bytes) -> None:
            nonlocal begun
            begun = True
            write(part)

        def call() -> None:
            if begin:
                begin()
            self._answers.stream(self._query(nsid, params, limits), hand_on)

        self._attempts(
            call, lambda failure: (begin is not None or not begun) and _worth_retrying(failure)
        )

    def upload(
        self,
        nsid: str,
        content: bytes,
        content_type: str,
        token: Secret,
        *,
        limits: Limits,
        admit: Callable[[], None] = _at_once,
    ) -> bytes:
        """Call a procedure whose body isn't JSON; `admit` as for `procedure`. Raises Failed."""

        def send() -> bytes:
            admit()
            request = httpx.Request(
                "POST",
                self._endpoint(nsid),
                headers={"Content-Type": content_type, **_bearer(token)},
                content=content,
                extensions={"limits": limits},
            )
            return self._answers.body(request)

        return self._attempts(send, _worth_retrying)

    def session(self, nsid: str, body: Secret | None, token: Secret | None) -> bytes:
        """Call a procedure that answers a session. Raises Failed."""

        def send() -> bytes:
            content_type = {"Content-Type": "application/json"} if body else {}
            request = httpx.Request(
                "POST",
                self._endpoint(nsid),
                headers=_bearer(token) | content_type,
                content=body.reveal().encode() if body else b"",
                extensions={"limits": Limits()},
            )
            return self._answers.body(request)

        return self._attempts(send, _worth_retrying)

    def prepare(self) -> None:
        """Begin to load what writing takes, beside what the server does meanwhile."""
        load = partial(importlib.import_module, "atproto_client.client.base")
        threading.Thread(target=load, name="sdk").start()

    def procedure(
        self,
        nsid: str,
        body: bytes,
        token: Secret,
        *,
        retriable: Callable[[Failed], bool] | None = None,
        admit: Callable[[], None] = _at_once,
    ) -> bytes:
        """Call a procedure with JSON; `retriable`: when it may be sent again.

        `admit` is called before each attempt. Raises Failed, and what `admit` does.
        """

        def send() -> bytes:
            admit()
            headers = {"Content-Type": "application/json", **_bearer(token)}
            answer = self._client.invoke_procedure(nsid, content=body, headers=headers)
            return bytes(answer.content)

        return self._attempts(send, retriable or _worth_retrying)

    def parsed(self, model: type[Model], body: bytes, nsid: str) -> Model:
        """Return the answer to `nsid`, checked. Raises RepoUnavailable."""
        try:
            return model.model_validate_json(body)
        except ValidationError as error:
            # Its text quotes the answer, which may hold tokens: only place and kind are kept.
            fault = error.errors(include_input=False, include_url=False, include_context=False)[0]
        del body  # from the frame that a traceback shows
        where = "/".join(str(step) for step in fault["loc"]) or "the whole"
        raise self.strange(f"answered {nsid} with something unreadable ({where}: {fault['type']})")

    def cid(self, text: str) -> str:
        """Return a CID that was answered. Raises RepoUnavailable."""
        try:
            return str(Cid.parse(text))
        except InvalidCid as error:
            raise self.strange(f"answered {text!r}, which {error}") from error

    def close(self) -> None:
        """Close the connections."""
        self._answers.close()

    @cached_property
    def _client(self) -> ClientBase:
        from atproto_client.client.base import ClientBase
        from atproto_client.request import Request  # type: ignore[import-untyped]

        hooks = {"response": [_let_go]}
        request = Request(transport=self._answers, trust_env=False, event_hooks=hooks)
        return ClientBase(base_url=self._url, request=request)

    def _endpoint(self, nsid: str) -> httpx.URL:
        """Return the URL of a call; parsing one for each upload is a tenth of what that costs."""
        if nsid not in self._endpoints:
            self._endpoints[nsid] = httpx.URL(f"{self._url}/xrpc/{nsid}")
        return self._endpoints[nsid]

    def _query(
        self,
        nsid: str,
        params: Mapping[str, str | int],
        limits: Limits | None,
        token: Secret | None = None,
    ) -> httpx.Request:
        """Return a request; its query isn't in the URL, whose parsing takes five times as long."""
        url = self._endpoint(nsid)
        query = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in params.items())
        target = url.raw_path + (f"?{query}".encode() if query else b"")
        return httpx.Request(
            "GET",
            url,
            headers=_bearer(token),
            extensions={"limits": limits or Limits(), "target": target},
        )

    def _attempts(self, call: Callable[[], Result], retriable: Callable[[Failed], bool]) -> Result:
        def attempt() -> Result:
            try:
                return call()
            except Failed as failure:
                # The frames below, the SDK's too, have tokens, bodies and answers in their locals.
                raise failure.with_traceback(None) from None

        try:
            return attempt()
        except Failed as failure:
            failures = [failure]

        def again() -> Result:
            if failures:
                raise failures.pop()
            return attempt()

        retrying = Retrying(
            retry=retry_if_exception(lambda e: isinstance(e, Failed) and retriable(e)),
            wait=_pause,
            stop=stop_any(stop_after_attempt(_ATTEMPTS), _Impatience(self._max_wait)),
            sleep=_sleep,
            before_sleep=self._note,
            reraise=True,
        )
        return retrying(again)

    def _note(self, state: RetryCallState) -> None:
        text = _failure(state).text
        _log.info("%s: %s; again in %.1f s", self.host, text, state.upcoming_sleep)


class _Impatience(stop_base):
    """Stops when a rate limit would make a call wait for more than `seconds` in all."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __call__(self, retry_state: RetryCallState) -> bool:
        waits = _failure(retry_state).status == 429
        return waits and retry_state.idle_for + retry_state.upcoming_sleep > self._seconds


def _let_go(answer: httpx.Response) -> None:
    """Read an answer and part it from its stream, which refers to it as it does to the stream.

    Else the bodies of all writes stay in memory until the garbage collector looks for cycles.
    """
    answer.read()
    answer.stream = httpx.ByteStream(b"")


def _bearer(token: Secret | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {token.reveal()}"} if token else {}


def _worth_retrying(failure: Failed) -> bool:
    return failure.transient or failure.status == 429


def surely_not_applied(failure: Failed) -> bool:
    """Tell whether a call may be sent again although it must not happen twice."""
    return (failure.transient and failure.unsent) or failure.status == 429


def _failure(state: RetryCallState) -> Failed:
    failure = state.outcome.exception() if state.outcome else None
    if not isinstance(failure, Failed):
        raise TypeError("only failed calls are retried") from failure
    return failure


_backoff = wait_exponential(multiplier=0.5, max=8.0) + wait_random(0.0, 0.5)


def _sleep(seconds: float) -> None:
    sleep(seconds)


def _pause(state: RetryCallState) -> float:
    asked = _failure(state).wait
    return _backoff(state) if asked is None else asked
