"""What commits do to the tree, and the nodes that prove it: ours beside the reference's.

The named ones are the situations of commit-proof-fixtures.json, of the interoperability tests.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import count

import pytest

from publisher.archive import (
    MissingBlock,
    build_tree,
    edit_tree,
    key_depth,
    prove_record,
    read_car,
    sign_commit,
    write_car,
)
from publisher.data import Cid
from tests.proof_repos import DID, KEY, REV, block_of, cid_of
from tests.test_archive_reference import Reference, started

pytestmark = pytest.mark.xdist_group("reference repos")

RECORD = block_of(1)
VALUE = cid_of(RECORD)


@dataclass(frozen=True)
class Commit:
    """The keys before it, and those that it adds and deletes: a letter each, and the layer."""

    keys: str
    adds: str = ""
    dels: str = ""


NAMED = {
    "two deep split": Commit("A0 B1 C0 E0 F1 G0", adds="D2"),
    "two deep leafless split": Commit("A0 B0 D0 E0", adds="C2"),
    "add on edge with neighbor two layers down": Commit("A0 B2 C0", adds="D2"),
    "the same on the left edge": Commit("B0 C2 D0", adds="A2"),
    "merge and split in multi-op commit": Commit("A0 B2 D2 E0", adds="C2", dels="B2 D2"),
    "complex multi-op commit": Commit("B0 C2 D0 E2 F0 H0", adds="A2 G2", dels="C2"),
    "split with earlier leaves on same layer": Commit("A2 B1 C1 E0 F1 G0", adds="D2"),
    "split behind several leaves": Commit("A0 B1 C1 E1 F0 G0 I1", adds="H2"),
    "two deep merge": Commit("A0 B1 C0 D2 E0 F1 G0", dels="D2"),
    "two deep leafless merge": Commit("A0 B0 C2 D0 E0", dels="C2"),
    "add and delete three layers down": Commit("A0 B3 C0 E0 F2 G1 H0", adds="D0", dels="G1"),
    "delete what held a layer": Commit("A0 B2 C1 D3 E0", dels="C1 E0"),
    "delete the only key of the root": Commit("A0 B1 C3 D0", dels="C3"),
    "add a root six layers up": Commit("A0 B0", adds="C6"),
    "the first keys": Commit("", adds="A0 B2"),
    "delete all keys": Commit("A0 B1", dels="A0 B1"),
    "replace the only key": Commit("A3", adds="B1", dels="A3"),
}


def commit_at_random(seed: int) -> Commit:
    chance = random.Random(seed)  # noqa: S311  # trees, the same in every run
    names = [f"{letter}{chance.choice((0, 0, 0, 1, 1, 2, 3))}" for letter in "ABCDEFGHIJKLMNOPQRST"]
    cut = chance.randrange(1, 19)
    chance.shuffle(names)
    keys, others = sorted(names[:cut]), names[cut:]
    adds = chance.sample(others, chance.randrange(1, 3))
    dels = chance.sample(keys, min(cut, chance.randrange(4)))
    return Commit(" ".join(keys), " ".join(adds), " ".join(dels))


COMMITS = {**NAMED, **{f"at random {seed}": commit_at_random(seed) for seed in range(20)}}


@dataclass(frozen=True)
class Case:
    """A commit in paths of records, and what the reference says of it.

    `nodes` is what the firehose would carry of the new tree, `ways` the nodes from its root to each
    key that was touched.
    """

    keys: tuple[str, ...]
    adds: tuple[str, ...]
    dels: tuple[str, ...]
    before: Cid
    after: Cid
    nodes: Mapping[Cid, bytes]
    ways: Mapping[str, list[Cid]]

    @property
    def left(self) -> list[str]:
        """The keys after the commit."""
        return sorted({*self.keys, *self.adds} - {*self.dels})

    def needed(self, key: str) -> list[Cid]:
        """The nodes from the root down to the layer of a key, where it is or would be."""
        top = max((key_depth(each.encode()) for each in self.left), default=0)
        return self.ways[key][: max(top - key_depth(key.encode()), 0) + 1]


@cache
def path(name: str) -> str:
    """Return a record's path that lies in the layer of its name."""
    paths = (f"com.example.record/{name}-{number}" for number in count())
    return next(found for found in paths if key_depth(found.encode()) == int(name[1:]))


