"""Before documents are judged for another repo: which records are here, and which CIDs change."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from publisher import data, syntax
from publisher.commands.repos import Target, open_to_write, resolve
from publisher.config import Config
from publisher.documents import Context, Document, Source, named_record, read
from publisher.errors import ConfigError, SourceError
from publisher.findings import has_errors
from publisher.lock import Lock
from publisher.migration import Migration, Moving, Name, Reference, mentions, references, with_cids
from publisher.pulling.manifest import MANIFEST, origin, read_manifest
from publisher.record import build
from publisher.syntax import Did, InvalidSyntax

_Place = tuple[Source, Context]


def repos(config: Config, target: Target, old: str, *, create: bool) -> tuple[Did, Did]:
    """Return the DIDs of the old repo and the new one, which is made if it is a folder's.

    Raises ConfigError where the documents aren't those of the old one.
    """
    try:
        old_did = syntax.parse_did(old)
    except InvalidSyntax as error:
        raise ConfigError(
            f"--migrate-from {old}: {error}", remedy=f"take the `did` in the pull's {MANIFEST}"
        ) from error
    _check_manifest(config, old_did)
    new_did = _did_of(target, create=create)
    if new_did == old_did:
        raise ConfigError(
            f"--migrate-from {old}: that is {target.name} itself",
            remedy="publish without it; or correct `repo` in publisher.toml",
        )
    return old_did, new_did


def remembered(config: Config, before: Lock) -> tuple[Did, Did] | None:
    """Return the DIDs of a migration that the lock tells of; None where the documents are others.

    Its new repo needn't be found: if it isn't the lock's any more, the run stops. Raises
    SourceError.
    """
    if before.did is None or before.migrated is None:
        return None
    if origin(config.documents) not in {None, before.migrated}:
        return None
    _check_manifest(config, before.migrated)
    return before.migrated, before.did


def _check_manifest(config: Config, old: Did) -> None:
    manifest = read_manifest(config.documents)
    if manifest is None:
        return
    path = config.documents / MANIFEST
    if manifest.did != old:
        raise ConfigError(
            f"{path}: these are records of {manifest.did}, not of {old}",
            remedy=f"publish with --migrate-from {manifest.did}; or correct `documents`",
        )
    if not manifest.has_ended:
        raise SourceError(f"{path}: the pull was cut short", remedy="pull there again first")


def _did_of(target: Target, *, create: bool) -> Did:
    if target.folder is None:
        return resolve(target)[0].did
    if not create and not target.folder.exists():
        raise ConfigError(
            f"{target.name} isn't there yet, so nobody knows the DID that references shall get",
            remedy="publish without --dry-run: that makes it",
        )
    repo = open_to_write(target, lambda _: None, max_wait=0, create=create)
    repo.close()
    return repo.did


def migration(
    config: Config, dids: tuple[Did, Did], found: Sequence[_Place]
) -> tuple[Migration, Moving]:
    """Read what refers to the old repo, and work out the CIDs that change by that."""
    old, new = dids
    files = {name: place for place in found if (name := named_record(place[0].path))}
    staying = 0
    by_cid: dict[Path, list[Reference]] = {}
    for source, _ in found:
        for to in _references(source.path, old):
            if to.name not in files:
                staying += 1
            elif to.cid:
                by_cid.setdefault(source.path, []).append(to)
    before = {}
    for name in {to.name for each in by_cid.values() for to in each}:
        if document := _document(*files[name]):
            before[name] = build(document, None)[0].cid
    onward = {name: by_cid.get(files[name][0].path, ()) for name in before}

    def after(name: Name, known: Migration) -> str:
        document = _document(*files[name])
        if document is None:
            raise SourceError(f"{files[name][0].path} changed meanwhile", remedy="run again")
        return build(known.document(document)[0], config.settings.site)[0].cid

    moving = Migration(old, new, frozenset(files))
    return with_cids(moving, before, onward, after), Moving(old, staying)


def _references(path: Path, old: Did) -> list[Reference]:
    """Return what a JSON file refers to; judging it says why it can't be read."""
    if path.suffix.lower() != ".json":
        return []
    try:
        content = path.read_bytes()
        return list(references(data.loads(content), old)) if mentions(content, old) else []
    except (OSError, data.DataError):
        return []


def _document(source: Source, context: Context) -> Document | None:
    """Return a document that can be published, as far as its file alone tells."""
    reading = read(source, context)
    return None if reading.draft or has_errors(reading.findings) else reading.document
