"""What must be so after a run was ended: the next one converges, and the one after it rests."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from publisher import data
from tests.site import SITE, picture
from tests.survive.runner import Ended
from tests.survive.scenarios import FOREIGN, NOTES, Scenario, Stage

WRITES = ("applyWrites", "createRecord", "putRecord", "deleteRecord", "uploadBlob")


def forget(stage: Stage, name: str) -> None:
    """Delete a file or folder of the site's state, if it is there."""
    path = stage.site.root / name
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def converges(stage: Stage, scenario: Scenario, *, backups: bool = True) -> None:
    """Run again, twice, and hold what is there then against what must be.

    `backups`: what was replaced must be among them.
    """
    _well(stage.publish(*scenario.options, **scenario.ways))
    _is_as_wanted(stage)
    if backups:
        _is_kept(stage)
    checked = stage.run("pull", "--check")
    assert checked.status == 0, checked
    _rests(stage, scenario)


def _well(ended: Ended) -> None:
    assert ended.status == 0, ended
    assert "Traceback" not in ended.errors, ended


def _is_as_wanted(stage: Stage) -> None:
    records = list(stage.records().values())
    ours = [record for record in records if record["value"]["site"] == SITE]
    others = [record["value"] for record in records if record["value"]["site"] != SITE]
    assert others == [FOREIGN]
    assert all(record["cid"] == _cid(record["value"]) for record in records)
    paths = sorted(record["value"]["path"] for record in ours)
    assert paths == sorted(stage.bodies), "one record for each document"
    for record in ours:
        _says(stage, record["value"])


def _cid(value: dict[str, Any]) -> str:
    return data.record_cid(data.loads(json.dumps(value).encode()))


def _says(stage: Stage, value: dict[str, Any]) -> None:
    path = value["path"]
    assert value["textContent"] == stage.bodies[path]
    theirs = {name: value[name] for name in NOTES if name in value}
    assert theirs == (NOTES if path in stage.noted else {}), path
    assert ("coverImage" in value) == (path in stage.covers), path
    if path in stage.covers:
        cid = value["coverImage"]["ref"]["$link"]
        query = f"did={stage.account.did}&cid={cid}"
        assert stage.fetch("com.atproto.sync.getBlob", query) == picture(stage.covers[path])


def _is_kept(stage: Stage) -> None:
    folder = stage.site.root / ".publisher" / "backups"
    lines = b"".join(path.read_bytes() for path in folder.glob("*.jsonl")).splitlines()
    kept = {json.loads(line)["cid"] for line in lines}
    kept |= {path.name for path in folder.glob("blobs/*")}
    assert stage.replaced <= kept, "what was replaced is among the backups"


def _rests(stage: Stage, scenario: Scenario) -> None:
    files, sent = _files(stage.site.root), _writes(stage)
    _well(stage.publish(*scenario.options, **scenario.ways))
    assert _writes(stage) == sent, "nothing is sent when nothing changed"
    assert _files(stage.site.root) == files, "no file is changed when nothing changed"


def _writes(stage: Stage) -> int:
    stats = stage.pds.stats()
    return sum(stats.count(f"com.atproto.repo.{name}") for name in WRITES)


def _files(root: Path) -> dict[str, bytes]:
    """Return every file's content, but the mirror's: a cache that reading brings up to date."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and not path.name.startswith("mirror.sqlite")
    }
