"""What every test starts from: an empty home, no configuration, a keyring of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import fail, null

from tests import reference_pds
from tests.file_keyring import FILE_VARIABLE, FileKeyring, LockedKeyring
from tests.measuring import unmeasured
from tests.reference_pds import Account, ReferencePds

REFERENCE_VARIABLE = "PUBLISHER_TEST_REFERENCE"

# Coverage and two workers on two cores make times meaningless.
hypothesis.settings.register_profile("publisher", deadline=None)
if "CI" not in os.environ:  # there hypothesis loads its own: no deadline, no randomness
    hypothesis.settings.load_profile("publisher")


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, also for subprocesses: HOME, XDG folders, no PUBLISHER_* variable."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(folder))
    for kind in ("CACHE", "CONFIG", "DATA", "STATE"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(folder / kind.lower()))
    for name in os.environ:
        if name.startswith("PUBLISHER_") and name != REFERENCE_VARIABLE:
            monkeypatch.delenv(name)
    return folder


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the test's own empty folder, `tmp_path`, the working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def file_keyring(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileKeyring]:
    """Put an empty keyring in place of the machine's, also for subprocesses."""
    monkeypatch.setenv(FILE_VARIABLE, str(home / "keyring.json"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "tests.file_keyring.FileKeyring")
    backend = FileKeyring()
    keyring.set_keyring(backend)
    yield backend
    keyring.set_keyring(backend)


def _use(backend: KeyringBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = type(backend)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", f"{kind.__module__}.{kind.__qualname__}")
    keyring.set_keyring(backend)


@pytest.fixture
def null_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    """A keyring that forgets everything without a word (`keyring --disable`)."""
    _use(null.Keyring(), monkeypatch)


@pytest.fixture
def missing_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    """No keyring at all, as in most containers: every call raises NoKeyringError."""
    _use(fail.Keyring(), monkeypatch)


@pytest.fixture
def locked_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    """A keyring that stays locked: every call raises KeyringLocked."""
    _use(LockedKeyring(), monkeypatch)


@pytest.fixture(scope="session")
def pds_server() -> Iterator[ReferencePds]:
    """One reference PDS per worker. Tests take `pds`, which is the same one, reset."""
    with reference_pds.start() as server:
        yield server


@pytest.fixture
def pds(pds_server: ReferencePds) -> Iterator[ReferencePds]:
    """The worker's reference PDS: no faults, nothing counted; accounts of other tests exist."""
    pds_server.reset()
    yield pds_server
    pds_server.reset()


@pytest.fixture
def account(pds: ReferencePds) -> Account:
    """A fresh account on `pds`; making it isn't counted."""
    made = pds.new_account()
    pds.reset()
    return made


@pytest.fixture(name="unmeasured")
def without_coverage() -> Iterator[None]:
    """Let a test that runs the same lines thousands of times run them unmeasured."""
    with unmeasured():
        yield


@pytest.fixture(autouse=True)
def properties_unmeasured(request: pytest.FixtureRequest) -> None:
    """Properties are such tests: what they hold for any value, examples run beside them."""
    if getattr(request.function, "is_hypothesis_test", False):
        request.getfixturevalue("unmeasured")


@pytest.fixture
def reference() -> Path:
    """The folder of published lexicons and other material to compare with."""
    folder = os.environ.get(REFERENCE_VARIABLE)
    if not folder:
        pytest.skip(f"{REFERENCE_VARIABLE} does not name a folder to compare with")
    return Path(folder)
