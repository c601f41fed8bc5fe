"""Background work: the job a caller can watch, queued by pgqueuer in the caller's transaction.

A job's effects and its success are one transaction, so a job redelivered after a crash runs once.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
import structlog
from pgqueuer.db import AsyncpgDriver
from pgqueuer.queries import Queries
from pydantic import TypeAdapter
from pydantic_core import to_json
from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from scm_api.core import limits, outbox
from scm_api.core.db import (
    Base,
    Identified,
    is_connection_lost,
    is_transient,
    problem_for,
)
from scm_api.core.errors import (
    IllegalTransition,
    InternalError,
    NotFound,
    Problem,
)
from scm_api.core.ids import uuid7
from scm_api.core.job_errors import NoLongerActive, TooManyJobs
from scm_api.core.language import LANGUAGES
from scm_api.core.runtime import Runtime
from scm_api.core.tx import Principal, Source, Tx

logger = structlog.get_logger()
QUEUE = "scm_job"
KEPT = timedelta(days=30)
# Open jobs (waiting or running) of one organization, of all kinds together.
AT_MOST = 20
RETRY_AFTER_SECONDS = 10
_IS_OPEN = "status in ('queued', 'running')"
T = TypeVar("T")
_PRINCIPAL = TypeAdapter(Principal)


class JobRow(Identified, Base):
    """One piece of background work, as its caller sees it."""

    __tablename__ = "job"

    kind: Mapped[str]
    status: Mapped[str] = mapped_column(server_default="queued")
    params: Mapped[dict[str, Any]] = mapped_column(JSONB)
    principal: Mapped[dict[str, Any]] = mapped_column(JSONB)
    done: Mapped[int] = mapped_column(server_default="0")
    total: Mapped[int | None]
    unit: Mapped[str] = mapped_column(server_default="steps")
    message: Mapped[str] = mapped_column(server_default="")
    is_cancel_requested: Mapped[bool] = mapped_column(server_default=text("false"))
    result: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    # The problem in every language it may be read in: {"en": {...}, "zh-CN": {...}}.
    error: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    expires_at: Mapped[datetime]

    __table_args__ = (
        CheckConstraint(
            "status in ('queued', 'running', 'succeeded', 'failed', 'canceled')", name="status"
        ),
        CheckConstraint("done >= 0 and (total is null or total >= 0)", name="progress"),
        Index("ix_job_created_at", "organization_id", "created_at"),
        Index("ix_job_open", "organization_id", "kind", postgresql_where=text(_IS_OPEN)),
    )


class Canceled(Exception):
    """The caller asked the running job to stop."""


class HeldElsewhere(ConnectionError):
    """Another worker has this job in hand; the queue shall deliver it again later."""


@dataclass
class Work:
    """What a job handler gets: its parameters, its process, and a way to tell how far it is."""

    runtime: Runtime
    principal: Principal
    job_id: UUID
    params: dict[str, Any]

    async def progress(self, done: int, total: int | None, unit: str, message: str = "") -> None:
        """Show progress at once, outside the job's own transaction; raises `Canceled`."""
        async with self._aside() as tx:
            cancel = await tx.fetchval(
                """
                update job set done = $3, total = $4, unit = $5, message = $6
                where organization_id = $1 and id = $2 returning is_cancel_requested
                """,
                tx.organization_id,
                self.job_id,
                done,
                total,
                unit,
                message,
            )
        if cancel:
            raise Canceled

    async def compute(self, function: Callable[..., T], *args: Any) -> T:
        """Run arithmetic beside the event loop, which stays free for heartbeats."""
        return await asyncio.to_thread(function, *args)

    @asynccontextmanager
    async def _aside(self) -> AsyncIterator[Tx]:
        runtime = self.runtime
        async with runtime.database.transaction(
            self.principal, now=runtime.clock(), source=Source(str(self.job_id))
        ) as tx:
            yield tx
            await tx.driver.execute("commit")


Handler = Callable[[Tx, Work], Awaitable[dict[str, Any]]]
_handlers: dict[str, Handler] = {}
_at_most: dict[str, int] = {}


def job(kind: str, *, at_most: int = AT_MOST) -> Callable[[Handler], Handler]:
    """Register the handler of a kind of job; its dictionary becomes the job's `result`.

    `at_most` bounds the open jobs of this kind in one organization.
    """

    def register(handler: Handler) -> Handler:
        if _handlers.setdefault(kind, handler) is not handler:
            raise TypeError(f"two handlers for job {kind!r}")
        _at_most[kind] = at_most
        return handler

    return register


async def enqueue(tx: Tx, kind: str, params: dict[str, Any]) -> UUID:
    """Queue a job in this transaction; it starts once the transaction has committed.

    Raises `TooManyJobs` when the organization has as many open ones as it may have.
    """
    if kind not in _handlers:
        raise TypeError(f"no handler for job {kind!r}")
    await _check_quota(tx, kind)
    job_id = uuid7()
    await tx.execute(
        """
        insert into job (organization_id, id, kind, params, principal, created_at, expires_at)
        values ($1, $2, $3, $4::text::jsonb, $5::text::jsonb, $6, $7)
        """,
        tx.organization_id,
        job_id,
        kind,
        to_json(params).decode(),
        _PRINCIPAL.dump_json(tx.principal).decode(),
        tx.now,
        tx.now + KEPT,
    )
    payload = to_json({"organization_id": tx.organization_id, "job_id": job_id})
    await Queries(AsyncpgDriver(tx.driver)).enqueue(QUEUE, payload)
    return job_id


