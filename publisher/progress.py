"""How long work tells how far it is, without knowing who listens."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Progress(Protocol):
    """Counts towards a total, one stage after the other."""

    def stage(self, name: str, total: int) -> None:
        """Begin a stage of `total` steps; the one before has ended."""

    def advance(self, steps: int = 1) -> None:
        """Count steps of the current stage. Called from any thread."""

    def blob(self) -> None:
        """Count a blob of the current stage. Called from any thread."""

    def paused(self) -> AbstractContextManager[None]:
        """Leave the terminal to a question while the context lasts."""

    def finishing(self) -> AbstractContextManager[Callable[[], bool]]:
        """Ctrl-C doesn't break in while the context lasts; what it gives tells whether it came."""


class Silent:
    """Listens to nothing."""

    def stage(self, name: str, total: int) -> None:
        """Ignore the stage."""

    def advance(self, steps: int = 1) -> None:
        """Ignore the steps."""

    def paused(self) -> AbstractContextManager[None]:
        """Have nothing to leave."""
        return nullcontext()

    def blob(self) -> None:
        """Ignore the blob."""

    def finishing(self) -> AbstractContextManager[Callable[[], bool]]:
        """Have nothing that stops."""
        return nullcontext(lambda: False)
