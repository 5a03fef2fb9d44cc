"""What a rule finds, with the severity that docs/rules.md says."""

from __future__ import annotations

from publisher.findings import RULES, Finding


def odd(pointer: str, code: str, message: str, remedy: str) -> Finding:
    """Return the finding of a rule; one that is off unless asked for is an info."""
    usual = RULES[code].severity
    return Finding(pointer, code, message, "info" if usual == "off" else usual, remedy)


def short(text: str) -> str:
    """Return a text as messages show it, at most 40 characters."""
    shown = repr(text)
    return shown if len(shown) <= 40 else shown[:36] + "…" + shown[-1]
