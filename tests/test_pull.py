"""`publisher pull` and `--check`, on a repo in a folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import IO

import pytest

from publisher import data
from publisher.commands.check import CheckReport, check
from publisher.commands.pull import Selection, pull, select, with_publication
from publisher.commands.repos import Target
from publisher.cores import pieces
from publisher.data import Value
from publisher.documents import DOCUMENT
from publisher.errors import ConfigError, RepoRefused, RepoUnavailable, StateError
from publisher.folder import FolderRepo
from publisher.progress import Silent
from publisher.pulling import copy as copying
from publisher.pulling import records
from publisher.pulling.wanted import Pulled, PullOptions, Scope
from publisher.repo import CreateWrite, DeleteWrite
from publisher.syntax import Nsid, Rkey
from tests.site import Site, actions, make_site, picture


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = make_site(tmp_path / "site")
    made.picture("sea.png")
    made.write("a.md", cover="sea.png")
    made.write_json("b.json", path="/b", title="“Zwölf” 👩‍👩‍👧")
    made.publish()
    return made


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def pulled(site: Site, out: Path, **options: bool) -> Pulled:
    (one,) = site.pull(out, **options).repos
    return one


def statuses(one: Pulled) -> dict[str, str]:
    return {file.path: file.status for file in one.files}


def rkey_of(site: Site, path: str) -> str:
    return str(next(line["rkey"] for line in site.lock_lines() if line["key"] == path))


def test_records_blobs_and_a_manifest_come_back(site: Site, out: Path) -> None:
    one = pulled(site, out)

    cid = data.blob_cid(picture())
    record = f"site.standard.document/{rkey_of(site, 'a.md')}.json"
    other = f"site.standard.document/{rkey_of(site, 'b.json')}.json"
    assert statuses(one) == {record: "new", other: "new", f"blobs/{cid}": "new"}
    assert (out / "blobs" / cid).read_bytes() == picture()
    manifest = json.loads((out / "pull.json").read_text())
    assert manifest["did"] == site.repo().did
    assert manifest["rev"] == site.repo().head().rev
    assert manifest["commit"] == site.repo().head().cid
    assert (manifest["proof"], manifest["complete"]) == ("proven", True)
    assert manifest["files"] == {"records": 2, "blobs": 1}
    records = site.repo().read([DOCUMENT]).records[DOCUMENT]
    for rkey, theirs in records.items():
        content = (out / f"site.standard.document/{rkey}.json").read_bytes()
        assert data.record_cid(data.loads(content)) == theirs.cid


def test_a_record_is_canonical_json(site: Site, out: Path) -> None:
    pulled(site, out)

    text = (out / DOCUMENT / f"{rkey_of(site, 'b.json')}.json").read_text("utf-8")

    assert text == (
        "{\n"
        '  "$type": "site.standard.document",\n'
        '  "path": "/b",\n'
        '  "publishedAt": "2026-02-05T10:00:00.000Z",\n'
        '  "site": "https://alice.example",\n'
        '  "title": "“Zwölf” 👩‍👩‍👧"\n'
        "}\n"
    )


def test_pulling_again_changes_no_file(site: Site, out: Path) -> None:
    pulled(site, out)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}

    one = pulled(site, out)

    assert (statuses(one), one.unchanged) == ({}, 3)
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_without_what_is_remembered_the_files_are_compared(site: Site, out: Path) -> None:
    pulled(site, out)
    (out / ".pull.sqlite").unlink()
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}

    one = pulled(site, out)

    assert (statuses(one), one.unchanged) == ({}, 3)
    assert {path: path.stat().st_mtime_ns for path in before} == before


@pytest.mark.parametrize("content", [b"", b"garbage" * 999])
def test_a_damaged_memory_is_begun_anew(site: Site, out: Path, content: bytes) -> None:
    pulled(site, out)
    (out / ".pull.sqlite").write_bytes(content)

    assert pulled(site, out).unchanged == 3
    assert pulled(site, out).unchanged == 3


def test_a_file_that_is_missing_is_written_again(site: Site, out: Path) -> None:
    pulled(site, out)
    path = f"site.standard.document/{rkey_of(site, 'a.md')}.json"
    (out / path).unlink()

    one = pulled(site, out)

    assert (statuses(one), one.unchanged) == ({path: "new"}, 2)


def test_a_changed_record_replaces_the_file_that_was_pulled(site: Site, out: Path) -> None:
    pulled(site, out)
    site.write("a.md", title="New", cover="sea.png")
    site.publish()

    one = pulled(site, out)

    path = f"site.standard.document/{rkey_of(site, 'a.md')}.json"
    assert statuses(one)[path] == "updated"
    assert json.loads((out / path).read_text())["title"] == "New"


def test_a_file_that_the_user_changed_is_kept_and_reported_until_forced(
    site: Site, out: Path
) -> None:
    pulled(site, out)
    path = f"site.standard.document/{rkey_of(site, 'a.md')}.json"
    mine = json.loads((out / path).read_text()) | {"title": "Mine"}
    (out / path).write_text(json.dumps(mine))

    kept = site.pull(out)
    assert (statuses(kept.repos[0])[path], kept.exit_status) == ("kept", 1)
    assert json.loads((out / path).read_text()) == mine

    forced = site.pull(out, force=True)
    assert (statuses(forced.repos[0])[path], forced.exit_status) == ("updated", 0)
    assert json.loads((out / path).read_text())["title"] == "On a.md"


def test_a_file_that_was_there_before_any_pull_is_the_users(site: Site, out: Path) -> None:
    path = out / DOCUMENT / f"{rkey_of(site, 'a.md')}.json"
    path.parent.mkdir(parents=True)
    path.write_text("my notes")

    assert site.pull(out).exit_status == 1
    assert path.read_text() == "my notes"


def delete(site: Site, path: str) -> str:
    """Delete a document's record; return where its file is."""
    repo = site.repo()
    rkey = Rkey(rkey_of(site, path))
    theirs = repo.read([DOCUMENT]).records[DOCUMENT][rkey]
    repo.apply([DeleteWrite(DOCUMENT, rkey, theirs.cid)], swap_commit=repo.head().cid)
    return f"site.standard.document/{rkey}.json"


