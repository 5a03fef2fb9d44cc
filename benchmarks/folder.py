"""`publisher validate` over a folder, beside reading and parsing the same files in one process.

    python benchmarks/folder.py [markdown] [json]

The floor is the fastest parsers (orjson; libyaml, for the front matter alone) and nothing else.
Both are whole programs with their start, run in turns; the first turn, uncounted, warms up. CPU is
user and system time of all their processes.
"""

from __future__ import annotations

import json
import os
import platform
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
SITE = "https://alice.example"
DOCUMENTS = 10_000
TURNS = 7
FOLDERS = 20

FLOORS = {
    "markdown": """
import pathlib, yaml
for path in pathlib.Path("content").rglob("*.md"):
    yaml.load(path.read_text("utf-8").split("---\\n", 2)[1], yaml.CSafeLoader)
""",
    "json": """
import pathlib, orjson
for path in pathlib.Path("content").rglob("*.json"):
    orjson.loads(path.read_bytes())
""",
}
TEXT = """
about after again tide harbour table column morning ferry water engine letter between north lantern
café window quiet measure early which where small stone the and of to in it is was for onto with at
by from that this a they had not but as were there one their when so out up
"""
WORDS = TEXT.split()


def main() -> None:
    """Measure the kinds that are named, or both."""
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    for kind in sys.argv[1:] or FLOORS:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            size = write_site(folder, kind, DOCUMENTS)
            print(f"\n{DOCUMENTS:,} {kind} documents of {size // DOCUMENTS:,} bytes, {TURNS} turns")
            compare(folder, kind)


def write_site(folder: Path, kind: str, documents: int) -> int:
    """Write publisher.toml and the documents; return how many bytes these have."""
    for number in range(FOLDERS):
        (folder / f"content/{number:02}").mkdir(parents=True)
    settings = f'repo = "folder:./repo"\nsite = "{SITE}"\ndocuments = "content"\n'
    (folder / "publisher.toml").write_text(settings, "utf-8")
    suffix, document = (".md", markdown) if kind == "markdown" else (".json", indented)
    size = 0
    for number in range(documents):
        path = folder / f"content/{number % FOLDERS:02}/{number:05}{suffix}"
        size += path.write_bytes(document(number).encode())
    return size


def markdown(number: int) -> str:
    """Return a document of about 3 KB with ordinary front matter."""
    words = random.Random(number)  # noqa: S311  # the same text in every run
    head = [
        f'title: "{sentence(words, 6)[:-1]}"',
        f"date: {day(number)}:00+01:00",
        f"description: {sentence(words, 18)}",
        "tags:",
        *(f"  - {tag}" for tag in words.sample(WORDS, 3)),
    ]
    return "\n".join(["---", *head, "---", "", body(words, 2_700), ""])


def day(number: int) -> str:
    """Return a day and minute of the past."""
    return f"2025-{number % 12 + 1:02}-{number % 28 + 1:02}T{number % 24:02}:30"


def body(words: random.Random, size: int) -> str:
    """Return Markdown of about `size` bytes, as one finds it in a blog."""
    blocks, length, turn = [], 0, 0
    kinds = (text, text, quote, text, items, text, heading, text, code, linked)
    while length < size:
        blocks.append(kinds[turn % len(kinds)](words))
        length += len(blocks[-1].encode()) + 2
        turn += 1
    return "\n\n".join(blocks)


def text(words: random.Random) -> str:
    """Return a paragraph of three lines with some emphasis."""
    one, other = words.choices(WORDS, k=2)
    lines = [sentence(words, 14) for _ in range(3)]
    lines[1] = f"It was *{one}*, and **not {other}**. {lines[1]}"
    return "\n".join(lines)


def linked(words: random.Random) -> str:
    """Return a paragraph with a link and a piece of code."""
    one, other = words.choices(WORDS, k=2)
    link = f"See [{one} {other}]({SITE}/{one}), or run `make {other}`."
    return " ".join((sentence(words, 12), link, sentence(words, 12)))


def quote(words: random.Random) -> str:
    """Return a quotation."""
    return f"> {sentence(words, 15)}\n> {sentence(words, 15)}"


def items(words: random.Random) -> str:
    """Return a list of four items."""
    return "\n".join(f"- {sentence(words, 7)}" for _ in range(4))


def heading(words: random.Random) -> str:
    """Return a heading."""
    return f"## {sentence(words, 4)[:-1]}"


def code(words: random.Random) -> str:
    """Return a block of code."""
    return "```python\n" + "\n".join(f"{words.choice(WORDS)} = {n}" for n in range(3)) + "\n```"


def sentence(words: random.Random, count: int) -> str:
    """Return a sentence of so many words."""
    return " ".join(words.choices(WORDS, k=count)).capitalize() + "."


def record(number: int, size: int = 2_900) -> dict[str, object]:
    """Return a record with about so many bytes of text, half of them in its content."""
    words = random.Random(number)  # noqa: S311  # the same text in every run
    written = body(words, size // 2)
    return {
        "$type": "site.standard.document",
        "site": SITE,
        "path": f"/{number:07}",
        "title": sentence(words, 6)[:-1],
        "description": sentence(words, 18),
        "publishedAt": f"{day(number)}:00.000Z",
        "tags": words.sample(WORDS, 3),
        "textContent": " ".join(sentence(words, 14) for _ in range(size // 150)),
        "content": {
            "$type": "at.markpub.markdown",
            "flavor": "gfm",
            "text": {"$type": "at.markpub.text", "markdown": written},
        },
    }


def indented(number: int) -> str:
    """Return a record as files have it."""
    return json.dumps(record(number), indent=2, ensure_ascii=False)


def compare(folder: Path, kind: str) -> None:
    """Run the floor and the command in turns, and print what each took."""
    python = sys.executable
    programs = {
        "read and parse (floor)": [python, "-c", FLOORS[kind]],
        "publisher validate": [python, "-m", "publisher", "validate"],
    }
    seen: dict[str, list[tuple[float, float]]] = {name: [] for name in programs}
    for _ in range(TURNS + 1):
        for name, program in programs.items():
            seen[name].append(cost(program, folder))
    for name, figures in seen.items():
        seconds, cpu = zip(*figures[1:], strict=True)
        print(f"{name:24} {spread(seconds, ' s')}   CPU {statistics.median(cpu):.3f} s")
    floor, ours = ([seconds for seconds, _ in figures[1:]] for figures in seen.values())
    ratios = [mine / least for mine, least in zip(ours, floor, strict=True)]
    print(f"{'ratio':24} {spread(ratios, '')}")


def surroundings() -> dict[str, str]:
    """Return the environment of what is measured: it keeps its bytecode, as what is installed."""
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPATH": str(ROOT)}


def cost(program: Sequence[str], folder: Path) -> tuple[float, float]:
    """Return the seconds that a program takes, and those of CPU."""
    environment = surroundings()
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    ended = subprocess.run(program, cwd=folder, env=environment, check=True, capture_output=True)
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    assert ended.stdout in {b"", f"{DOCUMENTS:,} valid\n".encode()}, ended.stdout
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def spread(figures: Sequence[float], unit: str) -> str:
    """Return the median with the range."""
    middle = statistics.median(figures)
    return f"{middle:.3f}{unit} ({min(figures):.3f} to {max(figures):.3f})"


if __name__ == "__main__":
    main()
