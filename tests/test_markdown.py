"""A Markdown file becomes a document."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from publisher.data import Value
from publisher.documents import Context, Document, Reading, Source, read
from publisher.documents.model import MARKDOWN_OWNED
from publisher.findings import Finding
from publisher.syntax import AtUri

DATE = "2026-02-05T16:32:10Z"
HEAD = f"title: T\ndate: {DATE}\n"


def reading(
    head: str, body: str = "", *, key: str = "hello.md", zone: str = "", content: bool = True
) -> Reading:
    """Read a file that has this YAML and body."""
    folder = Path.cwd()
    path = folder / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"---\n{head}---\n{body}")
    timezone = ZoneInfo(zone) if zone else None
    return read(Source(path, key), Context(folder, folder, timezone, with_content=content))


def document(head: str, body: str = "", *, key: str = "hello.md", content: bool = True) -> Document:
    found = reading(head, body, key=key, content=content)
    assert found.document, found.findings
    assert found.findings == ()
    return found.document


def value(head: str, body: str = "", *, key: str = "hello.md") -> dict[str, Value]:
    return document(head, body, key=key).value


def findings(head: str) -> list[tuple[str, str, str]]:
    return [(f.severity, f.code, f.message) for f in reading(head).findings]


def test_a_fault_of_the_front_matter_hides_none_of_the_record() -> None:
    found = reading(f"title: {'x' * 501}\ndate: {DATE}\nid: 5\nrkey: abc\n")
    assert [f.code for f in found.findings] == ["type"]
    assert found.document is not None
    assert found.document.value["title"] == "x" * 501


@pytest.mark.parametrize(
    ("head", "draft"), [("published: false\n", True), ("published: true\n", False)]
)
def test_what_jekyll_does_not_publish_is_a_draft(head: str, draft: bool) -> None:
    found = reading(f"title: T\ndate: {DATE}\n{head}")
    assert (found.draft, found.findings) == (draft, ())


def test_every_field_has_its_place_in_the_record() -> None:
    head = f"""\
