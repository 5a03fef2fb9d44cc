"""The repo as bytes: CAR, tree, commit and signature, and the proof of all of them."""

from __future__ import annotations

import base64
import gzip
import io
from bisect import bisect
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from publisher.archive import (
    ArchiveError,
    CarFile,
    InvalidSignature,
    MissingBlock,
    SignedCommit,
    build_tree,
    did_key,
    edit_tree,
    iter_items,
    iter_nodes,
    key_depth,
    parse_commit,
    parse_did_key,
    read_car,
    sign,
    sign_commit,
    verify_car,
    verify_signature,
    walk_tree,
    write_car,
)
from publisher.data import DAG_CBOR, RAW, Cid, Value, encode
from publisher.syntax import Did, tid

VALUE = Cid.parse("bafyreie5cvv4h45feadgeuwhbcutmh6t2ceseocckahdoe6uat64zmz454")
KEY = ec.derive_private_key(7, ec.SECP256K1())
DID = did_key(KEY.public_key())
OTHER = did_key(ec.derive_private_key(8, ec.SECP256K1()).public_key())
REV = tid(1_750_000_000_000_000 << 10)

# collections of which one is the beginning of another sort differently with their slash
COLLECTIONS = ("a.b.c", "a.b.cd", "a.b.c.d", "a.b-b.c", "com.example.record")
keys = st.builds(
    "{}/{}".format,
    st.sampled_from(COLLECTIONS),
    st.from_regex(r"[A-Za-z0-9._:~-]{1,12}", fullmatch=True).filter(
        lambda rkey: rkey not in {".", ".."}
    ),
)
values = st.binary(max_size=4).map(lambda content: Cid.of(content, DAG_CBOR))
trees = st.dictionaries(keys, values, max_size=60)


# --- the tree


@pytest.mark.parametrize(
    ("key", "depth"),
    [
        ("", 0),
        ("2653ae71", 0),
        ("asdf", 0),
        ("blue", 1),
        ("88bfafc7", 2),
        ("2a92d355", 4),
        ("884976f5", 6),
        ("app.bsky.feed.post/454397e440ec", 4),
        ("app.bsky.feed.post/9adeb165882c", 8),
    ],
)
def test_the_depth_of_a_key_is_that_of_the_specification(key: str, depth: int) -> None:
    assert key_depth(key.encode()) == depth


@pytest.mark.parametrize(
    ("rkeys", "root"),
    [
        ((), "bafyreie5737gdxlw5i64vzichcalba3z2v5n6icifvx5xytvske7mr3hpm"),
        (("3jqfcqzm3fo2j",), "bafyreibj4lsc3aqnrvphp5xmrnfoorvru4wynt6lwidqbm2623a6tatzdu"),
        (("3jqfcqzm3fx2j",), "bafyreih7wfei65pxzhauoibu3ls7jgmkju4bspy4t2ha2qdjnzqvoy33ai"),
        (
            ("3jqfcqzm3fp2j", "3jqfcqzm3fr2j", "3jqfcqzm3fs2j", "3jqfcqzm3ft2j", "3jqfcqzm4fc2j"),
            "bafyreicmahysq4n6wfuxo522m6dpiy7z7qzym3dzs756t5n7nfdgccwq7m",
        ),
    ],
)
def test_known_trees_have_the_roots_that_the_reference_computes(
    rkeys: tuple[str, ...], root: str
) -> None:
    tree = build_tree((f"com.example.record/{rkey}", VALUE) for rkey in rkeys)

    assert str(tree.root) == root


def test_the_first_commit_of_the_interoperability_fixtures_has_their_roots() -> None:
    """Of commit-proof-fixtures.json: 'two deep split', whose new key lies two layers up."""
    before = ["A0/374913", "B1/986427", "C0/451630", "E0/670489", "F1/085263", "G0/765327"]

    old = build_tree((key, VALUE) for key in before)
    edited = edit_tree(old.nodes.__getitem__, old.root, {"D2/269196": VALUE})

    assert str(old.root) == "bafyreicraprx2xwnico4tuqir3ozsxpz46qkcpox3obf5bagicqwurghpy"
    assert str(edited.root) == "bafyreihvay6pazw3dfa47u5d2tn3rd6pa57sr37bo5bqyvjuqc73ib65my"
    assert build_tree((key, VALUE) for key in sorted([*before, "D2/269196"])).root == edited.root


