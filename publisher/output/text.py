"""Reports as lines of styled text, for a terminal or a pipe."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from publisher.commands.account import AccountReport
from publisher.commands.check import CheckReport, Compared
from publisher.commands.demo import DemoReport
from publisher.commands.init import InitReport
from publisher.commands.judge import Checked
from publisher.commands.publish import Item, PublishReport
from publisher.commands.pull import Pulled, PulledFile, PullReport, counts
from publisher.commands.validate import ValidateReport
from publisher.findings import Finding

Report: TypeAlias = (
    ValidateReport
    | PublishReport
    | PullReport
    | CheckReport
    | AccountReport
    | InitReport
    | DemoReport
)


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
    "unchanged": "faint",
    "adopt": "doubt",
    "orphan": "doubt",
    "pending": "doubt",
    "conflict": "bad",
    "failed": "bad",
    "invalid": "bad",
    "new": "good",
    "updated": "good",
    "kept": "doubt",
    "gone": "doubt",
    "equal": "good",
    "differs": "bad",
    "missing": "bad",
    "extra": "doubt",
    "blob-missing": "bad",
}


def escape(text: str) -> str:
    """Return text from outside so that a terminal shows it and obeys nothing in it."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def render(report: Report) -> Iterator[Line]:
    """Yield the lines of a report."""
    match report:
        case ValidateReport():
            yield from _validate(report)
        case PublishReport():
            yield from _publish(report)
        case PullReport():
            yield from _pull(report)
        case CheckReport():
            yield from _check(report)
        case AccountReport():
            yield from _account(report)
        case InitReport():
            yield from _init(report)
        case DemoReport():
            yield from _demo(report)
        case _:
            assert_never(report)


def _line(*parts: str | tuple[str, str]) -> Line:
    spans = (part if isinstance(part, tuple) else (part, "") for part in parts)
    return tuple(Span(escape(text), style) for text, style in spans)


def _label(word: str, width: int = 10) -> tuple[str, str]:
    return word.ljust(width), _STYLES.get(word, "")


def _tally(counts: Mapping[str, int], words: Iterable[str]) -> str:
    return ", ".join(f"{counts[word]:,} {word}" for word in words if counts.get(word))


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _finding(finding: Finding) -> Iterator[Line]:
    where = f"{finding.line}:{finding.column or 1}  " if finding.line else ""
    place = f"{finding.pointer}  " if finding.pointer else ""
    label = _label(finding.severity, 8)
    yield _line(
        "  ",
        label,
        (where, "faint"),
        (place, "place"),
        finding.message,
        (f"  [{finding.code}]", "faint"),
    )
    if finding.remedy:
        yield _line("          ", ("→ ", "faint"), finding.remedy)


def _file(path: str, findings: Iterable[Finding]) -> Iterator[Line]:
    findings = list(findings)
    if findings:
        yield _line((path, "name"))
        for finding in findings:
            yield from _finding(finding)


def _validate(report: ValidateReport) -> Iterator[Line]:
    yield from _file("lexicons", report.lexicon_findings)
    for file in report.files:
        yield from _file(_shown(file), file.findings)
    yield _counts(report)


def _counts(report: ValidateReport) -> Line:
    words = ("valid", "unknown", "draft", "skipped", "invalid")
    style = "bad" if report.exit_status else "good"
    return _line((_tally(report.counts, words) or "nothing to check", style), _severities(report))


def render_counts(report: ValidateReport) -> str:
    """Return the last line of a validation: how many files have each status."""
    return "".join(span.text for span in _counts(report))


def _severities(report: ValidateReport) -> str:
    found = report.severities
    kinds = [_count(found[kind], kind) for kind in ("error", "warning") if found[kind]]
    return f"; {', '.join(kinds)}" if kinds else ""


def _shown(file: Checked) -> str:
    return file.key if not file.key.startswith("../") else str(file.path)


def _publish(report: PublishReport) -> Iterator[Line]:
    for item in report.items:
        if item.action != "unchanged":
            yield from _item(item)
        elif item.findings:
            yield from _file(item.path, item.findings)
    words = (
        "create",
        "update",
        "unchanged",
        "adopt",
        "orphan",
        "pending",
        "conflict",
        "failed",
        "invalid",
    )
    what = _tally(_past(report), [_PAST.get(w, w) if not report.dry_run else w for w in words])
    style = "bad" if report.exit_status else "good"
    mode = " (dry run: nothing was written)" if report.dry_run else ""
    yield _line((what or "nothing to do", style), f" in {report.repo}{mode}")
    if report.commits:
        blobs, commits = _count(report.uploaded, "blob"), _count(report.commits, "commit")
        yield _line((f"{blobs} uploaded, {commits}", "faint"))


_PAST = {"create": "created", "update": "updated"}


def _past(report: PublishReport) -> dict[str, int]:
    if report.dry_run:
        return report.counts
    return {_PAST.get(word, word): count for word, count in report.counts.items()}


