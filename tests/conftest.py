"""One embedded PostgreSQL and one migrated database a run; a fresh organization a test."""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest
import pytest_asyncio

from scm_api.app import create_app
from scm_api.core.embedded import EmbeddedPostgres
from scm_api.core.observability import configure_logging
from scm_api.core.runtime import Runtime
from scm_api.process import DATABASE, Urls, make_runtime, prepare
from scm_api.settings import Settings
from tests.support import Client, new_client

# Failures show themselves in assertions; tracebacks of refused requests need no colours.
configure_logging("json", "error")


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """The run's PostgreSQL server, fast because not durable."""
    # Not under pytest's own folder: it is closed to the user the server runs as under root.
    folder = Path(tempfile.gettempdir()) / f"scm-tests-{os.getpid()}"
    try:
        with EmbeddedPostgres(folder, durable=False) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def urls(postgres: EmbeddedPostgres) -> Urls:
    """The run's database, migrated once."""
    urls = Urls(postgres.dsn("scm_app", DATABASE), postgres.dsn("scm_admin", DATABASE), postgres)
    await prepare(urls)
    return urls


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def runtime(urls: Urls) -> AsyncIterator[Runtime]:
    """The run's runtime."""
    made = make_runtime(Settings(db_pool_size=20), urls)
    yield made
    await made.database.dispose()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def http(runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    """The application, called in process without a socket and without a key."""
    transport = httpx.ASGITransport(create_app(runtime), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest_asyncio.fixture(loop_scope="session")
async def api(runtime: Runtime, http: httpx.AsyncClient) -> Client:
    """A caller with every permission in an organization of its own."""
    return await new_client(runtime, http)


@pytest_asyncio.fixture(loop_scope="session")
async def other(runtime: Runtime, http: httpx.AsyncClient) -> Client:
    """A caller in another organization."""
    return await new_client(runtime, http)


@pytest_asyncio.fixture(loop_scope="session")
async def admin(urls: Urls) -> AsyncIterator[asyncpg.Connection]:
    """The database as its superuser, who sees all organizations."""
    assert urls.admin is not None
    connection = await asyncpg.connect(urls.admin)
    yield connection
    await connection.close()
