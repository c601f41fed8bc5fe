"""The route of every operation: one request, one transaction.

Authenticate, check the permission, run, store, commit, answer; nothing half done.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

import structlog
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.responses import Response

from scm_api.core import across, idempotency, outbox, rate_limits, redaction
from scm_api.core.db import is_transient, problem_for
from scm_api.core.errors import (
    NOT_A_BOOLEAN,
    UNKNOWN_PARAMETER,
    Invalid,
    MalformedJson,
    NotFound,
    Problem,
    Text,
    Unauthenticated,
    UnsupportedMediaType,
)
from scm_api.core.problems import error_response, from_http, from_validation
from scm_api.core.runtime import Credentials, Runtime
from scm_api.core.strict_json import StrictJsonError, loads
from scm_api.core.tx import ANONYMOUS, Principal, Source

# In place of a permission: nobody needs to be known; somebody must be, whoever it is.
PUBLIC, SELF = "public", "self"
_READS = {"GET", "HEAD"}
_ATTEMPTS = 4
_REASON_LENGTH = 2000
Inner = Callable[[Request], Coroutine[Any, Any, Response]]


@dataclass
class Call:
    """One request on its way through its route."""

    runtime: Runtime
    request: Request
    principal: Principal
    is_write: bool
    source: Source


class OperationRoute(APIRoute):
    """The route of every business operation; what it declares stands in `openapi_extra`."""

    def get_route_handler(self) -> Inner:
        inner = super().get_route_handler()
        extra = self.openapi_extra or {}
        if "x-permission" not in extra:
            raise TypeError(f"{self.methods} {self.path}: declare operation(permission=...)")
        self.permission: str = extra["x-permission"]
        self.is_write = not ((self.methods or set()) <= _READS or extra.get("x-read-only", False))
        self.secrets: list[str] = extra.get("x-secrets", [])
        self.has_secret_body: bool = extra.get("x-secret-body", False)
        self.known = parameter_names(self) | ({"dry_run"} if self.is_write else set())
        self.costs = redaction.hidden_paths(self)
        self.across: str | None = extra.get("x-across")
        if self.across is not None:
            across.check(self.across, self.path, is_write=self.is_write, model=self.response_model)
            self.known |= across.PARAMETERS

        async def handle(request: Request) -> Response:
            request.state.budget = rate_limits.NO_HEADERS
            try:
                response = await self._answer(request, inner)
            except Exception as error:
                response = error_response(request, self._problem(error))
            response.headers.update(request.state.budget)
            return response

        return handle

    async def _answer(self, request: Request, inner: Inner) -> Response:
        runtime: Runtime = request.app.state.runtime
        principal = await self._admit(runtime, request)
        unknown = [name for name in request.query_params if name not in self.known]
        if unknown:
            raise Invalid([UNKNOWN_PARAMETER.at_parameter(name, name=name) for name in unknown])
        await self._read_body(request)
        call = Call(runtime, request, principal, self.is_write, self._source(request))
        if self.across is not None and across.is_asked(request):
            return await self._answer_across(call, inner, self.across)
        request.state.sees_costs = principal.may(redaction.SEE_COSTS)
        response = await self._in_transaction(call, inner)
        if not principal.may(redaction.SEE_COSTS):
            self._hide_costs(response)
        # `*` asks whether there is anything at all, which costs as much as reading it.
        is_held = request.headers.get("if-none-match", "").strip() != "*"
        if response.status_code == 304 and is_held and request.state.budget:
            request.state.budget = rate_limits.give_back(runtime, principal)
        return response

    async def _admit(self, runtime: Runtime, request: Request) -> Principal:
        """Who calls, if he may."""
        address = request.client.host if request.client else None
        if self.permission == PUBLIC:
            request.state.budget = rate_limits.admit_address(runtime, address)
            return ANONYMOUS
        credentials = Credentials(
            request.headers.get("authorization"),
            request.headers.get("scm-organization"),
            address,
            request.scope["state"]["request_id"],
        )
        try:
            principal = await runtime.authenticate(runtime, credentials)
        except (Unauthenticated, NotFound):
            # Failures only: whoever guesses keys spends his address's budget, not his neighbours'.
            request.state.budget = rate_limits.admit_address(runtime, address)
            raise
        structlog.contextvars.bind_contextvars(
            organization_id=str(principal.organization_id), principal=principal.name
        )
        request.state.language = principal.language
        request.state.budget = await rate_limits.admit(runtime, principal)
        # Over several organizations, each is asked for the permission there.
        is_across = self.across is not None and across.is_asked(request)
        if self.permission != SELF and not is_across:
            principal.require(self.permission)
        return principal

    async def _answer_across(self, call: Call, inner: Inner, kind: str) -> Response:
        # All are asked at the same instant.
        now = call.runtime.clock()
        runtime = replace(call.runtime, clock=lambda: now)

        async def ask(part: Request, principal: Principal) -> Response:
            asked = replace(call, runtime=runtime, request=part, principal=principal)
            return await self._in_transaction(asked, inner)

        question = across.Question(
            runtime, call.request, call.principal, self.permission, self.costs, ask
        )
        return await across.answer(question, kind, self.response_model)

    def _source(self, request: Request) -> Source:
        said = getattr(request, "_json", None)
        reason = said.get("reason") if isinstance(said, dict) else None
        if not isinstance(reason, str):
            # Header values are bytes: other alphabets come percent-encoded.
            reason = unquote(request.headers.get("scm-reason", "")) or None
        return Source(
            request_id=request.scope["state"]["request_id"],
            address=request.client.host if request.client else None,
            operation=self.unique_id,
            reason=reason and reason[:_REASON_LENGTH],
        )

    def _hide_costs(self, response: Response) -> None:
        if self.costs and response.body:
            response.body = redaction.redact(bytes(response.body), self.costs)
            response.headers["Content-Length"] = str(len(response.body))

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

    async def _in_transaction(self, call: Call, inner: Inner) -> Response:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return await self._once(call, inner)
            except Exception as error:
                # Nothing was committed, so the whole request may simply run again.
                if attempt == _ATTEMPTS or not is_transient(error):
                    raise
        raise AssertionError("unreachable")

    async def _once(self, call: Call, inner: Inner) -> Response:
        request, runtime = call.request, call.runtime
        key = idempotency.key_of(request) if call.is_write else None
        async with runtime.database.transaction(
            call.principal,
            now=runtime.clock(),
            source=call.source,
            read_only=not call.is_write,
            is_system=self.permission in (PUBLIC, SELF),
        ) as tx:
            tx.dry_run = call.is_write and wants_dry_run(request)
            if call.is_write:
                _hide_dry_run(request, self)
            if tx.dry_run or self.permission == PUBLIC:
                key = None
            tx.idempotency_key = key
            if key is not None:
                body = b"" if self.has_secret_body else await request.body()
                replay = await idempotency.claim(tx, request, key, body)
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
            if not call.is_write:
                return not_modified(request, response)
            await outbox.flush(tx)
            if tx.dry_run:
                response.headers["Dry-Run"] = "true"
                return response
            if key is not None:
                await idempotency.store(tx, request, key, response, self.secrets)
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


def not_modified(request: Request, response: Response) -> Response:
    """304 without a body when the caller already has this version."""
    etag = response.headers.get("etag")
    asked = request.headers.get("if-none-match")
    if etag is None or asked is None or response.status_code != 200:
        return response
    known = {tag.strip().removeprefix("W/") for tag in asked.split(",")}
    if "*" not in known and etag.removeprefix("W/") not in known:
        return response
    return Response(status_code=304, headers={"ETag": etag})
