"""How actions are carried out: what overlaps, what is halved, what is uploaded again."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import IO, BinaryIO

import pytest

from publisher.apply import Applier, Blobs, Outcome, applier
from publisher.data import RAW, Cid, Value, blob_cid, record_cid
from publisher.documents import DOCUMENT, Blob
from publisher.errors import RateLimited, RepoRefused, RepoUnavailable
from publisher.plan import Create, LockEntry, Pending, Update
from publisher.progress import Silent
from publisher.record import Record
from publisher.repo import Applied, Commit, DeleteWrite, RemoteRecord, Snapshot, Write
from publisher.spool import whole
from publisher.syntax import Did, Nsid, Rkey, tid

DID = Did("did:plc:44ybard66vv44zksje25o7dz")
START = Commit("bafy-start", "3m")


def cover(path: Path, content: bytes) -> Blob:
    path.write_bytes(content)
    return Blob(Cid.of(content, RAW), "image/png", len(content), path)


def document(number: int, *blobs: Blob) -> Create:
    value: dict[str, Value] = {"$type": DOCUMENT, "title": f"On {number}"}
    name = f"{number}.md"
    record = Record(name, name, DOCUMENT, value, frozenset(value), blobs)
    return Create(record, Rkey(tid(number)))


def update(number: int, was: int, becomes: int) -> Update:
    """Return what puts the value of one document in the place of another's, at a third's key."""
    old, new = document(was).record, document(becomes).record
    record = replace(new, key=f"{number}.md")
    theirs = RemoteRecord(DOCUMENT, Rkey(tid(number)), old.cid, old.value)
    return Update(record, Rkey(tid(number)), theirs, new.cid, ("title",))


class Recorder:
    """A repo that notes what it is asked, cuts batches of two, and refuses what it is told to."""

    did = DID
    name = "recorder"
    metered = False

    def __init__(self) -> None:
        self.events: list[str] = []
        self.there: set[str] = set()
        self.largest = 100
        self.limit = 100
        self.waits: threading.Event | None = None

    def batches(self, writes: Iterable[Write]) -> Iterator[Sequence[Write]]:
        taken: list[Write] = []
        for count, write in enumerate(writes):
            if count >= self.limit:
                raise RateLimited("no points are left")
            taken.append(write)
            if len(taken) == 2:
                yield taken
                taken = []
        if taken:
            yield taken

    def apply(self, writes: Sequence[Write], *, swap_commit: str) -> Applied:
        titles = [title(write) for write in writes]
        self.events.append(f"apply {' '.join(titles)} at {swap_commit}")
        if self.waits:
            assert self.waits.wait(10), "the next batch's upload never came"
        if len(writes) > self.largest:
            raise RepoRefused("it is too large", name="PayloadTooLarge")
        self._check_blobs(writes)
        commit = Commit(f"bafy-{titles[-1]}", "3m")
        return Applied(commit, [cid_of(write) for write in writes])

    def apply_one(self, write: Write) -> str | None:
        self.events.append(f"one {title(write)}")
        self._check_blobs([write])
        return cid_of(write)

    def upload_blob(self, content: bytes, mime_type: str) -> None:
        self.events.append(f"upload {content.decode()}")
        self.there.add(blob_cid(content))
        if self.waits:
            self.waits.set()

    def blobs(self) -> set[str]:
        self.events.append("list blobs")
        return {blob_cid(b"old")}

    def _check_blobs(self, writes: Sequence[Write]) -> None:
        for write in writes:
            wanted = None if isinstance(write, DeleteWrite) else write.value.get("cover")
            if wanted is not None and wanted not in self.there:
                raise RepoRefused(f"{wanted!s} is gone", name="BlobNotFound")

    def archive(self, *, since: str | None = None) -> AbstractContextManager[BinaryIO]:
        raise NotImplementedError

    def record_proof(self, collection: Nsid, rkey: Rkey) -> bytes | None:
        raise NotImplementedError

    def signing_key(self, *, afresh: bool = False) -> str:
        raise NotImplementedError

    def collections(self) -> list[Nsid]:
        raise NotImplementedError

    def head(self) -> Commit:
        raise NotImplementedError

    def read(self, collections: Sequence[Nsid], *, afresh: bool = False) -> Snapshot:
        raise NotImplementedError

    def fetch_blob(self, cid: str, file: IO[bytes]) -> None:
        raise NotImplementedError

    def authenticate(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


def title(write: Write) -> str:
    assert not isinstance(write, DeleteWrite)
    return str(write.value["title"]).removeprefix("On ")


def cid_of(write: Write) -> str:
    assert not isinstance(write, DeleteWrite)
    return record_cid(whole(write.value))


@pytest.fixture(autouse=True)
def _batches_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(applier, "FEW", 1)


def apply(repo: Recorder, actions: Sequence[Pending], *, empty: bool = True) -> Outcome:
    outcome = Outcome()

    def keep(_actions: Sequence[Pending], entries: Sequence[LockEntry]) -> None:
        repo.events.append(f"keep {' '.join(entry.key for entry in entries)}")

    blobs = Blobs(repo, outcome, empty=empty)
    made = Applier(repo, START, blobs, keep, outcome)
    made.apply(actions, Silent(), lambda: False, alone=False)
    return outcome


def test_what_is_sent_was_written_down_first_and_names_the_commit_of_the_batch_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(applier, "WRITTEN_AHEAD", 2)
    repo = Recorder()

    outcome = apply(repo, [document(n) for n in range(4)])

    assert [event for event in repo.events if event.startswith("apply")] == [
        "apply 0 1 at bafy-start",
        "apply 2 3 at bafy-1",
    ]
    assert repo.events.index("keep 0.md 1.md") < repo.events.index("apply 0 1 at bafy-start")
    assert repo.events.index("keep 2.md 3.md") < repo.events.index("apply 2 3 at bafy-1")
    assert (outcome.commits, sorted(outcome.written)) == (2, ["0.md", "1.md", "2.md", "3.md"])
    assert outcome.sent == {}


def test_the_next_batch_is_uploaded_while_one_is_on_its_way(tmp_path: Path) -> None:
    repo = Recorder()
    repo.waits = threading.Event()  # the first commit ends only after the second batch's upload
    blob = cover(tmp_path / "3.png", b"cover of 3")

    outcome = apply(repo, [document(0), document(1), document(2), document(3, blob)])

    assert len(outcome.written) == 4
    assert outcome.uploaded == {str(blob.cid)}


def test_a_cover_of_many_documents_is_uploaded_once_and_nothing_is_asked_of_an_empty_repo(
    tmp_path: Path,
) -> None:
    repo = Recorder()
    blob = cover(tmp_path / "same.png", b"same")

    apply(repo, [document(n, blob) for n in range(6)])

    assert repo.events.count("upload same") == 1
    assert "list blobs" not in repo.events


def test_what_the_repo_holds_is_not_uploaded(tmp_path: Path) -> None:
    repo = Recorder()
    old, new = cover(tmp_path / "a", b"old"), cover(tmp_path / "b", b"new")

    apply(repo, [document(0, old), document(1, new)], empty=False)

    assert [event for event in repo.events if event.startswith("upload")] == ["upload new"]
    assert repo.events.count("list blobs") == 1


@pytest.mark.parametrize(
    ("moves", "batches"),
    [
        ([(1, 2), (3, 4)], ["2 4"]),
        ([(1, 2), (1, 2)], ["2 2"]),
        ([(1, 2), (2, 1)], ["2", "1"]),
        ([(1, 2), (3, 1)], ["2", "1"]),
        ([(1, 2), (2, 3), (4, 5)], ["2", "3 5"]),
    ],
)
def test_a_value_is_never_written_in_the_commit_that_takes_it_from_another_record(
    moves: list[tuple[int, int]], batches: list[str]
) -> None:
    """In one commit, the reference PDS (0.5.35) loses the block."""
    repo = Recorder()

    outcome = apply(repo, [update(number, *move) for number, move in enumerate(moves)])

    sent = [event.split(" at ")[0] for event in repo.events if event.startswith("apply")]
    assert sent == [f"apply {batch}" for batch in batches]
    assert len(outcome.written) == len(moves)


def test_a_batch_that_is_too_large_is_halved() -> None:
    repo = Recorder()
    repo.largest = 1

    outcome = apply(repo, [document(0), document(1)])

    assert [event for event in repo.events if event.startswith("apply")] == [
        "apply 0 1 at bafy-start",
        "apply 0 at bafy-start",
        "apply 1 at bafy-0",
    ]
    assert (len(outcome.written), outcome.failures) == (2, {})


@pytest.mark.parametrize("number", [1, 2])
def test_a_blob_that_is_gone_when_it_is_referred_to_is_uploaded_again(
    number: int, tmp_path: Path
) -> None:
    repo = Recorder()
    blob = cover(tmp_path / "a", b"old")  # listed, and gone since
    actions = [document(n, blob) for n in range(number)]
    for action in actions:
        whole(action.record.value)["cover"] = str(blob.cid)

    outcome = apply(repo, actions, empty=False)

    assert repo.events.count("upload old") == 1
    assert (len(outcome.written), outcome.failures) == (number, {})


def test_a_blob_that_stays_gone_fails_its_document_and_no_other(tmp_path: Path) -> None:
    repo = Recorder()
    lost, good = document(0), document(1)
    whole(lost.record.value)["cover"] = blob_cid(b"nowhere")

    outcome = apply(repo, [lost, good])

    assert list(outcome.written) == ["1.md"]
    assert "is gone" in outcome.failures["0.md"]


def test_where_no_points_are_left_the_batch_on_its_way_is_still_counted() -> None:
    repo = Recorder()
    repo.limit = 2
    outcome = Outcome()
    made = Applier(repo, START, Blobs(repo, outcome, empty=True), lambda *_: None, outcome)

    with pytest.raises(RateLimited):
        made.apply([document(n) for n in range(4)], Silent(), lambda: False, alone=False)

    assert sorted(outcome.written) == ["0.md", "1.md"]


def test_an_upload_that_fails_ends_the_run_after_the_batch_on_its_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = Recorder()
    blob = cover(tmp_path / "a", b"cover")
    outcome = Outcome()
    made = Applier(repo, START, Blobs(repo, outcome, empty=True), lambda *_: None, outcome)

    def unreachable(_content: bytes, _mime_type: str) -> None:
        raise RepoUnavailable("the connection broke")

    monkeypatch.setattr(repo, "upload_blob", unreachable)
    actions = [document(0), document(1), document(2, blob)]

    with pytest.raises(RepoUnavailable):
        made.apply(actions, Silent(), lambda: False, alone=False)

    assert sorted(outcome.written) == ["0.md", "1.md"]
