"""CAR version 1: blocks with their CIDs, one after the other; each is hashed as it is read."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from publisher.data import Cid, InvalidCbor, InvalidCid, Value, decode, encode

MAX_BLOCK = 2 * 1024 * 1024  # the reference allows 2 MB for all blocks of a commit
_MAX_HEADER = 1024  # one root takes 58 bytes
_MAX_VARINT = 4  # bytes: 2^28 is beyond every size that is allowed here
_CID_SIZE = 36
_SIZE_BITS = 24


class ArchiveError(ValueError):
    """Bytes that are no repo, or not the one they should be; the message is the reason."""


class MissingBlock(ArchiveError):
    """A block that another one links to isn't there: the archive is cut short or partial."""

    def __init__(self, cid: Cid, what: str) -> None:
        super().__init__(f"the block {cid} of {what} is missing")
        self.cid = cid


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
    stream = io.BytesIO(source) if isinstance(source, bytes) else source
    root = _read_header(stream)
    return Car(root, {cid: block for cid, block, _ in _sections(stream)})


def read_blocks(source: bytes) -> dict[Cid, bytes]:
    """Read the blocks of a CAR that may have any number of roots. Raises ArchiveError."""
    stream = io.BytesIO(source)
    _read_roots(stream)
    return {cid: block for cid, block, _ in _sections(stream)}


class CarFile(Mapping[Cid, bytes]):
    """The blocks of a CAR that lies in a file; all were hashed, none is kept in memory.

    Takes 0.2 KB of memory a block. Reads the CAR to its end. Raises ArchiveError.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.root = _read_header(file)
        self._places: dict[bytes, int] = {}  # end << _SIZE_BITS | size
        for cid, block, end in _sections(file):
            self._places[cid.raw] = end << _SIZE_BITS | len(block)

    def __getitem__(self, cid: Cid) -> bytes:
        place = self._places[cid.raw]
        size = place & ((1 << _SIZE_BITS) - 1)
        self._file.seek((place >> _SIZE_BITS) - size)
        return _read(self._file, size)

    def __contains__(self, cid: object) -> bool:
        return isinstance(cid, Cid) and cid.raw in self._places

    def __iter__(self) -> Iterator[Cid]:
        return map(Cid, self._places)

    def __len__(self) -> int:
        return len(self._places)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def _read_header(stream: BinaryIO) -> Cid:
    roots = _read_roots(stream)
    if len(roots) != 1 or not isinstance(roots[0], Cid):
        raise ArchiveError("the CAR hasn't exactly one root")
    return roots[0]


def _read_roots(stream: BinaryIO) -> list[Value]:
    size = _read_size(stream, _MAX_HEADER)
    if size is None:
        raise ArchiveError("the CAR is empty")
    try:
        header = decode(_read(stream, size))
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


def _sections(stream: BinaryIO) -> Iterator[tuple[Cid, bytes, int]]:
    """Yield each block with its CID and where it ends; the stream stands behind the header."""
    end = stream.tell() if stream.seekable() else 0
    while (size := _read_size(stream, _CID_SIZE + MAX_BLOCK)) is not None:
        cid, block = _read_block(stream, size)
        end += len(_varint(size)) + size
        yield cid, block, end


def _read_block(stream: BinaryIO, size: int) -> tuple[Cid, bytes]:
    if size < _CID_SIZE:
        raise ArchiveError(f"a section of {size} bytes has no room for a CID")
    try:
        cid = Cid.decode(_read(stream, _CID_SIZE))
    except InvalidCid as error:
        raise ArchiveError(f"a block's CID {error}") from error
    block = _read(stream, size - _CID_SIZE)
    if Cid.of(block, cid.codec) != cid:
        raise ArchiveError(f"the block {cid} is not what its CID says")
    return cid, block


def _read_size(stream: BinaryIO, limit: int) -> int | None:
    """Read a varint in its shortest form; None at the end of the stream."""
    size = 0
    for place in range(_MAX_VARINT):
        piece = stream.read(1)
        if not piece:
            if place:
                raise ArchiveError("the CAR is cut short")
            return None
        size |= (piece[0] & 127) << 7 * place
        if piece[0] < 128:
            return _allowed(size, limit, shortest=place == 0 or piece[0] > 0)
    raise ArchiveError("a size in the CAR is too large")


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
