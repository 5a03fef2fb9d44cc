"""Values on the disk: the same as in memory, and read no oftener than needed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.data import Value, compact, encode
from publisher.errors import StateError
from publisher.spool import Spool, StoredValue, block_of, outline, text_of, whole

SITE = "https://alice.example"
VALUE: dict[str, Value] = {"title": "On tides", "text": "x" * 1000, "tags": ["sea", None]}


@pytest.fixture
def spool() -> Spool:
    return Spool()


def test_a_stored_value_is_what_was_put_in(spool: Spool) -> None:
    other = spool.put(encode({"other": 1}))
    stored = spool.put(encode(VALUE))

    assert whole(stored) == VALUE
    assert dict(stored.items()) == VALUE
    assert (len(stored), list(stored), "tags" in stored, "nothing" in stored) == (
        3,
        sorted(VALUE, key=lambda name: (len(name), name)),  # as DAG-CBOR orders them
        True,
        False,
    )
    assert [stored["text"], stored.get("nothing")] == ["x" * 1000, None]
    assert whole(other) == {"other": 1}


def test_names_and_short_strings_are_kept_and_all_else_is_read_anew() -> None:
    readings = []

    def load() -> dict[str, Value]:
        readings.append(1)
        return VALUE

    stored = StoredValue(load, VALUE)

    assert (stored["title"], stored.get("path"), "text" in stored) == ("On tides", None, True)
    assert readings == []
    assert stored["text"] == "x" * 1000
    assert readings == [1]


def test_the_block_itself_is_not_kept_in_memory(spool: Spool) -> None:
    block = encode(VALUE)
    referred = sys.getrefcount(block)

    stored = spool.put(block, outline(VALUE))

    assert sys.getrefcount(block) == referred
    assert stored == VALUE


def test_an_outline_has_the_names_and_the_short_strings() -> None:
    assert outline(VALUE) == {"title": "On tides", "text": None, "tags": None}


def test_only_what_a_record_is_recognised_by_is_kept() -> None:
    title, other = "t" * 200, "t" * 201
    kept = outline({"title": title, "description": "short", "path": other, "site": SITE})
    assert kept == {"title": title, "description": None, "path": None, "site": SITE}


def test_of_equal_sites_only_one_is_kept(spool: Spool) -> None:
    stored = [spool.put(encode({"site": SITE, "title": str(number)})) for number in range(2)]
    one, other = [value for value in stored if whole(value)]
    assert one["site"] is other["site"]


def test_a_disk_without_room_is_an_error_with_a_remedy(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    with full.open("wb", buffering=0) as file:
        monkeypatch.setattr(spool, "_file", file)
        with pytest.raises(StateError, match="No space left"):
            spool.put(b"\xa0")


@given(st.lists(st.dictionaries(st.text(), st.integers(0, 1 << 53) | st.text()), max_size=5))
def test_many_values_come_back_each_as_it_was(values: list[dict[str, Value]]) -> None:
    spool = Spool()
    stored = [spool.put(encode(value)) for value in values]
    stored += spool.put_all([(encode(v), outline(v), compact(v)) for v in values])

    assert [whole(value) for value in stored] == values * 2
    assert [block_of(value) for value in stored] == [encode(value) for value in values] * 2
    assert [text_of(value) for value in stored[len(values) :]] == [compact(v) for v in values]
    assert [json.loads(text_of(value)) for value in stored] == values * 2
