"""`publisher verify`: a repo is proven from its signed commit down, and its records validated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from publisher.archive import CarFile, Proving
from publisher.commands.reports import VerifyReport
from publisher.commands.repos import Target, open_to_read
from publisher.config import Config
from publisher.cores import FORKS, pieces, spread
from publisher.progress import Progress
from publisher.pulling.proof import prove_while
from publisher.repo import Repo

if TYPE_CHECKING:
    from publisher.commands.checked import Checked
    from publisher.commands.judge import Judge

VALIDATED = "site.standard."
"""The records of collections that begin so are validated."""

_PIECE = 200  # records that go to a process at once
_ALONE = 2 * _PIECE

_Part: TypeAlias = "tuple[Counter[str], list[Checked]]"


def verify(target: Target, config: Config, progress: Progress) -> VerifyReport:
    """Prove a repo and validate its records of site.standard; nothing is written.

    They are validated while the tree is walked; nothing is told of a repo that isn't proven. Raises
    ProofFailed where it doesn't hold.
    """
    repo = open_to_read(target)
    try:
        progress.stage(f"reading {repo.name}", 1)
        with ThreadPoolExecutor(1) as pool:
            coming = pool.submit(_judge, config)  # while the repo comes

            def report(car: CarFile, proving: Proving) -> VerifyReport:
                progress.advance()
                judge = coming.result()
                pool.shutdown()  # before other processes begin
                return _report(repo, car, proving, judge, progress)

            return prove_while(repo, report)
    finally:
        repo.close()


def _judge(config: Config) -> Judge:
    from publisher.commands.collect import load_catalog
    from publisher.commands.judge import Judge

    return Judge(config, load_catalog(config), keep=False)


def _report(
    repo: Repo, car: CarFile, proving: Proving, judge: Judge, progress: Progress
) -> VerifyReport:
    collections: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    items: list[Checked] = []
    progress.stage("proving and validating", len(car))  # nodes, too
    work = _Work(car, judge, Path(repo.name))
    for statuses, told in work.done(_counted(proving.records, collections), progress):
        counts += statuses
        items += told
    return VerifyReport(
        repo.name,
        repo.did,
        proving.commit.rev,
        str(car.root),
        "proven",
        dict(collections),
        dict(counts),
        tuple(items),
    )


def _counted(
    records: Iterator[tuple[bytes, bytes]], collections: Counter[str]
) -> Iterator[tuple[str, bytes]]:
    """Count the records of each collection, and yield those that are validated."""
    for path, raw in records:
        key = path.decode("ascii")
        collection = key.partition("/")[0]
        collections[collection] += 1
        if collection.startswith(VALIDATED):
            yield key, raw


@dataclass(frozen=True, slots=True)
class _Work:
    """Records judged piece by piece: how many have each status, and those with findings."""

    car: CarFile
    judge: Judge
    name: Path

    def done(self, records: Iterator[tuple[str, bytes]], progress: Progress) -> Iterator[_Part]:
        runs = pieces(records, _PIECE)
        parts: Iterator[_Part]
        if len(self.car) <= _ALONE:
            parts = map(self._places, runs)
        elif FORKS:  # each process reads the archive: to send blocks takes as long as to judge them
            parts = spread(self._places, runs, progress)
        else:
            judged = partial(_judged, self.judge, self.name)
            parts = spread(judged, map(self._blocks, runs), progress)
        for part in parts:
            yield part
            progress.advance(part[0].total())

    def _places(self, records: Sequence[tuple[str, bytes]]) -> _Part:
        return _judged(self.judge, self.name, self._blocks(records))

    def _blocks(self, records: Sequence[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
        return [(key, self.car.read(raw) or b"") for key, raw in records]


def _judged(judge: Judge, name: Path, blocks: Sequence[tuple[str, bytes]]) -> _Part:
    checked = [judge.block(name, key, block) for key, block in blocks]
    return Counter(each.status for each in checked), [each for each in checked if each.findings]
