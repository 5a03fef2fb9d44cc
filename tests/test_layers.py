"""Imports point one way, and starting up loads only what it needs."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from publisher.folder import FolderRepo
from tests.site import make_site

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "publisher"

# From the bottom up: a module imports from the rows above its own, and from itself.
LAYERS = (
    {"errors", "pace", "progress"},
    {"cores", "files", "findings", "resources"},
    {"data", "syntax"},
    {"lexicon", "repo", "spool"},
    {"documents"},
    {"record"},
    {"export", "migration", "plan", "quality"},
    {"apply", "archive", "backups", "config", "credentials", "lock", "mirror"},
    {"transport"},
    {"identity"},
    {"folder", "pds"},
    {"pulling"},
    {"commands"},
    {"output"},
    {"terminal"},
    {"cli"},
    {"__main__"},
)
LEVELS = {name: level for level, names in enumerate(LAYERS) for name in names}

# Who may import the AT Protocol SDK, which costs 0.7 s.
SDK = {"pds": "atproto_client"}

MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def room(path: Path) -> str:
    """The module or package right below `publisher` that a file belongs to."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported(path: Path) -> Iterator[str]:
    """Every module that a file imports, in functions too; a name from a package counts as one."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def rooms_imported(path: Path) -> set[str]:
    parts = [name.split(".") for name in imported(path)]
    rooms = {below[0] for first, *below in parts if first == "publisher" and below}
    return {name for name in rooms if name != "__version__"}


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_every_module_has_a_layer() -> None:
    assert {room(path) for path in MODULES} <= set(LEVELS)


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_imports_point_down(path: Path) -> None:
    own = room(path)
    upward = {
        name
        for name in rooms_imported(path) - {own}
        if LEVELS.get(name, len(LAYERS)) >= LEVELS[own]
    }
    assert upward == set()


def test_the_package_itself_imports_nothing() -> None:
    assert list(imported(PACKAGE / "__init__.py")) == []


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_only_pds_imports_the_sdk(path: Path) -> None:
    sdk = {name.split(".")[0] for name in imported(path) if name.startswith("atproto")}
    assert sdk <= {SDK.get(room(path))}


RUN = """
import json, sys
from publisher.cli import main
sys.argv = ["publisher", *sys.argv[1:]]
try:
    status = main()
except SystemExit as exit:
    status = exit.code
print(json.dumps([status, sorted(sys.modules)]), file=sys.stderr)
"""


def modules_loaded_by(*arguments: str, cwd: Path) -> set[str]:
    ended = subprocess.run(
        [sys.executable, "-c", RUN, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    last = ended.stderr.splitlines()[-1]
    assert last.startswith("["), ended.stderr
    status, modules = json.loads(last)
    assert status in {0, None}, ended.stdout + ended.stderr
    return set(modules)


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["validate"]], ids=" ".join)
def test_what_needs_no_network_loads_no_network(arguments: list[str]) -> None:
    loaded = modules_loaded_by(*arguments, cwd=ROOT / "seeds")
    assert loaded & {"atproto_client", "httpx", "dns", "keyring"} == set()


def test_validation_loads_no_other_command_and_no_cryptography() -> None:
    loaded = modules_loaded_by("validate", cwd=ROOT / "seeds")
    assert (
        loaded & {"publisher.commands.publish", "publisher.lock", "cryptography", "rich"} == set()
    )


def test_verifying_loads_no_other_command_and_nothing_that_writes(tmp_path: Path) -> None:
    FolderRepo.create(tmp_path / "repo")
    loaded = modules_loaded_by("verify", "folder:repo", cwd=tmp_path)
    commands = {name for name in loaded if re.fullmatch(r"publisher\.commands\.\w+", name)}
    known = {"checked", "collect", "judge", "reports", "repos", "verify"}
    assert commands == {f"publisher.commands.{name}" for name in known}
    assert loaded & {"publisher.lock", "publisher.plan", "filelock", "httpx", "rich"} == set()


@pytest.mark.parametrize("command", ["pull", "publish"])
def test_what_is_run_most_loads_no_other_command(command: str, tmp_path: Path) -> None:
    site = make_site(tmp_path / "site")
    site.write("a.md")
    site.publish()
    loaded = modules_loaded_by(command, cwd=site.root)
    others = {"account", "check", "demo", "init", "restore", "validate", "verify"}
    assert loaded & {f"publisher.commands.{name}" for name in others} == set()


def test_good_json_loads_no_parser_of_other_formats(tmp_path: Path) -> None:
    record = {"$type": "com.example.thing"}
    (tmp_path / "a.json").write_text(json.dumps(record))
    loaded = modules_loaded_by("validate", "--ignore", "lexicon-unknown", ".", cwd=tmp_path)
    assert loaded & {"yaml", "pyromark", "PIL"} == set()
