"""CARs that lie: broken off, forged, replayed, endless."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import repeat
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from publisher.archive import sign_commit
from publisher.archive.node import key_depth
from publisher.data import DAG_CBOR, RAW, Cid, Value, encode
from publisher.errors import ProofFailed, RateLimited, RepoUnavailable
from publisher.syntax import tid
from tests.liars.forge import (
    Blocks,
    car,
    commit_of,
    high_s,
    node,
    recommitted,
    resigned,
    section,
    signed,
    with_commit,
    without,
)
from tests.liars.liar import Harmless, Liar, Refused, Unmoved
from tests.liars.world import World, as_json, refusal
from tests.local_server import Answer, Seen
from tests.repo_server import _KEY, ALICE, note, path

Forge = Callable[[Cid, Blocks], bytes]
MALLORY = "did:plc:" + "m" * 24
AGAIN = ("again",)  # `verify` reads as a first pull does
GARBAGE = Cid.of(b"not there", DAG_CBOR)


@dataclass(frozen=True, slots=True)
class Forgery:
    """A CAR that is never the one that the owner signed, and what is said of it."""

    name: str
    forge: Forge | bytes
    says: str


def archived(one: Forgery) -> Liar:
    """Return a liar who answers a forgery for the whole repo."""
    expect = Refused(ProofFailed, one.says)
    return Liar(one.name, lambda world: world.car(one.forge), expect, AGAIN, verified=True)


def honest(root: Cid, blocks: Blocks) -> bytes:
    return car([root], blocks)


def resized(root: Cid, blocks: Blocks) -> bytes:
    """Write the first size with a byte more than it takes."""
    content = car([root], blocks)
    return bytes([content[0] | 128, 0]) + content[1:]


def flipped(root: Cid, blocks: Blocks) -> bytes:
    """Change the last byte of the last block."""
    content = car([root], blocks)
    return content[:-1] + bytes([content[-1] ^ 1])


def of_other_commit(root: Cid, blocks: Blocks) -> bytes:
    other = sign_commit(ALICE, rev=tid(1 << 45), data=GARBAGE, key=_KEY)
    return recommitted(root, blocks, sig=other.sig)


def as_der(root: Cid, blocks: Blocks) -> bytes:
    sig = commit_of(root, blocks).sig
    return recommitted(root, blocks, sig=b"\x30\x44\x02\x20" + sig[:32] + b"\x02\x20" + sig[32:])


def extended(root: Cid, blocks: Blocks) -> bytes:
    value: dict[str, Value] = {"did": ALICE, "version": 3, "prev": None, "sig": b"", "rev": ""}
    return resigned(root, blocks, encode({**value, "data": root, "more": 1}))


def of_version(root: Cid, blocks: Blocks) -> bytes:
    commit = commit_of(root, blocks)
    value: dict[str, Value] = {"did": commit.did, "version": 2, "prev": None, "sig": commit.sig}
    return resigned(root, blocks, encode({**value, "rev": commit.rev, "data": commit.data}))


def raw_section(root: Cid, raw: bytes, block: bytes) -> bytes:
    """Return a CAR whose only block has a CID that isn't one of AT Protocol."""
    return car([root], {}) + section(raw, block)


def at_other_layer(root: Cid, _blocks: Blocks) -> bytes:
    key = next(path(n) for n in range(999) if key_depth(path(n).encode()) == 1)
    other = next(path(n) for n in range(999) if key_depth(path(n).encode()) == 0)
    value, block = record("x")
    top, top_block = node(None, *sorted([(key, value, None), (other, value, None)]))
    return tree_of(top, {top: top_block, value: block})


def reordered(root: Cid, _blocks: Blocks) -> bytes:
    keys = [path(n) for n in range(99) if key_depth(path(n).encode()) == 0][:2]
    value, block = record("x")
    top, top_block = node(None, (keys[1], value, None), (keys[0], value, None))
    return tree_of(top, {top: top_block, value: block})


def repeated(root: Cid, _blocks: Blocks) -> bytes:
    """Link one node from everywhere, layer by layer: 2^64 nodes, if they were all walked."""
    value, block = record("x")
    key = next(path(n) for n in range(9999) if key_depth(path(n).encode()) == 3)
    below, below_block = node(None, (path(1), value, None))
    nodes = {below: below_block}
    for _ in range(64):
        below, below_block = node(below, (key, value, below))
        nodes[below] = below_block
    return tree_of(below, {**nodes, value: block})


