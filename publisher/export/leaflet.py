"""Content of pub.leaflet.content becomes Markdown: pages of blocks, with facets and images."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from publisher import data
from publisher.data import Value
from publisher.export.body import Body
from publisher.export.escape import HARD_BREAK, fenced, inline, is_safe, line_as_markdown, link
from publisher.export.richtext import RichText

_BLOCKS: Final = "pub.leaflet.blocks."
_LINEAR: Final = "pub.leaflet.pages.linearDocument"
_ENDS: Final = 999_999_999  # the greatest number that Markdown takes for a list's
_INTERRUPTS = re.compile(r"(?:[-*]|1[.)]) +\S")
"""The start of a list that needs no blank line behind a paragraph."""
_FIELDS = {
    "blockquote": {"plaintext", "facets"},
    "bskyPost": {"postRef"},
    "button": {"text", "url"},
    "code": {"plaintext", "language"},
    "header": {"plaintext", "facets", "level"},
    "horizontalRule": set(),
    "iframe": {"url"},
    "image": {"image", "alt", "aspectRatio"},
    "math": {"tex"},
    "orderedList": {"children", "startIndex"},
    "text": {"plaintext", "facets"},
    "unorderedList": {"children"},
    "website": {"src", "title", "description", "previewImage"},
}
"""The kinds of blocks that can be written, with the fields of each that are."""
_LISTS = frozenset({"orderedList", "unorderedList"})


def leaflet(content: dict[str, Value], body: Body) -> str | None:
    """Return the content as Markdown, its pages one after the other; None where it has none."""
    pages = _pages(content, body)
    if pages is None:
        return None
    writer = _Writer(body)
    written = [writer.page(page) for page in pages]
    texts = [text for text in written if text]
    notes = [f"[^{at}]: {note}" for at, note in enumerate(writer.rich.notes, start=1)]
    return "\n\n".join(["\n\n---\n\n".join(texts), *notes])


def _pages(content: dict[str, Value], body: Body) -> list[Value] | None:
    pages = content.get("pages")
    if "blobPages" in content:
        text = body.text_of(content["blobPages"], "content.blobPages")
        try:
            pages = data.loads(text) if text is not None else None
        except data.DataError:
            body.lose("content.blobPages: its blob is no JSON of the data model")
            return None
    return pages if isinstance(pages, list) else None


class _Writer:
    def __init__(self, body: Body) -> None:
        self._body = body
        self.rich = RichText(body)
        self._writers: dict[str, Callable[[dict[str, Value]], str]] = {
            "blockquote": self._quote,
            "bskyPost": self._post,
            "button": lambda block: self._link(block.get("url"), block.get("text")),
            "code": self._code,
            "header": self._header,
            "horizontalRule": lambda _: "---",
            "iframe": lambda block: self._link(block.get("url")),
            "image": self._image,
            "math": lambda block: fenced(_text(block, "tex"), "math"),
            "text": self.rich.paragraphs,
            "website": self._website,
        }

    def page(self, page: Value) -> str:
        """Return a page's blocks."""
        blocks = page.get("blocks") if isinstance(page, dict) else None
        if not isinstance(page, dict) or not isinstance(blocks, list):
            self._body.lose("content: a page without blocks")
            return ""
        if (name := page.get("$type")) not in (None, _LINEAR):
            self._body.lose(f"content: how {_shown(name)} lays out its blocks")
        parts: list[str] = []
        before, other = "", False
        for each in blocks:
            block = each.get("block") if isinstance(each, dict) else None
            if isinstance(each, dict) and "alignment" in each:
                self._body.lose("content: the alignment of blocks")
            kind = _kind(block)
            other = kind in _LISTS and kind == before and not other  # else they were one list
            if text := self._block(block, other=other):
                parts.append(text)
                before = kind
        return "\n\n".join(parts)

    def _block(self, block: Value, *, other: bool = False) -> str:
        """Return a block; `other`: a list with the other kind of marks."""
        kind = _kind(block)
        if not isinstance(block, dict) or kind not in _FIELDS:
            name = block.get("$type") if isinstance(block, dict) else None
            self._body.lose(f"content: a block of {_shown(name)}")
            return ""
        for field in sorted(block.keys() - _FIELDS[kind] - {"$type"}):
            self._body.lose(f"content: {field} of {_BLOCKS}{kind}")
        if kind in _LISTS:
            return self._list(block, ordered=kind == "orderedList", other=other)
        return self._writers[kind](block)

    def _list(self, block: dict[str, Value], *, ordered: bool, other: bool = False) -> str:
        start = block.get("startIndex")
        number = start if isinstance(start, int) and 0 <= start <= _ENDS else 1
        items = block.get("children")
        written: list[str] = []
        for item in items if isinstance(items, list) else ():
            mark = "*" if other else "-"
            if ordered:
                mark = f"{min(number, _ENDS)}{')' if other else '.'}"
            text = _indented(self._item(item, ordered=ordered), len(mark) + 1)
            written.append(f"{mark} {text}".rstrip())
            number += 1
        return "\n".join(written)

    def _item(self, item: Value, *, ordered: bool) -> str:
        if not isinstance(item, dict):
            self._body.lose("content: an item of a list")
            return ""
        text = self._block(item.get("content"))
        if isinstance(item.get("checked"), bool):
            text = f"[{'x' if item['checked'] else ' '}] {text}"
        nested = self._below(item, ordered=ordered)
        if not nested:
            return text
        return (
            f"{text}\n{nested}" if _INTERRUPTS.match(nested) or not text else f"{text}\n\n{nested}"
        )

    def _below(self, item: dict[str, Value], *, ordered: bool) -> str:
        """Return the list in an item: of its own kind, else of the other."""
        if item.get("children"):
            return self._list({"children": item["children"]}, ordered=ordered)
        nested = item.get("unorderedListChildren" if ordered else "orderedListChildren")
        return self._list(nested, ordered=not ordered) if isinstance(nested, dict) else ""

    def _quote(self, block: dict[str, Value]) -> str:
        lines = self.rich.paragraphs(block).split("\n")
        return "\n".join(f"> {line}".rstrip() for line in lines)

    def _header(self, block: dict[str, Value]) -> str:
        level, text = block.get("level"), self.rich.one_line(block)
        hashes = "#" * (min(max(level, 1), 6) if isinstance(level, int) else 1)
        return f"{hashes} {text}" if text else ""

    def _code(self, block: dict[str, Value]) -> str:
        return fenced(_text(block, "plaintext"), _text(block, "language"))

    def _image(self, block: dict[str, Value], *, field: str = "image") -> str:
        name = self._body.refer(block.get(field), "content")
        if name is None:
            self._body.lose("content: an image that is no blob")
            return ""
        return f"!{link(_flat(_text(block, 'alt')), name)}"

    def _post(self, block: dict[str, Value]) -> str:
        post = block.get("postRef")
        return self._link(post.get("uri") if isinstance(post, dict) else None)

    def _link(self, address: Value, text: Value = None) -> str:
        words = text if isinstance(text, str) and text.strip() else address
        if isinstance(address, str) and isinstance(words, str) and is_safe(address):
            return link(_flat(words), address)
        self._body.lose("content: a link without an address that can be followed")
        return line_as_markdown(_flat(words)) if isinstance(words, str) else ""

    def _website(self, block: dict[str, Value]) -> str:
        preview = self._image({"image": block["previewImage"]}) if "previewImage" in block else ""
        lines = [
            preview,
            self._link(block.get("src"), block.get("title")),
            line_as_markdown(_flat(_text(block, "description"))),
        ]
        return HARD_BREAK.join(filter(None, lines))


def _kind(block: Value) -> str:
    name = block.get("$type") if isinstance(block, dict) else None
    return name.removeprefix(_BLOCKS) if isinstance(name, str) and name.startswith(_BLOCKS) else ""


def _shown(name: Value) -> str:
    return name if isinstance(name, str) else "no type"


def _text(block: dict[str, Value], field: str) -> str:
    text = block.get(field)
    return text if isinstance(text, str) else ""


def _flat(text: str) -> str:
    """Return plain text for a place that has a line only."""
    return inline(" ".join(text.split()))


def _indented(text: str, width: int) -> str:
    first, *others = text.split("\n")
    return "\n".join([first, *(" " * width + line if line else "" for line in others)])
