"""Markdown to plain text: what a reader of the page would read, with no markup left.

The rules are held by tests/golden/text.md and its .txt: a change to them updates every document
that was ever published, so they change only with a major version.

* Blocks are set apart by one blank line, items of a tight list by a line end.
* A soft line break is a space, a hard one a line end. Code is kept as it stands.
* Links give their text, images their alternative text, tables a line a row, cells by tabs.
* HTML gives its text, white space in blocks of it collapsed as browsers do; scripts, styles,
  comments and instructions give nothing. Footnotes follow at the end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from html.parser import HTMLParser

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.footnote import footnote_plugin

_TASK = re.compile(r"\[[ xX]\]\s+")
_SPACES = re.compile(r"[ \t\n\r\f]+")
_UNSEEN = re.compile(
    r"<!--(?:-?>|.*?(?:-->|\Z))|<\?.*?(?:\?>|\Z)|<!\[CDATA\[.*?(?:\]\]>|\Z)", re.DOTALL
)  # where CommonMark ends them: html.parser ends some earlier, and each version differently
_SILENT = {"script", "style", "template"}
_BLOCK_NAMES = (
    "address article aside blockquote caption dd details dialog div dl dt fieldset figcaption "
    "figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr legend li main menu nav ol option p pre "
    "search section summary table tbody td tfoot th thead tr ul"
)
_OWN_LINE = frozenset(_BLOCK_NAMES.split())


def plain_text(markdown: str) -> str:
    """Return the plain text of CommonMark with tables, strikethrough, task lists, footnotes."""
    text = gap = ""
    for block, gap_after in _blocks(_parser().parse(markdown)):
        if block:
            text += gap + block if text else block
            gap = gap_after
        else:
            gap = max(gap, gap_after)
    return text


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    return parser.use(footnote_plugin, inline=False)


def _blocks(tokens: Sequence[Token]) -> Iterator[tuple[str, str]]:
    """Yield the text of each block, or '' at the end of an outer one, with the gap after it."""
    tight: dict[int, bool] = {}  # by the level of its items' blocks: whether a list is tight
    for index, token in enumerate(tokens):
        match token.type:
            case "paragraph_open":
                tight[token.level] = token.hidden
            case "inline":
                yield _inline(token.children or [], task=_opens_item(tokens, index)), ""
            case "paragraph_close":
                yield "", "\n" if token.hidden else "\n\n"
            case "bullet_list_close" | "ordered_list_close":
                tight.pop(token.level + 2, None)
                yield "", "\n" if tight.get(token.level) else "\n\n"
            case "heading_close" | "table_close":
                yield "", "\n\n"
            case "th_open" | "td_open" if tokens[index - 1].type != "tr_open":
                yield "\t", ""
            case "tr_close":
                yield "", "\n"
            case "fence" | "code_block":
                yield token.content.removesuffix("\n"), "\n\n"
            case "html_block":
                yield _html_text(token.content, collapse=True).strip("\n "), "\n\n"


def _opens_item(tokens: Sequence[Token], index: int) -> bool:
    return index >= 2 and tokens[index - 2].type == "list_item_open"


def _inline(tokens: Sequence[Token], *, task: bool) -> str:
    html: list[str] = []
    for token in tokens:
        match token.type:
            case "text" | "code_inline" | "text_special":
                html.append(_escape(token.content))
            case "softbreak":
                html.append(" ")
            case "hardbreak":
                html.append("\n")
            case "image":
                html.append(_escape(_inline(token.children or [], task=False)))
            case "html_inline":
                html.append(token.content)
    text = _html_text("".join(html), collapse=False)
    return _TASK.sub("", text, count=1) if task and _TASK.match(text) else text


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


class _Text(HTMLParser):
    def __init__(self, *, collapse: bool) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.silent = 0
        self.preformatted = 0 if collapse else 1

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self.silent += 1
        elif tag in _OWN_LINE:
            self._end_line()
            self.preformatted += tag == "pre"
        elif tag == "br":
            self.parts.append("\n")
        elif tag == "img":
            self.parts.append(dict(attrs).get("alt") or "")

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self.silent = max(0, self.silent - 1)
        elif tag in _OWN_LINE:
            self._end_line()
            self.preformatted = max(0, self.preformatted - (tag == "pre"))

    def handle_data(self, data: str) -> None:
        if self.silent:
            return
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
    parser.feed(_UNSEEN.sub("", html))
    parser.close()
    return "".join(parser.parts)
