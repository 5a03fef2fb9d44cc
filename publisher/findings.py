"""What a check found: one value for every layer, from JSON syntax to lexicon rules."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault: `pointer` is a JSON pointer (RFC 6901) into the checked value, '' its root.

    `line` and `column` (from 1, in characters) are its place in the author's file, where known.
    """

    pointer: str
    code: str
    message: str
    severity: Severity = "error"
    remedy: str = ""
    line: int | None = None
    column: int | None = None

    def below(self, prefix: str) -> Finding:
        """Return the same finding, its place put below `prefix`."""
        return replace(self, pointer=prefix + self.pointer)


def pointer_to(*steps: str | int) -> str:
    """Return the JSON pointer of a path of keys and indices."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def has_errors(findings: list[Finding] | tuple[Finding, ...]) -> bool:
    """Tell whether one of the findings is an error."""
    return any(finding.severity == "error" for finding in findings)
