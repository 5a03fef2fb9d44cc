"""What is fuzzed: each target with how its inputs are made and what must hold for every one."""

from __future__ import annotations

import contextlib
import json
import re
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import libipld

from publisher import data, lexicon, quality, syntax
from publisher.documents import Context, Source, read
from publisher.documents.cover import read_cover
from publisher.documents.front_matter import InvalidFrontMatter, split
from publisher.documents.places import locate
from publisher.documents.text import plain_text
from publisher.findings import CODES, Finding, has_errors
from publisher.lexicon.catalog import PROFILES
from publisher.record import build
from publisher.resources import bundled
from publisher.spool import whole
from tests.fuzz import corpus
from tests.fuzz.mutation import octets, text, tree

CONTROL = re.compile(r"[\0-\x20\x7f-\x9f]")
NOW = datetime(2026, 11, 25, tzinfo=UTC)
_RAM = Path("/dev", "shm")
MEMORY = _RAM if _RAM.is_dir() else None  # files there need no disk
RKEYS = (None, "3lzzzzzzzzz22", "self", "\ud800/")
POINTERS = (
    "",
    "/title",
    "/tags/0",
    "/cover/image",
    "/content/text/markdown",
    "/a~1b~0/c",
    "/textContent",
)


@dataclass(frozen=True, slots=True)
class Target:
    """`run` raises for an input for which something doesn't hold."""

    name: str
    make: Callable[[Random], bytes]
    run: Callable[[bytes], None]


def require(holds: object, what: str) -> None:
    """Raise AssertionError, also where assertions are switched off."""
    if not holds:
        raise AssertionError(what)


def sound(findings: Iterable[Finding], value: object = None, *, resolve: bool = True) -> None:
    """Require known codes, and pointers to what is in the value."""
    for found in findings:
        require(found.code in CODES, f"{found.code} is no known code")
        require(found.message and found.severity in {"error", "warning", "info"}, f"{found}")
        require(
            not resolve or resolves(value, found.pointer), f"{found.pointer} is not in the value"
        )


def resolves(value: object, pointer: str) -> bool:
    """Tell whether a JSON pointer leads to something; a fault holds what stood in its place."""
    if isinstance(value, data.Fault) and pointer:
        return any(resolves(inner, pointer) for inner in value.within)
    if not pointer:
        return True
    step, mark, rest = pointer[1:].partition("/")
    name = step.replace("~1", "/").replace("~0", "~")
    if isinstance(value, dict) and name in value:
        return resolves(value[name], mark + rest)
    if isinstance(value, list) and name.isdigit() and int(name) < len(value):
        return resolves(value[int(name)], mark + rest)
    return False


def placed(content: str, suffix: str, findings: Sequence[Finding]) -> None:
    """Require that every finding's line and column are within the file."""
    lines = content.removeprefix("\ufeff").split("\n")
    for found in locate(content, suffix, findings):
        line, column = found.line or 0, found.column or 0
        require(1 <= line <= len(lines), f"line {line} of {len(lines)}: {found}")
        require(1 <= column <= len(lines[line - 1]) + 1, f"column {column} of line {line}: {found}")


def same(first: object, second: object) -> None:
    """Require that two runs came to the same, types and order too."""
    require(repr(first) == repr(second), f"{first!r:.200} is not {second!r:.200}")


def run_loads(raw: bytes) -> None:
    """Strict JSON: a value that survives both encodings, or findings with their places."""
    value = parsed(raw)
    if isinstance(value, data.DataError):
        require(has_errors(value.findings), "refused without an error")
        sound(value.findings, value.value)
        placed(raw.decode(errors="replace"), ".json", value.findings)
        return
    block = data.encode(value)
    again = data.loads(data.dumps(value))
    require(again == value and data.encode(again) == block, "dumps and loads change the value")
    require(data.encode(data.decode(block)) == block, "encode and decode change the value")
    require(data.record_cid(value) == data.record_cid(again), "the CID isn't stable")


def parsed(raw: bytes) -> Any:
    """Return the value, or the DataError."""
    try:
        return data.loads(raw)
    except data.DataError as error:
        return error