def test_files_of_what_is_gone_go_to_the_trash_blobs_too(site: Site, out: Path) -> None:
    pulled(site, out)
    path = delete(site, "a.md")
    content = (out / path).read_bytes()
    blob = f"blobs/{data.blob_cid(picture())}"

    one = pulled(site, out)

    assert statuses(one) == {path: "trashed", blob: "trashed"}
    assert one.unchanged == 1
    trash = out / ".trash" / site.repo().head().rev
    assert not (out / path).exists()
    assert (trash / path).read_bytes() == content
    assert (trash / blob).read_bytes() == picture()
    assert (statuses(pulled(site, out)), pulled(site, out).unchanged) == ({}, 1)


def test_a_mirror_has_no_trash(site: Site, out: Path) -> None:
    pulled(site, out)
    path = delete(site, "b.json")

    assert statuses(pulled(site, out, mirror=True)) == {path: "deleted"}
    assert not (out / path).exists()
    assert not (out / ".trash").exists()


def test_what_is_gone_but_was_changed_here_is_kept(site: Site, out: Path) -> None:
    pulled(site, out)
    path = delete(site, "b.json")
    (out / path).write_text("mine")

    assert statuses(pulled(site, out, mirror=True)) == {path: "kept"}
    assert (out / path).read_text() == "mine"


def test_a_folder_of_another_repo_is_not_mixed(site: Site, out: Path) -> None:
    pulled(site, out)
    site.configure(repo="folder:./other")
    site.publish(allow=frozenset({"account"}))

    with pytest.raises(StateError, match="holds the repo of did:key:"):
        pulled(site, out)


