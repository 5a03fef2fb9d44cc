"""The SDK at the same job, unproven: its client lists the records, and each becomes a file.

    python benchmarks/pull_sdk.py URL DID COLLECTION [OUT]

Prints how many records there were. Without OUT nothing is written.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from atproto_client import Client  # type: ignore[import-untyped]
from atproto_client.models.utils import get_model_as_dict  # type: ignore[import-untyped]


def main() -> None:
    """List, and write."""
    url, did, collection, *out = sys.argv[1:]
    client = Client(url)
    cursor, count = None, 0
    while True:
        page = client.com.atproto.repo.list_records(
            {"repo": did, "collection": collection, "limit": 100, "cursor": cursor}
        )
        for record in page.records:
            count += 1
            if out:
                write(Path(out[0]) / collection, record)
        cursor = page.cursor
        if not cursor:
            break
    print(count)


def write(folder: Path, record: object) -> None:
    """Write a record's value as JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    rkey = record.uri.rpartition("/")[2]  # type: ignore[attr-defined]  # the SDK has no types
    value = get_model_as_dict(record.value)  # type: ignore[attr-defined]
    (folder / f"{rkey}.json").write_text(json.dumps(value, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
