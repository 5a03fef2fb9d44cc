"""Whose repo a folder holds: `pull.json`, for people and for what reads the folder."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, StrictBool, StrictStr, ValidationError

from publisher.errors import StateError
from publisher.files import content_of
from publisher.syntax import Did

MANIFEST: Final = "pull.json"
DATABASE: Final = ".pull.sqlite"
_MOST: Final = 1 << 16
"""Bytes: a pull writes 400."""


class Manifest(BaseModel):
    """`pull.json`: whose repo the folder holds, at which commit, how far proven.

    While it isn't `complete`, something is missing or was changed here; while it hasn't `ended`, a
    pull is at work or was cut short.
    """

    model_config = ConfigDict(extra="ignore")
    version: Literal[1, 2]
    did: StrictStr
    rev: StrictStr
    commit: StrictStr = ""
    proof: StrictStr
    complete: StrictBool
    ended: StrictBool = False

    @property
    def has_ended(self) -> bool:
        """Whether the pull came to its end."""
        return self.ended or self.complete


def read_manifest(folder: Path) -> Manifest | None:
    """Return what `pull.json` says; None where there is none. Raises StateError."""
    path = folder / MANIFEST
    try:
        return Manifest.model_validate_json(content_of(path, _MOST))
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        why = f": it {error.strerror}" if isinstance(error, OSError) else ""
        raise StateError(
            f"{path}: can't be read as what a pull wrote{why}",
            remedy="pull into another folder (--out)",
        ) from error


def origin(folder: Path) -> Did | None:
    """Return whose repo was pulled into a folder; None where none was.

    Without `pull.json`, or where that is no pull's, the database tells.
    """
    with suppress(StateError):
        if manifest := read_manifest(folder):
            return Did(manifest.did)
    path = folder / DATABASE
    if not path.is_file():
        return None
    place = f"{path.resolve().as_uri()}?mode=ro"
    with suppress(sqlite3.Error), closing(sqlite3.connect(place, uri=True)) as database:
        row = database.execute("SELECT did FROM head").fetchone()
        return Did(row[0]) if row else None
    return None
