"""What pulling costs, beside its floor and its peers, in one run on the reference PDS.

    python benchmarks/pull.py [--small] [NAME…]

NAME is documents, verify, again, changed, blobs or memory; without any, all are measured. Floor,
`publisher` and peers run in turns, each as a whole program; the floor's and the JavaScript
verifier's own clocks leave their start-up out. The first turn, uncounted, warms up.

`--small` shows that the program works: 100 documents, one turn, no other before it.
"""

from __future__ import annotations

import argparse
import http.client
import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from folder import ROOT, spread, write_site
from publish import line, ratios
from publish_peers import Site
from publish_runs import HERE, address, password, peak, publish, run, settle, write_covers

from publisher.folder import FolderRepo
from publisher.repo import CreateWrite
from publisher.syntax import Nsid, Rkey, tid
from tests import reference_pds
from tests.reference_pds import ReferencePds

CHANGES: Final = 20
CONNECTIONS: Final = 16
DOCUMENT: Final = "site.standard.document"
START: Final = "import publisher.commands.pull, publisher.pds"


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many documents each measurement has, how many turns, and how many before them."""

    documents: int = 10_000
    blobs: int = 1_000
    memory: int = 1_000_000
    turns: int = 5
    unmeasured: int = 1


SMALL: Final = Sizes(documents=100, blobs=20, memory=100, turns=1, unmeasured=0)


def main() -> None:
    """Measure what is named, or everything."""
    known = (documents, blobs, memory)
    parts = ("documents", "verify", "again", "changed")
    parser = argparse.ArgumentParser()
    parser.add_argument("--small", action="store_true")
    parser.add_argument("names", nargs="*", metavar="NAME")
    given = parser.parse_args()
    sizes = SMALL if given.small else Sizes()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"turns: {sizes.turns}; medians, with the range")
    for measure in known:
        names = parts if measure is documents else (measure.__name__,)
        if not given.names or set(names) & set(given.names):
            with (
                tempfile.TemporaryDirectory() as folder,
                reference_pds.start(slow_logins=True) as server,
            ):
                measure(Path(folder), server, sizes)


def documents(folder: Path, server: ReferencePds, sizes: Sizes) -> None:
    """Documents without covers: pulled, verified, pulled again, pulled with a few changed."""
    content = folder / "site"
    write_site(content, "markdown", sizes.documents)
    site = address(content, server)
    publish(site, count=sizes.documents)
    print(f"\n{sizes.documents:,} documents")
    seconds: dict[str, list[float]] = {}
    for turn in range(sizes.unmeasured + sizes.turns):
        found = a_turn(site, folder / f"turn{turn}")
        for name, figure in found.items():
            seconds.setdefault(name, []).append(figure)
    for name, figures in seconds.items():
        seconds[name] = figures[sizes.unmeasured :]
    show_documents(seconds)


def a_turn(site: Site, out: Path) -> dict[str, float]:
    """Run everything once; `out` is made, and stays.

    For some minutes after many files were removed, ext4 takes ten times as long to make others.
    """
    out.mkdir()
    did, url = site.account.did, site.server.url
    whole = command(site, "pull", did, "--out", str(out / "pulled"))
    raw, floor = map(
        float,
        measured([HERE / "pull_floor.py", url, did, out / "pulled", out / "floor"])[1].split(),
    )
    sdk = [HERE / "pull_sdk.py", url, did, DOCUMENT]
    found = {
        "start": measured(["-c", START])[0],
        "raw": raw,
        "floor": floor,
        "pull": whole,
        "sdk": measured([*sdk, out / "sdk"])[0],
        "verify": command(site, "verify", did),
        "listing": measured(sdk)[0],
        **proofs(site, out),
        "again": command(site, "pull", did, "--out", str(out / "pulled")),
    }
    for path in sorted(site.root.rglob("*.md"))[:: max(1, found_count(site) // CHANGES)][:CHANGES]:
        path.write_text(path.read_text("utf-8") + "\nOne more line.\n", "utf-8")
    run([sys.executable, "-m", "publisher", "publish"], site.root, password(site.account))
    found["changed"] = command(site, "pull", did, "--out", str(out / "pulled"))
    return found


def found_count(site: Site) -> int:
    """Return how many documents the site has."""
    return sum(1 for _ in site.root.rglob("*.md"))


def show_documents(seconds: dict[str, list[float]]) -> None:
    """Print the figures beside their aims."""
    start = seconds["start"]
    own = {name: [a - b for a, b in zip(seconds[name], start, strict=True)] for name in seconds}
    line("start-up: the imports", start, "")
    line("floor: raw getRepo", seconds["raw"], "")
    line("floor: raw getRepo and the files", seconds["floor"], "")
    times = ratios(seconds["pull"], seconds["floor"], " times")
    line("publisher pull, proven, to files", seconds["pull"], f"{times} the floor, aim ≤ 2.5")
    faster = ratios(seconds["sdk"], seconds["pull"], " times")
    line(
        "the SDK's listing to files, unproven", seconds["sdk"], f"ours is {faster} as fast, aim ≥ 2"
    )
    times = ratios(own["verify"], seconds["raw"], " times")
    line("publisher verify", seconds["verify"], f"less start-up {times} raw getRepo, aim ≤ 2")
    faster = ratios(seconds["listing"], seconds["verify"], " times")
    line("the SDK's listing", seconds["listing"], f"ours is {faster} as fast, aim ≥ 4")
    line("@atproto/repo: verifyRepo of the CAR", seconds["javascript"], "")
    faster = ratios(seconds["javascript"], seconds["proof"], " times")
    line("our proof of the same CAR", seconds["proof"], f"{faster} as fast, aim ≥ 3")
    line(
        "publisher pull, nothing new",
        seconds["again"],
        f"less start-up {spread(own['again'], ' s')}",
    )
    less = spread(own["changed"], " s")
    line(
        f"publisher pull, {CHANGES} changed",
        seconds["changed"],
        f"less start-up {less}, aim ≤ 0.3 s",
    )


def blobs(folder: Path, server: ReferencePds, sizes: Sizes) -> None:
    """Covers, beside a bare download of the same over as many connections."""
    content = folder / "site"
    write_site(content, "markdown", sizes.blobs)
    size = write_covers(content)
    site = address(content, server)
    publish(site, count=sizes.blobs)
    did = site.account.did
    print(f"\n{sizes.blobs:,} blobs of {size:,} bytes")
    without, bare, ours = list[float](), list[float](), list[float]()
    for turn in range(sizes.unmeasured + sizes.turns):
        out = folder / f"out{turn}"
        command(site, "pull", did, "--out", str(out))
        cids = [path.name for path in (out / "blobs").iterdir()]
        assert len(cids) == sizes.blobs
        settle(server)
        kept = command(site, "pull", did, "--out", str(out))
        (out / "blobs").rename(folder / f"blobs{turn}")  # removed, they would slow what follows
        figures = (
            kept,
            download(server.url, did, cids),
            command(site, "pull", did, "--out", str(out)),
        )
        if turn >= sizes.unmeasured:
            for row, figure in zip((without, bare, ours), figures, strict=True):
                row.append(figure)
    line(f"floor: {CONNECTIONS} bare connections", bare, "")
    line("publisher pull, records here, blobs not", ours, "")
    net = [a - b for a, b in zip(ours, without, strict=True)]
    line(
        "the same, less a pull of nothing",
        net,
        f"{ratios(bare, net, '')} of the floor's speed, aim ≥ 0.8",
    )


def download(url: str, did: str, cids: Sequence[str]) -> float:
    """Download blobs over bare connections; return the seconds."""
    host = urlsplit(url).netloc.replace("localhost", "127.0.0.1")

    def some(mine: Sequence[str]) -> None:
        connection = http.client.HTTPConnection(host)
        for cid in mine:
            connection.request("GET", f"/xrpc/com.atproto.sync.getBlob?did={did}&cid={cid}")
            answer = connection.getresponse()
            assert answer.read()
            assert answer.status == 200

    start = time.perf_counter()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(some, (cids[at::CONNECTIONS] for at in range(CONNECTIONS))))
    return time.perf_counter() - start


def memory(folder: Path, _server: ReferencePds, sizes: Sizes) -> None:
    """The most memory that verifying a repo of many small records takes."""
    print(f"\nMemory with {sizes.memory:,} small records in a repo in a folder")
    repo = FolderRepo.create(folder / "repo")
    start = time.perf_counter()
    kind = Nsid("com.example.thing")
    for first in range(0, sizes.memory, 200):
        writes = [
            CreateWrite(kind, Rkey(tid(number << 20)), {"$type": kind, "n": number})
            for number in range(first, min(first + 200, sizes.memory))
        ]
        repo.apply(writes, swap_commit=repo.head().cid)
    print(f"written in {time.perf_counter() - start:.0f} s")
    for name in ("verify", "pull --as car"):
        arguments = [*name.split(), f"folder:{folder / 'repo'}"]
        seconds, largest, together = peak(folder, {}, arguments)
        seen = f"{largest >> 10} MiB in the largest process, {together >> 10} MiB together"
        print(f"{'publisher ' + name:42} {seconds:6.1f} s; {seen}", flush=True)


def command(site: Site, *arguments: str) -> float:
    """Run `publisher` on the site's servers; return its seconds."""
    settle(site.server)
    servers = ["--pds", site.server.url, "--plc", site.server.plc]
    return measured(["-m", "publisher", *arguments, *servers])[0]


def measured(arguments: Sequence[str | Path]) -> tuple[float, str]:
    """Run Python; return the seconds of the whole program, and what it printed.

    What programs before it wrote is on the disk by then: nobody waits for the files of another.
    """
    os.sync()
    start = time.perf_counter()
    printed = run([sys.executable, *arguments], HERE, {})
    return time.perf_counter() - start, printed


def proofs(site: Site, out: Path) -> dict[str, float]:
    """Prove the repo's CAR with the reference implementation and with ours, by their own clocks."""
    connection = http.client.HTTPConnection(
        urlsplit(site.server.url).netloc.replace("localhost", "127.0.0.1")
    )
    did, car = site.account.did, out / "repo.car"
    connection.request("GET", f"/xrpc/com.atproto.sync.getRepo?did={did}")
    car.write_bytes(connection.getresponse().read())
    modules = reference_pds.install(ROOT / "tests/node")
    theirs: list[str | Path] = [reference_pds.node(), HERE / "verify_repo.mjs", modules, car, did]
    return {
        "javascript": float(run(theirs, HERE, {})),
        "proof": float(measured([HERE / "pull_prove.py", car, did])[1]),
    }


if __name__ == "__main__":
    main()
