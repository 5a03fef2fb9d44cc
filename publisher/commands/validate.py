"""`publisher validate`: offline, no account, every fault of every file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

from publisher.commands.collect import collect, load_lexicons, sources
from publisher.commands.judge import Judge
from publisher.commands.reports import FailOn, ValidateReport
from publisher.commands.streams import STREAMS, Input, judged
from publisher.config import Config
from publisher.lexicon.catalog import Profile
from publisher.lexicon.load import catalog_of
from publisher.progress import Progress


@dataclass(frozen=True, slots=True)
class Request:
    """What to check, and what counts.

    `paths` are files and folders, without any the config's documents; `stdin` is checked with
    them. `lexicons` are folders beside those of the config. `select` and `ignore` are finding
    codes.
    """

    paths: Sequence[Path] = ()
    stdin: Input | None = None
    lexicons: Sequence[Path] = ()
    profiles: Sequence[Profile] = ("publish",)
    fail_on: FailOn = "error"
    select: frozenset[str] = frozenset()
    ignore: frozenset[str] = frozenset()
    with_cids: bool = False


def validate(config: Config, request: Request, progress: Progress) -> ValidateReport:
    """Check documents and records. Reads files, nothing else. Raises SourceError.

    Documents are all read when this returns; streams (JSON lines, CAR, stdin) are read while the
    report's `files` are.
    """
    files = load_lexicons(config, request.lexicons)
    judge = Judge(
        config,
        catalog_of(files),
        tuple(request.profiles),
        keep=False,
        advice=True,
        with_cids=request.with_cids,
        select=request.select,
        ignore=request.ignore,
        now=datetime.now(UTC),
    )
    streams = [Input(path) for path in request.paths if path.suffix.lower() in STREAMS]
    paths = [path for path in request.paths if path.suffix.lower() not in STREAMS]
    streams += [request.stdin] if request.stdin else []
    documents = [] if streams and not paths else collect(judge, sources(config, paths), progress)
    judged_lexicons = (judge.lexicon(loaded) for loaded in files if loaded.findings)
    lexicons = tuple(file for file in judged_lexicons if file.findings)
    if not streams:
        return ValidateReport(tuple(documents), lexicons, request.fail_on)
    each = chain.from_iterable(judged(stream, judge, progress) for stream in streams)
    return ValidateReport(chain(documents, each), lexicons, request.fail_on)
