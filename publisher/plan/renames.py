"""Which records went along when files got other names: new ones, or those of others. Pure.

A line of the lock names a file; when that is gone, or nothing of the line's record reminds of it,
the record belongs to the document that it does remind of.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterator, Sequence

from publisher.plan.actions import LockEntry, Place
from publisher.plan.known import Known, place_of
from publisher.plan.pairs import Match, Pair
from publisher.plan.traits import ALL_TRAITS, by_trait, shared, sharing
from publisher.plan.unclaimed import Unclaimed
from publisher.record import Record
from publisher.repo import RemoteRecord
from publisher.spool import whole


class Renames:
    """Looks at what is known, of records that nobody has claimed."""

    def __init__(self, known: Known, unclaimed: Unclaimed) -> None:
        self._known = known
        self._unclaimed = unclaimed

    def moved(self, records: Sequence[Record], names: Container[str]) -> Iterator[Pair]:
        """Yield documents beside the records that they share traits with.

        Only records of lines whose file isn't in `names`.
        """
        index = by_trait(records)
        for line in self._known.lines if index else ():
            if line.key in names or line.path in names:
                continue
            place = place_of(line)
            theirs = self._unclaimed.at(place)
            if theirs is None or place in self._unclaimed.claimed:
                continue
            bases = tuple(self._known.by_place[place])
            for record in sharing(theirs, index):
                if self._unclaimed.is_same_site(record, theirs):
                    yield record, Match(place, bases=bases, expected=self._known.is_locked(line))

    def lost(self, records: Sequence[Record], names: Collection[str]) -> set[str]:
        """Return the documents that records remind of whose name no other document has."""
        return {
            record.key
            for record, match in self._beside(records, names)
            if not self._is_of_another(record, match.place, names)
        }

    def exchanged(
        self, records: Sequence[Record], names: Collection[str]
    ) -> tuple[list[Pair], list[Place]]:
        """Return the documents that have other records than their names say: renumbered, swapped.

        Beside them, the records that lost their names to these, and that remind of no document.
        `names` are all that are in use.
        """
        astray = self._astray(records, names)
        if not any(self._known.bases(record) for record in astray):
            return [], []
        own = {r.key: place for r in astray if (place := self._place(r))}
        found = [pair for pair in self._beside(astray, names) if self._is_sure(*pair)]
        pairs = self._unclaimed.surest(found)
        crossed = [
            (record, match)
            for record, match in pairs
            if self._known.bases(record) or match.place in own.values()
        ]
        taken = {match.place for _, match in pairs}
        lost = [
            own[record.key]
            for record, _ in crossed
            if record.key in own and not self._is_of_another(record, own[record.key], names)
        ]
        return crossed, [place for place in lost if place not in taken]

    def base(self, record: Record, bases: Sequence[LockEntry]) -> LockEntry | None:
        """Return the base that counts: the lock's line, else what arrived and is most alike."""
        if not bases or self._known.is_locked(bases[0]):
            return bases[0] if bases else None
        there = [(b, theirs) for b in bases if (theirs := self._unclaimed.at(place_of(b)))]
        return max(there, key=lambda pair: shared(record, pair[1]))[0] if there else bases[0]

    def _astray(self, records: Sequence[Record], names: Collection[str]) -> list[Record]:
        """Return the documents that nothing of their own records reminds of.

        One that a little reminds of is astray if its record is another document to the letter, or
        another record is this document.
        """
        traits = {record.key: self._shared_at_home(record) for record in records}
        doubted = [record for record in records if traits[record.key] < ALL_TRAITS]
        if not any(traits[record.key] for record in doubted):
            return doubted
        equal = [pair for pair in self._beside(doubted, names) if self._unclaimed.shares_all(*pair)]
        keys, places = {r.key for r, _ in equal}, {match.place for _, match in equal}
        return [
            r for r in doubted if not traits[r.key] or r.key in keys or self._place(r) in places
        ]

    def _beside(self, records: Sequence[Record], names: Collection[str]) -> Iterator[Pair]:
        """Yield these documents beside the records of lines that have their names, or none's."""
        theirs = {name for record in records for name in (record.key, record.path)}
        return self.moved(records, set(names) - theirs)

    def _shared_at_home(self, record: Record) -> int:
        """Return how many traits a document shares with its own record."""
        base = self.base(record, self._known.bases(record))
        theirs = self._unclaimed.at(place_of(base)) if base else None
        if theirs is None:
            return 0
        return ALL_TRAITS if record.cid == theirs.cid else shared(record, theirs)

    def _place(self, record: Record) -> Place | None:
        """Return the place of a document's own record, if that is there."""
        base = self.base(record, self._known.bases(record))
        return place_of(base) if base and self._unclaimed.at(place_of(base)) else None

    def _is_of_another(self, record: Record, place: Place, names: Collection[str]) -> bool:
        """Tell whether what is known of a place names another document that is there."""
        known = {base.key for base in self._known.by_place[place]} - {record.key, record.path}
        return any(name in names for name in known)

    def _is_sure(self, record: Record, match: Match) -> bool:
        """Tell whether all traits agree; or one, where nothing else can explain it.

        The record is as we left it then, and the lock knows of no other that was deleted.
        """
        if self._unclaimed.shares_all(record, match):
            return True
        base = self.base(record, self._known.bases(record))
        if base and self._known.is_locked(base) and not self._unclaimed.at(place_of(base)):
            return False
        theirs = self._unclaimed.at(match.place)
        return theirs is not None and not all(is_changed(base, theirs) for base in match.bases)


def is_alike(record: Record, theirs: RemoteRecord) -> bool:
    """Tell whether a record is a document's, or shares a trait with it."""
    return record.cid == theirs.cid or shared(record, theirs) > 0


def is_changed(entry: LockEntry, theirs: RemoteRecord) -> bool:
    """Tell whether another app has changed what we wrote."""
    return theirs.cid != entry.cid and not entry.agrees(whole(theirs.value), entry.fields)
