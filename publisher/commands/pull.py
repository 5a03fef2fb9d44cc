"""`publisher pull`: records and blobs of any repo come here, proven from the signed commit down."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from publisher import syntax
from publisher.commands.reports import PullReport
from publisher.commands.repos import Target, open_to_read
from publisher.errors import ConfigError, PublisherError, StateError
from publisher.files import writing
from publisher.pace import Pace
from publisher.progress import Progress, Silent
from publisher.pulling.copy import Copy, read_scope, value_of
from publisher.pulling.folder import FileStatus, PulledFile
from publisher.pulling.manifest import read_manifest
from publisher.pulling.proof import read
from publisher.pulling.state import State, one_pull
from publisher.pulling.wanted import PUBLICATION, Pulled, PullOptions, Scope
from publisher.pulling.whole import lines, save_archive
from publisher.repo import Repo
from publisher.syntax import Nsid

_PUBLICATION = f"write at://DID/{PUBLICATION}/rkey"
REPOS = 4
"""How many repos are pulled at the same time."""

RATE = 8.0
"""How many requests a second a server gets where several repos are pulled."""


@dataclass(frozen=True, slots=True)
class Selection:
    """A repo, and what is wanted of it."""

    target: Target
    scope: Scope = field(default_factory=Scope)


def select(name: str, template: Target, collections: Sequence[Nsid]) -> Selection:
    """Read what the user calls a repo: a handle, a DID, an AT-URI, or `folder:PATH`.

    `template` gives the servers and the folder that names are relative to. Raises ConfigError.
    """
    name = name.removeprefix("@")
    if name.startswith("at://"):
        try:
            uri = syntax.AtUri.parse(name)
        except syntax.InvalidSyntax as error:
            raise ConfigError(f"{name} {error}", remedy="write at://DID/collection/rkey") from error
        if uri.collection and collections:
            raise ConfigError(
                f"{name} names a collection, and so does --collection", remedy="use one of them"
            )
        chosen = (uri.collection,) if uri.collection else tuple(collections)
        return Selection(replace(template, name=uri.authority), Scope(chosen, uri.rkey))
    target = replace(template, name=name)
    if target.folder is None and (reason := syntax.check("at-identifier", name)):
        raise ConfigError(
            f"{name!r} {reason}", remedy="write a handle, a DID, an AT-URI or folder:PATH"
        )
    return Selection(target, Scope(tuple(collections)))


def with_publication(selection: Selection, name: str) -> Selection:
    """Narrow a selection down to the publication of an AT-URI. Raises ConfigError."""
    try:
        uri = syntax.AtUri.parse(name)
    except syntax.InvalidSyntax as error:
        raise ConfigError(f"{name} {error}", remedy=_PUBLICATION) from error
    if uri.collection != PUBLICATION or uri.rkey is None:
        raise ConfigError(f"{name} names no publication", remedy=_PUBLICATION)
    return replace(selection, scope=Scope.of_publication(uri.rkey))


def listed(path: Path) -> list[str]:
    """Return the repos that a file names, one a line; `#` begins a comment. Raises ConfigError."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path}: {error}", remedy="name a text file with a repo a line"
        ) from error
    names = (line.partition("#")[0].strip() for line in text.splitlines())
    found = list(dict.fromkeys(filter(None, names)))
    if not found:
        raise ConfigError(f"{path} names no repo", remedy="write a handle or a DID a line")
    return found


def pull(
    selections: Sequence[Selection], out: Path, options: PullOptions, progress: Progress
) -> PullReport:
    """Pull the repos into `out`; several get a folder each, named by their DIDs.

    A file that isn't as the last pull wrote it is the user's: kept unless `force`. Nothing is
    written of a repo that doesn't hold: ProofFailed.
    """
    if len(selections) == 1:
        return PullReport((_pull(selections[0], out, options, progress),))
    return _pull_many(selections, out, options, progress)


def _pull_many(
    selections: Sequence[Selection], out: Path, options: PullOptions, progress: Progress
) -> PullReport:
    """Pull several repos at once, so slowly that no server minds."""
    pace = Pace(RATE)
    done: list[Pulled] = []
    errors: dict[str, PublisherError] = {}
    progress.stage("pulling repos", len(selections))
    with ThreadPoolExecutor(REPOS) as pool:
        works = [
            pool.submit(_pull, selection, out, options, Silent(), pace) for selection in selections
        ]
        for selection, work in zip(selections, works, strict=True):
            try:
                done.append(work.result())
            except PublisherError as error:
                errors[selection.target.name] = error
            progress.advance()
    return PullReport(tuple(done), errors)


def _pull(
    selection: Selection,
    out: Path,
    options: PullOptions,
    progress: Progress,
    pace: Pace | None = None,
) -> Pulled:
    """Pull one repo; where there are several, which a pace tells, into a folder of its own."""
    repo = open_to_read(selection.target, pace=pace)
    try:
        name = repo.did.replace(":", "_").replace("%", "_")
        folder = out / name if pace else out
        if options.form == "jsonl":
            return _lines(repo, selection, options)
        if options.form == "car":
            return _archive(repo, selection, out / f"{name}.car")
        commit = repo.head()  # before a folder is made for what isn't there
        with one_pull(folder, waits=pace is not None):
            _check_owner(folder, repo)
            state = State(folder, repo.did)
            try:
                alone = pace is not None  # beside other threads no process can be forked
                return Copy(repo, selection.scope, state, options, progress, alone=alone).run(
                    commit
                )
            finally:
                state.close()
    finally:
        repo.close()


def _lines(repo: Repo, selection: Selection, options: PullOptions) -> Pulled:
    with read_scope(repo, selection.scope, None, must_prove=options.must_prove) as found:
        scope = selection.scope
        keys = [
            key
            for key in found.items
            if scope.takes(key) and scope.takes_value(key, value_of(found, key), repo.did)
        ]
        for line in lines(found, keys, repo.did):
            options.emit(line)
        files = tuple(PulledFile(key, "new", found.items[key]) for key in keys)
        return Pulled(
            *(repo.name, repo.did, found.commit.rev, Path("-"), files),
            proof=found.proof,
            reason=found.reason,
        )


def _archive(repo: Repo, selection: Selection, path: Path) -> Pulled:
    if not selection.scope.whole:
        raise ConfigError(
            "a CAR holds a whole repo", remedy="leave the collections out, or pull as json"
        )
    status: FileStatus = "updated" if path.exists() else "new"
    with read(repo, (), None, must_prove=True) as found:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        save_archive(found, path)
        file = PulledFile(path.name, status, found.commit.cid)
        return Pulled(repo.name, repo.did, found.commit.rev, path.parent, (file,))


def _check_owner(folder: Path, repo: Repo) -> None:
    manifest = read_manifest(folder)
    if manifest and manifest.did != repo.did:
        raise StateError(
            f"{folder} holds the repo of {manifest.did}, not of {repo.did}",
            remedy="pull into another folder (--out)",
        )
