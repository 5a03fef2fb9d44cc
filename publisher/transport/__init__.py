"""The one way to the network: a guarded transport over http.client, under the SDK's client too.

It refuses what a hostile or broken server could use against us: redirects (they would carry
credentials elsewhere), addresses that aren't public (a name that points into the local network),
plain http, encoded bodies (194 KB of gzip have become 200 MB), endless bodies and endless waiting.
Proxies and credentials from the environment (HTTP_PROXY, .netrc) are not used: a proxy would
resolve names out of sight of the address check.
"""

from publisher.transport.bare_httpx import httpx
from publisher.transport.clock import TransportError
from publisher.transport.guarded import (
    USER_AGENT,
    GuardedTransport,
    Limits,
    open_client,
    transport_for,
)
from publisher.transport.origins import InvalidOrigin, is_loopback, is_public, parse_origin

__all__ = [
    "USER_AGENT",
    "GuardedTransport",
    "InvalidOrigin",
    "Limits",
    "TransportError",
    "httpx",
    "is_loopback",
    "is_public",
    "open_client",
    "parse_origin",
    "transport_for",
]
