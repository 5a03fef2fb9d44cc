"""`publisher validate`: offline, no account, every fault of every file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from publisher.commands.collect import Checked, collect, load_catalog, sources
from publisher.config import Config
from publisher.findings import Finding, has_errors
from publisher.progress import Progress


@dataclass(frozen=True, slots=True)
class ValidateReport:
    """Every file that was checked, in order, and what is wrong with the lexicon files."""

    files: tuple[Checked, ...]
    lexicon_findings: tuple[Finding, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many files have each status."""
        return dict(Counter(file.status for file in self.files))

    @property
    def exit_status(self) -> int:
        """1 when a file or a lexicon has an error.

        A ref to a lexicon that isn't here counts only in the records that reach it.
        """
        broken = [f for f in self.lexicon_findings if f.code != "ref-dangling"]
        found = has_errors(broken) or any(has_errors(file.findings) for file in self.files)
        return 1 if found else 0


def validate(config: Config, paths: Sequence[Path], progress: Progress) -> ValidateReport:
    """Check the documents at `paths`, or all of the config's. Reads files, nothing else."""
    catalog = load_catalog(config)
    files = collect(config, catalog, sources(config, paths), progress)
    return ValidateReport(tuple(files), tuple(catalog.findings))