title: A title
description: What it is about
date: {DATE}
updated: 2026-02-06T08:00:00+01:00
tags: [one, two]
path: /essays/a-title
"""
    assert value(head, "\n# Hello\n\nSome *text*.\n") == {
        "$type": "site.standard.document",
        "title": "A title",
        "description": "What it is about",
        "publishedAt": "2026-02-05T16:32:10.000Z",
        "updatedAt": "2026-02-06T07:00:00.000Z",
        "tags": ["one", "two"],
        "path": "/essays/a-title",
        "textContent": "Hello\n\nSome text.",
        "content": {
            "$type": "at.markpub.markdown",
            "flavor": "gfm",
            "text": {"$type": "at.markpub.text", "markdown": "# Hello\n\nSome *text*."},
        },
    }


def test_title_and_date_are_enough() -> None:
    assert value(HEAD) == {
        "$type": "site.standard.document",
        "title": "T",
        "publishedAt": "2026-02-05T16:32:10.000Z",
        "path": "/hello",
    }


def test_content_can_be_left_out() -> None:
    without = document(HEAD, "Text", content=False).value
    assert without["textContent"] == "Text"
    assert "content" not in without


def test_the_file_decides_all_its_fields_whether_they_are_there_or_not() -> None:
    assert document(HEAD).owned == MARKDOWN_OWNED
    assert "bskyPostRef" not in MARKDOWN_OWNED


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("description", "description"),
        ("summary", "description"),
        ("Summary", "description"),
        ("TITLE", "title"),
    ],
)
def test_text_has_the_names_that_authors_use(name: str, field: str) -> None:
    head = {"title": "title: T\n", "date": f"date: {DATE}\n"}
    head.pop(field, None)
    assert value("".join(head.values()) + f"{name}: Said so\n")[field] == "Said so"


@pytest.mark.parametrize("name", ["date", "publishDate", "pubDate", "publishedAt", "publishedat"])
def test_the_date_has_the_names_that_authors_use(name: str) -> None:
    found = value(f"title: T\n{name}: {DATE}\n")
    assert found["publishedAt"] == "2026-02-05T16:32:10.000Z"


@pytest.mark.parametrize("name", ["updated", "lastmod", "updatedAt"])
def test_the_date_of_change_has_the_names_that_authors_use(name: str) -> None:
    assert value(f"{HEAD}{name}: 2026-03-01T00:00:00Z\n")["updatedAt"] == "2026-03-01T00:00:00.000Z"


def test_of_two_names_for_one_field_the_surer_is_used_and_that_is_said() -> None:
    found = reading(f"title: T\ndate: 2020-01-01T00:00:00Z\npublishedAt: {DATE}\n")
    assert found.document
    assert found.document.value["publishedAt"] == "2026-02-05T16:32:10.000Z"
    message = "publishedAt and date are both given; publishedAt is used"
    assert found.findings == (Finding("/date", "front-matter-twice", message, "info"),)


def test_of_one_name_in_two_spellings_the_first_is_used() -> None:
    found = reading(f"{HEAD}Title: U\n")
    assert found.document
    assert found.document.value["title"] == "T"
    message = "title and Title are both given; title is used"
    assert found.findings == (Finding("/Title", "front-matter-twice", message, "info"),)


def test_of_three_names_for_one_field_both_others_are_told() -> None:
    found = reading(f"title: T\ndate: {DATE}\npubDate: {DATE}\npublishedAt: {DATE}\n")
    assert [(f.pointer, f.message) for f in found.findings] == [
        ("/date", "publishedAt and date are both given; publishedAt is used"),
        ("/pubDate", "publishedAt and pubDate are both given; publishedAt is used"),
    ]


@pytest.mark.parametrize("value", ["", "null", "''", "'  '"])
def test_an_empty_field_is_no_field(value: str) -> None:
    assert "description" not in document(f"{HEAD}description: {value}\n").value


@pytest.mark.parametrize(
    ("key", "head", "path"),
    [
        ("hello.md", "", "/hello"),
        ("hello.markdown", "", "/hello"),
        ("a.b.md", "", "/a.b"),
        ("essays/2026/hello.md", "", "/essays/2026/hello"),
        ("essays/hello/index.md", "", "/essays/hello"),
        ("index.md", "", "/"),
        ("essays/hello.md", "slug: other\n", "/essays/other"),
        ("essays/hello.md", "slug: /deep/other/\n", "/essays/deep/other"),
        ("essays/hello/index.md", "slug: other\n", "/essays/hello/other"),
        ("essays/hello.md", "path: /x/y\n", "/x/y"),
        ("essays/hello.md", "path: /x/y\nslug: other\n", "/x/y"),
        ("essays/hello.md", "path: /\n", "/"),
        ("a b/ü?#.md", "", "/a%20b/%C3%BC%3F%23"),
        ("essays/hello.md", "path: /ü b\n", "/ü b"),
    ],
)
def test_the_path_is_the_authors_or_that_of_the_file(key: str, head: str, path: str) -> None:
    assert value(HEAD + head, key=key)["path"] == path


@pytest.mark.parametrize(
    "line",
    [
        "layout: post",
        "author: {name: A}",
        "weight: .nan",
        "1: one",
        "images: [a.png]",
        "aliases: x",
    ],
)
def test_other_front_matter_is_ignored_without_a_word(line: str) -> None:
    assert value(f"{HEAD}{line}\n") == value(HEAD)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("titel", "title"),
        ("tag", "tags"),
        ("publised", "publishedAt"),
        ("descripton", "description"),
        ("lastMod_", "lastmod"),
        ("published_at", "publishedAt"),
    ],
)
def test_a_name_close_to_a_known_one_gets_a_warning(name: str, known: str) -> None:
    message = f"{name!r} is ignored; is it meant to be {known!r}?"
    assert reading(f"{HEAD}{name}: x\n").findings == (
        Finding(f"/{name}", "front-matter-typo", message, "warning", f"write {known}"),
    )


def test_a_draft_is_one_and_what_it_lacks_is_no_error_yet() -> None:
    found = reading("title: T\ndraft: true\n")
    assert found.draft
    assert [(f.severity, f.message) for f in found.findings] == [("warning", "date is missing")]


def test_a_draft_that_is_none_is_a_document() -> None:
    assert not reading(f"{HEAD}draft: false\n").draft


def test_the_author_may_name_the_record() -> None:
    found = document(f"{HEAD}rkey: 3mabcdefghijk\n")
    assert (found.rkey, found.at_uri) == ("3mabcdefghijk", None)


def test_the_author_may_name_the_record_by_its_uri() -> None:
    uri = "at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/site.standard.document/3mabcdefghijk"
    found = document(f"{HEAD}atUri: {uri}\n")
    assert (found.rkey, found.at_uri) == (None, AtUri.parse(uri))


def test_an_id_stands_for_the_place_of_the_file() -> None:
    assert document(f"{HEAD}id: first\n").id == "first"


def test_a_date_alone_is_midnight_in_the_zone_of_the_config() -> None:
    found = reading("title: T\ndate: 2026-02-05\n", zone="Europe/Berlin")
    assert found.document
    assert found.document.value["publishedAt"] == "2026-02-04T23:00:00.000Z"


def test_every_fault_is_told_at_once() -> None:
    head = "title: 2026\ndate: tomorrow\ntags: news\ndraft: maybe\n"
    assert findings(head) == [
        ("error", "type", "title: 2026 is no text"),
        ("error", "type", "tags: is no list"),
        ("error", "type", "draft: input should be a valid boolean"),
        (
            "error",
            "date",
            "date is 'tomorrow', no date like 2026-02-05 or 2026-02-05T16:32:10+01:00",
        ),
    ]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("tags: [a, 2026]", "tags: 2026 is no text"),
        ("description: true", "description: true is no text"),
        ("cover: [a.png]", "cover: input should be a valid string"),
        ("slug: 7", "slug: 7 is no text"),
        ("path: x", "path 'x' has no leading slash"),
        ("rkey: a b", "rkey 'a b' is not a record key"),
        ("atUri: nonsense", "atUri 'nonsense' doesn't begin with at://"),
        ("atUri: at://did:plc:a/site.standard.document", "names no record"),
        ("updated: 2026-02-05", "updated is '2026-02-05', which names no time zone"),
    ],
)
def test_a_faulty_field_is_one_error_with_a_remedy(lines: str, message: str) -> None:
    found = reading(f"{HEAD}{lines}\n")
    (finding,) = found.findings
    assert finding.severity == "error"
    assert message in finding.message
    assert finding.remedy
    assert finding.pointer.startswith(f"/{lines.partition(':')[0]}")


def test_a_theme_may_write_a_table_around_the_cover() -> None:
    assert findings(f"{HEAD}cover: {{image: gone.png, alt: x}}\n") == [
        ("error", "cover", "the cover gone.png isn't there")
    ]


def test_a_file_that_is_no_utf8_is_refused_with_the_place() -> None:
    path = Path.cwd() / "latin.md"
    path.write_bytes(b"---\ntitle: caf\xe9\n---\n")
    found = read(Source(path, "latin.md"), Context(path.parent, path.parent))
    message = "byte 14 is not UTF-8"
    assert found.findings == (Finding("", "utf-8", message, "error", "save it as UTF-8"),)


@pytest.mark.parametrize(
    ("lines", "pointer", "message"),
    [
        ("pubDate: Jul 08 2022", "/pubDate", "pubDate is 'Jul 08 2022'"),
        ("lastmod: never", "/lastmod", "lastmod is 'never'"),
        ("image: gone.png", "/image", "the cover gone.png isn't there"),
        ("heroImage: gone.png", "/heroImage", "the cover gone.png isn't there"),
        ("summary: [a]", "/summary", "summary: "),
        ("Path: x", "/Path", "Path 'x' has no leading slash"),
        ("Slug: a?b", "/Slug", "Slug 'a?b' is no part of a path"),
        ("Rkey: a b", "/Rkey", "Rkey 'a b' is not a record key"),
        ("aturi: x", "/aturi", "aturi 'x' doesn't begin with at://"),
    ],
)
def test_a_fault_is_told_under_the_name_that_the_author_used(
    lines: str, pointer: str, message: str
) -> None:
    head = HEAD if "pubDate" not in lines else "title: T\n"
    (finding,) = reading(f"{head}{lines}\n").findings
    assert finding.pointer == pointer
    assert message in finding.message


@pytest.mark.parametrize("slug", ["../../x", "a?b", "a#b", "a//b", ".", "/", "a\\\\b"])
def test_a_slug_that_is_no_part_of_a_path_is_an_error(slug: str) -> None:
    (finding,) = reading(f'{HEAD}slug: "{slug}"\n').findings
    assert (finding.severity, finding.pointer, finding.code) == ("error", "/slug", "path")
