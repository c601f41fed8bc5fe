"""HTTP of jobs, events and the problem registry."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query

from scm_api.core.errors import IllegalTransition, NotFound, OutsideLimits
from scm_api.core.http import OpenTx, ReplyLanguage, ReplyTo, operation, router
from scm_api.system import service
from scm_api.system.schemas import (
    EventFilter,
    EventList,
    JobFilter,
    JobList,
    JobRead,
    ProblemKindList,
)

jobs = router("jobs")
events = router("events")
problems = router("problems")
routers = [jobs, events, problems]

JobId = Annotated[
    UUID, Path(description="The job's id.", examples=["01900000-0000-7000-8000-000000000001"])
]


@jobs.get("", name="list", summary="List jobs", **operation("jobs:read"))
async def list_jobs(
    tx: OpenTx, reply: ReplyTo, language: ReplyLanguage, wanted: Annotated[JobFilter, Query()]
) -> JobList:
    """Background work, newest first."""
    page = await service.list_jobs(tx, wanted)
    reply.next_page(page.next_cursor)
    return JobList(**page.body([service.job_read(row[0], language) for row in page.rows]))


@jobs.get("/{job}", summary="Read a job", **operation("jobs:read", errors=[NotFound]))
async def get(tx: OpenTx, reply: ReplyTo, language: ReplyLanguage, job: JobId) -> JobRead:
    """One job with its progress; `Retry-After` while it is not finished."""
    found = await service.get_job(tx, job, language)
    if found.finished_at is None:
        reply.retry_after(1)
    return found


@jobs.post(
    "/{job}/cancel",
    summary="Cancel a job",
    **operation("jobs:cancel", errors=[NotFound, IllegalTransition]),
)
async def cancel(tx: OpenTx, language: ReplyLanguage, job: JobId) -> JobRead:
    """Stop a job: at once while it is queued, at its next step while it runs. A stopped job has
    changed nothing."""
    return await service.cancel_job(tx, job, language)


@events.get(
    "",
    name="list",
    summary="Read the change feed",
    **operation("events:read", errors=[OutsideLimits]),
)
async def list_events(tx: OpenTx, wanted: Annotated[EventFilter, Query()]) -> EventList:
    """Everything that happened, in an order that cannot skip a change that commits late."""
    return await service.read_events(tx, wanted)


@problems.get("", name="list", summary="List problem codes", **operation("problems:read"))
async def list_problems(tx: OpenTx) -> ProblemKindList:
    """The registry of all problem codes, with titles in English and Chinese."""
    return ProblemKindList(data=service.problem_kinds())
