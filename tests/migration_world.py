"""A folder of records that refer to one another in every way, as a pull of their repo has it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from publisher import data
from publisher.data import Cid, Value
from tests.site import Site, picture

PUBLICATION: Final = "site.standard.publication"
DOCUMENT: Final = "site.standard.document"
NOTE: Final = "com.example.note"
MAIN: Final = f"{PUBLICATION}/3lwafzkjqm222"
FIRST, SECOND, THIRD = (f"{DOCUMENT}/3lwafzkjqm23{last}" for last in "abc")
LOOSE: Final = f"{NOTE}/loose"
QUOTE: Final = f"{NOTE}/quote"
CHAIN: Final = f"{NOTE}/chain"
STALE: Final = f"{NOTE}/stale"
POST: Final = "app.bsky.feed.post/3lwafzkjqm244"
ELSEWHERE: Final = f"at://did:plc:44ybard66vv44zksje25o7dz/{DOCUMENT}/3lwafzkjqm255"
POST_CID: Final = data.record_cid({"$type": "app.bsky.feed.post", "text": "A post"})

Records = dict[str, dict[str, Any]]


def records_of(did: str, cover: dict[str, Value]) -> Records:
    """Return the records, by name, as they are in the repo of the DID.

    A publication and its documents, with covers; what stays (a post that isn't here); CIDs through
    three records, one that is out of date; and two that refer to nothing.
    """
    made: Records = {MAIN: {"url": "https://alice.example", "name": "Alice"}}
    made[FIRST] = _document(did, 1, coverImage=cover)
    made[SECOND] = _document(did, 2, coverImage=cover, related=_strong(did, FIRST, made))
    post = {"uri": f"at://{did}/{POST}", "cid": POST_CID}
    made[THIRD] = _document(did, 3, bskyPostRef=post)
    made[LOOSE] = {"text": "Fog.", "about": ELSEWHERE}
    made[QUOTE] = {"text": f"See at://{did}/{FIRST}", "of": [[f"at://{did}/{MAIN}"]]}
    made[CHAIN] = {"seen": [_strong(did, SECOND, made), _strong(did, LOOSE, made)]}
    made[STALE] = {"seen": {"uri": f"at://{did}/{FIRST}", "cid": POST_CID}}
    return {name: _typed(name, value) for name, value in made.items()}


def _document(did: str, number: int, **more: Any) -> dict[str, Any]:
    site, moment = f"at://{did}/{MAIN}", "2026-02-05T10:00:00.000Z"
    head = {"site": site, "title": f"No. {number}", "path": f"/{number}", "publishedAt": moment}
    return head | more


def _typed(name: str, value: dict[str, Any]) -> dict[str, Any]:
    return {"$type": name.partition("/")[0], **value}


def _strong(did: str, name: str, made: Records) -> dict[str, str]:
    return {"uri": f"at://{did}/{name}", "cid": data.record_cid(_typed(name, made[name]))}


def write_site(site: Site, did: str) -> None:
    """Write all of it, as it is before it moves."""
    image = picture(7)
    cid = data.blob_cid(image)
    cover: dict[str, Value] = {
        "$type": "blob",
        "ref": Cid.parse(cid),
        "mimeType": "image/png",
        "size": len(image),
    }
    write(site, records_of(did, cover), {cid: image})


def write(site: Site, records: Mapping[str, dict[str, Any]], blobs: Mapping[str, bytes]) -> None:
    """Write records and blobs where a pull puts them."""
    for name, value in records.items():
        path = site.content / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(data.dumps(value), "utf-8")
    (site.content / "blobs").mkdir(exist_ok=True)
    for cid, content in blobs.items():
        (site.content / "blobs" / cid).write_bytes(content)


def read(folder: Path) -> Records:
    """Return the records of a pulled folder, by name."""
    found: Records = {}
    for path in folder.glob("*.*/*.json"):
        value = data.loads(path.read_bytes())
        assert isinstance(value, dict)
        found[f"{path.parent.name}/{path.stem}"] = value
    return found


def cids(records: Mapping[str, Any]) -> dict[str, str]:
    """Return the CID of each record."""
    return {name: data.record_cid(value) for name, value in records.items()}


def files(folder: Path) -> dict[str, bytes]:
    """Return all records and blobs of a pulled folder as they lie there."""
    found = (path for path in folder.glob("*/*") if not path.name.startswith("."))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def replaced(folder: Path, old: str, new: str, after: Mapping[str, str]) -> dict[str, bytes]:
    """Return the files of a pulled folder as they must come back, by replacing texts in them.

    `after` are the CIDs of the records that came back.
    """
    before = cids(read(folder))
    swaps = {f'"at://{old}/{name}"': f'"at://{new}/{name}"' for name in before}
    swaps |= {f'"{before[name]}"': f'"{after[name]}"' for name in before}
    found = files(folder)
    for path, content in found.items():
        if path.endswith(".json"):
            text = content.decode()
            for this, that in swaps.items():
                text = text.replace(this, that)
            found[path] = text.encode()
    return found


def manifest(folder: Path) -> dict[str, Any]:
    """Return what pull.json says."""
    said: dict[str, Any] = json.loads((folder / "pull.json").read_text())
    return said
