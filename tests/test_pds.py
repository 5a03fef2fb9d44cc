"""The repo on a PDS where things go wrong; tests/test_repo_contract.py has what every repo does."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import httpx
import pytest

import publisher
from publisher.credentials import AppPassword, Secret
from publisher.data import RAW, Cid, Value, blob_cid, record_cid
from publisher.errors import (
    CredentialError,
    IdentityError,
    PublisherError,
    RateLimited,
    RepoRefused,
    RepoUnavailable,
    SwapRefused,
)
from publisher.identity import DidDocument, Identity, resolve
from publisher.pds import PdsRepo, login, xrpc
from publisher.pds.session import Session
from publisher.repo import CreateWrite, DeleteWrite, UpdateWrite
from publisher.spool import whole
from publisher.syntax import Did, Nsid, Rkey, tid
from publisher.transport import GuardedTransport, TransportError, transport_for
from tests.fetched import fetched
from tests.local_server import Answer, Seen, serve
from tests.pds_repo import open_pds_repo
from tests.reference_pds import Account, Fault, ReferencePds, start

NOTE = Nsid("com.example.note")
LOGIN, REFRESH = "com.atproto.server.createSession", "com.atproto.server.refreshSession"
APPLY, UPLOAD = "com.atproto.repo.applyWrites", "com.atproto.repo.uploadBlob"
HEAD, LIST = "com.atproto.sync.getLatestCommit", "com.atproto.repo.listRecords"
DESCRIBE, BLOBS = "com.atproto.repo.describeRepo", "com.atproto.sync.listBlobs"
ALICE = Did("did:plc:" + "a" * 24)
CID = blob_cid(b"")


def note(number: int = 0, **members: Value) -> CreateWrite:
    value: dict[str, Value] = {"$type": NOTE, "text": f"note {number}", **members}
    return CreateWrite(NOTE, Rkey(tid((1 << 50) + number)), value)


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Switch waiting off; what would have been waited is listed here."""
    waited: list[float] = []
    monkeypatch.setattr(xrpc, "sleep", waited.append)
    return waited


@pytest.fixture
def repo(pds: ReferencePds, account: Account) -> Iterator[PdsRepo]:
    opened = open_pds_repo(pds, account)
    pds.reset()
    yield opened
    opened.close()


def write(repo: PdsRepo, *writes: CreateWrite | UpdateWrite | DeleteWrite) -> None:
    repo.apply(writes, swap_commit=repo.head().cid)


def test_reading_logs_nobody_in(pds: ReferencePds, repo: PdsRepo) -> None:
    assert repo.read([NOTE]).records == {NOTE: {}}
    assert repo.collections() == []
    assert repo.blobs() == set()
    assert set(pds.stats().counts) == {HEAD, LIST, DESCRIBE, BLOBS}


def test_one_login_serves_the_whole_run(pds: ReferencePds, repo: PdsRepo) -> None:
    write(repo, note(1))
    repo.upload_blob(b"hello", "text/plain")
    write(repo, note(2))
    assert pds.stats().count(LOGIN) == 1
    assert repo.whoami().handle == repo.name
    assert pds.stats().count(LOGIN) == 1


