"""`publisher verify` of many records: the same in one process and in many, however they begin."""

from __future__ import annotations

from pathlib import Path

import pytest

from publisher import cores
from publisher.commands import verify as verifying
from publisher.commands.reports import VerifyReport
from publisher.commands.repos import Target
from publisher.config import Config, Settings
from publisher.data import Value
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
    monkeypatch.setattr(verifying, "_ALONE", COUNT)
    alone = verify(folder)
    monkeypatch.undo()
    for module in (cores, verifying):
        monkeypatch.setattr(module, name, value, raising=False)

    assert verify(folder) == alone

    invalid = range(3, COUNT, 50)
    assert alone.counts == {"valid": COUNT - len(invalid), "invalid": len(invalid)}
    assert [item.key.rpartition("/")[2] for item in alone.items] == list(map(rkey, invalid))


def verify(folder: Path) -> VerifyReport:
    return verifying.verify(Target(f"folder:{folder}"), Config(Path(), None, Settings()), Silent())
