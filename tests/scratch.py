"""Databases that a test may break: copies of one migrated template on the run's server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import asyncpg

from scm_api.core import migrate
from scm_api.core.embedded import EmbeddedPostgres
from scm_api.process import Urls

_TEMPLATE = "scratch_template"


@asynccontextmanager
async def scratch_database(
    postgres: EmbeddedPostgres, *, is_migrated: bool = True
) -> AsyncIterator[Urls]:
    """A database of its own, dropped at the end; its URLs look like an operator's, not embedded."""
    name = f"scratch_{uuid4().hex[:12]}"
    admin = await asyncpg.connect(postgres.admin_dsn)
    try:
        if is_migrated:
            await _ensure_template(admin, postgres)
            await admin.execute(f'create database "{name}" template {_TEMPLATE} owner scm_owner')
        else:
            await migrate.create_roles(admin)
            await admin.execute(f'create database "{name}"')
        yield Urls(postgres.dsn("scm_app", name), postgres.dsn("scm_admin", name))
    finally:
        await admin.execute(f'drop database if exists "{name}" with (force)')
        await admin.close()


async def _ensure_template(admin: asyncpg.Connection, postgres: EmbeddedPostgres) -> None:
    if not await admin.fetchval("select true from pg_database where datname = $1", _TEMPLATE):
        await migrate.create_database(postgres.admin_dsn, _TEMPLATE)
        await migrate.upgrade(postgres.dsn("scm_admin", _TEMPLATE))


async def execute(urls: Urls, sql: str) -> None:
    """Run SQL on a scratch database as the superuser."""
    assert urls.admin is not None
    connection = await asyncpg.connect(urls.admin)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()
