"""Which files of a folder are documents."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from publisher.documents import Context, Source, find, read, source_of
from publisher.errors import SourceError
from publisher.findings import Finding


def keys(*names: str, folder: str = ".") -> list[str]:
    """Make the files and return the keys of those that are found."""
    for name in names:
        path = Path.cwd() / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return [source.key for source in find(Path.cwd() / folder)]


def test_markdown_and_json_are_found_in_the_order_of_their_keys() -> None:
    names = ["b.md", "a/c.markdown", "a.json", "Z.MD", "a/b/d.JSON"]
    assert keys(*names) == ["Z.MD", "a.json", "a/b/d.JSON", "a/c.markdown", "b.md"]


@pytest.mark.parametrize(
    "name",
    [
        "cover.png",
        "notes.txt",
        "README",
        "md",
        ".md",
        ".hidden.md",
        ".git/a.md",
        ".obsidian/workspace.json",
        "deep/.publisher/a.json",
        "node_modules/a/README.md",
        "deep/node_modules/a.json",
        "__pycache__/a.json",
        "_index.md",
        "essays/_index.markdown",
        "a.md.bak",
        "a.json~",
    ],
)
def test_other_files_are_left_out(name: str) -> None:
    assert keys(name, "hello.md") == ["hello.md"]


def test_a_folder_that_a_pull_wrote_is_left_out() -> None:
    names = ["backup/pull.json", "backup/site.standard.document/3m.json", "hello.md"]
    assert keys(*names) == ["hello.md"]


def test_a_folder_that_a_pull_wrote_is_read_when_it_is_named() -> None:
    names = ["backup/pull.json", "backup/site.standard.document/3m.json", "hello.md"]
    assert keys(*names, folder="backup") == ["pull.json", "site.standard.document/3m.json"]


def test_a_folder_without_documents_has_none() -> None:
    assert keys() == []


def test_keys_are_nfc_whatever_the_disk_says() -> None:
    decomposed = unicodedata.normalize("NFD", "äöü/é.md")
    assert keys(decomposed) == [unicodedata.normalize("NFC", decomposed)]


def test_a_key_is_the_place_below_the_folder() -> None:
    folder = Path.cwd() / "content"
    assert source_of(folder / "a/b.md", folder) == Source(folder / "a/b.md", "a/b.md")


@pytest.mark.parametrize("name", ["gone", "file.md"])
def test_what_is_no_folder_is_an_error_that_says_so(name: str) -> None:
    (Path.cwd() / "file.md").touch()
    with pytest.raises(SourceError, match=f"{name}: there is no such folder"):
        list(find(Path.cwd() / name))


def test_a_folder_that_cannot_be_read_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(SourceError) as caught:
        list(find(Path.cwd()))
    assert caught.value.message == f"{Path.cwd()}: Permission denied"
    assert caught.value.remedy == "make the folder readable"


def read_here(name: str) -> tuple[Finding, ...]:
    folder = Path.cwd()
    return read(source_of(folder / name, folder), Context(folder, folder)).findings


def test_a_file_without_reader_is_refused_with_those_there_are() -> None:
    (Path.cwd() / "a.txt").touch()
    remedy = "name a file that ends in .json, .markdown, .md"
    assert read_here("a.txt") == (Finding("", "suffix", "no reader for .txt", "error", remedy),)


def test_a_file_that_is_gone_is_a_finding_of_its_own() -> None:
    message = "No such file or directory"
    assert read_here("a.md") == (Finding("", "unreadable", message, "error", "make it readable"),)


def test_a_file_whose_name_is_no_utf8_is_refused() -> None:
    try:
        (Path.cwd() / "\udcff.md").touch()
    except OSError:
        pytest.skip("this file system has only names in UTF-8")
    message = "the file's name is not UTF-8"
    assert read_here("\udcff.md") == (Finding("", "file-name", message, "error", "rename it"),)


def test_linked_folders_are_read_once_each(tmp_path: Path) -> None:
    elsewhere = tmp_path.parent / f"{tmp_path.name}-elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.md").touch()
    (tmp_path / "posts").symlink_to(elsewhere)
    (elsewhere / "round").symlink_to(elsewhere)

    assert keys() == ["posts/a.md"]


def test_a_link_to_a_folder_that_is_here_changes_no_key(tmp_path: Path) -> None:
    (tmp_path / "first").symlink_to(tmp_path / "second")

    assert keys("second/a.md") == ["second/a.md"]


def test_of_two_links_to_one_folder_the_first_counts(tmp_path: Path) -> None:
    elsewhere = tmp_path.parent / f"{tmp_path.name}-elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.md").touch()
    for name in ("b", "a"):
        (tmp_path / name).symlink_to(elsewhere)

    assert keys() == ["a/a.md"]


def test_of_two_names_of_one_file_the_first_counts(tmp_path: Path) -> None:
    (tmp_path / "first.md").symlink_to("second.md")

    assert keys("second.md", "third.md") == ["first.md", "third.md"]


@pytest.mark.parametrize("target", ["..", "../.."])
def test_a_link_upwards_ends(target: str, tmp_path: Path) -> None:
    folder = tmp_path / "a/content"
    folder.mkdir(parents=True)
    (folder / "up").symlink_to(target)

    assert keys("a/content/x.md", folder="a/content") == ["x.md"]


def test_a_link_that_leads_to_itself_is_told(tmp_path: Path) -> None:
    (tmp_path / "round.md").symlink_to("round.md")

    assert keys() == ["round.md"]
    (finding,) = read_here("round.md")
    assert (finding.code, finding.remedy) == ("unreadable", "mend the link, or remove it")


def test_what_is_no_file_is_left_out_and_a_dangling_link_is_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.md")
    (tmp_path / "lost.md").symlink_to(tmp_path / "gone.md")

    assert keys() == ["lost.md"]
    found = read(source_of(tmp_path / "lost.md", tmp_path), Context(tmp_path, tmp_path))
    message, remedy = "No such file or directory", "mend the link, or remove it"
    assert found.findings == (Finding("", "unreadable", message, "error", remedy),)
