"""Files written whole or not at all, and what is left of those whose writer was killed."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

import pytest

from publisher import files
from publisher.archive import verify_car
from publisher.files import remove_abandoned, replacing, write_atomically
from tests.site import Site, make_published

ROOT = Path(__file__).parents[1]
RANDOM = "0123456789abcdef"

HALF_AN_ARCHIVE = """\
import shutil, sys
from publisher import cli

def half(source, file, size):
    file.write(source.read(100))
    print("half", flush=True)
    sys.stdin.readline()
    file.write(source.read())

shutil.copyfileobj = half
cli.main()
"""
HALF_A_FILE = """\
import sys
import threading
from pathlib import Path
from publisher.files import write_parts

def parts():
    yield b"half "
    print("half", flush=True)
    sys.stdin.readline()
    yield b"of it"

write_parts(Path(sys.argv[1]), parts())
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return make_published(tmp_path / "site")


@contextmanager
def halfway(code: str, *arguments: str | Path, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a program until it has written half of a file; it goes on with a line of input."""
    with subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "half\n"
        try:
            yield process
        finally:
            process.kill()


def kill(process: subprocess.Popen[str]) -> None:
    """End it at once, and see that it was killed."""
    process.kill()
    assert process.wait(60) == -signal.SIGKILL


def temporaries(folder: Path) -> list[Path]:
    """The files on their way in a folder."""
    return [path for path in folder.iterdir() if files._RANDOM.fullmatch(path.suffix[1:])]


def test_what_a_killed_pull_left_of_an_archive_is_removed_by_the_next_one(
    site: Site, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    arguments = ("pull", "--as", "car", "--out", out)
    with halfway(HALF_AN_ARCHIVE, *arguments, folder=site.root) as process:
        kill(process)
    (left,) = temporaries(out)
    assert left.stat().st_size == 100

    report = site.pull(out, form="car")

    (archive,) = out.iterdir()
    did = report.repos[0].did
    assert verify_car(archive.read_bytes(), did=did, key=None).commit.rev == report.repos[0].rev


def test_an_archive_that_another_pull_is_writing_is_left_to_it(site: Site, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ("pull", "--as", "car", "--out", out)
    with halfway(HALF_AN_ARCHIVE, *arguments, folder=site.root) as process:
        begun = temporaries(out)
        site.pull(out, form="car")
        assert temporaries(out) == begun
        (archive,) = (path for path in out.iterdir() if path not in begun)
        whole = archive.read_bytes()
        archive.unlink()

        process.communicate("\n", 60)

        assert process.returncode == 0
    assert (list(out.iterdir()), archive.read_bytes()) == ([archive], whole)


def test_what_a_killed_writer_left_of_a_file_is_removed_by_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "publisher.lock"
    path.write_bytes(b"before")
    with halfway(HALF_A_FILE, path, folder=tmp_path) as process:
        write_atomically(path, b"by another")
        (begun,) = temporaries(tmp_path)
        kill(process)
    assert (begun.read_bytes(), path.read_bytes()) == (b"half ", b"by another")

    write_atomically(path, b"after")

    assert (list(tmp_path.iterdir()), path.read_bytes()) == ([path], b"after")


def test_only_a_file_of_our_naming_is_removed_and_no_link_followed(tmp_path: Path) -> None:
    folder, outside = tmp_path / "folder", tmp_path / "outside"
    folder.mkdir()
    outside.write_bytes(b"another's")
    ours = (f".a.car.{RANDOM}", f".a.car.{RANDOM[::-1]}")
    others = (
        "a.car",
        f"a.car.{RANDOM}",
        f".b.car.{RANDOM}",
        f".a.car.b.{RANDOM}",
        f".a.car.{RANDOM}0",
        f".a.car.{RANDOM[1:]}",
        f".a.car.{RANDOM.upper()}",
        f".a.car.{RANDOM}\n",
    )
    for name in (*ours, *others):
        (folder / name).write_bytes(b"half of it")
    link, there, pipe = (folder / f".a.car.{digit * 16}" for digit in "123")
    link.symlink_to(outside)
    there.mkdir()
    os.mkfifo(pipe)

    remove_abandoned(folder, "a.car")

    kept = {*others, *(path.name for path in (link, there, pipe))}
    assert {path.name for path in folder.iterdir()} == kept
    assert link.is_symlink()
    assert outside.read_bytes() == b"another's"


@pytest.mark.parametrize("name", ["a.car", "x" * 200, "x" * 100, "[a]*.car", ".gitignore"])
def test_the_name_that_a_file_has_on_its_way_is_one_that_is_removed(
    name: str, tmp_path: Path
) -> None:
    with replacing(tmp_path / name) as file:
        file.write(b"half of it")
        (begun,) = tmp_path.iterdir()
        (tmp_path / "copy").write_bytes(begun.read_bytes())
    (tmp_path / "copy").rename(begun)

    remove_abandoned(tmp_path, name)

    assert list(tmp_path.iterdir()) == [tmp_path / name]


def test_a_file_that_is_taken_for_abandoned_before_it_is_held_is_begun_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []

    def robbed(path: Path) -> FileIO:
        file = FileIO(path, "xb")
        opened.append(path)
        if len(opened) == 1:
            remove_abandoned(tmp_path)
        return file

    monkeypatch.setattr(files, "open_new", robbed)

    write_atomically(tmp_path / "a", b"whole")

    assert len(set(opened)) == 2
    assert (list(tmp_path.iterdir()), (tmp_path / "a").read_bytes()) == (
        [tmp_path / "a"],
        b"whole",
    )


def test_a_file_that_somebody_holds_to_remove_it_is_waited_for_and_begun_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, threads = list[Path](), list[threading.Timer]()

    def watched(path: Path | str) -> FileIO:
        file = FileIO(path, "xb")
        if not made:
            remover = Path(path).open("rb")  # noqa: SIM115  # it is closed by the timer
            fcntl.flock(remover, fcntl.LOCK_EX)

            def remove() -> None:
                Path(path).unlink()
                remover.close()

            threads.append(threading.Timer(0.05, remove))
            threads[0].start()
        made.append(Path(path))
        return file

    monkeypatch.setattr(files, "open_new", watched)

    write_atomically(tmp_path / "a", b"whole")

    threads[0].join()
    assert len(made) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"whole"


def test_where_nothing_can_be_held_files_are_written_and_none_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_file: FileIO, _operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    left = tmp_path / f".a.{RANDOM}"
    left.write_bytes(b"half of it")
    monkeypatch.setattr(fcntl, "flock", refuse)

    write_atomically(tmp_path / "a", b"whole")

    assert {path.name for path in tmp_path.iterdir()} == {"a", left.name}


def test_a_folder_that_is_not_there_has_nothing_to_remove(tmp_path: Path) -> None:
    remove_abandoned(tmp_path / "none", "a")

    assert list(tmp_path.iterdir()) == []
