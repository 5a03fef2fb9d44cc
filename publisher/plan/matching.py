"""Which record belongs to which document: stages over all of them, the surest first. Pure.

A record that one document has claimed is no candidate for another. docs/architecture.md has the
order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TypeAlias

from publisher import syntax
from publisher.data import Value
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
from publisher.record import SALTS, Record, derived_rkey, fingerprint
from publisher.repo import RemoteRecord
from publisher.spool import whole
from publisher.syntax import Did, Nsid, Rkey


@dataclass(frozen=True, slots=True)
class Match:
    """The record that belongs to a document: `proven` where only we can have written it."""

    place: Place
    _: KW_ONLY
    proven: bool = True
    bases: tuple[LockEntry, ...] = ()
    expected: bool = False  # the lock says that the record is there


class Matching:
    """The stages; each claims records for documents that have none yet."""

    def __init__(self, did: Did, remote: Remote, state: State, formerly: Sequence[str]) -> None:
        self.did = did
        self.remote = remote
        self.state = state
        self.formerly = formerly
        self.intents: dict[str, list[LockEntry]] = {}
        for intent in state.intents:
            self.intents.setdefault(intent.key, []).append(intent)
        self.by_path = {entry.path: entry for entry in state.entries.values()}
        self.matches: dict[str, Match] = {}
        self.conflicts: dict[str, Conflict] = {}
        self.claimed: set[Place] = set()

    def run(self, records: Sequence[Record]) -> None:
        """Fill `matches` and `conflicts`; a document in neither has no record yet."""
        stages: tuple[Callable[[Record], None], ...] = (
            self._named,
            self._locked,
            self._derived,
        )
        self._hold(records)
        for stage in stages:
            for record in self._open(records):
                stage(record)
        self._pair(records, self._moved)
        self._pair(records, self._fingerprinted)
        self._candidates(records)

    def left_over(self, records: Sequence[Record]) -> Iterator[Action]:
        """Yield what becomes of the entries whose document is gone, or a draft now."""
        used = {name for record in records for name in (record.key, record.path)}
        matched = {match.place for match in self.matches.values()}
        for key, entry in sorted(self.state.entries.items()):
            place = (entry.collection, entry.rkey)
            if used & {key, entry.path} or entry.path in self.state.held:
                continue
            if place in self.state.unreadable:
                continue
            theirs = self._at(place)
            if theirs is None or place in matched:
                yield Forget(entry)
            else:
                yield Orphan(entry, theirs, changed=_is_changed(entry, theirs))

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

    def _at(self, place: Place) -> RemoteRecord | None:
        return self.remote.get(place[0], {}).get(place[1])

    def _claim(self, record: Record, match: Match) -> None:
        if match.place in self.claimed:
            reason = f"another document has the record {match.place[1]} already"
            self._conflict(record, match.place[1], reason, "name another rkey, or none")
            return
        self.claimed.add(match.place)
        self.matches[record.key] = match

    def _hold(self, records: Sequence[Record]) -> None:
        """Keep the records of documents that are there, but invalid or drafts, from the others."""
        absent = (self.state.held | self.state.present) - {record.path for record in records}
        for entry in self.state.entries.values():
            if entry.path in absent:
                self.claimed.add((entry.collection, entry.rkey))

    def _bases(self, record: Record) -> tuple[LockEntry, ...]:
        """Return what is known of a document by its key or its path, the lock's line first."""
        known = dict.fromkeys(
            entry
            for name in (record.key, record.path)
            for entry in (self.state.entries.get(name), self.by_path.get(name))
            if entry is not None
        )
        names = dict.fromkeys((record.key, record.path))
        return (*known, *(intent for name in names for intent in self.intents.get(name, ())))

    def _is_locked(self, base: LockEntry) -> bool:
        return self.state.entries.get(base.key) is base

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

    def _locked(self, record: Record) -> None:
        bases = self._bases(record)
        if not bases:
            return
        place = (bases[0].collection, bases[0].rkey)
        if place[0] == record.collection:
            self._claim_with_bases(record, place, bases)
        elif self._at(place):
            self._published_elsewhere(record, bases[0])

    def _claim_with_bases(self, record: Record, place: Place, bases: Sequence[LockEntry]) -> None:
        """Claim a record; another that the lock has for this document is never left behind."""
        here = tuple(base for base in bases if (base.collection, base.rkey) == place)
        for base in bases:
            other = (base.collection, base.rkey)
            if base not in here and self._is_locked(base) and self._at(other):
                self._published_elsewhere(record, base)
                return
        expected = any(self._is_locked(base) for base in here)
        self._claim(record, Match(place, bases=here, expected=expected))

    def _published_elsewhere(self, record: Record, base: LockEntry) -> None:
        self.claimed.add((base.collection, base.rkey))
        reason = f"it was published as {base.collection}/{base.rkey}, which is still there"
        remedy = "keep its rkey and $type; or delete that record, and its line in publisher.lock"
        self._conflict(record, base.rkey, reason, remedy)

    def _conflict(self, record: Record, rkey: Rkey | None, reason: str, remedy: str) -> None:
        self.conflicts[record.key] = Conflict(record, rkey, reason, remedy)

    def _derived(self, record: Record) -> None:
        if not self.remote.get(record.collection):
            return
        for site in (record.site, *self.formerly):
            for salt in SALTS:
                place = (record.collection, derived_rkey(record, self.did, salt, site))
                theirs = self._at(place)
                if theirs and place not in self.claimed and self._same_site(record, theirs):
                    self._claim(record, Match(place))
                    return

    def _same_site(self, record: Record, theirs: RemoteRecord) -> bool:
        site = theirs.value.get("site")
        return site == record.site or site in self.formerly

    def _unclaimed(self, collection: Nsid) -> Iterator[RemoteRecord]:
        for rkey, theirs in self.remote.get(collection, {}).items():
            if (collection, rkey) not in self.claimed:
                yield theirs

    def _pair(
        self,
        records: Sequence[Record],
        stage: Callable[[Sequence[Record]], Iterator[tuple[Record, Match]]],
    ) -> None:
        """Claim the pairs that a stage finds and that are unique on both sides."""
        pairs = list(stage(self._open(records)))
        documents = Counter(record.key for record, _ in pairs)
        places = Counter(match.place for _, match in pairs)
        for record, match in pairs:
            if documents[record.key] == 1 and places[match.place] == 1:
                self._claim(record, match)

    def _moved(self, records: Sequence[Record]) -> Iterator[tuple[Record, Match]]:
        """A lock entry whose file is gone and a new document that is the same by its traits."""
        present = {name for record in records for name in (record.key, record.path)}
        present |= self.state.present
        by_trait = _by_trait(records)
        for key, entry in self.state.entries.items():
            place = (entry.collection, entry.rkey)
            theirs = self._at(place)
            if present & {key, entry.path} or place in self.claimed or not theirs:
                continue
            for record in _sharing(theirs, by_trait):
                if self._same_site(record, theirs):
                    yield record, Match(place, bases=(entry,), expected=True)

    def _fingerprinted(self, records: Sequence[Record]) -> Iterator[tuple[Record, Match]]:
        """Low 30 bits that agree, with a second witness: the path, or date and title."""
        by_trait = _by_trait(records)
        for collection in {record.collection for record in records}:
            for theirs in self._unclaimed(collection):
                if syntax.check("tid", theirs.rkey):
                    continue
                low = syntax.tid_value(theirs.rkey) & ((1 << 30) - 1)
                for record in _sharing(theirs, by_trait):
                    sites = (record.site, *self.formerly)
                    marks = {fingerprint(record, self.did, n, s) for n in SALTS for s in sites}
                    if low in marks and self._same_site(record, theirs):
                        yield record, Match((collection, theirs.rkey))

    def _candidates(self, records: Sequence[Record]) -> None:
        """Unclaimed records that share path, or date and title: one may be adopted, two not."""
        left = self._open(records)
        by_trait = _by_trait(left)
        found: dict[str, list[Place]] = {}
        for collection in {record.collection for record in left}:
            for theirs in list(self._unclaimed(collection)):
                for record in _sharing(theirs, by_trait):
                    if self._same_site(record, theirs):
                        found.setdefault(record.key, []).append((collection, theirs.rkey))
        wanted = Counter(place for places in found.values() for place in places)
        for record in left:
            places = found.get(record.key, [])
            if len(places) == 1 and wanted[places[0]] == 1:
                self._claim(record, Match(places[0], proven=False))
            elif places:
                self.conflicts[record.key] = _ambiguous(record, places)


