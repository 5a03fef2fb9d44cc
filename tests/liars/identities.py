"""DID documents, name servers and directories that lead elsewhere."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

from publisher.errors import ConfigError, IdentityError, ProofFailed, RepoUnavailable
from publisher.transport import Limits
from tests.liars.liar import Expected, Harmless, Liar, Refused
from tests.liars.owners import NASTY
from tests.liars.world import World, as_json, did_document, service, verification
from tests.local_server import Answer
from tests.repo_server import ALICE

MALLORY = "did:plc:" + "m" * 24
HANDLE = "alice.example"
TXT = f"_atproto.{HANDLE}"
ED25519 = "z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"
X25519 = "z6LSbysY2xFMRpGMhb7tFTLMpeuPRaqaWM1yECx2AtzE3KCc"
AGAIN = ("again",)
NO_KEY = "names no #atproto key"


def documented(name: str, expect: Expected, **changes: object) -> Liar:
    """Return a directory whose DID document differs."""
    return answered(name, as_json(did_document(**changes)), expect)


def answered(name: str, answer: Answer, expect: Expected, **more: Any) -> Liar:
    """Return a directory that answers so for ALICE."""
    return Liar(
        f"DID: {name}",
        lambda world: world.lie(f"/{ALICE}", answer),
        expect,
        **{"when": AGAIN, **more},
    )


def refused(says: str) -> Refused:
    return Refused(IdentityError, says)


def at(endpoint: object, says: str, error: type = IdentityError) -> Liar:
    """Return a DID document that names such a PDS."""
    expect = Refused(error, says)
    return documented(f"PDS at {str(endpoint)[:50]!r}", expect, service=[service(endpoint)])


def unsigned(name: str, *keys: dict[str, object]) -> tuple[Liar, Liar]:
    """Return a DID document without a usable key, where one must be and where it needn't."""
    answer = as_json(did_document(verificationMethod=list(keys)))
    proven = Refused(ProofFailed, NO_KEY)
    return (
        answered(name, answer, Harmless("listed", NO_KEY), when=("first",)),
        answered(f"{name}, to be proven", answer, proven, options={"must_prove": True}),
    )


def looked_up(name: str, arrange: Callable[[World], object], says: str, repo: str = HANDLE) -> Liar:
    """Return a liar between a handle and its DID."""
    return Liar(f"handle: {name}", arrange, refused(says), AGAIN, {"name": repo})


def txt(*records: str) -> Callable[[World], object]:
    return lambda world: world.txt.update({TXT: list(records)})


def well_known(answer: Answer) -> Callable[[World], object]:
    return lambda world: world.lie("/.well-known/atproto-did", answer)


def other_handle(world: World) -> None:
    world.txt[TXT] = [f"did={ALICE}"]
    world.lie(f"/{ALICE}", as_json(did_document(alsoKnownAs=["at://mallory.example"])))


def web_document(answer: Answer) -> Callable[[World], object]:
    return lambda world: world.lie("/.well-known/did.json", answer)


def nowhere(name: str, says: str, error: type = IdentityError) -> Liar:
    """Return a DID that nobody may be asked for."""

    def arrange(world: World) -> None:
        world.ledger.append(name)
        world.asked.clear()

    expect = Refused(error, says)
    return Liar(
        f"asked for {name[:60]!a}",
        arrange,
        expect,
        when=AGAIN,
        options={"name": name},
        silent=True,
    )


LARGE = json.dumps({**did_document(), "more": "x" * 10_000_000}).encode()
OF_OTHERS = documented("of another DID", refused(f"is that of another DID .{MALLORY}"), id=MALLORY)
NASTY_ID = documented("of escapes", refused("is that of another DID"), id=NASTY)

DOCUMENTS = (
    OF_OTHERS,
    NASTY_ID,
    *unsigned("no key"),
    *unsigned("old kind of key", verification("zQ3sh", type="EcdsaSecp256k1VerificationKey2019")),
    *unsigned(
        "key of another",
        verification("zQ3shPBswPN79ANgipwadr7AUcgtgi9StkYBtuNwqEW6WFDai", controller=MALLORY),
    ),
    *unsigned("key under another id", verification(ED25519, id=f"{ALICE}#other")),
    *unsigned("key of escapes", verification(NASTY)),
    documented(
        "key of ed25519",
        Refused(ProofFailed, "did:key"),
        verificationMethod=[verification(ED25519)],
    ),
    documented(
        "key of x25519", Refused(ProofFailed, "did:key"), verificationMethod=[verification(X25519)]
    ),
    documented(
        "key off the curve",
        Refused(ProofFailed, "did:key"),
        verificationMethod=[verification("zQ3sh" + "1" * 43)],
    ),
    documented("no PDS", refused("names no PDS"), service=[]),
    documented(
        "PDS of another kind",
        refused("is no AtprotoPersonalDataServer"),
        service=[{**service("https://pds.example"), "type": "Evil"}],
    ),
    answered("404", Answer(b"", 404), refused("has no DID document")),
    answered("tombstone", Answer(b"{}", 410), refused("has no DID document")),
    answered("HTML", Answer(b"<html>"), refused("can't be read")),
    answered("a list", Answer(b"[]"), refused("can't be read")),
    answered("100,000 brackets", Answer(b"[" * 100_000), refused("can't be read")),
    answered("no UTF-8", Answer(b'{"id": "\xff"}'), refused("can't be read")),
    answered("10 MB", Answer(LARGE), refused("larger than the 262144 bytes")),
    answered(
        "redirect", Answer(b"", 302, {"Location": "http://169.254.169.254/"}), refused("a redirect")
    ),
    answered(
        "gzip",
        Answer(gzip.compress(b"{}"), headers={"Content-Encoding": "gzip"}),
        refused("encoded"),
    ),
    answered(
        "slow",
        Answer(b"{" * 99, drip=0.05),
        refused("within 0.3 seconds|took too long"),
        limits={"publisher.identity.network.LIMITS": Limits(seconds=0.3)},
    ),
)

