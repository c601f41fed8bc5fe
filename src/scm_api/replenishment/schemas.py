"""Bodies of plans and their lines."""

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from scm_api.core.pages import PageParams
from scm_api.core.schemas import (
    ItemLink,
    ItemReference,
    Link,
    Number,
    Page,
    Read,
    Reference,
    Strict,
)

OutcomeName = Literal[
    "suggested",
    "above_reorder_point",
    "no_demand",
    "accepted_waiting",
    "paused",
    "item_not_active",
]


class PlanCreate(Strict):
    """Which item-locations to plan; without filters, all of them."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"warehouses": [{"code": "WH-1"}]}]}
    )

    warehouses: list[Reference] | None = Field(default=None, min_length=1, max_length=200)
    items: list[ItemReference] | None = Field(default=None, min_length=1, max_length=5000)
    categories: list[Reference] | None = Field(
        default=None, min_length=1, max_length=200, description="With all categories below them."
    )
    suppliers: list[Reference] | None = Field(
        default=None, min_length=1, max_length=200, description="Items that one of them sells."
    )
    as_of: date | None = Field(
        default=None,
        description="The day to plan on; today if absent. History ends on the day before.",
    )
    history_days: int = Field(default=365, ge=28, le=1095)
    horizon_days: int = Field(
        default=120,
        ge=7,
        le=730,
        description="How far dates look ahead; longer where a lead time is.",
    )


class PlanLinks(Read):
    """Where to look."""

    job: str
    plan: str


class PlanAccepted(Read):
    """The job that makes the plan."""

    id: UUID = Field(description="The job's id.")
    kind: str
    status: str
    plan_id: UUID
    links: PlanLinks


class PlanRead(Read):
    """A plan: what it looked at and what came out."""

    id: UUID
    job_id: UUID
    status: str = Field(description="queued, running, succeeded, failed or canceled.")
    as_of: date
    request: dict[str, Any]
    created_at: datetime
    created_by: str
    completed_at: datetime | None
    summary: dict[str, Any] | None = Field(
        description="Lines by outcome; suggestions opened, changed, unchanged, expired; value."
    )
    timings: dict[str, Any] | None = Field(description="Seconds spent in each phase.")
    input_hash: str | None = Field(description="SHA-256 of everything the plan was made from.")
    result_hash: str | None = Field(
        description="SHA-256 of every outcome; equal inputs, equal hash."
    )


class PlanList(Page[PlanRead]):
    """A page of plans."""


class PlanLineRead(Read):
    """One item-location of a plan."""

    item: ItemLink
    warehouse: Link
    supplier: Link | None
    outcome: OutcomeName
    quantity: Number
    value: Number = Field(description="quantity x price, in the supplier's currency.")
    on_hand: Number = Field(description="Unrestricted stock.")
    reserved: Number
    on_order: Number = Field(description="Arrivals within the protection interval.")
    position: Number
    daily_demand: Number
    safety_stock: Number
    reorder_point: Number
    order_up_to: Number
    previous_reorder_point: Number | None
    demand_class: str
    abc: str
    xyz: str
    order_on: date | None
    needed_on: date | None
    stockout_on: date | None


class PlanLineList(Page[PlanLineRead]):
    """A page of plan lines."""


class PlanLineFilter(PageParams):
    """Which lines to list."""

    outcome: OutcomeName | None = None
    item: str | None = Field(default=None, max_length=80, description="An item's id or `sku=...`.")
    warehouse: str | None = Field(
        default=None, max_length=80, description="A warehouse's id or `code=...`."
    )


class ExplainQuery(Strict):
    """Which item-location to explain."""

    item: str = Field(
        max_length=80, description="An item's id or `sku=...`.", examples=["sku=SKU-1001"]
    )
    warehouse: str = Field(
        max_length=80, description="A warehouse's id or `code=...`.", examples=["code=WH-1"]
    )


class Explanation(Read):
    """Everything from which the quantity can be computed again (docs/guides shows how in a few
    lines). Decimals are strings that read back as the very numbers used."""

    model_config = ConfigDict(from_attributes=True, extra="allow")

    plan_id: UUID
    item: ItemLink
    warehouse: Link
    outcome: OutcomeName
    outcome_text: str
    outcome_text_zh: str
    decision: Literal["order", "wait"]
    quantity: str
    as_of: date
    inputs: dict[str, Any]
    service: dict[str, Any]
    steps: list[dict[str, Any]] = Field(description="Name, formula and value, in order.")
    rounding: list[dict[str, Any]]
    price_breaks: dict[str, Any]
    forecast: dict[str, Any]
    policy: dict[str, Any]
    source: dict[str, Any] = Field(description="The supplier, why, and why not the others.")
    flip: dict[str, Any] = Field(description="What would change the decision.")
