"""Emptying a sandbox: all business goes, settings, people and keys stay."""

from typing import Any
from uuid import UUID

import asyncpg

from scm_api.core import jobs, limits
from scm_api.core.errors import Invalid, Text, Unavailable
from scm_api.core.jobs import Work, job
from scm_api.core.tx import Tx
from scm_api.organizations import errors, repository
from scm_api.organizations.events import SandboxReset
from scm_api.organizations.schemas import SandboxResetRequest

JOB = "sandbox.reset"
_ATTEMPTS = 20
_TOO_BUSY = Text("the sandbox is being written to", "沙箱正在写入")


async def start(tx: Tx, body: SandboxResetRequest) -> UUID:
    """Queue the reset; gives the job's id. Raises `NotASandbox`, `Invalid` for a wrong code,
    `OutsideLimits` for callers confined to a part of the organization, `TooManyJobs`."""
    organization = await repository.find(tx, tx.organization_id)
    if not organization["is_sandbox"]:
        raise errors.NotASandbox(organization=organization["code"])
    limits.require_unconfined(tx)
    if body.confirm.lower() != organization["code"].lower():
        named = {"organization": organization["code"]}
        raise Invalid([errors.NOT_CONFIRMED.at("/confirm", **named)])
    return await jobs.enqueue(tx, JOB, {})


@job(JOB, at_most=1)
async def reset(tx: Tx, work: Work) -> dict[str, Any]:
    """Empty the sandbox, then say so in its trail and its feed, which begin anew with that."""
    running = await repository.other_running_jobs(tx, work.job_id)
    if running:
        raise errors.JobsRunning(count=running)
    removed = await _empty(tx)
    organization = await repository.find(tx, tx.organization_id)
    await repository.update(tx, organization["version"], {"sandbox_reset_at": tx.now})
    tx.emit(SandboxReset(tx.organization_id, removed_rows=removed))
    return {"removed_rows": removed}


async def _empty(tx: Tx) -> int:
    # What somebody writes meanwhile may refer to what is being removed, or wait for it and hold the
    # rest: then once more. The savepoint lets go of what was locked.
    for _ in range(_ATTEMPTS):
        try:
            async with tx.savepoint():
                return await repository.empty_sandbox(tx)
        except (asyncpg.ForeignKeyViolationError, asyncpg.DeadlockDetectedError):
            continue
    raise Unavailable(_TOO_BUSY)
