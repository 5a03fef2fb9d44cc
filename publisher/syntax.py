"""The string formats of AT Protocol, and the parts of an AT-URI, a DID and a TID. Pure.

Sources: the specifications of DIDs, handles, NSIDs, TIDs, record keys, AT-URIs and the Lexicon
string formats; RFC 3986 (URI), RFC 5646 (language tags). Where they are silent the decisions are
listed in docs/validation.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NewType

Did = NewType("Did", str)
Handle = NewType("Handle", str)
Nsid = NewType("Nsid", str)
Rkey = NewType("Rkey", str)

_DID = re.compile(r"did:[a-z]+:[a-zA-Z0-9._:%-]*[a-zA-Z0-9._-]")
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_HANDLE = re.compile(rf"(?:{_LABEL}\.)+[a-zA-Z](?:[a-zA-Z0-9-]{{0,61}}[a-zA-Z0-9])?")
_NSID = re.compile(
    rf"[a-zA-Z](?:[a-zA-Z0-9-]{{0,61}}[a-zA-Z0-9])?(?:\.{_LABEL})+\.[a-zA-Z][a-zA-Z0-9]{{0,62}}"
)
_TID = re.compile(r"[2-7a-j][2-7a-z]{12}")
_RKEY = re.compile(r"[A-Za-z0-9._:~-]{1,512}")
_CID = re.compile(r"[a-zA-Z0-9+=]{8,256}")
# The version, codec and hash end within the 8th character, the digest within the last.
_EXACT_CID = re.compile(r"baf[yk]rei[a-h][a-z2-7]{50}[aeimquy4]")
_URI = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:[^\s\x00-\x1f\x7f-\x9f]+")
# What the reference PDS takes (@atproto/syntax).
_PLAIN_URI = re.compile(r"[a-zA-Z0-9_]+:(?://)?[^\s/]\S*")
_DATETIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(\.[0-9]+)?"
    r"(?:Z|([+-])([0-9]{2}):([0-9]{2}))"
)
_NOTHING = re.compile(r"(?!)")
_PLAIN_DATETIME = re.compile(
    r"(?!0000|9999)[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])"
    r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,20})?"
    r"(?:Z|[+-](?:0[1-9]|1[0-9]):[0-5][0-9])"
)
_PLAIN_AT_URI = re.compile(
    r"at://did:plc:[a-z2-7]{24}/[a-z]{2,63}(?:\.[a-z]{1,63}){2,4}/[a-z2-7]{13}"
)
_PLAIN_DID = re.compile(r"did:plc:[a-z2-7]{24}")
_PLAIN_WEB = re.compile(r"(?:https?|at)://[!-.0-~][!-~]{0,2000}")
_IRREGULAR = (
    "en-GB-oed|i-ami|i-bnn|i-default|i-enochian|i-hak|i-klingon|i-lux|i-mingo|i-navajo|i-pwn|"
    "i-tao|i-tay|i-tsu|sgn-BE-FR|sgn-BE-NL|sgn-CH-DE|"
    "art-lojban|cel-gaulish|no-bok|no-nyn|zh-guoyu|zh-hakka|zh-min|zh-min-nan|zh-xiang"
)
_LANGUAGE = re.compile(
    rf"(?:{_IRREGULAR})|[xX](?:-[A-Za-z0-9]{{1,8}})+|"
    r"[a-z]{2,3}(?:-[A-Za-z]{3}){0,3}(?:-[A-Za-z]{4})?(?:-(?:[A-Za-z]{2}|[0-9]{3}))?"
    r"(?P<variants>(?:-(?:[A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*)"
    r"(?P<extensions>(?:-[0-9A-WY-Za-wy-z](?:-[A-Za-z0-9]{2,8})+)*)"
    r"(?:-[xX](?:-[A-Za-z0-9]{1,8})+)?"
)
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

TID_ALPHABET = "234567abcdefghijklmnopqrstuvwxyz"


class InvalidSyntax(ValueError):
    """A text isn't what it should be; its message is the reason."""


