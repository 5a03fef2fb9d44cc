"""Findings as GitHub's workflow commands, which the runner shows beside the lines of a change.

Source: GitHub's documentation of workflow commands for the `error`, `warning` and `notice` ones.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from publisher.commands.checked import Checked
from publisher.commands.reports import ValidateReport
from publisher.findings import Finding
from publisher.output.lines import escape, render_counts

_COMMANDS = {"error": "error", "warning": "warning", "info": "notice"}


def to_annotations(report: ValidateReport, root: Path) -> Iterator[str]:
    """Yield a command for each finding, then the counts. `root` is the checkout's folder.

    No text from outside can end a command or begin another.
    """
    for file in report.every_file():
        for finding in file.findings:
            yield _command(finding, _place(file, finding, root))
    yield render_counts(report)


def _place(file: Checked, finding: Finding, root: Path) -> dict[str, str]:
    path = os.path.relpath(file.path.absolute(), root.absolute())
    place = {"file": str(file.path.absolute()) if path.startswith("..") else path}
    if finding.line:
        place |= {"line": str(finding.line), "col": str(finding.column or 1)}
    return place


def _command(finding: Finding, place: dict[str, str]) -> str:
    properties = {**place, "title": finding.code}
    given = ",".join(f"{name}={_property(text)}" for name, text in properties.items())
    where = f"{finding.pointer} " if finding.pointer else ""
    told = [escape(f"{where}{finding.message}")]
    if finding.remedy:
        told.append(escape(f"→ {finding.remedy}"))
    text = _data("\n".join(told))
    return f"::{_COMMANDS[finding.severity]} {given}::{text}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(escape(text)).replace(":", "%3A").replace(",", "%2C")