@given(trees)
def test_walking_a_tree_gives_what_it_was_built_from(items: dict[str, Cid]) -> None:
    tree = build_tree(sorted(items.items()))

    assert walk_tree(tree.nodes, tree.root) == items
    assert list(walk_tree(tree.nodes, tree.root)) == sorted(items)


@given(trees)
def test_a_tree_is_gone_through_node_by_node_and_item_by_item(items: dict[str, Cid]) -> None:
    tree = build_tree(sorted(items.items()))
    load = tree.nodes.__getitem__

    assert list(iter_nodes(load, tree.root)) == list(tree.nodes.items())
    assert list(iter_items(load, tree.root)) == sorted(items.items())


@given(trees.flatmap(lambda items: st.permutations(list(items.items()))))
def test_a_tree_is_the_one_that_inserting_in_any_order_makes(items: list[tuple[str, Cid]]) -> None:
    node = Inserted(0, [], [None])
    for key, value in items:
        node = node.insert(key.encode(), value)

    assert build_tree(sorted(items)).root == node.cid()


@given(trees)
def test_a_node_comes_before_what_it_links_to(items: dict[str, Cid]) -> None:
    tree = build_tree(sorted(items.items()))

    assert next(iter(tree.nodes)) == tree.root
    seen: list[Cid] = []
    for block in reversed(list(tree.nodes.values())):
        seen.append(Cid.of(block, DAG_CBOR))
        assert all(link in seen for link in tree.nodes if link.raw in block)


@given(trees.filter(bool), st.data())
def test_a_tree_without_one_of_its_nodes_is_missing_a_block(
    items: dict[str, Cid], data: st.DataObject
) -> None:
    tree = build_tree(sorted(items.items()))
    gone = data.draw(st.sampled_from(sorted(tree.nodes)))

    with pytest.raises(MissingBlock) as caught:
        walk_tree({cid: block for cid, block in tree.nodes.items() if cid != gone}, tree.root)
    assert caught.value.cid == gone


@pytest.mark.parametrize("pair", [("a.b.c/2", "a.b.c/1"), ("a.b.c/1", "a.b.c/1")])
def test_building_from_keys_that_are_not_sorted_is_refused(pair: tuple[str, str]) -> None:
    with pytest.raises(ArchiveError, match="out of order or repeated"):
        build_tree((key, VALUE) for key in pair)


def entry(key: str, shared: int = 0, right: Cid | None = None, value: Value = VALUE) -> Value:
    return {"k": key.encode(), "p": shared, "v": value, "t": right}


def node(*entries: Value, left: Cid | None = None) -> Value:
    return {"l": left, "e": list(entries)}


def cid_of(value: Value) -> Cid:
    return Cid.of(encode(value), DAG_CBOR)


# a.b.c/a, /b, /e and /z lie in layer 0, a.b.c/k in layer 1
EMPTY = node()
LOW = node(entry("a.b.c/a"))
WRONG_TREES: list[tuple[str, tuple[Value, ...]]] = [
    ("out of order", (node(entry("a.b.c/b"), entry("a", 6)),)),
    ("out of order", (node(entry("a.b.c/k", right=cid_of(LOW))), LOW)),
    ("repeated", (node(entry("a.b.c/b"), entry("", 7)),)),
    ("wrong layer", (node(entry("a.b.c/a"), entry("k", 6)),)),
    ("share the prefix", (node(entry("a.b.c/a"), entry("/b", 5)),)),
    ("share the prefix", (node(entry("a.b.c/a"), entry("b", 9)),)),
    ("share the prefix", (node(entry("a.b.c/a"), entry("a.b.c/b", -1)),)),
    ("share the prefix", (node(entry("")),)),
    ("root has no entries", (node(left=cid_of(LOW)), LOW)),
    ("below the root is empty", (node(entry("a.b.c/k", right=cid_of(EMPTY))), EMPTY)),
    ("below the lowest layer", (node(entry("a.b.c/b"), left=cid_of(LOW)), LOW)),
    ("begin with a collection", (node(entry("abc/1")),)),
    ("end in a record key", (node(entry("a.b.c/a/b")),)),
    ("end in a record key", (node(entry("a.b.c")),)),
    ("end in a record key", (node(entry("a.b.c/..")),)),
    ("end in a record key", (node(entry("a.b.c/ä")),)),
    ("exactly e and l", ({"e": [], "l": None, "x": 1},)),
    ("exactly e and l", ([],)),
    ("wrong e or l", ({"e": [], "l": 0},)),
    ("wrong e or l", ({"e": None, "l": None},)),
    ("exactly k, p, t and v", (node({"k": b"a.b.c/a", "p": 0, "v": VALUE}),)),
    ("wrong key", (node({"k": "a.b.c/a", "p": 0, "t": None, "v": VALUE}),)),
    ("wrong key", (node({"k": b"a.b.c/a", "p": False, "t": None, "v": VALUE}),)),
    ("wrong link", (node(entry("a.b.c/a", value=None)),)),
]


