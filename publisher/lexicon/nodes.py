"""A lexicon document walked as the JSON it is, so that one fault hides no other. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias

Json: TypeAlias = dict[str, Any]
Place: TypeAlias = tuple[str | int, ...]

_INSIDE = {
    "lexicon": ("defs",),
    "record": ("record",),
    "array": ("items",),
    "object": ("properties",),
    "params": ("properties",),
    "query": ("parameters", "output", "errors"),
    "procedure": ("parameters", "input", "output", "errors"),
    "subscription": ("parameters", "message", "errors"),
    "payload": ("schema",),
    "message": ("schema",),
    "permission-set": ("permissions",),
}
"""Where each kind of node holds others: one, many by name, or a list."""

_NAMED = {"defs", "properties"}
_KINDS = {"input": "payload", "output": "payload", "message": "message", "errors": "error"}
_NO_TYPES = {"lexicon", *_KINDS.values()}


class Node(NamedTuple):
    """A JSON object that the language gives a meaning, and the way to it.

    `kind` is a definition's type; 'lexicon', 'payload', 'message', 'error' where there is none;
    'permission to repo' and so on.
    """

    kind: str
    place: Place
    body: Json


def nodes(document: object) -> list[Node]:
    """Return the document and every node in it, in their order; none of what is no object."""
    found: list[Node] = []
    _collect("lexicon", (), document, found)
    return found


def strings(value: object) -> Iterator[tuple[int, str]]:
    """Yield the strings of an array with their indices, nothing of what is none."""
    for index, item in enumerate(value if isinstance(value, list) else ()):
        if isinstance(item, str):
            yield index, item


def _collect(kind: str, place: Place, body: object, found: list[Node]) -> None:
    if not isinstance(body, dict):
        return
    found.append(Node(kind, place, body))
    for key in _INSIDE.get(kind, ()):
        value = body.get(key)
        if isinstance(value, dict) and key in _NAMED:
            for name, child in value.items():
                _collect(_kind(key, child), (*place, key, name), child, found)
        elif isinstance(value, list):
            for index, child in enumerate(value):
                _collect(_kind(key, child), (*place, key, index), child, found)
        else:
            _collect(_kind(key, value), (*place, key), value, found)


def _kind(key: str, body: object) -> str:
    if key in _KINDS or not isinstance(body, dict):
        return _KINDS.get(key, "")
    if key == "permissions":
        return f"permission to {body.get('resource')}"
    kind = str(body.get("type"))
    return "" if kind in _NO_TYPES else kind
