"""How many jobs an organization may have open at once."""

import asyncio
from collections import Counter
from typing import Any
from uuid import UUID

import httpx
import pytest

from scm_api.core import jobs
from scm_api.core.job_errors import TooManyJobs
from scm_api.core.jobs import AT_MOST, Work, enqueue, job
from scm_api.core.runtime import Runtime
from scm_api.core.tx import Tx
from scm_api.replenishment.jobs import OPEN_PLANS
from tests.support import Client, new_client

FEW, MANY = "tests.few", "tests.many"


@job(FEW, at_most=4)
async def few(tx: Tx, work: Work) -> dict[str, Any]:
    return {}


@job(MANY)
async def many(tx: Tx, work: Work) -> dict[str, Any]:
    return {}


async def queue(api: Client, kind: str, *, commit: bool = True) -> UUID:
    async with api.runtime.database.transaction(api.principal(), now=api.runtime.clock()) as tx:
        job_id = await enqueue(tx, kind, {})
        if commit:
            await tx.driver.execute("commit")
    return job_id


async def test_an_organization_has_so_many_open_jobs_of_a_kind(api: Client, other: Client) -> None:
    for _ in range(4):
        await queue(api, FEW)
    with pytest.raises(TooManyJobs) as refused:
        await queue(api, FEW)
    assert refused.value.headers["Retry-After"] == "10"
    assert refused.value.params == {"limit": 4, "kind": FEW}
    await queue(api, MANY)
    await queue(other, FEW)


async def test_and_so_many_of_all_kinds_together(api: Client) -> None:
    for _ in range(4):
        await queue(api, FEW)
    for _ in range(AT_MOST - 4):
        await queue(api, MANY)
    with pytest.raises(TooManyJobs) as refused:
        await queue(api, MANY)
    assert refused.value.params == {"limit": AT_MOST}


async def test_a_job_that_ended_makes_room(api: Client) -> None:
    first, second, *_ = [await queue(api, FEW) for _ in range(4)]
    await jobs.run(api.runtime, api.organization_id, first)
    await queue(api, FEW)
    await api.ok("POST", f"/v1/jobs/{second}/cancel")
    await queue(api, FEW)
    with pytest.raises(TooManyJobs):
        await queue(api, FEW)


async def test_a_job_that_was_rolled_back_was_never_counted(api: Client) -> None:
    for _ in range(10):
        await queue(api, FEW, commit=False)
    for _ in range(4):
        await queue(api, FEW)


async def test_of_many_at_once_exactly_as_many_as_allowed_are_queued(api: Client) -> None:
    answers = await asyncio.gather(
        *(queue(api, kind) for kind in [FEW, MANY] * 30), return_exceptions=True
    )
    kinds = Counter(type(answer) for answer in answers)
    assert kinds == {UUID: AT_MOST, TooManyJobs: 60 - AT_MOST}
    stored = await api.ok("GET", "/v1/jobs?limit=200")
    assert Counter(job["kind"] for job in stored["data"]) == {FEW: 4, MANY: AT_MOST - 4}


async def test_of_two_hundred_plans_at_once_three_are_accepted(
    runtime: Runtime, http: httpx.AsyncClient, api: Client
) -> None:
    colleague = await new_client(runtime, http, organization_id=api.organization_id)
    answers = await asyncio.gather(
        *(caller.post("/v1/replenishment/plans", {}) for caller in [api, colleague] * 100)
    )
    assert Counter(a.status_code for a in answers) == {202: OPEN_PLANS, 429: 200 - OPEN_PLANS}
    refused = next(a for a in answers if a.status_code == 429)
    assert refused.headers["retry-after"] == "10"
    problem = refused.json()
    assert (problem["code"], problem["retryable"]) == ("too_many_jobs", True)
    assert (problem["limit"], problem["kind"]) == (OPEN_PLANS, "replenishment.plan")
    assert "3" in problem["detail"]
