"""Names of files that Linux, macOS and Windows take, from what a record holds."""

from __future__ import annotations

import re
import unicodedata
from typing import Final
from urllib.parse import unquote

from publisher.data import Value

_LONGEST: Final = 120  # bytes: disks take 255, and some room is left for what is put behind it
_SUFFIXES = {
    "application/json": ".json",
    "application/pdf": ".pdf",
    "image/apng": ".png",
    "image/avif": ".avif",
    "image/bmp": ".bmp",
    "image/gif": ".gif",
    "image/heic": ".heic",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/svg+xml": ".svg",
    "image/tiff": ".tiff",
    "image/webp": ".webp",
    "text/html": ".html",
    "text/markdown": ".md.txt",  # no document itself
    "text/plain": ".txt",
    "video/mp4": ".mp4",
}
_FORBIDDEN = re.compile(r'[\s<>:"/\\|?*%#\N{REPLACEMENT CHARACTER}]+')
_PAGE = re.compile(r"\.(?:html?|php|md|markdown)\Z", re.IGNORECASE)
_DEVICE = re.compile(r"(?i:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?")
_SECTION = "_index"  # the name of pages that aren't read


def blob_name(cid: str, mime_type: str) -> str:
    """Return the place of a blob's file beside the document: equal blobs have one."""
    return f"blobs/{cid}" + _SUFFIXES.get(mime_type.partition(";")[0].strip().lower(), ".bin")


def document_name(value: dict[str, Value], rkey: str) -> str:
    """Return a name for a document's file: of its path, else of its date and title, else its rkey.

    In NFC. Two documents may get the same, or two that differ by case.
    """
    path, title, date = (value.get(field) for field in ("path", "title", "publishedAt"))
    last = unquote(path).rstrip("/").rpartition("/")[2] if isinstance(path, str) else ""
    stem = _safe(_PAGE.sub("", last))
    if not stem and isinstance(title, str) and (words := _safe(title.lower())):
        day = date[:10] if isinstance(date, str) else ""
        stem = f"{day}-{words}" if re.fullmatch(r"\d{4}-\d\d-\d\d", day, re.ASCII) else words
    return f"{_shortened(stem or _safe(rkey) or 'document')}.md"


def _safe(text: str) -> str:
    """Return text without what a file name can't hold, or shows otherwise than it is."""
    text = unicodedata.normalize("NFC", _FORBIDDEN.sub("-", text))
    text = "".join(c for c in text if unicodedata.category(c)[0] not in "CZ")
    text = re.sub("-{2,}", "-", text).strip(". -~")
    return f"page-{text}" if _DEVICE.fullmatch(text) or text.startswith(_SECTION) else text


def _shortened(stem: str) -> str:
    cut = stem.encode()[:_LONGEST].decode(errors="ignore")
    return cut.rstrip(". -") if cut != stem else stem
