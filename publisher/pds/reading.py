"""How a repo is read: one request where nothing moved, what is new where it did, else the whole.

Whole is the listing of the wanted collections, or a CAR of everything. A record costs 0.27 ms and
a hundredth of a request listed, 0.04 ms in a CAR, those of other collections too.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from publisher.archive import (
    ArchiveError,
    CarFile,
    Get,
    MissingBlock,
    SignedCommit,
    parse_commit,
    read_blocks,
    walk_part,
)
from publisher.data import Cid, InvalidCid
from publisher.errors import RepoRefused, RepoUnavailable, StateError
from publisher.mirror import Entry, Mirror, Place
from publisher.pds.archives import ANY_BYTES, archived
from publisher.pds.gathering import Gathering
from publisher.pds.listing import list_records
from publisher.pds.queries import Queries
from publisher.repo import Applied, Commit, Snapshot, Write
from publisher.syntax import Did, Nsid, Rkey
from publisher.transport import Limits

MIRROR: Final = "mirror.sqlite"
READINGS: Final = 3
FEW_PAGES: Final = 10
"""So many pages are listed before a CAR is thought of."""

# A CAR is 6.75 times cheaper a record. Beyond a thousand records, ten thousand are expected.
_CAR_FACTOR: Final = 64
_CAR_BYTES: Final = (16 << 20, 512 << 20)
_SINCE_BYTES: Final = 64 << 20
_NODES: Final = 64  # that are fetched one by one, before the whole is read
_log = logging.getLogger(__name__)


class Reading:
    """Reads one repo; what it has read is remembered in the folder `state`, if there is one."""

    def __init__(self, queries: Queries, state: Path | None) -> None:
        self._queries = queries
        self._state = state
        self._opened: Mirror | None = None

    def read(self, collections: Sequence[Nsid], *, afresh: bool) -> Snapshot:
        """Return all records of the collections; `publisher.repo.Repo.read` has the rules."""
        head = self._queries.head()
        snapshot = None if afresh else self._remembered(collections, head)
        if snapshot:
            return snapshot
        try:
            return self._whole(collections, head)
        except StateError as error:
            if not self._keeps:
                raise
            _log.info("%s; a temporary file is used", error.message)
        self._state = None
        self.close()
        self._opened = None
        return self._whole(collections, head)

    def applied(self, before: str, writes: Sequence[Write], applied: Applied) -> None:
        """Remember a batch of ours, on top of the commit `before`."""
        if self._opened:
            self._opened.applied(before, writes, applied)

    def close(self) -> None:
        """Wait until everything is remembered."""
        if self._opened:
            self._opened.close()

    @property
    def _mirror(self) -> Mirror:
        if self._opened is None:
            path = self._state / MIRROR if self._state and self._keeps else None
            self._opened = Mirror.open(path, self._queries.did)
        return self._opened

    @property
    def _keeps(self) -> bool:
        """Whether what is read is kept; the folder may be made after the repo was opened."""
        return self._state is not None and self._state.is_dir()

    def _remembered(self, collections: Sequence[Nsid], head: Commit) -> Snapshot | None:
        """Return what the mirror holds, brought up to date; None where it can't be."""
        mirror = self._mirror
        try:
            known = mirror.commit
            if known is None or not mirror.collections.issuperset(collections):
                return None
            if known != head and not self._catch_up(known, head):
                return None
            return mirror.snapshot(collections)
        except StateError as error:
            _log.info("%s", error.message)
            mirror.begin_anew()
            return None

    def _catch_up(self, known: Commit, head: Commit) -> bool:
        """Bring the mirror up to date by what is new since; False where that is in doubt."""
        try:
            with self._archive(_SINCE_BYTES, since=known.rev) as car:
                self._advance(car, known, head)
        except (ArchiveError, InvalidCid, RepoRefused, RepoUnavailable) as error:
            _log.info("%s since %s: %s", self._queries.name, known.rev, error)
            return False
        return True

    def _advance(self, car: CarFile, known: Commit, head: Commit) -> None:
        """Raises ArchiveError where what is new doesn't follow from what is known."""
        mirror = self._mirror
        commit = _commit(car, self._queries.did)
        if not known.rev < head.rev <= commit.rev:
            raise ArchiveError(f"the rev went from {known.rev} to {head.rev} and {commit.rev}")
        old, edges = _links(mirror.entries), mirror.edges
        part = walk_part(
            commit.data,
            lambda cid: car.get(cid) or edges.get(cid),
            mirror.collections,
            old=old,
            fetch=self._nodes,
        )
        gathering = Gathering(mirror, mirror.collections)
        new = {path: cid for path, cid in part.items.items() if old.get(path) != cid}
        _gather(new, lambda cid: car.get(cid) or mirror.block(str(cid)), gathering)
        gathering.flush()
        removed = [_place(path) for path in old if path not in part.items]
        mirror.advance(Commit(str(car.root), commit.rev), gathering.entries, removed, part.edges)

    def _whole(self, collections: Sequence[Nsid], head: Commit) -> Snapshot:
        """Read everything anew, by listing or by CAR, as it costs less."""
        for attempt in range(READINGS):
            gathering = Gathering(self._mirror, collections)
            for page, _ in enumerate(list_records(self._queries, collections, gathering), 1):
                if page == FEW_PAGES and attempt == 0:
                    found = self._by_car(collections, _worthwhile(gathering.bytes))
                    if found:
                        return found
            before, head = head, self._queries.head()
            if head == before:
                return gathering.finish(head, {})
        found = self._by_car(collections, ANY_BYTES)
        if found is None:
            raise RepoUnavailable(
                f"the repo of {self._queries.name} changed each of the {READINGS} times it was"
                " read, and can't be had as a whole",
                remedy="run again when nothing else writes to it",
            )
        return found

    def _by_car(self, collections: Sequence[Nsid], max_bytes: int) -> Snapshot | None:
        """Read everything from a CAR; None where it is larger, damaged, or not to be had.

        The reference PDS reads its blocks without a snapshot: where commits come in between, some
        may be missing. Then it is fetched again.
        """
        for _ in range(READINGS):
            try:
                with self._archive(max_bytes) as car:
                    return self._taken(car, collections)
            except MissingBlock as error:
                _log.info("%s: %s", self._queries.name, error)
            except (ArchiveError, RepoRefused, RepoUnavailable) as error:
                _log.info("%s: %s", self._queries.name, error)
                return None
        return None

    def _taken(self, car: CarFile, collections: Sequence[Nsid]) -> Snapshot:
        commit = _commit(car, self._queries.did)
        part = walk_part(commit.data, car.get, collections, old={}, fetch=lambda _: {})
        gathering = Gathering(self._mirror, collections)
        _gather(part.items, car.get, gathering)
        return gathering.finish(Commit(str(car.root), commit.rev), part.edges)

    @contextmanager
    def _archive(self, max_bytes: int, since: str | None = None) -> Iterator[CarFile]:
        """Download a CAR. Raises ArchiveError, and what `archived` does."""
        with archived(self._queries, max_bytes, since) as file:
            yield CarFile(file)

    def _nodes(self, cids: Sequence[Cid]) -> Mapping[Cid, bytes]:
        """Fetch nodes of the tree; those of one layer at the collections' edges are few."""
        if len(cids) > _NODES:
            raise ArchiveError(f"{len(cids)} nodes are missing at once")
        found: dict[Cid, bytes] = {}
        for cid in cids:
            content = self._queries.fetch(
                f"didn't give the block {cid}",
                "com.atproto.sync.getBlocks",
                Limits(),
                did=self._queries.did,
                cids=str(cid),
            )
            found |= read_blocks(content)
        return found


def _worthwhile(listed: int) -> int:
    """Return how large a CAR may be, by the bytes of what has been listed so far."""
    least, most = _CAR_BYTES
    return min(max(listed * _CAR_FACTOR, least), most)


def _commit(car: CarFile, did: Did) -> SignedCommit:
    block = car.get(car.root)
    if block is None:
        raise MissingBlock(car.root, "the commit")
    commit = parse_commit(block)
    if commit.did != did:
        raise ArchiveError(f"the CAR is the repo of {commit.did}")
    return commit


def _gather(items: Mapping[str, Cid], get: Get, gathering: Gathering) -> None:
    for path, cid in items.items():
        block = get(cid)
        if block is None:
            raise MissingBlock(cid, path)
        gathering.take(_place(path), cid, block)


def _links(entries: Mapping[Place, Entry]) -> dict[str, Cid]:
    return {f"{place[0]}/{place[1]}": Cid.parse(entry.cid) for place, entry in entries.items()}


def _place(path: str) -> Place:
    collection, _, rkey = path.partition("/")
    return Nsid(collection), Rkey(rkey)
