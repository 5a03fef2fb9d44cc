"""A tree changed at some keys is the one that the changed items make; little of it is read."""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.archive import ArchiveError, Edited, build_tree, edit_tree, key_depth
from publisher.data import DAG_CBOR, Cid, Value, encode

VALUES = [Cid.of(bytes([number]), DAG_CBOR) for number in range(4)]
NUMBERED = [f"a.b.c/{number:04}" for number in range(2000)]
LAYERS = [key_depth(key.encode()) for key in NUMBERED]
NOTHING: dict[Cid, bytes] = {}
POOLS = {
    "few keys, often hit": NUMBERED[:20],
    "many keys": NUMBERED,
    "high layers": [key for key, layer in zip(NUMBERED, LAYERS, strict=True) if layer >= 2],
    "the lowest layer and the highest": [
        key for key, layer in zip(NUMBERED, LAYERS, strict=True) if layer in {0, max(LAYERS)}
    ],
    "a long shared prefix": [f"a.b.c/{'x' * 500}{number:03}" for number in range(200)],
    "one the beginning of the next": [f"a.b.c/{'x' * number}" for number in range(1, 200)],
    "collections that begin alike": [
        f"{name}/{number}" for name in ("a.b.c", "a.b.cd", "a.b.c.d", "a.b-b.c") for number in "123"
    ],
}
keys = st.sampled_from(sorted(POOLS)).flatmap(lambda name: st.sampled_from(POOLS[name]))
trees = st.dictionaries(keys, st.sampled_from(VALUES), max_size=40)
changes = st.dictionaries(keys, st.sampled_from([None, *VALUES]), max_size=12)


def changed(items: Mapping[str, Cid], change: Mapping[str, Cid | None]) -> dict[str, Cid]:
    return {key: value for key, value in sorted({**items, **change}.items()) if value}


def check(items: Mapping[str, Cid], change: Mapping[str, Cid | None]) -> Edited:
    """Compare the edited tree with the one that is built; return the edit."""
    old = build_tree(sorted(items.items()))
    new = build_tree(changed(items, change).items())

    edited = edit_tree(old.nodes.__getitem__, old.root, change)

    assert edited.root == new.root
    assert edited.added == {cid: new.nodes[cid] for cid in new.nodes.keys() - old.nodes.keys()}
    assert edited.removed == old.nodes.keys() - new.nodes.keys()
    return edited


@given(trees, changes)
def test_an_edited_tree_is_the_one_that_its_items_make(
    items: dict[str, Cid], change: dict[str, Cid | None]
) -> None:
    check(items, change)


@given(trees, st.data())
def test_keys_that_are_there_can_be_taken_out_in_any_number(
    items: dict[str, Cid], data: st.DataObject
) -> None:
    gone = data.draw(st.sets(st.sampled_from(sorted(items)))) if items else set()

    check(items, dict.fromkeys(gone))


@given(trees)
def test_a_tree_is_emptied_and_filled_again(items: dict[str, Cid]) -> None:
    check(items, dict.fromkeys(items))
    check({}, items)


@given(trees, st.data())
def test_what_changes_nothing_adds_and_removes_no_node(
    items: dict[str, Cid], data: st.DataObject
) -> None:
    same = data.draw(st.sets(st.sampled_from(sorted(items)))) if items else set()
    absent = data.draw(st.sets(keys)) - items.keys()

    edited = check(items, {key: items.get(key) for key in same | absent})

    assert (edited.added, edited.removed) == ({}, set())


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize("name", sorted(POOLS))
def test_a_tree_stays_the_right_one_through_a_thousand_edits(name: str) -> None:
    draw = random.Random(name)  # noqa: S311  # the same edits in every run
    pool, items = draw.sample(POOLS[name], min(len(POOLS[name]), 300)), dict[str, Cid]()
    tree = build_tree([])
    root, nodes = tree.root, dict(tree.nodes)
    for turn in range(1000):
        size = draw.choice([1, 1, 2, min(len(pool), 30)])
        remove = turn // 100 % 2  # it grows, then shrinks, and so on
        change = {
            key: None if draw.random() < (0.2, 0.8)[remove] else draw.choice(VALUES)
            for key in draw.sample(pool, size)
        }
        edited = edit_tree(nodes.__getitem__, root, change)
        items = changed(items, change)
        root = edited.root
        nodes = {**nodes, **edited.added}
        for cid in edited.removed:
            del nodes[cid]
        if turn % 20 == 19:
            built = build_tree(items.items())
            assert (root, nodes) == (built.root, built.nodes)


