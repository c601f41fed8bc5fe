"""The worker process: a job survives its worker and completes once; chores run once a turn."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest_asyncio

from scm_api.core import jobs, outbox
from scm_api.core.embedded import EmbeddedPostgres
from scm_api.core.runtime import Runtime
from scm_api.process import Urls, make_runtime
from scm_api.settings import Settings
from scm_api.worker import Worker, purge_idempotency_keys, purge_jobs
from tests.cli import slow_job
from tests.scratch import execute, scratch_database
from tests.support import Client, new_client

CHECKOUT = Path(__file__).parents[2]


@pytest_asyncio.fixture(loop_scope="session")
async def scratch(postgres: EmbeddedPostgres) -> AsyncIterator[tuple[Urls, Runtime]]:
    """A database of its own, so that no other test's jobs are picked up."""
    async with scratch_database(postgres) as urls:
        runtime = make_runtime(Settings(), urls)
        yield urls, runtime
        await runtime.database.dispose()


@asynccontextmanager
async def worker_process(
    urls: Urls, grace_seconds: float = 5
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A worker in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", slow_job.__name__, urls.app, str(grace_seconds)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=CHECKOUT,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def queue_slow_job(caller: Client, seconds: float) -> UUID:
    async with caller.runtime.database.transaction(caller.principal(), now=datetime.now(UTC)) as tx:
        job_id = await jobs.enqueue(tx, slow_job.KIND, {"code": "BY-JOB", "seconds": seconds})
        await outbox.flush(tx)
        await tx.driver.execute("commit")
    return job_id


async def stored(caller: Client, job_id: UUID) -> dict[str, Any]:
    async with caller.runtime.database.transaction(caller.principal(), now=datetime.now(UTC)) as tx:
        row = dict(await jobs.find(tx, job_id))
        row["warehouses"] = await tx.fetchval("select count(*) from warehouse")
        row["events"] = await tx.fetchval("select count(*) from event")
        row["queued"] = await tx.fetchval("select count(*) from pgqueuer")
        return row


async def until_ended(caller: Client, job_id: UUID) -> dict[str, Any]:
    for _ in range(500):
        row = await stored(caller, job_id)
        # The queue's own row goes a moment after the job has ended.
        if row["status"] not in ("queued", "running") and not row["queued"]:
            return row
        await asyncio.sleep(0.05)
    raise AssertionError(f"the job does not end: {row}")


async def said(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None
    return await asyncio.wait_for(process.stdout.readline(), 25)


async def test_a_job_whose_worker_is_killed_is_done_by_another_and_only_once(
    scratch: tuple[Urls, Runtime],
) -> None:
    urls, runtime = scratch
    caller = await new_client(runtime, None)  # type: ignore[arg-type]
    job_id = await queue_slow_job(caller, seconds=1.5)
    async with worker_process(urls) as first, worker_process(urls) as second:
        # Whoever got it tells so in the middle of its transaction.
        tellers = {asyncio.create_task(said(p)): p for p in (first, second)}
        done, _ = await asyncio.wait(tellers, return_when=asyncio.FIRST_COMPLETED)
        victim = tellers[done.pop()]
        victim.kill()
        await victim.wait()
        row = await stored(caller, job_id)
        assert (row["status"], row["warehouses"]) == ("running", 0)
        row = await until_ended(caller, job_id)
        await asyncio.gather(*tellers)
    assert (row["status"], row["result"]) == ("succeeded", {"code": "BY-JOB"})
    assert (row["warehouses"], row["events"]) == (1, 1)


async def test_a_stopped_worker_hands_a_long_job_back_at_once(
    scratch: tuple[Urls, Runtime],
) -> None:
    urls, runtime = scratch
    caller = await new_client(runtime, None)  # type: ignore[arg-type]
    job_id = await queue_slow_job(caller, seconds=2)
    async with worker_process(urls, grace_seconds=0.2) as first:
        await said(first)
        first.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(first.wait(), 5) == 0
    async with worker_process(urls) as second:
        await said(second)
        row = await until_ended(caller, job_id)
        second.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(second.wait(), 5) == 0
    assert (row["status"], row["warehouses"]) == ("succeeded", 1)


async def test_a_worker_ends_with_the_process_that_started_it(
    scratch: tuple[Urls, Runtime],
) -> None:
    urls, _ = scratch
    read_fd, write_fd = os.pipe()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "scm_api", "worker", "--parent-pipe", str(read_fd)),
        env={**os.environ, "SCM_DATABASE_URL": urls.app},
        stderr=asyncio.subprocess.PIPE,
        pass_fds=(read_fd,),
    )
    os.close(read_fd)
    assert process.stderr is not None
    assert b"worker_started" in await asyncio.wait_for(process.stderr.readline(), 25)
    os.close(write_fd)
    _, rest = await asyncio.wait_for(process.communicate(), 10)
    assert process.returncode == 0
    assert b"worker_stopped" in rest


async def test_two_workers_share_the_turns_of_a_chore(scratch: tuple[Urls, Runtime]) -> None:
    _, runtime = scratch
    turns: list[datetime] = []
    three_turns = asyncio.Event()

    async def chore(_: Runtime) -> None:
        turns.append(datetime.now(UTC))
        if len(turns) == 3:
            three_turns.set()

    # The sixth field of a cron expression is the second.
    chores = (("test_chore", "* * * * * *", chore),)
    workers = [Worker(runtime, chores=chores, grace_seconds=1) for _ in range(2)]
    running = [asyncio.create_task(worker.run()) for worker in workers]
    await asyncio.wait_for(three_turns.wait(), 30)
    for worker in workers:
        worker.stop()
    await asyncio.wait_for(asyncio.gather(*running), 10)
    gaps = [later - earlier for earlier, later in pairwise(turns)]
    assert min(gaps) > timedelta(seconds=0.9)


async def test_old_answers_and_expired_jobs_are_purged_and_others_stay(
    scratch: tuple[Urls, Runtime],
) -> None:
    urls, runtime = scratch
    caller = await new_client(runtime, None)  # type: ignore[arg-type]
    await queue_slow_job(caller, seconds=0)
    await execute(
        urls,
        """
        insert into idempotency_key (organization_id, principal_id, method, path, key, fingerprint,
                                     created_at)
        select o.id, gen_random_uuid(), 'POST', '/', age, '', now() - age::interval
        from organization o, unnest(array['1 hour', '71 hours', '73 hours', '10 days']) as age;
        insert into job (organization_id, id, kind, status, params, principal, created_at,
                         expires_at)
        select j.organization_id, gen_random_uuid(), j.kind, ended.status, j.params, j.principal,
               j.created_at, now() - interval '1 day'
        from job j, unnest(array['succeeded', 'failed', 'running']) as ended(status);
        """,
    )
    await purge_idempotency_keys(runtime)
    await purge_jobs(runtime)
    assert urls.admin is not None
    admin = await asyncpg.connect(urls.admin)
    try:
        keys = await admin.fetch("select key from idempotency_key order by key")
        statuses = await admin.fetch("select status from job order by status")
    finally:
        await admin.close()
    assert [row["key"] for row in keys] == ["1 hour", "71 hours"]
    # A job that still runs, or waits, is never forgotten.
    assert [row["status"] for row in statuses] == ["queued", "running"]
