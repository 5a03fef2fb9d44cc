"""Our verdicts beside those of the validators of npm, at length: `make differential`.

    python benchmarks/differential.py [SEEDS]
    python benchmarks/differential.py strings/1/17

Prints, by peer, how often we agree, what excused the rest, and what nothing explains. With a case
that a report names, judges that one again. Ends with 1 if something is unexplained, or if an
excuse excused nothing. benchmarks/RESULTS.md keeps what was seen.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.differential import campaign, peers  # noqa: E402  # found through the line above
from tests.differential.compare import Tally  # noqa: E402

SEEDS = 4
CASES = {"strings": 22_000, "published": 15_000, "generated": 15_000, "documents": 10_000}
CHUNK = 5_000
"""What is held in memory at once."""


def main() -> int:
    """Run all seeds, or the case that is named."""
    argument = sys.argv[1] if len(sys.argv) > 1 else str(SEEDS)
    with peers.start() as started:
        runs = campaign.runs(started)
        if "/" in argument:
            name, seed, number = argument.split("/")
            return show(runs[name](int(seed), [int(number)]))
        tally, begun = Tally(), time.perf_counter()
        for seed in range(1, int(argument) + 1):
            for name, numbers in chunks():
                tally.add(runs[name](seed, numbers))
    print(f"{tally.cases:,} cases in {time.perf_counter() - begun:.0f} s")
    idle = campaign.idle(tally)
    for line in idle:
        print(f"excuses nothing: {line}")
    return show(tally) or bool(idle)


def chunks() -> Iterator[tuple[str, range]]:
    """Yield the cases of a seed in pieces."""
    for name, count in CASES.items():
        for start in range(0, count, CHUNK):
            yield name, range(start, min(count, start + CHUNK))


def show(tally: Tally) -> int:
    """Print what came of it; return 1 if something is unexplained."""
    for (peer, row), count in sorted((tally.excused + tally.unable).items()):
        print(f"{count:>7}  {peer:12}  {row}")
    for peer, count in sorted(tally.agreed.items()):
        excused = sum(n for (name, _), n in tally.excused.items() if name == peer)
        unable = sum(n for (name, _), n in tally.unable.items() if name == peer)
        print(f"{peer}: {count:,} agreed, {excused:,} excused, {unable:,} without a verdict")
    for report in tally.unexplained:
        print(report)
    print(f"unexplained: {len(tally.unexplained):,}")
    return bool(tally.unexplained)


if __name__ == "__main__":
    sys.exit(main())