def paths(names: str) -> tuple[str, ...]:
    return tuple(path(name) for name in names.split())


@pytest.fixture(scope="module")
def reference() -> Iterator[Reference]:
    with started() as running:
        yield running


@pytest.fixture(scope="module", params=list(COMMITS.values()), ids=list(COMMITS))
def case(request: pytest.FixtureRequest, reference: Reference) -> Case:
    commit: Commit = request.param
    keys, adds, dels = paths(commit.keys), paths(commit.adds), paths(commit.dels)
    said = reference.ask(commit={"keys": keys, "adds": adds, "dels": dels, "value": str(VALUE)})
    car = read_car(base64.b64decode(said["car"]))
    ways = {key: [Cid.parse(cid) for cid in way] for key, way in said["paths"].items()}
    before, after = Cid.parse(said["before"]), Cid.parse(said["after"])
    return Case(keys, adds, dels, before, after, car.blocks, ways)


def test_the_roots_before_and_after_are_those_of_the_reference(case: Case) -> None:
    old = build_tree((key, VALUE) for key in case.keys)
    new = build_tree((key, VALUE) for key in case.left)
    changes = {**dict.fromkeys(case.adds, VALUE), **dict.fromkeys(case.dels)}

    edited = edit_tree(old.nodes.__getitem__, old.root, changes)

    assert (old.root, new.root, edited.root) == (case.before, case.after, case.after)
    assert case.nodes.items() <= new.nodes.items()


@cache
def signed(root: Cid) -> bytes:
    return sign_commit(DID, rev=REV, data=root, key=KEY).encode()


def proven(case: Case, key: str, nodes: Mapping[Cid, bytes]) -> Cid | None:
    commit = signed(case.after)
    blocks = [commit, RECORD, *nodes.values()]
    car = b"".join(write_car(cid_of(commit), [(cid_of(block), block) for block in blocks]))
    collection, _, rkey = key.partition("/")
    return prove_record(car, did=DID, key=DID, collection=collection, rkey=rkey).cid


def without(nodes: Mapping[Cid, bytes], gone: Cid) -> dict[Cid, bytes]:
    return {cid: block for cid, block in nodes.items() if cid != gone}


def test_the_nodes_of_the_commit_prove_every_key_that_it_added_or_deleted(case: Case) -> None:
    found = {key: proven(case, key, case.nodes) for key in case.ways}

    assert found == {**dict.fromkeys(case.adds, VALUE), **dict.fromkeys(case.dels)}


def test_a_key_is_proven_by_the_nodes_on_its_way_and_by_no_fewer(case: Case) -> None:
    for key in case.ways:
        value, needed = VALUE if key in case.adds else None, case.needed(key)
        for gone in case.nodes:
            if gone in needed:
                with pytest.raises(MissingBlock, match=str(gone)):
                    proven(case, key, without(case.nodes, gone))
            else:
                assert proven(case, key, without(case.nodes, gone)) == value
        assert proven(case, key, {cid: case.nodes[cid] for cid in needed}) == value


def undone(case: Case, nodes: Mapping[Cid, bytes]) -> Cid:
    def load(cid: Cid) -> bytes:
        if cid not in nodes:
            raise MissingBlock(cid, "the tree")
        return nodes[cid]

    back = {**dict.fromkeys(case.adds), **dict.fromkeys(case.dels, VALUE)}
    return edit_tree(load, case.after, back).root


def test_a_commit_is_undone_by_its_nodes_alone(case: Case) -> None:
    assert undone(case, case.nodes) == case.before


def test_a_commit_without_one_of_its_nodes_is_never_undone_to_another_root(case: Case) -> None:
    for gone in case.nodes:
        try:
            assert undone(case, without(case.nodes, gone)) == case.before
        except MissingBlock as missing:
            assert str(gone) in str(missing)  # noqa: PT017  # either is right
            continue
        assert gone != case.after
