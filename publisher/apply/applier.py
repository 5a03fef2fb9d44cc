"""Actions become writes: one by one where they are few, else in batches that overlap.

While a batch is on its way, the next one's blobs are uploaded and its intents written down.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from publisher.apply.blobs import Blobs
from publisher.apply.outcome import Outcome, key_of
from publisher.apply.threads import quick_turns, threads
from publisher.errors import RepoRefused, SwapRefused
from publisher.plan import Create, Delete, LockEntry, Pending, Update, entry_of
from publisher.progress import Progress
from publisher.repo import Commit, CreateWrite, DeleteWrite, Repo, UpdateWrite, Write

FEW = 5
"""So many writes go one by one (10 ms each): no commit of others can overtake them."""

AHEAD = 1
"""Batches that are ready while one is on its way: the server never waits for us."""

WRITTEN_AHEAD = 1_000
"""Steps that are written down with one fsync; the disk makes each wait for others' writes."""

HELD_AHEAD = 32 << 20
"""Bytes of records that these steps may hold in memory: large ones are written down in fewer."""

Keep = Callable[[Sequence[Pending], Sequence[LockEntry]], None]
"""Puts on the disk what is about to be replaced, deleted and sent; before it is sent."""


@dataclass(frozen=True, slots=True)
class _Step:
    """An action as it is sent, and what the lock says of it afterwards."""

    action: Pending
    write: Write
    entry: LockEntry | None

    @property
    def cid(self) -> str | None:
        """The CID that must be answered; None for a delete."""
        return self.entry.cid if self.entry else None


@dataclass(frozen=True, slots=True)
class _Load:
    """Steps that go together; `writes` are theirs, as the repo cut them."""

    steps: Sequence[_Step]
    writes: Sequence[Write]

    def part(self, start: int, end: int) -> _Load:
        """Return some of the steps."""
        return _Load(self.steps[start:end], self.writes[start:end])

    def of(self, actions: Sequence[Pending]) -> _Load:
        """Return the steps of these actions."""
        if len(actions) == len(self.steps):
            return self
        there = {id(action) for action in actions}
        steps = [step for step in self.steps if id(step.action) in there]
        return _Load(steps, [step.write for step in steps])

    @property
    def actions(self) -> list[Pending]:
        """What the steps carry out."""
        return [step.action for step in self.steps]


