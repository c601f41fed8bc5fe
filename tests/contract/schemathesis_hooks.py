"""What schemathesis leaves out: numbers where the document asks for decimals as strings.

The document is stricter than the API here on purpose: clients made from it send strings, whose
digits nobody rounds; a JSON number that somebody writes by hand is read exactly all the same.
"""

from collections.abc import Iterator
from typing import Any

import schemathesis


def _decimals(schema: Any, raw: dict[str, Any], seen: frozenset[str] = frozenset()) -> set[str]:
    """The names of all fields below a schema that are decimals as strings."""
    if isinstance(schema, list):
        return {name for entry in schema for name in _decimals(entry, raw, seen)}
    if not isinstance(schema, dict):
        return set()
    reference = schema.get("$ref", "")
    if reference:
        name = reference.rpartition("/")[2]
        if name in seen:
            return set()
        return _decimals(raw["components"]["schemas"][name], raw, seen | {name})
    found = {
        name
        for name, field in schema.get("properties", {}).items()
        for one in [field, *field.get("anyOf", [])]
        if one.get("format") == "decimal"
    }
    for child in schema.values():
        found |= _decimals(child, raw, seen)
    return found


def _fields(value: Any) -> Iterator[tuple[str, Any]]:
    """Every field of a body, at any depth."""
    if isinstance(value, dict):
        for name, child in value.items():
            yield name, child
            yield from _fields(child)
    elif isinstance(value, list):
        for child in value:
            yield from _fields(child)


@schemathesis.hook
def filter_case(context: schemathesis.HookContext, case: schemathesis.Case) -> bool:
    """Keep all but those with a number in a field that is a decimal."""
    body = case.operation.definition.raw.get("requestBody")
    numbers = {name for name, value in _fields(case.body) if type(value) in (int, float)}
    return not (numbers and numbers & _decimals(body, case.operation.schema.raw_schema))
