"""One read of several organizations: each is asked in a transaction of its own, as the principal
that the caller is there.

Rule: an operation answers for one organization and knows of no other; only answers are put together
here, after what the caller may not see in each has been hidden.
"""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlencode

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from pydantic_core import from_json, to_json
from starlette.responses import Response

from scm_api.core import redaction
from scm_api.core.errors import (
    INVALID_CURSOR,
    UNKNOWN_REFERENCE,
    Invalid,
    PermissionDenied,
    Rule,
    Text,
)
from scm_api.core.pages import PageParams
from scm_api.core.runtime import Runtime
from scm_api.core.schemas import Link, Read
from scm_api.core.tx import Principal

ROWS, GROUPS = "rows", "groups"
ORGANIZATION, ORGANIZATION_GROUP = "organization", "organization_group"
PARAMETERS = frozenset({ORGANIZATION, ORGANIZATION_GROUP})
EVERY = "*"
ONE_SELECTION = Rule(
    "one_selection",
    Text(
        "Send organization or organization_group, not both.",
        "organization 与 organization_group 只能提供其一。",
    ),
)
GROUPED_BY_ORGANIZATION = Rule(
    "grouped_by_organization",
    Text(
        "Over several organizations there is one group for each: leave group_by out.",
        "跨组织查询按组织分组,请勿提供 group_by。",
    ),
)
_PAGING = ("limit", "cursor", "include_total")
_KEPT_HEADERS = ("content-language", "vary")
# How a part of the request is answered by one organization.
Ask = Callable[[Request, Principal], Awaitable[Response]]


class Combinable(Read):
    """An answer that knows what it is over several organizations: the response model of an
    operation declared with `across="groups"`."""

    @classmethod
    def common(cls, parts: Sequence[Self]) -> dict[str, str]:
        """The parameters that all must be asked with to speak of the same; empty if they do."""
        raise NotImplementedError

    @classmethod
    def combined(cls, parts: Sequence[tuple[Link, Self]]) -> Self:
        """One answer with a group for each organization; money that is hidden in one of them is
        hidden in the total."""
        raise NotImplementedError


@dataclass
class Question:
    """A request to several organizations on its way through its route."""

    runtime: Runtime
    request: Request
    principal: Principal
    permission: str
    costs: redaction.Paths
    ask: Ask
    # Filters name things of each organization: it is enough if one of them knows the thing.
    refusal: Invalid | None = None


@dataclass(frozen=True)
class _Member:
    """An organization that is asked, and who the caller is there."""

    link: Link
    principal: Principal


def is_asked(request: Request) -> bool:
    """Whether a request names organizations."""
    return not PARAMETERS.isdisjoint(request.query_params)


def check(kind: str, path: str, *, is_write: bool, model: Any) -> None:
    """Raise `TypeError` for an operation that cannot be asked about several organizations."""
    if is_write or kind not in (ROWS, GROUPS):
        raise TypeError(f"{path}: only reads go over organizations, as rows or as groups")
    if kind == GROUPS and not issubclass(model, Combinable):
        raise TypeError(f"{path}: an answer of groups says what it is over organizations")


async def answer(question: Question, kind: str, model: Any) -> Response:
    """The answer over the organizations that a request names, in the order of their codes.

    Those where the caller lacks the permission are left out, and named. Raises `Invalid` for an
    organization that he does not belong to, `PermissionDenied` if none remains.
    """
    members, left_out = await _members(question)
    if kind == ROWS:
        body, headers = await _rows(question, members)
    else:
        body, headers = await _groups(question, members, model)
    body["left_out"] = [link.model_dump(mode="json") for link in left_out]
    return Response(to_json(body), media_type="application/json", headers=headers)


