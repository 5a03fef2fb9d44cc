"""JSON text to verdict on one core, beside @atproto/lex and @atproto/lexicon, in one run.

    python benchmarks/validators.py [--rounds N] [KIND…]

Each round gives every validator the same file in turn. Prints medians in records a second, with
their range, and ours as a ratio to each; benchmarks/RESULTS.md keeps what was seen.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from publisher import data, lexicon  # noqa: E402  # found through the line above
from publisher.lexicon.leaves import count_graphemes  # noqa: E402
from tests import reference_pds  # noqa: E402

PEERS = ("lex", "lexicon")
RECORDS = {"good": 10_000, "bad": 10_000, "counted": 1_000, "uncounted": 2_000}
WORDS = (
    *("the", "first", "column", "is", "always", "time", "and", "tide", "wait", "for", "no"),
    *(
        "harbour",
        "light",
        "—",
        "it\u2019s",
        "a",
        "long",
        "way",
        "round",
        "the",
        "café",
        "by",
        "the",
    ),
    *("quay", "where", "boats", "come", "at", "noon", "with", "rope", "sails", "salt", "stories"),
)
# Languages and habits in which neither bytes nor code points say how many graphemes there are.
TEXTS = (
    "\u0939\u093f\u0928\u094d\u0926\u0940 \u092e\u0947\u0902 \u091c\u094d\u0935\u093e\u0930 "
    "\u0915\u0940 \u0938\u093e\u0930\u0923\u0940 \u092a\u0922\u093c\u0928\u093e ",
    unicodedata.normalize("NFD", "Bảng thủy triều cho biết giờ nước lên và nước xuống ở bến. "),
    "Таблица приливов: первый столбец — всегда время 👨‍👩‍👧‍👦, второй — высота 🇩🇪👍🏽. ",
    unicodedata.normalize("NFD", "물때표의 첫째 칸은 언제나 시각이다. "),
)


def prose(chance: random.Random) -> str:
    """Return some paragraphs of Markdown, about 1.4 KB."""
    lines = []
    for _ in range(12):
        words = chance.choices(WORDS, k=20)
        words[3], words[9], words[15] = f"**{words[3]}**", f'"{words[9]}"', f"`{words[15]}`"
        lines.append(" ".join(words) + ".")
    return "\n\n".join(lines)


def good(number: int, chance: random.Random) -> dict[str, Any]:
    """Return a record of 3 to 4 KB, as a static site or a newsroom publishes it."""
    body = prose(chance)
    return {
        "$type": "site.standard.document",
        "site": "at://did:plc:44ybard66vv44zksje25o7dz/site.standard.publication/3lwafzkjqm25s",
        "title": " ".join(chance.choices(WORDS, k=7)),
        "path": f"/posts/{number:05}",
        "description": " ".join(chance.choices(WORDS, k=24)),
        "publishedAt": f"2026-0{number % 9 + 1}-05T16:32:10.000Z",
        "updatedAt": "2026-10-05T16:32:10+02:00",
        "tags": ["sea", "tables", "harbour"],
        "coverImage": {
            "$type": "blob",
            "ref": {"$link": "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"},
            "mimeType": "image/png",
            "size": 24_000 + number,
        },
        "content": {
            "$type": "at.markpub.markdown",
            "flavor": "gfm",
            "text": {"$type": "at.markpub.text", "markdown": body},
        },
        "textContent": body.replace("**", "").replace("`", ""),
    }


FAULTS: tuple[Callable[[dict[str, Any]], object], ...] = (
    lambda record: record.pop("title"),
    lambda record: record.update(title=1),
    lambda record: record.update(publishedAt="2026-02-05"),
    lambda record: record.update(tags=["sea", 2, "t" * 2000]),
    lambda record: record.update(description=None),
    lambda record: record["coverImage"].update(size=1_000_001),
    lambda record: record["coverImage"].update(mimeType="text/plain"),
    lambda record: record.update(site="alice.example"),
    lambda record: record.update(contributors=[{"displayName": "A"}]),
)


def bad(number: int, chance: random.Random) -> dict[str, Any]:
    """Return a record with one to three faults of its lexicon."""
    record = good(number, chance)
    for fault in chance.sample(FAULTS, 1 + number % 3):
        if "title" in record:
            fault(record)
    return record


def counted(number: int, chance: random.Random) -> dict[str, Any]:
    """Return a record whose long description must be counted in graphemes, and is short enough."""
    text = TEXTS[number % len(TEXTS)]
    description = text * (2_900 // count_graphemes(text))
    return good(number, chance) | {"description": description}


def uncounted(number: int, chance: random.Random) -> dict[str, Any]:
    """Return a record of 30 KB in Russian and Japanese: long, and decided by its code points."""
    text = "Первый столбец — всегда время. 海の時間表を読む。" * 200
    return good(number, chance) | {"description": text[:2_900], "textContent": text}


KINDS = {"good": good, "bad": bad, "counted": counted, "uncounted": uncounted}


def main() -> None:
    """Run the kinds that are named, or all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("kinds", nargs="*", default=list(KINDS), metavar="KIND")
    given = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    print(f"{platform.machine()}, one core, Python {platform.python_version()}\n")
    with tempfile.TemporaryDirectory() as folder, Peers() as ask:
        for kind in given.kinds:
            compare(kind, write(kind, Path(folder)), given.rounds, ask)


