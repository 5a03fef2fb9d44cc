"""Strings of every format: valid ones from the grammar, and mutated ones at its edges."""

from __future__ import annotations

import string
from random import Random
from typing import Final

LETTERS: Final = string.ascii_lowercase
ALNUM: Final = string.ascii_letters + string.digits
CID: Final = "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a"
RAW_CID: Final = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"
_BASE32: Final = LETTERS + "234567"

EXAMPLES: Final[dict[str, tuple[str, ...]]] = {
    "at-identifier": ("alice.example", "did:plc:z72i7hdynmk6r22z27h6tvur", "did:web:a.example"),
    "at-uri": (
        "at://alice.example",
        "at://did:plc:z72i7hdynmk6r22z27h6tvur/site.standard.document/3mdvjx6ojy223",
        "at://did:web:a.example/a.b.c/self",
        "at://alice.example/a.b.c#/text",
        "at://alice.example/a.b.c/self?x=1",
    ),
    "cid": (
        CID,
        RAW_CID,
        "QmbWqxBEKC3P8tqsKc98xmWNzrzDtRLMiMPL8wBuTGsMnR",
        "QmSgvgwxZGaBLqkGyWemEDqikCqU52XxsYLKtdy3vGZ8uq",
        "zb2rhe5P4gXftAwvA4eXQ5HJwsER2owDyS9sKaQRRVQPn93bA",
        "bagaaierasords4njcts6vs7qvdjfcvgnume4hqohf65zsfguprqphs3icwea",
    ),
    "datetime": (
        "2026-02-05T16:32:10.000Z",
        "1985-04-12T23:20:50+01:45",
        "0000-01-01T00:00:00+00:00",
        "0000-06-01T12:00:00Z",
        "9999-12-31T23:59:59-00:01",
        "2024-02-29T00:00:00Z",
        "2024-02-05",
        "2024-02-05 16:32:10Z",
        "2016-12-31T23:59:60Z",
        "20240205T163210Z",
    ),
    "did": (
        "did:plc:z72i7hdynmk6r22z27h6tvur",
        "did:web:a.example",
        "did:key:zQ3shZc2QzApp2oymGvQbzP8eKheVshBHbU4ZYjeXqwSKEn6N",
        "did:method:a%20b:c_d-e.f",
    ),
    "handle": ("alice.example", "a.b", "xn--ls8h.test", "8.cn", "alice-b.co-op"),
    "language": (
        "en",
        "pt-BR",
        "zh-Hant-TW",
        "sl-rozaj-biske-1994",
        "de-CH-1901",
        "en-a-bbb-x-a-ccc",
        "x-private",
        "i-klingon",
        "zh-min-nan",
        "sgn-BE-FR",
        "zh-cmn-Hans-CN",
        "en-u-attr-co-phonebk",
    ),
    "nsid": ("site.standard.document", "a.b.c", "com.example.fooBar", "net.x-y.4.thing9"),
    "record-key": ("self", "3mdvjx6ojy223", "a:b~c_d-e.f", "...", "_"),
    "tid": ("3mdvjx6ojy223", "2222222222222", "jzzzzzzzzzzzz"),
    "uri": (
        "https://a.example/path?q=1#f",
        "git+ssh://a.example/b",
        "file:///etc/hosts",
        "x:/y",
        "mailto:a@a.example",
        "at://did:plc:z72i7hdynmk6r22z27h6tvur/a.b.c/d",
        "microsoft.windows.camera:x",
        "https://[::1]:8080/",
        "urn:isbn:0451450523",
    ),
}
FORMATS: Final = tuple(EXAMPLES)
LIMITS: Final[dict[str, int]] = {
    "at-identifier": 253,
    "at-uri": 8192,
    "cid": 256,
    "datetime": 64,
    "did": 2048,
    "handle": 253,
    "language": 128,
    "nsid": 317,
    "record-key": 512,
    "tid": 13,
    "uri": 8192,
}
"""The most characters, or bytes of a URI; languages have no limit."""

_PIECES: Final[dict[str, tuple[str, ...]]] = {
    "at-identifier": ("did:", ":", ".", "-", "a", "9", "%", "did:plc:", ".test"),
    "at-uri": (
        "at://",
        "/",
        "//",
        "#",
        "#/",
        "?",
        "a.b.c",
        "self",
        ".",
        "..",
        "%20",
        ":",
        "~",
        "@",
    ),
    "cid": ("b", "Q", "Qm", "Qmb", "f", "z", "+", "=", "u", "1", "8", "_", "bafy", "k"),
    "datetime": (
        *("00", "12", "13", "24", "29", "30", "31", "32", "59", "60", "61", "99", "-00:00"),
        *("+24:00", "+23:59", "-23:59", "+0100", "+01", "Z", "z", "T", "t", " ", ".", ",", ".0"),
        *("-", ":", "+", "0000", "9999", "10000", "02-30", "04-31", "02-29", "23:59:60", "0"),
    ),
    "did": ("did:", ":", "plc", "web", "%", "%4", "%41", "_", "-", ".", "#", "?", "/", "A"),
    "handle": (".", "-", "--", "_", "9", ".test", "xn--", "A", "a" * 63, "a" * 64),
    "language": (
        *("-", "en", "EN", "eng", "engl", "english", "x", "X", "-x-", "-a-", "-A-", "-1994", "-US"),
        *(
            "-rozaj",
            "-ROZAJ",
            "-419",
            "-Latn",
            "i-",
            "-u-co",
            "abcdefgh",
            "abcdefghi",
            "root",
            "-0",
        ),
    ),
    "nsid": (".", "-", "a", "9", "A", "_", ".*", "#main", "a" * 63, "a" * 64, ".9", "-."),
    "record-key": (".", "..", "/", "~", ":", "_", "-", "@", "%20", "a", "#", "?", "$", "+"),
    "tid": ("2", "7", "0", "1", "8", "z", "a", "j", "k", "A", "-", "Z"),
    "uri": (
        *(":", "/", "//", "://", "#", "?", "%", "%zz", "_:", "9", "+", "-", ".", "[", "]", "@"),
        *("http", "HTTP", "a:", ":a", "::", "\\", '"', "<", "^", "`", "|", "é:", "é", "٣"),
    ),
}
_STRANGE: Final = (
    *(" ", "\n", "\t", "\r", "\0", "\x7f", "\x85", "\xa0", "\u2028", "\u3000", "\ufeff", "\x1c"),
    *("é", "ß", "\u212a", "\u0130", "٣", "\uff11", "😀", "\ud800", "\u200d", "a\u0301", "%", "\\"),
)


