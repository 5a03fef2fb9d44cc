"""A repo on a PDS, over XRPC. Nothing outside this package imports `atproto_client`."""

from publisher.pds.repo import PdsRepo, login
from publisher.pds.session import Account

__all__ = ["Account", "PdsRepo", "login"]
