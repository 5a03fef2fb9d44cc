"""What a person sees while and after a command runs: colours and progress where they help."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, TextIO

from publisher.commands.reports import ValidateReport
from publisher.errors import PublisherError
from publisher.output import Line, escape, json_text, render
from publisher.progress import Progress, Silent

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from publisher.output import Report

_EVERY = 10.0  # seconds between two lines about work that goes on

_THEME = {
    "good": "green",
    "bad": "bold red",
    "doubt": "yellow",
    "faint": "dim",
    "name": "bold",
    "place": "cyan",
}


def show(report: Report, *, format: str) -> None:
    """Print a report on stdout, coloured when that is a terminal and NO_COLOR isn't set.

    Raises PublisherError when it can't be written; what was done is done.
    """
    try:
        _write(report, format)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        # What is left in the buffer would fail once more at the exit, with a status of its own.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise PublisherError(
            f"the report can't be written: {error.strerror}", remedy="write it to another place"
        ) from error


def _write(report: Report, format: str) -> None:
    if format in {"github", "sarif"} and isinstance(report, ValidateReport):
        # The runner says where the checkout is; elsewhere paths are from here.
        root = Path(os.environ.get("GITHUB_WORKSPACE") or Path.cwd())
        if format == "github":
            from publisher.output.github import to_annotations

            for line in to_annotations(report, root):
                print(line)
        else:
            from publisher.output.sarif import to_sarif

            print(json.dumps(to_sarif(report, root), indent=2))
    elif format == "json":
        print(json_text(report))
    else:
        _print(render(report), sys.stdout)


def show_aside(report: Report) -> None:
    """Print a report on stderr, where stdout has what was asked for."""
    sys.stdout.flush()
    _print(render(report), sys.stderr)


def show_error(error: PublisherError) -> None:
    """Print an error and its remedy on stderr."""
    message = "\n".join(map(escape, error.message.splitlines()))
    _styled(sys.stderr, "error: ", "bad")
    print(message, file=sys.stderr)
    if error.remedy:
        _styled(sys.stderr, "  → ", "faint")
        print(escape(error.remedy), file=sys.stderr)


@contextmanager
def progress(*, quiet: bool) -> Iterator[Progress]:
    """Show how far the work is on stderr: a bar on a terminal, else a line now and then."""
    if quiet:
        yield _Quiet()
    elif not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield _Lines(sys.stderr)
    else:
        with _bars() as bars:
            yield _Bar(bars)


def _bars() -> Bars:
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[more]}"),
        TimeRemainingColumn(),
    )
    return Bars(*columns, console=_console(sys.stderr), transient=True)


class _Quiet(Silent):
    """Shows nothing, and lets Ctrl-C wait where that is asked for."""

    def finishing(self) -> AbstractContextManager[Callable[[], bool]]:
        """Ctrl-C waits for the end of the request in flight."""
        return _deferred()


class _Stage:
    """How far a stage is: steps and blobs done, and how fast."""

    def __init__(self, name: str, total: int) -> None:
        self.name = name
        self.total = total
        self.done = 0
        self.blobs = 0
        self._began = time.monotonic()

    @property
    def rate(self) -> float:
        """Steps a second."""
        return self.done / max(time.monotonic() - self._began, 0.001)

    @property
    def more(self) -> str:
        """What isn't in the bar itself: blobs, and the rate."""
        parts = [f"{self.blobs:,} blobs"] if self.blobs else []
        return ", ".join([*parts, f"{self.rate:,.0f}/s"] if self.done else parts)

    def __str__(self) -> str:
        left = (self.total - self.done) / self.rate if self.done else 0
        more = f", {self.more}" if self.more else ""
        return f"{self.name}: {self.done:,} of {self.total:,}{more}, {left:,.0f} s left"


class _Lines(_Quiet):
    """A line each ten seconds: in a log, short work says nothing."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._stage = _Stage("", 0)
        self._next = 0.0

    def stage(self, name: str, total: int) -> None:
        """Begin a stage."""
        self._stage = _Stage(name, total)
        self._next = time.monotonic() + _EVERY

    def advance(self, steps: int = 1) -> None:
        """Count steps, and say so when it is time."""
        self._stage.done += steps
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _EVERY
            print(self._stage, file=self._stream, flush=True)

    def blob(self) -> None:
        """Count a blob."""
        self._stage.blobs += 1


class _Bar(_Quiet):
    """One bar: a new stage takes the place of the one before."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._task: TaskID | None = None
        self._stage = _Stage("", 0)

    def stage(self, name: str, total: int) -> None:
        """Begin a stage."""
        if self._task is not None:
            self._bars.remove_task(self._task)
        self._stage = _Stage(name, total)
        self._task = self._bars.add_task(name, total=total, more="")

    def advance(self, steps: int = 1) -> None:
        """Count steps."""
        self._stage.done += steps
        self._show()

    def blob(self) -> None:
        """Count a blob."""
        self._stage.blobs += 1
        self._show()

    def _show(self) -> None:
        if self._task is not None:
            self._bars.update(self._task, completed=self._stage.done, more=self._stage.more)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Take the bar away while somebody is asked something."""
        self._bars.stop()
        try:
            yield
        finally:
            self._bars.start()


@contextmanager
def _deferred() -> Iterator[Callable[[], bool]]:
    """The first Ctrl-C is noted, the second breaks in."""
    came = threading.Event()

    def note(_number: int, _frame: FrameType | None) -> None:
        if came.is_set():
            raise KeyboardInterrupt
        came.set()
        print("stopping after the request in flight; Ctrl-C again: at once", file=sys.stderr)

    if threading.current_thread() is not threading.main_thread():
        yield came.is_set
        return
    before = signal.signal(signal.SIGINT, note)
    try:
        yield came.is_set
    finally:
        signal.signal(signal.SIGINT, before)


def _console(stream: TextIO) -> Console:
    from rich.console import Console
    from rich.theme import Theme

    return Console(file=stream, theme=Theme(_THEME), highlight=False, soft_wrap=True)


def _has_colours(stream: TextIO) -> bool:
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _styled(stream: TextIO, text: str, style: str) -> None:
    if _has_colours(stream):
        _console(stream).print(text, style=style, end="", markup=False)
    else:
        print(text, file=stream, end="")


def _print(lines: Iterator[Line], stream: TextIO) -> None:
    if not _has_colours(stream):
        for line in lines:
            print("".join(span.text for span in line), file=stream)
        return
    from rich.text import Text

    console = _console(stream)
    for line in lines:
        console.print(Text.assemble(*((span.text, span.style) for span in line)))
