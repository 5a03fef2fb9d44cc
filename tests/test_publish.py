"""`publisher publish` on a repo in a folder: what is written, what never is, what is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from publisher import data, lock
from publisher.apply import Blobs, applier
from publisher.commands import publish as publishing
from publisher.commands import rounds
from publisher.documents import DOCUMENT
from publisher.errors import GuardStopped, OutcomeUnknown, RepoRefused, SourceError, StateError
from publisher.folder import FolderRepo
from publisher.plan import Pending
from publisher.repo import Applied, CreateWrite, DeleteWrite, UpdateWrite, Write
from publisher.spool import whole
from publisher.syntax import Did, Nsid, Rkey
from tests.fetched import fetched
from tests.site import Site, actions, make_site, picture

LIKE = Nsid("app.bsky.feed.like")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return make_site(tmp_path / "site")


def records(site: Site) -> dict[Rkey, dict[str, data.Value]]:
    repo = site.repo()
    try:
        return {rkey: whole(r.value) for rkey, r in repo.read([DOCUMENT]).records[DOCUMENT].items()}
    finally:
        repo.close()


def only_record(site: Site) -> dict[str, data.Value]:
    (value,) = records(site).values()
    return value


def write_as_another_app(site: Site, **fields: data.Value) -> None:
    """Change the one record as another program would."""
    repo = site.repo()
    snapshot = repo.read([DOCUMENT])
    ((rkey, theirs),) = snapshot.records[DOCUMENT].items()
    write = UpdateWrite(DOCUMENT, rkey, whole(theirs.value) | fields, theirs.cid)
    repo.apply([write], swap_commit=snapshot.commit.cid)
    repo.close()


def test_documents_and_covers_become_records_and_blobs(site: Site) -> None:
    site.picture("sea.png")
    site.write("tides/spring.md", "High *water*.", cover="../sea.png", tags=["sea"])
    site.write_json("note.json", path="/note", coverImage="sea.png")

    report = site.publish()

    assert actions(report) == {"note.json": "create", "tides/spring.md": "create"}
    assert (report.uploaded, report.commits, report.exit_status) == (1, 2, 0)
    by_path = {value["path"]: value for value in records(site).values()}
    assert by_path["/tides/spring"]["textContent"] == "High water."
    cover = by_path["/note"]["coverImage"]
    assert by_path["/tides/spring"]["coverImage"] == cover
    assert isinstance(cover, dict)
    assert fetched(site.repo(), str(cover["ref"])) == picture()


def test_a_second_run_writes_nothing(site: Site) -> None:
    site.write("a.md")
    site.publish()
    head, before = site.repo().head(), site.lock.read_bytes()

    report = site.publish()

    assert actions(report) == {"a.md": "unchanged"}
    assert report.commits == 0
    assert (site.repo().head(), site.lock.read_bytes()) == (head, before)


def test_an_edit_becomes_an_update_that_names_its_fields(site: Site) -> None:
    site.write("a.md")
    site.publish()
    site.write("a.md", title="New")

    report = site.publish()

    assert [(item.action, item.changed) for item in report.items] == [("update", ("title",))]
    assert only_record(site)["title"] == "New"


def test_a_dry_run_says_what_would_be_done_and_leaves_no_trace(site: Site) -> None:
    site.write("a.md")

    report = site.publish(dry_run=True)

    assert actions(report) == {"a.md": "create"}
    assert sorted(path.name for path in site.root.iterdir()) == ["content", "publisher.toml"]


def test_a_dry_run_over_a_repo_that_is_there_leaves_no_trace_either(site: Site) -> None:
    site.write("a.md")
    site.publish()
    site.write("a.md", title="New")
    before = site.lock.read_bytes(), site.repo().head()

    report = site.publish(dry_run=True)

    assert (actions(report), report.exit_status) == ({"a.md": "update"}, 0)
    assert (site.lock.read_bytes(), site.repo().head()) == before


def test_an_invalid_document_stops_alone_and_the_exit_status_says_so(site: Site) -> None:
    site.write("good.md")
    site.write("bad.md", title="x" * 501)

    report = site.publish()

    assert actions(report) == {"bad.md": "invalid", "good.md": "create"}
    assert report.exit_status == 1
    assert [f.code for f in report.items[0].findings] == ["too-many-graphemes"]


def test_a_document_that_became_invalid_keeps_its_record_and_its_line(site: Site) -> None:
    site.write("a.md")
    site.publish()
    before, value = site.lock.read_bytes(), only_record(site)
    site.write("a.md", title="x" * 501)

    site.publish()

    assert (site.lock.read_bytes(), only_record(site)) == (before, value)


def test_a_draft_is_not_published(site: Site) -> None:
    site.write("a.md")
    site.write("b.md", draft=True)

    assert actions(site.publish()) == {"a.md": "create"}


def test_a_document_that_is_gone_leaves_an_orphan_that_stays(site: Site) -> None:
    site.write("a.md")
    site.write("b.md")
    site.publish()
    (site.content / "b.md").unlink()

    report = site.publish()

    assert actions(report) == {"a.md": "unchanged", "b.md": "orphan"}
    assert report.exit_status == 0
    assert len(records(site)) == 2
    assert len(site.lock_lines()) == 2


def test_fields_that_another_app_added_survive_an_update_byte_for_byte(site: Site) -> None:
    site.write("a.md")
    site.publish()
    theirs: dict[str, data.Value] = {"uri": f"at://{site.repo().did}", "n": [None, 1, b"\x00"]}
    write_as_another_app(site, example=theirs)
    site.write("a.md", title="New")

    report = site.publish()

    assert actions(report) == {"a.md": "update"}
    assert (only_record(site)["title"], only_record(site)["example"]) == ("New", theirs)


def test_a_field_of_ours_that_another_app_changed_is_a_conflict_and_stays(site: Site) -> None:
    site.write("a.md")
    site.publish()
    write_as_another_app(site, title="Theirs")
    site.write("a.md", title="Ours")

    report = site.publish()

    assert (actions(report), report.exit_status) == ({"a.md": "conflict"}, 1)
    assert only_record(site)["title"] == "Theirs"


def test_with_the_lock_lost_nothing_is_written_twice(site: Site) -> None:
    for name in ("a.md", "b.md", "c.md"):
        site.write(name)
    site.publish()
    before = site.lock.read_bytes()
    site.lock.unlink()

    report = site.publish()

    assert set(actions(report).values()) == {"unchanged"}
    assert (report.commits, site.lock.read_bytes()) == (0, before)


def test_a_record_of_the_same_path_is_adopted_only_when_asked(site: Site) -> None:
    site.write("a.md", title="Ours", path="/a")
    repo = FolderRepo.create(site.root / "repo")
    theirs: dict[str, data.Value] = {
        "$type": "site.standard.document",
        "site": "https://alice.example",
        "path": "/a",
        "title": "Theirs",
        "publishedAt": "2020-01-01T00:00:00Z",
        "kept": True,
    }
    write = CreateWrite(DOCUMENT, Rkey("3lzzzzzzzzz22"), theirs)
    repo.apply([write], swap_commit=repo.head().cid)
    repo.close()

    first, second = site.publish(), site.publish(adopt=True)

    assert (actions(first), first.exit_status) == ({"a.md": "adopt"}, 1)
    assert (actions(second), second.exit_status) == ({"a.md": "update"}, 0)
    assert list(records(site)) == ["3lzzzzzzzzz22"]
    assert (only_record(site)["title"], only_record(site)["kept"]) == ("Ours", True)


def test_with_a_path_only_that_document_is_written(site: Site) -> None:
    site.write("a.md")
    site.write("deep/b.md")

    report = site.publish(paths=(site.content / "deep",))

    assert actions(report) == {"deep/b.md": "create"}
    assert len(records(site)) == 1


def test_a_path_outside_the_documents_is_refused(site: Site, tmp_path: Path) -> None:
    site.write("a.md")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    with pytest.raises(SourceError, match="no document"):
        site.publish(paths=(elsewhere,))


def test_the_lock_of_another_account_stops_before_anything_is_written(site: Site) -> None:
    site.write("a.md")
    site.publish()
    site.configure(repo="folder:./other")

    with pytest.raises(GuardStopped, match="belongs to did:key:"):
        site.publish()
    report = site.publish(allow=frozenset({"account"}))

    assert actions(report) == {"a.md": "create"}


def test_without_state_nothing_is_left_behind_and_edits_still_flow(site: Site) -> None:
    site.configure(state="none")
    site.write("a.md")
    site.publish()
    site.write("a.md", title="New")

    report = site.publish()

    assert actions(report) == {"a.md": "update"}
    assert sorted(p.name for p in site.root.iterdir()) == ["content", "publisher.toml", "repo"]


def test_a_blob_that_is_nowhere_stops_its_document_before_anything_is_sent(site: Site) -> None:
    missing = data.blob_cid(b"nowhere")
    blob = {"$type": "blob", "ref": {"$link": missing}, "mimeType": "image/png", "size": 7}
    site.write_json("a.json", coverImage=blob)

    report = site.publish()

    assert (actions(report), report.commits, report.uploaded) == ({"a.json": "failed"}, 0, 0)
    assert f"blobs/{missing}" in report.items[0].reason


def test_a_blob_that_the_repo_holds_needs_no_file(site: Site) -> None:
    site.picture("sea.png")
    site.write("a.md", cover="sea.png")
    site.publish()
    blob = data.to_plain(only_record(site)["coverImage"])
    site.write_json("b.json", coverImage=blob)

    assert actions(site.publish())["b.json"] == "create"


def test_a_cover_that_changes_during_the_run_stops_its_document(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = site.picture("sea.png")
    site.write("a.md", cover="sea.png")
    site.write("b.md")
    without_lost = Blobs.without_lost

    def change(blobs: Blobs, planned: Sequence[Pending]) -> list[Pending]:
        path.write_bytes(picture(1))
        return without_lost(blobs, planned)

    monkeypatch.setattr(Blobs, "without_lost", change)

    assert actions(site.publish()) == {"a.md": "failed", "b.md": "create"}


Writes = Sequence[Write]


def around_writes(
    monkeypatch: pytest.MonkeyPatch,
    before: Callable[[FolderRepo, Writes], None] = lambda _repo, _writes: None,
    after: Callable[[Sequence[str | None]], Sequence[str | None]] = lambda cids: cids,
) -> None:
    """Have something happen before each write to the repo, and after: alone or in a batch."""
    apply, apply_one = FolderRepo.apply, FolderRepo.apply_one

    def batch(repo: FolderRepo, writes: Writes, *, swap_commit: str) -> Applied:
        before(repo, writes)
        applied = apply(repo, writes, swap_commit=swap_commit)
        return Applied(applied.commit, after(applied.cids))

    def one(repo: FolderRepo, write: Write) -> str | None:
        before(repo, [write])
        return after([apply_one(repo, write)])[0]

    monkeypatch.setattr(FolderRepo, "apply", batch)
    monkeypatch.setattr(FolderRepo, "apply_one", one)


@pytest.fixture(params=[applier.FEW, 0], ids=["alone", "batched"])
def _alone_or_batched(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the writes go one by one, and in batches."""
    monkeypatch.setattr(applier, "FEW", request.param)


