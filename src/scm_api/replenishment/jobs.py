"""What replenishment does in the background: it makes plans."""

from typing import Any

from scm_api.core.db import is_connection_lost, is_transient, problem_for
from scm_api.core.errors import InternalError, Problem
from scm_api.core.jobs import Canceled, Work, job
from scm_api.core.language import LANGUAGES
from scm_api.core.tx import Tx
from scm_api.replenishment import service

# A plan reads a year of the whole catalogue: a queue of them helps nobody.
OPEN_PLANS = 3


@job(service.JOB, at_most=OPEN_PLANS)
async def make_plan(tx: Tx, work: Work) -> dict[str, Any]:
    """Make the plan that was asked for; a plan that fails leaves nothing behind but why it did."""
    try:
        return await service.make(tx, work)
    except Canceled:
        await tx.driver.execute("rollback")
        await service.end(work, "canceled", None)
        raise
    except Exception as error:
        # These are raised to the queue, which delivers the job again: the plan has not ended.
        if not (is_transient(error) or is_connection_lost(error)):
            await tx.driver.execute("rollback")
            problem = error if isinstance(error, Problem) else problem_for(error)
            where = f"/v1/jobs/{work.job_id}"
            reason: dict[str, Any] = {
                language: (problem or InternalError()).body(language, where, str(work.job_id))
                for language in LANGUAGES
            }
            await service.end(work, "failed", reason)
        raise
