"""Folders of lexicon files, and records validated against them. Pure after `load`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import ValidationError

from publisher import data, syntax
from publisher.errors import LexiconError
from publisher.findings import Finding, has_errors, pointer_to
from publisher.lexicon.compile import Check, Scope, compile_def, short
from publisher.lexicon.consistency import dangling_refs, default_faults
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
        if not isinstance(value, dict):
            findings.append(
                Finding("", "type", "a record is an object", "error", "write an object")
            )
            return _verdict(findings, profile)
        if any(finding.code == "depth" for finding in findings):
            return _verdict(findings, profile)
        findings += _record_type(value, nsid)
        collection = nsid or str(value.get("$type", ""))
        main = self.files[collection].defs.get("main") if collection in self.files else None
        if not isinstance(main, RecordDef):
            findings.append(_unknown_lexicon(collection))
            return _verdict(findings, profile, otherwise="unknown")
        if rkey is not None and (reason := rkey_fault(main.key, rkey)):
            findings.append(Finding("", "rkey", f"the record key {short(rkey)} {reason}"))
        check = self.check_of(f"{collection}#main")
        return _verdict([*findings, *((check(value) if check else None) or [])], profile)

    def check_of(self, name: str) -> Check | None:
        """Return the check of `nsid#def`, compiled at the first call; None if there is none."""
        if name not in self._checks:
            definition = self.definition(name)
            scope = Scope(name.partition("#")[0], self.check_of, self.definition)
            missing = definition is None or isinstance(definition, EndpointDef)
            self._checks[name] = None if missing else compile_def(definition, scope)
        return self._checks[name]

    def definition(self, name: str) -> object:
        """Return the definition `nsid#def`, None if there is none."""
        nsid, _, local = name.partition("#")
        return self.files[nsid].defs.get(local) if nsid in self.files else None


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


def _record_type(value: dict[str, object], nsid: str | None) -> list[Finding]:
    name = value.get("$type")
    if name is None:
        remedy = f'add "$type": "{nsid or "site.standard.document"}"'
        return [Finding("", "record-type", "$type is missing", "error", remedy)]
    if isinstance(name, str) and name.endswith("#main"):
        message, remedy = f"{short(name)} ends in #main", f"write {name.removesuffix('#main')}"
        return [Finding("/$type", "record-type", message, "error", remedy)]
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


def _verdict(
    findings: list[Finding], profile: Profile, *, otherwise: Literal["valid", "unknown"] = "valid"
) -> Verdict:
    raised = [_raised(finding) if profile == "publish" else finding for finding in findings]
    status: Status = "invalid" if has_errors(raised) else otherwise
    return Verdict(status, list(dict.fromkeys(raised)))


def _raised(finding: Finding) -> Finding:
    """Return what a PDS refuses though the specification allows it as an error."""
    refused = finding.severity == "warning" and finding.code in {"blob-codec", "ref-type"}
    return replace(finding, severity="error") if refused else finding
