"""`publisher lexicon check`: lexicon files, each by itself and beside all others. Offline."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from publisher.commands.judge import Checked, Status, by_rules, located
from publisher.commands.validate import FailOn, ValidateReport
from publisher.config import Config, Rule
from publisher.errors import LexiconError
from publisher.findings import Finding, has_errors
from publisher.lexicon.load import Loaded, read
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
    checked = (_checked(loaded, request, config.settings.rules) for loaded in files.values())
    return ValidateReport(tuple(checked), fail_on=request.fail_on)


def _checked(loaded: Loaded, request: Request, rules: Mapping[str, Rule]) -> Checked:
    counting = (finding for finding in loaded.findings if _counts(finding, request))
    findings = tuple(by_rules(counting, rules))
    status: Status = "invalid" if has_errors(findings) else "valid"
    return located(Checked(loaded.path, str(loaded.path), status, None, findings))


def _counts(finding: Finding, request: Request) -> bool:
    if finding.code in request.ignore:
        return False
    return not request.select or finding.code in request.select
