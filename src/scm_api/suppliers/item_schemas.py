"""Bodies of supplier-items: the terms on which one supplier sells one item."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, JsonValue, SkipValidation

from scm_api.core.pages import PageParams
from scm_api.core.problems import ProblemError
from scm_api.core.schemas import (
    FIRST_DAY,
    Boolean,
    Code,
    CostNumber,
    Currency,
    Day,
    Integer,
    ItemKey,
    ItemLink,
    ItemReference,
    Link,
    Number,
    Page,
    Quantity,
    QuantityOrZero,
    Read,
    Reference,
    Strict,
    SupplierKey,
    UnitPrice,
)
from scm_api.suppliers.schemas import LeadTimeDays

_PRICES: list[JsonValue] = [
    {"minimum_quantity": "0", "unit_price": "4.50", "valid_from": "2026-01-01"},
    {"minimum_quantity": "500", "unit_price": "4.10", "valid_from": "2026-01-01"},
]
_TERMS: dict[str, Any] = {
    "supplier_sku": "NF-77",
    "minimum_quantity": "100",
    "order_multiple": "50",
    "lead_time_days": 14,
    "priority": 3,
    "prices": _PRICES,
}


class PriceStepInput(Strict):
    """One step of a price list."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": _PRICES})

    minimum_quantity: QuantityOrZero = Field(
        default=Decimal(0), description="From this order quantity up, base units."
    )
    unit_price: UnitPrice = Field(description="Price of `price_per` base units.")
    price_per: Quantity = Field(
        default=Decimal(1), description="Base units that `unit_price` buys."
    )
    currency: Currency | None = Field(default=None, description="The supplier's if absent.")
    valid_from: Day = Field(default=FIRST_DAY, description="First day; 2000-01-01 if absent.")
    valid_to: Day | None = Field(default=None, description="Last day; open if absent.")


class SupplierItemTerms(Strict):
    """The terms. `prices` left out keeps the price list; an empty list clears it."""

    supplier_sku: Code | None = Field(default=None, description="The supplier's own item number.")
    priority: Integer = Field(default=1, ge=1, le=99, description="1 is asked first.")
    is_active: Boolean = Field(default=True, description="Whether planning may choose this source.")
    lead_time_days: LeadTimeDays | None = Field(
        default=None, description="As stated for this item; the supplier's if absent."
    )
    minimum_quantity: QuantityOrZero = Field(
        default=Decimal(0), description="Least order quantity (MOQ), base units."
    )
    order_multiple: Quantity | None = Field(
        default=None, description="Orders are whole multiples of this, base units."
    )
    maximum_quantity: Quantity | None = Field(
        default=None, description="Greatest quantity of one order, base units."
    )
    prices: list[PriceStepInput] | None = Field(
        default=None, max_length=100, description="The whole price list, replacing the old one."
    )


class SupplierItemPut(SupplierItemTerms):
    """All terms of one supplier for one item; a field left out takes its default."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_TERMS]})

    version: Integer | None = Field(default=None, description="The version read; or send If-Match.")


class SupplierItemLine(SupplierItemTerms):
    """One line of a bulk write. Of a known supplier-item only the fields sent change."""

    supplier: Reference
    item: ItemReference


class SupplierItemBulk(Strict):
    """Up to 1000 supplier-items in one call."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "mode": "atomic",
                    "lines": [
                        {"supplier": {"code": "S-01"}, "item": {"sku": "SKU-1003"}, **_TERMS},
                        {"supplier": {"code": "S-02"}, "item": {"sku": "SKU-1003"}, **_TERMS},
                    ],
                }
            ]
        },
    )

    mode: Literal["atomic", "partial"] = Field(
        default="atomic", description="atomic: all lines or none; partial: every line that can."
    )
    # Every line is checked by itself, so that one bad line cannot hide what is wrong with another.
    lines: list[SkipValidation[SupplierItemLine]] = Field(min_length=1, max_length=1000)


class PriceStepRead(Read):
    """One step of a price list."""

    minimum_quantity: Number
    unit_price: CostNumber
    price_per: Number
    currency: str
    valid_from: date
    valid_to: date | None


class MeasuredLeadTimeRead(Read):
    """What receipts taught us about the lead time, in calendar days."""

    count: int = Field(description="Observed receipts.")
    mean_days: Number | None
    sd_days: Number | None = Field(description="Sample standard deviation; from two receipts on.")


class SupplierItemRead(Read):
    """The terms on which one supplier sells one item. Quantities are in the item's base unit."""

    id: UUID
    supplier: Link
    item: ItemLink
    supplier_sku: str | None
    priority: int
    is_active: bool
    lead_time_days: int | None = Field(description="As stated for this item.")
    stated_lead_time_days: int | None = Field(description="As stated for it, else by the supplier.")
    measured_lead_time: MeasuredLeadTimeRead
    minimum_quantity: Number
    order_multiple: Number | None
    maximum_quantity: Number | None
    prices: list[PriceStepRead]
    version: int
    created_at: datetime
    updated_at: datetime


class Offer(Read):
    """What ordering a quantity on a day would mean."""

    on: date
    order_quantity: Number | None = Field(
        description="The quantity asked for, raised to the minimum and the multiple; null if that "
        "is more than one order may hold."
    )
    price: PriceStepRead | None = Field(description="The step it gets; null if none is valid.")
    price_of_one: CostNumber = Field(description="Price of one base unit.")
    arrives_on: date | None = Field(description="By the stated lead time and the shut-downs.")


class SupplierItemOffer(SupplierItemRead):
    """A supplier-item and what it offers for the quantity and day asked for."""

    supplier_status: str = Field(description="active, on_watch or blocked.")
    offer: Offer


class SupplierItemList(Page[SupplierItemOffer]):
    """A page of supplier-items."""


class OfferParams(PageParams):
    """The order to price: `quantity` on a day."""

    is_active: bool | None = Field(
        default=None, description="Only sources that planning may (not) choose."
    )
    quantity: Quantity | None = Field(
        default=None, description="Base units; the least the supplier sells if absent."
    )
    on: Day | None = Field(default=None, description="Order date; today if absent.")


class SupplierItemFilter(OfferParams):
    """Which supplier-items to list."""

    item: ItemKey | None = None
    supplier: SupplierKey | None = None


class SupplierItemResult(Read):
    """What became of one line of a bulk request."""

    line: int = Field(description="Position in `lines`, from 0.")
    result: Literal["created", "updated", "unchanged", "failed"]
    id: UUID | None = None
    version: int | None = None
    errors: list[ProblemError] = Field(default=[], description="What is wrong with a failed line.")


class SupplierItemBulkRead(Read):
    """What became of a bulk request."""

    mode: Literal["atomic", "partial"]
    created: int
    updated: int
    unchanged: int
    failed: int
    results: list[SupplierItemResult]
