"""Checks of definitions that hold no other: strings, numbers, bytes, links, blobs, unknown.

Whoever doesn't look into a value holds it to the data model, so that a verdict has all its faults.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeAlias

from publisher import data, syntax
from publisher.data import MAX_DEPTH, Cid, Fault, is_sound_type, is_text
from publisher.findings import Finding, pointer_to
from publisher.lexicon import language as lex

Findings: TypeAlias = list[Finding] | None


class Check(Protocol):
    """Judges a value that stands `depth` containers deep: None, or findings with places in it."""

    def __call__(self, value: object, depth: int, /) -> Findings:
        """Return what is wrong, also with the data model."""
        ...


_Rule: TypeAlias = Callable[[str], Findings]
_LENGTH = ("too-long", "too-short")
_GRAPHEMES = ("too-many-graphemes", "too-few-graphemes")
_BYTES_OF_TEXT, _BYTES, _ITEMS = (
    ("byte of UTF-8", "bytes of UTF-8"),
    ("byte", "bytes"),
    ("item", "items"),
)
_CLUSTERS = ("grapheme", "graphemes")
_JSON_NAMES = {str: "a string", int: "an integer", list: "an array"}
# Letters and signs between any two of which there is a boundary: long-assigned characters of
# Grapheme_Cluster_Break Other, no pictographs, no Indic consonants.
_ALONE = re.compile(
    r"[ -~\u00a1-\u00a8\u00aa-\u00ac\u00b0-\u02ff\u0370-\u0482\u048a-\u052f\u05d0-\u05ea"
    r"\u3041-\u3096\u30a1-\u30fa\u3400-\u4dbf\u4e00-\u9fff]{3,}"
)
_SHOWN = 40  # characters of a value in a message
_LISTED = 12  # values of an enum in a remedy


def count_graphemes(text: str) -> int:
    """Return the number of extended grapheme clusters (UAX #29).

    A run of characters that stand alone is counted by its length; for what may join with its ends,
    two others of their kind stand in its place.
    """
    if text.isascii() and "\r" not in text:
        return len(text)
    from wcwidth import iter_graphemes  # here, because few texts are so long

    shorter = _ALONE.sub("..", text)
    return len(text) - len(shorter) + len(list(iter_graphemes(shorter)))


def short(value: object) -> str:
    """Return a value as messages show it, at most about 40 characters."""
    text = repr(value[: _SHOWN + 1] if isinstance(value, (str, bytes)) else value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 4] + "…" + text[-1]


def error(code: str, message: str, remedy: str, pointer: str = "") -> list[Finding]:
    """Return one finding of this severity."""
    return [Finding(pointer, code, message, "error", remedy)]


def wrong_type(expected: str, value: object, depth: int) -> list[Finding]:
    """Say that a value is of another kind, and what the data model says of it."""
    found = data.check(value, depth)
    if isinstance(value, Fault):
        return found
    actual = _JSON_NAMES.get(type(value)) or _kind(value)
    return error("type", f"is {actual}, not {expected}", f"write {expected}") + found


def _kind(value: object) -> str:
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, bytes):
        return "bytes"
    if isinstance(value, Cid):
        return "a link"
    if isinstance(value, dict):
        return "a blob" if value.get("$type") == "blob" else "an object"
    return f"a {type(value).__name__}"


def undeclared(value: object, depth: int) -> Findings:
    """Judge what no definition describes: by the data model, and `$type` by its form."""
    found = data.check(value, depth)
    if isinstance(value, (dict, list)) and not found:
        found += _main_types(value)
    return found or None


def _main_types(value: object, *path: str | int) -> Iterator[Finding]:
    if isinstance(value, dict):
        name = value.get("$type")
        if isinstance(name, str) and name.endswith("#main"):
            message, remedy = f"{short(name)} ends in #main", f"write {name.removesuffix('#main')}"
            yield Finding(pointer_to(*path, "$type"), "type-name", message, "error", remedy)
        for key, item in value.items():
            yield from _main_types(item, *path, key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _main_types(item, *path, index)


def string(definition: lex.StringDef) -> Check:
    """Return the check of a string."""
    rule = _together(list(_rules(definition)))

    def check(value: object, depth: int) -> Findings:
        if not isinstance(value, str):
            return wrong_type("a string", value, depth)
        if value.isascii() or is_text(value):
            return rule(value)
        return data.check(value) + (rule(value) or [])

    return check


def _together(rules: list[_Rule]) -> _Rule:
    """Return one rule for some; most strings have one or none."""
    if len(rules) == 1:
        return rules[0]

    def rule(value: str) -> Findings:
        return [finding for each in rules for finding in each(value) or []] or None

    return rule if rules else lambda _value: None


def _rules(definition: lex.StringDef) -> Iterator[_Rule]:
    if definition.format:
        yield _format(definition.format)
    sizes = (
        *(definition.minLength, definition.maxLength),
        *(definition.minGraphemes, definition.maxGraphemes),
    )
    if sizes != (None, None, None, None):
        yield _sizes(definition)
    if definition.enum is not None:
        yield _enum(definition.enum)
    if definition.const is not None:
        yield _const(definition.const)


def _format(format: str) -> _Rule:
    is_plain = syntax.PLAIN[format].fullmatch

    def rule(value: str) -> Findings:
        if is_plain(value):
            return None
        if reason := syntax.check(format, value):
            return error("format", f"{short(value)} {reason}", f"write a valid {format}")
        if doubt := syntax.caution(format, value):
            message, remedy = f"{short(value)} {doubt}", "write it so that every reader takes it"
            return [Finding("", "format-doubt", message, "warning", remedy)]
        return None

    return rule


def _sizes(definition: lex.StringDef) -> _Rule:
    least, most = _bounds(definition.minLength, definition.maxLength)
    fewest, maximum = _bounds(definition.minGraphemes, definition.maxGraphemes)
    of_bytes = _within(_LENGTH, _BYTES_OF_TEXT, least, most)
    of_graphemes = _within(_GRAPHEMES, _CLUSTERS, fewest, maximum)
    # A character has one to four bytes, a grapheme one character or more, a text one grapheme.
    low, high = max(least, fewest), min(most // 4, maximum)

    def rule(value: str) -> Findings:
        count = len(value)
        if low <= (count > 0) and count <= high:
            return None
        size = count if value.isascii() else len(value.encode("utf-8", "surrogatepass"))
        found = of_bytes(size) or []
        if count > maximum or fewest > (count > 0):
            found += of_graphemes(count_graphemes(value)) or []
        return found or None

    return rule


def _enum(allowed: list[str]) -> _Rule:
    def rule(value: str) -> Findings:
        if value in allowed:
            return None
        return error("enum", f"{short(value)} is not allowed", _one_of(allowed))

    return rule


def _const(only: str) -> _Rule:
    def rule(value: str) -> Findings:
        if value == only:
            return None
        return error("const", f"{short(value)} is not {only!r}", f"write {only!r}")

    return rule


def _bounds(least: int | None, most: int | None) -> tuple[int, int]:
    return (0 if least is None else least), (sys.maxsize if most is None else most)


def _within(
    codes: tuple[str, str], units: tuple[str, str], low: int, high: int
) -> Callable[[int], Findings]:
    """Return the check of a size that lies between two; `units` are for one and for many."""
    above, below = codes

    def check(size: int) -> Findings:
        if low <= size <= high:
            return None
        has = f"has {size:,} {units[size != 1]}"
        if size > high:
            remedy = f"shorten it by {size - high:,}; nothing is ever cut for you"
            return error(above, f"{has}; the most is {high:,}", remedy)
        return error(below, f"{has}; the least is {low:,}", "write more")

    return check


def _one_of(allowed: Sequence[object]) -> str:
    if len(allowed) == 1:
        return f"use {allowed[0]!r}"
    more = ", …" if len(allowed) > _LISTED else ""
    return (
        f"use one of {', '.join(map(repr, allowed[:_LISTED]))}{more}" if allowed else "leave it out"
    )


def integer(definition: lex.IntegerDef) -> Check:
    """Return the check of an integer."""
    minimum, maximum = definition.minimum, definition.maximum
    enum, const = definition.enum, definition.const

    def check(value: object, depth: int) -> Findings:
        if isinstance(value, bool) or not isinstance(value, int):
            return wrong_type("an integer", value, depth)
        findings = data.check(value)
        if minimum is not None and value < minimum:
            findings += error("minimum", f"{value} is below {minimum}", f"use {minimum} or more")
        if maximum is not None and value > maximum:
            findings += error("maximum", f"{value} is above {maximum}", f"use {maximum} or less")
        if enum is not None and value not in enum:
            findings += error("enum", f"{value} is not allowed", _one_of(enum))
        if const is not None and value != const:
            findings += error("const", f"{value} is not {const}", f"write {const}")
        return findings or None

    return check


def boolean(definition: lex.BooleanDef) -> Check:
    """Return the check of true or false."""
    const = definition.const

    def check(value: object, depth: int) -> Findings:
        if not isinstance(value, bool):
            return wrong_type("true or false", value, depth)
        if const is not None and value is not const:
            wanted = str(const).lower()
            return error("const", f"is {str(value).lower()}, not {wanted}", f"write {wanted}")
        return None

    return check


def raw_bytes(definition: lex.BytesDef) -> Check:
    """Return the check of bytes."""
    within = _within(_LENGTH, _BYTES, *_bounds(definition.minLength, definition.maxLength))

    def check(value: object, depth: int) -> Findings:
        if not isinstance(value, bytes):
            return wrong_type('bytes ({"$bytes": base64})', value, depth)
        return within(len(value))

    return check


def items_within(definition: lex.ArrayDef) -> Callable[[int], Findings]:
    """Return the check of an array's length."""
    return _within(_LENGTH, _ITEMS, *_bounds(definition.minLength, definition.maxLength))


def cid_link(value: object, depth: int) -> Findings:
    """Take a link."""
    return None if isinstance(value, Cid) else wrong_type('a link ({"$link": CID})', value, depth)


def blob(definition: lex.BlobDef) -> Check:
    """Return the check of a blob."""
    accept = ["*/*"] if definition.accept is None else definition.accept
    max_size = sys.maxsize if definition.maxSize is None else definition.maxSize
    accepted = _accepted(accept)

    def check(value: object, depth: int) -> Findings:
        if not isinstance(value, dict) or value.get("$type") != "blob":
            return _no_blob(value, depth)
        is_sound = is_sound_type(value) and depth < MAX_DEPTH
        findings = [] if is_sound else data.check(value, depth)
        mime_type, size = value.get("mimeType"), value.get("size")
        if isinstance(mime_type, str) and not accepted(mime_type):
            message = f"is {short(mime_type)}; accepted here: {', '.join(accept)}"
            findings += error("blob-type", message, "convert the file", "/mimeType")
        if isinstance(size, int) and size > max_size:
            message = f"the blob has {size:,} bytes; the most is {max_size:,}"
            findings += error("blob-size", message, "make the file smaller", "/size")
        return findings or None

    return check


def _accepted(accept: list[str]) -> Callable[[str], bool]:
    """Return the test of media types: exact, `type/*` or `*/*`."""
    prefixes = tuple("" if p == "*/*" else p[:-1] for p in accept if p.endswith("/*"))
    return lambda mime_type: mime_type in accept or mime_type.startswith(prefixes)


def _no_blob(value: object, depth: int) -> list[Finding]:
    if isinstance(value, dict) and value.keys() == {"cid", "mimeType"}:
        message = "is a blob in the form given up in 2023"
        remedy = "write $type, ref, mimeType and size; upload the file again if need be"
        others = [f for f in data.check(value, depth) if f.code != "blob-legacy"]
        return error("blob-legacy", message, remedy) + others
    return wrong_type("a blob", value, depth)


def unknown(value: object, depth: int) -> Findings:
    """Take any object that is no blob."""
    if isinstance(value, dict) and value.get("$type") != "blob":
        return undeclared(value, depth)
    return wrong_type("an object", value, depth)


def token(name: str) -> Check:
    """Return the check of a token's name, which is all there is of it."""
    return string(lex.StringDef(type="string", const=name))
