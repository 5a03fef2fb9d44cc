"""No secret lies in a file or is said: neither a password nor anything that looks like a token."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.reference_pds import Account

TOKEN: Final = re.compile(r"eyJ[\w-]{10,}\.[\w-]{10,}")
_OURS: Final = {".png", ".md"}


def tells_no_secret(account: Account, *folders: Path, **said: str) -> None:
    """Look into all files below the folders, but for documents, and into what was said."""
    assert TOKEN.match(account.token), "what is looked for is what the server gives"
    for where, text in (*_files(folders), *said.items()):
        for secret in (account.app_password, account.password):
            assert secret not in text, f"a password is in {where}"
        assert not TOKEN.search(text), f"a token is in {where}"


def _files(folders: tuple[Path, ...]) -> Iterator[tuple[str, str]]:
    """Every file that a run may write: lock, journal, backups, points, mirror, temporary ones."""
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix not in _OURS:
                yield str(path), path.read_bytes().decode("latin-1")
