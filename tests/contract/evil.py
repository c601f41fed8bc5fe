"""Values nobody should send, and every place of a request to put them."""

import json
import os
import random
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar

from tests.contract.spec import Operation, resolve

_PLACE = "@@evil@@"


@dataclass(frozen=True)
class Raw:
    """A piece of JSON text that Python's encoder would not write."""

    text: str


def deep(levels: int) -> Raw:
    """An array in an array in an array ..."""
    return Raw("[" * levels + "]" * levels)


VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    2**31,
    2**63,
    -(2**63) - 1,
    1.5,
    Raw("NaN"),
    Raw("-Infinity"),
    Raw("1e400"),
    Raw("1e-400"),
    Raw("-0.0"),
    Raw("9" * 5000),
    Raw("0." + "1" * 5000),
    Raw('"\\ud800"'),
    Raw('"\\u0000"'),
    Raw('"a\\u0000b"'),
    Raw('{"a":1,"a":2}'),
    Raw("[1,]"),
    deep(40),
    deep(5000),
    "",
    " ",
    "null",
    "NaN",
    "Infinity",
    "1e9",
    "1e400",
    "-1",
    "0",
    "9" * 40,
    "0." + "0" * 30 + "1",
    "9999999999.9999",
    "1_000",
    "\u0661\u0662",  # Arabic-Indic digits
    "x" * 65,
    "x" * 100_000,
    "9999-12-31",
    "0001-01-01",
    "2026-02-30",
    "9999-12-31T23:59:59.999999Z",
    "0001-01-01T00:00:00+14:00",
    "2026-01-01T00:00:00",
    "+10000-01-01T00:00:00Z",
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "{0}",
    "{params.__class__}",
    "{reason}",
    "%s%n%d",
    "' or 1=1 --",
    "'; drop table item; --",
    '"}{"',
    "$1",
    "\\x00",
    "../../etc/passwd",
    "<script>alert(1)</script>",
    "a\u200bb",
    "\ufeff",
    "\u202eabc",
    "e\u0301",
    "\U0001f600" * 60,
    "%",
    "_",
    "=cmd()",
    [],
    [None],
    [[]],
    [{}],
    {},
    {"": ""},
    {"id": None},
    {"id": "x", "sku": "y", "code": "z"},
    {"$ref": "#"},
    ["x"] * 1001,
)
TEXTS = tuple(value for value in VALUES if isinstance(value, str) and len(value) < 8000)

Path = tuple[str | int, ...]
T = TypeVar("T")
# A seeded sample by default; `SCM_FUZZ=full` tries everything.
FULL = os.environ.get("SCM_FUZZ") == "full"
SEED = int(os.environ.get("SCM_FUZZ_SEED", "7"))


def places(schema: dict[str, Any], depth: int = 6) -> Iterator[Path]:
    """Every place in a body of a schema, optional fields included; the first entry of arrays."""
    if depth == 0:
        return
    schema = resolve(schema)
    for branch in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
        yield from places(branch, depth)
    for name, child in schema.get("properties", {}).items():
        yield (name,)
        for rest in places(child, depth - 1):
            yield (name, *rest)
    if "items" in schema:
        yield (0,)
        for rest in places(schema["items"], depth - 1):
            yield (0, *rest)


def kind_of(schema: dict[str, Any], path: Path) -> set[str]:
    """The JSON types that a body's schema gives to a place; none where it is no place of its."""
    schema = resolve(schema)
    branches = [*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())]
    found = {kind for branch in branches for kind in kind_of(branch, path)}
    if not path:
        return found | {schema.get("type", "")} - {""}
    step, *rest = path
    child = schema.get("items") if isinstance(step, int) else schema.get("properties", {}).get(step)
    return found if child is None else found | kind_of(child, tuple(rest))


def put(body: Any, path: Path, value: Any) -> Any:
    """A copy of a body with a value at a place; what leads there is made where it is missing."""
    body = deepcopy(body)
    here = body
    for step, following in pairwise(path):
        empty: Any = [] if isinstance(following, int) else {}
        if isinstance(step, int):
            if not here:
                here.append(empty)
            elif not isinstance(here[step], type(empty)):
                here[step] = empty
        elif not isinstance(here.get(step), type(empty)):
            here[step] = empty
        here = here[step]
    last = path[-1]
    if isinstance(last, int) and not here:
        here.append(value)
    else:
        here[last] = value
    return body


def encode(body: Any, path: Path, value: Any) -> bytes:
    """The bytes of a body with a value, raw text allowed, at a place."""
    if not isinstance(value, Raw):
        return json.dumps(put(body, path, value)).encode("utf-8", "surrogatepass")
    return json.dumps(put(body, path, _PLACE)).replace(f'"{_PLACE}"', value.text).encode()


@dataclass(frozen=True)
class Shot:
    """One evil request: an operation, the kind of place, the place, the value."""

    operation: Operation
    kind: str
    place: Any
    value: Any


def shots(operation: Operation) -> list[Shot]:
    """Every evil value at every place of an operation."""
    found = []
    if operation.body_schema is not None:
        leaves = dict.fromkeys(places(operation.body_schema))
        found += [Shot(operation, "body", path, value) for path in leaves for value in VALUES]
    for parameter in operation.parameters:
        where, name = parameter["in"], parameter["name"]
        values = [t for t in TEXTS if t and len(t) < 200] if where == "header" else TEXTS
        found += [Shot(operation, where, name, value) for value in values]
    return found


def sample(found: list[T], size: int, seed: int) -> list[T]:
    """A seeded choice; all of them if there are fewer."""
    return random.Random(seed).sample(found, min(size, len(found)))