@dataclass(frozen=True, slots=True)
class AtUri:
    """`at://authority/collection/rkey`; collection and rkey may be missing."""

    authority: str
    collection: Nsid | None = None
    rkey: Rkey | None = None

    @classmethod
    def parse(cls, text: str) -> AtUri:
        """Parse a strict AT-URI (no fragment, no query). Raises InvalidSyntax."""
        _require("at-uri", text)
        parts: list[str | None] = [*text[5:].split("/"), None, None]
        authority, collection, rkey = parts[0] or "", parts[1], parts[2]
        return cls(
            authority,
            Nsid(collection) if collection is not None else None,
            Rkey(rkey) if rkey is not None else None,
        )

    def __str__(self) -> str:
        parts = (self.authority, self.collection, self.rkey)
        return "at://" + "/".join(part for part in parts if part is not None)


def parse_did(text: str) -> Did:
    """Return the DID. Raises InvalidSyntax."""
    return Did(_require("did", text))


def parse_handle(text: str) -> Handle:
    """Return the handle in lower case, its canonical form. Raises InvalidSyntax."""
    return Handle(_require("handle", text).lower())


def parse_nsid(text: str) -> Nsid:
    """Return the NSID. Raises InvalidSyntax."""
    return Nsid(_require("nsid", text))


def parse_rkey(text: str) -> Rkey:
    """Return the record key. Raises InvalidSyntax."""
    return Rkey(_require("record-key", text))


def tid(value: int) -> str:
    """Return the TID of 64 bits: 0, then 53 of microseconds, then 10 of clock id."""
    if not 0 <= value < 1 << 63:
        raise InvalidSyntax(f"{value} doesn't fit into the 63 bits of a TID")
    return "".join(TID_ALPHABET[value >> shift & 31] for shift in range(60, -1, -5))


def tid_value(text: str) -> int:
    """Return the 64-bit value of a TID. Raises InvalidSyntax."""
    value = 0
    for character in _require("tid", text):
        value = value << 5 | TID_ALPHABET.index(character)
    return value


def check(format: str, text: str) -> str | None:
    """Return None when `text` meets the Lexicon string format, else the reason.

    `format` is the lexicon's name for it ('at-uri', 'datetime', …); raises KeyError for another.
    """
    return FORMATS[format](text)


def caution(format: str, text: str) -> str | None:
    """Return why a valid `text` may still be refused or misread elsewhere, or None."""
    if format == "uri" and not text.isascii():
        return "has characters that a URI percent-encodes"
    if format == "uri" and not _PLAIN_URI.fullmatch(text):
        return "is a URI that the reference PDS refuses"
    if format == "cid" and not _EXACT_CID.fullmatch(text):
        return "is no CIDv1 with SHA-256 as AT Protocol uses it"
    if format == "datetime" and (match := _DATETIME.fullmatch(text)) and len(match[7] or "") > 21:
        return "has more than 20 digits of a second"
    return None


def _require(format: str, text: str) -> str:
    if reason := check(format, text):
        raise InvalidSyntax(reason)
    return text


def _did(text: str) -> str | None:
    if len(text) > 2048:
        return "is longer than 2048 characters"
    return None if _DID.fullmatch(text) else "is not a DID (did:method:identifier)"


def _handle(text: str) -> str | None:
    if len(text) > 253:
        return "is longer than 253 characters"
    return None if _HANDLE.fullmatch(text) else "is not a handle (a domain name like alice.example)"


def _nsid(text: str) -> str | None:
    if len(text) > 317:
        return "is longer than 317 characters"
    return None if _NSID.fullmatch(text) else "is not an NSID (like site.standard.document)"


def _tid(text: str) -> str | None:
    return None if _TID.fullmatch(text) else "is not a TID (13 characters of 2-7 and a-z)"


def _rkey(text: str) -> str | None:
    if text in {".", ".."} or not _RKEY.fullmatch(text):
        return "is not a record key (1 to 512 of A-Z a-z 0-9 . _ : ~ -, and not '.' or '..')"
    return None


