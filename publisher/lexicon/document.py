"""What is wrong in one lexicon document, as far as it can be told from itself. Pure.

Each rule looks at one node of the JSON, so that what is wrong elsewhere hides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from pydantic import ValidationError

from publisher import data, syntax
from publisher.findings import Finding, has_errors, pointer_to
from publisher.lexicon import language as lex
from publisher.lexicon.compile import Scope, compile_def
from publisher.lexicon.form import endpoint_faults, parse
from publisher.lexicon.keywords import null_keywords, unknown_fields
from publisher.lexicon.leaves import short
from publisher.lexicon.nodes import Node, Place, nodes, strings

_Rule: TypeAlias = Callable[[Node], Iterable[Finding]]

_UNREADABLE = {"depth", "surrogate"}
_LIMITS = (
    ("minLength", "maxLength"),
    ("minGraphemes", "maxGraphemes"),
    ("minGraphemes", "maxLength"),  # each has one byte at least
    ("minimum", "maximum"),
)


@dataclass(frozen=True, slots=True)
class Examined:
    """What can be told of a document by itself; `lexicon` is None where there are errors.

    Its `nodes` are none where it is no object, nested too deeply, or no text in places.
    """

    nodes: list[Node]
    lexicon: lex.LexiconFile | None
    findings: list[Finding]


def examine(document: object) -> Examined:
    """Return what a document is, and all that is wrong with it. Takes any JSON value."""
    findings = data.check(document)
    if any(finding.code in _UNREADABLE for finding in findings):
        return Examined([], None, findings)
    lexicon, faults = parse(document)
    findings += faults
    found = nodes(document)
    for node in found:
        findings += unknown_fields(node)
        findings += null_keywords(node)
        for rule in _RULES.get(node.kind, ()):
            findings += rule(node)
    return Examined(found, None if has_errors(findings) else lexicon, findings)


def _in_order(node: Node) -> Iterator[Finding]:
    for least, most in _LIMITS:
        low, high = _number(node.body.get(least)), _number(node.body.get(most))
        if low is not None and high is not None and low > high:
            message, remedy = (
                f"{least} {low} is above {most} {high}",
                "lower it, or raise the other",
            )
            yield Finding(
                pointer_to(*node.place, least), "lexicon-limits", message, "error", remedy
            )


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _possible(node: Node) -> Iterator[Finding]:
    """Hold default, const and the values of enum against their own definition."""
    if not node.body.keys() & {"default", "const", "enum"}:
        return
    model = lex.KINDS[node.kind]
    free = {key: value for key, value in node.body.items() if key != "const"}
    try:
        whole, limits = model.model_validate(node.body), model.model_validate(free)
    except ValidationError:  # of which `parse` tells
        return
    for name in ("default", "const"):
        if node.body.get(name) is not None:
            yield from _refused(whole, node.body[name], (*node.place, name))
    for index, value in enumerate(node.body.get("enum") or ()):
        yield from _refused(limits, value, (*node.place, "enum", index))


def _refused(definition: object, value: object, place: Place) -> Iterator[Finding]:
    check = compile_def(definition, Scope("", _nothing, _nothing))
    for found in check(value, 0) or []:
        message = f"the definition itself refuses it: {found.message}"
        pointer = pointer_to(*place)
        yield Finding(pointer, "lexicon-value", message, found.severity, found.remedy)


def _nothing(_name: str) -> None:
    return None


def _accepts_some(node: Node) -> Iterator[Finding]:
    if node.body.get("accept") == []:
        pointer, remedy = (
            pointer_to(*node.place, "accept"),
            "name what is accepted, or leave it out",
        )
        yield Finding(pointer, "lexicon-form", "is empty, and no blob is accepted", "error", remedy)


def _declared(node: Node) -> Iterator[Finding]:
    properties = node.body.get("properties", {})
    for keyword in ("required", "nullable"):
        for index, name in strings(node.body.get(keyword)):
            if isinstance(properties, dict) and name not in properties:
                pointer = pointer_to(*node.place, keyword, index)
                message = f"{keyword} names {name}, which isn't declared"
                remedy = f"declare {name} in properties, or take it out"
                yield Finding(pointer, "lexicon-undeclared", message, "error", remedy)


def _is_main(node: Node) -> Iterator[Finding]:
    if len(node.place) == 2 and node.place[1] != "main":
        message = f"a {node.kind} must be the main definition of its file"
        remedy = "call it main, in a file of its own"
        yield Finding(pointer_to(*node.place), "lexicon-type", message, "error", remedy)


def _has_audience(node: Node) -> Iterator[Finding]:
    audience, inherits = node.body.get("aud"), node.body.get("inheritAud")
    remedy = 'write "inheritAud": true, or "aud": "*"'
    if inherits and audience is not None:
        message, remedy = "aud and inheritAud exclude each other", "leave one of them out"
    elif not inherits and audience is None:
        message = "has no audience"
    elif isinstance(audience, str) and audience != "*":
        message = f"a permission set can't name its audience, {short(audience)}"
    elif audience == "*" and "*" in (name for _, name in strings(node.body.get("lxm"))):
        message, remedy = "every endpoint of every service can't be granted", "name the endpoints"
    else:
        return
    yield Finding(pointer_to(*node.place), "lexicon-permission", message, "error", remedy)


def _within_reach(node: Node) -> Iterator[Finding]:
    """Hold what a permission set grants against its own name: servers drop the rest."""
    match node.body:
        case {"id": str() as nsid, "defs": {"main": {"permissions": list() as permissions}}}:
            group = nsid.rpartition(".")[0]
        case _:
            return
    for index, permission in enumerate(permissions):
        for place, name in _granted(permission):
            if not name.startswith(f"{group}."):
                pointer = pointer_to("defs", "main", "permissions", index, *place)
                message = f"{name} isn't below {group}, and servers ignore it"
                remedy = f"name what begins with {group}."
                yield Finding(pointer, "permission-outside", message, "warning", remedy)


def _granted(permission: object) -> Iterator[tuple[Place, str]]:
    """Yield the names that a permission grants; `lxm` may be `*`."""
    match permission:
        case {"resource": "rpc", "lxm": granted}:
            keyword = "lxm"
        case {"resource": "repo", "collection": granted}:
            keyword = "collection"
        case _:
            return
    for at, name in strings(granted):
        if not syntax.check("nsid", name) or (keyword, name) == ("collection", "*"):
            yield (keyword, at), name


_RULES: Mapping[str, tuple[_Rule, ...]] = {
    "lexicon": (_within_reach,),
    "string": (_in_order, _possible),
    "integer": (_in_order, _possible),
    "boolean": (_possible,),
    "bytes": (_in_order,),
    "blob": (_accepts_some,),
    "array": (_in_order,),
    "object": (_declared,),
    "params": (_declared,),
    "permission to rpc": (_has_audience,),
    "record": (_is_main,),
    **dict.fromkeys(lex.ENDPOINTS, (_is_main, endpoint_faults)),
}
