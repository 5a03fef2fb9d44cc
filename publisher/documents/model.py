"""What a file becomes: a Document, or findings that say why not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from publisher.data import Cid, Value
from publisher.findings import Finding
from publisher.syntax import AtUri, Nsid, Rkey

DOCUMENT = Nsid("site.standard.document")

MARKDOWN_OWNED = frozenset(
    {
        "$type",
        "content",
        "coverImage",
        "description",
        "path",
        "publishedAt",
        "site",
        "tags",
        "textContent",
        "title",
        "updatedAt",
    }
)
"""The fields that a Markdown file decides, present in the record or not."""


@dataclass(frozen=True, slots=True)
class Blob:
    """A blob that a document needs; `path` is its file, None when only a repo can have it."""

    cid: Cid
    mime_type: str
    size: int
    path: Path | None

    def value(self) -> dict[str, Value]:
        """Return the blob as records hold it."""
        return {"$type": "blob", "ref": self.cid, "mimeType": self.mime_type, "size": self.size}


@dataclass(frozen=True, slots=True)
class Source:
    """A file in the folder of documents; `key` is its place there (POSIX separators, NFC)."""

    path: Path
    key: str


@dataclass(frozen=True, slots=True)
class Context:
    """What reading needs to know from `publisher.toml`.

    `root` is the folder that covers may not leave, `folder` the one of documents below it.
    """

    root: Path
    folder: Path
    timezone: ZoneInfo | None = None
    with_content: bool = True


@dataclass(frozen=True, slots=True)
class Document:
    """One document as its file says it; `value` is its record, still without a default site.

    `owned` names the fields that the file decides, None: those that `value` has. `rkey` is the
    record key that the author named, `at_uri` the record; `id` stands for `key` where given.
    """

    source: Source
    collection: Nsid
    value: dict[str, Value]
    blobs: tuple[Blob, ...] = ()
    owned: frozenset[str] | None = None
    id: str | None = None
    rkey: Rkey | None = None
    at_uri: AtUri | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """A file after reading: `document` is None where too little could be read to make one.

    With an error among the findings it serves to find the others, and isn't published.

    What a draft lacks is no error yet, so its findings are warnings at most. `digest` is the
    SHA-256 of the bytes that were read.
    """

    source: Source
    document: Document | None
    findings: tuple[Finding, ...] = ()
    draft: bool = False
    digest: bytes = b""
