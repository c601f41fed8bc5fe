"""What replenishment does in the background: it makes plans."""

from typing import Any

from scm_api.core.jobs import Work, job
from scm_api.core.tx import Tx
from scm_api.replenishment import service


@job(service.JOB)
async def make_plan(tx: Tx, work: Work) -> dict[str, Any]:
    """Make the plan that was asked for; a plan that fails leaves no line behind."""
    return await service.make(tx, work)
