"""Points of a server's rate limits: what is left of them, and when there will be more. Pure.

Times are seconds since 1970. A window begins with the first point that is spent in it, and all of
its points come back at its end. The headers of an answer show one bucket, the one with the fewest
points left: early on that isn't one for writes, so what was spent is counted here, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from publisher.pds.failures import asked_wait, number
from publisher.repo import CreateWrite, DeleteWrite, UpdateWrite, Write

Kind: TypeAlias = Literal["writes", "uploads"]

POINTS: Final = {CreateWrite: 3, UpdateWrite: 2, DeleteWrite: 1}
_HOUR, _DAY = 3600, 86400
_SAME = 3.0  # seconds between two tellings of the same window's end
_POLICY = re.compile(r"(?<!\d)(\d{1,12})\s*;\s*w=(\d{1,9})\b")


@dataclass(frozen=True, slots=True)
class Bucket:
    """`left` of `limit` points until `ends`; then all of them again, for `seconds`."""

    limit: int
    seconds: int
    left: int
    ends: float = 0.0

    def at(self, now: float) -> Bucket:
        """Return the bucket as it is now; no window is longer than `seconds`."""
        if self.ends <= now:
            return replace(self, left=self.limit, ends=0.0)
        return replace(self, ends=min(self.ends, now + self.seconds))


@dataclass(frozen=True, slots=True)
class Ledger:
    """The buckets of one account."""

    writes: tuple[Bucket, ...] = (Bucket(5000, _HOUR, 5000), Bucket(35_000, _DAY, 35_000))
    uploads: tuple[Bucket, ...] = (Bucket(1000, _DAY, 1000),)

    def left(self, kind: Kind, now: float) -> int:
        """Return how many points may be spent now."""
        return min((bucket.at(now).left for bucket in self._of(kind)), default=0)

    def wait(self, kind: Kind, points: int, now: float) -> float:
        """Return the seconds until so many points are there, 0 if they are now.

        More than a bucket holds is never there: then it is until all of them are.
        """
        buckets = (bucket.at(now) for bucket in self._of(kind))
        return max(
            (b.ends - now for b in buckets if b.ends and b.left < min(points, max(b.limit, 1))),
            default=0.0,
        )

    def spent(self, kind: Kind, points: int, now: float) -> Ledger:
        """Return the ledger after a call, refused or not."""
        return self._with(kind, *(_spent(bucket.at(now), points, now) for bucket in self._of(kind)))

    def heard(self, kind: Kind, status: int, headers: Mapping[str, str], now: float) -> Ledger:
        """Return the ledger corrected by an answer to a call of this kind."""
        corrected = (_corrected(bucket.at(now), status, headers, now) for bucket in self._of(kind))
        return self._with(kind, *corrected)

    def _of(self, kind: Kind) -> tuple[Bucket, ...]:
        return self.writes if kind == "writes" else self.uploads

    def _with(self, kind: Kind, *buckets: Bucket) -> Ledger:
        if kind == "writes":
            return replace(self, writes=buckets)
        return replace(self, uploads=buckets)


def points_of(writes: Iterable[Write]) -> int:
    """Return what writes cost."""
    return sum(POINTS[type(write)] for write in writes)


def is_metered(headers: Mapping[str, str]) -> bool:
    """Tell whether an answer comes from a server that counts points."""
    return any(name.lower().startswith("ratelimit-") for name in headers)


def _spent(bucket: Bucket, points: int, now: float) -> Bucket:
    ends = bucket.ends or now + bucket.seconds
    return replace(bucket, left=max(bucket.left - points, 0), ends=ends)


def _corrected(bucket: Bucket, status: int, headers: Mapping[str, str], now: float) -> Bucket:
    """Return the bucket as the answer shows it; where both know its window, the lower count.

    Another bucket's answer, and one that doesn't say until when, change nothing.
    """
    limit = _limit_of(bucket, headers)
    remaining = 0 if status == 429 else number(headers.get("ratelimit-remaining", ""))
    wait = asked_wait(headers, now)
    if limit is None or remaining is None or wait is None:
        return bucket
    ends = now + min(wait, bucket.seconds)
    left = min(max(int(remaining), 0), limit)
    if abs(bucket.ends - ends) <= _SAME:
        left = min(left, bucket.left)
    return replace(bucket, limit=limit, left=left, ends=ends)


def _limit_of(bucket: Bucket, headers: Mapping[str, str]) -> int | None:
    """Return the bucket's limit, which may be the server's own, if it is what an answer shows."""
    shown = number(headers.get("ratelimit-limit", ""))
    policies = _POLICY.findall(headers.get("ratelimit-policy", ""))
    if not policies:
        return bucket.limit if shown == bucket.limit else None
    limit, seconds = next((p for p in policies if int(p[0]) == shown), policies[0])
    return int(limit) if int(seconds) == bucket.seconds else None
