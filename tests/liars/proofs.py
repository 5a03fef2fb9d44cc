"""CARs that lie about one record: swapped, hidden, another's, of another time."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import repeat
from typing import Any

from publisher.archive.node import key_depth
from publisher.data import RAW, Cid, encode
from publisher.errors import ProofFailed, RateLimited, RepoRefused, RepoUnavailable
from publisher.syntax import Nsid
from publisher.transport import Limits
from tests.liars.cars import (
    COMMITS,
    GARBAGE,
    ROOTS,
    Forge,
    Forgery,
    at_other_layer,
    bottomless,
    chunked,
    cyclic,
    honest,
    large_block,
    record,
    reordered,
    repeated,
    tree_of,
)
from tests.liars.forge import Blocks, car, commit_of, node, section, signed, without
from tests.liars.liar import Expected, Liar, OneRecord, Refused
from tests.liars.world import World, refusal
from tests.local_server import Answer, Seen
from tests.repo_server import ALICE, LIKE, NOTE, note, path

WANTED = path(2)
ASKED = {"name": f"at://{ALICE}/{WANTED}"}
ABSENT = {"name": f"at://{ALICE}/{path(999)}"}
NEWEST = record("newest")[0]
MANY = {path(number): note(f"{number}") for number in range(20, 120)}
Lie = Callable[[Seen], Answer]


def proven(
    name: str, lie: Callable[[World], object], expect: Expected, *when: str, **more: Any
) -> Liar:
    """Return who lies about one record of a repo whose tree has several layers."""

    def arrange(world: World) -> None:
        world.repo.put(MANY)
        lie(world)

    options = more.pop("options", ASKED)
    when = when or ("again", "first")
    return Liar(f"record proof: {name}", arrange, expect, when, options, ASKED, **more)


def forged(one: Forgery) -> Liar:
    """Return a liar whose CAR of a record is never one that the owner signed."""
    return proven(one.name, lambda world: world.record_car(one.forge), refused(one.says))


def lied(name: str, forge: Forge, says: str, **more: Any) -> Liar:
    return proven(name, lambda world: world.record_car(forge), refused(says), **more)


def served(name: str, answer: Answer | Lie, expect: Expected, **more: Any) -> Liar:
    """Return a server whose answer is no proof at all."""
    return proven(name, lambda world: world.lie("getRecord", answer), expect, **more)


def refused(says: str) -> Refused:
    return Refused(ProofFailed, says)


def unavailable(says: str) -> Refused:
    return Refused(RepoUnavailable, says)


def swapped(root: Cid, blocks: Blocks) -> bytes:
    """Put other bytes under the CID of the record."""
    return car([root], {**blocks, NEWEST: encode(note("evil"))})


def replaced(root: Cid, blocks: Blocks) -> bytes:
    """Put another record there, under its own CID."""
    cid, block = record("evil")
    return car([root], {**without(blocks, NEWEST), cid: block})


def no_record(root: Cid, blocks: Blocks) -> bytes:
    return car([root], without(blocks, NEWEST))


def no_node(at: int) -> Forge:
    """Leave out a node on the way: the record seems not to be there."""

    def forge(root: Cid, blocks: Blocks) -> bytes:
        nodes = [cid for cid in blocks if cid not in {root, NEWEST}]
        assert len(nodes) > 1
        return car([root], without(blocks, nodes[at], NEWEST))

    return forge


def empty_node(root: Cid, blocks: Blocks) -> bytes:
    """Put a node of the same CID there that has no keys."""
    lowest = [cid for cid in blocks if cid not in {root, NEWEST}][-1]
    return car([root], {**without(blocks, NEWEST), lowest: node(None)[1]})


def emptied(root: Cid, blocks: Blocks) -> bytes:
    """Put the tree without any record under the commit, whose signature is kept."""
    top, block = node(None)
    return car([root], {root: blocks[root], top: block})


def of_another(key: str) -> Callable[[World], None]:
    """Answer what proves another record."""

    def arrange(world: World) -> None:
        def lie(seen: Seen) -> Answer:
            other = seen.path.replace(WANTED.partition("/")[2], key.partition("/")[2])
            return Answer(honest(*world.record_blocks(Seen("GET", other, {}, b""))))

        world.lie("getRecord", lie)

    return arrange


def as_earlier(at: int) -> Callable[[World], None]:
    """Answer what was true at an earlier commit, which the owner signed."""

    def arrange(world: World) -> None:
        state = world.repo.states[at]
        world.lie("getRecord", lambda seen: Answer(honest(*world.record_blocks(seen, state))))

    return arrange


def as_signed(values: dict[str, Any], **more: Any) -> Forge:
    """Sign other records, with another key or for another account maybe."""

    def forge(root: Cid, blocks: Blocks) -> bytes:
        return honest(*signed(values, commit_of(root, blocks).rev, **more))

    return forge


def same_rev(world: World) -> None:
    """Sign a second commit of the rev that was pulled last."""
    root, blocks = signed({WANTED: note("evil")}, world.repo.states[1].rev)
    world.record_car(honest(root, blocks))


def raw_record(root: Cid, blocks: Blocks) -> bytes:
    """Sign a tree that leads to raw bytes."""
    return honest(*signed({WANTED: b"raw"}, commit_of(root, blocks).rev, codec=RAW))


def beyond(stray: str) -> Forge:
    """Put a key beside the wanted one that lies beyond one of the keys above."""

    def forge(root: Cid, blocks: Blocks) -> bytes:
        value, block = record("newest")
        keys = sorted([WANTED, stray])
        below, below_block = node(None, *((key, value, None) for key in keys))
        top, top_block = node(None, (BEFORE, value, below), (BEHIND, value, None))
        return tree_of(top, {top: top_block, below: below_block, value: block})

    return forge


def at_layer(layer: int, first: int, collection: Nsid = NOTE) -> str:
    """Return a key of a layer, not before that of a number."""
    keys = (path(number, collection) for number in range(first, 9999))
    return next(key for key in keys if key_depth(key.encode()) == layer)


def unlinked(root: Cid, blocks: Blocks) -> bytes:
    """Sign a tree whose root leads to what isn't there."""
    top, block = node(GARBAGE, (BEHIND, record("x")[0], None))
    return tree_of(top, {top: block})


