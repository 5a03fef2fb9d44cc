"""Leaflet's blocks become Markdown that says the same; tests/golden/export/ shows all of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.data import Value, dumps
from publisher.documents.text import plain_text
from publisher.export.content import body_of
from publisher.export.look import look
from tests.test_export import KEPT, PNG, blob, cid_of, having, no_blob

BLOCKS = "pub.leaflet.blocks."
FACET = "pub.leaflet.richtext.facet#"
LINK: dict[str, Value] = {"$type": f"{FACET}link", "uri": "https://example.com/a_(b)"}
WRITTEN = f"content: pub.leaflet.content is written as Markdown; {KEPT}"


def block(kind: str, **fields: Value) -> dict[str, Value]:
    return {"$type": f"{BLOCKS}{kind}", **fields}


def facet(start: int, end: int, *features: str | dict[str, Value]) -> dict[str, Value]:
    held: list[Value] = [f if isinstance(f, dict) else {"$type": FACET + f} for f in features]
    return {"index": {"byteStart": start, "byteEnd": end}, "features": held}


def text(plaintext: str, *facets: Value, kind: str = "text", **fields: Value) -> dict[str, Value]:
    return block(kind, plaintext=plaintext, facets=list(facets), **fields)


def items(*contents: Value, **fields: Value) -> list[Value]:
    return [{"content": content, **fields} for content in contents]


def content(*blocks: Value, **fields: Value) -> dict[str, Value]:
    held: list[Value] = [{"block": each} for each in blocks]
    page: dict[str, Value] = {"$type": "pub.leaflet.pages.linearDocument", "blocks": held}
    return {"$type": "pub.leaflet.content", "pages": [page], **fields}


def written(*blocks: Value) -> tuple[str, list[str]]:
    body = body_of({"content": content(*blocks)}, having(PNG))
    assert body is not None
    assert WRITTEN in body.losses
    return body.text, [words for words in body.losses if words != WRITTEN]


@pytest.mark.parametrize(
    ("block", "markdown"),
    [
        (text("one two three", facet(4, 7, "bold")), "one **two** three"),
        (text("one two three", facet(3, 8, "bold")), "one **two** three"),
        (
            text("one", facet(0, 2, "bold"), facet(1, 3, "italic")),
            "<strong>o<em>n</em></strong><em>e</em>",
        ),
        (text('a"b"c', facet(1, 4, "bold")), 'a<strong>"b"</strong>c'),
        (text("a*b", facet(0, 3, "italic", "bold")), r"***a\*b***"),
        (text("é `x`", facet(3, 6, "code")), "é `` `x` ``"),
        (text("x y", facet(0, 1, "code", LINK)), "[`x`](<https://example.com/a_(b)>) y"),
        (text("a!b", facet(2, 3, LINK)), r"a\![b](<https://example.com/a_(b)>)"),
        (text("x", facet(0, 1, "highlight", "underline")), "<mark><u>x</u></mark>"),
        (text("a\nb", facet(0, 3, "bold")), "**a**\\\n**b**"),
        (text("a\n\n\nb"), "a\n\nb"),
        (text("- a\n# b"), "\\- a\\\n\\# b"),
        (text("a\n# b", kind="header", level=9), "###### a # b"),
        (text("a #", kind="header"), "# a \\#"),
        (text("a\n\nb", kind="blockquote"), "> a\n>\n> b"),
        (block("code", plaintext="```\n", language="a `b"), "````a-b\n```\n\n````"),
        (block("math", tex="a_b"), "```math\na_b\n```"),
        (block("horizontalRule"), "---"),
        (
            block("website", src="https://a.b/?c&amp;d", title="A\n[b]"),
            r"[A \[b\]](https://a.b/?c&amp;amp;d)",
        ),
        (block("iframe", url="https://a.b"), "[https://a.b](https://a.b)"),
        (
            block("bskyPost", postRef={"uri": "at://did:plc:a/b/c"}),
            "[at://did:plc:a/b/c](at://did:plc:a/b/c)",
        ),
        (block("unorderedList", children=items(text("a"), text("b"))), "- a\n- b"),
        (block("unorderedList", children=items(text("a"), checked=True)), "- [x] a"),
        (block("orderedList", children=items(text("a"), text("b")), startIndex=9), "9. a\n10. b"),
        (
            block("orderedList", children=items(text("a"), children=items(text("b\n\nc")))),
            "1. a\n   1. b\n\n      c",
        ),
        (
            block(
                "unorderedList",
                children=items(
                    text("a"), orderedListChildren={"startIndex": 4, "children": items(text("b"))}
                ),
            ),
            "- a\n\n  4. b",
        ),
    ],
)
def test_each_block_has_its_markdown(block: Value, markdown: str) -> None:
    assert written(block) == (markdown, [])


def test_two_lists_stay_two() -> None:
    one = block("unorderedList", children=items(text("a")))
    assert written(one, one, one)[0] == "- a\n\n* a\n\n- a"


def test_footnotes_follow_at_the_end() -> None:
    note: dict[str, Value] = {
        "$type": f"{FACET}footnote",
        "footnoteId": "n",
        "contentPlaintext": "See *this*",
        "contentFacets": [facet(0, 3, "bold")],
    }
    found, losses = written(text("one*", facet(3, 4, note)), text("two"))
    assert (found, losses) == ("one\\*[^1]\n\ntwo\n\n[^1]: **See** \\*this\\*", [])
    assert plain_text(found) == "one*\n\ntwo\n\nSee *this*"


def test_an_image_is_a_file_beside_the_document() -> None:
    image = blob(PNG, "image/png")
    ratio: Value = {"width": 1, "height": 1}
    held = block("image", image=image, alt="A [boat]", aspectRatio=ratio)
    body = body_of({"content": content(held)}, having(PNG))
    assert body is not None
    name = f"blobs/{cid_of(image)}.png"
    assert body.text == f"![A \\[boat\\]]({name})"
    assert body.blobs == {cid_of(image): name}


def test_pages_in_a_blob_count_and_those_beside_it_do_not() -> None:
    pages = dumps(content(text("All of it"))["pages"]).encode()
    held = content(text("A stub"), blobPages=blob(pages, "application/json"))
    body = body_of({"content": held}, having(pages))
    assert body is not None
    assert body.text == "All of it"


@pytest.mark.parametrize(
    ("pages", "loss"),
    [
        (None, "content.blobPages: its blob can't be had"),
        (b"\xff", "content.blobPages: its blob isn't UTF-8"),
        (b"[1.5]", "content.blobPages: its blob is no JSON of the data model"),
    ],
)
def test_without_its_blob_there_is_only_the_plain_text(pages: bytes | None, loss: str) -> None:
    held = content(text("A stub"), blobPages=blob(b"[]", "application/json"))
    body = body_of({"content": held, "textContent": "*All*"}, lambda _: pages)
    assert body is not None
    assert body.text == "\\*All\\*"
    assert list(body.losses) == [
        loss,
        f"content: pub.leaflet.content isn't written, only its plain text; {KEPT}",
    ]


BAD_LINK = "content: a link without an address that can be followed"


@pytest.mark.parametrize(
    ("block", "markdown", "losses"),
    [
        (block("poll"), "", ["content: a block of pub.leaflet.blocks.poll"]),
        ({"$type": "a\u202eb"}, "", [r"content: a block of a\u202eb"]),
        ("text", "", ["content: a block of no type"]),
        (text("a", facet(0, 1, "blink")), "a", [f"content: a facet of {FACET}blink"]),
        (text("é", facet(1, 2, "bold")), "é", ["content: a facet that has no place in its text"]),
        (text("a", facet(0, 2, "bold")), "a", ["content: a facet that has no place in its text"]),
        (text("a", textSize="large"), "a", ["content: textSize of pub.leaflet.blocks.text"]),
        (
            text("a", facet(0, 1, {"$type": f"{FACET}link", "uri": " java\tscript:alert(1)"})),
            "a",
            [BAD_LINK],
        ),
        (block("iframe", url="data:text/html,x"), "data:text/html,x", [BAD_LINK]),
        (block("image", image="a.png"), "", ["content: an image that is no blob"]),
    ],
)
def test_what_cannot_be_written_is_told(block: Value, markdown: str, losses: list[str]) -> None:
    assert written(block) == (markdown, losses)


def test_an_image_that_cannot_be_had_is_told() -> None:
    image = blob(PNG, "image/png")
    body = body_of({"content": content(block("image", image=image))}, no_blob)
    assert body is not None
    assert f"content: the blob {cid_of(image)} can't be had" in body.losses


MARKS: list[str | dict[str, Value]] = [
    "bold",
    "italic",
    "strikethrough",
    "code",
    "highlight",
    "underline",
    LINK,
]
WORDS = st.lists(
    st.sampled_from([*'ab *_`~[]()<>&!\\|#-.1"', "é", "\U0001f469"]), min_size=1, max_size=12
).map("".join)


@st.composite
def marked(draw: st.DrawFn) -> dict[str, Value]:
    """A text whose facets overlap as they like."""
    words = draw(WORDS)
    places = [len(words[:at].encode()) for at in range(len(words) + 1)]
    ends = st.tuples(st.sampled_from(places), st.sampled_from(places)).map(sorted)
    facets = draw(st.lists(st.tuples(ends, st.sampled_from(MARKS)), max_size=4))
    return text(words, *(facet(start, end, mark) for (start, end), mark in facets))


@given(marked(), st.sampled_from(["text", "blockquote", "header"]))
def test_however_it_is_set_text_reads_as_it_did(held: dict[str, Value], kind: str) -> None:
    markdown, losses = written(held | {"$type": f"{BLOCKS}{kind}"})
    assert plain_text(markdown) == str(held["plaintext"]).strip()
    assert losses == []


@given(marked())
def test_it_is_set_as_it_was(held: dict[str, Value]) -> None:
    words = str(held["plaintext"])
    expected: list[tuple[str, set[str]]] = [(character, set()) for character in words]
    facets = held["facets"]
    assert isinstance(facets, list)
    for each in facets:
        assert isinstance(each, dict)
        index, features = each["index"], each["features"]
        assert isinstance(index, dict)
        assert isinstance(features, list)
        raw, mark = words.encode(), features[0]
        assert isinstance(mark, dict)
        start, end = (len(raw[: int(str(index[at]))].decode()) for at in ("byteStart", "byteEnd"))
        for _, sets in expected[start:end]:
            sets.add(str(mark["$type"]).removeprefix(FACET))
    shown = [(character, sets) for character, sets in expected if not character.isspace()]
    assert [(character, set(sets)) for character, sets in look(written(held)[0])] == shown


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("a", [("a", set())]),
        ("**a** *b*", [("a", {"bold"}), ("b", {"italic"})]),
        ("**a\\***b", [(character, set()) for character in "**a***b"]),
        ("<strong>a<em>b</em></strong>", [("a", {"bold"}), ("b", {"bold", "italic"})]),
        ("[~~`a`~~](b)", [("a", {"link", "strikethrough", "code"})]),
        ("<u>a</u><mark>b</mark>", [("a", {"underline"}), ("b", {"highlight"})]),
    ],
)
def test_a_line_looks_as_a_parser_sees_it(
    markdown: str, expected: list[tuple[str, set[str]]]
) -> None:
    assert [(character, set(sets)) for character, sets in look(markdown)] == expected
