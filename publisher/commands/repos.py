"""From what the user calls a repo to an open one: a PDS or a folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from publisher.config import DEFAULT_PLC, FOLDER_PREFIX, Config
from publisher.errors import ConfigError
from publisher.repo import Repo

if TYPE_CHECKING:
    from publisher.identity import Identity
    from publisher.pace import Pace
    from publisher.pds import PdsRepo
    from publisher.transport import GuardedTransport

Prompt = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Target:
    """A repo by name, and the servers that the user named for it."""

    name: str
    pds: str | None = None
    plc: str | None = None
    root: Path = Path()

    @property
    def folder(self) -> Path | None:
        """The folder of a `folder:` repo, relative to `root`; None for an account."""
        if not self.name.startswith(FOLDER_PREFIX):
            return None
        return self.root / self.name.removeprefix(FOLDER_PREFIX)


def configured(config: Config) -> Target:
    """Return the config's repo. Raises ConfigError when there is none."""
    settings = config.settings
    if settings.repo is None:
        where = f"{config.path}:" if config.path else "there is no publisher.toml here:"
        raise ConfigError(
            f"{where} no repo is named",
            remedy="run `publisher init`, or set repo or PUBLISHER_REPO",
        )
    return Target(settings.repo, settings.pds, settings.plc, config.root)


def open_to_read(target: Target, *, pace: Pace | None = None) -> Repo:
    """Open a repo that nothing is written to; no credentials are asked for."""
    if target.folder is None:
        return open_pds(target, _no_prompt, pace=pace)
    return _open(target, _no_prompt, max_wait=60.0, create=False)


def open_to_write(
    target: Target, prompt: Prompt, *, max_wait: float, create: bool, state: Path | None = None
) -> Repo:
    """Open a repo; a missing folder repo is made with `create`, else reading it fails.

    What is read of an account's repo is remembered in the folder `state`, if it is there.
    """
    return _open(target, prompt, max_wait=max_wait, create=create, state=state)


def resolve(target: Target, pace: Pace | None = None) -> tuple[Identity, GuardedTransport]:
    """Find an account. Raises IdentityError; ConfigError for a folder."""
    from publisher import identity, transport  # httpx costs 60 ms, and folders need none

    if target.folder is not None:
        raise ConfigError(
            f"{target.name} is a folder, which has no account", remedy="name a handle or a DID"
        )
    guarded = transport.transport_for(target.pds, target.plc, pace=pace)
    found = identity.resolve(
        target.name, pds=target.pds, plc=target.plc or DEFAULT_PLC, transport=guarded
    )
    return found, guarded


def open_pds(
    target: Target,
    prompt: Prompt,
    *,
    max_wait: float = 60.0,
    state: Path | None = None,
    pace: Pace | None = None,
) -> PdsRepo:
    """Open an account's repo on its PDS; the app password is looked for when first needed."""
    from publisher import credentials
    from publisher.pds import PdsRepo  # the SDK costs 0.7 s

    found, guarded = resolve(target, pace)
    return PdsRepo(
        found,
        transport=guarded,
        credentials=lambda: credentials.find(found.did, found.handle, prompt=prompt),
        max_wait=max_wait,
        state=state,
    )


def _open(
    target: Target,
    prompt: Prompt,
    *,
    max_wait: float,
    create: bool,
    state: Path | None = None,
) -> Repo:
    if target.folder is None:
        return open_pds(target, prompt, max_wait=max_wait, state=state)
    from publisher.folder import FolderRepo

    folder = _as_seen_from_here(target.folder)
    return FolderRepo.open_or_create(folder) if create else FolderRepo.open(folder)


def _as_seen_from_here(folder: Path) -> Path:
    """Messages name a folder below the current one by its relative path."""
    here, folder = Path.cwd(), folder.absolute()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder


def _no_prompt(_question: str) -> str | None:
    return None
