"""Repos and CARs as no honest server makes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeAlias

from publisher.archive import SignedCommit, build_tree, parse_commit, sign_commit
from publisher.archive.commit import PrivateKey
from publisher.archive.node import Node, encode_node
from publisher.data import DAG_CBOR, Cid, Value, encode
from publisher.syntax import Did
from tests.repo_server import _KEY, ALICE

Blocks: TypeAlias = dict[Cid, bytes]
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def signed(
    records: Mapping[str, Value | bytes],
    rev: str,
    *,
    did: str = ALICE,
    key: PrivateKey = _KEY,
    codec: int = DAG_CBOR,
) -> tuple[Cid, Blocks]:
    """Return a commit's CID and all blocks; records that are bytes are taken as their blocks."""
    encoded = {k: v if isinstance(v, bytes) else encode(v) for k, v in records.items()}
    links = {path: Cid.of(block, codec) for path, block in encoded.items()}
    tree = build_tree(sorted(links.items()))
    held = {links[path]: block for path, block in encoded.items()}
    return with_commit(tree.root, {**tree.nodes, **held}, rev, did=did, key=key)


def with_commit(
    data: Cid, blocks: Blocks, rev: str, *, did: str = ALICE, key: PrivateKey = _KEY
) -> tuple[Cid, Blocks]:
    """Sign a tree, whatever it is."""
    commit = sign_commit(Did(did), rev=rev, data=data, key=key).encode()
    root = Cid.of(commit, DAG_CBOR)
    return root, {root: commit, **blocks}


def car(roots: Iterable[Cid], blocks: Mapping[Cid, bytes], *, version: int = 1) -> bytes:
    """Return a CAR with these roots; CIDs and blocks needn't belong together."""
    header = encode({"roots": list(roots), "version": version})
    sections = [section(cid.raw, block) for cid, block in blocks.items()]
    return b"".join([varint(len(header)), header, *sections])


def section(raw: bytes, block: bytes) -> bytes:
    """Return a block with the bytes of its CID, as a CAR has them."""
    return varint(len(raw) + len(block)) + raw + block


def varint(number: int) -> bytes:
    """Return a size as a CAR has it."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def recommitted(root: Cid, blocks: Blocks, **changes: object) -> bytes:
    """Return the CAR of a commit with some members replaced, the signature kept."""
    commit = replace(commit_of(root, blocks), **changes)  # type: ignore[arg-type]
    block = commit.encode()
    return resigned(root, blocks, block)


def resigned(root: Cid, blocks: Blocks, block: bytes) -> bytes:
    """Return a CAR with another block for its commit."""
    cid = Cid.of(block, DAG_CBOR)
    return car([cid], {cid: block, **without(blocks, root)})


def commit_of(root: Cid, blocks: Blocks) -> SignedCommit:
    """Return the commit of a repo."""
    return parse_commit(blocks[root])


def high_s(sig: bytes) -> bytes:
    """Return the other signature that fits: the one that AT Protocol refuses."""
    return sig[:32] + (ORDER - int.from_bytes(sig[32:])).to_bytes(32)


def node(left: Cid | None, *entries: tuple[str, Cid, Cid | None]) -> tuple[Cid, bytes]:
    """Return a node of a tree, whatever it holds: key, value, and the link behind it."""
    block = encode_node(
        Node(left, [(key.encode(), value) for key, value, _ in entries], [e[2] for e in entries])
    )
    return Cid.of(block, DAG_CBOR), block


def without(blocks: Blocks, *gone: Cid) -> Blocks:
    """Return blocks but for some."""
    return {cid: block for cid, block in blocks.items() if cid not in gone}
