"""The signing key's file, and the files and folders around it."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from publisher.errors import RepoUnavailable
from publisher.folder.database import DATABASE, unwritable

KEY_FILE = "signing.key"


def ignore_key(path: Path) -> None:
    """Name the key, and SQLite's journal, in the folder's .gitignore."""
    file = path / ".gitignore"
    lines = file.read_text("utf-8").splitlines() if file.exists() else []
    missing = [name for name in (KEY_FILE, f"{DATABASE}-journal") if name not in lines]
    if missing:
        file.write_text("\n".join([*lines, *missing]) + "\n", "utf-8")


def make_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """Make the signing key, or take the one that a creation cut short has left."""
    file = path / KEY_FILE
    if file.exists() and file.stat().st_size:
        return load_key(path)
    file.unlink(missing_ok=True)  # an empty one: killed before the key was written
    key = ec.generate_private_key(ec.SECP256K1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(pem)
        stream.flush()
        os.fsync(stream.fileno())
    sync_folder(path)
    return key


def load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """Return the signing key. Raises RepoUnavailable when it is missing or no K-256 key."""
    file = path / KEY_FILE
    try:
        key = load_pem_private_key(file.read_bytes(), None)
    except FileNotFoundError as error:
        raise RepoUnavailable(
            f"{file} is missing, so {path} can only be read",
            remedy=f"restore {file} from where the repo was made (version control leaves it out)",
        ) from error
    except OSError as error:
        raise unwritable(path, error) from error
    except (ValueError, TypeError) as error:
        raise _no_key(file) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256k1":
        raise _no_key(file)
    return key


def _no_key(file: Path) -> RepoUnavailable:
    return RepoUnavailable(
        f"{file} is no K-256 private key in PEM", remedy=f"restore {file} from a copy"
    )


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
