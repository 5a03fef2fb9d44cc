"""Documents that choose the names of their own files: as Markdown, they lie where they say."""

from __future__ import annotations

from publisher.data import RAW, Cid, Value
from publisher.syntax import Nsid
from tests.liars.forge import signed
from tests.liars.owners import NASTY
from tests.liars.world import World, blob

DOCUMENT = Nsid("site.standard.document")
PATHS = (
    *("/../../../outside/x", "/..", "/.", "/", "", "//", "/etc/passwd", "/%2e%2e%2f%2e%2e%2fx"),
    *(
        "/..%2f..%2fx",
        "/..\\..\\x",
        "C:\\x",
        "/x:y",
        "/con",
        "/NUL.txt",
        "/aux.html",
        "/x.",
        "/ x ",
    ),
    *("/.git", "/.pull.sqlite", "/pull.json", "/blobs", "/.trash", "/a\0b", "/\x1b[2J", "/\u202ex"),
    *("/" + "x" * 4000, "/" + "é" * 400, "/A", "/a", "/é", "/e\u0301", "/~root", "/$HOME", "/*?"),
    *("/%00", "/%1b%5b2J", "/%ff", "/_index", "/index.html", "/-rf", "/x.md", "/x.md/", NASTY),
)
MIME_TYPES = (
    "image/png",
    "../../x",
    "image/../../../x",
    "text/html; x=../y",
    NASTY,
    "/",
    "\0",
    "a" * 999,
)


def documents(world: World) -> dict[str, Value]:
    """Let the owner sign documents that lead out by their paths, titles, dates and covers."""
    values: dict[str, Value] = {}
    for number, path in enumerate(PATHS):
        content = b"cover %d" % number
        cid = Cid.of(content, RAW)
        world.blobs[str(cid)] = content
        kind = MIME_TYPES[number % len(MIME_TYPES)]
        values[f"{DOCUMENT}/3l{number:05}"] = {
            "$type": DOCUMENT,
            "site": path or "https://alice.example",
            "title": path,
            "path": path,
            "publishedAt": path if number % 2 else "2026-01-01T00:00:00Z",
            "coverImage": blob(cid, len(content), kind),
            "content": {"$type": path or "x", "text": path},
            "textContent": path,
        }
    root, blocks = signed(values, world.next_rev)
    world.commit(root, blocks, values=values)
    return values
