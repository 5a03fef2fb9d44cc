"""One call of a command: its config, the repos it is about, and how its report is shown."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from publisher.errors import PublisherError

if TYPE_CHECKING:
    from publisher.commands.repos import Target
    from publisher.config import Config
    from publisher.output import Report
    from publisher.progress import Progress


class Call(NamedTuple):  # dataclasses cost 2 ms, which --help has no other use for
    """What the options say that most commands have: --format, --config, --pds and --plc."""

    format: str
    explicit: Path | None
    pds: str | None
    plc: str | None

    def run(
        self, run: Callable[[Progress], Report], *, quiet: bool = False, aside: bool = False
    ) -> None:
        """Run a command under a progress bar, show its report, and leave with its status.

        `aside`: the command itself writes to stdout, so the report goes to stderr.
        """
        from publisher.terminal import progress, show, show_aside, show_error

        with progress(quiet=quiet or aside or self.format != "text") as bar:
            report = run(bar)
        if aside:
            show_aside(report)
        else:
            show(report, format=self.format)
        error = getattr(report, "error", None)
        if isinstance(error, PublisherError):
            show_error(error)
        click.get_current_context().exit(report.exit_status)

    def config(self, *paths: Path) -> Config:
        """Load the publisher.toml that was named, or is at or above here or one of the paths."""
        from publisher import config

        return config.load(
            explicit=self.explicit, starts=(Path.cwd(), *paths), environment=os.environ
        )

    def target(self, repo: str | None) -> Target:
        """Return the repo of that name, or publisher.toml's."""
        return self.targets(*([repo] if repo else []))[0]

    def targets(self, *repos: str) -> list[Target]:
        """Return the repos of these names, or publisher.toml's.

        The servers of publisher.toml belong to its own repo; another takes --pds and --plc.
        """
        from publisher.commands.repos import Target, configured

        if not repos:
            own = configured(self.config())
            return [Target(own.name, self.pds or own.pds, self.plc or own.plc, own.root)]
        settings = self.config().settings
        own_account = _account(settings.repo or "")
        return [
            Target(name, self.pds or settings.pds, self.plc or settings.plc)
            if _account(name) == own_account
            else Target(name, self.pds, self.plc)
            for name in (repo.removeprefix("@") for repo in repos)
        ]


def _account(name: str) -> str:
    """Return whom a handle, a DID or an AT-URI names; a handle's case doesn't count."""
    account = name.removeprefix("at://").partition("/")[0] if name.startswith("at://") else name
    return account if account.startswith("did:") else account.lower()
