"""Rules beyond the lexicon, and what readers drop. The examples are those of docs/rules.md."""

from __future__ import annotations

import json
import re
import struct
import timeit
import zlib
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageFile, PngImagePlugin

from publisher import lexicon, quality
from publisher.findings import RULES
from publisher.lexicon import readers
from publisher.quality.markup import markup
from publisher.quality.record import _meant
from publisher.resources import bundled
from tests.site import make_site, picture, run

NOW = datetime(2026, 11, 1, tzinfo=UTC)
PAGE = (Path(__file__).parents[1] / "docs" / "rules.md").read_text("utf-8")
ROWS = re.findall(
    r"^\| `([a-z-]+)` \| (off|info|warning) \| .* \| (.*?) \| (.*?) \|$", PAGE, re.MULTILINE
)
EXAMPLES = [(code, bad[1:-1], good[1:-1]) for code, _, bad, good in ROWS if bad.startswith("`{")]
URI = "at://did:web:alice.example/site.standard.publication/3lzzzzzzzzz22"
WHOLE: dict[str, Any] = {
    "$type": "site.standard.document",
    "site": URI,
    "title": "T",
    "path": "/t",
    "publishedAt": "2026-02-05T16:32:10Z",
    "description": "A description.",
    "textContent": "Text.",
    "coverImage": {"$type": "blob"},
}
PUBLICATION: dict[str, Any] = {
    "$type": "site.standard.publication",
    "url": "https://alice.example",
    "name": "N",
    "description": "D",
    "icon": {"$type": "blob"},
}


def codes(value: dict[str, Any]) -> list[str]:
    return [found.code for found in quality.check(value, now=NOW)]


def test_the_page_has_every_rule_as_it_is() -> None:
    assert {code: severity for code, severity, *_ in ROWS} == {
        code: row.severity for code, row in RULES.items()
    }
    assert len(EXAMPLES) == len(RULES) - 5  # three speak of images, two of two records


@pytest.mark.parametrize(("code", "bad", "good"), EXAMPLES, ids=[row[0] for row in EXAMPLES])
def test_each_example_of_the_page_is_so(code: str, bad: str, good: str) -> None:
    base = {"$type": WHOLE["$type"]} if code.endswith("-missing") else WHOLE
    if code == "field-typo":  # which is said only where the right field is absent
        base = {name: item for name, item in WHOLE.items() if name != "textContent"}
    found = codes({**base, **json.loads(bad)})
    assert [other for other in found if not other.endswith("-missing") or other == code][:1] == [
        code
    ]
    assert code not in codes({**base, **json.loads(good)})


def test_a_whole_record_has_nothing_odd() -> None:
    assert codes(WHOLE) == []
    assert codes(PUBLICATION) == []
    assert codes({"$type": "com.example.thing", "site": "http://x/", "titel": "?"}) == []


@pytest.mark.parametrize(
    "text",
    [
        "<p>Hello</p>",
        "a<br>b<br/>c",
        "a</li>\nb</li>",
        '<a href="x">b',
        "<video controls\n src = 'x'>",
        "The <em>first</em>",
        "## Hello\n\nWorld\n\n### Again\n",
        "Hello\r\n\r\n## World\r\n\r\n## Again",
        "```python\nx\n```",
        "Hello\n```\nx",
        "![a](b.png)",
        "[a](https://b.example)",
        "see[a](https://b.example)",
        "[a](mailto:a@b.example) [b](#c) [c](../d)",
        "[b](#c)",
        "this is **bold** text",
        "**Hello, world:** text",
        "this is ***both***, too",
        '{{< figure src="x" >}}',
        "{{% note %}}",
        "{% include x %}",
    ],
)
def test_markup_in_text_is_found(text: str) -> None:
    assert codes({**WHOLE, "textContent": text}) == ["text-markup"]


