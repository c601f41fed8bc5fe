"""The probes and gauges: what is late shows, and only what stops this process takes it out."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import httpx
import pytest
import pytest_asyncio

from scm_api.app import create_app
from scm_api.core.embedded import EmbeddedPostgres
from scm_api.process import Urls, make_runtime
from scm_api.settings import Settings
from scm_api.system import health
from tests.scratch import execute, scratch_database
from tests.support import Client, new_client

WAITING = "insert into pgqueuer (priority, status, entrypoint) values (0, 'queued', 'scm_job')"
WELL = {"database": "ok", "migrations": "ok", "queue": "ok", "feed": "ok"}


@pytest_asyncio.fixture(loop_scope="session")
async def place(postgres: EmbeddedPostgres) -> AsyncIterator[tuple[Urls, Client]]:
    """An application over a database of its own."""
    async with scratch_database(postgres) as urls:
        runtime = make_runtime(Settings(), urls)
        transport = httpx.ASGITransport(create_app(runtime), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
            yield urls, await new_client(runtime, http)
        await runtime.database.dispose()


async def test_a_database_with_nothing_waiting_is_ok(place: tuple[Urls, Client]) -> None:
    answer = await place[1].http.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    assert answer.json()["checks"] == WELL
    assert answer.json()["queue"] == {"waiting": 0, "oldest_seconds": 0}


async def test_waiting_jobs_are_counted_and_aged(place: tuple[Urls, Client]) -> None:
    urls, api = place
    await execute(urls, WAITING)
    await execute(urls, WAITING)
    shown = (await api.http.get("/readyz")).json()
    assert (shown["status"], shown["queue"]["waiting"]) == ("ok", 2)
    await execute(urls, "update pgqueuer set execute_after = now() - interval '6 minutes'")
    late = await api.http.get("/readyz")
    assert (late.status_code, late.json()["status"]) == (200, "degraded")
    assert late.json()["checks"]["queue"].startswith("jobs wait too long")
    assert late.json()["queue"]["oldest_seconds"] >= 360


async def test_a_job_for_later_does_not_wait(place: tuple[Urls, Client]) -> None:
    urls, api = place
    await execute(urls, WAITING)
    await execute(urls, "update pgqueuer set execute_after = now() + interval '1 day'")
    assert (await api.http.get("/readyz")).json()["queue"]["oldest_seconds"] == 0


async def test_the_oldest_open_transaction_is_the_lag_of_the_feed(
    place: tuple[Urls, Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    urls, api = place
    monkeypatch.setattr(health, "LATE_SECONDS", 0.2)
    writer = await asyncpg.connect(urls.app)
    try:
        async with writer.transaction():
            await writer.execute("select pg_current_xact_id()")
            await asyncio.sleep(0.3)
            shown = (await api.http.get("/readyz")).json()
    finally:
        await writer.close()
    assert shown["feed"]["lag_seconds"] >= 0.3
    assert shown["checks"]["feed"] == "an old transaction holds the feed back"
    assert shown["status"] == "degraded"


async def test_a_database_of_another_revision_is_unavailable(place: tuple[Urls, Client]) -> None:
    urls, api = place
    await execute(urls, "update alembic_version set version_num = '0000'")
    answer = await api.http.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (503, "unavailable")
    assert answer.headers["retry-after"] == "1"
    assert answer.json()["checks"]["migrations"].startswith("database is at 0000")


async def test_metrics_show_what_waits_now(place: tuple[Urls, Client]) -> None:
    urls, api = place
    for _ in range(3):
        await execute(urls, WAITING)
    lines = (await api.get("/metrics")).text.splitlines()
    assert "scm_queue_waiting 3.0" in lines
    assert any(line.startswith("scm_feed_lag_seconds ") for line in lines)
