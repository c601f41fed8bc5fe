"""What a router is made of: the declaration of an operation, and what it asks of the request.

A router holds only paths, words and one call; `OperationRoute` does the rest.
"""

import re
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.routing import APIRoute

from scm_api.core.errors import PreconditionRequired, Problem, VersionMismatch
from scm_api.core.language import Language, language_of
from scm_api.core.operation_route import PUBLIC, SELF, OperationRoute
from scm_api.core.problems import ProblemDocument
from scm_api.core.tx import Tx

# Every permission an operation needs or may need; what a role can be made of.
PERMISSIONS: set[str] = set()


def operation(
    permission: str,
    *,
    errors: Sequence[type[Problem]] = (),
    read_only: bool = False,
    required_if_match: bool = False,
    additional_permissions: Sequence[str] = (),
    secrets: Sequence[str] = (),
    secret_body: bool = False,
    across: str | None = None,
) -> dict[str, Any]:
    """The declaration of an operation, spread into a router's decorator: the permission it needs
    and the problems of its own it may answer (the common ones are added to every operation).

    `read_only` marks a POST that computes without writing; `additional_permissions` are those that
    some requests need besides, as the operation's words say. `secrets` are members of the answer
    that are shown once and never stored for a replay; with `secret_body`, no digest of the
    request's body is stored either, for a password could be guessed from it. `across` ("rows" or
    "groups") lets the operation be asked about several organizations at once (`core.across`).

    `PUBLIC` needs nobody to be known, `SELF` anybody: these see people and keys of all
    organizations and no business data, so their services look only at the caller's own.
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
    if permission not in (PUBLIC, SELF):
        PERMISSIONS.add(permission)
    PERMISSIONS.update(additional_permissions)
    extra: dict[str, Any] = {"x-permission": permission, "x-problems": [e.code for e in errors]}
    if read_only:
        extra["x-read-only"] = True
    if additional_permissions:
        extra["x-additional-permissions"] = list(additional_permissions)
    if secrets:
        extra["x-secrets"] = list(secrets)
    if secret_body:
        extra["x-secret-body"] = True
    if across is not None:
        extra["x-across"] = across
    if required_if_match:
        extra["x-required-if-match"] = True
    return {"responses": responses, "openapi_extra": extra}


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
    language = language_of(request)
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
