"""How two versions of a record differ, to be read. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from publisher import data
from publisher.data import Value

Kind = Literal["-", "+", " "]


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that differs; the lines lead from the one version to the other."""

    field: str
    lines: tuple[tuple[Kind, str], ...]


def differences(before: Mapping[str, Value], after: Mapping[str, Value]) -> tuple[Difference, ...]:
    """Return the fields that differ, sorted."""
    names = sorted(before.keys() | after.keys())
    found = (Difference(name, tuple(_lines(before, after, name))) for name in names)
    return tuple(difference for difference in found if difference.lines)


def _lines(
    before: Mapping[str, Value], after: Mapping[str, Value], name: str
) -> Iterator[tuple[Kind, str]]:
    old = _text(before[name]).splitlines() if name in before else []
    new = _text(after[name]).splitlines() if name in after else []
    for text in difflib.unified_diff(old, new, n=1, lineterm=""):
        if text[:3] in {"---", "+++"} or text.startswith("@@"):
            continue
        kind: Kind = "-" if text[0] == "-" else "+" if text[0] == "+" else " "
        yield kind, text[1:]


def _text(value: Value) -> str:
    return value if isinstance(value, str) else data.dumps(value)
