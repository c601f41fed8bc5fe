"""The HTTP process: middleware, routes, and the OpenAPI document."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from scm_api import wiring
from scm_api.access.access_log import flush as flush_access_log
from scm_api.core.docs_page import mount_docs
from scm_api.core.errors import Problem
from scm_api.core.guards import BodySizeGuard, LastResort, RequestDeadline, RequestId
from scm_api.core.observability import AccessLog, Metrics
from scm_api.core.openapi import document
from scm_api.core.problems import error_response, from_http, from_validation
from scm_api.core.routing import IndexedRouter
from scm_api.core.runtime import Runtime
from scm_api.settings import Settings
from scm_api.system import health

ACCEPTED = (
    "Authorization",
    "Content-Type",
    "Accept-Language",
    "Idempotency-Key",
    "Scm-Organization",
    "Scm-Reason",
    "If-Match",
    "If-None-Match",
    "X-Request-Id",
)
EXPOSED = (
    "Dry-Run",
    "ETag",
    "Location",
    "Link",
    "Retry-After",
    "RateLimit",
    "RateLimit-Policy",
    "Idempotent-Replayed",
    "X-Request-Id",
    "Deprecation",
    "Sunset",
    "Content-Disposition",
)


def create_app(runtime: Runtime) -> FastAPI:
    """The application over one runtime; the caller disposes of the runtime's database."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await flush_access_log(runtime)
        await runtime.database.dispose()

    app = bare_app(lifespan, runtime.settings)
    app.state.runtime = runtime
    if runtime.settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=runtime.settings.cors_origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=ACCEPTED,
            expose_headers=EXPOSED,
        )
    return app


def bare_app(lifespan: Any = None, settings: Settings | None = None) -> FastAPI:
    """The application without a runtime: enough to produce the OpenAPI document."""
    settings = settings or Settings()
    app = FastAPI(
        title="scm-api",
        version="1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        redirect_slashes=False,
        separate_input_output_schemas=False,
    )
    for router in wiring.routers:
        app.router.routes.extend(router.routes)
    app.router.routes.extend(health.routes)
    mount_docs(app)
    app.openapi = lambda: document(app)  # type: ignore[method-assign]
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _framework)
    app.add_exception_handler(RequestValidationError, _invalid)
    # The last added is the outermost.
    app.add_middleware(BodySizeGuard, default_limit=settings.max_body_bytes)
    app.add_middleware(RequestDeadline, seconds=settings.request_timeout_seconds)
    app.add_middleware(LastResort)
    app.add_middleware(AccessLog)
    app.add_middleware(Metrics)
    app.add_middleware(RequestId)
    router = app.router
    router.middleware_stack = IndexedRouter(router.routes, router.app)
    return app


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error_response(request, error)


async def _framework(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return error_response(request, from_http(error))


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return error_response(request, from_validation(error))
