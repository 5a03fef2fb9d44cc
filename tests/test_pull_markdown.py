"""What Markdown that was pulled doesn't hold is said each time; blobs that only pages name come."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import IO

import pytest

from publisher import data
from publisher.commands.reports import PullReport
from publisher.data import RAW, Cid, Value
from publisher.documents import DOCUMENT
from publisher.errors import RepoUnavailable
from publisher.folder import FolderRepo
from publisher.pulling.manifest import DATABASE
from publisher.pulling.pages import archive_may_have_pages
from publisher.pulling.wanted import Form
from publisher.repo import CreateWrite, UpdateWrite
from publisher.syntax import Nsid, Rkey
from tests import migration_world as world
from tests.reference_pds import Account, ReferencePds
from tests.site import SITE, Site, make_site, picture, run

KEEPER = Nsid("com.example.keeper")
RKEY = Rkey("3lwafzkjqm23a")
IMAGE = picture(3)


def blob(content: bytes, mime_type: str) -> dict[str, Value]:
    cid = Cid.of(content, RAW)
    return {"$type": "blob", "ref": cid, "mimeType": mime_type, "size": len(content)}


IMAGE_CID = str(blob(IMAGE, "image/png")["ref"])
TEXT: dict[str, Value] = {"$type": "pub.leaflet.blocks.text", "plaintext": "A boat:"}
BOAT: dict[str, Value] = {
    "$type": "pub.leaflet.blocks.image",
    "image": blob(IMAGE, "image/png"),
    "alt": "A boat",
}
PAGES = data.dumps([{"blocks": [{"block": TEXT}, {"block": BOAT}]}]).encode()
PAGES_CID = str(blob(PAGES, "application/json")["ref"])
PAGED: dict[str, Value] = {
    "$type": "pub.leaflet.content",
    "blobPages": blob(PAGES, "application/json"),
}
UNSAID = "content: pub.leaflet.content is written as Markdown; publishing the file leaves the"
LOST = f"content: the blob {IMAGE_CID} can't be had"


def document(**more: Value) -> dict[str, Value]:
    head: dict[str, Value] = {"$type": str(DOCUMENT), "site": SITE, "title": "On boats"}
    return {**head, "publishedAt": "2026-02-05T10:00:00.000Z", "path": "/on-boats", **more}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site with a plain document, and a repo that has it."""
    made = make_site(tmp_path / "site")
    made.write("plain.md", path="/plain")
    assert made.publish().exit_status == 0
    return made


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def put(site: Site, value: dict[str, Value], *blobs: tuple[bytes, str]) -> None:
    """Write a record as another app does, the document or one that keeps blobs from being swept."""
    repo = site.repo()
    for content, mime_type in blobs:
        repo.upload_blob(content, mime_type)
    collection = Nsid(str(value["$type"]))
    there = repo.read([collection]).records[collection].get(RKEY)
    write = (
        UpdateWrite(collection, RKEY, value, there.cid)
        if there
        else CreateWrite(collection, RKEY, value)
    )
    repo.apply([write], swap_commit=repo.head().cid)
    repo.close()


def keep_image(site: Site) -> None:
    """Have the image in the repo, where another record refers to it."""
    put(site, {"$type": str(KEEPER), "image": blob(IMAGE, "image/png")}, (IMAGE, "image/png"))


def pull(site: Site, out: Path, form: Form = "markdown") -> PullReport:
    return site.pull(out, form=form)


def losses(report: PullReport) -> dict[str, tuple[str, ...]]:
    return {file.path: file.losses for file in report.repos[0].files if file.losses}


def test_what_a_file_does_not_hold_is_said_by_later_pulls_that_leave_it(
    site: Site, out: Path
) -> None:
    put(site, document(labels=True))
    first = pull(site, out)
    told = losses(first)
    assert list(told) == ["on-boats.md"]
    assert first.repos[0].lossy == {}

    unmoved = pull(site, out)
    site.write("later.md", path="/later")
    site.publish()
    moved = pull(site, out)

    for report, new in ((unmoved, 0), (moved, 1)):
        assert (losses(report), report.repos[0].lossy, report.exit_status) == ({}, told, 0)
        assert report.repos[0].counts.get("new", 0) == new


def test_what_is_no_longer_lost_is_no_longer_said(site: Site, out: Path) -> None:
    put(site, document(labels=True))
    pull(site, out)
    content = {"$type": "at.markpub.text", "markdown": "A boat.\n"}
    markdown = {"$type": "at.markpub.markdown", "flavor": "gfm", "text": content}
    put(site, document(content=markdown, textContent="A boat."))  # type: ignore[arg-type]

    assert (losses(pull(site, out)), pull(site, out).repos[0].lossy) == ({}, {})


