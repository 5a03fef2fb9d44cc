"""The string formats, as tables of what is valid and what is not, and the laws of TIDs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher import syntax
from publisher.data import DAG_CBOR, RAW, Cid, InvalidCid
from publisher.syntax import AtUri, InvalidSyntax

RECORD = str(Cid.of(b"a record", DAG_CBOR))
BLOB = str(Cid.of(b"a blob", RAW))
DOMAIN_253 = ".".join(["a" * 63] * 3 + ["b" * 61])
NSID_317 = ".".join(["a" * 63] * 4 + ["b" * 61])
AT_URI = "at://did:plc:z72i7hdynmk6r22z27h6tvur"

VALID: dict[str, list[str]] = {
    "did": [
        "did:plc:z72i7hdynmk6r22z27h6tvur",
        "did:web:alice.example",
        "did:web:localhost%3A8080",
        "did:method:a:b:c",
        "did:method:a_-.",
        "did:m:v",
        "did:m:" + "v" * 2042,
    ],
    "handle": [
        "alice.example",
        "A.b",
        "8.cn",
        "xn--ls8h.test",
        "a-b--c.d-e",
        "a" * 63 + ".example",
        DOMAIN_253,
    ],
    "at-identifier": ["did:web:alice.example", "alice.example", "did.example"],
    "nsid": [
        "com.example.record",
        "com.example.fooBar2",
        "a.0.c",
        "a-1.b-2.c",
        "a" * 63 + ".b." + "c" * 63,
        NSID_317,
    ],
    "tid": ["3jzfcijpj2z2a", "2222222222222", "7777777777777", "jzzzzzzzzzzzz"],
    "record-key": ["self", "a", "~1.2-3_4:5", "...", "-", "pre:fix", "A" * 512],
    "at-uri": [
        AT_URI,
        "at://alice.example",
        f"{AT_URI}/site.standard.document",
        f"{AT_URI}/site.standard.document/3jzfcijpj2z2a",
        "at://did:plc:x/a.b.c/" + "r" * 512,
    ],
    "datetime": [
        "2026-02-05T16:32:10Z",
        "2026-02-05T16:32:10.1Z",
        "2026-02-05T16:32:10.000+02:00",
        "2026-02-05T16:32:10-23:59",
        "2026-02-05T16:32:10+00:00",
        "2024-02-29T00:00:00Z",
        "2000-02-29T00:00:00Z",
        "0000-02-29T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "0000-01-01T00:01:00+00:01",
        "9999-12-31T23:59:59Z",
        "9999-12-31T23:58:59-00:01",
        "2026-02-05T16:32:10." + "1" * 20 + "Z",
        "2026-02-05T16:32:10." + "1" * 43 + "Z",
    ],
    "uri": [
        "https://alice.example/a?b=c#d",
        "git+ssh://alice.example/a.git",
        "microsoft.windows.camera:picker",
        "file:///etc/hosts",
        "x:/y",
        "mailto:alice@example.com",
        "at://alice.example",
        "https://alice.example/é",
        "x:" + "y" * 8190,
    ],
    "language": [
        "en",
        "ast",
        "pt-BR",
        "es-419",
        "zh-Hant-TW",
        "zh-cmn-Hans-CN",
        "de-1996",
        "sl-rozaj-biske-1994",
        "hy-Latn-IT-arevela",
        "en-a-bbb-x-a-ccc",
        "en-u-ca-buddhist-t-es",
        "de-x-private",
        "x-whatever",
        "X-Whatever",
        "de-X-private",
        "i-klingon",
        "i-default",
        "en-GB-oed",
        "en-x-" + "-".join(["abcdefgh"] * 50),
    ],
    "cid": [
        RECORD,
        BLOB,
        "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi",
        "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG",
        "zb2rhe5P4gXftAwvA4eXQ5HJwsER2owDyS9sKaQRRVQPn93bA",
        "7134zzzz",
        "a" * 8,
        "a" * 256,
        "mAXASIOnrbGCADfkPyOI37VMkbzluh1eaukBqqnl2oFaFnuIt+==",
    ],
}

INVALID: dict[str, list[str]] = {
    "did": [
        "",
        "did",
        "did:plc",
        "did:plc:",
        "did:PLC:abc",
        "did:m3:abc",
        "DID:plc:abc",
        "did:plc:abc:",
        "did:plc:abc%",
        "did:plc:a/b",
        "did:plc:a#b",
        "did:plc:a b",
        "did:plc:é",
        "did:m:" + "v" * 2043,
    ],
    "handle": [
        "",
        "alice",
        "@alice.example",
        ".alice.example",
        "alice.example.",
        "alice..example",
        "-alice.example",
        "alice-.example",
        "alice.0",
        "10.0.0.1",
        "al_ice.example",
        "ålice.example",
        "a" * 64 + ".example",
        DOMAIN_253 + "b",
    ],
    "at-identifier": ["", "alice", "did:plc:", "@alice.example", "at://alice.example"],
    "nsid": [
        "",
        "com.example",
        "com.example.3",
        "com.example.foo-bar",
        "com.example.foo_bar",
        "com.example.foo#main",
        "com.example.*",
        "1com.example.foo",
        "com..foo",
        "com.-example.foo",
        "com.example-.foo",
        ".com.example.foo",
        "com.example.foo.",
        "a" * 64 + ".b.c",
        "a.b." + "c" * 64,
        NSID_317 + "b",
    ],
    "tid": [
        "",
        "3jzfcijpj2z2",
        "3jzfcijpj2z2aa",
        "3jzfcijpj2z21",
        "0000000000000",
        "3JZFCIJPJ2Z2A",
        "k222222222222",
        "zzzzzzzzzzzzz",
        "3jzf-cij-pj2z-2a",
    ],
    "record-key": ["", ".", "..", "a/b", "a b", "#x", "@x", "a+b", "x%20", "é", "A" * 513],
    "at-uri": [
        "",
        "at:",
        "at://",
        "at:///site.standard.document",
        "AT://alice.example",
        "alice.example",
        "https://alice.example",
        "at://alice",
        f"{AT_URI}/",
        f"{AT_URI}/document",
        f"{AT_URI}/site.standard.document/",
        f"{AT_URI}/site.standard.document/..",
        f"{AT_URI}/site.standard.document/self/more",
        f"{AT_URI}/site.standard.document/self/",
        f"{AT_URI}#/site",
        f"{AT_URI}/site.standard.document#x",
        f"{AT_URI}/site.standard.document/self#/title",
        f"{AT_URI}?a=b",
        "at://did:m:" + "v" * 8187,
    ],
    "datetime": [
        "",
        "2026-02-05",
        "2026-02-05T16:32Z",
        "2026-02-05T16:32:10",
        "2026-02-05 16:32:10Z",
        "2026-02-05t16:32:10Z",
        "2026-02-05T16:32:10z",
        "2026-02-05T16:32:10,5Z",
        "2026-02-05T16:32:10\u066b5Z",
        "2026-02-05T16:32:10.Z",
        "2026-02-05T16:32:10+0200",
        "2026-02-05T16:32:10+02",
        "2026-02-05T16:32:10-00:00",
        "2026-02-05T16:32:10+24:00",
        "2026-02-05T16:32:10-23:60",
        "2026-02-30T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-01-32T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "2016-12-31T23:59:60Z",
        "+2026-01-01T00:00:00Z",
        "-2026-01-01T00:00:00Z",
        "12026-01-01T00:00:00Z",
        "0000-01-01T00:00:00+00:01",
        "9999-12-31T23:59:00-00:01",
        "\uff12026-01-01T00:00:00Z",
        "2026-02-05T16:32:10." + "1" * 44 + "Z",
    ],
    "uri": [
        "",
        "alice.example",
        "//alice.example",
        ":x",
        "1x:y",
        "é:y",
        "https:",
        "https://alice example",
        "https://alice.example/\ttab",
        "https://alice.example/\x00",
        "https://alice.example/\x7f",
        "https://alice.example/\x85",
        "https://alice.example/\u2028",
        " https://alice.example",
        "x:" + "y" * 8191,
        "x:" + "é" * 4096,
    ],
    "language": [
        "",
        "e",
        "EN",
        "En",
        "engl",
        "english",
        "123",
        "en_GB",
        "en-",
        "-en",
        "en--GB",
        "en-a",
        "en-x",
        "x",
        "x-",
        "x-abcdefghi",
        "i-unheard",
        "de-DE-1901-1901",
        "de-rozaj-ROZAJ",
        "en-a-bbb-a-ccc",
        "en-a-bbb-A-ccc",
        "en-abcdefghi",
        "en-ü",
    ],
    "cid": [
        "",
        "a" * 7,
        "a" * 257,
        "Qmbxxxxxxx",
        "bafy beig",
        "bafybeig-",
        "bafybeig/",
        f"ipfs://{RECORD}",
    ],
}


def table(rows: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(format, text) for format, texts in rows.items() for text in texts]


def test_the_tables_have_every_format() -> None:
    assert VALID.keys() == INVALID.keys() == syntax.FORMATS.keys()


@pytest.mark.parametrize(("format", "text"), table(VALID))
def test_valid_texts_meet_their_format(format: str, text: str) -> None:
    assert syntax.check(format, text) is None


@pytest.mark.parametrize(("format", "text"), table(INVALID))
def test_other_texts_are_refused_with_a_reason(format: str, text: str) -> None:
    assert syntax.check(format, text)


@pytest.mark.parametrize("format", VALID)
def test_no_format_lets_white_space_or_nul_follow(format: str) -> None:
    endings = ["\n", "\r\n", " ", "\x00"]
    assert [
        text for text in VALID[format] for end in endings if not syntax.check(format, text + end)
    ] == []


@pytest.mark.parametrize("format", sorted(syntax.FORMATS))
@given(text=st.text(st.characters(), max_size=100))
def test_any_text_gets_a_verdict(format: str, text: str) -> None:
    reason = syntax.check(format, text)
    assert reason is None or reason


def test_a_format_that_lexicons_do_not_have_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(KeyError):
        syntax.check("slug", "x")


def test_checking_a_hostile_language_tag_takes_no_time() -> None:
    assert syntax.check("language", "en" + "-a1b2c" * 20_000 + "!")


PLAIN = sorted(name for name, pattern in syntax.PLAIN.items() if pattern.pattern != "(?!)")


@pytest.mark.parametrize("format", PLAIN)
@given(picked=st.data())
def test_what_is_seen_at_once_to_be_valid_is_valid_and_beyond_doubt(
    format: str, picked: st.DataObject
) -> None:
    text = picked.draw(st.from_regex(syntax.PLAIN[format], fullmatch=True))
    assert (syntax.check(format, text), syntax.caution(format, text)) == (None, None)


@pytest.mark.parametrize(
    ("format", "text"), [(format, text) for format in INVALID for text in INVALID[format]]
)
def test_what_is_invalid_is_never_taken_at_once(format: str, text: str) -> None:
    assert syntax.PLAIN[format].fullmatch(text) is None


CAUTIONS = [
    ("uri", "https://alice.example/%C3%A9", False),
    ("uri", "https://alice.example/é", True),
    ("uri", "mailto:alice@example.com", False),
    ("uri", "at://did:plc:abc/a.b.c/d", False),
    ("uri", "git+ssh://alice.example/a.git", True),
    ("uri", "microsoft.windows.camera:picker", True),
    ("uri", "file:///etc/hosts", True),
    ("uri", "x:/y", True),
    ("datetime", "2026-02-05T16:32:10." + "1" * 20 + "Z", False),
    ("datetime", "2026-02-05T16:32:10." + "1" * 21 + "Z", True),
    ("datetime", "0000-01-01T00:00:00Z", False),
    ("cid", RECORD, False),
    ("cid", BLOB, False),
    ("cid", "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi", True),
    ("cid", "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG", True),
    ("cid", RECORD.upper(), True),
    ("did", "did:example:x", False),
]


@pytest.mark.parametrize(("format", "text", "doubtful"), CAUTIONS)
def test_valid_texts_that_some_reader_refuses_are_doubtful(
    format: str, text: str, doubtful: bool
) -> None:
    assert syntax.check(format, text) is None
    assert bool(syntax.caution(format, text)) is doubtful


@given(
    content=st.binary(max_size=8),
    codec=st.sampled_from([RAW, DAG_CBOR]),
    at=st.integers(0, 58),
    character=st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"),
)
def test_a_cid_string_is_beyond_doubt_exactly_when_it_would_do_as_a_link(
    content: bytes, codec: int, at: int, character: str
) -> None:
    text = str(Cid.of(content, codec))
    changed = text[:at] + character + text[at + 1 :]
    assert syntax.caution("cid", text) is None
    assert (syntax.caution("cid", changed) is None) is is_link(changed)


def is_link(text: str) -> bool:
    try:
        Cid.parse(text)
    except InvalidCid:
        return False
    return True


AT_URIS = [
    ("at://alice.example", AtUri("alice.example")),
    ("at://did:plc:abc/a.b.c", AtUri("did:plc:abc", syntax.parse_nsid("a.b.c"))),
    (
        "at://did:plc:abc/a.b.c/self",
        AtUri("did:plc:abc", syntax.parse_nsid("a.b.c"), syntax.parse_rkey("self")),
    ),
]


@pytest.mark.parametrize(("text", "parts"), AT_URIS)
def test_an_at_uri_is_its_parts_and_back(text: str, parts: AtUri) -> None:
    assert AtUri.parse(text) == parts
    assert str(parts) == text


@pytest.mark.parametrize("text", VALID["at-uri"])
def test_every_valid_at_uri_is_written_as_it_was_read(text: str) -> None:
    assert str(AtUri.parse(text)) == text


@pytest.mark.parametrize("text", INVALID["at-uri"])
def test_no_other_at_uri_is_parsed(text: str) -> None:
    with pytest.raises(InvalidSyntax):
        AtUri.parse(text)


def test_parsing_returns_the_text_and_a_handle_in_lower_case() -> None:
    assert syntax.parse_did("did:plc:ABC") == "did:plc:ABC"
    assert syntax.parse_nsid("com.Example.fooBar") == "com.Example.fooBar"
    assert syntax.parse_rkey("Self") == "Self"
    assert syntax.parse_handle("Alice.Example") == "alice.example"


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (syntax.parse_did, "alice.example"),
        (syntax.parse_handle, "did:plc:abc"),
        (syntax.parse_nsid, "com.example"),
        (syntax.parse_rkey, ".."),
        (syntax.tid_value, "3jzfcijpj2z21"),
    ],
)
def test_parsing_refuses_with_the_reason(parse: object, text: str) -> None:
    assert callable(parse)
    with pytest.raises(InvalidSyntax, match=r"^is "):
        parse(text)


BITS = st.integers(0, 2**63 - 1)


@given(BITS)
def test_a_tid_holds_its_63_bits(value: int) -> None:
    text = syntax.tid(value)
    assert syntax.check("tid", text) is None
    assert syntax.tid_value(text) == value


@given(BITS, BITS)
def test_tids_sort_as_their_values(one: int, other: int) -> None:
    assert (syntax.tid(one) < syntax.tid(other)) is (one < other)


def test_tids_are_the_base32_sortable_of_the_specification() -> None:
    assert syntax.tid(0) == "2222222222222"
    assert syntax.tid(1) == "2222222222223"
    assert syntax.tid(2**63 - 1) == "bzzzzzzzzzzzz"


@pytest.mark.parametrize("value", [-1, 2**63])
def test_what_does_not_fit_into_63_bits_is_no_tid(value: int) -> None:
    with pytest.raises(InvalidSyntax):
        syntax.tid(value)
