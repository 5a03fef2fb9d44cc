"""An exported file's name, and its front matter."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from publisher.data import Value
from publisher.documents.front_matter import split
from publisher.export.head import front_matter
from publisher.export.names import document_name
from tests.test_export import DATE, RKEY, VALUE, exported


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"path": "/essays/on-boats"}, "on-boats.md"),
        ({"path": "/essays/on-boats/"}, "on-boats.md"),
        ({"path": "/essays/On-Boats.html"}, "On-Boats.md"),
        ({"path": "/%E4%B8%AD%E6%96%87"}, "中文.md"),
        ({"path": "/a%2Fb%5Cc%3Ad%00%E2%80%AEe"}, "b-c-de.md"),
        ({"path": "/cafe\u0301"}, "café.md"),
        ({"path": "/con"}, "page-con.md"),
        ({"path": "/COM1.x"}, "page-COM1.x.md"),
        ({"path": "/_index"}, "page-_index.md"),
        ({"path": "/.hidden. "}, "hidden.md"),
        ({"path": "/%FF%FF"}, "2026-02-05-on-boats.md"),
        ({"path": "/"}, "2026-02-05-on-boats.md"),
        ({"path": None}, "2026-02-05-on-boats.md"),
        ({"path": None, "title": "../..\\ A: <b>\u202e\n?"}, "2026-02-05-a-b.md"),
        ({"path": None, "title": "?"}, f"{RKEY}.md"),
        ({"path": "/" + "ü" * 200}, f"{'ü' * 60}.md"),
    ],
)
def test_the_name_is_one_that_every_system_takes(fields: dict[str, Value], name: str) -> None:
    assert exported(VALUE | fields).name == name


@given(st.text(), st.text())
def test_no_name_leads_elsewhere(path: str, title: str) -> None:
    name = document_name({"path": f"/{path}", "title": title, "publishedAt": DATE}, RKEY)
    assert not set(name) & set('<>:"/\\|?*')
    assert all(unicodedata.category(c)[0] not in "CZ" for c in name)
    assert len(name.encode()) <= 123
    assert name[0] not in ".~ "
    assert name.rpartition(".md")[0][-1:] not in {"", ".", " "}


@given(st.dictionaries(st.sampled_from(["title", "date", "tags"]), st.text() | st.lists(st.text())))
@example({"title": "\u202e\ufeff\x00\x85\u2028'\"\n: #"})
@example(
    {"title": "12e4", "tags": ["y", "0o7", "~", "null", "2026-02-05", "1:30", "=", "<<", "*a"]}
)
@example({"date": "2026-02-05T16:32:10.000Z"})
@example({"title": "\U0001f469\u200d\U0001f680"})
def test_front_matter_is_read_as_it_was_written(fields: dict[str, Value]) -> None:
    text = front_matter(fields)
    parts = split(text)
    assert parts is not None
    assert parts.head == fields
    assert not re.search(
        "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]", text
    )


def test_a_date_is_a_date_to_every_reader_of_yaml_and_words_are_not_quoted() -> None:
    fields: dict[str, Value] = {"title": "On boats 🛶", "date": DATE, "description": DATE}
    assert (
        front_matter(fields)
        == f'---\ntitle: On boats 🛶\ndate: {DATE}\ndescription: "{DATE}"\n---\n'
    )
