"""Bodies of stock movements, balances, positions and projections."""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from scm_api.core.pages import PageParams
from scm_api.core.schemas import (
    CategoryKey,
    Code,
    CostNumber,
    Day,
    Instant,
    ItemLink,
    ItemReference,
    Link,
    Note,
    Number,
    Page,
    Quantity,
    QuantityOrZero,
    Read,
    Reference,
    Strict,
    UnitPrice,
)

MovementType = Literal[
    "purchase_receipt",
    "return_to_supplier",
    "sales_issue",
    "customer_return",
    "consumption",
    "production_issue",
    "production_receipt",
    "scrap",
    "opening",
    "count_gain",
    "count_loss",
    "adjustment_in",
    "adjustment_out",
    "transfer",
    "to_quality",
    "from_quality",
    "to_blocked",
    "from_blocked",
]
Status = Literal["unrestricted", "quality", "blocked", "returns"]


class LotReference(Strict):
    """A lot of the line's item; made if it is new."""

    code: Code
    expires_on: Day | None = None


class MovementLineCreate(Strict):
    """One line: how much of what, where. `warehouse` is our place; a transfer also names
    `to_warehouse` or `to_location`."""

    item: ItemReference
    quantity: Quantity = Field(description="In `unit`, or the item's base unit. Always positive.")
    unit: Code | None = None
    warehouse: Reference
    location: Code | None = Field(default=None, description="The warehouse's default if absent.")
    to_warehouse: Reference | None = None
    to_location: Code | None = None
    lot: LotReference | None = None
    status: Status | None = Field(
        default=None, description="Stock status taken from or put into; unrestricted if absent."
    )
    unit_cost: UnitPrice | None = Field(
        default=None,
        description="Cost of one base unit entering from outside, in base currency; the average "
        "if absent.",
    )
    expected_on_hand: QuantityOrZero | None = Field(
        default=None,
        description="Compare-and-set: refuse unless the balance of the place is exactly this.",
    )


class MovementCreate(Strict):
    """A posting of 1 to 1,000 lines: all of them or none."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "type": "sales_issue",
                    "reference": "SO-2044",
                    "lines": [
                        {
                            "item": {"sku": "SKU-1001"},
                            "quantity": "2",
                            "warehouse": {"code": "WH-1"},
                        }
                    ],
                }
            ]
        },
    )

    type: MovementType
    lines: list[MovementLineCreate] = Field(min_length=1, max_length=1000)
    occurred_at: Instant | None = Field(default=None, description="Now if absent; may be earlier.")
    reason: Note = ""
    reference: Code | None = Field(default=None, description="Your document's number.")
    external_ref: Code | None = Field(
        default=None, description="Unique: a second posting with it is refused as a duplicate."
    )


class ReverseCreate(Strict):
    """Why a document is reversed."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"reason": "Scanned twice"}]}
    )

    reason: Note
    occurred_at: Instant | None = Field(
        default=None, description="When the reversal counts; the original's time if absent."
    )


class PostedLineRead(Read):
    """A line's effect."""

    line_no: int
    value: CostNumber = Field(description="In base currency.")
    on_hand_after: Number = Field(description="The item's on hand in the warehouse, all statuses.")


class MovementPosted(Read):
    """A posted document."""

    id: UUID
    type: str
    occurred_at: datetime
    recorded_at: datetime
    reversal_of: UUID | None
    lines: list[PostedLineRead]


class PlaceRead(Read):
    """One end of a movement: a place of ours, or a part of the outside world."""

    kind: str
    warehouse: str | None
    location: str | None
    status: str


class MovementLineRead(Read):
    """A line of the ledger."""

    line_no: int
    item: ItemLink
    quantity: Number
    unit: str
    value: CostNumber = Field(description="In base currency.")
    source: PlaceRead
    destination: PlaceRead
    lot: str | None


class MovementRead(Read):
    """A document of the ledger."""

    id: UUID
    type: str
    reason: str
    reference_type: str | None
    reference_id: UUID | None
    reference: str | None
    external_ref: str | None
    reversal_of: UUID | None
    reversed_by: UUID | None
    occurred_at: datetime
    recorded_at: datetime
    lines: list[MovementLineRead]


class LedgerEntry(MovementLineRead):
    """A line of the ledger with its document."""

    document_id: UUID
    type: str
    reference: str | None
    occurred_at: datetime
    recorded_at: datetime


class LedgerEntryList(Page[LedgerEntry]):
    """A page of the ledger."""


class LedgerFilter(PageParams):
    """Which lines of the ledger to list, newest first."""

    item: str | None = Field(
        default=None, max_length=80, description="`SKU-1001`, `sku=...`, `ref=...` or a UUID."
    )
    warehouse: str | None = Field(
        default=None, max_length=80, description="`WH-1`, `code=...`, `ref=...` or a UUID."
    )
    type: list[MovementType] | None = Field(
        default=None, description="Only movements of these types."
    )
    occurred_at_gte: Instant | None = Field(default=None, description="Moved at or after.")
    occurred_at_lt: Instant | None = Field(default=None, description="Moved before.")


