"""`publisher verify` of many records: the same in one process and in many, however they begin."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pytest

from publisher import cores
from publisher.archive import Car, RootEdge, parse_commit, read_car, verify_car, write_car
from publisher.commands import verify as verifying
from publisher.commands.reports import VerifyReport
from publisher.commands.repos import Target
from publisher.config import Config, Settings
from publisher.data import Value
from publisher.errors import ProofFailed
from publisher.folder import FolderRepo
from publisher.progress import Silent
from publisher.repo import CreateWrite
from publisher.syntax import Nsid, Rkey, tid

DOCUMENT = Nsid("site.standard.document")
COUNT = verifying._ALONE + 7


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a repo of documents of many sizes, of which every fiftieth has no title."""
    path = tmp_path_factory.mktemp("verify") / "repo"
    repo = FolderRepo.create(path)
    writes = [CreateWrite(DOCUMENT, rkey(number), document(number)) for number in range(COUNT)]
    for batch in repo.batches(writes):
        repo.apply(batch, swap_commit=repo.head().cid)
    return path


def rkey(number: int) -> Rkey:
    return Rkey(tid(number))


def document(number: int) -> dict[str, Value]:
    value: dict[str, Value] = {
        "$type": DOCUMENT,
        "site": "https://alice.example",
        "publishedAt": "2024-01-01T00:00:00Z",
        "textContent": "x" * (number * 37 % 5000),
    }
    return value if number % 50 == 3 else value | {"title": f"The document {number}"}


@pytest.mark.parametrize(
    ("name", "value"), [("FORKS", True), ("FORKS", False), ("cores", lambda: 1)]
)
def test_many_records_are_verified_as_few_are(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: object
) -> None:
    monkeypatch.setattr(verifying, "_ALONE", 2 * COUNT)
    alone = verify(folder)
    monkeypatch.undo()
    for module in (cores, verifying):
        monkeypatch.setattr(module, name, value, raising=False)

    assert verify(folder) == alone

    invalid = range(3, COUNT, 50)
    assert alone.counts == {"valid": COUNT - len(invalid), "invalid": len(invalid)}
    assert [item.key.rpartition("/")[2] for item in alone.items] == list(map(rkey, invalid))


def torn(car: bytes) -> bytes:
    """Return a CAR without the block of its last record."""
    blocks = read_car(car)
    last = list(verify_car(car, did=read_did(blocks), key=None).records.values())[-1][0]
    left = ((cid, block) for cid, block in blocks.blocks.items() if cid != last)
    return b"".join(write_car(blocks.root, left))


def read_did(car: Car) -> str:
    return parse_commit(car.blocks[car.root]).did


@pytest.fixture
def answers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The archives that the repo gives, one after the other; the last one stays."""
    given = [b"".join(FolderRepo.open(folder).car())]

    @contextmanager
    def archive(_repo: FolderRepo, **_: object) -> Iterator[BytesIO]:
        yield BytesIO(given.pop(0) if len(given) > 1 else given[0])

    monkeypatch.setattr(FolderRepo, "archive", archive)
    return given


def test_a_torn_archive_is_fetched_again_and_its_records_count_once(
    folder: Path, answers: list[bytes]
) -> None:
    whole = verify(folder)
    answers[:0] = [torn(answers[0])] * 2

    assert verify(folder) == whole


def test_nothing_is_told_of_records_whose_tree_turns_out_wrong_at_its_end(
    folder: Path, answers: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers[0] = torn(answers[0])
    with pytest.raises(ProofFailed, match="is missing, each of the 3 times it was fetched"):
        verify(folder)

    monkeypatch.undo()
    monkeypatch.setattr(RootEdge, "finish", lambda _: None)
    with pytest.raises(ProofFailed, match="isn't the one that its keys make"):
        verify(folder)


def verify(folder: Path) -> VerifyReport:
    return verifying.verify(Target(f"folder:{folder}"), Config(Path(), None, Settings()), Silent())