def cyclic(root: Cid, _blocks: Blocks) -> bytes:
    """Link a node to itself: its CID can't be true."""
    false = Cid.of(b"self", DAG_CBOR)
    _, block = node(false, (path(1), GARBAGE, None))
    return tree_of(false, {false: block})


def bottomless(root: Cid, _blocks: Blocks) -> bytes:
    below, block = node(None)
    nodes = {below: block}
    for _ in range(3000):
        below, block = node(below)
        nodes[below] = block
    value, record_block = record("x")
    top, block = node(below, (path(1), value, None))
    return tree_of(top, {**nodes, top: block, value: record_block})


def record(text: str) -> tuple[Cid, bytes]:
    block = encode(note(text))
    return Cid.of(block, DAG_CBOR), block


def tree_of(top: Cid, blocks: Blocks) -> bytes:
    root, blocks = with_commit(top, blocks, tid(1 << 46))
    return car([root], blocks)


def no_tree(root: Cid, blocks: Blocks) -> bytes:
    """Leave out the root of the tree."""
    return car([root], without(blocks, commit_of(root, blocks).data))


def no_record(root: Cid, blocks: Blocks) -> bytes:
    """Leave out the newest record: an old one is known where there was an earlier pull."""
    return car([root], without(blocks, Cid.of(encode(note("newest")), DAG_CBOR)))


def torn(world: World) -> None:
    """Leave the record out once, or twice where the first answer is what is new only."""
    told = []

    def forge(root: Cid, blocks: Blocks) -> bytes:
        told.append(root)
        return no_record(root, blocks) if len(told) <= 2 else honest(root, blocks)

    world.car(forge)


def replaying_since(world: World) -> None:
    """Answer `since` with the old block in place of the new one; the whole is honest."""
    old = encode(note("two, again"))

    def forge(root: Cid, blocks: Blocks) -> bytes:
        new = Cid.of(encode(note("newest")), DAG_CBOR)
        if len(blocks) == len(world.repo.now.blocks()[1]):
            return honest(root, blocks)
        return car([root], {**without(blocks, new), Cid.of(old, DAG_CBOR): old})

    world.car(forge)


def hiding_since(world: World) -> None:
    """Answer `since` with the tree as it was before a deletion, under the new commit."""
    before = world.repo.states[-2].blocks()[1]

    def forge(root: Cid, blocks: Blocks) -> bytes:
        if len(blocks) == len(world.repo.now.blocks()[1]):
            return honest(root, blocks)
        return car([root], {root: blocks[root], **before})

    world.car(forge)


def hiding(root: Cid, blocks: Blocks) -> bytes:
    """Put a tree that still has what was deleted under the commit without it."""
    _, old = signed({path(1): note("one"), path(2): note("two")}, tid(1 << 40))
    commit = commit_of(root, blocks)
    return car([root], {root: blocks[root], **without(old, root, commit.data)})


def as_earlier(state: int) -> Callable[[World], None]:
    """Answer the whole repo as it was."""
    return lambda world: world.car(lambda *_: honest(*world.repo.states[state].blocks()))


def older_head(world: World) -> None:
    state = world.repo.states[0]
    world.lie("getLatestCommit", as_json({"cid": str(state.blocks()[0]), "rev": state.rev}))


def same_rev(world: World) -> None:
    """Sign a second commit of the rev that was pulled last."""
    rev = world.repo.states[-2].rev
    root, blocks = signed({path(1): note("other")}, rev)
    world.car(honest(root, blocks))


def same_rev_head(world: World) -> None:
    rev = world.repo.states[-2].rev
    world.lie("getLatestCommit", as_json({"cid": str(GARBAGE), "rev": rev}))


