"""Hiding what things cost from callers without `costs:read`: marked in schemas, nulled in JSON.

Rule: nobody hides by hand; a field says `CostNumber` (or `COST`), and every answer obeys.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, is_dataclass
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, is_typeddict

from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from pydantic.config import JsonDict
from pydantic.fields import FieldInfo
from pydantic_core import from_json, to_json

SEE_COSTS = "costs:read"
MARK = "x-visible-with"

# Every name that money goes by, here or inside free content such as the data of events. A marked
# field whose name is missing stops the start-up, so that the two can never differ.
MONEY_NAMES = frozenset(
    {
        "amount",
        "annual_cost",
        "annual_holding_cost",
        "average_cost",
        "average_value",
        "closing_value",
        "consumption_value",
        "issued_value",
        "last_unit_cost",
        "minimum_value",
        "opening_value",
        "order_cost",
        # A lot made of costs, on top of a reorder point that everybody sees.
        "order_up_to",
        "overstock_value",
        "price_of_one",
        "prices",
        "shortage_value",
        "stock_value",
        "surplus_value",
        "unit_cost",
        "unit_price",
        "value",
        "value_days",
    }
)
# An object may say by one of these what its `_HELD` members are the values of.
_ABOUT = ("path", "field", "pointer")
_HELD = frozenset({"old", "new", "value"})
# What may stand beside a price and tells nothing of it: words, dates and times, identifiers.
_NO_FIGURE = re.compile(r"\D*|\d{4}-\d\d-\d\d([T ].*)?|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def _document(schema: JsonDict) -> None:
    """Say in OpenAPI who sees the field."""
    schema[MARK] = SEE_COSTS
    told = str(schema.get("description", ""))
    schema["description"] = f"{told} Null without `{SEE_COSTS}`.".strip()


COST: Any = Field(json_schema_extra=_document)
"""Marks a nullable field as money, seen only with `costs:read`: `Annotated[X | None, COST]`."""


IS_COST_DERIVED = "is_cost_derived"


def _document_derived(schema: JsonDict) -> None:
    schema[MARK] = SEE_COSTS
    told = str(schema.get("description", ""))
    schema["description"] = f"{told} Null without `{SEE_COSTS}` if `{IS_COST_DERIVED}`.".strip()


COST_DERIVED: Any = Field(json_schema_extra=_document_derived)
"""Marks a nullable figure from which, for some rows, a cost could be solved: whoever makes the row
says so in the member `is_cost_derived` beside it."""


@dataclass(eq=False)
class Paths:
    """What to hide in one JSON value: all of it, what `MONEY_NAMES` names in it, the `derived`
    members if it says so itself, or what its members, elements and alternatives say. False if that
    is nothing."""

    is_hidden: bool = False
    is_free: bool = False
    derived: set[str] = field(default_factory=set)
    members: dict[str, "Paths"] = field(default_factory=dict)
    elements: list["Paths"] = field(default_factory=list)
    alternatives: list["Paths"] = field(default_factory=list)

    def __bool__(self) -> bool:
        return any(paths.is_hidden or paths.is_free or paths.derived for paths in self._all())

    def _all(self) -> Iterator["Paths"]:
        seen: set[int] = set()
        waiting = [self]
        while waiting:
            paths = waiting.pop()
            if id(paths) not in seen:
                seen.add(id(paths))
                waiting += [*paths.members.values(), *paths.elements, *paths.alternatives]
                yield paths


FREE_CONTENT = Paths(is_free=True)
"""For JSON without a schema: everything in it is judged by name."""


def hidden_paths(route: APIRoute) -> Paths:
    """What the answers of a route hide from callers without `costs:read`.

    Raises `TypeError` for a marked field that is not in `MONEY_NAMES`, or that has to say whether
    it is derived and cannot.
    """
    return paths_of(route.response_model)


def paths_of(annotation: Any) -> Paths:
    """What the JSON of a type hides. Raises like `hidden_paths`."""
    return _of_type(annotation, (), {})


_NOTHING = Paths()
# The walk knows the models it is in the middle of, so that one may hold itself.
_Models = dict[type[BaseModel], Paths]


def _of_type(annotation: Any, metadata: Sequence[Any], known: _Models) -> Paths:
    if any(isinstance(m, FieldInfo) and m.json_schema_extra is _document for m in metadata):
        return Paths(is_hidden=True)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _of_type(arguments[0], arguments[1:], known)
    if origin in (Union, UnionType):
        # Which one it is does not stand in the JSON: what one of them hides, all hide.
        return _inside(arguments, known, lambda parts: Paths(alternatives=parts))
    if isinstance(origin, type) and issubclass(origin, list | tuple | set | frozenset):
        return _inside(arguments, known, lambda parts: Paths(elements=parts))
    if isinstance(origin, type) and issubclass(origin, dict):
        values = _of_type(arguments[1], (), known)
        # Keys of figures and of `{"old", "new"}` are names; those of other models only tell which.
        is_named = not values.members or not _HELD.isdisjoint(values.members)
        return Paths(is_free=is_named, elements=[values])
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _of_model(annotation, known)
    is_plain = isinstance(annotation, type) and annotation not in (Any, dict, list, tuple, object)
    if is_plain and not is_dataclass(annotation) and not is_typeddict(annotation):
        return _NOTHING
    # What the walk cannot look into is judged by name.
    return _NOTHING if annotation is None or origin is Literal else FREE_CONTENT


def _inside(
    annotations: Sequence[Any], known: _Models, make: Callable[[list[Paths]], Paths]
) -> Paths:
    parts = [_of_type(part, (), known) for part in annotations if part is not ...]
    telling = [part for part in parts if part is not _NOTHING]
    return make(telling) if telling else _NOTHING


def _of_model(model: type[BaseModel], known: _Models) -> Paths:
    if model in known:
        return known[model]
    paths = known[model] = Paths(is_free=model.model_config.get("extra") == "allow")
    for name, found in model.model_fields.items():
        key = found.serialization_alias or found.alias or name
        if found.json_schema_extra is _document:
            paths.members[key] = _hidden_field(model, key)
        elif found.json_schema_extra is _document_derived:
            paths.derived.add(_derived_field(model, key))
        else:
            paths.members[key] = _of_type(found.annotation, found.metadata, known)
    for name, computed in model.model_computed_fields.items():
        key = computed.alias or name
        if computed.json_schema_extra is _document:
            paths.members[key] = _hidden_field(model, key)
        else:
            paths.members[key] = _of_type(computed.return_type, (), known)
    if not _HELD.isdisjoint(paths.members) and not paths.members.keys().isdisjoint(_ABOUT):
        paths.is_free = True
    return paths


def _hidden_field(model: type[BaseModel], key: str) -> Paths:
    if key not in MONEY_NAMES:
        raise TypeError(f"{model.__name__}.{key}: add the name to MONEY_NAMES in core/redaction.py")
    return Paths(is_hidden=True)


def _derived_field(model: type[BaseModel], key: str) -> str:
    if IS_COST_DERIVED not in model.model_fields:
        raise TypeError(f"{model.__name__}.{key}: no {IS_COST_DERIVED} beside it")
    return key


def redact(body: bytes, paths: Paths) -> bytes:
    """A JSON body without what `paths` hide; for callers who lack `costs:read`."""
    if not body or not paths:
        return body
    return to_json(_applied(from_json(body), paths))


def _applied(data: Any, paths: Paths) -> Any:
    if paths.is_hidden:
        return None
    if paths.is_free:
        data = redact_value(data)
    for alternative in paths.alternatives:
        data = _applied(data, alternative)
    if isinstance(data, dict):
        if data.get(IS_COST_DERIVED):
            data |= dict.fromkeys(paths.derived & data.keys())
        for name, member in paths.members.items():
            if name in data:
                data[name] = _applied(data[name], member)
        for element in paths.elements:
            data = {name: _applied(value, element) for name, value in data.items()}
    elif isinstance(data, list):
        for element in paths.elements:
            data = [_applied(entry, element) for entry in data]
    return data


def redact_value(data: Any) -> Any:
    """A copy of JSON data without a schema, such as the data of an event, in which everything that
    `MONEY_NAMES` names is hidden, at any depth.

    Under such a name figures become null, while words, dates and identifiers stay: of
    `{"unit_price": {"old": "4", "new": "5"}}` one still sees that the price has changed. Where an
    object names its subject, as in `{"path": "/lines/1/unit_price", "old": ...}`, that decides.
    """
    if isinstance(data, list):
        return [redact_value(entry) for entry in data]
    if not isinstance(data, dict):
        return data
    about = next((data[key] for key in _ABOUT if isinstance(data.get(key), str)), None)
    held = _HELD if about is not None else frozenset()
    is_money = about is not None and not MONEY_NAMES.isdisjoint(re.split(r"[#/.]", about))
    return {
        name: _without_figures(value)
        if (is_money if name in held else name in MONEY_NAMES)
        else redact_value(value)
        for name, value in data.items()
    }


def _without_figures(data: Any) -> Any:
    if isinstance(data, dict):
        return {name: _without_figures(value) for name, value in data.items()}
    if isinstance(data, list):
        return [_without_figures(entry) for entry in data]
    is_plain = isinstance(data, bool) or (isinstance(data, str) and _NO_FIGURE.fullmatch(data))
    return data if is_plain else None
