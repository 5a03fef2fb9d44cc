"""What the command line decides of what the plan leaves open, and the guards before it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from shutil import rmtree

import pytest

from publisher import data
from publisher.commands.publish import compare, publish
from publisher.commands.reports import PublishReport
from publisher.commands.rounds import Options
from publisher.documents import DOCUMENT
from publisher.errors import GuardStopped
from publisher.folder import FolderRepo
from publisher.plan.guards import GuardName
from publisher.progress import Silent
from publisher.repo import CreateWrite, DeleteWrite, UpdateWrite
from publisher.spool import whole
from publisher.syntax import Rkey
from tests.site import SITE, Site, actions, make_site, run


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site whose one document is published."""
    made = make_site(tmp_path / "site")
    made.write("a.md", title="First")
    made.publish()
    return made


def title(site: Site) -> data.Value:
    """The title of the one record."""
    (record,) = site.repo().read([DOCUMENT]).records[DOCUMENT].values()
    return record.value["title"]


def edit_there(site: Site, **fields: data.Value) -> None:
    """Change the one record as another app would."""
    repo = site.repo()
    ((rkey, theirs),) = repo.read([DOCUMENT]).records[DOCUMENT].items()
    repo.apply_one(UpdateWrite(DOCUMENT, rkey, whole(theirs.value) | fields, theirs.cid))


def delete_there(site: Site) -> None:
    """Delete the one record as another app would."""
    repo = site.repo()
    ((rkey, theirs),) = repo.read([DOCUMENT]).records[DOCUMENT].items()
    repo.apply_one(DeleteWrite(DOCUMENT, rkey, theirs.cid))


def only(report: PublishReport) -> tuple[str, int]:
    """What happened to the one document, and the exit status."""
    (item,) = report.items
    return item.action, report.exit_status


def backups(site: Site) -> list[dict[str, object]]:
    """Every record that was kept."""
    folder = site.root / ".publisher" / "backups"
    files = sorted(folder.glob("*.jsonl")) if folder.exists() else []
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def test_a_record_that_another_app_changed_stays_and_needs_nobody(site: Site) -> None:
    edit_there(site, title="Theirs")

    assert only(site.publish()) == ("remote-changed", 0)
    assert title(site) == "Theirs"


def test_a_file_renamed_while_its_record_is_in_doubt_stays_known(site: Site) -> None:
    site.write("a.md", title="First", path="/first")
    site.publish()
    edit_there(site, title="Theirs")
    (site.content / "a.md").rename(site.content / "b.md")

    once, twice = site.publish(), site.publish()

    assert actions(once) == actions(twice) == {"b.md": "remote-changed"}
    assert [line["key"] for line in site.lock_lines()] == ["b.md"]


def test_files_that_were_renumbered_keep_their_records(site: Site) -> None:
    site.write("a.md", title="First", path="/first")
    site.write("b.md", title="Second", path="/second")
    site.publish()
    before = site.repo().read([DOCUMENT]).records[DOCUMENT]
    (site.content / "b.md").rename(site.content / "c.md")
    (site.content / "a.md").rename(site.content / "b.md")
    site.write("a.md", title="New")

    report = site.publish()

    after = site.repo().read([DOCUMENT]).records[DOCUMENT]
    assert actions(report) == {"a.md": "create", "b.md": "unchanged", "c.md": "unchanged"}
    assert {rkey: after[rkey].value["title"] for rkey in before} == {
        rkey: record.value["title"] for rkey, record in before.items()
    }
    assert site.publish().counts == {"unchanged": 3}


def test_a_record_whose_name_is_another_documents_now_can_be_pruned(site: Site) -> None:
    site.write("b.md", title="Second", path="/second")
    site.publish()
    (site.content / "b.md").replace(site.content / "a.md")

    kept = site.publish()
    pruned = site.publish(prune=True)

    (orphan,) = (item for item in kept.items if item.action == "orphan")
    assert orphan.path.startswith("a.md (3")
    assert pruned.counts == {"unchanged": 1, "delete": 1}
    assert title(site) == "Second"
    assert [line["key"] for line in site.lock_lines()] == ["a.md"]


def test_force_publishes_the_document_over_it_after_a_backup(site: Site) -> None:
    edit_there(site, title="Theirs")

    report = site.publish(paths=(site.content / "a.md",), force=True)

    assert only(report) == ("update", 0)
    assert title(site) == "First"
    (kept,) = backups(site)
    value = kept["value"]
    assert isinstance(value, dict)
    assert (value["title"], kept["action"], kept["path"]) == ("Theirs", "update", "a.md")
    assert only(site.publish()) == ("unchanged", 0)


