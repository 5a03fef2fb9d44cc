"""Writes cut into batches: below every limit of the server, and no larger than its points left."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import overload

from publisher.pds import wire
from publisher.pds.ledger import points_of
from publisher.repo import Write


class Batch(Sequence[Write]):
    """Writes with their JSON, which is made once; a slice is one, too."""

    __slots__ = ("__weakref__", "_texts", "_writes")

    def __init__(self, writes: Sequence[Write], texts: Sequence[bytes]) -> None:
        self._writes = writes
        self._texts = texts

    @classmethod
    def of(cls, writes: Sequence[Write]) -> Batch:
        """Return writes as a batch, as they are if they are one."""
        if isinstance(writes, Batch):
            return writes
        return cls(writes, [wire.json_of(write) for write in writes])

    @property
    def texts(self) -> Sequence[bytes]:
        """The JSON of each write, as applyWrites takes it."""
        return self._texts

    @property
    def points(self) -> int:
        """What the batch costs of the rate limit."""
        return points_of(self._writes)

    def __len__(self) -> int:
        return len(self._writes)

    @overload
    def __getitem__(self, index: int) -> Write: ...
    @overload
    def __getitem__(self, index: slice) -> Batch: ...
    def __getitem__(self, index: int | slice) -> Write | Batch:
        if isinstance(index, slice):
            return Batch(self._writes[index], self._texts[index])
        return self._writes[index]


def cut(writes: Iterable[Write], room: Callable[[int], int]) -> Iterator[Batch]:
    """Cut writes, taken one by one, into batches.

    `room` is asked as a batch begins: given the points of its first write, it returns those for all
    of it. A write that is too large for any batch gets its own.
    """
    run: list[Write] = []
    texts: list[bytes] = []
    bytes_left = points_left = 0
    for write in writes:
        text, points = wire.json_of(write), points_of([write])
        size = wire.weight(text)
        full = len(run) >= wire.MAX_WRITES or size > bytes_left or points > points_left
        if run and full:
            yield Batch(run, texts)
            run, texts = [], []
        if not run:
            bytes_left, points_left = wire.MAX_BODY - wire.ENVELOPE, room(points)
        run.append(write)
        texts.append(text)
        bytes_left -= size
        points_left -= points
    if run:
        yield Batch(run, texts)
