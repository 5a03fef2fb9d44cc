"""A Markdown file with front matter becomes a Document."""

from __future__ import annotations

import difflib
from dataclasses import replace
from functools import lru_cache
from typing import Annotated
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictStr, ValidationError
from pydantic_core import ErrorDetails

from publisher import syntax
from publisher.data import Value
from publisher.documents.cover import read_cover
from publisher.documents.dates import InvalidDate, MissingZone, instant
from publisher.documents.front_matter import InvalidFrontMatter, Parts, split
from publisher.documents.model import (
    DOCUMENT,
    MARKDOWN_OWNED,
    Blob,
    Context,
    Document,
    Reading,
    Source,
)
from publisher.documents.text import plain_text
from publisher.findings import Finding, pointer_to

# What authors call a field, the surest name first; letters' case doesn't count.
NAMES = {
    "title": ("title",),
    "description": ("description", "summary"),
    "published": ("publishedAt", "publishDate", "pubDate", "date"),
    "updated": ("updatedAt", "updated", "lastmod"),
    "tags": ("tags",),
    "cover": ("cover", "image", "heroImage"),
    "path": ("path",),
    "slug": ("slug",),
    "draft": ("draft",),
    "verbatim": ("verbatim",),
    "id": ("id",),
    "rkey": ("rkey",),
    "at_uri": ("atUri",),
}
_KNOWN = {name.lower(): field for field, names in NAMES.items() for name in names}
_RANKS = {name.lower(): rank for names in NAMES.values() for rank, name in enumerate(names)}
_PLACES = {
    ("cover", "/coverImage"): "cover",
    ("date", "/date"): "published",
    ("date", "/updated"): "updated",
    ("path", "/path"): "path",
    ("path", "/slug"): "slug",
    ("rkey", "/rkey"): "rkey",
    ("at-uri", "/atUri"): "at_uri",
}
"""Code and pointer of the findings that are made under our name for a field, with that field."""
_NO_TYPO = frozenset({"images", "ids", "slugs", "titles", "paths", "covers"})


class _FrontMatter(BaseModel):
    """The fields that count, after their names were made ours."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    title: Annotated[StrictStr, Field(min_length=1)]
    description: StrictStr | None = None
    published: object
    updated: object = None
    tags: list[StrictStr] = Field(default_factory=list)
    cover: StrictStr | None = None
    path: StrictStr | None = None
    slug: StrictStr | None = None
    draft: StrictBool = False
    verbatim: StrictBool = False
    id: StrictStr | None = None
    rkey: StrictStr | None = None
    at_uri: StrictStr | None = None


def read_markdown(source: Source, content: bytes, context: Context) -> Reading:
    """Read a Markdown file. Every fault of its front matter is told at once."""
    try:
        parts = split(content.decode())
    except UnicodeDecodeError as error:
        return _unread(source, "utf-8", f"byte {error.start} is not UTF-8", "save it as UTF-8")
    except InvalidFrontMatter as error:
        return _unread(source, "front-matter", str(error), "correct the front matter there")
    if parts is None:
        return _unread(
            source,
            "front-matter",
            "there is no front matter, so no title and no date",
            "begin the file with --- lines around title: and date:",
        )
    named, called, findings = _rename(parts.head)
    front, faults = _checked(named, called)
    findings += faults
    built = _document(source, front, parts, context, findings)
    findings = [_as_called(finding, called) for finding in findings]
    if named.get("draft", parts.head.get("published") is False) is True:
        return Reading(source, built, tuple(map(_for_a_draft, findings)), draft=True)
    return Reading(source, built, tuple(findings))


def _for_a_draft(finding: Finding) -> Finding:
    return replace(finding, severity="warning") if finding.severity == "error" else finding


def _unread(source: Source, code: str, message: str, remedy: str) -> Reading:
    return Reading(source, None, (Finding("", code, message, "error", remedy),))


def _rename(
    head: dict[str, object],
) -> tuple[dict[str, object], dict[str, str], list[Finding]]:
    """Return the head under our names, the author's for each, and what is odd about them."""
    given: dict[str, list[str]] = {}
    findings: list[Finding] = []
    for name, value in head.items():
        field = _KNOWN.get(name.lower())
        if field is None:
            findings += _misspelt(name, value)
        elif not (value is None or (isinstance(value, str) and not value.strip())):
            given.setdefault(field, []).append(name)
    called = {field: min(names, key=_rank) for field, names in given.items()}
    for field, used in called.items():
        for other in given[field]:
            if other != used:
                message = f"{used} and {other} are both given; {used} is used"
                found = Finding(pointer_to(other), "front-matter-twice", message, "info")
                findings.append(found)
    return {f: _plain(f, head[name]) for f, name in called.items()}, called, findings