@pytest.mark.parametrize(
    "text",
    [
        "a < b and c > d",
        "if x<y then y>x",
        "Issue #7, and #hashtags",
        "2 * 3 * 4 ** 2",
        "snake_case_names and _this_",
        "mail <alice@alice.example> or <https://alice.example>",
        "[1] see (below)",
        "C# and {braces} and {{name}}",
        "5% of {% sign",
        "a<br>b",
        "write </p> at the end",
        "## Hello",
        "Hello\n# World",
        "Say\n\n# first\nls\n\n## second\npwd\n\n# third\nrm",
        "## [1] 4\n\n## [1] 5\n\n## [1] 6",
        "foo[0](1) and callbacks[name](event.data)",
        "List<a> and Map<p, q>, List<b>",
        "[](int x) and [this](int x) and [f](x)",
        "f(**a, **b); def f(**kw): g(**kw)",
        "{**a,**b} or 2**3**4 or (2**3)**4",
        "src/**/a and **/b, **/c; char **argv, int **b",
        "/** doc */ and /**/ and **** and f**k, s**t",
        "std::array[0](std::move) and [x](std::move)",
        "i <b and p <q; for (i = 0; i <a && b = 'x'; i <a = 'x')",
        "` one ` and ``two`` and not at the start ```",
        "> he said",
        "I <3 you",
    ],
)
def test_plain_prose_is_no_markup(text: str) -> None:
    assert codes({**WHOLE, "textContent": text}) == []


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("textcontent", "textContent"),
        ("text_content", "textContent"),
        ("cover_image", "coverImage"),
        ("coverimage", "coverImage"),
        ("publisedAt", "publishedAt"),
        ("tag", "tags"),
        ("wordCount", None),
        ("$extra", None),
    ],
)
def test_a_field_that_is_a_known_one_misspelt_is_named(name: str, meant: str | None) -> None:
    value = {key: item for key, item in WHOLE.items() if key != meant} | {name: "x"}
    found = [f for f in quality.check(value, now=NOW) if f.code == "field-typo"]
    assert [f.remedy for f in found] == ([f"write {meant}"] if meant else [])


def test_fields_of_contributors_are_looked_at_too() -> None:
    people: list[Any] = [
        {"did": "did:web:a.example"},
        {"displayname": "A", "x": 1},
        "B",
        {"roles": "C"},
    ]
    found = quality.check({**WHOLE, "contributors": people}, now=NOW)
    assert [(f.code, f.pointer, f.remedy) for f in found] == [
        ("field-typo", "/contributors/1/displayname", "write displayName"),
        ("field-typo", "/contributors/3/roles", "write role"),
    ]


def test_unknown_fields_without_number_are_not_all_remembered() -> None:
    for number in range(3_000):
        quality.check({**WHOLE, f"unknown{number}": 1}, now=NOW)
    assert _meant.cache_info().currsize <= 1024


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"title": " "}, ["title-empty"]),
        ({"path": "posts?p=1"}, ["path-slash", "path-query"]),
        ({"path": "/posts#a"}, ["path-query"]),
        ({"site": f"{URI}/"}, ["site-slash"]),
        ({"site": "at://did:web:alice.example"}, ["site-collection"]),
        ({"site": "at://did:web:alice.example/site.standard.publication"}, ["site-collection"]),
        (
            {"site": "at://alice.example/app.bsky.feed.post/3lzzzzzzzzz22/"},
            ["site-slash", "site-handle", "site-collection"],
        ),
        ({"tags": ["C#", "I <3 boats", "a b", "no_case"]}, []),
        ({"tags": ["#a", "b ", "<i>c</i>", "**d**", "`e`", "[f](g)"]}, ["tag-markup"] * 6),
        ({"tags": ["a", "A", "b", "a", "STRASSE", "straße"]}, ["tag-twice"] * 3),
        ({"publishedAt": "2026-11-01T00:00:00Z"}, []),
        ({"publishedAt": "2026-11-01T00:00:00.001Z"}, ["published-future"]),
        ({"publishedAt": "2026-11-01T01:00:00+01:00"}, []),
        ({"updatedAt": "2026-02-05T16:32:10Z"}, []),
        ({"updatedAt": "2026-02-05T16:32:10+00:01"}, ["updated-before"]),
        ({"publishedAt": "2999-01-01"}, []),
        ({"publishedAt": "0000-01-01T00:00:00Z", "updatedAt": "soon"}, []),
        ({"content": {"$type": "site.standard.content.blocks"}}, ["content-squatted"]),
    ],
)
def test_a_document_is_held_against_each_rule(value: dict[str, Any], expected: list[str]) -> None:
    assert codes({**WHOLE, **value}) == expected


def test_a_publication_is_held_against_its_own_rules() -> None:
    odd = {**PUBLICATION, "url": "http://a.example/", "name": "", "Name": 1}
    del odd["name"], odd["icon"]
    assert codes(odd) == ["site-slash", "site-http", "cover-missing", "field-typo"]
    assert codes({**PUBLICATION, "name": ""}) == ["title-empty"]


