"""HTML (org.wordpress.html) becomes Markdown: cleaned by nh3, written by markdownify."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeAlias

import nh3
from bs4 import BeautifulSoup, Tag
from bs4.element import PageElement
from markdownify import MarkdownConverter

from publisher.data import Value
from publisher.documents.text import plain_text
from publisher.export.body import Body
from publisher.export.escape import beginning_no_block, code_span, fenced, inline, link

_WRITTEN_NAMES = (
    "a audio b blockquote br caption code del em figcaption h1 h2 h3 h4 h5 h6 hr i iframe img ins"
    " kbd li mark ol p pre s samp strike strong sub sup table tbody td tfoot th thead tr u ul video"
)
_APART_NAMES = "article aside dd details div dl dt figure footer header main section summary"
_WRITTEN = frozenset(_WRITTEN_NAMES.split())
_APART = frozenset(_APART_NAMES.split())
"""Written as paragraphs."""
_SILENT = frozenset({"head", "script", "style", "template", "title"})
_KNOWN = (
    _WRITTEN
    | _APART
    | _SILENT
    | {"abbr", "body", "cite", "font", "html", "small", "span", "time", "wbr"}
)
_ATTRIBUTES = {
    "a": {"href"},
    "audio": {"src"},
    "code": {"class"},
    "iframe": {"src"},
    "img": {"alt", "src"},
    "ol": {"start"},
    "pre": {"class"},
    "td": {"colspan"},
    "th": {"colspan"},
    "video": {"src"},
}
_SCHEMES = frozenset({"at", "http", "https", "mailto", "tel"})
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_NAME = re.compile(r"<([a-z][a-z0-9-]*)", re.IGNORECASE)
_LANGUAGE = re.compile(r"(?:language|lang)-([\w+#-]+)")
_TAG = re.compile(r"<(/?)([a-z][a-z0-9-]*)", re.IGNORECASE)
_UNNESTED = frozenset(["br", "hr", "img", "input", "li", "p", "td", "th", "tr", "source", "wbr"])
_DEEPEST: Final = 100  # elements: what cleans and writes them takes a stack, and time, for each
_INLINE_NAMES = (
    "a audio b br code del em i iframe img ins kbd mark s samp strike strong sub sup u video"
)
_INLINE = frozenset(_INLINE_NAMES.split())
_FORMATS = frozenset({"b", "del", "em", "i", "s", "strike", "strong"})

_Convert: TypeAlias = "Callable[[_Converter, Tag, str, set[str]], str]"


def wordpress(content: dict[str, Value], body: Body) -> str | None:
    """Return the HTML as Markdown; None where there is none, or it is nested too deeply."""
    html = content.get("html")
    if not isinstance(html, str):
        return None
    for name in sorted({name.lower() for name in _NAME.findall(_COMMENT.sub("", html))} - _KNOWN):
        body.lose(f"content: <{name}>")
    try:
        return _checked(html, body)
    except RecursionError:
        body.lose("content: its HTML, which is nested too deeply")
        return None


def _checked(html: str, body: Body) -> str:
    """Return the Markdown, with tags in it if marks aren't read as such. Raises RecursionError."""
    if _depth(html) > _DEEPEST:
        raise RecursionError
    clean = nh3.clean(
        html,
        tags=_WRITTEN | _APART,
        clean_content_tags=_SILENT,
        attributes=_ATTRIBUTES,
        url_schemes=_SCHEMES,
        link_rel=None,
    )
    said = _said(clean)
    for with_tags in (False, True):
        text = _written(clean, with_tags=with_tags)
        if "".join(plain_text(text).split()) == said:
            return text
    body.lose("content: how some of its HTML reads")
    return text


def _depth(html: str) -> int:
    """Return how deep elements are nested at most; those whose end may be left out don't count."""
    depth = deepest = 0
    for end, name in _TAG.findall(html):
        if name.lower() not in _UNNESTED:
            depth = max(0, depth - 1) if end else depth + 1
            deepest = max(depth, deepest)
    return deepest


def _written(html: str, *, with_tags: bool) -> str:
    soup = BeautifulSoup(html, "html.parser")
    for element in soup.find_all(_APART):
        element.name = "p"
    for line_break in reversed(soup.find_all("br")):
        _settle(line_break)
    return str(_Converter(with_tags=with_tags).convert_soup(soup)).strip()


def _settle(line_break: Tag) -> None:
    """Take out a line break that ends a block: Markdown has none there."""
    if line_break.find_parent(["pre", "code", "kbd", "samp"]):
        line_break.replace_with("\n")
        return
    while (following := _following(line_break)) is None:
        parent = line_break.parent
        if parent is None or parent.name not in _INLINE:
            break
        parent.insert_after(line_break)
    if following is None or (isinstance(following, Tag) and following.name not in _INLINE):
        line_break.extract()


