"""Points of the rate limits: counted, corrected by the server, kept, waited for."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.data import Value, record_cid
from publisher.errors import RateLimited, SwapRefused
from publisher.pds import PdsRepo, xrpc
from publisher.pds.failures import asked_wait
from publisher.pds.ledger import Kind, Ledger, is_metered
from publisher.pds.meter import Meter
from publisher.repo import CreateWrite, DeleteWrite, UpdateWrite
from publisher.spool import whole
from publisher.syntax import Did, Nsid, Rkey, tid
from tests.pds_repo import open_pds_repo
from tests.reference_pds import ReferencePds, start

NOW = 1_800_000_000.0
ALICE = Did("did:plc:" + "a" * 24)
NOTE = Nsid("com.example.note")
APPLY = "com.atproto.repo.applyWrites"
PATH = f"/xrpc/{APPLY}"


def note(number: int) -> CreateWrite:
    value: dict[str, Value] = {"$type": NOTE, "text": f"note {number}"}
    return CreateWrite(NOTE, Rkey(tid((1 << 50) + number)), value)


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Switch waiting off; what would have been waited is listed here."""
    waited: list[float] = []
    monkeypatch.setattr(xrpc, "sleep", waited.append)
    return waited


def shown(limit: int, seconds: int, remaining: int, resets_in: float) -> httpx.Headers:
    return httpx.Headers(
        {
            "RateLimit-Limit": str(limit),
            "RateLimit-Remaining": str(remaining),
            "RateLimit-Reset": str(int(NOW + resets_in)),
            "RateLimit-Policy": f"{limit};w={seconds}",
        }
    )


def left(ledger: Ledger, now: float = NOW) -> tuple[int, int]:
    return ledger.left("writes", now), ledger.left("uploads", now)


def test_a_new_account_has_5000_points_an_hour_and_1000_uploads_a_day() -> None:
    assert left(Ledger()) == (5000, 1000)


def test_points_come_back_when_the_window_ends_that_the_first_began() -> None:
    ledger = Ledger().spent("writes", 600, NOW).spent("writes", 30, NOW + 3000)
    assert left(ledger, NOW + 3599)[0] == 4370
    assert left(ledger, NOW + 3600)[0] == 5000


def test_a_day_has_35000_points() -> None:
    ledger = Ledger()
    for hour in range(7):
        ledger = ledger.spent("writes", 5000, NOW + hour * 3600)
    assert ledger.wait("writes", 1, NOW + 7 * 3600) == (24 - 7) * 3600
    assert left(ledger, NOW + 24 * 3600)[0] == 5000


def test_what_is_there_is_not_waited_for() -> None:
    ledger = Ledger().spent("writes", 4800, NOW)
    assert ledger.wait("writes", 200, NOW + 60) == 0
    assert ledger.wait("writes", 201, NOW + 60) == 3540


def test_uploads_are_another_limit_than_writes() -> None:
    assert left(Ledger().spent("uploads", 1000, NOW)) == (5000, 0)
    assert left(Ledger().spent("writes", 5000, NOW)) == (0, 1000)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (shown(5000, 3600, 200, 100), 200),
        (shown(35_000, 86400, 50, 100), 50),
        (shown(3000, 300, 7, 100), 4400),  # all requests of this address
        (shown(9000, 3600, 8000, 100), 8000),  # a server with other limits
        (shown(5000, 3600, 9999, 100), 5000),
        (shown(5000, 3600, -9, 100), 0),
        (httpx.Headers({"ratelimit-limit": "5000", "ratelimit-remaining": "9"}), 4400),
        (
            httpx.Headers(
                {
                    "ratelimit-limit": "5000",
                    "ratelimit-remaining": "9",
                    "ratelimit-reset": str(int(NOW + 9)),
                }
            ),
            9,
        ),
        (
            httpx.Headers(
                {
                    **shown(35_000, 86400, 5, 9),
                    "ratelimit-policy": "5000;w=3600, 35000;w=86400;comment=x",
                }
            ),
            5,
        ),
        (httpx.Headers(), 4400),
    ],
)
def test_headers_correct_the_bucket_that_they_show(headers: httpx.Headers, expected: int) -> None:
    ledger = Ledger().spent("writes", 600, NOW)
    assert left(ledger.heard("writes", 200, headers, NOW))[0] == expected


