"""Our verdicts beside those of the reference validators; `tests.differential` says how."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import pytest

from tests.differential import campaign, peers
from tests.differential.compare import Case, Excuse, Tally, Verdict, compare
from tests.differential.kinds import ours
from tests.differential.peers import Peers
from tests.differential.records import Record
from tests.differential.tree import Lexicons
from tests.measuring import unmeasured

pytestmark = pytest.mark.xdist_group("differential")

SEED = 1
CASES = {"strings": 11_000, "published": 3_000, "generated": 6_000, "documents": 4_000}
DOCUMENT = {
    "$type": "site.standard.document",
    "site": "https://alice.example",
    "title": "Tides",
    "publishedAt": "2026-02-05T16:32:10.000Z",
}
COVER = {
    "$type": "blob",
    "ref": {"$link": "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"},
    "mimeType": "image/png",
    "size": 1_000_000,
}
RGB = {"$type": "site.standard.theme.color#rgb", "r": 0, "g": 20, "b": 255}
THEME = {
    "$type": "site.standard.theme.basic",
    "background": RGB,
    "foreground": RGB,
    "accent": RGB,
    "accentForeground": RGB,
}
PUBLICATION = {
    "$type": "site.standard.publication",
    "url": "https://alice.example",
    "name": "Tides",
}


@pytest.fixture(scope="module")
def started() -> Iterator[Peers]:
    with peers.start() as running:
        yield running


@pytest.fixture(scope="module")
def tallies(started: Peers) -> Mapping[str, Tally]:
    runs = campaign.runs(started)
    with unmeasured():
        return {name: runs[name](SEED, range(count)) for name, count in CASES.items()}


@pytest.mark.parametrize("name", CASES)
def test_every_difference_from_a_peer_is_explained(tallies: Mapping[str, Tally], name: str) -> None:
    assert tallies[name].cases == CASES[name]
    assert not tallies[name].unexplained, "\n".join(tallies[name].unexplained[:20])


def test_every_excuse_excused_something(tallies: Mapping[str, Tally]) -> None:
    used = {row for tally in tallies.values() for _, row in tally.excused + tally.unable}

    assert campaign.rows().keys() - used == set()


def test_every_excuse_is_a_decision_in_the_documentation() -> None:
    text = (campaign.ROOT / "docs" / "validation.md").read_text(encoding="utf-8")
    section = text.partition("## Where validators disagree")[2]
    told = {
        row: frozenset(name.strip() for name in names.split(","))
        for row, names in re.findall(r"^\| (.+?) \| .+ \| ([a-z ,-]+) \|$", section, re.MULTILINE)
        if row != "case"
    }

    assert told == campaign.rows()


def test_a_case_is_made_again_from_its_name() -> None:
    first, again = (campaign.generated_record(3, 25) for _ in range(2))

    assert (first.text, first.rkey) == (again.text, again.rkey)
    assert campaign.string(3, 25) == campaign.string(3, 25)
    assert campaign.string(3, 25) != campaign.string(4, 25)


# What each validator is known for, pinned: it accepts, or its first words.
ACCEPTED: Final = None
NO_THEME = "unbuilt: site.standard.publication/record/properties/basicTheme/ref: unsupported type"
FACTS: Final[Mapping[str, tuple[dict[str, Any], dict[str, str | None]]]] = {
    "a correct basicTheme": (
        {**PUBLICATION, "basicTheme": THEME},
        {
            "ours": ACCEPTED,
            "pds": ACCEPTED,
            "lex strict": ACCEPTED,
            "lex": ACCEPTED,
            "lexicon": "unbuilt: Unexpected lexicon type: record",
            "atcute": NO_THEME,
        },
    ),
    "a basicTheme without $type": (
        {**PUBLICATION, "basicTheme": {k: v for k, v in THEME.items() if k != "$type"}},
        {
            "ours": "required at /basicTheme",
            "pds": "Invalid site.standard.publication record: Expected",
            "lex strict": 'Expected "site.standard.theme.basic"',
            "lex": 'Expected "site.standard.theme.basic"',
            "lexicon": "unbuilt: Unexpected lexicon type: record",
            "atcute": NO_THEME,
        },
    ),
    "a colour without $type": (
        {**THEME, "accent": {"r": 0, "g": 20, "b": 255}},
        {
            "ours": "union-type at /accent",
            "pds": "Invalid site.standard.theme.basic record: Expected an object which includes",
            "lex strict": 'Expected an object which includes the "$type"',
            "lex": 'Expected an object which includes the "$type"',
            "lexicon": "Record/accent must be an object which includes",
            "atcute": "missing_value at .object.accent.$type",
        },
    ),
    "a datetime without a zone": (
        {**DOCUMENT, "publishedAt": "2026-02-05T16:32:10"},
        {
            "ours": "format at /publishedAt",
            "pds": "Invalid site.standard.document record: Invalid datetime",
            "lex strict": "Invalid datetime",
            "lex": ACCEPTED,
            "lexicon": ACCEPTED,
            "atcute": "invalid_string_format at .object.publishedAt",
        },
    ),
    "a zone without a colon": (
        {**DOCUMENT, "publishedAt": "2026-02-05T16:32:10+0200"},
        {
            "ours": "format at /publishedAt",
            "pds": "Invalid site.standard.document record: Invalid datetime",
            "lex strict": "Invalid datetime",
            "lex": ACCEPTED,
            "lexicon": ACCEPTED,
            "atcute": "invalid_string_format at .object.publishedAt",
        },
    ),
    "a cover of 1,000,001 bytes": (
        {**DOCUMENT, "coverImage": {**COVER, "size": 1_000_001}},
        {
            "ours": "blob-size at /coverImage/size",
            "pds": "Invalid site.standard.document record: blob too big",
            "lex strict": "blob too big",
            "lex": ACCEPTED,
            "lexicon": ACCEPTED,
            "atcute": "invalid_blob_size at .object.coverImage",
        },
    ),
    "a cover that is no image": (
        {**DOCUMENT, "coverImage": {**COVER, "mimeType": "text/html"}},
        {
            "ours": "blob-type at /coverImage/mimeType",
            "pds": 'Invalid site.standard.document record: Expected "image/*"',
            "lex strict": 'Expected "image/*"',
            "lex": ACCEPTED,
            "lexicon": ACCEPTED,
            "atcute": "invalid_blob_mime_type at .object.coverImage",
        },
    ),
    # The strict validator itself would take it; its JSON reader and the PDS's input don't.
    "a fraction in an undeclared field": (
        {**DOCUMENT, "extra": 0.5},
        {
            "ours": "float at /extra",
            "pds": "parse: Expected one of",
            "lex strict": "parse: Invalid non-integer number: 0.5",
            "lex": ACCEPTED,
            "lexicon": ACCEPTED,
            "atcute": ACCEPTED,
        },
    ),
}


@pytest.mark.parametrize("case", FACTS)
def test_what_the_reference_validators_disagree_on(started: Peers, case: str) -> None:
    value, expected = FACTS[case]
    lexicons = Lexicons(campaign.published(started))
    nsid, text = str(value["$type"]), json.dumps(value)
    record = Record(lexicons, nsid, "3mdvjx6ojy223", text)

    started.use(lexicons.documents)
    said = {
        peer: column[0] for peer, column in started.records([(nsid, record.rkey, text)]).items()
    }
    said["ours"] = ours(record)["pds"]

    assert said.keys() == expected.keys()
    for who, words in expected.items():
        assert _begins(said[who], words), f"{who}: {said[who]}"


def _begins(said: str | None, words: str | None) -> bool:
    return said is None if words is None else (said or "").startswith(words)


@dataclass(frozen=True, slots=True)
class Numbers:
    """Texts of digits: we refuse what has a 7 or more than three digits, `peer` what has a 9."""

    def judge(self, inputs: Sequence[str]) -> list[list[Verdict]]:
        return [
            [
                Verdict(
                    "peer",
                    "seven" if "7" in text else "long" if len(text) > 3 else None,
                    "nine" if "9" in text else None,
                )
            ]
            for text in inputs
        ]

    def excuses(self, _input: str, _verdict: Verdict) -> list[Excuse[str]]:
        return [_without("sevens", "refuse", "7"), _without("nines", "take", "9")]

    def shown(self, input: str) -> str:
        return f"<{input}>"


def _without(row: str, we: Literal["take", "refuse"], digit: str) -> Excuse[str]:
    return Excuse(row, we, frozenset({"peer"}), lambda text: text.replace(digit, "0"))


@pytest.mark.parametrize(
    ("text", "agreed", "excused"),
    [
        ("12", 1, {}),
        ("79", 1, {}),
        ("17", 0, {("peer", "sevens"): 1}),
        ("19", 0, {("peer", "nines"): 1}),
    ],
)
def test_a_difference_is_excused_if_both_accept_without_it(
    text: str, agreed: int, excused: dict[tuple[str, str], int]
) -> None:
    tally = compare(Numbers(), [Case("case/1/1", text)])

    assert (tally.cases, tally.agreed["peer"], tally.unexplained) == (1, agreed, [])
    assert tally.excused == excused


def test_an_excuse_hides_no_other_fault() -> None:
    tally = compare(Numbers(), [Case("case/1/1", "1007")])

    assert not tally.excused
    assert tally.unexplained == [
        "case/1/1: peer differs\n"
        "  input: <1007>\n"
        "  we:    seven\n"
        "  they:  accept it\n"
        "  without sevens: <1000>\n"
        "  we:    long\n"
        "  they:  accept it"
    ]
