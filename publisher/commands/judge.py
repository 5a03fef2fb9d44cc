"""One file, or one record, held against everything that can be checked about it alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from publisher import data, quality
from publisher.commands.checked import Checked, Claims, Status
from publisher.config import Config, Rule
from publisher.data import Cid, Value, to_plain
from publisher.documents import DOCUMENT, READERS, Context, Reading, Source, read
from publisher.findings import RULES, Finding, has_errors
from publisher.lexicon import Catalog, Verdict, readers
from publisher.lexicon.catalog import Profile
from publisher.lexicon.load import Loaded
from publisher.record import MAX_BYTES, Record, build
from publisher.spool import whole

if TYPE_CHECKING:
    from publisher.migration import Migration

_NO_FUTURE = datetime.max.replace(tzinfo=UTC)

_MOST_JSON = 16  # bytes that one of DAG-CBOR becomes at most: no bytes at all are {"$bytes":""}

_NO_SITE = "site is missing"
_SEVERITIES = ("error", "warning", "info")  # the gravest first
_STATUSES = ("invalid", "unknown", "valid")  # the worst first


@dataclass(frozen=True, slots=True)
class Judge:
    """By what is judged. `keep`: the records are kept, for those who publish them.

    `advice`: the rules of docs/rules.md are held; without it only those that the config raises to
    errors, which stop a document wherever it is read. `now` is what the future begins after.
    `with_cids`: the CID of every good record is computed. `select` and `ignore` are finding codes:
    with `select`, only these count; those of `ignore` don't. With `migration`, documents are judged
    as they are in the new repo.
    """

    config: Config
    catalog: Catalog
    profiles: tuple[Profile, ...] = ("publish",)
    keep: bool = True
    advice: bool = False
    with_cids: bool = False
    select: frozenset[str] = frozenset()
    ignore: frozenset[str] = frozenset()
    now: datetime = _NO_FUTURE
    migration: Migration | None = None

    def file(self, source: Source, context: Context) -> Checked:
        """Judge a document; its findings have their line and column."""
        reading = read(source, context)
        return replace(located(self._reading(reading)), digest=reading.digest)

    def record(self, path: Path, key: str, text: bytes, *, line: int = 1) -> Checked:
        """Judge a record by its JSON alone, which begins in this line of the file at `path`.

        Cross-record rules (a path that two documents claim) are not held.
        """
        value: object
        try:
            value = data.loads(text)
        except data.DataError as error:
            value = error.value
            if not isinstance(value, dict):
                return self._checked(
                    path, key, "skipped", None, _in_text(error.findings, text, line)
                )
        verdict = self._verdict(value)
        found = verdict.findings
        if len(text) > MAX_BYTES and isinstance(value, dict) and not has_errors(found):
            found = found + self._sizes(value)
        return self._alone(path, key, verdict, _in_text(found, text, line))

    def block(self, path: Path, place: str, block: bytes) -> Checked:
        """Judge a record by its DAG-CBOR; `place` is its collection and rkey."""
        key = f"{path}/{place}"
        collection, _, rkey = place.partition("/")
        try:
            value = data.decode(block)
        except data.InvalidCbor as error:
            return self.faulty(path, key, Finding("", "cbor", str(error)))
        verdict = self._verdict(value, collection, rkey)
        found = verdict.findings
        large = len(block) > MAX_BYTES // _MOST_JSON
        if large and isinstance(value, dict) and not has_errors(found):
            found = found + self._sizes(value)
        return self._alone(path, key, verdict, found)

    def lexicon(self, loaded: Loaded) -> Checked:
        """Judge a lexicon file, by what is wrong with it."""
        counting = filter(self.counts, loaded.findings)
        findings = tuple(by_rules(counting, self.config.settings.rules))
        status: Status = "invalid" if has_errors(findings) else "valid"
        return located(Checked(loaded.path, str(loaded.path), status, None, findings))

    def faulty(self, path: Path, key: str, finding: Finding) -> Checked:
        """Return what can't be read as a file with this finding."""
        return self._checked(path, key, "skipped", None, [finding])

    def _alone(self, path: Path, key: str, verdict: Verdict, found: list[Finding]) -> Checked:
        status: Status = "unknown" if verdict.status == "unknown" else "valid"
        return self._checked(path, key, status, None, found)

    def _reading(self, reading: Reading) -> Checked:
        source, document = reading.source, reading.document
        findings = list(reading.findings)
        if document is None:
            status: Status = "draft" if reading.draft else "skipped"
            return self._checked(source.path, source.key, status, None, findings)
        if self.migration and not has_errors(findings):
            document, staying = self.migration.document(document)
            findings += staying
        record, site_findings = build(document, self.config.settings.site)
        rkey = _rkey(record, self.catalog)
        verdict = self._verdict(record.value, record.collection, rkey)
        found = [*site_findings, *verdict.findings]
        if document.owned is not None:
            found = [finding for finding in found if not _is_told(finding)]
        if record.collection == DOCUMENT:
            found = [_with_site_remedy(finding) for finding in found]
        found += self._covers(record)
        if not has_errors([*findings, *found]):
            found += self._sizes(whole(record.value))
        if reading.draft:
            findings += map(_for_a_draft, found)
            return self._checked(source.path, source.key, "draft", None, findings)
        findings += found
        status = "unknown" if verdict.status == "unknown" else "valid"
        return self._checked(source.path, source.key, status, record, findings)

    def _checked(
        self, path: Path, key: str, status: Status, record: Record | None, findings: list[Finding]
    ) -> Checked:
        judged: tuple[Finding, ...] = ()
        if findings:
            found = by_rules(dict.fromkeys(findings), self.config.settings.rules)
            judged = tuple(filter(self.counts, found))
            if has_errors(judged) and status in {"valid", "unknown", "skipped"}:
                status = "invalid"
        if record is None or status not in {"valid", "unknown"}:
            return Checked(path, key, status, None, judged)
        cid = record.cid if self.with_cids else None
        kept = record if self.keep else None
        return Checked(path, key, status, kept, judged, Claims.of(record), cid)

    def _verdict(
        self, value: object, collection: str | None = None, rkey: str | None = None
    ) -> Verdict:
        """Hold a value against every profile, and against the rules."""
        verdicts = [
            self.catalog.validate(value, nsid=collection, rkey=rkey, profile=profile)
            for profile in self.profiles
        ]
        advised: list[Finding] = []
        if isinstance(value, dict) and self._has_advice():
            advised = self._advised(quality.check(value, now=self.now))
        if len(verdicts) == 1:
            return Verdict(verdicts[0].status, verdicts[0].findings + advised)
        found = [finding for verdict in verdicts for finding in verdict.findings]
        worst = min((verdict.status for verdict in verdicts), key=_STATUSES.index)
        return Verdict(worst, _gravest(found + advised))

    def _sizes(self, value: dict[str, Value]) -> list[Finding]:
        """Return whether a record is larger than servers take, unless the specification is all."""
        return [] if set(self.profiles) <= {"spec"} else _size(value)

    def _covers(self, record: Record) -> list[Finding]:
        """Look at the images that a record shows, where their files are here."""
        if not record.blobs:
            return []
        files = {blob.cid: blob.path for blob in record.blobs}
        found: list[Finding] = []
        for field in ("coverImage", "icon"):
            blob = record.value.get(field)
            ref = blob.get("ref") if isinstance(blob, dict) else None
            path = files.get(ref) if isinstance(ref, Cid) else None
            if path and record.collection.startswith("site.standard."):
                found += quality.cover(_content(path), f"/{field}")
        return self._advised(found)

    def _advised(self, findings: list[Finding]) -> list[Finding]:
        return [finding for finding in findings if self._advises(finding.code)]

    def _has_advice(self) -> bool:
        """Tell whether any rule can count: none is an error unless the config says so."""
        return self.advice or bool(self.select) or "error" in self.config.settings.rules.values()

    def _advises(self, code: str) -> bool:
        rule = self.config.settings.rules.get(code, RULES[code].severity)
        if code in self.select:
            return True
        return rule == "error" or (self.advice and rule != "off")

    def among(self, checked: list[Checked]) -> list[Checked]:
        """Return the results of a folder with what shows only beside the other files."""
        publications: dict[str, list[str]] = {}
        for item in checked:
            claims = item.claims
            if claims and claims.collection == quality.PUBLICATION and isinstance(claims.url, str):
                publications.setdefault(quality.address(claims.url), []).append(item.key)
        if not publications and "leaflet" not in self.profiles:
            return checked
        return [self._beside(item, publications) for item in checked]

    def _beside(self, item: Checked, publications: Mapping[str, list[str]]) -> Checked:
        claims, found = item.claims, list[Finding]()
        if claims and claims.collection == DOCUMENT:
            found = self._advised(quality.loose(claims.site, publications))
            if "leaflet" in self.profiles:
                found += readers.elsewhere(claims.site, self.config.settings.repo)
        elif claims and claims.collection == quality.PUBLICATION:
            found = self._advised(quality.twice(claims.url, item.key, publications))
        if not found:
            return item
        again = self._checked(item.path, item.key, item.status, None, [*item.findings, *found])
        same = again.status == item.status
        return located(replace(item if same else again, findings=again.findings))

    def counts(self, finding: Finding) -> bool:
        """Tell whether a finding is to be reported."""
        if finding.code in self.ignore:
            return False
        return not self.select or finding.code in self.select