class Applier:
    """Carries out actions that were planned at `commit`, and notes in `outcome` what came of each.

    `keep` writes ahead. Raises SwapRefused when the repo has moved, OutcomeUnknown when an answer
    didn't come: then all that isn't written must be planned anew. What a repo refuses is narrowed
    down to the documents it is about; the others are written.
    """

    def __init__(
        self,
        repo: Repo,
        commit: Commit,
        blobs: Blobs,
        keep: Keep,
        outcome: Outcome,
    ) -> None:
        self._repo = repo
        self._commit = commit
        self._blobs = blobs
        self._keep = keep
        self._outcome = outcome
        self._failed = False

    def apply(
        self,
        actions: Sequence[Pending],
        progress: Progress,
        stop: Callable[[], bool],
        *,
        alone: bool,
    ) -> None:
        """Write all of the actions, in order, until `stop`; `alone`, each by its own swap."""
        pending = self._blobs.without_lost(actions)
        progress.advance(len(actions) - len(pending))
        if alone or len(pending) <= FEW:
            self._one_by_one(pending, progress, stop)
        else:
            self._in_batches(pending, progress, stop)

    def _in_batches(
        self, actions: Sequence[Pending], progress: Progress, stop: Callable[[], bool]
    ) -> None:
        waiting: deque[Future[None]] = deque()
        with threads(1) as sender, quick_turns():
            for load in self._cut(actions):
                ready = self._with_blobs(load, progress)
                if len(waiting) > AHEAD:
                    waiting.popleft().result()
                if stop():
                    break
                waiting.append(sender.submit(self._in_turn, ready, progress, stop))
                progress.advance(len(load.steps) - len(ready.steps))
            for sent in waiting:
                sent.result()

    def _in_turn(self, load: _Load, progress: Progress, stop: Callable[[], bool]) -> None:
        """Send a batch, unless the one before it failed."""
        if self._failed or stop():
            return
        self._failed = True
        self._send(load, progress)
        self._failed = False

    def _cut(self, actions: Iterable[Pending]) -> Iterator[_Load]:
        taken: deque[_Step] = deque()

        def writes(run: Sequence[Pending]) -> Iterator[Write]:
            for step in self._written_ahead(run):
                taken.append(step)
                yield step.write

        for run in _apart(actions):
            for batch in self._repo.batches(writes(run)):
                yield _Load([taken.popleft() for _ in batch], batch)

    def _written_ahead(self, actions: Iterable[Pending]) -> Iterator[_Step]:
        """Yield the steps, each when it is on the disk; many at a time, since the disk is slow."""
        for steps in _together(actions):
            self._keep([s.action for s in steps], [s.entry for s in steps if s.entry])
            yield from steps

    def _with_blobs(self, load: _Load, progress: Progress) -> _Load:
        """Upload the blobs of a batch; return what can be sent of it."""
        return load.of(self._blobs.upload(load.actions, progress))

    def _send(self, load: _Load, progress: Progress, *, again: bool = False) -> None:
        """Send one batch; one that is refused is halved until the faulty document stands alone."""
        if not load.steps:
            return
        for step in load.steps:
            self._outcome.sent[key_of(step.action)] = step.action
        try:
            applied = self._repo.apply(load.writes, swap_commit=self._commit.cid)
        except SwapRefused:
            raise
        except RepoRefused as error:
            self._refused(load, progress, error, again=again)
            return
        self._commit = applied.commit
        self._outcome.commits += 1
        for step, cid in zip(load.steps, applied.cids, strict=True):
            self._compare(step, cid)
        progress.advance(len(load.steps))

    def _refused(self, load: _Load, progress: Progress, error: RepoRefused, *, again: bool) -> None:
        number = len(load.steps)
        if error.name == "BlobNotFound" and not again:
            there = self._uploaded_anew(load, progress)
            progress.advance(number - len(there.steps))
            self._send(there, progress, again=True)
        elif number == 1:
            self._outcome.fail(load.steps[0].action, error.message)
            progress.advance()
        else:
            self._send(load.part(0, number // 2), progress)
            self._send(load.part(number // 2, number), progress)

    def _uploaded_anew(self, load: _Load, progress: Progress) -> _Load:
        """A blob that the repo held when it was asked, or was given, is gone."""
        self._blobs.forget(load.actions)
        return load.of(self._blobs.upload(load.actions, progress))

    def _one_by_one(
        self, actions: Iterable[Pending], progress: Progress, stop: Callable[[], bool]
    ) -> None:
        overtaken: SwapRefused | None = None
        for action in actions:
            if stop():
                return
            try:
                for step in self._written_ahead([action]):
                    if self._with_blobs(_Load([step], [step.write]), progress).steps:
                        self._send_one(step, progress)
            except SwapRefused as error:  # the others don't depend on it
                overtaken = error
            progress.advance()
        if overtaken:
            raise overtaken

    def _send_one(self, step: _Step, progress: Progress, *, again: bool = False) -> None:
        self._outcome.sent[key_of(step.action)] = step.action
        try:
            cid = self._repo.apply_one(step.write)
        except SwapRefused:
            raise
        except RepoRefused as error:
            if error.name == "BlobNotFound" and not again:
                if self._uploaded_anew(_Load([step], [step.write]), progress).steps:
                    self._send_one(step, progress, again=True)
            else:
                self._outcome.fail(step.action, error.message)
            return
        self._outcome.commits += 1
        self._compare(step, cid)

    def _compare(self, step: _Step, cid: str | None) -> None:
        if cid == step.cid:
            self._outcome.succeed(step.action, step.entry)
            return
        message = f"{self._repo.name} answered {cid} for a record whose CID is {step.cid}"
        self._outcome.fail(step.action, message)


def _apart(actions: Iterable[Pending]) -> Iterator[Sequence[Pending]]:
    """Part what writes a record from what replaces or deletes its equal elsewhere.

    In one commit, the reference PDS (0.5.35) drops the block that both share: the record is lost.
    """
    run: list[Pending] = []
    written, replaced = set[str](), set[str]()
    for action in actions:
        new = set() if isinstance(action, Delete) else {action.cid}
        old = set() if isinstance(action, Create) else {action.theirs.cid}
        if new & replaced or old & written:
            yield run
            run, written, replaced = [], set(), set()
        run.append(action)
        written |= new
        replaced |= old
    if run:
        yield run


def _together(actions: Iterable[Pending]) -> Iterator[list[_Step]]:
    """Yield steps that are written down together; an update's value is made for its step."""
    steps: list[_Step] = []
    held = 0
    for action in actions:
        steps.append(_step(action))
        held += action.record.size if isinstance(action, Update) else 0
        if len(steps) >= WRITTEN_AHEAD or held >= HELD_AHEAD:
            yield steps
            steps, held = [], 0
    if steps:
        yield steps


def _step(action: Pending) -> _Step:
    match action:
        case Create(record, rkey):
            value = record.value
            write: Write = CreateWrite(record.collection, rkey, value)
        case Update(record, rkey, theirs):
            value = action.value
            write = UpdateWrite(record.collection, rkey, value, theirs.cid)
        case Delete(entry, theirs):
            return _Step(action, DeleteWrite(entry.collection, entry.rkey, theirs.cid), None)
    return _Step(action, write, entry_of(record, rkey, value, action.cid))
