"""Records' values that lie on the disk until somebody looks at them.

A site of 100,000 documents doesn't fit into memory; its keys, CIDs and titles do.
"""

from __future__ import annotations

import os
import tempfile
import threading
import weakref
from collections.abc import Callable, ItemsView, Iterator, Mapping, Sequence
from functools import partial
from itertools import accumulate
from typing import Final, TypeGuard

from publisher.data import Value, decode
from publisher.errors import StateError

_SHORT: Final = 200  # characters: a title, a path, a date, an address

_names: dict[tuple[str, ...], tuple[str, ...]] = {}


class StoredValue(Mapping[str, Value]):
    """A record's value that is read anew each time; its short strings are kept after the first.

    Ask for one field at a time where it is a short string, for `whole` otherwise.
    """

    __slots__ = ("_load", "_names", "_short")

    def __init__(
        self, load: Callable[[], dict[str, Value]], value: Mapping[str, Value] | None = None
    ) -> None:
        self._load = load
        self._names: tuple[str, ...] | None = None
        self._short: dict[str, str] = {}
        if value is not None:
            self._remember(value)

    def load(self) -> dict[str, Value]:
        """Return the value, read anew. Raises what its place raises."""
        value = self._load()
        if self._names is None:
            self._remember(value)
        return value

    def items(self) -> ItemsView[str, Value]:
        """Return the fields; one reading for all."""
        return self.load().items()

    def __getitem__(self, name: str) -> Value:
        if self._names is None:
            return self.load()[name]
        if name in self._short:
            return self._short[name]
        if name not in self._names:
            raise KeyError(name)
        return self.load()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known_names())

    def __len__(self) -> int:
        return len(self._known_names())

    def __contains__(self, name: object) -> bool:
        return name in self._known_names()

    def __repr__(self) -> str:
        return f"StoredValue({self._short})"

    def _known_names(self) -> tuple[str, ...]:
        if self._names is None:
            self.load()
        return self._names or ()

    def _remember(self, value: Mapping[str, Value]) -> None:
        names = tuple(value)
        self._names = _names.setdefault(names, names)  # most records have the same fields
        self._short = {name: item for name, item in value.items() if _is_short(item)}


def whole(value: Mapping[str, Value]) -> dict[str, Value]:
    """Return a record's value as a dict, read once where it lies on the disk."""
    if isinstance(value, StoredValue):
        return value.load()
    return value if isinstance(value, dict) else dict(value)


def outline(value: Mapping[str, Value]) -> dict[str, Value]:
    """Return the names of a value's fields with the short strings: what is kept in memory of it."""
    return {name: item if _is_short(item) else None for name, item in value.items()}


def _is_short(item: Value) -> TypeGuard[str]:
    return isinstance(item, str) and len(item) <= _SHORT


class Spool:
    """A temporary file of DAG-CBOR blocks, gone with its last value; thread-safe."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  # closed by the next line
        weakref.finalize(self, self._file.close)
        self._end = 0
        self._lock = threading.Lock()

    def put(self, block: bytes, value: Mapping[str, Value] | None = None) -> StoredValue:
        """Keep a record's block; `value` is what it holds, or its outline, where that is known.

        Raises StateError when the disk is full.
        """
        return self.put_all([(block, value)])[0]

    def put_all(
        self, blocks: Sequence[tuple[bytes, Mapping[str, Value] | None]]
    ) -> list[StoredValue]:
        """Keep several blocks with a single write; as `put`."""
        joined = b"".join([block for block, _ in blocks])
        with self._lock:
            start = self._end
            self._write(joined, start)
            self._end += len(joined)
        ends = accumulate((len(block) for block, _ in blocks), initial=start)
        return [  # none of them holds on to its block
            StoredValue(partial(self._read, at, len(block)), value)
            for at, (block, value) in zip(ends, blocks, strict=False)
        ]

    def _write(self, block: bytes, start: int) -> None:
        left, at = memoryview(block), start
        try:
            while left:
                written = os.pwrite(self._file.fileno(), left, at)
                left, at = left[written:], at + written
        except OSError as error:
            raise StateError(
                f"{tempfile.gettempdir()}: {error.strerror}",
                remedy="free some space there, or set TMPDIR to a folder that has more",
            ) from error

    def _read(self, start: int, size: int) -> dict[str, Value]:
        value = decode(os.pread(self._file.fileno(), size, start))
        if not isinstance(value, dict):
            raise TypeError("a record's block holds an object")
        return value
