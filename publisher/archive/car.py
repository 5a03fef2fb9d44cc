"""CAR version 1: blocks with their CIDs, one after the other; each is hashed as it is read."""

from __future__ import annotations

import io
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import BinaryIO

from publisher.data import Cid, InvalidCbor, Value, decode, encode
from publisher.spool import Placed

MAX_BLOCK = 2 * 1024 * 1024  # the reference allows 2 MB for all blocks of a commit
_MAX_HEADER = 1024  # one root takes 58 bytes
_MAX_VARINT = 4  # bytes: 2^28 is beyond every size that is allowed here
_CID_SIZE = 36
_PREFIXES = frozenset((b"\x01\x55\x12\x20", b"\x01\x71\x12\x20"))  # version, codec, hash
_PIECE = 1 << 18  # bytes that are read at once

# What CarFile remembers of a block: whether it was asked for, its CID, its place.
_SIZE_BITS = 24
_PLACE_SIZE = 8
_ENTRY_SIZE = 1 + _CID_SIZE + _PLACE_SIZE
_ROWS = 4095


class ArchiveError(ValueError):
    """Bytes that are no repo, or not the one they should be; the message is the reason."""


class MissingBlock(ArchiveError):
    """A block that another one links to isn't there: the archive is cut short or partial."""

    def __init__(self, cid: Cid, what: str) -> None:
        super().__init__(f"the block {cid} of {what} is missing")
        self.cid = cid
        self._what = what

    def __reduce__(self) -> tuple[object, ...]:
        """Go to another process."""
        return MissingBlock, (self.cid, self._what)


@dataclass(frozen=True, slots=True)
class Car:
    """What a CAR holds; every block is what its CID says."""

    root: Cid
    blocks: Mapping[Cid, bytes]


def write_car(root: Cid, blocks: Iterable[tuple[Cid, bytes]]) -> Iterator[bytes]:
    """Yield a CAR in pieces, a block each. The blocks are not hashed again."""
    header = encode({"roots": [root], "version": 1})
    yield _varint(len(header)) + header
    for cid, block in blocks:
        yield _varint(_CID_SIZE + len(block)) + cid.raw + block


def read_car(source: bytes | BinaryIO) -> Car:
    """Read a CAR that has exactly one root, to its end. Raises ArchiveError.

    All blocks are kept in memory. A block that comes twice is taken once.
    """
    stream = _Source(io.BytesIO(source) if isinstance(source, bytes) else source)
    root = _read_header(stream)
    return Car(root, {Cid(raw): block for raw, block, _ in stream.sections()})


def read_blocks(source: bytes) -> dict[Cid, bytes]:
    """Read the blocks of a CAR that may have any number of roots. Raises ArchiveError."""
    stream = _Source(io.BytesIO(source))
    _read_roots(stream)
    return {Cid(raw): block for raw, block, _ in stream.sections()}


