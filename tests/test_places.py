"""Places: where in the author's file each finding is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.documents.places import json_offsets, locate
from publisher.findings import Finding, pointer_to

JSON = """\
{
  "title": "T",
  "tags": ["a",
    "b"],
  "a/b~": {"c": null},
  "é": [{"x": 1}, {"x": 2}],
  "n": 1, "n": 2
}
"""
YAML = """\
---
# a comment
Title: T
pubDate: 2026-02-05
cover:
  image: a.png
tags:
  - a
  - {b: c}
summary: |
  two
  lines
---

The body.
"""
TOML = """\
+++
title = "T"
"publishDate" = 2026-02-05

tags = ["a"]
[cover]
image = "a.png"
title = "not this one"
+++
The body.
"""
HEAD_OF_JSON = '{\n "title": "T",\n "date": "D" }\n\nThe body.\n'


@pytest.mark.parametrize(
    ("suffix", "text", "pointer", "place"),
    [
        (".json", JSON, "", (1, 1)),
        (".json", JSON, "/title", (2, 12)),
        (".json", JSON, "/tags", (3, 11)),
        (".json", JSON, "/tags/1", (4, 5)),
        (".json", JSON, "/a~1b~0/c", (5, 17)),
        (".json", JSON, "/é/1/x", (6, 25)),
        (".json", JSON, "/n", (7, 16)),
        (".json", JSON, "/tags/7/x", (3, 11)),
        (".json", JSON, "/missing", (1, 1)),
        (".json", JSON.replace("\n", "\r\n"), "/tags/1", (4, 5)),
        (".json", "\ufeff" + JSON, "/title", (2, 12)),
        (".json", '\ufeff{"a": 1}', "/a", (1, 7)),
        (".json", "", "/a", (1, 1)),
        (".json", '{"a": [1, {"b"', "/a/1/b", (1, 11)),
        (".md", YAML, "/title", (3, 8)),
        (".md", YAML, "/publishedAt", (4, 10)),
        (".md", YAML, "/pubDate", (4, 10)),
        (".md", YAML, "/coverImage", (6, 3)),
        (".md", YAML, "/tags/1", (9, 5)),
        (".md", YAML, "/description", (10, 10)),
        (".md", YAML, "/textContent", (15, 1)),
        (".md", YAML, "/content/text/markdown", (15, 1)),
        (".md", YAML, "/updatedAt", (1, 1)),
        (".md", YAML.replace("\n", "\r\n"), "/tags/1", (9, 5)),
        (".md", YAML.replace("\n", "\r\n"), "/textContent", (15, 1)),
        (".md", "\ufeff" + YAML, "/title", (3, 8)),
        (".markdown", TOML, "/title", (2, 1)),
        (".markdown", TOML, "/publishedAt", (3, 1)),
        (".markdown", TOML, "/coverImage", (6, 2)),
        (".markdown", TOML, "/tags/0", (5, 1)),
        (".markdown", TOML, "/textContent", (10, 1)),
        (".md", HEAD_OF_JSON, "/date", (3, 10)),
        (".md", HEAD_OF_JSON, "/textContent", (5, 1)),
        (".md", "no front matter", "/title", (1, 1)),
        (".md", "---\n[\n---\n", "/title", (1, 1)),
        (".md", "---\n---\n", "/title", (1, 1)),
    ],
)
def test_a_pointer_is_a_line_and_a_column(
    suffix: str, text: str, pointer: str, place: tuple[int, int]
) -> None:
    (found,) = locate(text, suffix, [Finding(pointer, "type", "is wrong")])
    assert (found.line, found.column) == place
    assert (found.pointer, found.code, found.message) == (pointer, "type", "is wrong")


@pytest.mark.parametrize(
    ("code", "message", "place"),
    [
        ("json-syntax", "line 3, column 7: Expecting value", (3, 7)),
        ("front-matter", "line 1: the --- is never closed", (1, 1)),
        ("front-matter", "Invalid value (at line 2, column 9) (TOML)", (2, 9)),
        ("front-matter", "there is no front matter", (1, 1)),
    ],
)
def test_what_the_parser_says_of_the_place_counts(
    code: str, message: str, place: tuple[int, int]
) -> None:
    (found,) = locate("a\nb\nc\nd", ".md", [Finding("", code, message)])
    assert (found.line, found.column) == place


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def pointers(value: object, prefix: str = "") -> list[tuple[str, object]]:
    below: list[tuple[str, object]] = []
    if isinstance(value, dict):
        for key, item in value.items():
            below += pointers(item, prefix + pointer_to(key))
    if isinstance(value, list):
        for index, item in enumerate(value):
            below += pointers(item, f"{prefix}/{index}")
    return [(prefix, value), *below]


@given(VALUES, st.sampled_from([None, 0, 2, "\t"]), st.booleans())
def test_every_value_is_where_its_place_says(
    value: object, indent: int | str | None, ascii_only: bool
) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    offsets = json_offsets(text)
    expected = pointers(value)
    assert offsets.keys() == {pointer for pointer, _ in expected}
    for pointer, item in expected:
        assert json.JSONDecoder().raw_decode(text, offsets[pointer])[0] == item


@given(st.text(alphabet='{}[]",:\\ \n-+=#atrue1', max_size=200), st.sampled_from([".json", ".md"]))
def test_any_text_has_places_within_it(text: str, suffix: str) -> None:
    finding = Finding("/title", "type", "is wrong")
    for found in (
        *locate(text, suffix, [finding]),
        *locate(f"---\n{text}\n---\n", ".md", [finding]),
    ):
        assert found.line is not None
        assert 1 <= found.line <= text.count("\n") + 4


@pytest.mark.parametrize("end", ["\u0085", "\u2028", "\u2029", "\r"])
def test_what_only_yaml_takes_for_a_line_end_is_none(end: str) -> None:
    text = f"---\na: 'é{end}b'\ntitle: T\n---\n"
    (found,) = locate(text, ".md", [Finding("/title", "type", "is wrong")])
    assert (found.line, found.column) == (3, 8)


@pytest.mark.parametrize("item", ["[", "- "])
def test_yaml_that_would_end_its_parser_has_no_places(item: str) -> None:
    text = f"---\na: 1\nb:\n  {item * 45_000}\n---\n"
    (found,) = locate(text, ".md", [Finding("/b/0", "type", "is wrong")])
    assert (found.line, found.column) == (1, 1)


@pytest.mark.parametrize("item", ["[?]", "{a: [?]}", "{<<: [?], a: 1, a: 2}"])
def test_aliases_are_no_burden(item: str) -> None:
    lines = ["a0: &a0 {x: 1}"]
    for level in range(1, 50):
        nine = ", ".join([f"*a{level - 1}"] * 9)
        lines += [f"a{level}: &a{level} " + item.replace("?", nine)]
    text = "\n".join(["---", *lines, "---", "The body."])
    (found,) = locate(text, ".md", [Finding("/a49/0/a", "type", "is wrong")])
    assert (found.line, found.column) == (51, 6)


def test_blanks_are_no_burden() -> None:
    text = "+++\n" + "\t" * 200_000 + "\na = 1\n+++\n"
    (found,) = locate(text, ".md", [Finding("/a", "type", "is wrong")])
    assert (found.line, found.column) == (3, 1)


def test_deep_nesting_is_no_burden() -> None:
    text = '{"a":' + "[" * 200_000
    (found,) = locate(text, ".json", [Finding("/a/0/0", "depth", "is too deep")])
    assert (found.line, found.column) == (1, 8)
    assert len(json_offsets(text)) < 100
