"""What was pulled from one repo goes to another, and its references lead to the new records."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher import data
from publisher.apply import applier
from publisher.commands.check import check
from publisher.commands.checked import Checked
from publisher.commands.judge import Judge
from publisher.commands.publish import compare
from publisher.commands.reports import PublishReport
from publisher.data import Cid, Value
from publisher.documents import DOCUMENT, Context, Source
from publisher.errors import ConfigError, GuardStopped, RepoRefused, SourceError
from publisher.folder import FolderRepo
from publisher.migration import Migration, Moving, Reference, mentions, references, with_cids
from publisher.progress import Silent
from publisher.repo import Write
from publisher.syntax import Did
from tests import migration_world as world
from tests.migration_world import CHAIN, FIRST, LOOSE, MAIN, POST, QUOTE, SECOND, STALE, THIRD
from tests.site import Site, actions, make_site, run
from tests.survive.crash import KILLED

OLD, NEW = Did("did:plc:44ybard66vv44zksje25o7dy"), Did("did:plc:55ybard66vv44zksje25o7dy")
HERE = "com.example.note/a"
A, B, C = (data.record_cid({"text": name}) for name in "abc")
MOVES = Migration(OLD, NEW, frozenset({HERE}), {HERE: (A, B)})
HERE_OLD, HERE_NEW = f"at://{OLD}/{HERE}", f"at://{NEW}/{HERE}"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (HERE_OLD, HERE_NEW),
        ([[HERE_OLD, 1], {"x": HERE_OLD}], [[HERE_NEW, 1], {"x": HERE_NEW}]),
        ({"uri": HERE_OLD, "cid": A}, {"uri": HERE_NEW, "cid": B}),
        ({"uri": HERE_OLD, "cid": Cid.parse(A)}, {"uri": HERE_NEW, "cid": Cid.parse(B)}),
        ({"uri": HERE_OLD, "cid": None}, {"uri": HERE_NEW, "cid": None}),
        ({"cid": A}, {"cid": A}),
        ({"uri": f"at://{OLD}/com.example.note/b", "cid": A},) * 2,
        ({"uri": f"at://{NEW}/{HERE}", "cid": A},) * 2,
        ({HERE_OLD: 1},) * 2,
        (f"see {HERE_OLD}",) * 2,
        (f"{HERE_OLD} ",) * 2,
        (f"{HERE_OLD}#x",) * 2,
        (f"{HERE_OLD}/",) * 2,
        (f"{HERE_OLD}b",) * 2,
        (f"at://{OLD}x/{HERE}",) * 2,
        (f"at://{OLD}",) * 2,
        (f"at://{OLD}/com.example.note",) * 2,
        (f"at://alice.example/{HERE}",) * 2,
        (OLD,) * 2,
    ],
)
def test_a_reference_is_a_whole_string_that_names_a_record_here(
    before: Value, after: Value
) -> None:
    assert MOVES.moved({"v": before}) == ({"v": after}, [])


def test_the_cid_of_another_version_stays_and_is_told() -> None:
    value: dict[str, Value] = {"of": [{"uri": HERE_OLD, "cid": C}]}

    moved, (finding,) = MOVES.moved(value)

    assert moved == {"of": [{"uri": HERE_NEW, "cid": C}]}
    assert (finding.pointer, finding.code, finding.severity) == (
        "/of/0/cid",
        "reference-cid",
        "warning",
    )


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (HERE_OLD, [Reference(HERE)]),
        ({"uri": HERE_OLD, "cid": A, "x": [HERE_OLD]}, [Reference(HERE, A), Reference(HERE)]),
        ({"uri": HERE_OLD, "cid": Cid.parse(A)}, [Reference(HERE, A)]),
        ({"uri": HERE_OLD, "cid": 1}, [Reference(HERE)]),
        ([f"at://{OLD}", f"at://{OLD}/com.example.note", f"{HERE_OLD}/x", HERE_NEW, OLD, 1], []),
        ([f"at://{OLD}/no name/a", f"at://{OLD}/com.example.note/ä"], []),
    ],
)
def test_references_are_found_wherever_they_stand(value: Value, found: list[Reference]) -> None:
    assert list(references(value, OLD)) == found


@pytest.mark.parametrize(
    ("text", "may"),
    [
        (f'{{"a":"{HERE_OLD}"}}', True),
        (f'{{"a":"{HERE_OLD}"}}'.replace("/", "\\/"), True),
        (f'{{"a":"{HERE_OLD}"}}'.replace("p", "\\u0070"), True),
        (f'{{"a":"{HERE_NEW}"}}', False),
        (f'{{"a":"{OLD}, \\n\\"at://"}}', False),
    ],
)
def test_a_text_is_looked_at_only_if_it_may_have_a_reference(text: str, may: bool) -> None:
    assert mentions(text.encode(), OLD) == may
    assert may or not list(references(data.loads(text), OLD))


Values = dict[str, dict[str, Value]]


@st.composite
def folders(draw: st.DrawFn) -> Values:
    """Records that refer to earlier ones, by URI or CID too, and to some that aren't here."""
    made: Values = {}
    for number in range(draw(st.integers(1, 8))):
        names = [f"com.example.note/{index}" for index in range(number + 2)]
        leaves = st.one_of(
            st.text(max_size=5),
            st.sampled_from(names).map(lambda name: f"at://{OLD}/{name}"),
            st.sampled_from(names).map(lambda name: f"see at://{OLD}/{name}"),
            st.sampled_from([*made, "com.example.note/none"]).map(
                lambda name, made=dict(made): strong(name, made)  # type: ignore[misc]  # untyped
            ),
        )
        nested = st.recursive(
            leaves,
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["uri", "of", "x"]), inner, max_size=3)
            ),
            max_leaves=4,
        )
        made[names[number]] = {"$type": "com.example.note", "n": number, "v": draw(nested)}
    return made


