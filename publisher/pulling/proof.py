"""How a repo is read for a pull, and how far what was read is proven."""

from __future__ import annotations

import logging
from collections.abc import Callable, Container, ItemsView, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, Final, TypeVar

from publisher.archive import (
    ArchiveError,
    CarFile,
    InvalidSignature,
    Items,
    MissingBlock,
    Proven,
    Proving,
    begin_proof,
    prove,
    prove_record,
)
from publisher.data import DAG_CBOR, Cid, InvalidCbor, Value, decode
from publisher.errors import IdentityError, ProofFailed, RepoRefused, RepoUnavailable
from publisher.repo import Commit, RemoteRecord, Repo, Snapshot
from publisher.spool import StoredValue, block_of
from publisher.syntax import Nsid, Rkey

if TYPE_CHECKING:
    from publisher.pulling.state import Proof

FETCHES: Final = 3
"""How often a torn archive is fetched: the reference PDS reads without a snapshot."""

_NOT_OFFERED: Final = {"MethodNotImplemented", "XRPCNotSupported", "NotImplemented", "NotFound"}
_log = logging.getLogger(__name__)
_Proof = TypeVar("_Proof")


@dataclass(frozen=True, slots=True)
class Known:
    """What an earlier pull proved: the commit, and all records, with their CIDs as text too."""

    rev: str
    items: Items
    texts: Mapping[bytes, str]


@dataclass(frozen=True, slots=True)
class Read:
    """A repo as it was read: `items` are 'collection/rkey' to CID, in order.

    `whole`: these are all records of the repo. `block` gives a record's bytes, hashed; `archive`
    is the CAR, where all of it is in one. `reason` says why no more is proven.
    """

    commit: Commit
    proof: Proof
    items: Mapping[str, str]
    block: Callable[[str], bytes]
    whole: bool
    archive: BinaryIO | None = None
    reason: str = ""


@contextmanager
def read(
    repo: Repo, collections: Sequence[Nsid], known: Known | None, *, must_prove: bool
) -> Iterator[Read]:
    """Read a repo, proven from its signed commit down; where it can't be, its listing.

    The listing is of `collections`, or of all, and not taken where the server offers an archive
    that doesn't hold: ProofFailed is raised then, and always with `must_prove`.
    """
    with ExitStack() as stack:
        try:
            repo.signing_key()
            found = stack.enter_context(_archived(repo, known))
        except (IdentityError, RepoRefused) as error:
            if must_prove or (isinstance(error, RepoRefused) and error.name not in _NOT_OFFERED):
                raise _unproven(repo, error.message) from error
            _log.info("%s", error.message)
            found = _listed(repo, collections, error.message)
        yield found


@contextmanager
def _archived(repo: Repo, known: Known | None) -> Iterator[Read]:
    """Raises ProofFailed, IdentityError, and what `Repo.archive` does."""
    torn: ArchiveError | None = None
    for _ in range(FETCHES):
        with repo.archive(since=known.rev if known else None) as file:
            try:
                proven = _proven(repo, file, known)
            except ArchiveError as error:
                if known is None and not isinstance(error, MissingBlock):
                    raise _unproven(repo, str(error)) from error
                _log.info("%s: %s; it is fetched again", repo.name, error)
                known, torn = None, error
                continue
            yield _as_read(proven, file if known is None else None, known)
            return
    raise _torn(repo, torn)


def _torn(repo: Repo, torn: ArchiveError | None) -> ProofFailed:
    failed = _unproven(repo, f"{torn}, each of the {FETCHES} times it was fetched")
    failed.__cause__ = torn
    return failed


def prove_while(repo: Repo, use: Callable[[CarFile, Proving], _Proof]) -> _Proof:
    """Read a whole repo, and return what `use` makes of it while it is proven.

    What comes of an archive that is torn is thrown away, and `use` called anew. Raises ProofFailed.
    """
    torn: ArchiveError | None = None
    try:
        repo.signing_key()
        for _ in range(FETCHES):
            with repo.archive() as file:
                car = CarFile(file)
                try:
                    return use(car, _by_key(repo, partial(begin_proof, car, did=repo.did)))
                except MissingBlock as error:
                    _log.info("%s: %s; it is fetched again", repo.name, error)
                    torn = error
    except (IdentityError, RepoRefused) as error:
        raise _unproven(repo, error.message) from error
    except ArchiveError as error:
        raise _unproven(repo, str(error)) from error
    raise _torn(repo, torn)


def read_record(repo: Repo, collection: Nsid, rkey: Rkey) -> Read | None:
    """Read one record with its proof; None where the repo is only to be had whole.

    Raises ProofFailed, IdentityError, Repo…. A record that isn't there is none of the items.
    """
    try:
        content = repo.record_proof(collection, rkey)
    except RepoRefused as error:
        if error.name not in _NOT_OFFERED:
            raise
        content = None
    if content is None:
        return None
    prove_it = partial(prove_record, content, did=repo.did, collection=collection, rkey=rkey)
    try:
        found = _by_key(repo, prove_it)
    except ArchiveError as error:
        raise _unproven(repo, str(error)) from error
    commit = Commit(str(Cid.of(found.commit.encode(), DAG_CBOR)), found.commit.rev)
    items = {f"{collection}/{rkey}": str(found.cid)} if found.cid else {}
    block = found.block or b""
    return Read(commit, "record proof", items, lambda _path: block, whole=False)


