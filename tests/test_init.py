"""`publisher init` asks only what the project doesn't say."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from publisher import config
from publisher.commands.init import InitReport, init
from publisher.errors import ConfigError, StateError

SITE = "https://alice.example"


def nobody(_question: str, _default: str | None) -> str | None:
    """Nobody is at the terminal."""
    return None


def put(name: str, content: str) -> None:
    path = Path.cwd() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def run(**given: str | None) -> InitReport:
    """Run it where nobody can be asked; the repo is given if nothing else is said."""
    return init(Path.cwd(), {"repo": "alice.example", **given}, nobody, {"TZ": "Europe/Berlin"})


def written() -> dict[str, object]:
    return tomllib.loads((Path.cwd() / "publisher.toml").read_text())


def test_it_writes_a_config_that_can_be_read() -> None:
    report = run(site=SITE)
    assert written() == {
        "repo": "alice.example",
        "site": SITE,
        "documents": ".",
        "timezone": "Europe/Berlin",
    }
    assert report.path == Path.cwd() / "publisher.toml"
    assert report.origins == {
        "repo": "given",
        "site": "given",
        "documents": "default",
        "timezone": "TZ",
    }
    assert config.load(explicit=report.path, starts=(Path.cwd(),), environment={}).path


@pytest.mark.parametrize("name", ["CET-1CEST,M3.5.0,M10.5.0/3", "Mars/Olympus", "/etc/passwd", ""])
def test_a_zone_of_the_machine_that_is_none_is_passed_over(name: str) -> None:
    report = init(Path.cwd(), {"repo": "alice.example", "site": SITE}, nobody, {"TZ": name})
    assert report.origins["timezone"] in {"/etc/localtime", "default"}


def test_a_zone_may_begin_with_a_colon() -> None:
    init(Path.cwd(), {"repo": "alice.example", "site": SITE}, nobody, {"TZ": ":Asia/Tokyo"})
    assert written()["timezone"] == "Asia/Tokyo"


def test_every_key_has_a_comment() -> None:
    run(site=SITE)
    blocks = (Path.cwd() / "publisher.toml").read_text().strip().split("\n\n")
    assert all(block.startswith("# ") for block in blocks)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("hugo.toml", 'baseURL = "https://alice.example/"\n'),
        ("hugo.yaml", "baseURL: https://alice.example/\n"),
        ("hugo.json", '{"baseURL": "https://alice.example/"}'),
        ("config.toml", 'base_url = "https://alice.example"\n'),
        ("config.toml", 'baseURL = "https://alice.example"\n'),
        ("_config.yml", 'url: https://alice.example\nbaseurl: ""\n'),
        (
            "mkdocs.yml",
            "site_url: https://alice.example/\n"
            "x: !!python/name:material.emoji\ny: !ENV [A, b]\nz: !relative {a: 1}\n",
        ),
        ("astro.config.mjs", "export default defineConfig({ site: 'https://alice.example' });"),
        (
            "astro.config.ts",
            'export default defineConfig({\n  site: "https://alice.example/",\n});',
        ),
        ("pelicanconf.py", "AUTHOR = 'A'\nSITEURL = 'https://alice.example'\n"),
        ("publishconf.py", 'SITEURL = "https://alice.example"\n'),
    ],
)
def test_the_site_is_taken_from_the_config_of_the_generator(name: str, content: str) -> None:
    put(name, content)
    report = run()
    assert written()["site"] == SITE
    assert report.origins["site"] == name


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("hugo.toml", 'baseURL = "http://localhost:1313/"\n'),
        ("hugo.toml", "baseURL = \n"),
        ("hugo.yaml", "baseURL: [\n"),
        ("hugo.yaml", "- a list\n"),
        ("hugo.json", "{"),
        ("hugo.json", "[]"),
        ("_config.yml", "url: ''\n"),
        ("_config.yml", "url: 7\n"),
        ("astro.config.mjs", "const website = 'https://alice.example'"),
        ("pelicanconf.py", "SITEURL = ''\n"),
    ],
)
def test_a_config_without_a_public_address_says_nothing(name: str, content: str) -> None:
    put(name, content)
    with pytest.raises(ConfigError, match="site isn't known"):
        run()


@pytest.mark.parametrize(
    "folder", ["content", "src/content", "_posts", "src/posts", "posts", "docs"]
)
def test_the_folder_of_documents_is_where_generators_keep_them(folder: str) -> None:
    put(f"{folder}/hello.md", "")
    report = run(site=SITE)
    assert written()["documents"] == folder
    assert report.origins["documents"] == f"{folder}/ is here"


def test_what_is_given_goes_before_what_is_found() -> None:
    put("hugo.toml", 'baseURL = "https://found.example"\n')
    put("content/hello.md", "")
    run(site=SITE, documents="essays", timezone="Asia/Tokyo")
    assert written() == {
        "repo": "alice.example",
        "site": SITE,
        "documents": "essays",
        "timezone": "Asia/Tokyo",
    }


def test_only_what_is_missing_is_asked() -> None:
    put("hugo.toml", 'baseURL = "https://alice.example"\n')
    questions = []

    def ask(question: str, _default: str | None) -> str:
        questions.append(question)
        return "folder:./repo"

    report = init(Path.cwd(), {"repo": None, "site": None}, ask, {})
    assert questions == ["Handle of your account (or folder:./repo to try)"]
    assert written()["repo"] == "folder:./repo"
    assert (report.origins["repo"], report.origins["site"]) == ("asked", "hugo.toml")


@pytest.mark.parametrize(
    ("given", "key"), [({"site": SITE, "repo": None}, "repo"), ({"site": None}, "site")]
)
def test_without_a_terminal_the_error_names_the_option(
    given: dict[str, str | None], key: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        run(**given)
    assert caught.value.message == f"{key} isn't known"
    assert caught.value.remedy == f"run it on a terminal, or add --{key}"
    assert not (Path.cwd() / "publisher.toml").exists()


def test_it_never_overwrites() -> None:
    put("publisher.toml", "# mine\n")
    with pytest.raises(ConfigError) as caught:
        run(site=SITE)
    assert caught.value.message == f"{Path.cwd() / 'publisher.toml'} is there already"
    assert (Path.cwd() / "publisher.toml").read_text() == "# mine\n"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"site": "alice.example"}, "site: is neither an https address nor an at:// URI"),
        ({"site": SITE, "repo": "alice"}, "repo: is neither a DID nor a handle"),
        ({"site": SITE, "timezone": "Mars"}, "timezone: is no time zone like Europe/Berlin"),
    ],
)
def test_what_could_not_be_read_is_not_written(given: dict[str, str | None], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        run(**given)
    assert message in caught.value.message
    assert not (Path.cwd() / "publisher.toml").exists()


def test_values_are_written_as_toml_has_them() -> None:
    run(site=SITE, documents='a "quoted" \\ földer')
    assert written()["documents"] == 'a "quoted" \\ földer'


def test_a_folder_that_is_not_there_is_an_error() -> None:
    with pytest.raises(StateError, match="No such file or directory"):
        init(Path.cwd() / "gone", {"repo": "alice.example", "site": SITE}, nobody, {})


def test_the_base_and_the_zone_of_a_jekyll_site_are_taken_over() -> None:
    put("_config.yml", "url: https://alice.example\nbaseurl: /blog/\ntimezone: Asia/Tokyo\n")
    run()
    found = written()
    assert (found["site"], found["timezone"]) == (f"{SITE}/blog", "Asia/Tokyo")


def test_a_site_may_be_given_with_its_last_slash() -> None:
    run(site=f"{SITE}/")
    assert written()["site"] == SITE
