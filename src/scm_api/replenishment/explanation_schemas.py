"""The body of an explanation: every figure from which a suggested quantity can be computed again.

Rule: it mirrors `recipe.explain`; figures are decimal strings that read back as the floats used.
"""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BeforeValidator, Field, WithJsonSchema

from scm_api.core.redaction import COST, COST_DERIVED
from scm_api.core.schemas import ItemLink, Link, Read
from scm_api.replenishment.policies import Method, Scope, ServiceRuleName
from scm_api.replenishment.schemas import OutcomeName


def _text(value: Any) -> Any:
    return format(Decimal(repr(value)), "f") if isinstance(value, float) else value


Figure = Annotated[
    str,
    # Recipes keep floats as JSON numbers; `repr` gives the shortest text that reads back the same.
    BeforeValidator(_text),
    WithJsonSchema({"type": "string", "format": "decimal", "pattern": r"^-?\d+(\.\d+)?$"}),
]
CostFigure = Annotated[Figure | None, COST]
DerivedFigure = Annotated[Figure | None, COST_DERIVED]
IsCostDerived = Annotated[
    bool, Field(description="Whether costs could be computed from the figure.")
]
DemandClassName = Literal["none", "smooth", "erratic", "intermittent", "lumpy"]


class ExplainedReceipt(Read):
    """A quantity on order."""

    in_days: int = Field(description="Days from `as_of`; 0: that day or overdue.")
    quantity: Figure


class ExplainedInputs(Read):
    """What the decision looked at; null: not given."""

    on_hand: Figure
    reserved: Figure
    daily_mean: Figure
    daily_sd: Figure
    lead_time_days: Figure
    lead_time_sd_days: Figure
    review_days: Figure
    service_level: Figure
    minimum_quantity: Figure | None
    order_multiple: Figure
    maximum_quantity: Figure | None
    order_cost: CostFigure
    unit_cost: CostFigure = Field(description="In base currency; 0 where nothing is known in it.")
    holding_rate: Figure
    policy_min: Figure | None
    policy_max: Figure | None
    service_rule: ServiceRuleName
    is_count: bool = Field(description="Whether demand comes in whole units.")
    receipts: list[ExplainedReceipt]
    expected_demand: list[Figure] = Field(
        description="Forecast with what sales plan, of each day of the protection interval."
    )
    horizon_days: int


class ExplainedLevel(Read):
    """How the service level becomes a safety factor."""

    distribution: Literal["normal", "gamma", "poisson", "negative_binomial"]
    formula: str
    safety_factor: DerivedFigure
    is_cost_derived: IsCostDerived


class ExplainedStep(Read):
    """One step of the computation: a formula over the inputs and earlier steps, and its value."""

    name: str
    formula: str
    value: DerivedFigure
    is_cost_derived: IsCostDerived


class ExplainedRounding(Read):
    """One rule that the quantity passed, and whether it changed it."""

    step: Literal["minimum", "multiple", "maximum"]
    rule: str
    bound: Figure | None
    quantity: DerivedFigure
    changed: bool
    is_cost_derived: IsCostDerived
    conflict: str | None = Field(default=None, description="Set where two rules contradict.")


class ExplainedPriceStep(Read):
    """What ordering at one step of the price list costs."""

    minimum_quantity: Figure | None
    unit_price: CostFigure
    annual_cost: CostFigure = Field(description="Null: the step cannot be reached.")


class ExplainedPriceBreaks(Read):
    """The price step the order takes, and what the others would cost."""

    formula: str
    annual_demand: Figure
    steps: list[ExplainedPriceStep]
    chosen: int = Field(description="Place of the chosen step in `steps`, from 0.")
    quantity: Figure
    unit_price: CostFigure


class ExplainedPlan(Read):
    """Demand that somebody planned for a day."""

    on: date
    mode: Literal["add", "replace", "max"]
    quantity: Figure


class ExplainedForecast(Read):
    """Where `daily_mean` and `daily_sd` come from."""

    method: str
    demand_class: DemandClassName
    window_days: int
    origins: int = Field(description="Back-tests the method was chosen by; 0: none.")
    observed_days: int
    history_mean: Figure | None
    adi: Figure | None
    cv2: Figure | None
    weekly_cv: Figure | None
    rmse: Figure | None
    alpha: Figure | None
    beta: Figure | None
    spread: Literal["daily_sd"] = Field(description="The spread that the safety stock scales.")
    spread_text: str
    spread_text_zh: str


class ExplainedPolicyField(Read):
    """Where one field of the policy comes from."""

    scope: Scope
    policy_id: UUID | None = Field(description="Null: the product's default.")


class ExplainedSupplier(Read):
    """One supplier that sells the item."""

    id: UUID
    code: str
    priority: int
    lead_time_days: Figure = Field(description="Shut-downs included.")
    lead_time_sd_days: Figure
    stated_lead_time_days: int | None
    observed_deliveries: int
    observed_mean_days: Figure | None
    arrives_on: date
    closed_until: date | None


class ExplainedRejection(ExplainedSupplier):
    """A supplier not chosen, and why."""

    reason: str
    text: str
    text_zh: str


class ExplainedSource(Read):
    """The chosen supplier, why, and why not the others."""

    supplier: ExplainedSupplier | None
    reason: str
    text: str
    text_zh: str
    rejected: list[ExplainedRejection]


class ExplainedFlip(Read):
    """What would change the decision."""

    no_order_above_position: DerivedFigure
    position: Figure
    units_away: DerivedFigure
    meaning: str
    is_cost_derived: IsCostDerived


class Explanation(Read):
    """Everything from which the quantity can be computed again (docs/guides shows how in a few
    lines). Decimals are strings that read back as the very numbers used."""

    plan_id: UUID
    item: ItemLink
    warehouse: Link
    as_of: date
    outcome: OutcomeName
    outcome_text: str
    outcome_text_zh: str
    decision: Literal["order", "wait"]
    quantity: Figure
    computed_quantity: Figure = Field(description="What the figures say, also if held back.")
    order_multiples: int
    value: CostFigure
    currency: str = Field(description="Of `value` and `price_breaks`.")
    order_on: date | None
    needed_on: date | None
    stockout_on: date | None
    arrives_on: date | None
    method: Method
    inputs: ExplainedInputs
    service: ExplainedLevel
    steps: list[ExplainedStep] = Field(description="In order.")
    rounding: list[ExplainedRounding]
    price_breaks: ExplainedPriceBreaks
    planned_demand: list[ExplainedPlan]
    forecast: ExplainedForecast
    policy: dict[str, ExplainedPolicyField] = Field(description="By field of the policy.")
    source: ExplainedSource
    flip: ExplainedFlip
