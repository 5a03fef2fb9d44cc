"""`publisher.toml`: found, read, checked, overlaid with the environment. Never written here."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeAlias
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictStr,
    ValidationError,
)

from publisher import syntax
from publisher.errors import ConfigError
from publisher.findings import unknown_code

FILE_NAME = "publisher.toml"
DEFAULT_PLC = "https://plc.directory"
FOLDER_PREFIX = "folder:"


def _site(value: object) -> object:
    """Take an https address or the AT-URI of a publication, both without a last slash."""
    if not isinstance(value, str):
        return value
    if value.startswith("at://"):
        uri = syntax.AtUri.parse(value)
        if not uri.authority.startswith("did:") or uri.rkey is None:
            raise ValueError("needs the form at://did:…/site.standard.publication/rkey")
        return value
    if syntax.check("uri", value) or not _is_address(value, "https"):
        raise ValueError("is neither an https address nor an at:// URI")
    if value.endswith("/"):
        raise ValueError(f"ends in a slash; write {value.rstrip('/')}")
    return value


def _is_address(text: str, *schemes: str) -> bool:
    address = urlsplit(text)
    return address.scheme in schemes and bool(address.hostname)


def _repo(value: object) -> object:
    if not isinstance(value, str):
        return value
    if value.startswith(FOLDER_PREFIX) and len(value) > len(FOLDER_PREFIX):
        return value
    if reason := syntax.check("at-identifier", value.removeprefix("@")):
        raise ValueError(f"{reason}; a repo in a folder is written folder:./my-repo")
    name = value.removeprefix("@")
    return name if name.startswith("did:") else name.lower()


def _zone(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("is no time zone like Europe/Berlin") from error


def _origin(value: object) -> object:
    if isinstance(value, str) and not _is_address(value, "https", "http"):
        raise ValueError("is no https address")
    return value.rstrip("/") if isinstance(value, str) else value


def _list(value: object) -> object:
    """Environment variables separate items by spaces."""
    return value.split() if isinstance(value, str) else value


def _code(text: str) -> str:
    if reason := unknown_code(text):
        raise ValueError(reason)
    return text


Site = Annotated[StrictStr, BeforeValidator(_site)]
Rule: TypeAlias = Literal["off", "info", "warning", "error"]
Origin = Annotated[StrictStr, BeforeValidator(_origin)]


class Settings(BaseModel):
    """The keys of `publisher.toml`; an unknown one is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)
    repo: Annotated[StrictStr, BeforeValidator(_repo)] | None = None
    pds: Origin | None = None
    plc: Origin | None = None
    site: Site | None = None
    formerly: Annotated[list[Site], BeforeValidator(_list)] = Field(default_factory=list)
    documents: StrictStr = "."
    lexicons: StrictStr | None = None
    timezone: Annotated[ZoneInfo, BeforeValidator(_zone)] | None = None
    content: Literal["markdown", "none"] = "markdown"
    state: Literal["lock", "none"] = "lock"
    adopt: StrictBool = False
    rules: dict[Annotated[StrictStr, AfterValidator(_code)], Rule] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Config:
    """Settings and where they hold: `root` is the folder of `publisher.toml`."""

    root: Path
    path: Path | None
    settings: Settings

    @property
    def documents(self) -> Path:
        """The folder of documents."""
        return self.root / self.settings.documents

    @property
    def lexicons(self) -> Path | None:
        """The folder of lexicons that are added to the bundled ones."""
        return self.root / self.settings.lexicons if self.settings.lexicons else None


def load(
    *,
    explicit: Path | None,
    starts: tuple[Path, ...],
    environment: Mapping[str, str],
    options: Mapping[str, object] | None = None,
) -> Config:
    """Read the config: the file named, or the first found upwards from `starts`, in their order.

    Precedence: `options`, `environment` (PUBLISHER_<KEY>), file, default. Raises ConfigError.
    """
    path = explicit or next((p for start in starts if (p := _find(start))), None)
    table = _read(path) if path else {}
    overlaid = _from_environment(environment)
    given = {key: value for key, value in (options or {}).items() if value is not None}
    variables = frozenset(overlaid.keys() - given.keys())
    root = path.parent.resolve() if path else starts[0].resolve()
    return Config(root, path, validated(table | overlaid | given, path, variables))


def _find(start: Path) -> Path | None:
    start = start.resolve()
    folders = (start, *start.parents) if start.is_dir() else start.parents
    return next((p for folder in folders if (p := folder / FILE_NAME).is_file()), None)


def _read(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(
            f"{path}: {error.strerror}", remedy="name it with --config, or run `publisher init`"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}", remedy="correct the TOML there") from error


def _from_environment(environment: Mapping[str, str]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key in Settings.model_fields:
        text = environment.get(f"PUBLISHER_{key.upper()}")
        if text and key != "rules":
            found[key] = {"true": True, "false": False}.get(text, text) if key == "adopt" else text
    return found


def validated(
    table: Mapping[str, object], path: Path | None, variables: frozenset[str] = frozenset()
) -> Settings:
    """Return the settings of a table, which stands in the file `path`. Raises ConfigError.

    `variables` are the keys whose values come from the environment instead.
    """
    try:
        return Settings.model_validate(table)
    except ValidationError as error:
        faults = error.errors(include_url=False)
        lines = [
            _place(fault["loc"], path, variables) + _words(fault["type"], fault["msg"])
            for fault in faults
        ]
        raise ConfigError(
            "; ".join(lines), remedy="correct it; docs/configuration.md has the keys"
        ) from error


def _place(steps: tuple[int | str, ...], path: Path | None, variables: frozenset[str]) -> str:
    if steps[0] in variables:
        return f"PUBLISHER_{str(steps[0]).upper()}"
    names = [str(step) for step in steps if step != "[key]"]  # pydantic's word for a key at fault
    return f"{path or 'the settings'}: {'.'.join(names)}"


def _words(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return " is no key of publisher.toml"
    return f": {message.removeprefix('Value error, ')}"