def chunked(pieces: Iterator[bytes], begin: bytes = b"") -> Answer:
    """Return an answer in chunks, as many as are taken."""
    framed = (b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    begin = b"%x\r\n%s\r\n" % (len(begin), begin) if begin else b""
    return Answer(begin, headers={"Transfer-Encoding": "chunked"}, more=framed)


def endless(seen: Seen) -> Answer:
    """Send the same block over and over: each of its bytes is as it should be."""
    return chunked(repeat(section(*large_block())), begin=car([GARBAGE], {}))


def endless_garbage(seen: Seen) -> Answer:
    """Send what is wrong from its first byte on: nobody waits for the cap."""
    return chunked(repeat(b"\0\1" * (1 << 19)))


def endless_headers(seen: Seen) -> Answer:
    lines = (b"X-%d: %s\r\n" % (n, b"x" * 1000) for n in range(1 << 30))
    return Answer(headers={"Transfer-Encoding": "chunked"}, unended=True, more=lines)


def oversized(world: World) -> None:
    world.car(lambda root, blocks: honest(root, blocks) + section(*large_block()) * 3)


def large_block() -> tuple[bytes, bytes]:
    block = bytes(1 << 20)
    return Cid.of(block, RAW).raw, block


def served(name: str, answer: Answer | Callable[[Seen], Answer], says: str, **more: Any) -> Liar:
    """Return a liar whose answer to getRepo can't be used at all."""
    expect = more.pop("expect", None) or Refused(RepoUnavailable, says)
    return Liar(name, lambda world: world.lie("getRepo", answer), expect, **more)


ROOTS = (
    Forgery("empty", b"", "the CAR is empty"),
    Forgery("no header", b"\x05hello", "the CAR's header is no DAG-CBOR"),
    Forgery("cut short", lambda *repo: honest(*repo)[:-10], "the CAR is cut short"),
    Forgery("cut in the header", lambda *repo: honest(*repo)[:20], "the CAR is cut short"),
    Forgery("garbage at the end", lambda *r: honest(*r) + b"\x01x", "no room for a CID"),
    Forgery("HTML", b"<!doctype html><title>Sign in</title>", "the CAR is cut short|header"),
    Forgery("no root", lambda _, blocks: car([], blocks), "exactly one root"),
    Forgery("two roots", lambda r, blocks: car([r, r], blocks), "exactly one root"),
    Forgery("version 2", lambda r, blocks: car([r], blocks, version=2), "isn't version 1"),
    Forgery("root of the tree", lambda r, b: car([commit_of(r, b).data], b), "the commit is not"),
    Forgery("root that isn't there", lambda _, b: car([GARBAGE], b), "of the commit is missing"),
    Forgery("size in two bytes", resized, "shortest form"),
    Forgery("size of 2^28", lambda *r: honest(*r) + b"\xff\xff\xff\x7f", "beyond the limit"),
    Forgery("size without an end", lambda *r: honest(*r) + b"\xff" * 9, "a size in the CAR"),
    Forgery("other bytes in a block", flipped, "is not what its CID says"),
    Forgery(
        "CID of SHA-512",
        lambda r, _: raw_section(r, b"\x01\x71\x13\x20" + b"x" * 32, b"y"),
        "no CIDv1",
    ),
    Forgery(
        "identity CID",
        lambda r, _: raw_section(r, b"\x01\x71\x00\x20" + b"x" * 32, b"y"),
        "no CIDv1",
    ),
    Forgery("CIDv0", lambda r, _: raw_section(r, b"\x12\x20" + b"x" * 34, b"y"), "no CIDv1"),
)

COMMITS = (
    Forgery(
        "another DID",
        lambda *_: honest(*signed({}, tid(1 << 45), did=MALLORY)),
        f"is that of {MALLORY}",
    ),
    Forgery(
        "another key",
        lambda *_: honest(*signed({}, tid(1 << 45), key=ec.derive_private_key(8, ec.SECP256K1()))),
        "the signature isn't one of did:key:",
    ),
    Forgery(
        "another curve",
        lambda *_: honest(*signed({}, tid(1 << 45), key=ec.derive_private_key(7, ec.SECP256R1()))),
        "the signature isn't one of did:key:|high-S",
    ),
    Forgery("high-S", lambda r, b: recommitted(r, b, sig=high_s(commit_of(r, b).sig)), "high-S"),
    Forgery("of another commit", of_other_commit, "the signature isn't one of"),
    Forgery("no signature", lambda *r: recommitted(*r, sig=b""), "0 bytes instead of 64"),
    Forgery("zeros for a signature", lambda *r: recommitted(*r, sig=bytes(64)), "isn't one of"),
    Forgery("DER", as_der, "70 bytes|72 bytes|68 bytes"),
    Forgery("later rev, unsigned", lambda *r: recommitted(*r, rev=tid(1 << 50)), "isn't one of"),
    Forgery("rev that is a path", lambda *r: recommitted(*r, rev="../../../x"), "rev is no TID"),
    Forgery("DID that is a path", lambda *r: recommitted(*r, did="../../x"), "did is no DID"),
    Forgery("a member more", extended, "the commit is not exactly"),
    Forgery("version 2 of a commit", of_version, "the commit isn't version 3"),
    Forgery("a record as commit", lambda r, b: resigned(r, b, encode(note("x"))), "not exactly"),
    Forgery("garbage as commit", lambda r, b: resigned(r, b, b"\xff"), "no DAG-CBOR"),
)

TREES = (
    Forgery("reordered", reordered, "out of order"),
    Forgery("cyclic", cyclic, "is not what its CID says"),
    Forgery("repeated 2^64 times", repeated, "wrong layer|out of order|below the lowest"),
    Forgery("wrong layer", at_other_layer, "lies in the wrong layer"),
    Forgery("bottomless", bottomless, "below the lowest|wrong layer"),
    Forgery("no tree", no_tree, "of the tree is missing, each of the 3 times"),
    Forgery("no record, ever", no_record, "is missing, each of the 3 times"),
    Forgery("hidden deletion", hiding, "is missing, each of the 3 times"),
)

HISTORY = (
    Liar("no record, once", torn, Harmless()),
    Liar("since with an old record", replaying_since, Harmless(), when=("again",)),
    Liar("since without a deletion", hiding_since, Harmless(), when=("again",)),
    Liar("nothing new, says the CAR", as_earlier(-2), Unmoved(), when=("again",)),
    Liar("older CAR", as_earlier(0), Refused(ProofFailed, "is older than"), when=("again",)),
    Liar("older head", older_head, Refused(ProofFailed, "is older than"), when=("again",)),
    Liar(
        "two commits of a rev",
        same_rev,
        Refused(ProofFailed, "two commits of rev"),
        when=("again",),
    ),
    Liar(
        "two heads of a rev",
        same_rev_head,
        Refused(ProofFailed, "two commits of rev"),
        when=("again",),
    ),
)

ANSWERS = (
    Liar(
        "oversized",
        oversized,
        Refused(RepoUnavailable, "larger than the|more than"),
        limits={"publisher.pds.repo.ANY_BYTES": 1 << 20},
    ),
    served("endless", endless, "larger than the", limits={"publisher.pds.repo.ANY_BYTES": 8 << 20}),
    served("endless garbage", endless_garbage, "", expect=Refused(ProofFailed, "no DAG-CBOR")),
    served("endless headers", endless_headers, "answered no HTTP"),
    served(
        "slow",
        Answer(bytes(99), drip=0.05),
        "within 0.3 seconds|took too long",
        limits={"publisher.pds.archives._SECONDS": 0.3},
    ),
    served(
        "gzip bomb",
        Answer(gzip.compress(bytes(1 << 22)), headers={"Content-Encoding": "gzip"}),
        "an encoded body",
    ),
    served("no HTTP", Answer(b"", headers={"Bad\x00Name": "x"}), "answered no HTTP"),
    served("more promised than sent", Answer(b"x", headers={"Content-Length": "99"}), "broke off"),
    served("length of 4 TB", Answer(b"x", headers={"Content-Length": str(1 << 42)}), "larger than"),
    served("always 500", refusal(500, "InternalServerError"), "InternalServerError"),
    served("always 503", refusal(503, "Busy"), "Busy"),
    served(
        "wait a year",
        Answer(b"", 429, {"Retry-After": "31536000"}),
        "",
        expect=Refused(RateLimited, "allows no more requests"),
    ),
    *(
        served(
            f"redirect to {to}", Answer(b"", status, {"Location": to}), "a redirect, which isn't"
        )
        for status, to in (
            (302, "https://evil.example/xrpc/com.atproto.sync.getRepo"),
            (301, "http://169.254.169.254/latest/meta-data/"),
            (307, "http://127.0.0.1:22/"),
            (308, "file:///etc/passwd"),
        )
    ),
)

CARS = (*map(archived, (*ROOTS, *COMMITS, *TREES)), *HISTORY, *ANSWERS)
