"""What a failed call means: from HTTP status and error name to our errors."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from math import isfinite

from publisher.errors import (
    CredentialError,
    PublisherError,
    RateLimited,
    RepoRefused,
    RepoUnavailable,
)

_NOT_IMPLEMENTED = 501
_NEEDS_LOGIN = {"AuthenticationRequired", "AuthMissing", "ExpiredToken", "InvalidToken"}


class Failed(Exception):
    """A call that had no good answer: no status when there was none at all.

    `text` is free of secrets and short. `wait`: the seconds that a 429 asks for.
    """

    def __init__(
        self,
        text: str,
        *,
        status: int | None = None,
        name: str = "",
        wait: float | None = None,
        transient: bool = False,
        unsent: bool = False,
    ) -> None:
        super().__init__(text)
        self.text = text
        self.status = status
        self.name = name
        self.wait = wait
        self.transient = transient
        self.unsent = unsent

    @property
    def unclear(self) -> bool:
        """Whether what was asked for may have happened all the same."""
        return not self.unsent and (self.status is None or self.status >= 500)


def explain(failure: Failed, what: str, account: str) -> PublisherError:
    """Return our error for a failed call; `what` is who didn't do what."""
    known = _ACCOUNT_ERRORS.get(failure.name)
    if known:
        return known(what, account)
    match failure.status:
        case None:
            return RepoUnavailable(
                f"{what}: {failure.text}", remedy="check the connection and pds, and try again"
            )
        case 429:
            return RateLimited(f"{what}: {come_back(failure.wait)}", remedy="run again then")
        case 413:
            return RepoRefused(
                f"{what}: it is too large", name=failure.name, remedy="make it smaller"
            )
        case status if status == 401 or failure.name in _NEEDS_LOGIN:
            return CredentialError(
                f"{what}: {failure.text}", remedy=f"run 'publisher login {account}'"
            )
        case status if (status >= 500 and status != _NOT_IMPLEMENTED) or not failure.name:
            return RepoUnavailable(
                f"{what}: {failure.text}", remedy="check that pds is one, or try again later"
            )
    return RepoRefused(
        f"{what}: {failure.text}", name=failure.name, remedy="correct what it names, and run again"
    )


def come_back(wait: float | None, what: str = "requests") -> str:
    """Say until when a rate limit allows no more of something."""
    if wait is None:
        return f"it allows no more {what} for now"
    try:
        then = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + wait))
    except (OverflowError, ValueError, OSError):  # a nonsensical header
        return f"it allows no more {what} for now"
    return f"it allows no more {what} until {then} (in {wait:.0f} s)"


def asked_wait(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds of `retry-after` (a number or a date), else of `ratelimit-reset`.

    None where the headers name no time to come. `now`: in seconds since 1970.
    """
    text = headers.get("retry-after", "")
    seconds = number(text)
    if seconds is None and (date := _date(text)) is not None:
        seconds = date - now
    if seconds is None and (reset := number(headers.get("ratelimit-reset", ""))) is not None:
        # In whole seconds, by the server's clock: the limit may end within this one.
        seconds = reset - (_date(headers.get("date", "")) or now) + 1
    return seconds if seconds is not None and seconds > 0 else None


def number(text: str) -> float | None:
    """Return the number that a header is, None if it is none."""
    try:
        parsed = float(text)
    except ValueError:
        return None
    return parsed if isfinite(parsed) else None


def _date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None


_ACCOUNT_ERRORS: dict[str, Callable[[str, str], PublisherError]] = {
    "AccountTakedown": lambda what, account: CredentialError(
        f"{what}: the account {account} was taken down",
        remedy="ask those who run the PDS",
    ),
    "AccountDeactivated": lambda what, account: CredentialError(
        f"{what}: the account {account} is deactivated",
        remedy="activate it again, with the app where it was deactivated",
    ),
    "AuthFactorTokenRequired": lambda what, account: CredentialError(
        f"{what}: this is the main password of {account}, which needs a second factor",
        remedy=f"make an app password and run 'publisher login {account}'",
    ),
    "AuthenticationRequired": lambda what, account: CredentialError(
        f"{what}: the app password of {account} was refused",
        remedy=f"run 'publisher login {account}' with a current app password",
    ),
}


def printable(text: str) -> str:
    """Return foreign text on one line, at most 300 characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= 300 else line[:299] + "…"