def with_more(root: Cid, blocks: Blocks) -> bytes:
    """Add blocks that nothing refers to, and one twice."""
    more = dict(record(f"more {number}") for number in range(50))
    return car([root], {**blocks, **more}) + section(NEWEST.raw, blocks[NEWEST])


def with_false_ones(root: Cid, blocks: Blocks) -> bytes:
    """Add a block that nothing refers to, whose CID isn't true."""
    return car([root], {**blocks, GARBAGE: b"more"})


def reversed_order(root: Cid, blocks: Blocks) -> bytes:
    return car([root], dict(reversed(blocks.items())))


def huge(_: Seen) -> Answer:
    return chunked(repeat(section(*large_block())))


BEFORE, BEHIND = at_layer(1, 0, LIKE), at_layer(1, 3)
BRIEF = {"publisher.pds.repo.Limits": partial(Limits, seconds=0.3)}
TREES = (
    Forgery("reordered", reordered, "out of order"),
    Forgery("cyclic", cyclic, "is not what its CID says"),
    Forgery("repeated 2^64 times", repeated, "wrong layer|out of order|below the lowest"),
    Forgery("wrong layer", at_other_layer, "lies in the wrong layer"),
    Forgery("before its bounds", beyond(at_layer(0, 0, Nsid("com.example.a"))), "out of order"),
    Forgery("behind its bounds", beyond(at_layer(0, 9000)), "out of order"),
    Forgery("leading nowhere", unlinked, "of the tree is missing"),
    Forgery("no such tree", emptied, "of the tree is missing"),
)

PROOFS = (
    *map(forged, (*ROOTS, *COMMITS, *TREES)),
    lied("swapped", swapped, "is not what its CID says"),
    lied("another record", replaced, f"of {WANTED} is missing"),
    lied("no record", no_record, f"of {WANTED} is missing"),
    lied("raw bytes", raw_record, f"the record {WANTED} is no DAG-CBOR"),
    lied("absent, for want of the root", no_node(0), "of the tree is missing"),
    lied("absent, for want of a node", no_node(-1), "of the tree is missing"),
    lied("absent, by an empty node", empty_node, "is not what its CID says"),
    lied("absent, in another's repo", as_signed({}, did="did:plc:" + "m" * 24), "is that of"),
    proven("another's path", of_another(path(3)), refused("is missing")),
    proven("the path of a record far off", of_another(path(119)), refused("is missing")),
    proven("the path of an absent record", of_another(path(998)), refused("is missing")),
    proven("as it was", as_earlier(0), refused("is older than"), "again"),
    proven(
        "absent, as it was at the last pull",
        as_earlier(1),
        Refused(RepoRefused, f"has no record {path(25)}"),
        "again",
        options={"name": f"at://{ALICE}/{path(25)}"},
    ),
    proven("two commits of a rev", same_rev, refused("two commits of rev"), "again"),
    lied("blocks with false CIDs", with_false_ones, "is not what its CID says"),
    proven("blocks besides", lambda w: w.record_car(with_more), OneRecord(WANTED)),
    proven("in another order", lambda w: w.record_car(reversed_order), OneRecord(WANTED)),
    proven(
        "bottomless, off the way",  # it is the owner's, and says nothing of what is asked for
        lambda world: world.record_car(bottomless),
        Refused(RepoRefused, f"has no record {WANTED}"),
    ),
    proven("honest", lambda w: w.watch("getRecord"), OneRecord(WANTED)),
    proven(
        "honest, of absence",
        lambda w: w.watch("getRecord"),
        Refused(RepoRefused, f"has no record {path(999)}"),
        options=ABSENT,
    ),
    proven(
        "absent, but for a node",
        lambda w: w.record_car(no_node(-1)),
        refused("of the tree is missing"),
        options=ABSENT,
    ),
    served("huge", huge, unavailable("larger than the 16777216 bytes")),
    served("slow", Answer(bytes(99), drip=0.05), unavailable("within|too long"), limits=BRIEF),
    served("promised more", Answer(b"x", headers={"Content-Length": "9"}), unavailable("broke")),
    served("not offered", refusal(501, "MethodNotImplemented", ""), OneRecord(WANTED, "proven")),
    served("always 500", refusal(500, "Oops"), unavailable("Oops")),
    served("not found", refusal(400, "RecordNotFound"), Refused(RepoRefused, "RecordNotFound")),
    served(
        "wait a year",
        Answer(b"", 429, {"Retry-After": "31536000"}),
        Refused(RateLimited, "allows no more requests"),
    ),
    served(
        "redirect",
        Answer(b"", 302, {"Location": "http://169.254.169.254/latest/meta-data/"}),
        unavailable("a redirect"),
    ),
)
