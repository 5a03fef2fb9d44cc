"""A node's bytes: read and written as DAG-CBOR is, only faster."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from publisher.archive import ArchiveError
from publisher.archive.node import Entry, Node, encode_node, full_key, parse_node, read_node
from publisher.data import DAG_CBOR, RAW, Cid, InvalidCbor, Value, decode, encode

CID = Cid.of(b"", DAG_CBOR)
cids = st.sampled_from([CID, Cid.of(b"1", DAG_CBOR), Cid.of(b"2", RAW)])
links = st.none() | cids
# lengths around those at which a head grows
long_keys = st.sampled_from([22, 23, 24, 25, 255, 256, 257, 1024]).map(lambda size: b"k" * size)
keys = st.binary(min_size=1, max_size=30) | st.builds(
    lambda start, end: start + end, long_keys, st.binary(max_size=3)
)


@st.composite
def nodes(draw: st.DrawFn) -> Node:
    entries = sorted(draw(st.dictionaries(keys, cids, max_size=30)).items())
    rights = draw(st.lists(links, min_size=len(entries), max_size=len(entries)))
    return Node(draw(links), entries, rights)


def plain(node: Node) -> Value:
    """Return the node as the specification describes it."""
    entries: list[Value] = []
    for (before, (key, value)), right in zip(
        pairwise([(b"", CID), *node.entries]), node.rights, strict=True
    ):
        shared = next(
            (n for n, pair in enumerate(zip(before[0], key, strict=False)) if pair[0] != pair[1]),
            min(len(before[0]), len(key)),
        )
        entries.append({"p": shared, "k": key[shared:], "v": value, "t": right})
    return {"e": entries, "l": node.left}


@given(nodes())
def test_a_node_is_written_as_dag_cbor_writes_it_and_read_back(node: Node) -> None:
    block = encode_node(node)

    assert block == encode(plain(node))
    assert read_node(CID, block) == node


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize("count", [23, 24, 255, 256, 65_535, 65_536])
def test_nodes_of_many_entries_are_written_and_read_too(count: int) -> None:
    entries = [(b"%06d" % number, CID) for number in range(count)]
    node = Node(None, entries, [None] * count)
    block = encode_node(node)

    assert block == encode(plain(node))
    assert read_node(CID, block) == node


def strictly(block: bytes) -> tuple[Cid | None, list[Entry]] | None:
    """Return what the general decoder finds in a block, or None where it is no node."""
    try:
        node = decode(block)
    except InvalidCbor:
        return None
    match node:
        case {"e": list(entries), "l": (None | Cid()) as left} if is_map(node, 2):
            found = [entry_of(entry) for entry in entries]
            return (left, [entry for entry in found if entry]) if all(found) else None
    return None


def entry_of(entry: Value) -> Entry | None:
    match entry:
        case {
            "k": bytes(rest),
            "p": int(shared),
            "t": (None | Cid()) as right,
            "v": Cid() as value,
        } if is_map(entry, 4) and not isinstance(shared, bool):
            return Entry(shared, rest, value, right)
    return None


def is_map(value: Value, fields: int) -> bool:
    return isinstance(value, dict) and len(value) == fields


def parsed(block: bytes) -> tuple[Cid | None, list[Entry]] | None:
    try:
        return parse_node(CID, block)
    except ArchiveError:
        return None


@given(nodes(), st.data())
def test_a_block_with_any_change_is_read_as_the_general_decoder_reads_it(
    node: Node, data: st.DataObject
) -> None:
    block = encode_node(node)
    start = data.draw(st.integers(0, len(block)))
    end = data.draw(st.integers(start, min(len(block), start + 3)))
    changed = block[:start] + data.draw(st.binary(max_size=3)) + block[end:]

    assert parsed(changed) == strictly(changed)


@pytest.mark.usefixtures("unmeasured")
def test_a_node_with_any_byte_replaced_by_any_other_is_read_as_the_general_decoder_reads_it() -> (
    None
):
    block = encode_node(Node(CID, [(b"a.b.c/1", CID), (b"a.b.c/" + b"2" * 30, CID)], [None, CID]))
    digests = {place + n for place in places(block, CID.raw[4:]) for n in range(32)}

    found = 0
    for place in sorted(set(range(len(block))) - digests):
        for byte in range(256):
            changed = block[:place] + bytes((byte,)) + block[place + 1 :]
            expected = strictly(changed)
            found += expected is not None
            assert parsed(changed) == expected, (place, byte)

    assert found > 2 * 256  # most bytes of keys may be any


def places(block: bytes, part: bytes) -> list[int]:
    return [place for place in range(len(block)) if block.startswith(part, place)]


@given(st.binary(max_size=5), st.integers(-2, 7), st.binary(max_size=5))
@example(b"ab", 2, b"")
@example(b"ab", 1, b"b")
@example(b"", 0, b"")
def test_a_key_must_share_all_that_it_could(previous: bytes, shared: int, rest: bytes) -> None:
    key = previous[: max(shared, 0)] + rest
    common = 0
    while common < min(len(previous), len(key)) and previous[common] == key[common]:
        common += 1
    right = bool(key) and common == shared

    try:
        found = full_key(previous, Entry(shared, rest, CID, None))
    except ArchiveError:
        assert not right
    else:
        assert right
        assert found == key
