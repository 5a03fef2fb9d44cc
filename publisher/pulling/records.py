"""What a record becomes in a folder: canonical JSON, or Markdown with front matter."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, TypeAlias

from publisher import data
from publisher.cores import FORKS, pieces, spread
from publisher.data import DAG_CBOR, Cid, InvalidCbor, Value, blob_refs
from publisher.documents import escape_rkey
from publisher.progress import Progress
from publisher.pulling.folder import OutputFolder, PulledFile, Wanted
from publisher.pulling.pages import pages_of
from publisher.pulling.sizes import Declared, declared
from publisher.pulling.state import File, Held

_AMBIGUOUS: Final = re.compile(rb"\$link|\$bytes")  # JSON says links and bytes with them

ORIGINALS: Final = ".originals"
"""Where records lie that Markdown doesn't hold in full, as JSON."""

Block: TypeAlias = Callable[[str], bytes]
"""From a record's key to its block."""

_PIECE: Final = 100  # records that go to a process at once
_ALONE: Final = 2 * _PIECE


@dataclass(slots=True)
class Names:
    """The names of files, of which no two differ by case alone: many disks don't tell them apart.

    `taken` are those of earlier pulls, by record.
    """

    taken: Mapping[str, str]
    _used: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._used = {path.casefold(): key for key, path in self.taken.items()}

    def of(self, key: str, paths: Iterable[str], suffix: str) -> str:
        """Return the name with the suffix that a record has, else the first that is free."""
        if self.taken.get(key, "").endswith(suffix):
            return self.taken[key]
        path = ""
        for path in paths:
            if self._used.setdefault(path.casefold(), key) == key:
                return path
        return path


@dataclass(frozen=True, slots=True)
class Work:
    """A record that is to be written as JSON at `path`, or as Markdown at `markdown` if it can be.

    `site` is that of the documents, which their files don't say; `with_content` the setting.
    """

    key: str
    cid: str
    path: str
    markdown: str | None = None
    site: str | None = None
    with_content: bool = True


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a record: its files, and what is remembered of them where they were written.

    `sizes` are those that it gives for its blobs.
    """

    key: str
    files: tuple[PulledFile, ...]
    written: Mapping[str, File] = field(default_factory=dict)
    held: Held | None = None
    sizes: tuple[Declared, ...] = ()


def json_names(key: str) -> Iterator[str]:
    """Yield where a record's JSON may lie, in the folder of its collection."""
    collection, _, rkey = key.partition("/")
    yield f"{collection}/{escape_rkey(rkey)}.json"
    yield f"{collection}/{escape_rkey(rkey, cases=True)}.json"
    yield f"{collection}/{''.join(f'%{ord(c):02X}' for c in rkey)}.json"  # 'a' beside 'A'


def write(folder: OutputFolder, work: Work, block: bytes) -> Done:
    """Write a record's files. Raises StateError."""
    try:
        value = data.decode(block)
    except InvalidCbor as error:
        return _failed(work, str(error))
    if not isinstance(value, dict):
        return _failed(work, "it is no object")
    if _AMBIGUOUS.search(block) and not is_record(work.cid, text_of(value)):
        return _failed(work, "a $link or $bytes in it is none")
    if work.markdown and (done := _write_markdown(folder, work, work.markdown, value)):
        return done
    blobs = blob_files([value, pages_of(folder, value, blob_files)])
    return _done(folder, work, value, [_as_json(work, work.path, value)], blobs)


def _write_markdown(
    folder: OutputFolder, work: Work, path: str, value: dict[str, Value]
) -> Done | None:
    from publisher.pulling.markdown import as_markdown  # what reads Markdown is a tenth of start-up

    made = as_markdown(folder, work, value)
    if made is None:
        return None
    wanted = [Wanted(path, work.cid, partial(_itself, made.text))]
    if made.losses:
        wanted.append(_as_json(work, f"{ORIGINALS}/{work.path}", value))
    blobs = tuple((name, cid) for cid, name in made.blobs)
    return _done(folder, work, value, wanted, blobs, losses=made.losses)


def _failed(work: Work, reason: str) -> Done:
    reason = f"is no record of the data model: {reason}"
    return Done(work.key, (PulledFile(work.path, "failed", work.cid, reason),))


def _done(
    folder: OutputFolder,
    work: Work,
    value: dict[str, Value],
    wanted: Sequence[Wanted],
    blobs: tuple[tuple[str, str], ...],
    *,
    losses: tuple[str, ...] = (),
) -> Done:
    files = [folder.put(each) for each in wanted]
    if losses:
        files[0] = replace(files[0], losses=losses)
    paths = tuple(each.path for each in wanted)
    written = {path: folder.files[path] for path in paths if path in folder.files}
    sizes = tuple(declared(paths[0], value, blobs))
    return Done(work.key, tuple(files), written, Held(paths, blobs, losses), sizes)


def _as_json(work: Work, path: str, value: Value) -> Wanted:
    return Wanted(path, work.cid, partial(text_of, value), partial(is_record, work.cid))


def _itself(content: bytes) -> bytes:
    return content


def write_all(
    folder: OutputFolder,
    works: Iterable[Work],
    block: Block,
    count: int,
    progress: Progress,
    *,
    alone: bool,
) -> Iterator[Done]:
    """Write `count` records; many over all cores, unless it must be done `alone`."""
    if alone or count <= _ALONE:
        for work in works:
            yield write(folder, work, block(work.key))
            progress.advance()
        return
    runs = pieces(works, _PIECE)
    if FORKS:  # each process reads the archive: nothing that was read need be sent
        parts = spread(partial(_write_works, folder, block), runs, progress)
    else:
        read = partial(_with_blocks, block)
        parts = spread(partial(_write_blocks, folder), map(read, runs), progress)
    for part in parts:
        yield from part
        progress.advance(len(part))


def _write_works(folder: OutputFolder, block: Block, works: Sequence[Work]) -> list[Done]:
    return _write_blocks(folder, _with_blocks(block, works))


def _with_blocks(block: Block, works: Sequence[Work]) -> list[tuple[Work, bytes]]:
    return [(work, block(work.key)) for work in works]


def _write_blocks(folder: OutputFolder, works: Sequence[tuple[Work, bytes]]) -> list[Done]:
    return [write(folder, work, block) for work, block in works]


def text_of(value: Value) -> bytes:
    """Return a record's file."""
    return data.dumps(value).encode()


def blob_files(value: Value) -> tuple[tuple[str, str], ...]:
    """Return the files of the blobs in a value, by CID alone, with the CIDs."""
    return tuple(dict.fromkeys((f"blobs/{b.cid}", str(b.cid)) for b in blob_refs(value)))


def block_in(folder: OutputFolder, held: Held, cid: str) -> bytes | None:
    """Return a record's block out of its JSON, its last file; None where that isn't there."""
    try:
        block = data.encode(data.loads(folder.content(held.paths[-1]) or b""))
    except (data.DataError, InvalidCbor):
        return None
    return block if str(Cid.of(block, DAG_CBOR)) == cid else None


def is_record(cid: str, content: bytes) -> bool:
    """Tell whether JSON, however it is written, is the record of the CID."""
    try:
        return data.record_cid(data.loads(content)) == cid
    except data.DataError:
        return False
