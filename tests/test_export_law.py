"""Without losses an exported file is the record that it was; with any, each field is named."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import yaml
from hypothesis import assume, example, given
from hypothesis import strategies as st

from publisher import data
from publisher.data import RAW, Cid, Value, record_cid
from publisher.documents import DOCUMENT, Context, Source
from publisher.documents.markdown import read_markdown
from publisher.documents.text import plain_text
from publisher.export import Exported, to_markdown
from publisher.record import Record, build
from publisher.repo import RemoteRecord
from publisher.syntax import Rkey

RKEY = Rkey("3mabcabcabc2a")
SITE = "https://example.com"
DATE = "2026-02-05T16:32:10.000Z"
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
BLOCKS = (
    "# |- |1. |> |\n|\n\n|    |---\n|```\n|\r\n|*a*|[b](c)|<b>d</b>|`e`|&amp;|\\|[^1]|\0|\ufeff"
)
MARKDOWN = st.lists(st.sampled_from(BLOCKS.split("|")) | TEXT).map("".join)
DATES = st.integers(-62_135_000_000, 253_402_000_000).map(  # the years 1 to 9999
    lambda seconds: datetime.fromtimestamp(seconds, UTC).isoformat()
)

LINKS = st.binary(max_size=2).map(lambda content: Cid.of(content, RAW))
BLOBS: st.SearchStrategy[Value] = st.fixed_dictionaries(
    {
        "$type": st.just("blob"),
        "ref": LINKS,
        "mimeType": st.sampled_from(["image/png", "text/plain", "application/json", "x"]),
        "size": st.integers(0, 9),
    }
)
LEAVES: tuple[st.SearchStrategy[Value], ...] = (
    *(st.none(), st.booleans(), st.integers(-(2**53), 2**53), TEXT, st.binary(max_size=3)),
    *(LINKS, BLOBS),
)
FIELDS = (
    "plaintext facets features index byteStart byteEnd uri did content children text markdown"
    " textBlob html pages blobPages blocks block image alt level tex url src checked"
)
KINDS = (
    "at.markpub.markdown at.markpub.text pub.leaflet.content org.wordpress.html blob"
    " pub.leaflet.blocks.text pub.leaflet.blocks.header pub.leaflet.blocks.orderedList"
    " pub.leaflet.blocks.unorderedList pub.leaflet.blocks.image pub.leaflet.blocks.website"
    " pub.leaflet.blocks.code pub.leaflet.blocks.blockquote pub.leaflet.blocks.bskyPost"
    " pub.leaflet.richtext.facet#link pub.leaflet.richtext.facet#footnote x"
)
TAGS = "<p> </p> <b> </b> <ul> <li> </li> <pre> <td> <a/href=x> <img/alt=y> <!-- --> &lt; <"
NAMES = st.sampled_from(FIELDS.split()) | TEXT


def objects(values: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    """What looks as if it were content, and arrays of it."""
    kinds = {"$type": st.sampled_from(KINDS.split())}
    typed = st.builds(
        lambda fields, kind: fields | kind,
        st.dictionaries(NAMES, values, max_size=4),
        st.fixed_dictionaries({}, optional=kinds),
    )
    return typed | st.lists(values, max_size=4)


def markpub(text: str) -> dict[str, Value]:
    held: dict[str, Value] = {"$type": "at.markpub.text", "markdown": text}
    return {"$type": "at.markpub.markdown", "flavor": "gfm", "text": held}


def wordpress(parts: list[str]) -> dict[str, Value]:
    return {"$type": "org.wordpress.html", "html": "".join(parts)}


def leaflet(blocks: list[Value]) -> dict[str, Value]:
    held: list[Value] = [{"block": block} for block in blocks]
    return {"$type": "pub.leaflet.content", "pages": [{"blocks": held}]}


VALUES: st.SearchStrategy[Value] = st.recursive(st.one_of(LEAVES), objects, max_leaves=12)
CONTENTS = st.one_of(
    VALUES,
    MARKDOWN.map(markpub),
    st.lists(st.sampled_from(TAGS.split()) | TEXT).map(wordpress),
    st.lists(VALUES).map(leaflet),
)
RECORDS = st.fixed_dictionaries(
    {
        "$type": st.just(str(DOCUMENT)),
        "site": st.just(SITE) | VALUES,
        "title": TEXT.map("T{}".format),
        "publishedAt": st.just(DATE) | DATES,
    },
    optional={
        "path": TEXT.map("/{}".format) | VALUES,
        "updatedAt": st.just(DATE) | VALUES,
        "description": VALUES,
        "tags": st.lists(TEXT) | VALUES,
        "coverImage": BLOBS | VALUES,
        "textContent": TEXT | VALUES,
        "content": CONTENTS,
        "links": VALUES,
    },
)
VALUE: dict[str, Value] = {
    "$type": str(DOCUMENT),
    "site": SITE,
    "title": "On boats",
    "publishedAt": DATE,
    "path": "/on-boats",
}
HEADS = st.fixed_dictionaries(
    {"title": TEXT.map("T{}".format), "date": DATES},
    optional={
        "updated": DATES,
        "description": TEXT,
        "tags": st.lists(TEXT),
        "path": TEXT.map("/{}".format),
    },
)


def record_of(text: bytes, name: str, *, content: bool) -> Record:
    """What the project makes of a file."""
    source = Source(Path(name), name)
    reading = read_markdown(source, text, Context(Path(), Path(), with_content=content))
    assert reading.document is not None
    record, _ = build(reading.document, SITE)
    return record


def without_cover(exported: Exported) -> bytes:
    """The file as it is where no cover lies beside it."""
    lines = exported.text.split(b"\n")
    return b"\n".join(line for line in lines if not line.startswith(b"cover: baf"))


@given(HEADS, MARKDOWN, st.booleans())
def test_what_our_reader_made_comes_back(head: dict[str, object], body: str, content: bool) -> None:
    text = f"---\n{yaml.safe_dump(head)}---\n{body}"
    record = record_of(text.encode(), "essays/boats.md", content=content)
    remote = RemoteRecord(DOCUMENT, RKEY, record.cid, record.value)
    exported = to_markdown(remote, blob=lambda _: None, site=SITE, with_content=content)
    assert exported is not None
    assert exported.losses == ()
    again = record_of(exported.text, exported.name, content=content)
    assert (again.cid, again.rkey) == (record.cid, RKEY)


def remote_of(text: str) -> RemoteRecord:
    """A record whose content is this Markdown, and its plain text what we make of it."""
    value = VALUE | {"content": markpub(text)}
    if plain := plain_text(text):
        value["textContent"] = plain
    return RemoteRecord(DOCUMENT, RKEY, record_cid(value), value)


@given(MARKDOWN)
@example("Hello\r")
@example("\r\nHello\r\n\n")
@example("---\n---\n")
@example("")
def test_whatever_the_markdown_it_comes_back_or_its_loss_is_named(text: str) -> None:
    remote = remote_of(text)
    exported = to_markdown(remote, blob=lambda _: None, site=SITE)
    assert exported is not None
    again = record_of(exported.text, exported.name, content=True)
    assert again.value["content"] == markpub(text.replace("\r\n", "\n"))
    if "\r\n" in text:
        assert any(words.startswith("content.text.markdown: ") for words in exported.losses)
    else:
        assert (exported.losses, again.cid) == ((), remote.cid)


@given(MARKDOWN, st.integers(0, 9), st.integers(0, 9))
def test_no_loss_is_named_for_line_feeds_around_a_text(text: str, before: int, after: int) -> None:
    text = "\n" * before + text.replace("\r", "") + "\n" * after
    exported = to_markdown(remote_of(text), blob=lambda _: None, site=SITE)
    assert exported is not None
    assert exported.losses == ()


@given(RECORDS, st.booleans(), st.none() | st.binary(max_size=5) | st.just(b"[]"))
def test_whatever_the_record_it_comes_back_or_the_losses_name_each_field(
    value: dict[str, Value], content: bool, blob: bytes | None
) -> None:
    remote = RemoteRecord(DOCUMENT, RKEY, record_cid(value), value)
    exported = to_markdown(remote, blob=lambda _: blob, site=SITE, with_content=content)
    assume(exported is not None)
    assert exported is not None
    again = record_of(without_cover(exported), exported.name, content=content).value
    changed = {
        field
        for field in value.keys() | again.keys()
        if (field in value) != (field in again)
        or data.encode(value.get(field)) != data.encode(again.get(field))
    }
    told = {words.partition(":")[0].partition(".")[0] for words in exported.losses}
    assert changed <= told
