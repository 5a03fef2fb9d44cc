"""What publishing costs, beside its floor and its peers, in one run on the reference PDS.

    python benchmarks/publish.py [--small] [NAME…]

NAME is documents, covers, unchanged, edited, moved or memory; without any, all are measured.
The floor is publish_floor.py: the very bodies that `publish` sends, by `http.client`. Floor,
`publish` and peers run in turns, each on an account of its own; the first run of `publish`,
uncounted, warms the server up and leaves the bodies. "Apply" is from the first byte of a write to
the last of its answers, as the sockets of the process saw them. Ratios are those of the turns.

`--small` shows that the program works: 100 documents, one turn, no peers.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import publish_peers as peers
from folder import spread, write_site
from publish_runs import (
    Run,
    address,
    created,
    floor,
    login,
    password,
    peak,
    publish,
    values,
    write_covers,
)

from publisher.data import record_cid
from publisher.syntax import tid
from tests import reference_pds
from tests.reference_pds import ReferencePds

EDITS: Final = 5
BESIDE_LIKES: Final = 200


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many documents each measurement has, and how many turns; without `peers` none is run."""

    documents: int = 10_000
    covers: int = 1_000
    likes: int = 100_000
    memory: int = 100_000
    peers: int = 1_000
    turns: int = 3


SMALL: Final = Sizes(documents=100, covers=100, likes=100, memory=100, peers=0, turns=1)


@dataclass(frozen=True, slots=True)
class First:
    """The figures of a first publish of `count` documents, turn by turn; `others` in seconds."""

    count: int
    floor: list[float] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    others: dict[str, list[float]] = field(default_factory=dict)


def main() -> None:
    """Measure what is named, or everything."""
    known = (documents, covers, unchanged, edited, moved, memory)
    parser = argparse.ArgumentParser()
    parser.add_argument("--small", action="store_true")
    parser.add_argument("names", nargs="*", metavar="NAME")
    given = parser.parse_args()
    sizes = SMALL if given.small else Sizes()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"turns: {sizes.turns}; medians, with the range")
    for measure in known:
        if not given.names or measure.__name__ in given.names:
            with (
                tempfile.TemporaryDirectory() as folder,
                reference_pds.start(slow_logins=True) as server,
            ):
                measure(Path(folder), server, sizes)


def documents(folder: Path, server: ReferencePds, sizes: Sizes) -> None:
    """Markdown without covers, published for the first time."""
    content = folder / "site"
    size = write_site(content, "markdown", sizes.documents) // sizes.documents
    print(f"\n{sizes.documents:,} Markdown documents of {size:,} bytes")
    first = First(sizes.documents)
    bare: list[float] = []
    for bodies in turns(first, content, server, sizes):
        bare.append(publish(address(content, server, text="none"), count=sizes.documents).whole)
        site = address(content, server, copy=folder / "peer", most=sizes.peers)
        note(first, peers.SEQUOIA, created(site, peers.sequoia(site), sizes.peers))
        site = address(content, server)
        records = b"\n".join(values(bodies)[: sizes.peers])
        note(first, peers.PDSX, created(site, peers.pdsx(site, records), sizes.peers))
    show_first(first, {peers.SEQUOIA: 10, peers.PDSX: 8}, sizes.peers)
    if bare:
        faster = ratios(scaled(first, peers.SEQUOIA, sizes.peers), bare, " times")
        line(
            'publish, content = "none"',
            bare,
            f"{faster} as fast as {peers.SEQUOIA}, which sends this",
        )


def covers(folder: Path, server: ReferencePds, sizes: Sizes) -> None:
    """Markdown with covers that are all different, published for the first time."""
    content = folder / "site"
    write_site(content, "markdown", sizes.covers)
    size = write_covers(content)
    print(f"\n{sizes.covers:,} documents with covers of {size:,} bytes")
    first = First(sizes.covers)
    for bodies in turns(first, content, server, sizes):
        assert len(list(bodies.glob("*.uploadBlob"))) == sizes.covers
        site = address(content, server, copy=folder / "peer", most=sizes.covers)
        note(first, peers.SEQUOIA, created(site, peers.sequoia(site), sizes.covers))
    show_first(first, {peers.SEQUOIA: 4}, sizes.covers)


