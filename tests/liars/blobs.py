"""Blobs that aren't what their records say, or lead elsewhere."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from itertools import repeat
from typing import Any

from publisher.data import DAG_CBOR, RAW, Cid, Value
from publisher.transport import Limits
from tests.liars.cars import chunked
from tests.liars.liar import Expected, Harmless, Liar, Partly, Remarked
from tests.liars.owners import NASTY
from tests.liars.world import World, blob, refusal
from tests.local_server import Answer, Seen
from tests.repo_server import note, path

CONTENT = b"the bytes of a new picture"
NEW = str(Cid.of(CONTENT, RAW))
FILE = f"blobs/{NEW}"
BEYOND = {"publisher.pds.repo._BLOB_LIMITS": Limits(max_bytes=1 << 20, seconds=5.0)}
SHORT = {"publisher.pds.repo._BLOB_LIMITS": Limits(seconds=0.3)}
TORN = Answer(CONTENT[:9], headers={"Content-Length": str(len(CONTENT))})
OTHER_BYTES = Partly({FILE: "other bytes for the blob"})


def lied(
    name: str, answer: Answer | Callable[[Seen], Answer], expect: Expected, **more: Any
) -> Liar:
    """Return a liar who answers so for a new blob."""

    def arrange(world: World) -> None:
        world.repo.put({path(5): world.pictured(CONTENT)})

        def lie(seen: Seen) -> Answer | None:
            if NEW not in seen.path:
                return None
            return answer(seen) if callable(answer) else answer

        world.lie("getBlob", lie)

    return Liar(f"blob: {name}", arrange, expect, **more)


def unavailable(says: str) -> Partly:
    """All records are there, and the other blobs."""
    return Partly({FILE: says})


def twice(lie: Answer) -> Callable[[Seen], Answer]:
    """Lie twice, then tell the truth."""
    told: list[Seen] = []

    def answer(seen: Seen) -> Answer:
        told.append(seen)
        return Answer(CONTENT) if len(told) % 3 == 0 else lie

    return answer


def referring(name: str, reference: Value, expect: Expected, field: str = "blob") -> Liar:
    """Return the owner of a record that refers to a blob so."""

    def arrange(world: World) -> None:
        world.pictured(CONTENT)
        value = note("referring")
        assert isinstance(value, dict)
        world.repo.put({path(5): {**value, field: reference}})
        world.watch("getRepo")

    return Liar(f"blob: {name}", arrange, expect)


def as_node() -> Liar:
    """Return the owner of a record whose blob has the CID of DAG-CBOR."""
    cid = Cid.of(CONTENT, DAG_CBOR)

    def arrange(world: World) -> None:
        world.repo.put({path(5): {"$type": "com.example.note", "blob": blob(cid, 1)}})
        world.lie("getBlob", lambda seen: Answer(CONTENT) if str(cid) in seen.path else None)

    says = Partly({f"blobs/{cid}": "other bytes for the blob"})
    return Liar("blob: CID of DAG-CBOR", arrange, says)


def sized(size: int) -> Value:
    return blob(Cid.of(CONTENT, RAW), size)


def says_size(size: str, pointer: str = "/blob") -> Remarked:
    """The blob is kept, and the size that its record gives is told beside its own."""
    says = f"warning {pointer}/size says {size} bytes; {NEW} has 26, and is kept: .*"
    return Remarked({f"{path(5)}.json": says})


BLOBS = (
    lied("other bytes", Answer(b"evil"), OTHER_BYTES),
    lied("half of it", Answer(CONTENT[:9]), OTHER_BYTES),
    lied("more than all", Answer(CONTENT + b"\n"), OTHER_BYTES),
    lied("nothing", Answer(b""), OTHER_BYTES),
    lied("damaged twice", twice(Answer(CONTENT[:9])), Harmless()),
    lied("longer, twice", twice(Answer(CONTENT * 9)), Harmless()),
    lied("broken off twice", twice(TORN), Harmless()),
    lied("broken off, always", TORN, unavailable("broke off")),
    lied("BlobNotFound", refusal(404, "BlobNotFound"), Partly({FILE: "BlobNotFound"})),
    lied("BlobNotFound (400)", refusal(400, "BlobNotFound"), Partly({FILE: "BlobNotFound"})),
    lied("a page of HTML", Answer(b"<h1>Gone</h1>", 404), unavailable("it answered 404")),
    lied("always 500", refusal(500, "Oops"), unavailable("Oops")),
    lied(
        "endless",
        lambda _: chunked(repeat(bytes(1 << 18))),
        unavailable("larger than the 1048576 bytes"),
        limits=BEYOND,
    ),
    lied(
        "slow",
        Answer(CONTENT, drip=0.05),
        unavailable("within 0.3 seconds|took too long"),
        limits=SHORT,
    ),
    lied(
        "gzip",
        Answer(gzip.compress(CONTENT), headers={"Content-Encoding": "gzip"}),
        unavailable("an encoded body"),
    ),
    lied("as HTML", Answer(CONTENT, headers={"Content-Type": "text/html"}), Harmless()),
    lied(
        "with a file name",
        Answer(CONTENT, headers={"Content-Disposition": 'attachment; filename="../../x"'}),
        Harmless(),
    ),
    *(
        lied(f"redirect to {to}", Answer(b"", 302, {"Location": to}), unavailable("a redirect"))
        for to in (
            "file:///etc/passwd",
            "http://169.254.169.254/latest/meta-data/",
            "http://127.0.0.1:631/",
            "//localhost/",
            "https://pds.example/elsewhere",
        )
    ),
    referring("size of a terabyte", sized(1 << 40), says_size("1,099,511,627,776")),
    referring("size of a byte less", sized(len(CONTENT) - 1), says_size("25")),
    referring("size of nothing", sized(0), says_size("0")),
    referring("size below zero", sized(-1), says_size("-1")),
    referring("two sizes, one true", [sized(26), sized(27)], says_size("27", "/blob/1")),
    referring("size in a field of escapes", sized(0), says_size("0", "/(?s:.*)evil(?s:.*)"), NASTY),
    referring("MIME type that is a path", blob(Cid.of(CONTENT, RAW), 26, "../../x"), Harmless()),
    referring("text for a CID", {"$type": "blob", "ref": "../../x", "mimeType": "a/b"}, Harmless()),
    referring("old form with a path", {"cid": "../../../etc/x", "mimeType": "a/b"}, Harmless()),
    as_node(),
)
