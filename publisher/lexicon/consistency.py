"""What is wrong between definitions: refs, unions, and what can never end. Pure.

Definitions are looked at as JSON, so that a fault in a file hides none of another.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import chain
from typing import NamedTuple

from publisher.findings import Finding, pointer_to
from publisher.lexicon.language import ENDPOINTS, KINDS
from publisher.lexicon.nodes import Node, Place, strings
from publisher.lexicon.values import full_name, is_ref

_NO_VALUE = ENDPOINTS | {"params", "permission"}
_NO_MEMBER = (KINDS.keys() | _NO_VALUE) - {"object", "record", "ref", "unknown"}
"""What can't be a member of a union; definitions of the last two are told where they stand."""


@dataclass(frozen=True, slots=True)
class Lexicons:
    """The nodes of documents by NSID. `whole`: what isn't among them isn't anywhere."""

    nodes: Mapping[str, list[Node]]
    whole: bool

    def is_missing(self, name: str) -> bool:
        """Tell whether nothing is called `nsid#def`, as far as that can be known."""
        known = self.whole or name.partition("#")[0] in self.nodes
        return known and self.definition(name) is None

    def definition(self, name: str) -> object:
        """Return the definition `nsid#def` as its file has it, None if there is none."""
        nsid, _, local = name.partition("#")
        return self.names(nsid).get(local)

    def names(self, nsid: str) -> Mapping[str, object]:
        """Return the definitions of a lexicon by their names."""
        defs = next((node.body.get("defs") for node in self.nodes.get(nsid, ())), None)
        return defs if isinstance(defs, dict) else {}


def check(lexicons: Lexicons) -> dict[str, list[Finding]]:
    """Return what is wrong between the documents, by the NSID of the one where it stands."""
    findings = {
        nsid: [
            finding
            for node in nodes
            if node.kind in {"ref", "union", "string"}
            for finding in _of_node(node, nsid, lexicons)
        ]
        for nsid, nodes in lexicons.nodes.items()
    }
    for name, way in _endless(lexicons):
        nsid, _, local = name.partition("#")
        findings[nsid].append(_without_end(local, way))
    return findings


class _Ref(NamedTuple):
    text: str
    name: str
    place: Place


def _of_node(node: Node, nsid: str, lexicons: Lexicons) -> Iterator[Finding]:
    refs = list(_refs(node, nsid))
    for ref in refs:
        if lexicons.is_missing(ref.name):
            yield _dangling(ref, lexicons)
        else:
            yield from _of_target(ref, node.kind, lexicons.definition(ref.name))
    if node.kind == "union":
        yield from _of_members(node, refs)
    if node.kind == "string":
        yield from _known_values(node, nsid, lexicons)


def _refs(node: Node, nsid: str) -> Iterator[_Ref]:
    match node:
        case Node("ref", body={"ref": str() as text}) if is_ref(text):
            yield _Ref(text, full_name(text, nsid), (*node.place, "ref"))
        case Node("union", body={"refs": list() as refs}):
            for index, text in strings(refs):
                if is_ref(text):
                    yield _Ref(text, full_name(text, nsid), (*node.place, "refs", index))


def _dangling(ref: _Ref, lexicons: Lexicons) -> Finding:
    nsid, _, local = ref.name.partition("#")
    names = lexicons.names(nsid)
    remedy = "add that lexicon to the folder of lexicons"
    if names:
        near = get_close_matches(local, names, n=1)
        remedy = f"write {nsid}#{near[0]}" if near else f"define {local} in {nsid}"
    message = f"{ref.text} is defined by no lexicon file"
    return Finding(pointer_to(*ref.place), "ref-dangling", message, "error", remedy)


def _of_target(ref: _Ref, kind: str, definition: object) -> Iterator[Finding]:
    target = str(definition.get("type")) if isinstance(definition, dict) else ""
    pointer = pointer_to(*ref.place)
    if kind == "ref" and target in _NO_VALUE:
        message = f"{ref.text} is of type {target}, which describes no value"
        yield Finding(pointer, "ref-target", message, "error", "refer to an object")
    if kind == "union" and target in _NO_MEMBER:
        message = f"{ref.text} is of type {target}; members of a union are objects and records"
        yield Finding(pointer, "union-member", message, "error", "refer to an object around it")


def _of_members(node: Node, refs: list[_Ref]) -> Iterator[Finding]:
    if node.body.get("closed") is True and node.body.get("refs") == []:
        pointer, remedy = pointer_to(*node.place, "refs"), "name a member, or leave it open"
        yield Finding(pointer, "union-empty", "is closed and empty", "error", remedy)
    first: dict[str, str] = {}
    for ref in refs:
        if ref.name in first:
            message = f"{ref.text} is the same member as {first[ref.name]}"
            yield Finding(pointer_to(*ref.place), "union-twice", message, "error", "take one out")
        first.setdefault(ref.name, ref.text)


def _known_values(node: Node, nsid: str, lexicons: Lexicons) -> Iterator[Finding]:
    for index, value in strings(node.body.get("knownValues")):
        if "#" in value and is_ref(value) and lexicons.is_missing(full_name(value, nsid)):
            pointer = pointer_to(*node.place, "knownValues", index)
            message, remedy = f"{value} is defined by no lexicon file", "correct it, or define it"
            yield Finding(pointer, "known-value", message, "info", remedy)


def _endless(lexicons: Lexicons) -> Iterator[tuple[str, str]]:
    """Yield each definition whose values would need another of its own kind, and the way there.

    Each is given up that can do without one that is still endless, until none is left to give up.
    """
    endless = {
        f"{nsid}#{local}": needs
        for nsid in lexicons.nodes
        for local, definition in lexicons.names(nsid).items()
        if (needs := list(_needs(definition, nsid)))
    }
    before = 0
    while before != len(endless):
        before = len(endless)
        endless = {
            name: needs
            for name, needs in endless.items()
            if any(all(member in endless for member in group) for group in needs)
        }
    for name in endless:
        if way := _way_back(name, endless):
            yield name, way


def _needs(definition: object, nsid: str) -> Iterator[list[str]]:
    """Yield what a value must hold: of each group of definitions one, by their full names."""
    match definition:
        case {"type": "ref", "ref": str() as ref}:
            yield [full_name(ref, nsid)]
        case {"type": "union", "closed": True, "refs": refs}:
            if members := [full_name(ref, nsid) for _, ref in strings(refs)]:
                yield members
        case {"type": "array", "items": items, "minLength": int() as least} if least > 0:
            yield from _needs(items, nsid)
        case {"type": "record", "record": record}:
            yield from _needs(record, nsid)
        case {"type": "object", "properties": dict() as properties, **rest}:
            nullable = {name for _, name in strings(rest.get("nullable"))}
            for _, name in strings(rest.get("required")):
                if name not in nullable:
                    yield from _needs(properties.get(name), nsid)


def _way_back(name: str, endless: Mapping[str, list[list[str]]]) -> str:
    """Return the shortest way from a definition to itself, '' if there is none."""
    ways = {name: name}
    waiting = deque([name])
    while waiting:
        here = waiting.popleft()
        for step in chain.from_iterable(endless[here]):
            if step == name:
                return f"{ways[here]} → {name}"
            if step in endless and step not in ways:
                ways[step] = f"{ways[here]} → {step}"
                waiting.append(step)
    return ""


def _without_end(local: str, way: str) -> Finding:
    remedy = "make a field on the way optional or nullable"
    pointer, message = pointer_to("defs", local), f"no value of it can end: {way}"
    return Finding(pointer, "lexicon-endless", message, "error", remedy)
