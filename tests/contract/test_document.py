"""The OpenAPI document is complete, valid and what the repository says it is."""

import json
import re
from pathlib import Path

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.contract.spec import Operation, document, operations, resolve, validate, walk, with_body

ROOT = Path(__file__).parents[2]
# What an answer may leave open: events, job results and parameters of messages differ by their
# type, kind or code.
FREE_FORM = {
    "EventRead.data",
    "AccessRead.detail",
    "JobRead.result",
    "ProblemError.params",
}
# What a field of any kind held before and after.
ANY_VALUE = {"Change.old", "Change.new"}


def test_the_document_is_valid_openapi_3_1() -> None:
    assert document()["openapi"] == "3.1.0"
    errors = [error.message for error in OpenAPIV31SpecValidator(document()).iter_errors()]
    assert errors == []


def test_the_document_in_the_repository_is_the_one_the_application_serves() -> None:
    stored = (ROOT / "openapi" / "openapi.json").read_text()
    served = json.dumps(document(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    assert stored == served, "run scripts/openapi_baseline.py and read the difference"


def test_no_trace_of_the_framework_is_left() -> None:
    text = json.dumps(document())
    assert "HTTPValidationError" not in text
    assert "ValidationError" not in document()["components"]["schemas"]
    assert "itemSchema" not in text
    internal = {"x-problems", "x-read-only", "x-required-if-match"}
    assert not [o.id for o in operations() if internal & o.spec.keys()]


def test_operation_ids_are_unique_and_begin_with_their_tag() -> None:
    ids = [operation.id for operation in operations()]
    assert len(ids) == len(set(ids))
    for operation in operations():
        (tag,) = operation.spec["tags"]
        assert re.fullmatch(rf"{tag.replace('-', '_')}_[a-z]+(_[a-z]+)*", operation.id)


def test_every_tag_is_described_and_used() -> None:
    described = {tag["name"] for tag in document()["tags"] if tag["description"].endswith(".")}
    assert described == {operation.spec["tags"][0] for operation in operations()}


@pytest.mark.parametrize("operation", operations(), ids=str)
def test_an_operation_has_words_security_and_permission(operation: Operation) -> None:
    assert re.fullmatch(r"[A-Z].{3,60}[^.]", operation.spec["summary"])
    assert len(operation.spec["description"].split("\n\nNeeds ")[0]) > 10
    assert operation.spec["security"] == ([] if operation.is_public else [{"bearer": []}])
    permissions = list(operation.spec.get("x-additional-permissions", []))
    if operation.is_permitted:
        permissions.append(operation.permission)
    for permission in permissions:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*:[a-z]+(_[a-z]+)*", permission)
        assert f"`{permission}`" in operation.spec["description"]


@pytest.mark.parametrize("operation", operations(), ids=str)
def test_every_success_is_typed(operation: Operation) -> None:
    assert operation.successes
    for status, response in operation.successes.items():
        if status == 204:
            assert "content" not in response
            continue
        for media_type, content in response["content"].items():
            if media_type == "application/json":
                assert "$ref" in content["schema"], f"{status}: answer with a named model"
                assert resolve(content["schema"])["type"] == "object"
            else:
                assert content["schema"].get("type") == "string"


@pytest.mark.parametrize("operation", operations(), ids=str)
def test_every_failure_is_a_problem_document(operation: Operation) -> None:
    failures = {s: r for s, r in operation.spec["responses"].items() if s[0] in "45"}
    expected = {"401", "403", "422", "500", "503"}
    if operation.writes:
        expected |= {"400", "409"}
    if operation.body_schema is not None:
        expected |= {"400", "413", "415"}
    if "{" in operation.path or not operation.is_public:
        expected |= {"404"}
    if operation.needs_if_match:
        expected |= {"412", "428"}
    assert expected <= failures.keys()
    for response in failures.values():
        content = {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}
        assert response["content"] == {"application/problem+json": content}
        assert response["description"]


@pytest.mark.parametrize("operation", operations(), ids=str)
def test_every_parameter_is_typed_described_and_exemplified(operation: Operation) -> None:
    for parameter in operation.parameters:
        name = parameter["name"]
        schema = parameter["schema"]
        assert schema.keys() & {"type", "anyOf", "$ref", "enum"}, name
        assert parameter.get("description"), f"{name}: describe it"
        if parameter["in"] == "path" or (parameter["required"] and parameter["in"] == "query"):
            assert "example" in parameter, f"{name}: give an example"
            assert not validate(schema, parameter["example"]), name


@pytest.mark.parametrize("operation", with_body(), ids=str)
def test_a_request_body_is_strict_and_has_an_example_that_fits(operation: Operation) -> None:
    schema = operation.body_schema
    assert schema is not None
    assert "$ref" in schema, "name the body's model"
    assert operation.spec["requestBody"]["required"] is True
    model = resolve(schema)
    assert model["additionalProperties"] is False
    assert model["examples"], "give a runnable example"
    for example in model["examples"]:
        assert not validate(schema, example)


def test_every_property_of_every_model_has_a_type() -> None:
    typed = {"type", "$ref", "anyOf", "oneOf", "allOf", "enum", "const"}
    untyped, free = set(), set()
    for name, model in document()["components"]["schemas"].items():
        for place, schema in walk(model):
            if not schema.keys() & typed:
                untyped.add(f"{name}.{place.split('/')[2]}")
            described = schema.keys() & {"properties", "patternProperties"}
            is_object = schema.get("type") == "object" and not described
            if is_object and schema.get("additionalProperties") in (None, True, {}):
                free.add(f"{name}.{place.split('/')[2] if '/' in place else ''}")
    assert untyped <= ANY_VALUE
    assert free <= FREE_FORM


def test_every_model_is_described_and_every_request_model_is_strict() -> None:
    schemas = document()["components"]["schemas"]
    plain = [n for n, s in schemas.items() if "enum" not in s and not s.get("description")]
    assert plain == []
    for operation in with_body():
        assert operation.body_schema is not None
        for name in _reachable(operation.body_schema):
            model = schemas[name]
            if model.get("type") == "object":
                assert model.get("additionalProperties") is False, f"{operation}: {name}"


def _reachable(schema: dict, seen: frozenset[str] = frozenset()) -> set[str]:
    """The names of all models a schema is made of."""
    names = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(schema))) - seen
    for name in set(names):
        model = document()["components"]["schemas"][name]
        names |= _reachable(model, seen | names)
    return names


def test_every_reference_leads_somewhere_and_every_model_is_used() -> None:
    schemas = document()["components"]["schemas"]
    named = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document())))
    assert named - schemas.keys() == set()
    assert schemas.keys() - named == set()


def test_every_model_has_a_name_of_its_own() -> None:
    """Two classes of one name would appear under the paths of their modules."""
    assert [name for name in document()["components"]["schemas"] if "__" in name] == []


def test_decimals_are_strings_on_both_sides() -> None:
    numbers = [
        f"{name}{place}"
        for name, model in document()["components"]["schemas"].items()
        for place, schema in walk(model)
        if schema.get("type") == "number"
    ]
    assert numbers == []


def test_lists_are_pages() -> None:
    """A list answers `data`, `has_more` and `next_cursor`, under a name of its own."""
    for operation in operations():
        model = resolve(
            operation.successes.get(200, {})
            .get("content", {})
            .get("application/json", {})
            .get("schema", {})
        )
        data = model.get("properties", {}).get("data")
        names = {p["name"] for p in operation.parameters}
        if data is None or "limit" not in names or operation.id == "events_list":
            continue
        assert {"data", "has_more", "next_cursor", "total"} <= model["properties"].keys()
        assert {"cursor", "include_total"} <= names, operation.id
