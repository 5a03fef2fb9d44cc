"""The blobs of the repo in a folder: files named by their CIDs."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Final

from publisher.data import RAW, Cid
from publisher.files import Hashed, digest_of
from publisher.folder.database import unwritable
from publisher.folder.key import sync_folder

BLOBS: Final = "blobs"
_PART: Final = 1 << 20


def copy_blob(root: Path, cid: Cid, file: IO[bytes]) -> bool:
    """Write a blob into an empty file; False where it is missing or damaged.

    Raises RepoUnavailable, and OSError for the file that is written.
    """
    into = Hashed(file)
    try:
        source = (root / BLOBS / str(cid)).open("rb", buffering=0)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise unwritable(root, error) from error
    with source:
        while part := _read(root, source):
            into.write(part)
    return Cid.hashed(into.digest, RAW) == cid


def _read(root: Path, source: IO[bytes]) -> bytes:
    try:
        return source.read(_PART)
    except OSError as error:
        raise unwritable(root, error) from error


def has_blob(root: Path, cid: Cid) -> bool:
    """Tell whether a blob's file is there, and whole. Raises RepoUnavailable."""
    try:
        return Cid.hashed(digest_of(root / BLOBS / str(cid)), RAW) == cid
    except FileNotFoundError:
        return False
    except OSError as error:
        raise unwritable(root, error) from error


def store_blob(root: Path, cid: Cid, content: bytes) -> None:
    """Write a blob's file. Only under the write lock, so `sweep` never meets a half one."""
    folder = root / BLOBS
    folder.mkdir(exist_ok=True)  # git keeps no empty folders
    temporary = folder / f"{cid}.tmp"
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(folder / str(cid))
    sync_folder(folder)


def sweep(root: Path, kept: Iterable[Cid]) -> None:
    """Delete the files of all other blobs, and what killed processes left behind."""
    names = set(map(str, kept))
    for file in (root / BLOBS).iterdir():
        if file.name.startswith("bafkrei") and file.name not in names:
            file.unlink()
