"""`publisher.toml`: where it is found, what it may say, what goes before it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from publisher.config import Config, Settings, load, validated
from publisher.errors import ConfigError

DID = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"
PUBLICATION = f"at://{DID}/site.standard.publication/3mabcdefghijk"


def put(text: str, folder: str = ".") -> Path:
    path = Path.cwd() / folder / "publisher.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def loaded(
    text: str,
    environment: Mapping[str, str] | None = None,
    options: Mapping[str, object] | None = None,
) -> Config:
    """Load a config that has this text, from the working folder."""
    put(text)
    return load(explicit=None, starts=(Path.cwd(),), environment=environment or {}, options=options)


def refusal(text: str, environment: Mapping[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        loaded(text, environment)
    assert caught.value.remedy
    return caught.value.message


def test_every_key_is_read() -> None:
    config = loaded(f"""\
repo = "alice.example"
pds = "https://pds.example"
plc = "https://plc.example"
site = "https://alice.example"
formerly = ["https://old.example", "{PUBLICATION}"]
documents = "content"
lexicons = "lexicons"
timezone = "Europe/Berlin"
content = "none"
state = "none"
adopt = true

[rules]
front-matter-typo = "off"
lexicon-unknown = "error"
""")
    assert config.settings == Settings.model_construct(
        repo="alice.example",
        pds="https://pds.example",
        plc="https://plc.example",
        site="https://alice.example",
        formerly=["https://old.example", PUBLICATION],
        documents="content",
        lexicons="lexicons",
        timezone=ZoneInfo("Europe/Berlin"),
        content="none",
        state="none",
        adopt=True,
        rules={"front-matter-typo": "off", "lexicon-unknown": "error"},
    )
    assert config.documents == Path.cwd() / "content"
    assert config.lexicons == Path.cwd() / "lexicons"


def test_no_key_is_needed() -> None:
    config = loaded("")
    assert config.settings == Settings.model_construct(
        repo=None,
        pds=None,
        plc=None,
        site=None,
        formerly=[],
        documents=".",
        lexicons=None,
        timezone=None,
        content="markdown",
        state="lock",
        adopt=False,
        rules={},
    )
    assert (config.documents, config.lexicons) == (Path.cwd(), None)


def test_the_file_is_found_in_the_nearest_folder_above() -> None:
    put('site = "https://far.example"')
    near = put('site = "https://near.example"', "a/b")
    start = Path.cwd() / "a/b/c/d"
    start.mkdir(parents=True)
    config = load(explicit=None, starts=(start,), environment={})
    assert (config.path, config.root) == (near, near.parent)
    assert config.settings.site == "https://near.example"


def test_a_file_as_a_start_means_its_folder() -> None:
    near = put("", "a")
    document = Path.cwd() / "a/hello.md"
    document.touch()
    assert load(explicit=None, starts=(document,), environment={}).path == near


def test_the_first_start_that_finds_one_counts() -> None:
    first, second, third = (Path.cwd() / name for name in ("1", "2", "3"))
    first.mkdir()
    put('site = "https://second.example"', "2")
    put('site = "https://third.example"', "3")
    config = load(explicit=None, starts=(first, second, third), environment={})
    assert config.settings.site == "https://second.example"


def test_a_file_that_is_named_goes_before_the_one_that_is_here() -> None:
    put('site = "https://here.example"')
    named = put('site = "https://named.example"', "elsewhere")
    config = load(explicit=named, starts=(Path.cwd(),), environment={})
    assert config.settings.site == "https://named.example"
    assert config.root == named.parent


def test_a_file_that_is_named_must_be_there() -> None:
    path = Path.cwd() / "gone.toml"
    with pytest.raises(ConfigError) as caught:
        load(explicit=path, starts=(Path.cwd(),), environment={})
    assert caught.value.message == f"{path}: No such file or directory"
    assert caught.value.remedy == "name it with --config, or run `publisher init`"


def test_without_a_file_the_root_is_where_the_search_began() -> None:
    config = load(explicit=None, starts=(Path.cwd(),), environment={})
    assert (config.path, config.root) == (None, Path.cwd())


def test_the_environment_goes_before_the_file() -> None:
    file = 'site = "https://file.example"\nrepo = "file.example"'
    config = loaded(file, {"PUBLISHER_SITE": "https://environment.example"})
    assert config.settings.site == "https://environment.example"
    assert config.settings.repo == "file.example"


def test_an_option_goes_before_the_environment() -> None:
    file = 'site = "https://file.example"\nrepo = "file.example"'
    environment = {"PUBLISHER_SITE": "https://environment.example"}
    options = {"site": "https://option.example", "repo": None}
    config = loaded(file, environment, options)
    assert config.settings.site == "https://option.example"
    assert config.settings.repo == "file.example"


@pytest.mark.parametrize(
    ("variable", "text", "key", "value"),
    [
        ("PUBLISHER_REPO", "bob.example", "repo", "bob.example"),
        ("PUBLISHER_PDS", "http://localhost:2583", "pds", "http://localhost:2583"),
        ("PUBLISHER_FORMERLY", "https://a https://b", "formerly", ["https://a", "https://b"]),
        ("PUBLISHER_TIMEZONE", "Asia/Tokyo", "timezone", ZoneInfo("Asia/Tokyo")),
        ("PUBLISHER_CONTENT", "none", "content", "none"),
        ("PUBLISHER_STATE", "none", "state", "none"),
        ("PUBLISHER_ADOPT", "true", "adopt", True),
        ("PUBLISHER_ADOPT", "false", "adopt", False),
        ("PUBLISHER_SITE", "", "site", None),
        ("PUBLISHER_RULES", "anything", "rules", {}),
        ("PUBLISHER_APP_PASSWORD", "abcd-efgh-ijkl-mnop", "repo", None),
        ("publisher_repo", "bob.example", "repo", None),
    ],
)
def test_a_variable_is_named_by_its_key(variable: str, text: str, key: str, value: object) -> None:
    assert getattr(loaded("", {variable: text}).settings, key) == value


@pytest.mark.parametrize(
    ("key", "written", "value"),
    [
        ("repo", "@alice.example", "alice.example"),
        ("repo", DID, DID),
        ("repo", "folder:./my-repo", "folder:./my-repo"),
        ("pds", "https://pds.example/", "https://pds.example"),
        ("plc", "http://localhost:2582", "http://localhost:2582"),
        ("site", "https://alice.example/blog", "https://alice.example/blog"),
        ("site", PUBLICATION, PUBLICATION),
    ],
)
def test_values_have_more_than_one_form(key: str, written: str, value: str) -> None:
    assert getattr(validated({key: written}, None), key) == value


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("titel = 1", "titel is no key of publisher.toml"),
        ("[rule]", "rule is no key of publisher.toml"),
        ("site = 1", "site: Input should be a valid string"),
        ('site = "alice.example"', "site: is neither an https address nor an at:// URI"),
        ('site = "http://alice.example"', "site: is neither an https address nor an at:// URI"),
        ('site = "https://"', "site: is neither an https address nor an at:// URI"),
        ('site = "https://a b"', "site: is neither an https address nor an at:// URI"),
        (
            'site = "https://alice.example/"',
            "site: ends in a slash; write https://alice.example",
        ),
        (f'site = "at://{DID}"', "site: needs the form at://did:…/site.standard.publication/rkey"),
        (
            'site = "at://alice.example/site.standard.publication/self"',
            "site: needs the form at://did:…/site.standard.publication/rkey",
        ),
        (
            'formerly = ["https://a", "b"]',
            "formerly.1: is neither an https address nor an at:// URI",
        ),
        (
            'repo = "alice"',
            "repo: is neither a DID nor a handle; a repo in a folder is written folder:./my-repo",
        ),
        (
            'repo = "folder:"',
            "repo: is neither a DID nor a handle; a repo in a folder is written folder:./my-repo",
        ),
        ('pds = "pds.example"', "pds: is no https address"),
        ('plc = "https://"', "plc: is no https address"),
        ('timezone = "Mars/Olympus"', "timezone: is no time zone like Europe/Berlin"),
        ('timezone = "../../etc/passwd"', "timezone: is no time zone like Europe/Berlin"),
        ("timezone = 1", "timezone: invalid timezone: 1"),
        ('content = "html"', "content: Input should be 'markdown' or 'none'"),
        ('state = "git"', "state: Input should be 'lock' or 'none'"),
        ('adopt = "yes"', "adopt: Input should be a valid boolean"),
        ("documents = []", "documents: Input should be a valid string"),
        (
            '[rules]\ncover = "fatal"',
            "rules.cover: Input should be 'off', 'info', 'warning' or 'error'",
        ),
        (
            '[rules]\ntag-markup = "off"\ntag_markup = "off"',
            "rules.tag_markup: 'tag_markup' is no code of a finding; the nearest is tag-markup",
        ),
    ],
)
def test_a_fault_names_the_file_and_the_key(line: str, message: str) -> None:
    assert refusal(line).startswith(f"{Path.cwd() / 'publisher.toml'}: {message}")


def test_every_fault_is_told_at_once() -> None:
    path = Path.cwd() / "publisher.toml"
    assert refusal('state = "git"\ntitel = 1').split("; ") == [
        f"{path}: state: Input should be 'lock' or 'none'",
        f"{path}: titel is no key of publisher.toml",
    ]


def test_a_fault_in_the_environment_names_the_variable() -> None:
    environment = {"PUBLISHER_STATE": "git"}
    message = "PUBLISHER_STATE: Input should be 'lock' or 'none'"
    assert refusal('state = "lock"', environment) == message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"site = ", "Invalid value (at end of document)"),
        (b'site = "a"\nsite = "b"\n', "Cannot overwrite a value (at line 2, column 11)"),
        (b'site = "\xff"', "'utf-8' codec can't decode byte 0xff in position 8"),
    ],
)
def test_a_file_that_is_no_toml_is_refused_with_the_place(content: bytes, message: str) -> None:
    path = Path.cwd() / "publisher.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(explicit=None, starts=(Path.cwd(),), environment={})
    assert caught.value.message.startswith(f"{path}: {message}")


def test_without_a_file_a_fault_names_the_key() -> None:
    with pytest.raises(ConfigError, match=r"^the settings: state: Input should be"):
        validated({"state": "git"}, None)
