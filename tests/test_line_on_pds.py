"""The whole line on the reference PDS, through the command line as users type it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from publisher import data
from tests.reference_pds import Account, ReferencePds
from tests.site import Site, make_site, picture, run
from tests.test_layers import modules_loaded_by

ROOT = Path(__file__).parents[1]
DOCUMENT = "site.standard.document"
WRITES = ("applyWrites", "createRecord", "putRecord", "deleteRecord", "uploadBlob")


def site_on(pds: ReferencePds, account: Account, root: Path, **settings: str) -> Site:
    return make_site(root, repo=account.handle, pds=pds.url, plc=pds.plc, **settings)


def publisher(
    site: Site, *arguments: str | Path, password: str = ""
) -> subprocess.CompletedProcess[str]:
    environment = {"PUBLISHER_APP_PASSWORD": password} if password else {}
    return run(*arguments, folder=site.root, environment=environment)


def report_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.stdout, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def writes(pds: ReferencePds) -> int:
    return sum(pds.stats().count(f"com.atproto.repo.{name}") for name in WRITES)


def cids_of(folder: Path) -> dict[str, str]:
    return {
        path.stem: data.record_cid(data.loads(path.read_bytes()))
        for path in (folder / DOCUMENT).iterdir()
    }


def test_200_documents_with_covers_are_published_pulled_and_equal(
    pds: ReferencePds, account: Account, tmp_path: Path
) -> None:
    site = site_on(pds, account, tmp_path / "site")
    for number in range(200):
        site.picture(f"covers/{number}.png", colour=number)
        if number % 2:
            site.write(f"m{number}.md", f"Text *{number}*: “quoted”.", cover=f"covers/{number}.png")
        else:
            cover = f"covers/{number}.png"
            site.write_json(f"j{number}.json", path=f"/{number}", coverImage=cover)

    published = report_of(publisher(site, "publish", "--json", password=account.app_password))
    sent = {item["uri"].rpartition("/")[2]: item["cid"] for item in published["items"]}
    assert published["counts"] == {"create": 200}
    assert published["uploaded"] == 200

    pds.reset()
    again = report_of(publisher(site, "publish", "--json"))
    assert again["counts"] == {"unchanged": 200}
    assert writes(pds) == 0
    assert pds.stats().count("com.atproto.server.createSession") == 0

    pulled = publisher(site, "pull", "--out", "back")
    assert pulled.returncode == 0, pulled.stderr
    assert len(sent) == 200
    assert cids_of(site.root / "back") == sent
    blobs = {path.name for path in (site.root / "back" / "blobs").iterdir()}
    assert blobs == {data.blob_cid(picture(number)) for number in range(200)}

    checked = publisher(site, "pull", "--check")
    assert (checked.returncode, checked.stdout.splitlines()[-1][:9]) == (0, "200 equal")


def test_reading_loads_no_sdk(
    pds: ReferencePds, account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK's client takes 0.7 s to import, a keyring 0.1 s, httpx's command line 0.07 s."""
    site = site_on(pds, account, tmp_path / "site")
    site.write("a.md")
    monkeypatch.setenv("PUBLISHER_APP_PASSWORD", account.app_password)
    assert "atproto_client" in modules_loaded_by("publish", cwd=site.root)
    for unchanged in (["publish"], ["pull"], ["pull", "--check"]):
        loaded = modules_loaded_by(*unchanged, cwd=site.root)
        assert "httpx" in loaded
        assert loaded & {"atproto_client", "keyring", "rich", "pygments"} == set()


def test_the_real_record_goes_through_the_whole_line(
    pds: ReferencePds, account: Account, tmp_path: Path, reference: Path
) -> None:
    site = site_on(pds, account, tmp_path / "site", site="https://www.dawn.com")
    record = json.loads((reference / "seeds" / "dawn-document.json").read_text("utf-8"))
    absent = publisher_with(site, record, account)
    assert absent["counts"] == {"failed": 1}

    site.picture("cover.png")
    record["coverImage"] = "cover.png"
    present = publisher_with(site, record, account)
    assert present["counts"] == {"create": 1}

    assert publisher(site, "pull", "--out", "back").returncode == 0
    (cid,) = cids_of(site.root / "back").values()
    assert cid == present["items"][0]["cid"]
    (path,) = (site.root / "back" / DOCUMENT).iterdir()
    back = json.loads(path.read_text("utf-8"))
    same = {"coverImage", "$type"}
    assert {k: v for k, v in back.items() if k not in same} == {
        k: v for k, v in record.items() if k not in same
    }


