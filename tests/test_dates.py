"""Dates as authors write them."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.documents.dates import InvalidDate, MissingZone, instant

BERLIN = ZoneInfo("Europe/Berlin")

# With room for every offset; hypothesis wants them without a zone.
FIRST = datetime.fromisoformat("0001-01-03")
LAST = datetime.fromisoformat("9999-12-29")


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-02-05", "2026-02-04T23:00:00.000Z"),
        ("2026-07-05", "2026-07-04T22:00:00.000Z"),
        (" 2026-02-05 ", "2026-02-04T23:00:00.000Z"),
        ("2026-02-05 16:32", "2026-02-05T15:32:00.000Z"),
        ("2026-02-05 16:32:10", "2026-02-05T15:32:10.000Z"),
        ("2026-02-05T16:32:10", "2026-02-05T15:32:10.000Z"),
        ("2026-02-05T16:32:10Z", "2026-02-05T16:32:10.000Z"),
        ("2026-02-05t16:32:10z", "2026-02-05T16:32:10.000Z"),
        ("2026-02-05T16:32Z", "2026-02-05T16:32:00.000Z"),
        ("2026-02-05T16:32:10+01:00", "2026-02-05T15:32:10.000Z"),
        ("2026-02-05T16:32:10+0530", "2026-02-05T11:02:10.000Z"),
        ("2026-02-05T16:32:10-08", "2026-02-06T00:32:10.000Z"),
        ("2026-02-05 16:32:10 +0100", "2026-02-05T15:32:10.000Z"),
        ("2026-02-05 16:32:10.5 -00:00", "2026-02-05T16:32:10.500Z"),
        ("2026-02-05T16:32:10.123Z", "2026-02-05T16:32:10.123Z"),
        ("2026-02-05T16:32:10.120000Z", "2026-02-05T16:32:10.120Z"),
        ("2026-02-05T16:32:10.123456789Z", "2026-02-05T16:32:10.123456789Z"),
        ("2024-02-29T12:00:00Z", "2024-02-29T12:00:00.000Z"),
        ("1969-12-31T23:59:59Z", "1969-12-31T23:59:59.000Z"),
        ("0900-01-01T00:00:00Z", "0900-01-01T00:00:00.000Z"),
        ("2026-10-25 02:30", "2026-10-25T00:30:00.000Z"),  # twice on that day: the first
    ],
)
def test_becomes_utc_with_milliseconds(written: str, moment: str) -> None:
    assert instant(written, BERLIN) == moment


@pytest.mark.parametrize(
    ("toml", "moment"),
    [
        ("2026-02-05", "2026-02-04T23:00:00.000Z"),
        ("2026-02-05T16:32:10", "2026-02-05T15:32:10.000Z"),
        ("2026-02-05T16:32:10.25+02:00", "2026-02-05T14:32:10.250Z"),
        ("2026-02-05 16:32:10Z", "2026-02-05T16:32:10.000Z"),
    ],
)
def test_the_dates_of_toml_count_as_well(toml: str, moment: str) -> None:
    assert instant(tomllib.loads(f"date = {toml}")["date"], BERLIN) == moment


@pytest.mark.parametrize("written", ["2026-02-05", "2026-02-05 16:32", "2026-02-05T16:32:10.5"])
def test_without_any_zone_it_is_no_instant(written: str) -> None:
    with pytest.raises(MissingZone, match="which names no time zone"):
        instant(written, None)


def test_an_offset_needs_no_other_zone() -> None:
    assert instant("2026-02-05T16:32:10+01:00", None) == "2026-02-05T15:32:10.000Z"


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("yesterday", "no date like"),
        ("", "no date like"),
        ("05.02.2026", "no date like"),
        ("2026-2-5", "no date like"),
        ("2026-02", "no date like"),
        ("20260205", "no date like"),
        ("2026-02-05T", "no date like"),
        ("2026-02-05T16:32:10 CET", "no date like"),
        ("2026-02-05T16:32:10.Z", "no date like"),
        ("2026-02-05T16:32:10.\N{ARABIC-INDIC DIGIT THREE}Z", "no date like"),
        ("2026-02-05T16:32:10Z and more", "no date like"),
        ("2026-02-30", "a day or time that doesn't exist"),
        ("2026-02-05T24:00:00Z", "a day or time that doesn't exist"),
        ("2026-02-05T16:60:00Z", "a day or time that doesn't exist"),
        ("0000-01-01T00:00:00Z", "a day or time that doesn't exist"),
        ("0001-01-01T00:00:00+01:00", "a day or time that doesn't exist"),
        ("2026-02-05T16:32:10+24:00", "an offset beyond 23:59"),
        ("2026-02-05T16:32:10+01:60", "an offset beyond 23:59"),
        (20260205, "no date"),
        (True, "no date"),
        (["2026-02-05"], "no date"),
        ({}, "no date"),
    ],
)
def test_anything_else_is_refused_with_the_reason(written: object, reason: str) -> None:
    with pytest.raises(InvalidDate) as caught:
        instant(written, BERLIN)
    assert str(caught.value).startswith(f"is {written!r}, ")
    assert reason in str(caught.value)
    assert not isinstance(caught.value, MissingZone)


@given(st.datetimes(timezones=st.timezones(), min_value=FIRST, max_value=LAST))
def test_an_instant_stays_the_same_instant(moment: datetime) -> None:
    utc = moment.astimezone(UTC)
    assert datetime.fromisoformat(instant(utc.isoformat(), None)) == utc
