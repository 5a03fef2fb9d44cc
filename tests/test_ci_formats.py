"""Reports for CI: GitHub's annotations and SARIF."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from publisher.commands.checked import Checked
from publisher.commands.reports import ValidateReport
from publisher.findings import Finding
from publisher.output.github import to_annotations
from publisher.output.sarif import to_sarif
from tests.reference_pds import FILES, install, node
from tests.site import make_site, run

ROOT = Path("/site")
BAD = Finding("/title", "too-long", "has 5,001 bytes", "error", "shorten it by 1", 3, 8)
ODD = Finding("", "no-record", "50% has no $type", "warning", "add $type", 1, 1)
NO_LEXICON = Finding("/id", "lexicon-form", "id is missing", "error", "add id", 2, 1)
NOTE = Finding("/tags/0", "format-doubt", "is 'a:b,c\r\n::error::x'", "info")


def report(*files: tuple[str, tuple[Finding, ...]]) -> ValidateReport:
    checked = (
        Checked(ROOT / name, name, "invalid" if found else "valid", None, found)
        for name, found in files
    )
    lexicon = Checked(ROOT / "x.json", "x.json", "invalid", None, (NO_LEXICON,))
    return ValidateReport(tuple(checked), (lexicon,))


def test_each_finding_is_an_annotation_at_its_line() -> None:
    given_report = report(("content/a.md", (BAD, ODD)), ("b:c,d%.json", (NOTE,)), ("c.md", ()))
    assert list(to_annotations(given_report, ROOT)) == [
        "::error file=x.json,line=2,col=1,title=lexicon-form::/id id is missing%0A→ add id",
        "::error file=content/a.md,line=3,col=8,title=too-long::"
        "/title has 5,001 bytes%0A→ shorten it by 1",
        "::warning file=content/a.md,line=1,col=1,title=no-record::"
        "50%25 has no $type%0A→ add $type",
        "::notice file=b%3Ac%2Cd%25.json,title=format-doubt::/tags/0 is 'a:b,c\\r\\n::error::x'",
        "1 valid, 2 invalid; 1 error, 1 warning",
    ]


def test_a_file_outside_the_checkout_is_named_whole() -> None:
    first = list(to_annotations(report(("a.md", (BAD,))), Path("/elsewhere")))[1]
    assert first.startswith("::error file=/site/a.md,line=3")


@given(st.text(), st.text(), st.text(min_size=1).filter(lambda name: "\0" not in name))
def test_nothing_from_outside_begins_a_command_of_its_own(
    message: str, pointer: str, name: str
) -> None:
    found = Finding(f"/{pointer}", "type", message, "error", message, 1, 1)
    checked = Checked(ROOT / "content" / f"x{name}", name, "invalid", None, (found,))
    lines = list(to_annotations(ValidateReport((checked,)), ROOT))
    assert len(lines) == 2
    assert len(lines[0].splitlines()) == 1
    properties, _, text = lines[0].removeprefix("::error ").partition("::")
    assert [part.partition("=")[0] for part in properties.split(",")] == [
        "file",
        "line",
        "col",
        "title",
    ]
    assert text.isprintable()


def faults_of(log: str) -> list[str]:
    ended = subprocess.run(
        [node(), FILES / "check_sarif.mjs", install()],
        input=log,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    faults: list[str] = json.loads(ended.stdout)
    return faults


def results(log: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = log["runs"][0]["results"]
    return found


def test_sarif_says_what_was_found_where() -> None:
    log: dict[str, Any] = to_sarif(report(("content/a b.md", (BAD, NOTE))), ROOT)

    of_the_lexicon, bad, note = results(log)

    assert of_the_lexicon["level"] == "error"
    file = of_the_lexicon["locations"][0]["physicalLocation"]["artifactLocation"]
    assert file == {"uri": "x.json", "uriBaseId": "SRCROOT"}
    assert bad["message"]["text"] == "/title has 5,001 bytes\n→ shorten it by 1"
    place = bad["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "content/a%20b.md", "uriBaseId": "SRCROOT"}
    assert place["region"] == {"startLine": 3, "startColumn": 8}
    assert note["level"] == "note"
    rules = log["runs"][0]["tool"]["driver"]["rules"]
    assert [rules[result["ruleIndex"]]["id"] for result in (bad, note)] == [
        "too-long",
        "format-doubt",
    ]


def test_a_rule_says_what_it_is_for_and_how_it_is_switched() -> None:
    files = (
        ("a.md", (Finding("", "cover-missing", "x", "info"), replace(ODD, code="tag-markup"))),
    )
    log: dict[str, Any] = to_sarif(report(*files), ROOT)

    cover, form, tag = log["runs"][0]["tool"]["driver"]["rules"]

    assert tag == {
        "id": "tag-markup",
        "name": "tag-markup",
        "shortDescription": {"text": "a tag has more than its words"},
        "help": {
            "text": "publisher.toml switches it off or raises it: under [rules],"
            ' tag-markup = "off". docs/rules.md has more.'
        },
        "defaultConfiguration": {"enabled": True, "level": "warning"},
    }
    assert cover["defaultConfiguration"] == {"enabled": False, "level": "note"}
    assert form["defaultConfiguration"] == {"enabled": True, "level": "error"}
    assert form["help"]["text"] == (
        "An error stops its document; `--ignore lexicon-form` leaves it out of one report."
        " docs/validation.md has more."
    )


def test_a_fingerprint_stays_where_a_line_moves_and_tells_two_findings_apart() -> None:
    moved = Finding("/title", "too-long", "has 5,001 bytes", "error", "", 90, 1)
    before: dict[str, Any] = to_sarif(report(("a.md", (BAD, BAD))), ROOT)
    after: dict[str, Any] = to_sarif(report(("a.md", (moved,))), ROOT)
    _, first, second = [result.get("partialFingerprints") for result in results(before)]
    assert first == results(after)[1]["partialFingerprints"]
    assert first != second


def test_sarif_meets_its_schema(tmp_path: Path) -> None:
    site = make_site(tmp_path / "a site")
    site.write("ü b.md", title="x" * 501, cover="gone.png")
    site.write("good.md")
    (site.content / "bad.json").write_text('{"$type": "a.b.c", "x": 1.5}', encoding="utf-8")

    done = run("validate", "--format", "sarif", folder=site.root)

    assert done.returncode == 1
    assert faults_of(done.stdout) == []
    uris = {
        found["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        for found in results(json.loads(done.stdout))
    }
    assert uris == {"content/%C3%BC%20b.md", "content/bad.json"}


def test_the_schema_refuses_what_is_no_sarif() -> None:
    log = to_sarif(report(("a.md", (BAD,))), ROOT)
    assert faults_of(json.dumps(log)) == []
    assert faults_of(json.dumps({**log, "version": "2.0.0"})) != []
    results(log)[1]["level"] = "fatal"
    assert faults_of(json.dumps(log)) != []


def test_annotations_name_files_from_the_checkout_on(tmp_path: Path) -> None:
    site = make_site(tmp_path / "repo" / "site")
    site.write("a.md", title="x" * 501)

    done = run(
        "validate",
        "--format",
        "github",
        folder=site.root,
        environment={"GITHUB_WORKSPACE": str(tmp_path / "repo")},
    )

    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "::error file=site/content/a.md,line=2,col=8,title=too-many-graphemes::"
        "/title has 501 graphemes; the most is 500%0A"
        "→ shorten it by 1; nothing is ever cut for you",
        "1 invalid; 1 error",
    ]