def test_uploads_in_parallel_log_in_once(pds: ReferencePds, repo: PdsRepo) -> None:
    threads = [
        Thread(target=repo.upload_blob, args=(f"blob {n}".encode(), "text/plain")) for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert pds.stats().count(LOGIN) == 1
    assert pds.stats().statuses[UPLOAD] == {200: 8}


def test_login_checks_an_app_password(pds: ReferencePds, account: Account) -> None:
    with transport_for(pds.url) as transport:
        identity = resolve(account.handle, pds=pds.url, plc=pds.plc, transport=transport)
        found = login(identity, Secret(account.app_password), transport=transport)
        assert (found.did, found.handle, found.status) == (account.did, account.handle, None)
        with pytest.raises(CredentialError) as caught:
            login(identity, Secret("aaaa-bbbb-cccc-dddd"), transport=transport)
    assert f"the app password of {account.handle} was refused" in caught.value.message
    assert f"publisher login {account.handle}" in caught.value.remedy


def test_a_wrong_password_is_found_before_anything_is_written(
    pds: ReferencePds, account: Account
) -> None:
    repo = open_pds_repo(pds, account, password="aaaa-bbbb-cccc-dddd")
    with pytest.raises(CredentialError):
        write(repo, note())
    repo.close()
    assert pds.stats().count(APPLY) == 0


@pytest.mark.parametrize("status", [400, 401])
def test_an_expired_token_is_refreshed_once(pds: ReferencePds, repo: PdsRepo, status: int) -> None:
    write(repo, note(1))
    pds.faults([{"match": APPLY, "status": status, "error": "ExpiredToken"}])
    write(repo, note(2))
    assert (pds.stats().count(LOGIN), pds.stats().count(REFRESH)) == (1, 1)
    assert len(repo.read([NOTE]).records[NOTE]) == 2


def test_a_token_that_stays_expired_is_an_error(pds: ReferencePds, repo: PdsRepo) -> None:
    expired: Fault = {"match": APPLY, "status": 400, "error": "ExpiredToken", "times": 9}
    pds.faults([expired])
    with pytest.raises(CredentialError, match="ExpiredToken"):
        write(repo, note())
    assert pds.stats().count(APPLY) == 2


def test_a_revoked_app_password_is_an_error(pds: ReferencePds, repo: PdsRepo) -> None:
    expired: Fault = {"status": 400, "error": "ExpiredToken", "message": "Token was revoked"}
    pds.faults([{"match": APPLY, **expired}, {"match": REFRESH, **expired}])
    with pytest.raises(CredentialError, match="Token was revoked") as caught:
        write(repo, note())
    assert "publisher login" in caught.value.remedy


def test_tokens_that_live_two_seconds_are_enough(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with start(accounts=["short.test"], data=data):
        pass  # making an account with an app password may take longer than such a token lives
    with start(data=data, access_ttl=2) as server:
        repo = open_pds_repo(server, server.accounts[0])
        write(repo, note(1))
        time.sleep(2.5)
        write(repo, note(2))
        repo.close()
        assert server.stats().count(LOGIN) == 1
        assert server.stats().count(REFRESH) >= 1


@pytest.mark.parametrize(
    ("name", "kind", "says"),
    [
        ("AccountTakedown", CredentialError, "was taken down"),
        ("AccountDeactivated", CredentialError, "is deactivated"),
        ("AuthFactorTokenRequired", CredentialError, "second factor"),
    ],
)
def test_what_is_wrong_with_an_account_is_said(
    pds: ReferencePds, repo: PdsRepo, name: str, kind: type[PublisherError], says: str
) -> None:
    pds.faults([{"match": LOGIN, "status": 401, "error": name, "message": "x"}])
    with pytest.raises(kind, match=says) as caught:
        write(repo, note())
    assert caught.value.remedy


def test_a_lost_answer_is_not_sent_again(pds: ReferencePds, repo: PdsRepo) -> None:
    before = repo.head()
    pds.faults([{"match": APPLY, "after": True}])
    with pytest.raises(RepoUnavailable, match="or did and couldn't say so") as caught:
        repo.apply([note()], swap_commit=before.cid)
    assert "not written twice" in caught.value.remedy
    assert pds.stats().count(APPLY) == 1
    assert len(repo.read([NOTE]).records[NOTE]) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_no_server_error_makes_writes_be_sent_again(
    pds: ReferencePds, repo: PdsRepo, status: int
) -> None:
    pds.faults([{"match": APPLY, "status": status}])
    with pytest.raises((RepoUnavailable, RepoRefused)):
        write(repo, note())
    assert pds.stats().count(APPLY) == 1


def test_a_500_that_wrote_nothing_says_so(repo: PdsRepo) -> None:
    """The reference PDS answers 500 to an update and a delete of what isn't there."""
    absent = UpdateWrite(NOTE, note().rkey, note().value, record_cid(whole(note().value)))
    with pytest.raises(RepoRefused, match="nothing was written"):
        write(repo, absent)


def test_a_repo_that_moved_is_not_written_to(repo: PdsRepo) -> None:
    before = repo.head()
    write(repo, note(1))
    with pytest.raises(SwapRefused, match="nothing was written"):
        repo.apply([note(2)], swap_commit=before.cid)
    assert len(repo.read([NOTE]).records[NOTE]) == 1


def test_a_record_that_the_server_refuses_is_named(repo: PdsRepo) -> None:
    ref = Cid.of(b"never uploaded", RAW)
    image: dict[str, Value] = {"$type": "blob", "ref": ref, "mimeType": "image/png", "size": 14}
    with pytest.raises(RepoRefused, match="Could not find blob") as caught:
        write(repo, note(image=image))
    assert caught.value.name == "BlobNotFound"


@pytest.mark.parametrize("fault", [{"status": 503}, {"status": 502}, {"drop": True}])
@pytest.mark.parametrize("match", [HEAD, LIST, LOGIN, UPLOAD])
def test_what_may_be_repeated_is_repeated(
    pds: ReferencePds, repo: PdsRepo, match: str, fault: Fault, waits: list[float]
) -> None:
    pds.faults([{"match": match, "times": 3, **fault}])
    repo.read([NOTE])
    repo.upload_blob(b"hello", "text/plain")
    assert len(waits) == 3
    assert 0.5 <= waits[0] <= waits[-1] <= 9


def test_and_not_for_ever(pds: ReferencePds, repo: PdsRepo, waits: list[float]) -> None:
    pds.faults([{"match": HEAD, "times": 9, "status": 503, "error": "Busy", "message": "later"}])
    with pytest.raises(RepoUnavailable, match="Busy: later"):
        repo.head()
    assert pds.stats().count(HEAD) == 4
    assert len(waits) == 3


def test_a_refusal_is_not_repeated(pds: ReferencePds, repo: PdsRepo) -> None:
    pds.faults([{"match": HEAD, "status": 400, "error": "RepoTakendown", "message": "gone"}])
    with pytest.raises(RepoRefused, match="RepoTakendown: gone") as caught:
        repo.head()
    assert caught.value.name == "RepoTakendown"
    assert pds.stats().count(HEAD) == 1


LIMITED: Fault = {"status": 429, "error": "RateLimitExceeded", "message": "Rate Limit Exceeded"}


@pytest.mark.parametrize("match", [HEAD, LOGIN, APPLY])
def test_a_rate_limit_is_waited_for(
    pds: ReferencePds, repo: PdsRepo, match: str, waits: list[float]
) -> None:
    pds.faults([{"match": match, "headers": {"retry-after": "7"}, **LIMITED}])
    write(repo, note())
    assert waits == [7.0]
    assert len(repo.read([NOTE]).records[NOTE]) == 1


def test_a_rate_limit_of_a_date_or_a_reset_is_waited_for(
    pds: ReferencePds, repo: PdsRepo, waits: list[float]
) -> None:
    later = time.time() + 20
    date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(later))
    pds.faults(
        [
            {"match": HEAD, "headers": {"retry-after": date}, **LIMITED},
            {"match": HEAD, "headers": {"ratelimit-reset": str(int(later))}, **LIMITED},
        ]
    )
    repo.head()
    assert [15 < wait < 23 for wait in waits] == [True, True]


def test_a_rate_limit_beyond_patience_says_when_to_come_back(
    pds: ReferencePds, repo: PdsRepo, waits: list[float]
) -> None:
    pds.faults([{"match": APPLY, "headers": {"retry-after": "3600"}, **LIMITED}])
    with pytest.raises(RateLimited, match=r"until 20.*Z \(in 3600 s\)") as caught:
        write(repo, note())
    assert caught.value.exit_status == 75
    assert caught.value.remedy
    assert waits == []


def test_patience_is_for_the_sum_of_waits(
    pds: ReferencePds, repo: PdsRepo, waits: list[float]
) -> None:
    pds.faults([{"match": HEAD, "times": 9, "headers": {"retry-after": "25"}, **LIMITED}])
    with pytest.raises(RateLimited):
        repo.head()
    assert waits == [25.0, 25.0]


@pytest.mark.parametrize("text", ["nan", "inf", "-5", "soon", "9" * 400, ""])
def test_a_rate_limit_that_is_nonsense_ends(
    pds: ReferencePds, repo: PdsRepo, text: str, waits: list[float]
) -> None:
    pds.faults([{"match": HEAD, "times": 9, "headers": {"retry-after": text}, **LIMITED}])
    with pytest.raises(RateLimited):
        repo.head()
    assert sum(waits) < 60


GARBLED = ["<html>", "", "[]", "null", "5", '{"a": 1}', '"x"', "[" * 5000, "\ud7ff{", '{"cid": 5}']


@pytest.mark.parametrize("body", GARBLED)
@pytest.mark.parametrize("match", [HEAD, LIST, DESCRIBE, BLOBS, LOGIN, UPLOAD])
def test_a_garbled_answer_is_an_error_of_ours(
    pds: ReferencePds, repo: PdsRepo, match: str, body: str
) -> None:
    pds.faults([{"match": match, "status": 200, "body": body}])
    with pytest.raises(RepoUnavailable, match=r"answered .* with something unreadable") as caught:
        read_and_write_everything(repo)
    assert caught.value.remedy


def read_and_write_everything(repo: PdsRepo) -> None:
    repo.read([NOTE])
    repo.collections()
    repo.blobs()
    repo.upload_blob(b"hello", "text/plain")


@pytest.mark.parametrize("body", GARBLED)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 500, 503])
def test_a_garbled_refusal_is_an_error_of_ours(
    pds: ReferencePds, repo: PdsRepo, status: int, body: str
) -> None:
    pds.faults([{"match": HEAD, "times": 4, "status": status, "body": body}])
    with pytest.raises((RepoUnavailable, CredentialError), match=f"it answered {status}"):
        repo.head()


