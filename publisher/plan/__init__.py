"""What to do, decided before anything is done: documents, repo and lock in, actions out. Pure."""

from publisher.plan.actions import (
    Action,
    Adopt,
    Conflict,
    Create,
    Forget,
    LockEntry,
    Orphan,
    State,
    Unchanged,
    Update,
)
from publisher.plan.decide import changed_fields, entry_of, plan

__all__ = [
    "Action",
    "Adopt",
    "Conflict",
    "Create",
    "Forget",
    "LockEntry",
    "Orphan",
    "State",
    "Unchanged",
    "Update",
    "changed_fields",
    "entry_of",
    "plan",
]
