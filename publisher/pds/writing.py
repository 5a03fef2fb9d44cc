"""The writing half of a repo on a PDS: what each refusal means, and what may be sent twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NoReturn
from weakref import WeakSet

from publisher.data import blob_cid, record_cid
from publisher.errors import (
    OutcomeUnknown,
    PublisherError,
    RepoRefused,
    RepoUnavailable,
    SwapRefused,
)
from publisher.identity import Identity
from publisher.pds import wire
from publisher.pds.batch import Batch, cut
from publisher.pds.failures import Failed, explain
from publisher.pds.ledger import points_of
from publisher.pds.meter import Meter
from publisher.pds.session import Login
from publisher.pds.xrpc import Xrpc, surely_not_applied
from publisher.repo import Applied, Commit, DeleteWrite, Write
from publisher.spool import whole
from publisher.transport import Limits

_UPLOAD_LIMITS = Limits(seconds=300.0)


class Writing:
    """Writes to the repo of an account; thread-safe. `head` returns the repo's current commit."""

    def __init__(
        self,
        identity: Identity,
        xrpc: Xrpc,
        login: Login,
        meter: Meter,
        head: Callable[[], Commit],
    ) -> None:
        self._identity = identity
        self._xrpc = xrpc
        self._login = login
        self._meter = meter
        self._head = head
        self._promised: WeakSet[Batch] = WeakSet()

    def upload_blob(self, content: bytes, mime_type: str) -> None:
        """Make the repo hold a blob; it stays only once a record refers to it."""
        cid = blob_cid(content)
        nsid = "com.atproto.repo.uploadBlob"
        try:
            body = self._login.authorised(
                lambda token: self._xrpc.upload(
                    nsid,
                    content,
                    mime_type,
                    token,
                    limits=_UPLOAD_LIMITS,
                    admit=lambda: self._meter.admit("uploads", 1),
                )
            )
        except Failed as failure:
            what = f"{self._xrpc.host} didn't take the blob {cid} ({len(content)} bytes)"
            raise self._explained(failure, what) from failure
        held = self._xrpc.parsed(wire.UploadAnswer, body, nsid).blob
        ours, theirs = (cid, len(content), mime_type), (held.ref.link, held.size, held.mimeType)
        if ours != theirs:
            raise RepoRefused(
                f"{self._xrpc.host} took the blob {cid} for something else: sent "
                f"{_blob_text(ours)}, it holds {self._xrpc.shown(_blob_text(theirs))}",
                name="BlobMismatch",
                remedy="give the file the type that it really has",
            )

    def batches(self, writes: Iterable[Write]) -> Iterator[Sequence[Write]]:
        """Cut writes into batches of at most 200, below the server's limits of body and commit.

        The points of a batch are kept for it until it is applied or dropped. Raises RateLimited.
        """
        for batch in cut(writes, self._room):
            self._promised.add(batch)
            yield batch

    def apply(self, writes: Sequence[Write], swap_commit: str) -> Applied:
        """Apply all of the writes in one commit, or none; never sent twice if it may have arrived.

        OutcomeUnknown means that nobody knows: read the repo again.
        """
        nsid = "com.atproto.repo.applyWrites"
        batch = Batch.of(writes)
        self._promised.discard(batch)
        body = wire.apply_body(self._identity.did, batch.texts, swap_commit)
        try:
            answer = self._login.authorised(
                lambda token: self._xrpc.procedure(
                    nsid,
                    body,
                    token,
                    retriable=surely_not_applied,
                    admit=lambda: self._meter.admit("writes", batch.points),
                )
            )
        except Failed as failure:
            self._refuse(failure, swap_commit)
        return self._applied(answer, nsid, writes)

    def apply_one(self, write: Write) -> str | None:
        """Apply one write by its own swap; safe to send twice. Raises SwapRefused."""
        nsid, body = wire.one(self._identity.did, write)
        points = points_of([write])
        try:
            answer = self._login.authorised(
                lambda token: self._xrpc.procedure(
                    nsid, body, token, admit=lambda: self._meter.admit("writes", points)
                )
            )
        except Failed as failure:
            return self._settled(failure, write)
        return self._result(answer, nsid, write)

    def _room(self, points: int) -> int:
        return self._meter.room(points, sum(batch.points for batch in self._promised))

    def _refuse(self, failure: Failed, swap_commit: str) -> NoReturn:
        what = f"{self._xrpc.host} didn't apply the writes to the repo of {self._identity.name}"
        if failure.name == "InvalidSwap":
            raise SwapRefused(
                f"the repo of {self._identity.name} has moved since it was read: "
                "nothing was written",
                name=failure.name,
                remedy="run again",
            ) from failure
        if not failure.unclear:
            raise self._explained(failure, what) from failure
        # The reference PDS answers 500 to an update of a record that isn't there and undoes the
        # batch. Only the head can tell that from a batch that was committed.
        if failure.status == 500 and self._still_at(swap_commit):
            raise RepoRefused(
                f"{what}: {failure.text}; nothing was written",
                name=failure.name,
                remedy="run again; if it stays so, a record of this batch is not acceptable there",
            ) from failure
        raise _unknown(what, failure.text) from failure

    def _still_at(self, commit: str) -> bool:
        try:
            return self._head().cid == commit
        except PublisherError:
            return False

    def _applied(self, body: bytes, nsid: str, writes: Sequence[Write]) -> Applied:
        what = f"{self._xrpc.host} didn't apply the writes"
        try:
            answer = self._xrpc.parsed(wire.ApplyAnswer, body, nsid)
            cids = [result.cid for result in answer.results]
            if [cid is None for cid in cids] != [isinstance(w, DeleteWrite) for w in writes]:
                raise self._xrpc.strange("answered other results than it was sent writes")
            return Applied(Commit(self._xrpc.cid(answer.commit.cid), answer.commit.rev), cids)
        except RepoUnavailable as error:
            raise _unknown(what, error.message) from error

    def _settled(self, failure: Failed, write: Write) -> str | None:
        """Return what the repo holds where that is as wanted; raise what the failure means."""
        what = f"{self._xrpc.host} didn't write {write.collection}/{write.rkey}"
        if failure.name == "InvalidSwap":
            raise SwapRefused(
                f"{what}: it isn't what was read any more", name=failure.name, remedy="run again"
            ) from failure
        if not failure.unclear:
            raise self._explained(failure, what) from failure
        if failure.status != 500:
            raise _unknown(what, failure.text) from failure
        if self._is_as_wanted(write, what):
            return _wanted(write)
        raise RepoRefused(
            f"{what}: {failure.text}; nothing was written",
            name=failure.name,
            remedy="run again; if it stays so, the record is not acceptable there",
        ) from failure

    def _result(self, body: bytes, nsid: str, write: Write) -> str | None:
        what = f"{self._xrpc.host} didn't write {write.collection}/{write.rkey}"
        try:
            cid = self._xrpc.parsed(wire.WriteAnswer, body, nsid).cid
        except RepoUnavailable as error:
            raise _unknown(what, error.message) from error
        if (cid is None) != isinstance(write, DeleteWrite):
            raise _unknown(what, "its answer has the wrong form")
        return cid

    def _is_as_wanted(self, write: Write, what: str) -> bool:
        nsid = "com.atproto.repo.getRecord"
        params = {"repo": self._identity.did, "collection": write.collection, "rkey": write.rkey}
        try:
            found = self._xrpc.parsed(wire.WriteAnswer, self._xrpc.query(nsid, params), nsid).cid
        except Failed as failure:
            if failure.name != "RecordNotFound":
                raise _unknown(what, failure.text) from failure
            found = None
        except RepoUnavailable as error:
            raise _unknown(what, error.message) from error
        return found == _wanted(write)

    def _explained(self, failure: Failed, what: str) -> PublisherError:
        return explain(failure, what, self._identity.name)


def _unknown(what: str, reason: str) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"{what}, or did and couldn't say so: {reason}",
        remedy="run again: what was written is found and not written twice",
    )


def _wanted(write: Write) -> str | None:
    return None if isinstance(write, DeleteWrite) else record_cid(whole(write.value))


def _blob_text(blob: tuple[str, int, str]) -> str:
    cid, size, mime_type = blob
    return f"{mime_type} of {size} bytes ({cid})"
