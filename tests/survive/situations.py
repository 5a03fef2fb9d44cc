"""Each call that a publish makes, and what leads to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from publisher.data import blob_cid
from publisher.pds import reading
from tests.survive.faults import Fault, done_and_500, expired, status
from tests.survive.world import World

Prepare = Callable[[World, int], None]
NEIGHBOURS = ("site.standard.a", "site.standard.z")
FAR = "zz.example.far"


@dataclass(frozen=True, slots=True)
class Situation:
    """A call by a part of its path; `prepare` gets the number of the case.

    `leads` are other calls that must fail once before it is made. `fixed` is how an account's site
    is configured beside its DID. `keyring`: the app password and the session lie there.
    """

    call: str
    prepare: Prepare
    leads: Mapping[str, Fault] = field(default_factory=dict)
    keyring: bool = True
    prune: bool = False
    few_pages: int = reading.FEW_PAGES
    names_pds: bool = False


def documents(count: int) -> Prepare:
    """Write so many documents, each with a cover."""

    def prepare(world: World, number: int) -> None:
        for each in range(count):
            name = f"{number}-{each}"
            world.site.picture(f"{name}.png", colour=number * 10 + each)
            world.site.write(f"{name}.md", f"Hello {name}.", cover=f"{name}.png")

    return prepare


two = documents(2)


def forgotten(world: World, number: int) -> None:
    """Take away what was remembered of the repo, so that it is read whole."""
    forget(world)
    two(world, number)


def forget(world: World) -> None:
    for path in (world.site.root / ".publisher").glob("mirror*"):
        path.unlink()


def moved_on(world: World, number: int) -> None:
    """Let another app write since the repo was read."""
    write_elsewhere(world, FAR, number, 1)
    two(world, number)


def write_elsewhere(world: World, collection: str, start: int, count: int) -> None:
    """Let another app write records, past what the server asks of them."""
    writes = [
        {
            "$type": "com.atproto.repo.applyWrites#create",
            "collection": collection,
            "rkey": f"{start + each:04}",
            "value": {"$type": collection, "n": each},
        }
        for each in range(count)
    ]
    body = {"repo": world.account.did, "validate": False, "writes": writes}
    world.pds.call("com.atproto.repo.applyWrites", body, token=world.account.token)


def at_the_edges(world: World, number: int) -> None:
    """Let nodes of the tree be unknown that hold the keys of others too, and are old.

    What was listed has no nodes.
    """
    if number == 0:
        for collection in NEIGHBOURS:
            write_elsewhere(world, collection, 0, 120)
    forget(world)
    assert world.publish().exit_status == 0
    moved_on(world, number)


def other_cover(world: World, number: int) -> None:
    """Let a cover take another's place, which is kept before it goes."""
    world.site.picture("0.png", colour=1_000 + number)


def gone(world: World, number: int) -> None:
    """Let published documents be gone."""
    two(world, number)
    assert world.publish().exit_status == 0
    for each in range(2):
        (world.site.content / f"{number}-{each}.md").unlink()


def without_pds(world: World, number: int) -> None:
    """Leave it to the directory where the repo is."""
    world.site.configure(repo=world.account.did, plc=world.pds.plc)
    two(world, number)


def by_handle(world: World, number: int) -> None:
    """Name the account by its handle."""
    world.site.configure(repo=world.account.handle, pds=world.pds.url, plc=world.pds.plc)
    two(world, number)


SITUATIONS = {
    "getLatestCommit": Situation("getLatestCommit", two),
    "listRecords": Situation("listRecords", forgotten),
    "getRepo since": Situation("getRepo", moved_on),
    "getRepo whole": Situation("getRepo", forgotten, few_pages=1),
    "getBlocks": Situation("getBlocks", at_the_edges),
    "uploadBlob": Situation("uploadBlob", two),
    "listBlobs": Situation("listBlobs", forgotten),
    "applyWrites": Situation("applyWrites", documents(7)),
    "getBlob": Situation("getBlob", other_cover),
    "putRecord": Situation("putRecord", two),
    "createSession": Situation("createSession", two, keyring=False, names_pds=True),
    "getSession": Situation("getSession", two, names_pds=True),
    "refreshSession first": Situation(
        "refreshSession", two, leads={"getSession": expired}, names_pds=True
    ),
    "refreshSession between": Situation(
        "refreshSession", two, leads={"putRecord": expired}, keyring=False, names_pds=True
    ),
    "deleteRecord": Situation("deleteRecord", gone, prune=True),
    "getRecord, not written": Situation("getRecord", two, leads={"putRecord": status(500)}),
    "getRecord, written": Situation("getRecord", two, leads={"putRecord": done_and_500}),
    "resolveHandle": Situation("resolveHandle", by_handle),
    "the DID document": Situation("did:plc:", without_pds, names_pds=True),
}


def cover_of(world: World) -> bytes:
    """Return the first document's cover."""
    return (world.site.content / "0.png").read_bytes()


def keeps(world: World, cover: bytes) -> None:
    """A cover that was replaced is among the backups."""
    path = world.site.root / ".publisher/backups/blobs" / blob_cid(cover)
    assert path.read_bytes() == cover
