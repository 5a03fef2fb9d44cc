"""The repo in a folder, beyond what test_repo_contract.py asks of every repo."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from publisher.archive import verify_car
from publisher.data import RAW, Cid, Value, blob_cid
from publisher.errors import RepoRefused, RepoUnavailable, SwapRefused
from publisher.folder import MAX_BYTES, FolderRepo
from publisher.folder import database as database_module
from publisher.repo import CreateWrite, DeleteWrite, Snapshot, UpdateWrite, Write
from publisher.syntax import Nsid, Rkey, tid_value
from tests.fetched import fetched
from tests.measuring import uncovered
from tests.test_folder_tree import make_version_1

NOTE = Nsid("com.example.note")
IMAGE = b"\x89PNG picture"
OTHER_IMAGE = b"\x89PNG another picture"
NOBODY = 65534


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "repo"


@pytest.fixture
def repo(folder: Path) -> FolderRepo:
    return FolderRepo.create(folder)


def note(text: str, *images: bytes) -> dict[str, Value]:
    return {"$type": NOTE, "text": text, "images": [blob(image) for image in images]}


def blob(content: bytes, *, mime_type: str = "image/png", size: int | None = None) -> Value:
    return {
        "$type": "blob",
        "ref": Cid.of(content, RAW),
        "mimeType": mime_type,
        "size": len(content) if size is None else size,
    }


def create(rkey: str, text: str = "text", *images: bytes) -> CreateWrite:
    return CreateWrite(NOTE, Rkey(rkey), note(text, *images))


def put(repo: FolderRepo, *writes: Write) -> list[str | None]:
    return list(repo.apply(writes, swap_commit=repo.head().cid).cids)


def texts(repo: FolderRepo) -> dict[str, Value]:
    records = repo.read([NOTE]).records[NOTE]
    return {rkey: record.value["text"] for rkey, record in records.items()}


def proven(repo: FolderRepo) -> list[str]:
    return list(verify_car(b"".join(repo.car()), did=repo.did, key=repo.did).records)


# --- creating and opening


def test_a_new_repo_is_empty_and_signed_by_its_own_key(repo: FolderRepo) -> None:
    assert repo.did.startswith("did:key:zQ3s")
    assert proven(repo) == []


def test_an_opened_repo_is_the_one_that_was_created(repo: FolderRepo, folder: Path) -> None:
    put(repo, create("a"))

    again = FolderRepo.open(folder)

    assert (again.did, again.head(), texts(again)) == (repo.did, repo.head(), {"a": "text"})


@pytest.mark.parametrize("umask", [0o000, 0o022])
def test_only_the_owner_can_read_the_signing_key(folder: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        FolderRepo.create(folder)
    finally:
        os.umask(before)

    assert stat.S_IMODE((folder / "signing.key").stat().st_mode) == 0o600


def test_version_control_ignores_the_signing_key(folder: Path) -> None:
    folder.mkdir()
    (folder / ".gitignore").write_text("*.tmp")

    FolderRepo.create(folder)

    lines = (folder / ".gitignore").read_text().splitlines()
    assert lines == ["*.tmp", "signing.key", "repo.sqlite-journal"]


def test_a_folder_without_a_repo_is_refused_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(RepoUnavailable, match="holds no repo") as caught:
        FolderRepo.open(tmp_path)

    assert str(tmp_path) in caught.value.remedy
    assert list(tmp_path.iterdir()) == []


def test_creating_over_a_repo_is_refused_and_leaves_it_alone(
    repo: FolderRepo, folder: Path
) -> None:
    put(repo, create("a"))

    with pytest.raises(RepoUnavailable, match="holds a repo already"):
        FolderRepo.create(folder)
    assert proven(FolderRepo.open_or_create(folder)) == ["com.example.note/a"]


def test_a_repo_of_a_later_version_is_refused(folder: Path) -> None:
    FolderRepo.create(folder)
    with closing(sqlite3.connect(folder / "repo.sqlite")) as database:
        database.execute(f"PRAGMA user_version = {database_module.VERSION + 1}")

    with pytest.raises(RepoUnavailable, match="this version"):
        FolderRepo.open(folder)


# --- writing


def test_what_was_read_stays_as_it_was_when_it_is_replaced(repo: FolderRepo) -> None:
    put(repo, create("a", "before"), create("b", "before"))
    read = repo.read([NOTE]).records[NOTE]

    put(repo, UpdateWrite(NOTE, Rkey("a"), note("after"), read[Rkey("a")].cid))
    put(repo, DeleteWrite(NOTE, Rkey("b"), read[Rkey("b")].cid))

    assert [record.value["text"] for record in read.values()] == ["before", "before"]
    assert texts(repo) == {"a": "after"}


def test_each_write_names_the_commit_that_it_follows(repo: FolderRepo) -> None:
    first = repo.head()
    put(repo, create("a"))

    with pytest.raises(SwapRefused) as caught:
        repo.apply([create("b")], swap_commit=first.cid)

    assert first.cid in caught.value.message
    assert repo.head().cid in caught.value.message
    assert texts(repo) == {"a": "text"}


@pytest.mark.parametrize(
    ("write", "refusal", "name"),
    [
        (create("a"), RepoRefused, "RecordExists"),
        (UpdateWrite(NOTE, Rkey("a"), note("new"), blob_cid(b"")), SwapRefused, "InvalidSwap"),
        (DeleteWrite(NOTE, Rkey("a"), blob_cid(b"")), SwapRefused, "InvalidSwap"),
        (UpdateWrite(NOTE, Rkey("x"), note("new"), blob_cid(b"")), RepoRefused, "RecordNotFound"),
        (DeleteWrite(NOTE, Rkey("x"), blob_cid(b"")), RepoRefused, "RecordNotFound"),
        (create("x", "text", IMAGE), RepoRefused, "BlobNotFound"),
        (CreateWrite(NOTE, Rkey(".."), note("")), RepoRefused, "InvalidRequest"),
        (CreateWrite(Nsid("note"), Rkey("x"), {"$type": "note"}), RepoRefused, "InvalidRequest"),
        (CreateWrite(NOTE, Rkey("x"), {"text": ""}), RepoRefused, "InvalidRequest"),
        (CreateWrite(NOTE, Rkey("x"), {"$type": "a.b.c"}), RepoRefused, "InvalidRequest"),
        (CreateWrite(NOTE, Rkey("x"), {"$type": NOTE, "n": 2**53}), RepoRefused, "InvalidRequest"),
    ],
)
def test_a_refused_write_undoes_its_whole_batch(
    repo: FolderRepo, write: Write, refusal: type[RepoRefused], name: str
) -> None:
    put(repo, create("a"))
    before = repo.head()

    with pytest.raises(refusal) as caught:
        put(repo, create("before"), write, create("c"))

    assert caught.value.name == name
    assert (repo.head(), texts(repo)) == (before, {"a": "text"})


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        (blob(IMAGE, mime_type="image/webp"), "InvalidMimeType"),
        (blob(IMAGE, size=1), "InvalidSize"),
    ],
)
def test_a_new_blob_must_be_what_the_record_says(repo: FolderRepo, wrong: Value, name: str) -> None:
    repo.upload_blob(IMAGE, "image/png")

    with pytest.raises(RepoRefused) as caught:
        put(repo, CreateWrite(NOTE, Rkey("a"), {"$type": NOTE, "image": wrong}))
    assert caught.value.name == name


def test_records_of_collections_that_begin_alike_are_in_the_tree(repo: FolderRepo) -> None:
    names = ("a.b.c", "a.b.cd", "a.b.c.d", "a.b-b.c")
    put(repo, *(CreateWrite(Nsid(name), Rkey("1"), {"$type": name}) for name in names))

    assert proven(repo) == sorted(f"{name}/1" for name in names)


def test_equal_records_are_one_block_in_the_car(repo: FolderRepo) -> None:
    put(repo, create("a", "same"), create("b", "same"))

    assert proven(repo) == ["com.example.note/a", "com.example.note/b"]
    assert b"".join(repo.car()).count(b"same") == 1


@pytest.mark.parametrize("now", [lambda: 1_750_000_000_000_000, iter(range(10, 0, -1)).__next__])
def test_revs_rise_when_the_clock_stands_or_runs_back(folder: Path, now: Callable[[], int]) -> None:
    repo = FolderRepo.create(folder, clock=now)
    revs = [repo.head().rev]
    for rkey in "abcd":
        put(repo, create(rkey))
        revs.append(repo.head().rev)

    assert revs == sorted(set(revs), key=tid_value)


def test_a_batch_holds_200_writes_and_a_megabyte_at_most(repo: FolderRepo) -> None:
    with pytest.raises(RepoRefused, match="200"):
        put(repo, *(create(str(number)) for number in range(201)))
    with pytest.raises(RepoRefused, match=str(MAX_BYTES)):
        put(repo, create("a", "x" * 600_000), create("b", "x" * 600_000))


def test_batches_of_large_records_are_all_taken(repo: FolderRepo) -> None:
    writes = [create(str(number), "é" * 70_000) for number in range(20)]

    batches = list(repo.batches(writes))
    for batch in batches:
        put(repo, *batch)

    assert [len(batch) for batch in batches] == [7, 7, 6]
    assert len(texts(repo)) == 20


def test_writers_in_many_threads_lose_nothing(repo: FolderRepo) -> None:
    def write(number: int) -> None:
        while True:
            with suppress(SwapRefused):
                put(repo, create(str(number)))
                return

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(40)))

    assert len(proven(repo)) == 40


# --- blobs


def test_a_blob_is_a_file_until_its_last_reference_goes(repo: FolderRepo, folder: Path) -> None:
    file = folder / "blobs" / blob_cid(IMAGE)
    repo.upload_blob(IMAGE, "image/png")
    first, second = put(repo, create("a", "1", IMAGE), create("b", "2", IMAGE))
    assert first
    assert second

    put(repo, DeleteWrite(NOTE, Rkey("a"), first))
    assert file.read_bytes() == IMAGE

    put(repo, UpdateWrite(NOTE, Rkey("b"), note("no image"), second))
    assert not file.exists()
    assert repo.blobs() == set()


def test_a_blob_that_moves_within_a_batch_stays(repo: FolderRepo) -> None:
    repo.upload_blob(IMAGE, "image/png")
    (cid,) = put(repo, create("a", "1", IMAGE))
    assert cid

    put(repo, DeleteWrite(NOTE, Rkey("a"), cid), create("b", "2", IMAGE))

    assert fetched(repo, blob_cid(IMAGE)) == IMAGE


def test_a_blob_without_a_reference_waits_for_one_unseen(repo: FolderRepo, folder: Path) -> None:
    repo.upload_blob(IMAGE, "image/png")

    assert repo.blobs() == set()
    with pytest.raises(RepoRefused) as caught:
        fetched(repo, blob_cid(IMAGE))
    assert caught.value.name == "BlobNotFound"

    put(FolderRepo.open(folder), create("a", "text", IMAGE))
    assert fetched(repo, blob_cid(IMAGE)) == IMAGE


@pytest.mark.parametrize("cid", ["", "../signing.key", "bafkrei"])
def test_what_is_no_cid_fetches_nothing(repo: FolderRepo, cid: str) -> None:
    with pytest.raises(RepoRefused):
        fetched(repo, cid)


@pytest.mark.parametrize("damage", [Path.unlink, lambda file: file.write_bytes(b"other")])
def test_a_damaged_blob_is_never_given_and_mended_by_an_upload(
    repo: FolderRepo, folder: Path, damage: Callable[[Path], object]
) -> None:
    repo.upload_blob(IMAGE, "image/png")
    put(repo, create("a", "text", IMAGE))
    damage(folder / "blobs" / blob_cid(IMAGE))

    with pytest.raises(RepoUnavailable, match="missing or damaged"):
        fetched(repo, blob_cid(IMAGE))

    repo.upload_blob(IMAGE, "image/png")
    assert fetched(repo, blob_cid(IMAGE)) == IMAGE


def test_files_in_the_blob_folder_that_are_no_blobs_stay(repo: FolderRepo, folder: Path) -> None:
    keep = folder / "blobs" / ".gitkeep"
    keep.touch()
    left = folder / "blobs" / f"{blob_cid(OTHER_IMAGE)}.tmp"
    left.touch()
    repo.upload_blob(IMAGE, "image/png")
    (cid,) = put(repo, create("a", "text", IMAGE))
    assert cid

    put(repo, DeleteWrite(NOTE, Rkey("a"), cid))

    assert list((folder / "blobs").iterdir()) == [keep]


# --- killed at any line


KILLER = """
import os, shutil, sys
from pathlib import Path
from publisher.data import RAW, Cid
from publisher.folder import FolderRepo
from tests.test_folder import ACTIONS

