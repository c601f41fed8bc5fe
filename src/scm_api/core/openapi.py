"""The OpenAPI 3.1 document: FastAPI's, completed so that generated clients are good.

Every operation gets its security, the headers of the contract and every problem it can answer.
"""

import re
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic_core import to_json

from scm_api.core import across, errors
from scm_api.core.errors import Problem
from scm_api.core.operation_route import PUBLIC, SELF

_REFERENCE = r'"#/components/schemas/([^"]+)"'
_NUMBER_BOUNDS = {"gt", "ge", "lt", "le"}
_TAGS = {
    "warehouses": "Warehouses and the locations in them.",
    "stock-movements": "The append-only ledger: post, list, reverse.",
    "stock": "Positions, balances, arrivals, projections and value, now or at any instant.",
    "items": "Items with their units, barcodes and names in other systems.",
    "categories": "The tree that items are sorted into.",
    "suppliers": "Suppliers, their calendars, what they sell, and how long they really take.",
    "supplier-items": "All sources of items, with price breaks and lead times.",
    "shortages": "Demand that could not be served: what sales alone would hide from planning.",
    "sales-plans": "Promotions and sales plans by item, warehouse and day.",
    "demand": "What kind of demand an item has in a warehouse.",
    "replenishment": "Policies, plans and explained suggestions: what to order, when and why.",
    "purchase-orders": "Orders from draft to closed: lines, dates, answers, changes.",
    "receipts": "Goods that arrived: one call moves order, stock and cost.",
    "alerts": "What needs attention, on which numbers, and what could be done about it.",
    "kpis": "Key figures from the ledger, each with its formula and inputs, for any past period.",
    "alert-rules": "When alerts are raised, per kind.",
    "jobs": "Background work with progress.",
    "events": "The change feed: everything that happened, in an order that never skips.",
    "problems": "The registry of problem codes.",
    "organizations": "The organizations one belongs to: settings, calendar, numbers, periods.",
    "organization-groups": "Organizations that belong together.",
    "sandbox": "Organizations to try things in, emptied at will.",
    "sessions": "Logging in and out: short access tokens, refresh tokens that rotate.",
    "me": "Oneself: profile, password, second factor, sessions.",
    "users": "The people of an organization: invitations, roles, limits.",
    "api-keys": "Keys for programs: scoped, rotated, revoked.",
    "roles": "What people and keys may do: templates and roles of one's own.",
    "duty-rules": "Segregation of duties: what one person must not do alone.",
    "audit": "The trail: who changed what, when, from where and why; sealed.",
}
_DESCRIPTION = """\
Inventory and procurement in one live flow. Decimals travel as strings, times are RFC 3339 in UTC,
unknown fields and parameters are refused by name. Send `Idempotency-Key` with writes and retry
freely; send `If-Match` with the ETag you read and never overwrite somebody else's change; add
`dry_run=true` to see what a write would do.
"""
_READ_PROBLEMS: tuple[type[Problem], ...] = (
    errors.Unauthenticated,
    errors.PermissionDenied,
    errors.Invalid,
    errors.RateLimited,
    errors.InternalError,
    errors.Unavailable,
)
_WRITE_PROBLEMS: tuple[type[Problem], ...] = (
    errors.Malformed,
    errors.IdempotencyKeyInvalid,
    errors.IdempotencyInProgress,
    errors.Conflict,
    errors.IdempotencyKeyReused,
)
_BODY_PROBLEMS: tuple[type[Problem], ...] = (
    errors.MalformedJson,
    errors.BodyTooLarge,
    errors.UnsupportedMediaType,
)
_HEADERS = {
    "Idempotency-Key": (
        "Any unique string per intended write; a repeat gets the first answer.",
        {"type": "string", "minLength": 1, "maxLength": 255},
    ),
    "If-Match": (
        "The ETag read, or several of which one must match; the write is refused with 412 if "
        "somebody changed the resource since. `*`: the resource must exist.",
        {"type": "string", "pattern": '^"[0-9]+"( *, *"[0-9]+")*$|^\\*$'},
    ),
    "If-None-Match": (
        "The ETag already held; answered with 304 if it is still current.",
        {"type": "string"},
    ),
}
_ORGANIZATION, _REASON = "ScmOrganization", "ScmReason"
# Parameters of all operations, or of all writes, by their names as components.
_SHARED: dict[str, dict[str, Any]] = {
    _ORGANIZATION: {
        "name": "Scm-Organization",
        "in": "header",
        "required": False,
        "description": "The organization the call is about, by code or id. Needed by a person of "
        "several organizations who chose none at login; a key has its own.",
        "schema": {"type": "string"},
    },
    _REASON: {
        "name": "Scm-Reason",
        "in": "header",
        "required": False,
        "description": "Why, for the trail: percent-encoded UTF-8, of which 2,000 characters are "
        "kept. `reason` of a body comes first.",
        "schema": {"type": "string"},
    },
}


def document(app: FastAPI) -> dict[str, Any]:
    """The document of an application, made once."""
    if app.openapi_schema is None:
        routes = [route for route in app.router.routes if isinstance(route, APIRoute)]
        app.openapi_schema = _complete(
            get_openapi(
                title=app.title,
                version=app.version,
                openapi_version="3.1.0",
                description=_DESCRIPTION,
                license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
                routes=routes,
                servers=[{"url": "/", "description": "This server"}],
                separate_input_output_schemas=False,
            ),
            {route.unique_id: route for route in routes},
        )
    return app.openapi_schema