def test_force_decides_a_conflict_only_for_the_paths_named(site: Site) -> None:
    edit_there(site, title="Theirs")
    site.write("a.md", title="Second")
    site.write("b.md")

    other = site.publish(paths=(site.content / "b.md",), force=True)

    assert actions(other) == {"b.md": "create"}
    assert only(site.publish(paths=(site.content / "a.md",))) == ("conflict", 1)
    assert only(site.publish(paths=(site.content / "a.md",), force=True)) == ("update", 0)


def test_keep_remote_ends_a_conflict_until_the_document_is_edited_again(site: Site) -> None:
    edit_there(site, title="Theirs")
    site.write("a.md", title="Second")
    path = (site.content / "a.md",)

    assert only(site.publish(paths=path, keep_remote=True)) == ("kept", 0)
    assert only(site.publish()) == ("remote-changed", 0)
    assert title(site) == "Theirs"
    site.write("a.md", title="Third")
    assert only(site.publish()) == ("conflict", 1)


def test_a_record_that_was_deleted_elsewhere_comes_back_only_when_asked(site: Site) -> None:
    delete_there(site)

    assert only(site.publish()) == ("remote-deleted", 0)
    assert only(site.publish(recreate=True)) == ("create", 0)
    assert title(site) == "First"


def test_an_edit_of_a_document_whose_record_was_deleted_is_a_conflict(site: Site) -> None:
    delete_there(site)
    site.write("a.md", title="Second")

    assert only(site.publish()) == ("conflict", 1)
    assert only(site.publish(recreate=True)) == ("create", 0)


def test_prune_deletes_what_we_wrote_and_nothing_else(site: Site) -> None:
    site.write("b.md")
    site.publish()
    repo = site.repo()
    foreign: dict[str, data.Value] = {"$type": DOCUMENT, "site": SITE, "title": "Theirs"}
    repo.apply_one(CreateWrite(DOCUMENT, Rkey("3lzzzzzzzzz22"), foreign))
    (site.content / "b.md").unlink()

    kept = site.publish()
    pruned = site.publish(prune=True)

    assert actions(kept) == {"a.md": "unchanged", "b.md": "orphan"}
    assert actions(pruned) == {"a.md": "unchanged", "b.md": "delete"}
    there = repo.read([DOCUMENT]).records[DOCUMENT]
    assert {record.value["title"] for record in there.values()} == {"First", "Theirs"}
    assert [line["key"] for line in site.lock_lines()] == ["a.md"]
    assert [kept["action"] for kept in backups(site)] == ["delete"]
    assert actions(site.publish(prune=True)) == {"a.md": "unchanged"}


def test_a_draft_is_pruned_like_a_document_that_is_gone(site: Site) -> None:
    site.write("b.md")
    site.publish()
    site.write("a.md", title="First", draft=True)

    assert actions(site.publish(prune=True)) == {"a.md": "delete", "b.md": "unchanged"}


def test_what_another_app_changed_is_not_pruned_without_force(site: Site) -> None:
    site.write("b.md")
    edit_there(site, title="Theirs")
    (site.content / "a.md").unlink()
    path = (site.content / "a.md",)

    assert actions(site.publish(prune=True)) == {"a.md": "conflict", "b.md": "create"}
    assert only(site.publish(paths=path, prune=True, force=True)) == ("delete", 0)


def invalid_beside_it(site: Site) -> None:
    site.write("b.md", title="x" * 501)


def of_another_site(site: Site) -> None:
    site.configure(site="https://bob.example")


def of_no_site(site: Site) -> None:
    site.write_json("p.json", **{"$type": "org.example.note", "text": "x"})
    site.publish()
    (site.content / "p.json").unlink()


def changed_elsewhere(site: Site) -> None:
    edit_there(site, title="Theirs")


def looked_like(site: Site) -> None:
    site.write("b.md", title="Other", date="2026-03-01T10:00:00Z")
    site.publish()
    site.write("b.md", title="First")


