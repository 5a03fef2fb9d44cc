"""Documents as Markdown in a pulled folder: their names, their blobs, their text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from publisher.data import Value, blob_refs
from publisher.documents import escape_rkey
from publisher.export import Exported, to_markdown
from publisher.export.names import blob_name, document_name
from publisher.pulling.folder import OutputFolder
from publisher.pulling.pages import pages_of
from publisher.pulling.records import Work
from publisher.repo import RemoteRecord
from publisher.syntax import Nsid, Rkey


def markdown_names(key: str, value: Mapping[str, Value]) -> Iterator[str]:
    """Yield where a document's Markdown may lie."""
    rkey = key.partition("/")[2]
    name = document_name(dict(value), rkey)
    yield name
    yield f"{name.removesuffix('.md')}-{escape_rkey(rkey, cases=True)}.md"


def as_markdown(folder: OutputFolder, work: Work, value: dict[str, Value]) -> Exported | None:
    """Return a document's file, its blobs being here; None where Markdown can't hold it.

    Its blobs are also those that would have made another file of it, had they been here.
    """
    collection, _, rkey = work.key.partition("/")
    pages = pages_of(folder, value, named_blobs)
    names = {cid: path for path, cid in named_blobs([value, pages])}
    missed: dict[str, str] = {}

    def content(cid: str) -> bytes | None:
        found = folder.content(names[cid]) if cid in names else None
        if found is None and cid in names:
            missed[cid] = names[cid]
        return found

    made = to_markdown(
        RemoteRecord(Nsid(collection), Rkey(rkey), work.cid, value),
        blob=content,
        site=work.site,
        with_content=work.with_content,
    )
    return made and replace(made, blobs=tuple((dict(made.blobs) | missed).items()))


def named_blobs(value: Value) -> tuple[tuple[str, str], ...]:
    """Return the files of blobs as Markdown names them: with the suffix of their types."""
    found = ((blob_name(str(b.cid), b.mime_type), str(b.cid)) for b in blob_refs(value))
    return tuple(dict.fromkeys(found))
