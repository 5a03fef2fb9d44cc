"""The tests see each fault that was put into the engine by hand (tests/mutation/faults.py)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.forked import run_module
from tests.measuring import uncovered
from tests.mutation.faults import FAULTS, Fault
from tests.reference_pds import ENVIRONMENT

ROOT = Path(__file__).resolve().parent.parent
BESIDE = ("lexicons", "pyproject.toml", "seeds", "tests")
FOUND = 1  # pytest's exit status when tests have failed


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package, with the rest of the project beside it."""
    shutil.copytree(ROOT / "publisher", tmp_path / "publisher")
    for name in BESIDE:
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def test_without_a_fault_the_tests_pass(copy: Path) -> None:
    ended = run(copy, *sorted({fault.test for fault in FAULTS}))
    assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_tests_see_a_fault(fault: Fault, copy: Path) -> None:
    changed = copy / "publisher" / fault.file
    text = changed.read_text("utf-8")
    assert text.count(fault.before) == 1
    changed.write_text(text.replace(fault.before, fault.after), "utf-8")
    ended = run(copy, fault.test)
    assert ended.returncode == FOUND, ended.stdout


def run(folder: Path, *tests: str) -> subprocess.CompletedProcess[str]:
    """Run tests on the package in a folder, until the first that fails."""
    options = ["-n", "0", "-x", "-q", "--tb=no", "--assert=plain", "-p", "no:cacheprovider"]
    options += ["--basetemp", str(folder / "temporary")]
    return run_module(
        "pytest",
        [*options, *tests],
        folder=folder,
        environment={
            **uncovered(ENVIRONMENT),
            "HYPOTHESIS_STORAGE_DIRECTORY": str(folder / "hypothesis"),
        },
        fresh=True,
    )
