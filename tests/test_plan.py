"""The decision table, row by row, and the stages that match documents with records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher import data
from publisher.data import Value
from publisher.documents import DOCUMENT
from publisher.documents.model import MARKDOWN_OWNED
from publisher.plan import (
    Action,
    Adopt,
    Conflict,
    Create,
    Delete,
    Forget,
    Keep,
    LockEntry,
    Orphan,
    RemoteChanged,
    RemoteDeleted,
    State,
    Unchanged,
    Update,
    Wishes,
    entry_of,
    plan,
    resolve,
)
from publisher.record import Record, derived_rkey
from publisher.repo import RemoteRecord
from publisher.spool import whole
from publisher.syntax import AtUri, Did, Nsid, Rkey

DID = Did("did:plc:44ybard66vv44zksje25o7dz")
SITE = "https://alice.example"


def make(name: str = "a.md", **fields: Value) -> Record:
    value: dict[str, Value] = {
        "$type": "site.standard.document",
        "site": SITE,
        "path": "/" + name.removesuffix(".md"),
        "title": f"On {name}",
        "publishedAt": "2026-02-05T10:00:00.000Z",
        **fields,
    }
    return Record(name, name, DOCUMENT, value, MARKDOWN_OWNED)


def at(rkey: str, value: Mapping[str, Value]) -> RemoteRecord:
    return RemoteRecord(DOCUMENT, Rkey(rkey), data.record_cid(dict(value)), dict(value))


def remote(*records: RemoteRecord) -> dict[Nsid, dict[Rkey, RemoteRecord]]:
    return {DOCUMENT: {record.rkey: record for record in records}}


def locked(record: Record, rkey: str) -> LockEntry:
    return entry_of(record, Rkey(rkey), record.value)


def decide(
    ours: Record | None, base: Record | None, theirs: RemoteRecord | None, rkey: str
) -> Action:
    entries = {base.key: locked(base, rkey)} if base else {}
    there = remote(theirs) if theirs else remote()
    (action,) = plan(DID, [ours] if ours else [], there, State(entries))
    return action


A, B, C = make(title="A"), make(title="B"), make(title="C")
ELSEWHERE = "3lzzzzzzzzz22"


@pytest.mark.parametrize(
    ("ours", "base", "theirs", "expected"),
    [
        (A, None, None, Create),
        (A, None, A, Unchanged),
        (A, A, A, Unchanged),
        (A, B, A, Unchanged),
        (B, A, A, Update),
        (A, A, B, RemoteChanged),
        (B, A, C, Conflict),
        (A, A, None, RemoteDeleted),
        (B, A, None, Conflict),
        (None, A, A, Orphan),
        (None, A, B, Orphan),
        (None, A, None, Forget),
    ],
)
def test_each_row_of_the_table_gives_its_action(
    ours: Record | None, base: Record | None, theirs: Record | None, expected: type
) -> None:
    there = at(ELSEWHERE, theirs.value) if theirs else None

    assert type(decide(ours, base, there, ELSEWHERE)) is expected


def test_an_update_names_the_cid_that_it_replaces_and_the_fields_that_change() -> None:
    action = decide(B, A, at(ELSEWHERE, A.value), ELSEWHERE)

    assert isinstance(action, Update)
    assert (action.rkey, action.theirs.cid, action.changed) == (ELSEWHERE, A.cid, ("title",))


def test_without_a_lock_a_record_at_the_derived_rkey_is_ours_and_is_updated() -> None:
    theirs = at(derived_rkey(A, DID, 3), B.value)

    (action,) = plan(DID, [A], remote(theirs), State())

    assert isinstance(action, Update)
    assert action.theirs == theirs


def test_a_record_that_front_matter_names_is_updated() -> None:
    ours = Record("a.md", "a.md", DOCUMENT, A.value, MARKDOWN_OWNED, rkey=Rkey(ELSEWHERE))

    (action,) = plan(DID, [ours], remote(at(ELSEWHERE, B.value)), State())

    assert isinstance(action, Update)


def test_an_at_uri_of_another_account_counts_as_absent() -> None:
    uri = AtUri.parse(f"at://did:plc:aaaabbbbccccddddeeeeffff/site.standard.document/{ELSEWHERE}")
    ours = Record("a.md", "a.md", DOCUMENT, A.value, MARKDOWN_OWNED, at_uri=uri)

    (action,) = plan(DID, [ours], remote(), State())

    assert isinstance(action, Create)
    assert action.rkey == derived_rkey(A, DID, 0)


def test_a_record_found_by_site_and_path_only_is_offered_for_adoption() -> None:
    theirs = make(title="Theirs", publishedAt="2020-01-01T00:00:00.000Z")

    action = decide(A, None, at(ELSEWHERE, theirs.value), ELSEWHERE)

    assert isinstance(action, Adopt)
    assert action.changed == ("publishedAt", "title")


def test_two_records_with_the_same_path_are_a_conflict_and_never_a_third() -> None:
    one = at(ELSEWHERE, make(title="One").value)
    two = at("3lyyyyyyyyy22", make(title="Two").value)

    (action,) = plan(DID, [A], remote(one, two), State())

    assert isinstance(action, Conflict)
    assert "3lyyyyyyyyy22, 3lzzzzzzzzz22" in action.reason


def test_a_record_of_another_site_is_nobodys_candidate() -> None:
    theirs = make(site="https://bob.example")

    assert isinstance(decide(A, None, at(ELSEWHERE, theirs.value), ELSEWHERE), Create)


def test_a_record_of_a_former_site_is_found_again() -> None:
    was = make(site="https://old.example")
    theirs = at(derived_rkey(was, DID, 0), was.value)

    (action,) = plan(DID, [A], remote(theirs), State(), formerly=["https://old.example"])

    assert isinstance(action, Update)


def test_with_the_lock_a_changed_site_is_an_update_of_the_same_record() -> None:
    was = make(title="A", site="https://old.example")

    action = decide(A, was, at(ELSEWHERE, was.value), ELSEWHERE)

    assert isinstance(action, Update)
    assert action.changed == ("site",)


def test_fields_of_others_survive_an_update() -> None:
    foreign: dict[str, Value] = {"bskyPostRef": {"uri": "at://x", "cid": "y"}, "odd": [None, 1]}
    theirs = at(ELSEWHERE, whole(A.value) | foreign)

    action = decide(B, A, theirs, ELSEWHERE)

    assert isinstance(action, Update)
    assert action.value == whole(B.value) | foreign


def test_a_field_that_the_author_removed_is_removed() -> None:
    with_tags = make(tags=["sea"])

    action = decide(make(), with_tags, at(ELSEWHERE, with_tags.value), ELSEWHERE)

    assert isinstance(action, Update)
    assert "tags" not in action.value


def test_a_json_record_keeps_what_it_does_not_mention_and_removes_what_it_wrote_before() -> None:
    def record(**fields: Value) -> Record:
        value = whole(A.value) | fields
        return Record("a.json", "a.json", DOCUMENT, value, frozenset(value))

    before, now = record(description="Old", tags=["sea"]), record(tags=["sea"])
    theirs = at(ELSEWHERE, whole(before.value) | {"theirs": 1})
    entry = entry_of(before, Rkey(ELSEWHERE), before.value)

    (action,) = plan(DID, [now], remote(theirs), State({"a.json": entry}))

    assert isinstance(action, Update)
    assert action.value == whole(now.value) | {"theirs": 1}


def test_content_of_a_type_that_we_do_not_write_stays_theirs() -> None:
    leaflet: dict[str, Value] = {"$type": "pub.leaflet.content", "pages": []}
    ours = make(title="B", content={"$type": "at.markpub.markdown"})
    theirs = at(ELSEWHERE, whole(A.value) | {"content": leaflet})

    action = decide(ours, A, theirs, ELSEWHERE)

    assert isinstance(action, Update)
    assert action.value["content"] == leaflet


def test_a_renamed_file_keeps_its_record() -> None:
    renamed = Record("b.md", "b.md", DOCUMENT, A.value, MARKDOWN_OWNED)
    entries = {"a.md": locked(A, ELSEWHERE)}

    actions = plan(DID, [renamed], remote(at(ELSEWHERE, A.value)), State(entries))

    assert [type(action) for action in actions] == [Unchanged, Forget]


def test_two_files_that_swap_their_paths_keep_their_records() -> None:
    one, two = make("one.md", path="/x"), make("two.md", path="/y")
    entries = {"one.md": locked(one, ELSEWHERE), "two.md": locked(two, "3lyyyyyyyyy22")}
    there = remote(at(ELSEWHERE, one.value), at("3lyyyyyyyyy22", two.value))
    swapped = [make("one.md", path="/y"), make("two.md", path="/x")]

    actions = plan(DID, swapped, there, State(entries))

    assert [(type(a), a.rkey) for a in actions if isinstance(a, Update)] == [
        (Update, ELSEWHERE),
        (Update, "3lyyyyyyyyy22"),
    ]


X, Y = make("x.md"), make("y.md", title="On y")
AT_X, AT_Y = "3lzzzzzzzzz22", "3lyyyyyyyyy22"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        # x became z, then y became x
        ({"z.md": X, "x.md": Y}, {"z.md": (Unchanged, AT_X), "x.md": (Unchanged, AT_Y)}),
        # each has the other's name
        ({"y.md": X, "x.md": Y}, {"y.md": (Unchanged, AT_X), "x.md": (Unchanged, AT_Y)}),
        # renumbered: a new one in front
        ({"x.md": A, "y.md": X, "z.md": Y}, {"y.md": (Unchanged, AT_X), "z.md": (Unchanged, AT_Y)}),
        # x was removed, y has its name; x is told of under a name that no file has
        ({"x.md": Y}, {"x.md": (Unchanged, AT_Y), f"x.md ({AT_X})": (Orphan, AT_X)}),
    ],
)
def test_files_that_take_each_others_names_take_their_records_along(
    files: dict[str, Record], expected: dict[str, tuple[type, str]]
) -> None:
    records = [Record(name, name, DOCUMENT, r.value, MARKDOWN_OWNED) for name, r in files.items()]
    entries = {"x.md": locked(X, AT_X), "y.md": locked(Y, AT_Y)}

    actions = plan(DID, records, remote(at(AT_X, X.value), at(AT_Y, Y.value)), State(entries))

    found = {
        (a.entry if isinstance(a, Orphan) else a.record).path: (
            type(a),
            (a.entry.rkey if isinstance(a, Orphan) else a.rkey),
        )
        for a in actions
        if isinstance(a, (Orphan, Unchanged))
    }
    assert found == expected
    assert sum(isinstance(action, Create) for action in actions) == len(files) - sum(
        path in files for path in expected
    )
    assert not any(isinstance(action, (Update, Conflict)) for action in actions)


def test_without_a_lock_a_file_that_took_anothers_name_is_a_question_and_no_third_record() -> None:
    y_there, x_there = derived_rkey(Y, DID, 0), derived_rkey(X, DID, 0)
    there = remote(at(x_there, X.value), at(y_there, Y.value))
    renamed = [Record("x.md", "x.md", DOCUMENT, Y.value, MARKDOWN_OWNED)]
    renamed += [Record("z.md", "z.md", DOCUMENT, X.value, MARKDOWN_OWNED)]

    actions = plan(DID, renamed, there, State())

    assert [(a.rkey, type(a)) for a in actions if isinstance(a, (Adopt, Unchanged))] == [
        (y_there, Unchanged),
        (x_there, Unchanged),
    ]


def test_an_id_added_later_finds_the_line_of_the_path() -> None:
    named = Record("id:tides", "a.md", DOCUMENT, B.value, MARKDOWN_OWNED)
    entries = {"a.md": locked(A, ELSEWHERE)}

    (action,) = plan(DID, [named], remote(at(ELSEWHERE, A.value)), State(entries))

    assert isinstance(action, Update)


def test_a_document_that_cannot_be_read_keeps_its_record_from_others() -> None:
    entries = {"a.md": locked(A, ELSEWHERE)}
    copy = Record("copy.md", "copy.md", DOCUMENT, A.value, MARKDOWN_OWNED)
    state = State(entries, held=frozenset({"a.md"}))

    (action,) = plan(DID, [copy], remote(at(ELSEWHERE, A.value)), state)

    assert isinstance(action, Create)


def test_what_was_written_down_before_sending_counts_as_a_base() -> None:
    intent = locked(B, ELSEWHERE)
    state = State({"a.md": locked(A, ELSEWHERE)}, [intent])

    (action,) = plan(DID, [C], remote(at(ELSEWHERE, B.value)), state)

    assert isinstance(action, Update)


@pytest.mark.parametrize(
    ("entries", "theirs", "changed"),
    [
        ({}, B, False),
        ({"a.md": locked(A, ELSEWHERE)}, B, False),
        ({"a.md": locked(A, ELSEWHERE)}, A, False),
        ({}, C, True),
        ({"a.md": locked(A, ELSEWHERE)}, C, True),
    ],
)
def test_what_was_written_down_and_arrived_is_an_orphan_when_its_document_is_gone(
    entries: dict[str, LockEntry], theirs: Record, changed: bool
) -> None:
    state = State(entries, [locked(B, ELSEWHERE)])

    (action,) = plan(DID, [], remote(at(ELSEWHERE, theirs.value)), state)

    assert isinstance(action, Orphan)
    assert (action.entry.key, action.changed) == ("a.md", changed)
    (resolved,) = resolve([action], Wishes(prune=True), sites={SITE})
    assert isinstance(resolved, Orphan if changed else Delete)


def test_what_was_written_down_and_never_arrived_is_forgotten_with_its_document() -> None:
    (action,) = plan(DID, [], remote(), State({}, [locked(A, ELSEWHERE)]))

    assert isinstance(action, Forget)


@pytest.mark.parametrize(
    "state",
    [
        State({}, [locked(A, ELSEWHERE)], present=frozenset({"a.md"})),
        State({}, [locked(A, ELSEWHERE)], held=frozenset({"a.md"}), present=frozenset({"a.md"})),
    ],
)
def test_what_was_written_down_of_a_draft_or_an_invalid_document_is_nobody_elses(
    state: State,
) -> None:
    copy = Record("copy.md", "copy.md", DOCUMENT, A.value, MARKDOWN_OWNED)

    action, *rest = plan(DID, [copy], remote(at(ELSEWHERE, A.value)), state)

    assert isinstance(action, Create)
    assert [type(other) for other in rest] == ([] if state.held else [Orphan])


def test_a_file_renamed_after_its_create_arrived_keeps_the_record() -> None:
    renamed = Record("b.md", "b.md", DOCUMENT, A.value, MARKDOWN_OWNED)

    action, *rest = plan(
        DID, [renamed], remote(at(ELSEWHERE, A.value)), State({}, [locked(A, ELSEWHERE)])
    )

    assert (type(action), [type(other) for other in rest]) == (Unchanged, [Forget])


def test_a_record_that_two_documents_may_claim_is_no_orphan() -> None:
    one, two = make("one.md", title="A"), make("two.md", title="A")
    gone = make("gone.md", title="A")
    state = State({"gone.md": locked(gone, ELSEWHERE)})

    actions = plan(DID, [one, two], remote(at(ELSEWHERE, gone.value)), state)

    assert [type(action) for action in actions] == [Conflict, Conflict]


def test_a_create_that_was_written_down_and_never_arrived_is_sent_again_at_its_rkey() -> None:
    (action,) = plan(DID, [B], remote(), State({}, [locked(A, ELSEWHERE)]))

    assert isinstance(action, Create)
    assert action.rkey == ELSEWHERE


def test_a_file_that_got_its_first_name_back_is_still_known_by_the_other() -> None:
    theirs = at(derived_rkey(A, DID, 0), B.value)
    state = State({"b.md": replace(locked(A, theirs.rkey), key="b.md", path="b.md")})

    action, *_ = plan(DID, [A], remote(theirs), state)

    assert isinstance(action, RemoteChanged)


def test_a_taken_rkey_raises_the_salt() -> None:
    stranger = make("other.md", site="https://bob.example")

    (action,) = plan(DID, [A], remote(at(derived_rkey(A, DID, 0), stranger.value)), State())

    assert isinstance(action, Create)
    assert action.rkey == derived_rkey(A, DID, 1)


def test_after_an_edit_of_the_date_a_lost_lock_finds_the_record_by_its_low_bits() -> None:
    moved = make(publishedAt="2026-03-01T00:00:00.000Z")
    theirs = at(derived_rkey(A, DID, 0), A.value)

    (action,) = plan(DID, [moved], remote(theirs), State())

    assert isinstance(action, Update)


def test_two_documents_that_name_one_rkey_are_told_so() -> None:
    records = [
        Record(name, name, DOCUMENT, A.value, MARKDOWN_OWNED, rkey=Rkey(ELSEWHERE))
        for name in ("a.md", "b.md")
    ]

    first, second = plan(DID, records, remote(), State())

    assert isinstance(first, Create)
    assert isinstance(second, Conflict)


NAMES = st.sampled_from(["a.md", "b.md", "c.md"])
TITLES = st.sampled_from(["A", "B"])
SITES = st.dictionaries(NAMES, TITLES)


def apply(actions: list[Action], there: dict[Rkey, RemoteRecord]) -> dict[Rkey, RemoteRecord]:
    for action in actions:
        if isinstance(action, (Create, Update)):
            there = there | {action.rkey: at(action.rkey, action.value)}
    return there


def conflicts(actions: list[Action]) -> list[str]:
    return [action.record.key for action in actions if isinstance(action, Conflict)]


@given(first=SITES, second=SITES, keeps_lock=st.booleans())
def test_planning_after_applying_finds_nothing_to_write(
    first: dict[str, str], second: dict[str, str], keeps_lock: bool
) -> None:
    def records(site: dict[str, str]) -> list[Record]:
        return [make(name, title=title) for name, title in sorted(site.items())]

    there: dict[Rkey, RemoteRecord] = {}
    entries: dict[str, LockEntry] = {}
    for site in (first, second):
        planned = plan(DID, records(site), {DOCUMENT: there}, State(entries))
        actions = resolve(planned, Wishes(adopt=True), sites={SITE})
        documents = [action for action in actions if not isinstance(action, (Orphan, Forget))]
        assert len(documents) == len(site)
        for action in actions:
            if isinstance(action, (Update, Adopt)):
                assert action.theirs == there[action.rkey]
                assert action.cid != action.theirs.cid
            if isinstance(action, Create):
                assert action.rkey not in there
        there = apply(actions, there)
        for action in actions:
            if isinstance(action, (Create, Update, Unchanged)) and keeps_lock:
                value = there[action.rkey].value
                entries[action.record.key] = entry_of(action.record, action.rkey, value)
        again = plan(DID, records(site), {DOCUMENT: there}, State(entries))
        assert not [a for a in again if isinstance(a, (Create, Update, Adopt))]
        assert conflicts(again) == conflicts(actions)


def test_an_invalid_document_with_an_id_keeps_its_record_from_a_namesake() -> None:
    named = Record("id:a", "a.md", DOCUMENT, A.value, MARKDOWN_OWNED)
    namesake = Record("new.md", "new.md", DOCUMENT, A.value, MARKDOWN_OWNED)
    state = State(
        {"id:a": locked(named, ELSEWHERE)},
        held=frozenset({"a.md"}),
        present=frozenset({"a.md", "new.md"}),
    )

    (action,) = plan(DID, [namesake], remote(at(ELSEWHERE, A.value)), state)

    assert isinstance(action, Create)
    assert action.rkey != ELSEWHERE


def test_the_record_of_a_draft_is_nobody_elses() -> None:
    translation = make("de/a.md", title="A")
    state = State({"a.md": locked(A, ELSEWHERE)}, present=frozenset({"a.md", "de/a.md"}))

    actions = plan(DID, [translation], remote(at(ELSEWHERE, A.value)), state)

    assert [type(action) for action in actions] == [Create, Orphan]


def test_another_rkey_for_a_published_document_is_a_conflict_and_no_second_record() -> None:
    moved = Record("a.md", "a.md", DOCUMENT, A.value, MARKDOWN_OWNED, rkey=Rkey("3lyyyyyyyyy22"))
    state = State({"a.md": locked(A, ELSEWHERE)})

    (action,) = plan(DID, [moved], remote(at(ELSEWHERE, A.value)), state)

    assert isinstance(action, Conflict)
    assert ELSEWHERE in action.reason


def test_another_type_for_a_published_document_is_a_conflict_and_no_second_record() -> None:
    other = Nsid("com.example.doc")
    now = Record("a.md", "a.md", other, whole(A.value) | {"$type": other}, MARKDOWN_OWNED)
    state = State({"a.md": locked(A, ELSEWHERE)})

    (action,) = plan(DID, [now], remote(at(ELSEWHERE, A.value)), state)

    assert isinstance(action, Conflict)


def test_an_at_uri_of_another_collection_is_a_conflict() -> None:
    uri = AtUri.parse(f"at://{DID}/app.bsky.feed.post/{ELSEWHERE}")
    ours = Record("a.md", "a.md", DOCUMENT, A.value, MARKDOWN_OWNED, at_uri=uri)

    (action,) = plan(DID, [ours], remote(), State())

    assert isinstance(action, Conflict)


def test_content_that_another_app_took_over_does_not_make_an_edit_a_conflict() -> None:
    markdown: dict[str, Value] = {"$type": "at.markpub.markdown"}
    leaflet: dict[str, Value] = {"$type": "pub.leaflet.content", "pages": []}
    before, now = make(title="A", content=markdown), make(title="B", content=markdown)
    theirs = at(ELSEWHERE, whole(before.value) | {"content": leaflet})

    action = decide(now, before, theirs, ELSEWHERE)

    assert isinstance(action, Update)
    assert (action.changed, action.value["content"]) == (("title",), leaflet)


def test_a_record_that_cannot_be_read_is_neither_created_over_nor_forgotten() -> None:
    reason = {(DOCUMENT, Rkey(ELSEWHERE)): "is no record of the data model"}
    derived = {(DOCUMENT, derived_rkey(A, DID, 0)): "is no record of the data model"}
    entries = {"a.md": locked(A, ELSEWHERE)}

    (locked_one,) = plan(DID, [B], remote(), State(entries, unreadable=reason))
    (new_one,) = plan(DID, [A], remote(), State(unreadable=derived))
    gone = plan(DID, [], remote(), State(entries, unreadable=reason))

    assert isinstance(locked_one, Conflict)
    assert "is no record of the data model" in locked_one.reason
    assert isinstance(new_one, Conflict)
    assert gone == []


def test_a_foreign_field_makes_no_orphan_a_conflict() -> None:
    state = State({"a.md": locked(A, ELSEWHERE)})

    (added,) = plan(DID, [], remote(at(ELSEWHERE, whole(A.value) | {"theirs": 1})), state)
    (changed,) = plan(DID, [], remote(at(ELSEWHERE, B.value)), state)

    assert isinstance(added, Orphan)
    assert isinstance(changed, Orphan)
    assert (added.changed, changed.changed) == (False, True)


@pytest.mark.parametrize(
    ("ours", "base", "theirs", "wishes", "expected"),
    [
        (A, A, B, Wishes(), RemoteChanged),
        (A, A, B, Wishes(force=frozenset({"a.md"})), Update),
        (A, A, B, Wishes(force=frozenset({"b.md"})), RemoteChanged),
        (B, A, C, Wishes(), Conflict),
        (B, A, C, Wishes(force=frozenset({"a.md"})), Update),
        (B, A, C, Wishes(keep=frozenset({"a.md"})), Keep),
        (A, A, None, Wishes(recreate=True), Create),
        (B, A, None, Wishes(force=frozenset({"a.md"})), Conflict),
        (B, A, None, Wishes(recreate=True), Create),
        (B, A, None, Wishes(keep=frozenset({"a.md"})), Keep),
        (None, A, A, Wishes(), Orphan),
        (None, A, A, Wishes(prune=True), Delete),
        (None, A, B, Wishes(prune=True), Orphan),
        (None, A, B, Wishes(prune=True, force=frozenset({"a.md"})), Delete),
    ],
)
def test_what_the_user_wishes_decides_what_the_table_leaves_open(
    ours: Record | None,
    base: Record | None,
    theirs: Record | None,
    wishes: Wishes,
    expected: type,
) -> None:
    there = at(ELSEWHERE, theirs.value) if theirs else None

    (action,) = resolve([decide(ours, base, there, ELSEWHERE)], wishes, sites={SITE})

    assert type(action) is expected
    if isinstance(action, (Update, Delete)):
        assert there is not None
        assert action.theirs == there


def test_only_records_of_this_site_are_pruned_and_none_while_a_document_is_invalid() -> None:
    orphan = decide(None, A, at(ELSEWHERE, A.value), ELSEWHERE)

    assert isinstance(orphan, Orphan)
    of_another = resolve([orphan], Wishes(prune=True), sites={"https://bob.example"})
    assert of_another == [replace(orphan, spared="site")]
    beside_invalid = resolve([orphan], Wishes(prune=True), sites={SITE}, prunes=False)
    assert beside_invalid == [replace(orphan, spared="invalid")]
    assert resolve([orphan], Wishes(), sites={SITE}, prunes=False) == [orphan]
    assert resolve([orphan], Wishes(), sites=set()) == [replace(orphan, spared="site")]
