"""Plain text, written so that it reads as the same plain text where it is Markdown."""

from __future__ import annotations

import re
from typing import Final

_SPECIAL = re.compile(
    r"(?P<mark>[*`\[\]|~]|\\(?![^\W_])|<(?=[A-Za-z/!?]|\Z)|&(?=#?\w|\Z)|!\Z)"
    r"|(?P<words>(?<=[^\W_])_+(?=[^\W_]))|(?P<line>_)"
)
_UNSAFE = re.compile(r"(?:javascript|vbscript|data|file):", re.IGNORECASE)
_UNSEEN = re.compile(
    "[\x01-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]"
)
"""Controls, marks of direction, and what is nowhere seen; joiners belong to emoji and scripts."""
_LINE_START = re.compile(r"[#>=]|[-+](?=[-+\s]|\Z)|:(?=-)")
_NUMBERED = re.compile(r"(\d{1,9})([.)])(?=\s|\Z)", re.ASCII)
_EDGE = re.compile(r"\A[ \t]|[ \t]\Z")
_LINE_END: Final = "&#10;"
HARD_BREAK: Final = "\\\n"


def text_as_markdown(text: str) -> str:
    """Return plain text as Markdown: paragraphs, and hard breaks for single line ends."""
    pieces = re.split(r"(\n+)", text)
    lines = [line_as_markdown(inline(line)) for line in pieces[::2]]
    breaks = [
        _break(len(run), inner=bool(pieces[at] and pieces[at + 2]))
        for at, run in zip(range(0, len(pieces), 2), pieces[1::2], strict=False)
    ]
    return "".join(part for pair in zip(lines, [*breaks, ""], strict=True) for part in pair)


def _break(line_ends: int, *, inner: bool) -> str:
    """Return what is read as so many line ends; a blank line stands for two, between lines."""
    if not inner:
        return _LINE_END * line_ends
    return HARD_BREAK if line_ends == 1 else _LINE_END * (line_ends - 2) + "\n\n"


def inline(text: str) -> str:
    """Return text without line ends as it stands within a line, whatever comes before or after."""
    return _UNSEEN.sub(lambda found: f"&#{ord(found[0])};", _SPECIAL.sub(_escaped, text))


def _escaped(found: re.Match[str]) -> str:
    return found[0] if found["words"] else f"\\{found[0]}"


def line_as_markdown(line: str) -> str:
    """Return what `inline` made as a line of its own, which begins no block."""
    return beginning_no_block(_EDGE.sub(lambda found: f"&#{ord(found[0])};", line))


def beginning_no_block(line: str) -> str:
    """Return a line, or a part of one, that is no heading, list, quote or rule."""
    if _LINE_START.match(line):
        line = f"\\{line}"
    line = _NUMBERED.sub(r"\1\\\2", line, count=1) if _NUMBERED.match(line) else line
    return f"{line[:-1]}\\#" if line.endswith("#") and not line.endswith("\\#") else line


def code_span(text: str) -> str:
    """Return text without line ends as a code span."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if text[:1] in {"`", " "} or text[-1:] in {"`", " "} else ""
    if not text.strip(" "):
        pad = ""  # nothing is taken from what is only spaces
    return f"{fence}{pad}{text}{pad}{fence}"


def fenced(text: str, language: str = "") -> str:
    """Return text as a block of code."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    info = re.sub(r"[\s`&\\]+", "-", language.strip())
    return f"{fence}{info}\n{text}\n{fence}"


def is_safe(address: str) -> bool:
    """Tell whether an address only leads somewhere: it runs nothing and opens no file here."""
    return not _UNSAFE.match(re.sub(r"[\x00-\x20]", "", address))


def link(text: str, address: str) -> str:
    """Return a link; `text` is Markdown already."""
    return f"[{text}]({destination(address)})"


def destination(address: str) -> str:
    """Return an address as Markdown takes it behind a link's text."""
    address = re.sub(r"[\x00-\x20<>\\`\x7f-\xa0\u2000-\u206f\ufeff]", _percent, address)
    address = address.replace("&", "&amp;") if re.search(r"&#?\w+;", address) else address
    return f"<{address}>" if re.search(r"[()]|\A\Z", address) else address


def _percent(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode())
