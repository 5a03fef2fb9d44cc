"""Lexicon files, read and checked one by one and across their folders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from publisher import data, syntax
from publisher.errors import LexiconError
from publisher.findings import Finding
from publisher.lexicon import consistency
from publisher.lexicon.catalog import Catalog
from publisher.lexicon.consistency import Lexicons
from publisher.lexicon.document import examine
from publisher.lexicon.language import LexiconFile
from publisher.lexicon.nodes import Node

_NAMELESS = "this file"
"""What messages call a document without an NSID."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A lexicon file, found below `folder`: what it is, and all that is wrong with it.

    It has no `nodes` where nothing can refer to it, and no `lexicon` where the file itself has
    errors.
    """

    folder: Path
    path: Path
    nsid: str | None
    nodes: list[Node]
    lexicon: LexiconFile | None
    findings: tuple[Finding, ...]


def load(*folders: str | Path) -> Catalog:
    """Read every `*.json` below the folders. Faulty files become `findings`, never exceptions.

    Raises LexiconError where a folder or file can't be read at all.
    """
    return catalog_of(read(*folders))


def catalog_of(files: Iterable[Loaded]) -> Catalog:
    """Return the catalog of files that were read, with what is wrong in any of them."""
    catalog = Catalog()
    for loaded in files:
        catalog.findings += (
            replace(finding, message=f"{loaded.path}: {finding.message}")
            for finding in loaded.findings
        )
        if loaded.lexicon:
            catalog.add(loaded.lexicon)
    return catalog


def check(document: dict[str, object]) -> list[Finding]:
    """Return what is wrong with one lexicon document on its own. Takes any JSON value.

    Refs to other lexicons are taken on trust.
    """
    found = examine(document)
    return found.findings + _between(found.nodes, _nsid(found.nodes) or _NAMELESS)


def read(*folders: str | Path) -> list[Loaded]:
    """Read every `*.json` below the folders and check each beside all others, in their order.

    Of two files in a folder with one NSID the first counts; a later folder replaces what an earlier
    one has. Raises LexiconError where a folder or file can't be read at all.
    """
    files = _without_twins([_read(*place) for place in _places(folders)])
    nodes = {loaded.nsid: loaded.nodes for loaded in files if loaded.nodes and loaded.nsid}
    found = consistency.check(Lexicons(nodes, whole=True))
    return [_with(loaded, nodes, found) for loaded in files]


def _with(
    loaded: Loaded, nodes: Mapping[str, list[Node]], found: Mapping[str, list[Finding]]
) -> Loaded:
    """Return a file with what was found between it and the others."""
    if not loaded.nodes:
        return loaded
    if loaded.nsid is None:
        return replace(loaded, findings=(*loaded.findings, *_between(loaded.nodes, _NAMELESS)))
    if nodes[loaded.nsid] is not loaded.nodes:
        return loaded
    return replace(loaded, findings=(*loaded.findings, *found[loaded.nsid]))


def _between(nodes: list[Node], name: str) -> list[Finding]:
    """Return what is wrong between the definitions of one document; others are taken on trust."""
    return consistency.check(Lexicons({name: nodes}, whole=False))[name]


def _places(folders: Iterable[str | Path]) -> Iterator[tuple[Path, Path]]:
    for folder in map(Path, folders):
        if not folder.is_dir():
            raise LexiconError(f"{folder}: is no folder", remedy="name a folder of lexicon files")
        for path in sorted(folder.rglob("*.json")):
            yield folder, path


def _read(folder: Path, path: Path) -> Loaded:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise LexiconError(f"{path}: {error.strerror}", remedy="make it readable") from error
    document: object
    try:
        document = data.loads(content)
    except data.DataError as error:
        document = error.value
        if document is None:
            return Loaded(folder, path, None, [], None, tuple(error.findings))
    found = examine(document)
    nsid = _nsid(found.nodes)
    findings = (*found.findings, *_place_fault(path.relative_to(folder), nsid))
    return Loaded(folder, path, nsid, found.nodes, found.lexicon, findings)


def _nsid(nodes: list[Node]) -> str | None:
    nsid = nodes[0].body.get("id") if nodes else None
    return nsid if isinstance(nsid, str) and not syntax.check("nsid", nsid) else None


def _place_fault(path: Path, nsid: str | None) -> Iterator[Finding]:
    """Yield a finding where the file's place below its folder reads as another NSID."""
    named = path.with_suffix("")
    words = ".".join(named.parts).split(".")
    if nsid is None:
        return
    if not syntax.check("nsid", named.name):
        told = named.name
    elif (first := nsid.partition(".")[0]) in words:
        told = ".".join(words[words.index(first) :])
    else:
        return
    if told != nsid and not syntax.check("nsid", told):
        message = f"the file lies where {told} is looked for"
        remedy = f"move it to {nsid.replace('.', '/')}.json"
        yield Finding("/id", "lexicon-place", message, "info", remedy)


def _without_twins(files: Sequence[Loaded]) -> list[Loaded]:
    """Leave one file of a folder its NSID: the first without errors, or else the first."""
    used: dict[tuple[Path, str | None], Path] = {}
    for loaded in sorted(files, key=lambda loaded: loaded.lexicon is None):
        used.setdefault((loaded.folder, loaded.nsid), loaded.path)
    return [_twin(item, used[item.folder, item.nsid]) if item.nsid else item for item in files]


def _twin(loaded: Loaded, used: Path) -> Loaded:
    if loaded.path == used:
        return loaded
    message, remedy = f"{loaded.nsid} is in {used} too, which is used", "take one of them out"
    twin = Finding("/id", "lexicon-twice", message, "error", remedy)
    return replace(loaded, nodes=[], lexicon=None, findings=(*loaded.findings, twin))