@pytest.mark.parametrize(
    ("makes", "action", "reason", "remedy"),
    [
        (lambda _: None, "delete", "its document is gone", ""),
        (
            invalid_beside_it,
            "orphan",
            "its document is gone; its record stays: "
            "nothing is deleted while a document is invalid",
            "correct that one, then --prune deletes this",
        ),
        (
            of_another_site,
            "orphan",
            "its document is gone; its record stays: it is of another site, https://alice.example",
            "if that one is yours, name it as `site` or in `formerly`",
        ),
        (
            looked_like,
            "orphan",
            "its document is gone; its record stays: a document that is here has its path,"
            " or its date and title",
            "if it is none of that one: --prune --force a.md",
        ),
        (
            changed_elsewhere,
            "conflict",
            "its document is gone, and another app has changed its record",
            "to delete it all the same: publish --prune --force a.md",
        ),
    ],
)
def test_prune_says_why_it_leaves_an_orphan(
    makes: Callable[[Site], None], action: str, reason: str, remedy: str, site: Site
) -> None:
    makes(site)
    (site.content / "a.md").unlink()

    report = site.publish(prune=True, allow=frozenset({"empty"}))

    (item,) = (item for item in report.items if item.path == "a.md")
    assert (item.action, item.reason, item.remedy) == (action, reason, remedy)


@pytest.mark.parametrize("prune", [True, False])
@pytest.mark.parametrize("has_site", [True, False])
def test_a_record_of_no_site_is_never_pruned(prune: bool, has_site: bool, site: Site) -> None:
    of_no_site(site)
    if not has_site:
        (site.content / "a.md").unlink()
        config = site.root / "publisher.toml"
        config.write_text('repo = "folder:./repo"\ndocuments = "content"\n')

    report = site.publish(prune=prune, allow=frozenset({"empty"}))

    (item,) = (item for item in report.items if item.path == "p.json")

    assert item.action == "orphan"
    assert item.reason == "its document is gone; its record stays: it is of no site"
    assert item.remedy == "delete it with the app that shows it"


def test_an_emptied_folder_stops_a_prune(site: Site) -> None:
    (site.content / "a.md").unlink()

    stopped = site.publish(prune=True)

    assert isinstance(stopped.error, GuardStopped)
    assert (stopped.exit_status, title(site)) == (1, "First")
    assert only(site.publish(prune=True, allow=frozenset({"empty"}))) == ("delete", 0)


def many(site: Site, number: int, description: str = "") -> None:
    for count in range(number):
        site.write(f"{count}.md", description=description)


def test_many_deletes_at_once_are_stopped_or_asked_about(site: Site) -> None:
    many(site, 20)
    site.publish()
    for count in range(6):
        (site.content / f"{count}.md").unlink()
    asked: list[str] = []

    def agree(question: str) -> bool:
        asked.append(question)
        return True

    stopped = site.publish(prune=True)
    options = Options(prune=True)
    done = publish(site.config, options, lambda _: None, Silent(), agree)

    assert isinstance(stopped.error, GuardStopped)
    assert "6" in stopped.error.message
    assert len(asked) == 1
    assert done.counts == {"delete": 6, "unchanged": 15}


def test_an_edit_of_nearly_everything_is_stopped_before_it_is_written(site: Site) -> None:
    many(site, 9)
    site.publish()
    many(site, 9, description="added by a script")
    head = site.repo().head()

    stopped = site.publish()

    assert isinstance(stopped.error, GuardStopped)
    assert "--allow mass-update" in stopped.error.remedy
    assert (stopped.counts, stopped.exit_status) == ({"pending": 9, "unchanged": 1}, 1)
    assert site.repo().head() == head
    allowed = site.publish(allow=frozenset({"mass-update"}))
    assert allowed.counts == {"update": 9, "unchanged": 1}


def emptied(site: Site) -> None:
    (site.content / "a.md").unlink()


def much_gone(site: Site) -> None:
    many(site, 9)
    site.publish()
    for count in range(6):
        (site.content / f"{count}.md").unlink()


def much_edited(site: Site) -> None:
    many(site, 9)
    site.publish()
    many(site, 9, description="added by a script")


def lock_lost(site: Site) -> None:
    emptied(site)
    many(site, 6)
    site.lock.unlink()


def pulled(site: Site) -> None:
    """Publish to a new repo what was pulled from the old one."""
    site.pull(site.root / "pulled")
    site.configure(repo="folder:./new", documents="pulled")
    site.lock.unlink()
    FolderRepo.open_or_create(site.root / "new")


def pulled_for_a_new_repo(site: Site) -> None:
    pulled(site)
    rmtree(site.root / "new")


def of_another_account(site: Site) -> None:
    rmtree(site.root / "repo")
    FolderRepo.open_or_create(site.root / "repo")


