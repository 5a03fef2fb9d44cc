"""The content of a document, by its type, becomes a body in Markdown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from publisher.data import Value
from publisher.export.body import Body, FetchBlob
from publisher.export.escape import text_as_markdown
from publisher.export.leaflet import leaflet

MARKDOWN: Final = "at.markpub.markdown"
_KEPT: Final = "publishing the file leaves the record's content as it is"


def body_of(value: dict[str, Value], blob: FetchBlob) -> Body | None:
    """Return the body of a document; None where it has content and none that can be written."""
    body = Body(blob)
    content, text = value.get("content"), value.get("textContent")
    name = content.get("$type") if isinstance(content, dict) else None
    if isinstance(content, dict) and isinstance(name, str) and (decode := _DECODERS.get(name)):
        decoded = decode(content, body)
        if decoded is not None:
            body.text = decoded
            body.is_foreign = name != MARKDOWN
            body.is_verbatim = not body.is_foreign and _needs_its_ends(decoded)
            if body.is_foreign:
                body.lose(f"content: {name} is written as Markdown; {_KEPT}")
            return body
    if "content" in value:
        if not (isinstance(text, str) and text.strip()):
            return None
        body.is_foreign = True
        what = name if isinstance(name, str) else "content without a type"
        body.lose(f"content: {what} isn't written, only its plain text; {_KEPT}")
    body.text = text_as_markdown(text) if isinstance(text, str) else ""
    return body


def _markpub(content: dict[str, Value], body: Body) -> str | None:
    """Return the text as its author wrote it; a blob of it counts more than a copy beside it."""
    held = content.get("text")
    if isinstance(held, str):  # against the lexicon, and common
        return held
    if not isinstance(held, dict):
        return None
    if "textBlob" in held:
        whole = body.text_of(held["textBlob"], "content.text.textBlob")
        if whole is not None:
            return whole
    text = held.get("markdown")
    return text if isinstance(text, str) else None


def _needs_its_ends(text: str) -> bool:
    """Tell whether something would be taken from the ends of a text, or all that it is.

    A line feed behind a carriage return makes one of both.
    """
    lines = text.replace("\r\n", "\n")
    return not lines.strip() or lines != lines.strip("\n") or text.endswith("\r")


def _wordpress(content: dict[str, Value], body: Body) -> str | None:
    """Return HTML as Markdown; what parses it is loaded with the first."""
    from publisher.export.html import wordpress

    return wordpress(content, body)


_DECODERS: dict[str, Callable[[dict[str, Value], Body], str | None]] = {
    MARKDOWN: _markpub,
    "pub.leaflet.content": leaflet,
    "org.wordpress.html": _wordpress,
}
