"""What is kept before it goes: whole, on the disk, and found again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from publisher.backups import FOLDER, Backups, Damage, Entry, Kept, entries
from publisher.data import RAW, Cid, Value, blob_cid, record_cid
from publisher.errors import StateError
from publisher.files import write_whole
from publisher.spool import whole

URI = "at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/site.standard.document/3lzzzzzzzzz22"
NOW = datetime(2026, 2, 5, 16, 32, 10, 250_000, UTC)


def kept(path: str = "a.md", **value: Value) -> Kept:
    value = {"$type": "site.standard.document", "title": "On tides", **value}
    return Kept(URI, record_cid(value), value, "update", path)


def found(root: Path) -> Iterator[tuple[str | None, object]]:
    """The paths and titles of what is kept, or the damage."""
    for entry in entries(root):
        yield (entry.path, entry.value["title"]) if isinstance(entry, Entry) else (None, entry)


def test_nothing_is_made_before_there_is_something_to_keep(tmp_path: Path) -> None:
    backups = Backups(tmp_path, NOW)
    assert not backups.has_blob(blob_cid(b"x"))
    assert list(tmp_path.iterdir()) == []
    assert list(entries(tmp_path)) == []


def test_a_kept_record_comes_back_with_all_that_was_said_of_it(tmp_path: Path) -> None:
    cover: Value = {"ref": Cid.of(b"x", RAW), "bytes": b"\x00\xff", "big": 2**53 + 1, "none": None}
    one = kept(cover=cover, text="line\nline\u2028é 𝄞")
    gone = replace(kept(title="Other"), action="delete", path=None)

    Backups(tmp_path, NOW).keep([one, gone])

    second, first = entries(tmp_path)
    assert isinstance(first, Entry)
    assert isinstance(second, Entry)
    assert (first.when, first.uri, first.cid) == (NOW, URI, one.cid)
    assert (first.action, first.path, whole(first.value)) == ("update", "a.md", one.value)
    assert (second.action, second.path, whole(second.value)) == ("delete", None, gone.value)


NAMES = st.text().filter(lambda name: not name.startswith("$"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(NAMES, JSON, max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_no_value_changes_on_its_way_through_the_backups(
    tmp_path: Path, value: dict[str, Value]
) -> None:
    root = tmp_path / os.urandom(8).hex()
    root.mkdir()
    Backups(root, NOW).keep([Kept(URI, record_cid(value), value, "update")])
    (entry,) = entries(root)
    assert isinstance(entry, Entry)
    assert whole(entry.value) == value


def test_a_record_larger_than_any_server_takes_is_kept(tmp_path: Path) -> None:
    large = kept(text="é" * 5_000_000)
    Backups(tmp_path, NOW).keep([large])
    (entry,) = entries(tmp_path)
    assert isinstance(entry, Entry)
    assert entry.value == large.value


def test_the_newest_comes_first_in_a_run_and_among_runs(tmp_path: Path) -> None:
    later, there = NOW + timedelta(microseconds=1), timezone(timedelta(hours=-5))
    run = Backups(tmp_path, NOW)
    Backups(tmp_path, later.astimezone(there)).keep([kept(title="4")])  # its name is in UTC
    run.keep([kept(title="1"), kept(title="2")])
    run.keep([kept(title="3")])

    assert [title for _, title in found(tmp_path)] == ["4", "3", "2", "1"]
    assert sorted(path.name for path in (tmp_path / FOLDER).iterdir()) == [
        "2026-02-05T16-32-10.250000Z.jsonl",
        "2026-02-05T16-32-10.250001Z.jsonl",
    ]


def test_a_torn_last_line_is_no_entry(tmp_path: Path) -> None:
    Backups(tmp_path, NOW).keep([kept(title="1"), kept(title="2")])
    (path,) = (tmp_path / FOLDER).iterdir()
    path.write_bytes(path.read_bytes()[:-1])
    assert [title for _, title in found(tmp_path)] == ["1"]


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (b'{"uri"', b'{"uri', "Invalid JSON"),
        (b'"update"', b'"upset"', "action "),
        (b"at://did:plc:a", b"at://did:plc:!", "uri "),
        (b"/site.standard.document/3lzzzzzzzzz22", b"", "uri names no record"),
        (b"at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa", b"at://alice.example", "uri "),
    ],
)
def test_damage_is_told_and_hides_nothing_else(
    tmp_path: Path, before: bytes, after: bytes, reason: str
) -> None:
    Backups(tmp_path, NOW).keep([kept("b.md", title="2"), kept("c.md", title="3")])
    Backups(tmp_path, NOW - timedelta(days=1)).keep([kept("a.md", title="1")])
    path = max((tmp_path / FOLDER).iterdir())
    path.write_bytes(path.read_bytes().replace(before, after, 1))

    third, (_, damage), first = found(tmp_path)

    assert (third, first) == (("c.md", "3"), ("a.md", "1"))
    assert isinstance(damage, Damage)
    assert damage.place == f"{path}, line 1"
    assert damage.reason.startswith(reason)


def test_a_file_that_cannot_be_read_or_has_another_name_hides_no_other(tmp_path: Path) -> None:
    Backups(tmp_path, NOW).keep([kept()])
    folder = tmp_path / FOLDER
    (folder / "mine.jsonl").write_text("{}\n")
    (folder / "notes.txt").write_text("not one of ours")
    (folder / "2026-02-06T00-00-00.000000Z.jsonl").mkdir()

    named, unread, entry = found(tmp_path)

    assert entry == ("a.md", "On tides")
    assert named == (None, Damage(f"{folder}/mine.jsonl", "its name is no time of a run"))
    directory = f"{folder}/2026-02-06T00-00-00.000000Z.jsonl"
    assert unread == (None, Damage(directory, "Is a directory"))


def test_a_value_that_is_not_what_its_cid_says_is_not_given_out(tmp_path: Path) -> None:
    Backups(tmp_path, NOW).keep([kept()])
    (path,) = (tmp_path / FOLDER).iterdir()
    path.write_text(path.read_text().replace("On tides", "On times"))
    (entry,) = entries(tmp_path)
    assert isinstance(entry, Entry)

    with pytest.raises(StateError, match="line 1: the record isn't what its CID says") as error:
        whole(entry.value)

    assert error.value.remedy == "choose another version: `publisher restore` lists them"


def test_what_could_not_be_written_whole_leaves_no_torn_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backups = Backups(tmp_path, NOW)
    backups.keep([kept(title="1")])

    def fails(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("publisher.backups.os.fsync", fails)
        with pytest.raises(StateError, match="No space left on device"):
            backups.keep([kept(title="2")])
    backups.keep([kept(title="3")])

    assert [title for _, title in found(tmp_path)] == ["3", "1"]


def test_records_are_on_the_disk_when_they_count_as_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    monkeypatch.setattr(
        "publisher.backups.os.fsync", lambda descriptor: sizes.append(os.fstat(descriptor).st_size)
    )
    Backups(tmp_path, NOW).keep([kept(), kept()])
    (path,) = (tmp_path / FOLDER).iterdir()
    assert sizes == [path.stat().st_size]


def test_a_blob_is_kept_by_its_cid_and_a_damaged_one_counts_as_absent(tmp_path: Path) -> None:
    backups, cid = Backups(tmp_path, NOW), blob_cid(b"a cover")
    backups.keep_blob(cid, lambda _, file: write_whole(file, b"a cover"))
    assert (backups.has_blob(cid), backups.blob(cid)) == (True, b"a cover")

    (tmp_path / FOLDER / "blobs" / cid).write_bytes(b"a cov")

    assert (backups.has_blob(cid), backups.blob(cid)) == (False, None)


def test_what_a_killed_run_left_of_any_blob_is_removed(tmp_path: Path) -> None:
    cid, other = blob_cid(b"a cover"), blob_cid(b"another")
    blobs = tmp_path / FOLDER / "blobs"
    blobs.mkdir(parents=True)
    (blobs / other).write_bytes(b"another")
    (blobs / f".{other}.0123456789abcdef").write_bytes(b"half of it")

    Backups(tmp_path, NOW).keep_blob(cid, lambda _, file: write_whole(file, b"a cover"))

    assert {path.name for path in blobs.iterdir()} == {cid, other}
