"""The head of a Markdown file."""

from __future__ import annotations

import pytest

from publisher.documents.front_matter import InvalidFrontMatter, Parts, split


@pytest.mark.parametrize(
    "text",
    [
        "---\ntitle: T\ntags: [a, b]\n---\n\nBody\n",
        '+++\ntitle = "T"\ntags = ["a", "b"]\n+++\n\nBody\n',
        '{"title": "T", "tags": ["a", "b"]}\n\nBody\n',
        '{\n  "title": "T",\n  "tags": ["a", "b"]\n}\nBody',
        "---\r\ntitle: T\r\ntags: [a, b]\r\n---\r\nBody\r\n",
        "\ufeff---\ntitle: T\ntags: [a, b]\n---\nBody",
        "---  \ntitle: T\ntags: [a, b]\n---\t\nBody",
    ],
    ids=["yaml", "toml", "json", "json-lines", "windows", "byte-order-mark", "spaces"],
)
def test_yaml_toml_and_json_say_the_same(text: str) -> None:
    assert split(text) == Parts({"title": "T", "tags": ["a", "b"]}, "Body")


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("---\na: 1\n---", ""),
        ("---\na: 1\n---\n\n\n  indented\n\n", "  indented"),
        ("---\na: 1\n---\nabove\n\n---\n\nbelow", "above\n\n---\n\nbelow"),
        ("---\na: 1\n---\nabove\n+++\nbelow", "above\n+++\nbelow"),
        ('{"a": 1}\n{"b": 2}', '{"b": 2}'),
    ],
)
def test_the_body_is_all_after_the_head(text: str, body: str) -> None:
    assert split(text) == Parts({"a": 1}, body)


@pytest.mark.parametrize(
    "head", ["---\n---\nBody", "---\n# a comment\n---\nBody", "+++\n+++\nBody"]
)
def test_a_head_may_be_empty(head: str) -> None:
    assert split(head) == Parts({}, "Body")


@pytest.mark.parametrize(
    "text", ["", "Body", "# Title\n\n---\n", " ---\na: 1\n---\n", "----\n", "---title: T\n---\n"]
)
def test_a_file_without_fence_has_no_head(text: str) -> None:
    assert split(text) is None


def test_yaml_dates_stay_as_they_were_written() -> None:
    parts = split("---\ndate: 2026-02-05\nupdated: 2026-02-05 16:32:10 +0100\n---\n")
    assert parts == Parts({"date": "2026-02-05", "updated": "2026-02-05 16:32:10 +0100"}, "")


def test_yaml_may_merge_a_mapping_that_stands_elsewhere() -> None:
    parts = split("---\nbase: &base {a: 1}\nmore: {<<: *base, b: 2}\n---\n")
    assert parts == Parts({"base": {"a": 1}, "more": {"a": 1, "b": 2}}, "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("---\na: 1\n", "line 1: the --- is never closed"),
        ("+++\na = 1\n", "line 1: the +++ is never closed"),
        ("---\na: 1\n+++\n", "line 1: the --- is never closed"),
        ("---\ntitle: [T\ndate: 1\n---\n", "line 3, column 5: did not find expected ',' or ']'"),
        ("---\ntitle: a: b\n---\n", "line 2, column 9: mapping values are not allowed"),
        ("---\na: 1\n\tb: 2\n---\n", "line 3, column 1: found a tab character"),
        ("---\na: *b\n---\n", "line 2, column 4: found undefined alias"),
        ("---\na: !!python/name:os.system\n---\n", "line 2, column 4: could not determine"),
        ("---\na: 1\nb: 2\na: 3\n---\n", "line 4, column 1: the key 'a' stands twice (YAML)"),
        ("---\nb: {a: 1, a: 2}\n---\n", "line 2, column 11: the key 'a' stands twice (YAML)"),
        (
            '---\na: "\\ud800"\n---\n',
            "line 2, column 7: found invalid Unicode character escape code",
        ),
        ("---\n- a\n---\n", "line 1: the front matter is no mapping of names to values"),
        ("---\njust text\n---\n", "line 1: the front matter is no mapping of names to values"),
        ("+++\na = 1\nb = T\n+++\n", "Invalid value (at line 3, column 5) (TOML)"),
        ("+++\na = 1\na = 2\n+++\n", "Cannot overwrite a value (at line 3, column 6) (TOML)"),
        ('{"a": 1 2}\n', "line 1, column 9: Expecting ',' delimiter"),
        ('{\n"a": 1\n', "Expecting ',' delimiter (JSON)"),
        ('{"a": 1, "a": 2}', "the key 'a' stands twice (JSON)"),
        ('{"b": {"a": 1, "a": 2}}', "the key 'a' stands twice (JSON)"),
        ('{"a": NaN}', "NaN is no JSON"),
        ('{"a": -Infinity}', "-Infinity is no JSON"),
        ('{"a": "\\ud800"}', "'a': a lone surrogate is no character (JSON)"),
        ('{"a": [{"b": "\\udfff"}]}', "'a': a lone surrogate is no character (JSON)"),
        ('{"\\ud800": 1}', "'\\ud800': a lone surrogate is no character (JSON)"),
        ('{"a":' * 100_000, "line 1: nested too deeply (JSON)"),
    ],
    ids=range(25),
)
def test_a_broken_head_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(InvalidFrontMatter) as caught:
        split(text)
    assert message in str(caught.value)


def test_a_pair_of_surrogates_is_one_character() -> None:
    assert split('{"a": "\\ud83d\\ude00"}') == Parts({"a": "😀"}, "")
