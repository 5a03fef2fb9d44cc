"""Blobs on their way into a pulled folder: streamed, proven, never fetched twice."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import pytest

from publisher import data
from publisher.data import RAW, Cid, Value
from publisher.documents import DOCUMENT
from publisher.errors import RepoUnavailable
from publisher.findings import Finding
from publisher.folder import FolderRepo
from publisher.repo import CreateWrite
from publisher.syntax import Nsid, Rkey
from tests.site import Site, make_site, picture


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = make_site(tmp_path / "site")
    made.picture("sea.png")
    made.write("a.md", cover="sea.png")
    made.publish()
    return made


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
