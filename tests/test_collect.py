"""All documents of a folder, read and checked: each fault is one error that says what and where."""

from __future__ import annotations

import json
import pickle
import unicodedata
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from publisher import lexicon
from publisher.commands.checked import Checked
from publisher.commands.collect import collect, load_catalog, sources
from publisher.commands.judge import Judge, _longest
from publisher.config import Config, Settings
from publisher.data import DAG_CBOR, RAW, Cid, Value, encode, to_plain
from publisher.documents import Source
from publisher.errors import SourceError
from publisher.findings import Finding
from publisher.lexicon import Catalog
from publisher.progress import Silent
from publisher.record import Record
from publisher.resources import bundled
from publisher.spool import Spool, StoredValue, whole

SITE = "https://alice.example"
DATE = "2026-02-05T16:32:10Z"
HEAD = f"title: T\ndate: {DATE}\n"
RECORD: dict[str, object] = {
    "$type": "site.standard.document",
    "title": "T",
    "publishedAt": DATE,
}
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"  # 25 bytes, one grapheme


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return lexicon.load(bundled("lexicons"))


def config(**settings: object) -> Config:
    """The config of a project in the working folder."""
    table = {"site": SITE, "documents": "content", **settings}
    return Config(Path.cwd(), None, Settings.model_validate(table))


def put(name: str, content: str | bytes) -> Path:
    path = Path.cwd() / "content" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def markdown(head: str = HEAD, body: str = "") -> str:
    return f"---\n{head}---\n{body}"


def record(**fields: object) -> str:
    return json.dumps(RECORD | fields)


def checked(catalog: Catalog, project: Config | None = None) -> list[Checked]:
    project = project or config()
    return collect(Judge(project, catalog), sources(project, []), Silent())


def seen(items: list[Checked]) -> list[tuple[str, str, list[str]]]:
    return [(item.key, item.status, [f.code for f in item.findings]) for item in items]


def only(catalog: Catalog, project: Config | None = None) -> Checked:
    (item,) = checked(catalog, project)
    return item


def test_all_files_are_checked_in_the_order_of_their_keys(catalog: Catalog) -> None:
    put("b.md", markdown())
    put("a/c.json", record(path="/c"))
    put("a.md", "no front matter")
    put("d.md", markdown("title: D\ndraft: true\n"))
    put("e.json", "{}")
    put("f.json", '{"$type": "com.example.thing"}')
    assert seen(checked(catalog)) == [
        ("a.md", "invalid", ["front-matter"]),
        ("a/c.json", "valid", []),
        ("b.md", "valid", []),
        ("d.md", "draft", ["required"]),
        ("e.json", "skipped", ["no-record"]),
        ("f.json", "unknown", ["lexicon-unknown"]),
    ]


def test_only_what_is_valid_or_unknown_has_a_record(catalog: Catalog) -> None:
    put("a.md", markdown())
    put("b.md", markdown("title: B\n"))
    put("c.md", markdown(f"{HEAD}draft: true\n"))
    put("d.json", "{}")
    put("e.json", '{"$type": "com.example.thing"}')
    with_record = [item.key for item in checked(catalog) if item.record]
    assert with_record == ["a.md", "e.json"]


