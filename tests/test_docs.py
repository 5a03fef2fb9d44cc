"""What README and docs say is so."""

from __future__ import annotations

import re
from pathlib import Path

from publisher.cli import cli
from publisher.config import Settings
from tests.site import run

ROOT = Path(__file__).parents[1]
TID = re.compile(r"\b3[2-7a-z]{12}\b")


def test_the_session_in_the_readme_is_what_the_demo_prints(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    shown = readme.partition("$ make demo\n")[2].partition("```")[0]

    printed = run("demo", folder=tmp_path).stdout

    # Record keys depend on the DID, which every demo makes anew.
    assert TID.sub("3…", printed) == TID.sub("3…", shown)


def test_every_key_of_the_config_is_documented() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text("utf-8")

    assert [key for key in Settings.model_fields if f"`{key}`" not in page and key != "rules"] == []
    assert "`[rules]`" in page


def test_every_module_is_in_the_tour() -> None:
    tour = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    parts = {path.relative_to(ROOT / "publisher").parts[0] for path in module_files()}

    missing = {part for part in parts if part not in tour and f"{part}/" not in tour}

    assert missing - {"__init__.py", "__main__.py"} == set()


def module_files() -> list[Path]:
    return sorted((ROOT / "publisher").rglob("*.py"))


def test_every_command_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")

    told = {
        name for name in cli.commands if f"publisher {name}" in readme or f"make {name}" in readme
    }

    assert set(cli.commands) - told <= {"logout", "whoami", "completion"}