@pytest.mark.parametrize("body", GARBLED)
def test_a_garbled_answer_to_writes_leaves_it_open(
    pds: ReferencePds, repo: PdsRepo, body: str
) -> None:
    pds.faults([{"match": APPLY, "status": 200, "body": body}])
    with pytest.raises(RepoUnavailable):
        write(repo, note())
    assert pds.stats().count(APPLY) == 1


def test_results_that_are_not_those_of_the_writes_leave_it_open(
    pds: ReferencePds, repo: PdsRepo
) -> None:
    commit = {"cid": record_cid({}), "rev": "3jzfcijpj2z2a"}
    wrong: list[list[dict[str, str]]] = [[], [{}], [{"cid": "x"}, {"cid": "y"}]]
    for results in wrong:
        answer = json.dumps({"commit": commit, "results": results})
        pds.faults([{"match": APPLY, "status": 200, "body": answer}])
        with pytest.raises(RepoUnavailable, match="other results"):
            write(repo, note())


def test_a_did_document_that_points_elsewhere_stops_before_a_write(
    pds: ReferencePds, repo: PdsRepo, account: Account
) -> None:
    pds.point_elsewhere(account.did, "https://elsewhere.example")
    with pytest.raises(IdentityError, match=r"elsewhere\.example.*nothing is written"):
        write(repo, note())
    assert pds.stats().count(APPLY) == 0