BAD: dict[str, tuple[str, str | bytes, str, str]] = {
    "broken YAML": ("a.md", "---\ntitle: [T\nx: 1\n---\n", "front-matter", "line 3, column 2"),
    "broken TOML": ("a.md", "+++\ntitle = T\n+++\n", "front-matter", "line 2, column 9"),
    "broken JSON head": ("a.md", '{"title": "T" 1}\n', "front-matter", "line 1, column 15"),
    "broken JSON": ("a.json", '{"$type": "T" 1}', "json-syntax", "line 1, column 15"),
    "no front matter": ("a.md", "# Hello\n", "front-matter", "there is no front matter"),
    "open front matter": ("a.md", f"---\n{HEAD}", "front-matter", "the --- is never closed"),
    "duplicate key in YAML": (
        "a.md",
        markdown(f"{HEAD}title: U\n"),
        "front-matter",
        "line 4, column 1: the key 'title' stands twice",
    ),
    "duplicate key in TOML": (
        "a.md",
        '+++\ntitle = "T"\ntitle = "U"\n+++\n',
        "front-matter",
        "Cannot overwrite a value (at line 3",
    ),
    "duplicate key in a JSON head": (
        "a.md",
        f'{{"title": "T", "date": "{DATE}", "title": "U"}}',
        "front-matter",
        "the key 'title' stands twice",
    ),
    "duplicate key in JSON": (
        "a.json",
        record()[:-1] + ', "title": "U"}',
        "duplicate-key",
        "the key 'title' stands here twice",
    ),
    "NaN in YAML": ("a.md", markdown(f"title: .nan\ndate: {DATE}\n"), "type", "nan is no text"),
    "NaN in a JSON head": ("a.md", '{"title": NaN}', "front-matter", "NaN is no JSON"),
    "NaN in JSON": ("a.json", record()[:-1] + ', "x": NaN}', "not-a-number", "NaN is no JSON"),
    "surrogate in YAML": (
        "a.md",
        markdown(f'title: "\\ud800"\ndate: {DATE}\n'),
        "front-matter",
        "line 2, column 11: found invalid Unicode character",
    ),
    "surrogate in TOML": (
        "a.md",
        '+++\ntitle = "\\ud800"\n+++\n',
        "front-matter",
        "line 2, column 16",
    ),
    "surrogate in a JSON head": (
        "a.md",
        f'{{"title": "T", "date": "{DATE}", "slug": "\\ud800"}}',
        "front-matter",
        "'slug': a lone surrogate is no character",
    ),
    "surrogate in JSON": (
        "a.json",
        record(title="\ud800"),
        "surrogate",
        "a lone surrogate is no character",
    ),
    "no UTF-8": ("a.md", b"---\ntitle: \xff\n---\n", "utf-8", "byte 11 is not UTF-8"),
    "no UTF-8 in JSON": ("a.json", b'{"x": "\xff"}', "utf-8", "byte 7 is not UTF-8"),
    "number as title": (
        "a.md",
        markdown(f"title: 2026\ndate: {DATE}\n"),
        "type",
        "title: 2026 is no text",
    ),
    "text as tags": ("a.md", markdown(f"{HEAD}tags: news\n"), "type", "tags: is no list"),
    "text as tags in JSON": ("a.json", record(tags="news"), "type", "is a string, not an array"),
    "number as title in JSON": ("a.json", record(title=7), "type", "is an integer, not a string"),
    "missing title": ("a.md", markdown(f"date: {DATE}\n"), "required", "title is missing"),
    "empty title": (
        "a.md",
        markdown(f"title: ' '\ndate: {DATE}\n"),
        "required",
        "title is missing",
    ),
    "missing date": ("a.md", markdown("title: T\n"), "required", "date is missing"),
    "missing title in JSON": (
        "a.json",
        f'{{"$type": "site.standard.document", "publishedAt": "{DATE}"}}',
        "required",
        "title is missing",
    ),
    "missing date in JSON": (
        "a.json",
        '{"$type": "site.standard.document", "title": "T"}',
        "required",
        "publishedAt is missing",
    ),
    "date without zone": (
        "a.md",
        markdown("title: T\ndate: 2026-02-05 10:00\n"),
        "date",
        "date is '2026-02-05 10:00', which names no time zone",
    ),
    "date without zone in JSON": (
        "a.json",
        record(publishedAt="2026-02-05T10:00:00"),
        "format",
        "'2026-02-05T10:00:00' is not a datetime with a zone",
    ),
    "no date": ("a.md", markdown("title: T\ndate: soon\n"), "date", "date is 'soon', no date like"),
    "a day that doesn't exist": (
        "a.md",
        markdown("title: T\ndate: 2026-02-30T00:00:00Z\n"),
        "date",
        "a day or time that doesn't exist",
    ),
    "501 graphemes": (
        "a.md",
        markdown(f"title: {'a' * 501}\ndate: {DATE}\n"),
        "too-many-graphemes",
        "has 501 graphemes; the most is 500",
    ),
    "5,001 bytes": (
        "a.md",
        markdown(f"title: {FAMILY * 200}a\ndate: {DATE}\n"),
        "too-long",
        "has 5,001 bytes of UTF-8; the most is 5,000",
    ),
    "cover that is not there": (
        "a.md",
        markdown(f"{HEAD}cover: gone.png\n"),
        "cover",
        "the cover gone.png isn't there",
    ),
    "cover that is not there, in JSON": (
        "a.json",
        record(coverImage="gone.png"),
        "cover",
        "the cover gone.png isn't there",
    ),
    "cover that is no image": (
        "a.md",
        markdown(f"{HEAD}cover: a.md\n"),
        "cover",
        "the cover a.md is no image that readers show",
    ),
    "cover that is too large": (
        "a.md",
        markdown(f"{HEAD}cover: large.png\n"),
        "cover",
        "bytes; the most is 1,000,000",
    ),
    "cover outside the project": (
        "a.md",
        markdown(f"{HEAD}cover: ../../outside.png\n"),
        "cover",
        "the cover ../../outside.png lies outside",
    ),
    "another site": (
        "a.json",
        record(site="https://bob.example"),
        "site-differs",
        "site is https://bob.example, but publisher.toml says https://alice.example",
    ),
    "path without slash": ("a.md", markdown(f"{HEAD}path: x\n"), "path", "no leading slash"),
    "rkey of another kind": (
        "a.md",
        markdown(f"{HEAD}rkey: hello\n"),
        "rkey",
        "the record key 'hello' is not a TID",
    ),
    "no NSID": ("a.json", '{"$type": "hello"}', "record-type", "'hello' is not an NSID"),
}


