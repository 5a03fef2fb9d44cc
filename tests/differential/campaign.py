"""Cases by name: the same name gives the same input, on any machine."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Final, TypeAlias

from tests.differential import documents, lexicons, records, strings
from tests.differential.compare import Case, Input, Kind, Tally, compare
from tests.differential.document_excuses import DOCUMENTS
from tests.differential.kinds import Documents, Records, Strings, Text
from tests.differential.peers import Peers
from tests.differential.record_excuses import RECORDS, UNABLE
from tests.differential.records import Record
from tests.differential.tree import Lexicons

Run: TypeAlias = Callable[[int, Sequence[int]], Tally]
"""Compares the cases of a seed that have these numbers."""

ROOT: Final = Path(__file__).parents[2]
RECORDS_OF_A_LEXICON: Final = 20
ENDPOINTS: Final = documents.endpoints()
_ALONE: Final = ("lens", "markdown", "text")
"""Definitions of at.markpub that no record of ours refers to."""


def runs(peers: Peers) -> Mapping[str, Run]:
    """Return what can be compared: strings, records of two sorts of lexicons, and lexicons."""
    real = Lexicons(published(peers))
    kind = Records(peers)
    return {
        "strings": partial(_run, Strings(peers), "strings", string),
        "published": partial(_run, kind, "published", partial(published_record, real)),
        "generated": partial(_run, kind, "generated", generated_record),
        "documents": partial(_run, Documents(peers), "documents", partial(document, real)),
    }


def _run(
    kind: Kind[Input],
    name: str,
    make: Callable[[int, int], Input],
    seed: int,
    numbers: Sequence[int],
) -> Tally:
    cases = [Case(f"{name}/{seed}/{number}", make(seed, number)) for number in numbers]
    return compare(kind, cases)


def string(seed: int, number: int) -> Text:
    """Return a string, the formats taking turns."""
    format = strings.FORMATS[number % len(strings.FORMATS)]
    return format, strings.mutated(format, strings.seeded(f"string {seed} {number}"))


def published(peers: Peers) -> list[dict[str, Any]]:
    """Return our lexicons, those of the PDS that are not among them, and records of at.markpub."""
    ours = [json.loads(path.read_bytes()) for path in sorted((ROOT / "lexicons").rglob("*.json"))]
    names = {document["id"] for document in ours}
    theirs = [document for document in peers.published() if document["id"] not in names]
    return [*ours, *theirs, *map(_holder, _ALONE)]


def _holder(name: str) -> dict[str, Any]:
    properties = {"it": {"type": "ref", "ref": f"at.markpub.{name}"}}
    record = {"type": "object", "required": ["it"], "properties": properties}
    main = {"type": "record", "key": "any", "record": record}
    return {"lexicon": 1, "id": f"example.markpub.{name}", "defs": {"main": main}}


def published_record(real: Lexicons, seed: int, number: int) -> Record:
    """Return a record of one of the published collections, which take turns."""
    collections = real.records()
    random = strings.seeded(f"published {seed} {number}")
    return records.record(real, collections[number % len(collections)], random)


def generated_record(seed: int, number: int) -> Record:
    """Return a record of a generated lexicon, which a few numbers share."""
    return records.record(
        _generated(seed, number // RECORDS_OF_A_LEXICON),
        lexicons.HOME,
        strings.seeded(f"generated {seed} {number}"),
    )


@lru_cache(maxsize=4)
def _generated(seed: int, number: int) -> Lexicons:
    return lexicons.generated(strings.seeded(f"lexicons {seed} {number}"))


def document(real: Lexicons, seed: int, number: int) -> str:
    """Return a lexicon: a published one, a generated one, or one of an endpoint, mostly broken."""
    random = strings.seeded(f"document {seed} {number}")
    made = lexicons.generated(random).documents
    return documents.document(random.choice((real.documents, made, ENDPOINTS)), random)


def rows() -> Mapping[str, frozenset[str]]:
    """Return the peers of each excuse by its row of docs/validation.md."""
    given = [
        *((excuse.row, excuse.peers) for excuse in RECORDS),
        *((excuse.row, excuse.peers) for excuse in DOCUMENTS),
        *((row, peers) for row, peers, _ in UNABLE),
    ]
    found: dict[str, frozenset[str]] = {}
    for row, peers in given:
        found[row] = found.get(row, frozenset()) | peers
    return found


def idle(tally: Tally) -> list[str]:
    """Return the excuses that excused nothing, each with the peer that doesn't need it.

    The PDS is left out: it judges strings as `lex strict` does, and few records have such ones.
    """
    used = tally.excused.keys() | tally.unable.keys()
    known = {(peer, row) for row, peers in rows().items() for peer in peers if peer != "pds"}
    return sorted(f"{row} ({peer})" for peer, row in known - used)