async def _check_quota(tx: Tx, kind: str) -> None:
    # Locked until the end of the transaction, so that of two that count neither misses the other's
    # job; counted by a second statement, which sees what was committed while the first one waited.
    lock = "select pg_advisory_xact_lock(hashtextextended('jobs of ' || $1, 0))"
    await tx.execute(lock, str(tx.organization_id))
    row = await tx.fetchrow(
        f"""
        select count(*) as all, count(*) filter (where kind = $2) as of_kind
        from job where organization_id = $1 and {_IS_OPEN}
        """,
        tx.organization_id,
        kind,
    )
    assert row is not None
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    if row["of_kind"] >= _at_most[kind]:
        raise TooManyJobs(headers=headers, limit=_at_most[kind], kind=kind)
    if row["all"] >= AT_MOST:
        raise TooManyJobs(headers=headers, limit=AT_MOST)


async def find(tx: Tx, job_id: UUID) -> asyncpg.Record:
    """The job as stored; raises `NotFound`."""
    row = await tx.fetchrow(
        "select * from job where organization_id = $1 and id = $2", tx.organization_id, job_id
    )
    if row is None:
        raise NotFound(kind="job", reference=str(job_id))
    return row


async def request_cancel(tx: Tx, job_id: UUID) -> asyncpg.Record:
    """Ask a job to stop: a queued one is canceled at once, a running one at its next progress."""
    async with limits.own_part(tx):
        await find(tx, job_id)
    row = await tx.fetchrow(
        """
        update job set is_cancel_requested = true,
          status = case when status = 'queued' then 'canceled' else status end,
          finished_at = case when status = 'queued' then $3 else finished_at end
        where organization_id = $1 and id = $2 and status in ('queued', 'running') returning *
        """,
        tx.organization_id,
        job_id,
        tx.now,
    )
    if row is None:
        found = await find(tx, job_id)
        raise IllegalTransition(
            kind="job",
            reference=str(job_id),
            state=found["status"],
            action="cancel",
            allowed=[],
        )
    return row


async def run(runtime: Runtime, organization_id: UUID, job_id: UUID) -> None:
    """Run one job to its end; a job that has already ended is left alone.

    What the job itself runs into is its result, also that its caller was locked out since. When the
    database goes away, or another worker is at it, the error is raised: the job stays `running` and
    is delivered again.
    """
    system = Principal("system", organization_id, "worker", organization_id, frozenset("*"))
    async with runtime.database.transaction(system, now=runtime.clock()) as tx:
        row = await tx.fetchrow(
            """
            update job set status = 'running', started_at = coalesce(started_at, $3)
            where organization_id = $1 and id = $2 and status in ('queued', 'running')
            returning kind, params, principal
            """,
            organization_id,
            job_id,
            tx.now,
        )
        await tx.driver.execute("commit")
    if row is None:
        return
    # What it may do is as it was when the job was asked for; that it may do so must still hold.
    principal = _PRINCIPAL.validate_python(row["principal"], strict=False)
    work = Work(runtime, principal, job_id, row["params"])
    try:
        if not await runtime.is_active(runtime, principal):
            raise NoLongerActive
        await _run_in_transaction(work, _handlers[row["kind"]])
    except Canceled:
        await _end(work, "canceled", error=None)
    except Exception as error:
        if is_transient(error) or is_connection_lost(error):
            raise
        problem = error if isinstance(error, Problem) else problem_for(error)
        if problem is None:
            logger.exception("job_failed", kind=row["kind"], job_id=str(job_id))
            problem = InternalError()
        where = f"/v1/jobs/{job_id}"
        bodies: dict[str, Any] = {
            language: problem.body(language, where, str(job_id)) for language in LANGUAGES
        }
        await _end(work, "failed", bodies)


async def _run_in_transaction(work: Work, handler: Handler) -> None:
    runtime = work.runtime
    async with runtime.database.transaction(
        work.principal, now=runtime.clock(), source=Source(str(work.job_id))
    ) as tx:
        # A job may compute for long between statements; if its worker dies, the connection ends.
        await tx.execute("set local idle_in_transaction_session_timeout = 0")
        # Two workers may hold the same job after a lost heartbeat. The second does not wait (that
        # would end in a lock timeout), it comes back and then finds the job ended.
        lock = "select pg_try_advisory_xact_lock(hashtextextended($1, 0))"
        if not await tx.fetchval(lock, str(work.job_id)):
            raise HeldElsewhere(f"job {work.job_id} is in other hands")
        if (await find(tx, work.job_id))["status"] != "running":
            return
        result = await handler(tx, work)
        await tx.execute(
            """
            update job set status = 'succeeded', result = $3::text::jsonb, finished_at = $4,
                   done = coalesce(total, done)
            where organization_id = $1 and id = $2
            """,
            tx.organization_id,
            work.job_id,
            to_json(result).decode(),
            runtime.clock(),
        )
        await outbox.flush(tx)
        await tx.driver.execute("commit")


async def _end(work: Work, status: str, error: dict[str, Any] | None) -> None:
    async with work._aside() as tx:
        await tx.execute(
            """
            update job set status = $3, error = $4::text::jsonb, finished_at = $5
            where organization_id = $1 and id = $2 and status = 'running'
            """,
            tx.organization_id,
            work.job_id,
            status,
            None if error is None else to_json(error).decode(),
            tx.now,
        )