@pytest.mark.parametrize(("name", "content", "code", "words"), BAD.values(), ids=BAD.keys())
def test_bad_input_is_exactly_one_error_that_says_what_and_where(
    name: str, content: str | bytes, code: str, words: str, catalog: Catalog
) -> None:
    (Path.cwd().parent / "outside.png").touch()
    path = put(name, content)
    (path.parent / "large.png").write_bytes(b"x" * 1_000_001)
    item = only(catalog)
    (finding,) = item.findings
    assert (item.path, item.status, item.record) == (path, "invalid", None)
    assert (finding.severity, finding.code) == ("error", code)
    assert words in finding.message


def test_the_limits_of_a_title_themselves_are_allowed(catalog: Catalog) -> None:
    put("graphemes.md", markdown(f"title: {'a' * 500}\ndate: {DATE}\n"))
    put("bytes.md", markdown(f"title: {FAMILY * 200}\ndate: {DATE}\n"))
    assert [item.status for item in checked(catalog)] == ["valid", "valid"]


def test_the_zone_of_the_config_decides_where_a_date_has_none(catalog: Catalog) -> None:
    put("a.md", markdown("title: T\ndate: 2026-02-05 10:00\n"))
    found = only(catalog, config(timezone=ZoneInfo("Europe/Berlin"))).record
    assert found
    assert found.value["publishedAt"] == "2026-02-05T09:00:00.000Z"


def test_a_fault_of_one_file_stops_no_other(catalog: Catalog) -> None:
    put("a.md", "---\n")
    put("b.md", markdown())
    assert [item.status for item in checked(catalog)] == ["invalid", "valid"]


def test_two_documents_with_one_path_name_each_other(catalog: Catalog) -> None:
    put("a.md", markdown(f"{HEAD}path: /same\n"))
    put("b.json", record(path="/same"))
    put("c.md", markdown())
    first, second, third = checked(catalog)
    remedy = "give each document its own path or slug"
    assert first.findings == (
        Finding(
            "/path",
            "duplicate-path",
            "the path /same is taken by b.json, too",
            "error",
            remedy,
            4,
            7,
        ),
    )
    assert second.findings == (
        Finding(
            "/path",
            "duplicate-path",
            "the path /same is taken by a.md, too",
            "error",
            remedy,
            1,
            98,
        ),
    )
    assert [item.status for item in (first, second, third)] == ["invalid", "invalid", "valid"]


