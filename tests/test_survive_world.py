"""Full disks, broken networks, vanished blobs, two publishers at once: nothing is lost."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest

from publisher import data
from publisher.documents import DOCUMENT
from publisher.pds import PdsRepo
from publisher.pds.reading import MIRROR
from publisher.repo import DeleteWrite
from publisher.spool import whole
from tests.fetched import fetched
from tests.forked import run_module
from tests.measuring import uncovered
from tests.pds_repo import open_pds_repo
from tests.reference_pds import ReferencePds
from tests.site import run
from tests.survive.disk import PAGE, small_disk
from tests.survive.proxy import Proxy, proxied
from tests.survive.secrets import tells_no_secret
from tests.survive.world import World, edit, make_world, published
from tests.test_survive_crashes import ALLOWED, ROOT

FAULTS = ("ENOSPC", "EROFS", "EIO")


def environment(world: World, **more: str) -> dict[str, str]:
    return {
        "PYTHONPATH": str(ROOT),
        "PUBLISHER_APP_PASSWORD": world.account.app_password,
        **more,
    }


def publish(world: World, **more: str) -> subprocess.CompletedProcess[str]:
    """Publish in a process of its own."""
    told = environment(world, **more)
    return run("publish", *ALLOWED, folder=world.site.root, environment=told)


def on_a_bad_disk(world: World, point: int, fault: str) -> subprocess.CompletedProcess[str]:
    """Publish; the N-th change on the disk fails. With point 0, none; they are counted."""
    told = world.site.root.parent / "points"
    return run_module(
        "tests.survive.crash",
        [str(point), str(told), "publish", *ALLOWED],
        folder=world.site.root,
        environment={**uncovered(os.environ), **environment(world, FAULT=fault)},
        fresh=True,
    )


def test_a_disk_that_fails_at_any_write_is_a_clear_error_and_loses_nothing(
    pds: ReferencePds, tmp_path: Path
) -> None:
    world = make_world(pds, tmp_path / "site", 3, 1)
    published(world)
    edit(world, 0, 1)
    edit(world, 0, 1)
    assert on_a_bad_disk(world, 0, "EIO").returncode == 0
    total = int((tmp_path / "points").read_text())
    statuses = []
    for point in range(1, total + 1):
        page = world.site.content / "0.md"
        page.write_text(f"{page.read_text()}\n{point}\n")
        done = on_a_bad_disk(world, point, FAULTS[point % 3])
        assert "Traceback" not in done.stderr
        assert done.returncode == 0 or (done.returncode == 2 and "→" in done.stderr), done.stderr
        statuses.append(done.returncode)
        tells_no_secret(world.account, tmp_path, said=done.stdout + done.stderr)
        world.has_converged(3)
        world.keeps_foreign_fields()
    assert statuses.count(2) >= 3  # the others are caches


def test_a_full_file_system_is_a_clear_error_and_loses_nothing(
    pds: ReferencePds, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "site") as disk:
        world = make_world(pds, tmp_path / "site", 3, 1)
        published(world)
        keep_the_mirror_elsewhere(world, tmp_path / "mirror.sqlite")
        full = set()
        for pages in count():
            edit(world, 1)
            world.site.picture("0.png", colour=pages + 1)
            disk.leave(pages * PAGE)
            done = publish(world, TMPDIR=str(world.site.content))
            disk.enlarge()
            assert "Traceback" not in done.stderr
            tells_no_secret(world.account, tmp_path, said=done.stdout + done.stderr)
            world.has_converged(3)
            world.keeps_foreign_fields()
            if done.returncode == 0:
                break
            assert done.returncode == 2
            full.update(re.findall(r"^error: (.*): No space left on device\n  → ", done.stderr))
        places = {Path(place).relative_to(world.site.root).parts[:2] for place in full}
    steps = {(".publisher", "backups"), (".publisher", "journal"), ("publisher.lock",)}
    assert steps <= places


def keep_the_mirror_elsewhere(world: World, place: Path) -> None:
    """Let the mirror, a cache, take no pages of a small disk while a run takes others."""
    mirror = world.site.root / ".publisher" / MIRROR
    shutil.copy(mirror, place)
    mirror.unlink()
    mirror.symlink_to(place)


@pytest.mark.parametrize(
    ("resets", "places"), [(False, (0, 600)), (True, (40, 3_000))], ids=["ends", "resets"]
)
def test_a_network_that_cuts_answers_anywhere_loses_nothing(
    resets: bool, places: tuple[int, ...], pds: ReferencePds, tmp_path: Path
) -> None:
    with proxied(pds.url) as proxy:
        world = behind(proxy, pds, tmp_path)
        proxy.resets = resets
        for number, after in enumerate(places):
            proxy.cut_after = after
            for name in range(6):
                world.site.write(f"{number}-{name}.md", f"Hello {number}.")
            done = publish(world)
            assert done.returncode in {0, 2}, done.stderr
            assert "Traceback" not in done.stderr
            tells_no_secret(world.account, tmp_path, said=done.stdout + done.stderr)
            proxy.heal()
            world.has_converged(1 + 6 * (number + 1))
        assert proxy.broken >= 2


def test_a_network_that_drips_is_waited_for(pds: ReferencePds, tmp_path: Path) -> None:
    with proxied(pds.url) as proxy:
        world = behind(proxy, pds, tmp_path)
        world.site.write("more.md")
        proxy.drips = True
        done = publish(world)
        proxy.heal()

        assert done.returncode == 0, done.stderr
        assert proxy.dripped > 50
        world.has_converged(2)


def behind(proxy: Proxy, pds: ReferencePds, tmp_path: Path) -> World:
    """Return a world with one document whose server is found behind the proxy."""
    world = make_world(pds, tmp_path / "site", 1, 0)
    world.site.configure(repo=world.account.did, pds=proxy.url, plc=pds.plc)
    pds.point_elsewhere(world.account.did, proxy.url)
    return world


def test_a_cover_that_changes_and_changes_back_is_uploaded_again(
    pds: ReferencePds, tmp_path: Path
) -> None:
    world = make_world(pds, tmp_path / "site", 1, 1)
    first = (world.site.content / "0.png").read_bytes()
    published(world)
    world.site.picture("0.png", colour=77)
    world.has_converged(1)
    pds.idle()  # the first cover is deleted now

    (world.site.content / "0.png").write_bytes(first)

    world.has_converged(1)
    world.keeps_foreign_fields()
    repo = open_pds_repo(pds, world.account)
    assert fetched(repo, data.blob_cid(first)) == first
    repo.close()
    kept = list((world.site.root / ".publisher/backups/blobs").iterdir())
    assert data.blob_cid(first) in {path.name for path in kept}


def test_a_cover_of_many_documents_is_uploaded_once(pds: ReferencePds, tmp_path: Path) -> None:
    world = make_world(pds, tmp_path / "site", 0, 0)
    world.site.picture("same.png")
    for number in range(12):
        world.site.write(f"{number}.md", cover="same.png")

    world.has_converged(12)

    assert pds.stats().count("com.atproto.repo.uploadBlob") == 1


def test_a_blob_that_goes_between_asking_and_referring_is_uploaded_again(
    pds: ReferencePds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(pds, tmp_path / "site", 1, 1)
    published(world)
    world.site.write("again.md", cover="0.png")
    ask = PdsRepo.blobs

    def asked_too_early(repo: PdsRepo) -> set[str]:
        held = ask(repo)
        other = open_pds_repo(pds, world.account)
        for record in other.read([DOCUMENT]).records[DOCUMENT].values():
            if "coverImage" in whole(record.value):
                other.apply_one(DeleteWrite(DOCUMENT, record.rkey, record.cid))
        other.close()
        pds.idle()
        return held

    monkeypatch.setattr(PdsRepo, "blobs", asked_too_early)
    before = pds.stats().count("com.atproto.repo.uploadBlob")

    report = world.publish()

    done = {item.path: item.action for item in report.items}
    assert (done["again.md"], report.exit_status) == ("create", 0)
    assert pds.stats().count("com.atproto.repo.uploadBlob") == before + 1


HOLDER = """
import sys, time
from pathlib import Path
from publisher.lock import one_run
with one_run(Path(), sys.argv[1]):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_second_publisher_on_a_folder_writes_nothing_and_the_hold_dies_with_its_process(
    pds: ReferencePds, tmp_path: Path
) -> None:
    world = make_world(pds, tmp_path / "site", 2, 0)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, world.account.did],
        cwd=world.site.root,
        env={**os.environ, **environment(world)},
        stdout=subprocess.PIPE,
    ) as first:
        assert first.stdout
        assert first.stdout.readline() == b"held\n"
        writes = world.writes()

        second = publish(world)

        first.send_signal(signal.SIGKILL)
    assert second.returncode == 2
    assert "another `publisher publish` is at work" in second.stderr
    assert world.writes() == writes
    world.has_converged(2)
