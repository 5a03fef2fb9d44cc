"""What is handed out: the wheel is whole, and works where nothing else is installed."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

import publisher
from tests.reference_pds import ENVIRONMENT

ROOT = Path(__file__).resolve().parent.parent

# Building and installing are dear: one worker does it, once.
pytestmark = pytest.mark.xdist_group("package")


def run(
    *command: str | Path, cwd: Path, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, timeout=300, check=False
    )


def succeed(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    ended = run(*command, cwd=cwd, env=env)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the sdist, so that both are whole."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--no-isolation"]
    succeed(*build, "--outdir", folder, ROOT, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `publisher` command in an environment that holds the wheel and what it requires."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(folder)
    pip = (sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"))
    # Compiling all of it is most of the time, and little of it is imported.
    install = (*pip, "install", "--no-compile")
    constraints = ROOT / "constraints.txt"
    # With the caches and the settings of whoever runs the tests.
    succeed(*install, "--constraint", constraints, wheel, cwd=folder, env=ENVIRONMENT)
    return folder / "bin" / "publisher"


def files_below(folder: str) -> set[str]:
    """The files of the checkout, without caches and what a run left behind."""
    paths = [path.relative_to(ROOT) for path in (ROOT / folder).rglob("*") if path.is_file()]
    return {
        path.as_posix()
        for path in paths
        if not any(part.startswith((".", "__pycache__")) for part in path.parts)
    }


def test_the_wheel_carries_the_lexicons_the_seeds_and_the_types(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert "publisher/py.typed" in names
    assert "publisher/_data/seeds/publisher.toml" in names
    assert "publisher/_data/lexicons/site/standard/document.json" in names


def test_the_wheel_carries_every_file_of_the_checkout_and_nothing_else(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if name.startswith("publisher/")}
    data = {f"publisher/_data/{name}" for name in files_below("lexicons") | files_below("seeds")}
    assert names == data | files_below("publisher")


def test_the_installed_command_says_its_version(installed: Path, tmp_path: Path) -> None:
    assert publisher.__version__ in succeed(installed, "--version", cwd=tmp_path)


def test_the_installed_command_runs_the_demo_in_an_empty_folder(
    installed: Path, tmp_path: Path
) -> None:
    environment = {**os.environ, "PATH": os.defpath}
    environment.pop("PYTHONPATH", None)
    # There is no keyring in an environment that knows nothing of the tests.
    del environment["PYTHON_KEYRING_BACKEND"]
    shown = succeed(installed, "demo", cwd=tmp_path, env=environment)
    assert shown.count(" = bafyrei") == 11
    assert "11 unchanged" in shown
