"""How two versions of a record are shown beside one another."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.data import RAW, Cid, Value
from publisher.plan import Difference, differences

COVER = Cid.of(b"cover", RAW)
LONG = "word " * 100


def blob(size: int) -> Value:
    return {"$type": "blob", "ref": COVER, "mimeType": "image/png", "size": size}


def markdown(text: str) -> Value:
    return {"$type": "at.markpub.markdown", "text": {"$type": "at.markpub.text", "markdown": text}}


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        ("On 3", "On three", ["- On 3", "+ On three"]),
        ("a\nb\nc\nd\ne", "a\nb\nC\nd\ne", ["  b", "- c", "+ C", "  d"]),
        (["sea", "tide"], ["sea", "tides", "net"], ["  sea", "- tide", "+ tides", "+ net"]),
        (
            blob(5),
            blob(6),
            [f"- image/png, 5 bytes, {COVER}", f"+ image/png, 6 bytes, {COVER}"],
        ),
        (markdown("one\ntwo"), markdown("one\n2"), ["  one", "- two", "+ 2"]),
        ({"a": 1}, {"a": 2}, ['- {"a":1}', '+ {"a":2}']),
        (None, True, ["- null", "+ true"]),
        (
            LONG + "old" + LONG,
            LONG + "new" + LONG,
            [
                f"- …{(LONG + 'old' + LONG)[480:600]}…",
                f"+ …{(LONG + 'new' + LONG)[480:600]}…",
            ],
        ),
    ],
)
def test_what_is_shown_of_a_field_that_changed(
    before: Value, after: Value, shown: list[str]
) -> None:
    (found,) = differences({"same": 1, "field": before}, {"same": 1, "field": after})

    assert found.field == "field"
    assert [f"{kind} {text}" for kind, text in found.lines] == shown


def test_a_field_that_is_new_or_gone_has_one_side() -> None:
    assert differences({"old": "x"}, {"new": "y"}) == (
        Difference("new", (("+", "y"),)),
        Difference("old", (("-", "x"),)),
    )


def test_many_lines_are_counted_and_not_shown() -> None:
    (found,) = differences({"text": ""}, {"text": "\n".join(map(str, range(1000)))})

    assert len(found.lines) == 41
    assert found.lines[-1] == (" ", "… and 961 more lines")


def test_texts_of_a_megabyte_are_compared_in_no_time() -> None:
    one = "\n".join(f"line {n}" for n in range(60_000))
    other = "\n".join(f"line {n * 7}" for n in range(60_000))
    began = time.process_time()

    assert differences({"text": one}, {"text": other})

    assert time.process_time() - began < 5  # the square of the lines would be hours


VALUES: st.SearchStrategy[Value] = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.text(max_size=3), VALUES), st.dictionaries(st.text(max_size=3), VALUES))
def test_each_field_that_differs_is_shown_and_no_other(
    one: dict[str, Value], other: dict[str, Value]
) -> None:
    def same(name: str) -> bool:
        return name in one and name in other and repr(one[name]) == repr(other[name])

    found = differences(one, other)

    assert differences(one, one) == ()
    assert all(difference.lines for difference in found)
    assert {d.field for d in found} >= one.keys() ^ other.keys()
    assert not any(same(difference.field) for difference in found)
