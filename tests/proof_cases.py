"""What a hostile server could send: a repo with one thing wrong, and why it is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from publisher.archive import (
    ArchiveError,
    InvalidSignature,
    MissingBlock,
    build_tree,
    sign,
    sign_commit,
    write_car,
)
from publisher.data import DAG_CBOR, RAW, Cid, Value, decode, encode
from tests.proof_repos import DID, KEY, P256, REV, block_of, cid_of, make
from tests.test_archive import VALUE, entry, node

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
STATE = {f"a.b.c/{name}": number for number, name in enumerate(["a", "b", "e", "k", "z"])}
MADE = make(STATE)
HEADER = next(iter(write_car(MADE.root, [])))


def section(content: bytes, *, size: int | None = None) -> bytes:
    number = len(content) if size is None else size
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes(out) + bytes((number,)) + content


def with_commit(block: bytes, codec: int = DAG_CBOR) -> bytes:
    """Return the repo's CAR under another commit."""
    root = Cid.of(block, codec)
    rest = [(cid, content) for cid, content in MADE.blocks.items() if cid != MADE.root]
    return b"".join(write_car(root, [(root, block), *rest]))


def signed(**changes: Value) -> bytes:
    """Return the repo under a changed commit, which its own key signed."""
    value = decode(MADE.blocks[MADE.root])
    assert isinstance(value, dict)
    unsigned = {**value, **changes}
    del unsigned["sig"]
    return with_commit(encode({**unsigned, "sig": sign(encode(unsigned), KEY)}))


def signed_otherwise(change: Callable[[bytes], bytes]) -> bytes:
    return with_commit(replace(MADE.commit, sig=change(MADE.commit.sig)).encode())


def high_s(sig: bytes) -> bytes:
    return sig[:32] + (ORDER - int.from_bytes(sig[32:])).to_bytes(32)


def der(_sig: bytes) -> bytes:
    return KEY.sign(MADE.commit.signed_bytes(), ec.ECDSA(SHA256()))


def tree(*nodes: Value | bytes, root: Cid | None = None) -> bytes:
    """Return the CAR of a tree that is signed rightly, the first node its root."""
    blocks = [item if isinstance(item, bytes) else encode(item) for item in nodes]
    top = root or cid_of(blocks[0])
    commit = sign_commit(DID, rev=REV, data=top, key=KEY).encode()
    known = {cid_of(block): block for block in [*blocks, RECORD, commit]}
    return b"".join(write_car(cid_of(commit), known.items()))


RECORD = block_of(1)
LINK = cid_of(RECORD)
make_entry = partial(entry, value=LINK)
LOW = node(make_entry("a.b.c/a"))
MIDDLE = node(make_entry("a.b.c/k"), left=cid_of(encode(LOW)))
NODE = encode(node(make_entry("a.b.c/a")))
HIGH = node(make_entry("a.b.c/z"))
HIGHEST = "app.bsky.feed.post/9adeb165882c"
NONE = encode(node())
TWO = "out of order or repeated"


def lying(block: bytes, raw: bytes) -> bytes:
    """Return a section whose CID isn't that of its block."""
    return section(raw + block)


def cycle() -> bytes:
    """Two nodes that link to each other, by CIDs that nobody can make true."""
    one, other = Cid.of(b"one", DAG_CBOR), Cid.of(b"other", DAG_CBOR)
    blocks = {one: encode(node(make_entry("a.b.c/k"), left=other)), other: encode(node(left=one))}
    commit = sign_commit(DID, rev=REV, data=one, key=KEY).encode()
    return b"".join(write_car(cid_of(commit), [(cid_of(commit), commit), *blocks.items()]))


def layers_without_keys(count: int) -> bytes:
    """A key of layer 1 above so many empty nodes."""
    nodes: list[Value] = [LOW]
    for _ in range(count):
        nodes.append(node(left=cid_of(encode(nodes[-1]))))
    return tree(node(make_entry("a.b.c/k"), left=cid_of(encode(nodes[-1]))), *nodes)


def raw_node() -> bytes:
    """A tree whose root is linked to as raw bytes, and is there under that CID."""
    root = Cid.of(NODE, RAW)
    commit = sign_commit(DID, rev=REV, data=root, key=KEY).encode()
    blocks = [(cid_of(commit), commit), (root, NODE), (LINK, RECORD)]
    return b"".join(write_car(cid_of(commit), blocks))


@dataclass(frozen=True)
class Hostile:
    """A CAR, and why it is refused."""

    reason: str
    car: Callable[[], bytes]
    error: type[ArchiveError] = ArchiveError


