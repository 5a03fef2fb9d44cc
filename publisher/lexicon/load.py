"""Lexicon files, read and checked one by one and across the whole folder."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from publisher.errors import LexiconError
from publisher.findings import Finding, pointer_to
from publisher.lexicon.catalog import Catalog
from publisher.lexicon.consistency import dangling_refs, default_faults
from publisher.lexicon.language import LexiconFile


def load(*folders: str | Path) -> Catalog:
    """Read every `*.json` below the folders. Faulty files become `findings`, never exceptions.

    Raises LexiconError where a folder or file can't be read at all.
    """
    catalog, paths = Catalog(), dict[str, Path]()
    for path in _files(folders):
        try:
            content = path.read_bytes()
        except OSError as error:
            raise LexiconError(f"{path}: {error.strerror}", remedy="make it readable") from error
        file, findings = _parse(content)
        catalog.findings += _naming(path, findings)
        if file:
            catalog.add(file)
            paths[file.id] = path
    for nsid, file in catalog.files.items():
        dangling = dangling_refs(file, lambda name: catalog.definition(name) is not None)
        catalog.findings += _naming(paths[nsid], dangling)
    return catalog


def check(document: dict[str, object]) -> list[Finding]:
    """Return what is wrong with one lexicon document on its own."""
    return _model(document)[1]


def _files(folders: Iterable[str | Path]) -> list[Path]:
    paths: list[Path] = []
    for folder in map(Path, folders):
        if not folder.is_dir():
            raise LexiconError(f"{folder}: is no folder", remedy="name a folder of lexicon files")
        paths += sorted(folder.rglob("*.json"))
    return paths


def _naming(path: Path, findings: list[Finding]) -> list[Finding]:
    return [replace(finding, message=f"{path}: {finding.message}") for finding in findings]


def _parse(content: bytes) -> tuple[LexiconFile | None, list[Finding]]:
    try:
        return _model(json.loads(content))
    except (ValueError, RecursionError) as error:
        remedy = "correct the JSON there"
        return None, [Finding("", "json-syntax", f"is no JSON: {error}", "error", remedy)]


def _model(document: object) -> tuple[LexiconFile | None, list[Finding]]:
    try:
        file = LexiconFile.model_validate(document)
    except ValidationError as error:
        return None, [
            Finding(
                _place(fault["loc"]),
                "lexicon-form",
                fault["msg"],
                "error",
                "write it as the Lexicon specification says",
            )
            for fault in error.errors(include_url=False, include_input=False)
        ]
    findings = default_faults(file)
    return (None if findings else file), findings


def _place(steps: tuple[str | int, ...]) -> str:
    """Return the JSON pointer of a pydantic location, in which a def's type follows its name."""
    kept: list[str | int] = []
    among_names = is_type = False
    for step in steps:
        if is_type:
            is_type = False
            continue
        kept.append(step)
        is_type = among_names or step == "items"
        among_names = not among_names and step in {"defs", "properties"}
    return pointer_to(*kept)
