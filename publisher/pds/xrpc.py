"""Calls to one PDS, with retries: the one place that decides on waiting, and that uses the SDK.

The SDK builds the requests; bodies go in and out as bytes, because its record models are lossy.
Between it and the guarded transport stands `_RawAnswers`, which turns every refusal into `Failed`,
so that the SDK's own errors (which decide by class, and quote answers) never come about.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import TypeVar

import httpx
from atproto_client.client.base import ClientBase  # type: ignore[import-untyped]
from atproto_client.request import Request  # type: ignore[import-untyped]
from pydantic import BaseModel, RootModel, ValidationError
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

from publisher.errors import RepoUnavailable
from publisher.pds.failures import Failed, printable
from publisher.transport import GuardedTransport, Limits, TransportError

_ATTEMPTS = 4
_TRANSIENT = {502, 503, 504}
_log = logging.getLogger(__name__)

sleep: Callable[[float], None] = time.sleep
"""What waits between two attempts; tests replace it."""

Model = TypeVar("Model", bound=BaseModel)
_Params = RootModel[dict[str, str | int]]


class _Error(BaseModel):
    error: str = ""
    message: str = ""


class Xrpc:
    """One server; thread-safe. `max_wait`: seconds that a call may wait for rate limits."""

    def __init__(self, url: str, transport: GuardedTransport, max_wait: float) -> None:
        self.host = httpx.URL(url).netloc.decode("ascii")
        self._max_wait = max_wait
        self._secrets: list[str] = []
        self._request = Request(transport=_RawAnswers(transport, self.shown), trust_env=False)
        self._client = ClientBase(base_url=url, request=self._request)

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
        self, nsid: str, params: Mapping[str, str | int], *, limits: Limits | None = None
    ) -> bytes:
        """Call a query without a token. Raises Failed."""
        return self._attempts(
            lambda: (
                self._client.invoke_query(
                    nsid, _Params(dict(params)), extensions={"limits": limits or Limits()}
                ).content
            ),
            _worth_retrying,
        )

    def procedure(
        self,
        nsid: str,
        content: bytes,
        content_type: str | None,
        token: str | None = None,
        *,
        limits: Limits | None = None,
        retriable: Callable[[Failed], bool] | None = None,
    ) -> bytes:
        """Call a procedure; `retriable` says after which failures it may be sent again.

        Raises Failed.
        """
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if content_type:
            headers["Content-Type"] = content_type
        return self._attempts(
            lambda: (
                self._client.invoke_procedure(
                    nsid,
                    content=content,
                    headers=headers,
                    extensions={"limits": limits or Limits()},
                ).content
            ),
            retriable or _worth_retrying,
        )

    def parsed(self, model: type[Model], body: bytes, nsid: str) -> Model:
        """Return the answer to `nsid`, checked. Raises RepoUnavailable."""
        try:
            return model.model_validate_json(body)
        except ValidationError as error:
            # Its text quotes the answer, which may hold tokens: only place and kind are kept.
            fault = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = "/".join(str(step) for step in fault["loc"]) or "the whole"
        raise self.strange(f"answered {nsid} with something unreadable ({where}: {fault['type']})")

    def close(self) -> None:
        """Close the connections."""
        self._request.close()

    def _attempts(self, call: Callable[[], bytes], retriable: Callable[[Failed], bool]) -> bytes:
        retrying = Retrying(
            retry=retry_if_exception(lambda e: isinstance(e, Failed) and retriable(e)),
            wait=_pause,
            stop=stop_any(stop_after_attempt(_ATTEMPTS), _Impatience(self._max_wait)),
            sleep=_sleep,
            before_sleep=self._note,
            reraise=True,
        )
        return retrying(call)

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


class _RawAnswers(httpx.BaseTransport):
    """Hands the SDK every good answer as bytes, and raises Failed for all others.

    Bytes, because no content type is handed on: the SDK would parse JSON, that of blobs too.
    """

    def __init__(self, transport: GuardedTransport, shown: Callable[[str], str]) -> None:
        self._transport = transport
        self._shown = shown

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        try:
            answer = self._transport.handle_request(request)
            try:
                body = answer.read()
            finally:
                answer.close()
        except TransportError as error:
            raise Failed(error.reason, transient=error.transient, unsent=error.unsent) from error
        if not 200 <= answer.status_code < 300:
            raise self._refusal(answer, body)
        return httpx.Response(answer.status_code, content=body)

    def close(self) -> None:
        self._transport.close()

    def _refusal(self, answer: httpx.Response, body: bytes) -> Failed:
        try:
            said = _Error.model_validate_json(body)
        except ValidationError:
            said = _Error()
        text = ": ".join(part for part in (said.error, said.message) if part)
        status = answer.status_code
        return Failed(
            self._shown(text) or f"it answered {status}",
            status=status,
            name=self._shown(said.error),
            wait=_asked_wait(answer.headers) if status == 429 else None,
            transient=status in _TRANSIENT,
        )


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


def _asked_wait(headers: httpx.Headers) -> float | None:
    """Return the seconds of `retry-after` (a number or a date), else of `ratelimit-reset`."""
    text = headers.get("retry-after", "")
    seconds = _number(text)
    if seconds is None and text:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - time.time()
        except (ValueError, OverflowError):
            seconds = None
    if seconds is None and (reset := _number(headers.get("ratelimit-reset", ""))) is not None:
        seconds = reset - time.time() + 1  # whole seconds: the limit may end within this one
    return None if seconds is None else max(seconds, 0.0)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if isfinite(number) else None
