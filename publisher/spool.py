"""Records' values that lie on the disk until somebody looks at them.

A site of 100,000 documents doesn't fit into memory; its keys, CIDs and titles do.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import weakref
from collections.abc import Callable, ItemsView, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import SEEK_SET, FileIO, RawIOBase
from itertools import accumulate
from typing import IO, TYPE_CHECKING, Final

from publisher.data import Value, compact, decode, encode
from publisher.errors import StateError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_SHORT: Final = 200  # characters: a title, a path, a date, an address
_ALIKE: Final = frozenset({"$type", "site"})  # of which a folder has few
_KEPT: Final = _ALIKE | {"createdAt", "path", "publishedAt", "title", "url"}
"""The fields that documents and records are recognised by."""

_names: dict[tuple[str, ...], tuple[str, ...]] = {}


class StoredValue(Mapping[str, Value]):
    """A record's value that is read anew each time; what it is recognised by is kept in memory.

    Ask for one field at a time where it is one of these, for `whole` otherwise.
    """

    __slots__ = ("_kept", "_names", "read")

    def __init__(
        self, read: Callable[[], dict[str, Value]], value: Mapping[str, Value] | None = None
    ) -> None:
        self.read = read
        self._names: tuple[str, ...] | None = None
        self._kept: tuple[str | None, ...] = ()  # a value for each of the names
        if value is not None:
            self._remember(value)

    def load(self) -> dict[str, Value]:
        """Return the value, read anew. Raises what its place raises."""
        value = self.read()
        if self._names is None:
            self._remember(value)
        return value

    def outline(self) -> dict[str, Value]:
        """Return the names of the fields with the strings that are kept."""
        return dict(zip(self._known_names(), self._kept, strict=True))

    def items(self) -> ItemsView[str, Value]:
        """Return the fields; one reading for all."""
        return self.load().items()

    def __getitem__(self, name: str) -> Value:
        if self._names is None:
            return self.load()[name]
        if name not in self._names:
            raise KeyError(name)
        kept = self._kept[self._names.index(name)]
        return self.load()[name] if kept is None else kept

    def __iter__(self) -> Iterator[str]:
        return iter(self._known_names())

    def __len__(self) -> int:
        return len(self._known_names())

    def __contains__(self, name: object) -> bool:
        return name in self._known_names()

    def __repr__(self) -> str:
        return f"StoredValue({self.outline()})"

    def _known_names(self) -> tuple[str, ...]:
        if self._names is None:
            self.load()
        return self._names or ()

    def _remember(self, value: Mapping[str, Value]) -> None:
        names = tuple(value)
        self._names = _names.setdefault(names, names)  # most records have the same fields
        self._kept = tuple([_kept(name, item) for name, item in value.items()])


def whole(value: Mapping[str, Value]) -> dict[str, Value]:
    """Return a record's value as a dict, read once where it lies on the disk."""
    if isinstance(value, StoredValue):
        return value.load()
    return value if isinstance(value, dict) else dict(value)


def outline(value: Mapping[str, Value]) -> dict[str, Value]:
    """Return the names of a value's fields with the strings that are kept in memory of it."""
    if isinstance(value, StoredValue):
        return value.outline()
    return {name: _kept(name, item) for name, item in value.items()}


def _kept(name: str, item: Value) -> str | None:
    if name not in _KEPT or not isinstance(item, str) or len(item) > _SHORT:
        return None
    return sys.intern(item) if name in _ALIKE else item


@dataclass(frozen=True, slots=True)
class _Spooled:
    """Reads a value in a spool: its block, and behind it its JSON, where that was kept."""

    spool: Spool
    at: int
    size: int
    text_size: int

    def __call__(self) -> dict[str, Value]:
        value = decode(self.block())
        if not isinstance(value, dict):
            raise TypeError("a record's block holds an object")
        return value

    def block(self) -> bytes:
        """Return the block's bytes."""
        return self.spool.read(self.at, self.size)

    def text(self) -> bytes:
        """Return the JSON; nothing where it wasn't kept."""
        return self.spool.read(self.at + self.size, self.text_size)


