"""Reports that are shown without what makes them: importing all commands takes 60 ms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from publisher.commands.checked import Checked
    from publisher.findings import Severity
    from publisher.pulling.state import Proof

FailOn = Literal["error", "warning"]


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


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """How far a repo is proven, how many records each collection has, and what is wrong with some.

    `counts` are those of the validated records by status; `items` are those with findings.
    """

    repo: str
    did: str
    rev: str
    commit: str
    proof: Proof
    collections: dict[str, int]
    counts: dict[str, int] = field(default_factory=dict)
    items: tuple[Checked, ...] = ()

    @property
    def exit_status(self) -> int:
        """1 for a record that is invalid; what isn't proven is an error before that."""
        return 1 if self.counts.get("invalid") else 0
