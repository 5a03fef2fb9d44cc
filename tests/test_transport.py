"""The guarded transport: what it never does, whoever asks."""

from __future__ import annotations

import gzip
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from itertools import repeat
from pathlib import Path
from typing import Any

import httpx
import pytest

from publisher import __version__
from publisher.credentials import Secret
from publisher.errors import RepoUnavailable
from publisher.identity import DidDocument, Identity
from publisher.pds import login
from publisher.syntax import Did
from publisher.transport import (
    GuardedTransport,
    InvalidOrigin,
    Limits,
    TransportError,
    guarded,
    is_loopback,
    is_public,
    open_client,
    parse_origin,
    transport_for,
)
from tests.certificates import write_certificate
from tests.local_server import Answer, Seen, raw_server, serve


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with open_client(GuardedTransport(allow_private=True)) as opened:
        yield opened


@pytest.fixture
def public_client() -> Iterator[httpx.Client]:
    with open_client(GuardedTransport(allow_private=False)) as opened:
        yield opened


def always(answer: Answer) -> Callable[[Seen], Answer]:
    return lambda _: answer


def names(host: str, *addresses: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let a host have these addresses; return the list of look-ups to come."""
    asked: list[str] = []

    def lookup(name: str, port: int, **_: object) -> list[Any]:
        assert name == host
        asked.append(name)
        return [(None, None, None, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    return asked


def connections(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Refuse every connection; return the list of those to come."""
    tried: list[str] = []

    def refuse(_: socket.socket, address: tuple[str, int]) -> None:
        tried.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(socket.socket, "connect", refuse)
    return tried


def test_a_good_answer_arrives_and_our_headers_went_out(client: httpx.Client) -> None:
    with serve(always(Answer(b"hello"))) as server:
        assert client.get(server.url).text == "hello"
    assert server.seen[0].headers["user-agent"] == f"publisher/{__version__}"
    assert server.seen[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_redirect_is_an_error_whatever_the_client_wants(
    client: httpx.Client, method: str, status: int
) -> None:
    with serve(always(Answer())) as target:
        moved = Answer(status=status, headers={"Location": target.url})
        with serve(always(moved)) as server, pytest.raises(TransportError, match=f"{status}"):
            client.request(method, server.url, follow_redirects=True)
    assert target.seen == []


def test_not_modified_is_no_redirect(client: httpx.Client) -> None:
    with serve(always(Answer(status=304))) as server:
        assert client.get(server.url).status_code == 304


def test_the_sdk_sends_no_password_to_where_a_login_is_redirected() -> None:
    with serve(always(Answer())) as thief:
        moved = Answer(status=307, headers={"Location": f"{thief.url}/xrpc/x"})
        with serve(always(moved)) as server:
            identity = Identity(Did("did:plc:" + "a" * 24), None, server.url, no_document)
            transport = transport_for(server.url)
            with pytest.raises(RepoUnavailable, match="307, a redirect"):
                login(identity, Secret("abcd-efgh-ijkl-mnop"), transport=transport)
            assert b"abcd-efgh-ijkl-mnop" in server.seen[0].body
    assert thief.seen == []


def no_document() -> DidDocument:
    raise AssertionError("not needed")


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1"),
        *("0.0.0.0", "255.255.255.255", "224.0.0.1", "240.0.0.1", "192.0.2.1", "198.18.0.1"),
        *("::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1", "2001:db8::1"),
        *("::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "2002:7f00:1::", "2001::1"),
        *("64:ff9b::127.0.0.1", "64:ff9b::a00:1", "64:ff9b:1::1", "100::1", "3fff::1"),
    ],
)
def test_an_address_is_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.215.14", "2606:4700::1111", "64:ff9b::101:101"]
)
def test_an_address_is_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1"])
def test_a_name_that_leads_to_a_private_address_is_refused(
    public_client: httpx.Client, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names("inside.example", address, monkeypatch=monkeypatch)
    tried = connections(monkeypatch)
    with pytest.raises(TransportError, match="isn't a public one") as caught:
        public_client.get("https://inside.example/")
    assert "inside.example" in str(caught.value)
    assert caught.value.unsent
    assert not caught.value.transient
    assert tried == []


def test_the_metadata_service_is_refused_even_where_private_is_allowed(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = connections(monkeypatch)
    with pytest.raises(TransportError, match="isn't a public one"):
        client.get("https://169.254.169.254/latest/meta-data")
    assert tried == []


def test_the_connection_goes_to_the_address_that_was_checked(
    public_client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = names("mixed.example", "10.0.0.1", "1.1.1.1", monkeypatch=monkeypatch)
    tried = connections(monkeypatch)
    with pytest.raises(TransportError, match="can't be reached") as caught:
        public_client.get("https://mixed.example/")
    assert (asked, tried) == (["mixed.example"], ["1.1.1.1"])
    assert caught.value.unsent
    assert caught.value.transient


def test_localhost_must_lead_to_this_machine(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    names("localhost", "1.1.1.1", monkeypatch=monkeypatch)
    with pytest.raises(TransportError, match=r"1\.1\.1\.1"):
        client.get("http://localhost:1234/")


@pytest.mark.parametrize("url", ["http://pds.example/", "http://10.0.0.1/", "ftp://pds.example/"])
def test_only_https_leaves_this_machine(client: httpx.Client, url: str) -> None:
    with pytest.raises(TransportError, match="only https"):
        client.get(url)


def test_loopback_is_refused_unless_it_was_typed(public_client: httpx.Client) -> None:
    with serve(always(Answer())) as server:
        with pytest.raises(TransportError):
            public_client.get(server.url)
        with pytest.raises(TransportError):
            public_client.get(server.url.replace("http:", "https:"))
    assert server.seen == []
    assert transport_for(None, "https://pds.example").allow_private is False
    assert transport_for("https://pds.example", server.url).allow_private is True


def test_an_encoded_answer_is_refused(client: httpx.Client) -> None:
    bomb = Answer(gzip.compress(bytes(1 << 20)), headers={"Content-Encoding": "gzip"})
    with serve(always(bomb)) as server, pytest.raises(TransportError, match="encoded"):
        client.get(server.url)


ANNOUNCED = Answer(b"x" * 1001)
CHUNKED = Answer(
    b"3e9\r\n" + b"x" * 1001 + b"\r\n0\r\n\r\n", headers={"Transfer-Encoding": "chunked"}
)


@pytest.mark.parametrize("answer", [ANNOUNCED, CHUNKED], ids=["announced", "chunked"])
def test_a_body_has_a_cap(client: httpx.Client, answer: Answer) -> None:
    with serve(always(answer)) as server:
        with pytest.raises(TransportError, match="larger than the 1000 bytes"):
            client.get(server.url, extensions={"limits": Limits(max_bytes=1000)})
        whole = client.get(server.url, extensions={"limits": Limits(max_bytes=1001)})
    assert len(whole.content) == 1001


@pytest.mark.parametrize("body", [b"", b"x" * 5000])
def test_a_slow_drip_ends_with_the_deadline(client: httpx.Client, body: bytes) -> None:
    """Without a body the headers drip; every read would stay below its own time-out."""
    headers = {"X-Long": "x" * 5000} if not body else {}
    with serve(always(Answer(body, headers=headers, drip=0.02))) as server:
        started = time.monotonic()
        with pytest.raises(TransportError, match=r"no whole answer within 0\.5 seconds") as caught:
            client.get(server.url, extensions={"limits": Limits(seconds=0.5)})
    assert time.monotonic() - started < 2
    assert caught.value.transient
    assert not caught.value.unsent


def test_nothing_listens(client: httpx.Client, free_port: int) -> None:
    with pytest.raises(TransportError, match=rf"127\.0\.0\.1:{free_port}: can't be") as caught:
        client.get(f"http://127.0.0.1:{free_port}/")
    assert caught.value.unsent
    assert caught.value.transient


def test_a_name_that_does_not_exist(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(TransportError, match=r"gone\.example: .* can't be resolved"):
        client.get("https://gone.example/")


def test_an_answer_that_is_cut_short_is_no_answer(client: httpx.Client) -> None:
    cut = Answer(b"hello", headers={"Content-Length": "100"})
    with serve(always(cut)) as server, pytest.raises(TransportError, match="broke off"):
        client.get(server.url)


ODD = {
    "a length that is none": ({"Content-Length": "five"}, b"hello"),
    "a negative length": ({"Content-Length": "-5"}, b"hello"),
    "two lengths": ({"Content-Length": "5", "content-length": "4"}, b"hello"),
    "another encoding": ({"Transfer-Encoding": "gzip, chunked"}, b"5\r\nhello\r\n0\r\n\r\n"),
    "a chunk without a size": ({"Transfer-Encoding": "chunked"}, b"hello\r\n"),
    "a chunk that is cut": ({"Transfer-Encoding": "chunked"}, b"9\r\nhello"),
    "no last chunk": ({"Transfer-Encoding": "chunked"}, b"5\r\nhello\r\n"),
    "a header without a name": ({"no name\r\nX": "x"}, b"hello"),
}


@pytest.mark.parametrize(("headers", "body"), ODD.values(), ids=ODD)
def test_an_answer_whose_end_is_uncertain_is_none(
    client: httpx.Client, headers: dict[str, str], body: bytes
) -> None:
    odd = Answer(body, headers=headers)
    with serve(always(odd)) as server, pytest.raises(TransportError, match="answered no HTTP"):
        client.get(server.url)


def test_a_chunk_of_minus_one_byte_is_not_all_there_is(client: httpx.Client) -> None:
    """It would be read to its end, past every cap; this one has none."""
    endless = Answer(
        b"-1\r\n", headers={"Transfer-Encoding": "chunked"}, more=repeat(bytes(1 << 10))
    )
    with serve(always(endless)) as server, pytest.raises(TransportError, match="answered no HTTP"):
        client.get(server.url, extensions={"limits": Limits(seconds=1.0)})


def test_a_header_that_goes_on_from_none_is_no_answer(client: httpx.Client) -> None:
    with (
        raw_server(b"HTTP/1.1 200 OK\r\n goes: on\r\nContent-Length: 2\r\n\r\nhi") as server,
        pytest.raises(TransportError, match="answered no HTTP"),
    ):
        client.get(server.url)


@pytest.mark.parametrize("status", [101, 103])
def test_an_answer_before_the_answer_is_none(client: httpx.Client, status: int) -> None:
    with (
        serve(always(Answer(status=status))) as server,
        pytest.raises(TransportError, match="answered no HTTP"),
    ):
        client.get(server.url)


def test_an_answer_without_a_length_goes_on_to_the_end_of_the_connection(
    client: httpx.Client,
) -> None:
    with raw_server(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_000) as server:
        assert client.get(server.url).content == b"x" * 100_000


KEPT = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"
SOUND = {
    "hints before it": (EARLY * 3 + KEPT, 200, "hi"),
    "a space behind a length": (KEPT.replace(b": 2", b": 2 \t"), 200, "hi"),
    "a header in Latin-1": (KEPT.replace(b"\r\n\r\n", b"\r\nX: Z\xfcrich\r\n\r\n"), 200, "hi"),
    "a header in UTF-8": (
        KEPT.replace(b"\r\n\r\n", b"\r\nX: Z\xc3\xbcrich\r\n\r\n"),
        200,
        "hi",
    ),
    "no content, in chunks": (
        b"HTTP/1.1 204 x\r\nTransfer-Encoding: chunked\r\nX: Content-Length\r\n\r\n",
        204,
        "",
    ),
}


@pytest.mark.parametrize(("answer", "status", "text"), SOUND.values(), ids=SOUND)
def test_an_odd_answer_is_taken_and_its_connection_used_again(
    client: httpx.Client, answer: bytes, status: int, text: str
) -> None:
    with raw_server(answer, KEPT) as server:
        first = client.get(server.url)
        assert (first.status_code, first.text) == (status, text)
        assert client.get(server.url).text == "hi"
    assert server.connections == 1


def test_a_connection_is_used_again(client: httpx.Client) -> None:
    with raw_server(KEPT, KEPT, KEPT) as server:
        texts = [client.get(server.url).text for _ in range(3)]
    assert (texts, server.connections) == (["hi"] * 3, 1)


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(KEPT + bytes(100_000), id="it said more than it was asked"),
        pytest.param(KEPT.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), id="it closes"),
    ],
)
def test_a_connection_that_may_be_out_of_step_is_not_used_again(
    client: httpx.Client, first: bytes
) -> None:
    with raw_server(first, KEPT) as server:
        first_text = client.get(server.url).text
        time.sleep(0.05)  # until what the server does besides has come
        assert (first_text, client.get(server.url).text) == ("hi", "hi")
    assert server.connections == 2


def test_a_garbled_body_ends_its_connection(client: httpx.Client) -> None:
    garbled = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: Content-Length\r\n\r\nzz\r\n"
    with raw_server(garbled, KEPT) as server:
        with pytest.raises(TransportError, match="answered no HTTP"):
            client.get(server.url)
        assert client.get(server.url).text == "hi"
    assert server.connections == 2


def test_a_body_that_nobody_reads_ends_its_connection(client: httpx.Client) -> None:
    with raw_server(KEPT, KEPT) as server:
        with client.stream("GET", server.url):
            pass
        assert client.get(server.url).text == "hi"
    assert server.connections == 2


def test_a_server_that_refuses_before_it_has_everything_is_heard(client: httpx.Client) -> None:
    refusal = b"HTTP/1.1 413 x\r\nContent-Length: 5\r\nConnection: close\r\n\r\nlarge"
    with raw_server(refusal) as server:
        answer = client.post(server.url, content=bytes(8 << 20))
    assert (answer.status_code, answer.text) == (413, "large")


@pytest.fixture
def certified(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A server by https on this machine, and the certificate by which it is known."""
    path = tmp_path / "localhost.pem"
    write_certificate(path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    with raw_server(KEPT, KEPT, context=context) as server:
        yield server.url.replace("http://127.0.0.1", "https://localhost"), path


@pytest.fixture
def trusted(certified: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> str:
    """That server, now that its certificate is one of the well-known."""
    url, path = certified
    context = ssl.create_default_context(cafile=str(path))
    monkeypatch.setattr(guarded, "_certificates", lambda: context)
    return url


def test_a_server_by_https_is_talked_to_if_it_is_the_one(
    client: httpx.Client, trusted: str
) -> None:
    assert [client.get(trusted).text for _ in range(2)] == ["hi", "hi"]


def test_a_server_whose_certificate_nobody_vouches_for_is_not_talked_to(
    client: httpx.Client, certified: tuple[str, Path]
) -> None:
    with pytest.raises(TransportError, match="CERTIFICATE_VERIFY_FAILED") as caught:
        client.get(certified[0], headers={"Authorization": "Bearer secret"})
    assert caught.value.unsent


def test_a_server_of_another_name_is_not_talked_to(client: httpx.Client, trusted: str) -> None:
    with pytest.raises(TransportError, match="127.0.0.1"):
        client.get(trusted.replace("localhost", "127.0.0.1"))


def test_no_error_quotes_a_header(client: httpx.Client) -> None:
    with serve(always(Answer())) as server, pytest.raises(TransportError) as caught:
        client.get(server.url, headers={"Authorization": "Bearer secret\r\ntoken"})
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://pds.example", "https://pds.example"),
        ("https://PDS.example/", "https://pds.example"),
        ("https://pds.example:8443", "https://pds.example:8443"),
        ("http://localhost:2583", "http://localhost:2583"),
        ("http://[::1]:2583/", "http://[::1]:2583"),
    ],
)
def test_an_origin_is_parsed(url: str, origin: str) -> None:
    assert parse_origin(url, allow_loopback=True) == origin


@pytest.mark.parametrize(
    "url",
    [
        *("pds.example", "http://pds.example", "ftp://pds.example", "https://", "https://a b"),
        *("https://pds.example/x", "https://pds.example?x", "https://u:p@pds.example"),
        *("http://localhost:2583", "https://127.0.0.1", "http://[::1]", "https://pds.example#x"),
    ],
)
def test_an_origin_is_refused(url: str) -> None:
    with pytest.raises(InvalidOrigin):
        parse_origin(url, allow_loopback=False)


def test_what_counts_as_this_machine() -> None:
    assert is_loopback("http://localhost:1")
    assert is_loopback("http://127.9.9.9")
    assert is_loopback("http://[::1]:1")
    assert not is_loopback("https://localhost.example")
    assert not is_loopback("https://10.0.0.1")
