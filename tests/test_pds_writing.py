"""What the reference PDS answers to writes, call by call, and what is made of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Thread

import httpx
import pytest

from publisher.data import RAW, Cid, Value, record_cid
from publisher.errors import (
    CredentialError,
    OutcomeUnknown,
    PublisherError,
    RepoRefused,
    SwapRefused,
)
from publisher.pds import PdsRepo, xrpc
from publisher.pds.batch import Batch
from publisher.repo import CreateWrite, DeleteWrite, UpdateWrite, Write
from publisher.syntax import Nsid, Rkey
from publisher.transport import GuardedTransport
from tests.pds_repo import open_pds_repo
from tests.reference_pds import Account, Fault, ReferencePds

NOTE, DOCUMENT = Nsid("com.example.note"), Nsid("site.standard.document")
APPLY, UPLOAD = "com.atproto.repo.applyWrites", "com.atproto.repo.uploadBlob"
PUT, DELETE = "com.atproto.repo.putRecord", "com.atproto.repo.deleteRecord"
GET, HEAD = "com.atproto.repo.getRecord", "com.atproto.sync.getLatestCommit"
RKEY = Rkey("3lzzzzzzzzz22")


def note(text: str, **members: Value) -> dict[str, Value]:
    return {"$type": NOTE, "text": text, **members}


OURS, THEIRS = note("ours"), note("theirs")
WAS = record_cid(note("what was read"))
CREATE = CreateWrite(NOTE, RKEY, OURS)


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Switch waiting off; what would have been waited is listed here."""
    waited: list[float] = []
    monkeypatch.setattr(xrpc, "sleep", waited.append)
    return waited


@pytest.fixture
def repo(pds: ReferencePds, account: Account) -> Iterator[PdsRepo]:
    opened = open_pds_repo(pds, account)
    opened.authenticate()
    pds.reset()
    yield opened
    opened.close()


def put(repo: PdsRepo, *writes: Write) -> list[str | None]:
    return list(repo.apply(writes, swap_commit=repo.head().cid).cids)


def there(repo: PdsRepo) -> dict[Rkey, Value]:
    return {rkey: record.value["text"] for rkey, record in repo.read([NOTE]).records[NOTE].items()}


def update(value: dict[str, Value] = OURS, swap: str = WAS) -> UpdateWrite:
    return UpdateWrite(NOTE, RKEY, value, swap)


def delete(swap: str = WAS) -> DeleteWrite:
    return DeleteWrite(NOTE, RKEY, swap)


Before = dict[str, Value] | None
ABSENT: Before = None

# What was there, what is written, whether it is refused, whether a commit is made.
BATCHED: list[tuple[Before, Write, bool, bool]] = [
    (ABSENT, CREATE, False, True),
    (OURS, CREATE, True, False),
    (THEIRS, CREATE, True, False),
    (ABSENT, update(), True, False),
    (OURS, update(), False, True),
    (THEIRS, update(), False, True),
    (ABSENT, delete(), True, False),
    (OURS, delete(), False, True),
    (THEIRS, delete(), False, True),
]


@pytest.mark.parametrize(("before", "write", "refused", "moves"), BATCHED)
def test_a_batch_is_applied_or_undone_whole(
    repo: PdsRepo, before: Before, write: Write, refused: bool, moves: bool
) -> None:
    if before:
        put(repo, CreateWrite(NOTE, RKEY, before))
    head = repo.head()
    beside = note("beside it")
    other = CreateWrite(NOTE, Rkey("3lzzzzzzzzz33"), beside)
    expected = None if isinstance(write, DeleteWrite) else record_cid(OURS)
    if refused:
        with pytest.raises(RepoRefused, match="nothing was written") as caught:
            put(repo, other, write)
        assert caught.value.name == "InternalServerError"
    else:
        assert put(repo, other, write) == [record_cid(beside), expected]
    assert (repo.head() != head) is moves
    assert (other.rkey in there(repo)) is not refused