def _at_identifier(text: str) -> str | None:
    if text.startswith("did:"):
        return _did(text)
    return "is neither a DID nor a handle" if _handle(text) else None


def _at_uri(text: str) -> str | None:
    if len(text) > 8192:
        return "is longer than 8192 characters"
    if not text.startswith("at://"):
        return "doesn't begin with at://"
    authority, *path = text[5:].split("/")
    if reason := _at_identifier(authority):
        return f"has an authority that {reason}"
    if len(path) > 2:
        return "has more than an authority, a collection and a record key"
    if path and (reason := _nsid(path[0])):
        return f"has a collection that {reason}"
    if len(path) > 1 and (reason := _rkey(path[1])):
        return f"has a record key that {reason}"
    return None


def _uri(text: str) -> str | None:
    if len(text.encode("utf-8", "surrogatepass")) > 8192:
        return "is longer than 8192 bytes"
    if not _URI.fullmatch(text):
        return "is not a URI (a scheme, a colon, then no spaces or control characters)"
    return None


def _cid(text: str) -> str | None:
    if not _CID.fullmatch(text) or text.startswith("Qmb"):
        return "is not a CID"
    return None


def _language(text: str) -> str | None:
    match = _LANGUAGE.fullmatch(text)
    if not match:
        return "is not a language tag (RFC 5646, like en or pt-BR)"
    variants = (match["variants"] or "").lower().split("-")[1:]
    singletons = re.findall(r"-([0-9a-z])(?=-)", (match["extensions"] or "").lower())
    if len(set(variants)) < len(variants) or len(set(singletons)) < len(singletons):
        return "repeats a variant or a singleton"
    return None


def _datetime(text: str) -> str | None:
    if len(text) > 64:
        return "is longer than 64 characters"
    match = _DATETIME.fullmatch(text)
    if not match:
        return "is not a datetime with a zone, like 2026-02-05T16:32:10.000Z"
    year, month, day, hour, minute, second = (int(match[group]) for group in range(1, 7))
    if not 1 <= month <= 12 or not 1 <= day <= _days_in(year, month):
        return f"names a day that doesn't exist ({match[1]}-{match[2]}-{match[3]})"
    if hour > 23 or minute > 59 or second > 59:
        return f"names a time that doesn't exist ({match[4]}:{match[5]}:{match[6]})"
    if match[8] is None:
        return None
    sign, hours, minutes = match[8], int(match[9]), int(match[10])
    if hours > 23 or minutes > 59:
        return "has an offset beyond 23:59"
    if sign == "-" and hours == minutes == 0:
        return "has the offset -00:00; write Z or +00:00"
    utc = hour * 60 + minute - (hours * 60 + minutes) * (1 if sign == "+" else -1)
    first, last = (year, month, day) == (0, 1, 1), (year, month, day) == (9999, 12, 31)
    if (first and utc < 0) or (last and utc >= 24 * 60):
        return "lies outside the years 0000 to 9999 in UTC"
    return None


def _days_in(year: int, month: int) -> int:
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 29 if month == 2 and leap else _DAYS[month - 1]


FORMATS: dict[str, Callable[[str], str | None]] = {
    "at-identifier": _at_identifier,
    "at-uri": _at_uri,
    "cid": _cid,
    "datetime": _datetime,
    "did": _did,
    "handle": _handle,
    "language": _language,
    "nsid": _nsid,
    "record-key": _rkey,
    "tid": _tid,
    "uri": _uri,
}

PLAIN: dict[str, re.Pattern[str]] = {
    **dict.fromkeys(FORMATS, _NOTHING),
    "at-identifier": _PLAIN_DID,
    "at-uri": _PLAIN_AT_URI,
    "cid": _EXACT_CID,
    "datetime": _PLAIN_DATETIME,
    "did": _PLAIN_DID,
    "uri": _PLAIN_WEB,
}
"""What most texts of a format look like: a full match is valid and beyond doubt, seen at once."""