def turns(first: First, content: Path, server: ReferencePds, sizes: Sizes) -> Iterator[Path]:
    """Take the figures of `publish` and its floor; yield the bodies when it is the peers' turn."""
    bodies = content.parent / "bodies"
    publish(address(content, server), count=first.count, bodies=bodies)
    for _ in range(sizes.turns):
        first.floor.append(floor(bodies, server))
        first.runs.append(publish(address(content, server), count=first.count))
        if sizes.peers:
            yield bodies


def unchanged(folder: Path, server: ReferencePds, sizes: Sizes) -> None:
    """A site that was published, published again."""
    content = folder / "site"
    write_site(content, "markdown", sizes.documents)
    print(f"\n{sizes.documents:,} documents, nothing changed")
    again: list[Callable[[], float]] = []
    if sizes.peers:
        copy = address(content, server, copy=folder / "peer", most=sizes.documents)
        again = [peers.sequoia(copy)]
        created(copy, again[0], sizes.documents)
    site = address(content, server)
    publish(site, count=sizes.documents)
    runs: list[Run] = []
    others: list[float] = []
    for _ in range(sizes.turns):
        runs.append(publish(site, count=sizes.documents))
        others += (created(copy, peer, 0) for peer in again)
    show("publish", runs, "at most 2 requests")
    if others:
        times = ratios(wholes(runs), others, "")
        line(peers.SEQUOIA, others, f"ours takes {times} of that, aim ≤ 1")