# What was there, what is written, what comes of it, whether a commit is made.
SINGLE: list[tuple[Before, Write, type[PublisherError] | None, bool]] = [
    (ABSENT, CREATE, None, True),
    (OURS, CREATE, None, False),
    (THEIRS, CREATE, SwapRefused, False),
    (ABSENT, update(), SwapRefused, False),
    (OURS, update(), None, False),  # the swap is stale
    (THEIRS, update(), SwapRefused, False),
    (THEIRS, update(swap=record_cid(THEIRS)), None, True),
    (ABSENT, delete(), None, False),
    (THEIRS, delete(), SwapRefused, False),
    (THEIRS, delete(record_cid(THEIRS)), None, True),
]


@pytest.mark.parametrize(("before", "write", "refused", "moves"), SINGLE)
def test_one_write_goes_by_what_it_replaces(
    repo: PdsRepo,
    before: Before,
    write: Write,
    refused: type[PublisherError] | None,
    moves: bool,
) -> None:
    if before:
        put(repo, CreateWrite(NOTE, RKEY, before))
    head = repo.head()
    if refused:
        with pytest.raises(refused):
            repo.apply_one(write)
    else:
        wanted = None if isinstance(write, DeleteWrite) else record_cid(OURS)
        assert repo.apply_one(write) == wanted
    assert (repo.head() != head) is moves


ABSENT_BLOB: Value = {
    "$type": "blob",
    "ref": Cid.of(b"never uploaded", RAW),
    "mimeType": "image/png",
    "size": 14,
}
INVALID: dict[str, Value] = {
    "$type": DOCUMENT,
    "site": "https://alice.example",
    "publishedAt": "2026-02-05T10:00:00Z",
}
WRONG: dict[str, tuple[Write, str]] = {
    "no title": (CreateWrite(DOCUMENT, RKEY, INVALID), "InvalidRequest"),
    "a null": (
        CreateWrite(DOCUMENT, RKEY, {**INVALID, "title": "x", "description": None}),
        "InvalidRequest",
    ),
    "a rkey that is no TID": (
        CreateWrite(DOCUMENT, Rkey("about"), {**INVALID, "title": "x"}),
        "InvalidRequest",
    ),
    "another $type": (CreateWrite(DOCUMENT, RKEY, OURS), "InvalidRequest"),
    "a blob that isn't there": (
        CreateWrite(NOTE, RKEY, note("x", image=ABSENT_BLOB)),
        "BlobNotFound",
    ),
    "an integer of 2^53": (CreateWrite(NOTE, RKEY, note("x", n=2**53)), "InternalServerError"),
}


@pytest.mark.parametrize(("write", "name"), WRONG.values(), ids=WRONG)
def test_a_record_that_is_refused_keeps_its_error_name(
    repo: PdsRepo, write: Write, name: str
) -> None:
    head = repo.head()
    attempts: list[Callable[[], object]] = [
        lambda: put(repo, write),
        lambda: repo.apply_one(write),
    ]
    for attempt in attempts:
        with pytest.raises(RepoRefused) as caught:
            attempt()
        assert (caught.value.name, bool(caught.value.remedy)) == (name, True)
    assert repo.head() == head


def test_201_writes_are_refused_and_so_is_one_rkey_twice(repo: PdsRepo) -> None:
    head = repo.head()
    many = [CreateWrite(NOTE, Rkey(str(number)), OURS) for number in range(201)]
    with pytest.raises(RepoRefused, match="Too many writes"):
        put(repo, *many)
    with pytest.raises(RepoRefused, match="nothing was written"):
        put(repo, many[0], many[0])
    assert repo.head() == head


@pytest.mark.parametrize("size", [1_000_000, 6_000_000])
def test_a_body_that_is_too_large_is_refused_and_the_next_is_taken(
    repo: PdsRepo, size: int
) -> None:
    large = CreateWrite(NOTE, RKEY, note("x" * size))
    with pytest.raises(RepoRefused, match="it is too large"):
        put(repo, large)
    with pytest.raises(RepoRefused, match="it is too large"):
        repo.apply_one(large)
    put(repo, CREATE)
    assert there(repo) == {RKEY: "ours"}


