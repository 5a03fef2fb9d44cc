"""`publisher verify`: a repo is proven from its signed commit down, and its records validated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from publisher.commands.reports import VerifyReport
from publisher.commands.repos import Target, open_to_read
from publisher.config import Config
from publisher.cores import FORKS, pieces, spread
from publisher.progress import Progress
from publisher.pulling.proof import Read, read
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


def _judged(name: Path, found: Read, judge: Judge, progress: Progress) -> Iterator[_Part]:
    """Yield how many records have each status, and those with findings, piece by piece."""
    keys = [key for key in found.items if key.startswith(VALIDATED)]
    progress.stage("validating", len(keys))
    by_key = partial(_judge_keys, judge, name, found.block)
    by_block = partial(_judge_blocks, judge, name)
    runs = pieces(keys, _PIECE)
    parts: Iterator[_Part]
    if len(keys) <= _ALONE:
        parts = map(by_key, runs)
    elif FORKS:  # each process reads the archive; sending what was read takes as long as judging
        parts = spread(by_key, runs, progress)
    else:
        parts = spread(by_block, (_blocks(found.block, run) for run in runs), progress)
    for part in parts:
        yield part
        progress.advance(part[0].total())


def _judge_keys(
    judge: Judge, name: Path, block: Callable[[str], bytes], keys: Sequence[str]
) -> _Part:
    return _judge_blocks(judge, name, _blocks(block, keys))


def _blocks(block: Callable[[str], bytes], keys: Sequence[str]) -> list[tuple[str, bytes]]:
    return [(key, block(key)) for key in keys]


def _judge_blocks(judge: Judge, name: Path, blocks: Sequence[tuple[str, bytes]]) -> _Part:
    checked = [judge.block(name, key, block) for key, block in blocks]
    return Counter(each.status for each in checked), [each for each in checked if each.findings]
