"""How long work tells how far it is, without knowing who listens."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Progress(Protocol):
    """Counts towards a total, one stage after the other."""

    def stage(self, name: str, total: int) -> None:
        """Begin a stage of `total` steps; the one before has ended."""

    def advance(self, steps: int = 1) -> None:
        """Count steps of the current stage. Called from any thread."""

    def paused(self) -> AbstractContextManager[None]:
        """Leave the terminal to a question while the context lasts."""


class Silent:
    """Listens to nothing."""

    def stage(self, name: str, total: int) -> None:
        """Ignore the stage."""

    def advance(self, steps: int = 1) -> None:
        """Ignore the steps."""

    def paused(self) -> AbstractContextManager[None]:
        """Have nothing to leave."""
        return nullcontext()
