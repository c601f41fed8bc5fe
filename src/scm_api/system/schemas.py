"""Bodies of jobs, events and the problem registry."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from scm_api.core.outbox import Position
from scm_api.core.pages import PageParams
from scm_api.core.problems import ProblemDocument
from scm_api.core.schemas import Page, Read, Strict

JobStatus = Literal["queued", "running", "succeeded", "failed", "canceled"]


class JobProgress(Read):
    """How far a job is."""

    done: int
    total: int | None
    unit: str
    message: str


class JobLinks(Read):
    """Where to look at a job, and where to stop it."""

    self: str
    cancel: str


class JobRead(Read):
    """Background work."""

    id: UUID
    kind: str
    status: JobStatus
    progress: JobProgress
    result: dict[str, Any] | None = Field(description="What the job made, once succeeded.")
    error: ProblemDocument | None = Field(description="Why it failed.")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime
    links: JobLinks


class JobList(Page[JobRead]):
    """A page of jobs."""


class JobFilter(PageParams):
    """Which jobs to list."""

    status: list[JobStatus] = Field(
        default_factory=list, max_length=5, description="Only jobs in one of these states."
    )
    kind: str | None = Field(
        default=None, max_length=100, description="Only this kind of work, such as `plan.run`."
    )


class EventPrincipal(Read):
    """Who did it."""

    kind: str
    id: UUID
    name: str
    user_id: UUID | None = Field(
        default=None, description="The person behind a session or a personal key."
    )


class EventRead(Read):
    """One thing that happened."""

    id: UUID
    position: str = Field(description="Send as `after` to go on from here.")
    type: str
    subject_type: str
    subject_id: UUID
    data: dict[str, Any]
    principal: EventPrincipal
    request_id: str
    recorded_at: datetime


class EventList(Read):
    """Events in commit-safe order. Ask again with `after=next_after`; it never skips one."""

    data: list[EventRead]
    next_after: str = Field(description="Also present when nothing is new: keep it and ask again.")
    has_more: bool


class EventFilter(Strict):
    """From where to read the feed."""

    after: str = Field(
        default=Position(0, 0).encode(),
        max_length=100,
        description="`next_after` of the last read.",
    )
    limit: int = Field(
        default=100, ge=1, le=1000, description="How many events at most, 1 to 1000."
    )
    type: list[str] | None = Field(default=None, max_length=20, description="Only these types.")
    subject_id: UUID | None = Field(default=None, description="Only about this object.")


class ProblemKind(Read):
    """A problem this API can answer."""

    code: str
    type: str
    status: int
    title: str
    title_zh: str


class ProblemKindList(Read):
    """The registry of problem codes."""

    data: list[ProblemKind]
