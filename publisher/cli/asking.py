"""Questions on the terminal, the progress bar put aside; None where nobody can be asked."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from publisher.progress import Progress


def password(progress: Progress) -> Callable[[str], str | None]:
    """Return what asks for a password."""

    def ask(question: str) -> str | None:
        from publisher.credentials import ask_terminal

        with progress.paused():
            return ask_terminal(question)

    return ask


def yes_or_no(progress: Progress) -> Callable[[str], bool | None]:
    """Return what asks yes or no."""

    def ask(question: str) -> bool | None:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            return None
        with progress.paused():
            return click.confirm(question, default=False, err=True)

    return ask


def line(question: str, default: str | None) -> str | None:
    """Ask for a line of text."""
    if not sys.stdin.isatty():
        return None
    answer: str = click.prompt(question, default=default, err=True)
    return answer
