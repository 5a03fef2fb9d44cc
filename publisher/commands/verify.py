"""`publisher verify`: a repo is proven from its signed commit down, and its records validated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from publisher.commands.repos import Target, open_to_read
from publisher.config import Config
from publisher.cores import pieces, spread
from publisher.progress import Progress
from publisher.pulling.proof import Read, read
from publisher.pulling.state import Proof
from publisher.repo import Repo

if TYPE_CHECKING:
    from publisher.commands.judge import Checked, Judge

VALIDATED = "site.standard."
"""The records of collections that begin so are validated."""

_PIECE = 200  # records that go to a process at once
_ALONE = 2 * _PIECE


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """How far a repo is proven, how many records each collection has, and what is wrong with some.

    `counts` are those of the validated records by status; `items` are those with findings.
    """

    repo: str
    did: str
    rev: str
    commit: str
    proof: Proof
    collections: dict[str, int]
    counts: dict[str, int] = field(default_factory=dict)
    items: tuple[Checked, ...] = ()

    @property
    def exit_status(self) -> int:
        """1 for a record that is invalid; what isn't proven is an error before that."""
        return 1 if self.counts.get("invalid") else 0


def verify(target: Target, config: Config, progress: Progress) -> VerifyReport:
    """Prove a repo and validate its records of site.standard; nothing is written.

    Raises ProofFailed where it doesn't hold.
    """
    repo = open_to_read(target)
    try:
        progress.stage(f"reading {repo.name}", 1)
        with ThreadPoolExecutor(1) as pool:
            coming = pool.submit(_judge, config)  # while the repo comes
            with read(repo, (), None, must_prove=True) as found:
                progress.advance()
                judge = coming.result()
                pool.shutdown()  # before other processes begin
                return _report(repo, found, judge, progress)
    finally:
        repo.close()


def _judge(config: Config) -> Judge:
    from publisher.commands.collect import load_catalog
    from publisher.commands.judge import Judge

    return Judge(config, load_catalog(config), keep=False)


def _report(repo: Repo, found: Read, judge: Judge, progress: Progress) -> VerifyReport:
    counts: Counter[str] = Counter()
    items: list[Checked] = []
    for statuses, told in _judged(Path(repo.name), found, judge, progress):
        counts += statuses
        items += told
    collections = Counter(key.partition("/")[0] for key in found.items)
    return VerifyReport(
        repo.name,
        repo.did,
        found.commit.rev,
        found.commit.cid,
        found.proof,
        dict(collections),
        dict(counts),
        tuple(items),
    )


def _judged(
    name: Path, found: Read, judge: Judge, progress: Progress
) -> Iterator[tuple[Counter[str], list[Checked]]]:
    """Yield how many records have each status, and those with findings, piece by piece."""
    keys = [key for key in found.items if key.startswith(VALIDATED)]
    progress.stage("validating", len(keys))
    blocks = ([(key, found.block(key)) for key in piece] for piece in pieces(keys, _PIECE))
    parts: Iterator[tuple[Counter[str], list[Checked]]]
    if len(keys) <= _ALONE:
        parts = map(partial(_judge_blocks, judge, name), blocks)
    else:
        from publisher.commands.collect import set_judge

        begin = partial(set_judge, judge)
        parts = spread(partial(_judge_there, name), blocks, progress, begin=begin)
    for part in parts:
        yield part
        progress.advance(part[0].total())


def _judge_there(
    name: Path, blocks: Sequence[tuple[str, bytes]]
) -> tuple[Counter[str], list[Checked]]:
    from publisher.commands.collect import the_judge

    return _judge_blocks(the_judge(), name, blocks)


def _judge_blocks(
    judge: Judge, name: Path, blocks: Sequence[tuple[str, bytes]]
) -> tuple[Counter[str], list[Checked]]:
    checked = [judge.block(name, key, block) for key, block in blocks]
    return Counter(each.status for each in checked), [each for each in checked if each.findings]
