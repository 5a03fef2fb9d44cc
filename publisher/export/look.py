"""How a line of Markdown is set, as a parser of it sees it: writing can then be checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import pyromark

Look: TypeAlias = list[tuple[str, frozenset[str]]]
"""Each character that is no white space, with all that it is."""

_STARTS = {
    "Emphasis": "italic",
    "Link": "link",
    "Strikethrough": "strikethrough",
    "Strong": "bold",
    "<del>": "strikethrough",
    "<em>": "italic",
    "<mark>": "highlight",
    "<strong>": "bold",
    "<u>": "underline",
}


def look(markdown: str) -> Look:
    """Return how a line is set, by marks and by the tags that are written for them."""
    seen: Look = []
    now: list[str] = []
    events: Iterable[str | Mapping[str, Any]] = pyromark.events(
        markdown, options=pyromark.Options.ENABLE_STRIKETHROUGH
    )
    for event in events:
        for kind, inner in event.items() if isinstance(event, Mapping) else ():
            if kind == "Start":
                now.append(_STARTS.get(inner if isinstance(inner, str) else next(iter(inner)), ""))
            elif kind == "InlineHtml" and inner in _STARTS:
                now.append(_STARTS[inner])
            elif kind in {"End", "InlineHtml"}:
                now.pop()
            elif kind in {"Text", "Code"}:
                seen += looks(inner, [*now, "code"] if kind == "Code" else now)
    return seen


def looks(text: str, kinds: Iterable[str]) -> Look:
    """Return the look of a text that is set in one way."""
    held = frozenset(kinds) - {""}
    return [(character, held) for character in text if not character.isspace()]