def located(checked: Checked) -> Checked:
    """Return a file's result with the line and column of each finding, where it can be read."""
    if not checked.findings or checked.path.suffix.lower() not in READERS:
        return checked
    try:
        text = checked.path.read_text("utf-8")
    except (OSError, ValueError):
        return checked
    from publisher.documents.places import locate  # with YAML, which good JSON doesn't need

    found = locate(text, checked.path.suffix.lower(), checked.findings)
    return replace(checked, findings=tuple(sorted(found, key=_in_file)))


def _in_file(finding: Finding) -> tuple[int, int]:
    return finding.line or 0, finding.column or 0


def _in_text(findings: list[Finding], text: bytes, line: int) -> list[Finding]:
    """Return the findings of a JSON text that begins in a line of its file, in their order."""
    if not findings:
        return []
    from publisher.documents.places import locate  # with YAML, which good JSON doesn't need

    found = locate(text.decode(errors="replace"), ".json", findings)
    moved = [replace(f, line=(f.line or 1) + line - 1, message=_unplaced(f)) for f in found]
    return sorted(moved, key=_in_file)


def _unplaced(finding: Finding) -> str:
    """Return a parser's message without its place, which is another in the whole file."""
    return finding.message.removeprefix(f"line {finding.line}, column {finding.column}: ")