def _following(element: Tag) -> PageElement | None:
    """Return what comes next within the parent, white space apart."""
    siblings = element.next_siblings
    return next((each for each in siblings if isinstance(each, Tag) or str(each).strip()), None)


def _said(html: str) -> str:
    """Return all that the HTML says, without its white space: no two programs agree on that."""
    soup = BeautifulSoup(html, "html.parser")
    for element in soup.find_all(["audio", "iframe", "img", "video"]):
        element.replace_with(str(element.get("alt" if element.name == "img" else "src") or ""))
    return "".join(soup.get_text().split())


def _set(mark: str, tag: str) -> _Convert:
    """Return what sets text between marks; between tags where marks wouldn't be read as such."""

    def convert(self: _Converter, el: Tag, text: str, parent_tags: set[str]) -> str:
        inner = text.strip()
        if not inner or "_noformat" in parent_tags:
            return text
        before, _, after = text.partition(inner)
        before, after = " " * bool(before), " " * bool(after)
        if self.with_tags or not mark or _is_close(el, inner):
            return f"{before}<{tag}>{inner}</{tag}>{after}"
        return f"{before}{mark}{inner}{mark}{after}"

    return convert


def _is_close(el: Tag, inner: str) -> bool:
    """Tell whether marks stand so close to other text that they don't count (CommonMark, 6.2)."""
    beside = ((el.previous_sibling, -1, inner[0]), (el.next_sibling, 0, inner[-1]))
    return any(_joins(other, edge, own) for other, edge, own in beside)


def _joins(other: PageElement | None, edge: int, own: str) -> bool:
    if isinstance(other, Tag):
        return other.name in _FORMATS
    text = str(other or "")
    return bool(text) and text[edge].isalnum() and not own.isalnum()


class _Converter(MarkdownConverter):
    """Markdownify, with what CommonMark asks for where other HTML than its own is common."""

    def __init__(self, *, with_tags: bool) -> None:
        super().__init__(
            bullets="-",
            heading_style="atx",
            newline_style="backslash",
            sub_symbol="<sub>",
            sup_symbol="<sup>",
        )
        self.with_tags = with_tags

    convert_b = convert_strong = _set("**", "strong")
    convert_i = convert_em = _set("*", "em")
    convert_del = convert_s = convert_strike = _set("~~", "del")
    convert_ins = convert_u = _set("", "u")
    convert_mark = _set("", "mark")

    def escape(self, text: str, parent_tags: set[str]) -> str:  # noqa: ARG002  # its signature
        text = re.sub(r"[ \t\n\r\f]+", " ", text)
        words = text.lstrip(" ")
        if not words.strip():  # spaces that don't break make a blank line no paragraph
            return " "
        return " " * (len(text) - len(words)) + beginning_no_block(inline(words))

    def convert_a(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        href, words = el.get("href"), " ".join(text.split())
        if "_noformat" in parent_tags or not words or not isinstance(href, str):
            return text
        return f"{' ' * text.startswith(' ')}{link(words, href)}{' ' * text.endswith(' ')}"

    def convert_ol(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        # Only a list that begins with 1 may follow a line without a blank one (CommonMark, 5.3).
        gap = "\n" if "li" in parent_tags and el.get("start", "1") != "1" else ""
        return f"{gap}{self.convert_ul(el, text, parent_tags)}"  # type: ignore[attr-defined]  # untyped

    def convert_img(self, el: Tag, text: str, parent_tags: set[str]) -> str:  # noqa: ARG002
        return f"!{link(_attribute(el, 'alt'), str(el.get('src') or ''))}"

    def convert_iframe(self, el: Tag, text: str, parent_tags: set[str]) -> str:  # noqa: ARG002
        address = _attribute(el, "src")
        return f"\n\n{link(address, str(el['src']))}\n\n" if address else ""

    convert_audio = convert_video = convert_iframe

    def convert_code(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        words = re.sub(r"\s+", " ", el.get_text())
        if "_noformat" in parent_tags or not words.strip():
            return text
        if any(
            isinstance(e, Tag) and e.name == el.name for e in (el.previous_sibling, el.next_sibling)
        ):
            return f"<code>{inline(words)}</code>"  # their marks would be one
        span = code_span(words)
        return span.replace("|", "\\|") if parent_tags & {"td", "th"} else span

    convert_kbd = convert_samp = convert_code

    def convert_pre(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        if "_inline" in parent_tags:
            return self.convert_code(el, text, parent_tags)
        named = [str(each.get("class")) for each in (el, *el.find_all("code", limit=1))]
        language = _LANGUAGE.search(" ".join(named))
        code = el.get_text().removeprefix("\n").removesuffix("\n")
        return f"\n\n{fenced(code, language[1] if language else '')}\n\n"


def _attribute(el: Tag, name: str) -> str:
    """Return an attribute as text in Markdown."""
    return inline(" ".join(str(el.get(name) or "").split()))
