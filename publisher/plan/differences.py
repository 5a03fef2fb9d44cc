"""How two versions of a record differ, to be read. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from publisher import data
from publisher.data import BlobRef, Value, blob_refs

Kind: TypeAlias = Literal["-", "+", " "]
Line: TypeAlias = tuple[Kind, str]

_WIDE: Final = 120  # characters of a line that are shown
_BEFORE: Final = 20  # of these, before the first that differs
_MANY: Final = 40  # lines of a field that are shown
_COSTLY: Final = 2_000  # lines on both sides together: difflib takes the square of them


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that differs; the lines lead from the one version to the other."""

    field: str
    lines: tuple[Line, ...]


def differences(before: Mapping[str, Value], after: Mapping[str, Value]) -> tuple[Difference, ...]:
    """Return the fields that differ, sorted; a field that stands on one side only differs.

    Texts are compared line by line, lists item by item, and of a long line the part is shown that
    differs. At most 40 lines of a field.
    """
    names = sorted(before.keys() | after.keys())
    found = (Difference(name, tuple(_shown(before, after, name))) for name in names)
    return tuple(difference for difference in found if difference.lines)


def _shown(before: Mapping[str, Value], after: Mapping[str, Value], name: str) -> Iterator[Line]:
    if name in before and name in after and data.encode(before[name]) == data.encode(after[name]):
        return
    old = _lines(before[name]) if name in before else []
    new = _lines(after[name]) if name in after else []
    lines = list(_compared(old, new)) or [("-", "(the same words)"), ("+", "(in another form)")]
    yield from lines[:_MANY]
    if len(lines) > _MANY:
        yield " ", f"… and {len(lines) - _MANY:,} more lines"


def _lines(value: Value) -> list[str]:
    """Return a value as lines: a text as it is, a list by item, an object by what it says."""
    if isinstance(value, str):
        return value.split("\n")
    if blob := _blob(value):
        return [f"{blob.mime_type}, {blob.size:,} bytes, {blob.cid}"]
    if isinstance(value, list):
        return [line for item in value for line in _lines(item)]
    if isinstance(value, dict) and (text := _inner_text(value)) is not None:
        return text.split("\n")
    return [data.compact(value).decode()]


def _blob(value: Value) -> BlobRef | None:
    if isinstance(value, dict) and value.get("$type") == "blob":
        return next(blob_refs(value), None)
    return None


def _inner_text(value: Mapping[str, Value]) -> str | None:
    """Return the Markdown of `at.markpub.markdown`, which is what an author wrote."""
    inner = value.get("text")
    text = inner.get("markdown") if isinstance(inner, dict) else None
    return text if isinstance(text, str) else None


def _compared(old: Sequence[str], new: Sequence[str]) -> Iterator[Line]:
    """Yield the lines that differ, with one of context; the parts that are alike cost nothing."""
    head = _alike(old, new)
    tail = _alike(old[head:][::-1], new[head:][::-1])
    before, after = old[head : len(old) - tail], new[head : len(new) - tail]
    if before or after:
        if head:
            yield " ", _cut(old[head - 1], 0)
        yield from _changed(before, after)
        if tail:
            yield " ", _cut(old[len(old) - tail], 0)


def _alike(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many lines, or characters, at the beginning are the same."""
    count = 0
    for mine, theirs in zip(one, other, strict=False):
        if mine != theirs:
            break
        count += 1
    return count


def _changed(old: Sequence[str], new: Sequence[str]) -> Iterator[Line]:
    if len(old) + len(new) > _COSTLY:
        yield from (("-", _cut(line, 0)) for line in old)
        yield from (("+", _cut(line, 0)) for line in new)
        return
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for group in matcher.get_grouped_opcodes(1):
        for tag, start, end, first, last in group:
            if tag == "equal":
                yield from ((" ", _cut(line, 0)) for line in old[start:end])
            else:
                yield from _replaced(old[start:end], new[first:last])


def _replaced(old: Sequence[str], new: Sequence[str]) -> Iterator[Line]:
    """Yield old lines, then new ones; where they are as many, each cut where the two part."""
    paired = len(old) == len(new)
    at = [_alike(*pair) for pair in zip(old, new, strict=True)] if paired else []
    yield from (("-", _cut(line, at[n] if paired else 0)) for n, line in enumerate(old))
    yield from (("+", _cut(line, at[n] if paired else 0)) for n, line in enumerate(new))


def _cut(line: str, at: int) -> str:
    """Return what is shown of a line: all, or the part around the character `at`."""
    if len(line) <= _WIDE:
        return line
    start = max(min(at - _BEFORE, len(line) - _WIDE), 0)
    end = start + _WIDE
    return f"{'…' if start else ''}{line[start:end]}{'…' if end < len(line) else ''}"
