"""What is odd about a record though its lexicon allows it: docs/rules.md has each rule.

Pure but for covers, whose bytes are given. Sources: the descriptions in the site.standard lexicons,
and what readers do with such records.
"""

from __future__ import annotations

import difflib
import io
import re
import struct
import warnings
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache

from publisher import syntax
from publisher.data import Value
from publisher.documents import DOCUMENT
from publisher.findings import RULES, Finding, pointer_to

PUBLICATION = "site.standard.publication"

_FIELDS = {
    DOCUMENT: frozenset(
        {
            *("bskyPostRef", "content", "contributors", "coverImage", "description", "labels"),
            *("links", "path", "publishedAt", "site", "tags", "textContent", "title", "updatedAt"),
        }
    ),
    PUBLICATION: frozenset(
        {
            *("basicTheme", "description", "icon", "labels", "name", "preferences", "theme", "url"),
        }
    ),
}
_MARKUP = re.compile(
    r"</[a-zA-Z][a-zA-Z0-9]*>|<(?:a|br|div|em|h[1-6]|img|li|p|span|strong|ul)(?:\s[^<>]*)?/?>"
    r"|^#{1,6} \S|^(?:```|~~~)|!?\[[^\]\n]*\]\([^)\s]+\)|\*\*[^\s*][^*\n]*\*\*"
    r"|\{\{[<%]|\{%-? *[a-z][^%\n]*%\}",
    re.MULTILINE,
)
_SQUATTED = frozenset({"site.standard.content.markdown", "site.standard.content.html"})
_LEAST_COVER = (600, 315)
_LEAST_ICON = 256
_UNREADABLE = (OSError, ValueError, SyntaxError, LookupError, TypeError, Warning, struct.error)
_GPS = 0x8825  # the EXIF tag of the part that holds a position


def check(value: Mapping[str, Value], *, now: datetime) -> list[Finding]:
    """Return what is odd about a document's or publication's record; nothing about others."""
    match value.get("$type"):
        case "site.standard.document":
            found = [*_document(value), *_dates(value, now), *_content(value)]
        case "site.standard.publication":
            found = [*_address(value, "url"), *_missing(value, "description", "icon")]
        case _:
            return []
    return [*found, *_misspelt(value)]


def cover(content: bytes, pointer: str) -> list[Finding]:
    """Return what is odd about the image of a cover or (`/icon`) a publication's icon."""
    from PIL import Image  # here, because most records have none

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(io.BytesIO(content)) as image:
                width, height = image.size
                position = bool(image.getexif().get_ifd(_GPS))
    except (Image.DecompressionBombError, *_UNREADABLE):
        return []  # that it is no image, or too large a one, is told elsewhere
    found = list(_size(width, height, pointer))
    if position:
        message = "the image tells where it was taken (EXIF position), and everybody can read it"
        found.append(_odd(pointer, "cover-position", message, "remove the metadata"))
    return found


def loose(site: Value, urls: Mapping[str, str]) -> list[Finding]:
    """Return whether a document stands alone though its site has a publication.

    `urls` are the addresses of the publications that are here, with the name of each one's file.
    """
    if not isinstance(site, str) or site.rstrip("/") not in urls:
        return []
    message = f"site is {_short(site)}, whose publication is here ({urls[site.rstrip('/')]})"
    remedy = "write the publication's at:// URI, so that readers show the two together"
    return [_odd("/site", "site-loose", message, remedy)]


def _odd(pointer: str, code: str, message: str, remedy: str) -> Finding:
    usual = RULES[code].severity
    return Finding(pointer, code, message, "info" if usual == "off" else usual, remedy)


def _short(text: str) -> str:
    shown = repr(text)
    return shown if len(shown) <= 40 else shown[:36] + "…" + shown[-1]


def _document(value: Mapping[str, Value]) -> Iterator[Finding]:
    yield from _address(value, "site")
    yield from _missing(value, "description", "textContent", "coverImage")
    path, text, tags = value.get("path"), value.get("textContent"), value.get("tags")
    if isinstance(path, str) and not path.startswith("/"):
        yield _odd("/path", "path-slash", f"{_short(path)} has no leading slash", f"write /{path}")
    if isinstance(text, str) and (match := _MARKUP.search(text)):
        message = f"has markup, which readers show as it is: {_short(match[0])}"
        yield _odd("/textContent", "text-markup", message, "write plain text; count what is read")
    for index, tag in enumerate(tags if isinstance(tags, list) else []):
        if isinstance(tag, str) and (tag.startswith("#") or tag != tag.strip() or "<" in tag):
            plain = re.sub(r"<[^>]*>", "", tag).strip().lstrip("#")
            message = f"{_short(tag)} has more than the tag's words"
            yield _odd(f"/tags/{index}", "tag-markup", message, f"write {plain}")
    if isinstance(value.get("links"), list):
        message = "is an array, though the lexicon has one object here; its description is wrong"
        yield _odd("/links", "links-array", message, "write one object with a $type, or none")


