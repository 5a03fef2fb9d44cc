"""How a repo on a PDS is read: the cheapest way, and never anything but the truth."""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from publisher import mirror
from publisher.archive import write_car
from publisher.data import DAG_CBOR, Cid, Value, encode
from publisher.errors import RepoUnavailable, StateError
from publisher.pds import PdsRepo, archives, reading, xrpc
from publisher.repo import CreateWrite, DeleteWrite, Snapshot, UpdateWrite, Write
from publisher.spool import whole
from publisher.syntax import Did, Nsid, Rkey, tid
from tests.pds_repo import open_pds_repo
from tests.reference_pds import Account, ReferencePds
from tests.repo_server import (
    BLOCKS,
    HEAD,
    LIKE,
    LIST,
    NOTE,
    REPO,
    RepoServer,
    note,
    opened,
    path,
)

MANY = {path(number): note(f"note {number}") for number in range(150)}
LIKES = {path(number, LIKE): note(f"like {number}") for number in range(400)}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xrpc, "sleep", lambda _: None)


@pytest.fixture
def server() -> RepoServer:
    made = RepoServer()
    made.put(MANY | LIKES)
    return made


def values(snapshot: Snapshot) -> Mapping[str, Value]:
    """Everything that was read, by place."""
    return {
        f"{name}/{rkey}": whole(record.value)
        for name, records in snapshot.records.items()
        for rkey, record in records.items()
    }


def notes(server: RepoServer) -> Mapping[str, Value]:
    return {at: value for at, value in server.now.values.items() if at.startswith(f"{NOTE}/")}


def requests(server: RepoServer) -> Mapping[str, int]:
    """What was asked since the last time."""
    counted = Counter(server.asked)
    server.asked.clear()
    return counted


def holds(snapshot: Snapshot, server: RepoServer) -> bool:
    """Whether it is what the server has now."""
    at = (snapshot.commit.cid, snapshot.commit.rev) == (
        str(server.now.blocks()[0]),
        server.now.rev,
    )
    return at and values(snapshot) == notes(server)


# --- what was read before


def test_a_repo_that_has_not_moved_costs_one_request(server: RepoServer) -> None:
    with opened(server) as repo:
        repo.read([NOTE])
        requests(server)
        assert holds(repo.read([NOTE]), server)
    assert requests(server) == {HEAD: 1}


def test_the_next_run_knows_what_this_one_has_read(server: RepoServer, tmp_path: Path) -> None:
    with opened(server, state=tmp_path) as repo:
        repo.read([NOTE])
    requests(server)
    with opened(server, state=tmp_path) as repo:
        assert holds(repo.read([NOTE]), server)
    assert requests(server) == {HEAD: 1}


def test_no_folder_is_made_to_remember(server: RepoServer, tmp_path: Path) -> None:
    with opened(server, state=tmp_path / "missing") as repo:
        assert holds(repo.read([NOTE]), server)
    assert list(tmp_path.iterdir()) == []


def test_read_afresh_nothing_is_taken_from_memory(server: RepoServer) -> None:
    with opened(server) as repo:
        repo.read([NOTE])
        requests(server)
        assert holds(repo.read([NOTE], afresh=True), server)
    assert requests(server) == {HEAD: 2, LIST: 2}


def test_a_collection_that_was_not_read_before_is_read(server: RepoServer) -> None:
    with opened(server) as repo:
        repo.read([NOTE])
        assert values(repo.read([NOTE, LIKE])) == server.now.values


def test_a_damaged_memory_is_forgotten(server: RepoServer, tmp_path: Path) -> None:
    with opened(server, state=tmp_path) as repo:
        repo.read([NOTE])
    (tmp_path / reading.MIRROR).write_bytes(b"SQLite format 3\x00" + b"x" * 20_000)
    with opened(server, state=tmp_path) as repo:
        assert holds(repo.read([NOTE]), server)


# --- what has changed since

