"""Bodies of receipts."""

from datetime import date, datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator

from scm_api.core.pages import PageParams
from scm_api.core.rules import ONE_REFERENCE, broken
from scm_api.core.schemas import (
    Boolean,
    Code,
    CostNumber,
    Instant,
    Integer,
    ItemKey,
    ItemLink,
    ItemReference,
    Link,
    Name,
    Note,
    Number,
    Page,
    Quantity,
    Read,
    Reference,
    Strict,
    SupplierKey,
    UnitPrice,
)
from scm_api.stock.schemas import LotReference

LINES_AT_MOST = 1000
UnitText = Annotated[str, Field(min_length=1, max_length=8)]
StockStatus = Literal["unrestricted", "quality"]


class OrderReference(Strict):
    """Names an order by `id` or by `number`, exactly one of them."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"number": "PO-000001"}]}
    )

    id: UUID | None = Field(default=None, description="Our identifier.")
    number: Code | None = Field(default=None, description="The number people quote.")

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.id is None) == (self.number is None):
            raise broken(ONE_REFERENCE, one="id", other="number")
        return self

    @property
    def key(self) -> str:
        """As a path key."""
        return f"number={self.number}" if self.id is None else str(self.id)


class ReceiptLineCreate(Strict):
    """A quantity that arrived. Against an order, the order's line decides item, warehouse and cost;
    without one they are named here."""

    line_no: Integer | None = Field(
        default=None, ge=1, le=LINES_AT_MOST, description="The order's line, by its number ..."
    )
    order_line_id: UUID | None = Field(default=None, description="... or by its id.")
    item: ItemReference | None = Field(default=None, description="Only without an order.")
    warehouse: Reference | None = Field(default=None, description="Only without an order.")
    unit_cost: UnitPrice | None = Field(
        default=None,
        description=(
            "Only without an order: cost of one base unit in base currency; the average if absent."
        ),
    )
    quantity: Quantity
    unit: UnitText | None = Field(
        default=None, description="The order line's unit (without an order: base unit) if absent."
    )
    location: Code | None = Field(
        default=None, description="Code of a location of the warehouse; its default if absent."
    )
    lot: LotReference | None = Field(default=None, description="Needed for items kept by lot.")
    stock_status: StockStatus = Field(
        default="unrestricted", description="quality: to be inspected before it may be used."
    )
    is_final_delivery: Boolean = Field(
        default=False, description="Nothing more will come on this line, however much is missing."
    )


class ReceiptCreate(Strict):
    """Goods that arrived, against one order or (with its own permission) without any."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "order": {"number": "PO-000001"},
                    "delivery_note": "DN-20391",
                    "lines": [{"line_no": 1, "quantity": "20"}],
                }
            ]
        },
    )

    order: OrderReference | None = None
    supplier: Reference | None = Field(default=None, description="Only without an order.")
    occurred_at: Instant | None = Field(default=None, description="When it arrived; now if absent.")
    delivery_note: Code | None = Field(default=None, description="The supplier's delivery note.")
    external_ref: Code | None = Field(
        default=None, description="Its name in another system; a second use is refused."
    )
    note: Note = ""
    lines: list[ReceiptLineCreate] = Field(min_length=1, max_length=LINES_AT_MOST)


class ReceiptReverse(Strict):
    """Why a receipt is taken back."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"reason": "Counted wrong"}]}
    )

    reason: Name
    occurred_at: Instant | None = Field(
        default=None, description="When the goods left; the time of the receipt if absent."
    )
    version: Integer | None = Field(default=None, description="The version read; or send If-Match.")


class OrderLink(Read):
    """The order a receipt belongs to."""

    id: UUID
    number: str


class ReceiptLineRead(Read):
    """A line of a receipt. `quantity` is in base units, `unit_quantity` in `unit`."""

    id: UUID
    line_no: int
    order_line_id: UUID | None
    order_line_no: int | None
    item: ItemLink
    warehouse: Link
    location: str
    lot: str | None
    expires_on: date | None
    unit_quantity: Number
    unit: str
    quantity: Number
    base_unit: str
    stock_status: str
    unit_cost: CostNumber = Field(description="Base currency for one base unit.")
    is_final_delivery: bool


class ReceiptSummary(Read):
    """A receipt as lists show it."""

    id: UUID
    number: str
    status: str = Field(description="posted or reversed.")
    order: OrderLink | None
    supplier: Link | None
    occurred_at: datetime
    recorded_at: datetime
    delivery_note: str | None
    external_ref: str | None
    note: str
    line_count: int
    value: CostNumber = Field(description="In the organization's base currency.")
    stock_document_id: UUID
    reversal_document_id: UUID | None
    reversed_at: datetime | None
    reversal_reason: str | None
    version: int


class ReceiptRead(ReceiptSummary):
    """A receipt with its lines."""

    lines: list[ReceiptLineRead]


class ReceiptList(Page[ReceiptSummary]):
    """A page of receipts."""


class ReceiptFilter(PageParams):
    """Which receipts to list, newest first (with `updated_since`: in the order of their change)."""

    order: str | None = Field(
        default=None, max_length=80, description="`PO-000001`, `number=...`, `ref=...` or a UUID."
    )
    supplier: SupplierKey | None = None
    item: ItemKey | None = None
    status: list[Literal["posted", "reversed"]] = Field(
        default_factory=list, max_length=2, description="Only receipts in one of these states."
    )
    occurred_at_gte: Instant | None = Field(default=None, description="Arrived at or after.")
    occurred_at_lt: Instant | None = Field(default=None, description="Arrived before.")
    q: str | None = Field(
        default=None, max_length=64, description="Beginning of the number or delivery note."
    )
    updated_since: Instant | None = Field(default=None, description="Changed at or after.")
