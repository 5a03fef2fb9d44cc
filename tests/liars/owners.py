"""What the owner of a repo may sign: odd records, and names that try to lead out of the folder."""

from __future__ import annotations

from publisher.data import RAW, Value, encode
from publisher.errors import ProofFailed
from tests.liars.forge import signed
from tests.liars.liar import Expected, Harmless, Liar, Partly, Refused
from tests.liars.world import World
from tests.repo_server import NOTE, note, path

ODD = path(5)
FILE = f"{ODD}.json"
NASTY = "\x1b]0;pwned\x07\x1b[2J\u202eevil\u2066\x9b31m\x00\r\n"


def owned(name: str, record: Value | bytes, expect: Expected) -> Liar:
    """Return an owner who signs a record, or a block that is none."""

    def arrange(world: World) -> None:
        values = {path(2): note("newest"), path(3): world.repo.now.values[path(3)]}
        root, blocks = signed({**values, ODD: record}, world.next_rev)
        known = {} if isinstance(record, bytes) else {ODD: record}
        world.commit(root, blocks, values={**values, **known})

    return Liar(f"record: {name}", arrange, expect, ("again",))


def named(*keys: str, expect: Expected) -> Liar:
    """Return an owner who signs records under such keys, 'collection/rkey' or anything else."""

    def arrange(world: World) -> None:
        values = dict(world.repo.now.values) | {key: note(key[:99]) for key in keys}
        root, blocks = signed(values, world.next_rev)
        world.commit(root, blocks, values=values)

    refused = isinstance(expect, Refused)
    shown = keys[0][:40] if len(keys) == 1 else f"{len(keys)}, {len(keys[0])} long, {keys[0]}"[:40]
    when = ("again",) if refused else ("again", "first")
    return Liar(f"name: {shown[:40]!a}", arrange, expect, when, verified=refused)


def as_raw() -> Liar:
    def arrange(world: World) -> None:
        root, blocks = signed({path(1): b"raw bytes"}, world.next_rev, codec=RAW)
        world.commit(root, blocks, values={})

    says = Refused(ProofFailed, f"the record {path(1)} is no DAG-CBOR")
    return Liar("record: CID of raw bytes", arrange, says, verified=True)


def nested(levels: int) -> bytes:
    """Return the block of a record with lists in lists."""
    return b"\xa1\x61x" + b"\x81" * levels + b"\x80"


def with_blob_cid(prefix: bytes) -> bytes:
    """Return the block of a record with a link that isn't one of AT Protocol."""
    return b"\xa1\x61x\xd8\x2a\x58" + bytes([len(prefix) + 33]) + b"\0" + prefix + bytes(32)


def none(says: str) -> Partly:
    return Partly({FILE: f"is no record of the data model.*{says}"})


