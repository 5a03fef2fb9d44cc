"""Sessions: begun once, renewed by one, kept beside the app password, sent to nobody else."""

from __future__ import annotations

import json
import logging
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Barrier, Thread

import keyring
import pytest
from keyring.errors import KeyringError

from publisher.credentials import SERVICE, AppPassword, Secret, Source, forget, kept_session, store
from publisher.data import Value, blob_cid, record_cid
from publisher.errors import CredentialError, IdentityError, PublisherError, RepoUnavailable
from publisher.identity import DidDocument, Identity
from publisher.pds import PdsRepo, xrpc
from publisher.repo import CreateWrite, DeleteWrite
from publisher.syntax import Did, Nsid, Rkey
from publisher.transport import transport_for
from tests.file_keyring import FileKeyring
from tests.local_server import Answer, LocalServer, Seen, serve
from tests.pds_repo import open_pds_repo
from tests.reference_pds import Account, ReferencePds, start

ALICE = Did("did:plc:" + "a" * 24)
NOTE = Nsid("com.example.note")
LOGIN, REFRESH = "com.atproto.server.createSession", "com.atproto.server.refreshSession"
SESSION, UPLOAD = "com.atproto.server.getSession", "com.atproto.repo.uploadBlob"
APPLY, PUT = "com.atproto.repo.applyWrites", "com.atproto.repo.putRecord"
DELETE = "com.atproto.repo.deleteRecord"
PASSWORD = "abcd-efgh-ijkl-mnop"


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Switch waiting off; what would have been waited is listed here."""
    waited: list[float] = []
    monkeypatch.setattr(xrpc, "sleep", waited.append)
    return waited


def upload(pds: ReferencePds, account: Account, source: Source = "keyring") -> None:
    """One run: open the repo, write, close it."""
    repo = open_pds_repo(pds, account, source=source)
    try:
        repo.upload_blob(b"hello", "text/plain")
    finally:
        repo.close()


def sessions(pds: ReferencePds) -> tuple[int, int, int]:
    """How often a session was begun, renewed, asked for."""
    stats = pds.stats()
    return stats.count(LOGIN), stats.count(REFRESH), stats.count(SESSION)


def kept(did: str) -> dict[str, str]:
    text = kept_session(Did(did))
    assert text is not None
    session: dict[str, str] = json.loads(text.reveal())
    return session


def keep(did: str, **members: str) -> None:
    """Change the kept session."""
    keyring.set_password(SERVICE, f"{did} session", json.dumps(kept(did) | members))


def test_the_next_run_needs_no_login(
    pds: ReferencePds, account: Account, file_keyring: FileKeyring
) -> None:
    upload(pds, account)
    assert set(file_keyring.entries()["atproto-publisher"]) == {f"{account.did} session"}
    assert kept(account.did)["pds"] == pds.url
    upload(pds, account)
    assert sessions(pds) == (1, 0, 1)


@pytest.mark.parametrize("source", ["environment", "prompt"])
def test_nothing_is_kept_of_a_password_that_is_not_in_the_keyring(
    pds: ReferencePds, account: Account, file_keyring: FileKeyring, source: Source
) -> None:
    upload(pds, account, source)
    assert file_keyring.entries() == {}
    upload(pds, account)
    pds.reset()
    upload(pds, account, source)
    assert sessions(pds) == (1, 0, 0)


def test_a_kept_session_is_sent_to_no_other_pds(pds: ReferencePds, account: Account) -> None:
    upload(pds, account)
    keep(account.did, pds="https://pds.example")
    upload(pds, account)
    assert sessions(pds) == (2, 0, 0)
    assert kept(account.did)["pds"] == pds.url


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pds": 5}', '{"pds": "x", "accessJwt": "a b"}'])
def test_a_kept_session_that_is_nonsense_is_replaced(
    pds: ReferencePds, account: Account, text: str
) -> None:
    keyring.set_password(SERVICE, f"{account.did} session", text)
    upload(pds, account)
    assert sessions(pds) == (1, 0, 0)
    assert kept(account.did)["pds"] == pds.url


def test_a_kept_session_that_has_expired_is_renewed(pds: ReferencePds, account: Account) -> None:
    upload(pds, account)
    before = kept(account.did)["refreshJwt"]
    pds.faults([{"match": SESSION, "status": 400, "error": "ExpiredToken"}])
    upload(pds, account)
    assert sessions(pds) == (1, 1, 1)
    assert kept(account.did)["refreshJwt"] != before


def test_a_kept_session_that_is_refused_is_replaced(pds: ReferencePds, account: Account) -> None:
    upload(pds, account)
    keep(account.did, accessJwt="no.token.1", refreshJwt="no.token.2")
    upload(pds, account)
    assert sessions(pds) == (2, 1, 1)
    assert kept(account.did)["accessJwt"] != "no.token.1"


def test_a_kept_session_that_nobody_can_check_stops(pds: ReferencePds, account: Account) -> None:
    upload(pds, account)
    pds.faults([{"match": SESSION, "status": 503, "times": 9}])
    with pytest.raises(RepoUnavailable):
        upload(pds, account)
    assert sessions(pds) == (1, 0, 4)


def test_a_kept_session_of_another_account_is_refused(pds: ReferencePds, account: Account) -> None:
    upload(pds, account)
    other = pds.new_account()
    upload(pds, other)
    theirs = kept(other.did)
    keep(account.did, **theirs)
    with pytest.raises(IdentityError, match=f"logged {other.did} in, not {account.did}"):
        upload(pds, account)


def test_what_is_wrong_is_found_before_a_kept_session_is_used(
    pds: ReferencePds, account: Account
) -> None:
    upload(pds, account)
    pds.reset()
    pds.point_elsewhere(account.did, "https://elsewhere.example")
    with pytest.raises(IdentityError, match=r"elsewhere\.example.*nothing is written"):
        upload(pds, account)
    assert pds.stats().count(UPLOAD) == 0


def test_a_session_that_ends_within_a_run_is_begun_anew_where_the_keyring_can(
    pds: ReferencePds, account: Account
) -> None:
    repo = open_pds_repo(pds, account, source="keyring")
    repo.upload_blob(b"1", "text/plain")
    pds.faults(
        [
            {"match": UPLOAD, "status": 400, "error": "ExpiredToken"},
            {"match": REFRESH, "status": 400, "error": "ExpiredToken"},
        ]
    )
    repo.upload_blob(b"2", "text/plain")
    repo.close()
    assert sessions(pds) == (2, 1, 0)


def test_tokens_that_live_two_seconds_last_for_two_runs(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with start(accounts=["short.test"], data=data):
        pass  # making an account with an app password may take longer than such a token lives
    with start(data=data, access_ttl=2) as server:
        for _ in range(2):
            repo = open_pds_repo(server, server.accounts[0], source="keyring")
            repo.upload_blob(b"1", "text/plain")
            time.sleep(2.5)
            repo.upload_blob(b"2", "text/plain")
            repo.close()
        assert server.stats().count(LOGIN) == 1
        assert server.stats().count(REFRESH) >= 2


def test_tokens_are_in_the_keyring_before_they_are_used(
    pds: ReferencePds, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed as it writes them, a run has asked for nothing with the new ones."""
    upload(pds, account)
    pds.reset()
    pds.faults([{"match": SESSION, "status": 400, "error": "ExpiredToken"}])

    class KilledError(BaseException):
        pass

    def kill(*_: str) -> None:
        raise KilledError

    monkeypatch.setattr(FileKeyring, "set_password", kill)
    with pytest.raises(KilledError):
        upload(pds, account)
    assert pds.stats().count(REFRESH) == 1
    assert pds.stats().count(UPLOAD) == 0