def publisher_with(site: Site, record: dict[str, Any], account: Account) -> dict[str, Any]:
    (site.content / "dawn.json").write_text(json.dumps(record), "utf-8")
    return report_of(publisher(site, "publish", "--json", password=account.app_password))


def test_what_was_pulled_goes_to_another_account_with_the_same_cids(
    pds: ReferencePds, account: Account, tmp_path: Path
) -> None:
    here = site_on(pds, account, tmp_path / "here")
    here.picture("sea.png")
    here.write("a.md", cover="sea.png")
    here.write_json("b.json", path="/b", coverImage="sea.png")
    publisher(here, "publish", password=account.app_password)
    publisher(here, "pull", "--out", "back")
    other = pds.new_account()
    there = site_on(pds, other, tmp_path / "there")
    shutil.copytree(here.root / "back", there.content, dirs_exist_ok=True)

    old = ("--migrate-from", account.did)
    done = publisher(there, "publish", *old, password=other.app_password)
    assert done.returncode == 0, done.stdout + done.stderr
    publisher(there, "pull", "--out", "back")

    assert cids_of(there.root / "back") == cids_of(here.root / "back")


def test_an_edit_is_one_update_and_fields_of_others_stay(
    pds: ReferencePds, account: Account, tmp_path: Path
) -> None:
    site = site_on(pds, account, tmp_path / "site")
    site.write("a.md")
    item = report_of(publisher(site, "publish", "--json", password=account.app_password))["items"][
        0
    ]
    session = pds.call(
        "com.atproto.server.createSession",
        {"identifier": account.did, "password": account.app_password},
    )
    rkey = item["uri"].rpartition("/")[2]
    publisher(site, "pull", "--out", "back")
    value = json.loads((site.root / "back" / DOCUMENT / f"{rkey}.json").read_text())
    reference = {"uri": f"at://{account.did}/app.bsky.feed.post/x", "cid": item["cid"]}
    pds.call(
        "com.atproto.repo.putRecord",
        {
            "repo": account.did,
            "collection": DOCUMENT,
            "rkey": rkey,
            "record": value | {"bskyPostRef": reference},
        },
        token=session["accessJwt"],
    )
    site.write("a.md", title="New")

    done = report_of(publisher(site, "publish", "--json", password=account.app_password))

    assert [(i["action"], i["changed"]) for i in done["items"]] == [("update", ["title"])]
    publisher(site, "pull", "--out", "fresh")
    after = json.loads((site.root / "fresh" / DOCUMENT / f"{rkey}.json").read_text())
    assert (after["title"], after["bskyPostRef"]) == ("New", reference)


def test_a_wrong_password_is_one_clear_error_and_nothing_is_written(
    pds: ReferencePds, account: Account, tmp_path: Path
) -> None:
    site = site_on(pds, account, tmp_path / "site")
    site.write("a.md")

    done = publisher(site, "publish", password="abcd-efgh-ijkl-mnop")

    assert done.returncode == 2
    assert account.handle in done.stderr
    assert "publisher login" in done.stderr
    assert "abcd-efgh" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert not site.lock.exists()


def test_without_any_password_the_error_names_all_three_places(
    pds: ReferencePds, account: Account, tmp_path: Path
) -> None:
    site = site_on(pds, account, tmp_path / "site")
    site.write("a.md")

    done = publisher(site, "publish")

    assert done.returncode == 2
    for place in ("PUBLISHER_APP_PASSWORD", "keyring", "terminal"):
        assert place in done.stderr


def test_an_unreachable_pds_is_one_clear_error(tmp_path: Path) -> None:
    did = "did:plc:44ybard66vv44zksje25o7dz"
    site = make_site(
        tmp_path / "site", repo=did, pds="http://localhost:9", plc="http://localhost:9"
    )
    site.write("a.md")

    done = publisher(site, "publish")

    assert done.returncode == 2
    assert "localhost:9" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_handle_that_does_not_resolve_is_one_clear_error(
    pds: ReferencePds, tmp_path: Path
) -> None:
    site = make_site(tmp_path / "site", repo="nobody.test", pds=pds.url, plc=pds.plc)
    site.write("a.md")

    done = publisher(site, "publish")

    assert done.returncode == 2
    assert "nobody.test" in done.stderr