action, base = ACTIONS[sys.argv[1]], Path(sys.argv[2])
point, finished = 0, False
while not finished:
    folder = base / f"killed-{point}"
    shutil.copytree(base / "before", folder)
    child = os.fork()
    if child == 0:
        left = point
        def trace(frame, event, argument):
            global left
            if f"publisher{os.sep}folder" not in frame.f_code.co_filename:
                return None
            if event == "line":
                if left == 0:
                    os._exit(9)
                left -= 1
            return trace
        sys.settrace(trace)
        action(folder)
        os._exit(0)
    finished = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    point += 1
"""


def killed_at_every_line(action: str, base: Path) -> list[Path]:
    """Run the action on copies of base/'before', each killed a line later; return the copies."""
    subprocess.run(
        [sys.executable, "-c", KILLER, action, str(base)],
        env={**uncovered(os.environ), "PYTHONPATH": str(Path(__file__).parent.parent)},
        check=True,
        timeout=300,
    )
    return sorted(base.glob("killed-*"))


def the_batch(repo: FolderRepo) -> list[Write]:
    cids = {rkey: record.cid for rkey, record in repo.read([NOTE]).records[NOTE].items()}
    return [
        UpdateWrite(NOTE, Rkey("a"), note("changed", OTHER_IMAGE), cids[Rkey("a")]),
        DeleteWrite(NOTE, Rkey("b"), cids[Rkey("b")]),
        create("c", "new"),
    ]


def apply_batch(folder: Path) -> None:
    repo = FolderRepo.open(folder)
    put(repo, *the_batch(repo))


def upload(folder: Path) -> None:
    FolderRepo.open(folder).upload_blob(b"new", "image/png")


def open_or_create(folder: Path) -> None:
    FolderRepo.open_or_create(folder)


ACTIONS = {"apply": apply_batch, "upload": upload, "create": open_or_create}


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A folder with a repo 'before': two records, one with an image; another image waits."""
    repo = FolderRepo.create(tmp_path / "before")
    repo.upload_blob(IMAGE, "image/png")
    repo.upload_blob(OTHER_IMAGE, "image/png")
    put(repo, create("a", "old", IMAGE), create("b", "old"))
    return tmp_path


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize("version", [1, 2])
def test_a_batch_killed_at_any_line_was_applied_wholly_or_not_at_all(
    base: Path, version: int
) -> None:
    if version == 1:
        make_version_1(base / "before")
    old = FolderRepo.open(base / "before").head()
    outcomes = []
    for folder in killed_at_every_line("apply", base):
        repo = FolderRepo.open(folder)
        proven(repo)
        applied = repo.head() != old
        outcomes.append(applied)
        assert texts(repo) == (
            {"a": "changed", "c": "new"} if applied else {"a": "old", "b": "old"}
        )
        image = OTHER_IMAGE if applied else IMAGE
        assert repo.blobs() == {blob_cid(image)}
        assert fetched(repo, blob_cid(image)) == image
        if not applied:
            put(repo, *the_batch(repo))
            assert texts(repo) == {"a": "changed", "c": "new"}

    assert set(outcomes) == {True, False}
    assert len(outcomes) > 50


