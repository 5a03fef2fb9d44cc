"""What is wrong in a lexicon file though each of its definitions is well formed. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from publisher.findings import Finding, pointer_to
from publisher.lexicon import language as lex
from publisher.lexicon.compile import Scope, compile_def

_Place: TypeAlias = tuple[str, ...]


def default_faults(file: lex.LexiconFile) -> list[Finding]:
    """Return every default that breaks the limits of its own definition."""
    findings: list[Finding] = []
    for place, definition in _definitions(file):
        default = getattr(definition, "default", None)
        if default is not None:
            check = compile_def(definition, Scope(file.id, _nothing, _nothing))
            found = check(default) or []
            findings += [finding.below(pointer_to(*place, "default")) for finding in found]
    return findings


def dangling_refs(file: lex.LexiconFile, exists: Callable[[str], bool]) -> list[Finding]:
    """Return every ref and union member that names no definition; `exists` takes `nsid#def`."""
    scope = Scope(file.id, _nothing, _nothing)
    return [
        Finding(
            pointer_to(*place),
            "ref-dangling",
            f"{ref} is defined by no lexicon file",
            remedy="add that lexicon to the folder of lexicons",
        )
        for place, ref in _refs(file)
        if not exists(scope.full_name(ref))
    ]


def _refs(file: lex.LexiconFile) -> Iterator[tuple[_Place, str]]:
    for place, definition in _definitions(file):
        if isinstance(definition, lex.RefDef):
            yield (*place, "ref"), definition.ref
        elif isinstance(definition, lex.UnionDef):
            for index, ref in enumerate(definition.refs):
                yield (*place, "refs", str(index)), ref


def _definitions(file: lex.LexiconFile) -> Iterator[tuple[_Place, object]]:
    for name, definition in file.defs.items():
        yield from _below(("defs", name), definition)


def _below(place: _Place, definition: object) -> Iterator[tuple[_Place, object]]:
    yield place, definition
    match definition:
        case lex.RecordDef():
            yield from _below((*place, "record"), definition.record)
        case lex.ArrayDef():
            yield from _below((*place, "items"), definition.items)
        case lex.ObjectDef():
            for name, prop in definition.properties.items():
                yield from _below((*place, "properties", name), prop)


def _nothing(_name: str) -> None:
    return None