def strong(name: str, made: Values) -> dict[str, Value]:
    cid = data.record_cid(made[name]) if name in made else C
    return {"uri": f"at://{OLD}/{name}", "cid": cid}


def migrated(values: Values, old: Did, new: Did) -> Values:
    before = world.cids(values)
    onward = {name: list(references(value, old)) for name, value in values.items()}
    moves = with_cids(
        Migration(old, new, frozenset(values)),
        before,
        onward,
        lambda name, known: data.record_cid(known.moved(values[name])[0]),
    )
    return {name: moves.moved(value)[0] for name, value in values.items()}


@given(folders())
def test_references_by_cid_hold_again_and_the_way_back_leads_to_the_same_records(
    values: Values,
) -> None:
    moved = migrated(values, OLD, NEW)

    assert migrated(moved, NEW, OLD) == values
    before, after = world.cids(values), world.cids(moved)
    for name, value in values.items():
        kept = [to for to in references(value, OLD) if to.name not in values]
        led = [to for to in references(value, OLD) if to.name in values]
        assert list(references(moved[name], OLD)) == kept
        assert list(references(moved[name], NEW)) == [
            Reference(to.name, after[to.name] if to.cid == before[to.name] else to.cid)
            for to in led
        ]
        assert led or moved[name] == value


# The whole recipe, from a repo in a folder to another.


@dataclass(frozen=True, slots=True)
class Move:
    """A repo whose records refer to one another, and a site that holds what was pulled from it."""

    old: Did
    pulled: Path
    there: Site

    def publish(self, **options: Any) -> PublishReport:
        return self.there.publish(migrate_from=self.old, **options)

    def has_arrived(self) -> None:
        """Hold what is in the new repo against what was pulled, by replacing its texts."""
        back = self.there.root / "back"
        self.there.pull(back, mirror=True)
        new = world.manifest(back)["did"]
        expected = world.replaced(self.pulled, self.old, new, world.cids(world.read(back)))
        assert world.files(back) == expected


def move(root: Path) -> Move:
    here = make_site(root / "here")
    did = FolderRepo.create(here.root / "repo").did
    here.configure(site=f"at://{did}/{MAIN}")
    world.write_site(here, did)
    assert here.publish().counts == {"create": 8}
    there = Site(root / "there")
    here.pull(there.content)
    there.root.joinpath("publisher.toml").write_text(
        'repo = "folder:./repo"\ndocuments = "content"\n'
    )
    return Move(did, there.content, there)


