"""The floor under pulling: a raw getRepo, and files with the same content written the same way.

    python benchmarks/pull_floor.py URL DID FOLDER OUT

FOLDER is what `publisher pull` wrote. Each of its files is read before the clock starts, and
written to OUT: a temporary file beside it, then renamed. Prints the seconds of the download, and of
both. Without OUT nothing is written.
"""

from __future__ import annotations

import http.client
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit


def main() -> None:
    """Download, then write."""
    url, did, folder, *out = sys.argv[1:]
    contents = {
        path.relative_to(folder): path.read_bytes()
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }
    connection = http.client.HTTPConnection(urlsplit(url).netloc.replace("localhost", "127.0.0.1"))
    connection.connect()
    start = time.perf_counter()
    connection.request("GET", f"/xrpc/com.atproto.sync.getRepo?did={did}")
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status == 200, body[:200]
    downloaded = time.perf_counter() - start
    for name, content in contents.items() if out else ():
        target = Path(out[0]) / name
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}")
        temporary.write_bytes(content)
        temporary.replace(target)
    print(downloaded, time.perf_counter() - start)


if __name__ == "__main__":
    main()