def _address(value: Mapping[str, Value], field: str) -> Iterator[Finding]:
    site = value.get(field)
    if not isinstance(site, str):
        return
    pointer = pointer_to(field)
    if site.endswith("/"):
        message = f"{_short(site)} ends in a slash, which doubles in every address"
        yield _odd(pointer, "site-slash", message, f"write {site.rstrip('/')}")
    if site.startswith("http://"):
        message = f"{_short(site)} is not https, which readers take for another site"
        yield _odd(pointer, "site-http", message, f"write https://{site[7:]}")
    if site.startswith("at://") and not site.startswith("at://did:"):
        message = f"{_short(site)} names a handle; readers compare it with the DID, and fail"
        yield _odd(pointer, "site-handle", message, "write at://did:… with the account's DID")


_MISSING = {
    "coverImage": ("cover-missing", "readers show a card without a picture", "add a cover"),
    "description": ("description-missing", "cards have no text", "add a sentence or two"),
    "icon": ("cover-missing", "readers show the publication without a picture", "add an icon"),
    "textContent": ("text-missing", "there is no reading time, no search", "add the plain text"),
}


def _missing(value: Mapping[str, Value], *fields: str) -> Iterator[Finding]:
    for field in fields:
        if not value.get(field):
            code, effect, remedy = _MISSING[field]
            yield _odd("", code, f"there is no {field}: {effect}", remedy)


def _dates(value: Mapping[str, Value], now: datetime) -> Iterator[Finding]:
    published, updated = _instant(value.get("publishedAt")), _instant(value.get("updatedAt"))
    if published and published > now:
        message = f"{published:%Y-%m-%d %H:%M} UTC is in the future"
        remedy = "wait, or mark it as a draft: readers show it at once"
        yield _odd("/publishedAt", "published-future", message, remedy)
    if published and updated and updated < published:
        message = f"{updated:%Y-%m-%d %H:%M} UTC is before publishedAt"
        yield _odd(
            "/updatedAt", "updated-before", message, "correct one of the two, or leave it out"
        )


def _instant(text: Value) -> datetime | None:
    if not isinstance(text, str) or syntax.check("datetime", text):
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):  # years that Python doesn't have
        return None


def _content(value: Mapping[str, Value]) -> Iterator[Finding]:
    content = value.get("content")
    name = content.get("$type") if isinstance(content, dict) else None
    if not isinstance(content, dict) or not isinstance(name, str):
        return
    if name in _SQUATTED:
        message = f"{name} is no published lexicon, and programs disagree about its form"
        remedy = "use at.markpub.markdown for Markdown"
        yield _odd("/content/$type", "content-squatted", message, remedy)
    if name == "at.markpub.markdown" and isinstance(content.get("text"), str):
        message = "text is a string, but readers expect an object"
        remedy = 'write {"$type": "at.markpub.text", "markdown": …}'
        yield _odd("/content/text", "content-form", message, remedy)


def _misspelt(value: Mapping[str, Value]) -> Iterator[Finding]:
    collection = str(value["$type"])
    for name in value:
        if name.startswith("$") or name in _FIELDS[collection]:
            continue
        known = _meant(name, collection)
        if known and known not in value:
            message = f"{_short(name)} is no field of the lexicon; is it meant to be {known}?"
            yield _odd(pointer_to(name), "field-typo", message, f"write {known}")


@cache
def _meant(name: str, collection: str) -> str | None:
    """Return the known field that a name is close to."""
    plain = {field.lower(): field for field in _FIELDS[collection]}
    close = difflib.get_close_matches(re.sub("[_-]", "", name.lower()), plain, n=1, cutoff=0.85)
    return plain[close[0]] if close else None


def _size(width: int, height: int, pointer: str) -> Iterator[Finding]:
    measured = f"the image is {width} by {height}"
    if pointer == "/icon":
        if width != height or width < _LEAST_ICON:
            message = f"{measured}; an icon is square and at least {_LEAST_ICON} wide"
            yield _odd(pointer, "icon-size", message, "crop or redraw it")
    elif width < _LEAST_COVER[0] or height < _LEAST_COVER[1]:
        message = f"{measured}; cards show it larger, and blurred"
        yield _odd(pointer, "cover-size", message, "use 1200 by 630")
    elif not 1 <= width / height <= 3:
        message = f"{measured}; cards cut its edges off"
        yield _odd(pointer, "cover-size", message, "use 1200 by 630")
