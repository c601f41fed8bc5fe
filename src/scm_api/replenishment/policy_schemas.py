"""Bodies of replenishment policies."""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from scm_api.core.pages import PageParams
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
    Probability,
    QuantityOrZero,
    Read,
    Reference,
    Strict,
    UnitPrice,
    WarehouseKey,
)
from scm_api.replenishment.policies import Method, Scope, ServiceRuleName

PolicyScope = Literal["organization", "warehouse", "category", "item", "item_warehouse"]


class PolicyFields(Strict):
    """What a policy can set; a field left out or null is inherited."""

    method: Method | None = Field(
        default=None,
        description=(
            "rop_eoq: reorder point and economic lot; order_up_to: up to one level every review; "
            "min_max: between your own minimum and maximum."
        ),
    )
    service_rule: ServiceRuleName | None = Field(
        default=None,
        description=(
            "What service_level means: chance of no stock-out in an order cycle, or share of "
            "demand served from stock."
        ),
    )
    service_level: Probability | None = None
    review_days: Integer | None = Field(default=None, ge=1, le=365)
    lead_time_days: Integer | None = Field(
        default=None, ge=0, le=730, description="Only where no supplier is known."
    )
    holding_rate: UnitPrice | None = Field(
        default=None,
        le=10,
        description="Cost of holding stock for a year, as a share of its value.",
    )
    order_cost: UnitPrice | None = Field(
        default=None, description="Cost of one order line, in base currency."
    )
    minimum_stock: QuantityOrZero | None = Field(
        default=None, description="Replaces the computed reorder point."
    )
    maximum_stock: QuantityOrZero | None = Field(
        default=None, description="Replaces the computed order-up-to level."
    )


class PolicyPut(PolicyFields):
    """A policy for one scope: an item in a warehouse, an item, a category (with those below it), a
    warehouse, or, naming none of them, the whole organization."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "item": {"sku": "SKU-1001"},
                    "warehouse": {"code": "WH-1"},
                    "service_rule": "fill_rate",
                    "service_level": "0.98",
                    "review_days": 7,
                }
            ]
        },
    )

    item: ItemReference | None = None
    warehouse: Reference | None = None
    category: Reference | None = None
    effective_from: Day | None = Field(
        default=None,
        description="First day it applies; today if absent. A later day keeps what applies now.",
    )


class PolicyRead(Read):
    """A policy of one scope from one day on."""

    id: UUID
    scope: PolicyScope
    item: ItemLink | None
    warehouse: Link | None
    category: Link | None
    effective_from: date
    method: Method | None
    service_rule: ServiceRuleName | None
    service_level: Number | None
    review_days: int | None
    lead_time_days: int | None
    holding_rate: Number | None
    order_cost: CostNumber
    minimum_stock: Number | None
    maximum_stock: Number | None
    version: int
    created_at: datetime
    updated_at: datetime


class PolicyList(Page[PolicyRead]):
    """A page of policies."""


class PolicyFilter(PageParams):
    """Which policies to list."""

    scope: PolicyScope | None = Field(default=None, description="Policies of this scope only.")
    item: ItemKey | None = None
    warehouse: WarehouseKey | None = None


class EffectiveField(Read):
    """A field's value and where it comes from."""

    value: str | int | None = Field(
        description="The value in force: days as integers, decimals as strings, null: computed."
    )
    inherited_from: Scope
    policy_id: UUID | None = Field(description="The policy that sets it; null: the product.")


class EffectivePolicyRead(Read):
    """What applies to one item in one warehouse on one day, field by field."""

    item: ItemLink
    warehouse: Link
    on: date
    fields: dict[str, EffectiveField] = Field(
        description="The value of a cost is null without `costs:read`."
    )


class EffectiveQuery(Strict):
    """Whose policy is asked for."""

    item: ItemKey = Field(examples=["sku=SKU-1001"])
    warehouse: WarehouseKey = Field(examples=["code=WH-1"])
    on: Day | None = Field(default=None, description="Today if absent.")
