"""A little of the fuzz campaign, and that it would notice what goes wrong: `make fuzz` runs all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from publisher.findings import Finding
from tests.fuzz.campaign import made
from tests.fuzz.targets import TARGETS, Target, placed, resolves, sound
from tests.measuring import uncovered

ROOT = Path(__file__).parents[1]


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=uncovered(os.environ),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_little_of_the_campaign_finds_nothing() -> None:
    done = python("-m", "tests.fuzz", "--inputs", "300", "--seed", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{300 * len(TARGETS):,} inputs" in done.stdout


SICK = """
import json, os, re
from tests.fuzz.campaign import Campaign, Limits, made
from tests.fuzz.targets import Target

def sick(content):
    match content:
        case b"raises": raise ValueError("three")
        case b"hangs": re.match(r"(a|a)+$", "a" * 60 + "b")  # in C, which hears no signal
        case b"takes": bytearray(100 << 20)
        case b"takes all": bytearray(4 << 30)
        case b"dies": os.abort()

kinds = [b"raises", b"hangs", b"takes", b"takes all", b"dies", b"well", b"well"]
target = Target("sick", lambda random: random.choice(kinds), sick)
campaign = Campaign("1", Limits(seconds=0.5))
campaign.run([target], range(30), jobs=2)
print(json.dumps([
    [[f.number, f.content.decode(), f.reason] for f in campaign.failures],
    [[n, made(target, "1", n).decode()] for n in range(30) if made(target, "1", n) != b"well"],
    campaign.tallies["sick"].inputs,
]))
"""


def test_what_raises_hangs_dies_or_takes_memory_is_told_and_the_rest_is_run() -> None:
    failures, sick, inputs = json.loads(python("-c", SICK).stdout)

    assert sorted([number, kind] for number, kind, _ in failures) == sick
    assert inputs == 30
    reasons = {kind: reason for _, kind, reason in failures}
    assert "ValueError: three" in reasons["raises"]
    assert "died with -27" in reasons["hangs"]
    assert "in sick" in reasons["hangs"]
    assert "bytes of memory for 5" in reasons["takes"]
    assert "MemoryError" in reasons["takes all"]
    assert "died with -6" in reasons["dies"]


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_an_input_is_made_of_its_number_alone(target: Target) -> None:
    numbers = range(60)
    first = [made(target, "1", number) for number in numbers]
    assert [made(target, "1", number) for number in reversed(numbers)] == first[::-1]
    assert [made(target, "2", number) for number in numbers] != first


def test_one_input_is_run_again_by_its_number() -> None:
    done = python("-m", "tests.fuzz", "--target", "syntax.check", "--number", "7")
    assert done.returncode == 0
    assert done.stdout.startswith("syntax.check 7: b")


@pytest.mark.parametrize(
    ("findings", "value"),
    [
        ([Finding("", "no-such-code", "m")], {}),
        ([Finding("/b", "type", "m")], {"a": 1}),
        ([Finding("/a/1", "type", "m")], {"a": [1]}),
        ([Finding("", "type", "")], {}),
    ],
)
def test_a_finding_is_sound_only_with_a_known_code_and_a_place(
    findings: list[Finding], value: object
) -> None:
    sound([Finding("/a", "type", "m")], {"a": [1]})
    with pytest.raises(AssertionError):
        sound(findings, value)


def test_a_pointer_resolves_where_something_is() -> None:
    value = {"a/b~": [{"": None}]}
    assert resolves(value, "/a~1b~0/0/")
    assert not resolves(value, "/a~1b~0/-1")


def test_a_place_beyond_the_file_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    beyond = [
        Finding("", "type", "m", line=1, column=4),
        Finding("", "type", "m", line=2, column=1),
    ]
    for found in beyond:
        monkeypatch.setattr("tests.fuzz.targets.locate", lambda *_, found=found: [found])
        with pytest.raises(AssertionError):
            placed("ab", ".json", [found])