def test_two_documents_with_one_id_name_each_other(catalog: Catalog) -> None:
    put("a.md", markdown(f"{HEAD}id: x\n"))
    put("b.md", markdown(f"{HEAD}id: x\n"))
    messages = [finding.message for item in checked(catalog) for finding in item.findings]
    assert messages == ["the id is taken by b.md, too", "the id is taken by a.md, too"]


def test_a_draft_shares_its_path_with_anybody(catalog: Catalog) -> None:
    put("a.md", markdown(f"{HEAD}path: /same\ndraft: true\n"))
    put("b.md", markdown(f"{HEAD}path: /same\n"))
    assert seen(checked(catalog)) == [("a.md", "draft", []), ("b.md", "valid", [])]


def test_one_path_on_two_sites_is_two_paths(catalog: Catalog) -> None:
    put("a.json", record(path="/same", site="https://a.example"))
    put("b.json", record(path="/same", site="https://b.example"))
    assert [item.status for item in checked(catalog, config(site=None))] == ["valid", "valid"]


def test_a_draft_gets_warnings_for_what_would_be_errors(catalog: Catalog) -> None:
    put("a.md", markdown(f"title: {'a' * 501}\ndate: {DATE}\ncover: gone.png\ndraft: true\n"))
    item = only(catalog)
    assert item.status == "draft"
    assert [(f.severity, f.code) for f in item.findings] == [
        ("warning", "too-many-graphemes"),
        ("warning", "cover"),
    ]


def test_without_a_site_the_remedy_is_in_the_config(catalog: Catalog) -> None:
    put("a.md", markdown())
    remedy = 'set site = "https://…" in publisher.toml'
    assert only(catalog, config(site=None)).findings == (
        Finding("", "required", "site is missing", "error", remedy, 1, 1),
    )


def test_a_record_that_no_server_takes_is_an_error(catalog: Catalog) -> None:
    put("a.md", markdown(HEAD, "ü" * 240_000))
    item = only(catalog)
    assert item.status == "invalid"
    assert [finding.code for finding in item.findings] == ["record-size"]
    assert item.findings[0].message.endswith("bytes of JSON; servers take 950,000")


@pytest.mark.parametrize(("room", "status"), [(0, "valid"), (1, "invalid")])
def test_the_size_is_measured_to_the_byte(room: int, status: str, catalog: Catalog) -> None:
    fields = {**RECORD, "site": SITE, "textContent": ""}
    empty = len(json.dumps(fields))
    put("a.json", json.dumps({**fields, "textContent": "x" * (950_000 - empty + room)}))
    assert only(catalog).status == status


def test_without_content_there_is_more_room(catalog: Catalog) -> None:
    put("a.md", markdown(HEAD, "ü" * 240_000))
    assert only(catalog, config(content="none")).status == "valid"


def test_a_rule_switches_a_finding_off(catalog: Catalog) -> None:
    put("a.md", markdown(f"{HEAD}titel: x\n"))
    assert seen(checked(catalog, config(rules={"front-matter-typo": "off"}))) == [
        ("a.md", "valid", [])
    ]


def test_a_rule_makes_a_finding_an_error(catalog: Catalog) -> None:
    put("a.md", markdown(f"{HEAD}titel: x\n"))
    item = only(catalog, config(rules={"front-matter-typo": "error"}))
    assert (item.status, item.record) == ("invalid", None)
    assert [(f.severity, f.code) for f in item.findings] == [("error", "front-matter-typo")]


def test_a_rule_makes_a_skipped_file_an_error(catalog: Catalog) -> None:
    put("a.json", "{}")
    assert only(catalog, config(rules={"no-record": "error"})).status == "invalid"


@pytest.mark.parametrize("rule", ["off", "info", "warning"])
def test_no_rule_makes_an_error_less(rule: str, catalog: Catalog) -> None:
    put("a.md", markdown("title: T\n"))
    item = only(catalog, config(rules={"required": rule}))
    assert [(f.severity, f.code) for f in item.findings] == [("error", "required")]


