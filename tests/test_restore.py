"""What was overwritten or deleted comes back, and the next publish doesn't undo it silently."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import pytest

from publisher import lock
from publisher.commands.restore import RestoreReport, Wanted, kept, restore
from publisher.data import Value
from publisher.documents import DOCUMENT
from publisher.errors import RepoRefused, StateError, SwapRefused
from publisher.folder import FolderRepo
from publisher.progress import Silent
from publisher.repo import RemoteRecord, Snapshot, UpdateWrite
from publisher.spool import whole
from tests.fetched import fetched
from tests.reference_pds import Account, ReferencePds
from tests.site import Site, actions, make_site, picture, run


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site whose one document was published as 'First' and then as 'Second'."""
    site = make_site(tmp_path / "site")
    for title in ("First", "Second"):
        site.write("a.md", title=title)
        site.publish()
    return site


def back(site: Site, what: str = "a.md", cid: str | None = None, **options: bool) -> RestoreReport:
    wanted = Wanted(what, cid, **options)
    return restore(site.config, wanted, lambda _: None, Silent(), now=datetime.now(UTC))


def there(site: Site) -> RemoteRecord:
    (record,) = site.repo().read([DOCUMENT]).records[DOCUMENT].values()
    return record


def uri(site: Site) -> str:
    return f"at://{site.repo().did}/{DOCUMENT}/{there(site).rkey}"


def test_the_list_says_when_what_happened_to_which_record(site: Site) -> None:
    site.write("a.md", title="Third")
    site.publish()
    (site.content / "a.md").unlink()
    site.write("b.md")
    site.publish(prune=True)

    report = kept(site.config)

    assert [(v.path, v.action) for v in report.versions] == [
        ("a.md", "delete"),
        ("a.md", "update"),
        ("a.md", "update"),
    ]
    assert len({v.uri for v in report.versions}) == 1
    assert report.versions[0].when >= report.versions[1].when >= report.versions[2].when
    assert (report.damaged, report.exit_status) == ((), 0)


def test_damage_is_listed_and_needs_a_person(site: Site) -> None:
    folder = site.root / ".publisher/backups"
    (folder / "2026-01-01T00-00-00.000000Z.jsonl").write_text("{}\n")

    report = kept(site.config)

    assert (len(report.versions), len(report.damaged), report.exit_status) == (1, 1, 1)


def test_a_version_is_put_back_over_what_is_there_which_is_kept(site: Site) -> None:
    second = there(site)

    report = back(site)

    assert (report.action, report.replaced, report.exit_status) == ("update", second.cid, 0)
    assert there(site).value["title"] == "First"
    assert there(site).cid == report.restored.cid
    assert [v.cid for v in kept(site.config).versions] == [second.cid, report.restored.cid]


def test_the_next_publish_leaves_what_was_put_back_and_says_so(site: Site) -> None:
    before = site.lock.read_bytes()
    report = back(site)

    assert site.lock.read_bytes() == before
    assert "the next publish says that the record was changed" in report.next
    again = site.publish()
    assert (actions(again), again.exit_status) == ({"a.md": "remote-changed"}, 0)
    assert there(site).value["title"] == "First"


def test_a_document_that_is_edited_after_the_restore_is_in_conflict(site: Site) -> None:
    back(site)
    site.write("a.md", title="Third")
    assert actions(site.publish()) == {"a.md": "conflict"}
    assert there(site).value["title"] == "First"


def test_taking_the_text_into_the_document_settles_it(site: Site) -> None:
    back(site)
    site.write("a.md", title="First")
    assert actions(site.publish()) == {"a.md": "unchanged"}
    assert actions(site.publish()) == {"a.md": "unchanged"}


def test_without_a_lock_the_report_warns_that_the_next_publish_undoes_it(site: Site) -> None:
    site.configure(state="none")
    report = back(site)
    assert report.next == (
        "without a lock, the next publish writes the document over it: change it there"
    )
    assert actions(site.publish()) == {"a.md": "update"}


def test_restoring_twice_takes_turns_and_what_is_there_already_is_left(site: Site) -> None:
    first = back(site).restored
    assert back(site).restored.cid != first.cid  # the newest is what the first restore replaced
    assert there(site).value["title"] == "Second"
    back(site, cid=first.cid)

    again = back(site, cid=first.cid)

    assert (again.action, again.next) == ("unchanged", "")
    assert len(kept(site.config).versions) == 4


