"""Runs targets in processes that may die: each input has a deadline and a bound of memory."""

from __future__ import annotations

import faulthandler
import multiprocessing
import pickle
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from random import Random
from typing import IO, Any

from tests.fuzz.targets import Target

_PIECE = 500  # inputs of a process, which is then done with
_FORK = multiprocessing.get_context("fork")
_UNIT = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes


@dataclass(frozen=True, slots=True)
class Limits:
    """What an input may cost: seconds of a core, and bytes of memory, in all and for each own."""

    seconds: float = 3
    address_space: int = 2 << 30
    memory: int = 64 << 20
    memory_per_byte: int = 2_000


@dataclass(frozen=True, slots=True)
class Failure:
    """An input for which something didn't hold, and what."""

    target: str
    number: int
    reason: str
    content: bytes


@dataclass(slots=True)
class Tally:
    """What became of a target's inputs; `peak` is its largest process, in bytes."""

    inputs: int = 0
    size: int = 0
    seconds: float = 0
    slowest: float = 0
    peak: int = 0

    def add(self, other: Tally) -> None:
        """Count another process's inputs, too."""
        self.inputs += other.inputs
        self.size += other.size
        self.seconds += other.seconds
        self.slowest = max(self.slowest, other.slowest)
        self.peak = max(self.peak, other.peak)


@dataclass(slots=True)
class Campaign:
    """What a run found, by target. The same seed makes the same inputs."""

    seed: str
    limits: Limits = field(default_factory=Limits)
    tallies: dict[str, Tally] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)

    def run(self, targets: Sequence[Target], numbers: range, *, jobs: int) -> None:
        """Spread the inputs of these numbers, of each target, over so many processes."""
        waiting = deque(
            (target, numbers[start : start + _PIECE])
            for start in range(0, len(numbers), _PIECE)
            for target in targets
        )
        running: list[_Worker] = []
        while waiting or running:
            while waiting and len(running) < jobs:
                running.append(_Worker(self, *waiting.popleft()))
            wait([worker.process.sentinel for worker in running])
            for worker in [worker for worker in running if not worker.process.is_alive()]:
                running.remove(worker)
                if rest := self._ended(worker):
                    waiting.appendleft((worker.target, rest))

    def _ended(self, worker: _Worker) -> range:
        """Take what a process found; return the numbers that it didn't come to."""
        worker.process.join()
        tally = self.tallies.setdefault(worker.target.name, Tally())
        for found in worker.found():
            if isinstance(found, Tally):
                tally.add(found)
            else:
                self.failures.append(found)
        number = worker.current.value
        done = worker.numbers.index(number) + 1
        if worker.process.exitcode != 0:
            content = made(worker.target, self.seed, number)
            self.failures.append(Failure(worker.target.name, number, worker.last_words(), content))
            tally.add(Tally(inputs=done))
        return worker.numbers[done:]


def made(target: Target, seed: str, number: int) -> bytes:
    """Return an input, by nothing else than these."""
    return target.make(Random(f"{seed} {target.name} {number}"))  # noqa: S311  # repeatable


class _Worker:
    """A process with the files that outlive it. At the first failure it ends, whatever it was."""

    def __init__(self, campaign: Campaign, target: Target, numbers: range) -> None:
        self.target, self.numbers = target, numbers
        self.current: Any = _FORK.Value("q", numbers[0], lock=False)
        self._found: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # read when it has died
        self._words: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self.process = _FORK.Process(target=self._work, args=(campaign.seed, campaign.limits))
        self.process.start()

    def found(self) -> Iterator[Failure | Tally]:
        """Yield what the process wrote down."""
        self._found.seek(0)
        with self._found:
            while self._found.peek(1):  # type: ignore[attr-defined]  # of a buffered file
                yield pickle.load(self._found)  # noqa: S301  # written by our own process

    def last_words(self) -> str:
        """Return why the process died."""
        self._words.seek(0)
        with self._words:
            words = self._words.read().decode(errors="replace")
        return f"the process died with {self.process.exitcode}\n{words}"

    def _work(self, seed: str, limits: Limits) -> None:
        resource.setrlimit(resource.RLIMIT_AS, (limits.address_space, limits.address_space))
        # What the timer interrupts may be C code, which runs no handler of Python's.
        faulthandler.register(signal.SIGPROF, self._words, chain=True)
        faulthandler.enable(self._words)
        tally = Tally()
        for number in self.numbers:
            self.current.value = number
            content = made(self.target, seed, number)
            began = time.perf_counter()
            reason = _fault(self.target, content, limits)
            taken = time.perf_counter() - began
            tally.add(Tally(1, len(content), taken, taken, _peak()))
            if reason:
                self._write(Failure(self.target.name, number, reason, content))
                break
        self._write(tally)

    def _write(self, found: Failure | Tally) -> None:
        pickle.dump(found, self._found)
        self._found.flush()


def _fault(target: Target, content: bytes, limits: Limits) -> str | None:
    """Return what doesn't hold for an input, or None."""
    before = _peak()
    signal.setitimer(signal.ITIMER_PROF, limits.seconds)
    try:
        target.run(content)
    except Exception:  # noqa: BLE001  # whatever it is, it is what is looked for
        return traceback.format_exc(limit=-6)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    grown = _peak() - before
    if grown > limits.memory + limits.memory_per_byte * len(content):
        return f"took {grown:,} bytes of memory for {len(content):,}"
    return None


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT
