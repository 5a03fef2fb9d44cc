"""A PDS of one repo, made here from records: it reads as the real one does, and lies on request."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives.asymmetric import ec

from publisher.archive import build_tree, sign_commit, write_car
from publisher.credentials import AppPassword, Secret
from publisher.data import DAG_CBOR, Cid, Value, encode, to_plain
from publisher.identity import DidDocument, Identity
from publisher.pds import PdsRepo
from publisher.syntax import Did, Nsid, Rkey, tid
from publisher.transport import transport_for
from tests.local_server import Answer, Seen, serve

ALICE = Did("did:plc:" + "a" * 24)
NOTE, LIKE = Nsid("com.example.note"), Nsid("com.example.like")
HEAD, LIST = "com.atproto.sync.getLatestCommit", "com.atproto.repo.listRecords"
REPO, BLOCKS = "com.atproto.sync.getRepo", "com.atproto.sync.getBlocks"
_KEY = ec.derive_private_key(7, ec.SECP256K1())


@dataclass(frozen=True, slots=True)
class State:
    """The repo at one commit."""

    did: Did
    rev: str
    values: Mapping[str, Value]
    _signed: list[tuple[Cid, dict[Cid, bytes]]] = field(
        default_factory=list, init=False, repr=False
    )

    def blocks(self) -> tuple[Cid, dict[Cid, bytes]]:
        """Return the commit's CID, and every block: commit, tree, records; signed once."""
        if not self._signed:
            self._signed.append(self._sign())
        return self._signed[0]

    def _sign(self) -> tuple[Cid, dict[Cid, bytes]]:
        records = {path: encode(value) for path, value in self.values.items()}
        links = {path: Cid.of(block, DAG_CBOR) for path, block in records.items()}
        tree = build_tree(sorted(links.items()))
        commit = sign_commit(self.did, rev=self.rev, data=tree.root, key=_KEY).encode()
        root = Cid.of(commit, DAG_CBOR)
        held = {links[path]: block for path, block in records.items()}
        return root, {root: commit, **tree.nodes, **held}


@dataclass(slots=True)
class RepoServer:
    """The repo now, and all that it was; `asked` are the endpoints of requests so far.

    `listed` and `car` change what is answered: the records of a page, the blocks of a CAR.
    `moves` is called before each answer to the head, with how many there were.
    """

    states: list[State] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    listed: Callable[[list[dict[str, object]]], list[dict[str, object]]] = list
    car: Callable[[Cid, dict[Cid, bytes]], bytes] = lambda root, blocks: b"".join(
        write_car(root, blocks.items())
    )
    moves: Callable[[int], None] = lambda _: None

    @property
    def now(self) -> State:
        """The current state."""
        return self.states[-1]

    def put(self, changes: Mapping[str, Value] | None = None, *gone: str) -> State:
        """Make a commit: records by 'collection/rkey', and those that go."""
        before = self.states[-1] if self.states else State(ALICE, tid(1 << 40), {})
        values = {path: value for path, value in before.values.items() if path not in gone}
        rev = tid((len(self.states) + 1) << 40)
        self.states.append(State(before.did, rev, {**values, **(changes or {})}))
        return self.now

    def lie(self, **members: object) -> None:
        """Change what the current state says of itself."""
        self.states[-1] = replace(self.now, **members)  # type: ignore[arg-type]

    def answer(self, seen: Seen) -> Answer:
        """Answer a request."""
        url = urlsplit(seen.path)
        endpoint = url.path.removeprefix("/xrpc/")
        params = {name: values[0] for name, values in parse_qs(url.query).items()}
        if endpoint == HEAD:
            self.moves(self.asked.count(HEAD))
        self.asked.append(endpoint)
        match endpoint:
            case "com.atproto.sync.getLatestCommit":
                return _json({"cid": str(self.now.blocks()[0]), "rev": self.now.rev})
            case "com.atproto.repo.listRecords":
                return _json(self._page(params))
            case "com.atproto.sync.getRepo":
                return self._repo(params.get("since"))
            case "com.atproto.sync.getBlocks":
                return self._block(params["cids"])
        return _json({"error": "MethodNotImplemented", "message": endpoint}, 501)

    def _page(self, params: Mapping[str, str]) -> object:
        start = f"{params['collection']}/"
        rkeys = [path.removeprefix(start) for path in self.now.values if path.startswith(start)]
        left = [rkey for rkey in sorted(rkeys, reverse=True) if rkey < params.get("cursor", "~")]
        page = left[:100]
        records = [self._record(start + rkey) for rkey in page]
        cursor = {"cursor": page[-1]} if len(page) == 100 else {}
        return {"records": self.listed(records), **cursor}

    def _record(self, path: str) -> dict[str, object]:
        value = self.now.values[path]
        cid = str(Cid.of(encode(value), DAG_CBOR))
        return {"uri": f"at://{self.now.did}/{path}", "cid": cid, "value": to_plain(value)}

    def _repo(self, since: str | None) -> Answer:
        root, blocks = self.now.blocks()
        known = next((state for state in self.states if state.rev == since), None)
        old = known.blocks()[1] if known else {}
        new = {cid: block for cid, block in blocks.items() if cid not in old}
        return Answer(self.car(root, new))

    def _block(self, cid: str) -> Answer:
        link = Cid.parse(cid)
        block = self.now.blocks()[1].get(link)
        if block is None:
            return _json({"error": "InvalidRequest", "message": "Could not find cids"}, 400)
        # the real one names no root here
        header = encode({"roots": [], "version": 1})
        section = link.raw + block
        size = len(section)
        varint = bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])
        return Answer(bytes([len(header)]) + header + varint + section)


@contextmanager
def opened(server: RepoServer, *, state: Path | None = None) -> Iterator[PdsRepo]:
    """Open the server's repo as that of ALICE."""
    with serve(server.answer) as running:
        document = DidDocument(ALICE, (), running.url, None)
        repo = PdsRepo(
            Identity(ALICE, None, running.url, lambda: document),
            transport=transport_for(running.url),
            credentials=lambda: AppPassword(Secret("abcd-efgh-ijkl-mnop"), "prompt"),
            state=state,
        )
        yield repo
        repo.close()


def note(text: str) -> Value:
    """Return a record's value."""
    return {"$type": NOTE, "text": text}


def path(number: int, collection: Nsid = NOTE) -> str:
    """Return the place of the record of a number, in order."""
    return f"{collection}/{Rkey(f'3l{number:05}')}"


def _json(value: object, status: int = 200) -> Answer:
    return Answer(json.dumps(value).encode(), status)