class StatusReason(Read):
    """Why a position has its status."""

    code: str
    params: dict[str, Number | int | None] = Field(
        description="What costs decide is null without `costs:read`."
    )


class PositionRead(Read):
    """An item in a warehouse: everything that buyer, planner and warehouse argue about."""

    item: ItemLink
    warehouse: Link
    on_hand: Number = Field(description="All statuses, internal places.")
    unrestricted: Number
    reserved: Number
    available: Number = Field(description="unrestricted - reserved")
    in_transit: Number
    on_order: Number = Field(description="Open quantity of issued orders.")
    next_arrival_on: date | None
    value: CostNumber = Field(description="On hand and in transit, in base currency.")
    average_cost: CostNumber
    daily_demand: Number | None = Field(description="Mean per day, from the latest plan.")
    safety_stock: Number | None
    reorder_point: Number | None
    order_up_to: CostNumber = Field(
        description="Costs decide how far it lies above the reorder point."
    )
    days_of_cover: Number | None = Field(description="available / daily_demand")
    stock_status: str
    reasons: list[StatusReason]
    last_movement_at: datetime | None


class PositionList(Page[PositionRead]):
    """A page of positions."""


class PositionFilter(PageParams):
    """Which positions to list."""

    warehouse: str | None = Field(
        default=None, max_length=80, description="`WH-1`, `code=...`, `ref=...` or a UUID."
    )
    item: str | None = Field(
        default=None, max_length=80, description="`SKU-1001`, `sku=...`, `ref=...` or a UUID."
    )
    category: CategoryKey | None = None
    is_in_stock: bool | None = Field(default=None, description="Only with, or without, stock.")


class StockAsOf(Read):
    """Quantity and value of an item in a warehouse at an instant, from the ledger."""

    item: ItemLink
    warehouse: Link
    on_hand: Number
    in_transit: Number
    value: CostNumber = Field(description="In base currency.")


class StockAsOfList(Page[StockAsOf]):
    """Stock at an instant."""

    as_of: datetime


class AsOfFilter(PageParams):
    """Which stock, and when."""

    as_of: Instant = Field(
        description="The instant, with a time zone.", examples=["2026-01-31T23:59:59+08:00"]
    )
    warehouse: str | None = Field(
        default=None, max_length=80, description="`WH-1`, `code=...`, `ref=...` or a UUID."
    )
    item: str | None = Field(
        default=None, max_length=80, description="`SKU-1001`, `sku=...`, `ref=...` or a UUID."
    )


class BalanceRead(Read):
    """What is in one location, of one lot and status."""

    item: ItemLink
    warehouse: Link
    location: str
    lot: str | None
    expires_on: date | None
    status: str
    on_hand: Number


class BalanceList(Page[BalanceRead]):
    """A page of balances."""


class BalanceFilter(PageParams):
    """Which balances to list; empty ones are left out."""

    warehouse: str | None = Field(
        default=None, max_length=80, description="`WH-1`, `code=...`, `ref=...` or a UUID."
    )
    item: str | None = Field(
        default=None, max_length=80, description="`SKU-1001`, `sku=...`, `ref=...` or a UUID."
    )
    location: str | None = Field(
        default=None, max_length=64, description="Only in locations of this code."
    )
    status: Status | None = Field(default=None, description="Only stock in this status.")


class ArrivalRead(Read):
    """An open quantity on its way."""

    item: ItemLink
    warehouse: Link
    due_on: date
    quantity: Number
    is_confirmed: bool = Field(description="The supplier confirmed date and quantity.")
    source_type: str
    source_id: UUID
    source_number: str


class ArrivalList(Page[ArrivalRead]):
    """What will arrive, earliest first."""


class InboundFilter(PageParams):
    """Which arrivals to list."""

    from_on: Day | None = Field(default=None, alias="from", description="First day.")
    to_on: Day | None = Field(default=None, alias="to", description="Last day.")


class ProjectionDay(Read):
    """One coming day."""

    on: date
    arriving: Number
    demand: Number
    available: Number = Field(description="At the end of the day.")


class ProjectionRead(Read):
    """Availability by day: today's, plus arrivals when due, less mean daily demand.

    available(t) = available(t-1) + arriving(t) - daily_demand
    """

    item: ItemLink
    warehouse: Link
    available_now: Number
    overdue: Number = Field(description="Due before today and not arrived; counted as today's.")
    stockout_on: date | None = Field(description="First day with less than nothing available.")
    days: list[ProjectionDay]
    formula: str = "available(t) = available(t-1) + arriving(t) - daily_demand"


class ValuationLine(Read):
    """The value of one warehouse."""

    warehouse: Link
    value: Number = Field(description="On hand and in transit.")
    item_count: int


class ValuationRead(Read):
    """Stock value by warehouse at an instant; equals the sum of all movements' values."""

    as_of: datetime
    currency: str
    total: Number
    warehouses: list[ValuationLine]