@pytest.mark.usefixtures("unmeasured")
def test_an_upload_killed_at_any_line_can_be_done_again(base: Path) -> None:
    folders = killed_at_every_line("upload", base)
    assert len(folders) > 10
    for folder in folders:
        repo = FolderRepo.open(folder)
        assert repo.blobs() == {blob_cid(IMAGE)}
        repo.upload_blob(b"new", "image/png")
        put(repo, create("c", "text", b"new"))
        assert fetched(repo, blob_cid(b"new")) == b"new"


@pytest.mark.usefixtures("unmeasured")
def test_a_creation_killed_at_any_line_is_finished_by_the_next(tmp_path: Path) -> None:
    (tmp_path / "before").mkdir()
    folders = killed_at_every_line("create", tmp_path)
    assert len(folders) > 20
    for folder in folders:
        repo = FolderRepo.open_or_create(folder)
        put(repo, create("a"))
        assert proven(FolderRepo.open(folder)) == ["com.example.note/a"]
        assert stat.S_IMODE((folder / "signing.key").stat().st_mode) == 0o600


# --- what isn't as it should be


@contextmanager
def unprivileged() -> Iterator[None]:
    """As root, step down for a while: permissions mean nothing to root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def read_only() -> Iterator[Path]:
    """A repo with one record and an image, in a folder that can't be written."""
    outer = Path(tempfile.mkdtemp())  # below tmp_path only its owner may look
    outer.chmod(0o755)
    folder = outer / "repo"
    repo = FolderRepo.create(folder)
    repo.upload_blob(IMAGE, "image/png")
    put(repo, create("a", "text", IMAGE))
    paths = [folder, folder / "blobs", folder / "repo.sqlite"]
    for path in paths:
        path.chmod(0o555)
    yield folder
    for path in paths:
        path.chmod(0o755)
    shutil.rmtree(outer)