def test_a_commit_that_is_too_large_is_refused(pds: ReferencePds, repo: PdsRepo) -> None:
    """So it answers where the blocks of a commit have more than 2,000,000 bytes."""
    message = "Too many writes. Max event size: 2MB"
    pds.faults([{"match": APPLY, "status": 400, "error": "InvalidRequest", "message": message}])
    with pytest.raises(RepoRefused, match="Max event size: 2MB"):
        put(repo, CREATE)


def test_of_eight_writers_at_one_commit_one_wins(repo: PdsRepo) -> None:
    head = repo.head().cid
    won: list[str] = []
    lost: list[str] = []

    def write(number: int) -> None:
        rkey = Rkey(str(number))
        try:
            repo.apply([CreateWrite(NOTE, rkey, OURS)], swap_commit=head)
        except SwapRefused:
            lost.append(rkey)
        else:
            won.append(rkey)

    threads = [Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(won), len(lost)) == (1, 7)
    assert list(there(repo)) == won


LOST: list[Fault] = [
    {"after": True},
    {"drop": True},
    {"status": 500},
    {"status": 502},
    {"status": 503},
    {"status": 504},
    {"status": 200, "body": "<html>"},
    {"status": 200, "body": "{}"},
    {"status": 200, "body": '{"commit": {"cid": "x", "rev": "y"}, "results": [{"cid": "z"}]}'},
]


@pytest.mark.parametrize("fault", LOST, ids=str)
def test_nobody_knows_what_became_of_writes_without_an_answer(
    pds: ReferencePds, repo: PdsRepo, fault: Fault
) -> None:
    head = repo.head().cid
    pds.faults([{"match": APPLY, **fault}, {"match": HEAD, "drop": True, "times": 9}])
    with pytest.raises(OutcomeUnknown, match="or did and couldn't say so") as caught:
        repo.apply([CREATE], swap_commit=head)
    assert "not written twice" in caught.value.remedy
    assert pds.stats().count(APPLY) == 1


