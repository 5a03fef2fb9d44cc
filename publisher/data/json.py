"""Strict JSON in, canonical JSON out: the data model's text form.

Sources: the AT Protocol data model specification, RFC 8259. Links (`$link`) become `Cid`, bytes
(`$bytes`) become `bytes`; blobs stay objects.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import jiter
from pydantic_core import to_json

from publisher.data.cbor import Value
from publisher.data.check import MAX_DEPTH, Fault, check, is_int64, is_sound_type
from publisher.data.cid import Cid, InvalidCid
from publisher.findings import Finding, has_errors

_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")


class DataError(ValueError):
    """A text that is no value of the data model; `findings` are all its faults.

    `value` is what could be read, a Fault in the place of each thing that couldn't; None where the
    text is no JSON at all.
    """

    def __init__(self, findings: list[Finding], value: object = None) -> None:
        super().__init__(
            "; ".join(f"{found.pointer or '/'}: {found.message}" for found in findings)
        )
        self.findings = findings
        self.value = value


def loads(text: str | bytes) -> Value:
    """Parse strict JSON into the data model. Raises DataError with every fault and its pointer.

    Refused: duplicate keys, NaN and Infinity, fractions, integers beyond 64 bits, lone surrogates,
    malformed links, bytes and blobs, an empty `$type`, nesting deeper than 32. `1.0` is 1.
    """
    try:
        return _sound(text if isinstance(text, bytes) else text.encode())
    except ValueError:  # something that may be a fault: now it is named
        return _without_errors(_parse(_decoded(text)))


def from_plain(parsed: object) -> Value:
    """Return the value of JSON that another parser has read. Raises DataError, as `loads` does."""
    try:
        value = _convert(parsed)
    except RecursionError as error:
        raise _too_deep() from error
    return _without_errors(value)


def _without_errors(value: object) -> Value:
    findings = check(value)
    if has_errors(findings):
        raise DataError(findings, value)
    return value  # type: ignore[return-value]  # check found no Fault, so this is a Value


def dumps(value: Value) -> str:
    """Return canonical JSON for files: sorted keys, two spaces, UTF-8 as it is, a last newline."""
    return to_json(_sorted(value), indent=2).decode() + "\n"


def compact(value: Value) -> bytes:
    """Return JSON for the wire: no spaces, keys in their order, UTF-8."""
    return to_json(to_plain(value))


def _sorted(value: Value) -> object:
    """Return the value as `to_plain` does, its keys sorted."""
    if isinstance(value, dict):
        return {
            # Most are strings: to ask here takes a third off the whole.
            key: item if type(item := value[key]) is str else _sorted(item)
            for key in sorted(value)
        }
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    return to_plain(value)


def to_plain(value: Value) -> object:
    """Return the value with links and bytes in their JSON forms."""
    if isinstance(value, dict):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [to_plain(item) for item in value]
    if isinstance(value, Cid):
        return {"$link": str(value)}
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode("ascii").rstrip("=")}
    return value


def _decoded(text: str | bytes) -> str:
    try:
        return (text.decode() if isinstance(text, bytes) else text).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise DataError(
            [Finding("", "utf-8", f"byte {error.start} is not UTF-8", remedy="save it as UTF-8")]
        ) from error


class _Unusual(ValueError):
    """Something that may be a fault."""


def _sound(text: bytes) -> Value:
    """Return the value of a text without faults. Raises ValueError where there may be one.

    Good data takes this way alone. The parser refuses repeated keys and lone surrogates itself.
    """
    parsed = jiter.from_json(
        text, allow_inf_nan=False, cache_mode="keys", catch_duplicate_keys=True
    )
    holder: list[Value] = [parsed]
    _settle(holder, enumerate(holder), -1)
    return holder[0]


def _settle(container: Any, items: Iterable[tuple[Any, Any]], depth: int) -> None:
    """Put links and bytes in the place of their JSON forms. Raises _Unusual."""
    if depth >= MAX_DEPTH:
        raise _Unusual
    for step, item in items:
        kind = type(item)
        if kind is str:
            continue
        if kind is dict:
            if "$link" in item or "$bytes" in item:
                container[step] = typed = _typed(item)
                if isinstance(typed, Fault):
                    raise _Unusual
            else:
                _settle(item, item.items(), depth + 1)
                if "$type" in item and not is_sound_type(item):
                    raise _Unusual
        elif kind is list:
            _settle(item, enumerate(item), depth + 1)
        elif kind is float or (kind is int and not is_int64(item)):
            raise _Unusual


def _parse(text: str) -> object:
    """Return the value with a Fault in the place of each thing that isn't of the data model."""
    try:
        return _ANY.decode(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise DataError(
            [Finding("", "json-syntax", f"{place}: {error.msg}", remedy="correct the JSON there")]
        ) from error
    except RecursionError as error:
        raise _too_deep() from error


def _too_deep() -> DataError:
    return DataError([Finding("", "depth", "the JSON is nested too deeply", remedy="nest it less")])


def _convert(parsed: object) -> object:
    if isinstance(parsed, dict):
        return _object([(key, _convert(item)) for key, item in parsed.items()])
    if isinstance(parsed, list):
        return [_convert(item) for item in parsed]
    if isinstance(parsed, float):
        return _number(repr(parsed))
    return parsed


def _object(pairs: list[tuple[str, object]]) -> object:
    mapping: dict[str, object] = {}
    for key, item in pairs:
        mapping[key] = _twice(key, mapping[key], item) if key in mapping else item
    return _typed(mapping) if "$link" in mapping or "$bytes" in mapping else mapping


def _twice(key: str, before: object, value: object) -> Fault:
    is_third = isinstance(before, Fault) and before.code == "duplicate-key"
    all_before = before.within if isinstance(before, Fault) and is_third else (before,)
    message = f"the key {key!r} stands here twice"
    return Fault("duplicate-key", message, "remove one of them", (*all_before, value))


def _number(text: str) -> object:
    if len(text) <= 20 and text.lstrip("-").isdigit():
        return int(text)
    mantissa, _, exponent = text.lower().partition("e")
    if not mantissa.strip("-0."):
        return 0
    try:
        number = Decimal(text)
    except InvalidOperation:  # an exponent of more than 18 digits
        return _fraction(text) if exponent.startswith("-") else _beyond(text)
    if number.is_nan() or number.is_infinite():
        return _constant(text)
    if number.adjusted() > 20:
        return _beyond(text)
    return int(number) if number == number.to_integral_value() else _fraction(text)


def _beyond(text: str) -> Fault:
    return Fault("integer-range", f"{_short(text)} is beyond 64 bits", "write it as a string")


def _fraction(text: str) -> Fault:
    return Fault(
        "float",
        f"{_short(text)} is a fraction; the data model has only whole numbers",
        "write it as a string or scale it to a whole number",
    )


def _short(text: str) -> str:
    return text if len(text) <= 24 else text[:20] + "…"


def _constant(text: str) -> Fault:
    return Fault("not-a-number", f"{text} is no JSON", "write a whole number or leave it out")


def _typed(mapping: Mapping[str, object]) -> Cid | bytes | Fault:
    """Return the link or the bytes that an object with `$link` or `$bytes` stands for."""
    return _link(mapping) if "$link" in mapping else _bytes(mapping)


def _link(mapping: Mapping[str, object]) -> Cid | Fault:
    text = mapping["$link"]
    if len(mapping) != 1 or not isinstance(text, str):
        message = 'a link is {"$link": CID} and nothing else'
        return Fault("link-form", message, "remove the rest", _beside(mapping))
    try:
        return Cid.parse(text)
    except InvalidCid as error:
        return Fault("link-form", f"the link {_short(text)!r} {error}", "write the record's CID")


def _bytes(mapping: Mapping[str, object]) -> bytes | Fault:
    text = mapping["$bytes"]
    if len(mapping) != 1 or not isinstance(text, str):
        message = 'bytes are {"$bytes": base64} and nothing else'
        return Fault("bytes-form", message, "remove the rest", _beside(mapping))
    bare = text.rstrip("=")
    if not _BASE64.fullmatch(text) or len(bare) % 4 == 1 or ("=" in text and len(text) % 4):
        return Fault("bytes-form", "the $bytes aren't base64", "use A-Z a-z 0-9 + /")
    return binascii.a2b_base64(bare + "==")  # more than enough is no fault to it


def _beside(mapping: Mapping[str, object]) -> tuple[object, ...]:
    return ({key: item for key, item in mapping.items() if key not in {"$link", "$bytes"}},)


# Made once: that alone takes longer than a small text.
_ANY = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_float=_number,
    parse_int=_number,
    parse_constant=_constant,
)