def test_what_was_pulled_is_published_elsewhere_with_the_same_cids(
    site: Site, out: Path, tmp_path: Path
) -> None:
    pulled(site, out)
    other = make_site(tmp_path / "other")
    shutil.copytree(out, other.content, dirs_exist_ok=True)

    report = other.publish(migrate_from=site.repo().did)

    here = site.repo().read([DOCUMENT]).records[DOCUMENT]
    there = other.repo().read([DOCUMENT]).records[DOCUMENT]
    assert set(actions(report).values()) == {"create"}
    assert {k: r.cid for k, r in here.items()} == {k: r.cid for k, r in there.items()}
    assert site.repo().did != other.repo().did
    assert other.repo().blobs() == site.repo().blobs()


def test_what_was_pulled_is_published_to_its_own_repo_without_a_write(
    site: Site, out: Path
) -> None:
    pulled(site, out)
    head = site.repo().head()
    site.lock.unlink()
    shutil.rmtree(site.content)
    shutil.copytree(out, site.content)

    report = site.publish()

    assert set(actions(report).values()) == {"unchanged"}
    assert site.repo().head() == head


def odd_record(site: Site, collection: str, rkey: str) -> None:
    repo = site.repo()
    value: dict[str, data.Value] = {"$type": collection, "n": 1}
    write = CreateWrite(Nsid(collection), Rkey(rkey), value)
    repo.apply([write], swap_commit=repo.head().cid)
    repo.close()


def test_rkeys_that_are_no_file_names_come_back_under_safe_ones(
    site: Site, out: Path, tmp_path: Path
) -> None:
    for rkey in ("at:colon", "...", "~x", "pull.json"):
        odd_record(site, "com.example.thing", rkey)

    pulled(site, out)

    names = sorted(path.name for path in (out / "com.example.thing").iterdir())
    assert names == ["%2E.%2E.json", "at%3Acolon.json", "pull.json.json", "~x.json"]
    again = make_site(tmp_path / "again")
    shutil.copytree(out, again.content, dirs_exist_ok=True)
    assert again.publish(migrate_from=site.repo().did).counts == {"create": 6}
    assert sorted(
        again.repo().read([Nsid("com.example.thing")]).records[Nsid("com.example.thing")]
    ) == [
        "...",
        "at:colon",
        "pull.json",
        "~x",
    ]


