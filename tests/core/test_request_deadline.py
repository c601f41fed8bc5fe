"""No request runs for ever, and one that is cancelled leaves nothing behind."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import asyncpg
import httpx
import pytest
import pytest_asyncio
import structlog
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scm_api.core.db import Database
from scm_api.core.guards import LastResort, RequestDeadline, RequestId
from scm_api.process import Urls
from tests.support import Client

SECONDS = 0.2
SCOPE: Scope = {
    "type": "http",
    "method": "POST",
    "path": "/",
    "query_string": b"",
    "server": ("testserver", 80),
    "scheme": "http",
    "headers": [],
    "state": {},
}
App = Callable[[Receive, Send], Awaitable[None]]


def client_of(app: ASGIApp, seconds: float = SECONDS) -> httpx.AsyncClient:
    guarded = RequestId(LastResort(RequestDeadline(app, seconds)))
    transport = httpx.ASGITransport(guarded, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://testserver")


async def exchange(app: App, *chunks: bytes, pause: float = 0.0) -> list[Message]:
    """What a raw application answers to a body that comes in chunks, with a pause before each."""
    sent: list[Message] = []
    pending = list(chunks)

    async def receive() -> Message:
        if not pending:
            await asyncio.Event().wait()
        await asyncio.sleep(pause)
        body = pending.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(pending)}

    async def send(message: Message) -> None:
        await asyncio.sleep(pause)
        sent.append(message)

    async def raw(scope: Scope, receive: Receive, send: Send) -> None:
        await app(receive, send)

    await RequestId(LastResort(RequestDeadline(raw, SECONDS)))(SCOPE, receive, send)
    return sent


async def answer(send: Send, *parts: bytes) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for part in parts:
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def body_of(messages: list[Message]) -> bytes:
    return b"".join(message.get("body", b"") for message in messages)


async def test_a_request_that_takes_too_long_is_told_to_retry() -> None:
    app = FastAPI()

    @app.get("/")
    async def slow() -> None:
        await asyncio.sleep(60)

    with structlog.testing.capture_logs() as logs:
        async with client_of(app) as client:
            refused = await client.get("/", headers={"Accept-Language": "zh-CN"})
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "1"
    problem = refused.json()
    assert (problem["code"], problem["retryable"]) == ("unavailable", True)
    assert "超时" in problem["detail"]
    assert problem["request_id"] == refused.headers["x-request-id"]
    assert [line["event"] for line in logs] == ["request_too_long"]


async def test_the_time_the_client_takes_for_its_body_is_not_counted() -> None:
    async def echo(receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message["body"], message["more_body"]
        await answer(send, body)

    sent = await exchange(echo, b"a", b"b", b"c", pause=SECONDS * 0.7)
    assert (sent[0]["status"], body_of(sent)) == (200, b"abc")


async def test_the_time_after_the_body_is_counted() -> None:
    async def slow(receive: Receive, send: Send) -> None:
        await receive()
        await asyncio.sleep(SECONDS * 2)
        await answer(send)

    sent = await exchange(slow, b"a")
    assert sent[0]["status"] == 503


async def test_an_answer_that_goes_on_may_take_its_time() -> None:
    async def long(receive: Receive, send: Send) -> None:
        await receive()
        await answer(send, *[b"part"] * 5)

    sent = await exchange(long, b"", pause=SECONDS * 0.6)
    assert body_of(sent) == b"part" * 5


async def test_an_answer_that_stands_still_is_broken_off() -> None:
    app = FastAPI()

    @app.get("/")
    async def half() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"half"
            await asyncio.sleep(60)

        return StreamingResponse(parts())

    sent: list[Message] = []

    pending: list[Message] = [{"type": "http.request", "body": b""}]

    async def receive() -> Message:
        if not pending:
            await asyncio.Event().wait()
        return pending.pop()

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {**SCOPE, "method": "GET", "asgi": {"spec_version": "2.3"}}
    await asyncio.wait_for(LastResort(RequestDeadline(app, SECONDS))(scope, receive, send), 5)
    assert [message.get("more_body") for message in sent] == [None, True]


async def test_a_time_out_of_the_applications_own_is_not_the_deadline() -> None:
    app = FastAPI()

    @app.get("/")
    async def own() -> None:
        raise TimeoutError

    async with client_of(app, 60) as client:
        assert (await client.get("/")).status_code == 500


async def test_a_shutdown_still_cancels() -> None:
    async def hung(receive: Receive, send: Send) -> None:
        await asyncio.sleep(60)

    task = asyncio.create_task(exchange(hung, b""))
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest_asyncio.fixture(loop_scope="session")
async def small(urls: Urls) -> AsyncIterator[Database]:
    """A pool of three connections."""
    database = Database(urls.app, pool_size=3, pool_timeout=2)
    yield database
    await database.dispose()


async def check_intact(database: Database, api: Client, admin: asyncpg.Connection) -> None:
    """Every connection of the pool opens a transaction of its own and sees its organization."""

    async def look() -> str:
        async with database.transaction(api.principal(), now=api.runtime.clock()) as tx:
            await tx.fetchval("select pg_sleep(0.05)")
            return str(await tx.fetchval("select count(*) from organization"))

    assert await asyncio.gather(*(look() for _ in range(6))) == ["1"] * 6
    assert database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    assert await left_behind(admin) == 0


async def left_behind(admin: asyncpg.Connection) -> int:
    """Sessions that still sleep or stand in a transaction, once they had time to end."""
    found = 0
    for _ in range(50):
        found = await admin.fetchval(
            """
            select count(*) from pg_stat_activity
            where usename = 'scm_app' and (state like 'idle in transaction%'
              or query like '%pg_sleep(30)%' and state = 'active')
            """
        )
        if not found:
            break
        await asyncio.sleep(0.1)
    return found


async def test_what_a_cancelled_request_did_is_undone_and_its_connection_is_free(
    small: Database, api: Client, admin: asyncpg.Connection
) -> None:
    app = FastAPI()
    code = f"late-{api.organization_id.hex[:8]}"

    @app.post("/{where}")
    async def write(where: str) -> None:
        async with small.transaction(api.principal(), now=api.runtime.clock()) as tx:
            await tx.execute("update organization set name = $1", code)
            if where == "database":
                await tx.execute("select pg_sleep(30)")
            await asyncio.sleep(30)

    async with client_of(app, 0.4) as client:
        where = ["/database", "/python"] * 6
        answers = await asyncio.gather(*(client.post(path) for path in where))
    assert {a.status_code for a in answers} == {503}
    await check_intact(small, api, admin)
    stored = "select name from organization where id = $1"
    assert await admin.fetchval(stored, api.organization_id) == "Test company"


async def test_a_request_may_be_cancelled_at_any_moment(
    small: Database, api: Client, admin: asyncpg.Connection
) -> None:
    """Also while its transaction begins or its connection goes back to the pool."""
    dice = random.Random(7)

    async def work() -> None:
        async with small.transaction(api.principal(), now=api.runtime.clock()) as tx:
            await tx.fetchval("select 1")

    for _ in range(150):
        with suppress(TimeoutError):
            async with asyncio.timeout(dice.uniform(0, 0.004)):
                await work()
    await check_intact(small, api, admin)
    await asyncio.gather(*(work() for _ in range(9)))


async def test_a_cancelled_transaction_leaves_none_of_its_settings_to_the_next(
    urls: Urls, api: Client
) -> None:
    """Else the next caller on that connection would see what only the process may see."""
    database = Database(urls.app, pool_size=1, pool_timeout=5)
    heir = api.principal()

    async def work() -> None:
        async with database.system() as driver:
            await driver.fetchval("select 1")

    inherited = []
    for steps in range(200):
        task = asyncio.create_task(work())
        for _ in range(steps % 25):
            await asyncio.sleep(0.0001 * (steps % 2))
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        async with database.transaction(heir, now=api.runtime.clock()) as tx:
            inherited.append(await tx.fetchval("select current_setting('app.system', true)"))
    await database.dispose()
    assert set(inherited) <= {"", None}


async def test_an_application_that_answers_when_cancelled_is_believed() -> None:
    async def stubborn(receive: Receive, send: Send) -> None:
        await receive()
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        await answer(send, b"after all")

    sent = await exchange(stubborn, b"")
    assert body_of(sent) == b"after all"
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