@pytest.fixture
def moving(tmp_path: Path) -> Move:
    return move(tmp_path)


def keys(report: PublishReport, code: str) -> list[str]:
    return [item.path for item in report.items if code in [f.code for f in item.findings]]


def test_every_record_arrives_with_its_references_and_the_second_run_writes_nothing(
    moving: Move,
) -> None:
    report = moving.publish()

    assert (report.counts, report.uploaded, report.exit_status) == ({"create": 8}, 1, 0)
    assert report.migration == Moving(moving.old, 1)
    assert keys(report, "reference-cid") == [f"{STALE}.json"]
    moving.has_arrived()
    head, lock = moving.there.repo().head(), moving.there.lock.read_bytes()
    again = moving.publish()
    assert (again.counts, again.commits) == ({"unchanged": 8}, 0)
    assert (moving.there.repo().head(), moving.there.lock.read_bytes()) == (head, lock)


def forget(site: Site) -> None:
    """Take the migration out of the lock, and leave its lines."""
    head, rest = site.lock.read_text().split("\n", 1)
    told = json.loads(head)
    del told["migrated"]
    site.lock.write_text(f"{json.dumps(told)}\n{rest}")


@pytest.mark.parametrize("gone", [(), ("pull.json",), ("pull.json", ".pull.sqlite")])
def test_a_plain_publish_goes_on_as_the_migration_was_made(
    gone: tuple[str, ...], moving: Move
) -> None:
    moving.publish()
    for name in gone:
        (moving.pulled / name).unlink()
    head, lock = moving.there.repo().head(), moving.there.lock.read_bytes()

    report = moving.there.publish()

    assert (report.counts, report.commits) == ({"unchanged": 8}, 0)
    assert report.migration == Moving(moving.old, 1)
    assert (moving.there.repo().head(), moving.there.lock.read_bytes()) == (head, lock)


def test_a_plain_publish_of_an_edit_leads_it_to_the_new_records(moving: Move) -> None:
    moving.publish()
    path = moving.pulled / f"{THIRD}.json"
    path.write_text(data.dumps(json.loads(path.read_text()) | {"title": "Another"}))

    report = moving.there.publish()

    assert report.counts == {"update": 1, "unchanged": 7}
    moving.there.pull(moving.there.root / "back")
    record = world.read(moving.there.root / "back")[THIRD]
    assert (record["title"], record["site"]) == (
        "Another",
        f"at://{moving.there.repo().did}/{MAIN}",
    )


@pytest.mark.parametrize("gone", [(), ("pull.json",)])
def test_what_was_pulled_from_another_repo_is_not_published_without_a_word(
    gone: tuple[str, ...], moving: Move
) -> None:
    for name in gone:
        (moving.pulled / name).unlink()

    report = moving.there.publish()

    assert isinstance(report.error, GuardStopped)
    assert f"--migrate-from {moving.old}" in report.error.remedy
    assert (report.commits, report.exit_status) == (0, 1)
    assert not moving.there.repo().read([DOCUMENT]).records[DOCUMENT]
    assert moving.there.publish(allow=frozenset({"origin"})).counts == {"create": 8}


@pytest.mark.parametrize("lost", ["the lock", "the migration"])
def test_a_migration_that_nobody_remembers_is_asked_for_again(lost: str, moving: Move) -> None:
    moving.publish()
    if lost == "the lock":
        moving.there.lock.unlink()
    else:
        forget(moving.there)
    head = moving.there.repo().head()

    report = moving.there.publish(allow=frozenset({"mass-update"}))

    assert isinstance(report.error, GuardStopped)
    assert moving.there.repo().head() == head
    assert moving.publish().counts == {"unchanged": 8}
    assert moving.there.publish().counts == {"unchanged": 8}


