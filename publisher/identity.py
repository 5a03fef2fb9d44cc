"""From a handle or DID to the PDS that holds the repo, and the key that signs it.

Sources: the AT Protocol specifications of DIDs and handles. A handle counts only if the DID
document names it as well. dnspython is imported when a name is looked up, which most runs never do.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from publisher.errors import IdentityError
from publisher.syntax import Did, Handle, InvalidSyntax, parse_did, parse_handle
from publisher.transport import (
    GuardedTransport,
    InvalidOrigin,
    Limits,
    TransportError,
    is_loopback,
    open_client,
    parse_origin,
)

PLC = "https://plc.directory"

_DNS_SECONDS = 4.0
_LIMITS = Limits(max_bytes=256 * 1024, seconds=15.0)
_PLC_DID = re.compile(r"did:plc:[a-z2-7]{24}")
_WEB_LOCAL = re.compile(r"localhost%3A([1-9][0-9]{0,4})")
_MULTIBASE_KEY = re.compile(r"z[1-9A-HJ-NP-Za-km-z]{40,64}")
_NOT_PUBLIC = (".test", ".local", ".invalid", ".localhost", ".onion")
_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class DidDocument:
    """What this program needs from a DID document; `signing_key` is a did:key."""

    did: Did
    handles: tuple[Handle, ...]
    pds_url: str | None
    signing_key: str | None


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


@dataclass(frozen=True, slots=True)
class _Network:
    client: httpx.Client
    pds: str | None
    plc: str
    allow_private: bool
    lookup_txt: Callable[[str], list[str]]


class _ServiceEntry(BaseModel):
    id: str
    type: object = None
    serviceEndpoint: object = None


class _KeyEntry(BaseModel):
    id: str
    type: object = None
    controller: object = None
    publicKeyMultibase: object = None


class _Document(BaseModel):
    id: str
    alsoKnownAs: list[str] | None = None
    verificationMethod: list[_KeyEntry] | None = None
    service: list[_ServiceEntry] | None = None


class _Resolved(BaseModel):
    did: str


def lookup_txt(name: str) -> list[str]:
    """Return the TXT records of a DNS name, none if it has none. Raises OSError on a failure."""
    import dns.exception
    import dns.resolver

    try:
        answer = dns.resolver.resolve(name, "TXT", lifetime=_DNS_SECONDS)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
    except dns.exception.DNSException as error:
        raise OSError(type(error).__name__) from error
    return [b"".join(record.strings).decode("utf-8", "replace") for record in answer]


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
    network = _Network(
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


def _resolve(repo: str, network: _Network) -> Identity:
    did, handle = _parse_repo(repo), None
    if did is None:
        handle = _parse_handle(repo)
        did = _resolve_handle(handle, network)
    url = _document_url(did, network)
    fetched = functools.partial(_fetch_document, did, handle, url, network)
    document = functools.cache(fetched)
    return Identity(did, handle, network.pds or _pds_of(document()), document, fetched)


def parse_document(text: bytes | str, did: Did, *, allow_loopback: bool) -> DidDocument:
    """Read a DID document (JSON), which must be that of `did`. Raises IdentityError.

    A PDS on this machine is refused unless `allow_loopback`.
    """
    document = _parse(_Document, text, f"the DID document of {did}")
    if document.id != did:
        raise IdentityError(
            f"the DID document of {did} is that of another DID ({_short(document.id)})",
            remedy="don't trust whoever answered; check the DID and the plc directory",
        )
    return DidDocument(
        did,
        tuple(_handles(document)),
        _endpoint(document, did, allow_loopback=allow_loopback),
        _key(document, did),
    )


def check_handle(document: DidDocument, handle: Handle) -> None:
    """Make sure that the DID document names the handle. Raises IdentityError."""
    if handle not in document.handles:
        named = ", ".join(document.handles) or "none"
        raise IdentityError(
            f"{handle} leads to {document.did}, whose DID document names another handle ({named})",
            remedy="correct the handle, or use the DID as repo",
        )


def same_server(one: str, other: str) -> bool:
    """Tell whether two origins are one PDS: the same host; on loopback, the same port."""
    first, second = httpx.URL(one), httpx.URL(other)
    if is_loopback(one) and is_loopback(other):
        return (first.scheme, first.port) == (second.scheme, second.port)
    return first.host == second.host


def _parse_repo(repo: str) -> Did | None:
    if not repo.startswith("did:"):
        return None
    if repo.startswith("did:key:"):
        raise IdentityError(
            f"{_short(repo)} is a key, which no server can be found by",
            remedy="name a repo in a folder as folder:PATH",
        )
    try:
        return parse_did(repo)
    except InvalidSyntax as error:
        raise IdentityError(f"{_short(repo)} {error}", remedy="correct the repo") from error


def _parse_handle(repo: str) -> Handle:
    try:
        return parse_handle(repo)
    except InvalidSyntax as error:
        raise IdentityError(
            f"{_short(repo)} {error}",
            remedy="write a handle like alice.example, a DID, or folder:PATH",
        ) from error


def _typed_origin(key: str, url: str) -> str:
    try:
        return parse_origin(url, allow_loopback=True)
    except InvalidOrigin as error:
        raise IdentityError(
            f"{key} = {_short(url)} {error}", remedy=f"write {key} as https://host"
        ) from error


def _resolve_handle(handle: Handle, network: _Network) -> Did:
    """Ask the PDS, then DNS, then HTTPS; the first that knows the handle decides."""
    ways = [_ask_pds] if network.pds else []
    if not handle.endswith(_NOT_PUBLIC):
        ways += [_ask_dns, _ask_https]
    elif not ways:
        raise IdentityError(
            f"{handle} isn't a public name: only its PDS can resolve it",
            remedy="give the PDS (pds in publisher.toml, or --pds)",
        )
    reasons = []
    for way in ways:
        found = way(handle, network)
        if isinstance(found, _Reason):
            reasons.append(found.text)
        else:
            return _resolved_did(handle, found)
    raise IdentityError(
        f"{handle} can't be resolved: {'; '.join(reasons)}",
        remedy="check the spelling, or use the DID as repo",
    )


@dataclass(frozen=True, slots=True)
class _Reason:
    text: str


def _ask_pds(handle: Handle, network: _Network) -> str | _Reason:
    url = f"{network.pds}/xrpc/com.atproto.identity.resolveHandle?handle={quote(handle)}"
    try:
        answer = _get(url, network)
    except TransportError as error:
        raise IdentityError(
            f"{handle} can't be resolved: {error.message}", remedy="check pds, or try again later"
        ) from error
    if answer.status_code != 200:
        return _Reason(f"{network.pds} doesn't know it ({answer.status_code})")
    return _parse(_Resolved, answer.content, f"what {network.pds} answered for {handle}").did


def _ask_dns(handle: Handle, network: _Network) -> str | _Reason:
    try:
        records = network.lookup_txt(f"_atproto.{handle}")
    except OSError as error:
        return _Reason(f"DNS failed ({error})")
    dids = {record.removeprefix("did=") for record in records if record.startswith("did=")}
    if len(dids) > 1:
        raise IdentityError(
            f"DNS names {len(dids)} different DIDs for {handle}",
            remedy=f"leave one TXT record at _atproto.{handle}",
        )
    return dids.pop() if dids else _Reason(f"DNS has no TXT record at _atproto.{handle}")


def _ask_https(handle: Handle, network: _Network) -> str | _Reason:
    try:
        answer = _get(f"https://{handle}/.well-known/atproto-did", network)
    except TransportError as error:
        return _Reason(f"HTTPS failed ({error.message})")
    if answer.status_code != 200:
        return _Reason(f"HTTPS has no /.well-known/atproto-did ({answer.status_code})")
    return answer.content.decode("utf-8", "replace").strip()


def _resolved_did(handle: Handle, text: str) -> Did:
    try:
        return parse_did(text)
    except InvalidSyntax as error:
        raise IdentityError(
            f"{handle} leads to {_short(text)!r}, which {error}",
            remedy=f"correct what DNS or HTTPS answers for {handle}",
        ) from error


def _document_url(did: Did, network: _Network) -> str:
    """Return where the DID document is; refuses every DID that could lead elsewhere."""
    if _PLC_DID.fullmatch(did):
        return f"{network.plc}/{did}"
    method, host = did.split(":", 2)[1:]
    if method == "web":
        return f"{_web_origin(did, host, network)}/.well-known/did.json"
    raise IdentityError(
        f"{_short(did)} is no DID of a repo"
        + (" (did:plc: has 24 of a-z and 2-7)" if method == "plc" else ""),
        remedy="use a did:plc or did:web, or a handle",
    )


def _web_origin(did: Did, host: str, network: _Network) -> str:
    local = _WEB_LOCAL.fullmatch(host)
    if local and network.allow_private and int(local[1]) < 1 << 16:
        return f"http://localhost:{local[1]}"
    try:
        return f"https://{parse_handle(host)}"
    except InvalidSyntax as error:
        raise IdentityError(
            f"{_short(did)} isn't a did:web as AT Protocol allows it: a domain name, "
            "no port, no path, no address",
            remedy="correct the repo",
        ) from error


def _fetch_document(did: Did, handle: Handle | None, url: str, network: _Network) -> DidDocument:
    try:
        answer = _get(url, network)
    except TransportError as error:
        raise IdentityError(
            f"the DID document of {did} can't be fetched: {error.message}",
            remedy="check plc, or try again later",
        ) from error
    if answer.status_code != 200:
        raise IdentityError(
            f"{answer.url.host} has no DID document of {did} ({answer.status_code})",
            remedy="check the DID; for a test network, set plc",
        )
    document = parse_document(answer.content, did, allow_loopback=network.allow_private)
    if handle is not None:
        check_handle(document, handle)
    return document


def _pds_of(document: DidDocument) -> str:
    if document.pds_url is None:
        raise IdentityError(
            f"the DID document of {document.did} names no PDS",
            remedy="the account has no repo, or set pds to where it is",
        )
    return document.pds_url


def _handles(document: _Document) -> list[Handle]:
    found = []
    for name in document.alsoKnownAs or []:
        try:
            found.append(parse_handle(name.removeprefix("at://")))
        except InvalidSyntax:
            continue  # also known as something that is no handle: allowed, and nothing to us
    return found


def _endpoint(document: _Document, did: Did, *, allow_loopback: bool) -> str | None:
    for service in document.service or []:
        if service.id in {"#atproto_pds", f"{did}#atproto_pds"}:
            return _service_origin(service, did, allow_loopback=allow_loopback)
    return None


def _service_origin(service: _ServiceEntry, did: Did, *, allow_loopback: bool) -> str:
    url = service.serviceEndpoint
    which = f"the PDS in the DID document of {did} ({_short(str(url))})"
    if service.type != "AtprotoPersonalDataServer" or not isinstance(url, str):
        raise IdentityError(
            f"{which} is no AtprotoPersonalDataServer with a URL",
            remedy="correct the DID document",
        )
    try:
        return parse_origin(url, allow_loopback=allow_loopback)
    except InvalidOrigin as error:
        raise IdentityError(
            f"{which} {error}",
            remedy="correct the DID document; a PDS on this machine needs pds or plc set to it",
        ) from error


def _key(document: _Document, did: Did) -> str | None:
    for method in document.verificationMethod or []:
        if method.id in {"#atproto", f"{did}#atproto"}:
            key = method.publicKeyMultibase
            usable = method.type == "Multikey" and method.controller == did
            if usable and isinstance(key, str) and _MULTIBASE_KEY.fullmatch(key):
                return f"did:key:{key}"
            return None
    return None


def _get(url: str, network: _Network) -> httpx.Response:
    return network.client.get(url, extensions={"limits": _LIMITS})


def _parse(model: type[_Model], text: bytes | str, what: str) -> _Model:
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise IdentityError(
            f"{what} can't be read: {error.errors(include_input=False)[0]['msg']}",
            remedy="check pds and plc, or try again later",
        ) from error


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "…"