async def _members(question: Question) -> tuple[list[_Member], list[Link]]:
    asked = {
        name: dict.fromkeys(question.request.query_params.getlist(name)) for name in PARAMETERS
    }
    if all(asked.values()):
        raise Invalid([ONE_SELECTION.at_parameter(ORGANIZATION_GROUP)])
    unknown = {(name, value.lower()): value for name in asked for value in asked[name]}
    unknown.pop((ORGANIZATION, EVERY), None)

    def is_wanted(row: Any) -> bool:
        names = {
            (ORGANIZATION, row["code"].lower()),
            (ORGANIZATION, str(row["organization_id"])),
        }
        if row["group_code"] is not None:
            names.add((ORGANIZATION_GROUP, row["group_code"].lower()))
        found = names & wanted
        for name in found:
            unknown.pop(name, None)
        # What is tried out in a sandbox counts nowhere else.
        is_real = not row["is_sandbox"] or row["organization_id"] == current
        return bool(found) or (EVERY in asked[ORGANIZATION] and is_real)

    wanted, current = frozenset(unknown), question.principal.organization_id
    found = await question.runtime.across(question.runtime, question.principal, is_wanted)
    if unknown:
        raise Invalid(
            [
                UNKNOWN_REFERENCE.at_parameter(
                    parameter, kind=parameter.replace("_", " "), reference=value
                )
                for (parameter, _), value in unknown.items()
            ]
        )
    members, left_out = [], []
    for row, principal in found:
        link = Link(id=row["organization_id"], code=row["code"], name=row["name"])
        if principal.may(question.permission):
            members.append(_Member(link, principal))
        else:
            left_out.append(link)
    if not members:
        raise PermissionDenied(required_permission=question.permission)
    return members, left_out


async def _ask(
    question: Question, member: _Member, **changed: Any
) -> tuple[dict[str, Any], dict[str, str]] | None:
    """What one organization answers, as this caller sees it there, and its headers; None where a
    filter names nothing. A parameter changed to None is left out."""
    query = [
        pair
        for pair in question.request.query_params.multi_items()
        if pair[0] not in PARAMETERS and pair[0] not in changed
    ]
    query += [(name, str(value)) for name, value in changed.items() if value is not None]
    try:
        response = await question.ask(_part(question.request, query), member.principal)
    except Invalid as problem:
        if any(error.rule != UNKNOWN_REFERENCE for error in problem.errors):
            raise
        question.refusal = problem
        return None
    body = bytes(response.body)
    if not member.principal.may(redaction.SEE_COSTS):
        body = redaction.redact(body, question.costs)
    kept = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    return from_json(body), kept


def _part(request: Request, query: list[tuple[str, str]]) -> Request:
    """The request as one organization gets it: other parameters, a state of its own, and no
    version that the caller might hold."""
    scope = {
        **request.scope,
        "query_string": urlencode(query).encode(),
        "headers": [pair for pair in request.scope["headers"] if pair[0] != b"if-none-match"],
        "state": dict(request.scope["state"]),
    }
    return Request(scope, request.receive)


async def _rows(
    question: Question, members: Sequence[_Member]
) -> tuple[dict[str, Any], dict[str, str]]:
    """One page of the lists of all, one after the other."""
    paging = _paging(question.request)
    mark = _mark(question.request)
    start, inner = _position(paging.cursor, mark, members)
    rows: list[dict[str, Any]] = []
    body: dict[str, Any] = {}
    headers: dict[str, str] = {}
    cursor = None
    for member in members[start:]:
        room = paging.limit - len(rows)
        # A full page still looks for a row in the next organizations: is there more?
        found = await _ask(
            question, member, limit=max(room, 1), cursor=inner or None, include_total="false"
        )
        inner = ""
        if found is None:
            continue
        page, headers = found
        body = body or page
        if not room and page["data"]:
            cursor = f"{member.link.id.hex}.{mark}."
        elif room:
            organization = member.link.model_dump(mode="json")
            rows += [{"organization": organization, **row} for row in page["data"]]
            if page["has_more"]:
                cursor = f"{member.link.id.hex}.{mark}.{page['next_cursor']}"
        if cursor is not None:
            break
    if not body and question.refusal is not None and paging.cursor is None:
        raise question.refusal
    total = await _total(question, members) if paging.include_total else None
    body |= {"data": rows, "has_more": cursor is not None, "next_cursor": cursor, "total": total}
    if cursor is not None:
        url = question.request.url.include_query_params(cursor=cursor)
        headers = {**headers, "Link": f'<{url.path}?{url.query}>; rel="next"'}
    return body, headers


async def _total(question: Question, members: Sequence[_Member]) -> int:
    """How many rows there are in all."""
    pages = [
        await _ask(question, member, limit=1, cursor=None, include_total="true")
        for member in members
    ]
    return sum(page[0]["total"] for page in pages if page is not None)


