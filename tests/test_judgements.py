"""Unchanged documents aren't judged again, and everything else is."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from publisher import lock
from publisher.commands import judgements
from publisher.commands.checked import Checked
from publisher.commands.collect import collect, load_catalog, sources
from publisher.commands.judge import Judge
from publisher.commands.judgements import FILE_NAME, Judgements
from publisher.documents import Source
from publisher.errors import SourceError
from publisher.progress import Silent
from publisher.spool import whole
from tests.site import Site, actions, make_site, picture

PNG = picture(1)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A published site with a document of every kind that is remembered in its own way."""
    made = make_site(tmp_path / "site")
    made.write("plain.md")
    made.write("named.md", id="the-id", rkey="3lwafzkjqm25s")
    made.write("posts/covered.md", cover="../cover.png", path="/covered")
    made.picture("cover.png")
    made.write("deep.md", cover="/img/deep.png", path="/deep", tags=["a", "b"])
    (made.root / "static/img").mkdir(parents=True)
    (made.root / "static/img/deep.png").write_bytes(PNG)
    made.write_json("record.json", path="/record", site="https://alice.example")
    made.write_json("other.json", **{"$type": "org.example.note", "text": "x" * 300})
    made.publish()
    return made


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys of the files that are judged from now on."""
    seen: list[str] = []
    original = Judge.file

    def file(judge: Judge, source: Source, context: object) -> Checked:
        seen.append(source.key)
        return original(judge, source, context)  # type: ignore[arg-type]  # a Context

    monkeypatch.setattr(Judge, "file", file)
    return seen


def judge_of(site: Site) -> Judge:
    """What judges the site's documents."""
    return Judge(site.config, load_catalog(site.config))


def known(site: Site) -> Judgements:
    """What is remembered of the site."""
    return Judgements(
        judge_of(site), site.root / ".publisher", lock.load(site.root).entries.values()
    )


def test_nothing_is_judged_where_nothing_changed(site: Site, judged: list[str]) -> None:
    report = site.publish()

    assert set(actions(report).values()) == {"unchanged"}
    assert len(report.items) == 6
    assert not judged


def test_what_is_remembered_is_what_would_be_judged(site: Site) -> None:
    config = site.config
    fresh = collect(judge_of(site), sources(config, []), Silent())

    remembered = collect(judge_of(site), sources(config, []), Silent(), known(site))

    assert len(remembered) == 6
    for ours, theirs in zip(remembered, fresh, strict=True):
        one, other = ours.record, theirs.record
        assert one is not None
        assert other is not None
        assert (ours.key, ours.path, ours.status, ours.findings, ours.claims) == (
            *(theirs.key, theirs.path, theirs.status, theirs.findings, theirs.claims),
        )
        assert (one.key, one.path, one.collection, one.owned, one.rkey, one.at_uri) == (
            *(other.key, other.path, other.collection, other.owned, other.rkey, other.at_uri),
        )
        assert (one.cid, one.size, one.owned_cids) == (other.cid, other.size, other.owned_cids)
        assert one.blobs == other.blobs
        assert list(one.value) == list(other.value)
        assert whole(one.value) == whole(other.value)


def edit(site: Site) -> None:
    site.write("plain.md", "Edited.")


