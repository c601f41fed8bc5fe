"""Redaction itself: which paths of an answer are hidden, and what becomes of free content."""

import sys
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, Optional, TypedDict, TypeVar

import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field, JsonValue, computed_field
from pydantic_core import from_json, to_json

import scm_api.wiring  # noqa: F401 (every room with its problems)
from scm_api.alerts import messages
from scm_api.core import redaction
from scm_api.core.errors import Problem, Rule, Text
from scm_api.core.redaction import (
    COST,
    COST_DERIVED,
    FREE_CONTENT,
    MONEY_NAMES,
    SEE_COSTS,
    Paths,
    hidden_paths,
    paths_of,
    redact,
    redact_value,
)
from scm_api.core.schemas import CostNumber, Money

T = TypeVar("T")


class Line(BaseModel):
    """A line with a price, and more lines within."""

    quantity: Decimal
    unit_price: CostNumber = Field(description="Of one.")
    parts: list["Line"] = []


class Box(BaseModel, Generic[T]):
    """Anything in a list."""

    data: list[T]


class Tree(BaseModel):
    """A model that may hold itself."""

    left: "Tree | None" = None
    right: Optional["Tree"] = None
    value: CostNumber = None


class Typed(TypedDict):
    """A dictionary the walk does not look into."""

    unit_cost: str


def hidden(annotation: Any, data: Any) -> Any:
    """JSON data of a type as a caller without the permission reads it."""
    return from_json(redact(to_json(data), paths_of(annotation)))


def test_a_marked_field_is_null_and_its_neighbours_stay() -> None:
    assert hidden(Line, {"quantity": "3", "unit_price": "7.77", "parts": []}) == {
        "quantity": "3",
        "unit_price": None,
        "parts": [],
    }


class Step(BaseModel):
    """A figure that may be made of costs."""

    name: str
    figure: Annotated[str | None, COST_DERIVED]
    is_cost_derived: bool


def test_a_figure_is_hidden_where_it_says_that_costs_could_be_solved_from_it() -> None:
    plain = {"name": "days", "figure": "7.5", "is_cost_derived": False}
    derived = {"name": "lot", "figure": "7.5", "is_cost_derived": True}
    assert hidden(list[Step], [plain, derived]) == [plain, {**derived, "figure": None}]


def test_a_figure_that_cannot_say_whether_it_is_derived_stops_the_start_up() -> None:
    class Silent(BaseModel):
        figure: Annotated[str | None, COST_DERIVED]

    with pytest.raises(TypeError, match=r"Silent\.figure"):
        paths_of(Silent)


def test_lists_generics_unions_and_dictionaries_of_models_are_walked() -> None:
    line = {"quantity": "3", "unit_price": "7.77"}
    shown = {"quantity": "3", "unit_price": None}
    assert hidden(Box[Line], {"data": [line, line]}) == {"data": [shown, shown]}
    assert hidden(Line | None, line) == shown
    assert hidden(str | list[Line] | None, [line]) == [shown]
    assert hidden(dict[str, Line], {"unit_price": line}) == {"unit_price": shown}
    assert hidden(tuple[Line, ...], [line]) == [shown]
    assert hidden(Annotated[Box[Line | Money], "more"], {"data": [line]}) == {"data": [shown]}
    money = {"amount": "7.77", "currency": "CNY"}
    assert hidden(Line | Money, money) == {"amount": None, "currency": "CNY"}


def test_a_model_that_holds_itself_is_hidden_at_every_depth() -> None:
    leaf = {"quantity": "1", "unit_price": "7.77", "parts": []}
    found = hidden(Line, {**leaf, "parts": [{**leaf, "parts": [leaf]}]})
    assert "7.77" not in str(found)
    tree = {"value": "7.77", "left": {"value": "7.77"}, "right": {"value": "7.77"}}
    assert "7.77" not in str(hidden(Tree, {**tree, "left": tree, "right": tree}))


