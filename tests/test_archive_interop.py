"""Our CARs by the reference implementation's verifier, and a reference PDS's by ours."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from publisher.archive import ArchiveError, InvalidSignature, verify_car
from publisher.data import record_cid
from publisher.folder import FolderRepo
from publisher.repo import CreateWrite
from publisher.spool import whole
from publisher.syntax import Nsid, Rkey, tid
from tests.reference_pds import FILES, Account, ReferencePds, install, node

NOTE = Nsid("com.example.note")
OTHER_KEY = "did:key:zQ3shqwJEJyMBsBXCWyCBpUBMqxcon9oHB7mCvx4sSpMdLJwc"


def verified_by_the_reference(car: bytes, did: str, key: str) -> Any:
    ended = subprocess.run(
        [node(), FILES / "verify_car.mjs", install(), did, key],
        input=car,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr.decode()
    return json.loads(ended.stdout)


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_the_reference_verifies_our_repos(tmp_path: Path, count: int) -> None:
    repo = FolderRepo.create(tmp_path / "repo")
    writes = [
        CreateWrite(NOTE, Rkey(tid((1_750_000_000 + number) << 30)), {"$type": NOTE, "n": number})
        for number in range(count)
    ]
    for batch in repo.batches(writes):
        repo.apply(batch, swap_commit=repo.head().cid)

    answer = verified_by_the_reference(b"".join(repo.car()), repo.did, repo.did)

    assert (answer["cid"], answer["rev"]) == (repo.head().cid, repo.head().rev)
    assert dict(answer["records"]) == {
        f"{NOTE}/{write.rkey}": record_cid(whole(write.value)) for write in writes
    }


def test_the_reference_refuses_our_repo_under_another_key(tmp_path: Path) -> None:
    repo = FolderRepo.create(tmp_path / "repo")

    with pytest.raises(AssertionError, match="Invalid signature"):
        verified_by_the_reference(b"".join(repo.car()), repo.did, OTHER_KEY)


@pytest.mark.parametrize("count", [0, 1, 300])
def test_we_verify_the_repos_of_a_reference_pds(
    pds: ReferencePds, account: Account, count: int
) -> None:
    cids = dict(fill(pds, account, count))
    car, key = fetch_car(pds, account), signing_key(pds, account)

    verified = verify_car(car, did=account.did, key=key)

    assert {path: str(cid) for path, (cid, _) in verified.records.items()} == cids
    with pytest.raises(InvalidSignature):
        verify_car(car, did=account.did, key=OTHER_KEY)
    with pytest.raises(ArchiveError):
        verify_car(car[:-1], did=account.did, key=key)


def fill(pds: ReferencePds, account: Account, count: int) -> list[tuple[str, str]]:
    login = {"identifier": account.did, "password": account.app_password}
    token = pds.call("com.atproto.server.createSession", login)["accessJwt"]
    cids = []
    for start in range(0, count, 200):
        writes = [
            {
                "$type": "com.atproto.repo.applyWrites#create",
                "collection": NOTE,
                "rkey": f"note-{number}",
                "value": {"$type": NOTE, "n": number},
            }
            for number in range(start, min(start + 200, count))
        ]
        body = {"repo": account.did, "writes": writes}
        answer = pds.call("com.atproto.repo.applyWrites", body, token=token)
        cids += [(made["uri"].split("/", 3)[3], made["cid"]) for made in answer["results"]]
    return cids


def fetch_car(pds: ReferencePds, account: Account) -> bytes:
    content: bytes = get(f"{pds.url}/xrpc/com.atproto.sync.getRepo?did={account.did}")
    return content


def signing_key(pds: ReferencePds, account: Account) -> str:
    document = json.loads(get(f"{pds.plc}/{account.did}"))
    (method,) = document["verificationMethod"]
    return f"did:key:{method['publicKeyMultibase']}"


def get(url: str) -> bytes:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(url.replace("//localhost:", "//127.0.0.1:"), timeout=60) as response:
        content: bytes = response.read()
    return content
