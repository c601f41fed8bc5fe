"""The example world, built once a run, and copies of it."""

from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import httpx
import pytest
import pytest_asyncio

from scm_api.app import create_app
from scm_api.core.runtime import Runtime
from scm_api.process import Urls, make_runtime
from scm_api.settings import Settings
from tests.contract import attacks, world_oidc
from tests.contract import world as example_world
from tests.support import Client
from tests.users import oidc_idp

CopyWorld = Callable[[], Awaitable[Client]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def session_admin(urls: Urls) -> AsyncIterator[asyncpg.Connection]:
    """The database as its superuser, for the whole run."""
    assert urls.admin is not None
    connection = await asyncpg.connect(urls.admin)
    yield connection
    await connection.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def runtime(urls: Urls) -> AsyncIterator[Runtime]:
    """A runtime whose people may log in through an identity provider on this machine."""
    async with oidc_idp.running() as provider:
        made = make_runtime(world_oidc.trusting(Settings(db_pool_size=20), provider), urls)
        yield made
        await made.database.dispose()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def http(runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    """The application of that runtime, called in process without a socket and without a key."""
    transport = httpx.ASGITransport(create_app(runtime), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def template(runtime: Runtime, http: httpx.AsyncClient) -> Client:
    """The example world that copies are taken of; tests only read it."""
    return await example_world.build(runtime, http)


@pytest.fixture
def copy_world(session_admin: asyncpg.Connection, template: Client) -> CopyWorld:
    """Makes a copy of the example world."""
    return lambda: example_world.copy(session_admin, template)


@pytest_asyncio.fixture(loop_scope="session")
async def world(copy_world: CopyWorld) -> Client:
    """A copy of the example world for one test."""
    return await copy_world()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def victim(
    runtime: Runtime, http: httpx.AsyncClient, session_admin: asyncpg.Connection
) -> attacks.Victim:
    """An example world of its own ids, with a mark in every name, which nobody may see or touch."""
    world = await example_world.build(runtime, http, attacks.MARK)
    return await attacks.victim(world, session_admin)
