"""Lexicon definitions become closures: a value in, None or findings out.

Each definition is compiled once, when it is first needed; references are looked up at the first
value, so cycles need no care. Pointers are put together only while findings come up. Which rule
each finding states is in docs/validation.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from wcwidth import iter_graphemes

from publisher import syntax
from publisher.data import Cid, Fault
from publisher.findings import Finding, Severity, pointer_to
from publisher.lexicon import language as lex

Findings: TypeAlias = list[Finding] | None
Check: TypeAlias = Callable[[object], Findings]
Resolve: TypeAlias = Callable[[str], Check | None]
"""From a full name (`nsid#def`) to its check, None where nothing has this name."""

_LENGTH = ("too-long", "too-short")
_GRAPHEMES = ("too-many-graphemes", "too-few-graphemes")
_JSON_NAMES = {str: "a string", int: "an integer", bool: "true or false", list: "an array"}


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a definition stands: its file's NSID, and how other names are found."""

    nsid: str
    resolve: Resolve
    definition: Callable[[str], object]

    def full_name(self, ref: str) -> str:
        """Return `nsid#def` for a ref as it is written in this file."""
        name = self.nsid + ref if ref.startswith("#") else ref
        return name if "#" in name else name + "#main"


def compile_def(definition: object, scope: Scope) -> Check:  # noqa: C901  # a table
    """Return the check of one definition. Raises TypeError for one that describes no value."""
    match definition:
        case lex.StringDef():
            return _string(definition)
        case lex.IntegerDef():
            return _integer(definition)
        case lex.BooleanDef():
            return _boolean(definition)
        case lex.BytesDef():
            return _bytes(definition)
        case lex.CidLinkDef():
            return _cid_link
        case lex.BlobDef():
            return _blob(definition)
        case lex.ArrayDef():
            return _array(definition, scope)
        case lex.ObjectDef():
            return _object(definition, scope)
        case lex.RefDef():
            return _ref(definition, scope)
        case lex.UnionDef():
            return _union(definition, scope)
        case lex.UnknownDef():
            return _unknown
        case lex.TokenDef():
            return _token
        case lex.RecordDef():
            return _record(definition, scope)
        case _:
            raise TypeError(f"{type(definition).__name__} describes no value")


def count_graphemes(text: str) -> int:
    """Return the number of extended grapheme clusters (UAX #29)."""
    return (
        len(text) if text.isascii() and "\r" not in text else sum(1 for _ in iter_graphemes(text))
    )


def short(value: object) -> str:
    """Return a value as messages show it, at most about 40 characters."""
    text = repr(value)
    return text if len(text) <= 40 else text[:36] + "…" + text[-1]


def _one(code: str, message: str, remedy: str) -> list[Finding]:
    return [Finding("", code, message, "error", remedy)]


def _wrong_type(expected: str, value: object) -> list[Finding]:
    if isinstance(value, Fault):  # the data model says what is wrong with it
        return []
    actual = "null" if value is None else _JSON_NAMES.get(type(value), _kind(value))
    return _one("type", f"is {actual}, not {expected}", f"write {expected}")


def _kind(value: object) -> str:
    if isinstance(value, bytes):
        return "bytes"
    return "a link" if isinstance(value, Cid) else "an object"


def _string(definition: lex.StringDef) -> Check:
    format, enum, const = definition.format, definition.enum, definition.const
    check_format = syntax.FORMATS[format] if format else None
    limits = (
        definition.maxLength,
        definition.minLength,
        definition.maxGraphemes,
        definition.minGraphemes,
    )
    limited = any(limit is not None for limit in limits)

    def check(value: object) -> Findings:
        if not isinstance(value, str):
            return _wrong_type("a string", value)
        findings: list[Finding] = []
        if check_format and (reason := check_format(value)):
            findings += _one("format", f"{short(value)} {reason}", f"write a valid {format}")
        elif format and (doubt := syntax.caution(format, value)):
            remedy = "write it so that every reader takes it"
            findings.append(
                Finding("", "format-doubt", f"{short(value)} {doubt}", "warning", remedy)
            )
        if limited:
            findings += _lengths(value, definition)
        if enum is not None and value not in enum:
            findings += _one("enum", f"{short(value)} is not allowed", f"use one of {enum}")
        if const is not None and value != const:
            findings += _one("const", f"{short(value)} is not {const!r}", f"write {const!r}")
        return findings or None

    return check


