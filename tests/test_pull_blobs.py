"""Blobs on their way into a pulled folder: streamed, proven, never fetched twice."""

from __future__ import annotations

import hashlib
import os
import signal
import tracemalloc
from pathlib import Path
from typing import IO

import pytest

from publisher import data
from publisher.credentials import AppPassword, Secret
from publisher.data import RAW, Cid, Value
from publisher.documents import DOCUMENT
from publisher.errors import RepoUnavailable
from publisher.findings import Finding
from publisher.folder import FolderRepo
from publisher.identity import DidDocument, Identity
from publisher.pds import PdsRepo
from publisher.pulling import copy as copying
from publisher.repo import CreateWrite
from publisher.syntax import Nsid, Rkey
from publisher.transport import transport_for
from tests.local_server import Answer, serve
from tests.repo_server import ALICE
from tests.site import Site, make_published, picture


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return make_published(tmp_path / "site")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def refuse(_repo: FolderRepo, cid: str, _file: IO[bytes]) -> None:
    """Give no blob."""
    raise RepoUnavailable(f"no answer for {cid}")


@pytest.mark.parametrize("late", [False, True])
def test_a_blob_of_another_size_than_its_record_says_is_kept_and_told(
    site: Site, out: Path, monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    thing = Nsid("com.example.thing")
    ref = blob_of(site, picture())
    value: dict[str, Value] = {
        "$type": thing,
        "pages": [{"image": {**ref, "size": 7}}, {"image": ref}],
    }
    site.repo().apply([CreateWrite(thing, Rkey("x"), value)], swap_commit=site.repo().head().cid)
    if late:
        with monkeypatch.context() as patched:
            patched.setattr(FolderRepo, "fetch_blob", refuse)
            site.pull(out)

    report = site.pull(out)

    files = {file.path: file for file in report.repos[0].files}
    cid = data.blob_cid(picture())
    message = f"says 7 bytes; {cid} has {len(picture()):,}, and is kept: its CID proves it"
    told = Finding("/pages/0/image/size", "blob-size-differs", message, "warning")
    assert [file.findings for file in files.values() if file.findings] == [(told,)]
    assert files[f"{thing}/x.json"].findings == (told,)
    assert files[f"blobs/{cid}"].status == "new"
    assert report.exit_status == 0
    assert (out / "blobs" / cid).read_bytes() == picture()


def blob_of(site: Site, content: bytes) -> dict[str, Value]:
    """Return the reference that a document has to its cover."""
    records = site.repo().read([DOCUMENT]).records[DOCUMENT].values()
    (ref,) = [record.value["coverImage"] for record in records if "coverImage" in record.value]
    assert isinstance(ref, dict)
    assert ref["ref"] == Cid.of(content, RAW)
    return ref


def test_a_pull_that_was_killed_leaves_no_litter_and_fetches_nothing_twice(
    site: Site, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.picture("hill.png", 2)
    site.write("b.md", cover="hill.png")
    site.publish()
    fetch, asked = FolderRepo.fetch_blob, list[str]()

    def fetch_half(repo: FolderRepo, cid: str, file: IO[bytes]) -> None:
        if asked:
            file.write(b"half of it")
            os.kill(os.getpid(), signal.SIGKILL)
        asked.append(cid)
        fetch(repo, cid, file)

    def fetch_whole(repo: FolderRepo, cid: str, file: IO[bytes]) -> None:
        asked.append(cid)
        fetch(repo, cid, file)

    monkeypatch.setattr(copying, "DOWNLOADS", 1)
    monkeypatch.setattr(FolderRepo, "fetch_blob", fetch_half)
    if not (child := os.fork()):
        try:
            site.pull(out)
        finally:
            os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    (came,) = (path.name for path in (out / "blobs").glob("bafkrei*"))
    (part,) = (out / "blobs").glob(".*")
    assert part.read_bytes() == b"half of it"

    monkeypatch.setattr(FolderRepo, "fetch_blob", fetch_whole)
    report = site.pull(out)

    blobs = {data.blob_cid(content): content for content in (picture(), picture(2))}
    assert asked == sorted(blobs.keys() - {came})
    assert {path.name: path.read_bytes() for path in (out / "blobs").iterdir()} == blobs
    new = [file.path for file in report.repos[0].files if file.path.startswith("blobs/")]
    assert (new, report.exit_status) == ([f"blobs/{asked[0]}"], 0)


def test_what_a_killed_pull_left_is_removed_and_no_link_followed(
    site: Site, out: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / ".7-8.pull").write_bytes(b"another's")
    places = (".1-2.pull", "blobs/.1-2.pull", f".originals/{DOCUMENT}/.3-4.pull", ".pull.json.0af9")
    others = ("did_plc_x/.pull.lock", "did_plc_x/.1-2.pull", "did_plc_x/blobs/.1-2.pull")
    kept = (".trash/3l/blobs/.1-2.pull", ".1-2.pull.txt", "blobs/.1-2.pulled", *others)
    for name in (*places, *kept):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(b"half of it")
    (out / ".5-6.pull").symlink_to(outside / ".7-8.pull")
    (out / "linked").symlink_to(outside)
    (out / ".9-9.pull").mkdir()

    assert site.pull(out).exit_status == 0

    assert [name for name in (*places, ".5-6.pull") if (out / name).exists()] == []
    assert not (out / ".5-6.pull").is_symlink()
    assert all((out / name).read_bytes() == b"half of it" for name in kept)
    assert (out / ".9-9.pull").is_dir()
    assert [path.read_bytes() for path in outside.iterdir()] == [b"another's"]


def test_a_blob_that_is_here_is_known_by_its_bytes(site: Site, out: Path) -> None:
    cid = data.blob_cid(picture())
    (out / "blobs").mkdir(parents=True)
    (out / "blobs" / cid).write_bytes(picture())
    stamp = (out / "blobs" / cid).stat().st_mtime_ns

    (one,) = site.pull(out).repos

    assert (one.unchanged, (out / "blobs" / cid).stat().st_mtime_ns) == (1, stamp)


@pytest.mark.parametrize("force", [False, True])
def test_a_blob_that_was_changed_here_is_fetched_only_by_force(
    site: Site, out: Path, monkeypatch: pytest.MonkeyPatch, force: bool
) -> None:
    site.pull(out)
    file = out / "blobs" / data.blob_cid(picture())
    file.write_bytes(b"mine")
    if not force:
        monkeypatch.setattr(FolderRepo, "fetch_blob", refuse)

    (one,) = site.pull(out, force=force).repos

    assert [each.status for each in one.files] == ["updated" if force else "kept"]
    assert file.read_bytes() == (picture() if force else b"mine")


def test_a_large_blob_takes_no_memory(tmp_path: Path) -> None:
    piece, count = bytes(1 << 20), 48
    cid = str(Cid.hashed(hashlib.sha256(piece * count).digest(), RAW))
    length = {"Content-Length": str(len(piece) * count)}

    with (
        serve(lambda _: Answer(headers=length, more=[piece] * count)) as server,
        (tmp_path / "blob").open("xb", buffering=0) as file,
    ):
        repo = opened(server.url)
        tracemalloc.start()
        try:
            repo.fetch_blob(cid, file)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            repo.close()

    assert (tmp_path / "blob").stat().st_size == len(piece) * count
    assert peak < 4 << 20


def opened(url: str) -> PdsRepo:
    """Open the repo of ALICE on a server."""
    document = DidDocument(ALICE, (), url, None)
    return PdsRepo(
        Identity(ALICE, None, url, lambda: document),
        transport=transport_for(url),
        credentials=lambda: AppPassword(Secret("abcd-efgh-ijkl-mnop"), "prompt"),
    )
