"""Bodies of plans and their lines."""

from datetime import date, datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from scm_api.core.pages import PageParams
from scm_api.core.problems import ProblemDocument
from scm_api.core.schemas import (
    CostNumber,
    Day,
    Integer,
    ItemKey,
    ItemLink,
    ItemReference,
    Link,
    Number,
    Page,
    Read,
    Reference,
    Strict,
    WarehouseKey,
)

PlanStatus = Literal["queued", "running", "succeeded", "failed", "canceled"]

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
    as_of: Day | None = Field(
        default=None,
        description=(
            "The day to plan on, from 7 days ago to tomorrow; today if absent. History ends on the "
            "day before."
        ),
    )
    history_days: Integer = Field(default=365, ge=28, le=1095)
    horizon_days: Integer = Field(
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


class PlanRequest(Read):
    """What a plan was asked to consider; null: all of them."""

    warehouse_ids: list[UUID] | None
    item_ids: list[UUID] | None
    category_ids: list[UUID] | None
    supplier_ids: list[UUID] | None
    history_days: int
    horizon_days: int


class SuggestionCounts(Read):
    """What became of suggestions."""

    opened: int
    changed: int
    unchanged: int
    expired: int


class PlanSummary(Read):
    """What came out of a plan."""

    lines: int
    outcomes: dict[OutcomeName, int] = Field(description="Lines by outcome.")
    suggestions: SuggestionCounts


class PlanTimings(Read):
    """Seconds spent in each phase."""

    load: Number
    forecast: Number = Field(default=Decimal(0))
    compute: Number = Field(default=Decimal(0))
    write: Number
    total: Number


class PlanRead(Read):
    """A plan: what it looked at and what came out."""

    id: UUID
    job_id: UUID
    status: PlanStatus = Field(description="That of its job; it outlives the job.")
    error: ProblemDocument | None = Field(description="Why it failed.")
    as_of: date
    request: PlanRequest | None = Field(
        description="Null, like what came out, in a plan that another made for more than the "
        "warehouses and categories the caller is confined to."
    )
    created_at: datetime
    created_by: str
    completed_at: datetime | None
    summary: PlanSummary | None
    timings: PlanTimings | None
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
    value: CostNumber = Field(description="quantity x the supplier's price, else x the unit cost.")
    currency: str = Field(description="Of value: the supplier's, else the base currency.")
    on_hand: Number = Field(description="Unrestricted stock.")
    reserved: Number
    on_order: Number = Field(description="Arrivals within the protection interval.")
    position: Number
    daily_demand: Number
    safety_stock: Number
    reorder_point: Number
    order_up_to: CostNumber = Field(
        description="Costs decide how far it lies above the reorder point."
    )
    previous_reorder_point: Number | None
    demand_class: str
    abc: str
    xyz: str
    order_on: date | None
    needed_on: date | None
    stockout_on: date | None


class PlanFilter(PageParams):
    """Which plans to list."""

    status: list[PlanStatus] = Field(
        default_factory=list, max_length=5, description="Any of these; all if absent."
    )


class PlanLineList(Page[PlanLineRead]):
    """A page of plan lines."""


class PlanLineFilter(PageParams):
    """Which lines to list."""

    outcome: list[OutcomeName] = Field(
        default_factory=list, max_length=6, description="Any of these; all if absent."
    )
    item: ItemKey | None = None
    warehouse: WarehouseKey | None = None


class ExplainQuery(Strict):
    """Which item-location to explain."""

    item: ItemKey = Field(examples=["sku=SKU-1001"])
    warehouse: WarehouseKey = Field(examples=["code=WH-1"])
