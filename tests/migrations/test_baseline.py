"""The migrations: they agree with the models, and go down and up again."""

import asyncpg
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from scm_api.core import migrate
from scm_api.core.db import Base
from scm_api.core.embedded import EmbeddedPostgres
from scm_api.process import Urls

OURS = set(Base.metadata.tables)


def _is_ours(name: str | None, kind: str, parents: object) -> bool:
    return kind != "table" or name in OURS


def _differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"include_name": _is_ours})
    return list(compare_metadata(context, Base.metadata))


async def test_the_migrated_schema_is_the_one_the_models_describe(urls: Urls) -> None:
    assert urls.admin is not None
    engine = create_async_engine(urls.admin.replace("postgresql://", "postgresql+asyncpg://"))
    async with engine.connect() as connection:
        assert await connection.run_sync(_differences) == []
    await engine.dispose()


async def test_every_check_of_the_models_is_in_the_database(admin: asyncpg.Connection) -> None:
    rows = await admin.fetch("select conname from pg_constraint where contype = 'c'")
    stored = {row["conname"] for row in rows}
    named = {
        str(constraint.name)
        for table in Base.metadata.sorted_tables
        for constraint in table.constraints
        if type(constraint).__name__ == "CheckConstraint"
    }
    assert {name[:63] for name in named} <= stored


async def test_down_and_up_again_leaves_the_same_schema(postgres: EmbeddedPostgres) -> None:
    name = "scm_down_and_up"
    await migrate.create_database(postgres.admin_dsn, name)
    url = postgres.dsn("scm_admin", name)
    await migrate.upgrade(url)
    before = await _schema(url)
    await migrate.downgrade(url, "base")
    left = {kind for kind, what in await _schema(url) if "alembic" not in what}
    assert left == set()
    await migrate.upgrade(url)
    assert await _schema(url) == before


async def _schema(url: str) -> set[tuple[str, str]]:
    connection = await asyncpg.connect(url)
    rows = await connection.fetch(
        """
        select 'column' as kind, table_name || '.' || column_name || ' ' || data_type as what
        from information_schema.columns where table_schema = 'public'
        union all
        select 'policy', tablename || ' ' || policyname from pg_policies
        union all
        select 'index', indexdef from pg_indexes where schemaname = 'public'
        union all
        select 'function', proname from pg_proc where pronamespace = 'public'::regnamespace
        """
    )
    await connection.close()
    return {(row["kind"], row["what"]) for row in rows}
