"""Jobs survive their worker, run once, and change nothing when they are stopped."""

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from scm_api.core import jobs
from scm_api.core.jobs import Canceled, HeldElsewhere, Work, enqueue
from scm_api.core.tx import Tx
from tests.support import Client

# What the handlers below wait for or do, set by each test.
crashes: list[str] = []
at_work = asyncio.Event()
go_on = asyncio.Event()


@jobs.job("tests.warehouse")
async def _make_warehouse(tx: Tx, work: Work) -> dict[str, Any]:
    """Writes a row, then waits, fails or dies as the test says."""
    code = work.params["code"]
    await tx.execute(
        "insert into warehouse (organization_id, id, code, name, time_zone)"
        " values ($1, gen_random_uuid(), $2, 'made by a job', 'UTC')",
        tx.organization_id,
        code,
    )
    mode = crashes.pop(0) if crashes else ""
    if mode == "crash":
        raise ConnectionResetError("the worker lost its database")
    if mode == "bug":
        raise RuntimeError("a bug")
    if mode == "wait":
        at_work.set()
        await go_on.wait()
        await work.progress(1, 2, "steps")
    return {"code": code}


@pytest.fixture(autouse=True)
def _fresh() -> None:
    crashes.clear()
    at_work.clear()
    go_on.clear()


async def _queue(api: Client, code: str) -> UUID:
    async with api.runtime.database.transaction(api.principal(), now=api.runtime.clock()) as tx:
        job_id = await enqueue(tx, "tests.warehouse", {"code": code})
        await tx.driver.execute("commit")
    return job_id


async def _run(api: Client, job_id: UUID) -> None:
    await jobs.run(api.runtime, api.organization_id, job_id)


async def _job(api: Client, job_id: UUID) -> Any:
    return await api.ok("GET", f"/v1/jobs/{job_id}")


async def _codes(api: Client) -> list[str]:
    return [row["code"] for row in (await api.ok("GET", "/v1/warehouses"))["data"]]


async def test_a_job_of_a_transaction_that_rolls_back_does_not_exist(
    api: Client, admin: asyncpg.Connection
) -> None:
    async with api.runtime.database.transaction(api.principal(), now=api.runtime.clock()) as tx:
        job_id = await enqueue(tx, "tests.warehouse", {"code": "W"})
    assert (await api.get(f"/v1/jobs/{job_id}")).status_code == 404
    queued = "select count(*) from pgqueuer where position(convert_to($1, 'UTF8') in payload) > 0"
    assert await admin.fetchval(queued, str(job_id)) == 0


async def test_a_job_delivered_again_after_a_crash_runs_once(api: Client) -> None:
    job_id = await _queue(api, "W")
    crashes.append("crash")
    with pytest.raises(ConnectionResetError):
        await _run(api, job_id)
    assert (await _job(api, job_id))["status"] == "running"
    assert await _codes(api) == []
    await _run(api, job_id)
    await _run(api, job_id)
    done = await _job(api, job_id)
    assert (done["status"], done["result"], done["error"]) == ("succeeded", {"code": "W"}, None)
    assert await _codes(api) == ["W"]


async def test_a_worker_that_is_killed_leaves_a_job_that_another_one_finishes(api: Client) -> None:
    job_id = await _queue(api, "W")
    crashes.append("wait")
    worker = asyncio.create_task(_run(api, job_id))
    await at_work.wait()
    worker.cancel()
    with pytest.raises(asyncio.CancelledError):
        await worker
    assert await _codes(api) == []
    await _run(api, job_id)
    assert (await _job(api, job_id))["status"] == "succeeded"
    assert await _codes(api) == ["W"]


async def test_two_workers_with_the_same_job_do_not_both_run_it(api: Client) -> None:
    job_id = await _queue(api, "W")
    crashes.append("wait")
    first = asyncio.create_task(_run(api, job_id))
    await at_work.wait()
    with pytest.raises(HeldElsewhere):
        await _run(api, job_id)
    assert (await _job(api, job_id))["status"] == "running"
    go_on.set()
    await first
    assert (await _job(api, job_id))["status"] == "succeeded"
    await _run(api, job_id)
    assert await _codes(api) == ["W"]


async def test_a_running_job_that_is_canceled_changes_nothing(api: Client) -> None:
    job_id = await _queue(api, "W")
    crashes.append("wait")
    worker = asyncio.create_task(_run(api, job_id))
    await at_work.wait()
    asked = await api.post(f"/v1/jobs/{job_id}/cancel")
    assert (asked.status_code, asked.json()["status"]) == (200, "running")
    go_on.set()
    await worker
    ended = await _job(api, job_id)
    assert ended["status"] == "canceled"
    assert ended["finished_at"] is not None
    assert await _codes(api) == []
    again = await api.post(f"/v1/jobs/{job_id}/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "illegal_transition")
    await _run(api, job_id)
    assert await _codes(api) == []


async def test_a_queued_job_that_is_canceled_never_runs(api: Client) -> None:
    job_id = await _queue(api, "W")
    assert (await api.ok("POST", f"/v1/jobs/{job_id}/cancel"))["status"] == "canceled"
    await _run(api, job_id)
    assert (await _job(api, job_id))["status"] == "canceled"
    assert await _codes(api) == []


async def test_a_bug_in_a_job_is_told_without_its_inside(api: Client) -> None:
    job_id = await _queue(api, "W")
    crashes.append("bug")
    await _run(api, job_id)
    failed = await _job(api, job_id)
    assert failed["status"] == "failed"
    assert failed["error"]["code"] == "internal_error"
    assert "a bug" not in str(failed)
    assert await _codes(api) == []


async def test_what_a_job_violates_is_its_problem(api: Client) -> None:
    await api.ok("POST", "/v1/warehouses", json={"code": "W", "name": "there already"})
    job_id = await _queue(api, "W")
    await _run(api, job_id)
    failed = await _job(api, job_id)
    assert (failed["status"], failed["error"]["status"]) == ("failed", 409)
    assert failed["error"]["title"] == "Conflict"


async def test_why_a_job_failed_is_told_in_the_language_of_who_asks(api: Client) -> None:
    await api.ok("POST", "/v1/warehouses", json={"code": "W", "name": "there already"})
    job_id = await _queue(api, "W")
    await _run(api, job_id)
    for path in (f"/v1/jobs/{job_id}", "/v1/jobs"):
        for header, language, title in (
            ("en", "en", "Conflict"),
            ("zh-CN,zh;q=0.9", "zh-CN", "冲突"),
        ):
            response = await api.get(path, headers={"Accept-Language": header})
            shown = response.json()
            error = (shown["data"][0] if "data" in shown else shown)["error"]
            assert (error["title"], error["code"]) == (title, "conflict")
            assert response.headers["content-language"] == language
            assert response.headers["vary"] == "Accept-Language"


async def test_progress_outside_a_job_that_was_told_to_stop_raises(api: Client) -> None:
    job_id = await _queue(api, "W")
    async with api.runtime.database.transaction(api.principal(), now=api.runtime.clock()) as tx:
        await tx.execute(
            "update job set status = 'running', is_cancel_requested = true where id = $1", job_id
        )
        await tx.driver.execute("commit")
    work = Work(api.runtime, api.principal(), job_id, {})
    with pytest.raises(Canceled):
        await work.progress(1, 2, "steps")
