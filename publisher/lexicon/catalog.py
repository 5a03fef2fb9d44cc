"""Lexicons by NSID, and records validated against them. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from publisher import syntax
from publisher.data import SERVERS_REFUSE
from publisher.findings import Finding, has_errors
from publisher.lexicon import leaves, readers
from publisher.lexicon.compile import Scope, compile_def
from publisher.lexicon.language import EndpointDef, LexiconFile, RecordDef
from publisher.lexicon.leaves import Check, short

Profile: TypeAlias = Literal["spec", "publish", "bluesky", "leaflet"]
PROFILES: tuple[Profile, ...] = ("spec", "publish", "bluesky", "leaflet")
_REFUSED = SERVERS_REFUSE | {"ref-type"}
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
    _records: dict[str, tuple[str, Check]] = field(default_factory=dict)

    def add(self, file: LexiconFile) -> None:
        """Add a lexicon; one with the same NSID is replaced and named in `replaced`."""
        if file.id in self.files:
            self.replaced.append(file.id)
        self.files[file.id] = file
        self._checks.clear()
        self._records.clear()

    def __reduce__(self) -> tuple[object, ...]:
        """Let another process have the lexicons; it compiles them itself."""
        return Catalog, (self.files, self.findings, self.replaced)

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
        The value of a DataError may be judged too: what it lacks is found with the rest.
        `profile`: 'spec' is the specification alone, 'publish' also what a PDS refuses; a reader's
        name adds what it drops or doesn't show, as warnings. Raises ValueError for another.
        """
        if profile not in PROFILES:
            raise ValueError(f"{profile!r} is no profile; known are {', '.join(PROFILES)}")
        if not isinstance(value, dict):
            return _verdict(leaves.wrong_type("an object", value, 0), profile)
        if profile in readers.READERS:
            verdict = self.validate(value, nsid=nsid, rkey=rkey)
            dropped = readers.findings(value, nsid or str(value.get("$type")), profile)
            return Verdict(verdict.status, [*verdict.findings, *dropped])
        name = value.get("$type")
        collection = nsid or (name if isinstance(name, str) else "")
        kind, check = self._record(collection)
        if check is None or kind is None:
            findings = [*_record_type(value, nsid), *(leaves.undeclared(value, 0) or [])]
            if collection:
                findings.append(_unknown_lexicon(collection))
            return _verdict(findings, profile, "unknown")
        findings = check(value, 0) or []
        if name != collection:
            findings = _record_type(value, nsid) + findings
        if rkey is not None and (reason := rkey_fault(kind, rkey)):
            message = f"the record key {short(rkey)} {reason}"
            remedy = f"rename it; the lexicon asks for a key of the kind {kind}"
            findings.append(Finding("", "rkey", message, "error", remedy))
        return _verdict(findings, profile) if findings else Verdict("valid", [])

    def _record(self, collection: str) -> tuple[str, Check] | tuple[None, None]:
        """Return the kind of record key of a collection and the check of its records."""
        if collection in self._records:
            return self._records[collection]
        kind = self.record_key(collection)
        check = self.check_of(f"{collection}#main") if kind is not None else None
        if kind is None or check is None:
            return None, None
        self._records[collection] = kind, check
        return kind, check

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


def rkey_fault(kind: str, rkey: str) -> str | None:
    """Return why a record key isn't of the kind that the lexicon asks for, or None."""
    if reason := syntax.check("record-key", rkey):
        return reason
    if kind.startswith("literal:"):
        return None if rkey == kind.removeprefix("literal:") else f"must be {kind[8:]!r}"
    return syntax.check(kind, rkey) if kind in {"tid", "nsid"} else None


def _record_type(value: dict[str, object], nsid: str | None) -> list[Finding]:
    name = value.get("$type")
    if name is None:
        remedy = f'add "$type": "{nsid or "site.standard.document"}"'
        return [Finding("", "record-type", "$type is missing", "error", remedy)]
    if isinstance(name, str) and name and nsid not in {None, name, name.removesuffix("#main")}:
        message = f"is {short(name)}, but the collection is {nsid}"
        return [Finding("/$type", "record-type", message, "error", f"write {nsid}")]
    return []


def _unknown_lexicon(collection: str) -> Finding:
    return Finding(
        "",
        "lexicon-unknown",
        f"no sound lexicon of {short(collection)} records is here: nobody can say if it is valid",
        "warning",
        "put the lexicon's JSON into the folder that `lexicons` names in publisher.toml",
    )


def _verdict(
    findings: list[Finding], profile: Profile, otherwise: Literal["valid", "unknown"] = "valid"
) -> Verdict:
    raised = [_raised(finding) for finding in findings] if profile != "spec" else findings
    return Verdict("invalid" if has_errors(raised) else otherwise, raised)


def _raised(finding: Finding) -> Finding:
    """Return what a PDS refuses though the specification allows it as an error."""
    refused = finding.severity == "warning" and finding.code in _REFUSED
    return replace(finding, severity="error") if refused else finding