RECORDS = (
    owned("garbage", b"\xff\x00", none("")),
    owned("empty block", b"", none("")),
    owned("JSON", b'{"text": "hello"}', none("")),
    owned("a list", encode(["a"]), none("it is no object")),
    owned("a number", encode(1), none("it is no object")),
    owned("two of a key", b"\xa2\x61a\x01\x61a\x02", none("")),
    owned("keys out of order", b"\xa2\x61b\x01\x61a\x02", none("")),
    owned("a float", b"\xa1\x61x\xfb\x3f\xf8" + bytes(6), none("")),
    owned("NaN", b"\xa1\x61x\xf9\x7e\x00", none("")),
    owned("undefined", b"\xa1\x61x\xf7", none("")),
    owned("a padded number", b"\xa1\x61x\x18\x01", none("")),
    owned("a list without an end", b"\xa1\x61x\x9f\x01\xff", none("")),
    owned("bytes that go on", b"\xa1\x61x\x01\x01", none("")),
    owned("a text of 2^60 bytes", b"\xa1\x61x\x7b\x10" + bytes(7), none("")),
    owned("a list of 2^60 items", b"\xa1\x61x\x9b\x10" + bytes(7), none("")),
    owned("text that is no UTF-8", b"\xa1\x61x\x62\xc3\x28", none("")),
    owned("a surrogate", b"\xa1\x61x\x63\xed\xa0\x80", none("")),
    owned("a number for a key", b"\xa1\x01\x02", none("")),
    owned("another tag", b"\xa1\x61x\xc1\x01", none("")),
    owned("link with SHA-512", with_blob_cid(b"\x01\x71\x13\x20"), none("")),
    owned("link with an identity hash", with_blob_cid(b"\x01\x55\x00\x20"), none("")),
    owned("300 levels", nested(300), none("too deep|deep")),
    owned("100,000 levels", nested(100_000), none("deep")),
    owned(
        "30 levels",
        {"$type": NOTE, "x": [[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]},
        Harmless(),
    ),
    owned("another $type", {"$type": "com.example.other", "text": "x"}, Harmless()),
    owned("no $type", {"text": "x"}, Harmless()),
    owned("$type that is a path", {"$type": "../../x"}, Harmless()),
    owned("$type that is a number", {"$type": 7}, Harmless()),
    owned("an empty object", {}, Harmless()),
    owned("a key of a megabyte", {"$type": NOTE, "k" * 1_000_000: 1}, Harmless()),
    owned("a text of a megabyte", {"$type": NOTE, "x": "\0" * 1_000_000}, Harmless()),
    owned("escapes for a terminal", {"$type": NOTE, NASTY: NASTY}, Harmless()),
    owned("2^63", {"$type": NOTE, "x": (1 << 63) - 1, "y": -(1 << 63)}, Harmless()),
    owned("a $link that is none", {"$type": NOTE, "x": {"$link": "../../x"}}, none("")),
    as_raw(),
)

_WRONG_KEY = Refused(ProofFailed, "the key b")
_LEADING_OUT = (
    *("..", ".", "../x", "../../x", "a/b", "/etc/passwd", "..\\..\\x", "C:\\x", "a\0b", ""),
    *(
        "%2E%2E",
        "%2e%2e%2fx",
        "x y",
        "é",
        "\u202ex",
        "\x1b[2J",
        "a\n",
        "~/x",
        "$HOME",
        "*",
        "x" * 513,
    ),
)
_NO_COLLECTION = (
    *("../x", "../../x/y", ".trash/x", "blobs/x", "pull.json/x", "./x", "//x", "x", "/etc/passwd"),
    *(
        "com.example/x",
        "com..example.x/y",
        "com.example.note.",
        "com.example.-x/y",
        "COM\x00.a.b/x",
    ),
    *(
        "\\\\host\\share/x",
        "com.example.note\\..\\x/y",
        "é.example.note/x",
        "CON/x",
        "1om.example.x/y",
    ),
)
_ON_WINDOWS = (
    *("con", "nul", "aux", "prn", "COM1", "lpt9", "con.txt", "NUL.tar.gz", "x.", "...", "..x"),
    *("at:colon", "C:", "x::$DATA".replace("$", "_"), "~", "_", "-", "pull.json", ".pull.sqlite"),
    *(".trash", "blobs", "self", "x.json", "x.json.json", ".", "..")[:-2],
)
_CASES = (
    "a",
    "A",
    "ab",
    "Ab",
    "aB",
    "AB",
    "%41".replace("%", "_"),
    "straSSe",
    "strasse",
    "STRASSE",
)
_LONG = "l" * 512
_ESCAPED = f"{NOTE}/{'%64' * 250}.json"

NAMES = (
    *(named(f"{NOTE}/{rkey}", expect=_WRONG_KEY) for rkey in _LEADING_OUT),
    *(named(key, expect=_WRONG_KEY) for key in _NO_COLLECTION),
    named(*(f"{NOTE}/{rkey}" for rkey in _ON_WINDOWS), expect=Harmless()),
    named(*(f"{NOTE}/{rkey}" for rkey in _CASES), expect=Harmless()),
    named(
        "com.example.Note/x",
        "com.example.note/x",
        "com.example.NOTE/1",
        "com.example.note/1",
        expect=Harmless(),
    ),
    named("aux.example.nul/x", "con.example.thing/con", expect=Harmless()),
    named(f"{NOTE}/{_LONG}", expect=Partly({f"{NOTE}/{_LONG}.json": "too long for a file name"})),
    named(f"{NOTE}/{'D' * 80}", f"{NOTE}/{'d' * 80}", expect=Harmless()),
    named(f"{NOTE}/{'D' * 250}", f"{NOTE}/{'d' * 250}", expect=Partly({_ESCAPED: "too long"})),
    named(
        f"{'a.' * 128}b{'c' * 40}/x",
        expect=Partly({f"{'a.' * 128}b{'c' * 40}/x.json": "too long for a file name"}),
    ),
)
