"""`publisher` in processes that can be ended: forked from one that has imported everything.

A new interpreter would take half a second each time, most of it for imports.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE = 120.0  # seconds; what takes longer hangs
_MODULES = ("cli", "commands.check", "commands.publish", "pds", "terminal")


@dataclass(frozen=True, slots=True)
class Job:
    """A command line to run in `folder`, and what shall happen to it.

    `batch`: so many writes at most go in one batch, and none alone. `kill_at` and `fail_at` are
    names of points; `kill_after` is in seconds.
    """

    folder: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    batch: int | None = None
    kill_at: str = ""
    fail_at: str = ""
    errno: int = 0
    kill_after: float | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended: its status (negative for a signal), what it said, the points it reached."""

    status: int
    output: str
    errors: str
    points: Sequence[str] = field(repr=False)
    seconds: float


class Runner:
    """Runs jobs, one after the other."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self._process = process
        self._folder = folder

    def run(self, job: Job) -> Ended:
        """Run a job to its end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        for name in ("output", "errors", "points"):
            (self._folder / name).write_bytes(b"")
        print(json.dumps(asdict(job)), file=self._process.stdin, flush=True)
        ended = json.loads(self._process.stdout.readline())
        output, errors, points = (
            (self._folder / name).read_text("utf-8") for name in ("output", "errors", "points")
        )
        return Ended(ended["status"], output, errors, points.splitlines(), ended["seconds"])


@contextmanager
def start() -> Iterator[Runner]:
    """Start the process that others are forked from."""
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            [sys.executable, "-m", "tests.survive.runner", folder],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        yield Runner(process, Path(folder))


def _serve(folder: Path) -> None:
    """Run the jobs of standard input; each child leaves this function, and ends as `publisher`."""
    _import_everything()
    answers = os.fdopen(os.dup(1), "w")
    for line in iter(sys.stdin.readline, ""):
        job = Job(**json.loads(line))
        began = time.monotonic()
        child = os.fork()
        if not child:
            answers.close()
            _become_publisher(job, folder)
        status = _wait(child, job.kill_after)
        ended = {"status": status, "seconds": time.monotonic() - began}
        print(json.dumps(ended), file=answers, flush=True)


def _import_everything() -> None:
    for name in ("atproto_client", *(f"publisher.{name}" for name in _MODULES)):
        importlib.import_module(name)


def _become_publisher(job: Job, folder: Path) -> None:
    from publisher import cli
    from publisher.apply import applier
    from publisher.pds import wire
    from tests.survive import points

    for stream, name in ((0, os.devnull), (1, folder / "output"), (2, folder / "errors")):
        opened = os.open(name, os.O_RDWR)
        os.dup2(opened, stream)
        os.close(opened)
    os.chdir(job.folder)
    os.environ.update(job.environment)
    if job.batch:
        setattr(applier, "FEW", 0)  # noqa: B010 - a constant is no attribute to assign
        setattr(wire, "MAX_WRITES", job.batch)  # noqa: B010
    points.watch(
        points.teller(folder / "points", kill_at=job.kill_at, fail_at=job.fail_at, errno=job.errno)
    )
    sys.argv = ["publisher", *job.arguments]
    cli.main()


def _wait(child: int, kill_after: float | None) -> int:
    began = time.monotonic()
    limit = PATIENCE if kill_after is None else kill_after
    while time.monotonic() - began < limit:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.0005)
    os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
