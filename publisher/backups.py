"""What is about to be overwritten or deleted is kept: `.publisher/backups`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from publisher.data import Value, to_plain
from publisher.files import write_atomically, writing

FOLDER = Path(".publisher") / "backups"
BLOBS = "blobs"


@dataclass(frozen=True, slots=True)
class Kept:
    """A record before it goes; `path` is that of its document."""

    uri: str
    cid: str
    value: dict[str, Value]
    action: Literal["update", "delete"]
    path: str | None = None


class Backups:
    """The backups of one run: a file of JSON lines, made with its first, and blobs by CID."""

    def __init__(self, root: Path, now: datetime) -> None:
        self._folder = root / FOLDER
        self._file = self._folder / f"{now:%Y-%m-%dT%H-%M-%S.%fZ}.jsonl"

    def keep(self, items: Iterable[Kept]) -> None:
        """Keep records; they are on the disk when this returns. Raises StateError."""
        lines = b"".join(_line(item) for item in items)
        with writing(self._file):
            self._folder.mkdir(parents=True, exist_ok=True)
            with self._file.open("ab") as file:
                file.write(lines)
                file.flush()
                os.fsync(file.fileno())

    def has_blob(self, cid: str) -> bool:
        """Tell whether a blob is kept already."""
        return (self._folder / BLOBS / cid).exists()

    def keep_blob(self, cid: str, content: bytes) -> None:
        """Keep a blob. Raises StateError."""
        folder = self._folder / BLOBS
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / cid, content)


def _line(item: Kept) -> bytes:
    body = {
        "uri": item.uri,
        "cid": item.cid,
        "action": item.action,
        "path": item.path,
        "value": to_plain(item.value),
    }
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
