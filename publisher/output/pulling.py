"""What a pull brought, as lines of styled text."""

from __future__ import annotations

from collections.abc import Iterator

from publisher.commands.reports import PullReport
from publisher.output.lines import PROOFS, Line, count, label, line, of_file, tally
from publisher.pulling.records import ORIGINALS
from publisher.pulling.wanted import Pulled


def pulling(report: PullReport) -> Iterator[Line]:
    """Yield the lines of a pull."""
    for pulled in report.repos:
        yield from _pulled(pulled)
    for name, error in report.errors.items():
        yield line(label("failed"), f"{name}: {error.message}")
        if error.remedy:
            yield line("          ", ("→ ", "faint"), error.remedy)


def _pulled(pulled: Pulled) -> Iterator[Line]:
    for file in pulled.files:
        if file.status in {"kept", "trashed", "deleted", "failed"}:
            yield line(label(file.status), file.path)
            yield line("          ", file.reason)
        if file.losses:
            yield line((file.path, "name"), ("  isn't all of its record:", "doubt"))
            for loss in file.losses:
                yield line("          ", loss)
        yield from of_file(file.path, file.findings)
    words = ("new", "updated", "unchanged", "kept", "trashed", "deleted", "failed")
    yield line(
        (f"{tally(pulled.counts, words) or 'nothing'}", "good"),
        f": the files of {pulled.repo} in {pulled.folder}",
    )
    if pulled.lossy:
        verb = (
            "isn't all of its record" if len(pulled.lossy) == 1 else "aren't all of their records"
        )
        told = f"; {ORIGINALS} holds what is, and --json says what is missing"
        yield line((f"{count(len(pulled.lossy), 'file')} {verb}", "doubt"), told)
    yield line((f"rev {pulled.rev}, {PROOFS[pulled.proof]}", "faint"))
    if pulled.reason:
        yield line((f"not proven: {pulled.reason}", "doubt"))