def test_losses_are_found_again_without_what_is_remembered(site: Site, out: Path) -> None:
    put(site, document(labels=True))
    told = losses(pull(site, out))
    (out / DATABASE).unlink()

    assert pull(site, out).repos[0].lossy == told


def test_only_what_is_pulled_is_spoken_of(site: Site, out: Path) -> None:
    put(site, document(labels=True))
    pull(site, out)

    assert site.pull(out).repos[0].lossy == {}


def test_the_summary_counts_and_json_says_what(site: Site, out: Path) -> None:
    put(site, document(labels=True))
    command = ("pull", "--as", "markdown", "--out", out)
    assert "on-boats.md  isn't all of its record:" in run(*command, folder=site.root).stdout

    again = run(*command, folder=site.root).stdout
    told = json.loads(run(*command, "--json", folder=site.root).stdout)

    assert "1 file isn't all of its record; .originals holds what is, and --json says" in again
    assert "on-boats.md" not in again
    (words,) = told["repos"][0]["lossy"]["on-boats.md"]
    assert words.startswith("labels: Markdown has no place for it")


def test_an_image_that_only_pages_in_a_blob_name_comes_with_the_markdown(
    site: Site, out: Path
) -> None:
    keep_image(site)
    put(site, document(content=PAGED), (PAGES, "application/json"))

    report = pull(site, out)

    name = f"blobs/{IMAGE_CID}.png"
    assert (out / "on-boats.md").read_text().endswith(f"\nA boat:\n\n![A boat]({name})\n")
    assert (out / name).read_bytes() == IMAGE
    (told,) = losses(report).values()
    assert [words[: len(UNSAID)] for words in told if words.startswith("content")] == [UNSAID]
    assert report.exit_status == 0


def test_an_image_that_only_pages_in_a_blob_name_comes_with_the_json(site: Site, out: Path) -> None:
    put(site, document(content=PAGED), (PAGES, "application/json"))
    keep_image(site)

    report = pull(site, out, "json")

    assert (out / f"blobs/{IMAGE_CID}").read_bytes() == IMAGE
    assert report.exit_status == 0
    assert pull(site, out, "json").repos[0].counts["unchanged"] == report.repos[0].counts["new"]


@pytest.mark.parametrize("form", ["json", "markdown"])
def test_an_image_of_pages_that_is_gone_is_told_and_asked_for_again(
    form: Form, site: Site, out: Path
) -> None:
    put(site, document(content=PAGED), (PAGES, "application/json"))

    report = pull(site, out, form)

    (failed,) = (file for file in report.repos[0].files if file.status == "failed")
    assert (failed.cid, report.exit_status) == (IMAGE_CID, 1)
    again = pull(site, out, form).repos[0]
    assert [file.path for file in again.files if file.status != "unchanged"] == [failed.path]

    keep_image(site)
    now = pull(site, out, form)

    assert (out / failed.path).read_bytes() == IMAGE
    assert now.exit_status == 0
    if form == "markdown":
        before, after = losses(report)["on-boats.md"], now.repos[0].lossy["on-boats.md"]
        assert LOST in before
        assert after == tuple(words for words in before if words != LOST)
    assert pull(site, out, form).repos[0].counts == {"unchanged": sum(now.repos[0].counts.values())}


