"""One request, one transaction: authenticate, check the permission, run, store, commit, answer.

`OperationRoute` does this for every operation, so a router holds only paths, words and one call.
"""

import re
from collections.abc import Callable, Coroutine, Sequence
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.responses import Response as StarletteResponse

from scm_api.core import idempotency, outbox
from scm_api.core.db import is_transient, problem_for
from scm_api.core.errors import (
    NOT_A_BOOLEAN,
    UNKNOWN_PARAMETER,
    Invalid,
    MalformedJson,
    PreconditionRequired,
    Problem,
    Text,
    UnsupportedMediaType,
    VersionMismatch,
)
from scm_api.core.language import Language, negotiate_language
from scm_api.core.problems import ProblemDocument, error_response, from_http, from_validation
from scm_api.core.runtime import Runtime
from scm_api.core.strict_json import StrictJsonError, loads
from scm_api.core.tx import Principal, Tx

_READS = {"GET", "HEAD"}
_ATTEMPTS = 4


def operation(
    permission: str,
    *,
    errors: Sequence[type[Problem]] = (),
    read_only: bool = False,
    required_if_match: bool = False,
    additional_permissions: Sequence[str] = (),
) -> dict[str, Any]:
    """The declaration of an operation, spread into a router's decorator: the permission it needs
    and the problems of its own it may answer (the common ones are added to every operation).

    `read_only` marks a POST that computes without writing; `additional_permissions` are those that
    some requests need besides, as the operation's words say.
    """
    by_status: dict[int, list[type[Problem]]] = {}
    for error in errors:
        by_status.setdefault(error.status, []).append(error)
    responses = {
        status: {
            "model": ProblemDocument,
            "description": "; ".join(f"`{e.code}`: {e.title.en}" for e in group),
        }
        for status, group in by_status.items()
    }
    extra: dict[str, Any] = {"x-permission": permission, "x-problems": [e.code for e in errors]}
    if read_only:
        extra["x-read-only"] = True
    if additional_permissions:
        extra["x-additional-permissions"] = list(additional_permissions)
    if required_if_match:
        extra["x-required-if-match"] = True
    return {"responses": responses, "openapi_extra": extra}


class OperationRoute(APIRoute):
    """The route of every business operation."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, StarletteResponse]]:
        inner = super().get_route_handler()
        extra = self.openapi_extra or {}
        if "x-permission" not in extra:
            raise TypeError(f"{self.methods} {self.path}: declare operation(permission=...)")
        permission: str = extra["x-permission"]
        writes = not ((self.methods or set()) <= _READS or extra.get("x-read-only", False))
        known = parameter_names(self) | ({"dry_run"} if writes else set())

        async def handle(request: Request) -> StarletteResponse:
            runtime: Runtime = request.app.state.runtime
            try:
                header = request.headers.get("authorization")
                principal = await runtime.authenticate(runtime, header)
                structlog.contextvars.bind_contextvars(
                    organization_id=str(principal.organization_id), principal=principal.name
                )
                principal.require(permission)
                unknown = [name for name in request.query_params if name not in known]
                if unknown:
                    raise Invalid(
                        [UNKNOWN_PARAMETER.at_parameter(name, name=name) for name in unknown]
                    )
                await self._read_body(request)
                return await self._in_transaction(runtime, request, principal, inner, writes)
            except Exception as error:
                return error_response(request, self._problem(error))

        return handle

    @staticmethod
    def _problem(error: Exception) -> Problem:
        if isinstance(error, Problem):
            return error
        if isinstance(error, RequestValidationError):
            return from_validation(error)
        if isinstance(error, HTTPException):
            return from_http(error)
        problem = problem_for(error)
        if problem is None:
            raise error
        return problem

    async def _read_body(self, request: Request) -> None:
        if self.body_field is None:
            return
        body = await request.body()
        media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
        if body and media_type != "application/json" and not media_type.endswith("+json"):
            raise UnsupportedMediaType
        if body:
            try:
                # FastAPI asks the request for its JSON; this is where Starlette keeps it.
                request._json = loads(body)
            except StrictJsonError as error:
                raise MalformedJson(
                    reason=Text(error.detail_en, error.detail_zh),
                    rule=error.code,
                    pointer=error.pointer,
                ) from error

    async def _in_transaction(
        self,
        runtime: Runtime,
        request: Request,
        principal: Principal,
        inner: Callable[[Request], Coroutine[Any, Any, StarletteResponse]],
        writes: bool,
    ) -> StarletteResponse:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return await self._once(runtime, request, principal, inner, writes)
            except Exception as error:
                # Nothing was committed, so the whole request may simply run again.
                if attempt == _ATTEMPTS or not is_transient(error):
                    raise
        raise AssertionError("unreachable")

    async def _once(
        self,
        runtime: Runtime,
        request: Request,
        principal: Principal,
        inner: Callable[[Request], Coroutine[Any, Any, StarletteResponse]],
        writes: bool,
    ) -> StarletteResponse:
        key = idempotency.key_of(request) if writes else None
        async with runtime.database.transaction(
            principal,
            now=runtime.clock(),
            request_id=request.scope["state"]["request_id"],
            read_only=not writes,
        ) as tx:
            tx.dry_run = writes and wants_dry_run(request)
            if writes:
                _hide_dry_run(request, self)
            if tx.dry_run:
                key = None
            tx.idempotency_key = key
            if key is not None:
                replay = await idempotency.claim(tx, request, key, await request.body())
                if replay is not None:
                    return replay
            request.state.tx = tx
            try:
                response = await inner(request)
            except Problem as problem:
                if problem.keep_writes and not tx.dry_run:
                    await outbox.flush(tx)
                    if key is not None:
                        await idempotency.release(tx, request, key)
                    await tx.driver.execute("commit")
                raise
            if not writes:
                return not_modified(request, response)
            await outbox.flush(tx)
            if tx.dry_run:
                response.headers["Dry-Run"] = "true"
                return response
            if key is not None:
                await idempotency.store(tx, request, key, response)
            await tx.driver.execute("commit")
            return response


def parameter_names(route: APIRoute) -> set[str]:
    """The query parameters a route declares, those of parameter models included."""
    names: set[str] = set()
    for parameter in route.dependant.query_params:
        model = parameter.field_info.annotation
        fields = getattr(model, "model_fields", None)
        names |= {f.alias or n for n, f in fields.items()} if fields else {parameter.alias}
    return names


def wants_dry_run(request: Request) -> bool:
    """Whether the caller asked to see what would happen, without it happening."""
    values = {value.lower() for value in request.query_params.getlist("dry_run")}
    if values - {"true", "false", "1", "0"}:
        raise Invalid([NOT_A_BOOLEAN.at_parameter("dry_run")])
    # Said twice and differently, the careful answer counts.
    return bool(values & {"true", "1"})


def _hide_dry_run(request: Request, route: APIRoute) -> None:
    # A strict model of the operation's own parameters would refuse the one that all writes have.
    rest = [pair for pair in request.query_params.multi_items() if pair[0] != "dry_run"]
    if "dry_run" not in parameter_names(route):
        request._query_params = QueryParams(rest)


def not_modified(request: Request, response: StarletteResponse) -> StarletteResponse:
    """304 without a body when the caller already has this version."""
    etag = response.headers.get("etag")
    asked = request.headers.get("if-none-match")
    if etag is None or asked is None or response.status_code != 200:
        return response
    known = {tag.strip().removeprefix("W/") for tag in asked.split(",")}
    if "*" not in known and etag.removeprefix("W/") not in known:
        return response
    return StarletteResponse(status_code=304, headers={"ETag": etag})


async def current_tx(request: Request) -> Tx:
    """The request's transaction, opened by its route."""
    tx: Tx = request.state.tx
    return tx


