"""A worker process whose only job takes its time, for tests that stop it in the middle.

Run as `python -m tests.cli.slow_job <database url> <grace seconds>`; standard output says when.
"""

import asyncio
import sys
from datetime import timedelta
from typing import Any

from scm_api.core.jobs import Work, job
from scm_api.core.observability import configure_logging
from scm_api.core.tx import Tx
from scm_api.process import Urls, make_runtime
from scm_api.settings import Settings
from scm_api.warehouses import service as warehouses
from scm_api.warehouses.schemas import WarehouseCreate
from scm_api.worker import Worker, run

KIND = "test.slow"


@job(KIND)
async def slow(tx: Tx, work: Work) -> dict[str, Any]:
    """Make a warehouse, then take a while before the end."""
    await warehouses.create(tx, WarehouseCreate(code=work.params["code"], name="Made by a job"))
    sys.stdout.write("working\n")
    sys.stdout.flush()
    await asyncio.sleep(work.params["seconds"])
    return {"code": work.params["code"]}


async def main(url: str, grace_seconds: float) -> None:
    """Work until stopped."""
    configure_logging()
    runtime = make_runtime(Settings(), Urls(url, None))
    worker = Worker(
        runtime, chores=(), grace_seconds=grace_seconds, heartbeat_timeout=timedelta(seconds=2)
    )
    await run(worker)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