@pytest.mark.parametrize(("reason", "nodes"), WRONG_TREES)
def test_a_tree_that_its_keys_would_not_make_is_refused(
    reason: str, nodes: tuple[Value, ...]
) -> None:
    blocks = {cid_of(value): encode(value) for value in nodes}

    with pytest.raises(ArchiveError, match=reason):
        walk_tree(blocks, cid_of(nodes[0]))


def test_a_node_that_is_no_dag_cbor_is_refused() -> None:
    cid = Cid.of(b"\xff", DAG_CBOR)

    with pytest.raises(ArchiveError, match="no DAG-CBOR"):
        walk_tree({cid: b"\xff"}, cid)


# --- the CAR


def small_car(*, key: ec.EllipticCurvePrivateKey = KEY, count: int = 3) -> bytes:
    return b"".join(car_pieces(key, count))


def car_pieces(key: ec.EllipticCurvePrivateKey, count: int) -> Iterator[bytes]:
    blocks = [encode({"$type": "a.b.c", "n": number}) for number in range(count)]
    records = {Cid.of(block, DAG_CBOR): block for block in blocks}
    tree = build_tree((f"a.b.c/{number}", cid) for number, cid in enumerate(records))
    commit = sign_commit(did_key(key.public_key()), rev=REV, data=tree.root, key=key).encode()
    root = Cid.of(commit, DAG_CBOR)
    return write_car(root, [(root, commit), *tree.nodes.items(), *records.items()])


def test_a_car_is_verified_and_gives_the_commit_and_the_records() -> None:
    block = encode({"$type": "a.b.c", "n": 0})

    verified = verify_car(small_car(), did=DID, key=DID)

    assert verified.rev == verified.commit.rev == REV
    assert verified.cid == cid_of(value_of(verified.commit))
    assert list(verified.records) == ["a.b.c/0", "a.b.c/1", "a.b.c/2"]
    assert verified.records["a.b.c/0"] == (Cid.of(block, DAG_CBOR), block)


def value_of(commit: SignedCommit) -> Value:
    return {
        "did": commit.did,
        "version": 3,
        "data": commit.data,
        "rev": commit.rev,
        "prev": None,
        "sig": commit.sig,
    }


def test_a_car_is_read_from_a_file_that_gives_a_byte_at_a_time() -> None:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(size or 0, 1))

    assert verify_car(Slow(small_car()), did=DID, key=DID).rev == REV


def test_a_car_cut_at_any_byte_is_refused() -> None:
    content = small_car()

    for end in range(len(content)):
        with pytest.raises(ArchiveError):
            verify_car(content[:end], did=DID, key=DID)


def test_a_car_with_any_bit_flipped_is_refused() -> None:
    content = small_car()

    for place in range(len(content) * 8):
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        with pytest.raises(ArchiveError):
            verify_car(bytes(flipped), did=DID, key=DID)


def section(content: bytes) -> bytes:
    return bytes((len(content),)) + content


def header(**fields: Value) -> bytes:
    return section(encode({"roots": [VALUE], "version": 1, **fields}))


