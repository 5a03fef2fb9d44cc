"""The tree's nodes in repo.sqlite: those of the current commit, in every version of the tables."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from publisher.archive import Tree, build_tree, verify_car
from publisher.data import Cid
from publisher.errors import RepoRefused, RepoUnavailable
from publisher.folder import FolderRepo
from publisher.folder import tree as tree_module
from publisher.repo import CreateWrite, DeleteWrite, UpdateWrite, Write
from publisher.syntax import Nsid, Rkey

NAMES = [Nsid(name) for name in ("a.b.c", "a.b.cd", "a.b.c.d", "a.b-b.c")]
NOTE = NAMES[0]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a repo of 100 records."""
    repo = FolderRepo.create(tmp_path / "repo")
    put(repo, *(create(NAMES[number % 4], str(number)) for number in range(100)))
    return tmp_path / "repo"


def create(collection: Nsid, rkey: str, text: str = "text") -> CreateWrite:
    return CreateWrite(collection, Rkey(rkey), {"$type": collection, "text": text})


def put(repo: FolderRepo, *writes: Write) -> None:
    repo.apply(writes, swap_commit=repo.head().cid)


def execute(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / "repo.sqlite")) as database, database:
        for statement in statements:
            database.execute(statement)


def query(folder: Path, statement: str) -> list[tuple[bytes, ...]]:
    with closing(sqlite3.connect(folder / "repo.sqlite")) as database:
        return database.execute(statement).fetchall()


def make_version_1(folder: Path) -> None:
    execute(folder, "DROP TABLE node", "PRAGMA user_version = 1")


def version(folder: Path) -> object:
    return query(folder, "PRAGMA user_version")[0][0]


def proven(folder: Path) -> dict[str, Cid]:
    repo = FolderRepo.open(folder)
    records = verify_car(b"".join(repo.car()), did=repo.did, key=repo.did).records
    return {path: cid for path, (cid, _) in records.items()}


def kept(folder: Path) -> dict[Cid, bytes]:
    return {Cid(cid): block for cid, block in query(folder, "SELECT cid, block FROM node")}


def tree_of(folder: Path) -> Tree:
    rows = query(folder, "SELECT collection || '/' || rkey, cid FROM record")
    return build_tree(sorted((str(path), Cid(cid)) for path, cid in rows))


def test_the_nodes_are_those_of_the_current_tree_through_all_kinds_of_writes(
    tmp_path: Path,
) -> None:
    draw = random.Random(1)  # noqa: S311  # the same writes in every run
    repo = FolderRepo.create(tmp_path)
    assert kept(tmp_path) == build_tree([]).nodes
    for turn in range(40):
        snapshot = repo.read(NAMES)
        writes: list[Write] = []
        for place in draw.sample(
            [(name, str(number)) for name in NAMES for number in range(50)], 20
        ):
            record = snapshot.records[place[0]].get(Rkey(place[1]))
            if record is None:
                writes.append(create(*place, f"{turn}"))
            elif draw.random() < 0.5:
                writes.append(DeleteWrite(record.collection, record.rkey, record.cid))
            else:
                value = {**record.value, "text": f"{turn}"}
                writes.append(UpdateWrite(record.collection, record.rkey, value, record.cid))
        put(repo, *writes)

        assert kept(tmp_path) == tree_of(tmp_path).nodes


def test_writes_to_one_record_in_one_batch_leave_what_the_last_one_says(folder: Path) -> None:
    repo = FolderRepo.open(folder)
    record = repo.read([NOTE]).records[NOTE][Rkey("0")]
    put(repo, DeleteWrite(NOTE, record.rkey, record.cid), create(NOTE, "0", "again"))

    assert repo.read([NOTE]).records[NOTE][Rkey("0")].value["text"] == "again"
    assert kept(folder) == tree_of(folder).nodes


def test_a_commit_builds_no_tree_of_all_records(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.delattr(tree_module, "build_tree")
        put(FolderRepo.open(folder), create(NOTE, "new"))

    assert kept(folder) == tree_of(folder).nodes


def test_a_refused_batch_leaves_the_nodes(folder: Path) -> None:
    before = kept(folder)
    repo = FolderRepo.open(folder)

    with pytest.raises(RepoRefused, match="exists already"):
        put(repo, create(NOTE, "new"), create(NOTE, "0"))

    assert kept(folder) == before


def test_a_repo_of_the_first_version_is_read_as_it_is(folder: Path) -> None:
    expected, snapshot = proven(folder), FolderRepo.open(folder).read(NAMES)
    make_version_1(folder)

    assert proven(folder) == expected
    assert FolderRepo.open(folder).read(NAMES) == snapshot
    assert version(folder) == 1


def test_a_repo_of_the_first_version_gets_its_nodes_with_the_first_write(folder: Path) -> None:
    expected = proven(folder)
    make_version_1(folder)
    put(FolderRepo.open(folder), create(NOTE, "new"))

    assert version(folder) == 2
    assert kept(folder) == tree_of(folder).nodes
    assert proven(folder).items() > expected.items()


def test_a_damaged_repo_of_the_first_version_is_not_signed_anew(folder: Path) -> None:
    make_version_1(folder)
    execute(folder, "DELETE FROM record WHERE rkey = '1'")

    with pytest.raises(RepoUnavailable, match="aren't those that the commit signs"):
        put(FolderRepo.open(folder), create(NOTE, "new"))
    assert version(folder) == 1


DAMAGE = [
    "DELETE FROM node",
    "DELETE FROM node WHERE cid > (SELECT min(cid) FROM node)",
    "UPDATE node SET block = x'a0'",
    "UPDATE node SET block = 'text'",
    "UPDATE node SET cid = cid || x'00'",
]


@pytest.mark.parametrize(
    "statement", [*DAMAGE, "DELETE FROM node WHERE cid = (SELECT max(cid) FROM node)"]
)
def test_no_car_is_made_of_damaged_nodes_but_the_records_are_read(
    folder: Path, statement: str
) -> None:
    expected = FolderRepo.open(folder).read(NAMES)
    execute(folder, statement)

    with pytest.raises(RepoUnavailable, match="is damaged"):
        b"".join(FolderRepo.open(folder).car())
    assert FolderRepo.open(folder).read(NAMES) == expected


@pytest.mark.parametrize("statement", DAMAGE)
def test_damaged_nodes_are_built_again_by_a_write_that_needs_them(
    folder: Path, statement: str
) -> None:
    expected = proven(folder)
    execute(folder, statement)
    put(FolderRepo.open(folder), *(create(name, f"new{n}") for name in NAMES for n in range(50)))

    assert kept(folder) == tree_of(folder).nodes
    assert proven(folder).items() > expected.items()


@pytest.mark.parametrize("statement", DAMAGE)
def test_damaged_nodes_are_not_built_from_records_that_are_damaged_too(
    folder: Path, statement: str
) -> None:
    execute(folder, statement, "DELETE FROM record WHERE rkey = '1'")

    with pytest.raises(RepoUnavailable, match="aren't those that the commit signs"):
        put(
            FolderRepo.open(folder),
            *(create(name, f"new{n}") for name in NAMES for n in range(50)),
        )