def same_size_and_time(site: Site) -> None:
    path = site.content / "plain.md"
    before = path.stat()
    path.write_text(path.read_text().replace("Hello", "Hallo"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def another_cover(site: Site) -> None:
    site.picture("cover.png", 7)


def no_cover(site: Site) -> None:
    (site.content / "cover.png").unlink()


def a_nearer_cover(site: Site) -> None:
    site.picture("img/deep.png", 9)


def another_setting(site: Site) -> None:
    site.configure(content="none")


def a_lexicon(site: Site) -> None:
    (site.root / "own").mkdir()
    lexicon = {"lexicon": 1, "id": "org.example.note", "defs": {"main": {"type": "token"}}}
    (site.root / "own/note.json").write_text(json.dumps(lexicon))
    site.configure(lexicons="own")


def no_lock(site: Site) -> None:
    site.lock.unlink()


def another_line(site: Site) -> None:
    head, *lines = site.lock.read_text().splitlines()
    changed = [json.loads(line) for line in lines]
    for line in changed:
        if line["key"] == "plain.md":
            line["cid"] = changed[0]["cid"]
    site.lock.write_text("\n".join([head, *map(json.dumps, changed)]) + "\n")


def garbage(site: Site) -> None:
    (site.root / ".publisher" / FILE_NAME).write_bytes(b"garbage" * 1000)


def deleted(site: Site) -> None:
    (site.root / ".publisher" / FILE_NAME).unlink()


def damaged_rows(site: Site) -> None:
    with closing(sqlite3.connect(site.root / ".publisher" / FILE_NAME)) as database:
        database.execute("UPDATE judged SET told = '{\"cids\": 1}' WHERE key = 'plain.md'")
        database.execute("UPDATE judged SET told = '[' WHERE key = 'named.md'")
        database.commit()


ALL = {"plain.md", "named.md", "posts/covered.md", "deep.md", "record.json", "other.json"}


@pytest.mark.parametrize(
    ("change", "again"),
    [
        (edit, {"plain.md"}),
        (same_size_and_time, {"plain.md"}),
        (another_cover, {"posts/covered.md"}),
        (no_cover, {"posts/covered.md"}),
        (a_nearer_cover, {"deep.md"}),
        (another_setting, ALL),
        (a_lexicon, ALL),
        (no_lock, ALL),
        (another_line, {"plain.md"}),
        (garbage, ALL),
        (deleted, ALL),
        (damaged_rows, {"plain.md", "named.md"}),
    ],
)
def test_what_may_have_become_another_is_judged_again(
    change: Callable[[Site], None], again: set[str], site: Site, judged: list[str]
) -> None:
    change(site)

    site.publish()

    assert set(judged) == again


@pytest.mark.parametrize("change", [edit, another_cover, another_setting, garbage, damaged_rows])
def test_the_run_after_remembers_again(
    change: Callable[[Site], None], site: Site, judged: list[str]
) -> None:
    change(site)
    site.publish()
    judged.clear()

    site.publish()

    assert not judged


def test_another_version_of_the_program_judges_everything_again(
    site: Site, judged: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new/rule.py").touch()
    monkeypatch.setattr(judgements, "_PACKAGE", tmp_path / "new")

    site.publish()

    assert set(judged) == ALL


def test_what_was_invalid_is_judged_again(site: Site, judged: list[str]) -> None:
    site.write("plain.md", path="no-slash")
    site.publish()
    judged.clear()

    assert site.publish().exit_status == 1
    assert judged == ["plain.md"]


def test_a_document_that_is_gone_is_forgotten(site: Site) -> None:
    (site.content / "plain.md").unlink()
    site.publish(prune=True)

    with closing(sqlite3.connect(site.root / ".publisher" / FILE_NAME)) as database:
        keys = {key for (key,) in database.execute("SELECT key FROM judged")}
    assert keys == ALL - {"plain.md"}


def test_a_file_that_changes_after_it_was_looked_at_stops_the_run(site: Site) -> None:
    (source, context), *_ = (
        place for place in sources(site.config, []) if place[0].key == "plain.md"
    )
    file = known(site).find(source, context)
    assert file is not None
    assert file.record is not None
    edit(site)

    with pytest.raises(SourceError, match=r"plain\.md changed"):
        whole(file.record.value)


def test_a_dry_run_remembers_nothing(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site")
    site.write("a.md")

    site.publish(dry_run=True)

    assert not (site.root / ".publisher").exists()


def test_without_room_for_it_the_run_is_a_success(
    site: Site, judged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(site)

    original = sqlite3.connect

    def connect(path: Path, **options: Any) -> sqlite3.Connection:
        if str(path).endswith(FILE_NAME):
            raise sqlite3.OperationalError("database or disk is full")
        opened: sqlite3.Connection = original(path, **options)
        return opened

    monkeypatch.setattr(sqlite3, "connect", connect)

    assert site.publish().exit_status == 0
    assert set(judged) == ALL
