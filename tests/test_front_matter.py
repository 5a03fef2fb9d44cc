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
    ("text", "body", "whole"),
    [
        ("---\na: 1\n---", "", ""),
        ("---\na: 1\n---\n\n\n  indented\n\n", "  indented", "\n\n  indented\n\n"),
        ("---\na: 1\n---\nabove\n\n---\n\nbelow", *["above\n\n---\n\nbelow"] * 2),
        ("---\na: 1\n---\nabove\n+++\nbelow", *["above\n+++\nbelow"] * 2),
        ('{"a": 1}\n{"b": 2}', *['{"b": 2}'] * 2),
        ('{"a": 1}\r\n\r\nBody\r\n', "Body", "\nBody\n"),
    ],
)
def test_the_body_is_all_after_the_head(text: str, body: str, whole: str) -> None:
    parts = split(text)
    assert parts == Parts({"a": 1}, body)
    assert parts.whole == whole


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


def bomb(item: str, levels: int = 12) -> str:
    """YAML whose anchors stand for ten of the one before."""
    lines = ["a0: &a0 {x: 1}"]
    for level in range(1, levels):
        ten = ", ".join([f"*a{level - 1}"] * 10)
        lines += [f"a{level}: &a{level} " + item.replace("?", ten)]
    return "\n".join(["---", *lines, "---", ""])


@pytest.mark.parametrize("item", ["[?]", "{a: [?]}", "{<<: [?], k: 1}"])
def test_aliases_may_not_make_much_more_than_is_written(item: str) -> None:
    assert split(bomb(item, levels=3)) is not None
    with pytest.raises(InvalidFrontMatter) as caught:
        split(bomb(item))
    assert str(caught.value) == "line 2, column 1: aliases repeat too much (YAML)"


@pytest.mark.parametrize("item", ["&a [*a]", "&a {b: *a}", "&a {<<: *a}", "&a [{c: [*a]}]"])
def test_yaml_may_not_hold_itself(item: str) -> None:
    with pytest.raises(
        InvalidFrontMatter, match=r"line 2, column 1: aliases repeat too much \(YAML"
    ):
        split(f"---\na: {item}\n---\n")


LONG = "9" * 5_000


@pytest.mark.parametrize(
    "text",
    [
        f'{{"a": {LONG}}}',
        f"---\na: {LONG}\n---\n",
        f"---\na: [{{b: 0x{'F' * 5_000}}}]\n---\n",
        f"+++\na = {LONG}\n+++\n",
        f"+++\na = [{{b = 0x{'F' * 5_000}}}]\n+++\n",
    ],
    ids=["json", "yaml", "yaml-hex", "toml", "toml-hex"],
)
def test_a_number_that_python_would_not_print_is_refused(text: str) -> None:
    with pytest.raises(InvalidFrontMatter) as caught:
        split(text)
    assert str(caught.value) in {
        "line 1: a number has more digits than Python takes",
        "line 2, column 4: can't be read as int (YAML)",
    }


@pytest.mark.parametrize("value", ["!!bool maybe", "!!int ''", "!!float x", "!!timestamp '?'"])
def test_yaml_that_is_not_of_its_tag_is_refused_with_its_place(value: str) -> None:
    with pytest.raises(InvalidFrontMatter, match=r"^line 3, column 4: can't be read as "):
        split(f"---\na: 1\nb: {value}\n---\n")


DEEP = 45_000  # levels of which the C parser of YAML dies


@pytest.mark.parametrize("item", ["[", "{a: ", "- ", "? "])
def test_yaml_that_is_nested_too_deeply_is_refused_where_it_is(item: str) -> None:
    with pytest.raises(InvalidFrontMatter) as caught:
        split(f"---\na:\n  {item * DEEP}\n---\n")
    column = 63 * len(item) + 3
    assert str(caught.value) == f"line 3, column {column}: nested too deeply (YAML)"


@pytest.mark.parametrize("levels", [490, 940, 950, 960, 970, 980])
def test_json_is_nested_no_deeper_than_messages_can_show(levels: int) -> None:
    with pytest.raises(InvalidFrontMatter, match=r"^line 1: nested too deeply"):
        split(f'{{"a": {"[" * levels}{"]" * levels}, "b": "{" " * 1_000}"}}')


def test_lists_of_lists_are_not_deep() -> None:
    text = "---\na:\n" + "  - [b, [c, {d: e}]]\n" * 500 + "---\n"
    parts = split(text)
    assert parts is not None
    assert parts.head == {"a": [["b", ["c", {"d": "e"}]]] * 500}


@pytest.mark.parametrize("end", ["\u0085", "\u2028", "\u2029", "\r"])
def test_what_only_yaml_takes_for_a_line_end_is_none_in_messages(end: str) -> None:
    with pytest.raises(InvalidFrontMatter, match=r"^line 3, column 6: "):
        split(f"---\na: 'é{end}b'\nbc: d: e\n---\n")


def test_a_mapping_is_merged_whatever_the_order_of_reading() -> None:
    parts = split("---\nx: {y: {z: &a {<<: {k: 1}, k: 2}}}\nb: {<<: *a}\n---\n")
    assert parts == Parts({"x": {"y": {"z": {"k": 2}}}, "b": {"k": 2}}, "")


def test_a_pair_of_surrogates_is_one_character() -> None:
    assert split('{"a": "\\ud83d\\ude00"}') == Parts({"a": "😀"}, "")
