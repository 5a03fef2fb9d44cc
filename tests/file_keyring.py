"""Keyring backends for tests: a working one that is a file, and one that stays locked."""

from __future__ import annotations

import json
import os
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordDeleteError

FILE_VARIABLE = "TEST_KEYRING_FILE"


class FileKeyring(KeyringBackend):
    """Keeps passwords in a JSON file, so that a test can look, and a subprocess can share it."""

    priority = 0.1

    @property
    def path(self) -> Path:
        """The file that the environment names, whether or not it exists yet."""
        return Path(os.environ[FILE_VARIABLE])

    def entries(self) -> dict[str, dict[str, str]]:
        """Return every password, as {service: {user name: password}}."""
        if not self.path.exists():
            return {}
        entries: dict[str, dict[str, str]] = json.loads(self.path.read_text(encoding="utf-8"))
        return entries

    def get_password(self, service: str, username: str) -> str | None:
        """Return the password, None if there is none."""
        return self.entries().get(service, {}).get(username)

    def set_password(self, service: str, username: str, password: str) -> None:
        """Store the password in place of the one before."""
        entries = self.entries()
        entries.setdefault(service, {})[username] = password
        self.path.write_text(json.dumps(entries), encoding="utf-8")

    def delete_password(self, service: str, username: str) -> None:
        """Remove the password. Raises PasswordDeleteError if there is none."""
        entries = self.entries()
        if entries.get(service, {}).pop(username, None) is None:
            raise PasswordDeleteError(f"no password of {username} for {service}")
        self.path.write_text(json.dumps(entries), encoding="utf-8")


class LockedKeyring(KeyringBackend):
    """Refuses everything, as a desktop's keyring does whose owner dismissed the prompt."""

    priority = 0

    def get_password(self, service: str, username: str) -> str | None:
        """Raise KeyringLocked."""
        raise KeyringLocked(service, username)

    def set_password(self, service: str, username: str, password: str) -> None:
        """Raise KeyringLocked."""
        raise KeyringLocked(service, username, password)

    def delete_password(self, service: str, username: str) -> None:
        """Raise KeyringLocked."""
        raise KeyringLocked(service, username)
