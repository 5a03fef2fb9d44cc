"""The three things that are compared, and how we and the peers judge each."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import TypeAlias

from publisher import data, lexicon, syntax
from publisher.findings import Finding, has_errors
from publisher.lexicon.catalog import Profile
from tests.differential.compare import Excuse, Verdict
from tests.differential.document_excuses import DOCUMENTS
from tests.differential.peers import Peers, Verdicts
from tests.differential.record_excuses import RECORDS, UNABLE
from tests.differential.records import Record
from tests.differential.string_excuses import STRINGS
from tests.differential.tree import Lexicons

Text: TypeAlias = tuple[str, str]
LONGEST = 600
PROFILES: dict[str, Profile] = {
    "pds": "publish",
    "lex strict": "publish",
    "lex": "spec",
    "lexicon": "spec",
    "atcute": "spec",
}
"""Which of our profiles each peer is held to; the package says why."""


def _short(text: str) -> str:
    half = LONGEST // 2
    return text if len(text) <= LONGEST else f"{text[:half]} … {text[-half:]} ({len(text)})"


def _errors(findings: Sequence[Finding]) -> str | None:
    errors = [
        f"{found.code} at {found.pointer or '/'}: {found.message}"
        for found in findings
        if found.severity == "error"
    ]
    return "; ".join(errors) or None


def _verdicts(answers: Verdicts, index: int, ours: dict[str, str | None]) -> list[Verdict]:
    return [
        Verdict(peer, ours[peer], column[index])
        for peer, column in answers.items()
        if column[index] != "unasked"
    ]


@dataclass(frozen=True, slots=True)
class Strings:
    """Strings of a format."""

    peers: Peers

    def judge(self, inputs: Sequence[Text]) -> list[list[Verdict]]:
        """Return each string's verdicts."""
        answers = self.peers.formats(list(inputs))
        return [
            _verdicts(answers, index, dict.fromkeys(answers, syntax.check(*given)))
            for index, given in enumerate(inputs)
        ]

    def excuses(self, input: Text, _verdict: Verdict) -> list[Excuse[Text]]:
        """Return the excuses of the string's format."""
        format = input[0]

        def lifted(excuse: Excuse[str]) -> Excuse[Text]:
            return Excuse(
                excuse.row, excuse.we, excuse.peers, lambda text: (format, excuse.settle(text[1]))
            )

        return [lifted(excuse) for excuse in STRINGS.get(format, ())]

    def shown(self, input: Text) -> str:
        """Return the format and the string."""
        return _short(f"{input[0]} {input[1]!a}")


@lru_cache(maxsize=4)
def _catalog(lexicons: Lexicons) -> lexicon.Catalog:
    with tempfile.TemporaryDirectory() as folder:
        for document in lexicons.documents:
            (Path(folder) / f"{document['id']}.json").write_text(json.dumps(document))
        catalog = lexicon.load(folder)
    assert not has_errors(catalog.findings), catalog.findings
    return catalog


@dataclass(frozen=True, slots=True)
class Records:
    """Records and the lexicons that they are held against."""

    peers: Peers

    def judge(self, inputs: Sequence[Record]) -> list[list[Verdict]]:
        """Return each record's verdicts; those of the same lexicons are best kept together."""
        judged: list[list[Verdict]] = []
        for _, group in groupby(inputs, key=lambda record: id(record.lexicons)):
            judged += self._judge_alike(list(group))
        return judged

    def _judge_alike(self, records: list[Record]) -> list[list[Verdict]]:
        self.peers.use(records[0].lexicons.documents)
        answers = self.peers.records([(each.nsid, each.rkey, each.text) for each in records])
        return [
            [_explained(each, record) for each in _verdicts(answers, index, ours(record))]
            for index, record in enumerate(records)
        ]

    def excuses(self, input: Record, verdict: Verdict) -> Sequence[Excuse[Record]]:
        """Return the excuses of records."""
        return RECORDS

    def shown(self, input: Record) -> str:
        """Return the collection, the record key and the record."""
        return _short(f"{input.nsid} {input.rkey!a} {input.text}")


@dataclass(frozen=True, slots=True)
class Documents:
    """Lexicon documents as JSON, each by itself."""

    peers: Peers

    def judge(self, inputs: Sequence[str]) -> list[list[Verdict]]:
        """Return each document's verdicts."""
        answers = self.peers.documents(list(inputs))
        said = [_errors(_faults(text)) for text in inputs]
        return [
            _verdicts(answers, index, dict.fromkeys(answers, ours_))
            for index, ours_ in enumerate(said)
        ]

    def excuses(self, _input: str, _verdict: Verdict) -> Sequence[Excuse[str]]:
        """Return the excuses of documents."""
        return DOCUMENTS

    def shown(self, input: str) -> str:
        """Return the document."""
        return _short(input)


def _faults(text: str) -> list[Finding]:
    try:
        document: object = data.loads(text)
    except data.DataError as error:
        return error.findings
    # Any JSON value is taken, though the signature asks for an object.
    return lexicon.check(document)  # type: ignore[arg-type]


def _explained(verdict: Verdict, record: Record) -> Verdict:
    """Add why the peer can't work with the lexicon, where that is known."""
    if not (verdict.theirs or "").startswith("unbuilt: "):
        return verdict
    for row, peers, applies in UNABLE:
        if verdict.peer in peers and applies(record):
            return replace(verdict, unable=row)
    return verdict


def ours(record: Record) -> dict[str, str | None]:
    """Return what we say of a record, by peer: it depends on the profile."""
    try:
        value = data.loads(record.text)
    except data.DataError as error:
        return dict.fromkeys(PROFILES, _errors(error.findings))
    catalog = _catalog(record.lexicons)
    said: dict[str, str | None] = {}
    for profile in ("publish", "spec"):
        verdict = catalog.validate(value, nsid=record.nsid, rkey=record.rkey, profile=profile)
        assert verdict.status != "unknown", verdict
        said[profile] = _errors(verdict.findings)
    return {peer: said[profile] for peer, profile in PROFILES.items()}
