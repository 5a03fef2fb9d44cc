"""The short forms of benchmarks/publish.py and pull.py, against the reference PDS."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests import reference_pds
from tests.measuring import uncovered

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def short_form(*names: str, program: str = "publish.py") -> str:
    ended = subprocess.run(
        [sys.executable, BENCHMARKS / program, "--small", *names],
        # Only there is the PDS installed already.
        env={**uncovered(os.environ), "XDG_CACHE_HOME": str(reference_pds.CACHE.parent)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def rows(printed: str) -> dict[str, tuple[float, str]]:
    """The median of each row, and what stands beside it."""
    found = re.findall(r"^(\S.*?)  +([\d.]+) s \(.*?\)   (.*)$", printed, re.MULTILINE)
    return {name: (float(median), beside) for name, median, beside in found}


def test_a_first_publish_stands_beside_the_bodies_that_it_sent() -> None:
    printed = short_form("covers")

    figures = rows(printed)
    assert list(figures) == [
        "floor: the same bodies by http.client",
        "publish, first byte to last answer",
        "publish",
    ]
    assert figures["publish, first byte to last answer"][0] < figures["publish"][0]
    assert "1 createSession, 100 uploadBlob, 1 applyWrites" in printed


def test_edits_cost_what_finding_nothing_costs_and_their_writes() -> None:
    figures = rows(short_form("edited"))

    still, edited = figures["publish, nothing changed"], figures["publish, 5 edited"]
    assert "createSession" not in still[1]
    assert re.search(r"1 createSession, 5 putRecord", edited[1])
    assert 0 < figures["of these, login and writes"][0] < edited[0]


def test_a_pull_stands_beside_the_bare_download_and_the_reference_verifier() -> None:
    figures = rows(short_form("verify", "memory", program="pull.py"))

    assert figures["floor: raw getRepo"][0] < figures["floor: raw getRepo and the files"][0]
    assert (
        figures["floor: raw getRepo and the files"][0]
        < figures["publisher pull, proven, to files"][0]
    )
    assert figures["@atproto/repo: verifyRepo of the CAR"][0] > 0
    assert len(figures) == 11
