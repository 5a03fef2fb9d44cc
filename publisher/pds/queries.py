"""Questions about a repo that anybody may ask, their answers checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pydantic import BaseModel

from publisher.errors import RepoUnavailable
from publisher.files import Hashed
from publisher.identity import Identity
from publisher.pds import wire
from publisher.pds.failures import Failed, explain
from publisher.pds.xrpc import Model, Result, Xrpc
from publisher.repo import Commit
from publisher.syntax import check
from publisher.transport import Limits

_EMPTY_PAGES = 20


class Queries:
    """Asks one server about one repo, without a token: an expired one would be refused.

    Everything raises what `failures.explain` makes of a failed call, and RepoUnavailable for
    answers that make no sense.
    """

    def __init__(self, identity: Identity, xrpc: Xrpc) -> None:
        self.did = identity.did
        self.name = identity.name
        self._xrpc = xrpc

    @property
    def host(self) -> str:
        """The server, as messages name it."""
        return self._xrpc.host

    def head(self) -> Commit:
        """Return the current commit."""
        answer = self.ask(wire.CommitAnswer, "com.atproto.sync.getLatestCommit", did=self.did)
        if reason := check("tid", answer.rev):
            raise self.strange(f"answered the rev {answer.rev!r}, which {reason}")
        return Commit(self._xrpc.cid(answer.cid), answer.rev)

    def ask(self, model: type[Model], nsid: str, **params: str | int) -> Model:
        """Return an answer in JSON."""
        body = self._explained(f"didn't answer {nsid}", lambda: self._xrpc.query(nsid, params))
        return self._xrpc.parsed(model, body, nsid)

    def pages(self, model: type[Model], nsid: str, **params: str | int) -> Iterator[Model]:
        """Yield pages until there is no cursor; a listing that doesn't get on is an error."""
        seen: set[str] = set()
        empty = 0
        while True:
            page = self.ask(model, nsid, **params)
            yield page
            cursor = getattr(page, "cursor", None)
            empty = 0 if _has_items(page) else empty + 1
            if not cursor:
                return
            if cursor in seen or empty > _EMPTY_PAGES:
                raise self.strange(f"answered pages of {nsid} that don't end")
            seen.add(cursor)
            params["cursor"] = cursor

    def fetch(self, what: str, nsid: str, limits: Limits, **params: str) -> bytes:
        """Return an answer in bytes; `what` says what it was for, as in 'didn't give X'."""
        return self._explained(what, lambda: self._xrpc.query(nsid, params, limits=limits))

    def download(
        self, nsid: str, write: Callable[[bytes], object], limits: Limits, **params: str
    ) -> None:
        """Hand an answer on, part by part. What `write` raises ends it."""
        self._explained(
            f"didn't answer {nsid}",
            lambda: self._xrpc.download(nsid, params, write, limits=limits),
        )

    def save(self, what: str, nsid: str, into: Hashed, limits: Limits, **params: str) -> None:
        """Write an answer into a file; `what` as for `fetch`. Raises OSError, too."""
        self._explained(
            what,
            lambda: self._xrpc.download(nsid, params, into.write, limits=limits, begin=into.begin),
        )

    def strange(self, what: str) -> RepoUnavailable:
        """Return the error for an answer that makes no sense."""
        return self._xrpc.strange(what)

    def cid(self, text: str) -> str:
        """Return an answered CID. Raises RepoUnavailable for what is none."""
        return self._xrpc.cid(text)

    def shown(self, text: str) -> str:
        """Return foreign text as messages may show it."""
        return self._xrpc.shown(text)

    def _explained(self, what: str, call: Callable[[], Result]) -> Result:
        try:
            return call()
        except Failed as failure:
            raise explain(failure, f"{self.host} {what}", self.name) from failure


def _has_items(page: BaseModel) -> bool:
    return bool(getattr(page, "records", None) or getattr(page, "cids", None))
