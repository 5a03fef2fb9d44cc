"""What lies where a pull keeps its memory, and is no file of it."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from publisher.errors import StateError
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
