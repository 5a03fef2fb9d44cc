"""From a handle or DID to a PDS and a key, past whoever lies on the way."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import dns.resolver
import pytest

from publisher.errors import IdentityError
from publisher.identity import (
    Identity,
    check_handle,
    lookup_txt,
    parse_document,
    resolve,
    same_server,
)
from publisher.syntax import Did, Handle
from publisher.transport import GuardedTransport, transport_for
from tests.local_server import Answer, LocalServer, Seen, serve
from tests.reference_pds import Account, ReferencePds

ALICE = Did("did:plc:" + "a" * 24)
MALLORY = "did:plc:" + "m" * 24
KEY = "zQ3shPBswPN79ANgipwadr7AUcgtgi9StkYBtuNwqEW6WFDai"


def document(did: str = ALICE, **changes: object) -> dict[str, object]:
    """Return a DID document as plc.directory answers it, with some members replaced."""
    return {
        "@context": ["https://www.w3.org/ns/did/v1"],
        "id": did,
        "alsoKnownAs": ["at://alice.example"],
        "verificationMethod": [key()],
        "service": [service("https://pds.example")],
        **changes,
    }


def key(**changes: object) -> dict[str, object]:
    return {
        "id": f"{ALICE}#atproto",
        "type": "Multikey",
        "controller": ALICE,
        "publicKeyMultibase": KEY,
        **changes,
    }


def service(endpoint: object, **changes: object) -> dict[str, object]:
    return {
        "id": "#atproto_pds",
        "type": "AtprotoPersonalDataServer",
        "serviceEndpoint": endpoint,
        **changes,
    }


def parse(changed: Mapping[str, object], *, allow_loopback: bool = False) -> Any:
    return parse_document(json.dumps(changed), ALICE, allow_loopback=allow_loopback)


@dataclass
class World:
    """A PLC directory (also a PDS) on loopback, and a DNS; both answer what the test says."""

    server: LocalServer
    answers: dict[str, Answer]
    txt: dict[str, list[str]]
    opened: ExitStack

    def tell(self, path: str, value: object, status: int = 200) -> None:
        self.answers[path] = Answer(json.dumps(value).encode(), status)

    def resolve(self, repo: str, *, pds: str | None = None) -> Identity:
        plc = self.server.url
        return resolve(
            repo,
            pds=pds,
            plc=plc,
            transport=self.opened.enter_context(transport_for(pds, plc)),
            lookup_txt=lambda name: self.txt.get(name, []),
        )


@pytest.fixture
def world() -> Iterator[World]:
    answers: dict[str, Answer] = {}

    def answer(seen: Seen) -> Answer:
        return answers.get(seen.path, Answer(b"not here", 404))

    with serve(answer) as server, ExitStack() as opened:
        yield World(server, answers, {}, opened)


def test_a_did_leads_to_its_pds_and_key(world: World) -> None:
    world.tell(f"/{ALICE}", document())
    found = world.resolve(ALICE)
    assert (found.did, found.handle, found.pds_url) == (ALICE, None, "https://pds.example")
    assert found.name == ALICE
    assert found.signing_key() == f"did:key:{KEY}"
    assert len(world.server.seen) == 1


def test_a_handle_leads_to_its_did_by_dns(world: World) -> None:
    world.txt["_atproto.alice.example"] = ["v=spf1 -all", f"did={ALICE}"]
    world.tell(f"/{ALICE}", document())
    found = world.resolve("Alice.Example")
    assert (found.did, found.handle) == (ALICE, "alice.example")
    assert found.name == "alice.example"


def test_two_dids_in_dns_are_none(world: World) -> None:
    world.txt["_atproto.alice.example"] = [f"did={ALICE}", f"did={MALLORY}"]
    with pytest.raises(IdentityError, match="2 different DIDs"):
        world.resolve("alice.example")


def test_a_handle_that_its_did_document_does_not_name_is_refused(world: World) -> None:
    world.txt["_atproto.mallory.example"] = [f"did={ALICE}"]
    world.tell(f"/{ALICE}", document())
    with pytest.raises(IdentityError, match=r"names another handle \(alice\.example\)") as caught:
        world.resolve("mallory.example")
    assert caught.value.remedy == "correct the handle, or use the DID as repo"


def test_a_handle_that_nobody_knows(world: World) -> None:
    world.txt["_atproto.nobody.invalid-tld.example"] = []
    with pytest.raises(IdentityError) as caught:
        world.resolve("nobody.invalid-tld.example")
    assert "nobody.invalid-tld.example can't be resolved: DNS has no TXT" in caught.value.message
    assert "HTTPS failed" in caught.value.message
    assert caught.value.remedy


def test_a_dns_that_fails_is_said(world: World) -> None:
    def fail(_: str) -> list[str]:
        raise OSError("LifetimeTimeout")

    with pytest.raises(IdentityError, match=r"DNS failed \(LifetimeTimeout\)"):
        resolve(
            "alice.example",
            pds=None,
            plc=world.server.url,
            transport=transport_for(world.server.url),
            lookup_txt=fail,
        )


@pytest.mark.parametrize("text", ["", "<html>", "did:plc:short\n<p>", "http://x"])
def test_a_resolved_text_that_is_no_did_is_refused(world: World, text: str) -> None:
    world.txt["_atproto.alice.example"] = [f"did={text}"]
    with pytest.raises(IdentityError, match=r"alice\.example"):
        world.resolve("alice.example")


@pytest.mark.parametrize("handle", ["alice.test", "a.local", "a.invalid", "a.localhost", "a.onion"])
def test_a_name_that_is_not_public_needs_the_pds(world: World, handle: str) -> None:
    with pytest.raises(IdentityError, match="only its PDS can resolve it") as caught:
        world.resolve(handle)
    assert "pds" in caught.value.remedy
    assert world.server.seen == []


RESOLVE = "/xrpc/com.atproto.identity.resolveHandle?handle="


def test_with_a_pds_a_handle_costs_one_request_and_the_document_waits(world: World) -> None:
    world.tell(f"{RESOLVE}alice.test", {"did": ALICE})
    world.tell(f"/{ALICE}", document(alsoKnownAs=["at://alice.test"]))
    found = world.resolve("alice.test", pds=world.server.url)
    assert (found.did, found.pds_url) == (ALICE, world.server.url)
    assert len(world.server.seen) == 1
    assert found.signing_key() == found.signing_key() == f"did:key:{KEY}"
    assert len(world.server.seen) == 2


def test_with_a_pds_the_document_must_name_the_handle_too(world: World) -> None:
    world.tell(f"{RESOLVE}alice.test", {"did": ALICE})
    world.tell(f"/{ALICE}", document())
    found = world.resolve("alice.test", pds=world.server.url)
    with pytest.raises(IdentityError, match="names another handle"):
        found.document()


def test_a_handle_that_the_pds_does_not_know_is_looked_up_elsewhere(world: World) -> None:
    world.tell(f"{RESOLVE}alice.example", {"error": "InvalidRequest"}, 400)
    world.txt["_atproto.alice.example"] = [f"did={ALICE}"]
    assert world.resolve("alice.example", pds=world.server.url).did == ALICE


def test_with_a_pds_a_did_costs_nothing(world: World) -> None:
    assert world.resolve(ALICE, pds=f"{world.server.url}/").pds_url == world.server.url
    assert world.server.seen == []


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"did": 5}', b'{"did": "x"}'])
def test_nonsense_from_the_pds_is_refused(world: World, body: bytes) -> None:
    world.answers[f"{RESOLVE}alice.test"] = Answer(body)
    with pytest.raises(IdentityError, match=r"alice\.test"):
        world.resolve("alice.test", pds=world.server.url)


@pytest.mark.parametrize(
    "repo",
    [
        *("did:plc:../../x", "did:plc:" + "A" * 24, "did:plc:" + "a" * 23, "did:plc:aaaa?x=y"),
        *("did:web:10.0.0.1", "did:web:127.0.0.1%3A80", "did:web:localhost", "did:web:[::1]"),
        *("did:web:pds.example:users:x", "did:web:pds.example%3A8443", "did:web:pds.example%2Fx"),
        *("did:web:localhost%3A99999", "did:web:user%40pds.example", "did:web:2130706433"),
        *("did:example:abc", "did:", "did:plc:", "did:web:", f"{ALICE}\n", "did:plc:" + "a" * 3000),
    ],
)
def test_a_hostile_did_goes_nowhere(world: World, repo: str) -> None:
    with pytest.raises(IdentityError) as caught:
        world.resolve(repo)
    assert world.server.seen == []
    assert len(caught.value.message) < 300
    assert caught.value.remedy


def test_a_hostile_did_that_a_server_names_goes_nowhere(world: World) -> None:
    world.tell(f"{RESOLVE}alice.test", {"did": "did:plc:../../x"})
    with pytest.raises(IdentityError):
        world.resolve("alice.test", pds=world.server.url)


@pytest.mark.parametrize("repo", ["", "alice", "@alice.example", "https://x.example", "a b.c"])
def test_what_is_no_handle_is_said(world: World, repo: str) -> None:
    with pytest.raises(IdentityError, match=r"neither|not a handle") as caught:
        world.resolve(repo)
    assert "folder:PATH" in caught.value.remedy


def test_a_did_key_is_a_folder(world: World) -> None:
    with pytest.raises(IdentityError) as caught:
        world.resolve(f"did:key:{KEY}")
    assert caught.value.remedy == "name a repo in a folder as folder:PATH"


def test_a_did_web_on_this_machine_works_where_loopback_was_typed(world: World) -> None:
    port = world.server.url.rsplit(":", 1)[1]
    did = f"did:web:localhost%3A{port}"
    world.tell("/.well-known/did.json", document(did, service=[service(world.server.url)]))
    assert world.resolve(did).pds_url == world.server.url


@pytest.mark.parametrize("status", [404, 410, 500])
def test_a_did_without_a_document(world: World, status: int) -> None:
    world.tell(f"/{ALICE}", {"message": "x"}, status)
    with pytest.raises(IdentityError, match=rf"no DID document of {ALICE} \({status}\)"):
        world.resolve(ALICE)


def test_a_directory_that_cannot_be_reached(world: World) -> None:
    with pytest.raises(IdentityError, match="can't be fetched: localhost:1: can't be reached"):
        resolve(
            ALICE,
            pds=None,
            plc="http://localhost:1",
            transport=transport_for("http://localhost:1"),
        )


def test_a_pds_or_plc_that_is_no_origin_is_refused() -> None:
    for pds, plc in (("ftp://x", "https://plc.example"), (None, "http://plc.example")):
        with pytest.raises(IdentityError) as caught:
            resolve(ALICE, pds=pds, plc=plc, transport=GuardedTransport(allow_private=False))
        assert caught.value.remedy.endswith("as https://host")


def test_a_document_of_another_did_is_refused() -> None:
    with pytest.raises(IdentityError, match="that of another DID"):
        parse(document(MALLORY))


@pytest.mark.parametrize(
    "text", ["", "<html>", "[]", "null", '{"id": 5}', '{"id": "x", "service": {}}']
)
def test_nonsense_is_no_document(text: str) -> None:
    with pytest.raises(IdentityError, match="the DID document of"):
        parse_document(text, ALICE, allow_loopback=False)


@pytest.mark.parametrize(
    "endpoint",
    [
        *("http://pds.example", "https://pds.example/x", "https://u:p@pds.example", "", "pds"),
        *("http://localhost:2583", "http://127.0.0.1:1", "https://[::1]", "javascript:x"),
        *(["https://pds.example"], {"uri": "https://pds.example"}, None, 5),
    ],
)
def test_an_endpoint_is_refused(endpoint: object) -> None:
    with pytest.raises(IdentityError, match="the PDS in the DID document"):
        parse(document(service=[service(endpoint)]))


def test_an_endpoint_on_this_machine_needs_leave() -> None:
    local = document(service=[service("http://localhost:2583")])
    assert parse(local, allow_loopback=True).pds_url == "http://localhost:2583"


def test_a_service_of_another_kind_is_no_pds() -> None:
    with pytest.raises(IdentityError, match="no AtprotoPersonalDataServer"):
        parse(document(service=[service("https://pds.example", type="Other")]))
    assert parse(document(service=[service("https://x.example", id="#other")])).pds_url is None


def test_a_document_without_a_pds_is_an_error_when_one_is_needed(world: World) -> None:
    world.tell(f"/{ALICE}", document(service=[]))
    with pytest.raises(IdentityError, match="names no PDS"):
        world.resolve(ALICE)


@pytest.mark.parametrize(
    "changed",
    [
        {"id": "#other"},
        {"type": "EcdsaSecp256k1VerificationKey2019"},
        {"controller": MALLORY},
        {"publicKeyMultibase": "u1234"},
        {"publicKeyMultibase": KEY + "/../x"},
        {"publicKeyMultibase": None},
    ],
)
def test_a_key_that_cannot_be_used_is_none(world: World, changed: dict[str, object]) -> None:
    world.tell(f"/{ALICE}", document(verificationMethod=[key(**changed)]))
    with pytest.raises(IdentityError, match="names no #atproto key"):
        world.resolve(ALICE).signing_key()


def test_aliases_that_are_no_handles_are_passed_over() -> None:
    known = parse(document(alsoKnownAs=["https://x", "at://", "at://Alice.Example", "at://a b"]))
    assert known.handles == ("alice.example",)
    check_handle(known, Handle("alice.example"))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://pds.example", "https://pds.example", True),
        ("https://pds.example", "https://other.example", False),
        ("http://localhost:1", "http://127.0.0.1:1", True),
        ("http://localhost:1", "http://localhost:2", False),
        ("http://localhost:1", "https://pds.example", False),
    ],
)
def test_when_two_urls_are_one_server(one: str, other: str, same: bool) -> None:
    assert same_server(one, other) is same


def test_txt_records_are_put_together_and_their_absence_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Record:
        strings = (b"did=did:plc:", b"a" * 24)

    def answer(name: str, *_: object, **__: object) -> list[Record]:
        if name == "_atproto.none.example":
            raise dns.resolver.NXDOMAIN
        if name == "_atproto.broken.example":
            raise dns.resolver.NoNameservers
        return [Record()]

    monkeypatch.setattr(dns.resolver, "resolve", answer)
    assert lookup_txt("_atproto.alice.example") == [f"did={ALICE}"]
    assert lookup_txt("_atproto.none.example") == []
    with pytest.raises(OSError, match="NoNameservers"):
        lookup_txt("_atproto.broken.example")


def test_the_reference_pds_and_its_directory(pds: ReferencePds, account: Account) -> None:
    with transport_for(pds.url, pds.plc) as transport:
        by_handle = resolve(account.handle, pds=pds.url, plc=pds.plc, transport=transport)
        by_did = resolve(account.did, pds=None, plc=pds.plc, transport=transport)
        assert by_handle.did == by_did.did == account.did
        assert by_handle.pds_url == by_did.pds_url == pds.url
        assert by_handle.signing_key() == by_did.signing_key()


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"id": MALLORY}, "another DID"),
        ({"alsoKnownAs": []}, "names another handle"),
        ({"service": [service("https://pds.example/path")]}, "more than a scheme"),
    ],
)
def test_a_doctored_document_is_refused(
    pds: ReferencePds, account: Account, members: dict[str, object], reason: str
) -> None:
    pds.doctor(account.did, members)
    with transport_for(pds.url, pds.plc) as transport:
        found = resolve(account.handle, pds=pds.url, plc=pds.plc, transport=transport)
        with pytest.raises(IdentityError, match=reason):
            found.document()
