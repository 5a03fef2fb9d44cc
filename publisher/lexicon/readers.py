"""What known readers drop or don't show of records that their lexicon allows. Pure.

Bluesky pairs a document with its publication by the exact AT-URI; Leaflet holds records against an
older copy of the lexicons, whose limits were lower.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from publisher.findings import Finding, pointer_to
from publisher.lexicon.compile import count_graphemes

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
        return list(_bluesky(value)) if collection == "site.standard.document" else []
    if reader == "leaflet":
        limits = _LEAFLET_LIMITS.get(collection, ())
        return [found for limit in limits for found in _too_much(value, *limit)]
    raise ValueError(f"{reader!r} is no reader; known are {', '.join(READERS)}")


def _bluesky(value: Mapping[str, object]) -> Iterator[Finding]:
    site = value.get("site")
    if isinstance(site, str) and not site.startswith("at://"):
        message = "the site is no publication, so posts get a plain card"
        remedy = "publish a site.standard.publication, and write its at:// URI"
        yield _warning("/site", "bluesky-card", message, remedy)
    elif isinstance(site, str) and not site.startswith("at://did:"):
        message = "the publication is named by a handle, so it isn't found"
        yield _warning("/site", "bluesky-card", message, "write at://did:… instead of the handle")
    if value.get("title") == "":
        yield _warning("/title", "bluesky-card", "without a title there is no card", "add one")
    if not value.get("textContent"):
        message = "without textContent there is no reading time"
        yield _warning("", "bluesky-reading-time", message, "add the plain text")


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


def _warning(pointer: str, code: str, message: str, remedy: str) -> Finding:
    return Finding(pointer, code, message, "warning", remedy)
