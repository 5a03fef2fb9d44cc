"""A repo's CAR, downloaded into a temporary file, and read from there as it comes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, FileIO
from threading import Condition, Thread
from typing import TYPE_CHECKING, Final

from publisher.errors import RepoRefused
from publisher.pds.queries import Queries
from publisher.spool import Placed, temporary_file, write_all
from publisher.transport import Limits

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

ANY_BYTES: Final = 4 << 30
_SECONDS: Final = 600.0
_PARTING: Final = 1.0  # seconds: an interrupted user doesn't wait for a server that is silent


class TooLarge(RepoRefused):
    """An archive has more bytes than were allowed."""


@contextmanager
def archived(
    queries: Queries, max_bytes: int, since: str | None = None
) -> Iterator[BufferedReader]:
    """Have a repo's CAR in a file; with `since`, what is new after that rev.

    It can be read while it comes: what is hashed and judged needn't wait for the last byte. Raises
    StateError where the disk is full. Reading raises TooLarge, and what `Queries` does.
    """
    with temporary_file() as file:
        coming = _Coming(file, max_bytes)
        limits = Limits(max_bytes=max_bytes + 1, seconds=_SECONDS)
        params = {"did": queries.did} | ({"since": since} if since else {})

        def download() -> None:
            try:
                queries.download("com.atproto.sync.getRepo", coming.add, limits, **params)
            except _NoRoomError:
                reason = f"an archive of {queries.name} of more than {max_bytes:,} bytes"
                coming.end(TooLarge(f"{queries.host} answered {reason}", name="TooLarge"))
            except BaseException as error:  # noqa: BLE001  # it is raised where it is waited for
                coming.end(error)
            else:
                coming.end(None)

        thread = Thread(target=download, name="archive", daemon=True)
        thread.start()
        try:
            yield BufferedReader(coming)
        finally:
            coming.leave()
            thread.join(_PARTING)


class _NoRoomError(Exception):
    """There are more bytes than were allowed."""


class _Coming(Placed):
    """A file that another thread adds to; reading waits for it, and raises what it ended with."""

    def __init__(self, file: FileIO, room: int) -> None:
        super().__init__(file)
        self._room = room
        self._size = 0
        self._ended = self._left = False
        self._error: BaseException | None = None
        self._changed = Condition()

    def add(self, part: bytes) -> None:
        """Add bytes at the end. Raises _NoRoomError, StateError; EOFError if nobody reads on."""
        if self._left:
            raise EOFError
        self._room -= len(part)
        if self._room < 0:
            raise _NoRoomError
        write_all(self._file, part)
        with self._changed:
            self._size += len(part)
            self._changed.notify()

    def end(self, error: BaseException | None) -> None:
        """Say that nothing more comes, and why."""
        with self._changed:
            self._error, self._ended = error, True
            self._changed.notify()

    def leave(self) -> None:
        """Say that nobody reads on."""
        self._left = True

    def readinto(self, buffer: WriteableBuffer) -> int:
        if self._ended and not self._error:  # a forked process takes no lock
            return super().readinto(buffer)
        view = memoryview(buffer).cast("B")
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._size > self._at)
            if self._error:
                raise self._error
            size = min(len(view), self._size - self._at)
        return super().readinto(view[:size]) if size > 0 else 0
