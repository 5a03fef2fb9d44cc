"""The account behind a name: its DID, its PDS, its DID document when that is needed."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field

from publisher.errors import IdentityError
from publisher.identity.documents import DidDocument, document_url, fetch_document
from publisher.identity.handles import lookup_txt, resolve_handle
from publisher.identity.network import Network, short
from publisher.syntax import Did, Handle, InvalidSyntax, parse_did, parse_handle
from publisher.transport import GuardedTransport, InvalidOrigin, open_client, parse_origin

PLC = "https://plc.directory"


@dataclass(frozen=True, slots=True)
class Identity:
    """An account: who it is, and the origin of the PDS that its repo is read from.

    `handle` is the one that was asked for; None when a DID was. `document` fetches the DID
    document, once, and raises IdentityError; where `pds` was given, nothing is fetched before.
    `fetched` fetches it anew.
    """

    did: Did
    handle: Handle | None
    pds_url: str
    document: Callable[[], DidDocument] = field(repr=False, compare=False)
    fetched: Callable[[], DidDocument] | None = field(default=None, repr=False, compare=False)

    @property
    def name(self) -> str:
        """How messages call the account: its handle, or its DID."""
        return self.handle or self.did

    def signing_key(self, *, afresh: bool = False) -> str:
        """Return the did:key that signs the repo's commits. Raises IdentityError."""
        document = self.fetched if afresh and self.fetched else self.document
        key = document().signing_key
        if key is None:
            raise IdentityError(
                f"the DID document of {self.did} names no #atproto key",
                remedy="ask whoever keeps the DID document to add a Multikey #atproto",
            )
        return key


def resolve(
    repo: str,
    *,
    pds: str | None,
    plc: str = PLC,
    transport: GuardedTransport,
    lookup_txt: Callable[[str], list[str]] = lookup_txt,
) -> Identity:
    """Find the account behind a handle or DID, and its PDS.

    `pds` and `plc` are URLs that the user typed; make the transport with `transport_for(pds, plc)`.
    With `pds`, that is where the repo is read, and only a handle costs a request. Raises
    IdentityError, and closes the transport's connections then.
    """
    network = Network(
        open_client(transport),
        _typed_origin("pds", pds) if pds else None,
        _typed_origin("plc", plc),
        transport.allow_private,
        lookup_txt,
    )
    try:
        return _resolve(repo, network)
    except IdentityError:
        transport.close()
        raise


def _resolve(repo: str, network: Network) -> Identity:
    did, handle = _parse_repo(repo), None
    if did is None:
        handle = _parse_handle(repo)
        did = resolve_handle(handle, network)
    url = document_url(did, network)
    fetched = functools.partial(fetch_document, did, handle, url, network)
    document = functools.cache(fetched)
    return Identity(did, handle, network.pds or _pds_of(document()), document, fetched)


def _parse_repo(repo: str) -> Did | None:
    if not repo.startswith("did:"):
        return None
    if repo.startswith("did:key:"):
        raise IdentityError(
            f"{short(repo)} is a key, which no server can be found by",
            remedy="name a repo in a folder as folder:PATH",
        )
    try:
        return parse_did(repo)
    except InvalidSyntax as error:
        raise IdentityError(f"{short(repo)} {error}", remedy="correct the repo") from error


def _parse_handle(repo: str) -> Handle:
    try:
        return parse_handle(repo)
    except InvalidSyntax as error:
        raise IdentityError(
            f"{short(repo)} {error}",
            remedy="write a handle like alice.example, a DID, or folder:PATH",
        ) from error


def _typed_origin(key: str, url: str) -> str:
    try:
        return parse_origin(url, allow_loopback=True)
    except InvalidOrigin as error:
        raise IdentityError(
            f"{key} = {short(url)} {error}", remedy=f"write {key} as https://host"
        ) from error


def _pds_of(document: DidDocument) -> str:
    if document.pds_url is None:
        raise IdentityError(
            f"the DID document of {document.did} names no PDS",
            remedy="the account has no repo, or set pds to where it is",
        )
    return document.pds_url