def _lengths(value: str, definition: lex.StringDef) -> list[Finding]:
    findings: list[Finding] = []
    most, least = definition.maxLength, definition.minLength
    if (most is not None and len(value) * 4 > most) or least is not None:
        size = len(value) if value.isascii() else len(value.encode("utf-8", "surrogatepass"))
        findings += _limits(_LENGTH, "bytes of UTF-8", size, least, most)
    most, least = definition.maxGraphemes, definition.minGraphemes
    if (most is not None and len(value) > most) or least is not None:
        count = count_graphemes(value)
        findings += _limits(_GRAPHEMES, "graphemes", count, least, most)
    return findings


def _limits(
    codes: tuple[str, str], unit: str, size: int, least: int | None, most: int | None
) -> list[Finding]:
    above, below = codes
    if most is not None and size > most:
        remedy = f"shorten it by {size - most}; nothing is ever cut for you"
        return _one(above, f"has {size:,} {unit}; at most {most:,} are allowed", remedy)
    if least is not None and size < least:
        return _one(below, f"has {size:,} {unit}; at least {least:,} are needed", "write more")
    return []


def _integer(definition: lex.IntegerDef) -> Check:
    minimum, maximum = definition.minimum, definition.maximum
    enum, const = definition.enum, definition.const

    def check(value: object) -> Findings:
        if isinstance(value, bool) or not isinstance(value, int):
            return _wrong_type("an integer", value)
        findings: list[Finding] = []
        if minimum is not None and value < minimum:
            findings += _one("minimum", f"{value} is below {minimum}", f"use {minimum} or more")
        if maximum is not None and value > maximum:
            findings += _one("maximum", f"{value} is above {maximum}", f"use {maximum} or less")
        if enum is not None and value not in enum:
            findings += _one("enum", f"{value} is not allowed", f"use one of {enum}")
        if const is not None and value != const:
            findings += _one("const", f"{value} is not {const}", f"write {const}")
        return findings or None

    return check


def _boolean(definition: lex.BooleanDef) -> Check:
    const = definition.const

    def check(value: object) -> Findings:
        if not isinstance(value, bool):
            return _wrong_type("true or false", value)
        if const is not None and value is not const:
            wanted = str(const).lower()
            return _one("const", f"is {str(value).lower()}, not {wanted}", f"write {wanted}")
        return None

    return check


def _bytes(definition: lex.BytesDef) -> Check:
    def check(value: object) -> Findings:
        if not isinstance(value, bytes):
            return _wrong_type("bytes ({'$bytes': base64})", value)
        least, most = definition.minLength, definition.maxLength
        return _limits(_LENGTH, "bytes", len(value), least, most) or None

    return check


def _cid_link(value: object) -> Findings:
    return None if isinstance(value, Cid) else _wrong_type("a link ({'$link': CID})", value)


def _blob(definition: lex.BlobDef) -> Check:
    accept, max_size = definition.accept, definition.maxSize

    def check(value: object) -> Findings:
        if not isinstance(value, dict) or value.get("$type") != "blob":
            return _no_blob(value)
        mime_type, size = value.get("mimeType"), value.get("size")
        findings: list[Finding] = []
        if accept is not None and isinstance(mime_type, str) and not accepts(accept, mime_type):
            message = f"is {short(mime_type)}; accepted here: {', '.join(accept)}"
            findings.append(Finding("/mimeType", "blob-type", message, "error", "convert the file"))
        if max_size is not None and isinstance(size, int) and size > max_size:
            message = f"the blob has {size:,} bytes; at most {max_size:,} are allowed"
            remedy = "make the file smaller"
            findings.append(Finding("/size", "blob-size", message, "error", remedy))
        return findings or None

    return check


def _no_blob(value: object) -> list[Finding]:
    if isinstance(value, dict) and value.keys() == {"cid", "mimeType"}:
        remedy = "write $type, ref, mimeType and size; upload the file again if need be"
        return _one("blob-legacy", "is a blob in the form given up in 2023", remedy)
    return _wrong_type("a blob", value)


def accepts(accept: list[str], mime_type: str) -> bool:
    """Tell whether a media type is one of those accepted: exact, `type/*` or `*/*`."""
    return any(
        pattern in {"*/*", mime_type}
        or (pattern.endswith("/*") and mime_type.startswith(pattern[:-1]))
        for pattern in accept
    )


def _array(definition: lex.ArrayDef, scope: Scope) -> Check:
    check_item = compile_def(definition.items, scope)
    least, most = definition.minLength, definition.maxLength

    def check(value: object) -> Findings:
        if not isinstance(value, list):
            return _wrong_type("an array", value)
        findings = _limits(_LENGTH, "items", len(value), least, most)
        for index, item in enumerate(value):
            if found := check_item(item):
                findings += [finding.below(f"/{index}") for finding in found]
        return findings or None

    return check


