"""What a person should look at before it is done. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from publisher.plan.actions import Action, Create, Delete, Orphan, Unchanged, Update
from publisher.syntax import Did

GuardName = Literal["origin", "empty", "delete", "mass-update", "mass-create"]
FEW = 5
"""So many of anything need no guard."""


@dataclass(frozen=True, slots=True)
class Guard:
    """Why a plan stops, and how it goes on."""

    name: GuardName
    message: str
    remedy: str


def guards(
    actions: Sequence[Action],
    *,
    documents: int,
    locked: int,
    unclaimed: int,
    origin: Did | None = None,
) -> list[Guard]:
    """Return what stands in the way of a plan.

    `documents` are those that are there (invalid ones and drafts too), `locked` the lines of the
    lock, `unclaimed` the records of the same collections that belong to no document. `origin` is
    the repo that the documents were pulled from, if it is another and they weren't migrated.
    """
    creates = sum(isinstance(action, Create) for action in actions)
    updates = sum(isinstance(action, Update) for action in actions)
    unchanged = sum(isinstance(action, Unchanged) for action in actions)
    deletes = sum(isinstance(action, Delete) for action in actions)
    known = deletes + sum(isinstance(a, (Orphan, Update, Unchanged)) for a in actions)
    found: list[Guard] = []
    if origin and creates + updates:
        found.append(unmigrated(origin, creates + updates))
    if deletes and not documents:
        found.append(_guard("empty", f"there is no document any more: {deletes:,} would go"))
    elif deletes > max(FEW, known // 10):
        found.append(_guard("delete", f"{deletes:,} of {known:,} records would be deleted"))
    if updates > max(FEW, (updates + unchanged) // 2):
        words = f"{updates:,} of {updates + unchanged:,} published documents would be updated"
        found.append(_guard("mass-update", words))
    if not locked and unclaimed and creates > max(FEW, documents // 2):
        words = (
            f"{creates:,} of {documents:,} documents would be created, and the repo has "
            f"{unclaimed:,} records that belong to none"
        )
        found.append(_guard("mass-create", words))
    return found


def unmigrated(origin: Did, writes: int) -> Guard:
    """Return the guard of documents that were pulled from another repo, as they are."""
    message = (
        f"the documents were pulled from {origin}, and {writes:,} would be written with references "
        "to its records as they are"
    )
    remedy = (
        f"to lead them to the new ones, publish with --migrate-from {origin}; to leave them, with "
        "--allow origin"
    )
    return Guard("origin", message, remedy)


def _guard(name: GuardName, message: str) -> Guard:
    return Guard(name, message, f"if that is right, publish with --allow {name}")
