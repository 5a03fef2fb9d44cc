"""From a handle to its DID: asked of the PDS, DNS and HTTPS.

dnspython is imported when a name is looked up, which most runs never do.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from pydantic import BaseModel

from publisher.errors import IdentityError
from publisher.identity.network import Network, parse, short
from publisher.syntax import Did, Handle, InvalidSyntax, parse_did
from publisher.transport import TransportError

_DNS_SECONDS = 4.0
_NOT_PUBLIC = (".test", ".local", ".invalid", ".localhost", ".onion")


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


class _Resolved(BaseModel):
    did: str


@dataclass(frozen=True, slots=True)
class _Reason:
    text: str


def resolve_handle(handle: Handle, network: Network) -> Did:
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


def _ask_pds(handle: Handle, network: Network) -> str | _Reason:
    url = f"{network.pds}/xrpc/com.atproto.identity.resolveHandle?handle={quote(handle)}"
    try:
        answer = network.get(url)
    except TransportError as error:
        raise IdentityError(
            f"{handle} can't be resolved: {error.message}", remedy="check pds, or try again later"
        ) from error
    if answer.status_code != 200:
        return _Reason(f"{network.pds} doesn't know it ({answer.status_code})")
    return parse(_Resolved, answer.content, f"what {network.pds} answered for {handle}").did


def _ask_dns(handle: Handle, network: Network) -> str | _Reason:
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


def _ask_https(handle: Handle, network: Network) -> str | _Reason:
    try:
        answer = network.get(f"https://{handle}/.well-known/atproto-did")
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
            f"{handle} leads to {short(text)!r}, which {error}",
            remedy=f"correct what DNS or HTTPS answers for {handle}",
        ) from error
