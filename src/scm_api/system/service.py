"""Reading jobs, the event feed and the registry of problems."""

from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import select

from scm_api.core import jobs, outbox, pages
from scm_api.core.errors import OutsideLimits, Problem
from scm_api.core.language import Language
from scm_api.core.outbox import Position
from scm_api.core.pages import PageOf
from scm_api.core.tx import Tx
from scm_api.system.schemas import (
    EventFilter,
    EventList,
    EventPrincipal,
    EventRead,
    JobFilter,
    JobLinks,
    JobProgress,
    JobRead,
    ProblemKind,
)


def job_read(row: Any, language: Language) -> JobRead:
    """A job row, from SQL or the ORM, as callers of a language see it."""
    value = dict(row) if isinstance(row, asyncpg.Record) else dict(row.__dict__)
    path = f"/v1/jobs/{value['id']}"
    if value["error"] is not None:
        value["error"] = value["error"][language]
    return JobRead(
        **{name: value[name] for name in JobRead.model_fields if name in value},
        progress=JobProgress(**{name: value[name] for name in JobProgress.model_fields}),
        links=JobLinks(self=path, cancel=f"{path}/cancel"),
    )


async def get_job(tx: Tx, job_id: UUID, language: Language) -> JobRead:
    """Raises `NotFound`."""
    return job_read(await jobs.find(tx, job_id), language)


async def cancel_job(tx: Tx, job_id: UUID, language: Language) -> JobRead:
    """Ask a job to stop. Raises `NotFound`, `IllegalTransition`."""
    return job_read(await jobs.request_cancel(tx, job_id), language)


async def list_jobs(tx: Tx, wanted: JobFilter) -> PageOf:
    """Newest first."""
    row = jobs.JobRow
    statement = select(row).where(row.organization_id == tx.organization_id)
    if wanted.status:
        statement = statement.where(row.status.in_(wanted.status))
    if wanted.kind is not None:
        statement = statement.where(row.kind == wanted.kind)
    return await pages.page(tx, statement, wanted, [(row.created_at, True), (row.id, True)])


async def read_events(tx: Tx, wanted: EventFilter) -> EventList:
    """The feed after a position. It tells about everything: whoever is confined to a part of the
    organization gets `OutsideLimits`."""
    if tx.principal.limits.confines:
        raise OutsideLimits
    after = Position.decode(wanted.after)
    rows = await outbox.read(tx, after, wanted.limit + 1, wanted.type, wanted.subject_id)
    shown = rows[: wanted.limit]
    last = Position(shown[-1]["tx_order"], shown[-1]["seq"]) if shown else after
    return EventList(
        data=[_event_read(row) for row in shown],
        next_after=last.encode(),
        has_more=len(rows) > len(shown),
    )


def _event_read(row: asyncpg.Record) -> EventRead:
    return EventRead(
        position=Position(row["tx_order"], row["seq"]).encode(),
        data=row["data"],
        principal=EventPrincipal(
            kind=row["principal_kind"],
            id=row["principal_id"],
            name=row["principal_name"],
            user_id=row["user_id"],
        ),
        **{
            name: row[name]
            for name in ("id", "type", "subject_type", "subject_id", "request_id", "recorded_at")
        },
    )


def problem_kinds() -> list[ProblemKind]:
    """Every problem the API can answer, by code."""
    return [
        ProblemKind(
            code=code,
            type=problem.type_uri(),
            status=problem.status,
            title=problem.title.en,
            title_zh=problem.title.zh,
        )
        for code, problem in sorted(Problem.registry.items())
    ]
