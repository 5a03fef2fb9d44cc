"""The session with a PDS: who we are there, and the tokens that say so."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, Field

from publisher.credentials import Secret
from publisher.errors import IdentityError
from publisher.identity import DidDocument, Identity, check_handle, parse_document, same_server
from publisher.pds.failures import Failed, explain
from publisher.pds.wire import as_json
from publisher.pds.xrpc import Xrpc
from publisher.syntax import Did

# A token that is no header value would end up in the error that says so.
_Token = Annotated[str, Field(max_length=16_384, pattern=r"^[\x21-\x7e]+$", repr=False)]


@dataclass(frozen=True, slots=True)
class Account:
    """Who is logged in, as the PDS says; `status` is 'deactivated', 'suspended', … or None."""

    did: Did
    handle: str
    status: str | None


class Session(BaseModel):
    """What createSession and refreshSession answer."""

    did: str
    handle: str
    accessJwt: _Token
    refreshJwt: _Token
    didDoc: dict[str, Any] | None = None
    active: bool | None = None
    status: str | None = None


class Login:
    """The session: made when first needed, refreshed when the server says so, kept in memory."""

    def __init__(
        self,
        identity: Identity,
        xrpc: Xrpc,
        credentials: Callable[[], Secret],
        *,
        allow_loopback: bool,
    ) -> None:
        self._identity = identity
        self._xrpc = xrpc
        self._credentials = credentials
        self._allow_loopback = allow_loopback
        self._lock = threading.Lock()
        self._session: Session | None = None

    def authorised(self, call: Callable[[str], bytes]) -> bytes:
        """Make a call with an access token; once more when that has expired. Raises Failed."""
        token = self._current().accessJwt
        try:
            return call(token)
        except Failed as failure:
            if failure.name != "ExpiredToken" or failure.status not in {400, 401}:
                raise
        return call(self._refreshed(token).accessJwt)

    def account(self) -> Account:
        """Return who is logged in; logs in first if need be."""
        session = self._current()
        return Account(
            self._identity.did, session.handle, None if session.active else session.status
        )

    def forget(self) -> None:
        """Drop the tokens."""
        self._session = None

    def _current(self) -> Session:
        with self._lock:
            if self._session is None:
                self._session = self._created(self._credentials())
            return self._session

    def _refreshed(self, expired: str) -> Session:
        with self._lock:
            if self._session is None:
                self._session = self._created(self._credentials())
            elif self._session.accessJwt == expired:
                self._session = self._renewed(self._session.refreshJwt)
            return self._session

    def _created(self, secret: Secret) -> Session:
        self._xrpc.hide(secret.reveal())
        body = as_json({"identifier": self._identity.did, "password": secret.reveal()})
        nsid = "com.atproto.server.createSession"
        session = self._checked(nsid, lambda: self._xrpc.procedure(nsid, body))
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

    def _renewed(self, token: str) -> Session:
        nsid = "com.atproto.server.refreshSession"
        return self._checked(nsid, lambda: self._xrpc.procedure(nsid, b"", token))

    def _checked(self, nsid: str, call: Callable[[], bytes]) -> Session:
        try:
            body = call()
        except Failed as failure:
            what = f"{self._xrpc.host} didn't log {self._identity.name} in"
            raise explain(failure, what, self._identity.name) from failure
        session = self._xrpc.parsed(Session, body, nsid)
        self._xrpc.hide(session.accessJwt)
        self._xrpc.hide(session.refreshJwt)
        if session.did != self._identity.did:
            raise IdentityError(
                f"{self._xrpc.host} logged {self._xrpc.shown(session.did)} in, "
                f"not {self._identity.did}",
                remedy="check repo and pds",
            )
        return session

    def _document(self, session: Session) -> DidDocument:
        """Return the DID document of the answer; where it has none, the one that can be fetched."""
        if session.didDoc is None:
            return self._identity.document()
        return parse_document(
            json.dumps(session.didDoc), self._identity.did, allow_loopback=self._allow_loopback
        )