def test_a_did_document_with_another_port_is_another_pds(
    pds: ReferencePds, repo: PdsRepo, account: Account
) -> None:
    pds.point_elsewhere(account.did, "http://localhost:1")
    with pytest.raises(IdentityError):
        write(repo, note())


def test_localhost_and_its_address_are_one_pds(
    pds: ReferencePds, repo: PdsRepo, account: Account
) -> None:
    pds.point_elsewhere(account.did, pds.url.replace("localhost", "127.0.0.1"))
    write(repo, note())
    assert len(repo.read([NOTE]).records[NOTE]) == 1


def test_a_did_document_that_does_not_name_the_handle_stops_before_a_write(
    pds: ReferencePds, repo: PdsRepo, account: Account
) -> None:
    pds.doctor(account.did, {"alsoKnownAs": ["at://other.test"]})
    with pytest.raises(IdentityError, match="names another handle"):
        write(repo, note())
    assert pds.stats().count(APPLY) == 0


@contextmanager
def server_that(
    answers: Callable[[Seen], Answer], password: str = "abcd-efgh-ijkl-mnop"
) -> Iterator[PdsRepo]:
    """Open ALICE's repo on a server made for the test."""
    with serve(answers) as server:
        document = DidDocument(ALICE, (), server.url, None)
        repo = PdsRepo(
            Identity(ALICE, None, server.url, lambda: document),
            transport=transport_for(server.url),
            credentials=lambda: AppPassword(Secret(password), "prompt"),
        )
        yield repo
        repo.close()


