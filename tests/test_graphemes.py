"""Graphemes are counted as the current Unicode says (UAX #29): all cases of its own test."""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import pytest
from wcwidth import iter_graphemes

from publisher.lexicon.leaves import count_graphemes
from tests.reference_pds import CACHE, ENVIRONMENT

# The source distribution that carries Unicode's file. It is fetched, not committed: it is theirs.
CARRIER = "graphemeu==0.11.0"
SHA256 = "b0cf047ee94485bbdc846de2b902f5f8a815f6b674f9d04223cddadd91c9df31"


def break_test() -> str:
    """Return GraphemeBreakTest.txt, fetched once per machine."""
    path = CACHE / f"GraphemeBreakTest-{SHA256[:16]}.txt"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock-graphemes").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.is_file():
            path.write_bytes(_fetched())
    content = path.read_bytes()
    assert hashlib.sha256(content).hexdigest() == SHA256
    return content.decode()


def _fetched() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        options = ["--quiet", "--no-deps", "--no-binary", ":all:", "--dest", folder]
        pip = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check"]
        ended = subprocess.run(
            [*pip, *options, CARRIER],
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        (archive,) = Path(folder).glob("*.tar.gz")
        with tarfile.open(archive) as files:
            name = next(n for n in files.getnames() if n.endswith("/GraphemeBreakTest.txt"))
            member = files.extractfile(name)
            assert member is not None
            return member.read()


def cases() -> list[list[str]]:
    """Each case is a text, cut where Unicode cuts it (÷)."""
    lines = [line.partition("#")[0].strip() for line in break_test().splitlines()]
    return [
        [
            "".join(chr(int(point, 16)) for point in cluster.replace("\u00d7", " ").split())
            for cluster in line.strip("÷ ").split("÷")
        ]
        for line in lines
        if line
    ]


def test_every_case_of_unicode_is_counted_right() -> None:
    wrong = [case for case in cases() if count_graphemes("".join(case)) != len(case)]
    assert wrong == []
    assert len(cases()) == 853


def test_every_case_of_unicode_is_cut_right() -> None:
    wrong = [case for case in cases() if list(iter_graphemes("".join(case))) != case]
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("abc", 3),
        ("a\r\nb", 3),
        ("\n\r", 2),
        ("👨‍👩‍👧‍👦", 1),
        ("👩🏽‍🚀👩🏽‍🚀", 2),
        ("🇩🇪🇫🇷", 2),
        ("🇩🇪🇫", 2),
        ("e\u0301\u0323", 1),
        ("क्षि", 1),
        ("각", 1),
        ("\u1100\u1161\u11a8", 1),
        ("ก็", 1),
    ],
)
def test_what_people_see_as_one_is_one(text: str, count: int) -> None:
    assert count_graphemes(text) == count