CHANGES: dict[str, tuple[dict[str, Value], list[str]]] = {
    "a record of others": ({path(999, LIKE): note("new")}, []),
    "a new record": ({path(999): note("new")}, []),
    "the first of all": ({path(0, Nsid("a.a.a")): note("new")}, []),
    "an update": ({path(77): note("other")}, []),
    "a delete": ({}, [path(78)]),
    "deletes in a row": ({}, [path(number) for number in range(40, 120)]),
    "all of it gone": ({}, list(MANY)),
    "a copy of another": ({path(999): note("note 5")}, []),
    "everything": ({at: note("x" + at) for at in MANY}, list(LIKES)),
    "nothing but the rev": ({}, []),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_has_changed_is_all_that_is_fetched(
    server: RepoServer, change: tuple[dict[str, Value], list[str]]
) -> None:
    changed, gone = change
    with opened(server) as repo:
        repo.read([NOTE])
        requests(server)
        server.put(changed, *gone)
        assert holds(repo.read([NOTE]), server)
        asked = requests(server)
        assert (asked[HEAD], asked[REPO], asked[LIST]) == (1, 1, 0)
        assert asked[BLOCKS] <= 8
        assert holds(repo.read([NOTE]), server)
        assert requests(server) == {HEAD: 1}


def without(kind: str) -> Callable[[RepoServer], None]:
    """Leave blocks out of the next CARs: that of the commit, of the tree, or of the new record."""

    def spoil(server: RepoServer) -> None:
        def answer(root: Cid, blocks: dict[Cid, bytes]) -> bytes:
            record = Cid.of(encode(note("new")), DAG_CBOR)
            lost = {"commit": {root}, "record": {record}, "tree": set(blocks) - {root, record}}
            return car(root, {cid: b for cid, b in blocks.items() if cid not in lost[kind]})

        server.car = answer

    return spoil


def car(root: Cid, blocks: Mapping[Cid, bytes]) -> bytes:
    return b"".join(write_car(root, blocks.items()))


def cut(server: RepoServer) -> None:
    server.car = lambda root, blocks: car(root, blocks)[:-5]


def flip(server: RepoServer) -> None:
    server.car = lambda root, blocks: car(root, blocks)[:-1] + b"\x00"


def other_did(server: RepoServer) -> None:
    true = server.now

    def answer(_root: Cid, _blocks: dict[Cid, bytes]) -> bytes:
        server.lie(did=Did("did:plc:" + "b" * 24))
        root, blocks = server.now.blocks()
        server.states[-1] = true
        return car(root, blocks)

    server.car = answer


def run_back(server: RepoServer) -> None:
    server.lie(rev=tid(1))


def html(server: RepoServer) -> None:
    server.car = lambda _root, _blocks: b"<!doctype html>"


def nothing(server: RepoServer) -> None:
    server.car = lambda root, _blocks: car(root, {})


@pytest.mark.parametrize(
    "spoil",
    [without("commit"), without("record"), cut, flip, other_did, run_back, html, nothing],
    ids=["no commit", "no record", "cut", "flipped", "other DID", "rev runs back", "HTML", "empty"],
)
def test_what_is_in_doubt_is_read_as_a_whole(
    server: RepoServer, spoil: Callable[[RepoServer], None]
) -> None:
    with opened(server) as repo:
        repo.read([NOTE])
        server.put({path(999): note("new")}, path(3))
        spoil(server)
        requests(server)
        assert holds(repo.read([NOTE]), server)
    assert requests(server)[LIST] == 2


def test_a_torn_car_costs_more_and_changes_nothing(server: RepoServer) -> None:
    with opened(server) as repo:
        repo.read([NOTE])
        server.put({path(999): note("new")}, path(3))
        without("tree")(server)
        assert holds(repo.read([NOTE]), server)


def test_a_server_that_forgot_the_rev_and_sends_everything_is_understood(
    server: RepoServer,
) -> None:
    with opened(server) as repo:
        repo.read([NOTE])
        server.put({path(999): note("new")}, path(3))
        del server.states[:-1]
        requests(server)
        assert holds(repo.read([NOTE]), server)
    assert requests(server) == {HEAD: 1, REPO: 1}


# --- the whole


def few(monkeypatch: pytest.MonkeyPatch, pages: int = 1) -> None:
    monkeypatch.setattr(reading, "FEW_PAGES", pages)


def test_few_records_beside_many_others_are_listed(server: RepoServer) -> None:
    with opened(server) as repo:
        assert holds(repo.read([NOTE]), server)
    assert requests(server) == {HEAD: 2, LIST: 2}


def test_many_records_come_in_a_car(server: RepoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    few(monkeypatch)
    with opened(server) as repo:
        assert holds(repo.read([NOTE]), server)
        assert requests(server) == {HEAD: 1, LIST: 1, REPO: 1}
        server.put({path(999): note("new")})
        assert holds(repo.read([NOTE]), server)
    assert requests(server) == {HEAD: 1, REPO: 1}


def test_a_torn_car_is_fetched_again(server: RepoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    few(monkeypatch)
    whole_car = server.car

    def once(root: Cid, blocks: dict[Cid, bytes]) -> bytes:
        server.car = whole_car
        return car(root, dict(list(blocks.items())[:2]))

    server.car = once
    with opened(server) as repo:
        assert holds(repo.read([NOTE]), server)
    assert requests(server) == {HEAD: 1, LIST: 1, REPO: 2}


def test_a_car_that_stays_torn_is_given_up(
    server: RepoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    few(monkeypatch)
    without("tree")(server)
    with opened(server) as repo:
        assert holds(repo.read([NOTE]), server)
    assert requests(server) == {HEAD: 2, LIST: 2, REPO: 3}


@pytest.mark.parametrize("spoil", [without("commit"), cut, flip, other_did, html, nothing])
def test_no_car_that_is_wrong_is_believed(
    server: RepoServer, spoil: Callable[[RepoServer], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    few(monkeypatch)
    spoil(server)
    with opened(server) as repo:
        assert holds(repo.read([NOTE]), server)
    assert requests(server)[LIST] == 2


def moving(server: RepoServer, times: int) -> Callable[[int], None]:
    def move(asked: int) -> None:
        if 0 < asked <= times:
            server.put({path(999, LIKE): note(str(asked))})

    return move


def test_a_listing_that_was_overtaken_is_done_again(server: RepoServer) -> None:
    server.moves = moving(server, 2)
    with opened(server) as repo:
        assert holds(repo.read([NOTE]), server)
    assert requests(server) == {HEAD: 4, LIST: 6}


def test_a_repo_that_never_rests_comes_in_a_car(server: RepoServer) -> None:
    server.moves = moving(server, 99)
    with opened(server) as repo:
        assert holds(repo.read([NOTE]), server)
    assert requests(server) == {HEAD: 4, LIST: 6, REPO: 1}


def test_a_repo_that_never_rests_and_has_no_car_is_unavailable(server: RepoServer) -> None:
    server.moves = moving(server, 99)
    html(server)
    unavailable = pytest.raises(RepoUnavailable, match="changed each of the 3 times")
    with opened(server) as repo, unavailable:
        repo.read([NOTE])


STRANGE: dict[str, Value] = {"a list": [1, 2], "a text": "text"}


@pytest.mark.parametrize("value", STRANGE.values(), ids=STRANGE)
def test_a_record_that_is_none_stops_nothing_and_is_remembered(
    server: RepoServer, value: Value, monkeypatch: pytest.MonkeyPatch
) -> None:
    few(monkeypatch)
    server.put({path(700): value})
    with opened(server) as repo:
        for _ in range(3):
            snapshot = repo.read([NOTE])
            assert values(snapshot) == MANY
            assert {f"{c}/{r}": why for (c, r), why in snapshot.unreadable.items()} == {
                path(700): "is no record of the data model: it is no object"
            }
            server.put({path(999, LIKE): note("like")})


# --- the real server


@pytest.fixture
def repo(pds: ReferencePds, account: Account) -> Iterator[PdsRepo]:
    made = open_pds_repo(pds, account)
    yield made
    made.close()


COLLECTIONS = [Nsid(f"com.example.{name}") for name in ("a", "note", "note2", "z")]


def some_writes(chance: random.Random, there: dict[tuple[Nsid, Rkey], str]) -> list[Write]:
    """Make up to 60 writes, each in a place of its own."""
    places = [
        (chance.choice(COLLECTIONS), Rkey(tid(chance.randrange(400) << 20)))
        for _ in range(chance.choice([1, 2, 60]))
    ]
    writes: list[Write] = []
    for collection, rkey in dict.fromkeys(places):
        value: dict[str, Value] = {"$type": collection, "n": chance.randrange(3)}
        cid = there.get((collection, rkey))
        if cid is None:
            writes.append(CreateWrite(collection, rkey, value))
        elif chance.random() < 0.5:
            writes.append(UpdateWrite(collection, rkey, value, cid))
        else:
            writes.append(DeleteWrite(collection, rkey, cid))
    return writes


@pytest.mark.parametrize("seed", range(3))
def test_what_is_remembered_of_the_reference_pds_stays_what_it_holds(
    pds: ReferencePds, account: Account, repo: PdsRepo, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311  # the same in every run
    other = open_pds_repo(pds, account)
    there: dict[tuple[Nsid, Rkey], str] = {}
    wanted = [COLLECTIONS[1], COLLECTIONS[3]][: 1 + seed % 2]
    repo.read(wanted)
    pds.reset()
    for _ in range(12):
        for _ in range(chance.randrange(1, 4)):
            writer = chance.choice([repo, other])
            writes = some_writes(chance, there)
            applied = writer.apply(writes, swap_commit=writer.head().cid)
            for made, cid in zip(writes, applied.cids, strict=True):
                if cid is None:
                    del there[made.collection, made.rkey]
                else:
                    there[made.collection, made.rkey] = cid
        snapshot = repo.read(wanted)
        assert snapshot.commit == repo.head()
        cids = {
            (name, rkey): record.cid
            for name, records in snapshot.records.items()
            for rkey, record in records.items()
        }
        assert cids == {place: cid for place, cid in there.items() if place[0] in wanted}
        for records in snapshot.records.values():
            assert all(whole(record.value) for record in records.values())
    assert pds.stats().count(LIST) == 0
    assert pds.stats().count(REPO) > 5
    other.close()


def test_our_own_batches_are_not_read_again(pds: ReferencePds, repo: PdsRepo) -> None:
    commit = repo.read([NOTE]).commit
    for number in range(3):
        write = CreateWrite(NOTE, Rkey(tid(number << 20)), {"$type": NOTE, "n": number})
        commit = repo.apply([write], swap_commit=commit.cid).commit
    pds.reset()
    snapshot = repo.read([NOTE])
    assert snapshot.commit == commit
    assert len(values(snapshot)) == 3
    assert pds.stats().counts == {HEAD: 1}


def test_a_single_write_of_ours_is_found_like_anybody_elses(
    pds: ReferencePds, repo: PdsRepo
) -> None:
    repo.read([NOTE])
    repo.apply_one(CreateWrite(NOTE, Rkey(tid(1 << 20)), {"$type": NOTE}))
    pds.reset()
    assert len(repo.read([NOTE]).records[NOTE]) == 1
    assert pds.stats().count(LIST) == 0


def test_many_records_of_the_reference_pds_come_in_a_car(
    pds: ReferencePds, repo: PdsRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    few(monkeypatch)
    writes: list[Write] = [
        CreateWrite(NOTE, Rkey(tid(number << 20)), {"$type": NOTE, "n": number})
        for number in range(180)
    ]
    repo.apply(writes, swap_commit=repo.head().cid)
    pds.reset()
    snapshot = repo.read([NOTE], afresh=True)
    assert pds.stats().count(REPO) == 1
    assert values(snapshot) == {
        f"{w.collection}/{w.rkey}": w.value for w in writes if not isinstance(w, DeleteWrite)
    }


def test_a_full_disk_for_temporary_files_is_an_error_with_a_remedy(
    server: RepoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    few(monkeypatch)
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    monkeypatch.setattr(archives, "temporary_file", lambda: full.open("wb", buffering=0))
    with opened(server) as repo, pytest.raises(StateError, match="No space left") as caught:
        repo.read([NOTE])
    assert "TMPDIR" in caught.value.remedy


def test_where_the_folder_has_no_room_what_is_read_lies_elsewhere(
    server: RepoServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = mirror._connect

    def small(name: str, did: Did) -> sqlite3.Connection:
        database = connect(name, did)
        if name:
            database.execute("PRAGMA max_page_count = 12")
        return database

    monkeypatch.setattr(mirror, "_connect", small)
    with opened(server, state=tmp_path) as repo:
        assert values(repo.read([NOTE])) == notes(server)
        assert values(repo.read([NOTE], afresh=True)) == notes(server)
    assert (tmp_path / reading.MIRROR).stat().st_size <= 12 * 4096
