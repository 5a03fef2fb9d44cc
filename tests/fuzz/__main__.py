"""The whole campaign, or one of its inputs again."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from collections.abc import Iterator

from tests.fuzz.campaign import Campaign, Failure, Tally, made
from tests.fuzz.targets import TARGETS

_SHOWN = 400  # bytes of an input that failed


def main() -> int:
    """Run, say what was found, and return the exit status."""
    options = _options()
    targets = [t for t in TARGETS if not options.target or t.name in options.target]
    if options.number is not None:
        for target in targets:
            content = made(target, options.seed, options.number)
            sys.stdout.write(f"{target.name} {options.number}: {content!r}\n")
            target.run(content)
        return 0
    logging.disable()  # Pillow tells of damaged images
    campaign, began = Campaign(options.seed), time.perf_counter()
    campaign.run(targets, range(options.inputs), jobs=options.jobs)
    seconds = time.perf_counter() - began
    sys.stdout.writelines(f"{line}\n" for line in _lines(campaign, seconds))
    return 1 if campaign.failures else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    names = [target.name for target in TARGETS]
    parser.add_argument("--inputs", type=int, default=20_000, help="for each target")
    parser.add_argument("--seed", default="1", help="the same one makes the same inputs")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes at once")
    parser.add_argument("--target", action="append", choices=names, help="only this; repeatable")
    parser.add_argument("--number", type=int, help="only this input, in this process")
    return parser.parse_args()


def _lines(campaign: Campaign, seconds: float) -> Iterator[str]:
    yield "| target | inputs | mean bytes | seconds | slowest | largest process | failures |"
    yield "|---|---|---|---|---|---|---|"
    total = Tally()
    for name, tally in sorted(campaign.tallies.items()):
        yield _row(name, tally, sum(failure.target == name for failure in campaign.failures))
        total.add(tally)
    yield _row("all", total, len(campaign.failures))
    yield f"\n{total.inputs:,} inputs in {seconds:.0f} s, seed {campaign.seed}"
    groups: dict[tuple[str, str], list[Failure]] = {}
    for failure in campaign.failures:
        groups.setdefault((failure.target, _where(failure.reason)), []).append(failure)
    for (name, _), group in groups.items():
        first = min(group, key=lambda failure: len(failure.content))
        yield f"\n{name}, {len(group)} like this one, which can be run again with"
        yield f"--seed {campaign.seed} --target {name} --number {first.number}"
        yield f"{first.content[:_SHOWN]!r} ({len(first.content):,} bytes)"
        yield first.reason


def _where(reason: str) -> str:
    """Return what tells one kind of failure from another: the exception and the place."""
    *before, last = reason.splitlines()
    places = [line for line in before if line.startswith("  File")]
    return last.partition(":")[0] + "".join(places[-1:])


def _row(name: str, tally: Tally, failures: int) -> str:
    mean = tally.size // max(1, tally.inputs)
    slowest, peak = f"{tally.slowest * 1000:.0f} ms", f"{tally.peak >> 20} MiB"
    return (
        f"| {name} | {tally.inputs:,} | {mean:,} | {tally.seconds:.1f} | {slowest} | {peak}"
        f" | {failures} |"
    )


if __name__ == "__main__":
    sys.exit(main())
