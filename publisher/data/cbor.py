"""DAG-CBOR as AT Protocol's data model needs it: one encoding for one value, nothing else read.

Written here because the fast encoders write any bytes that look like a CID as a link, and the
fast decoders take floats and padded integers. Source: the DRISL/DAG-CBOR rules (shortest heads,
map keys sorted by length and then bytes, tag 42 for links, no floats, no undefined).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TypeAlias

from publisher.data.cid import DAG_CBOR, Cid, InvalidCid

Value: TypeAlias = "bool | int | str | bytes | Cid | list[Value] | dict[str, Value] | None"
"""A value of the data model, as JSON or DAG-CBOR carry it."""

_MAX_DEPTH = 250  # of what is decoded: JSON is written to 254; `check` holds records to 32
_LEAST = (24, 1 << 8, 1 << 16, 1 << 32)  # what needs 1, 2, 4, 8 bytes beside its head
_LINK_HEAD = b"\xd8\x2a\x58\x25\x00"

# Most records have the same fields: the CBOR of their short names, with its head, to the names.
_names: dict[bytes, str] = {}
_MAX_NAMES = 4096
_SHORT_KEY = 25  # bytes: the length stands in the head


class InvalidCbor(ValueError):
    """Bytes that are no DAG-CBOR, or a value that has none."""


def encode(value: Value) -> bytes:
    """Return the DAG-CBOR of a value. Raises InvalidCbor (a float, a lone surrogate, 2^64)."""
    out = bytearray()
    try:
        _write(value, out)
    except UnicodeEncodeError as error:
        raise InvalidCbor("a lone surrogate has no UTF-8") from error
    except RecursionError as error:
        raise InvalidCbor("nesting is too deep") from error
    return bytes(out)


def decode(block: bytes) -> Value:
    """Return the value of a DAG-CBOR block; only the one canonical encoding is read."""
    try:
        value, end = _read(block, 0, 0)
    except IndexError as error:
        raise InvalidCbor("the block is cut short") from error
    except RecursionError as error:  # the caller stands deep already
        raise InvalidCbor("nesting is too deep") from error
    if end != len(block):
        raise InvalidCbor("bytes follow the value")
    return value


def record_cid(value: Value) -> str:
    """Return the CID of a record ('bafyrei…'): SHA-256 over its DAG-CBOR."""
    return str(Cid.of(encode(value), DAG_CBOR))


def _head(major: int, number: int, out: bytearray) -> None:
    if number < 24:
        out.append(major << 5 | number)
    elif number < 1 << 8:
        out += bytes((major << 5 | 24, number))
    elif number < 1 << 16:
        out.append(major << 5 | 25)
        out += number.to_bytes(2)
    elif number < 1 << 32:
        out.append(major << 5 | 26)
        out += number.to_bytes(4)
    elif number < 1 << 64:
        out.append(major << 5 | 27)
        out += number.to_bytes(8)
    else:
        raise InvalidCbor("an integer is beyond 64 bits")


def _write(value: object, out: bytearray) -> None:
    if isinstance(value, str):
        _write_text(value, out)
    elif value is None:
        out.append(0xF6)
    elif isinstance(value, bool):
        out.append(0xF5 if value else 0xF4)
    elif isinstance(value, int):
        _head(0, value, out) if value >= 0 else _head(1, -1 - value, out)
    elif isinstance(value, dict):
        _write_map(value, out)
    elif isinstance(value, list):
        _head(4, len(value), out)
        for item in value:
            _write(item, out)
    elif isinstance(value, Cid):
        out += _LINK_HEAD
        out += value.raw
    elif isinstance(value, bytes):
        _head(2, len(value), out)
        out += value
    else:
        raise InvalidCbor(f"the data model has no {type(value).__name__}")


def _write_text(text: str, out: bytearray) -> None:
    raw = text.encode()
    _head(3, len(raw), out)
    out += raw


def _write_map(mapping: dict[str, object], out: bytearray) -> None:
    names = tuple(mapping)
    try:
        length = len("".join(names))
    except TypeError as error:
        raise InvalidCbor("a map key is no string") from error
    # Most records have the same fields, so their order is remembered; long names would fill memory.
    ordered = _ordered(names) if length < 1000 else _ordered.__wrapped__(names)
    _head(5, len(names), out)
    for name, key in ordered:
        out += key
        _write(mapping[name], out)


@lru_cache(256)
def _ordered(names: tuple[str, ...]) -> Sequence[tuple[str, bytes]]:
    """Return the keys of a map in their order, each with its CBOR."""
    keys = sorted((len(raw), raw, name) for name in names for raw in [name.encode()])
    found = []
    for length, raw, name in keys:
        key = bytearray()
        _head(3, length, key)
        found.append((name, bytes(key + raw)))
    return found


def _read(block: bytes, at: int, depth: int) -> tuple[Value, int]:
    if depth > _MAX_DEPTH:
        raise InvalidCbor(f"nesting is deeper than {_MAX_DEPTH}")
    first = block[at]
    major, low = first >> 5, first & 31
    if major == 3:
        return _read_text(block, at)
    if major == 7:
        simple = {20: False, 21: True, 22: None}
        if low not in simple:
            raise InvalidCbor("floats and other simple values are not in the data model")
        return simple[low], at + 1
    number, at = _read_number(block, at, low)
    if major in {0, 1}:
        return (number if major == 0 else -1 - number), at
    if major == 2:
        return _read_bytes(block, at, number)
    if number > len(block) and major != 6:
        raise InvalidCbor("the block is cut short")
    if major == 4:
        return _read_list(block, at, number, depth)
    if major == 5:
        return _read_map(block, at, number, depth)
    return _read_link(block, at, number)


def _read_number(block: bytes, at: int, low: int) -> tuple[int, int]:
    if low < 24:
        return low, at + 1
    if low == 24:
        number, end = block[at + 1], at + 2
    elif low == 25:
        number, end = block[at + 1] << 8 | block[at + 2], at + 3
    elif low < 28:
        raw, end = _read_bytes(block, at + 1, 1 << low - 24)
        number = int.from_bytes(raw)
    else:
        raise InvalidCbor("an indefinite or reserved length")
    if number < _LEAST[low - 24]:
        raise InvalidCbor("an integer isn't written in its shortest form")
    return number, end


def _read_bytes(block: bytes, at: int, size: int) -> tuple[bytes, int]:
    end = at + size
    if end > len(block):
        raise InvalidCbor("the block is cut short")
    return block[at:end], end


def _read_text(block: bytes, at: int) -> tuple[str, int]:
    first = block[at]
    size, at = (first - 0x60, at + 1) if first < 0x78 else _read_number(block, at, first & 31)
    end = at + size
    if end > len(block):
        raise InvalidCbor("the block is cut short")
    try:
        return block[at:end].decode(), end
    except UnicodeDecodeError as error:
        raise InvalidCbor("a string isn't UTF-8") from error


def _read_list(block: bytes, at: int, count: int, depth: int) -> tuple[Value, int]:
    items: list[Value] = []
    for _ in range(count):
        item, at = _read(block, at, depth + 1)
        items.append(item)
    return items, at


def _read_map(block: bytes, at: int, count: int, depth: int) -> tuple[Value, int]:
    mapping: dict[str, Value] = {}
    previous = b""
    for _ in range(count):
        key = block[at : at + block[at] - 0x5F]  # with its head: shorter keys come first
        name = _names.get(key)
        if name is None:
            name, key = _read_name(block, at)
        if key <= previous:
            raise InvalidCbor("map keys are out of order or repeated")
        at += len(key)
        previous = key
        if block[at] >> 5 == 3:
            mapping[name], at = _read_text(block, at)
        else:
            mapping[name], at = _read(block, at, depth + 1)
    return mapping, at


def _read_name(block: bytes, at: int) -> tuple[str, bytes]:
    """Return a map's key, and its CBOR with the head."""
    if block[at] >> 5 != 3:
        raise InvalidCbor("a map key is no string")
    name, end = _read_text(block, at)
    key = block[at:end]
    if len(key) < _SHORT_KEY and len(_names) < _MAX_NAMES:
        _names[key] = name
    return name, key


def _read_link(block: bytes, at: int, tag: int) -> tuple[Value, int]:
    if tag != 42 or block[at : at + 3] != _LINK_HEAD[2:]:
        raise InvalidCbor("a tag that is no link")
    raw, at = _read_bytes(block, at + 3, 36)
    try:
        return Cid.decode(raw), at
    except InvalidCid as error:
        raise InvalidCbor(f"a link {error}") from error