WRONG_CARS = [
    ("empty", b""),
    ("no DAG-CBOR", section(b"\xff")),
    ("exactly roots and version", header(more=1)),
    ("isn't version 1", header(version=2)),
    ("isn't version 1", header(version=True)),
    ("exactly one root", header(roots=[])),
    ("exactly one root", header(roots=[VALUE, VALUE])),
    ("exactly one root", header(roots=["x"])),
    ("shortest form", header() + b"\xa5\x00" + Cid.of(b"x", RAW).raw + b"x"),
    ("too large", header() + b"\xff\xff\xff\xff\x0f"),
    ("beyond the limit", header() + b"\xff\xff\xff\x7f"),
    ("beyond the limit of 1024", b"\x81\x08"),
    ("no room for a CID", header() + section(VALUE.raw[:35])),
    ("no room for a CID", header() + b"\x00"),
    ("no CIDv1", header() + section(b"\x12\x20" + VALUE.raw[2:] + b"x")),
    ("not what its CID says", header() + section(VALUE.raw + b"x")),
    ("cut short", header() + b"\xa5"),
    ("cut short", header() + b"\x30" + VALUE.raw),
]


@pytest.mark.parametrize(("reason", "content"), WRONG_CARS)
def test_a_malformed_car_is_refused(reason: str, content: bytes) -> None:
    with pytest.raises(ArchiveError, match=reason):
        read_car(content)


def test_a_car_without_the_block_of_its_root_is_missing_it() -> None:
    with pytest.raises(MissingBlock) as caught:
        verify_car(header(), did=DID, key=None)
    assert caught.value.cid == VALUE


def test_a_car_without_a_record_is_missing_it() -> None:
    content = small_car()
    last = len(b"".join(list(car_pieces(KEY, 3))[-1:]))

    with pytest.raises(MissingBlock, match=r"a\.b\.c/2"):
        verify_car(content[:-last], did=DID, key=DID)


# --- the commit and its signature


def test_a_repo_of_another_account_is_refused() -> None:
    with pytest.raises(ArchiveError, match="not of did:plc:other"):
        verify_car(small_car(), did="did:plc:other", key=None)


def test_a_repo_that_another_key_signed_is_refused() -> None:
    with pytest.raises(InvalidSignature):
        verify_car(small_car(), did=DID, key=OTHER)


def test_without_a_key_the_signature_is_not_checked() -> None:
    content = small_car()
    commit = verify_car(content, did=DID, key=DID).commit
    forged = replace(commit, sig=bytes(64)).encode()
    blocks = read_car(content).blocks
    car = b"".join(write_car(Cid.of(forged, DAG_CBOR), [*blocks.items(), cid_and_block(forged)]))

    assert verify_car(car, did=DID, key=None).rev == REV
    with pytest.raises(InvalidSignature):
        verify_car(car, did=DID, key=DID)


def cid_and_block(block: bytes) -> tuple[Cid, bytes]:
    return Cid.of(block, DAG_CBOR), block


COMMIT: dict[str, Value] = {
    "did": "did:plc:abc",
    "version": 3,
    "data": VALUE,
    "rev": REV,
    "prev": None,
    "sig": bytes(64),
}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"version": 2}, "isn't version 3"),
        ({"did": "alice"}, "no DID"),
        ({"rev": "1"}, "no TID"),
        ({"data": None}, "wrong kind"),
        ({"prev": ""}, "wrong kind"),
        ({"sig": ""}, "wrong kind"),
        ({"more": 1}, "not exactly"),
    ],
)
def test_a_malformed_commit_is_refused(change: dict[str, Value], reason: str) -> None:
    with pytest.raises(ArchiveError, match=reason):
        parse_commit(encode({**COMMIT, **change}))


@pytest.mark.parametrize("missing", COMMIT)
def test_a_commit_without_one_of_its_fields_is_refused(missing: str) -> None:
    with pytest.raises(ArchiveError, match="not exactly"):
        parse_commit(encode({name: value for name, value in COMMIT.items() if name != missing}))


