"""What is read from part of a tree: from its new nodes, and from what was known of an older one."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from publisher.archive import (
    ArchiveError,
    CarFile,
    MissingBlock,
    Part,
    build_tree,
    key_depth,
    read_car,
    walk_part,
    write_car,
)
from publisher.data import DAG_CBOR, Cid, Value, encode

COLLECTIONS = ("a.b.a", "a.b.c", "a.b.cd", "a.b.d")
# Enough keys that some lie in the third layer and above.
KEYS = [f"{collection}/{number}" for collection in COLLECTIONS for number in range(80)]
Items = dict[str, Cid]


def value(number: int) -> Cid:
    return Cid.of(bytes([number]), DAG_CBOR)


values = st.integers(0, 3).map(value)
trees = st.dictionaries(st.sampled_from(KEYS), values, max_size=120)
changes = st.dictionaries(st.sampled_from(KEYS), st.none() | values, max_size=12)
collections = st.lists(st.sampled_from(COLLECTIONS), min_size=1, max_size=3, unique=True)


def changed(old: Items, change: Mapping[str, Cid | None]) -> Items:
    return {key: cid for key, cid in {**old, **change}.items() if cid is not None}


def of(wanted: Sequence[str], items: Items) -> Items:
    return {key: cid for key, cid in items.items() if key.partition("/")[0] in wanted}


def nodes(items: Items) -> tuple[Cid, dict[Cid, bytes]]:
    tree = build_tree(sorted(items.items()))
    return tree.root, dict(tree.nodes)


class Server:
    """Gives nodes of the tree, and counts what it was asked for."""

    def __init__(self, held: Mapping[Cid, bytes]) -> None:
        self.held = held
        self.asked: list[Cid] = []

    def __call__(self, cids: Sequence[Cid]) -> dict[Cid, bytes]:
        self.asked += cids
        return {cid: self.held[cid] for cid in cids if cid in self.held}


def nothing(_cids: Sequence[Cid]) -> dict[Cid, bytes]:
    return {}


def read(old: Items, new: Items, wanted: Sequence[str], lost: Cid | None = None) -> Part:
    """Read what `wanted` hold in the new tree, from the nodes that the old one hadn't."""
    before, (root, after) = nodes(old)[1], nodes(new)
    blocks = {cid: block for cid, block in after.items() if cid not in before and cid != lost}
    return walk_part(root, blocks.get, wanted, old=of(wanted, old), fetch=Server(after))


@given(trees, changes, collections)
def test_what_changed_in_some_collections_is_read_from_new_nodes(
    old: Items, change: dict[str, Cid | None], wanted: list[str]
) -> None:
    new = changed(old, change)
    assert read(old, new, wanted).items == of(wanted, new)


@given(trees, trees, collections)
def test_trees_that_have_little_in_common_are_read_too(
    old: Items, new: Items, wanted: list[str]
) -> None:
    assert read(old, new, wanted).items == of(wanted, new)


@given(trees, changes, collections, st.data())
def test_without_one_of_its_new_nodes_a_tree_reads_the_same(
    old: Items, change: dict[str, Cid | None], wanted: list[str], data: st.DataObject
) -> None:
    new = changed(old, change)
    lost = data.draw(st.sampled_from(sorted(nodes(new)[1])))
    assert read(old, new, wanted, lost).items == of(wanted, new)


@given(trees, changes, collections, st.data())
def test_where_nothing_can_be_fetched_it_is_the_truth_or_an_error(
    old: Items, change: dict[str, Cid | None], wanted: list[str], data: st.DataObject
) -> None:
    new = changed(old, change)
    root, after = nodes(new)
    kept = data.draw(st.sets(st.sampled_from(sorted(after))))
    blocks = {cid: after[cid] for cid in kept}
    try:
        part = walk_part(root, blocks.get, wanted, old=of(wanted, old), fetch=nothing)
    except MissingBlock:
        event("missing")
    else:
        event("read")
        assert part.items == of(wanted, new)


@given(trees, trees, trees, collections)
def test_wrong_memories_of_the_older_tree_change_nothing(
    old: Items, new: Items, wrong: Items, wanted: list[str]
) -> None:
    before, (root, after) = nodes(old)[1], nodes(new)
    blocks = {cid: block for cid, block in after.items() if cid not in before}
    part = walk_part(root, blocks.get, wanted, old=of(wanted, wrong), fetch=Server(after))
    assert part.items == of(wanted, new)


@given(trees, st.dictionaries(st.sampled_from(KEYS), values, max_size=12), collections)
def test_with_its_edges_kept_nothing_is_fetched_while_keys_only_come(
    old: Items, change: Items, wanted: list[str]
) -> None:
    root, held = nodes(old)
    edges = walk_part(root, held.get, wanted, old={}, fetch=nothing).edges
    new = old | change
    root, after = nodes(new)
    blocks = {cid: block for cid, block in after.items() if cid not in held}
    part = walk_part(root, {**edges, **blocks}.get, wanted, old=of(wanted, old), fetch=nothing)
    assert part.items == of(wanted, new)


