"""`Tx`: the one open transaction of a request or a job, and who acts in it.

Every service and repository function takes it first. Nothing but its owner commits it.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from scm_api.core.errors import OrganizationRequired, PermissionDenied
from scm_api.core.events import Event
from scm_api.core.language import Language


@dataclass(frozen=True)
class Limits:
    """What part of an organization's data a principal works on; None in a field: all of it.

    `categories` holds the ids of whole subtrees. `amount` bounds, in base currency, the documents
    it may decide on.
    """

    warehouses: frozenset[UUID] | None = None
    categories: frozenset[UUID] | None = None
    amount: Decimal | None = None

    @property
    def confines(self) -> bool:
        """Whether rows of the organization lie outside."""
        return self.warehouses is not None or self.categories is not None


UNLIMITED = Limits()


@dataclass(frozen=True)
class Principal:
    """Who acts: an API key, a person, or a process of the system. `*` grants every permission.

    `id` is the key's, the person's or the process's own. A person's session or personal key names
    the person in `user_id`, so that two of them are still known as one. `must_choose` is a person
    of several organizations who named none of them: so far he is in none.
    """

    kind: str
    id: UUID
    name: str
    organization_id: UUID
    permissions: frozenset[str]
    limits: Limits = UNLIMITED
    user_id: UUID | None = None
    key_id: UUID | None = None
    session_id: UUID | None = None
    # Of a key: the people and keys that made or renewed it, and those that made them.
    makers: frozenset[UUID] = frozenset()
    # Of answers to requests that ask for no language.
    language: Language = "en"
    must_choose: bool = False

    @property
    def actor_id(self) -> UUID:
        """Who is answerable: the person behind a session or personal key, else the key itself."""
        return self.user_id or self.id

    @property
    def chain(self) -> frozenset[UUID]:
        """Everybody who may be at work here: the actor, the key, and whoever made the key."""
        return self.makers | {self.id, self.actor_id}

    def may(self, permission: str) -> bool:
        return "*" in self.permissions or permission in self.permissions

    def require(self, permission: str) -> None:
        """Raise `PermissionDenied` unless the permission is granted, `OrganizationRequired` while
        it is open where it would have to be."""
        if self.must_choose:
            raise OrganizationRequired(header="Scm-Organization")
        if not self.may(permission):
            raise PermissionDenied(required_permission=permission)


# Whoever has not said who he is, in no organization: public calls such as a login.
NOBODY = UUID(int=0)
ANONYMOUS = Principal("anonymous", NOBODY, "anonymous", NOBODY, frozenset())


@dataclass(frozen=True)
class Source:
    """Where a change comes from, for the trail."""

    request_id: str = ""
    address: str | None = None
    operation: str | None = None
    reason: str | None = None


@dataclass
class Tx:
    """One database transaction, bound to one organization by row-level security.

    `session` is for documents that people edit (ORM); `fetch*` and `execute` send plain SQL on the
    same connection, for the ledger, set-based statements and hot reads.
    """

    connection: AsyncConnection
    driver: asyncpg.Connection
    organization_id: UUID
    principal: Principal
    source: Source
    now: datetime
    idempotency_key: str | None = None
    dry_run: bool = False
    events: list[Event] = field(default_factory=list)
    _session: AsyncSession | None = None

    @property
    def request_id(self) -> str:
        return self.source.request_id

    @property
    def session(self) -> AsyncSession:
        """The ORM session, opened at first use on this transaction's connection."""
        if self._session is None:
            self._session = AsyncSession(bind=self.connection, expire_on_commit=False)
        return self._session

    async def fetch(self, sql: str, *args: Any) -> list[asyncpg.Record]:
        """All rows of a statement with `$1, $2 ...` places."""
        await self._flush()
        rows: list[asyncpg.Record] = await self.driver.fetch(sql, *args)
        return rows

    async def fetchrow(self, sql: str, *args: Any) -> asyncpg.Record | None:
        """The first row, or None."""
        await self._flush()
        return await self.driver.fetchrow(sql, *args)

    async def fetchval(self, sql: str, *args: Any) -> Any:
        """The first column of the first row, or None."""
        await self._flush()
        return await self.driver.fetchval(sql, *args)

    async def execute(self, sql: str, *args: Any) -> str:
        """Run a statement for its effect; gives PostgreSQL's command tag."""
        await self._flush()
        tag: str = await self.driver.execute(sql, *args)
        return tag

    async def executemany(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run one statement for many argument rows, pipelined."""
        await self._flush()
        await self.driver.executemany(sql, rows)

    def emit(self, event: Event) -> None:
        """Announce what happened; written with this transaction or not at all."""
        self.events.append(event)

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """A part that may fail by itself: its writes and events vanish, the rest stays."""
        await self.execute("savepoint part")
        mark = len(self.events)
        try:
            yield
            await self.execute("release savepoint part")
        except BaseException:
            del self.events[mark:]
            if self._session is not None:
                self._session.expunge_all()
            await self.driver.execute("rollback to savepoint part; release savepoint part")
            raise

    async def _flush(self) -> None:
        # Plain SQL must see what the session holds back.
        if self._session is not None:
            await self._session.flush()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