def edited(folder: Path, server: ReferencePds, sizes: Sizes) -> None:
    """Some documents edited, beside runs that find nothing to do."""
    content = folder / "site"
    write_site(content, "markdown", sizes.documents)
    print(f"\n{EDITS} of {sizes.documents:,} documents edited")
    site = address(content, server)
    publish(site, count=sizes.documents)
    chosen = sorted(content.rglob("*.md"))[:: sizes.documents // EDITS]
    still: list[Run] = []
    runs: list[Run] = []
    for _ in range(sizes.turns):
        still.append(publish(site, count=sizes.documents))
        for path in chosen:
            path.write_text(path.read_text("utf-8") + "\nOne more line.\n", "utf-8")
        runs.append(publish(site, count=sizes.documents))
        assert runs[-1].apply > 0
    show("publish, nothing changed", still)
    show(f"publish, {len(chosen)} edited", runs)
    rest = ratios([run.whole - run.writing for run in runs], wholes(still), " times")
    writing = [run.writing for run in runs]
    line("of these, login and writes", writing, f"the rest is {rest} nothing changed, aim ≤ 1.5")


def moved(folder: Path, server: ReferencePds, sizes: Sizes) -> None:
    """A few documents beside many likes; the head has moved by one like since the last run."""
    content = folder / "site"
    write_site(content, "markdown", BESIDE_LIKES)
    print(f"\n{BESIDE_LIKES} documents beside {sizes.likes:,} likes, the head moved by one of them")
    site = address(content, server)
    token = login(server, site.account)
    for at in range(0, sizes.likes, 200):
        like(site, token, range(at, min(at + 200, sizes.likes)))
    publish(site, count=BESIDE_LIKES)
    runs: list[Run] = []
    forgetful: list[Run] = []
    for turn in range(sizes.turns):
        like(site, token, [sizes.likes + 2 * turn])
        runs.append(publish(site, count=BESIDE_LIKES))
        like(site, token, [sizes.likes + 2 * turn + 1])
        shutil.rmtree(content / ".publisher")
        forgetful.append(publish(site, count=BESIDE_LIKES))
    show("publish", runs)
    show("publish, .publisher lost", forgetful)


def like(site: peers.Site, token: str, numbers: Sequence[int]) -> None:
    """Write likes, in one commit."""
    nsid = "app.bsky.feed.like"
    uri = f"at://{site.account.did}/app.bsky.feed.post/3lwafzkjqm25s"
    subject = {"uri": uri, "cid": record_cid({})}
    record = {"$type": nsid, "subject": subject, "createdAt": "2026-02-05T10:00:00.000Z"}
    writes = [
        {
            "$type": "com.atproto.repo.applyWrites#create",
            "collection": nsid,
            "rkey": tid((1_700_000_000_000_000 + number) << 10),
            "value": record,
        }
        for number in numbers
    ]
    body = {"repo": site.account.did, "writes": writes, "validate": False}
    site.server.call("com.atproto.repo.applyWrites", body, token=token)


def memory(folder: Path, server: ReferencePds, sizes: Sizes) -> None:
    """The most memory that the command and its processes have, with many documents."""
    content = folder / "site"
    write_site(content, "markdown", sizes.memory)  # for a repo in a folder
    print(f"\nMemory with {sizes.memory:,} documents")
    remember("repo in a folder, first", content, {})
    remember("repo in a folder, unchanged", content, {})
    site = address(content, server)
    remember("PDS, first", content, password(site.account))
    remember("PDS, unchanged", content, password(site.account))


def remember(name: str, content: Path, environment: dict[str, str]) -> None:
    """Publish, and print the most memory that was seen."""
    seconds, largest, together = peak(content, environment)
    seen = f"{largest >> 10} MiB in the largest process, {together >> 10} MiB together"
    print(f"{name:42} {seconds:6.1f} s; {seen}", flush=True)


def show_first(first: First, aims: dict[str, int], fewer: int) -> None:
    """Print the figures of a first publish; the peers had `fewer` documents."""
    apply, whole = [run.apply for run in first.runs], wholes(first.runs)
    rate = f"{first.count / statistics.median(first.floor):,.0f} documents a second"
    line("floor: the same bodies by http.client", first.floor, rate)
    speed = ratios(first.floor, apply, " of the floor's speed")
    line("publish, first byte to last answer", apply, f"{speed}, aim ≥ 0.9")
    line("publish", whole, f"{ratios(whole, first.floor, ' times')} the floor, aim ≤ 1.4")
    print(f"{'':42} {told(first.runs)}")
    for name, seconds in first.others.items():
        faster = ratios(scaled(first, name, fewer), whole, " times")
        line(
            f"{name}, {fewer:,} documents", seconds, f"ours is {faster} as fast, aim ≥ {aims[name]}"
        )


def scaled(first: First, name: str, fewer: int) -> list[float]:
    """Return what a peer would take for all documents; its speed doesn't depend on their number."""
    return [seconds * first.count / fewer for seconds in first.others[name]]


def show(name: str, runs: Sequence[Run], aim: str = "") -> None:
    """Print the figures of runs that have no floor."""
    line(name, wholes(runs), told(runs) + (f"; aim: {aim}" if aim else ""))


def told(runs: Sequence[Run]) -> str:
    """Return what the last run asked for and got, and the median of the seconds of CPU."""
    last = runs[-1]
    names = ", ".join(f"{count} {name}" for name, count in last.requests.items())
    cpu = statistics.median(run.cpu for run in runs)
    return f"{last.requests.total()} requests ({names}), {last.received:,} bytes; CPU {cpu:.2f} s"


def wholes(runs: Sequence[Run]) -> list[float]:
    """Return the seconds of the runs."""
    return [run.whole for run in runs]


def ratios(ours: Sequence[float], others: Sequence[float], unit: str) -> str:
    """Return the ratio of each turn, as the median with the range."""
    return spread([mine / other for mine, other in zip(ours, others, strict=True)], unit)


def note(first: First, name: str, seconds: float) -> None:
    """Add a peer's figure."""
    first.others.setdefault(name, []).append(seconds)


def line(name: str, seconds: Sequence[float], more: str) -> None:
    """Print a row of figures."""
    print(f"{name:42} {spread(seconds, ' s')}   {more}", flush=True)


if __name__ == "__main__":
    main()
