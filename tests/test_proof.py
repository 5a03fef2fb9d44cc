"""A repo proven from a CAR: whole, by what is new since an older state, record by record."""

from __future__ import annotations

import io
import random
from collections.abc import Mapping
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import event, given
from hypothesis import strategies as st

from publisher.archive import (
    ArchiveError,
    CarFile,
    InvalidSignature,
    MissingBlock,
    did_key,
    key_depth,
    prove,
    prove_record,
    verify_car,
    write_car,
)
from publisher.archive.items import Items
from publisher.data import DAG_CBOR, Cid
from publisher.folder import FolderRepo
from publisher.repo import CreateWrite, DeleteWrite
from publisher.syntax import Nsid, Rkey
from tests.proof_repos import (
    DID,
    HIGH,
    KEY,
    P256,
    REV,
    Made,
    block_of,
    cid_of,
    items_of,
    make,
    numbers,
    paths,
    proven,
    states,
    unchanged,
)

State = dict[str, int]
changes = st.dictionaries(paths, st.none() | numbers, max_size=12)
EMPTY: State = {}
MANY: State = {**{f"a.b.c/{number}": number % 5 for number in range(60)}, **dict.fromkeys(HIGH, 6)}


def after(old: State, change: Mapping[str, int | None]) -> State:
    return {path: number for path, number in {**old, **change}.items() if number is not None}


@pytest.mark.parametrize(("path", "depth"), HIGH.items())
def test_keys_of_high_layers_are_what_they_are_meant_to_be(path: str, depth: int) -> None:
    assert key_depth(path.encode()) == depth


# --- the whole repo


@given(states, st.sampled_from([KEY, P256]))
def test_what_is_written_is_proven(state: State, key: ec.EllipticCurvePrivateKey) -> None:
    did = did_key(key.public_key())
    made = make(state, key, did)

    found = proven(made.car(), did=did, key=did)

    assert (found.cid, found.commit, found.unused) == (made.root, made.commit, 0)
    assert found.commit.rev == REV
    assert list(found.items.items()) == sorted(items_of(state).items())
    assert {path: found.block(cid) for path, cid in found.items.items()} == {
        path: block_of(number) for path, number in state.items()
    }


@given(states, st.randoms())
def test_blocks_may_come_in_any_order_and_twice(state: State, chance: random.Random) -> None:
    made = make(state)
    blocks = [*made.blocks.items()] * 2
    chance.shuffle(blocks)

    found = proven(b"".join(write_car(made.root, blocks)))

    assert (dict(found.items), found.unused) == (items_of(state), 0)


@pytest.mark.parametrize("state", [EMPTY, {"a.b.c/1": 1}, MANY], ids=["no", "one", "many"])
def test_blocks_that_nothing_refers_to_are_counted(state: State) -> None:
    found = proven(make(state).car(extra=[block_of(7), b"", block_of(7), block_of(8)]))

    assert (dict(found.items), found.unused) == (items_of(state), 3)


def test_a_repo_is_proven_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "repo.car"
    path.write_bytes(make(MANY).car())

    with path.open("rb") as file:
        found = prove(CarFile(file), did=DID, key=DID)
        assert found.block(found.items["a.b.c/3"]) == block_of(3)
    assert len(found.items) == len(MANY)


def test_a_block_that_is_not_in_the_car_is_missing() -> None:
    with pytest.raises(MissingBlock):
        proven(make(MANY).car()).block(cid_of(b"another"))


def test_a_repo_in_a_folder_is_proven_after_edits(tmp_path: Path) -> None:
    repo, note = FolderRepo.create(tmp_path), Nsid("com.example.note")
    cids: dict[str, str] = {}
    for number in range(30):
        write = CreateWrite(note, Rkey(f"n{number}"), {"$type": note, "n": number})
        cids[f"{note}/n{number}"] = str(repo.apply_one(write))
    for path in sorted(cids)[::3]:
        repo.apply_one(DeleteWrite(note, Rkey(path.partition("/")[2]), cids.pop(path)))

    found = proven(b"".join(repo.car()), did=repo.did, key=repo.did)

    assert {path: str(cid) for path, cid in found.items.items()} == cids
    assert (str(found.cid), found.unused) == (repo.head().cid, 0)


@given(states)
def test_verifying_is_proving(state: State) -> None:
    made = make(state)

    verified, found = verify_car(made.car(), did=DID, key=DID), proven(made.car())

    assert (verified.cid, verified.commit) == (found.cid, found.commit)
    assert {path: cid for path, (cid, _) in verified.records.items()} == found.items


# --- what is new since


@given(states, changes)
def test_a_repo_is_proven_by_what_is_new_since_an_older_state(
    old: State, change: dict[str, int | None]
) -> None:
    new = after(old, change)
    now = make(new)

    found = proven(now.car(without=unchanged(old, new)), old=items_of(old))

    whole = proven(now.car())
    assert (found.cid, found.commit, found.items) == (whole.cid, whole.commit, whole.items)
    assert list(found.items) == list(whole.items)
    assert found.unused == 0


@given(states, changes, st.data())
def test_it_may_hold_more_than_what_is_new(
    old: State, change: dict[str, int | None], data: st.DataObject
) -> None:
    new = after(old, change)
    extra = data.draw(st.sets(st.sampled_from(sorted(make(old).blocks))))

    found = proven(make(new).car(without=unchanged(old, new) - extra), old=items_of(old))

    assert found.items == items_of(new)


