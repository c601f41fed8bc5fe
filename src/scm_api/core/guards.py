"""What stands around the application: request ids, security headers, body limits, the last catch.

Pure ASGI; from the outside in: `RequestId`, metrics and logs, `LastResort`, `RequestDeadline`,
`BodySizeGuard`.
"""

import asyncio
import re
from collections.abc import Callable

import structlog
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scm_api.core.errors import BodyTooLarge, InternalError, Problem, Text, Unavailable
from scm_api.core.ids import uuid7
from scm_api.core.problems import error_response

logger = structlog.get_logger(__name__)

SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"private, no-cache"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")


_SHUTTING_DOWN = Text("the server is shutting down", "服务器正在关闭")
_TOO_LONG = Text("the request took too long and was undone", "请求处理超时,已撤销")


class RequestId:
    """Names each request and gives every answer its security headers.

    The caller's `X-Request-Id` is kept if it is 1 to 128 of `A-Z a-z 0-9 . _ -`, else a new one is
    made. It is echoed, stands in `scope["state"]["request_id"]`, and is bound to all log lines of
    the request together with the ids of a W3C `traceparent`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        context = _context(scope)
        request_id = context["request_id"]
        own_headers = ((b"x-request-id", request_id.encode()), *SECURITY_HEADERS)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = list(message.get("headers", ()))
                names = {name.lower() for name, _ in given}
                given += [header for header in own_headers if header[0] not in names]
                message = {**message, "headers": given}
            await send(message)

        # A copy: what routing writes into the scope (HEAD served as GET) must not reach the
        # server, which leaves out the body of an answer to HEAD by looking at its own scope.
        state = {**scope.get("state", {}), "request_id": request_id}
        inner_scope = {**scope, "state": state}
        structlog.contextvars.clear_contextvars()
        with structlog.contextvars.bound_contextvars(**context):
            await self.app(inner_scope, receive, send_with_headers)


def _context(scope: Scope) -> dict[str, str]:
    """What every log line of a request carries."""
    context = {}
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            context["request_id"] = value.decode()
        elif name == b"traceparent" and (trace := _TRACEPARENT.fullmatch(value)):
            context["trace_id"], context["parent_span_id"] = trace[1].decode(), trace[2].decode()
    return context if "request_id" in context else {"request_id": uuid7().hex, **context}


class LastResort:
    """Turns any exception that escapes the application into a 500 that says nothing about it.

    The log has the traceback; the answer has the request id. When the answer had already begun,
    ending without its end makes the server close the connection, so a client sees the break.
    A request cancelled by the shutdown is answered 503.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False
        # Starlette answers a plain-text 500 and then raises: hold a 500 until the app is done.
        held: list[Message] = []

        async def send_or_hold(message: Message) -> None:
            nonlocal started
            if held or message.get("status") == 500:
                held.append(message)
                return
            started = True
            await send(message)

        try:
            await self.app(scope, receive, send_or_hold)
            for message in held:
                await send(message)
        except asyncio.CancelledError:
            if not started:
                await _refuse(Unavailable(_SHUTTING_DOWN), scope, receive, send)
            raise
        except Exception:
            logger.exception("unhandled_error", response_started=started)
            if not started:
                await _refuse(InternalError(), scope, receive, send)


class RequestDeadline:
    """Cancels a request that takes longer than `seconds`: what it did is rolled back, 503.

    Only our own time counts: it starts over when the body has arrived and with each part of the
    answer that has left, for the client's slowness has deadlines in the server. An answer that had
    begun is broken off. As with any answer that gets lost, a COMMIT already on its way may still
    arrive; sending the request again with its Idempotency-Key tells.
    """

    def __init__(self, app: ASGIApp, seconds: float = 35.0) -> None:
        self.app = app
        self.seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        timed = _Timed(self.seconds, receive, send)
        try:
            await self.app(scope, timed.receive, timed.send)
        except asyncio.CancelledError:
            if not timed.is_expired or timed.task.cancelling() > 1:
                # Somebody else's, such as the shutdown's.
                raise
        finally:
            timed.end()
        if timed.is_expired:
            logger.error("request_too_long", response_started=timed.started)
            if not timed.started:
                await _refuse(Unavailable(_TOO_LONG), scope, receive, send)


class _Timed:
    """One request whose clock stands still while the client is at work.

    The timer is set once and looks again when it was too early: as most requests end before, that
    is cheaper than to move it at every message.
    """

    def __init__(self, seconds: float, receive: Receive, send: Send) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.task, self.loop = task, task.get_loop()
        self.seconds, self._receive, self._send = seconds, receive, send
        self.started = self.is_received = self.is_expired = False
        self.due: float | None = self.loop.time() + seconds
        self.timer = self.loop.call_at(self.due, self._look)

    async def receive(self) -> Message:
        if self.is_received:
            # Waiting for the client to leave, which a streamed answer does beside its work.
            return await self._receive()
        self.due = None
        message = await self._receive()
        self.due = self.loop.time() + self.seconds
        self.is_received = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        self.started = True
        self.due = None
        await self._send(message)
        self.due = self.loop.time() + self.seconds

    def _look(self) -> None:
        if self.due is None or self.loop.time() < self.due:
            self.timer = self.loop.call_at(self.due or self.loop.time() + self.seconds, self._look)
        else:
            self.is_expired = True
            self.task.cancel()

    def end(self) -> None:
        """The application is done: take back what is its own of a cancellation."""
        self.timer.cancel()
        if self.is_expired:
            self.task.uncancel()


class BodySizeGuard:
    """Refuses bodies over a limit with 413, before anything reads, parses or authenticates them.

    A `Content-Length` over the limit is refused unread; a chunked body as soon as the sum of its
    chunks passes the limit. `limits` may give a scope its own limit in bytes. The connection is
    closed, so the rest is never received.
    """

    def __init__(
        self,
        app: ASGIApp,
        default_limit: int = 1_000_000,
        limits: Callable[[Scope], int] | None = None,
    ) -> None:
        self.app = app
        self.default_limit = default_limit
        self.limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = self.limits(scope) if self.limits else self.default_limit
        # The server has checked that the header is one number.
        declared = Headers(scope=scope).get("content-length")
        if declared is not None and int(declared) > limit:
            await _refuse(BodyTooLarge(limit_bytes=limit), scope, receive, send)
            return
        await _Metered(limit, receive, send).run(self.app, scope)


class _Metered:
    """One request whose body is counted while the application reads it."""

    def __init__(self, limit: int, receive: Receive, send: Send) -> None:
        self.limit, self._receive, self._send = limit, receive, send
        self.received = 0
        self.started = False

    async def run(self, app: ASGIApp, scope: Scope) -> None:
        try:
            await app(scope, self.receive, self.send)
        except BodyTooLarge:
            if self.started:
                raise
        if self.received > self.limit and not self.started:
            await _refuse(BodyTooLarge(limit_bytes=self.limit), scope, self._receive, self._send)

    async def receive(self) -> Message:
        if self.received <= self.limit:
            message = await self._receive()
            self.received += len(message.get("body", b""))
        if self.received > self.limit:
            raise BodyTooLarge(limit_bytes=self.limit)
        return message

    async def send(self, message: Message) -> None:
        # Frameworks turn what `receive` raises into answers of their own; ours stands.
        if self.received > self.limit and not self.started:
            return
        self.started = True
        await self._send(message)


async def _refuse(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with a problem and close the connection."""
    problem.headers["Connection"] = "close"
    await error_response(Request(scope), problem)(scope, receive, send)
