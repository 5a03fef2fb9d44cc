"""How records name their site, alone and beside the publications of the same folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from publisher.data import Value
from publisher.findings import Finding
from publisher.quality.rule import odd, short

PUBLICATION = "site.standard.publication"


def naming(value: Mapping[str, Value], field: str) -> Iterator[Finding]:
    """Yield what is odd about a document's `site`, a publication's `url`."""
    site = value.get(field)
    if not isinstance(site, str):
        return
    pointer = f"/{field}"
    if site.endswith("/"):
        message = f"{short(site)} ends in a slash, which doubles in every address"
        yield odd(pointer, "site-slash", message, f"write {site.rstrip('/')}")
    if site.startswith("at://"):
        yield from _uri(site, pointer)
    elif site.startswith("http://"):
        message = f"{short(site)} is not https, which readers take for another site"
        yield odd(pointer, "site-http", message, f"write https://{site[7:]}")


def _uri(site: str, pointer: str) -> Iterator[Finding]:
    authority, _, path = site[5:].partition("/")
    if not authority.startswith("did:"):
        message = f"{short(site)} names a handle; readers compare it with the DID, and fail"
        yield odd(pointer, "site-handle", message, "write at://did:… with the account's DID")
    collection, _, rkey = path.rstrip("/").partition("/")
    if collection != PUBLICATION or not rkey:
        message = f"{short(site)} is the URI of no {PUBLICATION}"
        yield odd(pointer, "site-collection", message, f"write at://did:…/{PUBLICATION}/rkey")


def address(url: str) -> str:
    """Return the form in which two addresses are one: scheme and host in lower case, no last /."""
    scheme, mark, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme.lower()}{mark}{host.lower()}{slash}{path}".rstrip("/")


def loose(site: Value, publications: Mapping[str, Sequence[str]]) -> list[Finding]:
    """Return whether a document stands alone though its site has a publication.

    `publications` are those that are here: their `address`, with the keys of their files.
    """
    if not isinstance(site, str) or address(site) not in publications:
        return []
    keys = ", ".join(publications[address(site)])
    message = f"site is {short(site)}, whose publication is here ({keys})"
    remedy = "write the publication's at:// URI, so that readers show the two together"
    return [odd("/site", "site-loose", message, remedy)]


def twice(url: Value, key: str, publications: Mapping[str, Sequence[str]]) -> list[Finding]:
    """Return whether a publication, in the file `key`, has the address of another one here."""
    known = publications.get(address(url), ()) if isinstance(url, str) else ()
    others = ", ".join(other for other in known if other != key)
    if not others:
        return []
    message = f"{others} has this address too, and readers show only one of them"
    return [odd("/url", "publication-twice", message, "keep the older one, and remove the other")]
