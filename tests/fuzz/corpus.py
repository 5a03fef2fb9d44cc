"""What inputs are made of: good material of each kind, and what has broken parsers before."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image

from publisher import data

ROOT = Path(__file__).parents[2]
CID = "bafyreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"
RAW = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"
DOCUMENT: dict[str, Any] = {
    "$type": "site.standard.document",
    "site": "at://did:web:alice.example/site.standard.publication/3lzzzzzzzzz22",
    "title": "On boats",
    "path": "/boats",
    "publishedAt": "2026-02-05T16:32:10.000Z",
    "updatedAt": "2026-02-06T16:32:10+01:00",
    "description": "Boats 👩‍👩‍👧 come\r\nat noon.",
    "textContent": "See the map. " * 20,
    "tags": ["boats", "Häfen"],
    "coverImage": {"$type": "blob", "ref": {"$link": RAW}, "mimeType": "image/png", "size": 9},
    "content": {
        "$type": "at.markpub.markdown",
        "text": {"$type": "at.markpub.text", "markdown": "*"},
    },
    "bskyPostRef": {
        "uri": "at://did:web:alice.example/app.bsky.feed.post/3lzzzzzzzzz22",
        "cid": CID,
    },
    "contributors": [{"did": "did:web:alice.example", "displayName": "A", "role": "author"}],
    "labels": {"$type": "com.atproto.label.defs#selfLabels", "values": [{"val": "x"}]},
}
COLOUR = {"$type": "site.standard.theme.color#rgb", "r": 1, "g": 2, "b": 255}
RECORDS: list[Any] = [
    DOCUMENT,
    {
        "$type": "site.standard.publication",
        "url": "https://alice.example",
        "name": "Harbour news",
        "icon": DOCUMENT["coverImage"],
        "preferences": {"showInDiscover": True},
        "basicTheme": {
            "$type": "site.standard.theme.basic",
            "background": COLOUR,
            "foreground": COLOUR,
            "accent": COLOUR,
            "accentForeground": COLOUR,
        },
    },
    {
        "$type": "com.example.every",
        "string": "x",
        "integer": 3,
        "boolean": True,
        "bytes": {"$bytes": "AAEC"},
        "link": {"$link": CID},
        "blob": DOCUMENT["coverImage"],
        "array": [[1, 2], [3]],
        "nothing": None,
        "unknown": {"a": {"b": [1.0, 1e2]}},
        "self": {"string": "y"},
    },
]
EVERY: dict[str, Any] = {
    "lexicon": 1,
    "id": "com.example.every",
    "defs": {
        "main": {
            "type": "record",
            "key": "tid",
            "record": {
                "type": "object",
                "required": ["string"],
                "nullable": ["nothing"],
                "properties": {
                    "string": {"type": "string", "maxLength": 9, "minGraphemes": 1, "default": "x"},
                    "integer": {"type": "integer", "minimum": 0, "maximum": 9, "enum": [1, 2, 3]},
                    "boolean": {"type": "boolean", "const": True},
                    "bytes": {"type": "bytes", "maxLength": 3},
                    "link": {"type": "cid-link"},
                    "blob": {"type": "blob", "accept": ["image/*"], "maxSize": 10},
                    "array": {
                        "type": "array",
                        "maxLength": 2,
                        "items": {"type": "array", "items": {"type": "integer"}},
                    },
                    "nothing": {"type": "ref", "ref": "#self"},
                    "unknown": {"type": "unknown"},
                    "self": {"type": "union", "refs": ["#self", "com.example.every"]},
                    "at": {"type": "string", "format": "at-uri", "knownValues": ["#token"]},
                },
            },
        },
        "self": {
            "type": "object",
            "properties": {"self": {"type": "ref", "ref": "#self"}, "string": {"type": "string"}},
        },
        "token": {"type": "token"},
        "set": {"type": "array", "items": {"type": "union", "refs": ["#token"], "closed": True}},
    },
}
QUERY: dict[str, Any] = {
    "lexicon": 1,
    "id": "com.example.query",
    "defs": {
        "main": {
            "type": "query",
            "parameters": {"type": "params", "properties": {"q": {"type": "string"}}},
            "output": {"encoding": "application/json", "schema": {"type": "ref", "ref": "#out"}},
            "errors": [{"name": "Lost"}],
        },
        "out": {"type": "object", "properties": {"cursor": {"type": "string"}}},
    },
}
MARKDOWN = [
    "---\ntitle: On boats\ndate: 2026-02-05 16:32\ntags: [a, b]\n---\n\n# Boats\n\nThey *come*.\n",
    "+++\ntitle = 'On boats'\ndate = 2026-02-05T16:32:10+01:00\n[cover]\nimage = 'a.png'\n+++\nHi",
    '{"title": "On boats", "date": "2026-02-05", "draft": true}\n\nThey come.\n',
    "---\nbase: &base {title: T}\n<<: *base\nsummary: |\n  two\n  lines\ndate: 2026-02-05\n---\n",
    "---\r\ntitle: T\r\nslug: a/b\r\natUri: at://did:web:a.example/a.b.c/d\r\n---\r\nx\r\n",
    "| a | b |\n|---|---|\n| 1 | <b>2</b> |\n\n- x\n  - y\n\n1. [l](m) ![n](o)[^1]\n\n[^1]: note\n",
    "<div><script>x</script><p>a &amp; b</p><!-- c --><template><pre> d</pre></template>\n\n```\ne",
]
STRINGS = [
    "alice.example",
    "did:plc:44ybard66vv44zksje25o7dz",
    "did:web:alice.example%3A8080",
    "site.standard.document",
    "3lzzzzzzzzz22",
    "self",
    "at://did:web:alice.example/site.standard.document/3lzzzzzzzzz22",
    "2026-02-05T16:32:10.123456-08:00",
    "https://alice.example/a?b#c",
    "de-Latn-DE-1996-x-private",
    "i-klingon",
    CID,
]
ATOMS = [
    *(
        "\0",
        "\ufeff",
        "\u2028",
        "\u0085",
        "\r\n",
        "\r",
        "\t",
        "\\ud800",
        "\\udc00\\ud800",
        "\\u0000",
    ),
    *("1e999", "-1e-999", "1E400000000000000000000", "9" * 25, "9" * 5_000, "-0.0", "1.0", "0.1"),
    *("9223372036854775808", "-9223372036854775809", "9007199254740992", "NaN", "-Infinity", "01"),
    *('"$type"', '"$type": ""', '"$link"', '{"$link": 1}', '{"$bytes": "A"}', '"__proto__": 1'),
    *('"blob"', "null", "true", "[]", "{}", "[[", "{{", '""', "'", '"', "\\", ",", ":", "/", "~0"),
    *(
        "---\n",
        "+++\n",
        "...\n",
        "---",
        "&a ",
        "*a",
        "<<: *a\n",
        "!!binary ",
        "!!int ",
        "!!bool ",
        "!!float ",
        "!!timestamp ",
        "!!set ",
        "!!omap ",
    ),
    *(
        "!!python/object:os.system ",
        "? ",
        "- ",
        "| ",
        ">-\n",
        "%YAML 1.1\n",
        "0o7",
        "0x1F",
        "1:30:00",
    ),
    *(
        "0x" + "F" * 5_000,
        "2026-02-30",
        "07:32:00",
        "1979-05-27T07:32:00Z",
        "inf",
        "nan",
        "[[a]]\n",
        "a.b.c = 1\n",
        '"""',
    ),
    *("# ", "> ", "```", "~~~", "<", "<!--", "-->", "<![CDATA[", "<?", "</script>", "<p ", "&#0;"),
    *(
        "&#x110000;",
        "&amp",
        "![",
        "](",
        "[^1]",
        "[^1]:",
        "|",
        "**",
        "\u202e",
        "👩‍👩‍👧",
        "e\u0301" * 50,
    ),
    *(
        "a" * 300,
        "é" * 300,
        "k" * 70_000,
        " " * 300,
        "\n" * 300,
        "#",
        "-" * 50,
        "at://",
        "did:",
        ".",
    ),
]


