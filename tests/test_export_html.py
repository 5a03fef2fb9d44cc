"""HTML becomes Markdown that says the same; tests/golden/export/wordpress.md shows more of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.data import Value
from publisher.documents.text import plain_text
from publisher.export.content import body_of
from tests.test_export import KEPT, no_blob

WRITTEN = f"content: org.wordpress.html is written as Markdown; {KEPT}"


def written(html: str) -> tuple[str, list[str]]:
    body = body_of({"content": {"$type": "org.wordpress.html", "html": html}}, no_blob)
    assert body is not None
    assert WRITTEN in body.losses
    return body.text, [words for words in body.losses if words != WRITTEN]


@pytest.mark.parametrize(
    ("html", "markdown"),
    [
        ("", ""),
        ("<!-- wp:paragraph -->\n<p>a\nb</p>\n<!-- /wp:paragraph -->", "a b"),
        ("<p>a</p><p>&nbsp;</p><p>b</p>", "a\n\nb"),
        ("<p>a<br>- b<br/># c</p>", "a\\\n\\- b\\\n\\# c"),
        (
            "<p># a</p><p>1. b</p><p>*c* [d] e_f_g &lt;h&gt; &amp;amp;</p>",
            "\\# a\n\n1\\. b\n\n\\*c\\* \\[d\\] e_f_g \\<h> \\&amp;",
        ),
        ("<p>a<b>b<br></b></p>c<br>", "a**b**\n\nc"),
        ("<pre>a<br>b</pre>", "```\na\nb\n```"),
        ("<code>a</code><code>b</code>", "<code>a</code><code>b</code>"),
        ("<p>a <b>b </b>c <em>d</em>e</p>", "a **b** c *d*e"),
        ('<p>a<b>"b"</b>c</p>', 'a<strong>"b"</strong>c'),
        ("<b>a</b><b>b</b>", "<strong>a</strong><strong>b</strong>"),
        (
            "<p><u>a</u> <mark>b</mark> c<sub>d</sub> <s>e</s></p>",
            "<u>a</u> <mark>b</mark> c<sub>d</sub> ~~e~~",
        ),
        ("<p><code>a`b  c</code></p>", "``a`b c``"),
        ('<pre class="x lang-py"><code>a\n  ```\n</code></pre>', "````py\na\n  ```\n````"),
        ("<h2>a</h2><hr><h3>b</h3>", "## a\n\n---\n\n### b"),
        ("<div>a<div>b</div></div>c", "a\n\nb\n\nc"),
        ("<ul><li>a<ol start=3><li>b</li></ol></li></ul>", "- a\n\n  3. b"),
        ("<blockquote><p>a</p><p>b</p></blockquote>", "> a\n>\n> b"),
        (
            "<table><tr><th>a|b<th>c<tr><td><code>d|e</code><td></table>",
            "| a\\|b | c |\n| --- | --- |\n| `d\\|e` |  |",
        ),
        ('<a href="https://a.b/(c)?d&amp;e">f\ng</a>', "[f g](<https://a.b/(c)?d&e>)"),
        ('<p>!<a href="/b">c</a></p>', "\\![c](/b)"),
        ('<img src="a b.png" alt="c ]" onerror="d()" title="e">', "![c \\]](a%20b.png)"),
        ('<iframe src="https://a.b/c_d_"></iframe>', "[https://a.b/c_d\\_](https://a.b/c_d_)"),
        (
            '<video src="https://a.b/c.mp4" controls></video>',
            "[https://a.b/c.mp4](https://a.b/c.mp4)",
        ),
        ("<dl><dt>a</dt><dd>b</dd></dl>", "a\n\nb"),
    ],
)
def test_html_has_its_markdown(html: str, markdown: str) -> None:
    assert written(html) == (markdown, [])


@pytest.mark.parametrize(
    ("html", "markdown", "losses"),
    [
        ("<p>a<script>b</script><style>c</style><template>d</template></p>", "a", []),
        ("<svg/onload=a()>b</svg>", "b", ["content: <svg>"]),
        ('<a href="javascript:a()">b</a>', "b", []),
        ('<a href="&#1;java&#9;script:a()">b</a>', "b", []),
        ("&lt;script&gt;a&lt;/script&gt;", "\\<script>a\\</script>", []),
        (
            "<form><button onclick=a()>b</button></form>",
            "b",
            ["content: <button>", "content: <form>"],
        ),
        ("a<li>b</li>", "a- b", ["content: how some of its HTML reads"]),
        ("<x-y>a</x-y><!-- <z> -->", "a", ["content: <x-y>"]),
    ],
)
def test_what_runs_is_left_out_and_what_is_lost_is_told(
    html: str, markdown: str, losses: list[str]
) -> None:
    assert written(html) == (markdown, losses)


@pytest.mark.parametrize("html", ["<div>" * 101, "<table><tr><td>" * 101, "<blockquote>" * 100_000])
def test_html_that_is_nested_too_deeply_is_plain_text(html: str) -> None:
    content: Value = {"$type": "org.wordpress.html", "html": html}
    body = body_of({"content": content, "textContent": "a"}, no_blob)
    assert body is not None
    assert body.text == "a"
    assert list(body.losses) == [
        "content: its HTML, which is nested too deeply",
        f"content: org.wordpress.html isn't written, only its plain text; {KEPT}",
    ]


WORDS = st.lists(
    st.sampled_from(["&amp;", *"ab *_`~[]()!\\|#-.1\"'\n", "é", "&lt;", "&amp;lt;"]), max_size=8
).map("".join)
SET = ("b", "i", "em", "code", "s", "u", "a", "span", "sup")
INLINE = st.recursive(
    WORDS,
    lambda inner: st.builds(
        lambda name, parts: f"<{name}>{''.join(parts)}</{name}>",
        st.sampled_from(SET),
        st.lists(inner, max_size=3),
    ),
    max_leaves=6,
)
TAGS = "p div h2 ul ol li blockquote pre table tr td b i code a br hr img iframe script"


@given(st.lists(INLINE, max_size=3).map("".join))
def test_text_reads_as_it_did_whatever_it_stands_in(inline: str) -> None:
    markdown, losses = written(f"<p>x {inline} y</p>")
    words = inline
    for name in SET:
        words = words.replace(f"<{name}>", "").replace(f"</{name}>", "")
    words = words.replace("&lt;", "<").replace("&amp;", "&")
    if losses != ["content: how some of its HTML reads"]:
        assert losses == []
        assert "".join(plain_text(markdown).split()) == "".join(f"x{words}y".split())


@given(
    st.lists(
        st.sampled_from([*(f"<{n}>" for n in TAGS.split()), *(f"</{n}>" for n in TAGS.split())])
        | st.text()
    ).map("".join)
)
def test_no_html_is_an_error(html: str) -> None:
    markdown, _ = written(html)
    assert markdown == markdown.strip()
    assert "<script" not in markdown.replace("\\<", "")