def test_an_older_answer_gives_nothing_back_within_its_window() -> None:
    ledger = Ledger().spent("writes", 600, NOW).spent("writes", 600, NOW)
    assert left(ledger.heard("writes", 200, shown(5000, 3600, 4400, 3600), NOW))[0] == 3800


def test_a_window_that_somebody_else_began_is_taken_over() -> None:
    ledger = Ledger().spent("writes", 600, NOW)
    ledger = ledger.heard("writes", 200, shown(5000, 3600, 4900, 60), NOW)
    assert left(ledger)[0] == 4900
    assert left(ledger, NOW + 62)[0] == 5000


@pytest.mark.parametrize("remaining", ["0", "200", "", "many"])
def test_a_refused_call_leaves_nothing(remaining: str) -> None:
    headers = shown(5000, 3600, 0, 100)
    headers["ratelimit-remaining"] = remaining
    ledger = Ledger().heard("writes", 429, headers, NOW)
    assert left(ledger)[0] == 0
    assert ledger.wait("writes", 3, NOW) == 101


@pytest.mark.parametrize("reset", ["-5", "0", "nan", "inf", "soon", "", "1", "9" * 400, "1e300"])
def test_nonsense_never_closes_a_bucket_for_longer_than_its_window(reset: str) -> None:
    headers = shown(5000, 3600, 0, 100)
    headers["ratelimit-reset"] = reset
    ledger = Ledger().heard("writes", 429, headers, NOW)
    assert 0 <= ledger.wait("writes", 3, NOW) <= 3600


@pytest.mark.parametrize("policy", ["", ";w=", "5000", "w=3600", "x;w=y", "9" * 99 + ";w=3600"])
def test_a_policy_that_is_nonsense_is_passed_over(policy: str) -> None:
    headers = shown(1234, 3600, 0, 100)
    headers["ratelimit-policy"] = policy
    assert left(Ledger().heard("writes", 200, headers, NOW))[0] == 5000


def test_a_limit_of_nothing_is_waited_for_and_not_for_ever() -> None:
    ledger = Ledger().heard("writes", 200, shown(0, 3600, 0, 60), NOW)
    assert ledger.wait("writes", 3, NOW) == 61
    assert ledger.wait("writes", 3, NOW + 62) == 0


KINDS: tuple[Kind, ...] = ("writes", "uploads")
texts = st.one_of(st.text(max_size=12), st.integers().map(str), st.floats().map(str))
anything = st.fixed_dictionaries(
    {},
    optional={
        f"ratelimit-{name}": st.one_of(texts, st.just("5000;w=3600"), st.just("1000;w=86400"))
        for name in ("limit", "remaining", "reset", "policy")
    }
    | {"retry-after": texts, "date": texts},
)
steps = st.lists(
    st.tuples(
        st.sampled_from(KINDS), st.integers(0, 600), st.sampled_from([200, 429, 500]), anything
    ),
    max_size=6,
)


@given(steps=steps, later=st.floats(0, 1e6))
def test_no_answer_makes_the_ledger_wait_for_longer_than_a_day(
    steps: list[tuple[Kind, int, int, dict[str, str]]], later: float
) -> None:
    ledger = Ledger()
    for kind, points, status, headers in steps:
        ledger = ledger.spent(kind, points, NOW).heard(kind, status, headers, NOW)
    for kind in KINDS:
        assert ledger.left(kind, NOW + later) >= 0
        assert 0 <= ledger.wait(kind, 3, NOW + later) <= 86400


@given(spent=st.lists(st.integers(1, 600), max_size=20))
def test_what_was_spent_and_what_is_left_are_the_limit(spent: list[int]) -> None:
    ledger = Ledger()
    for points in spent:
        ledger = ledger.spent("writes", points, NOW)
    assert ledger.left("writes", NOW) == max(5000 - sum(spent), 0)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "7", "ratelimit-reset": str(int(NOW) + 99)}, 7),
        ({"retry-after": "Fri, 15 Jan 2027 08:00:20 GMT"}, 20),
        ({"ratelimit-reset": str(int(NOW) + 9)}, 10),
        # a clock that is an hour behind ours
        (
            {"ratelimit-reset": str(int(NOW) - 3591), "date": "Fri, 15 Jan 2027 07:00:00 GMT"},
            10,
        ),
        ({"retry-after": "0"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Fri, 99 Jan 2027 08:00:20 GMT"}, None),
        ({"ratelimit-reset": "5"}, None),
        ({}, None),
    ],
)
def test_how_long_an_answer_asks_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert asked_wait(headers, NOW) == seconds