def test_an_empty_folder_is_an_error_that_says_so() -> None:
    (Path.cwd() / "content").mkdir()
    with pytest.raises(SourceError) as caught:
        sources(config(), [])
    assert caught.value.message == f"{Path.cwd() / 'content'}: no document is here"
    assert caught.value.remedy == "add files that end in .json, .markdown, .md"


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        ([], "content: there is no such file or folder"),
        (["gone.md"], "gone.md: there is no such file or folder"),
    ],
)
def test_a_path_that_is_not_there_is_an_error(paths: list[str], message: str) -> None:
    with pytest.raises(SourceError) as caught:
        sources(config(), [Path.cwd() / path for path in paths])
    assert caught.value.message == f"{Path.cwd()}/{message}"


def test_paths_choose_among_the_documents_and_their_keys_stay() -> None:
    for name in ("a.md", "b/c.md", "b/d.md"):
        put(name, markdown())
    paths = [Path("content/b"), Path("content/b/c.md"), Path("content/a.md")]
    found = [source.key for source, _ in sources(config(), paths)]
    assert found == ["b/c.md", "b/d.md", "a.md"]


def test_files_whose_names_look_alike_are_both_read() -> None:
    for form in ("NFC", "NFD"):
        path = put(unicodedata.normalize(form, "é.md"), markdown())
    files = len(list(path.parent.iterdir()))  # one where the disk takes the two names for one
    assert [source.key for source, _ in sources(config(), [])] == ["é.md"] * files


def test_a_path_outside_the_folder_is_a_folder_of_its_own() -> None:
    other = Path.cwd() / "other"
    other.mkdir()
    (other / "a.md").write_text(markdown())
    ((source, context),) = sources(config(), [other])
    assert (source.key, context.folder, context.root) == ("a.md", other, Path.cwd())


def test_a_linked_folder_is_part_of_the_folder_of_documents() -> None:
    linked = Path.cwd().parent / f"{Path.cwd().name}-linked"
    linked.mkdir()
    (linked / "a.md").write_text(markdown())
    (Path.cwd() / "content").mkdir()
    (Path.cwd() / "content/posts").symlink_to(linked)
    ((source, context),) = sources(config(), [Path("content/posts")])
    assert (source.key, context.root) == ("posts/a.md", Path.cwd())


def test_a_link_that_leads_to_itself_stops_no_other(catalog: Catalog) -> None:
    put("a.md", markdown())
    (Path.cwd() / "content/b.md").symlink_to("b.md")
    assert seen(checked(catalog)) == [("a.md", "valid", []), ("b.md", "invalid", ["unreadable"])]


def test_lexicons_of_the_project_are_added_to_the_bundled_ones() -> None:
    main = {"type": "record", "key": "tid", "record": {"type": "object", "properties": {}}}
    file = {"lexicon": 1, "id": "com.example.thing", "defs": {"main": main}}
    folder = Path.cwd() / "lexicons"
    folder.mkdir()
    (folder / "thing.json").write_text(json.dumps(file))
    files = load_catalog(config(lexicons="lexicons")).files
    assert {"com.example.thing", "site.standard.document"} <= files.keys()


def test_the_samples_are_valid_but_for_one_draft(catalog: Catalog) -> None:
    seeds = bundled("seeds")
    settings = Settings.model_validate(
        {"site": "https://harbour.example", "timezone": "Europe/Berlin"}
    )
    project = Config(seeds, None, settings)
    drafts = [item.key for item in checked(catalog, project) if item.status != "valid"]
    assert drafts == ["blog/ferry-berth.md"]


def test_a_record_is_measured_wherever_its_bytes_are(catalog: Catalog) -> None:
    put("a.json", record(extra=[{"t": "x" * 100_000}] * 20))
    assert seen(checked(catalog)) == [("a.json", "invalid", ["record-size"])]


@pytest.mark.parametrize(
    "extra",
    ["\x01" * 160_000, [None] * 160_000, [{"$bytes": ""}] * 60_000],
    ids=["control characters", "nulls", "empty bytes"],
)
def test_a_record_whose_json_is_much_longer_than_its_cbor_is_measured(
    extra: object, catalog: Catalog
) -> None:
    put("a.json", record(extra=extra))
    assert seen(checked(catalog)) == [("a.json", "invalid", ["record-size"])]


