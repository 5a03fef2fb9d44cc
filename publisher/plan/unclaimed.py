"""The records of a repo that nobody has claimed, beside the documents that they remind of. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from publisher import syntax
from publisher.plan.actions import Place, Remote
from publisher.plan.pairs import Match, Pair, surest
from publisher.plan.traits import ALL_TRAITS, Trait, by_trait, shared, sharing
from publisher.record import SALTS, Record, derived_rkey, fingerprint
from publisher.repo import RemoteRecord
from publisher.syntax import Did, Nsid

Found: TypeAlias = tuple[Record, RemoteRecord]


class Unclaimed:
    """What says whose a record is, but for what earlier runs know; `claimed` grows."""

    def __init__(self, did: Did, remote: Remote, formerly: Sequence[str]) -> None:
        self._did = did
        self._remote = remote
        self._formerly = formerly
        self.claimed: set[Place] = set()

    def at(self, place: Place) -> RemoteRecord | None:
        """Return the record at a place, claimed or not."""
        return self._remote.get(place[0], {}).get(place[1])

    def is_same_site(self, record: Record, theirs: RemoteRecord) -> bool:
        """Tell whether a record is of the document's site, or of one that it was formerly."""
        site = theirs.value.get("site")
        return site == record.site or site in self._formerly

    def alike(self, records: Sequence[Record]) -> Iterator[Found]:
        """Yield documents with unclaimed records of their site that share a trait with them."""
        index = by_trait(records)
        for collection in {record.collection for record in records}:
            for theirs in self._unclaimed(collection):
                for record in sharing(theirs, index):
                    if self.is_same_site(record, theirs):
                        yield record, theirs

    def reminding(self, records: Sequence[Record]) -> set[str]:
        """Return the documents that share a trait with an unclaimed record."""
        return {record.key for record, _ in self.alike(records)}

    def equal(self, records: Sequence[Record]) -> set[str]:
        """Return the documents that share all traits with an unclaimed record."""
        return {r.key for r, theirs in self.alike(records) if shared(r, theirs) == ALL_TRAITS}

    def derived(self, records: Sequence[Record]) -> list[Found]:
        """Return documents with the unclaimed records at their derived keys."""
        return [(record, theirs) for record in records if (theirs := self._derived(record))]

    def fingerprinted(self, records: Sequence[Record]) -> Iterator[Pair]:
        """Low 30 bits that agree, with a second witness: the path, or date and title."""
        index = by_trait(records)
        for record, theirs in self.alike(records):
            if syntax.check("tid", theirs.rkey):
                continue
            low = syntax.tid_value(theirs.rkey) & ((1 << 30) - 1)
            sites = (record.site, *self._formerly)
            marks = {fingerprint(record, self._did, n, s) for n in SALTS for s in sites}
            if low in marks and not is_rather(theirs, record, index):
                yield record, Match((theirs.collection, theirs.rkey))

    def shares_all(self, record: Record, match: Match) -> bool:
        """Tell whether path, date and title of document and record agree."""
        theirs = self.at(match.place)
        return theirs is not None and shared(record, theirs) == ALL_TRAITS

    def surest(self, pairs: Iterable[Pair], *, asks: bool = True) -> list[Pair]:
        """Return the pairs that are unique on both sides, first those that share all traits.

        A document that some other record equals to the letter isn't paired with one that it only
        resembles if that `asks` a person otherwise.
        """
        pairs = list(pairs)
        sure = [pair for pair in pairs if self.shares_all(*pair)]
        equal = self.equal([r for r, _ in pairs]) if asks and len(sure) < len(pairs) else set()
        likely = [(r, m) for r, m in pairs if r.key not in equal or self.shares_all(r, m)]
        return surest(likely, sure)

    def _unclaimed(self, collection: Nsid) -> Iterator[RemoteRecord]:
        for rkey, theirs in self._remote.get(collection, {}).items():
            if (collection, rkey) not in self.claimed:
                yield theirs

    def _derived(self, record: Record) -> RemoteRecord | None:
        """Return the record that is most alike, of those at keys derived from a document."""
        best: RemoteRecord | None = None
        for theirs in self._at_derived(record):
            if record.cid == theirs.cid or shared(record, theirs) == ALL_TRAITS:
                return theirs
            if best is None or shared(record, theirs) > shared(record, best):
                best = theirs
        return best

    def _at_derived(self, record: Record) -> Iterator[RemoteRecord]:
        if not self._remote.get(record.collection):
            return
        for site in (record.site, *self._formerly):
            for salt in SALTS:
                place = (record.collection, derived_rkey(record, self._did, salt, site))
                theirs = self.at(place)
                if theirs and place not in self.claimed and self.is_same_site(record, theirs):
                    yield theirs


def is_rather(theirs: RemoteRecord, record: Record, index: Mapping[Trait, list[Record]]) -> bool:
    """Tell whether another document shares more with a record than this one does, all traits."""
    others = (other for other in sharing(theirs, index) if other.key != record.key)
    return shared(record, theirs) < ALL_TRAITS and any(
        shared(other, theirs) == ALL_TRAITS for other in others
    )