ADVERSE = (
    *("[", "[a](", "](", "[a](b", "*", "**", "**a ", "`", "```", "{", "{%a", "#", "\n\n## "),
    *("\n\n## a", "<", "<a ", "<a b", "<a b=", "<p>", "<p>a", "</p", "<br", "\n", " ", "a[", "[a]"),
)


@pytest.mark.parametrize("piece", ADVERSE)
def test_markup_is_looked_for_in_linear_time(piece: str) -> None:
    text = (piece * 200_000)[:200_000] + "a"
    taken = min(timeit.repeat(lambda: markup(text), number=1, repeat=3))
    assert taken < 1  # a hundredth of it; what was quadratic took minutes


def image(width: int, height: int, kind: str = "JPEG", **metadata: Any) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (width, height)).save(buffer, kind, **metadata)
    return buffer.getvalue()


def exif(**gps: int | tuple[float, ...]) -> bytes:
    """EXIF with these fields of GPS."""
    made = Image.Exif()
    for name, value in gps.items():
        made.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS[name]] = value
    return made.tobytes()


POSITION = exif(GPSLatitude=(53.0, 33.0, 0.0), GPSLongitude=(9.0, 59.0, 0.0))
CLOCK = exif(GPSTimeStamp=(12.0, 0.0, 0.0), GPSAltitudeRef=0)
XMP = b'<rdf:Description xmlns:exif="http://ns.adobe.com/exif/1.0/" exif:GPSLatitude="53,33.0N"/>'


def xmp_text(text: bytes) -> PngImagePlugin.PngInfo:
    made = PngImagePlugin.PngInfo()
    made.add_itxt("XML:com.adobe.xmp", text.decode(), zip=True)
    return made


def chunk(kind: bytes, content: bytes) -> bytes:
    body = kind + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def after_the_pixels(*chunks: bytes) -> bytes:
    png = image(1200, 630, "PNG")
    return b"".join([png[:-12], *chunks, png[-12:]])


@pytest.mark.parametrize(
    ("content", "pointer", "expected"),
    [
        (image(1200, 630), "/coverImage", []),
        (image(600, 315), "/coverImage", []),
        (image(599, 315), "/coverImage", ["cover-size"]),
        (image(600, 314), "/coverImage", ["cover-size"]),
        (image(1200, 1201), "/coverImage", ["cover-size"]),
        (image(1201, 400), "/coverImage", ["cover-size"]),
        (image(256, 256), "/icon", []),
        (image(255, 255), "/icon", ["icon-size"]),
        (image(300, 256), "/icon", ["icon-size"]),
        (b"no image", "/coverImage", []),
        (b"", "/coverImage", []),
    ],
)
def test_images_are_measured(content: bytes, pointer: str, expected: list[str]) -> None:
    assert [found.code for found in quality.cover(content, pointer)] == expected


@pytest.mark.parametrize(
    ("content", "is_found"),
    [
        (image(1200, 630, exif=POSITION), True),
        (image(1200, 630, "PNG", exif=POSITION), True),
        (image(1200, 630, "WEBP", exif=POSITION), True),
        (image(1200, 630, exif=CLOCK), False),
        (image(1200, 630, exif=exif()), False),
        (image(1200, 630, xmp=XMP), True),
        (image(1200, 630, "WEBP", xmp=XMP), True),
        (image(1200, 630, "PNG", pnginfo=xmp_text(XMP)), True),
        (image(1200, 630, xmp=XMP.replace(b'"53,33.0N"', b'""')), False),
        (image(1200, 630, xmp=XMP.replace(b"GPSLatitude", b"GPSVersionID")), False),
        (image(1200, 630, xmp=b"<exif:GPSLongitude>9,59.0E</exif:GPSLongitude>"), True),
        (image(1200, 630, xmp=XMP.decode().encode("utf-16")), True),
        (after_the_pixels(chunk(b"eXIf", POSITION.removeprefix(b"Exif\0\0"))), True),
        (after_the_pixels(chunk(b"eXIf", CLOCK.removeprefix(b"Exif\0\0"))), False),
        (after_the_pixels(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP)), True),
    ],
)
def test_a_position_is_found_wherever_it_is_written(content: bytes, is_found: bool) -> None:
    assert [f.code for f in quality.cover(content, "/coverImage")] == ["cover-position"] * is_found


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF"])
def test_pixels_are_never_decoded(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content = image(100, 630, kind)
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda _self: pytest.fail("decoded"))
    monkeypatch.setattr(ImageFile.ImageFile, "load_prepare", lambda _self: pytest.fail("decoded"))
    assert [f.code for f in quality.cover(content, "/coverImage")] == ["cover-size"]


