"""Probes and metrics for those who run the API: outside the contract, probes need no key."""

import asyncio
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from scm_api.core.http import PERMISSIONS
from scm_api.core.migrate import head_revision
from scm_api.core.observability import METRICS, render_metrics
from scm_api.core.runtime import Credentials, Runtime

LATE_SECONDS = 300
READ_METRICS = "metrics:read"
# No operation of the contract needs it, but keys can have it.
PERMISSIONS.add(READ_METRICS)


class State(NamedTuple):
    """What one look at the database tells; ages in seconds."""

    revision: str
    queue_waiting: int
    queue_age: float
    feed_lag: float


# Of other roles' transactions the server tells the age only to members of pg_read_all_stats.
_STATE = """
select (select version_num from alembic_version) as revision,
       (select count(*) from pgqueuer where status = 'queued') as queue_waiting,
       (select coalesce(extract(epoch from now() - min(execute_after)), 0) from pgqueuer
        where status = 'queued' and execute_after <= now())::float as queue_age,
       (select coalesce(extract(epoch from now() - min(since)), 0) from (
          select xact_start from pg_stat_activity where backend_xid is not null
          union all
          select prepared from pg_prepared_xacts) as open_transaction(since))::float as feed_lag
"""


async def state(runtime: Runtime) -> State:
    """Revision, queue and feed, in one statement; also sets the gauges of `GET /metrics`."""
    async with asyncio.timeout(2), runtime.database.system() as driver:
        found = State(*await driver.fetchrow(_STATE))
    METRICS.queue_waiting.set(found.queue_waiting)
    METRICS.feed_lag.set(found.feed_lag)
    return found


async def live(request: Request) -> JSONResponse:
    """The process answers."""
    return JSONResponse({"status": "ok"})


async def ready(request: Request) -> JSONResponse:
    """The database answers and is migrated to the revision this program knows.

    A queue or feed that is minutes late is reported as `degraded`, with 200: what waits there is
    another process's work, and to take this one out of service would only add an outage.
    """
    runtime: Runtime = request.app.state.runtime
    checks = {"database": "ok", "migrations": "ok", "queue": "ok", "feed": "ok"}
    figures: dict[str, Any] = {}
    try:
        found = await state(runtime)
    except Exception as error:
        checks = {"database": type(error).__name__}
    else:
        if found.revision != head_revision():
            checks["migrations"] = (
                f"database is at {found.revision}, program needs {head_revision()}"
            )
        if found.queue_age > LATE_SECONDS:
            checks["queue"] = "jobs wait too long: is a worker running?"
        if found.feed_lag > LATE_SECONDS:
            checks["feed"] = "an old transaction holds the feed back"
        figures = {
            "queue": {"waiting": found.queue_waiting, "oldest_seconds": round(found.queue_age, 1)},
            "feed": {"lag_seconds": round(found.feed_lag, 1)},
        }
    is_able = checks["database"] == checks.get("migrations") == "ok"
    is_well = all(value == "ok" for value in checks.values())
    status = "unavailable" if not is_able else "ok" if is_well else "degraded"
    return JSONResponse(
        {"status": status, "checks": checks, **figures},
        200 if is_able else 503,
        headers={} if is_able else {"Retry-After": "1"},
    )


async def metrics(request: Request) -> Response:
    """Prometheus metrics; needs a key with `metrics:read`, for they tell how the business runs."""
    runtime: Runtime = request.app.state.runtime
    principal = await runtime.authenticate(
        runtime, Credentials(request.headers.get("authorization"))
    )
    principal.require(READ_METRICS)
    await state(runtime)
    body, media_type = render_metrics()
    return Response(body, headers={"Content-Type": media_type})


routes = [
    Route("/livez", live, methods=["GET"]),
    Route("/readyz", ready, methods=["GET"]),
    Route("/healthz", ready, methods=["GET"]),
    Route("/metrics", metrics, methods=["GET"]),
]
