"""Reports become text, JSON, SARIF or annotations. Pure; nothing here prints.

What only the reports of other commands need isn't imported for those that are run most: start-up
would take a fifth longer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeAlias

from publisher.commands.reports import PublishReport, PullReport, ValidateReport, VerifyReport
from publisher.output.lines import Line, escape, validation, verification

if TYPE_CHECKING:
    from publisher.output.text import OtherReport

    Report: TypeAlias = ValidateReport | VerifyReport | PublishReport | PullReport | OtherReport

__all__ = ["Line", "escape", "json_text", "render", "to_json"]


def render(report: Report) -> Iterator[Line]:
    """Yield the lines of a report."""
    if isinstance(report, ValidateReport):
        return validation(report)
    if isinstance(report, VerifyReport):
        return verification(report)
    if isinstance(report, PublishReport):
        from publisher.output.publishing import publishing

        return publishing(report)
    if isinstance(report, PullReport):
        from publisher.output.pulling import pulling

        return pulling(report)
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
