"""CIDs as AT Protocol uses them: version 1, SHA-256, raw bytes or DAG-CBOR, base32."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from typing import Final

RAW: Final = 0x55
DAG_CBOR: Final = 0x71
_PREFIX = {codec: bytes((1, codec, 0x12, 0x20)) for codec in (RAW, DAG_CBOR)}
# The version, codec and hash end within the 8th character, the digest within the last.
_EXACT = re.compile(r"baf[yk]rei[a-h][a-z2-7]{50}[aeimquy4]")
# Python's digits of base 32 are 0-9 and a-v; `int` takes a tenth of base64's time.
_DIGITS = str.maketrans("abcdefghijklmnopqrstuvwxyz234567", "0123456789abcdefghijklmnopqrstuv")
_TEXT = re.compile(r"b[a-z2-7]{58}")


class InvalidCid(ValueError):
    """A text or bytes that are no CID as AT Protocol uses them; the message is the reason."""


@dataclass(frozen=True, slots=True, order=True)
class Cid:
    """A link: `raw` is its 36 binary bytes (version, codec, hash function, length, digest)."""

    raw: bytes

    @classmethod
    def of(cls, content: bytes, codec: int) -> Cid:
        """Return the CID of a block (`codec` RAW or DAG_CBOR)."""
        return cls.hashed(hashlib.sha256(content).digest(), codec)

    @classmethod
    def hashed(cls, digest: bytes, codec: int) -> Cid:
        """Return the CID of a block by its SHA-256."""
        return cls(_PREFIX[codec] + digest)

    @classmethod
    def parse(cls, text: str) -> Cid:
        """Parse base32 lower case, no padding bits set. Raises InvalidCid."""
        if _EXACT.fullmatch(text):
            return cls(_from_base32(text))
        if not _TEXT.fullmatch(text):
            raise InvalidCid("is no CIDv1 in base32, like bafyrei… or bafkrei…")
        cls.decode(_from_base32(text))
        raise InvalidCid("has padding bits that aren't zero")

    @classmethod
    def decode(cls, raw: bytes) -> Cid:
        """Take the 36 binary bytes. Raises InvalidCid."""
        if len(raw) != 36 or raw[:4] not in _PREFIX.values():
            raise InvalidCid("is no CIDv1 with SHA-256 over raw bytes or DAG-CBOR")
        return cls(bytes(raw))

    @property
    def codec(self) -> int:
        """RAW for blobs, DAG_CBOR for records and other nodes."""
        return self.raw[1]

    @property
    def digest(self) -> bytes:
        """The SHA-256 of the block."""
        return self.raw[4:]

    def __str__(self) -> str:
        return "b" + base64.b32encode(self.raw).decode("ascii").rstrip("=").lower()


def blob_cid(content: bytes) -> str:
    """Return the CID of a blob's bytes ('bafkrei…')."""
    return str(Cid.of(content, RAW))


def _from_base32(text: str) -> bytes:
    return (int(text[1:].translate(_DIGITS), 32) >> 2).to_bytes(36)
