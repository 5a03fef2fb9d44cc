"""`publisher validate`: offline, no account, every fault of every file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Literal

from publisher.commands.collect import collect, load_lexicons, sources
from publisher.commands.judge import Checked, Judge
from publisher.commands.streams import STREAMS, Input, judged
from publisher.config import Config
from publisher.findings import Severity
from publisher.lexicon.catalog import Profile
from publisher.lexicon.load import catalog_of
from publisher.progress import Progress

FailOn = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Request:
    """What to check, and what counts.

    `paths` are files and folders, without any the config's documents; `stdin` is checked with
    them. `lexicons` are folders beside those of the config. `select` and `ignore` are finding
    codes.
    """

    paths: Sequence[Path] = ()
    stdin: Input | None = None
    lexicons: Sequence[Path] = ()
    profiles: Sequence[Profile] = ("publish",)
    fail_on: FailOn = "error"
    select: frozenset[str] = frozenset()
    ignore: frozenset[str] = frozenset()
    with_cids: bool = False


@dataclass(slots=True)
class ValidateReport:
    """Every file and record that was checked, in order, and the lexicon files with findings.

    `files` may be read once only where a stream was checked: so many records aren't held. The
    counts and the exit status are those of what was taken from `files` so far.
    """

    files: Iterable[Checked]
    lexicons: tuple[Checked, ...] = ()
    fail_on: FailOn = "error"
    counts: Counter[str] = field(default_factory=Counter)
    severities: Counter[Severity] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        counted = self._counted(self.files)
        self.files = tuple(counted) if isinstance(self.files, tuple) else counted

    def _counted(self, files: Iterable[Checked]) -> Iterator[Checked]:
        for file in files:
            self.counts[file.status] += 1
            for finding in file.findings:
                self.severities[finding.severity] += 1
            yield file

    def every_file(self) -> Iterator[Checked]:
        """Yield the lexicon files with findings, then every file and record."""
        yield from self.lexicons
        yield from self.files

    @property
    def exit_status(self) -> int:
        """1 when a file or a lexicon has an error, or what else `fail_on` names.

        A ref to a lexicon that isn't here counts only in the records that reach it.
        """
        failing = {"error", self.fail_on}
        broken = (
            found.severity
            for file in self.lexicons
            for found in file.findings
            if found.code != "ref-dangling"
        )
        found = self.severities.keys() | set(broken)
        return 1 if failing & found else 0


def validate(config: Config, request: Request, progress: Progress) -> ValidateReport:
    """Check documents and records. Reads files, nothing else. Raises SourceError.

    Documents are all read when this returns; streams (JSON lines, CAR, stdin) are read while the
    report's `files` are.
    """
    files = load_lexicons(config, request.lexicons)
    judge = Judge(
        config,
        catalog_of(files),
        tuple(request.profiles),
        keep=False,
        advice=True,
        with_cids=request.with_cids,
        select=request.select,
        ignore=request.ignore,
        now=datetime.now(UTC),
    )
    streams = [Input(path) for path in request.paths if path.suffix.lower() in STREAMS]
    paths = [path for path in request.paths if path.suffix.lower() not in STREAMS]
    streams += [request.stdin] if request.stdin else []
    documents = [] if streams and not paths else collect(judge, sources(config, paths), progress)
    judged_lexicons = (judge.lexicon(loaded) for loaded in files if loaded.findings)
    lexicons = tuple(file for file in judged_lexicons if file.findings)
    if not streams:
        return ValidateReport(tuple(documents), lexicons, request.fail_on)
    each = chain.from_iterable(judged(stream, judge, progress) for stream in streams)
    return ValidateReport(chain(documents, each), lexicons, request.fail_on)
