"""What a person sees while and after a command runs: colours and progress where they help."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from publisher.commands.validate import ValidateReport
from publisher.errors import PublisherError
from publisher.output import Line, escape, render, to_json
from publisher.progress import Progress, Silent

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from publisher.output.text import Report

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
        print(json.dumps(to_json(report), indent=2, ensure_ascii=False))
    else:
        _print(render(report), sys.stdout)


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
    """Show a bar on stderr while work lasts, if that is a terminal."""
    if quiet or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield Silent()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=_console(sys.stderr), transient=True) as bars:
        yield _Bar(bars)


class _Bar:
    """One bar: a new stage takes the place of the one before."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._task: TaskID | None = None

    def stage(self, name: str, total: int) -> None:
        """Begin a stage."""
        if self._task is not None:
            self._bars.remove_task(self._task)
        self._task = self._bars.add_task(name, total=total)

    def advance(self, steps: int = 1) -> None:
        """Count steps."""
        if self._task is not None:
            self._bars.advance(self._task, steps)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Take the bar away while somebody is asked something."""
        self._bars.stop()
        try:
            yield
        finally:
            self._bars.start()


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
