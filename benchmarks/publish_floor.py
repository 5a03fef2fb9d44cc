"""The floor under publishing: the very bodies that `publish` sent, by `http.client` and no more.

    python benchmarks/publish_floor.py BODIES URL DID TOKEN

BODIES is a folder that publish_recorded.py wrote; they go to another account, DID. Blobs first, by
16 threads with a connection each, then the writes over one. Prints the seconds from the first
byte sent to the last answer; connections are open before that, as those of `publish` are.
"""

from __future__ import annotations

import http.client
import re
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

CONNECTIONS: Final = 16
REPO: Final = re.compile(rb'(?<="repo":")[^"]+')
SWAP: Final = re.compile(rb'(?<="swapCommit":")[^"]+')
COMMIT: Final = re.compile(rb'"commit":\{"cid":"([^"]+)"')


def main() -> None:
    """Read everything, then send it under the clock."""
    folder, url, did, token = sys.argv[1:]
    blobs = [path.read_bytes() for path in sorted(Path(folder).glob("*.uploadBlob"))]
    writes = [cut(path, did) for path in sorted(Path(folder).glob("*.applyWrites"))]
    assert writes
    threads = min(CONNECTIONS, len(blobs))
    connections = [Connection(url, token) for _ in range(max(threads, 1))]
    head = connections[0].head(did)
    with ThreadPoolExecutor(max(threads, 1)) as pool:
        start = time.perf_counter()
        list(pool.map(upload, connections, (blobs[at::threads] for at in range(threads))))
        send(connections[0], writes, head)
        print(time.perf_counter() - start)


def cut(path: Path, did: str) -> tuple[bytes, bytes]:
    """Return what stands before and after the commit that a batch names, for the account."""
    body = REPO.sub(did.encode(), path.read_bytes(), count=1)
    before, after = SWAP.split(body)
    return before, after


class Connection:
    """A connection that is kept open."""

    def __init__(self, url: str, token: str) -> None:
        host = urlsplit(url).netloc.replace("localhost", "127.0.0.1")
        self._http = http.client.HTTPConnection(host)
        self._http.connect()
        self._token = token

    def head(self, did: str) -> bytes:
        """Return the CID of the repo's commit."""
        self._http.request("GET", f"/xrpc/com.atproto.sync.getLatestCommit?did={did}")
        answer = self._http.getresponse().read()
        return answer.split(b'"cid":"')[1].split(b'"')[0]

    def post(self, name: str, body: bytes, kind: str) -> bytes:
        """Send one write, and be sure that it was taken."""
        headers = {"Content-Type": kind, "Authorization": f"Bearer {self._token}"}
        self._http.request("POST", f"/xrpc/com.atproto.repo.{name}", body, headers)
        answer = self._http.getresponse()
        text = answer.read()
        assert answer.status == 200, text
        return text


def upload(connection: Connection, blobs: Iterable[bytes]) -> None:
    """Upload the blobs one after the other; they are PNGs."""
    for blob in blobs:
        connection.post("uploadBlob", blob, "image/png")


def send(connection: Connection, writes: Sequence[tuple[bytes, bytes]], head: bytes) -> None:
    """Send the batches, each naming the commit of the one before."""
    for before, after in writes:
        answer = connection.post("applyWrites", before + head + after, "application/json")
        found = COMMIT.search(answer)
        assert found, answer
        head = found[1]


if __name__ == "__main__":
    main()
