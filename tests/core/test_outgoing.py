"""Outgoing calls reach the internet and what was allowed, and nothing else by any trick."""

import ssl
import subprocess
from pathlib import Path

import pytest

from scm_api.core.outgoing import Outgoing, OutgoingFailed, OutgoingRefused, Resolver
from tests.core.outgoing_world import PUBLIC, Internet, Names, Server, answer, failed, refused

LITERALS = (
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "017700000001",
    "0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "0xa9fea9fe",
    "2852039166",
    "169.254.43518",
    "224.0.0.1",
    "255.255.255.255",
    "127.0.0.1.",
    "127。0。0。1",
    "[::]",
    "[::1]",
    "[fe80::1]",
    "[fd00:ec2::254]",
    "[::ffff:127.0.0.1]",
    "[::ffff:a9fe:a9fe]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",
    "[2001:0:4136:e378:8000:63bf:80ff:fffe]",
    "localhost",
    "localhost.",
    "LOCALHOST",
)


@pytest.mark.parametrize("host", LITERALS)
async def test_no_spelling_of_an_inner_address_is_called(host: str) -> None:
    internet = Internet()
    with pytest.raises((OutgoingRefused, OutgoingFailed)) as caught:
        await Outgoing(network=internet).request("GET", f"https://{host}/")
    assert caught.value.reason in {"address", "unresolved"}  # what the system does not understand
    assert internet.connected == []


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://idp.example/", "scheme"),
        ("ftp://idp.example/", "scheme"),
        ("file:///etc/passwd", "scheme"),
        ("gopher://127.0.0.1:6379/_FLUSHALL", "scheme"),
        ("unix:///var/run/docker.sock", "scheme"),
        ("http+unix://%2Fvar%2Frun%2Fdocker.sock/", "scheme"),
        ("//idp.example/", "scheme"),
        ("idp.example", "scheme"),
        ("", "scheme"),
        ("https://user:secret@idp.example/", "credentials"),
        ("https://idp.example@127.0.0.1/", "credentials"),
        ("https://127.0.0.1\\@idp.example/", "credentials"),
        ("https://idp.example:22/", "port"),
        ("https://idp.example:80/", "port"),
        ("https://idp.example:6379/", "port"),
        ("https://idp.example:0/", "port"),
        ("https://idp.example:99999/", "port"),
        ("https:///path", "invalid_url"),
        ("https://./", "invalid_url"),
        ("https://idp..example/", "invalid_url"),
        ("https://idp%2eexample/", "invalid_url"),
        ("https://%31%32%37.0.0.1/", "invalid_url"),
        ("https://[fe80::1%25eth0]/", "invalid_url"),
        ("https://*.example/", "invalid_url"),
        ("https://idp example/", "invalid_url"),
        ("https://0177.0.0.1/", "invalid_url"),
        ("https://①②⑦.0.0.1/", "invalid_url"),
        ("https://idp.example/\r\nHost: inner", "invalid_url"),
        ("https://[::1/", "invalid_url"),
        ("https://" + "a" * 64 + ".example/", "invalid_url"),
        ("https://" + "a." * 200 + "example/", "invalid_url"),
    ],
)
async def test_a_url_of_another_form_is_refused_unresolved(url: str, reason: str) -> None:
    names, internet = Names([PUBLIC]), Internet()
    outgoing = Outgoing(resolver=names, network=internet)
    assert await refused(outgoing, url) == reason
    assert names.asked == []
    assert internet.connected == []


@pytest.mark.parametrize(
    "addresses",
    [
        ["10.0.0.1"],
        [PUBLIC, "10.0.0.1"],
        ["127.0.0.1", PUBLIC],
        ["2001:4860:4860::8888", "::1"],
        [PUBLIC, "2606:4700:4700::1111", "::ffff:192.168.0.1"],
        [PUBLIC, "64:ff9b::a9fe:a9fe"],
        [PUBLIC, "not an address"],
    ],
)
async def test_one_inner_address_among_those_of_a_name_refuses_it(addresses: list[str]) -> None:
    internet = Internet()
    outgoing = Outgoing(resolver=Names(addresses), network=internet)
    assert await refused(outgoing, "https://idp.example/") == "address"
    assert internet.connected == []
    with pytest.raises(OutgoingRefused):
        await outgoing.check("https://idp.example/")


async def test_a_name_that_is_rebound_is_resolved_once_and_called_where_it_was_judged() -> None:
    names, internet = Names([PUBLIC], ["127.0.0.1"]), Internet()
    outgoing = Outgoing(resolver=names, network=internet)
    assert (await failed(outgoing.get_json("https://idp.example/"))).reason == "connection"
    assert names.asked == [("idp.example", 443)]
    assert internet.connected == [(PUBLIC, 443)]
    assert await refused(outgoing, "https://idp.example/") == "address"  # and judged anew
    assert internet.connected == [(PUBLIC, 443)]