def whose_repo_is_gone(site: Site) -> None:
    rmtree(site.root / "repo")


@pytest.mark.parametrize(
    ("makes", "prune", "name"),
    [
        (pulled, False, "origin"),
        (pulled_for_a_new_repo, False, "origin"),
        (emptied, True, "empty"),
        (much_gone, True, "delete"),
        (much_edited, False, "mass-update"),
        (lock_lost, False, "mass-create"),
    ],
)
def test_a_dry_run_names_the_guard_that_stops_a_publish(
    makes: Callable[[Site], None], prune: bool, name: GuardName, site: Site
) -> None:
    makes(site)

    planned = site.publish(dry_run=True, prune=prune)
    allowed = site.publish(dry_run=True, prune=prune, allow=frozenset({name}))
    differing = compare(site.config, (), Silent())
    stopped = site.publish(prune=prune)

    (guard,) = planned.guards
    assert (guard.name, planned.exit_status, planned.error) == (name, 1, None)
    assert isinstance(stopped.error, GuardStopped)
    assert (stopped.error.message, stopped.commits) == (guard.message, 0)
    assert stopped.error.remedy == f"look at it with --dry-run; {guard.remedy}"
    assert (allowed.items, allowed.guards, allowed.exit_status) == (planned.items, (), 0)
    assert (differing.guards, differing.exit_status) == ((), 0)


@pytest.mark.parametrize("makes", [of_another_account, whose_repo_is_gone])
def test_a_lock_of_another_account_stops_a_dry_run_as_it_stops_a_publish(
    makes: Callable[[Site], None], site: Site
) -> None:
    makes(site)
    allowed = site.publish(dry_run=True, allow=frozenset({"account"}))
    found = []

    for options in ({"dry_run": True}, {}):
        with pytest.raises(
            GuardStopped, match=r"publisher\.lock belongs to did:key:\w+, but "
        ) as e:
            site.publish(**options)
        found.append(e.value.remedy)

    assert found[0] == found[1]
    assert "publish with --allow account" in found[0]
    assert (only(allowed), allowed.guards) == (("create", 0), ())


def test_a_dry_run_that_nothing_stops_names_no_guard(site: Site) -> None:
    site.write("b.md")

    first, limited = (
        site.publish(dry_run=True),
        site.publish(dry_run=True, paths=(site.content / "a.md",), prune=True),
    )

    assert (first.guards, first.exit_status) == (limited.guards, limited.exit_status) == ((), 0)


def test_status_says_what_would_happen_and_what_it_costs(site: Site) -> None:
    site.write("a.md", title="Second")
    site.write("b.md")

    done = run("status", folder=site.root)

    assert done.returncode == 0
    assert "update    a.md" in done.stdout
    assert "create    b.md" in done.stdout
    assert "nothing was written" in done.stdout
    assert "2 records to write" in done.stdout
    assert title(site) == "First"


def test_a_dry_run_shows_what_would_change_and_diff_shows_conflicts_too(site: Site) -> None:
    edit_there(site, description="Theirs")
    site.write("a.md", "Hello again.", title="Second")
    dry = run("publish", "--dry-run", folder=site.root)
    edit_there(site, title="Theirs")

    conflict = run("diff", "content/a.md", folder=site.root)

    assert "First" in dry.stdout
    assert "Second" in dry.stdout
    assert conflict.returncode == 1
    assert "- Theirs" in conflict.stdout
    assert "+ Second" in conflict.stdout


def test_diff_without_differences_says_so(site: Site) -> None:
    assert compare(site.config, (), Silent()).items == ()


@pytest.mark.parametrize("option", ["--force", "--keep-remote"])
def test_what_overwrites_or_gives_in_needs_a_path(option: str, site: Site) -> None:
    done = run("publish", option, folder=site.root)

    assert done.returncode == 2
    assert "PATH" in done.stderr


def test_read_back_compares_everything_with_what_was_written(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = site.publish(read_back=True)
    site.write("a.md", title="Second")
    apply_one = FolderRepo.apply_one

    def forgets(repo: FolderRepo, write: UpdateWrite) -> str | None:
        cid = apply_one(repo, write)
        assert cid
        delete = DeleteWrite(write.collection, write.rkey, cid)
        apply_one(repo, delete)
        return cid

    monkeypatch.setattr(FolderRepo, "apply_one", forgets)
    bad = site.publish(read_back=True)

    assert only(good) == ("unchanged", 0)
    assert only(bad) == ("failed", 1)
    assert "read back" in bad.items[0].reason
