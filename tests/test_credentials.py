"""Where the app password is looked for, and that nobody ever sees it."""

from __future__ import annotations

import copy
import logging
import pickle
import sys
import traceback
from collections.abc import Callable

import keyring
import pytest
from keyring.errors import KeyringError

from publisher import credentials
from publisher.credentials import SERVICE, VARIABLE, Secret, ask_terminal, find, forget, store
from publisher.errors import CredentialError
from publisher.syntax import Did, Handle
from tests.file_keyring import FileKeyring

ALICE = Did("did:plc:" + "a" * 24)
HANDLE = Handle("alice.example")
PASSWORD = "abcd-efgh-ijkl-mnop"
OTHER = "qrst-uvwx-yz23-4567"


def nobody(_: str) -> str | None:
    return None


def typed(text: str) -> Callable[[str], str | None]:
    return lambda _: text


def test_the_environment_comes_before_the_keyring_and_the_prompt(
    file_keyring: FileKeyring,
) -> None:
    file_keyring.set_password(SERVICE, ALICE, OTHER)
    found = find(ALICE, HANDLE, prompt=typed(OTHER), environ={VARIABLE: f"{PASSWORD}\n"})
    assert (found.secret.reveal(), found.source) == (PASSWORD, "environment")


def test_the_keyring_comes_before_the_prompt(file_keyring: FileKeyring) -> None:
    file_keyring.set_password("atproto-publisher", ALICE, PASSWORD)
    found = find(ALICE, HANDLE, prompt=typed(OTHER), environ={VARIABLE: ""})
    assert (found.secret.reveal(), found.source) == (PASSWORD, "keyring")


def test_the_keyring_is_asked_for_the_did_alone(file_keyring: FileKeyring) -> None:
    file_keyring.set_password(SERVICE, HANDLE, OTHER)
    with pytest.raises(CredentialError):
        find(ALICE, HANDLE, prompt=nobody, environ={})


def test_the_prompt_is_the_last_and_names_the_account() -> None:
    questions = []

    def prompt(question: str) -> str:
        questions.append(question)
        return PASSWORD

    found = find(ALICE, HANDLE, prompt=prompt, environ={})
    assert (found.secret.reveal(), found.source) == (PASSWORD, "prompt")
    assert questions == ["App password of alice.example: "]


@pytest.mark.parametrize(
    ("fixture", "reason"),
    [
        ("file_keyring", "the keyring has none"),
        ("null_keyring", "the keyring has none"),
        ("missing_keyring", "there is no keyring on this machine"),
        ("locked_keyring", "the keyring is locked"),
    ],
)
def test_an_error_names_all_three_places(
    fixture: str, reason: str, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue(fixture)
    with pytest.raises(CredentialError) as caught:
        find(ALICE, HANDLE, prompt=nobody, environ={})
    assert caught.value.message == (
        f"no app password for alice.example: PUBLISHER_APP_PASSWORD isn't set; {reason}; "
        "there is no terminal to ask on"
    )
    assert caught.value.remedy == (
        "run 'publisher login alice.example', or set PUBLISHER_APP_PASSWORD"
    )


@pytest.mark.parametrize("fixture", ["missing_keyring", "locked_keyring"])
def test_a_keyring_that_fails_leaves_the_prompt(
    fixture: str, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue(fixture)
    assert find(ALICE, prompt=typed(PASSWORD), environ={}).source == "prompt"


def test_an_empty_line_is_no_password() -> None:
    with pytest.raises(CredentialError, match="none was typed"):
        find(ALICE, prompt=typed(" "), environ={})


def test_nobody_is_asked_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert ask_terminal("?") is None


def test_what_is_stored_is_found_and_forgotten(file_keyring: FileKeyring) -> None:
    store(ALICE, Secret(PASSWORD))
    assert file_keyring.entries() == {"atproto-publisher": {ALICE: PASSWORD}}
    assert find(ALICE, prompt=nobody, environ={}).source == "keyring"
    assert forget(ALICE) is True
    assert forget(ALICE) is False


@pytest.mark.parametrize(
    ("fixture", "reason"),
    [
        ("null_keyring", "accepted the app password of .* and forgot it"),
        ("missing_keyring", "can't be stored: there is no keyring"),
        ("locked_keyring", "can't be stored: the keyring is locked"),
    ],
)
def test_a_password_that_was_not_stored_is_an_error(
    fixture: str, reason: str, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue(fixture)
    with pytest.raises(CredentialError, match=reason) as caught:
        store(ALICE, Secret(PASSWORD))
    assert VARIABLE in caught.value.remedy


@pytest.mark.parametrize("error", [RuntimeError("x"), KeyringError("x"), OSError("x")])
def test_a_backend_that_breaks_is_an_error_of_ours(
    error: Exception, monkeypatch: pytest.MonkeyPatch, file_keyring: FileKeyring
) -> None:
    def fail(*_: str) -> str | None:
        raise error

    for call in ("get_password", "set_password", "delete_password"):
        monkeypatch.setattr(FileKeyring, call, fail)
    with pytest.raises(CredentialError, match="the keyring failed"):
        store(ALICE, Secret(PASSWORD))
    with pytest.raises(CredentialError, match="the keyring failed"):
        forget(ALICE)
    assert find(ALICE, prompt=typed(PASSWORD), environ={}).source == "prompt"


def test_a_backend_that_does_not_exist_is_an_error_of_ours(
    monkeypatch: pytest.MonkeyPatch, file_keyring: FileKeyring
) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "not.there.Keyring")
    monkeypatch.setattr(keyring.core, "_keyring_backend", None)
    with pytest.raises(CredentialError, match="the keyring failed"):
        store(ALICE, Secret(PASSWORD))


def test_a_secret_shows_itself_to_nobody() -> None:
    secret = Secret(PASSWORD)
    found = credentials.AppPassword(secret, "prompt")
    assert secret.reveal() == PASSWORD
    for text in (repr(secret), str(secret), f"{secret}", f"{secret!a}", repr(found), str(found)):
        assert PASSWORD not in text
    assert not hasattr(secret, "__dict__")
    for leak in (pickle.dumps, copy.copy):
        with pytest.raises(TypeError, match="isn't pickled"):
            leak(secret)


@pytest.mark.parametrize("fixture", ["null_keyring", "missing_keyring", "locked_keyring"])
def test_no_traceback_of_a_failed_store_shows_the_password(
    fixture: str, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue(fixture)
    with pytest.raises(CredentialError) as caught:
        store(ALICE, Secret(PASSWORD))
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))


def test_the_log_says_where_the_password_came_from_and_never_the_password(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    find(ALICE, HANDLE, prompt=nobody, environ={VARIABLE: PASSWORD})
    assert "the app password of alice.example comes from the environment" in caplog.text
    assert PASSWORD not in caplog.text


@pytest.mark.parametrize(("text", "warned"), [(PASSWORD, False), ("hunter2 of mine", True)])
def test_what_looks_like_the_main_password_is_warned_of(
    text: str, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    find(ALICE, HANDLE, prompt=nobody, environ={VARIABLE: text})
    assert ("doesn't look like an app password" in caplog.text) is warned
    assert text not in caplog.text
