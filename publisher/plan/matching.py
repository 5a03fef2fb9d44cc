"""Which record belongs to which document: stages over all of them, the surest first. Pure.

A record that one document has claimed is no candidate for another. docs/architecture.md has the
order.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Iterator, Sequence
from dataclasses import replace

from publisher.plan.actions import (
    Action,
    Conflict,
    Create,
    Forget,
    LockEntry,
    Orphan,
    Place,
    Remote,
    State,
)
from publisher.plan.known import Known, place_of, without_its_name
from publisher.plan.pairs import Match, Pair
from publisher.plan.renames import Renames, is_alike, is_changed
from publisher.plan.traits import ALL_TRAITS, by_trait, shared
from publisher.plan.unclaimed import Found, Unclaimed, is_rather
from publisher.record import SALTS, Record, derived_rkey
from publisher.repo import RemoteRecord
from publisher.syntax import Did, Rkey


class Matching:
    """The stages; each claims records for documents that have none yet."""

    def __init__(
        self,
        did: Did,
        records: Sequence[Record],
        remote: Remote,
        state: State,
        formerly: Sequence[str],
    ) -> None:
        self.did = did
        self.records = records
        self.state = state
        self.used = {name for record in records for name in (record.key, record.path)}
        self.known = Known(state)
        self.matches: dict[str, Match] = {}
        self.conflicts: dict[str, Conflict] = {}
        self.unclaimed = Unclaimed(did, remote, formerly)
        self.claimed = self.unclaimed.claimed
        self.renames = Renames(self.known, self.unclaimed)
        self.exchanged: dict[Place, str] = {}
        self.contested: set[Place] = set()
        self.unclear: set[str] = set()

    def run(self) -> None:
        """Fill `matches` and `conflicts`; a document in neither has no record yet."""
        self._hold()
        for record in self._open():
            self._named(record)
        names = self.state.present | self.used
        self._exchanged(names)
        self._locked(names)
        doubted, done = self.records, -1
        while doubted and done < len(self.matches):  # what one claims is in no other's way
            done = len(self.matches)
            doubted = self._derived(doubted, names)
            self._absent(equal=self.unclaimed.equal(self._open()))
            self._pair(self.renames.moved(self._clear(), names))
            self._pair(self.unclaimed.fingerprinted(self._clear()))
        self._candidates()
        self._absent()

    def left_over(self, open_places: Container[Place]) -> Iterator[Action]:
        """Yield what becomes of the lines whose document is gone, or a draft now.

        `open_places` have documents that are in question: what is known of these isn't forgotten.
        """
        settled = {n for r in self.records if r.key in self.matches for n in (r.key, r.path)}
        matched = {match.place for match in self.matches.values()}
        for line in self.known.lines:
            place, names = place_of(line), {line.key, line.path}
            if place in self.state.unreadable or place in open_places or place in self.contested:
                continue
            theirs, bases = self.unclaimed.at(place), self.known.by_place[place]
            if line.path in self.state.held or self.used & names:
                if settled & names and place not in self.claimed:
                    other = without_its_name(line)
                    yield _orphan(other, bases, theirs) if theirs else Forget(other)
            elif theirs is None or place in matched:
                yield Forget(line)
            else:
                yield _orphan(line, bases, theirs)

    def create(self, record: Record) -> Action:
        """Return a Create at the first derived rkey that is free."""
        for salt in SALTS:
            place = (record.collection, derived_rkey(record, self.did, salt))
            if place in self.state.unreadable:
                return self.unreadable(record, place)
            if place not in self.claimed and not self.unclaimed.at(place):
                self.claimed.add(place)
                return Create(record, place[1])
        reason = "every record key that is derived from it is taken"
        return Conflict(record, None, reason, "give it an `id` in its front matter")

    def unreadable(self, record: Record, place: Place) -> Conflict:
        """Return what is said of a document whose record can't be read."""
        reason = f"its record {place[1]} {self.state.unreadable[place]}"
        remedy = "correct or delete that record with the app that wrote it"
        return Conflict(record, place[1], reason, remedy)

    def _open(self, records: Sequence[Record] | None = None) -> list[Record]:
        done = self.matches.keys() | self.conflicts.keys()
        records = self.records if records is None else records
        return [record for record in records if record.key not in done]

    def _clear(self) -> list[Record]:
        return [record for record in self._open() if record.key not in self.unclear]

    def _claim(self, record: Record, match: Match) -> None:
        if match.place in self.claimed:
            reason = f"another document has the record {match.place[1]} already"
            self._conflict(record, match.place[1], reason, "name another rkey, or none")
            return
        if match.proven and not match.bases:  # known by another name
            match = replace(match, bases=tuple(self.known.by_place.get(match.place, ())))
        self.claimed.add(match.place)
        self.matches[record.key] = match

    def _hold(self) -> None:
        """Keep the records of documents that are there, but invalid or drafts, from the others."""
        absent = (self.state.held | self.state.present) - {record.path for record in self.records}
        for place, known in self.known.by_place.items():
            if any(entry.path in absent for entry in known):
                self.claimed.add(place)

    def _named(self, record: Record) -> None:
        rkey = record.rkey
        if (uri := record.at_uri) and uri.authority == self.did:
            rkey = uri.rkey or rkey
            if uri.collection != record.collection:
                reason = f"atUri names a record of {uri.collection}"
                self._conflict(record, rkey, reason, "correct it, or leave it out")
                return
        if rkey is not None:
            self._claim_with_bases(record, (record.collection, rkey), self._bases(record))

    def _locked(self, names: Collection[str]) -> None:
        """Claim what is known and there, last the records that remind of nothing in a document.

        Those aren't claimed where a record that lost its file reminds of the document, nor where
        they are another app's by now, or only written down, and another record is the document.
        """
        doubted = []
        for record in self._open():
            base = self._base(record)
            theirs = self.unclaimed.at(place_of(base)) if base else None
            if base and theirs and _is_sure(record, theirs, locked=self.known.is_locked(base)):
                self._claim_base(record, base)
            elif base and theirs:
                doubted.append((record, base, theirs))
        equal = self.unclaimed.equal([record for record, _, _ in doubted])
        strange = [record for record, _, theirs in doubted if not is_alike(record, theirs)]
        lost = self.renames.lost(strange, names)
        for record, base, theirs in doubted:
            proven = self.known.is_locked(base) and not is_changed(base, theirs)
            if record.key in lost or not (proven or record.key not in equal):
                continue
            if base in self._bases(record):  # others may have it by now
                self._claim_base(record, base)

    def _absent(self, equal: Container[str] | None = None) -> None:
        """Claim what is known and isn't there: deleted, if the lock says so, else to be made.

        With `equal`, only what the lock says, but for documents that another record equals;
        without, what is there and reminds of nothing, too.
        """
        for record in self._open() if equal is None else self._clear():
            base = self._base(record)
            if base is None:
                continue
            gone = self.known.is_locked(base) and not self.unclaimed.at(place_of(base))
            if equal is None or (gone and record.key not in equal):
                self._claim_base(record, base)

    def _base(self, record: Record) -> LockEntry | None:
        return self.renames.base(record, self._bases(record))

    def _claim_base(self, record: Record, base: LockEntry) -> None:
        place = place_of(base)
        if base.collection == record.collection:
            self._claim_with_bases(record, place, self._bases(record))
        elif self.unclaimed.at(place):
            self._published_elsewhere(record, base)

    def _claim_with_bases(self, record: Record, place: Place, bases: Sequence[LockEntry]) -> None:
        """Claim a record; another that the lock has for this document is never left behind."""
        here = tuple(base for base in bases if (base.collection, base.rkey) == place)
        for base in bases:
            other = (base.collection, base.rkey)
            if base not in here and self.known.is_locked(base) and self.unclaimed.at(other):
                self._published_elsewhere(record, base)
                return
        expected = any(self.known.is_locked(base) for base in here)
        self._claim(record, Match(place, bases=here, expected=expected))

    def _published_elsewhere(self, record: Record, base: LockEntry) -> None:
        self.claimed.add((base.collection, base.rkey))
        reason = f"it was published as {base.collection}/{base.rkey}, which is still there"
        remedy = "keep its rkey and $type; or delete that record, and its line in publisher.lock"
        self._conflict(record, base.rkey, reason, remedy)

    def _conflict(self, record: Record, rkey: Rkey | None, reason: str, remedy: str) -> None:
        self.conflicts[record.key] = Conflict(record, rkey, reason, remedy)

    def _derived(self, records: Sequence[Record], names: Container[str]) -> list[Record]:
        """Claim records at derived keys, last those that remind of nothing in their documents.

        One that is another document to the letter proves nothing: its file may have a new name.
        Nor does one that reminds of a document as much as a known record whose file is gone.
        Returns the documents whose records stay in doubt.
        """
        found = self.unclaimed.derived(self._open(records))
        self._claim_derived(pair for pair in found if _is_sure(*pair))
        doubted = [pair for pair in found if not _is_sure(*pair)]
        self._claim_derived(self._likely(doubted, names))
        index = by_trait(self._open()) if doubted else {}
        strange = [
            (record, theirs)
            for record, theirs in doubted
            if not is_alike(record, theirs) and not is_rather(theirs, record, index)
        ]
        reminded = self.unclaimed.reminding([record for record, _ in strange])
        self._claim_derived(
            (record, theirs)
            for record, theirs in strange
            if record.key not in reminded and not self._is_locked(record)
        )
        return self._open([record for record, _ in doubted])

    def _likely(self, doubted: Sequence[Found], names: Container[str]) -> list[Found]:
        equal = self.unclaimed.equal([record for record, _ in doubted])
        index = by_trait(self._open()) if doubted else {}
        likely = [
            (record, theirs)
            for record, theirs in doubted
            if is_alike(record, theirs) and record.key not in equal
            if not is_rather(theirs, record, index)
        ]
        rkeys = {record.key: theirs.rkey for record, theirs in likely}
        moved = self.renames.moved([record for record, _ in likely], names)
        self.unclear = {r.key for r, match in moved if match.place[1] != rkeys[r.key]}
        return [(record, theirs) for record, theirs in likely if record.key not in self.unclear]

    def _claim_derived(self, found: Iterable[Found]) -> None:
        for record, theirs in found:
            self._claim(record, Match(_place(theirs)))

    def _is_locked(self, record: Record) -> bool:
        """Tell whether the lock has a record of this document, be it there or not."""
        return any(self.known.is_locked(base) for base in self._bases(record))

    def _pair(self, pairs: Iterable[Pair]) -> None:
        for record, match in self.unclaimed.surest(pairs):
            self._claim(record, match)

    def _bases(self, record: Record) -> tuple[LockEntry, ...]:
        """Return what is known of a document, without what others have by now.

        That is a record that went with another's name, or one that was only written down, or was
        written down for another since.
        """
        return tuple(
            base
            for base in self.known.bases(record)
            if self.exchanged.get(place_of(base), record.key) == record.key
            if self._is_last(record, base) or place_of(base) not in self.claimed
        )

    def _is_last(self, record: Record, base: LockEntry) -> bool:
        last = self.known.by_place[place_of(base)][-1]
        return self.known.is_locked(base) and last.key in {base.key, record.key, record.path}

    def _exchanged(self, names: Collection[str]) -> None:
        """Files that took others' names take their records along."""
        pairs, displaced = self.renames.exchanged(self._open(), names)
        for record, match in pairs:
            self.exchanged[match.place] = record.key
            self._claim(record, match)
        for place in displaced:
            self.exchanged[place] = ""

    def _candidates(self) -> None:
        """Unclaimed records that share path, or date and title: one may be adopted, two not."""
        left = self._open()
        found = [(r, Match(_place(t), proven=False)) for r, t in self.unclaimed.alike(left)]
        for record, match in self.unclaimed.surest(found, asks=False):
            self._claim(record, match)
        contested: dict[str, list[Place]] = {}
        for record, match in found:
            if match.place not in self.claimed:
                contested.setdefault(record.key, []).append(match.place)
        for record in self._open():
            if places := contested.get(record.key):
                self.contested.update(places)
                self.conflicts[record.key] = _ambiguous(record, places)


def _place(theirs: RemoteRecord) -> Place:
    return theirs.collection, theirs.rkey


def _orphan(line: LockEntry, bases: Sequence[LockEntry], theirs: RemoteRecord) -> Orphan:
    """Return the orphan with the base that it agrees with, which may be only written down."""
    base = next((base for base in bases if not is_changed(base, theirs)), None)
    entry = replace(base or line, key=line.key, path=line.path)
    return Orphan(entry, theirs, changed=base is None)


def _is_sure(record: Record, theirs: RemoteRecord, *, locked: bool = False) -> bool:
    """Tell whether a record is a document's beyond doubt: without the lock all traits agree."""
    if locked:
        return is_alike(record, theirs)
    return record.cid == theirs.cid or shared(record, theirs) == ALL_TRAITS


def _ambiguous(record: Record, places: Sequence[Place]) -> Conflict:
    rkeys = ", ".join(rkey for _, rkey in sorted(places))
    reason = (
        f"more than one pair of document and record share site and path, or date and title: {rkeys}"
    )
    remedy = "write `rkey: …` of the right one into the front matter"
    return Conflict(record, None, reason, remedy)
