"""A small site for tests: a folder with publisher.toml and documents, and the command line."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from publisher import config as configuration
from publisher.commands.publish import publish
from publisher.commands.pull import Selection, pull
from publisher.commands.reports import PublishReport, PullReport
from publisher.commands.repos import configured
from publisher.commands.rounds import Options
from publisher.config import Config
from publisher.folder import FolderRepo
from publisher.progress import Silent
from publisher.pulling.wanted import PullOptions
from tests.forked import run_module

SITE = "https://alice.example"


@dataclass(frozen=True, slots=True)
class Site:
    """A folder of documents below `root`/content that publishes to a repo in a folder."""

    root: Path

    @property
    def content(self) -> Path:
        """The folder of documents."""
        return self.root / "content"

    @property
    def config(self) -> Config:
        """The config as it stands now."""
        return configuration.load(
            explicit=self.root / "publisher.toml", starts=(self.root,), environment={}
        )

    def configure(self, **settings: str) -> None:
        """Write publisher.toml anew."""
        table = {"repo": "folder:./repo", "site": SITE, "documents": "content", **settings}
        lines = (f"{key} = {json.dumps(value)}" for key, value in table.items())
        (self.root / "publisher.toml").write_text("\n".join(lines) + "\n")

    def write(self, name: str, body: str = "Hello.", **head: object) -> Path:
        """Write a Markdown document; title and date are given if nothing else is said."""
        head = {"title": f"On {name}", "date": "2026-02-05T10:00:00Z", **head}
        lines = [f"{key}: {json.dumps(value)}" for key, value in head.items()]
        path = self.content / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(["---", *lines, "---", "", body, ""]))
        return path

    def write_json(self, name: str, **value: object) -> Path:
        """Write a record of site.standard.document."""
        record = {
            "$type": "site.standard.document",
            "title": f"On {name}",
            "publishedAt": "2026-02-05T10:00:00.000Z",
            **value,
        }
        path = self.content / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record, ensure_ascii=False), "utf-8")
        return path

    def picture(self, name: str, colour: int = 0, size: int = 40) -> Path:
        """Write a small PNG."""
        path = self.content / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(colour, size))
        return path

    def publish(self, **options: Any) -> PublishReport:
        """Run `publisher publish`."""
        return publish(self.config, Options(**options), lambda _: None, Silent())

    def pull(self, out: Path, **options: Any) -> PullReport:
        """Run `publisher pull` of the configured repo."""
        target = configured(self.config)
        return pull([Selection(target)], out, PullOptions(**options), Silent())

    def repo(self) -> FolderRepo:
        """Open the repo in the folder."""
        return FolderRepo.open(self.root / "repo")

    def lock_lines(self) -> list[dict[str, Any]]:
        """Return the lines of publisher.lock after the first."""
        return [json.loads(line) for line in self.lock.read_text().splitlines()[1:]]

    @property
    def lock(self) -> Path:
        """The lock file."""
        return self.root / "publisher.lock"


def make_site(root: Path, **settings: str) -> Site:
    """Make an empty site."""
    site = Site(root)
    site.content.mkdir(parents=True)
    site.configure(**settings)
    return site


def make_published(root: Path) -> Site:
    """Return a site of one document with a cover, published."""
    made = make_site(root)
    made.picture("sea.png")
    made.write("a.md", cover="sea.png")
    made.publish()
    return made


def picture(colour: int = 0, size: int = 40) -> bytes:
    """Return the bytes of a small PNG."""
    buffer = BytesIO()
    shade = (colour % 256, colour // 256 % 256, 128)
    Image.new("RGB", (size, size), shade).save(buffer, "PNG")
    return buffer.getvalue()


def actions(report: PublishReport) -> dict[str, str]:
    """Return what happened to each document."""
    return {item.path: item.action for item in report.items}


def run(
    *arguments: str | Path,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    stdin: str = "",
) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder, without a terminal."""
    told = {**os.environ, **(environment or {})}
    return run_module(
        "publisher", [*map(str, arguments)], folder=folder, environment=told, stdin=stdin
    )
