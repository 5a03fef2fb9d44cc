"""What documents were found to be, kept beside their hashes: an unchanged one isn't judged again.

In `.publisher/judged.sqlite`: a cache, which may be deleted at any time. It counts only while
program, settings and lexicons are what they were, and for documents that are published as they are.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from publisher.commands.checked import Checked, Claims, Status
from publisher.commands.judge import Judge
from publisher.data import Cid, InvalidCid, Value
from publisher.documents import Blob, Context, Source, is_still_found
from publisher.documents.model import MARKDOWN_OWNED
from publisher.errors import SourceError, StateError
from publisher.files import writing
from publisher.findings import Finding
from publisher.plan import LockEntry
from publisher.record import Record
from publisher.resources import bundled
from publisher.spool import StoredValue, outline, whole
from publisher.syntax import AtUri, InvalidSyntax, Nsid, Rkey

FILE_NAME: Final = "judged.sqlite"
_PACKAGE: Final = Path(__file__).parents[1]
_PARSERS: Final = ("pyromark", "yaml")
_SCHEMA: Final = (
    "CREATE TABLE basis (digest BLOB NOT NULL)",
    "CREATE TABLE judged (key TEXT PRIMARY KEY, digest BLOB NOT NULL, cid TEXT NOT NULL,"
    " told TEXT NOT NULL) WITHOUT ROWID",
)
_log = logging.getLogger(__name__)


class Judgements:
    """The judgements of earlier runs, in the folder `state`.

    `published` are the lines of the lock: documents that aren't published as they are are judged
    anew, since their values will be needed.
    """

    def __init__(self, judge: Judge, state: Path, published: Iterable[LockEntry]) -> None:
        self._judge = judge
        self._path = state / FILE_NAME
        self._basis = _basis(judge)
        self._rows = self._read({entry.path: entry.cid for entry in published})
        self._is_good = bool(self._rows)
        self._new: Sequence[Checked] = ()

    def find(self, source: Source, context: Context) -> Checked | None:
        """Return what a file was judged to be, if it still has the same bytes, and its blobs."""
        row = self._rows.pop(source.key, None)  # what is left in the end is of files that are gone
        if row is None:
            return None
        digest, cid, told = row
        try:
            if hashlib.sha256(_content(source.path)).digest() != digest:
                return None
            parts = json.loads(told)
            record = self._record(parts, cid, source, context)
            findings = tuple(Finding(*each) for each in parts.get("findings", ()))
        except (OSError, ValueError, TypeError, KeyError, InvalidCid, InvalidSyntax):
            return None
        if not all(_is_same(blob, source, context) for blob in record.blobs):
            return None
        status: Status = "unknown" if parts.get("unknown") else "valid"
        return Checked(source.path, source.key, status, record, findings, Claims.of(record))

    def note(self, judged: Sequence[Checked]) -> None:
        """Take what was judged anew, by itself: not what shows only beside other documents."""
        self._new = judged

    def keep(self) -> None:
        """Write down what was noted; a disk that is full only makes the next run slower."""
        if self._is_good and not self._new and not self._rows:
            return
        new = (row for file in self._new if (row := _row(file)))  # of 100,000, few are held
        try:
            with writing(self._path), self._writing() as database:
                database.executemany("INSERT OR REPLACE INTO judged VALUES (?, ?, ?, ?)", new)
                gone = zip(self._rows, strict=True)
                database.executemany("DELETE FROM judged WHERE key = ?", gone)
        except (sqlite3.Error, StateError) as error:
            _log.info("%s: %s", self._path, error)

    def _record(self, told: dict[str, Any], cid: str, source: Source, context: Context) -> Record:
        owned = told.get("owned")
        uri = told.get("uri")
        value = StoredValue(_JudgedAgain(self._judge, source, context, cid), told["outline"])
        record = Record(
            told.get("key", source.key),
            source.key,
            Nsid(sys.intern(told["collection"])),
            value,
            MARKDOWN_OWNED if owned is None else frozenset(owned),
            tuple(map(_blob, told.get("blobs", ()))),
            Rkey(told["rkey"]) if "rkey" in told else None,
            AtUri.parse(uri) if uri else None,
        )
        rest, content = told["cids"]
        return record.known(cid, told["size"], (rest, content))

    def _read(self, published: Mapping[str, str]) -> dict[str, tuple[bytes, str, str]]:
        if not published or not self._path.is_file():
            return {}
        try:
            with closing(sqlite3.connect(self._path)) as database:
                if database.execute("SELECT digest FROM basis").fetchall() != [(self._basis,)]:
                    return {}
                rows = database.execute("SELECT key, digest, cid, told FROM judged")
                return {
                    key: (digest, cid, told)
                    for key, digest, cid, told in rows
                    if published.get(key) == cid
                }
        except sqlite3.Error as error:
            _log.info("%s: %s", self._path, error)
            return {}

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Open the file, emptied where it is of another basis, damaged, or not there."""
        if not self._is_good:
            self._path.unlink(missing_ok=True)
        with closing(sqlite3.connect(self._path, isolation_level=None)) as database:
            database.execute("PRAGMA synchronous = OFF")
            database.execute("BEGIN IMMEDIATE")
            if not self._is_good:
                for statement in _SCHEMA:
                    database.execute(statement)
                database.execute("INSERT INTO basis VALUES (?)", (self._basis,))
            yield database
            database.execute("COMMIT")


