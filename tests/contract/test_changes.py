"""The contract only grows: nothing a client of the released document relies on goes away."""

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from tests.contract.changes import breaks
from tests.contract.spec import document

BASELINE = Path(__file__).parents[2] / "openapi" / "baseline" / "v1.json"


def test_the_application_breaks_no_client_of_the_released_document() -> None:
    found = breaks(json.loads(BASELINE.read_text()), document())
    assert found == [], "\n".join(found)


def _small() -> dict[str, Any]:
    """A document with one operation and one of everything that can break."""
    order = {
        "type": "object",
        "additionalProperties": False,
        "required": ["sku"],
        "properties": {
            "sku": {"type": "string", "maxLength": 64},
            "kind": {"enum": ["buy", "make"], "type": "string"},
            "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "lines": {"type": "array", "items": {"$ref": "#/components/schemas/Line"}},
        },
    }
    line = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
    answer = {
        "type": "object",
        "required": ["id", "state"],
        "properties": {
            "id": {"type": "string", "format": "uuid"},
            "state": {"type": "string", "enum": ["open", "closed"]},
            "line": {"$ref": "#/components/schemas/Line"},
        },
    }
    reference = "#/components/schemas/"
    operation = {
        "operationId": "orders_create",
        "x-permission": "orders:write",
        "parameters": [{"in": "query", "name": "limit", "schema": {"type": "integer"}}],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": reference + "Order"}}},
        },
        "responses": {
            "201": {"content": {"application/json": {"schema": {"$ref": reference + "Answer"}}}},
            "409": {},
        },
    }
    schemas = {"Order": order, "Line": line, "Answer": answer}
    return {"paths": {"/orders": {"post": operation}}, "components": {"schemas": schemas}}


Change = Callable[[dict[str, Any], dict[str, Any]], Any]


def _changed(change: Change) -> list[str]:
    old = _small()
    new = deepcopy(old)
    change(new["paths"]["/orders"]["post"], new["components"]["schemas"])
    return breaks(old, new)


ADDITIONS: dict[str, Change] = {
    "nothing": lambda operation, schemas: None,
    "an optional field": lambda operation, schemas: schemas["Order"]["properties"].update(
        colour={"type": "string"}
    ),
    "an answer field": lambda operation, schemas: schemas["Answer"]["properties"].update(
        colour={"type": "string"}
    ),
    "an optional parameter": lambda operation, schemas: operation["parameters"].append(
        {"in": "query", "name": "q", "schema": {"type": "string"}}
    ),
    "a value that is accepted": lambda operation, schemas: schemas["Order"]["properties"][
        "kind"
    ].update(enum=["buy", "make", "lend"]),
    "a state that is answered": lambda operation, schemas: schemas["Answer"]["properties"][
        "state"
    ].update(enum=["open", "closed", "held"]),
    "a longer text": lambda operation, schemas: schemas["Order"]["properties"]["sku"].update(
        maxLength=100
    ),
    "a status of failure": lambda operation, schemas: operation["responses"].update({"423": {}}),
    "a field required no more": lambda operation, schemas: schemas["Order"].update(required=[]),
}

BREAKS: dict[str, tuple[Change, str]] = {
    "another name": (
        lambda operation, schemas: operation.update(operationId="orders_make"),
        "POST /orders: operationId changed to orders_make",
    ),
    "another permission": (
        lambda operation, schemas: operation.update({"x-permission": "orders:admin"}),
        "POST /orders: needs another permission, orders:admin",
    ),
    "a success gone": (
        lambda operation, schemas: operation["responses"].pop("201"),
        "POST /orders: no longer answers 201",
    ),
    "a parameter gone": (
        lambda operation, schemas: operation["parameters"].clear(),
        "POST /orders query parameter limit: is gone",
    ),
    "a parameter required": (
        lambda operation, schemas: operation["parameters"][0].update(required=True),
        "POST /orders query parameter limit: is now required",
    ),
    "a new required parameter": (
        lambda operation, schemas: operation["parameters"].append(
            {"in": "header", "name": "X", "required": True, "schema": {"type": "string"}}
        ),
        "POST /orders header parameter X: is new and required",
    ),
    "another type of parameter": (
        lambda operation, schemas: operation["parameters"][0].update(schema={"type": "string"}),
        "POST /orders query parameter limit: integer is no longer accepted",
    ),
    "a field required": (
        lambda operation, schemas: schemas["Order"]["required"].append("kind"),
        "POST /orders body/kind: is required now",
    ),
    "a field gone": (
        lambda operation, schemas: schemas["Order"]["properties"].pop("note"),
        "POST /orders body/note: is no longer accepted",
    ),
    "a value gone": (
        lambda operation, schemas: schemas["Order"]["properties"]["kind"].update(enum=["buy"]),
        "POST /orders body/kind: only ['buy'] are accepted now",
    ),
    "null gone": (
        lambda operation, schemas: schemas["Order"]["properties"].update(note={"type": "string"}),
        "POST /orders body/note: null is no longer accepted",
    ),
    "a shorter text": (
        lambda operation, schemas: schemas["Order"]["properties"]["sku"].update(maxLength=10),
        "POST /orders body/sku: maxLength fell to 10",
    ),
    "a new floor": (
        lambda operation, schemas: schemas["Order"]["properties"]["sku"].update(minLength=2),
        "POST /orders body/sku: minLength rose to 2",
    ),
    "a new pattern": (
        lambda operation, schemas: schemas["Order"]["properties"]["sku"].update(pattern="^A"),
        "POST /orders body/sku: must match ^A now",
    ),
    "a choice where all was free": (
        lambda operation, schemas: schemas["Order"]["properties"]["sku"].update(enum=["A"]),
        "POST /orders body/sku: only ['A'] are accepted now",
    ),
    "a nested field's type": (
        lambda operation, schemas: schemas["Line"]["properties"].update(n={"type": "string"}),
        "POST /orders body/lines/*/n: integer is no longer accepted",
    ),
    "an answer field gone": (
        lambda operation, schemas: schemas["Answer"]["properties"].pop("id"),
        "POST /orders 201/id: is no longer answered",
    ),
    "an answer field unsure": (
        lambda operation, schemas: schemas["Answer"].update(required=["state"]),
        "POST /orders 201/id: may be missing now",
    ),
    "an answer that may be null": (
        lambda operation, schemas: schemas["Answer"]["properties"].update(
            state={"anyOf": [{"type": "string"}, {"type": "null"}]}
        ),
        "POST /orders 201/state: may be null now",
    ),
    "another format answered": (
        lambda operation, schemas: schemas["Answer"]["properties"]["id"].update(format="uri"),
        "POST /orders 201/id: may be string:uri now",
    ),
}


@pytest.mark.parametrize("change", ADDITIONS.values(), ids=ADDITIONS)
def test_growth_breaks_nobody(change: Change) -> None:
    assert _changed(change) == []


@pytest.mark.parametrize(("change", "sentence"), BREAKS.values(), ids=BREAKS)
def test_taking_away_or_demanding_more_is_found(change: Change, sentence: str) -> None:
    assert sentence in _changed(change)


def test_an_operation_that_is_gone_is_found() -> None:
    old = _small()
    assert breaks(old, {**old, "paths": {}}) == ["POST /orders: the operation is gone"]
