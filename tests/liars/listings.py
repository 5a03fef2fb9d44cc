"""Where the server offers no archive, its listings may lie, and its words for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from publisher.errors import ProofFailed, RepoUnavailable
from tests.liars.liar import Expected, Harmless, Liar, Refused
from tests.liars.owners import NASTY
from tests.liars.world import World, as_json, refusal
from tests.local_server import Answer, Seen
from tests.repo_server import ALICE, NOTE

MALLORY = "did:plc:" + "m" * 24
NOT_OFFERED = refusal(501, "MethodNotImplemented", "Method Not Implemented")
FEW = {"publisher.pds.listing.ANY_BYTES": 1 << 20}
Record = dict[str, Any]
Page = Callable[[list[Record]], list[Record]]


def listed(name: str, what: str, answer: Any, expect: Expected, **more: Any) -> Liar:
    """Return a server without archives that answers so for `what`."""

    def arrange(world: World) -> None:
        world.lie("getRepo", NOT_OFFERED)
        world.lie(what, answer)

    return Liar(f"listing: {name}", arrange, expect, when=("first",), **more)


def paged(name: str, page: Page, says: str) -> Liar:
    """Return a server without archives whose pages are changed so."""

    def arrange(world: World) -> None:
        world.lie("getRepo", NOT_OFFERED)
        world.repo.listed = page
        world.watch("listRecords")

    return Liar(f"listing: {name}", arrange, Refused(RepoUnavailable, says), when=("first",))


def each(**changes: object) -> Page:
    """Change a member of each record."""
    return lambda records: [{**record, **changes} for record in records]


def at(place: str) -> Page:
    """Give the first record another URI."""
    return lambda records: [{**records[0], "uri": place}, *records[1:]]


def endless() -> Callable[[Seen], Answer]:
    """Return a lister of ever new records."""
    told = iter(range(1 << 40))

    def answer(_: Seen) -> Answer:
        number = next(told)
        records = [record(f"{number}-{n}") for n in range(100)]
        return as_json({"records": records, "cursor": str(number)})

    return answer


def record(rkey: str) -> Record:
    cid = "bafyreibjo4xmgaevkgud7mbifn3dzp4v4lyaui4yvqp3f2bqwtxcjrdqg4"
    return {"uri": f"at://{ALICE}/{NOTE}/{rkey}", "cid": cid, "value": {"$type": NOTE}}


def same_page(_: Seen) -> Answer:
    return as_json({"records": [record("a")], "cursor": "a"})


def no_page(_: Seen) -> Answer:
    return as_json({"records": [], "cursor": "a"})


def new_cursors() -> Callable[[Seen], Answer]:
    told = iter(range(1 << 40))
    return lambda _: as_json({"records": [], "cursor": str(next(told))})


def trashing(rev: str) -> Liar:
    """Return a server that wants deleted files to go elsewhere: the trash is named by the rev."""

    def arrange(world: World) -> None:
        world.lie("getRepo", NOT_OFFERED)
        world.lie("getLatestCommit", as_json({"cid": str(world.repo.now.blocks()[0]), "rev": rev}))

    says = Refused(RepoUnavailable, "rev")
    return Liar(f"listing: rev {rev[:30]!a}", arrange, says)


def unreadable(says: str) -> Refused:
    return Refused(RepoUnavailable, says)


LISTINGS = (
    listed("honest", "none", None, Harmless("listed", "MethodNotImplemented")),
    listed(
        "to be proven",
        "none",
        None,
        Refused(ProofFailed, "MethodNotImplemented"),
        options={"must_prove": True},
    ),
    Liar(
        "listing: where it was proven before",
        lambda world: world.lie("getRepo", NOT_OFFERED),
        Refused(ProofFailed, "MethodNotImplemented"),
        when=("again",),
    ),
    listed("one page for ever", "listRecords", same_page, unreadable("twice|don't end")),
    listed("empty pages, one cursor", "listRecords", no_page, unreadable("don't end")),
    listed("empty pages, new cursors", "listRecords", new_cursors(), unreadable("don't end")),
    listed("ever new records", "listRecords", endless(), unreadable("without an end"), limits=FEW),
    listed("HTML", "listRecords", Answer(b"<html>"), unreadable("something unreadable")),
    listed("no records", "listRecords", as_json({}), unreadable("records: missing")),
    listed("a text for records", "listRecords", as_json({"records": NASTY}), unreadable("records")),
    listed("brackets", "listRecords", Answer(b"[" * 100_000), unreadable("something unreadable")),
    listed(
        "100 MB",
        "listRecords",
        Answer(b"x", headers={"Content-Length": "104857600"}),
        unreadable("larger"),
    ),
    listed(
        "redirect",
        "listRecords",
        Answer(b"", 302, {"Location": "http://10.0.0.1/"}),
        unreadable("redirect"),
    ),
    paged(
        "a value changed", each(value={"$type": NOTE, "text": "evil"}), "isn't what its CID says"
    ),
    paged("a CID of escapes", each(cid=NASTY), "isn't what its CID says"),
    paged("a CID that is a path", each(cid="../../x"), "isn't what its CID says"),
    paged("a value that is none", each(value=7), "no object|no record"),
    paged("a float", each(value={"x": 0.5}), "no record of the data model"),
    paged("bytes that are none", each(value={"x": {"$bytes": "!"}}), "no record of the data model"),
    paged("records of another", at(f"at://{MALLORY}/{NOTE}/x"), "listed at://"),
    paged("another collection", at(f"at://{ALICE}/com.example.other/x"), "listed at://"),
    paged("a path out", at(f"at://{ALICE}/{NOTE}/../../x"), "whose record key"),
    paged("two dots", at(f"at://{ALICE}/{NOTE}/.."), "whose record key"),
    paged("escapes", at(f"at://{ALICE}/{NOTE}/{NASTY}"), "whose record key"),
    paged("one twice", lambda records: [*records, records[0]], "twice"),
    listed(
        "collections out",
        "describeRepo",
        as_json({"collections": ["../../x"]}),
        unreadable("a collection that"),
    ),
    listed(
        "collections of escapes",
        "describeRepo",
        as_json({"collections": [NASTY]}),
        unreadable("a collection that"),
    ),
    *(
        trashing(rev)
        for rev in ("../../../outside/trash", "zzzz/../../..", "", NASTY, "/etc/x", "x" * 300)
    ),
)


def said(name: str, what: str, status: int, says: str, error: type = RepoUnavailable) -> Liar:
    """Return a server that fills its refusals with what a terminal would obey."""
    expect = Refused(error, says)
    answer = as_json({"error": NASTY + name, "message": NASTY * 99}, status)
    return Liar(f"words: {what} {status}", lambda world: world.lie(what, answer), expect)


WORDS = (
    said("Bad", "getRepo", 400, "pwned", ProofFailed),
    said("Bad", "getRepo", 500, "pwned"),
    said("Bad", "getLatestCommit", 500, "pwned"),
    Liar(
        "words: a head of escapes",
        lambda world: world.lie("getLatestCommit", as_json({"cid": NASTY, "rev": NASTY})),
        unreadable("which|rev"),
    ),
    Liar(
        "words: a head that is no JSON",
        lambda world: world.lie("getLatestCommit", Answer(NASTY.encode())),
        unreadable("something unreadable"),
    ),
    Liar(
        "words: an error that is no object",
        lambda world: world.lie("getRepo", Answer(json.dumps([NASTY]).encode(), 400)),
        unreadable("it answered 400"),
    ),
)
