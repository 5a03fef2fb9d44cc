"""Single runs for publish.py: of `publisher publish`, of its floor, of a peer; and their sites."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from folder import SITE, surroundings
from jsonl import watch
from PIL import Image
from publish_peers import Site

from tests.reference_pds import Account, ReferencePds

HERE: Final = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Run:
    """A run of `publish`: the seconds of all, from first write to last answer, and of CPU.

    `writing` is what the login and the writes took, one after the other; `received` are bytes.
    """

    whole: float
    apply: float
    cpu: float
    writing: float
    received: int
    requests: Counter[str]


def address(
    content: Path,
    server: ReferencePds,
    *,
    copy: Path | None = None,
    most: int = 0,
    text: str = "markdown",
) -> Site:
    """Return a site as it was before it was ever published, for a new account.

    With `copy`, it is there, with its first `most` documents. `text` is the setting `content`.
    """
    if copy:
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(content, copy)
        for path in sorted(copy.rglob("*.md"))[most:]:
            path.unlink()
        content = copy
    account = server.new_account()
    settings = {"repo": account.did, "pds": server.url, "plc": server.plc, "site": SITE}
    settings |= {"documents": "content", "content": text}
    lines = (f"{key} = {json.dumps(value)}\n" for key, value in settings.items())
    (content / "publisher.toml").write_text("".join(lines))
    (content / "publisher.lock").unlink(missing_ok=True)
    shutil.rmtree(content / ".publisher", ignore_errors=True)
    return Site(content, account, server, SITE)


def write_covers(content: Path) -> int:
    """Give each document a cover that no compression makes smaller; return the bytes of one."""
    (content / "content/covers").mkdir()
    for number, path in enumerate(sorted(content.rglob("*.md"))):
        noise = random.Random(number).randbytes(92 * 90 * 3)  # noqa: S311  # the same in every run
        buffer = BytesIO()
        Image.frombytes("RGB", (92, 90), noise).save(buffer, "PNG")
        (content / f"content/covers/{number}.png").write_bytes(buffer.getvalue())
        head = f"cover: ../covers/{number}.png\ntags:"
        path.write_text(path.read_text("utf-8").replace("tags:", head, 1), "utf-8")
    return len(buffer.getvalue())


def publish(site: Site, *, count: int, bodies: Path | None = None) -> Run:
    """Run `publisher publish`; afterwards the lock must have all documents.

    `bodies` becomes a folder of what was sent.
    """
    trace = site.root.parent / "trace.json"
    recorder = str(HERE / "publish_recorded.py")
    program = [sys.executable, recorder, str(trace), str(bodies or ""), "publish"]
    settle(site.server)
    start = time.perf_counter()
    run(program, site.root, password(site.account))
    whole = time.perf_counter() - start
    assert len((site.root / "publisher.lock").read_text().splitlines()) == count + 1
    return as_run(whole, json.loads(trace.read_text()))


def as_run(whole: float, trace: dict[str, Any]) -> Run:
    """Return what a trace of publish_recorded.py says."""
    requests = trace["requests"]
    writes = [(begun, ended) for _, writes, begun, ended, _ in requests if writes]
    logins = [(begun, ended) for name, _, begun, ended, _ in requests if ".server." in name]
    return Run(
        whole,
        max(ended for _, ended in writes) - writes[0][0] if writes else 0.0,
        trace["cpu"],
        sum(ended - begun for begun, ended in writes + logins),
        sum(received for *_, received in requests),
        Counter(name.rpartition(".")[2] for name, *_ in requests),
    )


def floor(bodies: Path, server: ReferencePds) -> float:
    """Return the seconds of the floor, on a new account."""
    account = server.new_account()
    token = login(server, account)
    program = [sys.executable, str(HERE / "publish_floor.py"), str(bodies)]
    program += [server.url, account.did, token]
    settle(server)
    return float(run(program, HERE, {}))


def created(site: Site, peer: Callable[[], float], count: int) -> float:
    """Run a peer, which must make so many records: its exit status doesn't tell."""
    settle(site.server)
    site.server.reset()
    seconds = peer()
    site.server.idle()
    made = site.server.stats().statuses.get("com.atproto.repo.createRecord", {})
    assert made == ({200: count} if count else {}), made
    return seconds


def peak(
    content: Path, environment: dict[str, str], arguments: Sequence[str] = ("publish",)
) -> tuple[float, int, int]:
    """Run `publisher`; return the seconds, the most KiB in the largest process, and in all."""
    program = [sys.executable, "-m", "publisher", *arguments]
    environment = {**surroundings(), **environment}
    nothing = subprocess.DEVNULL
    start = time.perf_counter()
    with subprocess.Popen(program, cwd=content, env=environment, stdout=nothing) as process:
        largest, together = watch(process)
    assert process.returncode == 0
    return time.perf_counter() - start, largest, together


def values(bodies: Path) -> list[bytes]:
    """Return the records of the batches, each as a line of JSON."""
    paths = sorted(bodies.glob("*.applyWrites"))
    writes = (write for path in paths for write in json.loads(path.read_bytes())["writes"])
    return [json.dumps(write["value"], ensure_ascii=False).encode() for write in writes]


def login(server: ReferencePds, account: Account) -> str:
    """Return a token."""
    given = {"identifier": account.did, "password": account.app_password}
    return str(server.call("com.atproto.server.createSession", given)["accessJwt"])


def password(account: Account) -> dict[str, str]:
    """Return the environment in which `publisher` finds the account's app password."""
    return {"PUBLISHER_APP_PASSWORD": account.app_password}


def settle(server: ReferencePds) -> None:
    """Let nothing that was left to do fall into the next figure."""
    server.idle()
    os.sync()


def run(program: Sequence[str | Path], folder: Path, environment: dict[str, str]) -> str:
    """Run a program that must succeed, and return what it printed."""
    ended = subprocess.run(
        program,
        cwd=folder,
        env={**surroundings(), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, (ended.stdout[-2000:], ended.stderr[-2000:])
    return ended.stdout