def seeded(name: str) -> Random:
    """Return what makes the same choices for the same name."""
    return Random(name)  # noqa: S311  # repeatable


def valid(format: str, random: Random) -> str:
    """Return a string that every peer takes."""
    match format:
        case "at-identifier":
            return valid(random.choice(("did", "handle")), random)
        case "at-uri":
            authority, collection = valid("at-identifier", random), valid("nsid", random)
            parts = (authority, collection, valid("record-key", random))
            return "at://" + "/".join(parts[: random.randint(1, 3)])
        case "cid":
            return random.choice((CID, RAW_CID))
        case "datetime":
            return _datetime(random)
        case "did":
            return f"did:{_word(random, 1, 8)}:{_word(random, 1, 30, ALNUM + '._-')}"
        case "handle":
            return ".".join(_word(random, 1, 12) for _ in range(random.randint(2, 4)))
        case "language":
            return random.choice(("en", "pt-BR", "zh-Hant-TW", "de-CH-1901", "x-a", "i-lux"))
        case "nsid":
            return ".".join(_word(random, 1, 12) for _ in range(random.randint(3, 5)))
        case "record-key":
            return _word(random, 3, 40, ALNUM + "_~.:-")
        case "tid":
            return random.choice("234567abcdefghij") + _word(random, 12, 12, _BASE32)
        case _:
            return f"https://{valid('handle', random)}/{_word(random, 0, 20, ALNUM + '-._~%?#/')}"


def _word(random: Random, least: int, most: int, alphabet: str = LETTERS) -> str:
    return "".join(random.choices(alphabet, k=random.randint(least, most)))


def _datetime(random: Random) -> str:
    day = f"{random.randint(1970, 2099)}-{random.randint(1, 12):02}-{random.randint(1, 28):02}"
    time = ":".join(f"{random.randint(0, most):02}" for most in (23, 59, 59))
    fraction = random.choice(("", ".1", ".123", ".123456"))
    zone = random.choice(("Z", "+00:00", f"-{random.randint(0, 23):02}:30"))
    return f"{day}T{time}{fraction}{zone}"


def mutated(format: str, random: Random) -> str:
    """Return an example of the format, or a valid string, with up to three mutations."""
    text = random.choice((*EXAMPLES[format], valid(format, random), valid(format, random)))
    for _ in range(random.choice((0, 1, 1, 1, 2, 3))):
        text = _mutation(text, format, random)
    return text


def _mutation(text: str, format: str, random: Random) -> str:
    start = random.randint(0, len(text))
    end = min(len(text), start + random.choice((0, 1, 1, 2, 4)))
    piece = random.choice(_PIECES[format])
    match random.randrange(12):
        case 0 | 1:
            return text[:start] + text[end:]
        case 2 | 3 | 4:
            return text[:start] + piece + text[end:]
        case 5:
            return text[:start] + random.choice(_STRANGE) + text[end:]
        case 6:
            return random.choice((text + "\n", " " + text, text + " ", text + piece, piece + text))
        case 7:
            return text[:start] + text[start:end].swapcase() + text[end:]
        case 8:
            return text[:end] + text[start:]
        case 9:
            other = random.choice(EXAMPLES[format])
            return text[:start] + other[random.randint(0, len(other)) :]
        case 10:
            return _digits(text, random)
        case _:
            return _long(text, format, random)


def _digits(text: str, random: Random) -> str:
    """Replace a run of two digits, the edges of datetimes."""
    places = [index for index in range(len(text) - 1) if text[index : index + 2].isdigit()]
    if not places:
        return text.upper()
    place, value = random.choice(places), random.choice((0, 1, 12, 13, 23, 24, 28, 29, 30, 31, 32))
    return f"{text[:place]}{random.choice((value, value + 29)):02}{text[place + 2 :]}"


def _long(text: str, format: str, random: Random) -> str:
    """Repeat a piece of the text until it has about the most characters allowed."""
    length = LIMITS[format] + random.choice((-1, 0, 0, 1, 1))
    place = random.randint(0, len(text))
    filling = random.choice(("a", "0", text[place : place + 1] or "a", "é", ".a", "a.b"))
    missing = max(0, length - len(text))
    repeated = (filling * missing)[:missing]
    return text[:place] + repeated + text[place:]