@given(states, changes, states)
def test_an_older_state_that_was_another_proves_nothing_else(
    old: State, change: dict[str, int | None], other: State
) -> None:
    new = after(old, change)
    car = make(new).car(without=unchanged(old, new))

    try:
        found = proven(car, old=items_of(other))
    except ArchiveError:
        event("refused")
        return
    assert found.items == items_of(new)
    event("proven")


@given(states.filter(bool), changes, st.data())
def test_a_new_block_that_is_missing_is_missed(
    old: State, change: dict[str, int | None], data: st.DataObject
) -> None:
    new = after(old, change)
    now, left_out = make(new), unchanged(old, new)
    gone = data.draw(st.sampled_from(sorted({now.root, *now.blocks.keys() - left_out})))

    with pytest.raises(MissingBlock) as caught:
        proven(now.car(without={*left_out, gone}), old=items_of(old))
    assert caught.value.cid == gone


def test_a_deletion_is_told_by_the_new_root() -> None:
    old = MANY
    new = {path: number for path, number in old.items() if path not in {"a.b.c/7", max(HIGH)}}

    found = proven(make(new).car(without=make(old).blocks), old=items_of(old))

    assert old.keys() - found.items.keys() == {"a.b.c/7", max(HIGH)}
    assert found.items == items_of(new)


def test_an_older_state_may_be_pairs_in_any_order() -> None:
    new = {**MANY, "a.b.c/7": 9}
    car = CarFile(io.BytesIO(make(new).car(without=unchanged(MANY, new))))

    found = prove(car, did=DID, key=DID, old=sorted(items_of(MANY).items(), reverse=True))

    assert found.items == items_of(new)


def test_a_record_that_did_not_change_has_no_block_here() -> None:
    old, new = {"a.b.c/1": 1, "a.b.c/2": 2}, {"a.b.c/1": 1, "a.b.c/2": 3}

    found = proven(make(new).car(without=make(old).blocks), old=items_of(old))

    assert found.block(found.items["a.b.c/2"]) == block_of(3)
    with pytest.raises(MissingBlock):
        found.block(found.items["a.b.c/1"])


def test_a_record_under_a_new_key_must_be_there() -> None:
    old, new = {"a.b.c/1": 1}, {"a.b.c/2": 1}

    with pytest.raises(MissingBlock, match="a.b.c/2"):
        proven(make(new).car(without=make(old).blocks), old=items_of(old))


# --- one record


def answer(made: Made, state: State, path: str) -> bytes:
    """Return what getRecord answers, and more: all nodes, and the record."""
    number = state.get(path)
    records = {cid_of(block_of(number)) for number in state.values()}
    kept = set() if number is None else {cid_of(block_of(number))}
    return made.car(without=records - kept)


def prove_one(car: bytes, path: str, *, did: str = DID, key: str | None = DID) -> bytes | None:
    collection, _, rkey = path.partition("/")
    found = prove_record(car, did=did, key=key, collection=collection, rkey=rkey)
    assert (found.cid is None) == (found.block is None)
    if found.block is not None:
        assert found.cid == Cid.of(found.block, DAG_CBOR)
    return found.block


@given(states, paths)
def test_a_record_is_proven_there_or_absent(state: State, absent: str) -> None:
    made = make(state)

    for path in {*state, absent}:
        expected = block_of(state[path]) if path in state else None
        assert prove_one(answer(made, state, path), path) == expected


@given(states, paths, st.data())
def test_nodes_that_are_left_out_never_make_a_record_absent(
    state: State, absent: str, data: st.DataObject
) -> None:
    made = make(state)
    path = data.draw(st.sampled_from(sorted({*state, absent})))
    nodes = sorted(made.blocks.keys() - items_of(state).values())
    gone = data.draw(st.sets(st.sampled_from(nodes)))

    try:
        found = prove_one(made.car(without=gone), path)
    except MissingBlock:
        event("missing")
        return
    assert found == (block_of(state[path]) if path in state else None)


def test_a_record_without_its_block_is_missing_it() -> None:
    made = make(MANY)

    with pytest.raises(MissingBlock, match="a.b.c/3"):
        prove_one(made.car(without=[cid_of(block_of(3))]), "a.b.c/3")


@pytest.mark.parametrize(
    ("did", "key", "error", "reason"),
    [
        ("did:plc:other", DID, ArchiveError, "not of did:plc:other"),
        (DID, did_key(P256.public_key()), InvalidSignature, "isn't one of"),
    ],
)
def test_a_record_of_another_repo_is_refused(
    did: str, key: str, error: type[ArchiveError], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        prove_one(make(MANY).car(), "a.b.c/3", did=did, key=key)


# --- the items


@given(states, st.text(max_size=9))
def test_items_are_a_mapping_in_order(state: State, other: str) -> None:
    expected, items = items_of(state), Items()
    for path, cid in expected.items():
        items.append(path.encode(), cid.raw)

    assert (items == expected, len(items)) == (True, len(expected))
    assert (list(items), list(items.items())) == (list(expected), list(expected.items()))
    assert list(items.values()) == list(expected.values())
    assert {path: items[path] for path in expected} == expected
    assert (other in items) == (other in expected)


def test_a_car_on_the_disk_counts_what_was_asked_for() -> None:
    made = make(MANY)
    car = CarFile(io.BytesIO(made.car()))
    first, second = sorted(made.blocks)[:2]

    assert (len(car), car.asked, dict(car) == made.blocks) == (len(made.blocks), 0, True)
    car = CarFile(io.BytesIO(made.car()))
    for _ in range(2):
        assert (first in car, car[second]) == (True, made.blocks[second])
    assert cid_of(b"another") not in car
    assert car.asked == 2
