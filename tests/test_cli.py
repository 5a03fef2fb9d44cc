"""The command line: its words, its exit statuses, what goes where."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from tests.reference_pds import Account, ReferencePds
from tests.site import Site, make_site, run

ROOT = Path(__file__).parents[1]
COMMANDS = ("validate", "lexicon", "publish", "pull", "login", "logout", "whoami", "init", "demo")


def test_the_help_names_every_command_and_the_exit_statuses(tmp_path: Path) -> None:
    done = run("--help", folder=tmp_path)

    assert done.returncode == 0
    for command in COMMANDS:
        assert re.search(rf"^  {command} ", done.stdout, re.MULTILINE)
    assert "75 stopped by a rate limit" in " ".join(done.stdout.split())


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "demo"])
def test_the_help_of_every_command_has_an_example(command: str, tmp_path: Path) -> None:
    done = run(command, "--help", folder=tmp_path)

    assert done.returncode == 0
    assert f"Example:\n    publisher {command}" in done.stdout


def test_the_version_is_printed(tmp_path: Path) -> None:
    assert re.fullmatch(
        r"publisher, version \d+\.\d+\.\d+\n", run("--version", folder=tmp_path).stdout
    )


def test_the_demo_shows_every_cid_equal_and_can_be_run_again(tmp_path: Path) -> None:
    first, second = run("demo", folder=tmp_path), run("demo", folder=tmp_path)

    assert (first.returncode, second.returncode) == (0, 0), first.stdout + first.stderr
    assert first.stdout.count(" = bafyrei") == 11
    assert "≠" not in first.stdout
    assert "11 unchanged" in second.stdout


def test_every_seed_is_valid(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "seeds", tmp_path / "seeds")

    done = run("validate", "seeds", "--json", folder=tmp_path)

    report = json.loads(done.stdout)
    assert report["counts"] == {"valid": 11, "draft": 1}
    assert [file["findings"] for file in report["files"] if file["findings"]] == []
    assert done.returncode == 0


def test_json_has_a_version_and_stdout_is_nothing_else(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site")
    site.write("a.md")
    for command in (["validate"], ["publish"], ["publish", "-n"], ["pull"], ["pull", "--check"]):
        done = run(*command, "--json", folder=site.root)
        assert json.loads(done.stdout)["version"] == 1
        assert done.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["validate", "nowhere"], "nowhere: there is no such file"),
        (["publish"], "no repo is named"),
        (["pull", "--check", "alice.example"], "--check compares"),
        (["pull", "--check", "--out", "x"], "--check compares"),
        (["pull", "alice"], "handle"),
        (["pull", "--collection", "x y", "alice.example"], "NSID"),
        (["frobnicate"], "No such command"),
        (["publish", "--config", "no.toml"], "no.toml"),
    ],
)
def test_what_cannot_run_exits_with_2_and_says_why_on_stderr(
    arguments: list[str], words: str, tmp_path: Path
) -> None:
    (tmp_path / "a.md").write_text("---\ntitle: A\ndate: 2026-01-01T00:00:00Z\n---\n")
    done = run(*arguments, folder=tmp_path)

    assert done.returncode == 2
    assert words in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_an_empty_folder_is_an_error_that_says_what_to_add(tmp_path: Path) -> None:
    done = run("validate", folder=tmp_path)

    assert done.returncode == 2
    assert ".md" in done.stderr


def test_an_unknown_key_of_the_config_is_named(tmp_path: Path) -> None:
    (tmp_path / "publisher.toml").write_text('sites = "https://a.example"\n')

    done = run("validate", folder=tmp_path)

    assert done.returncode == 2
    assert "sites is no key" in done.stderr


def test_a_bad_document_is_named_with_place_rule_and_remedy(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site")
    site.write("a.md", title="x" * 501)

    done = run("validate", folder=site.root)

    assert done.returncode == 1
    assert done.stdout == (
        "a.md\n"
        "  error   2:8  /title  has 501 graphemes; the most is 500  [too-many-graphemes]\n"
        "          → shorten it by 1; nothing is ever cut for you\n"
        "1 invalid; 1 error\n"
    )


def test_what_a_file_says_reaches_no_terminal_raw(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site")
    site.write("\x1b[31mred\n.md", title="x" * 501)
    site.write_json("b.json", site="https://evil.example/\x1b]0;title\x07")

    done = run("validate", folder=site.root)

    assert done.returncode == 1
    assert "\x1b" not in done.stdout + done.stderr
    assert "\x07" not in done.stdout + done.stderr


def test_a_read_only_folder_is_an_error_before_anything_is_sent(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site")
    site.write("a.md")
    (site.root / ".publisher").write_text("in the way")

    done = run("publish", folder=site.root)

    assert done.returncode == 2
    assert ".publisher" in done.stderr
    assert "Traceback" not in done.stderr
    assert not site.lock.exists()
    assert site.repo().collections() == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed_for_each_shell(shell: str, tmp_path: Path) -> None:
    done = run("completion", shell, folder=tmp_path)

    assert done.returncode == 0
    assert "_PUBLISHER_COMPLETE" in done.stdout


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("publisher pub", ["publish"]),
        ("publisher validate --ignore tag", ["tag-markup", "tag-twice"]),
        ("publisher validate --select duplicate-i", ["duplicate-id"]),
    ],
)
def test_completion_completes(words: str, completed: list[str], tmp_path: Path) -> None:
    done = run(
        folder=tmp_path,
        environment={
            "_PUBLISHER_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(words.count(" ")),
        },
    )

    assert [line.partition(",")[2] for line in done.stdout.splitlines()] == completed


def test_the_question_for_a_password_is_left_standing_by_the_progress_bar(
    pds: ReferencePds, account: Account, tmp_path: Path
) -> None:
    site = make_site(tmp_path / "site", repo=account.handle, pds=pds.url, plc=pds.plc)
    site.write("a.md")
    question = f"App password of {account.handle}: "

    shown = on_a_terminal(
        "publish",
        folder=site.root,
        environment={},
        answers={question: account.app_password},
    )

    before, asked, after = shown.partition(question)
    assert asked
    assert re.match(r"\r?\n", after)
    assert before.endswith(("\x1b[2K", "\x1b[?25h"))
    assert account.app_password not in shown
    assert "1 created" in after


def all_edited(tmp_path: Path) -> Site:
    """Return a site whose published documents were all edited since."""
    site = make_site(tmp_path / "site")
    for number in range(9):
        site.write(f"{number}.md")
    site.publish()
    for number in range(9):
        site.write(f"{number}.md", description="added by a script")
    return site


@pytest.mark.parametrize(("answer", "says"), [("y", "9 updated"), ("n", "9 pending")])
def test_on_a_terminal_a_guard_asks_before_it_stops(answer: str, says: str, tmp_path: Path) -> None:
    site = all_edited(tmp_path)

    shown = on_a_terminal(
        "publish", folder=site.root, environment={}, answers={"Go on? [y/N]: ": answer}
    )

    assert "9 of 9 published documents would be updated. Go on? [y/N]: " in shown
    assert says in shown
    assert ("--allow mass-update" in shown) == (answer == "n")


@pytest.mark.parametrize("arguments", [("status",), ("publish", "--dry-run")])
def test_on_a_terminal_a_dry_run_says_which_guard_asks_and_asks_nothing(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    site = all_edited(tmp_path)

    shown = on_a_terminal(*arguments, folder=site.root, environment={"NO_COLOR": "1"})
    done = run(*arguments, "--json", folder=site.root)

    message = "9 of 9 published documents would be updated"
    remedy = "if that is right, publish with --allow mass-update"
    assert f"guard     a publish asks first, or stops: {message}\r\n          → {remedy}" in shown
    assert "9 update in repo (nothing was written)" in shown
    told = json.loads(done.stdout)
    assert told["guards"] == [{"name": "mass-update", "message": message, "remedy": remedy}]
    assert told["exit_status"] == done.returncode == 1


def on_a_terminal(
    *arguments: str,
    folder: Path,
    environment: dict[str, str],
    answers: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Run the command on a pseudo-terminal and return what it shows."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "publisher", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", **environment},
        stdin=follower,
        stdout=follower,
        stderr=follower,
    )
    os.close(follower)
    shown = b""
    while select.select([leader], [], [], 60)[0]:
        try:
            part = os.read(leader, 65536)
        except OSError:  # Linux's way to say that the other end is closed
            break
        if not part:
            break
        shown += part
        for question, answer in answers.items():
            if shown.endswith(question.encode()):
                time.sleep(0.5)  # what a bar would write over the question comes now
                os.write(leader, answer.encode() + b"\n")
    os.close(leader)
    process.wait(timeout=60)
    return shown.decode()


def test_a_terminal_gets_colours_unless_no_color_is_set(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site")
    site.write("a.md")

    coloured = on_a_terminal("validate", folder=site.root, environment={"NO_COLOR": ""})
    plain = on_a_terminal("validate", folder=site.root, environment={"NO_COLOR": "1"})

    assert "\x1b[32m1 valid" in coloured
    assert "1 valid" in plain
    assert "\x1b[32m" not in plain


def test_a_report_that_cannot_be_written_is_an_error_and_no_traceback(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site")
    site.write("a.md")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "publisher", "validate"],
            cwd=site.root,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert done.returncode == 2
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_publish_finds_the_config_above_a_path(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site")
    site.write("a.md")

    done = run("publish", "site/content/a.md", folder=tmp_path)

    assert (done.returncode, done.stdout.splitlines()[-2]) == (0, "1 created in site/repo")


def test_without_a_repo_publish_says_so_before_it_reads_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("no document at all")

    done = run("publish", folder=tmp_path)

    assert "no repo is named" in done.stderr
