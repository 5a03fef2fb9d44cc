"""A repo's CAR, downloaded into a temporary file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from typing import Final

from publisher.errors import RepoRefused
from publisher.pds.queries import Queries
from publisher.spool import temporary_file, write_all
from publisher.transport import Limits

ANY_BYTES: Final = 4 << 30
_SECONDS: Final = 600.0


class TooLarge(RepoRefused):
    """An archive has more bytes than were allowed."""


@contextmanager
def archived(
    queries: Queries, max_bytes: int, since: str | None = None
) -> Iterator[BufferedReader]:
    """Have a repo's CAR in a file; with `since`, what is new after that rev.

    Raises TooLarge, StateError where the disk is full, and what `Queries` does.
    """
    left = max_bytes

    def write(part: bytes) -> None:
        nonlocal left
        left -= len(part)
        if left < 0:
            raise TooLarge(
                f"{queries.host} answered an archive of {queries.name} of more than"
                f" {max_bytes:,} bytes",
                name="TooLarge",
            )
        write_all(file, part)

    with temporary_file() as file:
        limits = Limits(max_bytes=max_bytes + 1, seconds=_SECONDS)
        params = {"did": queries.did} | ({"since": since} if since else {})
        queries.download("com.atproto.sync.getRepo", write, limits, **params)
        file.seek(0)
        yield BufferedReader(file)
