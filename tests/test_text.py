"""Markdown to plain text: tests/golden/ holds the rules, these say what they are for."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.documents.text import plain_text

GOLDEN = Path(__file__).resolve().parent / "golden"


def test_the_golden_file_holds() -> None:
    markdown = (GOLDEN / "text.md").read_text("utf-8")
    assert plain_text(markdown) + "\n" == (GOLDEN / "text.txt").read_text("utf-8")


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("", ""),
        ("***", ""),
        ("one\n\n\n\ntwo", "one\n\ntwo"),
        ("<!-- first -->\n\none", "one"),
        ("one\n\n<!-- last -->", "one"),
        ("one\n\n<!-- a > b -->\n\ntwo", "one\n\ntwo"),
        ("one\n\n![](silent.png)\n\ntwo", "one\n\ntwo"),
        ("- one\n  - two\n- three", "one\ntwo\nthree"),
        ("- one\n\n  - two\n\n- three", "one\n\ntwo\n\nthree"),
        ("- one\n  - two\n\nthree", "one\ntwo\n\nthree"),
        ("- one\n\n> > - two\n>\n> > three", "one\n\ntwo\n\nthree"),
        ("<p>one</p><p>two</p>", "one\ntwo"),
        ("<fieldset><legend>one</legend>two</fieldset>", "one\ntwo"),
        ("<div>\n  one\n  two <b>three</b>\n</div>", "one two three"),
        ("<div>one<br>\n  two</div>", "one\ntwo"),
        ("<pre>\none\n  two\n</pre>", "one\n  two"),
        ("one <?php $a->b ?>two", "one two"),
        ("one <![CDATA[a > b]]>two", "one two"),
        ("<div>a<![b c]>d</div>", "ad"),
        ("&lt;b&gt; & <i>c</i> < d", "<b> & c < d"),
        ("日\n本 <i>語</i>\na\n日", "日本 語 a 日"),
        ("`a  b`", "a  b"),
        ("Put <script> in the head and the rest", "Put  in the head and the rest"),
        ("a <style> b </style> c <template> d", "a  c  d"),
        ("a <template>b<template>c</template>d</template> e", "a  e"),
        ("a <style-guide>b</style-guide> c <style>d</style>", "a b c "),
        ('a <img src="x" alt="the <style> tag > all">', "a the <style> tag > all"),
        ("a <title>b &amp; <b>c</b>", "a b & c"),
        ("<script>\nlet a = 1;\n</script>\n\nb", "b"),
        ("`<!-- kept -->`", "<!-- kept -->"),
        ("| a | b |\n|---|---|\n| | c |", "a\tb\n\tc"),
        ("| a |\n|---|\n\nb", "a\n\nb"),
        ("    a\n\n    b", "a\n\nb"),
        ("```\na\n\n\nb\n\n```\n\nc", "a\n\n\nb\n\n\nc"),
        ("a[^n]\n\n[^n]: b\n\nc", "a\n\nc\n\nb"),
    ],
)
def test_blocks_stay_apart_and_markup_goes(markdown: str, text: str) -> None:
    assert plain_text(markdown) == text


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=80))
def test_fenced_code_is_kept_as_it_stands(code: str) -> None:
    # NUL is what CommonMark itself replaces; the fence is longer than any in the code.
    kept = code.replace("\0", "\N{REPLACEMENT CHARACTER}")
    assert plain_text("`" * 90 + f"\n{code}\n" + "`" * 90) == kept


@given(st.lists(st.from_regex(r"[A-Za-z0-9äßк日]{1,8}", fullmatch=True), min_size=1))
def test_words_without_markup_come_out_as_they_went_in(words: list[str]) -> None:
    assert plain_text(" ".join(words)) == " ".join(words)


@given(st.text(st.sampled_from("ab \n\t-*_#>`~[]()!<&;|:\\^1.\"'"), max_size=60))
def test_no_text_breaks_it_and_nothing_starts_with_a_gap(markdown: str) -> None:
    assert not plain_text(f"<!-- x -->\n\nfirst\n\n{markdown}").startswith("\n")


@pytest.mark.parametrize(
    "piece",
    [
        "<p ",
        '<p "',
        "</p ",
        "<script>",
        "<style>",
        "<template>",
        "</template>",
        "<!--",
        "<?",
        "<!d ",
    ],
)
@pytest.mark.parametrize("before", ["", "<div>\n"])
def test_html_that_is_never_closed_is_read_in_linear_time(before: str, piece: str) -> None:
    text = before + piece * (100_000 // len(piece))
    start = time.process_time()
    plain_text(text)
    assert time.process_time() - start < 5  # 0.1 s; with the square of the text, a minute
