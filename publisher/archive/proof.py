"""The proof of a whole repo, from the signed commit down to every record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from publisher.archive.car import ArchiveError, CarFile, MissingBlock
from publisher.archive.commit import SignedCommit, parse_commit, verify_commit
from publisher.archive.mst import build_tree, walk_tree
from publisher.data import DAG_CBOR, Cid


@dataclass(frozen=True, slots=True)
class Proven:
    """A repo that was proven: `items` maps 'collection/rkey' to CID, in the order of the keys.

    `unused` is how many blocks of the CAR nothing refers to.
    """

    cid: Cid
    commit: SignedCommit
    items: Mapping[str, Cid]
    unused: int
    _blocks: Mapping[Cid, bytes] = field(repr=False)

    def block(self, cid: Cid) -> bytes:
        """Return the block of a record, read anew. Raises MissingBlock if the CAR hasn't it."""
        block = self._blocks.get(cid)
        if block is None:
            raise MissingBlock(cid, "a record")
        return block


def prove(
    car: CarFile,
    *,
    did: str,
    key: str | None,
    old: Mapping[str, Cid] | Iterable[tuple[str, Cid]] | None = None,
) -> Proven:
    """Prove the repo that a CAR holds; `key` is the did:key that must have signed.

    Raises MissingBlock when the CAR is partial, InvalidSignature, and ArchiveError for the rest.
    """
    block = car.get(car.root)
    if block is None:
        raise MissingBlock(car.root, "the commit")
    commit = parse_commit(block)
    if commit.did != did:
        raise ArchiveError(f"the repo is that of {commit.did}, not of {did}")
    if key is not None:
        verify_commit(commit, key)
    known = dict(old or {})
    nodes = build_tree(sorted(known.items())).nodes if known else {}
    used: set[Cid] = {car.root}

    class Blocks(dict[Cid, bytes]):
        def get(self, cid: Cid, default: bytes | None = None) -> bytes | None:  # type: ignore[override]
            used.add(cid)
            return car.get(cid) or nodes.get(cid, default)

    items = walk_tree(Blocks(), commit.data)
    if build_tree(items.items()).root != commit.data:
        raise ArchiveError("the tree isn't the one that its keys make")
    for path, cid in items.items():
        if cid.codec != DAG_CBOR:
            raise ArchiveError(f"the record {path} is no DAG-CBOR")
        if cid not in car and known.get(path) != cid:
            raise MissingBlock(cid, path)
        used.add(cid)
    return Proven(car.root, commit, items, sum(cid not in used for cid in car), car)