def block_of(value: Mapping[str, Value]) -> bytes:
    """Return the DAG-CBOR of a record's value, as it lies on the disk where it does."""
    spooled = _spooled(value)
    return spooled.block() if spooled else encode(whole(value))


def text_of(value: Mapping[str, Value]) -> bytes:
    """Return the JSON of a record's value for the wire, as it lies on the disk where it does."""
    spooled = _spooled(value)
    text = spooled.text() if spooled else b""
    return text or compact(whole(value))


def _spooled(value: Mapping[str, Value]) -> _Spooled | None:
    read = value.read if isinstance(value, StoredValue) else None
    return read if isinstance(read, _Spooled) else None


class Spool:
    """A temporary file of DAG-CBOR blocks, gone with its last value; thread-safe."""

    def __init__(self) -> None:
        self._file = temporary_file()
        weakref.finalize(self, self._file.close)
        self._end = 0
        self._lock = threading.Lock()

    def put(
        self, block: bytes, value: Mapping[str, Value] | None = None, text: bytes = b""
    ) -> StoredValue:
        """Keep a record's block, and its JSON for the wire if that is known.

        `value` is what it holds, or its outline, where that is known. Raises StateError when the
        disk is full.
        """
        return self.put_all([(block, value, text)])[0]

    def put_all(
        self, blocks: Sequence[tuple[bytes, Mapping[str, Value] | None, bytes]]
    ) -> list[StoredValue]:
        """Keep several blocks with a single write; as `put`."""
        joined = b"".join([part for block, _, text in blocks for part in (block, text)])
        with self._lock:
            start = self._end
            self._write(joined, start)
            self._end += len(joined)
        sizes = (len(block) + len(text) for block, _, text in blocks)
        return [  # none of them holds on to its bytes
            StoredValue(_Spooled(self, at, len(block), len(text)), value)
            for at, (block, value, text) in zip(
                accumulate(sizes, initial=start), blocks, strict=False
            )
        ]

    def read(self, start: int, size: int) -> bytes:
        """Return bytes that were put in."""
        return os.pread(self._file.fileno(), size, start) if size else b""

    def _write(self, block: bytes, start: int) -> None:
        left, at = memoryview(block), start
        with spare_room():
            while left:
                written = os.pwrite(self._file.fileno(), left, at)
                left, at = left[written:], at + written


def temporary_file() -> FileIO:
    """Return a file without a name and without a buffer. Raises StateError."""
    with spare_room():
        return tempfile.TemporaryFile(buffering=0)


class Placed(RawIOBase):
    """A temporary file with a place of its own: forked processes move only theirs."""

    def __init__(self, file: FileIO) -> None:
        self._file = file
        self._at = 0

    def fileno(self) -> int:
        """Return the number by which the system knows the file."""
        return self._file.fileno()

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def seekable(self) -> bool:
        """Tell that it has a place."""
        return True

    def seek(self, offset: int, whence: int = SEEK_SET) -> int:
        """Go to a place, counted from the beginning."""
        if whence != SEEK_SET:
            raise ValueError("where the file ends isn't known yet")
        self._at = offset
        return offset

    def tell(self) -> int:
        """Return the place, counted from the beginning."""
        return self._at

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fill a buffer, as far as the file goes."""
        count = os.preadv(self._file.fileno(), [buffer], self._at)
        self._at += count
        return count


def write_all(file: IO[bytes], content: bytes) -> None:
    """Write bytes into a temporary file. Raises StateError."""
    left = memoryview(content)
    with spare_room():
        while left:
            left = left[file.write(left) :]


@contextmanager
def spare_room() -> Iterator[None]:
    """Turn what the disk of temporary files refuses into StateError."""
    try:
        yield
    except OSError as error:
        raise StateError(
            f"{tempfile.gettempdir()}: {error.strerror}",
            remedy="free some space there, or set TMPDIR to a folder that has more",
        ) from error
