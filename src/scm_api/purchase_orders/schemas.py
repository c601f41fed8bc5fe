"""Bodies that write purchase orders. Quantities are in the line's `unit` unless said otherwise."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import MISSING, ConfigDict, Field

from scm_api.core.schemas import (
    Boolean,
    Code,
    Currency,
    Day,
    Factor,
    Integer,
    ItemReference,
    Name,
    Note,
    Percent,
    Quantity,
    QuantityOrZero,
    Reference,
    Strict,
    UnitPrice,
)

LINES_AT_MOST = 1000
UnitText = Annotated[str, Field(min_length=1, max_length=8)]
SourceType = Literal[
    "suggestion", "requisition", "sales_order", "production_order", "contract", "other"
]
LineNo = Annotated[Integer, Field(ge=1, le=LINES_AT_MOST)]
Reason = Annotated[Name, Field(description="Why; kept in the history.")]
Version = Annotated[Integer | None, Field(description="The version read; or send If-Match.")]


class ScheduleCreate(Strict):
    """A part of a line with a date of its own."""

    quantity: Quantity = Field(description="In the line's unit.")
    need_by: Day


class Source(Strict):
    """Where a line came from, for tracing (a suggestion, a requisition)."""

    type: SourceType
    id: UUID


class LineCreate(Strict):
    """A line of an order. Without a price, the supplier's price list decides."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "item": {"sku": "SKU-1001"},
                    "quantity": "5",
                    "unit": "BOX",
                    "need_by": "2030-03-01",
                }
            ]
        },
    )

    item: ItemReference
    quantity: Quantity
    unit: UnitText | None = Field(default=None, description="The item's base unit if absent.")
    warehouse: Reference | None = Field(
        default=None, description="Where it shall arrive; the order's warehouse if absent."
    )
    need_by: Day | None = Field(
        default=None, description="The day it is needed; the order's `need_by` if absent."
    )
    schedules: list[ScheduleCreate] | None = Field(
        default=None,
        min_length=1,
        max_length=100,
        description="Several dates instead of `need_by`; the quantities sum to the line's.",
    )
    unit_price: UnitPrice | None = Field(
        default=None, description="Price of `price_per` `price_unit`, in the order's currency."
    )
    price_per: Quantity | None = Field(default=None, description="1 if absent.")
    price_unit: UnitText | None = Field(default=None, description="The line's unit if absent.")
    supplier_sku: Code | None = Field(
        default=None, description="The supplier's name for the item; its list's if absent."
    )
    over_delivery_percent: Percent | None = Field(
        default=None,
        description="How much more than ordered may arrive; the organization's setting if absent.",
    )
    under_delivery_percent: Percent | None = Field(
        default=None,
        description="How much less than ordered still counts as delivered; the organization's "
        "setting if absent.",
    )
    is_unlimited_overdelivery: Boolean = False
    source: Source | None = None


class PurchaseOrderCreate(Strict):
    """A new order with its lines and their schedules, in one call."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "supplier": {"code": "S-01"},
                    "warehouse": {"code": "WH-1"},
                    "need_by": "2030-03-01",
                    "lines": [
                        {"item": {"sku": "SKU-1001"}, "quantity": "10", "unit": "BOX"},
                        {
                            "item": {"sku": "SKU-1002"},
                            "quantity": "100",
                            "unit_price": "3.20",
                            "over_delivery_percent": "5",
                            "schedules": [
                                {"quantity": "60", "need_by": "2030-03-01"},
                                {"quantity": "40", "need_by": "2030-03-15"},
                            ],
                        },
                    ],
                }
            ]
        },
    )

    supplier: Reference
    warehouse: Reference | None = Field(default=None, description="For lines that name none.")
    need_by: Day | None = Field(default=None, description="For lines that name no date.")
    currency: Currency | None = Field(default=None, description="The supplier's if absent.")
    exchange_rate: Factor | None = Field(
        default=None,
        description="Base currency for one unit of `currency`; required if the two differ.",
    )
    dated_on: Day | None = Field(
        default=None, description="The document's date, which decides prices; today if absent."
    )
    external_ref: Code | None = Field(default=None, description="Its name in another system.")
    note: Note = ""
    lines: list[LineCreate] = Field(min_length=1, max_length=LINES_AT_MOST)


class PurchaseOrderPatch(Strict):
    """Changes to a draft (JSON Merge Patch): absent fields stay; `lines` replaces all lines."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"note": "Deliver before noon."}]}
    )

    exchange_rate: Factor | MISSING = MISSING
    external_ref: Code | None | MISSING = MISSING
    note: Note | MISSING = MISSING
    lines: list[LineCreate] | MISSING = Field(
        default=MISSING, min_length=1, max_length=LINES_AT_MOST
    )
    version: Version = None


class OrderAction(Strict):
    """An action that needs nothing but the version it was decided on."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{}]})

    version: Version = None


class ReasonedAction(Strict):
    """An action with its reason."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"reason": "No longer needed"}]}
    )

    reason: Reason
    version: Version = None


class LineConfirmation(Strict):
    """The supplier's answer to one line, or to one of its schedules."""

    line_no: LineNo
    schedule_no: LineNo | None = Field(
        default=None, description="Needed to change one part of a line with several schedules."
    )
    answer: Literal["accepted", "rejected"] = "accepted"
    quantity: QuantityOrZero | None = Field(default=None, description="As ordered if absent.")
    confirmed_on: Day | None = Field(
        default=None, description="The day it will arrive; as requested if absent."
    )


class Confirmation(Strict):
    """What the supplier answered. Without `lines`, everything open is accepted as ordered."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"lines": [{"line_no": 1, "confirmed_on": "2030-03-03"}]}]},
    )

    lines: list[LineConfirmation] | None = Field(
        default=None, min_length=1, max_length=LINES_AT_MOST
    )
    note: Note = ""
    version: Version = None


class LineChange(Strict):
    """What changes on one line; absent fields stay."""

    line_no: LineNo
    quantity: Quantity | MISSING = MISSING
    need_by: Day | MISSING = MISSING
    schedules: list[ScheduleCreate] | MISSING = Field(default=MISSING, min_length=1, max_length=100)
    unit_price: UnitPrice | MISSING = MISSING
    over_delivery_percent: Percent | MISSING = MISSING
    under_delivery_percent: Percent | MISSING = MISSING
    is_unlimited_overdelivery: Boolean | MISSING = MISSING
    is_closed: Boolean | MISSING = Field(
        default=MISSING, description="true gives up what has not arrived; false expects it again."
    )


class OrderRevise(Strict):
    """A change of an approved or issued order: a new revision."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "reason": "The customer doubled the order",
                    "lines": [{"line_no": 1, "quantity": "60", "need_by": "2030-03-05"}],
                }
            ]
        },
    )

    reason: Reason
    exchange_rate: Factor | MISSING = MISSING
    lines: list[LineChange] = Field(default_factory=list, max_length=LINES_AT_MOST)
    version: Version = None
