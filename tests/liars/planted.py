"""What may lie in the folder already: links that lead out, folders where files should be."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from typing import Any

from publisher.data import RAW, Cid
from publisher.errors import StateError
from publisher.pulling.manifest import DATABASE, MANIFEST
from tests.liars.liar import Expected, Harmless, Liar, Partly, Refused
from tests.liars.world import PICTURE, World
from tests.repo_server import NOTE, path

RECORD = f"{path(2)}.json"
PICTURED = f"blobs/{Cid.of(PICTURE, RAW)}"
EMPTY = f"blobs/{Cid.of(b'', RAW)}"
FORCED = {"force": True}
CHANGED = "was changed here"


def planted(
    at: str, to: str | None, expect: Expected, *when: str, options: Mapping[str, Any] = FORCED
) -> Liar:
    """Return who plants a link (`to` is relative to the folder outside), or a folder."""

    def arrange(world: World) -> None:
        world.plant(at, None if to is None else world.outside / to)

    forced = "" if options is FORCED else ", not forced"
    what = "a folder" if to is None else f"link to {to or 'outside'}"
    name = f"planted: {at[:40]} is {what}{forced}"
    return Liar(name, arrange, expect, when=when or ("again", "first"), options=options)


def leading(at: str, *when: str) -> Liar:
    """Return a link to a folder outside: nothing may be made there, not even a folder."""
    return planted(at, "", Refused(StateError, "leads out of", whole=False), *when)


def kept(at: str, to: str | None, *when: str) -> Liar:
    return planted(at, to, Partly({at: CHANGED}, "kept"), *when, options={})


def hard_linked(world: World) -> None:
    place = world.out / RECORD
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    place.hardlink_to(world.outside / "sentinel")
    world.planted.append(place)
    world.ledger.append(RECORD)


def guessed(world: World) -> None:
    """Plant a link where the temporary file of this very thread would be."""
    world.plant(f"{NOTE}/.{os.getpid()}-{threading.get_ident()}.pull", world.outside / "sentinel")


def with_empty_blob(to: str) -> Callable[[World], None]:
    def arrange(world: World) -> None:
        world.repo.put({path(5): world.pictured(b"")})
        world.plant(EMPTY, world.outside / to)

    return arrange


PLANTED = (
    leading(str(NOTE)),
    leading("blobs"),
    leading(".trash", "again"),
    planted(RECORD, "sentinel", Harmless()),
    planted(RECORD, "nothing", Harmless()),
    kept(RECORD, "sentinel"),
    kept(RECORD, "nothing"),
    kept(RECORD, None),
    planted(RECORD, None, Refused(StateError, "directory", whole=False)),
    kept(PICTURED, "sentinel"),
    planted(PICTURED, "sentinel", Harmless()),
    Liar("planted: an empty blob", with_empty_blob("empty"), Partly({EMPTY: CHANGED}, "kept")),
    Liar("planted: an empty blob, forced", with_empty_blob("empty"), Harmless(), options=FORCED),
    planted(MANIFEST, "sentinel", Refused(StateError, "a pull wrote: it is a symbolic link")),
    planted(MANIFEST, "nothing", Refused(StateError, "a pull wrote: it is a symbolic link")),
    planted(MANIFEST, None, Refused(StateError, "a pull wrote: it is a folder")),
    planted(DATABASE, "empty", Harmless(), "first"),
    planted(DATABASE, "sentinel", Harmless(), "first"),
    planted(DATABASE, "nothing", Harmless(), "first"),
    planted(DATABASE, None, Refused(StateError, DATABASE, whole=False), "first"),
    planted(f"{DATABASE}-journal", "sentinel", Harmless(), "first"),
    planted(".pull.lock", "sentinel", Refused(StateError, "pull.lock|symbolic link"), "first"),
    planted(".pull.lock", "nothing", Refused(StateError, "pull.lock|symbolic link"), "first"),
    Liar("planted: a hard link", hard_linked, Partly({RECORD: CHANGED}, "kept")),
    Liar("planted: a hard link, forced", hard_linked, Harmless(), options=FORCED),
    Liar("planted: the temporary file", guessed, Harmless()),
)
