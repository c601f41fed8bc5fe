"""The guards around the application, called as the server calls them."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import structlog
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scm_api.core.guards import BodySizeGuard, LastResort, RequestId


def client_of(app: ASGIApp) -> httpx.AsyncClient:
    guarded = RequestId(LastResort(BodySizeGuard(app, default_limit=1_000)))
    transport = httpx.ASGITransport(guarded, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://testserver")


@pytest.fixture
def app() -> FastAPI:
    app = FastAPI()

    @app.post("/echo")
    async def echo(body: dict[str, Any]) -> int:
        return len(body)

    @app.get("/who")
    async def who(request: Request) -> dict[str, Any]:
        bound = structlog.contextvars.get_contextvars()
        return {"state": request.state.request_id, "bound": bound}

    @app.get("/boom")
    async def boom() -> None:
        raise RuntimeError("the secret is swordfish")

    @app.get("/own-500")
    async def own_500() -> JSONResponse:
        return JSONResponse({"code": "mine"}, 500)

    @app.get("/half")
    async def half() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"first half"
            raise RuntimeError("no second half")

        return StreamingResponse(parts())

    @app.get("/own-headers")
    async def own_headers() -> StreamingResponse:
        headers = {"Cache-Control": "public, max-age=60", "Content-Security-Policy": "x"}
        return StreamingResponse(iter([b""]), headers=headers)

    return app


async def test_a_good_request_id_is_kept_and_bound_everywhere(app: FastAPI) -> None:
    async with client_of(app) as client:
        answer = await client.get("/who", headers={"X-Request-Id": "order-7.retry_2"})
    assert answer.headers["x-request-id"] == "order-7.retry_2"
    assert answer.json()["state"] == "order-7.retry_2"
    assert answer.json()["bound"] == {"request_id": "order-7.retry_2"}


@pytest.mark.parametrize("bad", ["", "x" * 129, "a b", "a\tb", "<script>", "名"])
async def test_a_bad_request_id_is_replaced_by_a_uuid7(app: FastAPI, bad: str) -> None:
    async with client_of(app) as client:
        answer = await client.get("/who", headers=[(b"X-Request-Id", bad.encode())])
    request_id = answer.headers["x-request-id"]
    assert len(request_id) == 32
    assert request_id[12] == "7"
    assert answer.json()["state"] == request_id


async def test_the_trace_is_bound_to_the_logs(app: FastAPI) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with client_of(app) as client:
        bound = (await client.get("/who", headers={"traceparent": trace})).json()["bound"]
        junk = (await client.get("/who", headers={"traceparent": "00-x"})).json()["bound"]
    assert bound["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert bound["parent_span_id"] == "b7ad6b7169203331"
    assert set(junk) == {"request_id"}


async def test_nothing_stays_bound_after_the_request(app: FastAPI) -> None:
    async with client_of(app) as client:
        await client.get("/who")
    assert "request_id" not in structlog.contextvars.get_contextvars()


@pytest.mark.parametrize("path", ["/who", "/boom", "/missing"])
async def test_every_answer_has_the_security_headers(app: FastAPI, path: str) -> None:
    async with client_of(app) as client:
        headers = (await client.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "private, no-cache"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"


async def test_an_answer_may_set_its_own_headers(app: FastAPI) -> None:
    async with client_of(app) as client:
        headers = (await client.get("/own-headers")).headers
    assert headers.get_list("cache-control") == ["public, max-age=60"]
    assert headers.get_list("content-security-policy") == ["x"]


async def test_an_unforeseen_error_becomes_a_500_without_echo(app: FastAPI) -> None:
    with structlog.testing.capture_logs() as logs:
        async with client_of(app) as client:
            answer = await client.get("/boom", headers={"Accept-Language": "zh-CN"})
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["content-language"] == "zh-CN"
    problem = answer.json()
    assert problem["type"] == "https://scm-api.dev/problems/internal-error"
    assert problem["code"] == "internal_error"
    assert problem["title"] == "内部错误"
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert "swordfish" not in answer.text
    assert [line["event"] for line in logs] == ["unhandled_error"]
    assert logs[0]["exc_info"]


async def test_a_500_of_the_applications_own_passes(app: FastAPI) -> None:
    async with client_of(app) as client:
        answer = await client.get("/own-500")
    assert (answer.status_code, answer.json()) == (500, {"code": "mine"})


async def test_an_error_after_the_start_ends_the_answer_unfinished(app: FastAPI) -> None:
    messages = await exchange(RequestId(LastResort(app)), path="/half")
    assert messages[0]["status"] == 200
    assert messages[-1]["more_body"] is True


async def test_a_request_cancelled_by_the_shutdown_is_told_to_retry() -> None:
    async def hung(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(60)

    messages: list[Message] = []
    task = asyncio.create_task(exchange(RequestId(LastResort(hung)), messages=messages))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert messages[0]["status"] == 503
    assert (b"retry-after", b"1") in messages[0]["headers"]
    assert json.loads(messages[1]["body"])["retryable"] is True


async def exchange(
    app: ASGIApp,
    *,
    path: str = "/",
    headers: tuple[tuple[bytes, bytes], ...] = (),
    chunks: tuple[bytes, ...] = (),
    messages: list[Message] | None = None,
    reads: list[int] | None = None,
) -> list[Message]:
    """What an app sends for one raw request; `reads` collects the sizes of the chunks it took."""
    sent: list[Message] = [] if messages is None else messages
    pending = list(chunks) or [b""]

    async def receive() -> Message:
        if not pending:
            await asyncio.Event().wait()
        body = pending.pop(0)
        if reads is not None:
            reads.append(len(body))
        return {"type": "http.request", "body": body, "more_body": bool(pending)}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {
        "type": "http",
        "method": "POST" if chunks else "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "server": ("testserver", 80),
        "headers": list(headers),
        "state": {},
    }
    await app(scope, receive, send)
    return sent


JSON = (b"content-type", b"application/json")


async def test_a_body_declared_too_large_is_refused_unread(app: FastAPI) -> None:
    reads: list[int] = []
    guarded = RequestId(BodySizeGuard(app, default_limit=10))
    messages = await exchange(
        guarded,
        path="/echo",
        headers=(JSON, (b"content-length", b"11")),
        chunks=(b" " * 11,),
        reads=reads,
    )
    assert reads == []
    assert messages[0]["status"] == 413
    assert (b"connection", b"close") in messages[0]["headers"]
    problem = json.loads(messages[1]["body"])
    assert problem["code"] == "body_too_large"
    assert problem["limit_bytes"] == 10
    assert problem["instance"] == "/echo"


async def test_a_chunked_body_is_refused_once_it_passes_the_limit(app: FastAPI) -> None:
    reads: list[int] = []
    guarded = RequestId(BodySizeGuard(app, default_limit=10))
    chunks = (b"    ", b"    ", b"    ", b"    ", b"    ")
    messages = await exchange(guarded, path="/echo", headers=(JSON,), chunks=chunks, reads=reads)
    assert reads == [4, 4, 4]
    assert [m.get("status") for m in messages] == [413, None]
    assert messages[0]["headers"].count((b"connection", b"close")) == 1


async def test_a_body_of_exactly_the_limit_passes(app: FastAPI) -> None:
    guarded = RequestId(BodySizeGuard(app, default_limit=10))
    for headers in ((JSON,), (JSON, (b"content-length", b"10"))):
        messages = await exchange(
            guarded, path="/echo", headers=headers, chunks=(b'{"a":', b"   1}")
        )
        assert messages[0]["status"] == 200
        assert messages[1]["body"] == b"1"


async def test_a_path_may_have_its_own_limit(app: FastAPI) -> None:
    guarded = BodySizeGuard(
        app, default_limit=5, limits=lambda scope: 50 if scope["path"] == "/echo" else 5
    )
    body = b'{"a": 1}'
    declared = (JSON, (b"content-length", b"8"))
    messages = await exchange(RequestId(guarded), path="/echo", headers=declared, chunks=(body,))
    assert messages[0]["status"] == 200
    messages = await exchange(RequestId(guarded), path="/who", headers=declared, chunks=(body,))
    assert messages[0]["status"] == 413


async def test_the_servers_scope_is_left_alone() -> None:
    async def head_as_get(scope: Scope, receive: Receive, send: Send) -> None:
        scope["method"] = "GET"
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    scope: Scope = {"type": "http", "method": "HEAD", "path": "/", "headers": [], "state": {}}

    async def nothing(*_: Any) -> Any:
        return {}

    await RequestId(head_as_get)(scope, nothing, nothing)
    assert scope["method"] == "HEAD"
    assert "request_id" not in scope["state"]