def test_a_bomb_is_not_measured() -> None:
    header = b"\x89PNG\r\n\x1a\n" + chunk(
        b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    )
    content = header + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    with pytest.raises(Image.DecompressionBombError):
        Image.open(BytesIO(content))
    assert quality.cover(content, "/coverImage") == []


@given(st.integers(0, 400), st.integers(0, 255))
def test_a_damaged_image_is_no_crash(at: int, byte: int) -> None:
    content = bytearray(image(1200, 630, exif=POSITION))
    content[at % len(content)] = byte
    codes = {found.code for found in quality.cover(bytes(content), "/coverImage")}
    assert codes <= {"cover-position", "cover-size"}


def outcome(folder: Path, *arguments: str) -> tuple[int, dict[str, list[str]]]:
    done = run("validate", "--json", *arguments, folder=folder)
    files = json.loads(done.stdout)["files"]
    return done.returncode, {f["key"]: [x["code"] for x in f["findings"]] for f in files}


def test_the_config_switches_rules_off_on_and_up(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site")
    site.picture("small.png")
    site.write("a.md", cover="small.png", tags=["#a"])
    assert outcome(site.root) == (0, {"a.md": ["cover-size", "tag-markup"]})
    assert outcome(site.root, "--select", "description-missing")[1] == {
        "a.md": ["description-missing"]
    }
    toml = site.root / "publisher.toml"
    rules = 'tag-markup = "error"\ncover-size = "off"\ndescription-missing = "info"\n'
    toml.write_text(f"{toml.read_text('utf-8')}\n[rules]\n{rules}", encoding="utf-8")
    status, found = outcome(site.root)
    assert (status, sorted(found["a.md"])) == (1, ["description-missing", "tag-markup"])
    published = run("publish", "--dry-run", folder=site.root)
    assert published.returncode == 1
    assert "tag-markup" in published.stdout


def test_text_that_comes_from_markdown_may_speak_of_markup(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site")
    site.write("a.md", "Write `<p>Hello</p>` and `**bold**`.")
    assert outcome(site.root) == (0, {"a.md": []})


def test_a_document_beside_its_publication_should_name_it(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site", site="https://alice.example")
    site.write("a.md")
    publication = {key: item for key, item in PUBLICATION.items() if key != "icon"}
    (site.content / "p.json").write_text(json.dumps(publication), encoding="utf-8")
    assert outcome(site.root) == (0, {"a.md": ["site-loose"], "p.json": []})
    assert outcome(site.root, "--ignore", "site-loose")[1] == {"a.md": [], "p.json": []}
    publication["url"] = "https://Alice.example/"
    (site.content / "p.json").write_text(json.dumps(publication), encoding="utf-8")
    assert outcome(site.root) == (0, {"a.md": ["site-loose"], "p.json": ["site-slash"]})


def test_publications_of_one_address_in_a_folder_are_told_of_each_other(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site")
    publication = {key: item for key, item in PUBLICATION.items() if key != "icon"}
    for name, url in (("a", ""), ("b", "/"), ("c", "/blog")):
        text = json.dumps({**publication, "url": publication["url"] + url})
        (site.content / f"{name}.json").write_text(text, encoding="utf-8")
    found = {"a.json": ["publication-twice"], "b.json": ["site-slash", "publication-twice"]}
    assert outcome(site.root) == (0, {**found, "c.json": []})
    toml = site.root / "publisher.toml"
    toml.write_text(f'{toml.read_text("utf-8")}\n[rules]\npublication-twice = "error"\n', "utf-8")
    assert outcome(site.root)[0] == 1


LONG = "x" * 51
LOOSE = {**WHOLE, "site": "https://alice.example"}


@pytest.mark.parametrize(
    ("profile", "value", "expected"),
    [
        ("bluesky", WHOLE, []),
        ("bluesky", LOOSE, ["bluesky-card"]),
        ("bluesky", {**WHOLE, "site": URI.replace("did:web:", "")}, ["bluesky-card"]),
        ("bluesky", {**WHOLE, "title": ""}, ["bluesky-card"]),
        ("bluesky", {**WHOLE, "site": f"{URI}/"}, ["bluesky-card"]),
        ("bluesky", {**WHOLE, "site": URI.replace("publication", "document")}, ["bluesky-card"]),
        ("bluesky", {**WHOLE, "site": "at://did:web:alice.example"}, ["bluesky-card"]),
        ("bluesky", {**WHOLE, "path": "/?p=1"}, ["bluesky-card"]),
        ("bluesky", {**WHOLE, "path": "/a#b"}, ["bluesky-card"]),
        ("bluesky", {**WHOLE, "path": ""}, ["bluesky-card"]),
        ("bluesky", {**WHOLE, "textContent": ""}, ["bluesky-reading-time"]),
        ("bluesky", {**WHOLE, "textContent": " \n"}, ["bluesky-reading-time"]),
        ("bluesky", PUBLICATION, []),
        ("bluesky", {**PUBLICATION, "url": "http://alice.example"}, ["bluesky-card"]),
        ("bluesky", {**PUBLICATION, "url": "https://alice.example/?a"}, ["bluesky-card"]),
        ("bluesky", {**PUBLICATION, "url": "https://alice.example/"}, []),
        ("bluesky", {**PUBLICATION, "$type": "com.example.thing"}, []),
        ("leaflet", LOOSE, []),
        ("leaflet", {**WHOLE, "tags": ["x" * 50]}, []),
        ("leaflet", {**WHOLE, "tags": ["a", "x" * 51]}, ["leaflet-limit"]),
        ("leaflet", {**WHOLE, "tags": ["🇩🇪" * 12]}, []),
        ("leaflet", {**WHOLE, "tags": ["🇩🇪" * 13]}, ["leaflet-limit"]),
        ("leaflet", {**PUBLICATION, "name": "x" * 128}, []),
        ("leaflet", {**PUBLICATION, "name": "x" * 129}, ["leaflet-limit"]),
        ("leaflet", {**PUBLICATION, "description": "x" * 300}, []),
        ("leaflet", {**PUBLICATION, "description": "x" * 301}, ["leaflet-limit"]),
    ],
)
def test_a_profile_says_what_that_reader_drops(
    profile: Any, value: dict[str, Any], expected: list[str]
) -> None:
    found = readers.findings(value, value["$type"], profile)
    assert [finding.code for finding in found] == expected
    assert {finding.severity for finding in found} <= {"warning"}


def test_profiles_add_to_the_verdict_and_never_change_it() -> None:
    catalog = lexicon.load(bundled("lexicons"))
    value = {key: item for key, item in LOOSE.items() if key != "coverImage"}
    verdict = catalog.validate(value, profile="bluesky")
    assert (verdict.status, [f.code for f in verdict.findings]) == ("valid", ["bluesky-card"])
    with pytest.raises(ValueError, match="'nobody' is no profile; known are spec, publish"):
        catalog.validate(value, profile="nobody")  # type: ignore[arg-type]


def test_leaflet_looks_for_the_publication_in_the_repo_of_the_document(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site", site=URI, repo="did:web:bob.example")
    site.write("a.md")
    assert outcome(site.root, "--profile", "leaflet") == (0, {"a.md": ["leaflet-repo"]})
    assert outcome(site.root) == (0, {"a.md": []})
    for repo in ("did:web:alice.example", "alice.example", "folder:./repo"):
        site.configure(site=URI, repo=repo)
        assert outcome(site.root, "--profile", "leaflet") == (0, {"a.md": []})


def test_profiles_are_chosen_on_the_command_line(tmp_path: Path) -> None:
    value = {key: item for key, item in LOOSE.items() if key != "coverImage"} | {"tags": [LONG]}
    (tmp_path / "a.json").write_text(json.dumps(value), encoding="utf-8")
    both = outcome(tmp_path, "a.json", "--profile", "bluesky", "--profile", "leaflet")
    assert both == (0, {"a.json": ["bluesky-card", "leaflet-limit"]})


VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=20) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@given(
    st.dictionaries(st.sampled_from([*WHOLE, *PUBLICATION, "links", "tags"]), VALUES),
    st.sampled_from([WHOLE["$type"], PUBLICATION["$type"]]),
)
def test_no_value_is_too_odd_for_the_rules(value: dict[str, Any], name: str) -> None:
    record = value | {"$type": name}
    found = quality.check(record, now=NOW)
    found += [f for reader in readers.READERS for f in readers.findings(record, name, reader)]
    assert {finding.severity for finding in found} <= {"info", "warning"}


def test_a_picture_of_the_tests_is_small() -> None:
    assert [found.code for found in quality.cover(picture(), "/coverImage")] == ["cover-size"]