def test_a_did_document_that_points_elsewhere_gets_no_write(
    pds: ReferencePds, account: Account, tmp_path: Path
) -> None:
    site = site_on(pds, account, tmp_path / "site")
    site.write("a.md")
    pds.point_elsewhere(account.did, "https://elsewhere.example")

    done = publisher(site, "publish", password=account.app_password)

    assert done.returncode == 2, done.stdout + done.stderr
    assert "elsewhere.example" in done.stderr
    assert writes(pds) == 0


@pytest.mark.parametrize(("number", "call"), [(2, "putRecord"), (9, "applyWrites")])
def test_a_lost_answer_is_settled_by_reading(
    number: int, call: str, pds: ReferencePds, account: Account, tmp_path: Path
) -> None:
    site = site_on(pds, account, tmp_path / "site")
    for name in range(number):
        site.write(f"{name}.md")
    pds.faults([{"match": call, "after": True}])

    lost = report_of(publisher(site, "publish", "--json", password=account.app_password))
    found = report_of(publisher(site, "publish", "--json", password=account.app_password))

    assert lost["counts"] == {"create": number}
    assert found["counts"] == {"unchanged": number}
    assert pds.stats().count("com.atproto.repo.applyWrites") == (call == "applyWrites")


def test_records_that_take_the_values_of_others_are_all_there(
    pds: ReferencePds, account: Account, tmp_path: Path
) -> None:
    """A block that one write of a commit drops and another one needs is lost on that server."""
    site = site_on(pds, account, tmp_path / "site")
    kind = {"$type": "com.example.place", "title": "A place"}
    keys = [f"com.example.place/3lzzzzzzzzz2{number}" for number in range(2, 8)]
    for number, key in enumerate(keys):
        site.write_json(f"{key}.json", **kind, number=number)
    publisher(site, "publish", password=account.app_password)
    for number, key in enumerate(keys):
        site.write_json(f"{key}.json", **kind, number=(number + 1) % len(keys))

    moved = report_of(
        publisher(
            site, "publish", "--allow", "mass-update", "--json", password=account.app_password
        )
    )
    after = report_of(publisher(site, "status", "--json"))

    assert moved["counts"] == {"update": len(keys)}
    assert after["counts"] == {"unchanged": len(keys)}
    assert publisher(site, "verify").returncode == 0


def test_login_keeps_a_password_that_works_and_logout_removes_it(
    pds: ReferencePds, account: Account, tmp_path: Path
) -> None:
    site = site_on(pds, account, tmp_path / "site")
    site.write("a.md")

    login = publisher(site, "login", password=account.app_password)
    assert login.returncode == 0, login.stderr
    assert "from the keyring" in publisher(site, "whoami").stdout
    assert publisher(site, "publish").returncode == 0
    assert publisher(site, "logout").returncode == 0
    assert "no app password" in publisher(site, "whoami").stdout
    assert account.app_password not in login.stdout + login.stderr


def test_a_password_that_does_not_work_is_not_kept(
    pds: ReferencePds, account: Account, tmp_path: Path
) -> None:
    site = site_on(pds, account, tmp_path / "site")

    assert publisher(site, "login", password="abcd-efgh-ijkl-mnop").returncode == 2
    assert "no app password" in publisher(site, "whoami").stdout


@pytest.mark.parametrize("by", ["handle", "did", "uri"])
def test_any_repo_is_pulled_without_a_login_by_handle_did_or_at_uri(
    by: str, pds: ReferencePds, account: Account, tmp_path: Path
) -> None:
    site = site_on(pds, account, tmp_path / "site")
    site.write("a.md")
    publisher(site, "publish", password=account.app_password)
    name = {"handle": account.handle, "did": account.did, "uri": f"at://{account.did}/{DOCUMENT}"}[
        by
    ]
    empty = tmp_path / "empty"
    empty.mkdir()

    done = run("pull", name, "--pds", pds.url, "--plc", pds.plc, folder=empty)

    assert done.returncode == 0, done.stderr
    assert len(cids_of(empty / "pulled")) == 1


