"""The job process: runs queued jobs, lets consumers follow the event feed, and does the chores.

Any number of workers may run; each job, batch of events and chore is one worker's at a time.
"""

import asyncio
import os
import signal
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import asyncpg
import structlog
from pgqueuer import PgQueuer
from pgqueuer.errors import RetryRequested
from pgqueuer.models import Job, Schedule
from pydantic_core import from_json
from sqlalchemy.exc import SQLAlchemyError

from scm_api import wiring
from scm_api.core import consumers, jobs
from scm_api.core.runtime import Runtime
from scm_api.trail import sealing

logger = structlog.get_logger("scm_api.worker")

# A worker that was killed is silent from then on: its jobs go to another one after this long.
HEARTBEAT_TIMEOUT = timedelta(seconds=6)
# How often the queue is asked although nobody said that there is work: the notice may be lost, as
# it always is behind a pooler.
POLL = timedelta(seconds=2)
BATCH = 2
GRACE_SECONDS = 6.0
# Threads that still compute cannot be stopped; the process ends without them.
EXIT_SECONDS = 3.0
RETRY_SECONDS = (0.5, 15.0)
LONGEST_POLL_FACTOR = 4.0
TRANSIENT = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, SQLAlchemyError)

Chore = Callable[[Runtime], Awaitable[None]]


async def purge_idempotency_keys(runtime: Runtime) -> None:
    """Forget the answers of writes older than `SCM_IDEMPOTENCY_HOURS`."""
    await _purge(
        runtime,
        """
        delete from idempotency_key where (organization_id, principal_id, method, path, key) in (
          select organization_id, principal_id, method, path, key from idempotency_key
          where created_at < now() - $1::interval limit 5000)
        """,
        timedelta(hours=runtime.settings.idempotency_hours),
    )


async def purge_jobs(runtime: Runtime) -> None:
    """Forget jobs past their `expires_at`, and the queue's own log of them."""
    await _purge(
        runtime,
        """
        delete from job where (organization_id, id) in (
          select organization_id, id from job
          where expires_at < now() and status not in ('queued', 'running') limit 5000)
        """,
    )
    await _purge(
        runtime,
        """
        delete from pgqueuer_log where id in (
          select id from pgqueuer_log where created < now() - $1::interval limit 5000)
        """,
        jobs.KEPT,
    )


async def _purge(runtime: Runtime, sql: str, *args: object) -> None:
    """Delete in small transactions, so that no caller waits long for a lock."""
    deleted = 1
    while deleted:
        async with runtime.database.system() as driver:
            tag: str = await driver.execute(sql, *args)
        deleted = int(tag.rpartition(" ")[2])


# Name, cron expression, chore. What other rooms want done regularly stands in `wiring.schedules`.
CHORES: tuple[tuple[str, str, Chore], ...] = (
    ("purge_idempotency_keys", "17 * * * *", purge_idempotency_keys),
    ("purge_jobs", "47 3 * * *", purge_jobs),
)


