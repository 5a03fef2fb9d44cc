"""Repos made for the tests of their proof: right ones, and their parts to be put together."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import strategies as st

from publisher.archive import (
    CarFile,
    Proven,
    SignedCommit,
    build_tree,
    did_key,
    prove,
    sign_commit,
    write_car,
)
from publisher.data import DAG_CBOR, Cid, encode
from publisher.syntax import Did, tid

KEY: Final = ec.derive_private_key(7, ec.SECP256K1())
P256: Final = ec.derive_private_key(9, ec.SECP256R1())


def did_of(key: ec.EllipticCurvePrivateKey) -> Did:
    return did_key(key.public_key())


DID: Final = did_of(KEY)
REV: Final = tid(1_750_000_000_000_000 << 10)

# collections of which one is the beginning of another sort differently with their slash
COLLECTIONS: Final = ("a.b.c", "a.b.cd", "a.b.c.d", "a.b-b.c", "com.example.record")
HIGH: Final = {
    "app.bsky.feed.post/454397e440ec": 4,
    "com.example.record/46": 5,
    "com.example.record/276": 6,
    "com.example.record/16963": 7,
    "app.bsky.feed.post/9adeb165882c": 8,
}
"""Keys of high layers."""

paths = st.builds(
    "{}/{}".format,
    st.sampled_from(COLLECTIONS),
    st.from_regex(r"[A-Za-z0-9._:~-]{1,12}", fullmatch=True).filter(
        lambda rkey: rkey not in {".", ".."}
    ),
) | st.sampled_from(sorted(HIGH))
numbers = st.integers(0, 5)
states = st.dictionaries(paths, numbers, max_size=60)
"""What a repo holds: its records differ by a number, and some are alike."""


def block_of(number: int) -> bytes:
    return encode({"$type": "com.example.record", "n": number})


def cid_of(block: bytes) -> Cid:
    return Cid.of(block, DAG_CBOR)


def items_of(state: Mapping[str, int]) -> dict[str, Cid]:
    return {path: cid_of(block_of(number)) for path, number in sorted(state.items())}


@dataclass(frozen=True)
class Made:
    """A repo: its commit, and all blocks."""

    commit: SignedCommit
    root: Cid
    blocks: Mapping[Cid, bytes]

    def car(self, without: Iterable[Cid] = (), extra: Iterable[bytes] = ()) -> bytes:
        left = {cid: block for cid, block in self.blocks.items() if cid not in set(without)}
        return b"".join(write_car(self.root, [*left.items(), *((cid_of(b), b) for b in extra)]))


def make(state: Mapping[str, int], key: ec.EllipticCurvePrivateKey = KEY, did: Did = DID) -> Made:
    tree = build_tree(items_of(state).items())
    commit = sign_commit(did, rev=REV, data=tree.root, key=key)
    block = commit.encode()
    records = {cid_of(block_of(number)): block_of(number) for number in state.values()}
    return Made(commit, cid_of(block), {cid_of(block): block, **tree.nodes, **records})


def unchanged(
    old: Mapping[str, int],
    new: Mapping[str, int],
    key: ec.EllipticCurvePrivateKey = KEY,
) -> set[Cid]:
    """Return the blocks that may be left out: all of the older repo, but for records that moved."""
    moved = {cid_of(block_of(number)) for path, number in new.items() if old.get(path) != number}
    return make(old, key, did_of(key)).blocks.keys() - moved


def proven(
    car: bytes, *, did: str = DID, key: str | None = DID, old: Mapping[str, Cid] | None = None
) -> Proven:
    known = None if old is None else old.items()
    return prove(CarFile(io.BytesIO(car)), did=did, key=key, old=known)
