"""The memory of `publisher validate` over JSON lines: it doesn't grow with the file.

    python benchmarks/jsonl.py [records]

A file of 1,000,000 records of 300 to 3,500 bytes, unless another number is said, and one of a
tenth of them. Linux only: /proc is looked at ten times a second. Pages that processes share count
in each of them.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from folder import record, surroundings

KINDS = 1_000  # different texts


def main() -> None:
    """Measure a tenth of the records, then all."""
    most = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    for count in (most // 10, most):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "records.jsonl")
            with path.open("wb") as file:
                file.writelines(lines(count))
            measure(path, count)


def lines(count: int) -> Iterator[bytes]:
    """Yield the records, each with a path of its own; every fifth has neither text nor content."""
    texts = []
    for number in range(KINDS):
        value = record(number, 50 + 27 * number // 10)
        if number % 5 == 0:
            del value["textContent"], value["content"]
        texts.append(json.dumps(value, ensure_ascii=False).encode())
    for number in range(count):
        text = texts[number % KINDS]
        yield text.replace(b'"path": "/', b'"path": "/%d/' % number, 1) + b"\n"


def measure(path: Path, count: int) -> None:
    """Run the command, and print its seconds and the most memory seen."""
    start = time.perf_counter()
    program = [sys.executable, "-m", "publisher", "validate", path.name]
    environment = surroundings()
    pipe = subprocess.PIPE
    with subprocess.Popen(program, cwd=path.parent, env=environment, stdout=pipe) as process:
        largest, together = watch(process)
        told = process.stdout.read().decode() if process.stdout else ""
    seconds = time.perf_counter() - start
    assert told == f"{count:,} valid\n", told
    size = f"{path.stat().st_size / 1e9:.2f} GB"
    memory = f"{largest >> 10} MiB in the largest process, {together >> 10} MiB together"
    print(
        f"{count:9,} records, {size}: {seconds:6.1f} s, {count / seconds:,.0f} a second; {memory}"
    )


def watch(process: subprocess.Popen[bytes]) -> tuple[int, int]:
    """Wait for a process; return the most KiB seen in one of its family, and in all together."""
    largest = together = 0
    while process.poll() is None:
        sizes = [resident(pid) for pid in family(process.pid)]
        largest, together = max(largest, *sizes, 0), max(together, sum(sizes))
        time.sleep(0.1)
    return largest, together


def family(pid: int) -> Iterator[int]:
    """Yield a process and those below it."""
    yield pid
    try:
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in children.read_text().split():
                yield from family(int(child))
    except OSError:  # it has ended
        return


def resident(pid: int) -> int:
    """Return the KiB of a process that are in memory; 0 when it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if "VmRSS" in line), 0)


if __name__ == "__main__":
    main()
