"""What a plan costs before its first write. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass

from publisher.plan.actions import Create, Delete, Pending, Update

POINTS_AN_HOUR = 5_000
POINTS_A_DAY = 35_000
BLOBS_A_DAY = 1_000
DOCUMENTS_A_SECOND = 1_000


@dataclass(frozen=True, slots=True)
class Cost:
    """How much is written: `points` of the rate limit, `bytes` of records (about)."""

    documents: int
    bytes: int
    blobs: int
    blob_bytes: int
    points: int


def cost(pending: Iterable[Pending], held: Container[str]) -> Cost:
    """Return what the writes cost; blobs that are `held` cost nothing."""
    documents = size = points = 0
    blobs: dict[str, int] = {}
    for action in pending:
        documents += 1
        points += _points(action)
        if not isinstance(action, Delete):
            size += action.record.size
            blobs |= {
                str(blob.cid): blob.size
                for blob in action.record.blobs
                if str(blob.cid) not in held
            }
    return Cost(documents, size, len(blobs), sum(blobs.values()), points)


def _points(action: Pending) -> int:
    match action:
        case Create():
            return 3
        case Update():
            return 2
        case Delete():
            return 1


def seconds_at_limits(cost: Cost) -> float:
    """Return how long it takes at the usual limits of a server."""
    hours = max(-(-cost.points // POINTS_AN_HOUR) - 1, 0)
    days = max(-(-cost.points // POINTS_A_DAY), -(-cost.blobs // BLOBS_A_DAY)) - 1
    return max(days * 86_400, hours * 3_600, cost.documents / DOCUMENTS_A_SECOND)


def in_words(seconds: float) -> str:
    """Return a time for people: 'about 9 days'."""
    for size, noun in ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= size:
            number = round(seconds / size)
            return f"about {number:,} {noun}{'' if number == 1 else 's'}"
    return "about a second"
