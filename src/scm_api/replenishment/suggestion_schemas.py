"""Bodies of suggestions and of the safety-stock calculator."""

from datetime import date, datetime
from typing import Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator

from scm_api.core.errors import Rule, Text
from scm_api.core.pages import PageParams
from scm_api.core.rules import ONE_REFERENCE, broken
from scm_api.core.schemas import (
    Boolean,
    CostNumber,
    Currency,
    Day,
    Factor,
    Integer,
    ItemKey,
    ItemLink,
    Link,
    Name,
    Note,
    Number,
    Page,
    Probability,
    Quantity,
    QuantityOrZero,
    Read,
    Strict,
    SupplierKey,
    UnitPrice,
    WarehouseKey,
)
from scm_api.replenishment.policies import ServiceRuleName

IDS_OR_WHERE = Rule("ids_or_where", ONE_REFERENCE.text)
FIGURES_OR_LIST = Rule(
    "figures_or_list",
    Text(
        "Give either mean and sd of {name}, or a list.",
        "请提供 {name} 的均值与标准差,或提供列表,二者择一。",
    ),
)
ORDER_QUANTITY_NEEDED = Rule(
    "order_quantity_needed",
    Text("A fill rate needs the order quantity.", "使用满足率时须提供订货批量。"),
)
SuggestionStatus = Literal["open", "accepted", "converted", "dismissed", "expired"]


class SuggestionRead(Read):
    """An order the plan advises."""

    id: UUID
    status: SuggestionStatus
    review: Literal["not_reviewed", "as_suggested", "adjusted"]
    item: ItemLink
    warehouse: Link
    supplier: Link | None
    quantity: Number = Field(description="What the plan computed, in base units.")
    adjusted_quantity: Number | None = Field(description="What was accepted instead.")
    unit_price: CostNumber
    currency: str | None = Field(description="Of unit_price and value: the supplier's.")
    value: CostNumber = Field(description="Accepted or computed quantity x unit price.")
    order_on: date
    needed_on: date | None
    stockout_on: date | None
    arrives_on: date
    reason: str
    paused_until: date | None
    decided_at: datetime | None
    decided_by: str | None
    purchase_order_id: UUID | None
    plan_id: UUID
    version: int
    created_at: datetime
    updated_at: datetime


class SuggestionList(Page[SuggestionRead]):
    """A page of suggestions."""


class SuggestionSelection(Strict):
    """Which suggestions are meant: the filters of the list, and of `convert`."""

    item: ItemKey | None = None
    warehouse: WarehouseKey | None = None
    supplier: SupplierKey | None = None
    plan_id: UUID | None = Field(default=None, description="Made or renewed by this plan.")
    needed_on_lte: Day | None = Field(default=None, description="Needed on or before this day.")


class SuggestionFilter(PageParams, SuggestionSelection):
    """Which suggestions to list."""

    status: list[SuggestionStatus] = Field(
        default_factory=list, max_length=5, description="Any of these; all if absent."
    )


class Accept(Strict):
    """Accept a suggestion, as it is or with another quantity."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"adjusted_quantity": "60"}]}
    )

    adjusted_quantity: Quantity | None = Field(
        default=None, description="Base units to order instead of what was computed."
    )
    reason: Note = Field(default="", max_length=200, description="Why another quantity.")
    version: Integer | None = Field(default=None, description="The version read; or send If-Match.")


class Dismiss(Strict):
    """Turn a suggestion down."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"reason": "Successor item arrives in spring"}]},
    )

    reason: Name
    paused_until: Day | None = Field(
        default=None, description="No new suggestion up to and including this day."
    )
    version: Integer | None = Field(default=None, description="The version read; or send If-Match.")


