"""The session with a PDS: who we are there, and the tokens that say so."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from publisher import credentials
from publisher.credentials import AppPassword, Secret
from publisher.errors import CredentialError, IdentityError, PublisherError, RepoRefused
from publisher.identity import DidDocument, Identity, check_handle, parse_document, same_server
from publisher.pds.failures import Failed, explain
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


class Seen(BaseModel):
    """What getSession answers."""

    did: str
    handle: str
    didDoc: dict[str, Any] | None = None
    active: bool | None = None
    status: str | None = None


class Session(Seen):
    """What createSession and refreshSession answer."""

    accessJwt: _Token
    refreshJwt: _Token


class Kept(BaseModel):
    """A session as the keyring has it, with the one PDS that it may be sent to."""

    pds: str
    accessJwt: _Token
    refreshJwt: _Token


class Login:
    """The session: made when first needed, refreshed when the server says so.

    Where the app password lies in the keyring, so does the session, for the next run: making one
    costs the server 0.4 s, and is allowed 300 times a day.
    """

    def __init__(
        self,
        identity: Identity,
        xrpc: Xrpc,
        find: Callable[[], AppPassword],
        *,
        allow_loopback: bool,
    ) -> None:
        self._identity = identity
        self._xrpc = xrpc
        self._find = find
        self._allow_loopback = allow_loopback
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._keeps = False

    def authorised(self, call: Callable[[Secret], bytes]) -> bytes:
        """Make a call with an access token; once more when that has expired. Raises Failed."""
        token = Secret(self._current().accessJwt)
        try:
            return call(token)
        except Failed as failure:
            if failure.name != "ExpiredToken" or failure.status not in {400, 401}:
                raise
        return call(Secret(self._refreshed(token).accessJwt))

    def account(self) -> Account:
        """Return who is logged in; logs in first if need be."""
        session = self._current()
        return Account(
            self._identity.did, session.handle, None if session.active else session.status
        )

    def forget(self) -> None:
        """Drop the tokens; those in the keyring stay."""
        self._session = None

    def _current(self) -> Session:
        with self._lock:
            if self._session is None:
                self._session = self._opened()
            return self._session

    def _refreshed(self, expired: Secret) -> Session:
        """Return a session whose token isn't the expired one, by whichever thread comes first."""
        with self._lock:
            if self._session is None:
                self._session = self._opened()
            elif self._session.accessJwt == expired.reveal():
                self._session = self._renewed(Secret(self._session.refreshJwt))
            return self._session

    def _opened(self) -> Session:
        password = self._found()
        self._keeps = password.source == "keyring"
        kept = self._kept() if self._keeps else None
        return self._resumed(kept) if kept else self._created(password)

    def _found(self) -> AppPassword:
        password = self._find()
        self._xrpc.hide(password.secret.reveal())
        return password

    def _kept(self) -> Kept | None:
        """Return the session of an earlier run, if it belongs to this very PDS."""
        text = credentials.kept_session(self._identity.did)
        try:
            kept = Kept.model_validate_json(text.reveal()) if text else None
        except ValidationError:
            return None
        return kept if kept and kept.pds == self._identity.pds_url else None

    def _resumed(self, kept: Kept) -> Session:
        """Return a kept session as the PDS sees it now; asking costs it 3 ms."""
        self._hide(kept)
        nsid = "com.atproto.server.getSession"
        try:
            body = self._xrpc.query(nsid, {}, Secret(kept.accessJwt))
        except Failed as failure:
            if failure.status is None or failure.status == 429 or failure.status >= 500:
                raise self._explained(failure) from failure
            return self._renewed(Secret(kept.refreshJwt))
        seen = self._xrpc.parsed(Seen, body, nsid)
        self._verify(seen)
        return Session(**seen.model_dump(), accessJwt=kept.accessJwt, refreshJwt=kept.refreshJwt)

    def _renewed(self, token: Secret) -> Session:
        """Return a refreshed session; a new one where the keyring can open that."""
        nsid = "com.atproto.server.refreshSession"
        try:
            return self._begun(nsid, lambda: self._xrpc.session(nsid, None, token))
        except Failed as failure:
            error = self._explained(failure)
            if not self._keeps or not isinstance(error, (CredentialError, RepoRefused)):
                raise error from failure
        return self._created(self._found())

    def _created(self, password: AppPassword) -> Session:
        body = Secret(
            json.dumps({"identifier": self._identity.did, "password": password.secret.reveal()})
        )
        nsid = "com.atproto.server.createSession"
        try:
            return self._begun(nsid, lambda: self._xrpc.session(nsid, body, None))
        except Failed as failure:
            raise self._explained(failure) from failure

    def _begun(self, nsid: str, call: Callable[[], bytes]) -> Session:
        """Return the session that a call answers, checked, and kept before it is used.

        A crash would lose the refresh token otherwise, which replaces the one before.
        """
        session = self._xrpc.parsed(Session, call(), nsid)
        self._hide(session)
        self._verify(session)
        if self._keeps:
            kept = Kept(
                pds=self._identity.pds_url,
                accessJwt=session.accessJwt,
                refreshJwt=session.refreshJwt,
            )
            credentials.keep_session(self._identity.did, Secret(kept.model_dump_json()))
        return session

    def _hide(self, tokens: Session | Kept) -> None:
        self._xrpc.hide(tokens.accessJwt)
        self._xrpc.hide(tokens.refreshJwt)

    def _verify(self, seen: Seen) -> None:
        """Raise IdentityError unless it is our account, and its DID document names this PDS."""
        if seen.did != self._identity.did:
            raise IdentityError(
                f"{self._xrpc.host} logged {self._xrpc.shown(seen.did)} in, "
                f"not {self._identity.did}",
                remedy="check repo and pds",
            )
        document = self._document(seen)
        if document.pds_url is None or not same_server(document.pds_url, self._identity.pds_url):
            raise IdentityError(
                f"the DID document of {self._identity.did} names another PDS "
                f"({document.pds_url or 'none'}) than {self._identity.pds_url}: nothing is written",
                remedy="correct pds, or leave it out",
            )
        if self._identity.handle is not None:
            check_handle(document, self._identity.handle)

    def _document(self, seen: Seen) -> DidDocument:
        """Return the DID document of the answer; where it has none, the one that can be fetched."""
        if seen.didDoc is None:
            return self._identity.document()
        return parse_document(
            json.dumps(seen.didDoc), self._identity.did, allow_loopback=self._allow_loopback
        )

    def _explained(self, failure: Failed) -> PublisherError:
        what = f"{self._xrpc.host} didn't log {self._identity.name} in"
        return explain(failure, what, self._identity.name)