def _is_changed(entry: LockEntry, theirs: RemoteRecord) -> bool:
    return theirs.cid != entry.cid and not entry.agrees(whole(theirs.value), entry.fields)


def _ambiguous(record: Record, places: Sequence[Place]) -> Conflict:
    rkeys = ", ".join(rkey for _, rkey in sorted(places))
    reason = (
        f"more than one pair of document and record share site and path, or date and title: {rkeys}"
    )
    remedy = "write `rkey: …` of the right one into the front matter"
    return Conflict(record, None, reason, remedy)


_Trait: TypeAlias = tuple[str, str, Value, Value]


def _traits(collection: str, value: Mapping[str, Value]) -> Iterator[_Trait]:
    path, date, title = value.get("path"), value.get("publishedAt"), value.get("title")
    if isinstance(path, str):
        yield collection, "path", path, None
    if isinstance(date, str) and isinstance(title, str):
        yield collection, "date and title", date, title


def _by_trait(records: Iterable[Record]) -> dict[_Trait, list[Record]]:
    index: dict[_Trait, list[Record]] = {}
    for record in records:
        for trait in _traits(record.collection, record.value):
            index.setdefault(trait, []).append(record)
    return index


def _sharing(theirs: RemoteRecord, index: Mapping[_Trait, list[Record]]) -> list[Record]:
    found = {
        record.key: record
        for trait in _traits(theirs.collection, theirs.value)
        for record in index.get(trait, [])
    }
    return list(found.values())
