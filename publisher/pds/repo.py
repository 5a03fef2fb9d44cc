"""The repo of an account on its PDS. Public reads carry no token: an expired one is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, BinaryIO

from publisher.credentials import AppPassword, Secret
from publisher.data import RAW, Cid
from publisher.errors import RepoRefused
from publisher.files import Hashed
from publisher.identity import Identity
from publisher.pds import wire
from publisher.pds.archives import ANY_BYTES, archived
from publisher.pds.meter import Meter
from publisher.pds.queries import Queries
from publisher.pds.reading import Reading
from publisher.pds.session import Account, Login
from publisher.pds.writing import Writing
from publisher.pds.xrpc import Xrpc
from publisher.repo import Applied, Commit, Snapshot, Write
from publisher.syntax import Did, InvalidSyntax, Nsid, Rkey, parse_nsid
from publisher.transport import GuardedTransport, Limits

_BLOB_LIMITS = Limits(max_bytes=64 << 20, seconds=300.0)
_BLOB_READINGS = 3


class PdsRepo:
    """The repo of an account on its PDS (`publisher.repo.Repo`); thread-safe.

    `credentials` is called before the first write or upload. `max_wait` is how many seconds
    one call may wait for a rate limit before RateLimited is raised. `state` is the folder that
    remembers points and records between runs, where there is one.
    """

    def __init__(
        self,
        identity: Identity,
        *,
        transport: GuardedTransport,
        credentials: Callable[[], AppPassword],
        max_wait: float = 60.0,
        state: Path | None = None,
    ) -> None:
        self._identity = identity
        self._meter = Meter(identity.did, identity.pds_url.partition("//")[2], state, max_wait)
        self._xrpc = Xrpc(identity.pds_url, transport, max_wait, self._meter.heard)
        self._login = Login(
            identity, self._xrpc, credentials, allow_loopback=transport.allow_private
        )
        self._queries = Queries(identity, self._xrpc)
        self._reading = Reading(self._queries, state)
        self._writing = Writing(identity, self._xrpc, self._login, self._meter, self.head)

    @property
    def did(self) -> Did:
        """The DID of the account that the repo belongs to."""
        return self._identity.did

    @property
    def name(self) -> str:
        """The account's handle, or its DID."""
        return self._identity.name

    def whoami(self) -> Account:
        """Log in, if that hasn't happened yet, and return the account. Raises as writing does."""
        return self._login.account()

    def collections(self) -> list[Nsid]:
        """Return the collections that hold records, sorted."""
        answer = self._queries.ask(
            wire.DescriptionAnswer, "com.atproto.repo.describeRepo", repo=self.did
        )
        try:
            return sorted(parse_nsid(name) for name in answer.collections)
        except InvalidSyntax as error:
            raise self._queries.strange(f"named a collection that {error}") from error

    def head(self) -> Commit:
        """Return the current commit; one request."""
        return self._queries.head()

    @property
    def metered(self) -> bool:
        """Whether the server counts points of its rate limits."""
        return self._meter.metered

    def read(self, collections: Sequence[Nsid], *, afresh: bool = False) -> Snapshot:
        """Return all records of the collections, all read at one commit.

        One request where the repo hasn't moved since it was read last. `pds.reading` has the costs.
        """
        return self._reading.read(collections, afresh=afresh)

    def archive(self, *, since: str | None = None) -> AbstractContextManager[BinaryIO]:
        """Have the repo as a CAR in a temporary file, of 4 GiB at most."""
        return archived(self._queries, ANY_BYTES, since)

    def record_proof(self, collection: Nsid, rkey: Rkey) -> bytes:
        """Return the record's proof, or that of its absence; one request."""
        return self._queries.fetch(
            f"didn't give the record {collection}/{rkey}",
            "com.atproto.sync.getRecord",
            Limits(),
            did=self.did,
            collection=collection,
            rkey=rkey,
        )

    def signing_key(self, *, afresh: bool = False) -> str:
        """Return the key that the DID document names."""
        return self._identity.signing_key(afresh=afresh)

    def blobs(self) -> set[str]:
        """Return the CIDs of the blobs that records refer to; one request per 500."""
        found: set[str] = set()
        for page in self._queries.pages(
            wire.BlobsAnswer, "com.atproto.sync.listBlobs", did=self.did, limit=500
        ):
            cids = {self._queries.cid(cid) for cid in page.cids}
            if cids and cids <= found:
                raise self._queries.strange("listed the same blobs twice")
            found |= cids
        return found

    def fetch_blob(self, cid: str, file: IO[bytes]) -> None:
        """Write a blob into an empty file; its CID is computed as it comes, and compared.

        Other bytes may be a proxy's, or half of them: it is asked again before it counts as
        damaged.
        """
        into = Hashed(file)
        for _ in range(_BLOB_READINGS):
            self._queries.save(
                f"didn't give the blob {cid}",
                "com.atproto.sync.getBlob",
                into,
                _BLOB_LIMITS,
                did=self.did,
                cid=cid,
            )
            if str(Cid.hashed(into.digest, RAW)) == cid:
                return
        raise RepoRefused(
            f"{self._queries.host} answered other bytes for the blob {cid} of {self.name}",
            name="CidMismatch",
            remedy="try again; if it stays so, the blob is damaged there",
        )

    def authenticate(self) -> None:
        """Log in, if that hasn't happened yet. Raises CredentialError, IdentityError, …."""
        self._xrpc.prepare()
        self._login.account()

    def upload_blob(self, content: bytes, mime_type: str) -> None:
        """Make the repo hold a blob; it stays only once a record refers to it."""
        self._writing.upload_blob(content, mime_type)

    def apply(self, writes: Sequence[Write], *, swap_commit: str) -> Applied:
        """Apply all of the writes in one commit, or none."""
        applied = self._writing.apply(writes, swap_commit)
        self._reading.applied(swap_commit, writes, applied)
        return applied

    def apply_one(self, write: Write) -> str | None:
        """Apply one write by its own swap; safe to send twice."""
        return self._writing.apply_one(write)

    def batches(self, writes: Iterable[Write]) -> Iterator[Sequence[Write]]:
        """Cut writes into batches that `apply` takes."""
        return self._writing.batches(writes)

    def close(self) -> None:
        """Close the connections, keep what is remembered, and forget the tokens."""
        self._reading.close()
        self._meter.close()
        self._login.forget()
        self._xrpc.close()


def login(
    identity: Identity, secret: Secret, *, transport: GuardedTransport, max_wait: float = 60.0
) -> Account:
    """Check an app password, at a cost of 0.4 s to the server. Raises as writing does."""
    password = AppPassword(secret, "prompt")
    repo = PdsRepo(identity, transport=transport, credentials=lambda: password, max_wait=max_wait)
    return repo.whoami()
