"""What becomes of a document's content: text in Markdown, what it refers to, what is lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from publisher.data import Value, blob_refs
from publisher.export.names import blob_name

FetchBlob: TypeAlias = Callable[[str], bytes | None]
"""From a CID to the blob's bytes, None where they can't be had."""

_MOST: Final = 300  # characters


@dataclass(slots=True)
class Body:
    """A body that is being written; `losses` in words, each once.

    `is_foreign`: the record's content is of a type that no file makes. `is_verbatim`: blank lines
    around the text belong to it, or it has nothing else.
    """

    blob: FetchBlob
    text: str = ""
    is_foreign: bool = False
    is_verbatim: bool = False
    losses: dict[str, None] = field(default_factory=dict)
    blobs: dict[str, str] = field(default_factory=dict)

    def lose(self, words: str) -> None:
        """Note what the text doesn't hold; names from the record may be long, or lead astray."""
        shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in words)
        self.losses[shown if len(shown) <= _MOST else f"{shown[:_MOST]}…"] = None

    def refer(self, value: Value, field: str) -> str | None:
        """Return the name of a blob's file beside the document; None where it is no blob."""
        refs = list(blob_refs(value)) if is_blob(value) else []
        if not refs:
            return None
        cid = str(refs[0].cid)
        self.blobs.setdefault(cid, blob_name(cid, refs[0].mime_type))
        if self.blob(cid) is None:
            self.lose(f"{field}: the blob {cid} can't be had")
        return self.blobs[cid]

    def text_of(self, value: Value, field: str) -> str | None:
        """Return the text of a blob; None, and why, where it has none."""
        refs = list(blob_refs(value)) if is_blob(value) else []
        content = self.blob(str(refs[0].cid)) if refs else None
        if content is None:
            self.lose(f"{field}: its blob can't be had")
            return None
        try:
            return content.decode()
        except UnicodeDecodeError:
            self.lose(f"{field}: its blob isn't UTF-8")
            return None


def is_blob(value: Value) -> bool:
    """Tell whether a value is a blob itself, and not what holds some."""
    return isinstance(value, dict) and value.get("$type") == "blob"
