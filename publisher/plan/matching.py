"""Which record belongs to which document: stages over all of them, the surest first. Pure.

A record that one document has claimed is no candidate for another. docs/architecture.md has the
order.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from publisher import syntax
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
from publisher.plan.pairs import Match, Pair, surest
from publisher.plan.renames import Renames, is_alike, is_changed
from publisher.plan.traits import ALL_TRAITS, Trait, by_trait, shared, sharing
from publisher.record import SALTS, Record, derived_rkey, fingerprint
from publisher.repo import RemoteRecord
from publisher.syntax import Did, Nsid, Rkey


class Matching:
    """The stages; each claims records for documents that have none yet."""

    def __init__(self, did: Did, remote: Remote, state: State, formerly: Sequence[str]) -> None:
        self.did = did
        self.remote = remote
        self.state = state
        self.formerly = formerly
        self.known = Known(state)
        self.matches: dict[str, Match] = {}
        self.conflicts: dict[str, Conflict] = {}
        self.claimed: set[Place] = set()
        self.renames = Renames(self.known, self._at, self._same_site, self.claimed, self._equal)
        self.exchanged: dict[Place, str] = {}
        self.contested: set[Place] = set()
        self.unclear: set[str] = set()

    def run(self, records: Sequence[Record]) -> None:
        """Fill `matches` and `conflicts`; a document in neither has no record yet."""
        self._hold(records)
        names = self.state.present | {n for r in records for n in (r.key, r.path)}
        for record in self._open(records):
            self._named(record)
        self._exchanged(records, names)
        self._locked(records, names)
        done = -1
        while done < len(self.matches):  # what one document claims is in no other's way any more
            done = len(self.matches)
            self._derived(records, names)
            self._absent(records, equal=self._equal(self._open(records)))
            self._pair(self.renames.moved(self._clear(records), names))
            self._pair(self._fingerprinted(self._clear(records)))
        self._candidates(records)
        self._absent(records)

    def left_over(
        self, records: Sequence[Record], open_places: Container[Place]
    ) -> Iterator[Action]:
        """Yield what becomes of the lines whose document is gone, or a draft now.

        `open_places` have documents that are in question: what is known of these isn't forgotten.
        """
        used = {name for record in records for name in (record.key, record.path)}
        settled = {n for r in records if r.key in self.matches for n in (r.key, r.path)}
        matched = {match.place for match in self.matches.values()}
        for line in self.known.lines:
            place, names = place_of(line), {line.key, line.path}
            if place in self.state.unreadable or place in open_places or place in self.contested:
                continue
            theirs, bases = self._at(place), self.known.by_place[place]
            if line.path in self.state.held or used & names:
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
            if place not in self.claimed and not self._at(place):
                self.claimed.add(place)
                return Create(record, place[1])
        reason = "every record key that is derived from it is taken"
        return Conflict(record, None, reason, "give it an `id` in its front matter")

    def unreadable(self, record: Record, place: Place) -> Conflict:
        """Return what is said of a document whose record can't be read."""
        reason = f"its record {place[1]} {self.state.unreadable[place]}"
        remedy = "correct or delete that record with the app that wrote it"
        return Conflict(record, place[1], reason, remedy)

    def _open(self, records: Sequence[Record]) -> list[Record]:
        done = self.matches.keys() | self.conflicts.keys()
        return [record for record in records if record.key not in done]

    def _clear(self, records: Sequence[Record]) -> list[Record]:
        return [record for record in self._open(records) if record.key not in self.unclear]

    def _at(self, place: Place) -> RemoteRecord | None:
        return self.remote.get(place[0], {}).get(place[1])

    def _claim(self, record: Record, match: Match) -> None:
        if match.place in self.claimed:
            reason = f"another document has the record {match.place[1]} already"
            self._conflict(record, match.place[1], reason, "name another rkey, or none")
            return
        if match.proven and not match.bases:  # known by another name
            match = replace(match, bases=tuple(self.known.by_place.get(match.place, ())))
        self.claimed.add(match.place)
        self.matches[record.key] = match

    def _hold(self, records: Sequence[Record]) -> None:
        """Keep the records of documents that are there, but invalid or drafts, from the others."""
        absent = (self.state.held | self.state.present) - {record.path for record in records}
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

    def _locked(self, records: Sequence[Record], names: Container[str]) -> None:
        """Claim what is known and there, last the records that remind of nothing in a document.

        Those aren't claimed where a record that lost its file reminds of the document.
        """
        doubted = []
        for record in self._open(records):
            base = self._base(record)
            theirs = self._at(place_of(base)) if base else None
            if base and theirs and _is_sure(record, theirs, locked=self.known.is_locked(base)):
                self._claim_base(record, base)
            elif base and theirs:
                doubted.append((record, base, theirs))
        equal = self._equal([record for record, _, _ in doubted])
        strange = [record for record, _, theirs in doubted if not is_alike(record, theirs)]
        moved = {record.key for record, _ in self.renames.moved(strange, names)}
        for record, base, _ in doubted:
            if record.key not in moved and (self.known.is_locked(base) or record.key not in equal):
                self._claim_base(record, base)

    def _absent(self, records: Sequence[Record], equal: Container[str] | None = None) -> None:
        """Claim what is known and isn't there: deleted, if the lock says so, else to be made.

        With `equal`, only what the lock says, but for documents that another record equals;
        without, what is there and reminds of nothing, too.
        """
        for record in self._open(records):
            base = self._base(record)
            if base is None:
                continue
            gone = self.known.is_locked(base) and not self._at(place_of(base))
            if equal is None or (gone and record.key not in equal):
                self._claim_base(record, base)

    def _base(self, record: Record) -> LockEntry | None:
        return self.renames.base(record, self._bases(record))

    def _claim_base(self, record: Record, base: LockEntry) -> None:
        place = place_of(base)
        if base.collection == record.collection:
            self._claim_with_bases(record, place, self._bases(record))
        elif self._at(place):
            self._published_elsewhere(record, base)

    def _claim_with_bases(self, record: Record, place: Place, bases: Sequence[LockEntry]) -> None:
        """Claim a record; another that the lock has for this document is never left behind."""
        here = tuple(base for base in bases if (base.collection, base.rkey) == place)
        for base in bases:
            other = (base.collection, base.rkey)
            if base not in here and self.known.is_locked(base) and self._at(other):
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

    def _derived(self, records: Sequence[Record], names: Container[str]) -> None:
        """Claim records at derived keys, last those that remind of nothing in their documents.

        One that is another document to the letter proves nothing: its file may have a new name.
        Nor does one that reminds of a document as much as a known record whose file is gone.
        """
        left = self._open(records)
        found = [(r, theirs) for r in left if (theirs := self._at_derived(r))]
        doubted = [(r, theirs) for r, theirs in found if not _is_sure(r, theirs)]
        for record, theirs in found:
            if _is_sure(record, theirs):
                self._claim(record, Match((theirs.collection, theirs.rkey)))
        self.unclear.clear()
        if not doubted:
            return
        index, equal = by_trait(self._open(left)), self._equal([record for record, _ in doubted])
        likely = [
            (record, theirs)
            for record, theirs in doubted
            if is_alike(record, theirs) and record.key not in equal
            if not _is_rather(theirs, record, index)
        ]
        rkeys = {record.key: theirs.rkey for record, theirs in likely}
        moved = self.renames.moved([record for record, _ in likely], names)
        self.unclear = {r.key for r, match in moved if match.place[1] != rkeys[r.key]}
        for record, theirs in likely:
            if record.key not in self.unclear:
                self._claim(record, Match((theirs.collection, theirs.rkey)))
        strange = [(record, theirs) for record, theirs in doubted if not is_alike(record, theirs)]
        reminded = self._reminded([record for record, _ in strange])
        for record, theirs in strange:
            if record.key not in reminded and not self._is_locked(record):
                self._claim(record, Match((theirs.collection, theirs.rkey)))

    def _reminded(self, records: Sequence[Record]) -> set[str]:
        """Return the documents of which other records remind: their files may have new names.

        Then nothing is proven, and all of these records are candidates.
        """
        return {record.key for record, _ in self._alike(records)}

    def _is_locked(self, record: Record) -> bool:
        """Tell whether the lock has a record of this document, be it there or not."""
        return any(self.known.is_locked(base) for base in self._bases(record))

    def _at_derived(self, record: Record) -> RemoteRecord | None:
        if not self.remote.get(record.collection):
            return None
        for site in (record.site, *self.formerly):
            for salt in SALTS:
                place = (record.collection, derived_rkey(record, self.did, salt, site))
                theirs = self._at(place)
                if theirs and place not in self.claimed and self._same_site(record, theirs):
                    return theirs
        return None

    def _same_site(self, record: Record, theirs: RemoteRecord) -> bool:
        site = theirs.value.get("site")
        return site == record.site or site in self.formerly

    def _unclaimed(self, collection: Nsid) -> Iterator[RemoteRecord]:
        for rkey, theirs in self.remote.get(collection, {}).items():
            if (collection, rkey) not in self.claimed:
                yield theirs

    def _pair(self, pairs: Iterable[Pair]) -> None:
        for record, match in self.renames.surest(list(pairs)):
            self._claim(record, match)

    def _equal(self, records: Sequence[Record]) -> set[str]:
        """Return the documents that share all traits with a record that nobody has claimed."""
        return {
            record.key
            for record, theirs in self._alike(records)
            if shared(record, theirs) == ALL_TRAITS
        }

    def _alike(self, records: Sequence[Record]) -> Iterator[tuple[Record, RemoteRecord]]:
        """Yield documents with unclaimed records of their site that share a trait with them."""
        index = by_trait(records)
        for collection in {record.collection for record in records}:
            for theirs in self._unclaimed(collection):
                for record in sharing(theirs, index):
                    if self._same_site(record, theirs):
                        yield record, theirs

    def _bases(self, record: Record) -> tuple[LockEntry, ...]:
        """Return what is known of a document, without what others have by now.

        That is a record that went with another's name, or one that was only written down.
        """
        return tuple(
            base
            for base in self.known.bases(record)
            if self.exchanged.get(place_of(base), record.key) == record.key
            if self.known.is_locked(base) or place_of(base) not in self.claimed
        )

    def _exchanged(self, records: Sequence[Record], names: Collection[str]) -> None:
        """Files that took others' names take their records along."""
        pairs, displaced = self.renames.exchanged(self._open(records), names)
        for record, match in pairs:
            self.exchanged[match.place] = record.key
            self._claim(record, match)
        for place in displaced:
            self.exchanged[place] = ""

    def _fingerprinted(self, records: Sequence[Record]) -> Iterator[Pair]:
        """Low 30 bits that agree, with a second witness: the path, or date and title."""
        index = by_trait(records)
        for collection in {record.collection for record in records}:
            for theirs in self._unclaimed(collection):
                if syntax.check("tid", theirs.rkey):
                    continue
                low = syntax.tid_value(theirs.rkey) & ((1 << 30) - 1)
                for record in sharing(theirs, index):
                    sites = (record.site, *self.formerly)
                    marks = {fingerprint(record, self.did, n, s) for n in SALTS for s in sites}
                    if low not in marks or _is_rather(theirs, record, index):
                        continue
                    if self._same_site(record, theirs):
                        yield record, Match((collection, theirs.rkey))

    def _candidates(self, records: Sequence[Record]) -> None:
        """Unclaimed records that share path, or date and title: one may be adopted, two not."""
        left = self._open(records)
        found = list(self._candidate_pairs(left))
        sure = [pair for pair in found if self.renames.shares_all(*pair)]
        for record, match in surest(found, sure):
            self._claim(record, match)
        contested: dict[str, list[Place]] = {}
        for record, match in found:
            if match.place not in self.claimed:
                contested.setdefault(record.key, []).append(match.place)
        for record in self._open(left):
            if places := contested.get(record.key):
                self.contested.update(places)
                self.conflicts[record.key] = _ambiguous(record, places)

    def _candidate_pairs(self, records: Sequence[Record]) -> Iterator[Pair]:
        index = by_trait(records)
        for collection in {record.collection for record in records}:
            for theirs in self._unclaimed(collection):
                for record in sharing(theirs, index):
                    if self._same_site(record, theirs):
                        yield record, Match((collection, theirs.rkey), proven=False)


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


def _is_rather(theirs: RemoteRecord, record: Record, index: Mapping[Trait, list[Record]]) -> bool:
    """Tell whether another document shares more with a record than this one does, all traits."""
    others = (other for other in sharing(theirs, index) if other.key != record.key)
    return shared(record, theirs) < ALL_TRAITS and any(
        shared(other, theirs) == ALL_TRAITS for other in others
    )


def _ambiguous(record: Record, places: Sequence[Place]) -> Conflict:
    rkeys = ", ".join(rkey for _, rkey in sorted(places))
    reason = (
        f"more than one pair of document and record share site and path, or date and title: {rkeys}"
    )
    remedy = "write `rkey: …` of the right one into the front matter"
    return Conflict(record, None, reason, remedy)
