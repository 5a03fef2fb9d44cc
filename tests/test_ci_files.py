"""The files that others' CI reads: each of their commands is run here."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from publisher.cli import cli
from tests.site import Site, make_site

ROOT = Path(__file__).parents[1]
BASH = "/bin/bash"
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
STEPS: dict[str, Any] = {step.get("id", "setup"): step for step in ACTION["runs"]["steps"]}


def runner(folder: Path, workspace: Path) -> dict[str, str]:
    """The environment of a runner whose publisher is the one under test."""
    command = folder / "publisher" / "bin" / "publisher"
    command.parent.mkdir(parents=True)
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m publisher "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "RUNNER_TEMP": str(folder),
        "GITHUB_OUTPUT": str(folder / "output"),
        "GITHUB_WORKSPACE": str(workspace),
    }


def act(
    site: Site, folder: Path, *, paths: str = "", config: str = "", fail_on: str = "error"
) -> subprocess.CompletedProcess[str]:
    """Run the action's script as a runner does."""
    given = {"INPUT_PATHS": paths, "INPUT_CONFIG": config, "INPUT_FAIL_ON": fail_on}
    return subprocess.run(
        [BASH, "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", STEPS["validate"]["run"]],
        cwd=site.root,
        env=runner(folder, site.root) | given,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = make_site(tmp_path / "site")
    made.write("good.md")
    made.write("bad one.md", title="x" * 501)
    return made


def test_the_action_annotates_writes_sarif_and_fails(site: Site, tmp_path: Path) -> None:
    done = act(site, tmp_path / "temp")

    assert done.returncode == 1
    assert done.stdout.splitlines()[0].startswith(
        "::error file=content/bad one.md,line=2,col=8,title=too-many-graphemes::"
    )
    output = (tmp_path / "temp" / "output").read_text("utf-8")
    sarif = Path(output.removeprefix("sarif=").strip())
    (result,) = json.loads(sarif.read_text("utf-8"))["runs"][0]["results"]
    assert result["ruleId"] == "too-many-graphemes"


def test_the_action_checks_the_paths_that_it_is_given(site: Site, tmp_path: Path) -> None:
    done = act(site, tmp_path / "temp", paths="content/good.md\n\n", config="publisher.toml")
    assert (done.returncode, done.stdout) == (0, "1 valid\n")


@pytest.mark.parametrize(
    "text", ["; touch pwned", "$(touch pwned)", "`touch pwned`", '"; touch pwned; "', "--help"]
)
def test_an_input_of_the_action_is_never_a_command(text: str, site: Site, tmp_path: Path) -> None:
    done = act(site, tmp_path / "temp", paths=text)

    assert done.returncode == 2
    assert "there is no such file or folder" in done.stderr
    assert not list(tmp_path.rglob("pwned"))


def test_no_input_is_written_into_a_script() -> None:
    scripts = [step["run"] for step in STEPS.values() if "run" in step]
    assert len(scripts) == 2
    assert [script for script in scripts if "${{" in script] == []
    used = set(re.findall(r"inputs\.([a-z-]+)", (ROOT / "action.yml").read_text("utf-8")))
    assert used == set(ACTION["inputs"])


def test_the_hook_checks_the_files_of_the_commit(site: Site) -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    name, *arguments = hook["entry"].split()
    assert name == "publisher"
    for file, status in (("content/good.md", 0), ("content/bad one.md", 1)):
        done = subprocess.run(
            [sys.executable, "-m", "publisher", *arguments, file],
            cwd=site.root,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == status


def test_the_examples_of_the_page_are_yaml_and_their_commands_run(
    site: Site, tmp_path: Path
) -> None:
    page = (ROOT / "docs" / "ci.md").read_text("utf-8")
    examples = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]
    action = examples[0]["jobs"]["validate"]["steps"][1]
    assert set(action["with"]) <= set(ACTION["inputs"])
    assert set(re.findall(r"publisher\.outputs\.([a-z]+)", page)) == set(ACTION["outputs"])
    assert examples[2]["repos"][0]["hooks"][0]["id"] == "publisher-validate"

    (site.content / "bad one.md").unlink()
    shell = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)[0]
    environment = runner(tmp_path / "temp", site.root)
    environment["PATH"] = f"{tmp_path / 'temp' / 'publisher' / 'bin'}:{environment['PATH']}"
    ended = subprocess.run(
        [BASH, "-e", "-c", shell],
        cwd=site.root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert json.loads((site.root / "publisher.sarif").read_text("utf-8"))["version"] == "2.1.0"
    assert "validate" in cli.commands