def as_json(value: object, status: int = 200) -> Answer:
    return Answer(json.dumps(value).encode(), status)


def session(**members: object) -> dict[str, object]:
    tokens = {"accessJwt": "access.token.1", "refreshJwt": "refresh.token.1"}
    return {"did": ALICE, "handle": "alice.example", **tokens, **members}


def endpoint(seen: Seen) -> str:
    return seen.path.partition("?")[0].removeprefix("/xrpc/")


def test_a_login_as_somebody_else_is_refused() -> None:
    other = "did:plc:" + "m" * 24
    refused = pytest.raises(IdentityError, match=f"logged {other} in, not {ALICE}")
    with server_that(lambda _: as_json(session(did=other))) as repo, refused:
        repo.whoami()


def test_a_login_without_a_did_document_uses_the_one_that_was_resolved() -> None:
    with server_that(lambda _: as_json(session())) as repo:
        assert repo.whoami().handle == "alice.example"


SECRETS = ("access.token.1", "refresh.token.1", "abcd-efgh-ijkl-mnop")


@pytest.mark.parametrize(
    "answer",
    [
        as_json(session(accessJwt="access.token.1\r\nX: y")),
        as_json(session(refreshJwt=["refresh.token.1"])),
        as_json(session(did="abcd-efgh-ijkl-mnop")),
        as_json({"error": "Bad", "message": "abcd-efgh-ijkl-mnop isn't good"}, 400),
        as_json({"error": "abcd-efgh-ijkl-mnop", "message": "x"}, 500),
        Answer(b"<html>abcd-efgh-ijkl-mnop", 500),
        Answer(b'{"accessJwt": "access.token.1", "handle": "abcd-efgh-ijkl-mnop'),
    ],
)
def test_no_error_of_a_login_shows_a_secret(
    answer: Answer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with server_that(lambda _: answer) as repo, pytest.raises(PublisherError) as caught:
        repo.whoami()
    shown = "".join(traceback.format_exception(caught.value)) + caught.value.remedy + caplog.text
    assert [secret for secret in SECRETS if secret in shown] == []


def test_no_error_of_a_write_shows_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    def answers(seen: Seen) -> Answer:
        if endpoint(seen) == LOGIN:
            return as_json(session())
        return as_json({"error": "Bad", "message": f"{seen.headers['authorization']} is bad"}, 400)

    with server_that(answers) as repo, pytest.raises(RepoRefused, match="… is bad") as caught:
        repo.upload_blob(b"x", "text/plain")
    shown = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert [secret for secret in SECRETS if secret in shown] == []


def test_a_session_shows_no_token() -> None:
    shown = Session.model_validate(session())
    assert [secret for secret in SECRETS if secret in f"{shown} {shown!r}"] == []


def record(rkey: str) -> dict[str, object]:
    value: dict[str, Value] = {"$type": NOTE, "text": "hello"}
    return {"uri": f"at://{ALICE}/{NOTE}/{rkey}", "cid": record_cid(value), "value": value}


def listing(*pages: dict[str, object]) -> Callable[[Seen], Answer]:
    """Answer these pages by turns, and always the same commit."""
    left = list(pages)

    def answers(seen: Seen) -> Answer:
        if endpoint(seen) == HEAD:
            return as_json({"cid": record_cid({}), "rev": "3jzfcijpj2z2a"})
        return as_json(left.pop(0) if len(left) > 1 else left[0])

    return answers


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"cid": CID}, "isn't what its CID says"),
        ({"value": {"$type": NOTE, "n": 1.5}}, "is no record of the data model: /n"),
        ({"value": {"$link": record_cid({})}}, "is no record of the data model"),
        ({"value": []}, "is no record of the data model"),
    ],
)
def test_a_record_that_is_not_what_it_says_is_named_and_the_others_are_read(
    wrong: dict[str, object], says: str
) -> None:
    page: dict[str, object] = {"records": [{**record("a"), **wrong}, record("b")]}
    with server_that(listing(page)) as repo:
        snapshot = repo.read([NOTE])
    assert list(snapshot.records[NOTE]) == ["b"]
    assert list(snapshot.unreadable) == [(NOTE, "a")]
    assert says in snapshot.unreadable[NOTE, Rkey("a")]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"uri": f"at://{ALICE}/com.example.other/a"}, "listed at://"),
        ({"uri": f"at://did:plc:x/{NOTE}/a"}, "listed at://"),
        ({"uri": f"at://{ALICE}/{NOTE}/a b"}, "whose record key"),
    ],
)
def test_a_listing_that_makes_no_sense_is_an_error(wrong: dict[str, object], says: str) -> None:
    page: dict[str, object] = {"records": [{**record("a"), **wrong}]}
    with server_that(listing(page)) as repo, pytest.raises(RepoUnavailable, match=says):
        repo.read([NOTE])


