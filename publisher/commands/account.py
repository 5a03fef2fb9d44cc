"""`publisher login`, `logout` and `whoami`: the app password of an account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from publisher import credentials
from publisher.commands.repos import Prompt, Target, open_to_read, resolve
from publisher.credentials import Secret
from publisher.errors import CredentialError


@dataclass(frozen=True, slots=True)
class AccountReport:
    """An account and what was done; `password` says where its app password is ('keyring', …)."""

    action: str
    name: str
    did: str
    pds: str | None
    password: str | None

    @property
    def exit_status(self) -> int:
        """0: what goes wrong here is an error."""
        return 0


def login(target: Target, prompt: Prompt, environment: Mapping[str, str]) -> AccountReport:
    """Ask for an app password, try it on the PDS, and keep it in the keyring.

    PUBLISHER_APP_PASSWORD is taken without a question. Raises CredentialError.
    """
    from publisher import pds

    identity, transport = resolve(target)
    text = environment.get(credentials.VARIABLE) or prompt(f"App password of {identity.name}: ")
    if not text or not text.strip():
        raise CredentialError(
            f"no app password for {identity.name} was given",
            remedy=f"run it on a terminal, or set {credentials.VARIABLE}",
        )
    secret = Secret(text.strip())
    account = pds.login(identity, secret, transport=transport)
    credentials.store(identity.did, secret)
    return AccountReport("login", account.handle, identity.did, identity.pds_url, "keyring")


def logout(target: Target) -> AccountReport:
    """Remove the app password from the keyring; on the PDS it stays valid."""
    identity, _ = resolve(target)
    found = credentials.forget(identity.did)
    kept = "removed" if found else None
    return AccountReport("logout", identity.name, identity.did, identity.pds_url, kept)


def whoami(target: Target, environment: Mapping[str, str]) -> AccountReport:
    """Say which repo is published to, and where its app password would come from."""
    if target.folder is not None:
        repo = open_to_read(target)
        try:
            return AccountReport("whoami", repo.name, repo.did, None, None)
        finally:
            repo.close()
    identity, _ = resolve(target)
    try:
        found = credentials.find(
            identity.did, identity.handle, prompt=lambda _question: None, environ=environment
        )
    except CredentialError:
        return AccountReport("whoami", identity.name, identity.did, identity.pds_url, None)
    return AccountReport("whoami", identity.name, identity.did, identity.pds_url, found.source)