def _item(item: Item) -> Iterator[Line]:
    changed = f"  ({', '.join(item.changed)})" if item.changed else ""
    rkey = (f"  {item.uri.rpartition('/')[2]}", "faint") if item.uri else ""
    yield _line(_label(item.action), item.path, rkey, changed)
    if item.reason:
        yield _line("          ", item.reason)
    if item.remedy:
        yield _line("          ", ("→ ", "faint"), item.remedy)
    for finding in item.findings:
        yield from _finding(finding)


def _pull(report: PullReport) -> Iterator[Line]:
    for pulled in report.repos:
        yield from _pulled(pulled)
    for name, error in report.errors.items():
        yield _line(_label("failed"), f"{name}: {error.message}")
        if error.remedy:
            yield _line("          ", ("→ ", "faint"), error.remedy)


def _pulled(pulled: Pulled) -> Iterator[Line]:
    for file in pulled.files:
        if file.status in {"kept", "gone", "failed"}:
            yield _line(_label(file.status), file.path)
            yield _line("          ", file.reason)
    by_kind = counts(pulled)
    records = sum(not _is_blob(file) for file in pulled.files if file.status != "gone")
    blobs = sum(_is_blob(file) for file in pulled.files if file.status != "gone")
    words = ("new", "updated", "unchanged", "kept", "gone", "failed")
    yield _line(
        (f"{_count(records, 'record')} and {_count(blobs, 'blob')}", "good"),
        f" of {pulled.repo} in {pulled.folder}: {_tally(by_kind, words) or 'nothing'}",
    )
    yield _line((f"rev {pulled.rev}, {pulled.proof}: each CID was recomputed and agrees", "faint"))


def _is_blob(file: PulledFile) -> bool:
    return file.path.startswith("blobs/")


def _check(report: CheckReport) -> Iterator[Line]:
    for item in report.items:
        if item.status != "equal":
            yield from _compared(item)
    equal = sum(item.status == "equal" for item in report.items)
    different = len(report.items) - equal
    style = "bad" if different else "good"
    text = f"{equal:,} equal, {different:,} different" if different else f"{equal:,} equal"
    yield _line((text, style), f" in {report.repo} at rev {report.rev}")


def _compared(item: Compared) -> Iterator[Line]:
    rkey = (f"  {item.uri.rpartition('/')[2]}", "faint") if item.uri else ""
    yield _line(_label(item.status, 13), item.path, rkey)
    for field in item.fields:
        yield _line("             ", (field, "place"))
    if item.reason:
        yield _line("             ", item.reason)
    for finding in item.findings:
        yield from _finding(finding)


def _account(report: AccountReport) -> Iterator[Line]:
    yield _line((report.name, "name"), f"  {report.did}")
    if report.pds:
        yield _line(f"PDS: {report.pds}")
    match report.action, report.password:
        case "login", _:
            yield _line(("the app password works and is in the keyring", "good"))
        case "logout", None:
            yield _line("the keyring had no app password of this account")
        case "logout", _:
            yield _line(("the app password was removed from the keyring", "good"))
            yield _line("revoke it in the settings of the account, too, if it isn't used elsewhere")
        case _, None if report.pds:
            yield _line(("no app password is at hand: run `publisher login`", "doubt"))
        case _, None:
            yield _line("a repo in a folder: it needs no password")
        case _, source:
            yield _line(f"app password: from the {source}")


def _init(report: InitReport) -> Iterator[Line]:
    yield _line(("wrote ", "good"), str(report.path))
    for key, value in report.settings.items():
        yield _line(f"  {key} = {value}", (f"  ({report.origins[key]})", "faint"))
    yield _line("next: `publisher validate`, then `publisher publish --dry-run`")


def _demo(report: DemoReport) -> Iterator[Line]:
    yield _line(("1  publisher validate", "name"))
    yield from _indented(_validate(report.validated))
    yield _line(("2  publisher publish", "name"))
    yield from _indented(_publish(report.published))
    yield _line(("3  publisher pull", "name"))
    yield from _indented(_pull(report.pulled))
    yield _line(("4  what came back, beside what went out", "name"))
    for trip in report.round_trips:
        same = trip.sent == trip.pulled
        mark = ("=", "good") if same else ("≠", "bad")
        yield _line("   ", _short(trip.sent), " ", mark, " ", _short(trip.pulled), f"  {trip.path}")
    yield _line(("5  publisher publish, once more", "name"))
    yield from _indented(_publish(report.again))
    yield _line(f"look around in {report.folder}: documents, their repo, and what was pulled")


def _short(cid: str | None) -> str:
    return f"{cid[:15]}…{cid[-8:]}" if cid else "nothing"


def _indented(lines: Iterable[Line]) -> Iterator[Line]:
    return ((Span("   "), *line) for line in lines)