@pytest.mark.parametrize("moves", [False, True])
def test_a_document_is_written_again_when_its_pages_come(
    moves: bool, site: Site, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_image(site)
    put(site, document(content=PAGED, textContent="A boat:"), (PAGES, "application/json"))
    fetch = FolderRepo.fetch_blob

    def unless_pages(repo: FolderRepo, cid: str, file: IO[bytes]) -> None:
        if cid == PAGES_CID:
            raise RepoUnavailable("no answer")
        fetch(repo, cid, file)

    with monkeypatch.context() as patched:
        patched.setattr(FolderRepo, "fetch_blob", unless_pages)
        assert pull(site, out).exit_status == 1
    assert (out / "on-boats.md").read_text().endswith("---\n\nA boat:\n")
    if moves:
        site.write("later.md", path="/later")
        site.publish()

    now = pull(site, out)

    assert (out / "on-boats.md").read_text().endswith(f"![A boat](blobs/{IMAGE_CID}.png)\n")
    assert (out / f"blobs/{IMAGE_CID}.png").read_bytes() == IMAGE
    assert (now.exit_status, now.repos[0].counts["updated"]) == (0, 1)
    assert list(losses(now)) == ["on-boats.md"]


def test_what_pages_name_comes_from_a_pds_as_far_as_it_is_kept(
    pds: ReferencePds, account: Account, tmp_path: Path
) -> None:
    lost = blob(picture(9), "image/png")
    lost_cid = str(lost["ref"])
    gone: dict[str, Value] = {"$type": "pub.leaflet.blocks.image", "image": lost}
    blocks: list[Value] = [{"block": block} for block in (TEXT, BOAT, gone)]
    pages = data.dumps([{"blocks": blocks}]).encode()
    paged: Value = {**PAGED, "blobPages": blob(pages, "application/json")}
    servers = {"repo": account.did, "pds": pds.url, "plc": pds.plc}
    site = make_site(tmp_path / "site", **servers)
    password = {"PUBLISHER_APP_PASSWORD": account.app_password}
    records = {
        f"{DOCUMENT}/{RKEY}": document(content=paged),
        f"{KEEPER}/{RKEY}": {"$type": str(KEEPER), "image": BOAT["image"]},
    }
    world.write(site, records, {IMAGE_CID: IMAGE, str(blob(pages, "")["ref"]): pages})
    published = run("publish", folder=site.root, environment=password)
    assert published.returncode == 0, published.stdout + published.stderr

    for form, name in (("json", IMAGE_CID), ("markdown", f"{IMAGE_CID}.png")):
        done = run("pull", "--as", form, "--out", form, "--json", folder=site.root)

        (one,) = json.loads(done.stdout)["repos"]
        failed = [file["cid"] for file in one["files"] if file["status"] == "failed"]
        assert (failed, done.returncode) == ([lost_cid], 1)
        assert (site.root / form / "blobs" / name).read_bytes() == IMAGE
    told = next(file["losses"] for file in one["files"] if file["path"] == "on-boats.md")
    assert f"content: the blob {lost_cid} can't be had" in told
    assert LOST not in told


def reasons(report: PullReport) -> dict[str, tuple[str, str]]:
    """What is said of files that are no longer needed."""
    return {
        file.path: (file.status, file.reason)
        for file in report.repos[0].files
        if file.status in {"trashed", "deleted", "kept"}
    }


def test_files_of_the_form_before_say_what_they_became(site: Site, out: Path) -> None:
    put(site, document(coverImage=blob(IMAGE, "image/png")), (IMAGE, "image/png"))
    (plain,) = site.lock_lines()
    plain_json, json_file = (f"{DOCUMENT}/{rkey}.json" for rkey in (plain["rkey"], RKEY))
    pull(site, out, "json")
    (out / plain_json).write_text("mine")

    markdown = pull(site, out)

    bare, named = f"blobs/{IMAGE_CID}", f"blobs/{IMAGE_CID}.png"
    trash = f"the file is in .trash/{site.repo().head().rev}"
    assert reasons(markdown) == {
        json_file: ("trashed", f"is written as on-boats.md now; {trash}"),
        bare: ("trashed", f"is written as {named} now; {trash}"),
        plain_json: ("kept", "is written as plain.md now, but was changed here"),
    }
    kept = {plain_json: ("kept", "is no longer needed, but was changed here")}
    assert reasons(pull(site, out)) == kept
    (site.content / "plain.md").unlink()
    site.publish(prune=True, allow=frozenset({"empty"}))
    put(site, document(title="Edited", coverImage=blob(IMAGE, "image/png")))
    (out / plain_json).unlink()

    back = site.pull(out, form="json", mirror=True)

    assert reasons(back) == {
        "on-boats.md": ("deleted", f"is written as {json_file} now"),
        named: ("deleted", f"is written as {bare} now"),
        "plain.md": ("deleted", "is no longer in the repo"),
    }


def test_a_document_that_markdown_can_hold_now_says_so_of_its_json(site: Site, out: Path) -> None:
    put(site, document(title=5))
    pull(site, out)
    assert (out / f"{DOCUMENT}/{RKEY}.json").exists()
    put(site, document())

    report = pull(site, out)

    trash = f"the file is in .trash/{site.repo().head().rev}"
    said = ("trashed", f"is written as on-boats.md now; {trash}")
    assert reasons(report) == {f"{DOCUMENT}/{RKEY}.json": said}


@pytest.mark.parametrize("before", [0, 1000, (1 << 18) - 9, (1 << 18) - 8, (1 << 18) - 1, 1 << 18])
def test_an_archive_that_names_pages_anywhere_may_have_some(before: int) -> None:
    around = b"x" * before, b"x" * (1 << 19)

    assert archive_may_have_pages(BytesIO(b"blobPages".join(around)))
    assert not archive_may_have_pages(BytesIO(b"blobpages".join(around)))
