"""`publisher demo`: the sample documents through the whole line, into a repo in a folder."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from publisher import config as configuration
from publisher import data
from publisher.commands.publish import publish
from publisher.commands.pull import Selection, pull
from publisher.commands.reports import PublishReport, PullReport, ValidateReport
from publisher.commands.repos import configured
from publisher.commands.rounds import Options
from publisher.commands.validate import Request, validate
from publisher.errors import StateError
from publisher.progress import Progress
from publisher.pulling.wanted import PullOptions
from publisher.resources import bundled


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """One document: the CID that was computed here, and that of what came back."""

    path: str
    sent: str
    pulled: str | None


@dataclass(frozen=True, slots=True)
class DemoReport:
    """The reports of the three steps, the round trips, and a second publish."""

    folder: Path
    validated: ValidateReport
    published: PublishReport
    pulled: PullReport
    again: PublishReport
    round_trips: tuple[RoundTrip, ...]

    @property
    def exit_status(self) -> int:
        """1 when a step failed, a CID differs, or the second publish wrote something."""
        steps = (self.validated, self.published, self.pulled, self.again)
        if any(step.exit_status for step in steps) or self.again.commits:
            return 1
        return 0 if all(trip.sent == trip.pulled for trip in self.round_trips) else 1


def demo(folder: Path, environment: Mapping[str, str], progress: Progress) -> DemoReport:
    """Copy the samples to `folder`, then validate, publish, pull and compare them.

    What is there already is kept, so samples can be edited and the demo run again.
    """
    documents = folder / "documents"
    _copy(bundled("seeds"), documents)
    config = configuration.load(
        explicit=documents / configuration.FILE_NAME,
        starts=(documents,),
        environment={k: v for k, v in environment.items() if not k.startswith("PUBLISHER_")},
    )
    validated = validate(config, Request(), progress)
    published = publish(config, Options(), _no_prompt, progress)
    out = folder / "pulled"
    pulled = pull([Selection(configured(config))], out, PullOptions(), progress)
    again = publish(config, Options(), _no_prompt, progress)
    trips = tuple(
        RoundTrip(item.path, item.cid, _pulled_cid(out, item.uri))
        for item in published.items
        if item.cid and item.uri
    )
    return DemoReport(folder, validated, published, pulled, again, trips)


def _copy(seeds: Path, documents: Path) -> None:
    try:
        for source in sorted(seeds.rglob("*")):
            target = documents / source.relative_to(seeds)
            if source.is_file() and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
    except OSError as error:
        raise StateError(
            f"{error.filename}: {error.strerror}", remedy="run it in a folder that can be written"
        ) from error


def _pulled_cid(out: Path, uri: str) -> str | None:
    collection, rkey = uri.split("/")[-2:]
    try:
        content = (out / collection / f"{rkey}.json").read_bytes()
    except OSError:
        return None
    return data.record_cid(data.loads(content))


def _no_prompt(_question: str) -> str | None:
    return None
