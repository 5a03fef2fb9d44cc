"""Where a URL leads: which origins are talked to, and which addresses are public."""

from __future__ import annotations

import ipaddress
import re
from typing import TypeAlias

from publisher.transport.bare_httpx import httpx

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_LOCAL = tuple(
    ipaddress.ip_network(text)
    for text in (
        *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
        *("::1/128", "fc00::/7"),
    )
)
_UNICAST6 = ipaddress.IPv6Network("2000::/3")
# Special ranges of IANA's registry inside 2000::/3; not every Python 3.11 knows them all.
_SPECIAL6 = tuple(
    ipaddress.IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_HOST = re.compile(rb"[A-Za-z0-9.-]+|[0-9A-Fa-f:.]+")


class InvalidOrigin(ValueError):
    """A URL that is no origin we would talk to; its message is the reason."""


def parse_origin(url: str, *, allow_loopback: bool) -> str:
    """Return 'https://host' (or with ':port') of a URL that has no path, query or user.

    With `allow_loopback`, http is fine on this machine. Raises InvalidOrigin.
    """
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise InvalidOrigin("is no URL") from error
    local = is_loopback(url)
    if not _HOST.fullmatch(parsed.raw_host) or parsed.scheme not in {"https", "http"}:
        raise InvalidOrigin("is no URL like https://pds.example")
    if local and not allow_loopback:
        raise InvalidOrigin("points to this machine")
    if parsed.scheme == "http" and not local:
        raise InvalidOrigin("isn't https")
    if parsed.port is not None and not 0 < parsed.port < 1 << 16:
        raise InvalidOrigin("is no URL like https://pds.example")
    if parsed.userinfo or parsed.query or parsed.fragment or parsed.path != "/" or "?" in url:
        raise InvalidOrigin("has more than a scheme, a host and a port")
    return f"{parsed.scheme}://{parsed.netloc.decode('ascii')}"


def is_loopback(url: str | httpx.URL) -> bool:
    """Tell whether the host of a URL is this machine by its name ('localhost') or address."""
    try:
        host = httpx.URL(url).host.lower()
    except httpx.InvalidURL:
        return False
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_public(address: Address) -> bool:
    """Tell whether an address belongs to the public internet, by IANA's registries."""
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_global and not address.is_multicast and not address.is_reserved
    if address in _NAT64:
        return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return (
        address in _UNICAST6
        and address.is_global
        and not any(address in network for network in _SPECIAL6)
    )


def is_local(address: Address) -> bool:
    """Tell whether an address belongs to this machine or to a private network."""
    return any(address in network for network in _LOCAL)
