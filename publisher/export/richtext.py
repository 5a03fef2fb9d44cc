"""Text with facets (pub.leaflet.richtext.facet) becomes lines of Markdown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Final, TypeAlias

from publisher.data import Value
from publisher.export.body import Body
from publisher.export.escape import HARD_BREAK, code_span, inline, is_safe, line_as_markdown, link
from publisher.export.look import look, looks

Feature: TypeAlias = tuple[int, str]
"""What a piece of text is, as its place in `_KINDS`, and an address or a number."""
Run: TypeAlias = tuple[str, tuple[Feature, ...]]
"""A piece of text without line ends, and all that it is, the outermost first."""

_FACET: Final = "pub.leaflet.richtext.facet#"
_KINDS = ("link", "highlight", "underline", "bold", "italic", "strikethrough", "code", "note")
_LINK, _CODE, _NOTE = (_KINDS.index(kind) for kind in ("link", "code", "note"))
_MARKS = {3: "**", 4: "*", 5: "~~"}
_TAGS = {1: "mark", 2: "u", 3: "strong", 4: "em", 5: "del"}
_ADDRESSES = {"link": ("uri",), "atMention": ("href", "atURI"), "didMention": ("did",)}


class RichText:
    """Writes texts of one document; `notes` are the footnotes met so far, in order."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self.notes: list[str] = []

    def paragraphs(self, block: dict[str, Value]) -> str:
        """Return the text of a block; blank lines part paragraphs, others are hard breaks."""
        lines = [self._line(runs) for runs in self._lines(block, "plaintext", "facets")]
        groups: list[list[str]] = [[]]
        for line in lines:
            if line:
                groups[-1].append(line)
            else:
                groups.append([])
        return "\n\n".join(HARD_BREAK.join(group) for group in groups if group)

    def one_line(
        self, block: dict[str, Value], *, text: str = "plaintext", facets: str = "facets"
    ) -> str:
        """Return the text of a block where Markdown has room for a line only."""
        lines = self._lines(block, text, facets)
        return self._line([run for line in lines for run in (*line, (" ", ()))])

    def _lines(self, block: dict[str, Value], text: str, facets: str) -> list[list[Run]]:
        plaintext = block.get(text)
        if not isinstance(plaintext, str):
            return []
        plaintext = plaintext.replace("\0", "\N{REPLACEMENT CHARACTER}")
        lines: list[list[Run]] = [[]]
        for piece, features in self._runs(plaintext, block.get(facets)):
            first, *others = piece.split("\n")
            lines[-1].append((first, features))
            lines += [[(each, features)] for each in others]
        return lines

    def _runs(self, text: str, facets: Value) -> Iterator[Run]:
        """Cut a text where facets begin and end; a footnote's number is an empty piece."""
        raw = text.encode()
        begins, ends = self._features(raw, facets)
        active: dict[Feature, int] = defaultdict(int)
        places = sorted({0, len(raw), *begins, *ends})
        for place, following in zip(places, [*places[1:], len(raw)], strict=True):
            for feature in ends.get(place, ()):
                active[feature] -= 1
                if feature[0] == _NOTE:
                    yield "", (feature,)
            for feature in begins.get(place, ()):
                active[feature] += 1
            held = sorted(f for f, count in active.items() if count > 0 and f[0] != _NOTE)
            while sum(kind == _LINK for kind, _ in held) > 1:  # none within another
                held.pop(0)
            yield raw[place:following].decode(), tuple(held)

    def _features(
        self, raw: bytes, facets: Value
    ) -> tuple[dict[int, list[Feature]], dict[int, list[Feature]]]:
        """Return what begins and what ends at each byte."""
        begins: dict[int, list[Feature]] = defaultdict(list)
        ends: dict[int, list[Feature]] = defaultdict(list)
        for facet in facets if isinstance(facets, list) else ():
            place = _place(raw, facet)
            features = facet.get("features") if isinstance(facet, dict) else None
            if place is None or not isinstance(features, list):
                self._body.lose("content: a facet that has no place in its text")
                continue
            for feature in features:
                known = self._feature(feature) if isinstance(feature, dict) else None
                if known:
                    begins[place[0]].append(known)
                    ends[place[1]].append(known)
        return begins, ends

    def _feature(self, feature: dict[str, Value]) -> Feature | None:
        name = str(feature.get("$type"))
        kind = name.removeprefix(_FACET) if name.startswith(_FACET) else ""
        if kind == "footnote":
            return self._note(feature)
        if kind in _ADDRESSES:
            addresses = (feature.get(field) for field in _ADDRESSES[kind])
            address = next((a for a in addresses if isinstance(a, str) and is_safe(a)), None)
            if address is not None:
                return _LINK, f"at://{address}" if kind == "didMention" else address
            self._body.lose("content: a link without an address that can be followed")
            return None
        if kind in _KINDS and kind != "note":
            if "color" in feature:
                self._body.lose("content: the colour of a highlight")
            return _KINDS.index(kind), ""
        self._body.lose(f"content: a facet of {name}")
        return None

    def _note(self, feature: dict[str, Value]) -> Feature:
        self.notes.append("")
        number = len(self.notes)
        self.notes[number - 1] = self.one_line(
            feature, text="contentPlaintext", facets="contentFacets"
        )
        return _NOTE, str(number)

    def _line(self, runs: list[Run]) -> str:
        """Return a line: with marks if they read as they should, with tags if these do."""
        runs = _stripped(runs)
        text = "".join(piece for piece, _ in runs)
        spoken = [run for run in runs if not _is_note(run)]
        wanted = [each for piece, sets in spoken for each in looks(piece, _names(sets))]
        for marks in (_MARKS, {}):
            if look(line_as_markdown(_rendered(spoken, marks))) == wanted:
                return line_as_markdown(_rendered(runs, marks))
        self._body.lose("content: how some text is set")
        return line_as_markdown(inline(text))


