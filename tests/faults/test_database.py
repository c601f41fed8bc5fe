"""When the database is busy or gone: 503 as a problem document, and recovery by itself."""

import asyncio
import os
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import httpx
import pytest_asyncio

from scm_api.app import create_app
from scm_api.core.embedded import EmbeddedPostgres
from scm_api.core.runtime import Runtime
from scm_api.process import DATABASE, Urls, make_runtime, prepare
from scm_api.settings import Settings
from tests.support import Client, new_client

TIMEOUT = 1.0


@asynccontextmanager
async def _caller(runtime: Runtime) -> AsyncIterator[Client]:
    transport = httpx.ASGITransport(create_app(runtime), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield await new_client(runtime, client)
    await runtime.database.dispose()


@pytest_asyncio.fixture(loop_scope="session")
async def narrow(urls: Urls) -> AsyncIterator[Client]:
    """A caller of a process with two connections that waits one second for one."""
    settings = Settings(db_pool_size=2, db_pool_timeout_seconds=TIMEOUT, key_cache_seconds=1.0)
    async with _caller(make_runtime(settings, urls)) as client:
        yield client


def _assert_unavailable(response: httpx.Response) -> None:
    assert response.status_code == 503, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["retry-after"] == "1"
    body = response.json()
    assert (body["code"], body["retryable"]) == ("unavailable", True)


async def test_an_exhausted_pool_fails_in_time_and_recovers_at_once(narrow: Client) -> None:
    database = narrow.runtime.database
    assert (await narrow.get("/v1/items")).status_code == 200
    async with database.raw("begin"), database.raw("begin"):
        started = time.monotonic()
        answers = await asyncio.gather(*(narrow.get("/v1/items") for _ in range(20)))
        waited = time.monotonic() - started
    for response in answers:
        _assert_unavailable(response)
    assert TIMEOUT * 0.9 <= waited <= TIMEOUT * 1.2 + 0.5
    started = time.monotonic()
    assert (await narrow.get("/v1/items")).status_code == 200
    assert time.monotonic() - started < 0.1


async def test_a_crowd_larger_than_the_pool_is_served_in_turn(narrow: Client) -> None:
    answers = await asyncio.gather(*(narrow.get("/v1/warehouses") for _ in range(60)))
    assert {response.status_code for response in answers} <= {200, 503}
    assert (await narrow.get("/v1/warehouses")).status_code == 200


async def test_a_statement_that_takes_too_long_is_given_up(api: Client) -> None:
    """Locked rows end in 503 by the role's lock timeout; nothing of the write stays."""
    await api.ok("POST", "/v1/warehouses", json={"code": "WH-1", "name": "Old"})
    runtime = api.runtime
    async with runtime.database.transaction(api.principal(), now=runtime.clock()) as tx:
        await tx.execute("select from warehouse for update")
        response = await api.patch("/v1/warehouses/code=WH-1", {"name": "New"})
    _assert_unavailable(response)
    assert (await api.ok("GET", "/v1/warehouses/code=WH-1"))["name"] == "Old"


async def test_a_key_still_in_use_is_reported_and_not_run_twice(
    api: Client, admin: asyncpg.Connection
) -> None:
    await api.ok("POST", "/v1/warehouses", json={"code": "WH-1", "name": "Here"})
    body = {"code": "WH-2", "name": "There"}
    headers = {"Idempotency-Key": "slow-one"}
    # Somebody holds the table, so the first request stands still after it took its key.
    blocker = admin.transaction()
    await blocker.start()
    await admin.execute("lock table location in share row exclusive mode")
    first = asyncio.create_task(api.post("/v1/warehouses", body, headers=headers))
    await asyncio.sleep(0.5)
    second = asyncio.create_task(api.post("/v1/warehouses", body, headers=headers))
    await asyncio.sleep(4.0)
    await blocker.rollback()
    done, again = await first, await second
    assert done.status_code == 201
    assert again.content == done.content
    assert again.headers["idempotent-replayed"] == "true"

    # Now one that never ends within the lock timeout.
    principal, now = api.principal(), api.runtime.clock()
    async with api.runtime.database.transaction(principal, now=now) as tx:
        await tx.execute(
            """
            insert into idempotency_key (organization_id, principal_id, method, path, key,
                                         fingerprint)
            select organization_id, id, 'POST', '/v1/warehouses', 'stuck', 'x'
            from api_key where organization_id = $1
            """,
            api.organization_id,
        )
        stuck = await api.post(
            "/v1/warehouses", {"code": "WH-3", "name": "x"}, headers={"Idempotency-Key": "stuck"}
        )
    assert stuck.status_code == 409
    assert stuck.json()["code"] == "idempotency_in_progress"
    assert stuck.headers["retry-after"] == "1"
    retried = await api.post(
        "/v1/warehouses", {"code": "WH-3", "name": "x"}, headers={"Idempotency-Key": "stuck"}
    )
    assert retried.status_code == 201


async def test_connections_cut_by_the_server_are_replaced(api: Client, urls: Urls) -> None:
    settings = Settings(db_pool_size=5)
    async with _caller(make_runtime(settings, urls)) as caller:
        await asyncio.gather(*(caller.get("/v1/items") for _ in range(20)))
        assert urls.admin is not None
        connection = await asyncpg.connect(urls.admin)
        pids = [p.get_server_pid() for p in await _drivers(caller.runtime)]
        for pid in pids:
            await connection.execute("select pg_terminate_backend($1)", pid)
        await connection.close()
        answers = [await caller.get("/v1/items") for _ in range(10)]
        for response in answers:
            if response.status_code != 200:
                _assert_unavailable(response)
        assert answers[-1].status_code == 200


async def _drivers(runtime: Runtime) -> list[asyncpg.Connection]:
    """The driver connections of a pool's idle half."""
    held, drivers = [], []
    for _ in range(runtime.settings.db_pool_size):
        connection = await runtime.database.engine.connect()
        held.append(connection)
        drivers.append((await connection.get_raw_connection()).driver_connection)
    for connection in held:
        await connection.close()
    return drivers


async def test_a_database_that_dies_and_returns_needs_no_restart_of_the_api() -> None:
    """kill -9 of PostgreSQL under load: only 2xx and 503, every acknowledged write is there."""
    folder = Path(tempfile.gettempdir()) / f"scm-faults-{os.getpid()}"
    try:
        with EmbeddedPostgres(folder) as server:
            urls = Urls(server.dsn("scm_app", DATABASE), server.dsn("scm_admin", DATABASE), server)
            await prepare(urls)
            settings = Settings(db_pool_size=5, db_pool_timeout_seconds=1.0)
            async with _caller(make_runtime(settings, urls)) as caller:
                await _survive(caller, server)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _survive(caller: Client, server: EmbeddedPostgres) -> None:
    acknowledged: list[str] = []
    stop = asyncio.Event()

    async def write(worker: int) -> None:
        number = 0
        while not stop.is_set():
            code = f"W{worker}-{number}"
            number += 1
            response = await caller.post("/v1/warehouses", {"code": code, "name": code})
            if response.status_code == 201:
                acknowledged.append(code)
            else:
                _assert_unavailable(response)
                await asyncio.sleep(0.02)

    writers = [asyncio.create_task(write(worker)) for worker in range(4)]
    await asyncio.sleep(0.5)
    before = len(acknowledged)
    assert before > 0
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    await asyncio.sleep(0.3)
    _assert_unavailable(await caller.get("/v1/warehouses"))
    await asyncio.to_thread(server.start)
    for _ in range(100):
        await asyncio.sleep(0.05)
        if len(acknowledged) > before + 10:
            break
    stop.set()
    await asyncio.gather(*writers)
    assert len(acknowledged) > before + 10, "the API did not come back by itself"
    stored, cursor = set(), {}
    while True:
        page = await caller.ok("GET", "/v1/warehouses", params={"limit": 500, **cursor})
        stored |= {row["code"] for row in page["data"]}
        if not page["has_more"]:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert set(acknowledged) <= stored
    orphans = stored - set(acknowledged)
    assert len(orphans) <= 4, "a write without an answer may be there, one a caller at most"