def run_decode(raw: bytes) -> None:
    """DAG-CBOR: the one encoding of a value, or refused."""
    try:
        value = data.decode(raw)
    except data.InvalidCbor:
        return
    require(data.encode(value) == raw, "another encoding of the value was read")
    findings = data.check(value)
    sound(findings, value)
    if not has_errors(findings):
        require(data.encode(data.loads(data.dumps(value))) == raw, "JSON changes the value")


def run_load(raw: bytes) -> None:
    """A folder of lexicons: findings, and validators of what is sound."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        Path(folder, "a.json").write_bytes(raw)
        Path(folder, "b.json").write_text(json.dumps(corpus.EVERY))
        catalog = lexicon.load(folder)
        same(catalog.findings, lexicon.load(folder).findings)
    sound(catalog.findings, resolve=False)
    for nsid in catalog.files:
        for value in SAMPLES:
            sound(catalog.validate(value, nsid=nsid).findings, value)


SAMPLES: tuple[Any, ...] = (
    *(
        None,
        True,
        1,
        "x" * 20,
        b"x",
        [],
        [[1]],
        {},
        {"$type": "blob"},
        {"$type": "com.example.every"},
    ),
    *(data.loads(json.dumps(record)) for record in corpus.RECORDS),
)


def run_check(raw: bytes) -> None:
    """One lexicon document on its own."""
    document = json.loads(raw)
    if isinstance(document, dict):
        findings = lexicon.check(document)
        same(findings, lexicon.check(document))
        for found in findings:  # one that speaks of what is missing points to where it would be
            parent = found.pointer.rpartition("/")[0]
            sound([found], document, resolve=not resolves(document, parent))


def run_validate(raw: bytes) -> None:
    """A record, faults of the data model and all, by every profile and the rules."""
    value = parsed(raw)
    if isinstance(value, data.DataError):
        value = value.value
    rkey = RKEYS[len(raw) % len(RKEYS)]
    for nsid, profile in product((None, "com.example.every"), PROFILES):
        verdict = catalog().validate(value, nsid=nsid, rkey=rkey, profile=profile)
        same(verdict, catalog().validate(value, nsid=nsid, rkey=rkey, profile=profile))
        require((verdict.status == "invalid") == has_errors(verdict.findings), f"{verdict}")
        require(len(set(verdict.findings)) == len(verdict.findings), "a finding is told twice")
        sound(verdict.findings, value)
    if isinstance(value, dict):
        found = quality.check(value, now=NOW)
        same(found, quality.check(value, now=NOW))
        sound(found, value)


@cache
def catalog() -> lexicon.Catalog:
    """The bundled lexicons and one that has every type."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        Path(folder, "every.json").write_text(json.dumps(corpus.EVERY))
        return lexicon.load(bundled("lexicons"), folder)


def run_split(raw: bytes) -> None:
    """The head of a Markdown file: a mapping and a body, or refused with its place."""
    content = raw.decode(errors="replace")
    try:
        parts = split(content)
    except InvalidFrontMatter as error:
        placed(content, ".md", [Finding("", "front-matter", str(error))])
        return
    if parts is not None:
        require(all(isinstance(name, str) for name in parts.head), "a name is no string")
        require("\r\n" not in parts.body and not parts.body.startswith("\n"), "the body isn't bare")


