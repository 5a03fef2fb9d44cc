"""Makes the tests run under mutmut: a plugin of pytest for that run alone."""

from __future__ import annotations

import sys
from types import FunctionType

import pytest

# Each function of the package is called through two more.
sys.setrecursionlimit(5_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what starts the program: it would look for mutmut's settings where it runs."""
    items[:] = [item for item in items if not _starts_the_program(item)]


def _starts_the_program(item: pytest.Item) -> bool:
    return isinstance(item, pytest.Function) and _calls_run(item.function)


def _calls_run(function: FunctionType) -> bool:
    """Tell whether a function calls `tests.site.run`, itself or through one of its module."""
    names = function.__code__.co_names
    called = (function.__globals__.get(name) for name in names)
    return "run" in names or any(
        isinstance(other, FunctionType) and "run" in other.__code__.co_names for other in called
    )
