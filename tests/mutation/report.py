"""After `mutmut run`: which mutants survived, each beside the reason in survivors.txt.

    python -m tests.mutation.report

Ends with 1 when a survivor has no reason there, or a reason no survivor.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

REASONS = Path(__file__).with_name("survivors.txt")
MUTMUT = Path(sys.executable).with_name("mutmut")


def main() -> int:
    """Print the score, and what survivors.txt has too little or too much."""
    results = dict(line.strip().rsplit(": ", 1) for line in told("results", "--all", "true"))
    survivors = {change(name) for name, result in results.items() if result == "survived"}
    for result, count in Counter(results.values()).most_common():
        print(f"{count:6,} {result}")
    expected = set(reasons())
    for line in sorted(survivors - expected):
        print(f"no reason: {line}")
    for line in sorted(expected - survivors):
        print(f"no survivor: {line}")
    return 1 if survivors != expected else 0


def reasons() -> Iterator[str]:
    """Yield the survivors that survivors.txt names, below a reason each."""
    for line in REASONS.read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            yield line


def change(name: str) -> str:
    """Return a mutant in a line: its function, what stood there, what stands there now."""
    function = re.sub(r"(^publisher\.|x_|xǁ|__mutmut_\d+$)", "", name).replace("ǁ", ".")
    lines = [line for line in told("show", name) if line[:1] in "+-" and line[:3] not in "+++---"]
    changed = ("".join(part.strip() for part in those(lines, sign)) for sign in "-+")
    return " | ".join((function, *changed))


def those(lines: list[str], sign: str) -> Iterator[str]:
    """Yield the lines of a diff that have this sign, without it."""
    return (line[1:] for line in lines if line.startswith(sign))


def told(*arguments: str) -> list[str]:
    """Return the lines that mutmut prints."""
    ended = subprocess.run([MUTMUT, *arguments], capture_output=True, text=True, check=True)
    return ended.stdout.splitlines()


if __name__ == "__main__":
    sys.exit(main())
