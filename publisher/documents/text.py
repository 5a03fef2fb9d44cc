"""Markdown to plain text: what a reader of the page would read, with no markup left.

The rules are held by tests/golden/text.md and its .txt: a change to them updates every document
that was ever published, so they change only with a major version.

* Blocks are set apart by one blank line, items of a tight list by a line end.
* A soft line break is a space (nothing between Chinese or Japanese characters), a hard one a line
  end. Code is kept as it stands.
* Links give their text, images their alternative text, tables a line a row, cells by tabs.
* HTML gives its text, white space in blocks of it collapsed as browsers do; closed scripts,
  styles and templates, comments and instructions give nothing. Footnotes follow at the end.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from html.parser import HTMLParser
from typing import Any, TypeAlias

import pyromark

Event: TypeAlias = "str | Mapping[str, Any]"
Element: TypeAlias = "str | Mapping[str, object]"
"""A name, with attributes or not."""
_Block: TypeAlias = tuple[str, str]
"""A text, and the gap that it wants after it; '' is no text, only a gap."""

_NOTE = "FootnoteDefinition"
_INLINE = frozenset({"Emphasis", "Strong", "Strikethrough", "Link", "Image"})
_GAPS = {
    "Paragraph": "\n\n",
    "Heading": "\n\n",
    "List": "\n\n",
    "Item": "\n",
    "TableHead": "\n",
    "TableRow": "\n",
    "Table": "\n\n",
}
_SPACES = re.compile(r"[ \t\n\r\f]+")
_UNSEEN = re.compile(
    r"<!--(?:-?>|.*?(?:-->|\Z))|<\?.*?(?:\?>|\Z)|<!\[CDATA\[.*?(?:\]\]>|\Z)", re.DOTALL
)  # where CommonMark ends them: html.parser ends some earlier, and each version differently
_WHOLE = r"""<(/?)([a-z][^\s/<>"']*)(?:[^<>"']++|"[^"]*+"|'[^']*+')*+>"""
_TAG = re.compile(_WHOLE, re.IGNORECASE)
# html.parser would look for the end of such a tag again and again.
_UNCLOSED = re.compile(rf"(?!{_WHOLE})<(?=/?[a-z])", re.IGNORECASE)
_CLOSED = {
    name: re.compile(rf"</{name}\s*>", re.IGNORECASE) for name in ("script", "style", "template")
}
_BLOCK_NAMES = (
    "address article aside blockquote caption dd details dialog div dl dt fieldset figcaption "
    "figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr legend li main menu nav ol option p pre "
    "search section summary table tbody td tfoot th thead tr ul"
)
_OWN_LINE = frozenset(_BLOCK_NAMES.split())


_OPTIONS = (
    pyromark.Options.ENABLE_TABLES
    | pyromark.Options.ENABLE_STRIKETHROUGH
    | pyromark.Options.ENABLE_TASKLISTS
    | pyromark.Options.ENABLE_FOOTNOTES
    | pyromark.Options.ENABLE_GFM
)
_SOFT_BREAK = "\0"  # CommonMark lets no text contain it
_SOFT_BEFORE_WIDE = re.compile("\0(?=[\u1100-\U0010ffff])")  # U+1100 is the first wide character
_BREAKS = {"SoftBreak": _SOFT_BREAK, "HardBreak": "\n"}


def plain_text(markdown: str) -> str:
    """Return the plain text of CommonMark with tables, strikethrough, task lists, footnotes."""
    reader = _Reader()
    pieces = reader.pieces
    markdown = markdown.replace("\0", "\N{REPLACEMENT CHARACTER}")  # as CommonMark asks
    events: Iterable[Event] = pyromark.events(markdown, options=_OPTIONS)
    for event in events:  # flat, because of a hundred and more events most need no more than this
        if isinstance(event, str):
            pieces.append(_BREAKS.get(event, ""))
        elif "Text" in event:
            pieces.append(event["Text"])
        elif "Start" in event:
            reader.start(event["Start"])
        elif "End" in event:
            reader.end(event["End"])
        elif "Code" in event:
            pieces.append(event["Code"])
        elif "Html" in event:
            reader.add_html(event["Html"])
        elif "InlineHtml" in event:
            reader.add_html(event["InlineHtml"])
    return _joined([*reader.blocks, *reader.notes])


def _joined(blocks: list[_Block]) -> str:
    parts: list[str] = []
    gap = ""
    for block, gap_after in blocks:
        if block:
            parts += (gap, block) if parts else (block,)
            gap = gap_after
        else:
            gap = max(gap, gap_after)
    return "".join(parts)


class _Html(str):
    """A piece that is HTML already."""

    __slots__ = ()


class _Reader:
    """Makes blocks of what starts and ends; those of footnotes are put aside for the end.

    `pieces` are what the open block holds so far, plain text but for those that are `_Html`.
    """

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.blocks: list[_Block] = []
        self.notes: list[_Block] = []
        self._current = self.blocks
        self._has_html = False
        self._verbatim = False  # in a code block or HTML block
        self._loose: list[bool] = []  # of each open list, the innermost last
        self._cells = 0

    def add_html(self, html: str) -> None:
        """Take HTML that stands in the text."""
        self.pieces.append(_Html(html))
        self._has_html = True

    def start(self, element: Element) -> None:
        """Take the start of an element."""
        tag = element if isinstance(element, str) else next(iter(element))
        if tag in _INLINE:
            return
        if tag == _NOTE:
            self._current = self.notes
        if self.pieces:  # the text of a tight item, before what is nested in it
            self._flush("\n")
        if tag == "Paragraph" and self._loose:
            self._loose[-1] = True
        elif tag == "List":
            self._loose.append(False)
        elif tag in {"CodeBlock", "HtmlBlock"}:
            self._verbatim = True
        elif tag in {"TableHead", "TableRow"}:
            self._cells = 0
        elif tag == "TableCell":
            self._cells += 1
            self._current.append(("\t" if self._cells > 1 else "", ""))

    def end(self, element: Element) -> None:
        """Take the end of an element."""
        tag = element if isinstance(element, str) else next(iter(element))
        if tag in _INLINE:
            return
        if self._verbatim:
            self._flush_verbatim(tag)
            return
        if tag == "List":
            self._loose.pop()
        tight = tag == "List" and self._loose and not self._loose[-1]
        self._flush("\n" if tight else _GAPS.get(tag, ""))
        if tag == _NOTE:
            self._current = self.blocks

    def _flush(self, gap: str) -> None:
        if self._has_html:
            html = "".join(p if isinstance(p, _Html) else _escape(p) for p in self.pieces)
            text = _html_text(html, collapse=False)
            self._has_html = False
        else:
            text = "".join(self.pieces)
        self.pieces.clear()
        if _SOFT_BREAK in text:
            text = _SOFT_BEFORE_WIDE.sub(_soft_break, text).replace(_SOFT_BREAK, " ")
        self._current.append((text, gap))

    def _flush_verbatim(self, tag: str) -> None:
        text = "".join(self.pieces)
        self.pieces.clear()
        self._verbatim = self._has_html = False
        if tag == "HtmlBlock":
            text = _html_text(text, collapse=True).strip("\n ")
        else:
            text = text.removesuffix("\n")
        self._current.append((text, "\n\n"))


def _soft_break(match: re.Match[str]) -> str:
    """A space; nothing between two characters of a script that has none (CSS Text, 4.1.3)."""
    text, at = match.string, match.start()
    return "" if _is_wide(text[at - 1 : at]) and _is_wide(text[at + 1]) else " "


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(
        character or " "
    ) in "WF" and "HANGUL" not in unicodedata.name(character, "")


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


class _Text(HTMLParser):
    def __init__(self, *, collapse: bool) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.preformatted = 0 if collapse else 1

    def set_cdata_mode(self, elem: str, *, escapable: bool = False) -> None:
        """Take no element as raw: which are, and until where, differs between Python versions."""

    def parse_marked_section(self, i: int, report: int = 1) -> int:  # noqa: ARG002  # its signature
        """Take `<![…>` for a comment, as browsers do: html.parser raises at most of them."""
        return self.parse_bogus_comment(i)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _OWN_LINE:
            self._end_line()
            self.preformatted += tag == "pre"
        elif tag == "br":
            self.parts.append("\n")
        elif tag == "img":
            self.parts.append(dict(attrs).get("alt") or "")

    def handle_endtag(self, tag: str) -> None:
        if tag in _OWN_LINE:
            self._end_line()
            self.preformatted = max(0, self.preformatted - (tag == "pre"))

    def handle_data(self, data: str) -> None:
        if not self.preformatted:
            data = _SPACES.sub(" ", data)
            if not self.parts or self.parts[-1].endswith((" ", "\n")):
                data = data.removeprefix(" ")
        if data:
            self.parts.append(data)

    def _end_line(self) -> None:
        if self.parts and not self.preformatted:
            self.parts[-1] = self.parts[-1].removesuffix(" ")
        if any(self.parts) and not "".join(self.parts[-2:]).endswith("\n"):
            self.parts.append("\n")


def _html_text(html: str, *, collapse: bool) -> str:
    """Return the text of a piece of HTML; entities become characters."""
    if "<" not in html and "&" not in html:
        return html
    parser = _Text(collapse=collapse)
    parser.feed(_UNCLOSED.sub("&lt;", _without_silent(_UNSEEN.sub("", html))))
    parser.close()
    return "".join(parser.parts)


def _without_silent(html: str) -> str:
    """Drop the elements that show nothing; a tag without its pair stays. Linear in the text."""
    kept: list[str] = []
    templates: list[int] = []  # how much was kept before each that is open
    never_closed: set[str] = set()
    done = at = 0
    while tag := _TAG.search(html, at):
        at, name = tag.end(), tag[2].lower()
        if name == "template":
            kept.append(html[done : tag.start()])
            done = tag.start()
            if not tag[1]:
                templates.append(len(kept))
            elif templates and _CLOSED[name].fullmatch(tag[0]):
                del kept[templates.pop() :]
                done = at
        elif name in {"script", "style"} and not tag[1] and name not in never_closed:
            if closed := _CLOSED[name].search(html, at):
                kept.append(html[done : tag.start()])
                done = at = closed.end()
            else:
                never_closed.add(name)
    return "".join([*kept, html[done:]])