@dataclass(frozen=True, slots=True)
class _JudgedAgain:
    """Reads a document's value from its file."""

    judge: Judge
    source: Source
    context: Context
    cid: str

    def __call__(self) -> dict[str, Value]:
        record = self.judge.file(self.source, self.context).record
        if record is None or record.cid != self.cid:
            what = f"{self.source.path} changed while it was being published"
            raise SourceError(what, remedy="run again")
        return whole(record.value)


def _content(path: Path) -> bytes:
    with path.open("rb", buffering=0) as file:
        return file.read()


def _row(file: Checked) -> tuple[str, bytes, str, str] | None:
    record = file.record
    if record is None or not file.digest:
        return None
    if any(blob.path is None for blob in record.blobs):
        return None
    told: dict[str, object] = {
        "collection": record.collection,
        "size": record.size,
        "cids": record.owned_cids,
        "outline": outline(record.value),
    }
    if record.key != record.path:
        told["key"] = record.key
    if record.owned != MARKDOWN_OWNED:
        told["owned"] = sorted(record.owned)
    if record.rkey is not None:
        told["rkey"] = record.rkey
    if record.at_uri is not None:
        told["uri"] = str(record.at_uri)
    if record.blobs:
        told["blobs"] = [
            (str(blob.cid), blob.mime_type, blob.size, str(blob.path)) for blob in record.blobs
        ]
    if file.status == "unknown":
        told["unknown"] = True
    if file.findings:
        told["findings"] = [astuple(finding) for finding in file.findings]
    return file.key, file.digest, record.cid, json.dumps(told, ensure_ascii=False)


def _blob(told: list[Any]) -> Blob:
    cid, mime_type, size, path = told
    return Blob(Cid.parse(cid), mime_type, size, Path(path))


def _is_same(blob: Blob, source: Source, context: Context) -> bool:
    if blob.path is None or not is_still_found(blob, source.path, context):
        return False
    try:
        return Cid.of(blob.path.read_bytes(), blob.cid.codec) == blob.cid
    except OSError:
        return False


def _basis(judge: Judge) -> bytes:
    """Return a hash of all that a judgement depends on beside the document."""
    config = judge.config
    seen = hashlib.sha256(repr((sys.version, config.root, config.settings)).encode())
    if judge.migration:
        seen.update(repr(judge.migration.basis()).encode())
    programs = [spec.origin for name in _PARSERS if (spec := find_spec(name)) and spec.origin]
    own = (*sorted(_PACKAGE.rglob("*.py")), *sorted(bundled("lexicons").rglob("*.json")))
    for path in (*own, *map(Path, programs)):
        stat = path.stat()
        seen.update(f"{path} {stat.st_mtime_ns} {stat.st_size}\n".encode())
    for path in sorted(config.lexicons.rglob("*.json")) if config.lexicons else ():
        seen.update(f"{path}\n".encode() + hashlib.sha256(_content(path)).digest())
    return seen.digest()