async def test_a_name_is_asked_for_as_dns_knows_it() -> None:
    names = Names([PUBLIC])
    outgoing = Outgoing(resolver=names, network=Internet())
    for url in ("https://IDP.Example.:8443/x", "https://bücher.example/"):
        await outgoing.check(url)
    assert names.asked == [("idp.example.", 8443), ("xn--bcher-kva.example", 443)]


async def test_a_name_without_addresses_fails() -> None:
    async def nobody(name: str, port: int) -> list[str]:
        raise OSError("no such name")

    resolvers: tuple[Resolver, ...] = (Names([]), nobody)
    for resolver in resolvers:
        call = Outgoing(resolver=resolver).get_json("https://idp.example/?code=secret")
        assert (await failed(call)).reason == "unresolved"


async def test_only_the_exact_allowed_origin_is_open() -> None:
    async with Server(answer(b'{"a": 1}')).running() as server:
        outgoing = Outgoing([server.origin])
        assert await outgoing.get_json(f"{server.origin}/x?y=1") == {"a": 1}
        assert server.heads[0].startswith("GET /x?y=1 HTTP/1.1\r\n")
        assert f"Host: 127.0.0.1:{server.port}\r\n" in server.heads[0]
        for url, reason in {
            f"https://127.0.0.1:{server.port}/": "port",
            f"http://localhost:{server.port}/": "scheme",
            f"http://127.1:{server.port}/": "scheme",
            f"http://127.0.0.1:{server.port + 1}/": "scheme",
            "http://127.0.0.1/": "scheme",
            "https://127.0.0.1/": "address",
        }.items():
            assert await refused(outgoing, url) == reason
    assert len(server.heads) == 1


@pytest.mark.parametrize(
    "text",
    [
        "idp",
        "*",
        "https://",
        "https://*.example",
        "https://idp/realm",
        "https://idp/?a=1",
        "https://idp/#a",
        "https://u:p@idp",
        "ftp://idp",
    ],
)
def test_what_is_no_exact_origin_cannot_be_allowed(text: str) -> None:
    with pytest.raises(ValueError, match="allowed"):
        Outgoing([text])


async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    async with Server(answer(b"{}")).running() as inner:
        moved = answer(b"", "302 Found", f"Location: {inner.origin}/secret")
        async with Server(moved).running() as outer:
            outgoing = Outgoing([outer.origin, inner.origin])  # not even to where it might go
            got = await outgoing.request("GET", outer.origin)
            assert (got.status, got.headers["location"]) == (302, f"{inner.origin}/secret")
            failure = await failed(outgoing.get_json(outer.origin))
            assert (failure.reason, failure.detail) == ("status", "302")
    assert inner.heads == []


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Server(answer(b"{}")).running() as server, Server(answer(b"[]")).running() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.origin)
        assert await Outgoing([server.origin]).get_json(server.origin) == {}
    assert proxy.heads == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate of `idp.example` and its key."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=idp.example"
    names = ["-addext", "subjectAltName=DNS:idp.example"]
    usage = ["-addext", "keyUsage=critical,digitalSignature,keyCertSign"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command.split(), *names, *usage, *files], check=True, capture_output=True)
    return certificate, key


async def test_tls_is_with_the_name_of_the_url_at_the_judged_address(
    certificate: tuple[Path, Path],
) -> None:
    asked_for: list[str | None] = []
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(*certificate)
    serving.sni_callback = lambda _, name, __: asked_for.append(name)
    trusting = ssl.create_default_context(cafile=certificate[0])
    async with Server(answer(b"{}")).running(serving) as server:
        internet = Internet(server.port, dead=["1.1.1.1"])
        names = Names(["1.1.1.1", PUBLIC])
        outgoing = Outgoing(resolver=names, network=internet, tls=trusting)
        assert await outgoing.get_json("https://idp.example./") == {}
        assert asked_for == ["idp.example"]
        assert "Host: idp.example\r\n" in server.heads[0]
        assert internet.connected == [("1.1.1.1", 443), (PUBLIC, 443)]

        wrong_name = await failed(outgoing.get_json("https://other.example/"))
        assert wrong_name.reason == "tls"
        assert "other.example" in wrong_name.detail
        by_default = Outgoing(resolver=names, network=internet)
        untrusted = await failed(by_default.get_json("https://idp.example/"))
        assert (untrusted.reason, untrusted.detail) == ("tls", "self-signed certificate")
    assert len(server.heads) == 1
