"""Reports become text, JSON, SARIF or annotations. Pure; nothing here prints.

What only the reports of other commands need isn't imported for `validate` and `verify`: start-up
would take a fifth longer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from publisher.commands.reports import ValidateReport, VerifyReport
from publisher.output.lines import Line, escape, validation, verification

if TYPE_CHECKING:
    from publisher.output.text import Report

__all__ = ["Line", "escape", "json_text", "render", "to_json"]


def render(report: Report) -> Iterator[Line]:
    """Yield the lines of a report."""
    if isinstance(report, ValidateReport):
        return validation(report)
    if isinstance(report, VerifyReport):
        return verification(report)
    from publisher.output import text

    return text.render(report)


def to_json(report: Report) -> dict[str, object]:
    """Return a report as plain JSON values: its fields, its counts, its exit status."""
    from publisher.output import wire

    return wire.to_json(report)


def json_text(report: Report) -> str:
    """Return a report as JSON in which a terminal obeys nothing."""
    from publisher.output import wire

    return wire.json_text(report)