def test_a_server_is_metered_that_shows_a_limit() -> None:
    assert is_metered({"RateLimit-Remaining": "5"})
    assert not is_metered({"content-type": "application/json"})


def metered(tmp_path: Path, clock: list[float], *, max_wait: float = 60.0) -> Meter:
    """A meter whose server has shown that it counts."""
    meter = Meter(ALICE, "pds.example", tmp_path, max_wait, lambda: clock[0])
    meter.heard("/xrpc/com.example.get", 200, shown(3000, 300, 2999, 300))
    return meter


def test_nothing_is_counted_where_no_answer_shows_a_limit(tmp_path: Path) -> None:
    meter = Meter(ALICE, "pds.example", tmp_path, 60.0, lambda: NOW)
    counts = [meter.metered]
    for status in (502, 200):
        meter.heard("/xrpc/com.example.get", status, httpx.Headers())
        counts.append(meter.metered)
    assert counts == [True, True, False]
    for _ in range(99):
        meter.admit("writes", 600)
    meter.close()
    assert list(tmp_path.iterdir()) == []
    meter.heard(PATH, 429, httpx.Headers())
    assert meter.metered


def test_points_are_kept_between_runs_for_each_account(tmp_path: Path) -> None:
    first = metered(tmp_path, [NOW])
    first.admit("writes", 600)
    first.close()
    other = Meter(Did("did:web:bob.example"), "pds.example", tmp_path, 60.0, lambda: NOW)
    assert other.room(3, 0) == 5000
    other.heard("", 429, httpx.Headers())
    other.close()
    assert metered(tmp_path, [NOW + 60]).room(3, 0) == 4400
    assert metered(tmp_path, [NOW + 3601]).room(3, 0) == 5000


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"x": 5}', json.dumps({ALICE: {"writes": []}}).encode()]
)
def test_a_count_that_can_not_be_read_is_begun_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "points.json").write_bytes(content)
    meter = metered(tmp_path, [NOW])
    meter.admit("writes", 600)
    meter.close()
    assert ALICE in json.loads((tmp_path / "points.json").read_bytes())


def test_a_count_that_can_not_be_kept_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "points.json").mkdir()
    meter = metered(tmp_path, [NOW])
    meter.admit("writes", 600)
    meter.close()
    assert meter.room(3, 0) == 4400


def test_no_folder_is_made_for_the_count(tmp_path: Path) -> None:
    meter = metered(tmp_path / ".publisher", [NOW])
    meter.admit("writes", 600)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / ".publisher").mkdir()
    meter.close()
    assert [path.name for path in (tmp_path / ".publisher").iterdir()] == ["points.json"]


def test_points_promised_to_a_batch_are_no_room_for_the_next(tmp_path: Path) -> None:
    meter = metered(tmp_path, [NOW])
    meter.admit("writes", 4000)
    assert meter.room(3, 600) == 400
    with pytest.raises(RateLimited):
        meter.room(3, 998)


def test_points_that_are_soon_there_are_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [NOW]
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        clock[0] += seconds

    monkeypatch.setattr(xrpc, "sleep", sleep)
    meter = metered(tmp_path, clock)
    meter.heard(PATH, 200, shown(5000, 3600, 2, 30))
    assert meter.room(3, 0) == 5000
    assert waited == [31]


def test_those_that_come_late_say_when(tmp_path: Path, waits: list[float]) -> None:
    meter = metered(tmp_path, [time.time()])
    meter.admit("writes", 4999)
    with pytest.raises(
        RateLimited, match=r"pds\.example: it allows no more writes until 20.*Z \(in 3600 s\)"
    ) as caught:
        meter.admit("writes", 3)
    assert (caught.value.exit_status, caught.value.remedy, waits) == (75, "run again then", [])