def test_the_record_is_named_by_path_uri_or_cid(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    (version,) = kept(site.config).versions
    monkeypatch.chdir(site.content)
    names = ["a.md", "../content/a.md", str(site.content / "a.md"), uri(site), version.cid]
    rkey = uri(site).rpartition("/")[2]
    for name in [*names, f"at://alice.example/{DOCUMENT}/{rkey}"]:
        report = back(site, name, dry_run=True)
        assert (report.restored, report.action, report.dry_run) == (version, "update", True)
    assert there(site).value["title"] == "Second"
    assert kept(site.config).versions == (version,)


@pytest.mark.parametrize(
    "what", ["b.md", "bafyreib", "at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/site.standard.document/x"]
)
def test_what_was_never_kept_is_an_error(site: Site, what: str) -> None:
    with pytest.raises(StateError, match=f"{what}: nothing is kept of it") as error:
        back(site, what)
    assert error.value.remedy == "`publisher restore` lists what is kept"


def test_a_version_that_is_not_of_the_document_is_an_error(site: Site) -> None:
    with pytest.raises(StateError, match=r"a\.md: no version bafyrei is kept"):
        back(site, cid="bafyrei")


def test_a_cid_that_two_records_had_needs_the_record_named(site: Site) -> None:
    (path,) = (site.root / ".publisher/backups").glob("*.jsonl")
    line, rkey = path.read_text(), uri(site).rpartition("/")[2]
    path.write_text(line + line.replace(rkey, "3lzzzzzzzzz22"))
    cid = json.loads(line)["cid"]

    with pytest.raises(StateError, match=f"{cid} was the record of at://.*, at://") as error:
        back(site, cid)

    assert error.value.remedy == f"name the record: publisher restore at://… --cid {cid}"
    assert back(site, uri(site), cid).action == "update"


def test_a_version_of_another_account_is_not_put_into_this_one(site: Site) -> None:
    other = make_site(site.root / "other")
    other.write("z.md")
    other.publish()
    backups = site.root / ".publisher/backups"
    backups.rename(other.root / ".publisher/backups")

    with pytest.raises(StateError, match="is of another account than .*repo, did:key:"):
        back(other)


def test_a_deleted_record_comes_back_with_the_cover_that_lost_its_last_reference(
    site: Site,
) -> None:
    site.picture("cover.png", colour=7)
    site.write("a.md", title="With a cover", cover="cover.png")
    site.publish()
    with_cover = there(site)
    (site.content / "a.md").unlink()
    (site.content / "cover.png").unlink()
    site.write("b.md")
    site.publish(prune=True)
    assert site.repo().blobs() == set()

    report = back(site)

    assert (report.action, report.replaced, report.uploaded) == ("create", None, 1)
    restored = site.repo().read([DOCUMENT]).records[DOCUMENT][with_cover.rkey]
    assert (restored.cid, whole(restored.value)) == (with_cover.cid, whole(with_cover.value))
    (cover,) = site.repo().blobs()
    assert fetched(site.repo(), cover) == picture(7)
    assert report.next.startswith("no line of publisher.lock is about it: it stays")
    assert actions(site.publish(prune=True)) == {"b.md": "unchanged"}


def test_the_cover_of_what_is_overwritten_is_kept_in_its_turn(site: Site) -> None:
    site.picture("cover.png", colour=7)
    site.write("a.md", title="With a cover", cover="cover.png")
    site.publish()
    (site.content / "cover.png").unlink()

    back(site)
    assert site.repo().blobs() == set()
    report = back(site)

    assert (report.action, report.uploaded) == ("update", 1)
    assert there(site).value["title"] == "With a cover"
    assert len(site.repo().blobs()) == 1


def test_a_blob_that_is_nowhere_stops_it_before_anything_is_written(site: Site) -> None:
    site.picture("cover.png", colour=7)
    site.write("a.md", cover="cover.png")
    site.publish()
    site.write("a.md", title="Plain")
    site.publish()
    plain = there(site)
    (blob,) = (site.root / ".publisher/backups/blobs").iterdir()
    blob.unlink()

    with pytest.raises(StateError, match=f"the blob {blob.name} is neither in .*repo nor") as error:
        back(site)

    assert error.value.remedy == f"put its file there as .publisher/backups/blobs/{blob.name}"
    assert there(site) == plain


def test_a_record_that_changes_meanwhile_is_not_overwritten(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    authenticate = FolderRepo.authenticate

    def overtaken(repo: FolderRepo) -> None:
        value: dict[str, Value] = {**whole(there(site).value), "title": "Theirs"}
        repo.apply_one(UpdateWrite(DOCUMENT, there(site).rkey, value, there(site).cid))
        authenticate(repo)

    monkeypatch.setattr(FolderRepo, "authenticate", overtaken)
    with pytest.raises(SwapRefused):
        back(site)
    assert there(site).value["title"] == "Theirs"


def test_it_waits_for_no_other_run_in_the_folder(site: Site) -> None:
    with lock.one_run(site.root, site.repo().did):
        assert back(site, dry_run=True).action == "update"
        with pytest.raises(StateError, match="is at work"):
            back(site)
    assert there(site).value["title"] == "Second"


def test_a_cover_that_the_repo_still_holds_is_not_uploaded_again(site: Site) -> None:
    site.picture("cover.png", colour=7)
    for title in ("With a cover", "With the same cover"):
        site.write("a.md", title=title, cover="cover.png")
        site.publish()

    report = back(site)

    assert (report.action, report.uploaded) == ("update", 0)
    assert there(site).value["title"] == "With a cover"


def test_a_blob_that_is_gone_from_the_repo_holds_nothing_up(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.picture("cover.png", colour=7)
    site.write("a.md", title="With a cover", cover="cover.png")
    site.publish()

    def gone(_repo: FolderRepo, cid: str, _file: IO[bytes]) -> None:
        raise RepoRefused(f"no blob {cid}", name="BlobNotFound")

    monkeypatch.setattr(FolderRepo, "fetch_blob", gone)
    assert back(site).action == "update"
    assert there(site).value["title"] == "Second"


def test_a_record_that_cannot_be_read_is_not_overwritten(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    second, head = there(site), site.repo().head()
    damaged = Snapshot(head, {DOCUMENT: {}}, {(DOCUMENT, second.rkey): "a float"})
    with monkeypatch.context() as patch:
        patch.setattr(FolderRepo, "read", lambda *_: damaged)
        with pytest.raises(RepoRefused, match="can't be read, so it can't be kept: a float"):
            back(site)
    assert there(site) == second


def test_an_answer_of_another_cid_is_an_error(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FolderRepo, "apply_one", lambda *_: "bafyother")
    with pytest.raises(RepoRefused, match="answered bafyother for a record whose CID is bafyrei"):
        back(site)


def test_on_the_command_line_it_lists_and_restores(site: Site) -> None:
    (version,) = kept(site.config).versions

    listed = run("restore", folder=site.root)
    tried = run("restore", "content/a.md", "--dry-run", folder=site.root)
    done = run("restore", "content/a.md", "--json", folder=site.root)

    when = version.when.replace("T", " ").removesuffix("Z")
    assert listed.stdout == (
        f"{when}  updated  a.md  {version.cid}\n"
        "1 version kept (times in UTC)\n"
        "to put one back: `publisher restore PATH`, or an AT-URI or a CID\n"
    )
    assert tried.stdout.endswith("to be restored in repo (nothing was written)\n")
    report = json.loads(done.stdout)
    assert (report["action"], report["restored"]["cid"]) == ("update", version.cid)
    assert there(site).cid == version.cid
    assert run("restore", "--cid", version.cid, folder=site.root).returncode == 2


def test_on_the_pds_a_record_comes_back_with_its_cover_and_a_password_only_for_the_write(
    pds: ReferencePds, account: Account, tmp_path: Path
) -> None:
    site = make_site(tmp_path / "site", repo=account.handle, pds=pds.url, plc=pds.plc)
    password = {"PUBLISHER_APP_PASSWORD": account.app_password}
    site.picture("cover.png", colour=7)
    site.write("a.md", cover="cover.png")
    site.write("b.md")
    run("publish", folder=site.root, environment=password)
    (site.content / "a.md").unlink()
    (site.content / "cover.png").unlink()
    pruned = run("publish", "--prune", folder=site.root, environment=password)
    assert pruned.returncode == 0, pruned.stderr

    pds.reset()
    tried = run("restore", "a.md", "--dry-run", "--json", folder=site.root)
    assert json.loads(tried.stdout)["action"] == "create", tried.stderr
    refused = run("restore", "a.md", folder=site.root)
    assert (refused.returncode, pds.stats().count("com.atproto.server.createSession")) == (2, 0)
    assert pds.stats().count("com.atproto.repo.uploadBlob") == 0

    done = run("restore", "a.md", "--json", folder=site.root, environment=password)

    report = json.loads(done.stdout)
    assert (report["action"], report["uploaded"]) == ("create", 1), done.stderr
    again = run("restore", "a.md", "--json", folder=site.root)
    assert json.loads(again.stdout)["action"] == "unchanged"
    pulled = run("pull", "--out", "back", folder=site.root)
    assert pulled.returncode == 0, pulled.stderr
    assert [path.read_bytes() for path in (site.root / "back/blobs").iterdir()] == [picture(7)]
