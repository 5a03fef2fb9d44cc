"""What a hostile server could send: each change is refused with its reason, none is misread."""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest

import publisher.archive.proof
from publisher.archive import ArchiveError, MissingBlock, prove_record
from publisher.archive.node import RawEntry, read_entries
from publisher.archive.walk import Walker
from publisher.data import RAW, Cid, Value, encode
from tests.proof_cases import (
    CASES,
    HIGH,
    LINK,
    LOW,
    MADE,
    MIDDLE,
    NONE,
    NOT_ON_THE_WAY,
    RECORD,
    STATE,
    make_entry,
    signed,
    tree,
)
from tests.proof_repos import DID, block_of, cid_of, items_of, make, proven
from tests.test_archive import WRONG_TREES, entry, node


def test_what_the_cases_are_made_of_is_right() -> None:
    assert proven(MADE.car()).items == items_of(STATE)
    assert proven(signed()).items == items_of(STATE)
    assert proven(signed(prev=LINK)).commit.prev == LINK
    assert dict(proven(tree(MIDDLE, LOW)).items) == {"a.b.c/a": LINK, "a.b.c/k": LINK}


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_repo_is_refused_with_its_reason(name: str) -> None:
    case = CASES[name]

    with pytest.raises(case.error, match=case.reason) as caught:
        proven(case.car())
    assert type(caught.value) is case.error


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_repo_is_refused_beside_an_older_state_too(name: str) -> None:
    case = CASES[name]
    if case.error is MissingBlock:
        return

    with pytest.raises(case.error, match=case.reason):
        proven(case.car(), old=items_of({"a.b.c/a": 3, "a.b.c/q": 4}))


@pytest.mark.parametrize(("reason", "nodes"), WRONG_TREES)
def test_a_signed_tree_that_its_keys_would_not_make_is_refused(
    reason: str, nodes: tuple[Value, ...]
) -> None:
    with pytest.raises(ArchiveError, match=f"{reason}|is missing"):
        proven(tree(*nodes))


# --- parts of an older tree that the owner's own hand put where they can't be

LAYER_4 = "app.bsky.feed.post/454397e440ec"
PART = cid_of(encode(node(make_entry("a.b.c/a"), make_entry("z", 6))))
FIRST = cid_of(encode(LOW))


@pytest.mark.parametrize(
    ("reason", "older", "top"),
    [
        ("of the tree is missing", ["a"], node(make_entry(LAYER_4), left=FIRST)),
        ("a.b.c/a' is out of order", ["a"], node(make_entry("a.b.c/k", right=FIRST))),
        ("a.b.c/a' is out of order", ["a"], node(make_entry("a.b.c/k", right=FIRST), left=FIRST)),
        ("a.b.c/k' is out of order", ["a", "z"], node(make_entry("a.b.c/k"), left=PART)),
    ],
    ids=["in another layer", "behind a later key", "twice", "around a key"],
)
def test_a_part_of_the_older_tree_is_taken_in_its_place_alone(
    reason: str, older: list[str], top: Value
) -> None:
    with pytest.raises(ArchiveError, match=reason):
        proven(tree(top), old=items_of({f"a.b.c/{name}": 1 for name in older}))


def test_in_its_place_a_part_of_the_older_tree_is_taken() -> None:
    found = proven(tree(MIDDLE), old=items_of({"a.b.c/a": 1}))

    assert dict(found.items) == {"a.b.c/a": LINK, "a.b.c/k": LINK}


# --- the second guard: what is built again from the keys, in their order, is another tree


class Careless(Walker):
    """A walker that checks nothing that building the tree again would tell."""

    def _next(self, before: bytes, shared: int, rest: bytes, layer: int) -> bytes:
        return before[:shared] + rest

    def _inner(self, raw: bytes, layer: int) -> tuple[bytes | None, list[RawEntry]]:
        return self._read(raw)

    def _root(self, root: Cid) -> tuple[bytes | None, list[RawEntry], int]:
        return (*self._read(root.raw), 0)

    def _read(self, raw: bytes) -> tuple[bytes | None, list[RawEntry]]:
        return read_entries(Cid(raw), self._load(raw) or b"")


