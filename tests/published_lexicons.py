"""Lexicons as others publish them, fetched once per machine: what must give no false alarm."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from tests.reference_pds import CACHE, ENVIRONMENT

# The package that carries them: 576, of Bluesky, the community and other apps. Fetched, not
# committed: they are theirs.
CARRIER = "lexrpc==3.0"
SHA256 = "781ccd064f616d3f019973a64280d85f33aca1c802ad5ff5c6abcc471218f94d"


def published() -> Path:
    """Return the folder of the published lexicons."""
    target = CACHE / f"lexicons-{SHA256[:16]}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock-lexicons").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.is_dir():
            _fetch_into(target)
    return target


def _fetch_into(target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        pip = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check"]
        options = ["--quiet", "--no-deps", "--only-binary", ":all:", "--dest", folder]
        ended = subprocess.run(
            [*pip, *options, CARRIER], env=ENVIRONMENT, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stderr
        (wheel,) = Path(folder).glob("*.whl")
        assert hashlib.sha256(wheel.read_bytes()).hexdigest() == SHA256
        with zipfile.ZipFile(wheel) as files:
            names = [name for name in files.namelist() if name.startswith("lexrpc/lexicons/")]
            files.extractall(folder, names)
        shutil.move(Path(folder) / "lexrpc" / "lexicons", target)
