"""What a record becomes in a folder: canonical JSON, or Markdown with front matter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from publisher import data
from publisher.data import InvalidCbor, Value, blob_refs
from publisher.documents import escape_rkey
from publisher.pulling.folder import Wanted
from publisher.pulling.state import Held


@dataclass(frozen=True, slots=True)
class Made:
    """The file of a record, where it is and the blobs that belong to it; `reason`: why it's none.

    `losses` are what the file doesn't say of the record.
    """

    wanted: tuple[Wanted, ...]
    held: Held | None
    reason: str = ""
    losses: tuple[str, ...] = ()


@dataclass(slots=True)
class Names:
    """The names of files, of which no two differ by case alone: many disks don't tell them apart.

    `taken` are those of earlier pulls, by record.
    """

    taken: Mapping[str, str]
    _used: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._used = {path.casefold(): key for key, path in self.taken.items()}

    def of(self, key: str, paths: Iterable[str]) -> str:
        """Return the name that a record has, else the first of `paths` that is free."""
        if key in self.taken:
            return self.taken[key]
        path = ""
        for path in paths:
            if self._used.setdefault(path.casefold(), key) == key:
                return path
        return path


def as_json(key: str, cid: str, block: Callable[[], bytes], names: Names) -> Made:
    """Return a record as JSON, in the folder of its collection."""
    try:
        value = data.decode(block())
    except InvalidCbor as error:
        return Made((), None, f"is no record of the data model: {error}")
    if not isinstance(value, dict):
        return Made((), None, "is no record of the data model: it is no object")
    collection, _, rkey = key.partition("/")
    names_of = (escape_rkey(rkey), escape_rkey(rkey, cases=True))
    path = names.of(key, (f"{collection}/{name}.json" for name in names_of))
    wanted = Wanted(path, cid, partial(text_of, value), partial(is_record, cid))
    return Made((wanted,), Held(path, blobs_of(value)))


def text_of(value: Value) -> bytes:
    """Return a record's file."""
    return data.dumps(value).encode()


def blobs_of(value: Value) -> tuple[str, ...]:
    """Return the CIDs of the blobs that a record refers to, each once."""
    return tuple(dict.fromkeys(str(blob.cid) for blob in blob_refs(value)))


def is_record(cid: str, content: bytes) -> bool:
    """Tell whether JSON, however it is written, is the record of the CID."""
    try:
        return data.record_cid(data.loads(content)) == cid
    except data.DataError:
        return False
