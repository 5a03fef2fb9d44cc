"""The documents of a large folder don't fit into memory; what is kept of each of them does."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from publisher.apply import applier
from tests.measuring import unmeasured
from tests.site import Site, actions, make_site

BODY = "All of the water came back with the tide. " * 1_200
"""50 KB: a record, with its plain text, has twice as much."""

FEW, MANY = 60, 140  # more than are on their way together, and twice as many
KEPT = len(BODY) // 2  # bytes of a document at most


@pytest.fixture(autouse=True)
def traced() -> Iterator[None]:
    """Trace what is allocated, and measure no lines: both together take too long."""
    with unmeasured():
        tracemalloc.start()
        yield
        tracemalloc.stop()


def sites(folder: Path) -> Iterator[Site]:
    """Yield a small site, for what is only made once, and those that are compared."""
    for number in (1, FEW, MANY):
        site = make_site(folder / str(number))
        for name in range(number):
            site.write(f"{name:03}.md", BODY + str(name))
        yield site


def edit(sites: Iterable[Site]) -> None:
    """Change every document."""
    for path in (path for site in sites for path in site.content.iterdir()):
        path.write_text(path.read_text("utf-8") + "And went.\n", "utf-8")


def peak(site: Site, action: str) -> int:
    """Publish; return the most bytes that were held at once."""
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    report = site.publish(allow=frozenset({"mass-update"}))
    assert set(actions(report).values()) == {action}
    return tracemalloc.get_traced_memory()[1] - before


def test_documents_are_not_all_held_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(applier, "HELD_AHEAD", 1 << 20)
    found = list(sites(tmp_path))
    for action in ("create", "unchanged", "update"):
        if action == "update":
            edit(found)
        _, few, many = [peak(site, action) for site in found]
        assert many - few < (MANY - FEW) * KEPT, action