def test_a_500_is_no_refusal_where_the_head_has_moved(
    pds: ReferencePds, repo: PdsRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_instead(APPLY, monkeypatch)
    with pytest.raises(OutcomeUnknown):
        put(repo, CREATE)
    assert there(repo) == {RKEY: "ours"}
    assert pds.stats().count(APPLY) == 1


def answer_instead(nsid: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the server do what it is asked for, and hear a 500."""
    send = GuardedTransport.handle_request

    def handle(self: GuardedTransport, request: httpx.Request) -> httpx.Response:
        answer = send(self, request)
        if not request.url.path.endswith(nsid):
            return answer
        answer.close()
        return httpx.Response(500, json={"error": "InternalServerError", "message": "x"})

    monkeypatch.setattr(GuardedTransport, "handle_request", handle)


REPEATED: list[tuple[str, Before, Write]] = [
    (PUT, ABSENT, CREATE),
    (PUT, THEIRS, update(swap=record_cid(THEIRS))),
    (DELETE, THEIRS, delete(record_cid(THEIRS))),
]


@pytest.mark.parametrize("row", REPEATED, ids=str)
@pytest.mark.parametrize("fault", [{"after": True}, {"drop": True}, {"status": 503}], ids=str)
def test_one_write_is_sent_again_when_no_answer_came(
    pds: ReferencePds, repo: PdsRepo, row: tuple[str, Before, Write], fault: Fault
) -> None:
    nsid, before, write = row
    if before:
        put(repo, CreateWrite(NOTE, RKEY, before))
    pds.faults([{"match": nsid, "times": 3, **fault}])
    wanted = None if isinstance(write, DeleteWrite) else record_cid(OURS)
    assert repo.apply_one(write) == wanted
    assert pds.stats().count(nsid) == 4
    assert there(repo) == ({RKEY: "ours"} if wanted else {})


def test_one_write_is_not_sent_for_ever(
    pds: ReferencePds, repo: PdsRepo, waits: list[float]
) -> None:
    pds.faults([{"match": PUT, "times": 9, "status": 503}])
    with pytest.raises(OutcomeUnknown):
        repo.apply_one(CREATE)
    assert pds.stats().count(PUT) == 4
    assert [0.5 <= wait <= 9 for wait in waits] == [True, True, True]
    assert waits[1] != 2 * waits[0]  # jitter


@pytest.mark.parametrize(("nsid", "before", "write"), REPEATED)
def test_a_500_to_one_write_is_settled_by_reading(
    repo: PdsRepo,
    nsid: str,
    before: Before,
    write: Write,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if before:
        put(repo, CreateWrite(NOTE, RKEY, before))
    answer_instead(nsid, monkeypatch)
    wanted = None if isinstance(write, DeleteWrite) else record_cid(OURS)
    assert repo.apply_one(write) == wanted


@pytest.mark.parametrize("garbled", ["<html>", "{}", '{"cid": 5}'])
def test_a_garbled_answer_to_one_write_leaves_it_open(
    pds: ReferencePds, repo: PdsRepo, garbled: str
) -> None:
    pds.faults([{"match": PUT, "status": 200, "body": garbled}])
    with pytest.raises(OutcomeUnknown):
        repo.apply_one(CREATE)


@pytest.mark.parametrize("fault", [{"drop": True}, {"status": 200, "body": "x"}], ids=str)
def test_a_500_that_can_not_be_settled_leaves_it_open(
    pds: ReferencePds, repo: PdsRepo, fault: Fault
) -> None:
    pds.faults([{"match": PUT, "status": 500}, {"match": GET, "times": 9, **fault}])
    with pytest.raises(OutcomeUnknown):
        repo.apply_one(CREATE)


@pytest.mark.parametrize("name", ["AccountDeactivated", "AccountTakedown"])
def test_an_account_that_may_not_write_is_told_so(
    pds: ReferencePds, repo: PdsRepo, name: str
) -> None:
    pds.faults([{"match": "repo.", "times": 9, "status": 401, "error": name, "message": "x"}])
    with pytest.raises(CredentialError, match=repo.name):
        put(repo, CREATE)
    with pytest.raises(CredentialError, match=repo.name):
        repo.apply_one(CREATE)


def test_blobs_are_taken_twice_and_empty(pds: ReferencePds, repo: PdsRepo) -> None:
    for content in (b"hello", b"hello", b""):
        repo.upload_blob(content, "application/octet-stream")
    assert pds.stats().statuses[UPLOAD] == {200: 3}


def test_a_blob_of_another_account_is_not_there(pds: ReferencePds, repo: PdsRepo) -> None:
    other = open_pds_repo(pds, pds.new_account())
    other.upload_blob(b"theirs", "text/plain")
    other.close()
    blob: Value = {
        "$type": "blob",
        "ref": Cid.of(b"theirs", RAW),
        "mimeType": "text/plain",
        "size": 6,
    }
    with pytest.raises(RepoRefused) as caught:
        put(repo, CreateWrite(NOTE, RKEY, note("x", image=blob)))
    assert caught.value.name == "BlobNotFound"


def test_half_of_a_batch_is_one_whose_json_is_made_already(repo: PdsRepo) -> None:
    writes = [CreateWrite(NOTE, Rkey(str(number)), note(str(number))) for number in range(5)]
    (batch,) = repo.batches(writes)
    half = batch[1:3]
    assert isinstance(half, Batch)
    assert list(half) == writes[1:3]
    assert Batch.of(half) is half
    assert put(repo, *half) == put_later(repo, half)


def put_later(repo: PdsRepo, half: Batch) -> list[str | None]:
    for write in half:
        repo.apply_one(DeleteWrite(NOTE, write.rkey, record_cid(note(write.rkey))))
    return list(repo.apply(half, swap_commit=repo.head().cid).cids)


def test_writes_are_taken_one_by_one_and_no_further_than_needed(repo: PdsRepo) -> None:
    taken: list[int] = []

    def writes() -> Iterator[Write]:
        for number in range(1000):
            taken.append(number)
            yield CreateWrite(NOTE, Rkey(str(number)), OURS)

    assert len(next(iter(repo.batches(writes())))) == 200
    assert len(taken) == 201
