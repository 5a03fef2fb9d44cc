"""All documents of a folder, read, built and checked: where every command begins."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from publisher import lexicon
from publisher.config import Config, Rule
from publisher.data import Value, encode, to_plain
from publisher.documents import (
    DOCUMENT,
    READERS,
    Context,
    Reading,
    Source,
    find,
    read,
    source_of,
)
from publisher.errors import SourceError
from publisher.findings import Finding, has_errors
from publisher.lexicon import Catalog
from publisher.progress import Progress
from publisher.record import MAX_BYTES, Record, build
from publisher.resources import bundled

_LONGEST = 16  # bytes of JSON for one of DAG-CBOR, at most: 0x40 is {"$bytes": ""} and a comma

Status = Literal["valid", "invalid", "unknown", "draft", "skipped"]


@dataclass(frozen=True, slots=True)
class Checked:
    """A file after all checks; `record` is there when it is valid or unknown."""

    path: Path
    key: str
    status: Status
    record: Record | None
    findings: tuple[Finding, ...]


def load_catalog(config: Config) -> Catalog:
    """Return the bundled lexicons and those of the config, which replace them, as is said."""
    own = [config.lexicons] if config.lexicons else []
    catalog = lexicon.load(bundled("lexicons"), *own)
    for nsid in catalog.replaced:
        message = f"{nsid} is taken from {config.lexicons}, not from those that come with publisher"
        catalog.findings.append(Finding("", "lexicon-replaced", message, "info"))
    return catalog


def sources(config: Config, paths: Sequence[Path]) -> list[tuple[Source, Context]]:
    """Return the files to read: those at or below `paths`, without any all documents.

    Raises SourceError for a path that isn't there, or when nothing is found.
    """
    found = list(_sources(config, paths or [config.documents]))
    if not found:
        where = ", ".join(map(str, paths or [config.documents]))
        suffixes = ", ".join(sorted(READERS))
        raise SourceError(
            f"{where}: no document is here", remedy=f"add files that end in {suffixes}"
        )
    return found


def _sources(config: Config, paths: Sequence[Path]) -> Iterator[tuple[Source, Context]]:
    seen: set[str] = set()
    for path in paths:
        if not path.exists():
            raise SourceError(f"{path}: there is no such file or folder", remedy="correct the path")
        context = _context(config, path)
        for source in find(path) if path.is_dir() else [source_of(path, path.parent)]:
            real = os.path.realpath(source.path)  # Path.resolve fails where a link leads to itself
            if real not in seen:
                seen.add(real)
                yield source_of(source.path.absolute(), context.folder), context


def _context(config: Config, path: Path) -> Context:
    """A path outside the configured folder is a folder of documents of its own."""
    folder, root = config.documents.absolute(), config.root
    linked = Path(os.path.normpath(path.absolute())).is_relative_to(os.path.normpath(folder))
    if not linked and not path.resolve().is_relative_to(folder.resolve()):
        folder = (path if path.is_dir() else path.parent).absolute()
        root = root if folder.resolve().is_relative_to(root) else folder
    settings = config.settings
    return Context(root, folder, settings.timezone, with_content=settings.content == "markdown")


def collect(
    config: Config,
    catalog: Catalog,
    found: Sequence[tuple[Source, Context]],
    progress: Progress,
) -> list[Checked]:
    """Read and check every file; a fault of one stops no other. In the order of `found`."""
    progress.stage("reading", len(found))
    checked = []
    for source, context in found:
        checked.append(_check(read(source, context), config, catalog))
        progress.advance()
    return _without_duplicates(checked)


def _check(reading: Reading, config: Config, catalog: Catalog) -> Checked:
    source, document = reading.source, reading.document
    findings = list(reading.findings)
    if document is None:
        status: Status = "invalid" if has_errors(findings) else "skipped"
        status = "draft" if reading.draft else status
        return _checked(source, status, None, findings, config)
    record, site_findings = build(document, config.settings.site)
    verdict = catalog.validate(record.value, nsid=record.collection, rkey=_rkey(record, catalog))
    found = [*site_findings, *verdict.findings, *_size(record)]
    if reading.draft:
        findings += [replace(f, severity="warning") for f in found if f.severity == "error"]
        return _checked(source, "draft", None, findings, config)
    findings += found
    if has_errors(findings):
        return _checked(source, "invalid", None, findings, config)
    status = "unknown" if verdict.status == "unknown" else "valid"
    return _checked(source, status, record, findings, config)


def _rkey(record: Record, catalog: Catalog) -> str | None:
    """A record without a named rkey gets a TID, or the one that its lexicon fixes."""
    if record.rkey is not None:
        return record.rkey
    kind = catalog.record_key(record.collection)
    return None if kind in {None, "tid", "any"} else "2222222222222"


def _checked(
    source: Source,
    status: Status,
    record: Record | None,
    findings: list[Finding],
    config: Config,
) -> Checked:
    judged = [_with_site_remedy(f) for f in _by_rules(findings, config.settings.rules)]
    if has_errors(judged) and status in {"valid", "unknown", "skipped"}:
        status, record = "invalid", None
    return Checked(source.path, source.key, status, record, tuple(judged))


def _by_rules(findings: list[Finding], rules: Mapping[str, Rule]) -> Iterator[Finding]:
    """Switch findings off or raise them; what is an error stays one."""
    for finding in findings:
        rule = finding.severity if finding.severity == "error" else rules.get(finding.code)
        if rule != "off":
            yield replace(finding, severity=rule or finding.severity)


def _with_site_remedy(finding: Finding) -> Finding:
    if finding.code == "required" and finding.message == "site is missing":
        return replace(finding, remedy='set site = "https://…" in publisher.toml')
    return finding


def _size(record: Record) -> list[Finding]:
    size = _json_size(record.value)
    if size <= MAX_BYTES:
        return []
    remedy = 'shorten it, or set content = "none" in publisher.toml'
    message = f"the record has {size:,} bytes of JSON; servers take {MAX_BYTES:,}"
    return [Finding("", "record-size", message, "error", remedy)]


def _json_size(value: dict[str, Value]) -> int:
    """Return the bytes of the record's JSON, or less where it is far from the limit."""
    size = len(encode(value))
    if size <= MAX_BYTES // _LONGEST:
        return size
    return len(json.dumps(to_plain(value), ensure_ascii=False).encode())