@pytest.fixture(scope="module")
def limited() -> Iterator[ReferencePds]:
    with start(rate_limits=True) as server:
        yield server


@pytest.fixture
def repo(limited: ReferencePds, tmp_path: Path) -> Iterator[PdsRepo]:
    account = limited.new_account()
    limited.reset()
    opened = open_pds_repo(limited, account, max_wait=5.0, state=tmp_path)
    yield opened
    opened.close()


def test_the_reference_pds_is_known_to_count_by_its_first_answer(repo: PdsRepo) -> None:
    assert repo.metered
    repo.head()
    assert repo.metered


def test_the_reference_pds_without_limits_is_known_not_to(
    pds: ReferencePds, tmp_path: Path
) -> None:
    opened = open_pds_repo(pds, pds.new_account(), state=tmp_path)
    opened.head()
    assert not opened.metered
    opened.close()


def test_batches_are_cut_to_what_is_left_and_none_is_refused(
    limited: ReferencePds, repo: PdsRepo, tmp_path: Path
) -> None:
    """5,000 points are 1,666 creates: eight batches of 200 and one of 66."""
    sizes = []
    head = repo.head().cid
    batches = repo.batches(note(number) for number in range(3000))
    for batch in islice(batches, 9):
        head = repo.apply(batch, swap_commit=head).commit.cid
        sizes.append(len(batch))
    with pytest.raises(RateLimited, match=r"no more writes until .* \(in 3\d\d\d s\)"):
        next(batches)
    assert sizes == [*(8 * [200]), 66]
    assert limited.stats().statuses[APPLY] == {200: 9}
    repo.close()
    kept = json.loads((tmp_path / "points.json").read_bytes())[repo.did]
    assert kept["writes"][0]["left"] == 2
    assert kept["writes"][0]["ends"] == pytest.approx(time.time() + 3600, abs=60)


def test_a_batch_that_is_in_flight_has_its_points(repo: PdsRepo) -> None:
    repo.head()
    batches = repo.batches(note(number) for number in range(3000))
    in_flight = list(islice(batches, 9))
    assert [len(batch) for batch in in_flight] == [*(8 * [200]), 66]
    with pytest.raises(RateLimited):
        next(batches)


def test_a_batch_that_is_dropped_gives_its_points_back(repo: PdsRepo) -> None:
    repo.head()
    for _ in range(3):
        assert [len(batch) for batch in repo.batches(map(note, range(1600)))] == 8 * [200]


def test_a_refusal_corrects_the_count_and_is_not_asked_for_again(
    limited: ReferencePds, tmp_path: Path
) -> None:
    account = limited.new_account()
    limited.reset()
    other = open_pds_repo(limited, account)
    stale = other.head().cid
    other.apply([note(0)], swap_commit=stale)
    for points in (*(8 * [600]), 195):  # a refused call spends its points, too
        with pytest.raises(SwapRefused):
            other.apply(list(map(note, range(points // 3))), swap_commit=stale)
    other.close()

    repo = open_pds_repo(limited, account, max_wait=5.0, state=tmp_path)
    head = repo.head().cid
    for _ in range(2):
        with pytest.raises(RateLimited, match=r"until .* \(in 3\d\d\d s\)"):
            repo.apply([note(1)], swap_commit=head)
    repo.close()
    assert limited.stats().statuses[APPLY] == {200: 1, 400: 9, 429: 1}


def test_single_writes_and_uploads_are_counted(repo: PdsRepo, tmp_path: Path) -> None:
    repo.head()
    cid = repo.apply_one(note(1))
    assert cid is not None
    changed: dict[str, Value] = {"$type": NOTE, "text": "changed"}
    repo.apply_one(UpdateWrite(NOTE, note(1).rkey, changed, cid))
    repo.apply_one(DeleteWrite(NOTE, note(1).rkey, record_cid(whole(changed))))
    repo.upload_blob(b"hello", "text/plain")
    repo.close()
    kept = json.loads((tmp_path / "points.json").read_bytes())[repo.did]
    assert [bucket["left"] for bucket in kept["writes"]] == [4994, 34_994]
    assert [bucket["left"] for bucket in kept["uploads"]] == [999]
