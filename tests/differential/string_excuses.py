"""Strings that peers and we judge differently, and what is disputed in each."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from tests.differential.compare import Excuse
from tests.differential.strings import CID

LENIENT: Final = frozenset({"lex", "lexicon"})
SYNTAX: Final = frozenset({"lex strict", "lex", "lexicon", "pds"})
NOT_STRICT: Final = LENIENT | {"atcute"}
ALL: Final = SYNTAX | {"atcute"}


def _sub(pattern: str, replacement: str | Callable[[re.Match[str]], str]) -> Callable[[str], str]:
    compiled = re.compile(pattern, re.ASCII)
    return lambda text: compiled.sub(replacement, text, count=1)


def _when(pattern: str, text: str) -> Callable[[str], str]:
    """Return what puts `text` in the place of a whole string of the pattern."""
    compiled = re.compile(pattern, re.ASCII)
    return lambda given: text if compiled.fullmatch(given) else given


_RFC_3339: Final = (
    r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])T(?:[01][0-9]|2[0-3])(?::[0-5][0-9]){2}"
    r"(?:\.[0-9]+)?(?:Z|(?!-00:00)[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
_DATETIME: Final = "2026-02-05T16:32:10Z"
# The date with any separator or none; the time too, with or without seconds, a fraction after any
# character, and with or without a zone; what follows a second T isn't looked at.
_ISO_8601: Final = (
    r"(?s:[0-9]{4}\D?[0-9][0-9,]\D?[0-9]{2}T[0-9]{2}.?[0-9]{2}(?:.?[0-9]{2})?(?:.[0-9]{1,9})?"
    r"(?:Z*|[+-][0-9]{2}.?[0-9]{2}[^T]*)(?:T.*)?)"
)


def _to_month(text: str) -> str:
    """Put the last day that every month has in the place of a 29th to 31st."""
    if not re.fullmatch(_RFC_3339, text):
        return text
    return re.sub(r"^(\d{4}-(?:02|04|06|09|11)-)(?:29|30|31)", r"\g<1>28", text)


def _to_iso_8601(text: str) -> str:
    other = re.fullmatch(_ISO_8601, text) and not re.fullmatch(_RFC_3339, text)
    return _DATETIME if other else text


# A variant, or the singleton before an extension, and the same again before any private use.
_TWICE: Final = (
    r"(?i)(-[0-9][a-z0-9]{3}|-[a-z0-9]{5,8}|-[a-wyz0-9](?=-))((?:-(?!x-)[a-z0-9]+)*?)\1(?=-|$)"
)


def _subtags_once(text: str) -> str:
    """Drop variants and singletons that stand in the tag already."""
    once = re.sub(_TWICE, r"\1\2", text)
    return text if once == text else _subtags_once(once)


# One slash, three or more, or two and nothing.
_NO_HOST: Final = r"^([a-zA-Z][\w.+-]*:)(?:/(?!/)|///+|//$)"


def _shorter(text: str) -> str:
    """Leave the ends of what is longer than 8 KB."""
    long = len(text.encode("utf-8", "surrogatepass")) > 8192
    return text[:1000] + text[-1000:] if long else text


STRINGS: Final[Mapping[str, tuple[Excuse[str], ...]]] = {
    "at-uri": (
        Excuse("at-uri: a fragment", "refuse", ALL, _sub(r"#/\S*$", "")),
        Excuse("at-uri: a query", "refuse", frozenset({"lex"}), _sub(r"\?[^#\s]*", "")),
        Excuse("at-uri: a slash at the end", "refuse", frozenset({"lex"}), _sub(r"/(?=$|#)", "")),
        Excuse(
            "at-uri: a record key that is none",
            "refuse",
            frozenset({"lex"}),
            _sub(r"^(at://[^/]+/[^/]+)/[^/#?\s]+", r"\1/self"),
        ),
    ),
    "cid": (
        Excuse(
            "cid as a string: what is no CIDv1 of AT Protocol",
            "take",
            ALL,
            _when(r"(?!Qmb)[a-zA-Z0-9+=]{8,256}", CID),
        ),
        Excuse(
            "cid as a string: version 0",
            "refuse",
            SYNTAX,
            _when(r"Qmb[1-9A-HJ-NP-Za-km-z]{43}", CID),
        ),
        Excuse(
            "cid as a string: characters beyond ASCII",
            "refuse",
            SYNTAX,
            _when(r"(?=.*[^\x00-\x7f])(?:Qm|z)[^\x00-\x20]+", CID),
        ),
    ),
    "datetime": (
        Excuse("datetime: a day that its month hasn't", "refuse", ALL, _to_month),
        Excuse(
            "datetime: outside the years 0000 to 9999 in UTC",
            "refuse",
            NOT_STRICT,
            _sub(r"^(?:0000(?=-01-01T.*\+\d\d:\d\d$)|9999(?=-12-31T.*-\d\d:\d\d$))", "2000"),
        ),
        Excuse(
            "datetime: the year 0000", "take", frozenset({"atcute"}), _sub(r"^0000(?=-)", "2000")
        ),
        Excuse("datetime: other forms of ISO 8601", "refuse", LENIENT, _to_iso_8601),
    ),
    "language": (
        Excuse(
            "language: the first subtag is not two or three lower-case letters",
            "refuse",
            ALL - {"lex strict", "pds"},
            _sub(r"^(?![a-z]{2,3}(?:-|$))[A-Za-z]{2,8}(?=-|$)", "en"),
        ),
        Excuse(
            "language: a variant or singleton twice",
            "refuse",
            ALL - {"lex strict", "pds"},
            _subtags_once,
        ),
        Excuse(
            "language: a private use after X",
            "take",
            frozenset({"atcute"}),
            _sub(r"(?:^|(?<=-))X-", "x-"),
        ),
    ),
    "uri": (
        Excuse(
            "uri: a scheme with dots, plus or minus",
            "take",
            ALL,
            _sub(r"^[a-zA-Z][a-zA-Z0-9]*[.+-][a-zA-Z0-9.+-]*:", "x:"),
        ),
        Excuse("uri: no authority, or an empty one", "take", ALL, _sub(_NO_HOST, r"\1x")),
        Excuse(
            "uri: a scheme that RFC 3986 hasn't",
            "refuse",
            ALL,
            _sub(r"^(?=[0-9_]|[a-zA-Z0-9]*_)\w+:", "x:"),
        ),
        Excuse(
            "uri: control characters",
            "refuse",
            ALL,
            lambda text: re.sub(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]", "x", text),
        ),
        Excuse("uri: a byte order mark", "take", ALL, lambda text: text.replace("\ufeff", "x")),
        Excuse("uri: more than 8 KB", "refuse", ALL - {"atcute"}, _shorter),
    ),
}
