"""Bodies of sales plans and promotions."""

from datetime import date, datetime
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from scm_api.core.errors import Rule, Text
from scm_api.core.pages import PageParams
from scm_api.core.rules import broken
from scm_api.core.schemas import (
    Day,
    ItemKey,
    ItemLink,
    ItemReference,
    Link,
    Name,
    Number,
    Page,
    Read,
    Reference,
    SignedQuantity,
    Strict,
    WarehouseKey,
)

PlanKind = Literal["promotion", "sales_plan"]
PlanMode = Literal["add", "replace", "max"]
NEGATIVE_PLAN = Rule(
    "negative_plan",
    Text("Only an uplift (mode add) may be negative.", "仅 mode 为 add(增量)时可为负数。"),
)
_DEFAULT_MODE: dict[PlanKind, PlanMode] = {"promotion": "add", "sales_plan": "replace"}


class SalesPlanRow(Strict):
    """The plan of one day; the key is item, warehouse, day and kind."""

    item: ItemReference
    warehouse: Reference
    day: Day
    quantity: SignedQuantity | None = Field(
        description="Base units on that day; null deletes the day. Below 0 only with mode add."
    )
    kind: PlanKind = "sales_plan"
    mode: PlanMode | None = Field(
        default=None,
        description=(
            "add: an uplift on top of the forecast; replace: instead of it; max: the larger of "
            "both. A promotion adds and a sales plan replaces if absent."
        ),
    )
    source: Annotated[str, Field(max_length=64)] = Field(
        default="", description="Version or author of the plan, shown with it."
    )

    @property
    def effective_mode(self) -> PlanMode:
        return self.mode or _DEFAULT_MODE[self.kind]

    @model_validator(mode="after")
    def _negative_only_added(self) -> Self:
        if self.quantity is not None and self.quantity < 0 and self.effective_mode != "add":
            raise broken(NEGATIVE_PLAN)
        return self


class SalesPlansWrite(Strict):
    """Up to 5,000 planned days, written together or not at all."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "rows": [
                        {
                            "item": {"sku": "SKU-1001"},
                            "warehouse": {"code": "WH-1"},
                            "day": "2030-06-18",
                            "quantity": "120",
                            "kind": "promotion",
                            "source": "618 campaign v1",
                        }
                    ]
                }
            ]
        },
    )

    rows: list[SalesPlanRow] = Field(min_length=1, max_length=5000)


class SalesPlansResult(Read):
    """What the call changed."""

    written: int
    unchanged: int
    deleted: int


class SalesPlanRead(Read):
    """The plan of one day."""

    item: ItemLink
    warehouse: Link
    day: date
    kind: str
    quantity: Number
    mode: str
    source: str
    updated_at: datetime


class SalesPlanList(Page[SalesPlanRead]):
    """A page of planned days."""


class SalesPlanFilter(PageParams):
    """Which planned days to list."""

    item: ItemKey | None = None
    warehouse: WarehouseKey | None = None
    kind: PlanKind | None = Field(default=None, description="Both if absent.")
    from_on: Day | None = Field(default=None, alias="from", description="First day.")
    to_on: Day | None = Field(default=None, alias="to", description="Last day, included.")


class SalesPlanRange(Strict):
    """Which planned days to delete."""

    from_on: Day = Field(alias="from", description="First day.", examples=["2030-06-01"])
    to_on: Day = Field(alias="to", description="Last day, included.", examples=["2030-06-30"])
    item: ItemKey | None = None
    warehouse: WarehouseKey | None = None
    kind: PlanKind | None = Field(default=None, description="Both if absent.")
    source: Name | None = Field(default=None, description="Only days of this version.")
