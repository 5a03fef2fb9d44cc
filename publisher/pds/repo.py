"""The repo of an account on its PDS. Public reads carry no token: an expired one is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel

from publisher.credentials import Secret
from publisher.data import DataError, Value, blob_cid, from_plain, record_cid
from publisher.errors import RepoRefused, RepoUnavailable
from publisher.identity import Identity
from publisher.pds import wire
from publisher.pds.failures import Failed, explain, printable
from publisher.pds.meter import Meter
from publisher.pds.session import Account, Login
from publisher.pds.writing import Writing
from publisher.pds.xrpc import Model, Xrpc
from publisher.repo import Applied, Commit, RemoteRecord, Snapshot, Write
from publisher.syntax import Did, InvalidSyntax, Nsid, Rkey, parse_nsid, parse_rkey
from publisher.transport import GuardedTransport, Limits

_READINGS = 3
_EMPTY_PAGES = 20
_BLOB_LIMITS = Limits(max_bytes=64 << 20, seconds=300.0)


class PdsRepo:
    """The repo of an account on its PDS (`publisher.repo.Repo`); thread-safe.

    `credentials` is called once, before the first write or upload. `max_wait` is how many seconds
    one call may wait for a rate limit before RateLimited is raised. `state` is the folder that
    remembers points between runs, where there is one.
    """

    def __init__(
        self,
        identity: Identity,
        *,
        transport: GuardedTransport,
        credentials: Callable[[], Secret],
        max_wait: float = 60.0,
        state: Path | None = None,
    ) -> None:
        self._identity = identity
        self._meter = Meter(identity.did, identity.pds_url.partition("//")[2], state, max_wait)
        self._xrpc = Xrpc(identity.pds_url, transport, max_wait, self._meter.heard)
        self._login = Login(
            identity, self._xrpc, credentials, allow_loopback=transport.allow_private
        )
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
        answer = self._ask(wire.DescriptionAnswer, "com.atproto.repo.describeRepo", repo=self.did)
        try:
            return sorted(parse_nsid(name) for name in answer.collections)
        except InvalidSyntax as error:
            raise self._strange(f"named a collection that {error}") from error

    def head(self) -> Commit:
        """Return the current commit; one request."""
        answer = self._ask(wire.CommitAnswer, "com.atproto.sync.getLatestCommit", did=self.did)
        return Commit(self._xrpc.cid(answer.cid), answer.rev)

    @property
    def metered(self) -> bool:
        """Whether the server counts points of its rate limits."""
        return self._meter.metered

    def read(self, collections: Sequence[Nsid], *, afresh: bool = False) -> Snapshot:  # noqa: ARG002
        """Return all records of the collections, all read at one commit.

        Costs one request per 100 records and two more. When a commit comes in between, all is read
        again, three times at most.
        """
        before = self.head()
        for _ in range(_READINGS):
            records = {collection: self._list(collection) for collection in collections}
            after = self.head()
            if after == before:
                return Snapshot(after, records)
            before = after
        raise RepoUnavailable(
            f"the repo of {self.name} changed each of the {_READINGS} times it was read",
            remedy="run again when nothing else writes to it",
        )

    def blobs(self) -> set[str]:
        """Return the CIDs of the blobs that records refer to; one request per 500."""
        found: set[str] = set()
        for page in self._pages(
            wire.BlobsAnswer, "com.atproto.sync.listBlobs", did=self.did, limit=500
        ):
            cids = {self._xrpc.cid(cid) for cid in page.cids}
            if cids and cids <= found:
                raise self._strange("listed the same blobs twice")
            found |= cids
        return found

    def fetch_blob(self, cid: str) -> bytes:
        """Return a blob's bytes, whose CID has been computed and compared."""
        params = {"did": self.did, "cid": cid}
        content = self._explained(
            f"didn't give the blob {cid}",
            lambda: self._xrpc.query("com.atproto.sync.getBlob", params, limits=_BLOB_LIMITS),
        )
        if blob_cid(content) != cid:
            raise RepoRefused(
                f"{self._xrpc.host} answered other bytes for the blob {cid} of {self.name}",
                name="CidMismatch",
                remedy="try again; if it stays so, the blob is damaged there",
            )
        return content

    def authenticate(self) -> None:
        """Log in, if that hasn't happened yet. Raises CredentialError, IdentityError, …."""
        self._login.account()

    def upload_blob(self, content: bytes, mime_type: str) -> None:
        """Make the repo hold a blob; it stays only once a record refers to it."""
        self._writing.upload_blob(content, mime_type)

    def apply(self, writes: Sequence[Write], *, swap_commit: str) -> Applied:
        """Apply all of the writes in one commit, or none."""
        return self._writing.apply(writes, swap_commit)

    def apply_one(self, write: Write) -> str | None:
        """Apply one write by its own swap; safe to send twice."""
        return self._writing.apply_one(write)

    def batches(self, writes: Iterable[Write]) -> Iterator[Sequence[Write]]:
        """Cut writes into batches that `apply` takes."""
        return self._writing.batches(writes)

    def close(self) -> None:
        """Close the connections, keep the count of points, and forget the tokens."""
        self._meter.close()
        self._login.forget()
        self._xrpc.close()

    def _list(self, collection: Nsid) -> Mapping[Rkey, RemoteRecord]:
        records: dict[Rkey, RemoteRecord] = {}
        for page in self._pages(
            wire.RecordsAnswer,
            "com.atproto.repo.listRecords",
            repo=self.did,
            collection=collection,
            limit=100,
        ):
            for answered in page.records:
                record = self._record(answered, collection)
                if record.rkey in records:
                    raise self._strange(f"listed {answered.uri} twice")
                records[record.rkey] = record
        return records

    def _record(self, answered: wire.RecordAnswer, collection: Nsid) -> RemoteRecord:
        rkey = self._rkey(answered.uri, collection)
        value = _value(answered.value, f"at://{self.did}/{collection}/{rkey}")
        cid = record_cid(value)
        if cid != answered.cid:
            raise RepoRefused(
                f"at://{self.did}/{collection}/{rkey} isn't what its CID says: {self._xrpc.host} "
                f"answered {self._xrpc.shown(answered.cid)}, its value has {cid}",
                name="CidMismatch",
                remedy="try again; if it stays so, the record is damaged there",
            )
        return RemoteRecord(collection, rkey, cid, value)

    def _rkey(self, uri: str, collection: Nsid) -> Rkey:
        prefix = f"at://{self.did}/{collection}/"
        if not uri.startswith(prefix):
            raise self._strange(f"listed {uri} among {prefix}…")
        try:
            return parse_rkey(uri.removeprefix(prefix))
        except InvalidSyntax as error:
            raise self._strange(f"listed {uri}, whose record key {error}") from error

    def _pages(self, model: type[Model], nsid: str, **params: str | int) -> Iterator[Model]:
        """Yield pages until there is no cursor; a listing that doesn't get on is an error."""
        seen: set[str] = set()
        empty = 0
        while True:
            page = self._ask(model, nsid, **params)
            yield page
            cursor = getattr(page, "cursor", None)
            empty = 0 if _has_items(page) else empty + 1
            if not cursor:
                return
            if cursor in seen or empty > _EMPTY_PAGES:
                raise self._strange(f"answered pages of {nsid} that don't end")
            seen.add(cursor)
            params["cursor"] = cursor

    def _ask(self, model: type[Model], nsid: str, **params: str | int) -> Model:
        body = self._explained(f"didn't answer {nsid}", lambda: self._xrpc.query(nsid, params))
        return self._xrpc.parsed(model, body, nsid)

    def _explained(self, what: str, call: Callable[[], bytes]) -> bytes:
        try:
            return call()
        except Failed as failure:
            raise explain(failure, f"{self._xrpc.host} {what}", self.name) from failure

    def _strange(self, what: str) -> RepoUnavailable:
        return self._xrpc.strange(what)


def login(
    identity: Identity, secret: Secret, *, transport: GuardedTransport, max_wait: float = 60.0
) -> Account:
    """Check an app password, at a cost of 0.4 s to the server. Raises as writing does."""
    repo = PdsRepo(identity, transport=transport, credentials=lambda: secret, max_wait=max_wait)
    return repo.whoami()


def _value(plain: object, uri: str) -> dict[str, Value]:
    try:
        value = from_plain(plain)
        reason = "it is a link or bytes, no object"
    except DataError as error:
        value, reason = None, str(error)
    if not isinstance(value, dict):
        raise RepoRefused(
            f"{uri} is no record of the data model: {printable(reason)}",
            name="InvalidRecord",
            remedy="correct or delete that record with the app that wrote it",
        )
    return value


def _has_items(page: BaseModel) -> bool:
    return bool(getattr(page, "records", None) or getattr(page, "cids", None))
