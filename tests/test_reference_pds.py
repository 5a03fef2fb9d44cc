"""The bench itself: the reference PDS runs, and breaks when told to."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from http.client import RemoteDisconnected
from pathlib import Path
from typing import Any

import pytest

from tests.reference_pds import Account, ReferencePds, start

CREATE = "com.atproto.repo.createRecord"
LIST = "com.atproto.repo.listRecords"
LOGIN = "com.atproto.server.createSession"
COLLECTION = "com.example.note"


def login(pds: ReferencePds, account: Account) -> Any:
    return pds.call(LOGIN, {"identifier": account.handle, "password": account.app_password})


def create(pds: ReferencePds, account: Account, token: str) -> Any:
    record = {"$type": COLLECTION, "text": "hello"}
    body = {"repo": account.did, "collection": COLLECTION, "record": record}
    return pds.call(CREATE, body, token=token)


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=30) as response:
        return json.load(response)


def records(pds: ReferencePds, account: Account) -> list[Any]:
    answer = get(f"{pds.url}/xrpc/{LIST}?repo={account.did}&collection={COLLECTION}")
    found: list[Any] = answer["records"]
    return found


def test_an_account_logs_in_with_its_app_password_and_writes(
    pds: ReferencePds, account: Account
) -> None:
    session = login(pds, account)
    assert session["did"] == account.did
    made = create(pds, account, session["accessJwt"])
    assert [record["uri"] for record in records(pds, account)] == [made["uri"]]


def test_two_accounts_differ(pds: ReferencePds) -> None:
    one, other = pds.new_account(), pds.new_account()
    assert one.did != other.did
    assert one.handle != other.handle


def test_requests_are_counted_until_the_reset(pds: ReferencePds, account: Account) -> None:
    assert pds.stats().counts == {}
    login(pds, account)
    login(pds, account)
    stats = pds.stats()
    assert stats.counts == {LOGIN: 2}
    assert stats.statuses == {LOGIN: {200: 2}}
    pds.reset()
    assert pds.stats().count(LOGIN) == 0


def test_a_status_fault_answers_in_place_of_the_pds(pds: ReferencePds, account: Account) -> None:
    token = login(pds, account)["accessJwt"]
    headers = {"retry-after": "7"}
    pds.faults([{"match": "createRecord", "status": 503, "headers": headers, "error": "Busy"}])
    with pytest.raises(urllib.error.HTTPError) as caught:
        create(pds, account, token)
    with caught.value as answer:
        assert answer.code == 503
        assert answer.headers["retry-after"] == "7"
        assert json.load(answer)["error"] == "Busy"
    assert records(pds, account) == []
    create(pds, account, token)
    assert len(records(pds, account)) == 1


def test_faults_skip_and_then_act_as_often_as_told(pds: ReferencePds, account: Account) -> None:
    token = login(pds, account)["accessJwt"]
    pds.faults([{"match": CREATE, "skip": 1, "times": 2, "status": 500, "body": "<html>"}])
    answers = []
    for _ in range(4):
        try:
            create(pds, account, token)
            answers.append((200, b""))
        except urllib.error.HTTPError as error:
            with error:
                answers.append((error.code, error.read()))
    assert answers == [(200, b""), (500, b"<html>"), (500, b"<html>"), (200, b"")]


def test_a_dropped_request_did_nothing(pds: ReferencePds, account: Account) -> None:
    token = login(pds, account)["accessJwt"]
    pds.faults([{"match": CREATE, "drop": True}])
    with pytest.raises(RemoteDisconnected):
        create(pds, account, token)
    assert records(pds, account) == []


def test_a_lost_answer_did_it(pds: ReferencePds, account: Account) -> None:
    token = login(pds, account)["accessJwt"]
    pds.faults([{"match": CREATE, "after": True}])
    with pytest.raises(RemoteDisconnected):
        create(pds, account, token)
    assert len(records(pds, account)) == 1


def test_a_hanging_request_is_never_answered(pds: ReferencePds) -> None:
    pds.faults([{"match": "describeServer", "hang": True}])
    url = f"{pds.url}/xrpc/com.atproto.server.describeServer"
    with pytest.raises(TimeoutError):
        urllib.request.urlopen(url, timeout=0.5)


def test_a_delayed_request_is_answered_as_usual(pds: ReferencePds) -> None:
    pds.faults([{"delayMs": 700}])
    url = f"{pds.url}/xrpc/com.atproto.server.describeServer"
    with pytest.raises(TimeoutError):
        urllib.request.urlopen(url, timeout=0.3)
    assert get(url)["availableUserDomains"] == [".test"]


def test_the_did_document_names_this_pds_and_a_multikey(
    pds: ReferencePds, account: Account
) -> None:
    document = get(f"{pds.plc}/{account.did}")
    assert document["alsoKnownAs"] == [f"at://{account.handle}"]
    assert [service["serviceEndpoint"] for service in document["service"]] == [pds.url]
    assert [method["type"] for method in document["verificationMethod"]] == ["Multikey"]


def test_a_doctored_did_document_is_what_the_directory_and_the_login_answer(
    pds: ReferencePds, account: Account
) -> None:
    login(pds, account)
    pds.point_elsewhere(account.did, "https://elsewhere.example")
    for document in (get(f"{pds.plc}/{account.did}"), login(pds, account)["didDoc"]):
        assert document["id"] == account.did
        assert document["service"][0]["serviceEndpoint"] == "https://elsewhere.example"
    pds.reset()
    for document in (get(f"{pds.plc}/{account.did}"), login(pds, account)["didDoc"]):
        assert document["service"][0]["serviceEndpoint"] == pds.url


def test_a_did_can_be_gone(pds: ReferencePds, account: Account) -> None:
    pds.doctor(account.did, {}, status=410)
    with pytest.raises(urllib.error.HTTPError) as caught:
        get(f"{pds.plc}/{account.did}")
    with caught.value as answer:
        assert answer.code == 410


def test_the_same_data_is_the_same_server_with_other_options(
    tmp_path: Path,
) -> None:
    with start(accounts=["alice.test"], data=tmp_path / "data") as first:
        (alice,) = first.accounts
        create(first, alice, login(first, alice)["accessJwt"])
    with start(data=tmp_path / "data", access_ttl=1, did_doc=False) as second:
        assert (second.url, second.plc) == (first.url, first.plc)
        assert second.accounts == first.accounts
        assert len(records(second, alice)) == 1
        session = login(second, alice)
        assert "didDoc" not in session
        payload = session["accessJwt"].split(".")[1]
        claims = json.loads(_base64url(payload))
        assert claims["exp"] - claims["iat"] == 1


def _base64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