@pytest.mark.parametrize("fixture", ["null_keyring", "missing_keyring", "locked_keyring"])
def test_a_keyring_that_keeps_nothing_stops_nothing(
    pds: ReferencePds, account: Account, fixture: str, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue(fixture)
    for _ in range(2):
        upload(pds, account)
    assert sessions(pds) == (2, 0, 0)


@pytest.mark.parametrize("error", [RuntimeError, KeyringError, OSError])
def test_a_keyring_that_breaks_stops_nothing_and_says_no_token(
    pds: ReferencePds,
    account: Account,
    error: type[Exception],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*texts: str) -> str | None:
        raise error(*texts)

    caplog.set_level(logging.DEBUG)
    for call in ("get_password", "set_password"):
        monkeypatch.setattr(FileKeyring, call, fail)
    upload(pds, account)
    assert "the session isn't kept: the keyring failed" in caplog.text
    assert "Jwt" not in caplog.text
    assert account.app_password not in caplog.text


def test_logging_out_and_a_new_app_password_remove_the_session(
    pds: ReferencePds, account: Account, file_keyring: FileKeyring
) -> None:
    did = Did(account.did)
    store(did, Secret(account.app_password))
    upload(pds, account)
    assert len(file_keyring.entries()[SERVICE]) == 2
    store(did, Secret(account.app_password))
    assert set(file_keyring.entries()[SERVICE]) == {did}
    upload(pds, account)
    assert forget(did) is True
    assert file_keyring.entries()[SERVICE] == {}


def test_a_session_without_a_password_is_removed_too(
    pds: ReferencePds, account: Account, file_keyring: FileKeyring
) -> None:
    upload(pds, account)
    assert forget(Did(account.did)) is False
    assert file_keyring.entries()[SERVICE] == {}


# What follows runs against a server made for the test.

TOKENS = {"accessJwt": "access.token.1", "refreshJwt": "refresh.token.1"}
RENEWED = {"accessJwt": "access.token.2", "refreshJwt": "refresh.token.2"}
SECRETS = (*TOKENS.values(), *RENEWED.values(), PASSWORD)
HEAD = {"cid": record_cid({}), "rev": "3jzfcijpj2z2a"}
VALUE: dict[str, Value] = {"$type": NOTE, "text": "hello"}
CREATE = CreateWrite(NOTE, Rkey("a"), VALUE)

Act = Callable[[PdsRepo], object]
# What makes each call that carries a token or the password.
CALLS: dict[str, Act] = {
    LOGIN: lambda repo: repo.authenticate(),
    SESSION: lambda repo: repo.upload_blob(b"x", "text/plain"),
    REFRESH: lambda repo: repo.upload_blob(b"x", "text/plain"),
    UPLOAD: lambda repo: repo.upload_blob(b"x", "text/plain"),
    APPLY: lambda repo: repo.apply([CREATE], swap_commit=HEAD["cid"]),
    PUT: lambda repo: repo.apply_one(CREATE),
    DELETE: lambda repo: repo.apply_one(DeleteWrite(NOTE, Rkey("a"), record_cid(VALUE))),
}


def endpoint(seen: Seen) -> str:
    return seen.path.partition("?")[0].removeprefix("/xrpc/")


def as_json(value: object, status: int = 200) -> Answer:
    return Answer(json.dumps(value).encode(), status)


def document(url: str) -> dict[str, object]:
    service = {
        "id": "#atproto_pds",
        "type": "AtprotoPersonalDataServer",
        "serviceEndpoint": url,
    }
    return {"id": ALICE, "alsoKnownAs": [], "service": [service]}


def well_behaved(seen: Seen, url: str = "") -> Answer:
    """Log in, find the token of an upload expired, renew it, answer writes as far as needed."""
    session: dict[str, object] = {"did": ALICE, "handle": "alice.example"}
    if url:
        session["didDoc"] = document(url)
    match endpoint(seen):
        case "com.atproto.server.createSession":
            return as_json(session | TOKENS)
        case "com.atproto.server.refreshSession":
            return as_json(session | RENEWED)
        case "com.atproto.server.getSession":
            return as_json(session)
        case "com.atproto.sync.getLatestCommit":
            return as_json(HEAD)
    if seen.headers.get("authorization") == f"Bearer {TOKENS['accessJwt']}":
        return as_json({"error": "ExpiredToken", "message": "x"}, 400)
    return as_json({"error": "Bad", "message": seen.headers.get("authorization", "")}, 400)


@contextmanager
def server_that(
    answers: Callable[[Seen], Answer], *, source: Source = "prompt"
) -> Iterator[tuple[PdsRepo, LocalServer]]:
    """Open ALICE's repo on a server made for the test."""
    with serve(answers) as server:
        here = DidDocument(ALICE, (), server.url, None)
        repo = PdsRepo(
            Identity(ALICE, None, server.url, lambda: here),
            transport=transport_for(server.url),
            credentials=lambda: AppPassword(Secret(PASSWORD), source),
        )
        if source == "keyring":
            keyring.set_password(
                SERVICE, f"{ALICE} session", json.dumps({"pds": server.url, **TOKENS})
            )
        yield repo, server
        repo.close()


def test_sixteen_threads_renew_a_session_once() -> None:
    all_asked = Barrier(16, timeout=30)

    def answers(seen: Seen) -> Answer:
        if endpoint(seen) != UPLOAD:
            return well_behaved(seen)
        if seen.headers["authorization"] == f"Bearer {RENEWED['accessJwt']}":
            return as_json(uploaded(seen.body))
        all_asked.wait()
        return as_json({"error": "ExpiredToken", "message": "x"}, 400)

    with server_that(answers) as (repo, server):
        threads = [
            Thread(target=repo.upload_blob, args=(f"blob {number}".encode(), "text/plain"))
            for number in range(16)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        asked = Counter(map(endpoint, server.seen))
    assert asked == {LOGIN: 1, UPLOAD: 32, REFRESH: 1}


def uploaded(content: bytes) -> object:
    ref = {"$link": blob_cid(content)}
    return {"blob": {"ref": ref, "mimeType": "text/plain", "size": len(content)}}


def source_for(nsid: str) -> Source:
    return "keyring" if nsid == SESSION else "prompt"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("nsid", CALLS)
def test_no_redirect_carries_a_credential(nsid: str, status: int) -> None:
    with ExitStack() as stack:
        elsewhere = stack.enter_context(serve(lambda _: as_json({})))

        def answers(seen: Seen) -> Answer:
            if endpoint(seen) == nsid:
                return Answer(b"", status, {"Location": f"{elsewhere.url}/xrpc/{nsid}"})
            return well_behaved(seen)

        repo, server = stack.enter_context(server_that(answers, source=source_for(nsid)))
        with pytest.raises(PublisherError, match="a redirect, which isn't followed"):
            CALLS[nsid](repo)
        assert nsid in map(endpoint, server.seen)
        assert elsewhere.seen == []


@pytest.mark.parametrize("begins", [LOGIN, SESSION, REFRESH])
@pytest.mark.parametrize("nsid", [UPLOAD, APPLY, PUT, DELETE])
def test_no_token_is_used_once_the_did_document_names_another_pds(nsid: str, begins: str) -> None:
    """Whether it is the login, the check of a kept session or a renewal that says so."""

    def answers(seen: Seen) -> Answer:
        moved = endpoint(seen) == begins
        return well_behaved(seen, "https://elsewhere.example" if moved else "")

    with server_that(answers, source=source_for(begins)) as (repo, server):
        with pytest.raises(IdentityError, match=r"elsewhere\.example.*nothing is written"):
            CALLS[nsid](repo)
        used = [endpoint(seen) for seen in server.seen if endpoint(seen) == nsid]
    assert used == ([nsid] if begins == REFRESH else [])  # with the token that had expired


FAULTS: dict[str, Callable[[str], Answer]] = {
    **{
        f"refused with {status}": partial(
            lambda said, status: as_json({"error": said, "message": said}, status), status=status
        )
        for status in (400, 401, 429, 500)
    },
    "cut off": lambda said: Answer(said.encode(), headers={"Content-Length": "9999"}),
    "a redirect": lambda _: Answer(b"", 307, {"Location": "https://elsewhere.example"}),
    "garbled": lambda said: Answer(said.encode()),
}


@pytest.mark.parametrize("nsid", CALLS)
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_no_message_and_no_log_shows_a_secret_that_an_answer_repeats(
    nsid: str, fault: Callable[[str], Answer], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    def answers(seen: Seen) -> Answer:
        if endpoint(seen) != nsid:
            return well_behaved(seen)
        return fault(f"{seen.headers.get('authorization', '')} {seen.body!r} {PASSWORD}")

    with server_that(answers, source=source_for(nsid)) as (repo, server):
        error = error_of(CALLS[nsid], repo)
        assert nsid in map(endpoint, server.seen)
    shown = "".join(traceback.format_exception(error)) + error.remedy + caplog.text
    assert [secret for secret in SECRETS if secret in shown] == []


@pytest.mark.parametrize("nsid", CALLS)
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_no_traceback_shows_a_secret_in_its_locals(
    nsid: str, fault: Callable[[str], Answer]
) -> None:
    def answers(seen: Seen) -> Answer:
        return fault("<html>") if endpoint(seen) == nsid else well_behaved(seen)

    with server_that(answers, source=source_for(nsid)) as (repo, _):
        shown = with_locals(error_of(CALLS[nsid], repo))
    assert [secret for secret in SECRETS if secret in shown] == []


@pytest.mark.parametrize("nsid", [LOGIN, REFRESH])
@pytest.mark.parametrize("wrong", [{"did": 5}, {"did": "did:web:b.example"}, {"didDoc": {}}])
def test_no_traceback_shows_the_tokens_of_a_wrong_answer(
    nsid: str, wrong: dict[str, object]
) -> None:
    def answers(seen: Seen) -> Answer:
        session = {"did": ALICE, "handle": "a", **RENEWED, **wrong}
        return as_json(session) if endpoint(seen) == nsid else well_behaved(seen)

    with server_that(answers) as (repo, _):
        shown = with_locals(error_of(CALLS[nsid], repo))
    assert [secret for secret in SECRETS if secret in shown] == []


def error_of(act: Act, repo: PdsRepo) -> PublisherError:
    with pytest.raises(PublisherError) as caught:
        act(repo)
    return caught.value


def with_locals(error: PublisherError) -> str:
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join(told.format())


def test_a_refusal_of_a_renewed_session_shows_none_of_its_tokens() -> None:
    with server_that(well_behaved) as (repo, _), pytest.raises(PublisherError) as caught:
        repo.upload_blob(b"x", "text/plain")
    assert "Bearer …" in caught.value.message


def test_a_token_is_sent_with_writes_and_with_nothing_else() -> None:
    with server_that(well_behaved, source="keyring") as (repo, server):
        repo.head()
        repo.authenticate()
        repo.head()
        carried = {endpoint(seen) for seen in server.seen if "authorization" in seen.headers}
    assert carried == {SESSION}


def test_a_login_that_is_refused_leaves_what_was_kept(pds: ReferencePds, account: Account) -> None:
    upload(pds, account)
    before = kept(account.did)
    keep(account.did, accessJwt="no.token.1")
    wrong = replace(account, app_password="aaaa-bbbb-cccc-dddd")
    pds.faults([{"match": REFRESH, "status": 400, "error": "ExpiredToken"}])
    with pytest.raises(CredentialError, match="was refused"):
        upload(pds, wrong)
    assert kept(account.did)["refreshJwt"] == before["refreshJwt"]
