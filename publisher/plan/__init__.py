"""What to do, decided before anything is done: documents, repo and lock in, actions out. Pure."""

from publisher.plan.actions import (
    Action,
    Adopt,
    Conflict,
    Create,
    Delete,
    Forget,
    Keep,
    LockEntry,
    Orphan,
    Pending,
    Place,
    RemoteChanged,
    RemoteDeleted,
    State,
    Unchanged,
    Update,
    Wishes,
)
from publisher.plan.cost import Cost, cost, in_words, seconds_at_limits
from publisher.plan.decide import changed_fields, entry_for, entry_of, plan
from publisher.plan.differences import Difference, differences
from publisher.plan.guards import Guard, guards, unmigrated
from publisher.plan.known import without_its_name
from publisher.plan.resolve import resolve

__all__ = [
    "Action",
    "Adopt",
    "Conflict",
    "Cost",
    "Create",
    "Delete",
    "Difference",
    "Forget",
    "Guard",
    "Keep",
    "LockEntry",
    "Orphan",
    "Pending",
    "Place",
    "RemoteChanged",
    "RemoteDeleted",
    "State",
    "Unchanged",
    "Update",
    "Wishes",
    "changed_fields",
    "cost",
    "differences",
    "entry_for",
    "entry_of",
    "guards",
    "in_words",
    "plan",
    "resolve",
    "seconds_at_limits",
    "unmigrated",
    "without_its_name",
]