MISSING = partial(Hostile, error=MissingBlock)
UNSIGNED = partial(Hostile, error=InvalidSignature)
LAST = max(MADE.blocks)
CASES: Mapping[str, Hostile] = {
    # the CAR
    "empty": Hostile("is empty", lambda: b""),
    "its header alone": MISSING("of the commit is missing", lambda: HEADER),
    "cut in its last block": Hostile("cut short", lambda: MADE.car()[:-1]),
    "without its commit": MISSING(
        "of the commit is missing", lambda: MADE.car(without=[MADE.root])
    ),
    "without the tree": MISSING(
        "of the tree is missing", lambda: MADE.car(without=[MADE.commit.data])
    ),
    "without a record": MISSING(
        "a.b.c/e is missing", lambda: MADE.car(without=[cid_of(block_of(2))])
    ),
    "no root": Hostile("exactly one root", lambda: section(encode({"roots": [], "version": 1}))),
    "a second root": Hostile(
        "exactly one root",
        lambda: section(encode({"roots": [MADE.root, LAST], "version": 1})),
    ),
    "version 2": Hostile(
        "isn't version 1", lambda: section(encode({"roots": [MADE.root], "version": 2}))
    ),
    "more in its header": Hostile(
        "exactly roots and version",
        lambda: section(encode({"roots": [MADE.root], "version": 1, "x": 1})),
    ),
    "a byte behind its end": Hostile("cut short", lambda: MADE.car() + b"\x80"),
    "a zero behind its end": Hostile("no room for a CID", lambda: MADE.car() + b"\x00"),
    "a section beyond the limit": Hostile(
        "beyond the limit", lambda: MADE.car() + section(b"", size=36 + 2 * 1024 * 1024 + 1)
    ),
    "a section without end": Hostile("too large", lambda: MADE.car() + b"\xff" * 10),
    "a size with a zero more": Hostile("shortest form", lambda: MADE.car() + b"\xa4\x00" + RECORD),
    "another block than its CID says": Hostile(
        "not what its CID says", lambda: MADE.car() + lying(b"x", LINK.raw)
    ),
    "a CID of another codec": Hostile(
        "is no CIDv1", lambda: MADE.car() + lying(RECORD, b"\x01\x70" + LINK.raw[2:])
    ),
    "a CID of another hash": Hostile(
        "is no CIDv1", lambda: MADE.car() + lying(RECORD, b"\x01\x71\x13" + LINK.raw[3:])
    ),
    "a CID of a shorter hash": Hostile(
        "is no CIDv1", lambda: MADE.car() + lying(RECORD, b"\x01\x71\x12\x14" + LINK.raw[4:])
    ),
    "a CID version 0": Hostile(
        "is no CIDv1", lambda: MADE.car() + lying(RECORD, b"\x12\x20" + LINK.raw[4:])
    ),
    # the commit
    "another DID": Hostile("not of did:key", lambda: signed(did="did:plc:abc")),
    "no DID": Hostile("no DID", lambda: signed(did="alice")),
    "commit version 2": Hostile("isn't version 3", lambda: signed(version=2)),
    "a rev that is no TID": Hostile("no TID", lambda: signed(rev="1")),
    "a prev that is text": Hostile("wrong kind", lambda: signed(prev="x")),
    "a data that is text": Hostile("wrong kind", lambda: signed(data=str(MADE.commit.data))),
    "a field more": Hostile("not exactly", lambda: signed(more=1)),
    "a commit that is a list": Hostile("not exactly", lambda: with_commit(encode([]))),
    "a commit whose map isn't ordered": Hostile(
        "the commit is no DAG-CBOR", lambda: with_commit(unordered(MADE.commit.encode()))
    ),
    "a commit of raw bytes": Hostile(
        "no DAG-CBOR by its CID", lambda: with_commit(MADE.commit.encode(), RAW)
    ),
    "a tree that is a record": Hostile("exactly e and l", lambda: signed(data=LINK)),
    "a tree that is the commit itself": Hostile(
        "exactly e and l", lambda: tree(MADE.commit.encode())
    ),
    # the signature
    "high-S": UNSIGNED("high-S", lambda: signed_otherwise(high_s)),
    "63 bytes": UNSIGNED("has 63 bytes", lambda: signed_otherwise(lambda sig: sig[:-1])),
    "65 bytes": UNSIGNED("has 65 bytes", lambda: signed_otherwise(lambda sig: sig + b"\0")),
    "no bytes": UNSIGNED("has 0 bytes", lambda: signed_otherwise(lambda _: b"")),
    "DER": UNSIGNED("bytes instead of 64", lambda: signed_otherwise(der)),
    "zeros": UNSIGNED("isn't one of", lambda: signed_otherwise(lambda _: bytes(64))),
    "its halves swapped": UNSIGNED(
        "isn't one of|high-S", lambda: signed_otherwise(lambda sig: sig[32:] + sig[:32])
    ),
    "another key": UNSIGNED(
        "isn't one of",
        lambda: with_commit(sign_commit(DID, rev=REV, data=MADE.commit.data, key=P256).encode()),
    ),
    "another tree, not signed": UNSIGNED(
        "isn't one of",
        lambda: with_commit(replace(MADE.commit, data=build_tree([]).root).encode()),
    ),
    # the tree
    "entries in another order": Hostile(
        TWO, lambda: tree(node(make_entry("a.b.c/b"), make_entry("a", 6)))
    ),
    "two equal keys": Hostile(TWO, lambda: tree(node(make_entry("a.b.c/a"), make_entry("", 7)))),
    "the same subtree twice": Hostile(
        TWO,
        lambda: tree(
            node(make_entry("a.b.c/k", right=cid_of(encode(LOW))), left=cid_of(encode(LOW))), LOW
        ),
    ),
    "a subtree on the wrong side": Hostile(
        TWO, lambda: tree(node(make_entry("a.b.c/k", right=cid_of(encode(LOW)))), LOW)
    ),
    "a key in the wrong layer": Hostile(
        "wrong layer", lambda: tree(node(make_entry("a.b.c/a"), make_entry("k", 6)))
    ),
    "a layer left out": Hostile(
        "wrong layer", lambda: tree(node(make_entry(HIGHEST), left=cid_of(NODE)), NODE)
    ),
    "a prefix too short": Hostile(
        "share the prefix", lambda: tree(node(make_entry("a.b.c/a"), make_entry("/b", 5)))
    ),
    "a prefix too long": Hostile(
        "share the prefix", lambda: tree(node(make_entry("a.b.c/a"), make_entry("b", 9)))
    ),
    "an empty node more": Hostile(
        "below the root is empty",
        lambda: tree(node(make_entry("a.b.c/k", right=cid_of(encode(node())))), node()),
    ),
    "an empty node above": Hostile(
        "root has no entries", lambda: tree(node(left=cid_of(encode(LOW))), LOW)
    ),
    "many empty nodes": Hostile("below the lowest layer", lambda: layers_without_keys(200)),
    "nodes in a circle": Hostile("not what its CID says", cycle),
    "a key with a space": Hostile("record key", lambda: tree(node(make_entry("a.b.c/a b")))),
    "a key of two slashes": Hostile("record key", lambda: tree(node(make_entry("a.b.c/a/b")))),
    "a key that goes up": Hostile("record key", lambda: tree(node(make_entry("a.b.c/..")))),
    "a key with no rkey": Hostile("record key", lambda: tree(node(make_entry("a.b.c/")))),
    "a key of 1,025 bytes": Hostile(
        "record key", lambda: tree(node(make_entry("a.b.c/" + "a" * 1019)))
    ),
    "a key of no collection": Hostile("a collection", lambda: tree(node(make_entry("abc/a")))),
    "a key of an empty collection": Hostile("a collection", lambda: tree(node(make_entry("/a")))),
    "a key of no slash": Hostile("record key", lambda: tree(node(make_entry("a.b.c")))),
    "a key of no text": Hostile("a collection", lambda: tree(NODE.replace(b"a.b.c", b"a\xff\0.c"))),
    "a node with a field more": Hostile(
        "exactly e and l", lambda: tree({"e": [], "l": None, "x": 1})
    ),
    "a node whose map isn't ordered": Hostile("no DAG-CBOR", lambda: tree(unordered(NODE))),
    "a node of no certain length": Hostile(
        "no DAG-CBOR", lambda: tree(b"\xbf" + NODE[1:] + b"\xff")
    ),
    "a node with a padded number": Hostile(
        "no DAG-CBOR", lambda: tree(NODE.replace(b"ap\x00", b"ap\x18\x00"))
    ),
    "a node with a byte more": Hostile("no DAG-CBOR", lambda: tree(NODE + b"\0")),
    "a node of raw bytes": Hostile("no DAG-CBOR by its CID", raw_node),
    # the records
    "a record of raw bytes": Hostile(
        "is no DAG-CBOR", lambda: tree(node(entry("a.b.c/a", value=Cid.of(RECORD, RAW))))
    ),
    "a record that is no link": Hostile(
        "wrong link", lambda: tree(node(entry("a.b.c/a", value=None)))
    ),
    "a record that isn't there": MISSING(
        "a.b.c/a is missing", lambda: tree(node(entry("a.b.c/a", value=VALUE)))
    ),
}
# A record's proof reads only the nodes on the way to it, and no block that lies beside.
NOT_ON_THE_WAY = {
    "without a record",
    "the same subtree twice",
    "a subtree on the wrong side",
    "an empty node more",
    "many empty nodes",
    "a layer left out",
    "a record of raw bytes",
    "a record that isn't there",
}


def unordered(block: bytes) -> bytes:
    """Return a map's block with its fields the other way round."""
    value = decode(block)
    assert isinstance(value, dict)
    fields = [encode({name: value[name]})[1:] for name in sorted(value, reverse=True)]
    return bytes((0xA0 | len(value),)) + b"".join(fields)
