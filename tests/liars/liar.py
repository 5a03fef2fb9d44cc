"""A liar, and what has to come of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from publisher.commands.reports import PullReport
from publisher.documents.json_record import unescape_rkey
from publisher.errors import PublisherError
from tests.liars.world import World

Outcome: TypeAlias = PullReport | PublisherError


@dataclass(frozen=True, slots=True)
class Refused:
    """The pull ends with this error, which `says` why; `whole`: the folder is as it was."""

    error: type[PublisherError]
    says: str
    whole: bool = True

    def check(self, world: World, outcome: Outcome, before: Mapping[str, bytes]) -> None:
        """Hold it against what came."""
        assert isinstance(outcome, self.error), outcome
        assert re.search(self.says, outcome.message), outcome.message
        if self.whole:
            assert world.files() == before


@dataclass(frozen=True, slots=True)
class Partly:
    """These files are `status` ('failed', 'kept'), each with a reason; all others are there."""

    files: Mapping[str, str]
    status: str = "failed"

    def check(self, world: World, outcome: Outcome, before: Mapping[str, bytes]) -> None:
        """Hold it against what came."""
        assert isinstance(outcome, PullReport), outcome
        (one,) = outcome.repos
        reasons = {file.path: file.reason for file in one.files if file.status == self.status}
        assert reasons.keys() == self.files.keys()
        for path, says in self.files.items():
            assert re.search(says, reasons[path]), reasons
        assert outcome.exit_status == 1
        check_truth(world, except_for=self.files.keys())


@dataclass(frozen=True, slots=True)
class Harmless:
    """The pull goes well: the folder holds the repo, so far `proof`."""

    proof: str = "proven"
    says: str = ""

    def check(self, world: World, outcome: Outcome, before: Mapping[str, bytes]) -> None:
        """Hold it against what came."""
        assert isinstance(outcome, PullReport), outcome
        (one,) = outcome.repos
        assert (outcome.exit_status, one.proof) == (0, self.proof), outcome
        assert re.search(self.says, one.reason), one.reason
        check_truth(world)


@dataclass(frozen=True, slots=True)
class OneRecord:
    """The pull goes well, and brings this record alone, proven by itself or with all others."""

    key: str
    proof: str = "record proof"

    def check(self, world: World, outcome: Outcome, before: Mapping[str, bytes]) -> None:
        """Hold it against what came."""
        assert isinstance(outcome, PullReport), outcome
        (one,) = outcome.repos
        assert (outcome.exit_status, one.proof) == (0, self.proof), outcome
        assert {file.path for file in one.files} == {f"{self.key}.json"}
        assert world.files()[f"{self.key}.json"] == world.truth()[self.key]


@dataclass(frozen=True, slots=True)
class Remarked:
    """The pull goes well, and says of these files where and how they differ from what came."""

    files: Mapping[str, str]

    def check(self, world: World, outcome: Outcome, before: Mapping[str, bytes]) -> None:
        """Hold it against what came."""
        Harmless().check(world, outcome, before)
        assert isinstance(outcome, PullReport)
        told = {
            file.path: "".join(f"{f.severity} {f.pointer} {f.message}" for f in file.findings)
            for file in outcome.repos[0].files
            if file.findings
        }
        assert told.keys() == self.files.keys()
        for path, says in self.files.items():
            assert re.fullmatch(says, told[path]), told


@dataclass(frozen=True, slots=True)
class Unmoved:
    """The pull goes well, and brings nothing: what came is what was there."""

    def check(self, world: World, outcome: Outcome, before: Mapping[str, bytes]) -> None:
        """Hold it against what came."""
        assert isinstance(outcome, PullReport), outcome
        assert (outcome.exit_status, outcome.repos[0].files) == (0, ())
        assert world.files().keys() == before.keys()
        same = {name for name in before if name != ".pull.sqlite"}
        assert {n: world.files()[n] for n in same} == {n: before[n] for n in same}


Expected: TypeAlias = Refused | Partly | Harmless | OneRecord | Remarked | Unmoved


@dataclass(frozen=True, slots=True)
class Liar:
    """What is arranged in a world, and what has to come of a pull.

    `when`: whether an earlier pull of the same folder was honest ('again'), or there was none
    ('first'); `earlier` are the options of that. `limits` are constants of the product that are
    lowered for it, by module and name. `verified`: `publisher verify` must refuse it with the same
    words. `silent`: nobody may be asked anything.
    """

    name: str
    arrange: Callable[[World], object]
    expect: Expected
    when: tuple[str, ...] = ("again", "first")
    options: Mapping[str, Any] = field(default_factory=dict)
    earlier: Mapping[str, Any] = field(default_factory=dict)
    limits: Mapping[str, Any] = field(default_factory=dict)
    verified: bool = False
    silent: bool = False


_PORTABLE = re.compile(
    r"[^/]*/(?!(?i:con|prn|aux|nul|com\d|lpt\d)[./])(?!\.)[\w.~%-]{1,255}(?<!\.)", re.ASCII
)


def check_truth(world: World, *, except_for: Any = ()) -> None:
    """Make sure that the folder holds the repo, and nothing besides but the pull's own files."""
    files = {
        name: content
        for name, content in world.files().items()
        if content != b"folder" and not name.startswith((".trash/", ".pull", "pull.json", ".aside"))
    }
    found: dict[str, bytes] = {}
    for name, content in files.items():
        assert _PORTABLE.fullmatch(name), name
        if name in except_for or name.startswith("blobs/"):
            found[name] = content
        else:
            folder, _, base = name.partition("/")
            key = f"{folder}/{unescape_rkey(base.removesuffix('.json'))}"
            found[key] = content
    assert len({name.casefold() for name in files}) == len(files)
    truth = world.truth()
    for name in except_for:
        found.pop(name, None)
        truth.pop(name, None)
        truth.pop(unescape_rkey(name.removesuffix(".json")), None)
    assert found == truth
