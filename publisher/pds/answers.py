"""What a PDS answers: good answers as bytes, everything else as `Failed`.

It stands between whoever makes requests (the SDK's client among them) and the guarded transport.
So the SDK's own errors, which decide by class and quote answers, never come about.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from pydantic import BaseModel, ValidationError

from publisher.pds.failures import Failed, asked_wait
from publisher.transport import GuardedTransport, TransportError, httpx

_TRANSIENT = {502, 503, 504}
_REFUSAL = 1 << 16  # bytes: what is read of a refusal

Heard = Callable[[str, int, httpx.Headers], None]
"""What is told of every answer: the path, the status, the headers."""


class _Error(BaseModel):
    error: str = ""
    message: str = ""


class Answers(httpx.BaseTransport):
    """Sends requests; thread-safe. `shown` makes foreign text fit for messages."""

    def __init__(
        self, transport: GuardedTransport, shown: Callable[[str], str], heard: Heard
    ) -> None:
        self._transport = transport
        self._shown = shown
        self._heard = heard

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return a good answer as the SDK takes it: without a content type.

        It would parse JSON, that of blobs too.
        """
        return httpx.Response(200, content=self.body(request))

    def body(self, request: httpx.Request) -> bytes:
        """Return the body of a good answer. Raises Failed."""
        parts: list[bytes] = []
        self.stream(request, parts.append)
        return b"".join(parts)

    def stream(self, request: httpx.Request, write: Callable[[bytes], object]) -> None:
        """Hand the body of a good answer on, part by part. Raises Failed, and what `write` does."""
        try:
            answer = self._transport.handle_request(request)
            try:
                self._heard(request.url.path, answer.status_code, answer.headers)
                if not answer.is_success:
                    raise self._refusal(answer)
                for part in answer.iter_bytes():
                    write(part)
            finally:
                answer.close()
        except TransportError as error:
            failed = Failed(error.reason, transient=error.transient, unsent=error.unsent)
            # Nothing is chained: the frames below have headers and bodies in their locals.
            raise failed from None

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def _refusal(self, answer: httpx.Response) -> Failed:
        try:
            said = _Error.model_validate_json(_beginning(answer))
        except ValidationError:
            said = _Error()
        text = ": ".join(part for part in (said.error, said.message) if part)
        status = answer.status_code
        return Failed(
            self._shown(text) or f"it answered {status}",
            status=status,
            name=self._shown(said.error),
            wait=asked_wait(answer.headers, time.time()) if status == 429 else None,
            transient=status in _TRANSIENT,
        )


def _beginning(answer: httpx.Response) -> bytes:
    body = b""
    for part in answer.iter_bytes():
        body += part
        if len(body) > _REFUSAL:
            break
    return body
