"""What lies where a pull writes, or keeps its memory, and is no file of it."""

from __future__ import annotations

import errno
import os
import socket
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from publisher.errors import StateError
from publisher.pulling.folder import OutputFolder, Wanted
from tests.site import Site, make_published


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return make_published(tmp_path / "site")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def bound(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def sparse(path: Path) -> None:
    with path.open("xb") as made:
        made.truncate(1 << 40)


SPECIAL: dict[str, Callable[[Path], object]] = {
    "it is a pipe": os.mkfifo,
    "it is a folder": Path.mkdir,
    "it is a symbolic link": lambda path: path.symlink_to("nowhere"),
    "it is a socket": bound,
    "it has 1,099,511,627,776 bytes": sparse,
}


@pytest.mark.parametrize("kind", SPECIAL)
def test_a_manifest_that_is_no_file_of_ours_is_an_error_at_once(
    site: Site, out: Path, kind: str
) -> None:
    out.mkdir()
    SPECIAL[kind](out / "pull.json")

    with pytest.raises(StateError) as caught:
        site.pull(out)

    said = f"{out}/pull.json: can't be read as what a pull wrote: {kind}"
    assert (caught.value.message, bool(caught.value.remedy)) == (said, True)
    assert {path.name for path in out.iterdir()} <= {"pull.json", ".pull.lock"}


@pytest.mark.parametrize("kind", [stat.S_IFCHR, stat.S_IFBLK])
def test_a_device_in_the_place_of_the_manifest_is_not_opened(
    site: Site, out: Path, kind: int
) -> None:
    out.mkdir()
    try:
        os.mknod(out / "pull.json", kind | 0o600, os.makedev(1, 5))  # /dev/zero has no end
    except PermissionError:
        pytest.skip("only root makes devices")

    with pytest.raises(StateError, match="a pull wrote: it is a device"):
        site.pull(out)


@pytest.mark.parametrize("name", [".pull.sqlite", ".pull.lock"])
def test_a_pipe_in_the_place_of_what_is_remembered_blocks_nothing(
    site: Site, out: Path, name: str
) -> None:
    out.mkdir()
    os.mkfifo(out / name)

    with suppress(StateError):
        site.pull(out)

    (out / name).unlink()
    assert site.pull(out).exit_status == 0


@pytest.mark.skipif(sys.platform != "linux", reason="others can't write a file without a name")
@pytest.mark.parametrize("force", [False, True])
def test_a_file_that_comes_while_a_record_is_written_is_the_users(
    tmp_path: Path, force: bool
) -> None:
    folder = OutputFolder(tmp_path / "out", {}, force=force)
    file = tmp_path / "out" / "things" / "a.json"

    def content() -> bytes:
        if not file.exists():
            file.write_text("mine")
        return b"theirs"

    pulled = folder.put(Wanted("things/a.json", "bafyrei", content))

    assert pulled.status == ("updated" if force else "kept")
    assert {path.name: path.read_text() for path in file.parent.iterdir()} == {
        "a.json": "theirs" if force else "mine"
    }


@pytest.mark.parametrize("call", ["open", "write", "link"])
def test_a_disk_without_files_that_have_no_name_is_written_to_all_the_same(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_options: object) -> int:
        raise OSError(errno.EOPNOTSUPP, "not supported")

    folder = OutputFolder(tmp_path / "out", {}, force=False)
    with monkeypatch.context() as patched:
        patched.setattr(f"publisher.pulling.parts.os.{call}", refuse)
        pulled = folder.put(Wanted("things/a.json", "bafyrei", lambda: b"theirs"))

    assert pulled.status == "new"
    assert folder.has("things/a.json", "bafyrei")
    assert {path.name: path.read_bytes() for path in (tmp_path / "out" / "things").iterdir()} == {
        "a.json": b"theirs"
    }


@pytest.mark.skipif(sys.platform != "linux", reason="others name what is half written")
def test_a_record_has_no_name_before_it_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = OutputFolder(tmp_path / "out", {}, force=False)
    link, seen = os.link, list[list[str]]()

    def look_and_link(source: str, target: Path, *, src_dir_fd: int) -> None:
        seen.append([path.name for path in target.parent.iterdir()])
        assert Path(source).read_bytes() == b"theirs"
        link(source, target, src_dir_fd=src_dir_fd)

    monkeypatch.setattr(os, "link", look_and_link)
    folder.put(Wanted("things/a.json", "bafyrei", lambda: b"theirs"))

    assert seen == [[]]
    assert (tmp_path / "out" / "things" / "a.json").read_bytes() == b"theirs"