PLAIN = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text()
VALUES = st.recursive(
    PLAIN | st.binary() | st.builds(Cid.of, st.binary(), st.just(RAW)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
@example("\x01" * 9)
@example([-(2**63)])
@example({"\x01" * 99: b""})
def test_no_value_has_more_json_than_is_said_before_it_is_measured(value: Value) -> None:
    json_text = json.dumps(to_plain(value), ensure_ascii=False)
    assert len(json_text.encode()) <= _longest(value)


def test_results_are_the_same_in_another_process(catalog: Catalog) -> None:
    put("a.md", markdown(f"{HEAD}rkey: 3lzzzzzzzzz22\n"))
    put("b.md", markdown("titel: B\n"))
    judge = Judge(config(), catalog, keep=False, with_cids=True)
    here = collect(judge, sources(judge.config, []), Silent())
    assert pickle.loads(pickle.dumps(here)) == here  # noqa: S301  # our own


def test_a_record_is_the_same_in_another_process_and_its_value_is_on_the_disk(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put("a.md", markdown(f"{HEAD}id: one\nrkey: 3lzzzzzzzzz22\n", "x" * 300))
    context = sources(config(), [path])[0][1]
    built = Judge(config(), catalog).file(Source(path, "a.md"), context).record
    assert built
    block = encode(whole(built.value))

    packed = pickle.loads(pickle.dumps(built.packed()))  # noqa: S301  # our own
    (value,) = Spool().put_all([packed[0]])
    there = Record.unpacked(packed, value)

    assert there == built
    monkeypatch.setattr("publisher.data.encode", None)  # what it would say is known
    assert (there.cid, there.size) == (str(Cid.of(block, DAG_CBOR)), len(block))


def test_of_a_collected_record_only_short_strings_stay_in_memory(catalog: Catalog) -> None:
    put("a.md", markdown(body="x" * 300))
    kept = only(catalog).record
    assert kept
    assert isinstance(kept.value, StoredValue)
    assert {name: text for name, text in kept.value.outline().items() if text is not None} == {
        "$type": "site.standard.document",
        "title": "T",
        "publishedAt": "2026-02-05T16:32:10.000Z",
        "path": "/a",
        "site": SITE,
    }
    assert kept.value["textContent"] == "x" * 300


def test_records_that_own_the_same_fields_share_their_names(catalog: Catalog) -> None:
    put("a.json", record(path="/a"))
    put("b.json", record(path="/b"))
    one, other = (item.record for item in checked(catalog))
    assert one
    assert other
    assert one.owned is other.owned


def test_a_uri_and_an_rkey_may_name_one_record(catalog: Catalog) -> None:
    uri = "at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/site.standard.document/3lzzzzzzzzz22"
    put("a.md", markdown(f"{HEAD}rkey: 3lzzzzzzzzz22\natUri: {uri}\n"))
    put("b.md", markdown(f"{HEAD}atUri: {uri}\n"))
    assert seen(checked(catalog)) == [
        ("a.md", "invalid", ["duplicate-rkey"]),
        ("b.md", "invalid", ["duplicate-rkey"]),
    ]


def test_two_documents_that_name_one_record_name_each_other(catalog: Catalog) -> None:
    put("a.md", markdown(f"{HEAD}rkey: 3lzzzzzzzzz22\n"))
    put("site.standard.document/3lzzzzzzzzz22.json", record(path="/b"))
    assert [item.findings[0].message for item in checked(catalog)] == [
        "the record 3lzzzzzzzzz22 is named by site.standard.document/3lzzzzzzzzz22.json, too",
        "the record 3lzzzzzzzzz22 is named by a.md, too",
    ]


def test_a_lexicon_of_the_project_replaces_the_bundled_one_and_that_is_said() -> None:
    path = Path.cwd() / "lexicons/document.json"
    path.parent.mkdir()
    path.write_bytes((bundled("lexicons") / "site/standard/document.json").read_bytes())

    (finding,) = load_catalog(config(lexicons="lexicons")).findings

    assert (finding.code, finding.severity) == ("lexicon-replaced", "info")
    told = f"{path}: site.standard.document is taken from here, not from "
    assert finding.message.startswith(told)
