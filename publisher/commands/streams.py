"""Many records in one file: JSON lines, CAR archives, standard input."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from publisher.commands.checked import Checked
from publisher.commands.judge import Judge
from publisher.cores import pieces, spread
from publisher.errors import SourceError
from publisher.findings import Finding
from publisher.progress import Progress

_LINES = frozenset({".jsonl", ".ndjson"})
STREAMS = _LINES | {".car"}
"""The suffixes of files that hold many records."""

MAX_LINE = 16 * 1024 * 1024
"""Bytes of one JSON line; servers take records of 1,000,000."""

_PIECE = 200  # lines that go to a process at once


@dataclass(frozen=True, slots=True)
class Input:
    """A stream: the file at `path`, or `content`, which is called so."""

    path: Path
    content: BinaryIO | None = None


def judged(stream: Input, judge: Judge, progress: Progress) -> Iterator[Checked]:
    """Yield every record of a stream, judged, in order; few are held at a time. A CAR is held.

    Raises SourceError where the stream can't be read.
    """
    try:
        content = stream.content or stream.path.open("rb")
    except OSError as error:
        raise SourceError(f"{stream.path}: {error.strerror}", remedy="correct the path") from error
    with content:
        if stream.path.suffix.lower() == ".car":
            yield from _archived(stream.path, content, judge)
        elif stream.path.suffix.lower() in _LINES:
            yield from _spread(stream.path, content, judge, progress)
        else:
            yield from _piped(stream.path, content, judge, progress)


def _piped(path: Path, content: BinaryIO, judge: Judge, progress: Progress) -> Iterator[Checked]:
    """Take standard input for JSON lines when its first line looks like one, else for a record."""
    held = [content.readline(MAX_LINE)]
    while held[-1] and not held[-1].strip():
        held.append(content.readline(MAX_LINE))
    first = held[-1].strip()
    if first.startswith(b"{") and first.endswith(b"}") and held[-1].endswith(b"\n"):
        yield from _spread(path, _Joined(held, content), judge, progress)
    else:
        yield judge.record(path, str(path), b"".join(held) + content.read())


class _Joined(io.RawIOBase):
    """The lines that were read already, then the rest."""

    def __init__(self, held: list[bytes], rest: BinaryIO) -> None:
        self._held, self._rest = held[::-1], rest

    def readline(self, size: int | None = -1, /) -> bytes:
        """Return the next line."""
        if self._held:
            return self._held.pop()
        return self._rest.readline(-1 if size is None else size)


_Lines = list[tuple[int, bytes]]


def _spread(
    path: Path, content: BinaryIO | io.RawIOBase, judge: Judge, progress: Progress
) -> Iterator[Checked]:
    work = partial(_judge_lines, judge, path)
    found = pieces(_lines(path, content), _PIECE)
    for part in spread(work, found, progress):
        yield from part


def _lines(path: Path, content: BinaryIO | io.RawIOBase) -> Iterator[tuple[int, bytes]]:
    number = 0
    while line := content.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE:
            raise SourceError(
                f"{path}: line {number} has more than {MAX_LINE:,} bytes",
                remedy="write one record a line; servers take 1,000,000 bytes",
            )
        if line.strip():
            yield number, line.rstrip(b"\r\n")


def _judge_lines(judge: Judge, path: Path, lines: _Lines) -> list[Checked]:
    return [judge.record(path, f"{path}:{number}", line, line=number) for number, line in lines]


def _archived(path: Path, content: BinaryIO, judge: Judge) -> Iterator[Checked]:
    """Yield the records of a CAR by their keys; what is wrong with the archive itself is last."""
    from publisher.archive import ArchiveError, read_car, walk_tree  # a tenth of the start-up
    from publisher.archive.commit import parse_commit

    try:
        car = read_car(content)
        commit = parse_commit(car.blocks[car.root])
        items = walk_tree(car.blocks, commit.data)
    except (ArchiveError, KeyError) as error:
        reason = "the commit's block is missing" if isinstance(error, KeyError) else str(error)
        finding = Finding("", "archive", reason, "error", "fetch the archive again")
        yield judge.faulty(path, str(path), finding)
        return
    for place, cid in items.items():
        block = car.blocks.get(cid)
        if block is None:
            reason = f"the block {cid} is missing: the archive is cut short or partial"
            finding = Finding("", "archive", reason, "error", "fetch the archive again")
            yield judge.faulty(path, f"{path}/{place}", finding)
        else:
            yield judge.block(path, place, block)