def _without_duplicates(checked: list[Checked]) -> list[Checked]:
    """Mark documents of one site that share a path, or an id: each names the other."""
    groups: dict[object, list[Checked]] = {}
    for item in checked:
        record = item.record
        if record is None:
            continue
        path = record.value.get("path")
        if record.collection == DOCUMENT and isinstance(path, str):
            groups.setdefault(("path", record.site, path), []).append(item)
        groups.setdefault(("key", record.key), []).append(item)
        for collection, rkey in _named(record):
            groups.setdefault(("rkey", collection, rkey), []).append(item)
    faults: dict[str, list[Finding]] = {}
    for kind, group in groups.items():
        for item in group if len(group) > 1 else []:
            others = ", ".join(other.key for other in group if other is not item)
            faults.setdefault(item.key, []).append(_duplicate(kind, others))
    return [
        replace(item, status="invalid", record=None, findings=(*item.findings, *faults[item.key]))
        if item.record and item.key in faults
        else item
        for item in checked
    ]


def _named(record: Record) -> set[tuple[str, str]]:
    """Return the collection and rkey of the records that the author named."""
    uri = record.at_uri
    places = [(record.collection, record.rkey), (uri.collection, uri.rkey) if uri else (None, None)]
    return {(collection, rkey) for collection, rkey in places if collection and rkey}


def _duplicate(kind: object, others: str) -> Finding:
    if isinstance(kind, tuple) and kind[0] == "path":
        message = f"{others} has the path {kind[2]} too"
        remedy = "give each document its own path or slug"
        return Finding("/path", "duplicate-path", message, "error", remedy)
    if isinstance(kind, tuple) and kind[0] == "rkey":
        message = f"{others} names the record {kind[2]} too"
        remedy = "give each document its own rkey, or none"
        return Finding("/rkey", "duplicate-rkey", message, "error", remedy)
    message, remedy = f"{others} has the same id", "give each document its own id"
    return Finding("/id", "duplicate-id", message, "error", remedy)
