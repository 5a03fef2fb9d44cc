"""Dates as authors write them become datetimes as records hold them (UTC, milliseconds, Z)."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

_DATE = re.compile(
    r"(\d{4}-\d{2}-\d{2})"
    r"(?:[Tt ]+(\d{2}:\d{2}(?::\d{2})?)(?:\.(\d+))?\s*([Zz]|[+-]\d{2}(?::?\d{2})?)?)?",
    re.ASCII,
)


class InvalidDate(ValueError):
    """A value that is no date, or no instant without a zone; the message is the reason."""


class MissingZone(InvalidDate):
    """A date that needs a zone to be an instant."""


def instant(value: object, zone: ZoneInfo | None) -> str:
    """Return the instant as `2026-02-05T16:32:10.000Z`.

    Takes text (`2026-02-05`, `2026-02-05 16:32`, RFC 3339, offsets as +02:00, +0200 or +02) and
    the dates of TOML. A date alone is midnight in `zone`. More digits of a second than three are
    kept. Raises MissingZone where neither the date nor `zone` says the offset, else InvalidDate.
    """
    if isinstance(value, (date, datetime)):
        value = value.isoformat()
    if not isinstance(value, str):
        raise InvalidDate(f"is {value!r}, no date")
    match = _DATE.fullmatch(value.strip())
    if not match:
        raise InvalidDate(f"is {value!r}, no date like 2026-02-05 or 2026-02-05T16:32:10+01:00")
    day, clock, fraction, offset = match.groups()
    try:
        local = datetime.combine(date.fromisoformat(day), time.fromisoformat(clock or "00:00"))
        moment = local.replace(tzinfo=_zone(offset, zone, value)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        if isinstance(error, InvalidDate):
            raise
        raise InvalidDate(f"is {value!r}, a day or time that doesn't exist") from error
    digits = (fraction or "").rstrip("0").ljust(3, "0")
    return f"{moment.replace(tzinfo=None).isoformat(timespec='seconds')}.{digits}Z"


def _zone(offset: str | None, zone: ZoneInfo | None, text: str) -> timezone | ZoneInfo:
    if offset is None:
        if zone is None:
            raise MissingZone(f"is {text!r}, which names no time zone")
        return zone
    if offset in "Zz":
        return UTC
    digits = offset[1:].replace(":", "").ljust(4, "0")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if hours > 23 or minutes > 59:
        raise InvalidDate(f"is {text!r}, with an offset beyond 23:59")
    distance = timedelta(hours=hours, minutes=minutes)
    return timezone(distance if offset[0] == "+" else -distance)
