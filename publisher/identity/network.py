"""What is asked on the way to an account, and what may come back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from publisher.errors import IdentityError
from publisher.transport import Limits, httpx

LIMITS = Limits(max_bytes=256 * 1024, seconds=15.0)
_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Network:
    """The servers that may be asked: origins, and the DNS."""

    client: httpx.Client
    pds: str | None
    plc: str
    allow_private: bool
    lookup_txt: Callable[[str], list[str]]

    def get(self, url: str) -> httpx.Response:
        """Fetch a URL. Raises TransportError."""
        return self.client.get(url, extensions={"limits": LIMITS})


def parse(model: type[_Model], text: bytes | str, what: str) -> _Model:
    """Read an answer; messages call it `what`. Raises IdentityError."""
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise IdentityError(
            f"{what} can't be read: {error.errors(include_input=False)[0]['msg']}",
            remedy="check pds and plc, or try again later",
        ) from error


def short(text: str) -> str:
    """Return a text that a stranger wrote, cut for a message."""
    return text if len(text) <= 80 else text[:77] + "…"
