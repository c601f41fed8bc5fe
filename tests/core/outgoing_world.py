"""A small world for outgoing calls: names, an internet, and servers that misbehave to order."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import asynccontextmanager

import httpcore
import pytest

from scm_api.core.outgoing import Outgoing, OutgoingFailed, OutgoingRefused

PUBLIC = "8.8.8.8"


class Names:
    """A name server that gives its answers one after the other and counts the questions."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, name: str, port: int) -> list[str]:
        self.asked.append((name, port))
        return self.answers[min(len(self.asked), len(self.answers)) - 1]


class Internet(httpcore.AsyncNetworkBackend):
    """An internet all of whose living addresses lead to one port of this machine."""

    def __init__(self, port: int = 0, dead: Iterable[str] = ()) -> None:
        self.port = port
        self.dead = set(dead)
        self.connected: list[tuple[str, int]] = []

    async def connect_tcp(
        self, host: str, port: int, *rest: object, **options: object
    ) -> httpcore.AsyncNetworkStream:
        self.connected.append((host, port))
        if host in self.dead or not self.port:
            raise httpcore.ConnectError
        return await httpcore.AnyIOBackend().connect_tcp("127.0.0.1", self.port)


class Server:
    """A server of this machine: the heads of the requests it got, and what it answers."""

    def __init__(self, *parts: bytes, pause_seconds: float = 0) -> None:
        self.parts = parts
        self.pause_seconds = pause_seconds
        self.heads: list[str] = []
        self.bodies: list[bytes] = []
        self.port = 0
        self.gone = asyncio.Event()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.heads.append(head)
            length = [x for x in head.lower().splitlines() if x.startswith("content-length:")]
            if length:
                self.bodies.append(await reader.readexactly(int(length[0].split(":")[1])))
            for part in self.parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(self.pause_seconds)
        except (OSError, asyncio.IncompleteReadError):
            self.gone.set()
        finally:
            writer.close()

    @asynccontextmanager
    async def running(self, tls: ssl.SSLContext | None = None) -> AsyncIterator["Server"]:
        listening = await asyncio.start_server(self._answer, "127.0.0.1", 0, ssl=tls)
        self.port = listening.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            listening.close()


def answer(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def refused(outgoing: Outgoing, url: str, **options: object) -> str:
    with pytest.raises(OutgoingRefused) as caught:
        await outgoing.request("GET", url, **options)  # type: ignore[arg-type]
    return caught.value.reason


async def failed(call: Awaitable[object]) -> OutgoingFailed:
    with pytest.raises(OutgoingFailed) as caught:
        await call
    return caught.value