# the interoperability vectors of the reference implementation
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
MESSAGE = "oWVoZWxsb2V3b3JsZA"
P256 = "did:key:zDnaembgSGUhZULN2Caob4HLJPaxBh92N7rtH21TErzqf8HQo"
K256 = "did:key:zQ3shqwJEJyMBsBXCWyCBpUBMqxcon9oHB7mCvx4sSpMdLJwc"
LOW_S = {
    P256: "2vZNsG3UKvvO/CDlrdvyZRISOFylinBh0Jupc6KcWoJWExHptCfduPleDbG3rko3YZnn9Lw0IjpixVmexJDegg",
    K256: "5WpdIuEUUfVUYaozsi8G0B3cWO09cgZbIIwg1t2YKdUn/FEznOndsz/qgiYb89zwxYCbB71f7yQK5Lr7NasfoA",
}
HIGH_S = {
    P256: "2vZNsG3UKvvO/CDlrdvyZRISOFylinBh0Jupc6KcWoKp7O4VS9giSAah8k5IUbXIW00SuOrjfEqQ9HEkN9JGzw",
    K256: "5WpdIuEUUfVUYaozsi8G0B3cWO09cgZbIIwg1t2YKdXYA67MYxYiTMAVfdnkDCMN9S5B3vHosRe07aORmoshoQ",
}


def unbase64(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4))


@pytest.mark.parametrize("key", [P256, K256])
def test_signatures_of_the_reference_verify(key: str) -> None:
    verify_signature(key, unbase64(MESSAGE), unbase64(LOW_S[key]))


@pytest.mark.parametrize("key", [P256, K256])
def test_high_s_signatures_are_refused(key: str) -> None:
    with pytest.raises(InvalidSignature, match="high-S"):
        verify_signature(key, unbase64(MESSAGE), unbase64(HIGH_S[key]))


@pytest.mark.parametrize("key", [P256, K256])
@pytest.mark.parametrize("size", [0, 63, 65])
def test_signatures_of_another_length_than_64_are_refused(key: str, size: int) -> None:
    sig = (unbase64(LOW_S[key]) + b"\x00")[:size]

    with pytest.raises(InvalidSignature, match=f"{size} bytes"):
        verify_signature(key, unbase64(MESSAGE), sig)


@pytest.mark.parametrize("sig", [bytes(64), bytes(32) + bytes(31) + b"\x01", b"\xff" * 64])
def test_signatures_beyond_the_curve_are_refused(sig: bytes) -> None:
    with pytest.raises(InvalidSignature):
        verify_signature(K256, b"", sig)


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP256K1()])
def test_our_signatures_are_64_bytes_low_s_and_verify(curve: ec.EllipticCurve) -> None:
    key = ec.derive_private_key(1234567, curve)

    for number in range(20):  # half of the raw signatures would be high-S
        sig = sign(b"%d" % number, key)
        verify_signature(did_key(key.public_key()), b"%d" % number, sig)


@pytest.mark.parametrize("key", [P256, K256])
def test_a_did_key_survives_parsing_and_writing(key: str) -> None:
    assert did_key(parse_did_key(key)) == key


def test_the_did_key_of_a_known_key_is_that_of_the_did_key_specification() -> None:
    number = 0x9085D2BEF69286A6CBB51623C8FA258629945CD55CA705CC4E66700396894E0C
    key = ec.derive_private_key(number, ec.SECP256K1())

    expected = "did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme"
    assert did_key(key.public_key()) == Did(expected)


@pytest.mark.parametrize(
    "text",
    [
        "did:plc:abc",
        "did:key:" + P256[9:],
        P256[:-1],
        P256 + "1",
        P256.replace("zDn", "zD1n"),
        P256[:-1] + "0",
        "did:key:z1" + P256[9:],
        "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK",  # Ed25519
        "did:key:z" + "2" * 5000,
    ],
)
def test_what_is_no_did_key_of_p256_or_k256_is_refused(text: str) -> None:
    with pytest.raises(ArchiveError):
        parse_did_key(text)


def point_off_the_curve() -> str:
    """A did:key in the right form whose x has no y on K-256."""
    number = 0
    for digit in K256[9:]:
        number = number * 58 + BASE58.index(digit)
    number = (number >> 256 << 256) + 5  # 5 cubed plus 7 has no square root there
    text = ""
    while number:
        number, rest = divmod(number, 58)
        text = BASE58[rest] + text
    return f"did:key:z{text}"


def test_a_did_key_off_its_curve_is_refused() -> None:
    with pytest.raises(ArchiveError, match="no point on its curve"):
        parse_did_key(point_off_the_curve())


def test_a_commit_that_is_no_dag_cbor_is_refused() -> None:
    with pytest.raises(ArchiveError, match="no DAG-CBOR"):
        parse_commit(b"\xff")


