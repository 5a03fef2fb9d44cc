"""Findings as SARIF 2.1.0 (OASIS), which code scanning and editors read."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from publisher import __version__
from publisher.commands.checked import Checked
from publisher.commands.reports import ValidateReport
from publisher.findings import CODES, RULES, Finding

_LEVELS = {"error": "error", "warning": "warning", "info": "note", "off": "note"}
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"

Json = dict[str, object]


def to_sarif(report: ValidateReport, root: Path) -> Json:
    """Return the report as a SARIF log; files below `root` are named relative to it."""
    results = list(_results(report, root.absolute()))
    codes = sorted({str(result["ruleId"]) for result in results})
    for result in results:
        result["ruleIndex"] = codes.index(str(result["ruleId"]))
    run: Json = {
        "tool": {
            "driver": {
                "name": "publisher",
                "semanticVersion": __version__,
                "rules": [_rule(code) for code in codes],
            }
        },
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"SRCROOT": {"uri": f"{root.absolute().as_uri()}/"}},
        "results": results,
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(code: str) -> Json:
    row = CODES[code]
    if row.severity == "error":
        help = f"An error stops its document; `--ignore {code}` leaves it out of one report."
    else:
        help = f'publisher.toml switches it off or raises it: under [rules], {code} = "off".'
    page = "rules" if code in RULES else "validation"
    return {
        "id": code,
        "name": code,
        "shortDescription": {"text": row.says},
        "help": {"text": f"{help} docs/{page}.md has more."},
        "defaultConfiguration": {
            "enabled": row.severity != "off",
            "level": _LEVELS[row.severity],
        },
    }


def _results(report: ValidateReport, root: Path) -> Iterator[Json]:
    seen: Counter[str] = Counter()
    for file in report.every_file():
        artifact = _artifact(file.path.absolute(), root)
        for finding in file.findings:
            result = _result(finding)
            result["locations"] = [_location(file, finding, artifact)]
            name = f"{artifact['uri']} {file.key} {finding.pointer} {finding.code}"
            seen[name] += 1
            digest = hashlib.sha256(f"{name} {seen[name]}".encode()).hexdigest()
            result["partialFingerprints"] = {"placeAndCode/v1": digest}
            yield result


def _result(finding: Finding) -> Json:
    remedy = f"\n→ {finding.remedy}" if finding.remedy else ""
    text = f"{finding.pointer} {finding.message}".strip() + remedy
    return {
        "ruleId": finding.code,
        "level": _LEVELS[finding.severity],
        "message": {"text": text},
    }


def _artifact(path: Path, root: Path) -> dict[str, str]:
    if not path.is_relative_to(root):
        return {"uri": path.as_uri()}
    return {"uri": quote(os.fsencode(path.relative_to(root).as_posix())), "uriBaseId": "SRCROOT"}


def _location(file: Checked, finding: Finding, artifact: dict[str, str]) -> Json:
    region = {"startLine": finding.line or 1, "startColumn": finding.column or 1}
    place = finding.pointer or "/"
    return {
        "physicalLocation": {"artifactLocation": artifact, "region": region},
        "logicalLocations": [{"fullyQualifiedName": f"{file.key}#{place}", "kind": "member"}],
    }
