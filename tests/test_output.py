"""Reports as text and JSON: the very lines that people and programs read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from publisher.backups import Damage
from publisher.commands.account import AccountReport
from publisher.commands.check import CheckReport, Compared
from publisher.commands.checked import Checked
from publisher.commands.init import InitReport
from publisher.commands.reports import Item, PublishReport, PullReport, ValidateReport
from publisher.commands.restore import BackupsReport, RestoreReport, Version
from publisher.errors import IdentityError, RepoUnavailable
from publisher.findings import Finding
from publisher.migration import Moving
from publisher.output import escape, json_text, render, to_json
from publisher.plan import Guard
from publisher.pulling.folder import PulledFile
from publisher.pulling.wanted import Pulled
from publisher.syntax import Did

if TYPE_CHECKING:
    from publisher.output import Report

TOO_LONG = Finding("/title", "too-long", "has 5,001 bytes", "error", "shorten it by 1")
ODD = Finding("", "no-record", "has no $type", "warning", "add $type")
URI = "at://did:plc:44ybard66vv44zksje25o7dz/site.standard.document/3lzzzzzzzzz22"
OLD = Version("2026-02-05T10:00:00Z", "update", URI, "bafya", "a.md")


def text(report: Report) -> str:
    return "\n".join("".join(span.text for span in line) for line in render(report))


REPORTS: list[tuple[Report, int, str]] = [
    (
        ValidateReport(
            (
                Checked(Path("/s/a.md"), "a.md", "invalid", None, (TOO_LONG,)),
                Checked(Path("/s/b.json"), "b.json", "skipped", None, (ODD,)),
                Checked(Path("/s/c.md"), "c.md", "valid", None, ()),
            ),
            (),
        ),
        1,
        """\
a.md
  error   /title  has 5,001 bytes  [too-long]
          → shorten it by 1
b.json
  warning has no $type  [no-record]
          → add $type
1 valid, 1 skipped, 1 invalid; 1 error, 1 warning""",
    ),
    (
        PublishReport(
            "alice.example",
            "did:plc:x",
            dry_run=False,
            items=(
                Item("a.md", "create", URI, "bafy"),
                Item("b.md", "update", URI, "bafy", ("tags", "title")),
                Item("c.md", "unchanged", URI, "bafy"),
                Item("d.md", "conflict", URI, None, (), "both changed", "compare them"),
                Item("e.md", "orphan", URI, "bafy", (), "its document is gone; it stays"),
                Item("f.md", "invalid", findings=(TOO_LONG,)),
            ),
            uploaded=1,
            commits=2,
        ),
        1,
        """\
create    a.md  3lzzzzzzzzz22
update    b.md  3lzzzzzzzzz22  (tags, title)
conflict  d.md  3lzzzzzzzzz22
          both changed
          → compare them
orphan    e.md  3lzzzzzzzzz22
          its document is gone; it stays
invalid   f.md
  error   /title  has 5,001 bytes  [too-long]
          → shorten it by 1
1 created, 1 updated, 1 unchanged, 1 orphan, 1 conflict, 1 invalid in alice.example
1 blob uploaded, 2 commits""",
    ),
    (
        PublishReport("repo", "", dry_run=True, items=(Item("a.md", "create"),)),
        0,
        "create    a.md\n1 create in repo (nothing was written)",
    ),
    (
        PublishReport(
            "repo",
            "",
            dry_run=True,
            items=(Item("a.md", "delete"),),
            guards=(Guard("empty", "all would go", "publish with --allow empty"),),
        ),
        1,
        """\
delete    a.md
guard     a publish asks first, or stops: all would go
          → publish with --allow empty
1 delete in repo (nothing was written)""",
    ),
    (
        PublishReport("repo", "", dry_run=True, items=(), migration=Moving(Did("did:plc:x"), 0)),
        0,
        "nothing to do in repo (nothing was written)",
    ),
    (
        PublishReport("repo", "", dry_run=False, items=(), migration=Moving(Did("did:plc:x"), 1)),
        0,
        "nothing to do in repo\n"
        "1 reference to records of did:plc:x that aren't in this folder stays",
    ),
    (
        PullReport(
            (
                Pulled(
                    "alice.example",
                    "did:plc:x",
                    "3lzzzzzzzzz22",
                    Path("pulled"),
                    (
                        PulledFile("c/a.json", "new", "bafy"),
                        PulledFile("c/b.json", "kept", "bafy", "was changed here"),
                        PulledFile("c/c.json", "trashed", "bafy", "is no longer in the repo"),
                    ),
                    1,
                    "listed",
                    "no key",
                ),
            ),
            {"bob.example": IdentityError("nobody knows it", remedy="correct it")},
        ),
        2,
        """\
kept      c/b.json
          was changed here
trashed   c/c.json
          is no longer in the repo
1 new, 1 unchanged, 1 kept, 1 trashed: the files of alice.example in pulled
rev 3lzzzzzzzzz22, listed only: each CID was recomputed and agrees
not proven: no key
failed    bob.example: nobody knows it
          → correct it""",
    ),
    (
        CheckReport(
            "alice.example",
            "did:plc:x",
            "3lzzzzzzzzz22",
            (
                Compared("a.md", "equal", URI),
                Compared("b.md", "differs", URI, ("title",)),
                Compared("c.md", "missing", None, (), "no record in the repo"),
                Compared("d.md", "invalid", findings=(TOO_LONG,)),
            ),
        ),
        1,
        """\
