"""A document's record becomes a Markdown file that is the same record again, or says why not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from publisher.data import RAW, Cid, Value, record_cid
from publisher.documents import DOCUMENT, Context, Source, read
from publisher.documents.text import plain_text
from publisher.export import Exported, to_markdown
from publisher.export.escape import text_as_markdown
from publisher.record import build
from publisher.repo import RemoteRecord
from publisher.syntax import Nsid, Rkey

RKEY = Rkey("3mabcabcabc2a")
SITE = "https://example.com"
DATE = "2026-02-05T16:32:10.000Z"
VALUE: dict[str, Value] = {
    "$type": DOCUMENT,
    "site": SITE,
    "title": "On boats",
    "publishedAt": DATE,
    "path": "/on-boats",
}
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c"
    "63f8cfc0f01f0005000201a5f645a50000000049454e44ae426082"
)


def remote(value: dict[str, Value]) -> RemoteRecord:
    return RemoteRecord(Nsid(str(value["$type"])), RKEY, record_cid(value), value)


def blob(content: bytes, mime_type: str) -> dict[str, Value]:
    cid = Cid.of(content, RAW)
    return {"$type": "blob", "ref": cid, "mimeType": mime_type, "size": len(content)}


def no_blob(cid: str) -> bytes | None:
    return None


def having(*contents: bytes) -> Callable[[str], bytes | None]:
    return {str(Cid.of(content, RAW)): content for content in contents}.get


def markpub(text: str, **more: Value) -> dict[str, Value]:
    held: dict[str, Value] = {"$type": "at.markpub.text", "markdown": text}
    return {"$type": "at.markpub.markdown", "flavor": "gfm", "text": held, **more}


def exported(value: dict[str, Value], *, content: bool = True) -> Exported:
    found = to_markdown(remote(value), blob=no_blob, site=SITE, with_content=content)
    assert found is not None
    return found


def test_every_field_has_its_line() -> None:
    cover = blob(PNG, "image/png")
    value = VALUE | {
        "updatedAt": "2026-02-06T07:00:00.000Z",
        "description": "About: boats",
        "tags": ["boats", "2026"],
        "coverImage": cover,
        "textContent": "Hello\n\nSome text.",
        "content": markpub("# Hello\n\nSome *text*."),
    }
    found = to_markdown(remote(value), blob=having(PNG), site=SITE)
    name = f"{cover['ref']}.png"
    assert found == Exported(
        f"""\
---
title: On boats
date: {DATE}
updated: 2026-02-06T07:00:00.000Z
description: 'About: boats'
tags:
- boats
- "2026"
cover: {name}
path: "/on-boats"
rkey: "{RKEY}"
---

# Hello

Some *text*.
""".encode(),
        "on-boats.md",
        (),
        ((str(cover["ref"]), name),),
    )


def test_the_file_on_a_disk_is_the_record_again(tmp_path: Path) -> None:
    value = VALUE | {"coverImage": blob(PNG, "image/png")}
    found = to_markdown(remote(value), blob=having(PNG), site=SITE)
    assert found is not None
    assert found.losses == ()
    (tmp_path / found.name).write_bytes(found.text)
    (tmp_path / found.blobs[0][1]).write_bytes(PNG)
    source = Source(tmp_path / found.name, found.name)
    reading = read(source, Context(tmp_path, tmp_path))
    assert reading.findings == ()
    assert reading.document is not None
    record, findings = build(reading.document, SITE)
    assert (record.cid, record.rkey, findings) == (record_cid(value), RKEY, [])


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
@example("a\n\n\nb\n- c\n 1. d\n===\n\n\n")
@example("| a |\n|---|\n\\| b")
@example("_a_ b_c __d__ &amp; <e> !")
def test_plain_text_is_the_same_plain_text_as_markdown(text: str) -> None:
    assert plain_text(text_as_markdown(text)) == text