def test_a_read_only_folder_can_be_read(read_only: Path) -> None:
    with unprivileged():
        repo = FolderRepo.open(read_only)
        assert texts(repo) == {"a": "text"}
        assert fetched(repo, blob_cid(IMAGE)) == IMAGE
        assert proven(repo) == ["com.example.note/a"]


def test_writing_to_a_read_only_folder_is_refused_with_its_path(read_only: Path) -> None:
    (read_only / "signing.key").chmod(0o644)
    with unprivileged():
        repo = FolderRepo.open(read_only)
        for act in (
            lambda: put(repo, create("b")),
            lambda: repo.upload_blob(OTHER_IMAGE, "image/png"),
            lambda: FolderRepo.create(read_only / "new"),
        ):
            with pytest.raises(RepoUnavailable) as caught:
                act()
            assert str(read_only) in caught.value.remedy


def test_a_key_that_can_not_be_read_is_named(read_only: Path) -> None:
    (read_only / "signing.key").chmod(0o000)
    with unprivileged():
        repo = FolderRepo.open(read_only)
        with pytest.raises(RepoUnavailable, match=r"signing\.key can't be read"):
            put(repo, create("b"))


def test_a_folder_that_may_not_be_looked_into_is_named(read_only: Path) -> None:
    read_only.chmod(0o000)
    with unprivileged(), pytest.raises(RepoUnavailable) as caught:
        FolderRepo.open(read_only)
    assert str(read_only) in caught.value.remedy


