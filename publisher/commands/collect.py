"""All documents of a folder, read, built and checked: where every command begins."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from publisher.commands.checked import Checked, Claims, Status
from publisher.commands.judge import Judge, located
from publisher.config import Config
from publisher.cores import spread
from publisher.documents import DOCUMENT, READERS, Context, Source, find, source_of
from publisher.errors import SourceError
from publisher.findings import Finding
from publisher.lexicon import Catalog
from publisher.lexicon.load import Loaded, catalog_of
from publisher.lexicon.load import read as read_lexicons
from publisher.progress import Progress
from publisher.record import Packed, Record
from publisher.resources import bundled
from publisher.spool import Spool

if TYPE_CHECKING:
    from publisher.commands.judgements import Judgements

_PIECE = 100  # files that go to a process at once
_NAMED = 3  # documents that are named in a finding of another
_ALONE = 2 * _PIECE  # so many files are read before other processes would have begun


def load_catalog(config: Config) -> Catalog:
    """Return the bundled lexicons and those of the config."""
    return catalog_of(load_lexicons(config))


def load_lexicons(config: Config, folders: Sequence[Path] = ()) -> list[Loaded]:
    """Return the bundled lexicon files, those of the config and of `folders`.

    A later one replaces an earlier one with the same NSID, and that is said.
    """
    own = [*([config.lexicons] if config.lexicons else []), *folders]
    used: dict[str, Path] = {}
    return [_replacing(loaded, used) for loaded in read_lexicons(bundled("lexicons"), *own)]


def _replacing(loaded: Loaded, used: dict[str, Path]) -> Loaded:
    if loaded.lexicon is None:
        return loaded
    before, used[loaded.lexicon.id] = used.get(loaded.lexicon.id), loaded.path
    if before is None:
        return loaded
    message = f"{loaded.lexicon.id} is taken from here, not from {before}"
    said = Finding("/id", "lexicon-replaced", message, "info")
    return replace(loaded, findings=(*loaded.findings, said))


def sources(config: Config, paths: Sequence[Path]) -> list[tuple[Source, Context]]:
    """Return the files to read: those at or below `paths`, without any all documents.

    Raises SourceError for a path that isn't there, or when nothing is found.
    """
    found = list(_sources(config, paths or [config.documents]))
    if len(paths) > 1:
        found = _once_each(found)
    if not found:
        where = ", ".join(map(str, paths or [config.documents]))
        suffixes = ", ".join(sorted(READERS))
        raise SourceError(
            f"{where}: no document is here", remedy=f"add files that end in {suffixes}"
        )
    return found


def _sources(config: Config, paths: Sequence[Path]) -> Iterator[tuple[Source, Context]]:
    for path in paths:
        if not path.exists():
            raise SourceError(f"{path}: there is no such file or folder", remedy="correct the path")
        context = _context(config, path)
        if path.is_dir():
            yield from ((source, context) for source in find(path, below=context.folder))
        else:
            yield source_of(path.absolute(), context.folder), context


def _once_each(found: list[tuple[Source, Context]]) -> list[tuple[Source, Context]]:
    """Return the files that several paths lead to, each in its first place.

    Path.resolve fails where a link leads to itself.
    """
    files: dict[str, tuple[Source, Context]] = {}
    for source, context in found:
        files.setdefault(os.path.realpath(source.path), (source, context))
    return list(files.values())


def _context(config: Config, path: Path) -> Context:
    """A path outside the configured folder is a folder of documents of its own."""
    folder, root = config.documents.absolute(), config.root
    linked = Path(os.path.normpath(path.absolute())).is_relative_to(os.path.normpath(folder))
    if not linked and not path.resolve().is_relative_to(folder.resolve()):
        folder = (path if path.is_dir() else path.parent).absolute()
        root = root if folder.resolve().is_relative_to(root) else folder
    settings = config.settings
    return Context(root, folder, settings.timezone, with_content=settings.content == "markdown")


def collect(
    judge: Judge,
    found: Sequence[tuple[Source, Context]],
    progress: Progress,
    known: Judgements | None = None,
) -> list[Checked]:
    """Read and check every file; a fault of one stops no other. In the order of `found`.

    Those that are `known` aren't judged again; many others are spread over the cores.
    """
    progress.stage("reading", len(found))
    remembered = [_remembered(known, *place, progress) for place in found]
    new = [place for place, file in zip(found, remembered, strict=True) if file is None]
    judged = _collected(judge, new, progress)
    if known:
        known.note(judged)
    rest = iter(judged)
    checked = [file or next(rest) for file in remembered]
    return judge.among(_without_duplicates(checked, judge))


def _remembered(
    known: Judgements | None, source: Source, context: Context, progress: Progress
) -> Checked | None:
    file = known.find(source, context) if known else None
    if file:
        progress.advance()
    return file


def _collected(
    judge: Judge, found: Sequence[tuple[Source, Context]], progress: Progress
) -> list[Checked]:
    checked: list[Checked] = []
    spool = Spool() if judge.keep else None
    for told in _judged(judge, found, progress):
        files = found[len(checked) : len(checked) + len(told)]
        checked += _heard([source for source, _ in files], told, spool)
        progress.advance(len(told))
    return checked


def _judged(
    judge: Judge, found: Sequence[tuple[Source, Context]], progress: Progress
) -> Iterator[list[_Told]]:
    if len(found) <= _ALONE:
        return ([_told(judge.file(source, context))] for source, context in found)
    starts = range(0, len(found), _PIECE)
    return spread(partial(_files, judge, found), starts, progress)


_Told: TypeAlias = tuple[
    Status, Packed | None, tuple[Finding, ...], tuple[Claims | None, str | None, bytes]
]
"""What is sent back of a file: its path and key are known here."""


def _files(judge: Judge, found: Sequence[tuple[Source, Context]], start: int) -> list[_Told]:
    """Judge a piece of the files, which every process has, so that only its number is sent."""
    piece = found[start : start + _PIECE]
    return [_told(judge.file(source, context)) for source, context in piece]


def _told(file: Checked) -> _Told:
    packed = file.record.packed() if file.record else None
    return file.status, packed, file.findings, (file.claims, file.cid, file.digest)


def _heard(files: Sequence[Source], told: Sequence[_Told], spool: Spool | None) -> list[Checked]:
    """Put together what was told of some files; their records' values go to the spool."""
    packed = [record for _, record, *_ in told if record]
    values = spool.put_all([block for block, *_ in packed]) if spool and packed else []
    records = map(Record.unpacked, packed, values)
    return [
        Checked(file.path, file.key, status, next(records) if record else None, found, *rest)
        for file, (status, record, found, rest) in zip(files, told, strict=True)
    ]