def test_the_key_is_the_one_of_the_json() -> None:
    class Aliased(BaseModel):
        inner: CostNumber = Field(serialization_alias="unit_cost")

        @computed_field(json_schema_extra=redaction._document)  # type: ignore[prop-decorator]
        @property
        def value(self) -> Decimal | None:
            return self.inner

    data = {"unit_cost": "7.77", "value": "7.77"}
    assert hidden(Aliased, data) == {"unit_cost": None, "value": None}


@pytest.mark.parametrize(
    "annotation",
    [dict[str, Any], dict[str, str], Any, JsonValue, dict, object, Typed, T],
    ids=str,
)
def test_what_has_no_schema_is_judged_by_its_names(annotation: Any) -> None:
    data = {"unit_cost": "7.77", "sku": "A-1"}
    assert hidden(annotation, data) == {"unit_cost": None, "sku": "A-1"}


def test_fields_beyond_a_models_own_are_judged_by_their_names() -> None:
    class Open(BaseModel):
        model_config = ConfigDict(extra="allow")

        code: str

    data = {"code": "x", "deep": {"surplus_value": "7.77", "surplus": "3"}}
    found = {"code": "x", "deep": {"surplus_value": None, "surplus": "3"}}
    assert hidden(Open, data) == found


def test_what_hides_nothing_is_not_even_read() -> None:
    class Plain(BaseModel):
        code: str
        kind: Literal["a"] | None
        numbers: list[int]

    paths = paths_of(Plain)
    assert not paths
    assert redact(b"not JSON", paths) == b"not JSON"
    assert redact(b"", paths_of(Line)) == b""
    assert not paths_of(None)


def test_a_route_hides_what_its_answer_marks() -> None:
    router = APIRouter()

    @router.get("/lines")
    def lines() -> Box[Line]:
        return Box(data=[])

    route = router.routes[0]
    assert isinstance(route, APIRoute)
    body = b'{"data":[{"quantity":"3","unit_price":"7.77"}]}'
    assert redact(body, hidden_paths(route)) == (b'{"data":[{"quantity":"3","unit_price":null}]}')


def test_a_marked_field_of_a_name_unknown_to_free_content_is_refused() -> None:
    class New(BaseModel):
        rebate: CostNumber

    with pytest.raises(TypeError, match=r"New\.rebate: add the name to MONEY_NAMES"):
        paths_of(New)


def test_the_document_says_who_sees_a_field() -> None:
    schema = Line.model_json_schema()["$defs"]["Line"]
    assert schema["properties"]["unit_price"]["x-visible-with"] == SEE_COSTS
    assert schema["properties"]["unit_price"]["description"] == "Of one. Null without `costs:read`."
    assert "unit_price" in schema["required"]
    assert "x-visible-with" not in schema["properties"]["quantity"]


def test_a_change_of_a_price_stays_visible_without_the_prices() -> None:
    data = {
        "changes": {
            "unit_price": {"old": "4", "new": "5.5"},
            "note": {"old": "4", "new": "5.5"},
            "prices": {"old": [["0", "4.5", "1", "CNY", "2026-01-01", None]], "new": []},
        }
    }
    assert redact_value(data) == {
        "changes": {
            "unit_price": {"old": None, "new": None},
            "note": {"old": "4", "new": "5.5"},
            "prices": {"old": [[None, None, None, "CNY", "2026-01-01", None]], "new": []},
        }
    }


def test_an_object_that_names_its_subject_is_judged_by_it() -> None:
    def change(**about: str) -> dict[str, Any]:
        return {**about, "old": "4", "new": "5", "value": "6"}

    nothing = {"old": None, "new": None, "value": None}
    assert redact_value([change(path="/lines/1/unit_price")]) == [
        {"path": "/lines/1/unit_price", **nothing}
    ]
    assert redact_value(change(field="order_cost")) == {"field": "order_cost", **nothing}
    assert redact_value(change(pointer="#/lines/0/unit_cost")) == {
        "pointer": "#/lines/0/unit_cost",
        **nothing,
    }
    assert redact_value(change(path="/lines/1/quantity")) == change(path="/lines/1/quantity")
    # Not the price, but the SKU that is there twice.
    assert redact_value({"field": "sku", "value": "A-1"}) == {"field": "sku", "value": "A-1"}
    assert redact_value({"value": "A-1"}) == {"value": None}