def test_reading_writes_nothing(base: Path) -> None:
    folder = base / "before"

    def state() -> dict[Path, tuple[int, int]]:
        return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*")}

    before = state()
    repo = FolderRepo.open(folder)
    repo.read(repo.collections())
    fetched(repo, repo.blobs().pop())
    proven(repo)
    repo.close()

    assert state() == before


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "is missing"),
        (b"", "no K-256"),
        (b"-----BEGIN", "no K-256"),
        ("other", "not the key"),
    ],
)
def test_without_its_key_a_repo_can_be_read_and_not_written(
    repo: FolderRepo, folder: Path, content: bytes | str | None, reason: str
) -> None:
    file = folder / "signing.key"
    put(repo, create("a"))
    file.unlink()
    if content is not None:
        file.write_bytes(other_key(folder) if isinstance(content, str) else content)

    assert proven(FolderRepo.open(folder)) == ["com.example.note/a"]
    with pytest.raises(RepoUnavailable, match=reason) as caught:
        put(repo, create("b"))
    assert str(file) in caught.value.remedy


def other_key(folder: Path) -> bytes:
    FolderRepo.create(folder / "other")
    return (folder / "other" / "signing.key").read_bytes()


def test_a_repo_that_another_process_holds_is_named(
    repo: FolderRepo, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "_PATIENCE", 0.05)
    with closing(sqlite3.connect(folder / "repo.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        assert texts(repo) == {}
        with pytest.raises(RepoUnavailable, match="in use by another process"):
            put(repo, create("a"))


@pytest.mark.parametrize("keep", [0, 10, 100, 5000, 20000])
def test_a_database_cut_short_is_refused_with_its_path(
    repo: FolderRepo, folder: Path, keep: int
) -> None:
    put(repo, *(create(str(number)) for number in range(100)))
    file = folder / "repo.sqlite"
    file.write_bytes(file.read_bytes()[:keep])

    with pytest.raises(RepoUnavailable) as caught:
        FolderRepo.open(folder).read([NOTE])
    assert str(folder) in caught.value.remedy


def test_a_database_of_other_bytes_is_refused(repo: FolderRepo, folder: Path) -> None:
    (folder / "repo.sqlite").write_bytes(b"no database at all " * 1000)

    with pytest.raises(RepoUnavailable, match="is damaged"):
        repo.read([NOTE])


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM record",
        "UPDATE record SET rkey = 'x' WHERE rkey = 'a'",
        "DELETE FROM record WHERE rkey = 'a'",
        "INSERT INTO record SELECT collection, 'x', cid, block FROM record WHERE rkey = 'a'",
        "UPDATE record SET block = x'a0'",
        "UPDATE record SET cid = 1",
        "UPDATE head SET block = x'a0'",
        "UPDATE head SET cid = 'x'",
        "DELETE FROM head",
        "DROP TABLE record",
    ],
)
def test_records_that_the_commit_does_not_sign_are_never_given(base: Path, statement: str) -> None:
    folder = base / "before"
    with closing(sqlite3.connect(folder / "repo.sqlite")) as database, database:
        database.execute(statement)

    with pytest.raises(RepoUnavailable, match="is damaged"):
        FolderRepo.open(folder).read([NOTE])
    with pytest.raises(RepoUnavailable, match="is damaged"):
        b"".join(FolderRepo.open(folder).car())


def test_a_database_with_any_byte_changed_gives_the_same_records_or_none(base: Path) -> None:
    file = base / "before" / "repo.sqlite"
    content = file.read_bytes()
    expected = FolderRepo.open(base / "before").read([NOTE])

    refused = 0
    for place in range(0, len(content), 37):
        changed = bytearray(content)
        changed[place] ^= 0xFF
        file.write_bytes(changed)
        found = read_or_refuse(base / "before")
        refused += found is None
        assert found in (None, expected), place

    assert refused > 20


def read_or_refuse(folder: Path) -> Snapshot | None:
    try:
        return FolderRepo.open(folder).read([NOTE])
    except RepoUnavailable:
        return None