def _complete(doc: dict[str, Any], routes: dict[str, APIRoute]) -> dict[str, Any]:
    used: set[str] = set()
    for methods in doc["paths"].values():
        for method, spec in methods.items():
            used |= set(spec["tags"])
            _operation(method, spec, routes[spec["operationId"]])
            if "x-across" in spec:
                across.describe(spec, doc["components"]["schemas"])
    components = doc["components"]
    components["securitySchemes"] = {
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "An API key or the access token of a session: `Authorization: Bearer "
            "scm_live_...`. Whoever belongs to several organizations names one by the header "
            "`Scm-Organization`.",
        }
    }
    components["parameters"] = _SHARED
    models = components["schemas"]
    components["schemas"] = {
        name: {key: _tidy(value, models) for key, value in model.items()}
        for name, model in models.items()
    }
    _drop_unused(doc)
    doc["tags"] = [{"name": n, "description": _TAGS[n]} for n in _TAGS if n in used]
    missing = used - _TAGS.keys()
    if missing:
        raise TypeError(f"describe the tags {sorted(missing)} in core/openapi.py")
    return doc


def _tidy(schema: Any, models: dict[str, Any]) -> Any:
    """A schema as generators want it: decimal defaults as the strings they travel as, and a model
    that Pydantic wrote out in place (as it does with `SkipValidation`) by its name."""
    if isinstance(schema, list):
        return [_tidy(entry, models) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    title = schema.get("title")
    if isinstance(title, str) and schema.get("type") == "object" and models.get(title) == schema:
        return {"$ref": f"#/components/schemas/{title}"}
    tidied = {key: _tidy(value, models) for key, value in schema.items()}
    if tidied.get("format") == "decimal":
        # A decimal is a string here: bounds of numbers, as Pydantic leaves them, mean nothing.
        tidied = {key: value for key, value in tidied.items() if key not in _NUMBER_BOUNDS}
        if isinstance(tidied.get("default"), int):
            tidied["default"] = str(tidied["default"])
    return tidied


def _drop_unused(doc: dict[str, Any]) -> None:
    """Leave out models that nothing refers to, such as FastAPI's own of a validation error."""
    schemas = doc["components"]["schemas"]
    while unused := schemas.keys() - set(re.findall(_REFERENCE, to_json(doc).decode())):
        for name in unused:
            del schemas[name]


def _operation(method: str, spec: dict[str, Any], route: APIRoute) -> None:
    permission = spec["x-permission"]
    spec.pop("x-secrets", None)
    spec.pop("x-secret-body", None)
    own = [Problem.registry[code] for code in spec.pop("x-problems")]
    writes = method != "get" and not spec.pop("x-read-only", False)
    needs = {
        PUBLIC: "Needs no credentials.",
        SELF: "Needs any credentials: it is about oneself.",
    }.get(permission, f"Needs `{permission}`.")
    spec["security"] = [] if permission == PUBLIC else [{"bearer": []}]
    spec["description"] = f"{spec.get('description', '')}\n\n{needs}".strip()
    parameters = spec.setdefault("parameters", [])
    names = {parameter["name"] for parameter in parameters}
    if permission != PUBLIC:
        parameters.append(_shared(_ORGANIZATION))
    if writes:
        if permission != PUBLIC:
            parameters += [_header("Idempotency-Key"), _shared(_REASON)]
        if "dry_run" not in names:
            parameters.append(_DRY_RUN)
    if method == "get" and "{" in route.path:
        parameters.append(_header("If-None-Match"))
        spec["responses"]["304"] = {"description": "Not modified: the version held is current."}
    if any(d.name == "if_match" for d in route.dependant.dependencies):
        required = spec.pop("x-required-if-match", False)
        parameters.append({**_header("If-Match"), "required": required})
        own += [errors.VersionMismatch] + ([errors.PreconditionRequired] if required else [])
    problems = [*own, *_READ_PROBLEMS]
    if writes:
        problems += _WRITE_PROBLEMS
    if route.body_field is not None:
        problems += _BODY_PROBLEMS
    if permission not in (PUBLIC, SELF):
        problems.append(errors.OrganizationRequired)
    if "{" in route.path or permission != PUBLIC:
        # What a path names, or the organization that a person names, may not be there.
        problems.append(errors.NotFound)
    _responses(spec["responses"], dict.fromkeys(problems))
    for parameter in parameters:
        schema = parameter.get("schema", {})
        for branch in schema.get("anyOf", ()):
            # What is said of a type that may be absent is said of the parameter.
            if "description" in branch:
                parameter.setdefault("description", branch.pop("description"))
        if "examples" in schema and "example" not in parameter:
            parameter["example"] = schema["examples"][0]


def _shared(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/parameters/{name}"}


def _header(name: str) -> dict[str, Any]:
    description, schema = _HEADERS[name]
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": description,
        "schema": schema,
    }


_DRY_RUN: dict[str, Any] = {
    "name": "dry_run",
    "in": "query",
    "required": False,
    "description": "Run everything, answer as usual, and keep nothing.",
    "schema": {"type": "boolean", "default": False},
}


def _responses(responses: dict[str, Any], problems: dict[type[Problem], None]) -> None:
    by_status: dict[int, list[type[Problem]]] = {}
    for problem in problems:
        by_status.setdefault(problem.status, []).append(problem)
    for status, group in sorted(by_status.items()):
        responses[str(status)] = {
            "description": "; ".join(f"`{p.code}`: {p.title.en}" for p in group),
            "content": {
                "application/problem+json": {
                    "schema": {"$ref": "#/components/schemas/ProblemDocument"},
                }
            },
        }
    for name in [name for name in responses if not name.isdigit()]:
        del responses[name]