def _without_duplicates(checked: list[Checked], judge: Judge) -> list[Checked]:
    """Mark documents of one site that share a path, or an id: each names the other."""
    first: dict[_Place, Checked] = {}
    groups: dict[_Place, list[Checked]] = {}
    for item in checked:
        for place in _places(item.claims) if item.claims else ():
            owner = first.setdefault(place, item)
            if owner is not item:
                groups.setdefault(place, [owner]).append(item)
    if not groups:
        return checked
    faults: dict[str, list[Finding]] = {}
    for place in filter(groups.__contains__, first):
        for item in groups[place]:
            fault = _duplicate(place, _others(item, groups[place]))
            if judge.counts(fault):
                faults.setdefault(item.key, []).append(fault)
    return [
        located(
            replace(
                item,
                status="invalid",
                record=None,
                claims=None,
                cid=None,
                findings=(*item.findings, *faults[item.key]),
            )
        )
        if item.claims and item.key in faults
        else item
        for item in checked
    ]


def _others(item: Checked, group: list[Checked]) -> str:
    """Name the other documents of a group, a few of many."""
    few = [other.key for other in group[: _NAMED + 1] if other is not item][:_NAMED]
    more = len(group) - 1 - len(few)
    return ", ".join(few) + (f" and {more:,} more" if more else "")


_Place: TypeAlias = tuple[object, ...]
"""A claim: its kind, and what is claimed."""


def _places(claims: Claims) -> list[_Place]:
    places: list[_Place] = []
    if claims.collection == DOCUMENT and isinstance(claims.path, str):
        places.append(("path", claims.site, claims.path))
    places.append(("key", claims.key))
    return [*places, *(("rkey", *named) for named in claims.named)]


def _duplicate(place: _Place, others: str) -> Finding:
    kind, *_, name = place
    if kind == "path":
        message = f"the path {name} is taken by {others}, too"
        remedy = "give each document its own path or slug"
        return Finding("/path", "duplicate-path", message, "error", remedy)
    if kind == "rkey":
        message = f"the record {name} is named by {others}, too"
        remedy = "give each document its own rkey, or none"
        return Finding("/rkey", "duplicate-rkey", message, "error", remedy)
    message, remedy = f"the id is taken by {others}, too", "give each document its own id"
    return Finding("/id", "duplicate-id", message, "error", remedy)