both_ways = pytest.mark.usefixtures("_alone_or_batched")


@both_ways
def test_a_repo_that_moves_between_reading_and_writing_is_read_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.write("a.md")
    site.publish()
    site.write("a.md", title="Ours")
    moved: list[FolderRepo] = []

    def overtake(repo: FolderRepo, _writes: Writes) -> None:
        if not moved:
            moved.append(repo)
            write_as_another_app(site, theirs=1)

    around_writes(monkeypatch, before=overtake)

    report = site.publish()

    assert moved
    assert actions(report) == {"a.md": "update"}
    assert (only_record(site)["title"], only_record(site)["theirs"]) == ("Ours", 1)


@both_ways
def test_what_another_app_writes_between_reading_and_sending_is_never_overwritten(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.write("a.md")
    site.publish()
    site.write("a.md", title="Ours")
    moved: list[FolderRepo] = []

    def overtake(repo: FolderRepo, _writes: Writes) -> None:
        if not moved:
            moved.append(repo)
            write_as_another_app(site, title="Theirs")

    around_writes(monkeypatch, before=overtake)

    report = site.publish()

    assert moved
    assert (actions(report), report.exit_status) == ({"a.md": "conflict"}, 1)
    assert only_record(site)["title"] == "Theirs"


def test_a_busy_account_cannot_starve_a_publish(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(9):
        site.write(f"{number}.md")
    likes: list[int] = []

    def like(repo: FolderRepo, writes: Writes) -> None:
        if len(writes) > 1:  # each batch is overtaken by a commit that has nothing to do with it
            likes.append(len(writes))
            value: dict[str, data.Value] = {"$type": "app.bsky.feed.like"}
            repo.apply_one(CreateWrite(LIKE, Rkey(f"3lzzzzzzzz{len(likes):03}"), value))

    around_writes(monkeypatch, before=like)

    report = site.publish()

    assert len(likes) == rounds.OVERTAKEN
    assert (report.counts, report.exit_status) == ({"create": 9}, 0)
    assert len(records(site)) == 9


@both_ways
def test_one_refused_record_holds_back_no_other(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(9 if applier.FEW == 0 else 3):
        site.write(f"{number}.md")

    def refuse(_repo: FolderRepo, writes: Writes) -> None:
        if any(w.value["path"] == "/2" for w in writes if not isinstance(w, DeleteWrite)):
            raise RepoRefused("no 2 please")

    around_writes(monkeypatch, before=refuse)

    report = site.publish()

    assert actions(report)["2.md"] == "failed"
    assert report.counts == {"create": len(report.items) - 1, "failed": 1}
    assert len(records(site)) == len(report.items) - 1


@both_ways
def test_a_lost_answer_is_settled_by_reading(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.write("a.md")
    site.write("b.md")
    lost: list[object] = []

    def lose(cids: Sequence[str | None]) -> Sequence[str | None]:
        if not lost:
            lost.append(cids)
            raise OutcomeUnknown("the answer never came")
        return cids

    around_writes(monkeypatch, after=lose)

    report = site.publish()

    assert lost
    assert (report.counts, report.exit_status) == ({"create": 2}, 0)
    assert len(records(site)) == 2
    assert lock.read_journal(site.root, site.repo().did) == []


@both_ways
def test_answers_that_never_come_end_the_run_and_the_next_one_finds_what_was_written(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.write("a.md")
    site.publish()
    head = site.repo().head()

    def cut(_repo: FolderRepo, _writes: Writes) -> None:
        raise OutcomeUnknown("the answer never came")

    site.write("a.md", title="Edited")
    with monkeypatch.context() as patched:
        around_writes(patched, before=cut)
        report = site.publish()

    assert (actions(report), report.exit_status) == ({"a.md": "pending"}, 2)
    assert site.repo().head() == head
    assert actions(site.publish()) == {"a.md": "update"}


@both_ways
def test_what_is_about_to_be_sent_is_on_the_disk_before(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.write("a.md")
    seen: list[str] = []

    def look(repo: FolderRepo, _writes: Writes) -> None:
        seen.extend(entry.key for entry in lock.read_journal(site.root, repo.did))

    around_writes(monkeypatch, before=look)
    site.publish()

    assert seen == ["a.md"]
    assert lock.read_journal(site.root, site.repo().did) == []


@both_ways
def test_an_update_that_never_arrived_is_sent_again_even_with_the_lock_lost(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.write("a.md")
    site.publish()
    site.write("a.md", title="Edited")

    class Killed(BaseException):
        pass

    def die(_repo: FolderRepo, _writes: Writes) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        around_writes(patched, before=die)
        patched.setattr(publishing, "_saved", lambda *_: None)
        with pytest.raises(Killed):
            site.publish()
    site.lock.unlink()

    assert actions(site.publish()) == {"a.md": "update"}
    assert only_record(site)["title"] == "Edited"


@both_ways
def test_an_answered_cid_that_is_not_ours_is_a_failure(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.write("a.md")
    around_writes(monkeypatch, after=lambda cids: [data.record_cid({}) for _ in cids])

    report = site.publish()

    assert (actions(report), report.exit_status) == ({"a.md": "failed"}, 1)


def test_two_runs_at_once_are_one_too_many(site: Site) -> None:
    site.write("a.md")

    with lock.one_run(site.root, Did("did:plc:x")), pytest.raises(StateError, match="another"):
        site.publish()


def test_450_documents_go_in_three_commits(site: Site) -> None:
    for number in range(450):
        site.write_json(f"{number:03}.json", path=f"/{number}")

    report = site.publish()

    assert (report.counts, report.commits) == ({"create": 450}, 3)
    assert site.publish().counts == {"unchanged": 450}


def keys(lines: Sequence[dict[str, str]]) -> Iterator[str]:
    return (line["key"] for line in lines)


def test_the_lock_has_one_sorted_line_a_document(site: Site) -> None:
    for name in ("b.md", "a/z.md", "c.md"):
        site.write(name)
    site.publish()

    head = json.loads(site.lock.read_text().splitlines()[0])

    assert head == {"version": 1, "did": site.repo().did}
    assert list(keys(site.lock_lines())) == ["a/z.md", "b.md", "c.md"]


def killed_after_the_answer(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Publish, and end as a killed process does: the repo has it, the lock hasn't."""

    class Killed(BaseException):
        pass

    def die(_cids: Sequence[str | None]) -> Sequence[str | None]:
        raise Killed

    with monkeypatch.context() as patched:
        around_writes(patched, after=die)
        patched.setattr(publishing, "_saved", lambda *_: None)
        with pytest.raises(Killed):
            site.publish()


def test_a_conflict_stays_one_until_somebody_decides(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.write("a.md")
    killed_after_the_answer(site, monkeypatch)
    write_as_another_app(site, title="Theirs")
    site.write("a.md", title="Ours")

    first, second = site.publish(), site.publish()

    assert (actions(first), actions(second)) == ({"a.md": "conflict"}, {"a.md": "conflict"})
    assert only_record(site)["title"] == "Theirs"


def test_a_run_for_one_path_forgets_nothing_of_the_others(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.write("a.md")
    site.write("b.md")
    site.publish()
    site.write("a.md", title="First")
    killed_after_the_answer(site, monkeypatch)
    site.publish(paths=(site.content / "b.md",))
    site.write("a.md", title="Second")

    assert actions(site.publish())["a.md"] == "update"


def test_an_invalid_document_with_an_id_is_no_orphan(site: Site) -> None:
    site.write("a.md", id="aaa")
    site.publish()
    site.write("a.md", id="aaa", tags=3)

    assert actions(site.publish()) == {"a.md": "invalid"}


def test_a_dry_run_tells_of_a_blob_that_is_nowhere(site: Site) -> None:
    missing = data.blob_cid(b"nowhere")
    blob = {"$type": "blob", "ref": {"$link": missing}, "mimeType": "image/png", "size": 7}
    site.write_json("a.json", coverImage=blob)
    first = site.publish(dry_run=True)
    site.write("b.md")
    site.publish()

    assert (actions(first), first.exit_status) == ({"a.json": "failed"}, 1)
    assert actions(site.publish(dry_run=True))["a.json"] == "failed"


def test_a_lock_that_cannot_be_written_does_not_lose_the_report(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.write("a.md")

    def refuse(*_: object) -> None:
        raise StateError("publisher.lock: Read-only file system")

    with monkeypatch.context() as patched:
        patched.setattr(lock, "save", refuse)
        report = site.publish()

    assert (actions(report), report.exit_status) == ({"a.md": "create"}, 2)
    assert set(actions(site.publish()).values()) == {"unchanged"}


def test_many_paths_are_as_fast_as_none(site: Site) -> None:
    for number in range(300):
        site.write_json(f"{number}.json", path=f"/{number}")
    paths = tuple(sorted(site.content.iterdir()))

    assert site.publish(paths=paths).counts == {"create": 300}
