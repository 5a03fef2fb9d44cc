"""DID documents: where each lies, and what of one counts."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pydantic import BaseModel

from publisher.errors import IdentityError
from publisher.identity.network import Network, parse, short
from publisher.syntax import Did, Handle, InvalidSyntax, parse_handle
from publisher.transport import InvalidOrigin, TransportError, httpx, is_loopback, parse_origin

_PLC_DID = re.compile(r"did:plc:[a-z2-7]{24}")
_WEB_LOCAL = re.compile(r"localhost%3A([1-9][0-9]{0,4})")
_MULTIBASE_KEY = re.compile(r"z[1-9A-HJ-NP-Za-km-z]{40,64}")


@dataclass(frozen=True, slots=True)
class DidDocument:
    """What this program needs from a DID document; `signing_key` is a did:key."""

    did: Did
    handles: tuple[Handle, ...]
    pds_url: str | None
    signing_key: str | None


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


def document_url(did: Did, network: Network) -> str:
    """Return where the DID document is; refuses every DID that could lead elsewhere."""
    if _PLC_DID.fullmatch(did):
        return f"{network.plc}/{did}"
    method, host = did.split(":", 2)[1:]
    if method == "web":
        return f"{_web_origin(did, host, network)}/.well-known/did.json"
    raise IdentityError(
        f"{short(did)} is no DID of a repo"
        + (" (did:plc: has 24 of a-z and 2-7)" if method == "plc" else ""),
        remedy="use a did:plc or did:web, or a handle",
    )


def _web_origin(did: Did, host: str, network: Network) -> str:
    local = _WEB_LOCAL.fullmatch(host)
    if local and network.allow_private and int(local[1]) < 1 << 16:
        return f"http://localhost:{local[1]}"
    try:
        return f"https://{parse_handle(host)}"
    except InvalidSyntax as error:
        raise IdentityError(
            f"{short(did)} isn't a did:web as AT Protocol allows it: a domain name, "
            "no port, no path, no address",
            remedy="correct the repo",
        ) from error


def fetch_document(did: Did, handle: Handle | None, url: str, network: Network) -> DidDocument:
    """Fetch a DID document, which must name the handle that led to it. Raises IdentityError."""
    try:
        answer = network.get(url)
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


def parse_document(text: bytes | str, did: Did, *, allow_loopback: bool) -> DidDocument:
    """Read a DID document (JSON), which must be that of `did`. Raises IdentityError.

    A PDS on this machine is refused unless `allow_loopback`.
    """
    document = parse(_Document, text, f"the DID document of {did}")
    if document.id != did:
        raise IdentityError(
            f"the DID document of {did} is that of another DID ({short(document.id)})",
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
    which = f"the PDS in the DID document of {did} ({short(str(url))})"
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
