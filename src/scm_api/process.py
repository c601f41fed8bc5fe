"""Putting a process together: which database, migrated how, and the runtime over it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import asyncpg
from sqlalchemy.engine import make_url

from scm_api.access.activity import is_active
from scm_api.access.authentication import authenticate, principals
from scm_api.core import migrate
from scm_api.core.db import Database
from scm_api.core.embedded import EmbeddedPostgres, default_data_dir
from scm_api.core.runtime import Runtime
from scm_api.settings import Settings

DATABASE = "scm"


@dataclass(frozen=True)
class Urls:
    """How to reach one database: as the application, and as somebody who may migrate it."""

    app: str
    admin: str | None
    embedded: EmbeddedPostgres | None = None


@contextmanager
def database_urls(settings: Settings) -> Iterator[Urls]:
    """The database the settings name; without one, the embedded server, running meanwhile."""
    if settings.database_url is not None:
        yield Urls(settings.database_url, settings.migration_database_url)
        return
    server = EmbeddedPostgres(settings.data_dir or default_data_dir(), durable=settings.durable)
    with server:
        yield Urls(server.dsn("scm_app", DATABASE), server.dsn("scm_admin", DATABASE), server)


async def prepare(urls: Urls) -> None:
    """Create the embedded database where it is missing, and migrate to head as far as we may."""
    if urls.embedded is not None:
        await migrate.create_database(urls.embedded.admin_dsn, DATABASE)
    elif urls.admin is not None:
        await _make_roles(urls.admin, urls.app)
    if urls.admin is not None:
        await migrate.upgrade(urls.admin)


async def _make_roles(admin_url: str, app_url: str) -> None:
    """Give an operator's own database our two roles, the application's with the password that its
    URL names, and let the owner create tables there."""
    app = make_url(app_url)
    admin = await asyncpg.connect(admin_url)
    try:
        await migrate.create_roles(admin, app.password if app.username == "scm_app" else None)
        if not await admin.fetchval("select pg_has_role(current_user, 'scm_owner', 'set')"):
            await admin.execute("grant scm_owner to current_user")
        if not await admin.fetchval("select has_schema_privilege('scm_owner', 'public', 'create')"):
            await admin.execute("grant usage, create on schema public to scm_owner")
    finally:
        await admin.close()


def make_runtime(settings: Settings, urls: Urls) -> Runtime:
    """A runtime over a database; its owner disposes of `runtime.database`."""
    database = Database(
        urls.app,
        pool_size=settings.db_pool_size,
        pool_timeout=settings.db_pool_timeout_seconds,
        pooler=settings.db_pooler,
    )
    return Runtime(settings, database, authenticate, principals, is_active)