@pytest.mark.parametrize(
    "pages",
    [
        [{"records": [record("a")], "cursor": "1"}, {"records": [record("b")], "cursor": "1"}],
        [{"records": [record("a")], "cursor": "1"}, {"records": [record("a")], "cursor": "2"}],
        [{"records": [record("a"), record("a")]}],
        [{"records": [], "cursor": str(number)} for number in range(40)],
    ],
    ids=["same cursor", "same record", "twice in a page", "empty for ever"],
)
def test_a_listing_that_does_not_get_on_is_an_error(pages: list[dict[str, object]]) -> None:
    refused = pytest.raises(RepoUnavailable, match=r"twice|don't end")
    with server_that(listing(*pages)) as repo, refused:
        repo.read([NOTE])


def test_an_empty_last_page_is_fine() -> None:
    first: dict[str, object] = {"records": [record("a")], "cursor": "a"}
    with server_that(listing(first, {"records": []})) as repo:
        assert list(repo.read([NOTE]).records[NOTE]) == ["a"]


def test_a_repo_that_changes_while_it_is_read_is_read_again() -> None:
    heads = iter(["a", "b", "b"])

    def answers(seen: Seen) -> Answer:
        if endpoint(seen) == HEAD:
            return as_json({"cid": record_cid({"at": next(heads)}), "rev": "3jzfcijpj2z2a"})
        return as_json({"records": [record("a")]})

    with server_that(answers) as repo:
        assert repo.read([NOTE]).commit.cid == record_cid({"at": "b"})
    assert next(heads, None) is None


def test_a_repo_that_never_stays_is_unavailable() -> None:
    heads = iter(range(99))

    def answers(seen: Seen) -> Answer:
        if endpoint(seen) == HEAD:
            return as_json({"cid": record_cid({"at": next(heads)}), "rev": "3jzfcijpj2z2a"})
        return as_json({"records": []})

    with server_that(answers) as repo, pytest.raises(RepoUnavailable, match="changed each"):
        repo.read([NOTE])


def test_a_blob_whose_bytes_are_others_is_refused() -> None:
    refused = pytest.raises(RepoRefused, match="other bytes")
    with server_that(lambda _: Answer(b"other")) as repo, refused:
        fetched(repo, blob_cid(b"mine"))


def test_a_blob_whose_bytes_were_others_once_is_had_all_the_same() -> None:
    bodies = iter([b"<h1>Welcome to the hotel</h1>", b"mi", b"mine"])
    with server_that(lambda _: Answer(next(bodies))) as repo:
        assert fetched(repo, blob_cid(b"mine")) == b"mine"