differs      b.md  3lzzzzzzzzz22
             title
missing      c.md
             no record in the repo
invalid      d.md
  error   /title  has 5,001 bytes  [too-long]
          → shorten it by 1
1 equal, 3 different in alice.example at rev 3lzzzzzzzzz22, proven""",
    ),
    (
        AccountReport("login", "alice.example", "did:plc:x", "https://pds.example", "keyring"),
        0,
        """\
alice.example  did:plc:x
PDS: https://pds.example
the app password works and is in the keyring""",
    ),
    (
        AccountReport("logout", "alice.example", "did:plc:x", "https://pds.example", None),
        0,
        """\
alice.example  did:plc:x
PDS: https://pds.example
the keyring had no app password of this account""",
    ),
    (
        AccountReport("whoami", "repo", "did:key:x", None, None),
        0,
        "repo  did:key:x\na repo in a folder: it needs no password",
    ),
    (
        InitReport(Path("publisher.toml"), {"repo": "a.example"}, {"repo": "asked"}),
        0,
        """\
wrote publisher.toml
  repo = a.example  (asked)
next: `publisher validate`, then `publisher publish --dry-run`""",
    ),
    (
        BackupsReport(
            (
                Version("2026-02-06T08:00:00Z", "delete", URI, "bafyb", "a.md"),
                Version("2026-02-05T10:00:00Z", "update", URI, "bafya", None),
            ),
            (Damage(".publisher/backups/x.jsonl", "its name is no time of a run"),),
        ),
        1,
        f"""\
2026-02-06 08:00:00  deleted  a.md  bafyb
2026-02-05 10:00:00  updated  {URI}  bafya
damaged   .publisher/backups/x.jsonl: its name is no time of a run
2 versions kept (times in UTC)
to put one back: `publisher restore PATH`, or an AT-URI or a CID""",
    ),
    (BackupsReport((), ()), 0, "0 versions kept (times in UTC)"),
    (
        RestoreReport("alice.example", OLD, "update", False, "bafyb", 1, "the lock is left alone"),
        0,
        """\
updated   a.md  3lzzzzzzzzz22
          as it was until 2026-02-05T10:00:00Z: bafya
          what was there is kept: bafyb
          1 blob uploaded
          → the lock is left alone
restored in alice.example""",
    ),
    (
        RestoreReport("alice.example", OLD, "create", True, None, 2, "it stays"),
        0,
        """\
create    a.md  3lzzzzzzzzz22
          as it was until 2026-02-05T10:00:00Z: bafya
          2 blobs to upload
          → it stays
to be restored in alice.example (nothing was written)""",
    ),
    (
        RestoreReport("alice.example", OLD, "unchanged", False),
        0,
        "a.md is this version already: bafya",
    ),
]


@pytest.mark.parametrize(("report", "status", "expected"), REPORTS)
def test_a_report_reads_so(report: Report, status: int, expected: str) -> None:
    assert (text(report), report.exit_status) == (expected, status)


@pytest.mark.parametrize("report", [report for report, _, _ in REPORTS])
def test_a_report_is_json_with_a_version_and_its_exit_status(report: Report) -> None:
    wire = json.loads(json.dumps(to_json(report)))

    assert (wire["version"], wire["exit_status"]) == (1, report.exit_status)


def test_json_names_each_field_as_the_types_do() -> None:
    report = PublishReport(
        "repo",
        "did:key:x",
        dry_run=False,
        items=(Item("a.md", "pending", URI, "bafy", ("title",), "", "run again", (TOO_LONG,)),),
        error=RepoUnavailable("no answer", remedy="try again"),
    )

    assert to_json(report) == {
        "version": 1,
        "repo": "repo",
        "did": "did:key:x",
        "dry_run": False,
        "items": [
            {
                "path": "a.md",
                "action": "pending",
                "uri": URI,
                "cid": "bafy",
                "changed": ["title"],
                "reason": "",
                "remedy": "run again",
                "findings": [
                    {
                        "pointer": "/title",
                        "code": "too-long",
                        "message": "has 5,001 bytes",
                        "severity": "error",
                        "remedy": "shorten it by 1",
                        "line": None,
                        "column": None,
                    }
                ],
                "differences": [],
            }
        ],
        "uploaded": 0,
        "commits": 0,
        "cost": None,
        "wait": None,
        "migration": None,
        "guards": [],
        "error": {"message": "no answer", "remedy": "try again"},
        "counts": {"pending": 1},
        "exit_status": 2,
    }


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain “text” 日本", "plain “text” 日本"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\u202eright to left", "\\u202eright to left"),
        ("\x9b", "\\x9b"),
    ],
)
def test_what_a_terminal_would_obey_is_escaped(raw: str, shown: str) -> None:
    assert escape(raw) == shown


def test_a_terminal_obeys_nothing_in_json() -> None:
    pointer = "/\x1b[2J\u202e\x9b\U000e0041\u2028é👩‍👩"
    file = PulledFile("a.json", "new", "bafy", findings=(Finding(pointer, "blob-size", "x"),))
    report = PullReport((Pulled("a", "did:plc:x", "3lzzzzzzzzz22", Path(), (file,)),))

    shown = json_text(report)

    assert [line for line in shown.split("\n") if not line.isprintable()] == []
    assert json.loads(shown) == to_json(report)
    assert "é👩" in shown