@pytest.mark.parametrize(("count", "deletes"), [(1, False), (1, True), (20, False), (20, True)])
def test_an_edit_reads_a_few_nodes_for_each_change_and_layer(count: int, *, deletes: bool) -> None:
    draw = random.Random(count)  # noqa: S311  # the same edits in every run
    items = {f"a.b.c/{number:06}": VALUES[0] for number in range(0, 20_000, 2)}
    tree = build_tree(items.items())
    layers = 1 + max(key_depth(key.encode()) for key in items)
    for _ in range(3):
        numbers = draw.sample(range(20_000), count)
        change = {
            f"a.b.c/{number:06}": None if deletes and number % 2 == 0 else VALUES[1]
            for number in numbers
        }
        loaded: list[Cid] = []

        def load(cid: Cid, loaded: list[Cid] = loaded) -> bytes:
            loaded.append(cid)
            return tree.nodes[cid]

        edited = edit_tree(load, tree.root, change)

        assert len(loaded) == len(set(loaded))
        assert len(loaded) <= 3 * count * layers  # its path, and the two sides that a delete joins
        assert len(edited.added) <= 3 * count * layers
        assert edited.root == build_tree(changed(items, change).items()).root


def test_appending_reads_the_right_side_only() -> None:
    items = {f"a.b.c/{number:06}": VALUES[0] for number in range(10_000)}
    tree = build_tree(items.items())
    layers = 1 + max(key_depth(key.encode()) for key in items)
    loaded: list[Cid] = []

    def load(cid: Cid) -> bytes:
        loaded.append(cid)
        return tree.nodes[cid]

    edit_tree(
        load, tree.root, {f"a.b.c/{number:06}": VALUES[0] for number in range(10_000, 10_200)}
    )

    assert len(loaded) <= layers


def test_no_change_reads_nothing() -> None:
    root = build_tree([("a.b.c/1", VALUES[0])]).root

    assert edit_tree(NOTHING.__getitem__, root, {}) == Edited(root, {}, set())


def test_a_node_that_is_missing_stops_the_edit_with_the_loaders_own_error() -> None:
    root = build_tree([("a.b.c/1", VALUES[0])]).root

    with pytest.raises(KeyError):
        edit_tree(NOTHING.__getitem__, root, {"a.b.c/2": VALUES[0]})


def entry(key: str, right: Cid | None = None) -> Value:
    return {"k": key.encode(), "p": 0, "v": VALUES[0], "t": right}


def node(*entries: Value, left: Cid | None = None) -> Value:
    return {"l": left, "e": list(entries)}


def cid_of(value: Value) -> Cid:
    return Cid.of(encode(value), DAG_CBOR)


# a.b.c/a, /b, /e and /z lie in layer 0, a.b.c/k in layer 1
LOWEST = node(entry("a.b.c/a"))
HIGH = node(entry("a.b.c/a", cid_of(LOWEST)))


@pytest.mark.parametrize(
    ("reason", "nodes", "change"),
    [
        ("no DAG-CBOR", (None,), "a.b.c/b"),
        ("root has no entries", (node(left=cid_of(LOWEST)), LOWEST), "a.b.c/b"),
        (
            "below the lowest layer",
            (node(entry("a.b.c/b"), left=cid_of(LOWEST)), LOWEST),
            "a.b.c/z",
        ),
        ("below the lowest layer", (node(entry("a.b.c/k", cid_of(HIGH))), HIGH, LOWEST), "a.b.c/z"),
        ("exactly e and l", ({"e": []},), "a.b.c/b"),
        ("share the prefix", (node(entry("")),), "a.b.c/b"),
    ],
)
def test_nodes_that_make_no_tree_are_refused(
    reason: str, nodes: tuple[Value, ...], change: str
) -> None:
    blocks = {cid_of(value): encode(value) if value else b"\xff" for value in nodes}

    with pytest.raises(ArchiveError, match=reason):
        edit_tree(blocks.__getitem__, cid_of(nodes[0]), {change: VALUES[1]})