def _object(definition: lex.ObjectDef, scope: Scope) -> Check:
    checks = {name: compile_def(prop, scope) for name, prop in definition.properties.items()}
    required, nullable = definition.required, frozenset(definition.nullable)

    def check(value: object) -> Findings:
        if not isinstance(value, dict) or value.get("$type") == "blob":
            return _wrong_type("an object", value)
        findings: list[Finding] = []
        for name in required:
            if name not in value:
                findings += _one("required", f"{name} is missing", f"add {name}")
        for name, item in value.items():
            check_item = checks.get(name)
            if check_item is None or (item is None and name in nullable):
                continue
            if item is None:
                where, remedy = pointer_to(name), "leave the field out"
                findings.append(Finding(where, "null", "is null", "error", remedy))
            elif found := check_item(item):
                findings += [finding.below(pointer_to(name)) for finding in found]
        return findings or None

    return check


def _ref(definition: lex.RefDef, scope: Scope) -> Check:
    name = scope.full_name(definition.ref)

    def check(value: object) -> Findings:
        target = scope.resolve(name)
        if target is None:
            return _dangling(name)
        definition = scope.definition(name)
        if not isinstance(definition, (lex.ObjectDef, lex.RecordDef)):
            return target(value)
        return _with_type(value, name, target, required=isinstance(definition, lex.RecordDef))

    return check


def _dangling(name: str) -> list[Finding]:
    return _one(
        "ref-dangling",
        f"the lexicon refers to {name}, which no lexicon file defines",
        "add that lexicon to the folder of lexicons",
    )


def _with_type(value: object, name: str, target: Check, *, required: bool) -> Findings:
    short_name = name.removesuffix("#main")
    findings: list[Finding] = []
    given = value.get("$type") if isinstance(value, dict) else None
    if isinstance(value, dict) and given is None and required:
        findings += _one("required", "$type is missing", f'add "$type": "{short_name}"')
    elif given is not None and given != short_name and not isinstance(given, (Cid, Fault)):
        message = f"is {short(given)}, but this field holds {short_name}"
        # Only a record's $type is the specification's rule; the rest is the PDS's.
        severity: Severity = "error" if required else "warning"
        findings.append(Finding("/$type", "ref-type", message, severity, f"write {short_name}"))
    return findings + (target(value) or []) or None


def _union(definition: lex.UnionDef, scope: Scope) -> Check:
    members = {
        scope.full_name(ref).removesuffix("#main"): scope.full_name(ref) for ref in definition.refs
    }

    def check(value: object) -> Findings:
        if not isinstance(value, dict):
            return _wrong_type("one object with a $type", value)
        name = value.get("$type")
        if isinstance(name, Fault):
            return None
        if not isinstance(name, str) or not name:
            return _one("union-type", "has no $type", f"add $type{_one_of(members)}")
        if name in members:
            target = _member(members[name], scope)
            return target(value) if target else _dangling(members[name])
        return _outside(name, members, closed=definition.closed) or _hints(name, value, scope)

    return check


def _member(name: str, scope: Scope) -> Check | None:
    described = isinstance(scope.definition(name), (lex.ObjectDef, lex.RecordDef))
    return scope.resolve(name) if described else None


def _hints(name: str, value: object, scope: Scope) -> Findings:
    """Judge a value of an open union by a lexicon that the union doesn't list."""
    target = _member(name if "#" in name else name + "#main", scope)
    found = target(value) if target else None
    return [replace(finding, severity="info") for finding in found] if found else None


def _one_of(members: Mapping[str, str]) -> str:
    return f", one of {', '.join(members)}" if members else ""


def _outside(name: str, members: Mapping[str, str], *, closed: bool) -> Findings:
    if name.endswith("#main"):
        message, remedy = f"{short(name)} ends in #main", "leave #main out"
        return [Finding("/$type", "union-type", message, "error", remedy)]
    if closed:
        message, remedy = f"{short(name)} is not allowed here", f"use another{_one_of(members)}"
        return [Finding("/$type", "union-type", message, "error", remedy)]
    if syntax.check("nsid", name.partition("#")[0]):
        message, remedy = f"{short(name)} is not the name of a lexicon", "write its NSID"
        return [Finding("/$type", "union-name", message, "warning", remedy)]
    return None


def _unknown(value: object) -> Findings:
    if isinstance(value, dict) and value.get("$type") != "blob":
        return None
    return _wrong_type("an object", value)


def _token(value: object) -> Findings:
    return None if isinstance(value, str) else _wrong_type("a string", value)


def _record(definition: lex.RecordDef, scope: Scope) -> Check:
    return _object(definition.record, scope)
