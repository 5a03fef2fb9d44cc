"""Where the app password comes from: environment, keyring, prompt; and where it is kept.

Beside an app password in the keyring lies the session that was made with it.

keyring is imported when it is needed: it takes 83 ms, and most commands never ask for a password.
"""

from __future__ import annotations

import getpass
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from publisher.errors import CredentialError
from publisher.syntax import Did, Handle

SERVICE = "atproto-publisher"
VARIABLE = "PUBLISHER_APP_PASSWORD"
Source = Literal["environment", "keyring", "prompt"]

_APP_PASSWORD = re.compile(r"[a-z0-9]{4}(-[a-z0-9]{4}){3}")
# Backends are plugins: one that PYTHON_KEYRING_BACKEND names and that isn't there, one over D-Bus,
# one over files: they raise more than keyring's own errors.
_BACKEND_ERRORS = (ImportError, AttributeError, RuntimeError, OSError)
_log = logging.getLogger(__name__)


class Secret:
    """A text that shows itself only to `reveal`: not in a repr, a log line or a traceback."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text, to be sent and to nothing else."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a secret isn't pickled or copied")


@dataclass(frozen=True, slots=True)
class AppPassword:
    """An app password, and where it was found."""

    secret: Secret
    source: Source


def ask_terminal(question: str) -> str | None:
    """Ask on the terminal without an echo; None where there is nobody to ask."""
    if not (sys.stdin and sys.stdin.isatty()):
        return None
    try:
        return getpass.getpass(question)
    except EOFError:
        return None


def find(
    did: Did,
    handle: Handle | None = None,
    *,
    prompt: Callable[[str], str | None] = ask_terminal,
    environ: Mapping[str, str] = os.environ,
) -> AppPassword:
    """Return the app password of an account from the first place that has one.

    `prompt` gets the question and returns None where nobody can be asked. Raises CredentialError,
    which names all three places.
    """
    name = handle or did
    ladder: tuple[Callable[[], AppPassword | str], ...] = (
        lambda: _from_environment(environ),
        lambda: _from_keyring(did),
        lambda: _from_prompt(name, prompt),
    )
    missing = []
    for look in ladder:
        found = look()
        if isinstance(found, AppPassword):
            _log.info("the app password of %s comes from the %s", name, found.source)
            _warn_of_main_password(name, found.secret)
            return found
        missing.append(found)
    raise CredentialError(
        f"no app password for {name}: {'; '.join(missing)}",
        remedy=f"run 'publisher login {name}', or set {VARIABLE}",
    )


def store(did: Did, secret: Secret) -> None:
    """Keep an app password in the keyring, and make sure that it is there.

    The session of the one before goes. Raises CredentialError.
    """
    with _keyring_errors(f"the app password of {did} can't be stored"):
        import keyring

        keyring.set_password(SERVICE, did, secret.reveal())
        kept = keyring.get_password(SERVICE, did)
        _remove(_session_of(did))
    if kept != secret.reveal():
        raise CredentialError(
            f"the keyring accepted the app password of {did} and forgot it",
            remedy=f"configure a keyring that stores (keyring --list-backends), or set {VARIABLE}",
        )


def forget(did: Did) -> bool:
    """Remove an app password and its session from the keyring; False if there was no password.

    Raises CredentialError.
    """
    with _keyring_errors(f"the app password of {did} can't be removed"):
        _remove(_session_of(did))
        return _remove(did)


def kept_session(did: Did) -> Secret | None:
    """Return what `keep_session` kept, None where there is nothing or the keyring fails."""
    try:
        with _keyring_errors("nothing read"):
            import keyring

            text = keyring.get_password(SERVICE, _session_of(did))
    except CredentialError as error:
        _log.info("no session of %s: %s", did, error.message)
        return None
    return Secret(text) if text else None


def keep_session(did: Did, session: Secret) -> None:
    """Keep a session in the keyring for the next run; one that fails is no reason to stop."""
    try:
        with _keyring_errors("the session isn't kept"):
            import keyring

            keyring.set_password(SERVICE, _session_of(did), session.reveal())
    except CredentialError as error:
        _log.info("%s: %s", did, error.message)


def _session_of(did: Did) -> str:
    return f"{did} session"


def _remove(user: str) -> bool:
    import keyring

    if keyring.get_password(SERVICE, user) is None:
        return False
    keyring.delete_password(SERVICE, user)
    return True


def _from_environment(environ: Mapping[str, str]) -> AppPassword | str:
    text = environ.get(VARIABLE, "").strip()
    return AppPassword(Secret(text), "environment") if text else f"{VARIABLE} isn't set"


def _from_keyring(did: Did) -> AppPassword | str:
    try:
        with _keyring_errors("nothing read"):
            import keyring

            text = keyring.get_password(SERVICE, did)
    except CredentialError as error:
        # A keyring that can't be read is one place less, no reason to stop: the prompt is left.
        return error.message.removeprefix("nothing read: ")
    return AppPassword(Secret(text), "keyring") if text else "the keyring has none"


def _from_prompt(name: str, prompt: Callable[[str], str | None]) -> AppPassword | str:
    text = prompt(f"App password of {name}: ")
    if text is None:
        return "there is no terminal to ask on"
    return AppPassword(Secret(text.strip()), "prompt") if text.strip() else "none was typed"


def _warn_of_main_password(name: str, secret: Secret) -> None:
    if not _APP_PASSWORD.fullmatch(secret.reveal()):
        _log.warning(
            "what was given for %s doesn't look like an app password (xxxx-xxxx-xxxx-xxxx); "
            "the main password of an account isn't needed here and shouldn't be used",
            name,
        )


@contextmanager
def _keyring_errors(what: str) -> Iterator[None]:
    """Turn what keyring and its backends raise into CredentialError('what: reason')."""
    try:
        import keyring.errors
    except ImportError as error:
        raise CredentialError(
            f"{what}: keyring isn't installed", remedy=f"pip install keyring, or set {VARIABLE}"
        ) from error
    # None is chained: backends put what they were given into their texts, the password too.
    try:
        yield
    except keyring.errors.NoKeyringError:
        raise CredentialError(
            f"{what}: there is no keyring on this machine",
            remedy=f"install one that keyring knows, or set {VARIABLE}",
        ) from None
    except keyring.errors.KeyringLocked:
        raise CredentialError(
            f"{what}: the keyring is locked", remedy=f"unlock it, or set {VARIABLE}"
        ) from None
    except (keyring.errors.KeyringError, *_BACKEND_ERRORS) as error:
        raise CredentialError(
            f"{what}: the keyring failed ({type(error).__name__})",
            remedy=f"run 'keyring diagnose', or set {VARIABLE}",
        ) from None
