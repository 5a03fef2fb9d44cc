"""`publisher validate`: what may be checked, what counts, and many records in one file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from publisher import cores as spreading
from publisher.archive import build_tree, sign_commit, write_car
from publisher.commands import collect as collecting
from publisher.cores import spread
from publisher.data import DAG_CBOR, Cid, Value, encode
from publisher.progress import Silent
from publisher.syntax import Did
from tests.site import make_site, run

DATE = "2026-02-05T16:32:10Z"
GOOD: dict[str, Value] = {
    "$type": "site.standard.document",
    "site": "https://alice.example",
    "title": "T",
    "publishedAt": DATE,
}
LONG = {**GOOD, "title": "x" * 501}
RKEY = "3lzzzzzzzzz22"


def lines(*records: object) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def outcome(*arguments: str, folder: Path, stdin: str = "") -> tuple[int, list[object]]:
    """The exit status, and key, status and codes of every file."""
    done = run("validate", "--json", *arguments, folder=folder, stdin=stdin)
    assert done.stdout, done.stderr
    files = json.loads(done.stdout)["files"]
    return done.returncode, [
        (file["key"], file["status"], [found["code"] for found in file["findings"]])
        for file in files
    ]


def test_every_record_of_a_file_of_json_lines_is_checked_in_its_line(tmp_path: Path) -> None:
    text = lines(GOOD, LONG) + "\n" + lines({**GOOD, "n": 1.5}) + '{"$type"\n'
    (tmp_path / "a.jsonl").write_text(text, encoding="utf-8")

    done = run("validate", "--json", "a.jsonl", folder=tmp_path)

    files = json.loads(done.stdout)["files"]
    assert done.returncode == 1
    assert [(f["key"], f["status"]) for f in files] == [
        ("a.jsonl:1", "valid"),
        ("a.jsonl:2", "invalid"),
        ("a.jsonl:4", "invalid"),
        ("a.jsonl:5", "invalid"),
    ]
    found = [(f["line"], f["code"], f["pointer"]) for file in files for f in file["findings"]]
    assert found == [
        (2, "too-many-graphemes", "/title"),
        (4, "float", "/n"),
        (5, "json-syntax", ""),
    ]


def test_thousands_of_json_lines_come_out_in_their_order(tmp_path: Path) -> None:
    records = [LONG if number % 1000 == 7 else GOOD for number in range(3000)]
    (tmp_path / "a.ndjson").write_text(lines(*records), encoding="utf-8")

    status, files = outcome("a.ndjson", folder=tmp_path)

    assert status == 1
    assert [f"a.ndjson:{number + 1}" for number in range(3000)] == [f[0] for f in files]  # type: ignore[index]
    bad = [f for f in files if f[1] == "invalid"]  # type: ignore[index]
    assert [f[0] for f in bad] == ["a.ndjson:8", "a.ndjson:1008", "a.ndjson:2008"]  # type: ignore[index]


def test_a_line_that_never_ends_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(lines(GOOD) + "x" * (16 * 1024 * 1024 + 1), encoding="utf-8")

    done = run("validate", "a.jsonl", folder=tmp_path)

    assert done.returncode == 2
    assert "line 2 has more than 16,777,216 bytes" in done.stderr


@pytest.mark.parametrize(
    ("stdin", "expected"),
    [
        (json.dumps(GOOD), [("stdin", "valid", [])]),
        (json.dumps(GOOD, indent=2), [("stdin", "valid", [])]),
        (json.dumps(LONG, indent=2), [("stdin", "invalid", ["too-many-graphemes"])]),
        (
            lines(GOOD, LONG),
            [("stdin:1", "valid", []), ("stdin:2", "invalid", ["too-many-graphemes"])],
        ),
        ("", [("stdin", "invalid", ["json-syntax"])]),
        ("\n\n" + lines(GOOD), [("stdin:3", "valid", [])]),
        (
            '{"a": }\n' + lines(GOOD),
            [("stdin:1", "invalid", ["json-syntax"]), ("stdin:2", "valid", [])],
        ),
        ("\n" + json.dumps(GOOD, indent=2), [("stdin", "valid", [])]),
    ],
)
def test_standard_input_is_one_record_or_json_lines(
    stdin: str, expected: list[object], tmp_path: Path
) -> None:
    _status, files = outcome("--stdin", folder=tmp_path, stdin=stdin)
    assert files == expected


def test_a_record_larger_than_servers_take_is_told_of_everywhere(tmp_path: Path) -> None:
    large = {**GOOD, "textContent": "x" * 960_000}
    (tmp_path / "a.json").write_text(json.dumps(large), encoding="utf-8")
    (tmp_path / "a.jsonl").write_text(lines(large), encoding="utf-8")
    block = {f"site.standard.document/{RKEY}": encode(large)}
    (tmp_path / "a.car").write_bytes(car(block))
    status, files = outcome("a.json", "a.jsonl", "a.car", folder=tmp_path)
    assert [file[2] for file in files] == [["record-size"]] * 3  # type: ignore[index]
    assert status == 1
    assert outcome("a.json", "a.jsonl", "--profile", "spec", folder=tmp_path)[0] == 0


def test_two_profiles_tell_a_thing_once_as_the_one_that_minds_more(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(lines({**GOOD, "n": 2**53}), encoding="utf-8")
    both = ("--profile", "spec", "--profile", "publish")
    assert outcome("a.jsonl", *both, folder=tmp_path) == (
        1,
        [("a.jsonl:1", "invalid", ["integer-range"])],
    )


def test_the_message_of_a_line_names_no_other_place(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(lines(GOOD) + '{"a": }\n', encoding="utf-8")
    done = run("validate", "a.jsonl", folder=tmp_path)
    assert "  error   2:7  Expecting value  [json-syntax]\n" in done.stdout


def test_documents_of_one_path_count_only_where_they_are_asked_for(tmp_path: Path) -> None:
    site = make_site(tmp_path)
    for number in range(6):
        site.write(f"{number}.md", path="/same")
    status, files = outcome(folder=tmp_path)
    assert status == 1
    assert [file[2] for file in files] == [["duplicate-path"]] * 6  # type: ignore[index]
    done = run("validate", folder=tmp_path)
    assert "the path /same is taken by 1.md, 2.md, 3.md and 2 more, too" in done.stdout
    assert outcome("--ignore", "duplicate-path", folder=tmp_path)[0] == 0
    assert outcome("--select", "title-empty", folder=tmp_path)[0] == 0


def test_a_faulty_lexicon_file_is_shown_with_its_place(tmp_path: Path) -> None:
    site = make_site(tmp_path, lexicons="lexicons")
    site.write("a.md")
    path = tmp_path / "lexicons" / "thing.json"
    path.parent.mkdir()
    path.write_text('{\n  "lexicon": 2,\n  "id": "com.example.thing"\n}', encoding="utf-8")
    done = run("validate", folder=tmp_path)
    assert done.returncode == 1
    assert "lexicons/thing.json\n  error   1:1  /defs  defs is missing" in done.stdout
    assert "  error   2:14  /lexicon  2 is no version of the language" in done.stdout


def car(records: dict[str, bytes], *, leave_out: str = "") -> bytes:
    """The CAR of a repo with these blocks at 'collection/rkey'."""
    from cryptography.hazmat.primitives.asymmetric import ec

    blocks = {key: (Cid.of(block, DAG_CBOR), block) for key, block in records.items()}
    tree = build_tree((key, cid) for key, (cid, _block) in sorted(blocks.items()))
    commit = sign_commit(
        Did("did:plc:44ybard66vv44zksje25o7dz"),
        rev=RKEY,
        data=tree.root,
        key=ec.generate_private_key(ec.SECP256K1()),
    )
    content = commit.encode()
    kept = [blocks[key] for key in blocks if key != leave_out]
    root = Cid.of(content, DAG_CBOR)
    return b"".join(write_car(root, [(root, content), *tree.nodes.items(), *kept]))


def test_the_records_of_a_car_are_checked_by_their_collection_and_rkey(tmp_path: Path) -> None:
    records: dict[str, Value] = {
        f"site.standard.document/{RKEY}": GOOD,
        "site.standard.document/self": {**GOOD, "path": "/self"},
        f"com.example.thing/{RKEY}": {"$type": "com.example.thing"},
    }
    encoded = {key: encode(value) for key, value in records.items()}
    encoded[f"site.standard.publication/{RKEY}"] = b"\xfb" + bytes(8)
    (tmp_path / "repo.car").write_bytes(car(encoded))

    status, files = outcome("repo.car", folder=tmp_path)

    assert (status, files) == (
        1,
        [
            (f"repo.car/com.example.thing/{RKEY}", "unknown", ["lexicon-unknown"]),
            (f"repo.car/site.standard.document/{RKEY}", "valid", []),
            ("repo.car/site.standard.document/self", "invalid", ["rkey"]),
            (f"repo.car/site.standard.publication/{RKEY}", "invalid", ["cbor"]),
        ],
    )


def test_a_car_without_one_of_its_blocks_is_invalid_there_alone(tmp_path: Path) -> None:
    lost, kept = f"site.standard.document/{RKEY}", "site.standard.document/3mzzzzzzzzz22"
    blocks = {lost: encode(GOOD), kept: encode({**GOOD, "title": "U"})}
    (tmp_path / "repo.car").write_bytes(car(blocks, leave_out=lost))

    status, files = outcome("repo.car", folder=tmp_path)

    expected = [(f"repo.car/{lost}", "invalid", ["archive"]), (f"repo.car/{kept}", "valid", [])]
    assert (status, files) == (1, expected)


def test_what_is_no_car_is_said(tmp_path: Path) -> None:
    (tmp_path / "repo.car").write_bytes(b"not a car at all")
    assert outcome("repo.car", folder=tmp_path) == (1, [("repo.car", "invalid", ["archive"])])


@pytest.mark.parametrize(
    ("options", "status", "codes"),
    [
        ([], 0, ["format-doubt"]),
        (["--fail-on", "warning"], 1, ["format-doubt"]),
        (["--fail-on", "warning", "--ignore", "format-doubt"], 0, []),
        (["--fail-on", "warning", "--select", "format-doubt"], 1, ["format-doubt"]),
        (["--fail-on", "warning", "--select", "too-long"], 0, []),
    ],
)
def test_what_counts_is_chosen(
    options: list[str], status: int, codes: list[str], tmp_path: Path
) -> None:
    odd = {**GOOD, "site": "microsoft.windows.camera:x"}  # valid, with a warning
    (tmp_path / "a.json").write_text(json.dumps(odd), encoding="utf-8")
    assert outcome("a.json", *options, folder=tmp_path) == (status, [("a.json", "valid", codes)])


@pytest.mark.parametrize("option", ["--select", "--ignore"])
def test_a_code_that_there_is_not_stops_the_run_and_the_nearest_is_named(
    option: str, tmp_path: Path
) -> None:
    (tmp_path / "a.json").write_text(json.dumps(GOOD), encoding="utf-8")
    done = run("validate", option, "type", option, "tag-markp", "a.json", folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"for '{option}': 'tag-markp' is no code of a finding" in done.stderr
    assert "the nearest is tag-markup" in done.stderr


def test_an_ignored_error_leaves_the_file_valid(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(LONG), encoding="utf-8")
    ignoring = outcome("a.json", "--ignore", "too-many-graphemes", folder=tmp_path)
    assert ignoring == (0, [("a.json", "valid", [])])


def test_spec_takes_what_only_servers_refuse(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({**GOOD, "n": 2**53}), encoding="utf-8")
    assert outcome("a.json", folder=tmp_path) == (1, [("a.json", "invalid", ["integer-range"])])
    assert outcome("a.json", "--profile", "spec", folder=tmp_path) == (
        0,
        [("a.json", "valid", ["integer-range"])],
    )


def test_folders_of_lexicons_are_added_by_option(tmp_path: Path) -> None:
    schema = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
    main = {"type": "record", "key": "any", "record": schema}
    (tmp_path / "lex").mkdir()
    file = {"lexicon": 1, "id": "com.example.thing", "defs": {"main": main}}
    (tmp_path / "lex" / "thing.json").write_text(json.dumps(file), encoding="utf-8")
    (tmp_path / "a.json").write_text('{"$type": "com.example.thing"}', encoding="utf-8")

    without = outcome("a.json", folder=tmp_path)
    assert without == (0, [("a.json", "unknown", ["lexicon-unknown"])])
    assert outcome("a.json", "--lexicons", "lex", folder=tmp_path) == (
        1,
        [("a.json", "invalid", ["required"])],
    )


def test_many_documents_are_checked_as_few_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make_site(tmp_path / "site")
    for number in range(collecting._ALONE + 7):
        site.write(f"{number:04}.md", title="x" * 501 if number % 50 == 3 else "T")
    site.write("twice.md", path="/0001")
    spread_over_cores = run("validate", "--json", folder=site.root).stdout
    monkeypatch.setattr(collecting, "_ALONE", 10_000)
    single = single_process(site.root)
    assert json.loads(spread_over_cores)["files"] == single
    assert [f["key"] for f in single if f["status"] == "invalid"] == [
        "0001.md",
        "0003.md",
        "0053.md",
        "0103.md",
        "0153.md",
        "0203.md",
        "twice.md",
    ]


def single_process(root: Path) -> list[dict[str, object]]:
    from publisher import config
    from publisher.commands.validate import Request, validate
    from publisher.output import to_json

    settings = config.load(explicit=root / "publisher.toml", starts=(root,), environment={})
    report = to_json(validate(settings, Request(with_cids=True), Silent()))
    files = report["files"]
    assert isinstance(files, list)
    return files


def _squared(number: int) -> int:
    if number == 13:
        raise ValueError("thirteen")
    return number * number


def test_work_that_is_spread_takes_few_items_ahead_and_keeps_their_order() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100, 300):
            taken.append(number)
            yield number

    results = spread(_squared, items(), Silent())

    assert next(results) == 10_000
    assert len(taken) <= spreading._AHEAD * spreading.cores()
    assert list(results) == [number * number for number in range(101, 300)]


def test_what_fails_in_another_process_is_raised_at_its_turn() -> None:
    results = spread(_squared, [1, 13, 2], Silent())
    assert next(results) == 1
    with pytest.raises(ValueError, match="thirteen"):
        next(results)


def test_faults_of_the_data_model_and_of_the_lexicon_are_told_together(tmp_path: Path) -> None:
    text = '{"$type": "site.standard.document",\n "publishedAt": 1.5,\n "tags": [{"$link": "x"}],\n'
    (tmp_path / "a.json").write_text(text + ' "title": 5, "n": NaN}', encoding="utf-8")

    done = run("validate", "--json", "a.json", folder=tmp_path)

    (file,) = json.loads(done.stdout)["files"]
    assert [(f["line"], f["column"], f["pointer"], f["code"]) for f in file["findings"]] == [
        (1, 1, "", "required"),
        (2, 17, "/publishedAt", "float"),
        (3, 11, "/tags/0", "link-form"),
        (4, 11, "/title", "type"),
        (4, 19, "/n", "not-a-number"),
    ]
