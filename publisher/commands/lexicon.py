"""`publisher lexicon check`: lexicon files, each by itself and beside all others. Offline."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from publisher.commands.judge import Judge
from publisher.commands.reports import FailOn, ValidateReport
from publisher.config import Config
from publisher.errors import LexiconError
from publisher.lexicon import Catalog
from publisher.lexicon.load import read
from publisher.resources import bundled


@dataclass(frozen=True, slots=True)
class Request:
    """What to check, and what counts: `select` and `ignore` are finding codes.

    Without `folders`, the one of the config, else `lexicons`.
    """

    folders: Sequence[Path] = ()
    fail_on: FailOn = "error"
    select: frozenset[str] = frozenset()
    ignore: frozenset[str] = frozenset()


def check(config: Config, request: Request) -> ValidateReport:
    """Check every lexicon file below the folders; refs may lead to the bundled ones, too.

    Raises LexiconError where a folder or file can't be read, or no file is there.
    """
    folders = request.folders or [Path(os.path.relpath(config.lexicons or "lexicons"))]
    found = read(bundled("lexicons"), *folders)
    # Of a file below two folders the later is what counts beside the others.
    files = {os.path.realpath(file.path): file for file in found if file.folder in folders}
    if not files:
        where = ", ".join(map(str, folders))
        remedy = "name a folder of lexicon files, which end in .json"
        raise LexiconError(f"{where}: no lexicon file is here", remedy=remedy)
    judge = Judge(config, Catalog(), select=request.select, ignore=request.ignore)
    return ValidateReport(tuple(map(judge.lexicon, files.values())), fail_on=request.fail_on)