def test_a_symbolic_link_in_the_output_leads_nowhere(site: Site, out: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    out.mkdir()
    (out / "blobs").symlink_to(outside)

    with pytest.raises(StateError, match="leads out of"):
        pulled(site, out)
    assert list(outside.iterdir()) == []


def test_only_the_collections_asked_for_come(site: Site, out: Path) -> None:
    odd_record(site, "com.example.thing", "self")
    target = Target("folder:repo", root=site.root)

    report = pull(
        [Selection(target, Scope((Nsid("com.example.thing"),)))], out, PullOptions(), Silent()
    )

    assert statuses(report.repos[0]) == {"com.example.thing/self.json": "new"}


def test_a_publication_comes_with_its_documents_and_no_others(site: Site, out: Path) -> None:
    did, kind = site.repo().did, Nsid("site.standard.publication")
    uri = f"at://{did}/{kind}/3lwafzkjqm25s"
    for name in ("3lwafzkjqm25s", "3lwafzkjqm25t"):
        odd_record(site, kind, name)
    repo = site.repo()
    value: dict[str, data.Value] = {"$type": DOCUMENT, "site": uri, "title": "Mine"}
    write = CreateWrite(DOCUMENT, Rkey("3lwafzkjqm25v"), value)
    repo.apply([write], swap_commit=repo.head().cid)
    wanted = with_publication(Selection(Target("folder:repo", root=site.root)), uri)

    report = pull([wanted], out, PullOptions(), Silent())

    expected = {f"{kind}/3lwafzkjqm25s.json": "new", f"{DOCUMENT}/3lwafzkjqm25v.json": "new"}
    assert statuses(report.repos[0]) == expected
    again = pull([wanted], out, PullOptions(), Silent())
    assert (statuses(again.repos[0]), again.repos[0].unchanged) == ({}, 2)


@pytest.mark.parametrize("name", ["alice", f"at://did:web:a.b/{DOCUMENT}/x", "at://did:web:a.b"])
def test_what_is_no_publication_is_an_error(name: str) -> None:
    with pytest.raises(ConfigError):
        with_publication(Selection(Target("")), name)


def test_one_record_comes_by_its_rkey_and_a_wrong_one_is_an_error(site: Site, out: Path) -> None:
    target = Target("folder:repo", root=site.root)
    right = Selection(target, Scope((DOCUMENT,), rkey_of(site, "b.json")))

    report = pull([right], out, PullOptions(), Silent())

    assert list(statuses(report.repos[0])) == [f"{DOCUMENT}/{rkey_of(site, 'b.json')}.json"]
    with pytest.raises(RepoRefused, match="has no record"):
        pull([Selection(target, Scope((DOCUMENT,), "nope"))], out, PullOptions(), Silent())


def test_several_repos_get_a_folder_each_and_one_failure_stops_no_other(
    site: Site, out: Path
) -> None:
    good, bad = Target("folder:repo", root=site.root), Target("folder:nope", root=site.root)

    report = pull([Selection(bad), Selection(good)], out, PullOptions(), Silent())

    assert list(report.errors) == ["folder:nope"]
    assert report.exit_status == 2
    assert [path.name for path in out.iterdir()] == [site.repo().did.replace(":", "_")]


@pytest.mark.parametrize(
    ("name", "collections", "expected"),
    [
        ("alice.example", (), ("alice.example", (), None)),
        ("@alice.example", (), ("alice.example", (), None)),
        ("did:web:alice.example", (DOCUMENT,), ("did:web:alice.example", (DOCUMENT,), None)),
        ("at://alice.example", (DOCUMENT,), ("alice.example", (DOCUMENT,), None)),
        (f"at://alice.example/{DOCUMENT}", (), ("alice.example", (DOCUMENT,), None)),
        (f"at://alice.example/{DOCUMENT}/self", (), ("alice.example", (DOCUMENT,), "self")),
    ],
)
def test_a_repo_is_named_by_handle_did_or_at_uri(
    name: str, collections: tuple[Nsid, ...], expected: tuple[object, ...]
) -> None:
    chosen = select(name, Target(""), collections)

    assert (chosen.target.name, chosen.scope.collections, chosen.scope.rkey) == expected


@pytest.mark.parametrize("name", ["alice", "at://alice.example/x/y/z", "../etc", "https://a.b"])
def test_what_names_no_repo_is_an_error(name: str) -> None:
    with pytest.raises(ConfigError):
        select(name, Target(""), ())


def compare(site: Site) -> CheckReport:
    return check(site.config, Silent())


def test_check_finds_a_published_folder_equal(site: Site) -> None:
    report = compare(site)

    assert {item.status for item in report.items} == {"equal"}
    assert report.exit_status == 0


def test_check_names_each_field_that_differs_and_writes_nothing(site: Site) -> None:
    site.write("a.md", body="Other words.", title="Other", cover="sea.png")
    site.write("new.md")
    before = sorted(site.root.rglob("*")), site.repo().head()

    report = compare(site)

    found = {item.path: (item.status, item.fields) for item in report.items}
    assert found == {
        "a.md": ("differs", ("content", "textContent", "title")),
        "b.json": ("equal", ()),
        "new.md": ("missing", ()),
    }
    assert report.exit_status == 1
    assert (sorted(site.root.rglob("*")), site.repo().head()) == before


def test_check_is_proven_and_shows_how_fields_differ(site: Site) -> None:
    site.write_json("b.json", path="/b", title="“Eins”")

    report = compare(site)

    (item,) = (item for item in report.items if item.path == "b.json")
    (difference,) = item.differences
    assert (report.proof, difference.field) == ("proven", "title")
    assert ("+", "“Eins”") in difference.lines


def test_check_names_a_record_whose_document_is_gone(site: Site) -> None:
    (site.content / "b.json").unlink()

    report = compare(site)

    assert {i.path: i.status for i in report.items} == {"a.md": "equal", "b.json": "extra"}
    assert report.exit_status == 1


def test_check_finds_a_missing_blob(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FolderRepo, "blobs", lambda _: set())

    report = compare(site)

    assert {i.path: i.status for i in report.items} == {"a.md": "blob-missing", "b.json": "equal"}


def refuse(_repo: FolderRepo, cid: str, _file: IO[bytes]) -> None:
    """Give no blob."""
    raise RepoUnavailable(f"no answer for {cid}")


def test_a_pull_that_fails_leaves_a_folder_that_nobody_publishes(
    site: Site, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(FolderRepo, "fetch_blob", refuse)
        patched.setattr(copying, "UNANSWERED", 0)
        with pytest.raises(RepoUnavailable):
            pulled(site, out)
    manifest = json.loads((out / "pull.json").read_text())
    assert manifest["complete"] is False
    assert manifest["files"]["records"] == 2

    site.write("a.md", title="New", cover="sea.png")
    site.publish()
    again = pulled(site, out)
    assert (set(statuses(again).values()), again.unchanged) == ({"updated", "new"}, 1)
    assert json.loads((out / "pull.json").read_text())["complete"] is True


def test_a_blob_that_doesnt_come_is_named_and_asked_for_again(
    site: Site, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(FolderRepo, "fetch_blob", refuse)
        report = site.pull(out)
    (failed,) = (file for file in report.repos[0].files if file.status == "failed")
    assert (failed.reason, report.exit_status) == (f"no answer for {failed.cid}", 1)

    assert statuses(pulled(site, out)) == {f"blobs/{failed.cid}": "new"}


def test_a_file_that_is_gone_on_both_sides_is_forgotten(site: Site, out: Path) -> None:
    pulled(site, out)
    repo = site.repo()
    rkey = Rkey(rkey_of(site, "b.json"))
    theirs = repo.read([DOCUMENT]).records[DOCUMENT][rkey]
    repo.apply([DeleteWrite(DOCUMENT, rkey, theirs.cid)], swap_commit=repo.head().cid)
    (out / DOCUMENT / f"{rkey}.json").unlink()

    one = pulled(site, out)

    assert "gone" not in statuses(one).values()
    assert f"{DOCUMENT}/{rkey}.json" not in json.loads((out / "pull.json").read_text())["files"]


def test_a_rkey_that_no_file_name_can_hold_stops_only_its_record(site: Site, out: Path) -> None:
    odd_record(site, "com.example.thing", "x" * 300)

    report = site.pull(out)

    failed = [file for file in report.repos[0].files if file.status == "failed"]
    assert [file.reason for file in failed] == ["its record key is too long for a file name"]
    assert (report.exit_status, len(report.repos[0].files)) == (1, 4)


@pytest.mark.parametrize("forks", [True, False])
def test_each_of_many_records_has_its_own_content(
    forks: bool, site: Site, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not forks:
        monkeypatch.setattr(records, "FORKS", False)
    thing = Nsid("com.example.thing")
    values: dict[str, dict[str, Value]] = {
        f"r{number:04}": {"$type": thing, "number": number, "text": f"{number} " * 900}
        for number in range(1_000)
    }
    writes = [CreateWrite(thing, Rkey(rkey), value) for rkey, value in values.items()]
    for batch in pieces(writes, 200):
        site.repo().apply(batch, swap_commit=site.repo().head().cid)

    one = pulled(site, out)

    names = [file.path for file in one.files if file.path.startswith(thing)]
    assert names == [f"{thing}/{rkey}.json" for rkey in values]
    assert {
        rkey: data.loads((out / thing / f"{rkey}.json").read_bytes()) for rkey in values
    } == values
