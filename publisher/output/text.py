"""Reports as lines of styled text, for a terminal or a pipe."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias, assert_never

from publisher.commands.account import AccountReport
from publisher.commands.check import CheckReport, Compared
from publisher.commands.demo import DemoReport
from publisher.commands.init import InitReport
from publisher.commands.restore import BackupsReport, RestoreReport
from publisher.output.lines import (
    Line,
    Span,
    count,
    label,
    line,
    of_finding,
    validation,
)
from publisher.output.publishing import of_difference, publishing
from publisher.output.pulling import pulling

OtherReport: TypeAlias = (
    CheckReport | AccountReport | InitReport | DemoReport | BackupsReport | RestoreReport
)


def render(report: OtherReport) -> Iterator[Line]:
    """Yield the lines of a report."""
    match report:
        case CheckReport():
            yield from _check(report)
        case AccountReport():
            yield from _account(report)
        case InitReport():
            yield from _init(report)
        case DemoReport():
            yield from _demo(report)
        case BackupsReport():
            yield from _backups(report)
        case RestoreReport():
            yield from _restored(report)
        case _:
            assert_never(report)


def _check(report: CheckReport) -> Iterator[Line]:
    for item in report.items:
        if item.status != "equal":
            yield from _compared(item)
    equal = sum(item.status == "equal" for item in report.items)
    different = len(report.items) - equal
    style = "bad" if different else "good"
    text = f"{equal:,} equal, {different:,} different" if different else f"{equal:,} equal"
    yield line((text, style), f" in {report.repo} at rev {report.rev}, {report.proof}")


def _compared(item: Compared) -> Iterator[Line]:
    rkey = (f"  {item.uri.rpartition('/')[2]}", "faint") if item.uri else ""
    yield line(label(item.status, 13), item.path, rkey)
    shown = {difference.field for difference in item.differences}
    for field in item.fields:
        if field not in shown:
            yield line("             ", (field, "place"))
    for difference in item.differences:
        yield from of_difference(difference)
    if item.reason:
        yield line("             ", item.reason)
    for finding in item.findings:
        yield from of_finding(finding)


def _account(report: AccountReport) -> Iterator[Line]:
    yield line((report.name, "name"), f"  {report.did}")
    if report.pds:
        yield line(f"PDS: {report.pds}")
    match report.action, report.password:
        case "login", _:
            yield line(("the app password works and is in the keyring", "good"))
        case "logout", None:
            yield line("the keyring had no app password of this account")
        case "logout", _:
            yield line(("the app password was removed from the keyring", "good"))
            yield line("revoke it in the settings of the account, too, if it isn't used elsewhere")
        case _, None if report.pds:
            yield line(("no app password is at hand: run `publisher login`", "doubt"))
        case _, None:
            yield line("a repo in a folder: it needs no password")
        case _, source:
            yield line(f"app password: from the {source}")


def _init(report: InitReport) -> Iterator[Line]:
    yield line(("wrote ", "good"), str(report.path))
    for key, value in report.settings.items():
        yield line(f"  {key} = {value}", (f"  ({report.origins[key]})", "faint"))
    yield line("next: `publisher validate`, then `publisher publish --dry-run`")


def _demo(report: DemoReport) -> Iterator[Line]:
    yield line(("1  publisher validate", "name"))
    yield from _indented(validation(report.validated))
    yield line(("2  publisher publish", "name"))
    yield from _indented(publishing(report.published))
    yield line(("3  publisher pull", "name"))
    yield from _indented(pulling(report.pulled))
    yield line(("4  what came back, beside what went out", "name"))
    for trip in report.round_trips:
        same = trip.sent == trip.pulled
        mark = ("=", "good") if same else ("≠", "bad")
        yield line("   ", _short(trip.sent), " ", mark, " ", _short(trip.pulled), f"  {trip.path}")
    yield line(("5  publisher publish, once more", "name"))
    yield from _indented(publishing(report.again))
    yield line(f"look around: cd {report.folder}/documents, and try the other commands there")


def _short(cid: str | None) -> str:
    return f"{cid[:15]}…{cid[-8:]}" if cid else "nothing"


def _indented(lines: Iterable[Line]) -> Iterator[Line]:
    return ((Span("   "), *line) for line in lines)


def _backups(report: BackupsReport) -> Iterator[Line]:
    for version in report.versions:
        when = version.when.replace("T", " ").removesuffix("Z")
        yield line(
            (f"{when}  ", "faint"),
            label(f"{version.action}d", 9),
            version.path or version.uri,
            (f"  {version.cid}", "faint"),
        )
    for damage in report.damaged:
        yield line(label("damaged"), f"{damage.place}: {damage.reason}")
    yield line((count(len(report.versions), "version"), "good"), " kept (times in UTC)")
    if report.versions:
        yield line("to put one back: `publisher restore PATH`, or an AT-URI or a CID")


def _restored(report: RestoreReport) -> Iterator[Line]:
    version = report.restored
    what = version.path or version.uri
    if report.action == "unchanged":
        yield line((f"{what} is this version already", "good"), f": {version.cid}")
        return
    word = report.action if report.dry_run else f"{report.action}d"
    yield line(label(word), what, (f"  {version.uri.rpartition('/')[2]}", "faint"))
    yield line("          ", f"as it was until {version.when}: {version.cid}")
    if report.replaced and not report.dry_run:
        yield line("          ", f"what was there is kept: {report.replaced}")
    if report.uploaded:
        verb = "to upload" if report.dry_run else "uploaded"
        yield line("          ", f"{count(report.uploaded, 'blob')} {verb}")
    yield line("          ", ("→ ", "faint"), report.next)
    mode = " (nothing was written)" if report.dry_run else ""
    yield line(
        ("restored" if not report.dry_run else "to be restored", "good"), f" in {report.repo}{mode}"
    )
