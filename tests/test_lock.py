"""`publisher.lock` and `.publisher/`: what is written comes back, whatever happens in between."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.documents.model import MARKDOWN_OWNED
from publisher.errors import StateError
from publisher.files import write_atomically
from publisher.lock import Lock, load, one_run, read_journal, save
from publisher.plan import LockEntry
from publisher.syntax import Did, Nsid, Rkey

DID = Did("did:plc:aaaaaaaaaaaaaaaaaaaaaaaa")
HEAD = f'{{"version": 1, "did": "{DID}"}}'
LINE = (
    '{"key": "a.md", "collection": "site.standard.document", "rkey": "3mabcdefghijk", '
    '"cid": "c", "owned": "o"}'
)


def entry(key: str, fields: frozenset[str] = MARKDOWN_OWNED) -> LockEntry:
    collection = Nsid("site.standard.document")
    return LockEntry(key, key, collection, Rkey("3mabcdefghijk"), "c", "o", None, fields)


def lock_of(*entries: LockEntry) -> Lock:
    return Lock(DID, {item.key: item for item in entries})


def text() -> str:
    return (Path.cwd() / "publisher.lock").read_text("utf-8")


def put(*lines: str) -> Path:
    path = Path.cwd() / "publisher.lock"
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return path


def test_it_is_sorted_with_one_line_for_each_document() -> None:
    save(Path.cwd(), lock_of(entry("b.md"), entry("ä.md"), entry("a.md")))
    assert text().splitlines() == [
        HEAD,
        LINE,
        LINE.replace("a.md", "b.md"),
        LINE.replace("a.md", "ä.md"),
    ]
    assert text().endswith("}\n")


def test_fields_are_named_only_where_they_are_not_those_of_markdown() -> None:
    save(Path.cwd(), lock_of(entry("a.json", frozenset({"title", "$type"}))))
    assert json.loads(text().splitlines()[1])["fields"] == ["$type", "title"]


entries = st.builds(
    LockEntry,
    st.text(st.characters(codec="utf-8"), max_size=12),
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=12),
    st.just(Nsid("site.standard.document")),
    st.just(Rkey("3mabcdefghijk")),
    st.text(st.characters(codec="utf-8"), max_size=5),
    st.text(max_size=5, alphabet="ab"),
    st.none() | st.text(max_size=5),
    st.one_of(st.just(MARKDOWN_OWNED), st.frozensets(st.text("abc$", max_size=3), max_size=3)),
)


@given(st.lists(entries, max_size=4))
def test_what_is_saved_comes_back(items: list[LockEntry]) -> None:
    saved = lock_of(*items)
    save(Path.cwd(), saved)
    assert load(Path.cwd()) == saved
    assert len(text().split("\n")) == 2 + len(saved.entries)


def test_where_documents_were_migrated_from_stands_in_the_first_line() -> None:
    old = Did("did:plc:44ybard66vv44zksje25o7dy")
    saved = Lock(DID, lock_of(entry("a.md")).entries, old)

    save(Path.cwd(), saved)

    assert text().splitlines()[0] == HEAD.replace("}", f', "migrated": "{old}"}}')
    assert load(Path.cwd()) == saved


def test_without_a_file_nothing_was_published() -> None:
    assert load(Path.cwd()) == Lock(None, {})


def test_an_empty_file_is_as_good_as_none() -> None:
    put()
    assert load(Path.cwd()) == Lock(None, {})


@pytest.mark.parametrize("marker", ["<<<<<<< HEAD", "=======", ">>>>>>> branch"])
def test_an_unfinished_merge_is_refused_with_its_line(marker: str) -> None:
    path = put(HEAD, LINE, marker)
    with pytest.raises(StateError) as caught:
        load(Path.cwd())
    assert caught.value.message == f"{path}, line 3: a merge was left unfinished"
    assert caught.value.remedy == "keep one line for each document and delete the markers"


def test_an_unfinished_merge_of_the_first_line_is_refused_too() -> None:
    path = put("<<<<<<< HEAD", HEAD, "=======", HEAD, ">>>>>>> branch")
    with pytest.raises(StateError) as caught:
        load(Path.cwd())
    assert caught.value.message == f"{path}, line 1: a merge was left unfinished"


def test_a_document_that_stands_twice_is_refused() -> None:
    path = put(HEAD, LINE, LINE.replace("abc", "xyz"))
    with pytest.raises(StateError) as caught:
        load(Path.cwd())
    assert caught.value.message == f"{path}, line 3: 'a.md' stands here twice"


def test_a_newer_version_is_refused_whatever_else_it_has() -> None:
    path = put('{"version": 2, "accounts": []}', '{"new": 1}')
    with pytest.raises(StateError) as caught:
        load(Path.cwd())
    assert caught.value.message == f"{path}: version 2 of the lock is unknown here"
    assert caught.value.remedy == "update publisher"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["{}"], "line 1: version Field required"),
        (["not JSON"], "line 1:  Invalid JSON"),
        (['{"version": 1}'], "line 1: did Field required"),
        (['{"version": 1, "did": "d", "x": 1}'], "line 1: x Extra inputs are not permitted"),
        ([HEAD, "{}"], "line 2: key Field required"),
        ([HEAD, LINE, ""], "line 3:  Invalid JSON"),
        ([HEAD, LINE[:30]], "line 2:  Invalid JSON"),
        ([HEAD, LINE.replace('"c"', "7")], "line 2: cid Input should be a valid string"),
        ([HEAD, LINE.replace("cid", "hash")], "line 2: cid Field required"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(lines: list[str], message: str) -> None:
    path = put(*lines)
    with pytest.raises(StateError) as caught:
        load(Path.cwd())
    assert caught.value.message.startswith(f"{path}, {message}")
    assert caught.value.remedy


def test_the_journal_is_what_was_written_down() -> None:
    with one_run(Path.cwd(), DID) as journal:
        journal.write([entry("a.md"), entry("b.json", frozenset({"title"}))])
        journal.write([entry("a.md")])
    assert read_journal(Path.cwd(), DID) == [
        entry("a.md"),
        entry("b.json", frozenset({"title"})),
        entry("a.md"),
    ]


def test_without_a_journal_nothing_was_written_down() -> None:
    assert read_journal(Path.cwd(), DID) == []


@pytest.mark.parametrize("cut", [1, 10, 100])
def test_a_torn_last_line_of_the_journal_was_never_sent(cut: int) -> None:
    with one_run(Path.cwd(), DID) as journal:
        journal.write([entry("a.md"), entry("b.md")])
    path = Path.cwd() / ".publisher/journal"
    path.write_bytes(path.read_bytes()[:-cut])
    assert read_journal(Path.cwd(), DID) == [entry("a.md")]


def test_the_next_run_writes_behind_a_torn_line_and_not_into_it() -> None:
    with one_run(Path.cwd(), DID) as journal:
        journal.write([entry("a.md")])
        with (Path.cwd() / ".publisher/journal").open("ab") as file:
            file.write('{"key": "日'.encode()[:-1])
    with one_run(Path.cwd(), DID) as journal:
        journal.write([entry("b.md")])
    assert read_journal(Path.cwd(), DID) == [entry("a.md"), entry("b.md")]


def test_what_is_settled_leaves_the_journal_and_the_rest_stays() -> None:
    other = replace(entry("b.md"), rkey=Rkey("3mabcdefghijj"))
    renamed = replace(other, key="c.md", path="c.md")
    with one_run(Path.cwd(), DID) as journal:
        journal.write([entry("a.md"), other, other])
        journal.settle([entry("a.md")])
        assert read_journal(Path.cwd(), DID) == [other]
        journal.settle([renamed])  # the same record under another name
        journal.settle([])
    assert not (Path.cwd() / ".publisher/journal").exists()


def test_what_was_written_down_for_another_account_is_not_ours() -> None:
    with one_run(Path.cwd(), DID) as journal:
        journal.write([entry("a.md")])
    other = Did("did:plc:other")
    with one_run(Path.cwd(), other) as journal:
        journal.settle([entry("a.md")])
    assert read_journal(Path.cwd(), other) == []
    assert read_journal(Path.cwd(), DID) == [entry("a.md")]


def test_git_ignores_the_folder() -> None:
    with one_run(Path.cwd(), DID):
        assert (Path.cwd() / ".publisher/.gitignore").read_text() == "*\n"


HOLDER = """
import sys
from pathlib import Path
from publisher.lock import one_run
with one_run(Path.cwd(), "did:plc:x"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_run_is_refused_until_the_first_has_died() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent.parent)},
    ) as first:
        assert first.stdout
        assert first.stdout.readline() == b"held\n"
        with pytest.raises(StateError) as caught, one_run(Path.cwd(), DID):
            pass
        first.kill()
        first.wait()
        with one_run(Path.cwd(), DID) as journal:
            journal.settle([])
    assert caught.value.message == f"another `publisher publish` is at work in {Path.cwd()}"
    assert caught.value.remedy == "wait until it has ended"


