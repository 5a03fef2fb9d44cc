"""A repo on a PDS, over XRPC. The only module that imports `atproto_client`.

The SDK builds the requests; bodies go in and out as bytes, because its record models are lossy.
Between it and the guarded transport stands `_RawAnswers`, which turns every refusal into `_Failed`,
so that the SDK's own errors (which decide by class, and quote answers) never come about.
Public reads carry no token: an expired one would be refused.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Annotated, Any, NoReturn, TypeVar, assert_never

import httpx
from atproto_client.client.base import ClientBase  # type: ignore[import-untyped]
from atproto_client.request import Request  # type: ignore[import-untyped]
from pydantic import BaseModel, Field, RootModel, ValidationError
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential_jitter,
)

from publisher.credentials import Secret
from publisher.data import Cid, DataError, InvalidCid, blob_cid, from_plain, record_cid, to_plain
from publisher.errors import (
    CredentialError,
    IdentityError,
    PublisherError,
    RateLimited,
    RepoRefused,
    RepoUnavailable,
    SwapRefused,
)
from publisher.identity import DidDocument, Identity, check_handle, parse_document, same_server
from publisher.repo import (
    Applied,
    Commit,
    CreateWrite,
    DeleteWrite,
    RemoteRecord,
    Snapshot,
    UpdateWrite,
    Write,
    batches,
)
from publisher.syntax import AtUri, Did, InvalidSyntax, Nsid, Rkey, parse_nsid, parse_rkey
from publisher.transport import GuardedTransport, Limits, TransportError

MAX_WRITES = 200
# The server takes 1,000,000 bytes of JSON and 2,000,000 bytes of blocks in one commit.
MAX_BODY = 990_000
MAX_BLOCKS = 1_800_000
_ENVELOPE = 4_000  # of a body: what isn't writes
_TREE = 4_000  # of blocks: the tree nodes that one write may rewrite

_ATTEMPTS = 4
_READINGS = 3
_EMPTY_PAGES = 20
_TRANSIENT = {502, 503, 504}
_BLOB_LIMITS = Limits(max_bytes=64 << 20, seconds=300.0)
_NEEDS_LOGIN = {"AuthenticationRequired", "AuthMissing", "ExpiredToken", "InvalidToken"}
_log = logging.getLogger(__name__)

sleep: Callable[[float], None] = time.sleep
"""What waits between two attempts; tests replace it."""

_Model = TypeVar("_Model", bound=BaseModel)
_Params = RootModel[dict[str, str | int]]
_Token = Annotated[str, Field(min_length=1, max_length=16_384, pattern=r"^[\x21-\x7e]+$")]


@dataclass(frozen=True, slots=True)
class Account:
    """Who is logged in, as the PDS says; `status` is 'deactivated', 'suspended', … or None."""

    did: Did
    handle: str
    status: str | None


class _Failed(Exception):
    """A call that had no good answer: no status when there was none at all.

    `text` is free of secrets and short. `wait`: the seconds that a 429 asks for.
    """

    def __init__(
        self,
        text: str,
        *,
        status: int | None = None,
        name: str = "",
        wait: float | None = None,
        transient: bool = False,
        unsent: bool = False,
    ) -> None:
        super().__init__(text)
        self.text = text
        self.status = status
        self.name = name
        self.wait = wait
        self.transient = transient
        self.unsent = unsent


class _Error(BaseModel):
    error: str = ""
    message: str = ""


class _Commit(BaseModel):
    cid: str
    rev: str


class _Record(BaseModel):
    uri: str
    cid: str
    value: dict[str, Any]


class _Records(BaseModel):
    records: list[_Record]
    cursor: str | None = None


class _Blobs(BaseModel):
    cids: list[str]
    cursor: str | None = None


class _Description(BaseModel):
    collections: list[str]


class _Session(BaseModel):
    did: str
    handle: str
    accessJwt: _Token
    refreshJwt: _Token
    didDoc: dict[str, Any] | None = None
    active: bool | None = None
    status: str | None = None


class _Link(BaseModel):
    link: str = Field(alias="$link")


class _BlobRef(BaseModel):
    ref: _Link
    size: int
    mimeType: str


class _Uploaded(BaseModel):
    blob: _BlobRef


class _Result(BaseModel):
    cid: str | None = None


class _Results(BaseModel):
    commit: _Commit
    results: list[_Result]


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
        self._xrpc = _Xrpc(identity.pds_url, transport, max_wait)
        self._login = _Login(identity, self._xrpc, credentials, transport.allow_private)

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
        answer = self._ask(_Description, "com.atproto.repo.describeRepo", repo=self.did)
        try:
            return sorted(parse_nsid(name) for name in answer.collections)
        except InvalidSyntax as error:
            raise self._strange(f"named a collection that {error}") from error

    def head(self) -> Commit:
        """Return the current commit; one request."""
        answer = self._ask(_Commit, "com.atproto.sync.getLatestCommit", did=self.did)
        return Commit(self._cid(answer.cid), answer.rev)

    def read(self, collections: Sequence[Nsid]) -> Snapshot:
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
        for page in self._pages(_Blobs, "com.atproto.sync.listBlobs", did=self.did, limit=500):
            found.update(self._cid(cid) for cid in page.cids)
        return found

    def fetch_blob(self, cid: str) -> bytes:
        """Return a blob's bytes, whose CID has been computed and compared."""
        nsid = "com.atproto.sync.getBlob"
        with_explanation = self._explained(f"didn't give the blob {cid}")
        content = with_explanation(
            lambda: self._xrpc.query(nsid, {"did": self.did, "cid": cid}, limits=_BLOB_LIMITS)
        )
        if blob_cid(content) != cid:
            raise RepoRefused(
                f"{self._xrpc.host} answered other bytes for the blob {cid} of {self.name}",
                name="CidMismatch",
                remedy="try again; if it stays so, the blob is damaged there",
            )
        return content

    def upload_blob(self, content: bytes, mime_type: str) -> None:
        """Make the repo hold a blob; it stays only once a record refers to it."""
        cid = blob_cid(content)
        body = self._explained(f"didn't take the blob {cid} ({len(content)} bytes)")(
            lambda: self._login.authorised(
                lambda token: self._xrpc.procedure(
                    "com.atproto.repo.uploadBlob",
                    content,
                    mime_type,
                    token,
                    limits=_BLOB_LIMITS,
                )
            )
        )
        held = self._xrpc.parsed(_Uploaded, body, "com.atproto.repo.uploadBlob").blob
        ours, theirs = (cid, len(content), mime_type), (held.ref.link, held.size, held.mimeType)
        if ours != theirs:
            raise RepoRefused(
                f"{self._xrpc.host} took the blob {cid} for something else: sent "
                f"{_blob_text(ours)}, it holds {_printable(_blob_text(theirs))}",
                name="BlobMismatch",
                remedy="give the file the type that it really has",
            )

    def apply(self, writes: Sequence[Write], *, swap_commit: str) -> Applied:
        """Apply all of the writes in one commit, or none; never sent twice if it may have arrived.

        RepoUnavailable means that nobody knows: read the repo again.
        """
        nsid = "com.atproto.repo.applyWrites"
        body = _json(
            {
                "repo": self.did,
                "writes": [_write(write) for write in writes],
                "swapCommit": swap_commit,
            }
        )
        try:
            answer = self._login.authorised(
                lambda token: self._xrpc.procedure(
                    nsid, body, "application/json", token, retriable=_surely_not_applied
                )
            )
        except _Failed as failure:
            self._refuse_writes(failure, swap_commit)
        results = self._xrpc.parsed(_Results, answer, nsid)
        return self._applied(results, writes)

    def batches(self, writes: Sequence[Write]) -> Iterator[Sequence[Write]]:
        """Cut writes into batches of at most 200, below the server's limits of body and commit."""
        sizes = [_size(write) for write in writes]
        return batches(
            writes, sizes, max_writes=MAX_WRITES, max_bytes=MAX_BODY - _ENVELOPE
        )

    def close(self) -> None:
        """Close the connections, and forget the tokens."""
        self._login.forget()
        self._xrpc.close()

    def _list(self, collection: Nsid) -> Mapping[Rkey, RemoteRecord]:
        records: dict[Rkey, RemoteRecord] = {}
        for page in self._pages(
            _Records,
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

    def _record(self, answered: _Record, collection: Nsid) -> RemoteRecord:
        rkey = self._rkey(answered.uri, collection)
        uri = AtUri(self.did, collection, rkey)
        try:
            value = from_plain(answered.value)
            assert isinstance(value, dict)  # what is answered as an object stays one …
            cid = record_cid(value)
        except (DataError, AssertionError) as error:  # … unless it is {"$link": …}
            raise RepoRefused(
                f"{uri} is no record of the data model: {_printable(str(error))}",
                name="InvalidRecord",
                remedy="correct or delete that record with the app that wrote it",
            ) from error
        if cid != answered.cid:
            raise RepoRefused(
                f"{uri} isn't what its CID says: {self._xrpc.host} answered "
                f"{_printable(answered.cid)}, its value has {cid}",
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

    def _pages(self, model: type[_Model], nsid: str, **params: str | int) -> Iterator[_Model]:
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

    def _ask(self, model: type[_Model], nsid: str, **params: str | int) -> _Model:
        body = self._explained(f"didn't answer {nsid}")(lambda: self._xrpc.query(nsid, params))
        return self._xrpc.parsed(model, body, nsid)

    def _explained(self, what: str) -> Callable[[Callable[[], bytes]], bytes]:
        def run(call: Callable[[], bytes]) -> bytes:
            try:
                return call()
            except _Failed as failure:
                raise _explain(failure, f"{self._xrpc.host} {what}", self.name) from None

        return run

    def _refuse_writes(self, failure: _Failed, swap_commit: str) -> NoReturn:
        what = f"{self._xrpc.host} didn't apply the writes to the repo of {self.name}"
        if failure.name == "InvalidSwap":
            raise SwapRefused(
                f"the repo of {self.name} has moved since it was read: nothing was written",
                name=failure.name,
                remedy="run again",
            ) from None
        unknown = failure.status is None or failure.status >= 500
        if not unknown or failure.unsent:
            raise _explain(failure, what, self.name) from None
        # The reference PDS answers 500 to an update of a record that isn't there and undoes the
        # batch. Only the head can tell that from a batch that was committed.
        if failure.status == 500 and self.head().cid == swap_commit:
            raise RepoRefused(
                f"{what}: {failure.text}; nothing was written",
                name=failure.name,
                remedy="run again; if it stays so, a record of this batch is not acceptable there",
            ) from None
        raise RepoUnavailable(
            f"{what}, or did and couldn't say so: {failure.text}",
            remedy="run again: what was written is found and not written twice",
        ) from None

    def _applied(self, answer: _Results, writes: Sequence[Write]) -> Applied:
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
        return _strange(self._xrpc.host, what)


def login(
    identity: Identity, secret: Secret, *, transport: GuardedTransport, max_wait: float = 60.0
) -> Account:
    """Check an app password; costs the server 0.4 s. Raises CredentialError, IdentityError, …"""
    repo = PdsRepo(identity, transport=transport, credentials=lambda: secret, max_wait=max_wait)
    return repo.whoami()


class _Login:
    """The session: made when first needed, refreshed when the server says so, kept in memory."""

    def __init__(
        self,
        identity: Identity,
        xrpc: _Xrpc,
        credentials: Callable[[], Secret],
        allow_loopback: bool,
    ) -> None:
        self._identity = identity
        self._xrpc = xrpc
        self._credentials = credentials
        self._allow_loopback = allow_loopback
        self._lock = threading.Lock()
        self._session: _Session | None = None

    def authorised(self, call: Callable[[str], bytes]) -> bytes:
        """Make a call with an access token; once more when that has expired. Raises _Failed."""
        token = self._current().accessJwt
        try:
            return call(token)
        except _Failed as failure:
            if failure.name != "ExpiredToken" or failure.status not in {400, 401}:
                raise
        return call(self._refreshed(token).accessJwt)

    def account(self) -> Account:
        session = self._current()
        return Account(
            self._identity.did, session.handle, None if session.active else session.status
        )

    def forget(self) -> None:
        self._session = None

    def _current(self) -> _Session:
        with self._lock:
            if self._session is None:
                self._session = self._created(self._credentials())
            return self._session

    def _refreshed(self, expired: str) -> _Session:
        with self._lock:
            if self._session is None or self._session.accessJwt == expired:
                self._session = self._renewed()
            return self._session

    def _created(self, secret: Secret) -> _Session:
        self._xrpc.hide(secret.reveal())
        body = _json({"identifier": self._identity.did, "password": secret.reveal()})
        nsid = "com.atproto.server.createSession"
        session = self._checked(nsid, lambda: self._xrpc.procedure(nsid, body, "application/json"))
        document = self._document(session)
        if document.pds_url is None or not same_server(document.pds_url, self._identity.pds_url):
            raise IdentityError(
                f"the DID document of {self._identity.did} names another PDS "
                f"({document.pds_url or 'none'}) than {self._identity.pds_url}: nothing is written",
                remedy="correct pds, or leave it out",
            )
        if self._identity.handle is not None:
            check_handle(document, self._identity.handle)
        return session

    def _renewed(self) -> _Session:
        assert self._session is not None
        token = self._session.refreshJwt
        nsid = "com.atproto.server.refreshSession"
        return self._checked(nsid, lambda: self._xrpc.procedure(nsid, b"", None, token))

    def _checked(self, nsid: str, call: Callable[[], bytes]) -> _Session:
        try:
            body = call()
        except _Failed as failure:
            what = f"{self._xrpc.host} didn't log {self._identity.name} in"
            raise _explain(failure, what, self._identity.name) from None
        session = self._xrpc.parsed(_Session, body, nsid)
        self._xrpc.hide(session.accessJwt)
        self._xrpc.hide(session.refreshJwt)
        if session.did != self._identity.did:
            raise IdentityError(
                f"{self._xrpc.host} logged in {_printable(session.did)}, not {self._identity.did}",
                remedy="check repo and pds",
            )
        return session

    def _document(self, session: _Session) -> DidDocument:
        """Return the DID document of the answer; where it has none, the one that can be fetched."""
        if session.didDoc is None:
            return self._identity.document()
        return parse_document(
            json.dumps(session.didDoc), self._identity.did, allow_loopback=self._allow_loopback
        )


class _Xrpc:
    """Calls to one server, with retries; raises _Failed. The one place that decides on waiting."""

    def __init__(self, url: str, transport: GuardedTransport, max_wait: float) -> None:
        self.host = httpx.URL(url).netloc.decode("ascii")
        self._max_wait = max_wait
        self._secrets: set[str] = set()
        self._request = Request(transport=_RawAnswers(transport, self._secrets), trust_env=False)
        self._client = ClientBase(base_url=url, request=self._request)

    def hide(self, secret: str) -> None:
        """Keep a secret out of every text from this server, which might send it back to us."""
        self._secrets.add(secret)

    def query(
        self, nsid: str, params: Mapping[str, str | int], *, limits: Limits | None = None
    ) -> bytes:
        return self._attempts(
            lambda: self._client.invoke_query(
                nsid, _Params(dict(params)), extensions={"limits": limits or Limits()}
            ).content,
            _worth_retrying,
        )

    def procedure(
        self,
        nsid: str,
        content: bytes,
        content_type: str | None,
        token: str | None = None,
        *,
        limits: Limits | None = None,
        retriable: Callable[[_Failed], bool] | None = None,
    ) -> bytes:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if content_type:
            headers["Content-Type"] = content_type
        return self._attempts(
            lambda: self._client.invoke_procedure(
                nsid, content=content, headers=headers, extensions={"limits": limits or Limits()}
            ).content,
            retriable or _worth_retrying,
        )

    def parsed(self, model: type[_Model], body: bytes, nsid: str) -> _Model:
        try:
            return model.model_validate_json(body)
        except ValidationError as error:
            # Its text quotes the answer, which may hold tokens: only place and kind are kept.
            fault = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = "/".join(str(step) for step in fault["loc"]) or "the whole"
        raise _strange(
            self.host, f"answered {nsid} with something unreadable ({where}: {fault['type']})"
        )

    def close(self) -> None:
        self._request.close()

    def _attempts(self, call: Callable[[], Any], retriable: Callable[[_Failed], bool]) -> bytes:
        retrying = Retrying(
            retry=retry_if_exception(lambda e: isinstance(e, _Failed) and retriable(e)),
            wait=_pause,
            stop=stop_after_attempt(_ATTEMPTS) | self._beyond_patience,
            sleep=lambda seconds: sleep(seconds),
            before_sleep=self._note,
            reraise=True,
        )
        answer = retrying(call)
        assert isinstance(answer, bytes)  # _RawAnswers hides the content type from the SDK
        return answer

    def _beyond_patience(self, state: RetryCallState) -> bool:
        failure = _failure(state)
        return failure.status == 429 and state.idle_for + state.upcoming_sleep > self._max_wait

    def _note(self, state: RetryCallState) -> None:
        text = _failure(state).text
        _log.info("%s: %s; again in %.1f s", self.host, text, state.upcoming_sleep)


class _RawAnswers(httpx.BaseTransport):
    """Hands the SDK every good answer as bytes, and raises _Failed for all others."""

    def __init__(self, transport: GuardedTransport, secrets: set[str]) -> None:
        self._transport = transport
        self._secrets = secrets

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        try:
            answer = self._transport.handle_request(request)
            try:
                body = answer.read()
            finally:
                answer.close()
        except TransportError as error:
            raise _Failed(
                error.reason, transient=error.transient, unsent=error.unsent
            ) from error
        if not 200 <= answer.status_code < 300:
            raise self._refusal(answer, body)
        return httpx.Response(answer.status_code, content=body)

    def close(self) -> None:
        self._transport.close()

    def _refusal(self, answer: httpx.Response, body: bytes) -> _Failed:
        try:
            said = _Error.model_validate_json(body)
        except ValidationError:
            said = _Error()
        text = ": ".join(part for part in (said.error, said.message) if part)
        status = answer.status_code
        return _Failed(
            _printable(self._without_secrets(text)) or f"it answered {status}",
            status=status,
            name=_printable(self._without_secrets(said.error)),
            wait=_asked_wait(answer.headers) if status == 429 else None,
            transient=status in _TRANSIENT,
        )

    def _without_secrets(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "…")
        return text


def _worth_retrying(failure: _Failed) -> bool:
    return failure.transient or failure.status == 429


def _surely_not_applied(failure: _Failed) -> bool:
    return (failure.transient and failure.unsent) or failure.status == 429


def _failure(state: RetryCallState) -> _Failed:
    failure = state.outcome.exception() if state.outcome else None
    assert isinstance(failure, _Failed)
    return failure


_backoff = wait_exponential_jitter(initial=0.5, max=8.0)


def _pause(state: RetryCallState) -> float:
    asked = _failure(state).wait
    return _backoff(state) if asked is None else asked


def _asked_wait(headers: httpx.Headers) -> float | None:
    """Return the seconds of `retry-after` (a number or a date), else of `ratelimit-reset`."""
    text = headers.get("retry-after", "")
    seconds = _number(text)
    if seconds is None and text:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - time.time()
        except (ValueError, OverflowError):
            seconds = None
    if seconds is None and (reset := _number(headers.get("ratelimit-reset", ""))) is not None:
        seconds = reset - time.time() + 1  # whole seconds: the limit may end within this one
    return None if seconds is None else max(seconds, 0.0)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if isfinite(number) else None


def _explain(failure: _Failed, what: str, account: str) -> PublisherError:
    """Return our error for a failed call; `what` is who didn't do what."""
    known = _ACCOUNT_ERRORS.get(failure.name)
    if known:
        return known(what, account)
    match failure.status:
        case None:
            return RepoUnavailable(
                f"{what}: {failure.text}", remedy="check the connection and pds, and try again"
            )
        case 429:
            return RateLimited(f"{what}: {_come_back(failure.wait)}", remedy="run again then")
        case 413:
            return RepoRefused(
                f"{what}: it is too large", name=failure.name, remedy="make it smaller"
            )
        case status if status == 401 or failure.name in _NEEDS_LOGIN:
            return CredentialError(
                f"{what}: {failure.text}", remedy=f"run 'publisher login {account}'"
            )
        case status if status >= 500 or not failure.name:
            return RepoUnavailable(
                f"{what}: {failure.text}", remedy="check that pds is one, or try again later"
            )
    return RepoRefused(f"{what}: {failure.text}", name=failure.name)


def _come_back(wait: float | None) -> str:
    if wait is None:
        return "it allows no more requests for now"
    try:
        then = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + wait))
    except (OverflowError, ValueError, OSError):  # a nonsensical header
        return "it allows no more requests for now"
    return f"it allows no more requests until {then} (in {wait:.0f} s)"


