"""Front matter, written by the library that reads it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import yaml

from publisher.data import Value

_STRING: Final = "tag:yaml.org,2002:str"
_BOOL: Final = "tag:yaml.org,2002:bool"
_DATE: Final = "tag:yaml.org,2002:timestamp"
_DATES = frozenset({"date", "updated"})
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)", re.ASCII)
_ENDLESS: Final = 2**31 - 1  # columns: no line is folded
_UNSEEN = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_CONTROL = re.compile(f"{_UNSEEN.pattern}|[\x00-\x1f]")
_WORD = re.compile(r"[^\W\d_]")
_OTHER_YAML = frozenset({"n", "y"})  # no words to PyYAML, but to others that hold to YAML 1.1


def front_matter(fields: Mapping[str, Value], *, verbatim: bool = False) -> str:
    """Return the head with its fences: what is text or a list of texts, all else is left out.

    `verbatim` says of the body that the blank lines around it belong to it. Controls and marks of
    direction are escaped. What looks like an instant is written as a date in `date` and `updated`,
    and as text elsewhere.
    """
    pairs = [
        (_string(name), node)
        for name, item in fields.items()
        if (node := _node(item, is_date=name in _DATES))
    ]
    if verbatim:
        pairs.append((_string("verbatim"), yaml.ScalarNode(_BOOL, "true")))
    node = yaml.MappingNode("tag:yaml.org,2002:map", pairs, flow_style=False)
    # Not the faster CSafeDumper, which writes emoji as escapes.
    text: str = yaml.serialize(node, Dumper=yaml.SafeDumper, allow_unicode=True, width=_ENDLESS)
    escaped = _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04X}", text)
    return f"---\n{escaped}---\n"


def _node(item: Value, *, is_date: bool) -> yaml.Node | None:
    if isinstance(item, list):
        nodes = [_string(each) for each in item if isinstance(each, str)]
        return yaml.SequenceNode("tag:yaml.org,2002:seq", nodes, flow_style=False)
    if not isinstance(item, str):
        return None
    if is_date and _INSTANT.fullmatch(item):
        return yaml.ScalarNode(_DATE, item)
    return _string(item)


def _string(text: str) -> yaml.ScalarNode:
    """Return a string; one that isn't plain words is quoted: each YAML reads them otherwise."""
    plain = _WORD.match(text) and text.lower() not in _OTHER_YAML and not _CONTROL.search(text)
    return yaml.ScalarNode(_STRING, text, style=None if plain else '"')