def test_a_rate_limit_stops_with_75_and_the_next_run_goes_on(
    pds: ReferencePds, account: Account, tmp_path: Path
) -> None:
    site = site_on(pds, account, tmp_path / "site")
    site.write("a.md")
    limit = {"retry-after": "3600"}
    pds.faults(
        [{"match": "putRecord", "status": 429, "error": "RateLimitExceeded", "headers": limit}]
    )

    stopped = publisher(site, "publish", "--max-wait", "1", password=account.app_password)
    again = publisher(site, "publish", password=account.app_password)

    assert (stopped.returncode, again.returncode) == (75, 0)
    assert "no more requests until" in stopped.stderr
    assert "pending" in stopped.stdout
    assert "1 created" in again.stdout


def interrupted(
    site: Site, pds: ReferencePds, account: Account, call: str, times: int
) -> subprocess.CompletedProcess[str]:
    """Publish, and press Ctrl-C so many times once the first call has reached the server."""
    process = start("publish", folder=site.root, password=account.app_password)
    while not pds.stats().count(f"com.atproto.repo.{call}"):
        assert process.poll() is None
        time.sleep(0.05)
    for _ in range(times):
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
    output, errors = process.communicate(timeout=30)
    return subprocess.CompletedProcess([], process.returncode, output, errors)


def test_an_interrupt_lets_the_request_in_flight_end_and_says_what_is_done(
    pds: ReferencePds, account: Account, tmp_path: Path
) -> None:
    site = site_on(pds, account, tmp_path / "site")
    site.write("a.md")
    site.write("b.md")
    pds.faults([{"match": "putRecord", "delayMs": 2000}])

    done = interrupted(site, pds, account, "putRecord", 1)

    assert done.returncode == 130, done.stderr
    assert "create    a.md" in done.stdout
    assert "pending   b.md" in done.stdout
    assert "Traceback" not in done.stderr
    again = publisher(site, "publish", password=account.app_password).stdout
    assert "1 created, 1 unchanged" in again


@pytest.mark.parametrize(("number", "call"), [(1, "putRecord"), (9, "applyWrites")])
def test_a_second_interrupt_waits_for_nothing_and_loses_nothing(
    number: int, call: str, pds: ReferencePds, account: Account, tmp_path: Path
) -> None:
    site = site_on(pds, account, tmp_path / "site")
    for name in range(number):
        site.write(f"{name}.md")
    pds.faults([{"match": call, "hang": True}])

    done = interrupted(site, pds, account, call, 2)

    assert done.returncode == 130, done.stderr
    assert "Traceback" not in done.stderr
    again = publisher(site, "publish", password=account.app_password).stdout
    assert f"{number} created" in again


@pytest.mark.parametrize("moment", ["applyWrites", "uploadBlob"])
def test_a_run_that_is_killed_is_finished_by_the_next(
    moment: str, pds: ReferencePds, account: Account, tmp_path: Path
) -> None:
    site = site_on(pds, account, tmp_path / "site")
    for number in range(20):
        site.picture(f"{number}.png", colour=number)
        site.write(f"{number}.md", cover=f"{number}.png")
    pds.faults([{"match": moment, "delayMs": 3000, "times": 20}])
    process = start("publish", folder=site.root, password=account.app_password)
    while not pds.stats().count(f"com.atproto.repo.{moment}"):
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.communicate(timeout=60)
    pds.reset()

    again = publisher(site, "publish", "--json", password=account.app_password)
    third = report_of(publisher(site, "publish", "--json"))
    publisher(site, "pull", "--out", "back")

    assert again.returncode == 0, again.stdout + again.stderr
    assert third["counts"] == {"unchanged": 20}
    assert len(cids_of(site.root / "back")) == 20


# A job in the background of a shell inherits that SIGINT is ignored.
HEEDING = """
import signal
from publisher.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)
main()
"""


def start(*arguments: str, folder: Path, password: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HEEDING, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PUBLISHER_APP_PASSWORD": password},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("spelling", ["{}", "@{}", "at://{}"])
def test_the_servers_of_the_config_hold_for_its_repo_however_it_is_spelt(
    spelling: str, pds: ReferencePds, account: Account, tmp_path: Path
) -> None:
    site = site_on(pds, account, tmp_path / "site")
    site.configure(repo=account.handle.capitalize(), pds=pds.url, plc=pds.plc)
    site.write("a.md")
    publisher(site, "publish", password=account.app_password)

    done = publisher(site, "pull", spelling.format(account.handle.upper()))

    assert done.returncode == 0, done.stderr
    assert len(cids_of(site.root / "pulled")) == 1
