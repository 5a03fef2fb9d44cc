"""From a handle or DID to the PDS that holds the repo, and the key that signs it.

Sources: the AT Protocol specifications of DIDs and handles. A handle counts only if the DID
document names it as well.
"""

from publisher.identity.account import PLC, Identity, resolve
from publisher.identity.documents import DidDocument, check_handle, parse_document, same_server
from publisher.identity.handles import lookup_txt

__all__ = [
    "PLC",
    "DidDocument",
    "Identity",
    "check_handle",
    "lookup_txt",
    "parse_document",
    "resolve",
    "same_server",
]
