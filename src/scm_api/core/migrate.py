"""Bringing a database to the current schema: roles first, then Alembic as the owner.

`scm_owner` (no login) owns every table; `scm_app` logs in and has DML only; `scm_limited` (no
login) is what it becomes for principals confined to warehouses or categories.
"""

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

# Names, not times: what a session of the application may wait for, in the role itself, so that it
# also holds behind a pooler and for people with psql.
_APP_LIMITS = {
    "statement_timeout": "30s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "60s",
    "timezone": "UTC",
}


def script_location() -> Path:
    """The migrations: inside the installed package, or at the top of a checkout."""
    packaged = Path(str(files("scm_api"))) / "migrations"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "migrations"


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(script_location()))
    config.attributes["connection"] = connection
    return config


def head_revision() -> str:
    """The newest revision this program knows."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


async def create_roles(admin: asyncpg.Connection, app_password: str | None = None) -> None:
    """Create the three roles where they are missing and set the application role's limits."""
    await admin.execute(
        """
        do $$ begin
          if not exists (select from pg_roles where rolname = 'scm_owner') then
            create role scm_owner nologin;
          end if;
          if not exists (select from pg_roles where rolname = 'scm_app') then
            create role scm_app login nosuperuser nobypassrls nocreatedb nocreaterole;
          end if;
          if not exists (select from pg_roles where rolname = 'scm_limited') then
            create role scm_limited nologin;
          end if;
          if not pg_has_role('scm_app', 'scm_limited', 'set') then
            -- To act as it, not to have its rights all the time.
            grant scm_limited to scm_app with inherit false, set true;
          end if;
        end $$
        """
    )
    for name, value in _APP_LIMITS.items():
        await admin.execute(f"alter role scm_app set {name} = '{value}'")
    if app_password is not None:
        quoted = await admin.fetchval("select quote_literal($1)", app_password)
        await admin.execute(f"alter role scm_app password {quoted}")


async def create_database(admin_url: str, name: str) -> None:
    """Create a database owned by `scm_owner`, unless it exists."""
    admin = await asyncpg.connect(admin_url)
    try:
        await create_roles(admin)
        if not await admin.fetchval("select true from pg_database where datname = $1", name):
            await admin.execute(f'create database "{name}" owner scm_owner')
    finally:
        await admin.close()


async def upgrade(admin_url: str, revision: str = "head") -> None:
    """Migrate a database to a revision, in one transaction, as its owner."""
    await _as_owner(admin_url, lambda sync: command.upgrade(_config(sync), revision))


async def downgrade(admin_url: str, revision: str) -> None:
    """Take a database back to a revision; `base` removes every table."""
    await _as_owner(admin_url, lambda sync: command.downgrade(_config(sync), revision))


async def _as_owner(admin_url: str, work: Callable[[Connection], None]) -> None:
    engine = create_async_engine(make_url(admin_url).set(drivername="postgresql+asyncpg"))
    try:
        async with engine.begin() as connection:
            # One migrator at a time; a second waits and finds nothing to do.
            await connection.exec_driver_sql("select pg_advisory_xact_lock(7301923)")
            await connection.exec_driver_sql("set local role scm_owner")
            await connection.run_sync(work)
    finally:
        await engine.dispose()
