"""What an outgoing call may cost, sends, accepts for an answer, and keeps to itself."""

import asyncio
import json
import logging
import time

import pytest

from scm_api.core.outgoing import Outgoing, OutgoingRefused
from tests.core.outgoing_world import PUBLIC, Internet, Names, Server, answer, failed, refused


@pytest.mark.parametrize(
    "start", [b"", b"HTTP/1.1 200 OK\r\nX-A: ", b"HTTP/1.1 200 OK\r\n\r\n"], ids=len
)
async def test_a_server_that_drips_is_cut_at_the_total_time(start: bytes) -> None:
    async with Server(start, *[b"a"] * 100, pause_seconds=0.05).running() as server:
        began = time.monotonic()
        call = Outgoing([server.origin], total_seconds=0.4).get_json(server.origin)
        assert (await failed(call)).reason == "timeout"
        assert time.monotonic() - began < 1.5


async def test_a_name_that_resolves_slowly_is_cut_at_the_total_time() -> None:
    async def slow(name: str, port: int) -> list[str]:
        await asyncio.sleep(60)
        return [PUBLIC]

    outgoing = Outgoing(resolver=slow, total_seconds=0.2)
    assert (await failed(outgoing.check("https://idp.example/"))).reason == "timeout"


async def test_a_large_body_is_cut_and_the_rest_is_not_read() -> None:
    endless = Server(b"HTTP/1.1 200 OK\r\n\r\n", *[b"x" * 65_536] * 1_000)
    async with endless.running() as server:
        outgoing = Outgoing([server.origin], max_body_bytes=1_000)
        got = await outgoing.request("GET", server.origin)
        assert (got.body, got.truncated) == (b"x" * 1_000, True)
        await asyncio.wait_for(endless.gone.wait(), 5)
        assert (await failed(outgoing.get_json(server.origin))).reason == "too_large"
    async with Server(answer(b"x" * 1_000)).running() as server:
        got = await Outgoing([server.origin], max_body_bytes=1_000).request("GET", server.origin)
        assert (len(got.body), got.truncated) == (1_000, False)


async def test_compression_is_not_asked_for_and_never_undone() -> None:
    packed = answer(b"\x1f\x8b\x08", "200 OK", "Content-Encoding: gzip")
    async with Server(packed).running() as server:
        outgoing = Outgoing([server.origin])
        assert (await outgoing.request("GET", server.origin)).body == b"\x1f\x8b\x08"
        assert "Accept-Encoding: identity\r\n" in server.heads[0]
        assert (await failed(outgoing.get_json(server.origin))).reason == "not_json"


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b"[" * 50_000, b'{"a":1,"a":2}', b"\xff"])
async def test_what_is_no_json_object_fails(body: bytes) -> None:
    async with Server(answer(body)).running() as server:
        call = Outgoing([server.origin]).get_json(server.origin)
        assert (await failed(call)).reason == "not_json"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "protocol"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", "protocol"),
        (b"HTTP/1.1 200 OK\r\n" + b"X-A: a\r\n" * 20_000 + b"\r\n", "protocol"),
        (b"", "protocol"),
    ],
)
async def test_what_is_no_http_fails(said: bytes, reason: str) -> None:
    async with Server(said).running() as server:
        call = Outgoing([server.origin]).get_json(server.origin)
        assert (await failed(call)).reason == reason


async def test_a_body_is_sent_as_it_is_with_the_callers_headers() -> None:
    async with Server(answer(b"", "204 No Content")).running() as server:
        got = await Outgoing([server.origin]).request(
            "POST", server.origin, headers={"X-Signature": "abc"}, content=b'{"n":1}'
        )
    assert (got.status, server.bodies) == (204, [b'{"n":1}'])
    assert "X-Signature: abc\r\n" in server.heads[0]


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "inner"},
        {"transfer-encoding": "chunked"},
        {"Accept-Encoding": "gzip"},
        {"X-A": "a\r\nHost: inner"},
        {"X-A": "a\x00"},
        {"X-A": "ä"},
        {"X A": "a"},
        {"X-A:": "a"},
    ],
)
async def test_headers_that_change_the_call_are_refused(headers: dict[str, str]) -> None:
    outgoing = Outgoing(resolver=Names([PUBLIC]), network=Internet())
    assert await refused(outgoing, "https://idp.example/", headers=headers) == "header"


async def test_secrets_stand_in_no_log_and_in_no_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "s3cr3t"
    headers = {"Authorization": f"Bearer {secret}"}
    said = json.dumps({"access_token": secret}).encode()
    async with Server(answer(said)).running() as server:
        outgoing = Outgoing([server.origin])
        got = await outgoing.request("GET", f"{server.origin}/?code={secret}", headers=headers)
        errors = [await failed(outgoing.get_json("https://x.invalid/?code=" + secret))]
    for bad in (f"https://u:{secret}@x/", f"https://x:1/{secret}", f"https://{secret}..x/"):
        with pytest.raises(OutgoingRefused) as caught:
            await outgoing.check(bad)
        errors.append(caught.value)  # type: ignore[arg-type]
    assert secret.encode() in got.body
    assert secret in server.heads[0]
    assert secret not in caplog.text + repr(got) + "".join(map(repr, errors))
