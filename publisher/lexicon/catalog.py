"""Folders of lexicon files, and records validated against them. Pure after `load`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import ValidationError

from publisher import data, syntax
from publisher.errors import LexiconError
from publisher.findings import Finding, has_errors, pointer_to
from publisher.lexicon.compile import Check, Scope, compile_def, short
from publisher.lexicon.language import EndpointDef, LexiconFile, RecordDef

Profile: TypeAlias = Literal["spec", "publish"]
Status: TypeAlias = Literal["valid", "invalid", "unknown"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What validation says: 'unknown' means that no lexicon is there to judge by."""

    status: Status
    findings: list[Finding]


@dataclass(slots=True)
class Catalog:
    """Lexicons by NSID. `findings` are what is wrong with the files themselves."""

    files: dict[str, LexiconFile] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    _checks: dict[str, Check | None] = field(default_factory=dict)

    def add(self, file: LexiconFile) -> None:
        """Add a lexicon; one with the same NSID is replaced and named in `replaced`."""
        if file.id in self.files:
            self.replaced.append(file.id)
        self.files[file.id] = file
        self._checks.clear()

    def record_key(self, nsid: str) -> str | None:
        """Return the record key kind ('tid', 'any', 'literal:self', …), None if unknown."""
        main = self.files[nsid].defs.get("main") if nsid in self.files else None
        return main.key if isinstance(main, RecordDef) else None

    def validate(
        self,
        value: object,
        *,
        nsid: str | None = None,
        rkey: str | None = None,
        profile: Profile = "publish",
    ) -> Verdict:
        """Judge a record: every breach of the data model and of its collection's lexicon.

        `nsid` is the collection, by default the record's `$type`; `rkey` is checked when given.
        """
        findings = data.check(value, safe_integers=profile == "publish")
        if profile == "publish":
            findings = [_raised(finding) for finding in findings]
        if not isinstance(value, dict):
            findings.append(
                Finding("", "type", "a record is an object", "error", "write an object")
            )
            return Verdict("invalid", findings)
        findings += _record_type(value, nsid)
        collection = nsid or str(value.get("$type", ""))
        main = self.files[collection].defs.get("main") if collection in self.files else None
        if not isinstance(main, RecordDef):
            findings.append(_unknown_lexicon(collection))
            return Verdict("invalid" if has_errors(findings) else "unknown", findings)
        if rkey is not None and (reason := rkey_fault(main.key, rkey)):
            findings.append(Finding("", "rkey", f"the record key {short(rkey)} {reason}"))
        check = self.check_of(f"{collection}#main")
        findings = _unique([*findings, *((check(value) if check else None) or [])])
        return Verdict("invalid" if has_errors(findings) else "valid", findings)

    def check_of(self, name: str) -> Check | None:
        """Return the check of `nsid#def`, compiled at the first call; None if there is none."""
        if name not in self._checks:
            nsid, _, local = name.partition("#")
            definition = self.files[nsid].defs.get(local) if nsid in self.files else None
            scope = Scope(nsid, self.check_of, self._is_record)
            missing = definition is None or isinstance(definition, EndpointDef)
            self._checks[name] = None if missing else compile_def(definition, scope)
        return self._checks[name]

    def _is_record(self, name: str) -> bool:
        nsid, _, local = name.partition("#")
        return nsid in self.files and isinstance(self.files[nsid].defs.get(local), RecordDef)


def load(*folders: str | Path) -> Catalog:
    """Read every `*.json` below the folders. Faulty files become `findings`, never exceptions.

    Raises LexiconError where a folder or file can't be read at all.
    """
    catalog = Catalog()
    for path in _files(folders):
        try:
            content = path.read_bytes()
        except OSError as error:
            raise LexiconError(f"{path}: {error.strerror}", remedy="make it readable") from error
        file, findings = _parse(content)
        catalog.findings += [
            Finding(f.pointer, f.code, f"{path}: {f.message}", f.severity, f.remedy)
            for f in findings
        ]
        if file:
            catalog.add(file)
    return catalog


def check(document: dict[str, object]) -> list[Finding]:
    """Return what is wrong with one lexicon document on its own."""
    return _model(document)[1]


def rkey_fault(kind: str, rkey: str) -> str | None:
    """Return why a record key isn't of the kind that the lexicon asks for, or None."""
    if reason := syntax.check("record-key", rkey):
        return reason
    if kind.startswith("literal:"):
        return None if rkey == kind.removeprefix("literal:") else f"must be {kind[8:]!r}"
    return syntax.check(kind, rkey) if kind in {"tid", "nsid"} else None


def _files(folders: Iterable[str | Path]) -> list[Path]:
    paths: list[Path] = []
    for folder in map(Path, folders):
        if not folder.is_dir():
            raise LexiconError(f"{folder}: is no folder", remedy="name a folder of lexicon files")
        paths += sorted(folder.rglob("*.json"))
    return paths


def _parse(content: bytes) -> tuple[LexiconFile | None, list[Finding]]:
    try:
        return _model(json.loads(content))
    except (ValueError, RecursionError) as error:
        remedy = "correct the JSON there"
        return None, [Finding("", "json-syntax", f"is no JSON: {error}", "error", remedy)]


def _model(document: object) -> tuple[LexiconFile | None, list[Finding]]:
    try:
        return LexiconFile.model_validate(document), []
    except ValidationError as error:
        return None, [
            Finding(
                pointer_to(*fault["loc"]),
                "lexicon-form",
                fault["msg"],
                "error",
                "write it as the Lexicon specification says",
            )
            for fault in error.errors(include_url=False, include_input=False)
        ]


def _record_type(value: dict[str, object], nsid: str | None) -> list[Finding]:
    name = value.get("$type")
    if name is None:
        remedy = f'add "$type": "{nsid or "site.standard.document"}"'
        return [Finding("", "record-type", "$type is missing", "error", remedy)]
    if isinstance(name, str) and name and nsid is not None and name != nsid:
        message = f"is {short(name)}, but the collection is {nsid}"
        return [Finding("/$type", "record-type", message, "error", f"write {nsid}")]
    return []


def _unknown_lexicon(collection: str) -> Finding:
    return Finding(
        "",
        "lexicon-unknown",
        f"no lexicon of {short(collection)} is here, so nobody can say whether it is valid",
        "warning",
        "put the lexicon's JSON into the folder that `lexicons` names in publisher.toml",
    )


def _raised(finding: Finding) -> Finding:
    if finding.code != "blob-codec":
        return finding
    return Finding(finding.pointer, finding.code, finding.message, "error", finding.remedy)


def _unique(findings: list[Finding]) -> list[Finding]:
    return list(dict.fromkeys(findings))
