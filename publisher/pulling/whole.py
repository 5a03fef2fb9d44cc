"""A repo that isn't laid out in files: as one CAR, or as lines of JSON."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from publisher import data
from publisher.data import InvalidCbor, Value
from publisher.errors import ProofFailed
from publisher.files import remove_abandoned, replacing
from publisher.pulling.proof import Read
from publisher.syntax import Did

_UNSAFE: Final = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def save_archive(found: Read, target: Path) -> None:
    """Keep a repo's CAR, byte for byte as its server sent it. Raises StateError, ProofFailed."""
    if found.archive is None:
        raise ProofFailed("the server gives no archive to keep", remedy="pull it as json")
    source: BinaryIO = found.archive
    source.seek(0)
    remove_abandoned(target.parent, target.name)
    with replacing(target) as file:
        shutil.copyfileobj(source, file, 1 << 20)


def lines(found: Read, keys: Iterable[str], did: Did) -> Iterator[bytes]:
    """Yield records as JSON lines of uri, cid and value; one that is none has an error instead.

    What a terminal might obey (control characters, marks of direction) is escaped.
    """
    for key in keys:
        line: dict[str, Value] = {"uri": f"at://{did}/{key}", "cid": found.items[key]}
        try:
            line["value"] = data.decode(found.block(key))
        except InvalidCbor as error:
            line["error"] = f"is no record of the data model: {error}"
        text = data.compact(line).decode()
        yield _UNSAFE.sub(lambda c: f"\\u{ord(c[0]):04x}", text).encode() + b"\n"
