"""The database: table conventions, the engine, and transactions bound to one organization."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from pydantic_core import to_json
from sqlalchemy import DateTime, ForeignKeyConstraint, MetaData, Numeric, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from scm_api.core.errors import (
    OUT_OF_RANGE,
    Conflict,
    Invalid,
    OutsideLimits,
    Problem,
    Text,
    Unavailable,
)
from scm_api.core.ids import uuid7
from scm_api.core.tx import Principal, Source, Tx

# Limits that keep every sum inside its column: 10^9 units a line and 10^9 money a unit give
# 10^18 a line, and numeric(30,4) holds 10^8 such lines.
QUANTITY = Numeric(18, 4)
BALANCE = Numeric(24, 4)
UNIT_PRICE = Numeric(18, 6)
VALUE = Numeric(30, 4)

_CLIENT_ERRORS = asyncpg.InterfaceError | asyncpg.InternalClientError

type_map: dict[Any, Any] = {
    datetime: DateTime(timezone=True),
    Decimal: QUANTITY,
}

UuidKey = Annotated[UUID, mapped_column(primary_key=True)]


class Base(DeclarativeBase):
    """All tables. A table with `organization_id` is tenant data: composite keys, RLS with FORCE."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = type_map


class Owned:
    """Mixin of every tenant table: the organization leads the primary key."""

    organization_id: Mapped[UUID] = mapped_column(primary_key=True, sort_order=-2)


class Identified(Owned):
    """Mixin of tenant tables with an identity of their own."""

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7, sort_order=-1)


class Versioned(Identified):
    """Mixin of documents that people edit: times, and the version behind ETag and If-Match."""

    version: Mapped[int] = mapped_column(default=1, server_default="1", sort_order=90)
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"), sort_order=91)
    updated_at: Mapped[datetime] = mapped_column(server_default=text("now()"), sort_order=92)


def same_organization(column: str, target: str, **options: Any) -> ForeignKeyConstraint:
    """A foreign key that carries the organization, so that a row can never point at another
    organization's row (row-level security alone would let it)."""
    return ForeignKeyConstraint(
        ["organization_id", column], [f"{target}.organization_id", f"{target}.id"], **options
    )


class Database:
    """The engine of one process. Connections are in autocommit; we send BEGIN and COMMIT ourselves,
    so that opening a transaction and naming its organization is one round trip."""

    def __init__(
        self, url: str, *, pool_size: int = 10, pool_timeout: float = 5.0, pooler: str = "none"
    ) -> None:
        behind_pooler = pooler == "transaction"
        connect_args: dict[str, Any] = {
            "timeout": 5.0,
            "statement_cache_size": 0 if behind_pooler else 512,
            "server_settings": {"application_name": "scm-api", "timezone": "UTC"},
        }
        if behind_pooler:
            # A pooler refuses start-up parameters it does not know; roles set them instead.
            connect_args["server_settings"] = {}
            # A server connection serves many of ours in turn: numbered statements of two processes
            # would clash on it, and unique ones would pile up there. Without a name, a statement is
            # parsed, bound and run in one message, and the next one takes its place.
            connect_args["prepared_statement_name_func"] = lambda: ""
        self.url = url
        self.engine: AsyncEngine = create_async_engine(
            re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql+asyncpg://", url)
            + ("&" if "?" in url else "?")
            + f"prepared_statement_cache_size={0 if behind_pooler else 100}",
            isolation_level="AUTOCOMMIT",
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=pool_timeout,
            pool_pre_ping=False,
            connect_args=connect_args,
        )

    @asynccontextmanager
    async def transaction(
        self,
        principal: Principal,
        *,
        now: datetime,
        source: Source | None = None,
        read_only: bool = False,
        is_system: bool = False,
    ) -> AsyncIterator[Tx]:
        """A transaction in the principal's organization; rolled back unless `commit` was called.

        `is_system` shows people and keys of all organizations besides. A principal confined to
        warehouses or categories acts as the role `scm_limited`, for which the tables have policies
        of their own; nobody else pays for them.
        """
        source = source or Source()
        settings = {"app.organization_id": str(principal.organization_id)}
        if is_system:
            settings["app.system"] = "on"
        if not read_only:
            settings |= {"app.actor": _actor(principal, source), "app.reason": source.reason or ""}
        begin = f"begin{' read only' if read_only else ''}; "
        if principal.limits.confines:
            settings["app.warehouses"] = _id_list(principal.limits.warehouses)
            settings["app.categories"] = _id_list(principal.limits.categories)
            settings["app.principal"] = str(principal.id)
            # A write judges and changes whole documents (core/limits.py).
            settings["app.sees"] = "part" if read_only else "whole"
            begin += "set local role scm_limited; "
        begin += "select " + ", ".join(
            f"set_config('{name}', {_literal(value)}, true)" for name, value in settings.items()
        )
        async with self.raw(begin) as (connection, driver):
            tx = Tx(
                connection,
                driver,
                organization_id=principal.organization_id,
                principal=principal,
                source=source,
                now=now,
            )
            try:
                yield tx
            finally:
                await tx.close()

    @asynccontextmanager
    async def system(self) -> AsyncIterator[asyncpg.Connection]:
        """A transaction of the process itself: sees organizations, people, keys and pending work of
        all organizations, and no business data. Committed at a clean end."""
        begin = "begin; select set_config('app.system', 'on', true)"
        async with self.raw(begin) as (_, driver):
            yield driver
            await driver.execute("commit")

    @asynccontextmanager
    async def raw(self, begin: str) -> AsyncIterator[tuple[AsyncConnection, asyncpg.Connection]]:
        """A pooled connection inside `begin`; whatever is still open at the end is rolled back."""
        async with self.engine.connect() as connection:
            pooled = await connection.get_raw_connection()
            driver: asyncpg.Connection = pooled.driver_connection
            try:
                await driver.execute(begin)
                yield connection, driver
            except BaseException as error:
                # Whoever was cancelled may have left a statement under way, even a BEGIN with its
                # settings, which nobody waits for: it must not become the next one's transaction.
                if isinstance(error, asyncio.CancelledError) or is_connection_lost(error):
                    await connection.invalidate()
                raise
            finally:
                if not connection.invalidated:
                    await _put_back(connection, driver)

    async def dispose(self) -> None:
        await self.engine.dispose()


