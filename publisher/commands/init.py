"""`publisher init`: a commented `publisher.toml`, asking only what the project doesn't say."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from publisher.config import FILE_NAME, Settings, validated
from publisher.errors import ConfigError
from publisher.files import write_atomically

Ask = Callable[[str, str | None], str | None]
"""Asks a question with a default; None where nobody can be asked."""

# Where site generators keep their pages, and the key of the site's address in their config.
_FOLDERS = ("content", "src/content", "_posts", "src/posts", "posts", "docs")
_GENERATORS = (
    ("hugo.toml", "baseURL"),
    ("hugo.yaml", "baseURL"),
    ("hugo.json", "baseURL"),
    ("_config.yml", "url"),
    ("mkdocs.yml", "site_url"),
    ("config.toml", "base_url"),
    ("config.toml", "baseURL"),
)
_SCRIPTS = (
    ("astro.config.mjs", re.compile(r"\bsite:\s*['\"]([^'\"]+)['\"]")),
    ("astro.config.ts", re.compile(r"\bsite:\s*['\"]([^'\"]+)['\"]")),
    ("pelicanconf.py", re.compile(r"^SITEURL\s*=\s*['\"]([^'\"]+)['\"]", re.MULTILINE)),
    ("publishconf.py", re.compile(r"^SITEURL\s*=\s*['\"]([^'\"]+)['\"]", re.MULTILINE)),
)
_ZONE_LINK = re.compile(r"zoneinfo/(.+)$")

_TEMPLATE = """\
# What `publisher` keeps in step: this folder of documents, and that repo.
# Every key is explained in docs/configuration.md.

# The account: a handle or DID. "folder:./repo" keeps a repo in a folder, to try things out.
repo = {repo}

# The address of the site, without a last slash; or the AT-URI of a publication record.
site = {site}

# The folder of documents: Markdown with front matter, JSON records.
documents = {documents}

# For dates that name no time zone; a date alone is midnight there.
timezone = {timezone}

# "none" publishes title, description, plain text and so on, but not the Markdown itself.
# content = "markdown"
"""


@dataclass(frozen=True, slots=True)
class InitReport:
    """The file that was written, and each setting with where it came from."""

    path: Path
    settings: Mapping[str, str]
    origins: Mapping[str, str]

    @property
    def exit_status(self) -> int:
        """0: what goes wrong here is an error."""
        return 0


def init(
    folder: Path, given: Mapping[str, str | None], ask: Ask, environment: Mapping[str, str]
) -> InitReport:
    """Write `publisher.toml` into a folder that has none. Raises ConfigError, StateError."""
    path = folder / FILE_NAME
    if path.exists():
        raise ConfigError(f"{path} is there already", remedy="edit it, or delete it first")
    found = {key: (value, "given") for key, value in given.items() if value}
    found |= {k: v for k, v in _found_out(folder, environment).items() if k not in found}
    for key, question in (
        ("repo", "Handle of your account (or folder:./repo to try)"),
        ("site", "Address of the site (https://…)"),
    ):
        if key not in found:
            found[key] = (_asked(key, question, ask), "asked")
    settings = {key: value for key, (value, _) in found.items()}
    if settings["site"].startswith("https://"):
        settings["site"] = settings["site"].rstrip("/")
    checked = validated(settings, path)
    write_atomically(path, _text(checked).encode())
    origins = {key: origin for key, (_, origin) in found.items()}
    return InitReport(path, settings, origins)


def _asked(key: str, question: str, ask: Ask) -> str:
    answer = ask(question, None)
    if not answer:
        raise ConfigError(f"{key} isn't known", remedy=f"run it on a terminal, or add --{key}")
    return answer


def _found_out(folder: Path, environment: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    found = {"documents": (".", "default"), "timezone": _zone(folder, environment)}
    for name in _FOLDERS:
        if (folder / name).is_dir():
            found["documents"] = (name, f"{name}/ is here")
            break
    if site := _site(folder):
        found["site"] = site
    return found


def _site(folder: Path) -> tuple[str, str] | None:
    for name, key in _GENERATORS:
        table = _table(folder / name)
        address = table.get(key)
        if isinstance(address, str) and address.startswith("https://"):
            below = str(table.get("baseurl") or "").strip("/") if key == "url" else ""
            return "/".join(part for part in (address.rstrip("/"), below) if part), name
    for name, pattern in _SCRIPTS:
        match = pattern.search(_read(folder / name))
        if match and match[1].startswith("https://"):
            return match[1].rstrip("/"), name
    return None


def _table(path: Path) -> dict[str, Any]:
    text = _read(path)
    try:
        if path.suffix == ".toml":
            return tomllib.loads(text)
        table = json.loads(text or "{}") if path.suffix == ".json" else _yaml(text)
    except (ValueError, yaml.YAMLError):
        return {}
    return table if isinstance(table, dict) else {}


class _LenientLoader(yaml.SafeLoader):
    """Reads what other programs' own tags are put on as plain text (`!!python/name:…`)."""


_LenientLoader.add_multi_constructor("", lambda _loader, _suffix, _node: None)


def _yaml(text: str) -> object:
    return yaml.load(text, _LenientLoader)  # noqa: S506  # a subclass of the safe loader


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _zone(folder: Path, environment: Mapping[str, str]) -> tuple[str, str]:
    found = [
        (str(_table(folder / name).get(key, "")), name)
        for name, key in (("hugo.toml", "timeZone"), ("_config.yml", "timezone"))
    ]
    found.append((environment.get("TZ", "").lstrip(":"), "TZ"))
    link = Path("/etc/localtime")
    if link.is_symlink() and (match := _ZONE_LINK.search(str(link.resolve()))):
        found.append((match[1], str(link)))
    return next((zone for zone in found if _is_zone(zone[0])), ("UTC", "default"))


def _is_zone(name: str) -> bool:
    """Tell whether it is a name as `publisher.toml` has it; TZ may hold rules instead."""
    try:
        validated({"timezone": name}, None)
    except ConfigError:
        return False
    return True


def _text(settings: Settings) -> str:
    values = {
        "repo": settings.repo,
        "site": settings.site,
        "documents": settings.documents,
        "timezone": settings.timezone.key if settings.timezone else "UTC",
    }
    return _TEMPLATE.format(**{key: json.dumps(value) for key, value in values.items()})
