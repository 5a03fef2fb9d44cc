"""The proof of a repo's CAR alone, as verify_repo.mjs has it of the reference implementation.

    python benchmarks/pull_prove.py CAR DID

The CAR is read, hashed and walked, and its tree built again. No signature is checked, no record is
decoded. Prints the seconds.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from publisher.archive import CarFile, prove


def main() -> None:
    """Prove it."""
    car, did = sys.argv[1:]
    with Path(car).open("rb") as file:
        start = time.perf_counter()
        proven = prove(CarFile(file), did=did, key=None)
        assert proven.items
        print(time.perf_counter() - start)


if __name__ == "__main__":
    main()