@given(trees, st.sampled_from(KEYS))
def test_where_all_is_known_nothing_is_fetched(old: Items, key: str) -> None:
    new = changed(old, {key: value(9)})
    before, (root, after) = nodes(old)[1], nodes(new)
    blocks = {cid: block for cid, block in after.items() if cid not in before}
    assert walk_part(root, blocks.get, COLLECTIONS, old=old, fetch=nothing).items == new


def test_a_key_that_went_with_the_higher_key_beside_it_is_not_taken_for_kept() -> None:
    low = [key for key in KEYS if key.startswith("a.b.c/") and key_depth(key.encode()) == 0]
    high = next(key for key in KEYS if key.startswith("a.b.c/") and key_depth(key.encode()) > 0)
    before, behind = min(low), max(key for key in low if key > high)
    old = {key: value(1) for key in (before, high, behind)}
    assert before < high
    assert read(old, {behind: value(1)}, ["a.b.c"]).items == {behind: value(1)}


def test_few_nodes_are_fetched_beside_many_others() -> None:
    others = {f"a.b.a/{number:05}": value(1) for number in range(5000)}
    ours = {f"a.b.c/{number:03}": value(1) for number in range(200)}
    old = others | ours
    new = old | {"a.b.a/02500x": value(2)}
    before, (root, after) = nodes(old)[1], nodes(new)
    server = Server(after)
    blocks = {cid: block for cid, block in after.items() if cid not in before}
    part = walk_part(root, blocks.get, ["a.b.c"], old=ours, fetch=server)
    assert part.items == ours
    assert 0 < len(server.asked) < 10


def test_a_fetched_node_that_is_another_is_missing() -> None:
    root, held = nodes({KEYS[0]: value(1)})
    with pytest.raises(MissingBlock):
        walk_part(
            root,
            lambda _: None,
            COLLECTIONS,
            old={},
            fetch=lambda cids: dict.fromkeys(cids, held[root] + b"0"),
        )


def entry(key: str, right: Cid | None = None, *, shared: int = 0) -> Value:
    return {"k": key[shared:].encode(), "p": shared, "t": right, "v": value(1)}


def entries(first: str, second: str) -> tuple[Value, Value]:
    equal = takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False))
    return entry(first), entry(second, shared=len(list(equal)))


def tree_of(*entries: Value, left: Cid | None = None) -> tuple[Cid, dict[Cid, bytes]]:
    block = encode({"e": list(entries), "l": left})
    cid = Cid.of(block, DAG_CBOR)
    return cid, {cid: block}


def malformed() -> Iterator[tuple[str, tuple[Cid, dict[Cid, bytes]]]]:
    first, second = [key for key in KEYS if key_depth(key.encode()) == 0][:2]
    high = next(key for key in KEYS if key_depth(key.encode()) == 1)
    yield "out of order", tree_of(*entries(second, first))
    yield "wrong layer", tree_of(*entries(*sorted([first, high])))
    yield "wrong layer", tree_of(left=tree_of(entry(first))[0])
    yield "record key", tree_of(entry("a.b.a/a b"))
    below, blocks = tree_of(entry(first))
    root, above = tree_of(entry(first, right=below))
    yield "wrong layer", (root, above | blocks)
    below, blocks = tree_of(entry(KEYS[-1]))
    root, above = tree_of(entry(high), left=below)
    yield "out of its range|wrong layer", (root, above | blocks)
    yield (
        "not exactly e and l",
        (Cid.of(encode([]), DAG_CBOR), {Cid.of(encode([]), DAG_CBOR): encode([])}),
    )


@pytest.mark.parametrize(("says", "tree"), list(malformed()))
def test_a_node_that_no_tree_has_is_an_error(says: str, tree: tuple[Cid, dict[Cid, bytes]]) -> None:
    root, blocks = tree
    with pytest.raises(ArchiveError, match=says):
        walk_part(root, blocks.get, COLLECTIONS, old={}, fetch=nothing)


@given(trees)
def test_a_car_in_a_file_holds_what_one_in_memory_does(items: Items) -> None:
    root, held = nodes(items)
    content = b"".join(write_car(root, held.items()))
    read_back, on_disk = read_car(content), CarFile(io.BytesIO(content))
    assert (on_disk.root, dict(on_disk), len(on_disk)) == (root, held, len(held))
    assert dict(read_back.blocks) == held
    assert value(200) not in on_disk
    assert on_disk.get(value(200)) is None