class CarFile(Mapping[Cid, bytes]):
    """The blocks of a CAR that lies in a file; all were hashed, none is kept in memory.

    Takes 50 bytes of memory a block. Reads the CAR to its end. Raises ArchiveError. `asked` is how
    many of the blocks were read or looked for.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._number = _number(file)
        source = _Source(file)
        self.root = _read_header(source)
        self.asked = 0
        self._rows: defaultdict[int, bytearray] = defaultdict(bytearray)
        for raw, block, begin in source.sections():
            row = self._rows[hash(raw) & _ROWS]
            if raw not in row:
                row += b"\0" + raw + (begin << _SIZE_BITS | len(block)).to_bytes(_PLACE_SIZE)

    def __getitem__(self, cid: Cid) -> bytes:
        block = self.read(cid.raw)
        if block is None:
            raise KeyError(cid)
        return block

    def read(self, raw: bytes) -> bytes | None:
        """Return the block whose CID has these 36 bytes, None if there is none."""
        place = self._place(raw)
        if place is None:
            return None
        begin, size = place >> _SIZE_BITS, place & ((1 << _SIZE_BITS) - 1)
        if self._number is None:
            self._file.seek(begin)
            return _read(self._file, size)
        block = os.pread(self._number, size, begin)  # a third of the time
        if len(block) < size:
            raise ArchiveError("the CAR is cut short")
        return block

    def __contains__(self, cid: object) -> bool:
        return isinstance(cid, Cid) and self.has(cid.raw)

    def has(self, raw: bytes) -> bool:
        """Tell whether there is a block whose CID has these 36 bytes."""
        return self._place(raw) is not None

    def __iter__(self) -> Iterator[Cid]:
        for row in self._rows.values():
            for at in range(0, len(row), _ENTRY_SIZE):
                yield Cid(bytes(row[at + 1 : at + 1 + _CID_SIZE]))

    def __len__(self) -> int:
        return sum(map(len, self._rows.values())) // _ENTRY_SIZE

    def _place(self, raw: bytes) -> int | None:
        row = self._rows.get(hash(raw) & _ROWS)
        at = _find(row, raw) if row else -1
        if row is None or at < 0:
            return None
        if not row[at]:
            row[at] = 1
            self.asked += 1
        return int.from_bytes(row[at + 1 + _CID_SIZE : at + _ENTRY_SIZE])


def _number(file: BinaryIO) -> int | None:
    """Return the number by which the system knows a file, None for what is none, or unpacked."""
    raw = file.raw if isinstance(file, io.BufferedReader) else file
    return raw.fileno() if isinstance(raw, (io.FileIO, Placed)) else None


def _find(row: bytearray, raw: bytes) -> int:
    """Return where the entry of a CID begins in its row, or -1."""
    at = row.find(raw)
    while at >= 0 and at % _ENTRY_SIZE != 1:
        at = row.find(raw, at + 1)
    return at - 1 if at >= 0 else -1


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


class _Source:
    """What a stream gives, read ahead."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._start = stream.tell() if stream.seekable() else 0
        self._buffer = b""
        self._at = 0

    def size(self, limit: int) -> int | None:
        """Read a varint in its shortest form; None at the end of the stream."""
        whole = self._has(_MAX_VARINT)
        at, size = self._at, 0
        pieces = self._buffer[at : at + _MAX_VARINT]
        for place, piece in enumerate(pieces):
            size |= (piece & 127) << 7 * place
            if piece < 128:
                self._at = at + place + 1
                return _allowed(size, limit, shortest=place == 0 or piece > 0)
        if not pieces:
            return None
        raise ArchiveError("a size in the CAR is too large" if whole else "the CAR is cut short")

    def take(self, size: int) -> bytes:
        if not self._has(size):
            raise ArchiveError("the CAR is cut short")
        begin = self._at
        self._at += size
        return self._buffer[begin : self._at]

    def sections(self) -> Iterator[tuple[bytes, bytes, int]]:
        """Yield each block with the bytes of its CID before it, and where it begins."""
        while (size := self.size(_CID_SIZE + MAX_BLOCK)) is not None:
            if size < _CID_SIZE:
                raise ArchiveError(f"a section of {size} bytes has no room for a CID")
            if not self._has(size):
                raise ArchiveError("the CAR is cut short")
            begin = self._at + _CID_SIZE
            raw = self._buffer[self._at : begin]
            self._at = end = self._at + size
            block = self._buffer[begin:end]
            if raw[:4] not in _PREFIXES:
                raise ArchiveError(
                    "a block's CID is no CIDv1 with SHA-256 over raw bytes or DAG-CBOR"
                )
            if sha256(block).digest() != raw[4:]:
                raise ArchiveError(f"the block {Cid(raw)} is not what its CID says")
            yield raw, block, self._start + begin

    def _has(self, size: int) -> bool:
        """Have as many bytes in the buffer, if the stream has them."""
        have = len(self._buffer) - self._at
        if have >= size:
            return True
        pieces = [self._buffer[self._at :]]
        while have < size and (piece := self._stream.read(_PIECE)):
            pieces.append(piece)
            have += len(piece)
        self._start += self._at
        self._at = 0
        self._buffer = b"".join(pieces)
        return have >= size


def _read_header(source: _Source) -> Cid:
    roots = _read_roots(source)
    if len(roots) != 1 or not isinstance(roots[0], Cid):
        raise ArchiveError("the CAR hasn't exactly one root")
    return roots[0]


def _read_roots(source: _Source) -> list[Value]:
    size = source.size(_MAX_HEADER)
    if size is None:
        raise ArchiveError("the CAR is empty")
    try:
        header = decode(source.take(size))
    except InvalidCbor as error:
        raise ArchiveError(f"the CAR's header is no DAG-CBOR: {error}") from error
    if not isinstance(header, dict) or header.keys() != {"roots", "version"}:
        raise ArchiveError("the CAR's header is not exactly roots and version")
    version, roots = header["version"], header["roots"]
    if version != 1 or isinstance(version, bool):
        raise ArchiveError("the CAR isn't version 1")
    if not isinstance(roots, list):
        raise ArchiveError("the CAR's roots are no list")
    return roots


def _allowed(size: int, limit: int, *, shortest: bool) -> int:
    if not shortest:
        raise ArchiveError("a size in the CAR isn't written in its shortest form")
    if size > limit:
        raise ArchiveError(f"a section of {size} bytes is beyond the limit of {limit}")
    return size


def _read(stream: BinaryIO, size: int) -> bytes:
    content = stream.read(size)
    while len(content) < size:  # sockets and pipes may give less than was asked for
        more = stream.read(size - len(content))
        if not more:
            raise ArchiveError("the CAR is cut short")
        content += more
    return content