def _rank(name: str) -> int:
    return _RANKS[name.lower()]


def _as_called(finding: Finding, called: dict[str, str]) -> Finding:
    """Put a finding that has our name for a field where the author wrote it."""
    field = _PLACES.get((finding.code, finding.pointer))
    if field not in called:
        return finding
    name = called[field]
    message = finding.message
    if message.startswith(f"{finding.pointer[1:]} "):
        message = name + message.removeprefix(finding.pointer[1:])
    return replace(finding, pointer=pointer_to(name), message=message)


def _misspelt(name: str, value: object) -> list[Finding]:
    known = _meant(name)
    if known is None or (name == "published" and isinstance(value, bool)):  # Jekyll's no draft
        return []
    message, remedy = f"{name!r} is ignored; is it meant to be {known!r}?", f"write {known}"
    return [Finding(pointer_to(name), "front-matter-typo", message, "warning", remedy)]


@lru_cache(maxsize=1_000)  # the documents of a site have the same few names
def _meant(name: str) -> str | None:
    """Return the known name that another one is close to."""
    if name.lower() in _NO_TYPO:
        return None
    close = difflib.get_close_matches(name.lower(), _KNOWN, n=1, cutoff=0.8)
    known = (n for names in NAMES.values() for n in names if close and n.lower() == close[0])
    return next(known, None)


def _plain(field: str, value: object) -> object:
    """Take a cover out of the table that some themes write around it."""
    if field == "cover" and isinstance(value, dict):
        return next((value[key] for key in ("image", "path", "src", "url") if key in value), value)
    if field in {"title", "description"} and isinstance(value, str):
        return value.strip()
    return value


def _checked(
    named: dict[str, object], called: dict[str, str]
) -> tuple[_FrontMatter, list[Finding]]:
    """Return what can be used, and every fault; with a fault it only serves to find the others."""
    try:
        return _FrontMatter.model_validate(named), []
    except ValidationError as error:
        faults = error.errors(include_url=False)
    usable = {
        name: value for name, value in named.items() if name not in {f["loc"][0] for f in faults}
    }
    front = _FrontMatter.model_validate({"title": "?", "published": None, **usable})
    return front, [_fault(f, called) for f in faults]


def _fault(fault: ErrorDetails, called: dict[str, str]) -> Finding:
    place, kind, message, value = fault["loc"], fault["type"], fault["msg"], fault["input"]
    field = str(place[0])
    name = called.get(field, NAMES[field][-1 if field == "published" else 0])
    pointer = pointer_to(name, *place[1:])
    if kind == "missing":
        remedy = f"add {name} to the front matter"
        return Finding(pointer, "required", f"{name} is missing", "error", remedy)
    if kind == "string_type" and isinstance(value, (int, float)):
        text = str(value).lower() if isinstance(value, bool) else value
        message, remedy = f"{text!r} is no text".replace("'", ""), f'put it in quotes: "{text}"'
        return Finding(pointer, "type", f"{name}: {message}", "error", remedy)
    remedy = "correct it in the front matter"
    if kind == "list_type":
        message, remedy = "is no list", f"write {name}: [{value}]"
    return Finding(pointer, "type", f"{name}: {message.lower()}", "error", remedy)