def run_read(raw: bytes) -> None:
    """A file of each kind becomes a record that can be encoded and judged, or findings."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        Path(folder, "a.png").write_bytes(corpus.IMAGES[1])
        for name in ("a.md", "a.json", "site.standard.document/3lzzzzzzzzz22.json"):
            path = Path(folder, name)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(raw)
            reading = read(Source(path, name), Context(Path(folder), Path(folder)))
            sound(reading.findings, resolve=False)
            placed(raw.decode(errors="replace"), path.suffix, reading.findings)
            if reading.document and not has_errors(reading.findings):
                record, findings = build(reading.document, "https://alice.example")
                findings += catalog().validate(record.value, nsid=record.collection).findings
                sound(findings, record.value)
                if not has_errors(findings):
                    data.loads(data.dumps(whole(record.value)))


def run_locate(raw: bytes) -> None:
    """Places are within the file, whatever it holds."""
    content = raw.decode(errors="replace")
    findings = [Finding(pointer, "type", "is wrong") for pointer in POINTERS]
    for suffix in (".json", ".md"):
        placed(content, suffix, findings)


def run_text(raw: bytes) -> None:
    """Markdown becomes plain text, without what no record may have."""
    content = raw.decode(errors="replace")
    plain = plain_text(content)
    same(plain, plain_text(content))
    require("\0" not in plain, "a NUL is left")
    plain.encode()


def run_syntax(raw: bytes) -> None:
    """Every string format says yes or why not, and what it takes can be parsed."""
    content = raw.decode(errors="surrogateescape")
    for format in syntax.FORMATS:
        reason = syntax.check(format, content)
        require(reason is None or reason, "no reason is given")
        require(reason or format == "uri" or content.isascii(), f"{format} isn't ASCII")
        require(reason or not CONTROL.search(content), f"{format} takes control characters")
        syntax.caution(format, content)
    with contextlib.suppress(syntax.InvalidSyntax):
        require(str(syntax.AtUri.parse(content)) == content, "an AT-URI is another one")
    with contextlib.suppress(syntax.InvalidSyntax):
        require(syntax.tid(syntax.tid_value(content)) == content, "a TID is another one")


def run_cover(raw: bytes) -> None:
    """Images are looked at, or left alone."""
    sound(quality.cover(raw, "/coverImage"), {"coverImage": raw})
    sound(quality.cover(raw, "/icon"), {"icon": raw})
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        path = Path(folder, "a.png")
        path.write_bytes(raw)
        cover = read_cover("a.png", path, Context(Path(folder), Path(folder)))
        sound([cover] if isinstance(cover, Finding) else [], resolve=False)


def records(random: Random) -> bytes:
    """Return JSON, mostly of records."""
    return _json(random, corpus.JSON)


def lexicons(random: Random) -> bytes:
    """Return JSON, mostly of lexicons."""
    return _json(random, corpus.LEXICONS)


def lexicon_trees(random: Random) -> bytes:
    """Return JSON that can be read, mostly of lexicons."""
    return json.dumps(tree(random, corpus.LEXICONS)).encode()


def _json(random: Random, texts: Sequence[str]) -> bytes:
    if random.random() < 0.5:
        value, indent = tree(random, texts), random.choice((None, 1))
        written = json.dumps(value, ensure_ascii=random.random() < 0.5, indent=indent)
        return written.encode(errors="surrogatepass")
    return _octets(random, text(random, texts).encode())


def documents(random: Random) -> bytes:
    """Return Markdown with front matter, now and then JSON."""
    return _octets(
        random, text(random, random.choice((corpus.TEXTS,) * 4 + (corpus.JSON,))).encode()
    )


def _octets(random: Random, content: bytes) -> bytes:
    return octets(random, content, corpus.CBOR) if random.random() < 0.2 else content


def blocks(random: Random) -> bytes:
    """Return CBOR: of changed values, with floats and all, or with changed bytes."""
    if random.random() < 0.3:
        with contextlib.suppress(Exception):  # what that encoder doesn't take
            return libipld.encode_dag_cbor(tree(random, corpus.JSON))
    return octets(random, random.choice(corpus.CBOR), corpus.CBOR)


def strings(random: Random) -> bytes:
    """Return strings of all formats."""
    return _octets(random, text(random, corpus.STRINGS).encode())


def images(random: Random) -> bytes:
    """Return small images of each kind, damaged."""
    return octets(random, random.choice(corpus.IMAGES), corpus.IMAGES)


TARGETS = (
    Target("data.loads", records, run_loads),
    Target("data.decode", blocks, run_decode),
    Target("lexicon.load", lexicons, run_load),
    Target("lexicon.check", lexicon_trees, run_check),
    Target("validate", records, run_validate),
    Target("front_matter.split", documents, run_split),
    Target("documents.read", documents, run_read),
    Target("places.locate", documents, run_locate),
    Target("plain_text", documents, run_text),
    Target("syntax.check", strings, run_syntax),
    Target("quality.cover", images, run_cover),
)