def _place(raw: bytes, facet: Value) -> tuple[int, int] | None:
    """Return the bytes that a facet is about, None where these are no whole characters."""
    index = facet.get("index") if isinstance(facet, dict) else None
    if not isinstance(index, dict):
        return None
    start, end = index.get("byteStart"), index.get("byteEnd")
    if not (isinstance(start, int) and isinstance(end, int) and 0 <= start <= end <= len(raw)):
        return None
    whole = all(raw[at : at + 1] < b"\x80" or raw[at] >= 0xC0 for at in (start, end))
    return (int(start), int(end)) if whole else None


def _names(features: tuple[Feature, ...]) -> list[str]:
    return [_KINDS[kind] for kind, _ in features]


def _is_note(run: Run) -> bool:
    return run[1][:1] != () and run[1][0][0] == _NOTE


def _stripped(runs: list[Run]) -> list[Run]:
    """Take white space from both ends of a line, and the pieces that are nothing."""
    kept = [run for run in runs if run[0] or _is_note(run)]
    while kept and not (_is_note(kept[0]) or kept[0][0].strip()):
        kept.pop(0)
    while kept and not (_is_note(kept[-1]) or kept[-1][0].strip()):
        kept.pop()
    if kept:
        kept[0] = kept[0][0].lstrip(), kept[0][1]
        kept[-1] = kept[-1][0].rstrip(), kept[-1][1]
    return kept


def _rendered(runs: list[Run], marks: dict[int, str]) -> str:
    """Return a line; what is set alike stands in one pair of marks, or of tags."""
    parts: list[str] = []
    at = 0
    while at < len(runs):
        piece, features = runs[at]
        end = at + 1
        if not features:
            parts.append(inline(piece))
        else:
            while end < len(runs) and runs[end][1][:1] == features[:1]:
                end += 1
            parts.append(_set(features[0], [(p, f[1:]) for p, f in runs[at:end]], marks))
        at = end
    return "".join(parts)


def _set(feature: Feature, runs: list[Run], marks: dict[int, str]) -> str:
    kind, argument = feature
    if kind == _NOTE:
        return f"[^{argument}]"
    if kind == _CODE:
        return code_span("".join(piece for piece, _ in runs))
    inner = _rendered(runs, marks)
    if kind == _LINK:
        return link(inner, argument)
    text = inner.strip()
    if not text:
        return inner
    before, _, after = inner.partition(text)
    if kind in marks:
        return f"{before}{marks[kind]}{text}{marks[kind]}{after}"
    return f"{before}<{_TAGS[kind]}>{text}</{_TAGS[kind]}>{after}"
