"""The OpenAPI document as tests read it: operations, their examples, and what they may answer.

Everything is derived from the document, so a new operation is covered the day it is added.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from scm_api.app import bare_app
from tests.contract import world_users
from tests.support import Client

METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Call:
    """One request, still taken apart so that tests can replace single parts of it."""

    method: str
    template: str
    path: dict[str, str] = field(default_factory=dict)
    query: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None

    @property
    def url(self) -> str:
        url = self.template
        for name, value in self.path.items():
            url = url.replace(f"{{{name}}}", quote(value, safe="=:"))
        return url

    def with_(self, **parts: Any) -> "Call":
        """The same request with `query`, `path` or `headers` extended, or `body` replaced."""
        merged = {
            name: {**getattr(self, name), **value} if name != "body" else value
            for name, value in parts.items()
        }
        return replace(self, **merged)

    async def send(self, caller: Client) -> httpx.Response:
        options: dict[str, Any] = {"params": self.query, "headers": self.headers}
        if self.body is not None:
            options["json"] = self.body
        return await caller.call(self.method, self.url, **options)


@dataclass(frozen=True)
class Operation:
    """One operation of the document."""

    id: str
    method: str
    path: str
    spec: dict[str, Any]

    def __str__(self) -> str:
        return self.id

    @property
    def permission(self) -> str:
        return self.spec["x-permission"]

    @property
    def is_public(self) -> bool:
        """Whether it needs nobody to be known."""
        return self.permission == "public"

    @property
    def is_permitted(self) -> bool:
        """Whether it needs a permission, not just anybody to be known."""
        return self.permission not in ("public", "self")

    @property
    def parameters(self) -> list[dict[str, Any]]:
        return [resolve_parameter(p) for p in self.spec.get("parameters", [])]

    @property
    def writes(self) -> bool:
        return any(p["name"] == "Idempotency-Key" for p in self.parameters)

    @property
    def needs_if_match(self) -> bool:
        return any(p["name"] == "If-Match" and p["required"] for p in self.parameters)

    @property
    def body_schema(self) -> dict[str, Any] | None:
        content = self.spec.get("requestBody", {}).get("content", {})
        return content.get("application/json", {}).get("schema")

    @property
    def successes(self) -> dict[int, dict[str, Any]]:
        return {int(s): r for s, r in self.spec["responses"].items() if s.startswith("2")}

    @property
    def resource(self) -> str | None:
        """The path up to its last parameter: where the ETag of an action's subject is read."""
        return self.path[: self.path.rindex("}") + 1] if "}" in self.path else None

    def example(self) -> Call:
        """The request that the document's own examples make."""
        body = self.body_schema
        return Call(
            self.method.upper(),
            self.path,
            {p["name"]: str(p["example"]) for p in self.parameters if p["in"] == "path"},
            {
                p["name"]: p["example"]
                for p in self.parameters
                if p["in"] == "query" and p["required"]
            },
            {},
            None if body is None else resolve(body)["examples"][0],
        )

    async def runnable(self, caller: Client) -> Call:
        """The example, with the ETag of its resource where the operation asks for one."""
        call = await _fitted(self.id, self.example(), caller)
        if not self.needs_if_match:
            return call
        read = await Call("GET", self.resource or "", call.path).send(caller)
        assert read.status_code == 200, f"{self.id}: {read.status_code} {read.text}"
        return call.with_(headers={"If-Match": read.headers["etag"]})


async def _fitted(id: str, call: Call, caller: Client) -> Call:
    """The example with what no document can know: a code that nobody has, one's own code."""
    if id == "organizations_create":
        return call.with_(body={**call.body, "code": f"EAST-{uuid4().hex[:8]}"})
    if id == "sandbox_reset":
        read = await Call("GET", "/v1/organizations/current").send(caller)
        return call.with_(body={"confirm": read.json()["code"]})
    return await world_users.fitted(id, call, caller)


@cache
def document() -> dict[str, Any]:
    """The application's document."""
    return bare_app().openapi()


@cache
def operations() -> tuple[Operation, ...]:
    """All operations, by path."""
    return tuple(
        Operation(spec["operationId"], method, path, spec)
        for path, methods in sorted(document()["paths"].items())
        for method, spec in methods.items()
        if method in METHODS
    )


def resolve(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema with its outermost references followed."""
    while "$ref" in schema:
        schema = document()["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def resolve_parameter(parameter: dict[str, Any]) -> dict[str, Any]:
    """A parameter, of all operations or of one."""
    if "$ref" not in parameter:
        return parameter
    shared: dict[str, Any] = document()["components"]["parameters"]
    found: dict[str, Any] = shared[parameter["$ref"].rsplit("/", 1)[1]]
    return found


def with_body() -> list[Operation]:
    return [operation for operation in operations() if operation.body_schema is not None]


def writing() -> list[Operation]:
    return [operation for operation in operations() if operation.writes]


@cache
def _registry() -> Registry:
    return Registry().with_resource("urn:api", Resource(document(), DRAFT202012))


def validate(schema: dict[str, Any], value: Any) -> list[str]:
    """What is wrong with a value, place by place; empty when the schema accepts it."""
    absolute = _absolute(schema)
    validator = Draft202012Validator(
        absolute, registry=_registry(), format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


def _absolute(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {
            name: f"urn:api{value}" if name == "$ref" else _absolute(value)
            for name, value in schema.items()
        }
    return [_absolute(entry) for entry in schema] if isinstance(schema, list) else schema


def assert_documented(operation: Operation, response: httpx.Response) -> None:
    """The status is documented, and the body is what the document says of that status."""
    documented = operation.spec["responses"].get(str(response.status_code))
    assert documented is not None, f"{operation}: {response.status_code} {response.text[:500]}"
    content = documented.get("content", {})
    if response.status_code in (204, 304) or not content:
        assert not response.content, f"{operation}: a body nobody documented"
        return
    media_type = response.headers["content-type"].split(";")[0]
    assert media_type in content, f"{operation}: {media_type}"
    if media_type.endswith("json"):
        wrong = validate(content[media_type]["schema"], response.json())
        assert not wrong, f"{operation}: {wrong[:5]}"


def assert_problem(response: httpx.Response, status: int, code: str | None = None) -> Any:
    """The answer is a problem document with this status and code; gives its body."""
    assert response.status_code == status, f"{response.status_code} {response.text[:500]}"
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    wrong = validate({"$ref": "#/components/schemas/ProblemDocument"}, body)
    assert not wrong, wrong
    assert body["status"] == status
    assert body["request_id"] == response.headers["x-request-id"]
    if code is not None:
        assert body["code"] == code, body
    return body


def walk(schema: Any, place: str = "#") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema object within a schema, with its place; references are not followed."""
    if not isinstance(schema, dict):
        return
    yield place, schema
    for name in ("properties", "$defs", "patternProperties"):
        for key, child in schema.get(name, {}).items():
            yield from walk(child, f"{place}/{name}/{key}")
    for name in ("items", "additionalProperties", "not", "propertyNames"):
        yield from walk(schema.get(name), f"{place}/{name}")
    for name in ("anyOf", "oneOf", "allOf", "prefixItems"):
        for index, child in enumerate(schema.get(name, [])):
            yield from walk(child, f"{place}/{name}/{index}")