def _seeds(*patterns: str) -> list[str]:
    paths = sorted(path for pattern in patterns for path in ROOT.glob(pattern))
    return [path.read_text("utf-8") for path in paths]


def _examples() -> list[str]:
    """The records of docs/rules.md."""
    page = (ROOT / "docs" / "rules.md").read_text("utf-8")
    found = [json.loads(text) for text in re.findall(r"\| `(\{.*?\})` (?=\|)", page)]
    return [json.dumps({**DOCUMENT, **example}, ensure_ascii=False) for example in found]


def _images() -> list[bytes]:
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (53.0, 33.0, 0.0)
    images = []
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"):
        content = io.BytesIO()
        Image.new("RGB", (40, 30)).save(content, kind, exif=exif.tobytes())
        images.append(content.getvalue())
    return images


JSON = [
    *(json.dumps(record, indent=1) for record in RECORDS),
    *_seeds("seeds/**/*.json"),
    *_examples(),
]
LEXICONS = [*(json.dumps(file) for file in (EVERY, QUERY)), *_seeds("lexicons/**/*.json")]
TEXTS = [*MARKDOWN, *_seeds("seeds/**/*.md", "docs/*.md")]
CBOR = [data.encode(data.loads(text)) for text in JSON if "NaN" not in text]
IMAGES = _images()
