"""What the command costs, each figure beside its floor, in one run: `make bench`.

    python benchmarks/run.py [startup] [pds]

Prints medians; benchmarks/RESULTS.md keeps what was seen. The PDS is the one of the tests.
"""

from __future__ import annotations

import http.client
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from folder import ROOT, surroundings

sys.path.insert(0, str(ROOT))

from tests import reference_pds  # found through the line above
from tests.site import Site, make_site

BODY = "The *first* column is always the time. Here is `code`, and a [link](https://a.example).\n\n"
COVERS = 200


def main() -> None:
    """Run the benchmarks that are named, or all."""
    known = {"startup": startup, "pds": pds}
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    for name in sys.argv[1:] or known:
        with tempfile.TemporaryDirectory() as folder:
            known[name](Path(folder))


def startup(folder: Path) -> None:
    """Measure what one waits for before anything happens."""
    shutil.copytree(ROOT / "seeds", folder / "seeds")
    python = [sys.executable, "-c"]
    show("python -c pass (floor)", command([*python, "pass"], folder))
    show(
        "python -c 'import click, pydantic' (floor)",
        command([*python, "import click, pydantic"], folder),
    )
    show("publisher --help", command([*PUBLISHER, "--help"], folder))
    show("publisher validate seeds", command([*PUBLISHER, "validate", "seeds"], folder))
    show("publisher demo", command([*PUBLISHER, "demo"], folder))


def pds(_folder: Path) -> None:
    """Measure documents with covers on the reference PDS beside bare requests of the same bytes."""
    print(f"\n{COVERS} documents with covers on the reference PDS")
    with reference_pds.start(slow_logins=True) as server:
        names = ("bare requests (floor)", "publish", "publish again", "pull")
        figures: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(3):
            with tempfile.TemporaryDirectory() as folder:
                _line(server, Path(folder), figures)
        for name, seconds in figures.items():
            show(name, seconds)


def _line(
    server: reference_pds.ReferencePds, folder: Path, figures: dict[str, list[float]]
) -> None:
    account = server.new_account()
    site = make_site(folder / "site", repo=account.did, pds=server.url, plc=server.plc)
    for number in range(COVERS):
        site.picture(f"covers/{number}.png", colour=number, size=90)
        site.write(f"{number}.md", BODY * 30, cover=f"covers/{number}.png")
    environment = {"PUBLISHER_APP_PASSWORD": account.app_password}
    for name, arguments in (
        ("publish", ["publish"]),
        ("publish again", ["publish"]),
        ("pull", ["pull", "--out", "back"]),
    ):
        run = [*PUBLISHER, *arguments]
        figures[name].append(timed(lambda run=run: check(run, site.root, environment)))
    figures["bare requests (floor)"].append(_bare(server, site))


def _bare(server: reference_pds.ReferencePds, site: Site) -> float:
    """Send the same blobs and records to another account with http.client alone."""
    account = server.new_account()
    login = {"identifier": account.did, "password": account.app_password}
    token = server.call("com.atproto.server.createSession", login)["accessJwt"]
    blobs = [path.read_bytes() for path in (site.root / "back" / "blobs").iterdir()]
    records = (site.root / "back" / "site.standard.document").iterdir()
    writes = [
        {
            "$type": "com.atproto.repo.applyWrites#create",
            "collection": "site.standard.document",
            "rkey": path.stem,
            "value": json.loads(path.read_bytes()),
        }
        for path in records
    ]
    bodies = [
        json.dumps({"repo": account.did, "writes": writes[at : at + 100]}).encode()
        for at in range(0, len(writes), 100)
    ]

    def send() -> None:
        with ThreadPoolExecutor(16) as pool:
            list(
                pool.map(
                    lambda blob: post(server.url, "uploadBlob", blob, "image/png", token), blobs
                )
            )
        for body in bodies:
            post(server.url, "applyWrites", body, "application/json", token)

    return timed(send)


def post(url: str, name: str, body: bytes, kind: str, token: str) -> None:
    """Send one request, and be sure that it was taken."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    headers = {"Content-Type": kind, "Authorization": f"Bearer {token}"}
    connection.request("POST", f"/xrpc/com.atproto.repo.{name}", body, headers)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    assert answer.status == 200, text


PUBLISHER = [sys.executable, "-m", "publisher"]


def command(arguments: Sequence[str], folder: Path, runs: int = 9) -> list[float]:
    """Return how many seconds each run of a command took; the first, uncounted, warms up."""
    check(arguments, folder, {})
    return [timed(lambda: check(arguments, folder, {})) for _ in range(runs)]


def check(arguments: Sequence[str], folder: Path, environment: dict[str, str]) -> None:
    """Run a command that must succeed."""
    environment = {**surroundings(), **environment}
    subprocess.run(arguments, cwd=folder, env=environment, check=True, capture_output=True)


def timed(call: Callable[[], None]) -> float:
    """Return how many seconds a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def show(name: str, seconds: Sequence[float]) -> None:
    """Print a median and its range."""
    middle, least, most = statistics.median(seconds), min(seconds), max(seconds)
    print(f"{name:50} {middle:7.3f} s   ({least:.3f} to {most:.3f}, {len(seconds)} runs)")


if __name__ == "__main__":
    main()
