"""A document's record becomes a Markdown file that is the same record again, or says why not."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from publisher.data import RAW, Cid, Value, loads, record_cid
from publisher.documents import DOCUMENT, Context, Source, read
from publisher.documents.text import plain_text
from publisher.export import Exported, to_markdown
from publisher.export.escape import text_as_markdown
from publisher.record import build
from publisher.repo import RemoteRecord
from publisher.syntax import Nsid, Rkey

GOLDEN = Path(__file__).resolve().parent / "golden" / "export"
REFERENCE = os.environ.get("PUBLISHER_TEST_REFERENCE", "")
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


def cid_of(held: dict[str, Value]) -> str:
    return str(held["ref"])


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
    name = f"blobs/{cid_of(cover)}.png"
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
        ((cid_of(cover), name),),
    )


def test_the_file_on_a_disk_is_the_record_again(tmp_path: Path) -> None:
    value = VALUE | {"coverImage": blob(PNG, "image/png")}
    found = to_markdown(remote(value), blob=having(PNG), site=SITE)
    assert found is not None
    assert found.losses == ()
    (tmp_path / found.name).write_bytes(found.text)
    (tmp_path / "blobs").mkdir()
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


@pytest.mark.parametrize("name", ["leaflet", "markpub", "plain", "wordpress"])
def test_the_golden_files_hold(name: str) -> None:
    value = loads((GOLDEN / f"{name}.json").read_text("utf-8"))
    assert isinstance(value, dict)
    found = to_markdown(remote(value), blob=having(PNG), site=SITE)
    assert found is not None
    written = GOLDEN / f"{name}.md", GOLDEN / f"{name}.losses.txt"
    losses = "".join(f"{each}\n" for each in (found.name, *found.losses))
    assert found.text.decode() == written[0].read_text("utf-8")
    assert losses == written[1].read_text("utf-8")


@pytest.mark.skipif(not REFERENCE, reason="PUBLISHER_TEST_REFERENCE isn't set")
def test_a_real_record_comes_back_but_for_the_cover_that_is_not_there() -> None:
    value = loads((Path(REFERENCE) / "seeds" / "dawn-document.json").read_bytes())
    assert isinstance(value, dict)
    site = str(value["site"])
    found = to_markdown(remote(value), blob=no_blob, site=site, with_content=False)
    assert found is not None
    cid = "bafkreig5sdej6mouyykvueow5wu25iqmea5426zx54wk3k3sryt627mi2i"
    assert found.losses == (f"coverImage: the blob {cid} can't be had",)
    assert found.blobs == ((cid, f"blobs/{cid}.webp"),)
    assert "\\_spate of attacks\\_" in found.text.decode()


@pytest.mark.parametrize(
    "value",
    [
        {**VALUE, "$type": "site.standard.publication"},
        {name: item for name, item in VALUE.items() if name != "title"},
        {**VALUE, "title": "  "},
        {**VALUE, "title": 5},
        {name: item for name, item in VALUE.items() if name != "publishedAt"},
        {**VALUE, "publishedAt": "2026-02-05"},
        {**VALUE, "content": {"$type": "app.offprint.content"}},
        {**VALUE, "content": {"$type": "app.offprint.content"}, "textContent": " \n"},
        {**VALUE, "content": {"$type": "pub.leaflet.content", "pages": "none"}},
        {**VALUE, "content": "text"},
    ],
)
def test_what_makes_no_document_is_no_file(value: dict[str, Value]) -> None:
    assert to_markdown(remote(value), blob=no_blob, site=SITE) is None


KEPT = "publishing the file leaves the record's content as it is"


@pytest.mark.parametrize(
    ("fields", "losses"),
    [
        ({}, []),
        ({"content": markpub("Hello"), "textContent": "Hello"}, []),
        ({"title": " On boats"}, ["title: ' On boats' comes back as 'On boats'"]),
        ({"description": ""}, ["description: isn't in the file"]),
        ({"description": 5}, ["description: isn't in the file"]),
        ({"tags": []}, ["tags: isn't in the file"]),
        ({"tags": ["a", 5]}, ["tags: ['a', 5] comes back as ['a']"]),
        (
            {"publishedAt": "2026-02-05T17:32:10+01:00"},
            [f"publishedAt: '2026-02-05T17:32:10+01:00' comes back as '{DATE}'"],
        ),
        (
            {"updatedAt": "2026-02-05T16:32:10Z"},
            [f"updatedAt: '2026-02-05T16:32:10Z' comes back as '{DATE}'"],
        ),
        (
            {"updatedAt": "yesterday"},
            [
                "updatedAt: updated is 'yesterday', no date like 2026-02-05 or"
                " 2026-02-05T16:32:10+01:00, and the file isn't published so",
                "updatedAt: isn't in the file",
            ],
        ),
        (
            {"path": "on-boats"},
            ["path: path 'on-boats' has no leading slash, and the file isn't published so"],
        ),
        ({"path": None}, ["path: None comes back as '/2026-02-05-on-boats'"]),
        (
            {"site": "https://example.org"},
            ["site: 'https://example.org' comes back as 'https://example.com'"],
        ),
        (
            {"labels": True, "links": {"a": 1}},
            [
                "labels: Markdown has no place for it; publishing the file leaves it as it is",
                "links: Markdown has no place for it; publishing the file leaves it as it is",
            ],
        ),
        ({"coverImage": "boat.png"}, ["coverImage: isn't in the file"]),
        (
            {"textContent": "Hello"},
            ["content: the record has none, but the file makes one"],
        ),
        (
            {"content": markpub("*Hello*"), "textContent": "*Hello*"},
            ["textContent: '*Hello*' comes back as 'Hello'"],
        ),
        (
            {
                "content": markpub("Hello", flavor="commonmark", extensions=["LaTeX"]),
                "textContent": "Hello",
            },
            [
                "content.extensions: isn't in the file",
                "content.flavor: 'commonmark' comes back as 'gfm'",
            ],
        ),
        (
            {
                "content": {"$type": "at.markpub.markdown", "flavor": "gfm", "text": "Hello"},
                "textContent": "Hello",
            },
            [
                "content.text: 'Hello' comes back as"
                " {'$type': 'at.markpub.text', 'markdown': 'Hello'}"
            ],
        ),
        (
            {"content": markpub("\n\nHello\r\nyou\n"), "textContent": "Hello you"},
            [
                "content.text.markdown: '\\n\\nHello\\r\\nyou\\n' comes back as"
                " '\\n\\nHello\\nyou\\n'"
            ],
        ),
        (
            {"content": {"$type": "app.offprint.content"}, "textContent": "Hello"},
            [f"content: app.offprint.content isn't written, only its plain text; {KEPT}"],
        ),
        (
            {"content": {"$type": "pub.leaflet.content", "pages": []}},
            [f"content: pub.leaflet.content is written as Markdown; {KEPT}"],
        ),
    ],
)
def test_what_would_be_lost_is_told(fields: dict[str, Value], losses: list[str]) -> None:
    assert list(exported(VALUE | fields).losses) == losses


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("Hello", "---\n\nHello\n"),
        ("Hello\n", "verbatim: true\n---\nHello\n"),
        ("\nHello", "verbatim: true\n---\n\nHello"),
        ("\n", "verbatim: true\n---\n\n"),
        ("", "verbatim: true\n---\n"),
    ],
)
def test_blank_lines_around_a_text_stay_where_the_head_says_so(text: str, rest: str) -> None:
    found = exported(VALUE | {"content": markpub(text)} | plainly(text))
    head = f'---\ntitle: On boats\ndate: {DATE}\npath: "/on-boats"\nrkey: "{RKEY}"\n'
    assert (found.text.decode(), found.losses) == (head + rest, ())


def plainly(text: str) -> dict[str, Value]:
    return {"textContent": plain} if (plain := plain_text(text)) else {}


def test_without_content_a_record_of_plain_text_comes_back() -> None:
    value = VALUE | {"textContent": "# One\ntwo\n\n\n  <three>"}
    assert exported(value, content=False).losses == ()


@pytest.mark.parametrize(
    ("cover", "content", "loss"),
    [
        (blob(PNG, "image/png"), None, "coverImage: the blob {cid} can't be had"),
        (
            blob(PNG, "image/webp"),
            PNG,
            "coverImage.mimeType: 'image/webp' comes back as 'image/png'",
        ),
        (
            blob(b"<svg/>", "image/svg+xml"),
            b"<svg/>",
            "coverImage: the cover blobs/{cid}.svg is no image that readers show, and the file"
            " isn't published so",
        ),
    ],
)
def test_a_cover_that_would_be_another_is_told(
    cover: dict[str, Value], content: bytes | None, loss: str
) -> None:
    found = to_markdown(remote(VALUE | {"coverImage": cover}), blob=lambda _: content, site=SITE)
    assert found is not None
    assert found.losses == (loss.format(cid=cid_of(cover)),)
    assert f"cover: blobs/{cid_of(cover)}." in found.text.decode()


@pytest.mark.parametrize(
    ("held", "text", "losses"),
    [
        (b"# All of it", "# All of it", ["content.text.textBlob: isn't in the file"]),
        (None, "# A part", ["content.text.textBlob: its blob can't be had"]),
        (b"\xff", "# A part", ["content.text.textBlob: its blob isn't UTF-8"]),
    ],
)
def test_text_in_a_blob_counts_more_than_a_part_of_it(
    held: bytes | None, text: str, losses: list[str]
) -> None:
    content = markpub("# A part")
    content["text"] = {
        "$type": "at.markpub.text",
        "markdown": "# A part",
        "textBlob": blob(b"#", "text/markdown"),
    }
    found = to_markdown(remote(VALUE | {"content": content}), blob=lambda _: held, site=SITE)
    assert found is not None
    assert found.text.decode().endswith(f"\n---\n\n{text}\n")
    assert set(losses) <= set(found.losses)
    assert found.blobs == ()