@dataclass
class Worker:
    """One worker over one runtime. `run` returns when `stop` was called and all is put down."""

    runtime: Runtime
    chores: tuple[tuple[str, str, Chore], ...] = CHORES
    grace_seconds: float = GRACE_SECONDS
    heartbeat_timeout: timedelta = HEARTBEAT_TIMEOUT
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _giving_up: asyncio.Event = field(default_factory=asyncio.Event)

    def stop(self) -> None:
        """Take nothing new; finish what runs within the grace period, else hand it back."""
        if not self._stopping.is_set():
            self._stopping.set()
            loop = asyncio.get_running_loop()
            loop.call_later(self.grace_seconds, self._giving_up.set)

    async def run(self) -> None:
        """Work until `stop`. A database that goes away is waited for."""
        logger.info("worker_started", pid=os.getpid())
        await asyncio.gather(
            self._persist("queue", self._work_queue),
            self._persist("consumers", self._follow),
            self._persist("sealing", self._seal),
        )
        logger.info("worker_stopped", pid=os.getpid())

    async def _persist(self, what: str, part: Callable[[], Awaitable[None]]) -> None:
        """Run a part again when it fails, with growing pauses."""
        shortest, longest = RETRY_SECONDS
        pause = shortest
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            started = loop.time()
            try:
                await part()
            except TRANSIENT as error:
                pause = shortest if loop.time() - started > longest else min(longest, pause * 2)
                logger.warning("worker_part_failed", part=what, error=repr(error), retry_in=pause)
                await self._sleep(pause)
            except Exception:
                logger.exception("worker_part_failed", part=what, retry_in=longest)
                await self._sleep(longest)

    async def _sleep(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _follow(self) -> None:
        """Hand events to consumers. Quiet times are polled less often, up to a bound."""
        shortest = self.runtime.settings.event_poll_seconds
        pause = shortest
        while not self._stopping.is_set():
            if await consumers.run_once(self.runtime):
                pause = shortest
            else:
                await self._sleep(pause)
                pause = min(pause * 1.25, shortest * LONGEST_POLL_FACTOR)

    async def _seal(self) -> None:
        """Seal what was written, every few seconds."""
        while not self._stopping.is_set():
            await sealing.run_once(self.runtime)
            await self._sleep(self.runtime.settings.seal_seconds)

    async def _work_queue(self) -> None:
        settings = self.runtime.settings
        pool = await asyncpg.create_pool(
            self.runtime.database.url,
            min_size=1,
            max_size=4,
            statement_cache_size=0 if settings.db_pooler == "transaction" else 100,
        )
        try:
            queue = PgQueuer.from_asyncpg_pool(pool)
            queue.entrypoint(jobs.QUEUE)(self._work)
            for name, expression, chore in (*self.chores, *wiring.schedules):
                queue.schedule(name, expression)(self._scheduled(name, chore))
            watch = asyncio.create_task(self._shut_down(queue))
            try:
                await queue.run(
                    dequeue_timeout=POLL,
                    batch_size=BATCH,
                    max_concurrent_tasks=2 * BATCH,
                    heartbeat_timeout=self.heartbeat_timeout,
                )
            finally:
                watch.cancel()
        finally:
            with suppress(TimeoutError):
                await asyncio.wait_for(pool.close(), 2)

    async def _shut_down(self, queue: PgQueuer) -> None:
        await self._stopping.wait()
        queue.shutdown.set()

    async def _work(self, queued: Job) -> None:
        """Run one queued job; at the end of the grace period give it back to the queue."""
        assert queued.payload is not None
        names = from_json(queued.payload)
        run = jobs.run(self.runtime, UUID(names["organization_id"]), UUID(names["job_id"]))
        running = asyncio.create_task(run)
        given_up = asyncio.create_task(self._giving_up.wait())
        try:
            await asyncio.wait({running, given_up}, return_when=asyncio.FIRST_COMPLETED)
            if not running.done():
                running.cancel()
                await asyncio.wait({running})
                raise RetryRequested(reason="the worker was stopped")
            try:
                await running
            except TRANSIENT as error:
                # The job's own failures are its result; this is the database gone.
                raise RetryRequested(timedelta(seconds=2), reason=repr(error)) from error
        finally:
            given_up.cancel()

    def _scheduled(self, name: str, chore: Chore) -> Callable[[Schedule], Awaitable[None]]:
        async def run(schedule: Schedule) -> None:
            try:
                await chore(self.runtime)
            except Exception:
                # The next turn comes by itself.
                logger.exception("chore_failed", chore=name)

        return run


async def run(worker: Worker, *, watch_parent: int | None = None) -> None:
    """Work until SIGINT or SIGTERM, or until the pipe `watch_parent` is closed by whoever held it.

    Ends the process by force when something cannot be put down in time: its jobs are redelivered.
    """
    loop = asyncio.get_running_loop()

    def stop() -> None:
        _exit_after(worker.grace_seconds + EXIT_SECONDS)
        worker.stop()

    def parent_gone(pipe: int) -> None:
        loop.remove_reader(pipe)
        stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    if watch_parent is not None:
        # The kernel closes the other end when the parent ends, however it ends.
        loop.add_reader(watch_parent, parent_gone, watch_parent)
    try:
        await worker.run()
    finally:
        await worker.runtime.database.dispose()


def _exit_after(seconds: float) -> None:
    timer = threading.Timer(seconds, os._exit, (128 + signal.SIGTERM,))
    timer.daemon = True
    timer.start()
