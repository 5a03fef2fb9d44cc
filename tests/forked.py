"""Runs modules as programs in processes that have imported everything already.

A program spends most of a second on its imports, and two where its lines are measured; most tests
only want its exit status and what it prints. So one process for each test worker imports all of the
package, and forks for every run: its own working folder, environment, streams, exit.
"""

from __future__ import annotations

import atexit
import importlib
import io
import json
import os
import pkgutil
import runpy
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any, Final

from tests.measuring import stop_measuring
from tests.reference_pds import ENVIRONMENT

ROOT: Final = Path(__file__).parents[1]
_MOST: Final = 1 << 20  # bytes of a question: arguments and environment
_STREAMS: Final = 3
_OURS: Final = {"publisher", "tests"}


def run_module(
    module: str,
    arguments: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    stdin: str = "",
    timeout: float = 120,
    fresh: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Do what `python -m module` does with captured streams.

    With `fresh` the package and the tests are imported anew, from `folder` if they lie there, so
    that what is imported may be another or be changed before. Raises subprocess.TimeoutExpired.
    """
    question = {
        "module": module,
        "arguments": list(arguments),
        "folder": str(folder),
        "environment": dict(environment),
        "fresh": fresh,
    }
    with _file(stdin) as given, _file() as out, _file() as errors:
        status = _server().ask(question, (given, out, errors), timeout)
        command = [sys.executable, "-m", module, *arguments]
        return subprocess.CompletedProcess(command, status, _text(out), _text(errors))


@contextmanager
def _file(content: str = "") -> Iterator[IO[bytes]]:
    with tempfile.TemporaryFile() as file:
        file.write(content.encode())
        file.seek(0)
        yield file


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    with io.TextIOWrapper(file) as text:
        return text.read()


@dataclass(frozen=True, slots=True)
class _Server:
    """The process that forks, and the way to it."""

    process: subprocess.Popen[bytes]
    way: socket.socket

    def ask(self, question: dict[str, Any], streams: Sequence[IO[bytes]], timeout: float) -> int:
        """Have a program run; return its exit status."""
        content = json.dumps(question).encode()
        assert len(content) < _MOST
        socket.send_fds(self.way, [content], [stream.fileno() for stream in streams])
        pid = int(self.way.recv(_MOST))
        self.way.settimeout(timeout)
        try:
            return int(self.way.recv(_MOST))
        except TimeoutError:
            os.kill(pid, 9)
            self.way.settimeout(None)
            self.way.recv(_MOST)
            raise subprocess.TimeoutExpired(question["module"], timeout) from None
        finally:
            self.way.settimeout(None)

    def stop(self) -> None:
        """Let the process end."""
        self.way.close()
        self.process.wait()


@cache
def _server() -> _Server:
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(True)
    with its:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.forked", str(its.fileno())],
            cwd=ROOT,
            env={**ENVIRONMENT, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[its.fileno()],
        )
    server = _Server(process, ours)
    atexit.register(server.stop)
    return server


# --- in the process that forks


def _serve(way: socket.socket) -> None:
    """Answer each question with the process and its exit status, until nobody asks any more."""
    importlib.import_module("hypothesis")  # for tests that run tests
    for found in pkgutil.walk_packages([str(ROOT / "publisher")], "publisher."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
    while True:
        content, streams, _, _ = socket.recv_fds(way, _MOST, _STREAMS)
        if not content:
            return
        question = json.loads(content)
        pid = os.fork()
        if pid == 0:
            way.close()
            _become(question, streams)
            return
        for stream in streams:
            os.close(stream)
        way.send(str(pid).encode())
        way.send(str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())


def _become(question: dict[str, Any], streams: Sequence[int]) -> None:
    """Be the program that was asked for; its end is that of this process."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(question["folder"])
    sys.path[:] = [question["folder"], *(each for each in sys.path if each != str(ROOT)), str(ROOT)]
    if "COVERAGE_PROCESS_CONFIG" not in question["environment"]:
        stop_measuring()
    os.environ.clear()
    os.environ.update(question["environment"])
    tempfile.tempdir = None
    if question["fresh"]:
        for name in [name for name in sys.modules if name.partition(".")[0] in _OURS]:
            del sys.modules[name]
    sys.argv = [question["module"], *question["arguments"]]
    runpy.run_module(question["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