def test_a_migration_that_stopped_before_it_wrote_is_not_remembered(moving: Move) -> None:
    path = moving.pulled / "pull.json"
    path.write_text(json.dumps(world.manifest(moving.pulled) | {"complete": False, "ended": False}))
    with pytest.raises(SourceError):
        moving.publish()

    assert isinstance(moving.there.publish().error, GuardStopped)


def test_another_repo_gets_no_references_to_the_one_of_the_lock(moving: Move) -> None:
    moving.publish()
    moving.there.configure(repo="folder:./third", site="https://alice.example")

    report = moving.there.publish(allow=frozenset({"account", "mass-create"}))

    assert isinstance(report.error, GuardStopped)
    assert f"--migrate-from {moving.old}" in report.error.remedy


def test_folder_and_repo_are_compared_as_the_migration_was_made(moving: Move) -> None:
    moving.publish()
    assert check(moving.there.config, Silent()).exit_status == 0

    forget(moving.there)

    differing = [i for i in check(moving.there.config, Silent()).items if i.status == "differs"]
    assert len(differing) == 6


def test_what_was_pulled_of_the_new_repo_goes_on_with_the_same_lock(moving: Move) -> None:
    moving.publish()
    moving.there.pull(moving.there.root / "moved")
    lock = moving.there.lock.read_bytes()
    new = moving.there.repo().did
    moving.there.configure(documents="moved", site=f"at://{new}/{MAIN}")

    assert moving.there.publish().counts == {"unchanged": 8}
    assert moving.there.lock.read_bytes() == lock


def test_what_refers_to_nothing_here_keeps_its_cid_and_all_else_gets_another(
    moving: Move,
) -> None:
    moving.publish()
    moving.there.pull(moving.there.root / "back")

    before, after = (
        world.cids(world.read(folder)) for folder in (moving.pulled, moving.there.root / "back")
    )

    assert {name for name in before if before[name] == after[name]} == {MAIN, LOOSE}
    record = world.read(moving.there.root / "back")
    new = moving.there.repo().did
    first = {"uri": f"at://{new}/{FIRST}", "cid": after[FIRST]}
    assert record[SECOND]["related"] == first
    assert record[CHAIN]["seen"] == [
        {"uri": f"at://{new}/{SECOND}", "cid": after[SECOND]},
        {"uri": f"at://{new}/{LOOSE}", "cid": before[LOOSE]},
    ]
    assert record[THIRD]["bskyPostRef"]["uri"] == f"at://{moving.old}/{POST}"
    assert record[QUOTE]["text"] == f"See at://{moving.old}/{FIRST}"
    assert record[STALE]["seen"] == first | {"cid": world.POST_CID}


@pytest.mark.parametrize("migrates", [True, False])
def test_publications_are_written_before_their_documents(
    migrates: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = move(tmp_path)
    monkeypatch.setattr(applier, "FEW", 100)
    written: list[str] = []
    original = FolderRepo.apply_one

    def noted(repo: FolderRepo, write: Write) -> str | None:
        written.append(f"{write.collection}/{write.rkey}")
        return original(repo, write)

    monkeypatch.setattr(FolderRepo, "apply_one", noted)
    moved.there.publish(migrate_from=moved.old if migrates else None, allow=frozenset({"origin"}))

    assert written[0] == MAIN
    assert written[1:] == sorted(world.read(moved.pulled).keys() - {MAIN})


def killed(moving: Move, point: int) -> tuple[int, int]:
    """Publish in a process that ends at a point; return its exit status and the points passed."""
    told = moving.there.root.parent / "points"
    arguments = (str(point), str(told), "publish", "--migrate-from", moving.old)
    done = subprocess.run(
        [sys.executable, "-m", "tests.survive.crash", *arguments],
        cwd=moving.there.root,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "FEW": "100"},
        capture_output=True,
        check=False,
        timeout=120,
    )
    return done.returncode, int(told.read_text()) if told.exists() else 0