_ACCOUNT_ERRORS: dict[str, Callable[[str, str], PublisherError]] = {
    "AccountTakedown": lambda what, account: RepoRefused(
        f"{what}: the account {account} was taken down",
        name="AccountTakedown",
        remedy="ask those who run the PDS",
    ),
    "AccountDeactivated": lambda what, account: RepoRefused(
        f"{what}: the account {account} is deactivated",
        name="AccountDeactivated",
        remedy="activate it again, with the app where it was deactivated",
    ),
    "AuthFactorTokenRequired": lambda what, account: CredentialError(
        f"{what}: this is the main password of {account}, which needs a second factor",
        remedy=f"make an app password and run 'publisher login {account}'",
    ),
    "AuthenticationRequired": lambda what, account: CredentialError(
        f"{what}: the app password of {account} was refused",
        remedy=f"run 'publisher login {account}' with a current app password",
    ),
}


def _strange(host: str, what: str) -> RepoUnavailable:
    return RepoUnavailable(
        f"{host} {_printable(what)}", remedy="check that pds is one, or try again later"
    )


def _write(write: Write) -> dict[str, object]:
    """Return the write as applyWrites takes it."""
    match write:
        case CreateWrite():
            kind, value = "create", {"value": to_plain(write.value)}
        case UpdateWrite():
            kind, value = "update", {"value": to_plain(write.value)}
        case DeleteWrite():
            kind, value = "delete", {}
        case _:
            assert_never(write)
    return {
        "$type": f"com.atproto.repo.applyWrites#{kind}",
        "collection": write.collection,
        "rkey": write.rkey,
        **value,
    }


def _size(write: Write) -> int:
    """Return what a write takes of MAX_BODY: its JSON, or its blocks in proportion if more.

    DAG-CBOR is never longer than the JSON, so the JSON stands for the record's block.
    """
    body = len(_json(_write(write))) + 1
    return max(body, (body + _TREE) * MAX_BODY // MAX_BLOCKS)


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _has_items(page: BaseModel) -> bool:
    return bool(getattr(page, "records", None) or getattr(page, "cids", None))


def _blob_text(blob: tuple[str, int, str]) -> str:
    cid, size, mime_type = blob
    return f"{mime_type} of {size} bytes ({cid})"


def _printable(text: str) -> str:
    """Return foreign text on one line, at most 300 characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= 300 else line[:299] + "…"
