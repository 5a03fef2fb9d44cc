"""A document's record becomes a Markdown file, and says what of it the file doesn't hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final, Protocol, TypeAlias

from publisher import data
from publisher.data import InvalidCbor, Value, blob_refs
from publisher.documents import DOCUMENT, Blob, Context, Document, Source
from publisher.documents.cover import measured
from publisher.documents.markdown import read_markdown
from publisher.documents.model import MARKDOWN_OWNED
from publisher.export.body import Body, FetchBlob
from publisher.export.content import body_of
from publisher.export.head import front_matter
from publisher.export.names import document_name
from publisher.record import build
from publisher.spool import whole
from publisher.syntax import Nsid, Rkey

_HEAD: Final = {
    "title": "title",
    "publishedAt": "date",
    "updatedAt": "updated",
    "description": "description",
    "tags": "tags",
}
"""Fields of the record, each with its name in front matter."""
_FIELDS: Final = {name: field for field, name in _HEAD.items()}
_MOST: Final = 100  # characters of a value in a message


class _Absent(Enum):
    FIELD = "absent"


_ABSENT: Final = _Absent.FIELD
Held: TypeAlias = "Value | _Absent"
"""A field's value, or that there is none."""


class Exportable(Protocol):
    """A record with its place; `repo.RemoteRecord` is one."""

    @property
    def collection(self) -> Nsid: ...  # noqa: D102
    @property
    def rkey(self) -> Rkey: ...  # noqa: D102
    @property
    def cid(self) -> str: ...  # noqa: D102
    @property
    def value(self) -> Mapping[str, Value]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Exported:
    """A record as a Markdown file.

    `name` is a proposal: two records may get one name, or two that differ by case. `losses` say
    what is in the record and not in the file, or would come back otherwise, each with its field.
    `blobs` are what the text refers to and its cover: CIDs, and names of files beside this one.
    """

    text: bytes
    name: str
    losses: tuple[str, ...]
    blobs: tuple[tuple[str, str], ...]


def to_markdown(
    record: Exportable, *, blob: FetchBlob, site: str | None, with_content: bool = True
) -> Exported | None:
    """Return the file of a document's record; None where Markdown can't hold one.

    None: another collection, no title or no date that could be read again, or content of a kind
    that isn't known, without plain text. `site` and `with_content` are those of the project that
    will read the file. It is read again here: without losses it makes the record that it was.
    `blob` is asked for each blob that the text refers to.
    """
    value = whole(record.value)
    if record.collection != DOCUMENT or value.get("$type") != DOCUMENT:
        return None
    body = body_of(value, blob)
    if body is None:
        return None
    name = document_name(value, record.rkey)
    text = _file(value, record.rkey, body)
    again = _read(text, name, body, with_content=with_content)
    if again is None:
        return None
    made, _ = build(again, site)
    back = whole(made.value)
    cover = body.refer(value.get("coverImage"), "coverImage")
    if cover is not None:
        back |= _cover(value["coverImage"], cover, body)
        text = _file(value, record.rkey, body, cover)
    _compare(value, back, record.cid, body)
    return Exported(text.encode(), name, tuple(body.losses), tuple(body.blobs.items()))


def _file(value: dict[str, Value], rkey: Rkey, body: Body, cover: str | None = None) -> str:
    named = {name: value.get(field) for field, name in _HEAD.items()}
    named |= {"cover": cover, "path": value.get("path"), "rkey": rkey}
    head = front_matter(named, verbatim=body.is_verbatim)
    if body.is_verbatim:
        return head + body.text
    text = body.text.strip("\n")  # which no reader takes for text
    return f"{head}\n{text}\n" if text else head


def _read(text: str, name: str, body: Body, *, with_content: bool) -> Document | None:
    """Return the document of a file without a cover, so nothing is looked for on a disk."""
    nowhere = Path(name)
    context = Context(nowhere, nowhere, with_content=with_content)
    reading = read_markdown(Source(nowhere, name), text.encode(), context)
    for finding in reading.findings:
        if finding.pointer in {"/title", "/date"}:
            return None
        field = _FIELDS.get(finding.pointer[1:], finding.pointer[1:])
        body.lose(f"{field}: {finding.message}, and the file isn't published so")
    return reading.document


def _cover(held: Value, name: str, body: Body) -> dict[str, Value]:
    """Return the field as the file beside the document will make it."""
    (ref,) = blob_refs(held)
    content = body.blob(str(ref.cid))
    found = measured(name, content, None) if content is not None else None
    if isinstance(found, Blob):
        return {"coverImage": found.value()}
    if found is not None:
        body.lose(f"coverImage: {found.message}, and the file isn't published so")
    return {"coverImage": held}


def _compare(value: dict[str, Value], back: dict[str, Value], cid: str, body: Body) -> None:
    """Note every field that the file would change in the record."""
    if data.record_cid(back) == cid:
        return
    kept = {"content"} if body.is_foreign else set()
    for field in sorted((value.keys() | back.keys()) - kept):
        for words in _differences(field, value.get(field, _ABSENT), back.get(field, _ABSENT)):
            body.lose(words)
    if not body.losses:
        body.lose(f"$: the record isn't the one of its CID, {cid}")


def _differences(place: str, held: Held, back: Held) -> Iterator[str]:
    if isinstance(held, dict) and isinstance(back, dict):
        for name in sorted(held.keys() | back.keys()):
            inner = held.get(name, _ABSENT), back.get(name, _ABSENT)
            yield from _differences(f"{place}.{name}", *inner)
    elif held is _ABSENT:
        yield f"{place}: the record has none, but the file makes one"
    elif place.partition(".")[0] not in MARKDOWN_OWNED:
        yield f"{place}: Markdown has no place for it; publishing the file leaves it as it is"
    elif back is _ABSENT:
        yield f"{place}: isn't in the file"
    elif not _same(held, back):
        yield f"{place}: {_change(held, back)}"


def _change(held: Value, back: Value) -> str:
    """Say how a value would change; controls and marks of direction are escaped by `repr`."""
    before, after = repr(held), repr(back)
    if max(len(before), len(after)) <= _MOST:
        return f"{before} comes back as {after}"
    if isinstance(held, str) and isinstance(back, str):
        pairs = enumerate(zip(held, back, strict=False), start=1)
        shorter = min(len(held), len(back)) + 1
        at = next((at for at, (one, other) in pairs if one != other), shorter)
        return f"comes back otherwise from character {at:,} on"
    return "comes back otherwise"


def _same(held: Value, back: Value) -> bool:
    """Compare as records are: True is no 1, and what has no encoding equals nothing."""
    try:
        return data.encode(held) == data.encode(back)
    except InvalidCbor:
        return False
