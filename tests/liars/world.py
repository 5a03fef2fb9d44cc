"""Where liars are at work: a directory, a PDS, a folder, and all that lies around it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from publisher import data
from publisher.archive import did_key, parse_commit, write_car
from publisher.archive.walk import Walker
from publisher.commands.pull import pull, select
from publisher.commands.reports import PullReport
from publisher.commands.repos import Target
from publisher.data import RAW, Cid, Value, blob_refs
from publisher.errors import PublisherError
from publisher.progress import Silent
from publisher.pulling.wanted import PullOptions
from publisher.syntax import tid
from publisher.transport import GuardedTransport
from tests.local_server import Answer, LocalServer, Seen, serve
from tests.repo_server import _KEY, ALICE, NOTE, RepoServer, State, note, path

HOSTS = {"plc.directory", "pds.example", "moved.example", "alice.example"}
PICTURE = b"a picture, by its name"
OURS = {".pull.lock"}

Lie = Callable[[Seen], Answer | None]
"""Answers a request; None leaves it to the truth."""


@dataclass
class World:
    """The servers of the account ALICE, and the folder `out` that it is pulled into.

    `ledger` has a line for each lie that was told; `asked` has the hosts of all requests.
    """

    root: Path
    server: LocalServer | None = None
    repo: RepoServer = field(default_factory=RepoServer)
    blobs: dict[str, bytes] = field(default_factory=dict)
    document: dict[str, object] = field(default_factory=dict)
    txt: dict[str, list[str]] = field(default_factory=dict)
    lies: dict[str, Lie] = field(default_factory=dict)
    watched: set[str] = field(default_factory=set)
    ledger: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    planted: list[Path] = field(default_factory=list)

    @property
    def out(self) -> Path:
        """The folder that is pulled into."""
        return self.root / "out"

    @property
    def outside(self) -> Path:
        """A folder that no pull may touch."""
        return self.root / "outside"

    def begin(self) -> None:
        """Make an honest world: three records in two commits, one of them with a blob."""
        self.outside.mkdir()
        (self.outside / "sentinel").write_bytes(b"untouched")
        (self.outside / "empty").touch()
        self.document = did_document()
        self.repo.put({path(1): note("one"), path(2): note("two")})
        self.repo.put({path(3): self.pictured(PICTURE), path(2): note("two, again")})

    def pictured(self, content: bytes) -> Value:
        """Return a record that refers to a blob, which the PDS holds."""
        cid = Cid.of(content, RAW)
        self.blobs[str(cid)] = content
        return note("pictured") | {"blob": blob(cid, len(content))}  # type: ignore[operator]

    def lie(self, what: str, answer: Answer | Lie) -> None:
        """Answer all questions for `what` (an endpoint's last name, or a path) with a lie."""
        self.lies[what] = answer if callable(answer) else lambda _: answer

    def car(self, forged: bytes | Callable[[Cid, dict[Cid, bytes]], bytes]) -> None:
        """Answer a forged CAR, or make one of the commit and the blocks that are asked for."""
        honest = self.repo.car

        def make(root: Cid, blocks: dict[Cid, bytes]) -> bytes:
            self.ledger.append("getRepo")
            return forged if isinstance(forged, bytes) else forged(root, blocks)

        self.repo.car = make
        self.lies["repent"] = lambda _: setattr(self.repo, "car", honest)

    def record_car(self, forged: bytes | Callable[[Cid, dict[Cid, bytes]], bytes]) -> None:
        """Answer a forged proof of a record, or make one of the commit and the honest blocks."""

        def lie(seen: Seen) -> Answer:
            root, blocks = self.record_blocks(seen)
            return Answer(forged if isinstance(forged, bytes) else forged(root, blocks))

        self.lie("getRecord", lie)

    def record_blocks(self, seen: Seen, state: State | None = None) -> tuple[Cid, dict[Cid, bytes]]:
        """Return the commit, and what proves the record that is asked for or its absence."""
        root, blocks = (state or self.repo.now).blocks()
        params = dict(httpx.QueryParams(urlsplit(seen.path).query))
        return root, on_the_way(root, blocks, f"{params['collection']}/{params['rkey']}")

    def commit(self, root: Cid, blocks: dict[Cid, bytes], *, values: Mapping[str, Value]) -> None:
        """Let the repo stand at a commit that was made elsewhere."""
        state = State(ALICE, self.next_rev, values)
        state._signed.append((root, blocks))
        self.repo.states.append(state)
        self.watch("getRepo")

    def watch(self, what: str) -> None:
        """Tell the truth, and note in the ledger that it was told: it is hostile by itself."""
        self.watched.add(what)

    def plant(self, at: str, target: Path | None) -> None:
        """Put a symbolic link, or a folder with a file, where a pull would write."""
        place = self.out / at
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.is_file():
            place.unlink()
        elif place.exists():
            place.rename(self.out / ".aside")
            self.planted.append(self.out / ".aside")
        if target is None:
            place.mkdir()
        else:
            place.symlink_to(target)
        self.planted.append(place)
        self.ledger.append(f"{at} → {target}")

    @property
    def next_rev(self) -> str:
        """The rev of the next commit."""
        return tid((len(self.repo.states) + 1) << 40)

    def pull(self, name: str = ALICE, **options: Any) -> PullReport | PublisherError:
        """Run `publisher pull`; every exception but ours is a bug."""
        collections = (NOTE,) if options.pop("collection", False) else ()
        try:
            chosen = select(name, Target(""), collections)
            return pull([chosen], self.out, PullOptions(**options), Silent())
        except PublisherError as error:
            return error

    def repent(self) -> None:
        """Tell the truth from here on, at one more commit."""
        if undo := self.lies.pop("repent", None):
            undo(Seen("GET", "", {}, b""))
        self.lies.clear()
        self.txt.clear()
        self.repo.listed = list
        self.document = did_document()
        for place in self.planted:
            if place.is_symlink() or (place.is_file() and place.suffix == ".json"):
                place.unlink()
            elif place.is_dir() and place.name != ".aside":
                place.rmdir()
        self.repo.states.append(
            State(ALICE, self.next_rev, {path(1): note("one"), path(8): self.pictured(b"honest")})
        )

    def lookup(self, name: str) -> list[str]:
        """Return the TXT records of a name."""
        if name in self.txt:
            self.ledger.append(name)
        return self.txt.get(name, [])

    def files(self) -> dict[str, bytes]:
        """Return what the folder holds, but for the hold of the pull."""
        found = tree(self.out)
        return {name: content for name, content in found.items() if name not in OURS}

    def around(self) -> dict[str, bytes]:
        """Return what is around the folder."""
        return {
            name: content
            for name, content in tree(self.root).items()
            if name != "out" and not name.startswith("out/")
        }

    def truth(self) -> dict[str, bytes]:
        """Return what an honest folder has: blobs, and records by 'collection/rkey'."""
        values = self.repo.now.values
        records = {key: data.dumps(value).encode() for key, value in values.items()}
        used = {str(found.cid) for value in values.values() for found in blob_refs(value)}
        return records | {f"blobs/{cid}": self.blobs.get(cid, b"?") for cid in used}

    def answer(self, seen: Seen) -> Answer:
        """Answer a request: by a lie if there is one for it, else by the truth."""
        target = urlsplit(seen.path).path
        for what in (target.rpartition(".")[2], target):
            if what in self.watched:
                self.ledger.append(what)
            if (lie := self.lies.get(what)) and (given := lie(seen)):
                self.ledger.append(what)
                return given
        return self._honest(seen)

    def _honest(self, seen: Seen) -> Answer:
        url = urlsplit(seen.path)
        params = dict(httpx.QueryParams(url.query))
        match url.path.rpartition("/")[2].rpartition(".")[2]:
            case "getBlob":
                content = self.blobs.get(params["cid"])
                return Answer(content) if content is not None else refusal(400, "BlobNotFound")
            case "getRecord":
                root, blocks = self.record_blocks(seen)
                return Answer(b"".join(write_car(root, blocks.items())))
            case "describeRepo":
                names = sorted({key.partition("/")[0] for key in self.repo.now.values})
                return as_json({"collections": names})
        if url.path in {f"/{ALICE}", "/.well-known/did.json"}:
            return as_json(self.document)
        return self.repo.answer(seen)


class Bridge(GuardedTransport):
    """The guarded transport, with the world's servers behind their public names."""

    def __init__(self, world: World) -> None:
        super().__init__(allow_private=False)
        self._world = world
        self._inner = GuardedTransport(allow_private=True)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request to the world's server, or where it would go; noted either way."""
        self._world.asked.append(request.url.host)
        if request.url.scheme != "https" or request.url.host not in HOSTS:
            return super().handle_request(request)
        server = self._world.server
        assert server
        base = httpx.URL(server.url)
        url = request.url.copy_with(scheme="http", host=base.host, port=base.port)
        return self._inner.handle_request(httpx.Request("GET", url, extensions=request.extensions))

    def close(self) -> None:
        """Close the connections."""
        super().close()
        self._inner.close()
        self._inner.close()


@contextmanager
def opened(root: Path) -> Iterator[World]:
    """Have a world in a folder."""
    world = World(root)
    world.begin()
    with serve(world.answer) as server:
        world.server = server
        yield world


def on_the_way(root: Cid, blocks: dict[Cid, bytes], key: str) -> dict[Cid, bytes]:
    """Return the commit, the nodes on the way to a key, and its record if there is one."""
    found = {root: blocks[root]}

    def load(raw: bytes) -> bytes:
        found[Cid(raw)] = blocks[Cid(raw)]
        return found[Cid(raw)]

    value = Walker(load).find(parse_commit(blocks[root]).data, key.encode())
    return found | ({Cid(value): blocks[Cid(value)]} if value else {})


def did_document(**changes: object) -> dict[str, object]:
    """Return the DID document of ALICE, with some members replaced."""
    return {
        "id": ALICE,
        "alsoKnownAs": ["at://alice.example"],
        "verificationMethod": [verification(did_key(_KEY.public_key()).removeprefix("did:key:"))],
        "service": [service("https://pds.example")],
        **changes,
    }


def verification(multibase: str, **changes: object) -> dict[str, object]:
    """Return the entry of a signing key in a DID document."""
    return {
        "id": f"{ALICE}#atproto",
        "type": "Multikey",
        "controller": ALICE,
        "publicKeyMultibase": multibase,
        **changes,
    }


def service(endpoint: object) -> dict[str, object]:
    """Return the entry of a PDS in a DID document."""
    kind = "AtprotoPersonalDataServer"
    return {"id": "#atproto_pds", "type": kind, "serviceEndpoint": endpoint}


def blob(cid: Cid, size: int, mime_type: str = "image/png") -> Value:
    """Return a reference to a blob."""
    return {"$type": "blob", "ref": cid, "mimeType": mime_type, "size": size}


def as_json(value: object, status: int = 200) -> Answer:
    """Return an answer in JSON."""
    return Answer(json.dumps(value).encode(), status)


def refusal(status: int, name: str, message: str = "no") -> Answer:
    """Return an error as XRPC has it."""
    return as_json({"error": name, "message": message}, status)


def tree(root: Path) -> dict[str, bytes]:
    """Return what lies in a folder: files by their bytes, links by where they lead."""
    found = {}
    for place in sorted(root.rglob("*")):
        name = place.relative_to(root).as_posix()
        if place.is_symlink():
            found[name] = b"link to " + bytes(place.readlink())
        else:
            found[name] = place.read_bytes() if place.is_file() else b"folder"
    return found
