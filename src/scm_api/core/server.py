"""Serving HTTP with uvicorn so that no slow, silent or malformed client holds a connection.

The rule: a connection always waits for somebody, and waiting for the client has a deadline.
"""

import asyncio
import functools
import inspect
import logging
import os
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any, Literal, cast

from pydantic_core import to_json
from uvicorn.config import Config
from uvicorn.importer import import_from_string
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import Server
from uvicorn.supervisors import Multiprocess

from scm_api.core.errors import Malformed, Problem, Text
from scm_api.core.guards import SECURITY_HEADERS
from scm_api.core.ids import uuid7

logger = logging.getLogger("uvicorn.error")


class RequestTimeout(Problem):
    status, code = 408, "request_timeout"
    retryable = True
    title = Text("Request took too long to arrive", "请求接收超时")
    detail = Text(
        "The request did not arrive within the time allowed.", "未能在规定时间内收到完整请求。"
    )


class HeadersTooLarge(Problem):
    status, code = 431, "headers_too_large"
    title = Text("Request headers too large", "请求头过大")
    detail = Text(
        "Line and headers may have {limit_bytes} bytes.",
        "请求行与请求头上限为 {limit_bytes} 字节。",
    )


@dataclass(frozen=True)
class Deadlines:
    """How long the server waits for a client, in seconds, and the most it takes meanwhile.

    A body may take `body_seconds` plus the time its bytes need at `body_bytes_per_second`, so that
    a large upload over a slow line succeeds and one byte now and then does not.
    """

    header_seconds: float = 5.0
    body_idle_seconds: float = 10.0
    body_seconds: float = 30.0
    body_bytes_per_second: float = 100_000.0
    keep_alive_seconds: float = 10.0
    write_seconds: float = 60.0
    close_seconds: float = 2.0
    header_bytes: int = 65_536
    # After the grace period of a shutdown, until the process ends whatever still runs.
    exit_seconds: float | None = None

    @property
    def tick_seconds(self) -> float:
        """How often each connection looks at its deadline."""
        return min(1.0, self.header_seconds / 4, self.body_idle_seconds / 4, self.close_seconds)


Phase = Literal["idle", "head", "body", "complete"]


class DeadlineProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, with deadlines; `phase` says how much of a request has arrived."""

    def __init__(self, *, deadlines: Deadlines = Deadlines(), **options: Any) -> None:
        super().__init__(**options)
        self.deadlines = deadlines
        # uvicorn's own keep-alive timer restarts with every stray byte; ours does not.
        self.timeout_keep_alive = 86_400
        self.phase: Phase = "head"
        self.deadline: float | None = None
        self.body_deadline = 0.0
        self.write_deadline: float | None = None
        self.silent_bytes = 0
        self.ticker: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast(asyncio.Transport, transport))
        self.deadline = self.loop.time() + self.deadlines.header_seconds
        self._tick()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.ticker is not None:
            self.ticker.cancel()
        super().connection_lost(exc)

    # What arrives

    def data_received(self, data: bytes) -> None:
        self.silent_bytes += len(data)
        super().data_received(data)
        if self.phase in {"head", "body"} and self.silent_bytes > self.deadlines.header_bytes:
            self._refuse(HeadersTooLarge(limit_bytes=self.deadlines.header_bytes))

    def on_message_begin(self) -> None:
        if self.phase != "head":
            # The first request's head is due from the opening of the connection.
            self.deadline = self.loop.time() + self.deadlines.header_seconds
        self.phase = "head"
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        # What comes after the body (trailers) must not change headers already acted upon.
        if self.phase == "head":
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        now = self.loop.time()
        self.phase = "body"
        self.silent_bytes = 0
        self.body_deadline = now + self.deadlines.body_seconds
        self.deadline = now + self.deadlines.body_idle_seconds

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        self.silent_bytes = 0
        self.body_deadline += len(body) / self.deadlines.body_bytes_per_second
        self.deadline = min(self.loop.time() + self.deadlines.body_idle_seconds, self.body_deadline)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self.phase = "complete"
        self.deadline = None
        self._rest()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._rest()

    def _rest(self) -> None:
        if self.phase == "complete" and self.cycle.response_complete:
            self.phase = "idle"
            self.deadline = self.loop.time() + self.deadlines.keep_alive_seconds

    # What leaves

    def pause_writing(self) -> None:
        super().pause_writing()
        self.write_deadline = self.loop.time() + self.deadlines.write_seconds

    def resume_writing(self) -> None:
        super().resume_writing()
        self.write_deadline = None

    # Deadlines

    def _tick(self) -> None:
        now = self.loop.time()
        pause = self.deadlines.tick_seconds
        if self.transport.is_closing() or (self.write_deadline and now >= self.write_deadline):
            # Closing waits for unsent data; a client that does not read must not say how long.
            if self.write_deadline is None:
                self.write_deadline = now + self.deadlines.close_seconds
            if now >= self.write_deadline:
                self.transport.abort()
        elif self.deadline is not None and now >= self.deadline:
            self._expire(now)
        self.ticker = self.loop.call_later(pause, self._tick)

    def _expire(self, now: float) -> None:
        if self._waits_for_us():
            self.deadline = now + self.deadlines.header_seconds
            self.body_deadline = now + self.deadlines.body_seconds
        elif self.phase == "body" or (self.phase == "head" and self.silent_bytes):
            self._refuse(RequestTimeout())
        else:
            self.transport.close()

    def _waits_for_us(self) -> bool:
        """Whether the client cannot go on: we do not read, have not said 100 Continue, or still
        serve an earlier request."""
        if self.flow.read_paused or self.pipeline:
            return True
        return self._is_serving() and (self.phase == "head" or self.cycle.waiting_for_100_continue)

    def _is_serving(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    # Refusals of what never becomes a request

    def send_400_response(self, msg: str) -> None:
        self._refuse(Malformed(reason="this is not an HTTP request we can read"))

    def _unsupported_upgrade_warning(self) -> None:
        """Nothing to warn about: an upgrade is an offer, and we decline it by answering."""

    def _refuse(self, problem: Problem) -> None:
        if self.transport.is_closing():
            return
        if not (self.cycle is not None and self.cycle.response_started and self._is_serving()):
            request_id = uuid7().hex
            body = to_json(problem.body("en", "", request_id))
            headers = (
                *self.server_state.default_headers,
                (b"content-type", b"application/problem+json"),
                (b"content-language", b"en"),
                (b"content-length", str(len(body)).encode()),
                (b"connection", b"close"),
                (b"x-request-id", request_id.encode()),
                *SECURITY_HEADERS,
            )
            lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
            self.transport.write(STATUS_LINE[problem.status] + lines + b"\r\n" + body)
        self.transport.close()

    # Shutdown

    def shutdown(self) -> None:
        super().shutdown()
        if self._is_serving() and self.deadlines.exit_seconds is not None:
            grace = self.config.timeout_graceful_shutdown or 0
            _exit_after(grace + self.deadlines.exit_seconds)


_exit_timers: list[threading.Timer] = []


def _exit_after(seconds: float) -> None:
    """End the process by then, even if a request can be neither finished nor cancelled."""
    if _exit_timers:
        return

    def end() -> None:
        logger.error("A request outlived the shutdown; the process ends without it.")
        logging.shutdown()
        os._exit(128 + 15)  # as the shell reports an end by SIGTERM

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    _exit_timers.append(timer)


def _call_off_exit() -> None:
    """The requests have ended: what the caller puts down now takes its own time."""
    while _exit_timers:
        _exit_timers.pop().cancel()


class PunctualServer(Server):
    """uvicorn's server, whose last moment is set when the signal comes: a loop too busy to notice
    the signal must not put it off."""

    exit_seconds: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.exit_seconds is not None:
            _exit_after((self.config.timeout_graceful_shutdown or 0) + self.exit_seconds)
        super().handle_exit(sig, frame)


def configure(
    app: str | Callable[..., Any],
    host: str = "127.0.0.1",
    port: int = 8000,
    *,
    workers: int = 1,
    log_config: dict[str, Any] | None = None,
    timeout_graceful_shutdown: int = 8,
    deadlines: Deadlines = Deadlines(),
) -> Config:
    """uvicorn's configuration for our protocol; see `run`."""
    return Config(
        app,
        host,
        port,
        workers=workers,
        factory=_is_factory(app),
        loop="uvloop",
        http=cast(type[asyncio.Protocol], functools.partial(DeadlineProtocol, deadlines=deadlines)),
        ws="none",
        lifespan="on",
        log_config=log_config,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=timeout_graceful_shutdown,
    )


def run(
    app: str | Callable[..., Any],
    host: str,
    port: int,
    *,
    workers: int = 1,
    log_config: dict[str, Any] | None = None,
    timeout_graceful_shutdown: int = 8,
    sockets: list[socket.socket] | None = None,
    deadlines: Deadlines = Deadlines(exit_seconds=1.2),
) -> None:
    """Serve until SIGINT or SIGTERM; then finish what runs within `timeout_graceful_shutdown` s.

    `app` is an ASGI application, a function without arguments that makes one, or the import path
    (`package.module:name`) of either; several workers need a path or an importable function.
    `log_config` is a `logging.config` dictionary, applied in every worker; None leaves logging as
    it is. `sockets` are bound sockets to use instead of `host` and `port`.

    Raises `SystemExit(3)` when the application fails to start.
    """
    config = configure(
        app,
        host,
        port,
        workers=workers,
        log_config=log_config,
        timeout_graceful_shutdown=timeout_graceful_shutdown,
        deadlines=deadlines,
    )
    if workers > 1:
        Multiprocess(config, sockets=sockets or [config.bind_socket()]).run()
        return
    server = PunctualServer(config)
    server.exit_seconds = deadlines.exit_seconds
    try:
        server.run(sockets)
    finally:
        _call_off_exit()


def _is_factory(app: str | Callable[..., Any]) -> bool:
    target = import_from_string(app) if isinstance(app, str) else app
    try:
        inspect.signature(target).bind()
    except TypeError:
        return False
    return True
