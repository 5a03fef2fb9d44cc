"""What known readers drop or don't show of records that their lexicon allows. Pure.

Bluesky pairs a document with its publication by the exact AT-URI, and with posts by the address
(scheme, host and path of the publication's `url` and the document's `path`); it counts the words of
textContent. Leaflet holds records against an older copy of the lexicons, whose limits were lower,
and looks for the publication in the document's own repo.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from publisher.findings import Finding, pointer_to
from publisher.lexicon.leaves import count_graphemes

READERS = ("bluesky", "leaflet")

_LEAFLET_LIMITS = {
    "site.standard.document": (("tags", 100, 50),),
    "site.standard.publication": (("name", 1280, 128), ("description", 3000, 300)),
}
"""Fields with their most bytes and graphemes."""


def findings(value: Mapping[str, object], collection: str, reader: str) -> list[Finding]:
    """Return what `reader` would drop or not show of a record, as warnings.

    Any value is taken, one with faults too. Raises ValueError for an unknown reader.
    """
    if reader == "bluesky":
        found = _BLUESKY.get(collection)
        return list(found(value)) if found else []
    if reader == "leaflet":
        limits = _LEAFLET_LIMITS.get(collection, ())
        return [found for limit in limits for found in _too_much(value, *limit)]
    raise ValueError(f"{reader!r} is no reader; known are {', '.join(READERS)}")


def _bluesky_document(value: Mapping[str, object]) -> Iterator[Finding]:
    site, path = value.get("site"), value.get("path")
    if isinstance(site, str) and (reason := _unpaired(site)):
        remedy = "publish a site.standard.publication, and write its at://did:… URI as it is"
        yield _warning("/site", "bluesky-card", f"{reason}, so posts get a plain card", remedy)
    if value.get("title") == "":
        yield _warning("/title", "bluesky-card", "without a title there is no card", "add one")
    if not path:
        message = "without a path only posts of the site's front page are matched"
        yield _warning("", "bluesky-card", message, "add the page's path")
    elif isinstance(path, str) and ("?" in path or "#" in path):
        message = "posts are matched without query and fragment: another page may be taken"
        yield _warning("/path", "bluesky-card", message, "give the document a path of its own")
    text = value.get("textContent")
    if not isinstance(text, str) or not text.strip():
        message = "without words in textContent there is no reading time"
        pointer = "/textContent" if "textContent" in value else ""
        yield _warning(pointer, "bluesky-reading-time", message, "add the plain text")


def _unpaired(site: str) -> str | None:
    """Return why a site isn't a publication's AT-URI, character for character; None if it is."""
    if not site.startswith("at://"):
        return "the site is no publication"
    if not site.startswith("at://did:"):
        return "the publication is named by a handle"
    if site.endswith("/"):
        return "the publication's URI ends in a slash"
    _did, _, record = site[5:].partition("/")
    collection, _, rkey = record.partition("/")
    if collection != "site.standard.publication" or not rkey:
        return "the site is the URI of no publication"
    return None


def _bluesky_publication(value: Mapping[str, object]) -> Iterator[Finding]:
    url = value.get("url")
    if not isinstance(url, str):
        return
    if url.startswith("http://"):
        message = "posts that link to https are another site's"
        yield _warning("/url", "bluesky-card", message, f"write https://{url[7:]}")
    if "?" in url or "#" in url:
        message = "posts are matched without query and fragment, and the paths behind them"
        yield _warning("/url", "bluesky-card", message, "write the address alone")


_BLUESKY = {
    "site.standard.document": _bluesky_document,
    "site.standard.publication": _bluesky_publication,
}


def _too_much(
    value: Mapping[str, object], field: str, most_bytes: int, most_graphemes: int
) -> Iterator[Finding]:
    held = value.get(field)
    items = enumerate(held) if isinstance(held, list) else [(None, held)]
    for index, text in items:
        if not isinstance(text, str):
            continue
        size, count = len(text.encode("utf-8", "surrogatepass")), count_graphemes(text)
        if size > most_bytes or count > most_graphemes:
            pointer = pointer_to(field) if index is None else pointer_to(field, index)
            message = (
                f"has {count:,} graphemes in {size:,} bytes; a record with more than"
                f" {most_graphemes:,} or {most_bytes:,} is dropped"
            )
            yield _warning(pointer, "leaflet-limit", message, "shorten it")


def elsewhere(site: object, repo: str | None) -> list[Finding]:
    """Return whether Leaflet misses the publication of a document in the repo of this DID."""
    if not (isinstance(site, str) and site.startswith("at://did:") and repo):
        return []
    owner = site[5:].partition("/")[0]
    if not repo.startswith("did:") or owner == repo:
        return []
    message = f"the publication is {owner}'s, and Leaflet looks for it in {repo}"
    return [_warning("/site", "leaflet-repo", message, "keep the two in one repo")]


def _warning(pointer: str, code: str, message: str, remedy: str) -> Finding:
    return Finding(pointer, code, message, "warning", remedy)
