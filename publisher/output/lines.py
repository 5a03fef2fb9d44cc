"""What the lines of every report are made of, and those of a validation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from publisher.commands.reports import ValidateReport, VerifyReport
from publisher.findings import Finding

if TYPE_CHECKING:
    from publisher.commands.checked import Checked


@dataclass(frozen=True, slots=True)
class Span:
    """A run of text; `style` is a word of the theme ('good', 'bad', …) or ''."""

    text: str
    style: str = ""


Line: TypeAlias = tuple[Span, ...]

_STYLES = {
    "error": "bad",
    "warning": "doubt",
    "info": "faint",
    "create": "good",
    "update": "good",
    "delete": "good",
    "remote": "doubt",
    "unchanged": "faint",
    "adopt": "doubt",
    "orphan": "doubt",
    "pending": "doubt",
    "conflict": "bad",
    "failed": "bad",
    "guard": "bad",
    "invalid": "bad",
    "new": "good",
    "updated": "good",
    "kept": "doubt",
    "trashed": "doubt",
    "deleted": "doubt",
    "equal": "good",
    "differs": "bad",
    "missing": "bad",
    "extra": "doubt",
    "blob-missing": "bad",
}


def escape(text: str) -> str:
    """Return text from outside so that a terminal shows it and obeys nothing in it."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def line(*parts: str | tuple[str, str]) -> Line:
    """Return a line of text from outside, each part with or without a style."""
    spans = (part if isinstance(part, tuple) else (part, "") for part in parts)
    return tuple(Span(escape(text), style) for text, style in spans)


def label(word: str, width: int = 10) -> tuple[str, str]:
    """Return a word with its style, as wide as its column."""
    return word.ljust(width), _STYLES.get(word, "")


def tally(counts: Mapping[str, int], words: Iterable[str]) -> str:
    """Return how many there are of each, in the order of `words`."""
    return ", ".join(f"{counts[word]:,} {word}" for word in words if counts.get(word))


def count(number: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def of_finding(finding: Finding) -> Iterator[Line]:
    """Yield the lines of a finding."""
    where = f"{finding.line}:{finding.column or 1}  " if finding.line else ""
    place = f"{finding.pointer}  " if finding.pointer else ""
    yield line(
        "  ",
        label(finding.severity, 8),
        (where, "faint"),
        (place, "place"),
        finding.message,
        (f"  [{finding.code}]", "faint"),
    )
    if finding.remedy:
        yield line("          ", ("→ ", "faint"), finding.remedy)


def of_file(path: str, findings: Iterable[Finding]) -> Iterator[Line]:
    """Yield the lines of a file that has findings."""
    findings = list(findings)
    if findings:
        yield line((path, "name"))
        for finding in findings:
            yield from of_finding(finding)


def validation(report: ValidateReport) -> Iterator[Line]:
    """Yield the lines of a validation."""
    for file in report.every_file():
        if file.findings:  # most have none
            yield from of_file(_shown(file), file.findings)
    yield _counts(report)


def _counts(report: ValidateReport) -> Line:
    words = ("valid", "unknown", "draft", "skipped", "invalid")
    style = "bad" if report.exit_status else "good"
    return line((tally(report.counts, words) or "nothing to check", style), _severities(report))


def render_counts(report: ValidateReport) -> str:
    """Return the last line of a validation: how many files have each status."""
    return "".join(span.text for span in _counts(report))


def _severities(report: ValidateReport) -> str:
    found = report.severities
    kinds = [count(found[kind], kind) for kind in ("error", "warning") if found[kind]]
    return f"; {', '.join(kinds)}" if kinds else ""


def _shown(file: Checked) -> str:
    return file.key if not file.key.startswith("../") else str(file.path)


def verification(report: VerifyReport) -> Iterator[Line]:
    """Yield the lines of a repo that was proven."""
    for checked in report.items:
        yield from of_file(checked.key, checked.findings)
    total = sum(report.collections.values())
    yield line((count(total, "record"), "good"), f" of {report.repo} ({report.did})")
    for name, number in sorted(report.collections.items()):
        yield line(f"  {number:>9,}  {name}")
    if report.counts:
        tallied = tally(report.counts, ("valid", "unknown", "invalid"))
        yield line(f"of site.standard: {tallied}")
    yield line((f"rev {report.rev}, {PROOFS[report.proof]}", "faint"))


PROOFS = {
    "proven": "proven: signature, tree, and every record",
    "record proof": "proven record by record: signature, and its path in the tree",
    "listed": "listed only: each CID was recomputed and agrees",
}
