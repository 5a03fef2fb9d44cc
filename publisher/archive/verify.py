"""The proof of a whole repo that is held in memory."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

from publisher.archive.car import CarFile
from publisher.archive.commit import SignedCommit
from publisher.archive.proof import prove
from publisher.data import Cid


@dataclass(frozen=True, slots=True)
class VerifiedRepo:
    """A repo that was proven: `records` maps 'collection/rkey' to CID and block, in key order."""

    cid: Cid
    commit: SignedCommit
    records: Mapping[str, tuple[Cid, bytes]]

    @property
    def rev(self) -> str:
        """The commit's rev (a TID)."""
        return self.commit.rev


def verify_car(content: bytes | BinaryIO, *, did: str, key: str | None) -> VerifiedRepo:
    """Read the CAR of a whole repo and prove it, as `prove` does. Raises what that raises."""
    file = io.BytesIO(content) if isinstance(content, bytes) else content
    proven = prove(CarFile(file), did=did, key=key)
    records = {path: (cid, proven.block(cid)) for path, cid in proven.items.items()}
    return VerifiedRepo(proven.cid, proven.commit, records)
