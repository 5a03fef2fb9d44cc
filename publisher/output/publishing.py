"""What a publish did, or would do, as lines of styled text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from publisher.commands.reports import Item, PublishReport
from publisher.output.lines import Line, count, label, line, of_file, of_finding, tally

if TYPE_CHECKING:
    from publisher.migration import Moving
    from publisher.plan import Cost, Difference

_LABELS = {"remote-changed": "remote", "remote-deleted": "remote"}
_PAST = {"create": "created", "update": "updated", "delete": "deleted"}
_WORDS = (
    "create",
    "update",
    "delete",
    "unchanged",
    "kept",
    "remote-changed",
    "remote-deleted",
    "adopt",
    "orphan",
    "pending",
    "conflict",
    "failed",
    "invalid",
)
_STYLES = {"-": "bad", "+": "good"}
_INDENT = "          "


def publishing(report: PublishReport) -> Iterator[Line]:
    """Yield the lines of a publish, a status or a diff."""
    for item in report.items:
        if item.action != "unchanged":
            yield from _item(item)
        elif item.findings:
            yield from of_file(item.path, item.findings)
    for guard in report.guards:
        yield line(label("guard"), f"a publish asks first, or stops: {guard.message}")
        yield line(_INDENT, ("→ ", "faint"), guard.remedy)
    yield _counts(report)
    if report.migration and report.migration.staying:
        yield line((_staying(report.migration), "faint"))
    if report.dry_run and report.cost and report.cost.points:
        yield line((_cost(report.cost, report.wait), "faint"))
    if report.commits:
        blobs, commits = count(report.uploaded, "blob"), count(report.commits, "commit")
        yield line((f"{blobs} uploaded, {commits}", "faint"))


def _counts(report: PublishReport) -> Line:
    past = {} if report.dry_run else _PAST
    counts = {past.get(word, word): number for word, number in report.counts.items()}
    what = tally(counts, [past.get(word, word) for word in _WORDS])
    style = "bad" if report.exit_status else "good"
    mode = " (nothing was written)" if report.dry_run else ""
    return line((what or "nothing to do", style), f" in {report.repo}{mode}")


def _staying(moving: Moving) -> str:
    number = moving.staying
    verb = "stays" if number == 1 else "stay"
    return (
        f"{count(number, 'reference')} to records of {moving.old} that aren't in this folder {verb}"
    )


def _cost(cost: Cost, wait: str | None) -> str:
    parts = [f"{count(cost.documents, 'record')} to write, {size(cost.bytes)}"]
    if cost.blobs:
        parts.append(f"{count(cost.blobs, 'blob')} to upload, {size(cost.blob_bytes)}")
    if wait:
        parts.append(f"{count(cost.points, 'point')} of the server's rate limit: {wait}")
    return "; ".join(parts)


def size(number: float) -> str:
    """Return a number of bytes for people."""
    if number < 1000:
        return f"{number:,.0f} bytes"
    for unit in ("KB", "MB"):
        number /= 1000
        if number < 1000:
            return f"{number:,.1f} {unit}"
    return f"{number / 1000:,.1f} GB"


def _item(item: Item) -> Iterator[Line]:
    changed = f"  ({', '.join(item.changed)})" if item.changed else ""
    rkey = (f"  {item.uri.rpartition('/')[2]}", "faint") if item.uri else ""
    yield line(label(_LABELS.get(item.action, item.action)), item.path, rkey, changed)
    if item.reason:
        yield line(_INDENT, item.reason)
    if item.remedy:
        yield line(_INDENT, ("→ ", "faint"), item.remedy)
    for finding in item.findings:
        yield from of_finding(finding)
    for difference in item.differences:
        yield from of_difference(difference)


def of_difference(difference: Difference) -> Iterator[Line]:
    """Yield the lines of a field that differs."""
    yield line(_INDENT, (difference.field, "place"))
    for kind, text in difference.lines:
        yield line(_INDENT, (f"{kind} {text}", _STYLES.get(kind, "faint")))
