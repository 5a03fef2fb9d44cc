"""The repo of an account on its PDS. Public reads carry no token: an expired one is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NoReturn

from pydantic import BaseModel

from publisher.credentials import Secret
from publisher.data import Cid, DataError, InvalidCid, Value, blob_cid, from_plain, record_cid
from publisher.errors import OutcomeUnknown, RepoRefused, RepoUnavailable, SwapRefused
from publisher.identity import Identity
from publisher.pds import wire
from publisher.pds.failures import Failed, explain, printable
from publisher.pds.session import Account, Login
from publisher.pds.xrpc import Model, Xrpc, surely_not_applied
from publisher.repo import Applied, Commit, DeleteWrite, RemoteRecord, Snapshot, Write, batches
from publisher.syntax import Did, InvalidSyntax, Nsid, Rkey, parse_nsid, parse_rkey
from publisher.transport import GuardedTransport, Limits

_READINGS = 3
_EMPTY_PAGES = 20
_BLOB_LIMITS = Limits(max_bytes=64 << 20, seconds=300.0)


class PdsRepo:
    """The repo of an account on its PDS (`publisher.repo.Repo`); thread-safe.

    `credentials` is called once, before the first write or upload. `max_wait` is how many seconds
    one call may wait for a rate limit before RateLimited is raised.
    """

    def __init__(
        self,
        identity: Identity,
        *,
        transport: GuardedTransport,
        credentials: Callable[[], Secret],
        max_wait: float = 60.0,
    ) -> None:
        self._identity = identity
        self._xrpc = Xrpc(identity.pds_url, transport, max_wait)
        self._login = Login(
            identity, self._xrpc, credentials, allow_loopback=transport.allow_private
        )

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
        return Commit(self._cid(answer.cid), answer.rev)

    @property
    def metered(self) -> bool:
        """Whether the server counts points of its rate limits."""
        return True

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
            cids = {self._cid(cid) for cid in page.cids}
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
        cid = blob_cid(content)
        nsid = "com.atproto.repo.uploadBlob"
        body = self._explained(
            f"didn't take the blob {cid} ({len(content)} bytes)",
            lambda: self._login.authorised(
                lambda token: self._xrpc.upload(
                    nsid, content, mime_type, token, limits=_BLOB_LIMITS
                )
            ),
        )
        held = self._xrpc.parsed(wire.UploadAnswer, body, nsid).blob
        ours, theirs = (cid, len(content), mime_type), (held.ref.link, held.size, held.mimeType)
        if ours != theirs:
            raise RepoRefused(
                f"{self._xrpc.host} took the blob {cid} for something else: sent "
                f"{_blob_text(ours)}, it holds {self._xrpc.shown(_blob_text(theirs))}",
                name="BlobMismatch",
                remedy="give the file the type that it really has",
            )

    def apply(self, writes: Sequence[Write], *, swap_commit: str) -> Applied:
        """Apply all of the writes in one commit, or none; never sent twice if it may have arrived.

        RepoUnavailable means that nobody knows: read the repo again.
        """
        nsid = "com.atproto.repo.applyWrites"
        body = wire.as_json(
            {
                "repo": self.did,
                "writes": [wire.to_wire(write) for write in writes],
                "swapCommit": swap_commit,
            }
        )
        try:
            answer = self._login.authorised(
                lambda token: self._xrpc.procedure(nsid, body, token, retriable=surely_not_applied)
            )
        except Failed as failure:
            self._refuse_writes(failure, swap_commit)
        results = self._xrpc.parsed(wire.ApplyAnswer, answer, nsid)
        return self._applied(results, writes)

    def apply_one(self, write: Write) -> str | None:
        """Apply one write by its own swap; safe to send twice. Raises SwapRefused."""
        nsid, body = wire.one(self.did, write)
        try:
            answer = self._login.authorised(lambda token: self._xrpc.procedure(nsid, body, token))
        except Failed as failure:
            self._refuse_one(failure, write)
        return self._xrpc.parsed(wire.WriteAnswer, answer, nsid).cid

    def batches(self, writes: Iterable[Write]) -> Iterator[Sequence[Write]]:
        """Cut writes into batches of at most 200, below the server's limits of body and commit."""
        sized = ((write, wire.size_of(write)) for write in writes)
        return batches(sized, max_writes=wire.MAX_WRITES, max_bytes=wire.MAX_BODY - wire.ENVELOPE)

    def close(self) -> None:
        """Close the connections, and forget the tokens."""
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

    def _refuse_writes(self, failure: Failed, swap_commit: str) -> NoReturn:
        what = f"{self._xrpc.host} didn't apply the writes to the repo of {self.name}"
        if failure.name == "InvalidSwap":
            raise SwapRefused(
                f"the repo of {self.name} has moved since it was read: nothing was written",
                name=failure.name,
                remedy="run again",
            ) from failure
        unknown = failure.status is None or failure.status >= 500
        if not unknown or failure.unsent:
            raise explain(failure, what, self.name) from failure
        # The reference PDS answers 500 to an update of a record that isn't there and undoes the
        # batch. Only the head can tell that from a batch that was committed.
        if failure.status == 500 and self.head().cid == swap_commit:
            raise RepoRefused(
                f"{what}: {failure.text}; nothing was written",
                name=failure.name,
                remedy="run again; if it stays so, a record of this batch is not acceptable there",
            ) from failure
        raise OutcomeUnknown(
            f"{what}, or did and couldn't say so: {failure.text}",
            remedy="run again: what was written is found and not written twice",
        ) from failure

    def _refuse_one(self, failure: Failed, write: Write) -> NoReturn:
        what = f"{self._xrpc.host} didn't write {write.collection}/{write.rkey}"
        if failure.name == "InvalidSwap":
            raise SwapRefused(
                f"{what}: it isn't what was read any more",
                name=failure.name,
                remedy="run again",
            ) from failure
        if (failure.status is None or failure.status >= 500) and not failure.unsent:
            raise OutcomeUnknown(
                f"{what}, or did and couldn't say so: {failure.text}",
                remedy="run again: what was written is found and not written twice",
            ) from failure
        raise explain(failure, what, self.name) from failure

    def _applied(self, answer: wire.ApplyAnswer, writes: Sequence[Write]) -> Applied:
        cids = [result.cid for result in answer.results]
        fits = len(cids) == len(writes) and all(
            (cid is None) == isinstance(write, DeleteWrite)
            for cid, write in zip(cids, writes, strict=True)
        )
        if not fits:
            raise self._strange("answered other results than it was sent writes")
        return Applied(Commit(self._cid(answer.commit.cid), answer.commit.rev), cids)

    def _cid(self, text: str) -> str:
        try:
            return str(Cid.parse(text))
        except InvalidCid as error:
            raise self._strange(f"answered {text!r}, which {error}") from error

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


def _blob_text(blob: tuple[str, int, str]) -> str:
    cid, size, mime_type = blob
    return f"{mime_type} of {size} bytes ({cid})"