def test_a_record_that_is_no_dag_cbor_by_its_cid_is_refused() -> None:
    record = Cid.of(b"raw bytes", RAW)
    tree = build_tree([("a.b.c/1", record)])
    commit = sign_commit(DID, rev=REV, data=tree.root, key=KEY).encode()
    root = Cid.of(commit, DAG_CBOR)
    blocks = [(root, commit), *tree.nodes.items(), (record, b"raw bytes")]

    with pytest.raises(ArchiveError, match=r"a\.b\.c/1 is no DAG-CBOR"):
        verify_car(b"".join(write_car(root, blocks)), did=DID, key=DID)


# --- a second implementation of the tree, by insertion


@dataclass(frozen=True)
class Inserted:
    """A node of a tree that is made by inserting; `children` has one more item than `items`."""

    layer: int
    items: list[tuple[bytes, Cid]]
    children: list[Inserted | None]

    def insert(self, key: bytes, value: Cid) -> Inserted:
        depth = key_depth(key)
        if depth > self.layer:
            left, right = (
                half.lifted(depth - 1) if half else None for half in split_node(self, key)
            )
            return Inserted(depth, [(key, value)], [left, right])
        place = bisect([known for known, _ in self.items], key)
        child = self.children[place]
        if depth < self.layer:
            below = (child or Inserted(self.layer - 1, [], [None])).insert(key, value)
            return replace(self, children=changed(self.children, place, below))
        return Inserted(
            self.layer,
            [*self.items[:place], (key, value), *self.items[place:]],
            changed(self.children, place, *split_node(child, key)),
        )

    def lifted(self, layer: int) -> Inserted:
        return self if self.layer == layer else Inserted(self.layer + 1, [], [self]).lifted(layer)

    def cid(self) -> Cid:
        links: list[Cid | None] = [child.cid() if child else None for child in self.children]
        entries: list[Value] = []
        previous = ""
        for (raw, value), right in zip(self.items, links[1:], strict=True):
            key = raw.decode()
            shared = shared_length(previous, key)
            entries.append(entry(key[shared:], shared, right, value))
            previous = key
        return cid_of(node(*entries, left=links[0]))


def shared_length(one: str, other: str) -> int:
    return next(size for size in range(len(one), -1, -1) if other.startswith(one[:size]))


def changed(
    children: list[Inserted | None], place: int, *new: Inserted | None
) -> list[Inserted | None]:
    return [*children[:place], *new, *children[place + 1 :]]


def split_node(whole: Inserted | None, key: bytes) -> tuple[Inserted | None, Inserted | None]:
    if whole is None:
        return None, None
    place = bisect([known for known, _ in whole.items], key)
    left, right = split_node(whole.children[place], key)
    return (
        useful(Inserted(whole.layer, whole.items[:place], [*whole.children[:place], left])),
        useful(Inserted(whole.layer, whole.items[place:], [right, *whole.children[place + 1 :]])),
    )


def useful(half: Inserted) -> Inserted | None:
    return half if half.items or any(half.children) else None


@pytest.mark.parametrize("kind", ["file", "unbuffered", "packed", "packed, buffered", "memory"])
def test_blocks_are_read_from_wherever_the_car_lies(kind: str, tmp_path: Path) -> None:
    contents = [f"{number}".encode() * 99 for number in range(99)]
    blocks = [(Cid.of(content, RAW), content) for content in contents]
    content = b"".join(write_car(blocks[0][0], blocks))
    path, packed = tmp_path / "a.car", tmp_path / "a.car.gz"
    path.write_bytes(content)
    packed.write_bytes(gzip.compress(content))
    opened: dict[str, Callable[[], Any]] = {
        "file": lambda: path.open("rb"),
        "unbuffered": lambda: path.open("rb", buffering=0),
        "packed": lambda: gzip.GzipFile(packed),
        "packed, buffered": lambda: io.BufferedReader(gzip.GzipFile(packed)),
        "memory": lambda: io.BytesIO(content),
    }
    with opened[kind]() as file:
        assert dict(CarFile(file)) == dict(blocks)


def test_a_missing_block_is_told_in_another_process() -> None:
    error = MissingBlock(VALUE, "a record")

    there = copy(error)  # as pickle does it

    assert (type(there), there.args, there.cid) == (MissingBlock, error.args, VALUE)
