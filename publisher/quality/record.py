"""The rules of documents and publications, each record alone."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache, lru_cache

from publisher.data import Value
from publisher.documents import DOCUMENT
from publisher.findings import Finding, pointer_to
from publisher.quality.markup import markup
from publisher.quality.rule import odd, short
from publisher.quality.site import PUBLICATION, naming

_FIELDS = {
    DOCUMENT: frozenset(
        {
            *("$type", "bskyPostRef", "content", "contributors", "coverImage", "description"),
            *("labels", "links", "path", "publishedAt", "site", "tags", "textContent", "title"),
            "updatedAt",
        }
    ),
    PUBLICATION: frozenset(
        {
            *("$type", "basicTheme", "description", "icon", "labels", "name", "preferences"),
            *("theme", "url"),
        }
    ),
    "contributor": frozenset({"$type", "did", "displayName", "role"}),
}
_MORE = re.compile(r"\A[#\s]|\s\Z|<[^<>]*+>|\*\*|`|\]\(")
_SQUATTED = "site.standard.content."


def check(value: Mapping[str, Value], *, now: datetime) -> list[Finding]:
    """Return what is odd about a document's or publication's record; nothing about others."""
    match value.get("$type"):
        case "site.standard.document":
            return list(_document(value, now))
        case "site.standard.publication":
            return list(_publication(value))
        case _:
            return []


def _document(value: Mapping[str, Value], now: datetime) -> Iterator[Finding]:
    yield from naming(value, "site")
    yield from _path(value.get("path"))
    yield from _empty(value, "title")
    yield from _missing(value, "description", "textContent", "coverImage")
    yield from _text(value.get("textContent"))
    yield from _tags(value.get("tags"))
    yield from _dates(value, now)
    yield from _forms(value)
    yield from _misspelt(value, DOCUMENT)
    if "contributors" in value:
        yield from _contributors(value["contributors"])


def _publication(value: Mapping[str, Value]) -> Iterator[Finding]:
    yield from naming(value, "url")
    yield from _empty(value, "name")
    yield from _missing(value, "description", "icon")
    yield from _misspelt(value, PUBLICATION)


def _path(path: Value) -> Iterator[Finding]:
    if not isinstance(path, str):
        return
    if not path.startswith("/"):
        yield odd("/path", "path-slash", f"{short(path)} has no leading slash", f"write /{path}")
    if "?" in path or "#" in path:
        message = f"{short(path)} has a query or fragment, which readers leave out of account"
        yield odd("/path", "path-query", message, "give the document a path of its own")


def _empty(value: Mapping[str, Value], field: str) -> Iterator[Finding]:
    text = value.get(field)
    if isinstance(text, str) and not text.strip():
        message = "is empty: readers show no card, or one without a name"
        yield odd(pointer_to(field), "title-empty", message, f"write a {field}")


_MISSING = {
    "coverImage": ("cover-missing", "readers show a card without a picture", "add a cover"),
    "description": ("description-missing", "cards have no text", "add a sentence or two"),
    "icon": ("cover-missing", "readers show the publication without a picture", "add an icon"),
    "textContent": ("text-missing", "there is no reading time, no search", "add the plain text"),
}


def _missing(value: Mapping[str, Value], *fields: str) -> Iterator[Finding]:
    for field in fields:
        if not value.get(field):
            yield _absent(field)


@cache  # of most documents, and switched off
def _absent(field: str) -> Finding:
    code, effect, remedy = _MISSING[field]
    return odd("", code, f"there is no {field}: {effect}", remedy)


def _text(text: Value) -> Iterator[Finding]:
    if isinstance(text, str) and (sign := markup(text)):
        message = f"has markup, which readers show as it is: {short(sign)}"
        yield odd("/textContent", "text-markup", message, "write plain text; count what is read")


def _tags(tags: Value) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for index, tag in enumerate(tags if isinstance(tags, list) else ()):
        if not isinstance(tag, str):
            continue
        if _MORE.search(tag):
            plain = re.sub(r"<[^<>]*+>|[*`]", "", tag).strip().lstrip("#")
            remedy = f"write {plain}" if plain else "remove it"
            yield odd(
                f"/tags/{index}",
                "tag-markup",
                f"{short(tag)} has more than the tag's words",
                remedy,
            )
        if (same := tag.casefold()) in seen:
            message = f"{short(tag)} stands here twice; {short(seen[same])} is the same to readers"
            yield odd(f"/tags/{index}", "tag-twice", message, "remove one of the two")
        else:
            seen[same] = tag


def _dates(value: Mapping[str, Value], now: datetime) -> Iterator[Finding]:
    published, updated = _instant(value.get("publishedAt")), _instant(value.get("updatedAt"))
    if published and published > now:
        message = f"{value['publishedAt']!r} is in the future"
        remedy = "wait, or mark it as a draft: readers show it at once"
        yield odd("/publishedAt", "published-future", message, remedy)
    if published and updated and updated < published:
        message = f"{value['updatedAt']!r} is before publishedAt"
        remedy = "correct one of the two, or leave it out"
        yield odd("/updatedAt", "updated-before", message, remedy)


def _instant(text: Value) -> datetime | None:
    """Return a date that names its zone; the lexicon says what is wrong with another."""
    try:
        instant = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return instant if instant and instant.tzinfo else None


def _forms(value: Mapping[str, Value]) -> Iterator[Finding]:
    if isinstance(value.get("links"), list):
        message = "is an array, though the lexicon has one object here; its description is wrong"
        yield odd("/links", "links-array", message, "write one object with a $type, or none")
    content = value.get("content")
    if not isinstance(content, dict):
        return
    name = content.get("$type")
    if isinstance(name, str) and name.startswith(_SQUATTED):
        message = f"{short(name)} is no published lexicon, and programs disagree about its form"
        remedy = "use at.markpub.markdown for Markdown"
        yield odd("/content/$type", "content-squatted", message, remedy)
    if name == "at.markpub.markdown" and isinstance(content.get("text"), str):
        message = "text is a string, but readers expect an object"
        remedy = 'write {"$type": "at.markpub.text", "markdown": …}'
        yield odd("/content/text", "content-form", message, remedy)


def _contributors(contributors: Value) -> Iterator[Finding]:
    for index, contributor in enumerate(contributors if isinstance(contributors, list) else ()):
        if isinstance(contributor, dict):
            for found in _misspelt(contributor, "contributor"):
                yield found.below(f"/contributors/{index}")


def _misspelt(value: Mapping[str, Value], kind: str) -> Iterator[Finding]:
    for name in sorted(value.keys() - _FIELDS[kind]):
        known = _meant(name, kind)
        if known and known not in value:
            message = f"{short(name)} is no field of the lexicon; is it meant to be {known}?"
            yield odd(pointer_to(name), "field-typo", message, f"write {known}")


@lru_cache(1024)
def _meant(name: str, kind: str) -> str | None:
    """Return the known field that a name is close to."""
    plain = {field.lower(): field for field in _FIELDS[kind]}
    close = difflib.get_close_matches(re.sub("[_-]", "", name.lower()), plain, n=1, cutoff=0.85)
    return plain[close[0]] if close else None