def _paging(request: Request) -> PageParams:
    given = {n: request.query_params[n] for n in _PAGING if n in request.query_params}
    try:
        return PageParams.model_validate(given)
    except ValidationError as error:
        raise RequestValidationError(
            [{**one, "loc": ("query", *one["loc"])} for one in error.errors()]
        ) from error


def _mark(request: Request) -> str:
    """What a cursor belongs to: this list of these organizations with these filters."""
    items = request.query_params.multi_items()
    filters = sorted(pair for pair in items if pair[0] not in _PAGING)
    return hashlib.sha256(to_json([request.url.path, filters])).hexdigest()[:12]


def _position(cursor: str | None, mark: str, members: Sequence[_Member]) -> tuple[int, str]:
    """Where a page begins: the place of an organization, and the cursor in it, empty at its start.

    Raises `Invalid` for a cursor of another list, or one that names an organization which is not
    among those the caller may read now: what a cursor says opens nothing.
    """
    if cursor is None:
        return 0, ""
    named, stored, inner = (*cursor.split(".", 2), "", "")[:3]
    places = {member.link.id.hex: place for place, member in enumerate(members)}
    if named not in places or stored != mark:
        raise Invalid([INVALID_CURSOR.at_parameter("cursor")])
    return places[named], inner


async def _groups(
    question: Question, members: Sequence[_Member], model: type[Combinable]
) -> tuple[dict[str, Any], dict[str, str]]:
    """One answer with a group for each organization, and a total."""
    if "group_by" in question.request.query_params:
        raise Invalid([GROUPED_BY_ORGANIZATION.at_parameter("group_by")])
    found = await _parts(question, members, model)
    if not found:
        assert question.refusal is not None
        raise question.refusal
    common = model.common([part for _, part, _ in found])
    if common:
        found = await _parts(question, [member for member, _, _ in found], model, **common)
    combined = model.combined([(member.link, part) for member, part, _ in found])
    return combined.model_dump(mode="json", by_alias=True), found[0][2]


async def _parts(
    question: Question, members: Sequence[_Member], model: type[Combinable], **common: str
) -> list[tuple[_Member, Combinable, dict[str, str]]]:
    """Each organization that has an answer, with it and its headers."""
    parts = []
    for member in members:
        found = await _ask(question, member, **common)
        if found is not None:
            parts.append((member, model.model_validate(found[0], by_alias=True), found[1]))
    return parts


def describe(spec: dict[str, Any], models: dict[str, Any]) -> None:
    """Say in the OpenAPI document how an operation is asked about several organizations, and what
    its answer has then."""
    link = "#/components/schemas/Link"
    spec["parameters"] += _DOCUMENTED
    spec["description"] += _WORDS[spec["x-across"]]
    content = spec["responses"]["200"]["content"]["application/json"]
    answer_model = models[_name(content["schema"])]
    answer_model["properties"]["left_out"] = {
        "type": "array",
        "items": {"$ref": link},
        "description": "Only over several organizations: those where one lacks the permission.",
    }
    if spec["x-across"] == ROWS:
        row = models[_name(answer_model["properties"]["data"]["items"])]
        row["properties"]["organization"] = {
            "$ref": link,
            "description": "Only over several organizations: where the row is from.",
        }


def _name(schema: dict[str, str]) -> str:
    return schema["$ref"].rpartition("/")[2]


_WORDS = {
    ROWS: "\n\nWith `organization` or `organization_group`, the rows of several organizations, "
    "ordered by the organization's code first. A filter applies in each; one that names nothing "
    "there finds no rows there.",
    GROUPS: "\n\nWith `organization` or `organization_group`, one group for each organization, by "
    "code, and the total of all; money and what is computed from it only where the caller sees it "
    "in all of them and they have one base currency. `limit` does not apply.",
}
_DOCUMENTED: list[dict[str, Any]] = [
    {
        "name": name,
        "in": "query",
        "required": False,
        "description": description,
        "schema": {"type": "array", "items": {"type": "string", "maxLength": 80}},
    }
    for name, description in (
        (
            ORGANIZATION,
            "Organizations one belongs to, by code or id; `*` for all of them. Those where one "
            "lacks the permission are left out, and named in `left_out`.",
        ),
        (ORGANIZATION_GROUP, "All organizations of these groups that one belongs to, by code."),
    )
]