def _document(
    source: Source,
    front: _FrontMatter,
    parts: Parts,
    context: Context,
    findings: list[Finding],
) -> Document:
    value: dict[str, Value] = {"$type": DOCUMENT, "title": front.title}
    value |= _dates(front, context, findings)
    value["path"] = _path(front, source, findings)
    if front.description:
        value["description"] = front.description
    if front.tags:
        value["tags"] = list(front.tags)
    blobs = _cover(front, source, context, findings)
    if blobs:
        value["coverImage"] = blobs[0].value()
    body = parts.whole if front.verbatim else parts.body
    if text := plain_text(body):
        value["textContent"] = text
    if context.with_content and (front.verbatim or body.strip()):
        value["content"] = markdown_content(body)
    rkey, at_uri = _named(front, findings)
    return Document(
        source,
        DOCUMENT,
        value,
        blobs=blobs,
        owned=MARKDOWN_OWNED,
        id=front.id,
        rkey=rkey,
        at_uri=at_uri,
    )


def markdown_content(body: str) -> dict[str, Value]:
    """Return the body as `at.markpub.markdown`, unchanged."""
    text: dict[str, Value] = {"$type": "at.markpub.text", "markdown": body}
    return {"$type": "at.markpub.markdown", "flavor": "gfm", "text": text}


def _dates(front: _FrontMatter, context: Context, findings: list[Finding]) -> dict[str, Value]:
    dates: dict[str, Value] = {}
    for field, name, given in (
        ("publishedAt", "date", front.published),
        ("updatedAt", "updated", front.updated),
    ):
        if given is None:
            continue
        try:
            dates[field] = instant(given, context.timezone)
        except InvalidDate as error:
            remedy = "write it as 2026-02-05T16:32:10+01:00"
            if isinstance(error, MissingZone):
                remedy = 'add the offset, or set timezone = "Europe/Berlin" in publisher.toml'
            findings.append(Finding(pointer_to(name), "date", f"{name} {error}", "error", remedy))
    return dates


def _path(front: _FrontMatter, source: Source, findings: list[Finding]) -> str:
    if front.path is not None:
        if not front.path.startswith("/"):
            message, remedy = f"path {front.path!r} has no leading slash", f"write /{front.path}"
            findings.append(Finding("/path", "path", message, "error", remedy))
        return front.path
    folder, _, name = source.key.rpartition("/")
    stem = name.rsplit(".", 1)[0]
    if front.slug is not None:
        stem = front.slug.strip("/")
        if set("?#\\") & set(stem) or {"", ".", ".."} & set(stem.split("/")):
            message, remedy = f"slug {front.slug!r} is no part of a path", "use words and hyphens"
            findings.append(Finding("/slug", "path", message, "error", remedy))
    elif stem == "index":
        folder, _, stem = folder.rpartition("/")
    return quote("/" + "/".join(part for part in (folder, stem) if part), safe="/!$&'()*+,;=:@~")


def _cover(
    front: _FrontMatter, source: Source, context: Context, findings: list[Finding]
) -> tuple[Blob, ...]:
    if front.cover is None:
        return ()
    cover = read_cover(front.cover, source.path, context)
    if isinstance(cover, Finding):
        findings.append(cover)
        return ()
    return (cover,)


def _named(
    front: _FrontMatter, findings: list[Finding]
) -> tuple[syntax.Rkey | None, syntax.AtUri | None]:
    """Return the record that the author names, by rkey or AT-URI."""
    rkey = at_uri = None
    try:
        if front.rkey is not None:
            rkey = syntax.parse_rkey(front.rkey)
    except syntax.InvalidSyntax as error:
        message, remedy = f"rkey {front.rkey!r} {error}", "correct it, or leave it out"
        findings.append(Finding("/rkey", "rkey", message, "error", remedy))
    try:
        if front.at_uri is not None:
            at_uri = _record_uri(front.at_uri)
    except syntax.InvalidSyntax as error:
        message, remedy = f"atUri {front.at_uri!r} {error}", "correct it, or leave it out"
        findings.append(Finding("/atUri", "at-uri", message, "error", remedy))
    return rkey, at_uri


def _record_uri(text: str) -> syntax.AtUri:
    uri = syntax.AtUri.parse(text)
    if uri.rkey is None:
        raise syntax.InvalidSyntax("names no record, which needs a collection and a rkey")
    return uri