def write(kind: str, folder: Path) -> Path:
    """Write a file of JSON lines."""
    chance = random.Random(kind)  # noqa: S311  # the same records in every run
    path = folder / f"{kind}.jsonl"
    records = (KINDS[kind](number, chance) for number in range(RECORDS[kind]))
    lines = (json.dumps(record, ensure_ascii=False, separators=(",", ":")) for record in records)
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


class Peers:
    """The Node process that runs the other validators."""

    def __init__(self) -> None:
        script = Path(__file__).with_name("validators.mjs")
        arguments = [reference_pds.node(), script, reference_pds.install(), ROOT / "lexicons"]
        self._process = subprocess.Popen(
            arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Callable[[str, Path], dict[str, Any]]:
        return self._ask

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def _ask(self, name: str, path: Path) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{name} {path}\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


def compare(kind: str, path: Path, rounds: int, ask: Callable[[str, Path], dict[str, Any]]) -> None:
    """Give the file to every validator in turn, and print what each did."""
    catalog = lexicon.load(ROOT / "lexicons")
    seconds: dict[str, list[float]] = {name: [] for name in (*PEERS, "ours")}
    valid: dict[str, int] = {}
    for _ in range(rounds + 1):  # the first warms up
        for name in PEERS:
            answer = ask(name, path)
            seconds[name].append(answer["seconds"])
            valid[name] = answer["valid"]
        taken, valid["ours"] = ours(catalog, path)
        seconds["ours"].append(taken)
    print(f"{kind}: {RECORDS[kind]:,} records of {path.stat().st_size // RECORDS[kind]:,} bytes")
    own = statistics.median(seconds["ours"][1:])
    for name, times in seconds.items():
        middle = statistics.median(times[1:])
        rates = [RECORDS[kind] / taken for taken in (max(times[1:]), min(times[1:]))]
        print(
            f"  {name:8} {RECORDS[kind] / middle:9,.0f} a second"
            f"  ({rates[0]:,.0f} to {rates[1]:,.0f}), {valid[name]:,} valid,"
            f" ours is {middle / own:.2f} times as fast"
        )


def ours(catalog: lexicon.Catalog, path: Path) -> tuple[float, int]:
    """Return the seconds from text to verdict for a whole file, and how many records are valid."""
    lines = path.read_bytes().split(b"\n")
    valid = 0
    start = time.perf_counter()
    for line in lines:
        try:
            value: object = data.loads(line)
        except data.DataError as error:
            value = error.value
        valid += catalog.validate(value).status == "valid"
    return time.perf_counter() - start, valid


if __name__ == "__main__":
    main()