def test_a_blob_that_is_json_comes_back_as_it_is() -> None:
    body = b'{"a":   1}'
    json_type = {"Content-Type": "application/json"}
    with server_that(lambda _: Answer(body, headers=json_type)) as repo:
        assert fetched(repo, blob_cid(body)) == body


def test_a_blob_whose_type_the_server_sees_otherwise_is_refused(repo: PdsRepo) -> None:
    webp = bytes.fromhex("524946461a000000574542505650384c0d0000002f00000010071011118888fe0700")
    with pytest.raises(RepoRefused, match=r"sent image/png .* it holds image/webp") as caught:
        repo.upload_blob(webp, "image/png")
    assert caught.value.remedy


def test_a_blob_that_is_too_large_is_said(repo: PdsRepo) -> None:
    with pytest.raises(RepoRefused, match=r"6000000 bytes\): it is too large"):
        repo.upload_blob(bytes(6_000_000), "application/octet-stream")


def test_a_server_that_is_not_there(waits: list[float]) -> None:
    with serve(lambda _: Answer()) as gone:
        url = gone.url
    document = DidDocument(ALICE, (), url, None)
    repo = PdsRepo(
        Identity(ALICE, None, url, lambda: document),
        transport=transport_for(url),
        credentials=lambda: AppPassword(Secret("abcd-efgh-ijkl-mnop"), "prompt"),
    )
    with pytest.raises(
        RepoUnavailable, match=r"127\.0\.0\.1:\d+ didn't answer .*can't be"
    ) as caught:
        repo.head()
    repo.close()
    assert len(waits) == 3
    assert caught.value.remedy


def test_writes_that_never_left_are_sent_again(
    repo: PdsRepo, monkeypatch: pytest.MonkeyPatch, waits: list[float]
) -> None:
    head = repo.head()
    repo.whoami()
    lose_requests(2, monkeypatch)
    assert repo.apply([note()], swap_commit=head.cid).cids == [record_cid(whole(note().value))]
    assert len(waits) == 2


def lose_requests(times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    left = iter(range(times))
    send = GuardedTransport.handle_request

    def handle(self: GuardedTransport, request: httpx.Request) -> httpx.Response:
        if next(left, None) is not None:
            raise TransportError("x", "can't be reached", transient=True, unsent=True)
        return send(self, request)

    monkeypatch.setattr(GuardedTransport, "handle_request", handle)


def test_batches_keep_below_every_limit(repo: PdsRepo) -> None:
    small = [note(number) for number in range(450)]
    assert [len(batch) for batch in repo.batches(small)] == [200, 200, 50]
    large = [note(number, body="ä" * 100_000) for number in range(9)]
    assert [len(batch) for batch in repo.batches(large)] == [4, 4, 1]
    assert [len(batch) for batch in repo.batches([note(body="x" * 2_000_000)])] == [1]
    assert list(repo.batches([])) == []


def test_the_largest_batches_are_taken_by_the_reference_pds(repo: PdsRepo) -> None:
    many = [note(number, body="ä" * 2350) for number in range(200)]
    few = [note(number, body="x" * 240_000) for number in range(300, 304)]
    head = repo.head().cid
    for batch in (*repo.batches(many), *repo.batches(few)):
        head = repo.apply(batch, swap_commit=head).commit.cid
    assert [len(batch) for batch in (*repo.batches(many), *repo.batches(few))] == [200, 4]
    assert len(repo.read([NOTE]).records[NOTE]) == 204


def test_only_the_package_of_the_pds_loads_the_sdk() -> None:
    code = (
        "import sys, publisher.transport, publisher.identity, publisher.credentials\n"
        "print([n for n in ('atproto_client', 'keyring', 'dns', 'tenacity') if n in sys.modules])"
    )
    run = [sys.executable, "-c", code]
    root = Path(publisher.__file__).parents[1]
    ended = subprocess.run(run, cwd=root, capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"
