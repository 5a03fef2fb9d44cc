"""Lexicon definitions become closures: a value in, None or findings out.

Each definition is compiled once, when it is first needed; references are looked up at the first
value, so cycles need no care. Pointers are put together only while findings come up, and one walk
finds the faults of the data model and of the lexicon. docs/validation.md has the rules.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from publisher import data, syntax
from publisher.data import MAX_DEPTH, Fault
from publisher.findings import Finding, Severity, pointer_to
from publisher.lexicon import language as lex
from publisher.lexicon import leaves
from publisher.lexicon.leaves import Check, Findings, error, short, undeclared, wrong_type
from publisher.lexicon.values import full_name

Resolve: TypeAlias = Callable[[str], Check | None]
"""From a full name (`nsid#def`) to its check, None where nothing has this name."""

_FRAGMENT = re.compile(r"[a-zA-Z][a-zA-Z0-9_-]*")


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a definition stands: its file's NSID, and how other names are found."""

    nsid: str
    resolve: Resolve
    definition: Callable[[str], object]

    def full_name(self, ref: str) -> str:
        """Return `nsid#def` for a ref as it is written in this file."""
        return full_name(ref, self.nsid)


def compile_def(definition: object, scope: Scope) -> Check:  # noqa: C901  # a table
    """Return the check of one definition. Raises TypeError for one that describes no value."""
    match definition:
        case lex.StringDef():
            return leaves.string(definition)
        case lex.TokenDef():  # one without a name: whoever refers to a name holds to that
            return leaves.string(lex.StringDef(type="string"))
        case lex.IntegerDef():
            return leaves.integer(definition)
        case lex.BooleanDef():
            return leaves.boolean(definition)
        case lex.BytesDef():
            return leaves.raw_bytes(definition)
        case lex.CidLinkDef():
            return leaves.cid_link
        case lex.BlobDef():
            return leaves.blob(definition)
        case lex.UnknownDef():
            return leaves.unknown
        case lex.ArrayDef():
            return _array(definition, scope)
        case lex.ObjectDef():
            return _object(definition, scope)
        case lex.RefDef():
            return _ref(definition, scope)
        case lex.UnionDef():
            return _union(definition, scope)
        case lex.RecordDef():
            return _object(definition.record, scope)
        case _:
            raise TypeError(f"{type(definition).__name__} describes no value")


def _array(definition: lex.ArrayDef, scope: Scope) -> Check:
    check_item = compile_def(definition.items, scope)
    within = leaves.items_within(definition)

    def check(value: object, depth: int) -> Findings:
        if not isinstance(value, list):
            return wrong_type("an array", value, depth)
        if depth >= MAX_DEPTH:
            return data.check(value, depth)
        findings = within(len(value)) or []
        for index, item in enumerate(value):
            if found := check_item(item, depth + 1):
                findings += _below(f"/{index}", found)
        return findings or None

    return check


def _object(definition: lex.ObjectDef, scope: Scope) -> Check:
    checks = {name: compile_def(prop, scope) for name, prop in definition.properties.items()}
    checks["$type"] = _type_name
    check_of, required, nullable = checks.get, definition.required, frozenset(definition.nullable)

    def check(value: object, depth: int) -> Findings:
        if not isinstance(value, dict) or value.get("$type") == "blob":
            return wrong_type("an object", value, depth)
        if depth >= MAX_DEPTH:
            return data.check(value, depth)
        findings: list[Finding] = []
        for name in required:
            if name not in value:
                findings += error("required", f"{name} is missing", f"add {name}")
        inner = depth + 1
        for name, item in value.items():
            field_check = check_of(name)
            if field_check is None:
                findings += undeclared({name: item}, depth) or []
            elif found := field_check(item, inner):
                findings += _of_field(name, item, found, nullable)
        return findings or None

    return check


def _type_name(value: object, depth: int) -> Findings:
    """Judge a `$type` by its form alone; who knows what it must be does the rest."""
    if isinstance(value, str) and value and value.isascii() and not value.endswith("#main"):
        return None
    found = undeclared({"$type": value}, depth - 1) or []
    return [replace(finding, pointer=finding.pointer.removeprefix("/$type")) for finding in found]


def _of_field(
    name: str, item: object, found: list[Finding], nullable: frozenset[str]
) -> list[Finding]:
    if item is not None:
        return _below(pointer_to(name), found)
    if name in nullable:
        return []
    return error("null", "is null", "leave the field out", pointer_to(name))


def _below(prefix: str, findings: Iterable[Finding]) -> list[Finding]:
    return [
        Finding(prefix + found.pointer, found.code, found.message, found.severity, found.remedy)
        for found in findings
    ]


