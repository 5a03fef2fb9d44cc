"""Reports as JSON for other programs; `version` grows when a field changes its meaning."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from publisher.commands.checked import Checked
from publisher.commands.reports import PublishReport, ValidateReport
from publisher.errors import PublisherError

if TYPE_CHECKING:
    from publisher.output import Report

VERSION = 1


def to_json(report: Report) -> dict[str, object]:
    """Return a report as plain JSON values: its fields, its counts, its exit status."""
    body = {"version": VERSION, **_fields(report)}
    if isinstance(report, PublishReport):
        body["counts"] = report.counts
    return body | {"exit_status": report.exit_status}


def json_text(report: Report) -> str:
    """Return a report as JSON; what isn't printable is escaped: names come from others' records."""
    lines = json.dumps(to_json(report), indent=2, ensure_ascii=False).split("\n")
    return "\n".join(text if text.isprintable() else _escaped(text) for text in lines)


def _escaped(text: str) -> str:
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def _plain(value: object) -> object:
    if isinstance(value, Checked):
        return _checked(value)
    if isinstance(value, PublisherError):
        return {"message": value.message, "remedy": value.remedy}
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return _fields(value) if is_dataclass(value) else value


def _fields(value: object) -> dict[str, object]:
    if isinstance(value, ValidateReport):
        return _validated(value)
    if not is_dataclass(value):
        raise TypeError(f"{type(value).__name__} has no fields")
    return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}


def _validated(report: ValidateReport) -> dict[str, object]:
    files = [_checked(file) for file in report.files]  # the counts are complete after this
    return {
        "files": files,
        "lexicons": [_checked(file) for file in report.lexicons],
        "counts": dict(report.counts),
    }


def _checked(file: Checked) -> dict[str, object]:
    """A file without its record, which may be large: the CID stands for it."""
    return {
        "path": str(file.path),
        "key": file.key,
        "status": file.status,
        "collection": file.claims.collection if file.claims else None,
        "cid": file.cid,
        "findings": _plain(file.findings),
    }
