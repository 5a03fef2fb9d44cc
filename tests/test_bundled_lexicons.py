"""The lexicons shipped with the project.

They are written in our own words, but must describe exactly the same data as the published
ones. Set PUBLISHER_TEST_REFERENCE to a folder that holds the published files under
``lexicons/<nsid>.json`` to compare the two.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

LEXICONS = Path(__file__).resolve().parent.parent / "lexicons"
FILES = sorted(LEXICONS.rglob("*.json"))
REFERENCE = os.environ.get("PUBLISHER_TEST_REFERENCE")

EXPECTED = {
    "at.markpub.facets.baseBlocks",
    "at.markpub.facets.baseFormatting",
    "at.markpub.lens",
    "at.markpub.markdown",
    "at.markpub.text",
    "com.atproto.label.defs",
    "com.atproto.repo.strongRef",
    "site.standard.document",
    "site.standard.graph.recommend",
    "site.standard.graph.subscription",
    "site.standard.publication",
    "site.standard.theme.basic",
    "site.standard.theme.color",
}


def nsid_of(path: Path) -> str:
    return ".".join(path.relative_to(LEXICONS).with_suffix("").parts)


def load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def structure(node: Any, *, names: bool = False) -> Any:
    """A copy without annotations; `names` is set where the keys are names, not keywords."""
    if isinstance(node, list):
        return [structure(item) for item in node]
    if isinstance(node, dict):
        return {
            key: structure(value, names=not names and key in {"properties", "defs"})
            for key, value in node.items()
            if names or key != "description"
        }
    return node


def canonical(node: Any) -> str:
    """JSON text to compare, since in Python True == 1 and 1 == 1.0."""
    return json.dumps(structure(node), sort_keys=True, indent=1)


def test_every_lexicon_is_there() -> None:
    assert {nsid_of(path) for path in FILES} >= EXPECTED


@pytest.mark.parametrize("path", FILES, ids=nsid_of)
def test_is_a_lexicon_whose_path_is_its_id(path: Path) -> None:
    document = load(path)
    assert isinstance(document, dict)
    assert type(document["lexicon"]) is int
    assert document["lexicon"] == 1
    assert document["id"] == nsid_of(path)
    assert isinstance(document["defs"], dict)
    assert document["defs"]


def test_structure_keeps_a_property_named_description() -> None:
    schema = {
        "description": "an annotation",
        "defs": {"description": {"type": "object", "description": "another"}},
        "properties": {"description": {"type": "string", "description": "a third"}},
    }
    assert structure(schema) == {
        "defs": {"description": {"type": "object"}},
        "properties": {"description": {"type": "string"}},
    }


@pytest.mark.skipif(
    not REFERENCE,
    reason="PUBLISHER_TEST_REFERENCE does not name a folder with the published lexicons",
)
@pytest.mark.parametrize("path", FILES, ids=nsid_of)
def test_same_structure_as_the_published_one(path: Path) -> None:
    assert REFERENCE
    published = Path(REFERENCE) / "lexicons" / f"{nsid_of(path)}.json"
    assert canonical(load(path)) == canonical(load(published))