async def _put_back(connection: AsyncConnection, driver: asyncpg.Connection) -> None:
    """Roll back what is open, or throw the connection away if it cannot be used any more."""
    try:
        if driver.is_in_transaction():
            await driver.execute("rollback")
    except BaseException as error:
        # A server that dies can leave the driver in the middle of a message: closed or not, the
        # connection must never reach another request. The error that led here says the rest.
        await connection.invalidate()
        if not isinstance(error, Exception):
            raise
        return
    if driver.is_closed():
        await connection.invalidate()


def _actor(principal: Principal, source: Source) -> str:
    """Who acts, as the audit triggers read it."""
    actor = {
        "kind": principal.kind,
        "id": principal.id,
        "name": principal.name,
        "user": principal.user_id,
        "key": principal.key_id,
        "session": principal.session_id,
        "address": source.address,
        "request": source.request_id,
        "operation": source.operation,
    }
    return to_json({n: v for n, v in actor.items() if v}).decode()


def _id_list(ids: Iterable[UUID] | None) -> str:
    return "*" if ids is None else "{" + ",".join(map(str, ids)) + "}"


def _literal(value: str) -> str:
    # These travel inside BEGIN, which takes no parameters: quote_literal's rule, with the
    # server's standard_conforming_strings.
    plain = value.replace("\0", "").replace("'", "''")
    return " E'" + plain.replace("\\", "\\\\") + "'" if "\\" in plain else f"'{plain}'"


_UNREACHABLE = Text("the database cannot be reached", "无法连接数据库")
_ALL_BUSY = Text("all database connections are busy", "数据库连接均被占用")
_BUSY = Text("the database is busy or restarting", "数据库繁忙或正在重启")
_READ_ONLY = Text("the database is read-only at the moment", "数据库暂为只读")


def problem_for(error: BaseException) -> Problem | None:
    """The problem that a database error means to a caller, by SQLSTATE; None if it is our fault."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, asyncpg.PostgresError):
        if isinstance(cause, _CLIENT_ERRORS | OSError | TimeoutError):
            return Unavailable(_UNREACHABLE)
        if type(cause).__name__ == "TimeoutError" and "QueuePool" in str(cause):
            return Unavailable(_ALL_BUSY)
        cause = cause.__cause__
    if cause is None:
        return None
    state = cause.sqlstate or ""
    if state.startswith("23"):
        return Conflict(constraint=getattr(cause, "constraint_name", None) or "unknown")
    if state.startswith("22"):
        return Invalid([OUT_OF_RANGE.at("")])
    if state == "42501" and "row-level security" in str(cause):
        return OutsideLimits()
    if state.startswith(("40", "53", "57", "08", "55")):
        return Unavailable(_BUSY)
    if state == "25006":
        return Unavailable(_READ_ONLY)
    return None


def is_transient(error: BaseException) -> bool:
    """Deadlock or serialization failure: the same transaction may succeed if tried again."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, asyncpg.DeadlockDetectedError | asyncpg.SerializationError):
            return True
        cause = cause.__cause__
    return False


def is_connection_lost(error: BaseException) -> bool:
    """The server went away or shuts down: what ran was rolled back, through no fault of its own."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, asyncpg.PostgresError):
            state = cause.sqlstate or ""
            return state.startswith("08") or state in ("57P01", "57P02", "57P03", "25P03")
        if isinstance(cause, asyncpg.InterfaceError):
            # The other uses of this class are mistakes of ours, such as a missing argument.
            return "clos" in str(cause)
        if isinstance(cause, asyncpg.InternalClientError | OSError):
            return True
        cause = cause.__cause__
    return False