def test_only_figures_are_hidden_under_a_name_of_money() -> None:
    kept = {
        "currency": "CNY",
        "scope": "item",
        "id": "019ab0c2-d0a0-7000-b0c1-a2b3c4d5e6f7",
        "on": "2026-01-31",
        "at": "2026-01-31T10:00:00Z",
        "is_set": True,
        "none": None,
    }
    figures = {"text": "4.5", "number": 4.5, "count": 4, "with_words": "4.5 CNY", "e": "1e3"}
    assert redact_value({"unit_price": {**kept, **figures}}) == {
        "unit_price": {**kept, **dict.fromkeys(figures)}
    }


def test_redacting_leaves_its_input_alone() -> None:
    data = {"unit_cost": {"old": ["4"]}}
    redact_value(data)
    assert data == {"unit_cost": {"old": ["4"]}}


def test_a_model_that_names_its_subject_is_judged_by_it() -> None:
    class Change(BaseModel):
        path: str
        old: str | None

    class Revision(BaseModel):
        changes: list[Change]

    data = {"changes": [{"path": "/unit_price", "old": "4"}, {"path": "/quantity", "old": "4"}]}
    assert hidden(Revision, data) == {
        "changes": [{"path": "/unit_price", "old": None}, {"path": "/quantity", "old": "4"}]
    }


def test_a_dictionary_of_changes_is_judged_by_its_keys() -> None:
    class Change(BaseModel):
        old: str | None
        new: str | None

    data = {name: {"old": "4", "new": "5"} for name in ("unit_price", "quantity")}
    shown = {"unit_price": {"old": None, "new": None}, "quantity": {"old": "4", "new": "5"}}
    assert hidden(dict[str, Change], data) == shown
    assert hidden(dict[str, Change | None], data) == shown


def test_marks_work_in_every_place_of_an_annotation() -> None:
    class Marks(BaseModel):
        unit_cost: Annotated[str | None, COST]
        unit_price: Annotated[str | None, COST] = None
        value: list[Annotated[str | None, COST]] = []

    data = {"unit_cost": "4", "unit_price": "5", "value": ["6", "7"]}
    assert hidden(Marks, data) == {"unit_cost": None, "unit_price": None, "value": [None, None]}


def test_free_content_hides_and_nothing_does_not() -> None:
    assert FREE_CONTENT
    assert not Paths()
    assert redact(b'[{"value":"4"}]', FREE_CONTENT) == b'[{"value":null}]'


@pytest.mark.parametrize("kind", sorted(messages._WORDS))
def test_no_sentence_of_an_alert_tells_money(kind: str) -> None:
    words = messages._WORDS[kind]
    assert not _money_in(words)


def test_no_problem_and_no_broken_rule_tells_money_to_all() -> None:
    said = []
    for problem in Problem.registry.values():
        said.append(
            (problem.code, problem.detail_without_money if problem.money else problem.detail)
        )
        assert _money_in(problem.detail) - {"value"} == problem.money & MONEY_NAMES == problem.money
    for name, module in list(sys.modules.items()):
        if name.startswith("scm_api."):
            said += [(r.code, r.text) for r in vars(module).values() if isinstance(r, Rule)]
    assert len(said) > 100
    # What stands twice in a request, or exists already, is a code and never money.
    codes = {code for code, text in said if _money_in(text) - {"value"}}
    assert codes == set()


def _money_in(words: Text) -> set[str]:
    return {name for name in MONEY_NAMES if f"{{{name}}}" in words.en + words.zh}