class Convert(Strict):
    """Which suggestions become draft purchase orders: by `ids`, or the open and accepted ones that
    `where` selects (only accepted ones with `only_accepted`), up to 5,000 in one call."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"where": {"supplier": "code=S-01"}}]}
    )

    ids: list[UUID] | None = Field(default=None, min_length=1, max_length=5000)
    where: SuggestionSelection | None = None
    only_accepted: Boolean = False
    exchange_rates: dict[Currency, Factor] = Field(
        default_factory=dict,
        description="Base currency for one unit of each foreign currency in the selection.",
    )

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        if (self.ids is None) == (self.where is None):
            raise broken(IDS_OR_WHERE, one="ids", other="where")
        return self


class ConvertedOrder(Read):
    """A draft purchase order that suggestions became."""

    id: UUID
    number: str
    supplier_id: UUID
    currency: str
    lines: int
    suggestion_ids: list[UUID]


class Converted(Read):
    """What `convert` made."""

    converted: int
    has_more: bool = Field(
        description="Whether `where` selects more than one call converts: call again."
    )
    orders: list[ConvertedOrder]


class SafetyStockAsk(Strict):
    """Demand and lead time as figures or as observations, and the service levels to compare."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "daily_demand_mean": "20",
                    "daily_demand_sd": "6",
                    "lead_time_mean_days": "9",
                    "lead_time_sd_days": "2",
                    "review_days": "1",
                    "service_levels": ["0.90", "0.95", "0.98", "0.99"],
                    "unit_cost": "12.5",
                }
            ]
        },
    )

    daily_demand_mean: QuantityOrZero | None = None
    daily_demand_sd: QuantityOrZero | None = None
    daily_demand: list[QuantityOrZero] | None = Field(
        default=None, min_length=2, max_length=2000, description="Instead of mean and sd."
    )
    lead_time_mean_days: QuantityOrZero | None = None
    lead_time_sd_days: QuantityOrZero | None = None
    lead_times_days: list[QuantityOrZero] | None = Field(
        default=None, min_length=2, max_length=2000, description="Instead of mean and sd."
    )
    review_days: QuantityOrZero = Field(default=0, validate_default=True)
    service_rule: ServiceRuleName = "cycle_service"
    service_levels: list[Probability] = Field(min_length=1, max_length=50)
    order_quantity: Quantity | None = Field(
        default=None, description="The usual lot; needed for a fill rate."
    )
    is_count: Boolean = Field(default=True, description="Whether demand comes in whole units.")
    unit_cost: UnitPrice = Field(default=0, validate_default=True)
    holding_rate: UnitPrice = Field(default="0.25", validate_default=True)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for name, listed in (
            ("daily_demand", self.daily_demand),
            ("lead_time", self.lead_times_days),
        ):
            suffix = "_days" if name == "lead_time" else ""
            figures = [getattr(self, f"{name}_mean{suffix}"), getattr(self, f"{name}_sd{suffix}")]
            given = [figure is not None for figure in figures]
            if any(given) if listed is not None else not all(given):
                raise broken(FIGURES_OR_LIST, name=name)
        if self.service_rule == "fill_rate" and self.order_quantity is None:
            raise broken(ORDER_QUANTITY_NEEDED)
        return self


class Protection(Read):
    """Demand over the protection interval: lead time plus review."""

    days: Number
    mean: Number
    sd: Number


class CurvePoint(Read):
    """What one service level costs."""

    service_level: Number
    safety_factor: Number = Field(description="Safety stock in standard deviations (z).")
    safety_stock: Number
    reorder_point: Number
    value: CostNumber = Field(description="safety stock x unit cost.")
    annual_holding_cost: CostNumber = Field(description="value x holding rate.")


class SafetyStockAnswer(Read):
    """The stock-to-service curve and how each figure was computed."""

    inputs: dict[str, Number | None] = Field(description="Costs are null without `costs:read`.")
    protection: Protection
    service_rule: ServiceRuleName
    distribution: Literal["normal", "gamma", "poisson", "negative_binomial"]
    curve: list[CurvePoint]
    formulas: dict[str, str]


class ProfileDayRead(Read):
    """One business day of the history a profile was made from, in base units."""

    day: date
    issued: Number
    returned: Number
    shortage: Number


class DemandProfileRead(Read):
    """What kind of demand an item has in a warehouse."""

    item: ItemLink
    warehouse: Link
    first_day: date
    last_day: date
    observed_days: int = Field(description="Days since the item is known here.")
    demand_days: int
    mean: Number = Field(description="Demand a day: issued and unserved.")
    sd: Number
    adi: Number | None = Field(description="Days between demands; null without demand.")
    cv2: Number = Field(description="Squared coefficient of variation of non-zero days.")
    demand_class: Literal["none", "smooth", "erratic", "intermittent", "lumpy"]
    trend_per_day: Number
    weekly_index: list[Number] = Field(description="Factor of each weekday from Monday; 1: none.")
    abc: str | None = Field(description="By consumption value, of the latest plan.")
    xyz: str | None = Field(description="By steadiness, of the latest plan.")
    last_days: list[ProfileDayRead]


class DemandProfileQuery(Strict):
    """Which history to describe."""

    warehouse: WarehouseKey = Field(examples=["code=WH-1"])
    days: int = Field(default=365, ge=28, le=1095, description="Days up to yesterday.")
    show_days: int = Field(default=28, ge=0, le=366, description="Last days to list.")
