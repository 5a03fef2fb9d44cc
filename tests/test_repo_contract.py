"""What every repo must do, held against both: the one in a folder and the one on a PDS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from publisher.data import RAW, Cid, Value, blob_cid, record_cid
from publisher.errors import RepoRefused, SwapRefused
from publisher.folder import FolderRepo
from publisher.repo import Applied, CreateWrite, DeleteWrite, Repo, UpdateWrite, Write
from publisher.syntax import Nsid, Rkey, tid, tid_value
from tests.fetched import fetched
from tests.pds_repo import open_pds_repo

NOTE = Nsid("com.example.note")
PAGE = Nsid("com.example.page")
CONTENT = b"the content of a blob"
LINK = Cid.parse("bafyreie5cvv4h45feadgeuwhbcutmh6t2ceseocckahdoe6uat64zmz454")


@pytest.fixture(params=["folder", "pds"])
def repo(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Repo]:
    """An empty repo of each kind."""
    opened: Repo
    if request.param == "folder":
        opened = FolderRepo.create(tmp_path / "repo")
    else:
        pds, account = request.getfixturevalue("pds"), request.getfixturevalue("account")
        opened = open_pds_repo(pds, account)
    yield opened
    opened.close()


def note(text: str, *blobs: Value) -> dict[str, Value]:
    return {"$type": NOTE, "text": text, "blobs": list(blobs)}


def blob(
    content: bytes = CONTENT, *, mime_type: str = "text/plain", size: int | None = None
) -> Value:
    return {
        "$type": "blob",
        "ref": Cid.of(content, RAW),
        "mimeType": mime_type,
        "size": len(content) if size is None else size,
    }


def create(rkey: str, text: str = "text", *blobs: Value) -> CreateWrite:
    return CreateWrite(NOTE, Rkey(rkey), note(text, *blobs))


def put(repo: Repo, *writes: Write) -> Applied:
    return repo.apply(writes, swap_commit=repo.head().cid)


def texts(repo: Repo) -> dict[str, Value]:
    records = repo.read([NOTE]).records[NOTE]
    return {rkey: record.value["text"] for rkey, record in records.items()}


def cid_of(repo: Repo, rkey: str) -> str:
    return repo.read([NOTE]).records[NOTE][Rkey(rkey)].cid


def test_an_empty_repo_reads_as_empty(repo: Repo) -> None:
    snapshot = repo.read([NOTE, PAGE])

    assert repo.collections() == []
    assert snapshot.commit == repo.head()
    assert {name: dict(records) for name, records in snapshot.records.items()} == {
        NOTE: {},
        PAGE: {},
    }
    assert repo.blobs() == set()


def test_a_created_record_is_read_with_the_cid_that_was_answered(repo: Repo) -> None:
    applied = put(repo, create("a"))

    record = repo.read([NOTE]).records[NOTE][Rkey("a")]
    assert list(applied.cids) == [record.cid] == [record_cid(note("text"))]
    assert (record.collection, record.rkey, record.value) == (NOTE, "a", note("text"))


def test_a_batch_answers_the_commit_that_it_made(repo: Repo) -> None:
    before = repo.head()

    applied = put(repo, create("a"))

    assert applied.commit == repo.head() == repo.read([]).commit
    assert applied.commit.cid != before.cid
    assert tid_value(applied.commit.rev) > tid_value(before.rev)


def test_an_update_replaces_the_record(repo: Repo) -> None:
    put(repo, create("a", "old"), create("b", "old"))

    applied = put(repo, UpdateWrite(NOTE, Rkey("a"), note("new"), cid_of(repo, "a")))

    assert list(applied.cids) == [record_cid(note("new"))]
    assert texts(repo) == {"a": "new", "b": "old"}


def test_a_delete_removes_the_record_and_the_last_one_the_collection(repo: Repo) -> None:
    put(repo, create("a"), create("b"))

    applied = put(repo, DeleteWrite(NOTE, Rkey("a"), cid_of(repo, "a")))
    assert list(applied.cids) == [None]
    assert texts(repo) == {"b": "text"}

    put(repo, DeleteWrite(NOTE, Rkey("b"), cid_of(repo, "b")))
    assert repo.collections() == []


def test_a_batch_answers_in_the_order_of_its_writes(repo: Repo) -> None:
    put(repo, create("a"), create("b"))

    applied = put(
        repo,
        create("z", "z"),
        DeleteWrite(NOTE, Rkey("a"), cid_of(repo, "a")),
        UpdateWrite(NOTE, Rkey("b"), note("b"), cid_of(repo, "b")),
    )

    assert list(applied.cids) == [record_cid(note("z")), None, record_cid(note("b"))]


def test_a_stale_commit_is_refused_and_nothing_changes(repo: Repo) -> None:
    stale = repo.head()
    put(repo, create("a"))
    before = repo.head()

    with pytest.raises(SwapRefused):
        repo.apply([create("b")], swap_commit=stale.cid)

    assert repo.head() == before
    assert texts(repo) == {"a": "text"}


REFUSED: dict[str, Callable[[], Write]] = {
    "create over a record": lambda: create("a"),
    "update of nothing": lambda: UpdateWrite(NOTE, Rkey("x"), note(""), record_cid(note(""))),
    "delete of nothing": lambda: DeleteWrite(NOTE, Rkey("x"), record_cid(note(""))),
    "a blob never uploaded": lambda: create("x", "text", blob(b"never uploaded")),
    "$type of another collection": lambda: CreateWrite(NOTE, Rkey("x"), {"$type": PAGE}),
    "an invalid rkey": lambda: create("a b"),
}


@pytest.mark.parametrize("write", REFUSED.values(), ids=REFUSED)
def test_a_refused_write_undoes_its_whole_batch(repo: Repo, write: Callable[[], Write]) -> None:
    put(repo, create("a"))
    before = repo.head()

    with pytest.raises(RepoRefused):
        put(repo, create("b"), write(), create("c"))

    assert repo.head() == before
    assert texts(repo) == {"a": "text"}


def test_collections_are_listed_and_read_apart(repo: Repo) -> None:
    put(repo, create("a"), CreateWrite(PAGE, Rkey("a"), {"$type": PAGE}))

    assert repo.collections() == [NOTE, PAGE]
    assert list(repo.read([PAGE]).records) == [PAGE]
    assert {name: list(records) for name, records in repo.read([NOTE, PAGE]).records.items()} == {
        NOTE: ["a"],
        PAGE: ["a"],
    }


def test_a_blob_is_uploaded_referred_to_listed_and_fetched(repo: Repo) -> None:
    repo.upload_blob(CONTENT, "text/plain")
    assert repo.blobs() == set()

    put(repo, create("a", "text", blob()))

    assert repo.blobs() == {blob_cid(CONTENT)}
    assert fetched(repo, blob_cid(CONTENT)) == CONTENT


def test_uploading_a_blob_again_changes_nothing(repo: Repo) -> None:
    repo.upload_blob(CONTENT, "text/plain")
    put(repo, create("a", "text", blob()))
    before = repo.head()

    repo.upload_blob(CONTENT, "text/plain")

    assert repo.head() == before
    assert fetched(repo, blob_cid(CONTENT)) == CONTENT


def test_a_blob_that_nothing_refers_to_can_not_be_fetched(repo: Repo) -> None:
    repo.upload_blob(CONTENT, "text/plain")

    with pytest.raises(RepoRefused):
        fetched(repo, blob_cid(CONTENT))


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        (blob(b"never uploaded"), "BlobNotFound"),
        (blob(mime_type="text/html"), "InvalidMimeType"),
        (blob(size=1), "InvalidSize"),
    ],
)
def test_a_record_that_misdescribes_a_new_blob_is_refused(
    repo: Repo, reference: Value, name: str
) -> None:
    repo.upload_blob(CONTENT, "text/plain")

    with pytest.raises(RepoRefused) as caught:
        put(repo, create("a", "text", reference))

    assert caught.value.name == name
    assert texts(repo) == {}


def test_a_blob_goes_with_the_last_record_that_refers_to_it(repo: Repo) -> None:
    repo.upload_blob(CONTENT, "text/plain")
    put(repo, create("a", "1", blob()), create("b", "2", blob()))

    put(repo, DeleteWrite(NOTE, Rkey("a"), cid_of(repo, "a")))
    assert fetched(repo, blob_cid(CONTENT)) == CONTENT

    put(repo, UpdateWrite(NOTE, Rkey("b"), note("none"), cid_of(repo, "b")))
    assert repo.blobs() == set()
    with pytest.raises(RepoRefused):
        fetched(repo, blob_cid(CONTENT))
    with pytest.raises(RepoRefused) as caught:
        put(repo, create("c", "text", blob()))
    assert caught.value.name == "BlobNotFound"


def test_a_blob_that_moves_within_a_batch_stays(repo: Repo) -> None:
    repo.upload_blob(CONTENT, "text/plain")
    put(repo, create("a", "1", blob()))

    put(repo, DeleteWrite(NOTE, Rkey("a"), cid_of(repo, "a")), create("b", "2", blob()))

    assert fetched(repo, blob_cid(CONTENT)) == CONTENT


def test_many_writes_are_cut_into_batches_that_are_taken(repo: Repo) -> None:
    writes = [create(tid(number << 20), str(number)) for number in range(450)]

    commit = repo.head()
    batches = list(repo.batches(writes))
    for batch in batches:
        commit = repo.apply(batch, swap_commit=commit.cid).commit

    assert [write for batch in batches for write in batch] == writes
    assert len(batches) == 3
    assert texts(repo) == {write.rkey: write.value["text"] for write in writes}
    assert repo.head() == commit


VALUES: dict[str, Value] = {
    "unicode": "Grüße 👩‍👩‍👧‍👦 \u0000 \ufeff \u2028 \U0010ffff",
    "keys": {"": 1, "ß": 2, "aa": 3, "b": 4, "👋": 5, "A": 6},
    "nested": [[[[{"a": [{"b": {}}]}]]], [], {}],
    "bytes": [b"", b"\x00\xff", bytes(range(256))],
    "links": [LINK, {"ref": LINK}],
    "null and booleans": [None, True, False, {"a": None}],
    "integers": [0, -1, 2**53 - 1, -(2**53 - 1), 23, 24, 255, 256, 65535, 65536],
    "a big string": "ä" * 100_000,
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_values_come_back_as_they_went_out(repo: Repo, value: Value) -> None:
    written: dict[str, Value] = {"$type": NOTE, "value": value}

    applied = put(repo, CreateWrite(NOTE, Rkey("a"), written))

    record = repo.read([NOTE]).records[NOTE][Rkey("a")]
    assert record.value == written
    assert list(applied.cids) == [record.cid] == [record_cid(written)]


@pytest.mark.parametrize("rkey", ["self", "3jqfcqzm3fo2j", "a.b", "_", "~a:b-c", "A" * 512])
def test_every_kind_of_rkey_is_kept(repo: Repo, rkey: str) -> None:
    put(repo, create(rkey))

    assert texts(repo) == {rkey: "text"}


def test_one_write_by_its_own_swap_needs_no_commit_and_is_safe_to_send_twice(repo: Repo) -> None:
    first = create("3lzzzzzzzzz22", "one")
    cid = repo.apply_one(first)
    assert cid is not None
    update = UpdateWrite(NOTE, first.rkey, note("two"), cid)

    assert repo.apply_one(first) == cid
    after = repo.apply_one(update)
    assert repo.apply_one(update) == after == cid_of(repo, first.rkey)
    assert after is not None
    delete = DeleteWrite(NOTE, first.rkey, after)
    assert repo.apply_one(delete) is None
    assert repo.apply_one(delete) is None
    assert texts(repo) == {}


@pytest.mark.parametrize("kind", ["create", "update", "delete"])
def test_one_write_that_names_another_record_than_is_there_is_refused(
    repo: Repo, kind: str
) -> None:
    there = create("3lzzzzzzzzz22", "theirs")
    repo.apply_one(there)
    stale = record_cid(note("what was read"))
    writes: dict[str, Write] = {
        "create": create(there.rkey, "ours"),
        "update": UpdateWrite(NOTE, there.rkey, note("ours"), stale),
        "delete": DeleteWrite(NOTE, there.rkey, stale),
    }

    with pytest.raises(SwapRefused):
        repo.apply_one(writes[kind])

    assert texts(repo) == {there.rkey: "theirs"}


def test_one_update_of_a_record_that_is_gone_is_refused(repo: Repo) -> None:
    with pytest.raises(SwapRefused):
        repo.apply_one(UpdateWrite(NOTE, Rkey("3lzzzzzzzzz22"), note("ours"), str(LINK)))
