"""What is remembered of a repo: the same as was read, whatever happens to the file."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from publisher.data import DAG_CBOR, Cid, Value, encode, record_cid
from publisher.errors import StateError
from publisher.mirror import Entry, Mirror
from publisher.repo import Applied, Commit, CreateWrite, DeleteWrite, Snapshot, UpdateWrite
from publisher.spool import whole
from publisher.syntax import Did, Nsid, Rkey

ALICE, BOB = Did("did:plc:alice"), Did("did:plc:bob")
NOTE, PAGE = Nsid("com.example.note"), Nsid("com.example.page")
A, B, C = Rkey("a"), Rkey("b"), Rkey("c")
Values = Mapping[Rkey, str]


def commit(number: int) -> Commit:
    return Commit(record_cid(number), f"rev {number}")


def note(text: str) -> dict[str, Value]:
    return {"$type": NOTE, "text": text, "long": text * 300}


def cid(text: str) -> str:
    return record_cid(note(text))


def fill(mirror: Mirror, at: int, values: Values, *collections: Nsid) -> None:
    """Replace what the mirror holds by these notes."""
    mirror.keep((cid(text), encode(note(text))) for text in values.values())
    entries = {(NOTE, rkey): Entry(cid(text)) for rkey, text in values.items()}
    mirror.replace(commit(at), [NOTE, *collections], entries, {})


def texts(snapshot: Snapshot | None) -> Values | None:
    if snapshot is None:
        return None
    return {rkey: str(record.value["text"]) for rkey, record in snapshot.records[NOTE].items()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mirror.sqlite"


@pytest.fixture(params=["file", "temporary"])
def mirror(request: pytest.FixtureRequest, path: Path) -> Iterator[Mirror]:
    opened = Mirror.open(path if request.param == "file" else None, ALICE)
    yield opened
    opened.close()


def test_a_new_mirror_knows_nothing(mirror: Mirror) -> None:
    assert mirror.commit is None
    assert mirror.snapshot([]) is None
    assert mirror.entries == {}
    assert mirror.block(cid("x")) is None


def test_what_was_read_is_there_with_its_commit(mirror: Mirror) -> None:
    fill(mirror, 1, {A: "one", B: "two"}, PAGE)
    snapshot = mirror.snapshot([NOTE, PAGE])
    assert snapshot
    assert (snapshot.commit, snapshot.unreadable) == (commit(1), {})
    assert snapshot.records[PAGE] == {}
    record = snapshot.records[NOTE][A]
    assert (record.collection, record.rkey, record.cid) == (NOTE, A, cid("one"))
    assert whole(record.value) == note("one")
    assert texts(snapshot) == {A: "one", B: "two"}


def test_a_collection_that_was_not_read_is_not_known_to_be_empty(mirror: Mirror) -> None:
    fill(mirror, 1, {A: "one"})
    assert mirror.snapshot([NOTE, PAGE]) is None
    assert mirror.collections == {NOTE}


def test_a_replaced_mirror_holds_only_what_was_read_last(mirror: Mirror) -> None:
    fill(mirror, 1, {A: "one", B: "two"}, PAGE)
    fill(mirror, 2, {A: "three"})
    assert texts(mirror.snapshot([NOTE])) == {A: "three"}
    assert mirror.snapshot([PAGE]) is None


def test_a_mirror_advances_by_what_changed(mirror: Mirror) -> None:
    fill(mirror, 1, {A: "one", B: "two"})
    mirror.keep([(cid("new"), encode(note("new")))])
    node = encode({"e": [], "l": None})
    edges = {Cid.of(node, DAG_CBOR): node}
    mirror.advance(commit(2), {(NOTE, C): Entry(cid("new"))}, [(NOTE, A)], edges)
    assert texts(mirror.snapshot([NOTE])) == {B: "two", C: "new"}
    assert (mirror.commit, mirror.edges) == (commit(2), edges)


def test_a_value_that_is_looked_at_late_is_still_the_one_of_its_cid(mirror: Mirror) -> None:
    fill(mirror, 1, {A: "one"})
    before = mirror.snapshot([NOTE])
    fill(mirror, 2, {A: "two"})
    fill(mirror, 3, {})
    mirror.close()
    del mirror
    assert before
    assert whole(before.records[NOTE][A].value) == note("one")


def test_records_that_can_not_be_read_are_named(mirror: Mirror) -> None:
    entries = {(NOTE, A): Entry(cid("x"), "it is a float")}
    mirror.replace(commit(1), [NOTE], entries, {})
    snapshot = mirror.snapshot([NOTE])
    assert snapshot
    assert (snapshot.records, snapshot.unreadable) == ({NOTE: {}}, {(NOTE, A): "it is a float"})


WRITES = (
    CreateWrite(NOTE, C, note("new")),
    UpdateWrite(NOTE, A, note("newer"), cid("one")),
    DeleteWrite(NOTE, B, cid("two")),
    CreateWrite(PAGE, A, note("elsewhere")),
)
ANSWERED = Applied(commit(2), [cid("new"), cid("newer"), None, cid("elsewhere")])


def test_our_own_batch_is_taken_over(mirror: Mirror) -> None:
    fill(mirror, 1, {A: "one", B: "two"})
    mirror.applied(commit(1).cid, WRITES, ANSWERED)
    assert mirror.commit == commit(2)
    assert texts(mirror.snapshot([NOTE])) == {A: "newer", C: "new"}
    assert mirror.snapshot([PAGE]) is None


def test_a_batch_upon_another_commit_is_not_taken_over(mirror: Mirror) -> None:
    fill(mirror, 1, {A: "one", B: "two"})
    mirror.applied(commit(7).cid, WRITES, ANSWERED)
    assert mirror.commit == commit(1)
    assert texts(mirror.snapshot([NOTE])) == {A: "one", B: "two"}


def test_a_batch_that_the_server_holds_otherwise_is_not_taken_over(mirror: Mirror) -> None:
    fill(mirror, 1, {A: "one", B: "two"})
    other = Applied(commit(2), [cid("other"), *ANSWERED.cids[1:]])
    mirror.applied(commit(1).cid, WRITES, other)
    assert mirror.commit == commit(1)


def test_a_mirror_is_there_in_the_next_run(path: Path) -> None:
    first = Mirror.open(path, ALICE)
    fill(first, 1, {A: "one", B: "two"})
    first.applied(commit(1).cid, WRITES, ANSWERED)
    first.close()
    second = Mirror.open(path, ALICE)
    assert second.commit == commit(2)
    assert texts(second.snapshot([NOTE])) == {A: "newer", C: "new"}


def test_blocks_that_no_record_needs_go_in_the_next_run(path: Path) -> None:
    first = Mirror.open(path, ALICE)
    fill(first, 1, {A: "one", B: "two"})
    fill(first, 2, {A: "one"})
    assert first.block(cid("two"))
    second = Mirror.open(path, ALICE)
    second.keep([(cid("three"), encode(note("three")))])
    assert second.block(cid("one"))
    assert second.block(cid("two")) is None


def write_over(path: Path) -> None:
    path.write_bytes(b"something else" * 1000)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def age(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("spoil", [write_over, cut, age, empty])
def test_a_file_that_can_not_be_used_is_begun_anew(
    path: Path, spoil: Callable[[Path], None]
) -> None:
    mirror = Mirror.open(path, ALICE)
    fill(mirror, 1, {A: "one"})
    mirror.close()
    del mirror
    spoil(path)
    again = Mirror.open(path, ALICE)
    try:
        assert again.commit is None
    except StateError:  # what is damaged further inside is found when it is read
        again.begin_anew()
    fill(again, 2, {B: "two"})
    assert texts(Mirror.open(path, ALICE).snapshot([NOTE])) == {B: "two"}


def test_the_mirror_of_another_repo_is_begun_anew(path: Path) -> None:
    fill(Mirror.open(path, BOB), 1, {A: "one"})
    assert Mirror.open(path, ALICE).commit is None


def test_where_no_file_can_be_kept_the_mirror_is_temporary(path: Path) -> None:
    path.mkdir()
    mirror = Mirror.open(path, ALICE)
    fill(mirror, 1, {A: "one"})
    assert texts(mirror.snapshot([NOTE])) == {A: "one"}


def test_a_block_that_was_changed_on_the_disk_is_never_taken_for_the_record(path: Path) -> None:
    mirror = Mirror.open(path, ALICE)
    fill(mirror, 1, {A: "one"})
    with sqlite3.connect(path) as database:
        database.execute("UPDATE block SET content = ?", (encode(note("two")),))
    database.close()
    snapshot = mirror.snapshot([NOTE])
    assert snapshot
    with pytest.raises(StateError, match="is another") as caught:
        whole(snapshot.records[NOTE][A].value)
    assert f"delete {path}" in caught.value.remedy


def test_a_write_that_fails_leaves_what_was_there(path: Path) -> None:
    mirror = Mirror.open(path, ALICE)
    fill(mirror, 1, {A: "one"})

    def broken() -> Iterator[tuple[Nsid, Rkey]]:
        yield NOTE, A
        raise RuntimeError

    with pytest.raises(RuntimeError):
        mirror.advance(commit(2), {}, broken(), {})
    assert (mirror.commit, texts(mirror.snapshot([NOTE]))) == (commit(1), {A: "one"})


def test_threads_read_while_batches_are_taken_over(mirror: Mirror) -> None:
    fill(mirror, 0, {A: "0"})
    snapshot = mirror.snapshot([NOTE])
    assert snapshot
    seen: list[object] = []

    def look() -> None:
        values = (whole(snapshot.records[NOTE][A].value) for _ in range(100))
        seen.extend(value == note("0") for value in values)

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(50):
        write = UpdateWrite(NOTE, A, note(str(number + 1)), cid(str(number)))
        answered = Applied(commit(number + 1), [cid(str(number + 1))])
        mirror.applied(commit(number).cid, [write], answered)
    for thread in threads:
        thread.join()
    assert seen == [True] * 300
    assert texts(mirror.snapshot([NOTE])) == {A: "50"}


def test_ten_thousand_records_are_listed_in_a_moment(path: Path) -> None:
    mirror = Mirror.open(path, ALICE)
    fill(mirror, 1, {Rkey(str(number)): str(number) for number in range(10_000)})
    began = time.perf_counter()
    snapshot = mirror.snapshot([NOTE])
    assert snapshot
    assert len(snapshot.records[NOTE]) == 10_000
    assert time.perf_counter() - began < 1.0  # 0.04 s where nothing else runs