def test_killed_in_between_the_next_run_ends_the_same(tmp_path: Path) -> None:
    status, total = killed(move(tmp_path / "whole"), 0)
    assert (status, total > 10) == (0, True)

    for point in range(total - 1, 0, -max(total // 5, 1)):
        cut = move(tmp_path / str(point))
        assert killed(cut, point)[0] == KILLED
        assert cut.publish().exit_status == 0
        cut.has_arrived()
        assert cut.publish().counts == {"unchanged": 8}


def test_a_dry_run_says_what_would_be_written_and_a_diff_what_differs(moving: Move) -> None:
    FolderRepo.create(moving.there.root / "repo")
    before = moving.publish(dry_run=True)
    assert (before.counts, before.migration) == ({"create": 8}, Moving(moving.old, 1))
    assert not moving.there.repo().read([DOCUMENT]).records[DOCUMENT]

    moving.publish()

    assert moving.publish(dry_run=True).counts == {"unchanged": 8}
    compared = compare(moving.there.config, (), Silent(), migrate_from=moving.old)
    assert compared.items == ()
    assert compare(moving.there.config, (), Silent()).items == ()
    forget(moving.there)
    without = compare(moving.there.config, (), Silent())
    assert {item.path for item in without.items} == {
        f"{name}.json" for name in (FIRST, SECOND, THIRD, QUOTE, CHAIN, STALE)
    }


def test_after_an_edit_the_cids_that_others_have_of_a_record_stay_and_are_told(
    moving: Move,
) -> None:
    moving.publish()
    path = moving.pulled / f"{FIRST}.json"
    value = json.loads(path.read_text())
    path.write_text(data.dumps(value | {"title": "Another"}))

    report = moving.publish()

    updated = {path for path, action in actions(report).items() if action == "update"}
    assert updated == {f"{name}.json" for name in (FIRST, SECOND, CHAIN)}
    assert keys(report, "reference-cid") == [f"{name}.json" for name in (STALE, SECOND)]


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys of the files that are judged from now on."""
    seen: list[str] = []
    original = Judge.file

    def file(judge: Judge, source: Source, context: Context) -> Checked:
        seen.append(source.key)
        return original(judge, source, context)

    monkeypatch.setattr(Judge, "file", file)
    return seen


def test_judgements_are_remembered_for_this_migration_alone(
    moving: Move, judged: list[str]
) -> None:
    files = {f"{name}.json" for name in world.read(moving.pulled)}
    moving.publish()
    judged.clear()

    assert moving.publish().counts == {"unchanged": 8}
    assert files & set(judged) == set()

    assert moving.there.publish(dry_run=True).counts == {"unchanged": 8}
    assert files & set(judged) == set()

    forget(moving.there)
    assert moving.there.publish(dry_run=True).counts == {"update": 6, "unchanged": 2}
    assert files <= set(judged)


def test_records_that_come_later_are_referred_to_from_then_on(moving: Move) -> None:
    (moving.pulled / "pull.json").unlink()
    path = moving.pulled / f"{FIRST}.json"
    later = path.read_bytes()
    path.unlink()
    first = moving.publish()
    assert first.migration == Moving(moving.old, 3)

    path.write_bytes(later)
    report = moving.publish(allow=frozenset({"mass-create"}))

    assert report.migration == Moving(moving.old, 1)
    assert actions(report)[f"{FIRST}.json"] == "create"
    moving.has_arrived()


@pytest.mark.parametrize(
    ("site", "invalid"),
    [("at://{new}", []), ("at://{old}", [FIRST, SECOND, THIRD])],
)
def test_the_site_of_the_config_is_that_of_the_new_repo(
    site: str, invalid: list[str], moving: Move
) -> None:
    new = FolderRepo.create(moving.there.root / "repo").did
    moving.there.configure(site=f"{site.format(old=moving.old, new=new)}/{MAIN}")

    report = moving.publish()

    assert keys(report, "site-differs") == [f"{name}.json" for name in invalid]
    assert report.counts.get("invalid", 0) == len(invalid)


def test_a_site_from_the_config_counts_in_the_cids_that_others_refer_to(tmp_path: Path) -> None:
    there = make_site(tmp_path, site="https://alice.example")
    bare: dict[str, Value] = {
        "$type": DOCUMENT,
        "title": "A",
        "path": "/a",
        "publishedAt": "2026-02-05T10:00:00Z",
    }
    old = Did("did:plc:44ybard66vv44zksje25o7dy")
    seen = {"uri": f"at://{old}/{FIRST}", "cid": data.record_cid(bare)}
    world.write(there, {FIRST: bare, CHAIN: {"$type": world.NOTE, "seen": seen}}, {})

    there.publish(migrate_from=old)
    there.pull(tmp_path / "back")

    back = world.read(tmp_path / "back")
    assert back[FIRST]["site"] == "https://alice.example"
    assert back[CHAIN]["seen"]["cid"] == data.record_cid(back[FIRST])


def test_what_is_invalid_is_told_and_the_others_are_moved(moving: Move) -> None:
    deep = "[" * 900 + "]" * 900
    faulty = {FIRST: "{", "com.example.note/deep": f'{{"$type": "com.example.note", "x": {deep}}}'}
    for name, text in faulty.items():
        (moving.pulled / f"{name}.json").write_text(text)

    report = moving.publish()

    assert report.counts == {"create": 7, "invalid": 2}
    assert f"{SECOND}.json" in keys(report, "reference-cid")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("alice.example", "is not a DID"),
        ("did:plc:44ybard66vv44zksje25o7dy", "these are records of {old}"),
        ("{new}", "these are records of {old}"),
    ],
)
def test_a_did_that_the_documents_are_not_of_is_an_error(
    given: str, says: str, moving: Move
) -> None:
    new = FolderRepo.create(moving.there.root / "repo").did

    with pytest.raises(ConfigError, match=says.format(old=moving.old)) as raised:
        moving.there.publish(migrate_from=given.format(new=new))

    assert raised.value.remedy
    assert not moving.there.lock.exists()


def test_the_repo_itself_is_an_error(moving: Move) -> None:
    (moving.pulled / "pull.json").unlink()
    new = FolderRepo.create(moving.there.root / "repo").did

    with pytest.raises(ConfigError, match="itself"):
        moving.there.publish(migrate_from=new)


def test_a_pull_that_was_cut_short_is_an_error(moving: Move) -> None:
    path = moving.pulled / "pull.json"
    path.write_text(json.dumps(world.manifest(moving.pulled) | {"complete": False, "ended": False}))

    with pytest.raises(SourceError, match="cut short"):
        moving.publish()


def test_a_blob_that_the_old_repo_has_lost_stops_only_its_documents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_repo: FolderRepo, cid: str, _file: IO[bytes]) -> None:
        raise RepoRefused(f"no blob {cid}", name="BlobNotFound", remedy="")

    with monkeypatch.context() as patched:
        patched.setattr(FolderRepo, "fetch_blob", refuse)
        moved = move(tmp_path)
    assert world.manifest(moved.pulled)["complete"] is False

    report = moved.publish()

    assert report.counts == {"create": 6, "failed": 2}
    failed = {path for path, action in actions(report).items() if action == "failed"}
    assert failed == {f"{FIRST}.json", f"{SECOND}.json"}
    assert moved.there.publish().counts == {"unchanged": 6, "failed": 2}


def test_without_a_repo_nobody_knows_what_a_dry_run_would_write(moving: Move) -> None:
    with pytest.raises(ConfigError, match="nobody knows the DID"):
        moving.publish(dry_run=True)

    assert not (moving.there.root / "repo").exists()


def test_the_command_says_what_stays(moving: Move) -> None:
    done = run("publish", "--migrate-from", moving.old, folder=moving.there.root)
    status = run("status", "--migrate-from", moving.old, "--json", folder=moving.there.root)
    diff = run("diff", "--migrate-from", moving.old, folder=moving.there.root)

    assert done.returncode == 0, done.stderr
    assert f"1 reference to records of {moving.old} that aren't in this folder stays" in done.stdout
    told = json.loads(status.stdout)
    assert told["counts"] == {"unchanged": 8}
    assert told["migration"] == {"old": moving.old, "staying": 1}
    assert diff.stdout.startswith("nothing to do")
