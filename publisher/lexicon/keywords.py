"""Fields in a lexicon file that the language doesn't have. Pure.

Whoever writes `maxLenght`, or `maximum` for a string, believes that records are held to it: an
error. What nobody could take for a rule is a warning.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from functools import lru_cache

from publisher.findings import Finding, pointer_to
from publisher.lexicon.form import every_kind, model_of
from publisher.lexicon.nodes import Node

_NOTES = frozenset({"title", "deprecated"})
"""What others write beside `description` and names that begin with `$`, and no reader obeys."""

_WORDS = {"type", "description", "knownValues", "title", "title:lang", "detail", "detail:lang"}
_UNREAD = {"lexicon", "error"}
"""Keywords, and kinds of nodes, that make no rule."""

_JSON_SCHEMA = {
    "$ref": 'write {"type": "ref", "ref": …}',
    "additionalProperties": "leave it out: objects are open",
    "allOf": "write one object",
    "anyOf": "write a union",
    "exclusiveMaximum": "write maximum",
    "exclusiveMinimum": "write minimum",
    "maxItems": "write maxLength",
    "minItems": "write minLength",
    "multipleOf": "say it in the description",
    "oneOf": "write a union",
    "optional": "leave it out of required",
    "pattern": "write a format, enum or knownValues",
    "uniqueItems": "say it in the description",
}
"""What JSON Schema would obey, and what to do here."""


def unknown_fields(node: Node) -> Iterator[Finding]:
    """Yield a finding for each field that this kind of node doesn't have."""
    known = _keywords(node.kind)
    if not known or node.body.keys() <= known:
        return
    for name in node.body:
        if name in known or name in _NOTES:
            continue
        if name in _JSON_SCHEMA or not name.startswith("$"):
            yield _finding(name, node, known)


def null_keywords(node: Node) -> Iterator[Finding]:
    """Yield a finding for each keyword that may be left out, and is null instead."""
    if None not in node.body.values() or not (model := model_of(node.kind)):
        return
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    for name, value in node.body.items():
        # Other defaults than None don't take null, so that `form.parse` has told of it.
        if value is None and name in fields and fields[name].default is None:
            pointer = pointer_to(*node.place, name)
            yield Finding(pointer, "lexicon-form", "is null", "error", f"leave {name} out")


@lru_cache(maxsize=64)
def _keywords(kind: str) -> frozenset[str]:
    """Return the keywords of a kind of node, none where it isn't known."""
    model = model_of(kind)
    fields = model.model_fields if model else {}
    return frozenset(field.alias or name for name, field in fields.items())


def _finding(name: str, node: Node, known: frozenset[str]) -> Finding:
    pointer = pointer_to(*node.place, name)
    meant = get_close_matches(name, known, n=1, cutoff=0.75)
    if meant and _owners(meant[0]):
        message, remedy = f"{name} is no keyword, and nothing obeys it", f"write {meant[0]}"
        return Finding(pointer, "lexicon-keyword", message, "error", remedy)
    if name in _JSON_SCHEMA:
        message = f"{name} is JSON Schema's, and nothing here obeys it"
        return Finding(pointer, "lexicon-keyword", message, "error", _JSON_SCHEMA[name])
    if owners := _owners(name):
        message = f"nothing obeys {name} in {node.kind}"
        remedy = f"take it out: it belongs to {', '.join(owners)}"
        return Finding(pointer, "lexicon-keyword", message, "error", remedy)
    remedy = f"write {meant[0]}" if meant else "take it out, or say it in the description"
    return Finding(pointer, "lexicon-field", f"{name} is no keyword", "warning", remedy)


def _owners(name: str) -> list[str]:
    """Return the kinds of nodes in which a reader obeys a keyword."""
    kinds = [kind for kind in every_kind() if kind not in _UNREAD and name in _keywords(kind)]
    return [] if name in _WORDS else kinds