OpenTx = Annotated[Tx, Depends(current_tx)]


Versions = frozenset[int]
ANY_VERSION: Versions = frozenset()
_NO_VERSION = -1


async def expected_versions(request: Request) -> Versions | None:
    """The versions that `If-Match` lists, any of which will do; `ANY_VERSION` for `*`, None without
    the header."""
    if "if-match" not in request.headers:
        return None
    header = ",".join(request.headers.getlist("if-match")).strip()
    if header == "*":
        return ANY_VERSION
    tags = (re.fullmatch(r'\s*"(\d{1,18})"\s*', tag) for tag in header.split(","))
    # A weak or foreign tag can never match (RFC 9110, 13.1.1).
    return frozenset(int(tag.group(1)) if tag else _NO_VERSION for tag in tags)


IfMatch = Annotated[Versions | None, Depends(expected_versions)]


def check_version(
    current: int, if_match: Versions | None, version: int | None = None, *, required: bool = False
) -> None:
    """Compare a resource's version (0: there is none yet) with those of If-Match, else with the
    body's `version`.

    Raises `VersionMismatch`, or `PreconditionRequired` when a version is required and none was
    named: `*` only says that the resource is there, which is not what was read.
    """
    wanted = if_match
    if not if_match and version is not None:
        wanted = frozenset({version})
    if required and not wanted:
        raise PreconditionRequired
    is_met = current > 0 if wanted == ANY_VERSION else wanted is None or current in wanted
    if not is_met:
        raise VersionMismatch(current_version=current)


class Reply:
    """The headers an operation sets beside its body."""

    def __init__(self, request: Request, response: Response) -> None:
        self._request = request
        self._headers = response.headers

    def etag(self, version: int) -> None:
        self._headers["ETag"] = f'"{version}"'

    def created(self, location: str, version: int | None = None) -> None:
        self._headers["Location"] = location
        if version is not None:
            self.etag(version)

    def accepted(self, job_location: str) -> None:
        """Headers of 202: where the job is, and when to ask for it."""
        self._headers["Location"] = job_location
        self._headers["Retry-After"] = "1"

    def retry_after(self, seconds: int) -> None:
        self._headers["Retry-After"] = str(seconds)

    def next_page(self, cursor: str | None) -> None:
        """`Link: <...>; rel="next"` of a list (RFC 8288)."""
        if cursor is not None:
            url = self._request.url.include_query_params(cursor=cursor)
            self._headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'


async def _reply(request: Request, response: Response) -> Reply:
    return Reply(request, response)


ReplyTo = Annotated[Reply, Depends(_reply)]


async def _language(request: Request, response: Response) -> Language:
    language = negotiate_language(request.headers.get("accept-language"))
    response.headers.update({"Content-Language": language, "Vary": "Accept-Language"})
    return language


# For answers that hold sentences: the caller's language, told in the headers.
ReplyLanguage = Annotated[Language, Depends(_language)]


def operation_id(route: APIRoute) -> str:
    """`<tag>_<verb>`, the name generated clients call the operation by."""
    return f"{str(route.tags[0]).replace('-', '_')}_{route.name.rstrip('_')}"


def router(tag: str, prefix: str | None = None) -> APIRouter:
    """The router of one domain: folder name = tag = URL segment."""
    return APIRouter(
        prefix=f"/v1/{tag}" if prefix is None else prefix,
        tags=[tag],
        route_class=OperationRoute,
        generate_unique_id_function=operation_id,
    )