def test_runs_may_follow_each_other() -> None:
    with one_run(Path.cwd(), DID):
        pass
    with one_run(Path.cwd(), DID) as journal:
        journal.write([entry("a.md")])
    assert read_journal(Path.cwd(), DID) == [entry("a.md")]


def refuse(number: int) -> object:
    def call(*_: object, **__: object) -> object:
        raise OSError(number, os.strerror(number))

    return call


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_content_and_no_litter(
    call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(Path.cwd(), lock_of(entry("a.md")))
    before = text()
    monkeypatch.setattr(os, call, refuse(28))
    with pytest.raises(StateError) as caught:
        save(Path.cwd(), lock_of(entry("b.md")))
    assert text() == before
    assert [path.name for path in Path.cwd().iterdir()] == ["publisher.lock"]
    assert caught.value.message == f"{Path.cwd() / 'publisher.lock'}: No space left on device"
    assert caught.value.remedy == "make the folder writable, or free some space"


# Nothing is read-only for root, so root steps down for as long as it tries to write.
WRITER = """
import os
import sys
from pathlib import Path
from publisher.errors import StateError
from publisher.lock import Lock, one_run, save
folder = Path(sys.argv[1])
user = os.geteuid()
if user == 0:
    os.seteuid(65534)
assert list(folder.iterdir()) == []
try:
    save(folder, Lock())
except StateError as error:
    print(error.message)
try:
    with one_run(folder, "did:plc:x"):
        print("held")
except StateError as error:
    print(error.message)
os.seteuid(user)
"""


def test_a_read_only_folder_is_an_error_that_says_so() -> None:
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to other users
        folder = Path(name)
        folder.chmod(0o555)
        ended = subprocess.run(
            [sys.executable, "-c", WRITER, name],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent.parent)},
            check=False,
        )
    assert (ended.stderr, ended.stdout.splitlines()) == (
        "",
        [
            f"{folder / 'publisher.lock'}: Permission denied",
            f"{folder / '.publisher'}: Permission denied",
        ],
    )


def test_a_folder_that_cannot_be_made_is_an_error_that_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Path, "mkdir", refuse(30))
    with pytest.raises(StateError) as caught, one_run(Path.cwd(), DID):
        pass
    assert caught.value.message == f"{Path.cwd() / '.publisher'}: Read-only file system"
    assert caught.value.remedy == "make the folder writable, or free some space"


def test_a_file_is_replaced_whole_with_the_modes_of_any_new_file() -> None:
    path = Path.cwd() / "file"
    plain = Path.cwd() / "plain"
    plain.touch()
    path.write_bytes(b"a longer content")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode == plain.stat().st_mode


def test_a_symbolic_link_is_replaced_not_followed() -> None:
    target, link = Path.cwd() / "target", Path.cwd() / "link"
    target.write_bytes(b"kept")
    link.symlink_to(target)
    write_atomically(link, b"new")
    assert (target.read_bytes(), link.is_symlink(), link.read_bytes()) == (b"kept", False, b"new")