def _ref(definition: lex.RefDef, scope: Scope) -> Check:
    name = scope.full_name(definition.ref)
    target: Check | None = None

    def check(value: object, depth: int) -> Findings:
        nonlocal target
        if target is None:  # the first value: by now every lexicon is there
            target = _target(name, scope)
        return target(value, depth)

    return check


def _target(name: str, scope: Scope) -> Check:
    definition = scope.definition(name)
    if isinstance(definition, lex.TokenDef):
        return leaves.token(name.removesuffix("#main"))
    check = scope.resolve(name)
    if check is None:
        return _dangling_check(name)
    if not isinstance(definition, (lex.ObjectDef, lex.RecordDef)):
        return check
    return _with_type(name, check, required=isinstance(definition, lex.RecordDef))


def _dangling_check(name: str) -> Check:
    message = f"the lexicon refers to {name}, and no sound lexicon here defines such a value"
    dangling = error("ref-dangling", message, "add that lexicon to the folder, or mend it")

    def check(value: object, depth: int) -> Findings:
        return dangling + data.check(value, depth)

    return check


def _with_type(name: str, target: Check, *, required: bool) -> Check:
    """Hold an object to the name of its definition; only a record must bear it."""
    bare = name.removesuffix("#main")
    # Only a record's $type is the specification's rule; the rest is the PDS's.
    severity: Severity = "error" if required else "warning"
    allowed = (bare, f"{bare}#main")  # of the second, that it ends in #main is told already

    def check(value: object, depth: int) -> Findings:
        found = target(value, depth)
        if not isinstance(value, dict):
            return found
        given = value.get("$type")
        if given in allowed or (given is None and not required):
            return found
        if given is None:
            return error("required", "$type is missing", f'add "$type": "{bare}"') + (found or [])
        if not isinstance(given, str):  # of which the data model tells
            return found
        message = f"is {short(given)}, but this field holds {bare}"
        return [Finding("/$type", "ref-type", message, severity, f"write {bare}"), *(found or [])]

    return check


def _union(definition: lex.UnionDef, scope: Scope) -> Check:
    members = {
        scope.full_name(ref).removesuffix("#main"): scope.full_name(ref) for ref in definition.refs
    }
    known: dict[str, Check] = {}

    def check(value: object, depth: int) -> Findings:
        if not isinstance(value, dict):
            return wrong_type("one object with a $type", value, depth)
        name = value.get("$type")
        if not isinstance(name, str) or not name:
            return _unnamed(name, members) + data.check(value, depth)
        if name not in known and (target := _chosen(name, members, scope, definition)):
            known[name] = target
        if name in known:
            return known[name](value, depth)
        outside = _outside(name, members, closed=definition.closed)
        return outside + (undeclared(value, depth) or []) or None

    return check


def _chosen(
    name: str, members: Mapping[str, str], scope: Scope, definition: lex.UnionDef
) -> Check | None:
    """Return the check of a member, or of what an open union may hold if its lexicon is here."""
    if name in members:
        return _member(members[name], scope) or _dangling_check(members[name])
    if definition.closed or name.endswith("#main"):
        return None
    target = _member(name if "#" in name else name + "#main", scope)
    return _as_hints(target) if target else None


def _member(name: str, scope: Scope) -> Check | None:
    described = isinstance(scope.definition(name), (lex.ObjectDef, lex.RecordDef))
    return scope.resolve(name) if described else None


def _as_hints(target: Check) -> Check:
    """Judge by a lexicon that the union doesn't list: all but faults of the data are hints."""

    def check(value: object, depth: int) -> Findings:
        found = target(value, depth)
        if not found:
            return None
        known = undeclared(value, depth) or []
        told = {(fault.pointer, fault.code) for fault in known}
        hints = (fault for fault in found if (fault.pointer, fault.code) not in told)
        return known + [replace(fault, severity="info") for fault in hints] or None

    return check


def _unnamed(name: object, members: Mapping[str, str]) -> list[Finding]:
    if isinstance(name, Fault):
        return []
    return error("union-type", "has no $type", f"add $type{_one_of(members)}")


def _one_of(members: Mapping[str, str]) -> str:
    return f", one of {', '.join(members)}" if members else ""


def _outside(name: str, members: Mapping[str, str], *, closed: bool) -> list[Finding]:
    if closed and name.removesuffix("#main") not in members:
        message, remedy = f"{short(name)} is not allowed here", f"use another{_one_of(members)}"
        return error("union-type", message, remedy, "/$type")
    nsid, mark, fragment = name.partition("#")
    if not closed and (syntax.check("nsid", nsid) or (mark and not _FRAGMENT.fullmatch(fragment))):
        message, remedy = f"{short(name)} is not the name of a lexicon", "write its NSID"
        return [Finding("/$type", "union-name", message, "warning", remedy)]
    return []