ENDPOINTS = (
    *(
        at(f"https://{host}", "isn't a public one", RepoUnavailable)
        for host in (
            *("10.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),
            *(
                "[fe80::1]",
                "[fc00::1]",
                "[::ffff:127.0.0.1]",
                "[::ffff:10.0.0.1]",
                "[64:ff9b::7f00:1]",
            ),
            *("2130706433", "0x7f000001", "127.1", "224.0.0.1", "255.255.255.255", "[ff02::1]"),
        )
    ),
    *(
        at(f"https://{host}", "points to this machine")
        for host in (*("127.0.0.1", "localhost", "LOCALHOST", "[::1]", "127.0.0.1:8443"),)
    ),
    at("http://127.0.0.1:2583", "points to this machine"),
    at("http://pds.example", "isn't https"),
    at("https://user:secret@pds.example", "more than a scheme, a host and a port"),
    at("https://pds.example/xrpc/", "more than a scheme, a host and a port"),
    at("https://pds.example?x=y", "more than a scheme, a host and a port"),
    at("https://pds.example#x", "more than a scheme, a host and a port"),
    *(
        at(url, "is no URL|more than")
        for url in (
            *(
                "file:///etc/passwd",
                "ftp://pds.example",
                "gopher://pds.example",
                "javascript:alert(1)",
            ),
            *(
                "",
                "pds.example",
                "https://",
                "https://pds .example",
                "https://pds.example\\@evil.example",
            ),
            *("https://pds.example:99999", f"https://{NASTY}", "https://a_b.example"),
        )
    ),
    *(at(url, "with a URL") for url in (7, None, ["https://pds.example"], {"uri": "https://x"})),
)

HANDLES = (
    looked_up("another one in the document", other_handle, "whose DID document names another"),
    looked_up("two DIDs", txt(f"did={ALICE}", f"did={MALLORY}"), "2 different DIDs"),
    looked_up("a DID that is a path", txt("did=did:plc:../../x"), "leads to|no DID of a repo"),
    looked_up("a DID of escapes", txt(f"did={NASTY}"), "leads to"),
    looked_up("a DID of 2 KB", txt("did=did:plc:" + "a" * 3000), "leads to|no DID of a repo"),
    looked_up(
        "a did:web that is an address", txt("did=did:web:169.254.169.254"), "isn't a did:web"
    ),
    looked_up("a did:web with a port", txt("did=did:web:pds.example%3A8443"), "isn't a did:web"),
    looked_up(
        "redirect", well_known(Answer(b"", 302, {"Location": "https://evil.example"})), "a redirect"
    ),
    looked_up("HTML", well_known(Answer(b"<html>" * 99)), "leads to"),
    looked_up("10 MB", well_known(Answer(bytes(10_000_000))), "larger than"),
    looked_up("404", well_known(Answer(NASTY.encode(), 404)), "can't be resolved"),
    looked_up("escapes", well_known(Answer(NASTY.encode())), "leads to"),
    looked_up(
        "did:web, redirected",
        web_document(Answer(b"", 301, {"Location": "http://127.0.0.1/"})),
        "a redirect",
        "did:web:alice.example",
    ),
    looked_up(
        "did:web with the document of another",
        web_document(as_json(did_document())),
        "is that of another DID",
        "did:web:alice.example",
    ),
)

DIDS = (
    *(
        nowhere(did, "isn't a did:web|is no DID of a repo")
        for did in (
            *(
                "did:web:pds.example%3A8443",
                "did:web:pds.example:user:x",
                "did:web:pds.example%2F..%2Fx",
            ),
            *("did:web:%2e%2e", "did:web:127.0.0.1", "did:web:localhost", "did:web:localhost%3A80"),
            *("did:web:user%40pds.example", "did:web:2130706433", "did:web:PDS_.example"),
            *(
                "did:plc:" + "A" * 24,
                "did:plc:" + "a" * 23,
                "did:plc:" + "1" * 24,
                "did:plc:..",
                "did:x:y",
            ),
        )
    ),
    *(
        nowhere(did, "", ConfigError)
        for did in (
            *(
                "did:plc:../../x",
                "did:web:pds.example/x",
                "did:web:[::1]",
                f"{ALICE}?x",
                f"{ALICE}\n",
                NASTY,
            ),
        )
    ),
)

IDENTITIES = (*DOCUMENTS, *ENDPOINTS, *HANDLES, *DIDS)