def _proven(repo: Repo, file: BinaryIO, known: Known | None) -> Proven:
    old = known.items if known else None
    return _by_key(repo, partial(prove, CarFile(file), did=repo.did, old=old))


def _by_key(repo: Repo, prove_it: Callable[..., _Proof]) -> _Proof:
    """Prove something by the owner's key; where that doesn't hold, by the key as it is now."""
    key = repo.signing_key()
    try:
        return prove_it(key=key)
    except InvalidSignature:
        now = repo.signing_key(afresh=True)
        if now == key:
            raise
        return prove_it(key=now)


def _as_read(proven: Proven, file: BinaryIO | None, known: Known | None) -> Read:
    items = _Texts(proven.items, known)

    def block(path: str) -> bytes:
        return proven.block(proven.items[path])

    commit = Commit(str(proven.cid), proven.commit.rev)
    return Read(commit, "proven", items, block, whole=True, archive=file)


def as_known(commit: Commit, known: Known) -> Read:
    """Return a repo that hasn't moved since it was proven, and whose records are all at hand."""

    def block(path: str) -> bytes:
        raise MissingBlock(known.items[path], path)

    return Read(commit, "proven", _Texts(known.items, known), block, whole=True)


class _Texts(Mapping[str, str]):
    """CIDs as text, made when they are asked for: those of all take as long as the proof."""

    def __init__(self, items: Items, known: Known | None) -> None:
        self._items = items
        self._known = known.texts if known else {}
        self._made: dict[str, str] = {}

    def __getitem__(self, path: str) -> str:
        return self._made.get(path) or self._text(self._items[path].raw)

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def items(self) -> ItemsView[str, str]:
        """Return keys and CIDs, all of them made now."""
        if len(self._made) < len(self):
            self._made = {key.decode("ascii"): self._text(raw) for key, raw in self._items.raw()}
        return self._made.items()

    def _text(self, raw: bytes) -> str:
        return self._known.get(raw) or str(Cid(raw))


def _listed(repo: Repo, collections: Sequence[Nsid], reason: str) -> Read:
    snapshot = repo.read(collections or repo.collections(), afresh=True)
    if snapshot.unreadable:
        (collection, rkey), why = next(iter(snapshot.unreadable.items()))
        raise RepoUnavailable(
            f"{repo.name}: {collection}/{rkey} {why}", remedy="tell those who run the server"
        )
    records = {
        f"{name}/{rkey}": record
        for name, held in sorted(snapshot.records.items())
        for rkey, record in sorted(held.items())
    }
    items = {path: record.cid for path, record in records.items()}
    return Read(
        snapshot.commit,
        "listed",
        items,
        lambda path: block_of(records[path].value),
        whole=not collections,
        reason=reason,
    )


def _unproven(repo: Repo, reason: str) -> ProofFailed:
    return ProofFailed(
        f"{repo.name} isn't proven: {reason}",
        remedy="nothing was written; try again, and don't trust the server if it stays so",
    )


def snapshot(found: Read, collections: Container[Nsid]) -> Snapshot:
    """Return the records of some collections, as long as what was read is at hand."""
    records: dict[Nsid, dict[Rkey, RemoteRecord]] = {}
    unreadable: dict[tuple[Nsid, Rkey], str] = {}
    for path, cid in found.items.items():
        collection, rkey = _place(path)
        if collection not in collections:
            continue
        held = records.setdefault(collection, {})
        try:
            value = _decoded(found, path)
        except InvalidCbor as error:
            unreadable[collection, rkey] = f"is no record of the data model: {error}"
        else:
            stored = StoredValue(partial(_decoded, found, path), value)
            held[rkey] = RemoteRecord(collection, rkey, cid, stored)
    return Snapshot(found.commit, records, unreadable)


def _place(path: str) -> tuple[Nsid, Rkey]:
    collection, _, rkey = path.partition("/")
    return Nsid(collection), Rkey(rkey)


def _decoded(found: Read, path: str) -> dict[str, Value]:
    value = decode(found.block(path))
    if not isinstance(value, dict):
        raise InvalidCbor("it is no object")
    return value


def check_order(repo: Repo, commit: Commit, last: Commit | None) -> None:
    """Raise ProofFailed where a repo went back behind what was seen of it before."""
    if last and commit.rev < last.rev:
        raise ProofFailed(
            f"{repo.name} is at rev {commit.rev}, which is older than {last.rev} of the last pull",
            remedy="if the account was restored from a backup, pull into another folder (--out)",
        )
    if last and commit.rev == last.rev and commit.cid != last.cid:
        raise ProofFailed(
            f"{repo.name} has two commits of rev {commit.rev}: {last.cid} and {commit.cid}",
            remedy="pull into another folder (--out), and don't trust the server",
        )
