"""Reports that are shown without what makes them: importing all commands takes 60 ms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from publisher.errors import PublisherError

if TYPE_CHECKING:
    from publisher.commands.checked import Checked
    from publisher.findings import Finding, Severity
    from publisher.migration import Moving
    from publisher.plan import Cost, Difference, Guard
    from publisher.pulling.state import Proof
    from publisher.pulling.wanted import Pulled

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


ActionName = Literal[
    "create",
    "update",
    "delete",
    "adopt",
    "unchanged",
    "kept",
    "remote-changed",
    "remote-deleted",
    "orphan",
    "conflict",
    "failed",
    "invalid",
    "pending",
]
"""`adopt` is one that waits for --adopt, `pending` one that something came before."""

_NEEDY = frozenset({"conflict", "adopt", "failed", "invalid"})


@dataclass(frozen=True, slots=True)
class Item:
    """What happens, or happened, to one document or record.

    `differences` lead from the record to the document; they are only looked for when asked.
    """

    path: str
    action: ActionName
    uri: str | None = None
    cid: str | None = None
    changed: tuple[str, ...] = ()
    reason: str = ""
    remedy: str = ""
    findings: tuple[Finding, ...] = ()
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True)
class PublishReport:
    """One item a document, in their order; `error` is what ended the run early.

    `cost` is what the writes cost that were planned first, `wait` how long they take at the usual
    limits, in words; None where no limits are counted. `guards` are those that would stop what was
    only planned.
    """

    repo: str
    did: str
    dry_run: bool
    items: tuple[Item, ...]
    uploaded: int = 0
    commits: int = 0
    cost: Cost | None = None
    wait: str | None = None
    migration: Moving | None = None
    guards: tuple[Guard, ...] = ()
    error: PublisherError | None = None

    @property
    def counts(self) -> dict[str, int]:
        """How many items have each action."""
        return dict(Counter(item.action for item in self.items))

    @property
    def exit_status(self) -> int:
        """1 when something needs a person; an error's own status before that."""
        if self.error:
            return self.error.exit_status
        return 1 if self.guards or any(item.action in _NEEDY for item in self.items) else 0


@dataclass(frozen=True, slots=True)
class PullReport:
    """One entry a repo; `errors` are the repos that could not be pulled, by name."""

    repos: tuple[Pulled, ...]
    errors: Mapping[str, PublisherError] = field(default_factory=dict)

    @property
    def exit_status(self) -> int:
        """1 for a file that was kept or failed; an error's own status before that."""
        if self.errors:
            return max(error.exit_status for error in self.errors.values())
        statuses = {file.status for pulled in self.repos for file in pulled.files}
        return 1 if statuses & {"kept", "failed"} else 0
