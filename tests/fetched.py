"""A repo's blob, in memory."""

from __future__ import annotations

from io import BytesIO

from publisher.repo import Repo


def fetched(repo: Repo, cid: str) -> bytes:
    """Return the bytes of a blob."""
    file = BytesIO()
    repo.fetch_blob(cid, file)
    return file.getvalue()