@pytest.mark.parametrize(
    "name",
    [
        "a key in the wrong layer",
        "a layer left out",
        "a prefix too short",
        "an empty node more",
        "an empty node above",
        "many empty nodes",
        "a node of raw bytes",
    ],
)
def test_a_tree_that_the_walk_took_would_be_refused_by_its_root(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher.archive.proof, "Walker", Careless)
    assert proven(MADE.car()).items == items_of(STATE)

    with pytest.raises(ArchiveError, match="isn't the one that its keys make"):
        proven(CASES[name].car())


# --- one record


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_answer_for_one_record_is_refused_where_it_lies_on_the_way(name: str) -> None:
    """Only what isn't read on the way to the key can pass; it is never another record."""
    content = CASES[name].car()

    for rkey in ("a", "k", "q"):
        try:
            found = prove_record(content, did=DID, key=DID, collection="a.b.c", rkey=rkey)
        except ArchiveError:
            continue
        assert found.block in {None, RECORD, block_of(STATE.get(f"a.b.c/{rkey}", 1))}
        assert name in NOT_ON_THE_WAY


@pytest.mark.parametrize(
    ("reason", "nodes", "rkey"),
    [
        ("out of order", [node(make_entry("a.b.c/k", right=cid_of(encode(LOW)))), LOW], "z"),
        ("out of order", [node(make_entry("a.b.c/k"), left=cid_of(encode(HIGH))), HIGH], "a"),
        ("wrong layer", [node(make_entry("a.b.c/a"), make_entry("k", 6))], "a"),
        ("below the root is empty", [node(make_entry("a.b.c/k"), left=cid_of(NONE)), NONE], "a"),
        ("root has no entries", [node(left=cid_of(encode(LOW))), LOW], "a"),
        ("end in a record key", [node(make_entry("a.b.c/a/b"))], "a"),
        ("is no DAG-CBOR", [node(entry("a.b.c/a", value=Cid.of(RECORD, RAW)))], "a"),
    ],
)
def test_a_wrong_node_proves_no_absence(reason: str, nodes: list[Value | bytes], rkey: str) -> None:
    with pytest.raises(ArchiveError, match=reason):
        prove_record(tree(*nodes), did=DID, key=DID, collection="a.b.c", rkey=rkey)


# --- every byte


def newer() -> bytes:
    """What is new since STATE: a changed record, a new one, a deletion."""
    state = {**STATE, "a.b.c/e": 7, "a.b.c/q": 8}
    del state["a.b.c/a"]
    return make(state).car(without=MADE.blocks)


@pytest.mark.parametrize("old", [None, items_of(STATE)], ids=["whole", "since"])
def test_a_car_cut_at_any_byte_is_refused(old: Mapping[str, Cid] | None) -> None:
    content = newer() if old else MADE.car()
    assert proven(content, old=old).unused == 0

    for end in range(len(content)):
        with pytest.raises(ArchiveError):
            proven(content[:end], old=old)


@pytest.mark.parametrize("key", [DID, None], ids=["signed", "no key"])
@pytest.mark.parametrize("old", [None, items_of(STATE)], ids=["whole", "since"])
def test_a_car_with_any_byte_changed_is_refused(
    old: Mapping[str, Cid] | None, key: str | None
) -> None:
    """All bytes are header, size, CID or hashed: so none can change, not even without a key."""
    content = newer() if old else MADE.car()
    chance = random.Random(1)  # noqa: S311  # bits to flip, the same in every run

    for place in range(len(content)):
        flipped = bytearray(content)
        flipped[place] ^= 1 << chance.randrange(8)
        with pytest.raises(ArchiveError):
            proven(bytes(flipped), old=old, key=key)


def test_a_large_car_that_is_cut_is_refused() -> None:
    many = make({f"a.b.c/{number}": number for number in range(10_000)})
    content, chance = many.car(), random.Random(1)  # noqa: S311  # where to cut
    ends = [chance.randrange(len(content)) for _ in range(20)]
    ends += [len(many.car(without=sorted(many.blocks)[:1])), len(content) - 1]

    assert len(proven(content).items) == 10_000
    for end in ends:
        with pytest.raises(ArchiveError):
            proven(content[:end])


@pytest.mark.parametrize("number", range(3))
def test_a_large_car_without_one_of_its_blocks_is_missing_it(number: int) -> None:
    many = make({f"a.b.c/{number}": number for number in range(2000)})
    gone = sorted(many.blocks)[number * 700]

    with pytest.raises(MissingBlock) as caught:
        proven(many.car(without=[gone]))
    assert caught.value.cid == gone
