"""What is about to be overwritten or deleted is kept: `.publisher/backups`.

A file of JSON lines for each run, named by its time (UTC), and blobs by their CID.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import IO, Any, Final, Literal, TypeAlias

from pydantic import BaseModel, StrictStr, ValidationError

from publisher.data import RAW, Cid, DataError, Value, blob_cid, from_plain, record_cid, to_plain
from publisher.errors import StateError
from publisher.files import digest_of, remove_abandoned, replacing, write_whole, writing
from publisher.spool import StoredValue
from publisher.syntax import AtUri, Did, InvalidSyntax, Nsid, Rkey, parse_did

FOLDER = Path(".publisher") / "backups"
BLOBS = "blobs"
_NAME: Final = "%Y-%m-%dT%H-%M-%S.%fZ"  # sortable, and a file name everywhere

Replaced: TypeAlias = Literal["update", "delete"]
"""What came over a record: another value, or its end."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A record before it goes; `path` is that of its document."""

    uri: str
    cid: str
    value: dict[str, Value]
    action: Replaced
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A kept record; `when` is the time of the run that replaced it.

    `value` lies on the disk; reading it raises StateError where it isn't what `cid` says.
    """

    when: datetime
    did: Did
    collection: Nsid
    rkey: Rkey
    cid: str
    action: Replaced
    path: str | None
    value: Mapping[str, Value]

    @property
    def uri(self) -> str:
        """The AT-URI of the record."""
        return f"at://{self.did}/{self.collection}/{self.rkey}"


@dataclass(frozen=True, slots=True)
class Damage:
    """Something among the backups that can't be read; it hides nothing else."""

    place: str
    reason: str


class _Line(BaseModel):
    uri: StrictStr
    cid: StrictStr
    action: Replaced
    path: StrictStr | None = None
    value: dict[str, Any]


class Backups:
    """The backups of one run: a file of JSON lines, made with its first, and blobs by CID."""

    def __init__(self, root: Path, now: datetime) -> None:
        self._folder = root / FOLDER
        self._file = self._folder / f"{now.astimezone(UTC).strftime(_NAME)}.jsonl"

    def keep(self, items: Iterable[Kept]) -> None:
        """Keep records; they are on the disk when this returns. Raises StateError."""
        with writing(self._file):
            self._folder.mkdir(parents=True, exist_ok=True)
            with self._file.open("ab", buffering=0) as file:
                _append(file, map(_text, items))

    def has_blob(self, cid: str) -> bool:
        """Tell whether a blob is kept already, and whole."""
        try:
            return str(Cid.hashed(digest_of(self._folder / BLOBS / cid), RAW)) == cid
        except OSError:
            return False

    def blob(self, cid: str) -> bytes | None:
        """Return a blob that is kept; one that isn't what its CID says is none."""
        try:
            content = (self._folder / BLOBS / cid).read_bytes()
        except OSError:
            return None
        return content if blob_cid(content) == cid else None

    def keep_blob(self, cid: str, fetch: Callable[[str, IO[bytes]], None]) -> None:
        """Keep a blob, as `Repo.fetch_blob` writes it. Raises StateError, and what `fetch` does."""
        with replacing(self._blobs / cid) as file:
            fetch(cid, file)

    @cached_property
    def _blobs(self) -> Path:
        """The folder of blobs, made, and without what killed runs left of some."""
        folder = self._folder / BLOBS
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        remove_abandoned(folder)  # for all blobs at once: there may be many
        return folder


def entries(root: Path) -> Iterator[Entry | Damage]:
    """Yield what is kept below `root`, the newest first, and what is damaged, in its place.

    A last line that was torn is no entry. Raises StateError where the folder can't be listed.
    """
    folder = root / FOLDER
    try:
        paths = sorted(folder.iterdir(), reverse=True)
    except FileNotFoundError:
        return
    except OSError as error:
        raise StateError(f"{folder}: {error.strerror}", remedy="make it readable") from error
    for path in paths:
        if path.suffix == ".jsonl":
            yield from _of_file(path)


def _of_file(path: Path) -> Iterator[Entry | Damage]:
    try:
        when = datetime.strptime(path.stem, _NAME).replace(tzinfo=UTC)
    except ValueError:
        yield Damage(str(path), "its name is no time of a run")
        return
    found: list[Entry | Damage] = []
    try:
        with path.open("rb") as file:
            for number, (start, line) in enumerate(_lines(file), 1):
                found.append(_entry(path, number, start, line, when))
    except OSError as error:
        found.append(Damage(str(path), error.strerror or "it can't be read"))
    yield from reversed(found)


def _lines(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield each whole line with its place in the file."""
    start = 0
    for line in file:
        if line.endswith(b"\n"):
            yield start, line
        start += len(line)


def _entry(path: Path, number: int, start: int, line: bytes, when: datetime) -> Entry | Damage:
    place = f"{path}, line {number}"
    try:
        kept = _Line.model_validate_json(line)
        uri = AtUri.parse(kept.uri)
        did = parse_did(uri.authority)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        return Damage(place, f"{'.'.join(map(str, fault['loc']))} {fault['msg']}".strip())
    except InvalidSyntax as error:
        return Damage(place, f"uri {error}")
    if uri.collection is None or uri.rkey is None:
        return Damage(place, "uri names no record")
    value = StoredValue(partial(_value, path, place, start, len(line), kept.cid))
    return Entry(when, did, uri.collection, uri.rkey, kept.cid, kept.action, kept.path, value)


def _value(path: Path, place: str, start: int, size: int, cid: str) -> dict[str, Value]:
    """Read the value of a line anew, and hold it against its CID."""
    try:
        with path.open("rb") as file:
            file.seek(start)
            line = file.read(size)
    except OSError as error:
        raise StateError(f"{path}: {error.strerror}", remedy="make it readable") from error
    try:
        value = from_plain(_Line.model_validate_json(line).value)
    except (ValidationError, DataError):
        value = None
    if not isinstance(value, dict) or record_cid(value) != cid:
        raise StateError(
            f"{place}: the record isn't what its CID says, {cid}",
            remedy="choose another version: `publisher restore` lists them",
        )
    return value


def _text(item: Kept) -> bytes:
    body = {
        "uri": item.uri,
        "cid": item.cid,
        "action": item.action,
        "path": item.path,
        "value": to_plain(item.value),
    }
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _append(file: IO[bytes], lines: Iterable[bytes]) -> None:
    """Append and wait for the disk; what couldn't be written whole leaves no line behind."""
    end = file.tell()
    try:
        for line in lines:
            write_whole(file, line)
        os.fsync(file.fileno())
    except BaseException:
        with suppress(OSError):
            file.truncate(end)
        raise
