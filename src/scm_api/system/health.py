"""Probes and metrics for those who run the API: outside the contract, probes need no key."""

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from scm_api.core.migrate import head_revision
from scm_api.core.observability import render_metrics
from scm_api.core.runtime import Runtime


async def live(request: Request) -> JSONResponse:
    """The process answers."""
    return JSONResponse({"status": "ok"})


async def ready(request: Request) -> JSONResponse:
    """The database answers and is migrated to the revision this program knows."""
    runtime: Runtime = request.app.state.runtime
    checks = {"database": "ok", "migrations": "ok"}
    try:
        async with asyncio.timeout(2), runtime.database.system() as driver:
            revision = await driver.fetchval("select version_num from alembic_version")
        if revision != head_revision():
            checks["migrations"] = f"database is at {revision}, program needs {head_revision()}"
    except Exception as error:
        checks["database"] = type(error).__name__
    ok = all(value == "ok" for value in checks.values())
    return JSONResponse(
        {"status": "ok" if ok else "unavailable", "checks": checks},
        200 if ok else 503,
        headers={} if ok else {"Retry-After": "1"},
    )


async def metrics(request: Request) -> Response:
    """Prometheus metrics; needs a key with `metrics:read`, for they tell how the business runs."""
    runtime: Runtime = request.app.state.runtime
    principal = await runtime.authenticate(runtime, request.headers.get("authorization"))
    principal.require("metrics:read")
    body, media_type = render_metrics()
    return Response(body, headers={"Content-Type": media_type})


routes = [
    Route("/livez", live, methods=["GET"]),
    Route("/readyz", ready, methods=["GET"]),
    Route("/healthz", ready, methods=["GET"]),
    Route("/metrics", metrics, methods=["GET"]),
]