def _content(path: Path) -> bytes:
    """Return a file's bytes; one that can't be read now was told of before."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _gravest(findings: list[Finding]) -> list[Finding]:
    """Return each finding once, as the profile sees it that minds most."""
    kept: dict[tuple[str, str, str], Finding] = {}
    for found in sorted(findings, key=lambda found: _SEVERITIES.index(found.severity)):
        kept.setdefault((found.pointer, found.code, found.message), found)
    return list(kept.values())


def _is_told(finding: Finding) -> bool:
    """Tell whether the reader of Markdown has told something already, or better.

    It says what is missing under the author's names, all but the site; and what it makes is plain
    text, though it may speak of markup.
    """
    if finding.code == "required":
        return finding.message != _NO_SITE
    return finding.code == "text-markup"


def _for_a_draft(finding: Finding) -> Finding:
    """What a draft lacks is no error yet."""
    return replace(finding, severity="warning") if finding.severity == "error" else finding


def _rkey(record: Record, catalog: Catalog) -> str | None:
    """A record without a named rkey gets a TID, or the one that its lexicon fixes."""
    if record.rkey is not None:
        return record.rkey
    kind = catalog.record_key(record.collection)
    if kind is None or kind in {"tid", "any"} or kind.startswith("literal:"):
        return None
    return "2222222222222"


def by_rules(findings: Iterable[Finding], rules: Mapping[str, Rule]) -> Iterator[Finding]:
    """Switch findings off or raise them; what is an error stays one."""
    for finding in findings:
        rule = finding.severity if finding.severity == "error" else rules.get(finding.code)
        if rule != "off":
            yield replace(finding, severity=rule or finding.severity)


def _with_site_remedy(finding: Finding) -> Finding:
    if finding.code == "required" and finding.message == _NO_SITE:
        return replace(finding, remedy='set site = "https://…" in publisher.toml')
    return finding


def _size(value: dict[str, Value]) -> list[Finding]:
    if _longest(value) <= MAX_BYTES:
        return []
    size = len(json.dumps(to_plain(value), ensure_ascii=False).encode())
    if size <= MAX_BYTES:
        return []
    remedy = 'shorten it, or set content = "none" in publisher.toml'
    message = f"the record has {size:,} bytes of JSON; servers take {MAX_BYTES:,}"
    return [Finding("", "record-size", message, "error", remedy)]


def _longest(value: Value) -> int:
    """Return how many bytes of JSON a value can have at most, at a tenth of writing it."""
    size, waiting = 0, [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            size += 6 * len(item) + 4  # a control character is \u0000
        elif isinstance(item, dict):
            size += 6 * sum(map(len, item)) + 4 * len(item) + 4
            waiting += item.values()
        elif isinstance(item, list):
            size += 4
            waiting += item
        elif isinstance(item, bytes):
            size += 2 * len(item) + 18
        else:
            size += 80  # a number of 64 bits, or a link
    return size
