"""`publisher pull` and `verify` against the reference PDS: what is asked for, and what comes."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from publisher.archive import verify_car
from publisher.commands.pull import Selection, pull
from publisher.commands.reports import PublishReport
from publisher.commands.repos import Target
from publisher.commands.verify import verify
from publisher.errors import ProofFailed, RepoRefused
from publisher.progress import Silent
from publisher.pulling.wanted import Pulled, PullOptions, Scope
from publisher.syntax import Nsid
from tests.reference_pds import Account, ReferencePds
from tests.site import Site, actions, make_site, run

SYNC = "com.atproto.sync."
DOCUMENT = "site.standard.document"


@pytest.fixture
def site(
    pds: ReferencePds, account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Site:
    """A site of an account, published, with two covers."""
    monkeypatch.setenv("PUBLISHER_APP_PASSWORD", account.app_password)
    made = make_site(tmp_path / "site", repo=account.did, pds=pds.url, plc=pds.plc)
    for number in range(12):
        made.write(f"{number}.md", f"Number *{number}*.", path=f"/{number}", tags=["a"])
    for name in ("sea", "tide"):
        made.picture(f"{name}.png", len(name))
        made.write(f"{name}.md", cover=f"{name}.png", path=f"/{name}")
    published(made)
    return made


def published(site: Site) -> PublishReport:
    report = site.publish(allow=frozenset({"delete", "mass-create"}))
    assert report.exit_status == 0, report.error
    return report


@pytest.fixture
def target(pds: ReferencePds, account: Account) -> Target:
    return Target(account.did, pds.url, pds.plc)


def pulled(target: Target, out: Path, **options: object) -> Pulled:
    chosen = PullOptions(**options)  # type: ignore[arg-type]  # as they are named
    (one,) = pull([Selection(target)], out, chosen, Silent()).repos
    return one


def asked(pds: ReferencePds) -> dict[str, int]:
    """What was asked of the server since the last time."""
    counts = {name.removeprefix(SYNC): n for name, n in pds.stats().counts.items()}
    pds.reset()
    return counts


def test_a_repo_comes_in_one_archive_and_then_costs_one_request(
    site: Site, target: Target, pds: ReferencePds, tmp_path: Path
) -> None:
    pds.reset()

    first = pulled(target, tmp_path / "out")

    assert (first.counts, first.proof) == ({"new": 16, "unchanged": 0}, "proven")
    assert asked(pds) == {"getLatestCommit": 1, "getRepo": 1, "getBlob": 2}
    again = pulled(target, tmp_path / "out")
    assert (again.counts, again.proof) == ({"unchanged": 16}, "proven")
    assert asked(pds) == {"getLatestCommit": 1}


@pytest.mark.parametrize("form", ["json", "markdown"])
def test_where_the_repo_has_not_moved_only_missing_blobs_come(
    form: str, site: Site, target: Target, pds: ReferencePds, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    pulled(target, out, form=form)
    before = files(out)
    lost = min(path for path in before if path.startswith("blobs/"))
    (out / lost).unlink()
    pds.reset()

    again = pulled(target, out, form=form)

    assert (again.counts["new"], again.proof) == (1, "proven")
    assert asked(pds) == {"getLatestCommit": 1, "getBlob": 1}
    assert files(out) == before
    assert pulled(target, out, form=form).counts.keys() == {"unchanged"}
    assert asked(pds) == {"getLatestCommit": 1}


def test_what_is_new_since_is_proven_on_top_of_what_was(
    site: Site, target: Target, pds: ReferencePds, tmp_path: Path
) -> None:
    pulled(target, tmp_path / "out")
    site.write("3.md", "Edited.", path="/3")
    site.write("new.md", path="/new")
    (site.content / "sea.md").unlink()
    site.publish(prune=True)
    pds.reset()

    one = pulled(target, tmp_path / "out")

    assert one.counts == {"updated": 1, "new": 1, "trashed": 2, "unchanged": 13}
    assert (one.proof, asked(pds)) == ("proven", {"getLatestCommit": 1, "getRepo": 1})
    fresh = pulled(target, tmp_path / "fresh")
    assert one.rev == fresh.rev
    assert files(tmp_path / "out") == files(tmp_path / "fresh")


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.parts[-4:])
    }


def lose_a_file(out: Path) -> None:
    next((out / DOCUMENT).iterdir()).unlink()


def touch_a_file(out: Path) -> None:
    path = next((out / DOCUMENT).iterdir())
    os.utime(path, (1, 1))


@pytest.mark.parametrize("change", [lose_a_file, touch_a_file])
def test_where_files_are_in_doubt_everything_is_compared(
    change: object, site: Site, target: Target, pds: ReferencePds, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    pulled(target, out)
    before = files(out)
    site.write("3.md", "Edited.", path="/3")
    site.publish()
    assert callable(change)
    change(out)

    pulled(target, out)

    changed = {path for path, content in files(out).items() if before.get(path) != content}
    assert len(changed) == 2  # the record, and pull.json
    assert files(out) == files_of(target, tmp_path / "fresh")


def test_without_memory_a_file_that_differs_is_the_users(
    site: Site, target: Target, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    pulled(target, out)
    site.write("3.md", "Edited.", path="/3")
    site.publish()
    (out / ".pull.sqlite").unlink()

    assert pulled(target, out).counts == {"kept": 1, "unchanged": 15}
    assert pulled(target, out, force=True).counts == {"updated": 1, "unchanged": 15}
    assert files(out) == files_of(target, tmp_path / "fresh")


def files_of(target: Target, out: Path) -> dict[str, bytes]:
    pulled(target, out)
    return files(out)


def test_the_archive_is_kept_as_it_was_sent(
    site: Site, target: Target, account: Account, pds: ReferencePds, tmp_path: Path
) -> None:
    one = pulled(target, tmp_path / "out", form="car")

    (path,) = (tmp_path / "out").iterdir()
    assert path.name == f"{account.did.replace(':', '_')}.car"
    proven = verify_car(path.read_bytes(), did=account.did, key=None)
    assert (proven.rev, len(proven.records)) == (one.rev, 14)


def test_lines_of_json_go_to_stdout_and_the_report_to_stderr(
    site: Site, account: Account, pds: ReferencePds, tmp_path: Path
) -> None:
    site.write("evil.md", title="a\x1b[31m\u202eb", path="/evil")
    site.publish()

    servers = ("--pds", pds.url, "--plc", pds.plc)
    done = run("pull", account.did, "--as", "jsonl", *servers, folder=tmp_path)

    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, len(lines)) == (0, 15)
    assert {line["value"]["$type"] for line in lines} == {DOCUMENT}
    assert any(line["value"]["title"] == "a\x1b[31m\u202eb" for line in lines)
    assert "\x1b" not in done.stdout
    assert "\u202e" not in done.stdout
    assert "proven" in done.stderr
    assert list(tmp_path.iterdir()) == [site.root]


def test_one_record_comes_with_its_own_proof(
    site: Site, target: Target, pds: ReferencePds, tmp_path: Path
) -> None:
    rkey = next(line["rkey"] for line in site.lock_lines() if line["key"] == "sea.md")
    wanted = Selection(target, Scope((Nsid(DOCUMENT),), rkey))
    pds.reset()

    (one,) = pull([wanted], tmp_path / "out", PullOptions(), Silent()).repos

    assert (one.counts, one.proof) == ({"new": 2, "unchanged": 0}, "record proof")
    assert asked(pds) == {"getLatestCommit": 1, "getRecord": 1, "getBlob": 1}
    (whole,) = pull([wanted], tmp_path / "out", PullOptions(must_prove=True), Silent()).repos
    assert (whole.counts, whole.proof) == ({"unchanged": 2}, "proven")
    absent = Selection(target, Scope((Nsid(DOCUMENT),), "3lwafzkjqm25s"))
    with pytest.raises(RepoRefused, match="has no record"):
        pull([absent], tmp_path / "none", PullOptions(), Silent())


def test_verify_proves_and_validates_and_writes_nothing(
    site: Site, target: Target, tmp_path: Path
) -> None:
    before = everything(tmp_path)

    report = verify(target, site.config, Silent())

    assert (report.proof, report.exit_status) == ("proven", 0)
    assert report.collections == {DOCUMENT: 14}
    assert report.counts == {"valid": 14}
    assert everything(tmp_path) == before


def everything(folder: Path) -> list[Path]:
    """Return all files but what SQLite has beside an open database."""
    return sorted(path for path in folder.rglob("*") if "sqlite" not in path.name)


def test_a_key_that_isnt_the_owners_proves_nothing(
    site: Site, target: Target, pds: ReferencePds, account: Account, tmp_path: Path
) -> None:
    pulled(target, tmp_path / "out")
    before = files(tmp_path / "out")
    site.write("3.md", "Edited.", path="/3")
    site.publish()
    key = "zQ3shXjHeiBuRCKmM36cuYnm7YEMzhGnCmCyW92sRJ9pribSF"
    method = {
        "id": f"{account.did}#atproto",
        "type": "Multikey",
        "controller": account.did,
        "publicKeyMultibase": key,
    }
    pds.doctor(account.did, {"verificationMethod": [method]})

    with pytest.raises(ProofFailed, match="isn't proven"):
        pulled(target, tmp_path / "out")
    with pytest.raises(ProofFailed):
        verify(target, site.config, Silent())

    assert files(tmp_path / "out") == before


def test_markdown_that_was_pulled_and_is_published_again_changes_nothing(
    site: Site, target: Target, account: Account, pds: ReferencePds, tmp_path: Path
) -> None:
    one = pulled(target, tmp_path / "back", form="markdown")
    assert [file for file in one.files if file.losses] == []
    again = make_site(tmp_path / "again", repo=account.did, pds=pds.url, plc=pds.plc)
    shutil.copytree(tmp_path / "back", again.content, dirs_exist_ok=True)
    pds.reset()

    report = again.publish()

    assert set(actions(report).values()) == {"unchanged"}
    assert len(report.items) == 14
    assert not [name for name in pds.stats().counts if "repo.put" in name or "Writes" in name]
    assert pulled(target, tmp_path / "back", form="markdown").counts == {"unchanged": 16}


def test_a_pull_beside_others_counts_each_repo(
    site: Site, target: Target, pds: ReferencePds, tmp_path: Path
) -> None:
    other = pds.new_account()
    missing = Target("did:plc:aaaaaaaaaaaaaaaaaaaaaaaa", pds.url, pds.plc)
    empty = Target(other.did, pds.url, pds.plc)
    selections = [Selection(target), Selection(missing), Selection(empty)]

    report = pull(selections, tmp_path / "out", PullOptions(), Silent())

    assert [one.counts for one in report.repos] == [
        {"new": 16, "unchanged": 0},
        {"unchanged": 0},
    ]
    assert list(report.errors) == [missing.name]
    assert report.exit_status == 2
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {target.name.replace(":", "_"), other.did.replace(":", "_")}
