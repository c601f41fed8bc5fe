"""Purchase orders as they are read, and the filters of their list."""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from scm_api.core.pages import PageParams
from scm_api.core.schemas import (
    CostNumber,
    Day,
    Instant,
    ItemKey,
    ItemLink,
    Link,
    Money,
    Number,
    Page,
    Read,
    SupplierKey,
    WarehouseKey,
)

OrderStatus = Literal["draft", "approved", "issued", "closed", "cancelled"]
ReceiptStatus = Literal["none", "partial", "full", "over"]
ConfirmationStatus = Literal["none", "partial", "confirmed", "changed", "rejected"]


class ScheduleRead(Read):
    """A part of a line with a date of its own. Quantities in base units."""

    id: UUID
    schedule_no: int
    quantity: Number
    need_by: date
    confirmation: str = Field(description="none, confirmed, changed or rejected.")
    confirmed_quantity: Number | None
    confirmed_on: date | None
    open_quantity: Number = Field(description="Still expected; receipts fill the earliest first.")


class LineRead(Read):
    """A line of an order. Quantities in base units, unless named `unit_quantity`."""

    id: UUID
    line_no: int
    item: ItemLink
    warehouse: Link
    supplier_sku: str | None
    status: str = Field(description="open, delivered, closed (rest given up) or cancelled.")
    receipt_status: ReceiptStatus
    confirmation_status: ConfirmationStatus
    unit_quantity: Number = Field(description="As ordered, in `unit`.")
    unit: str
    quantity: Number
    base_unit: str
    received_quantity: Number
    open_quantity: Number
    unit_price: CostNumber = Field(description="Price of `price_per` `price_unit`.")
    price_per: Number
    price_unit: str
    amount: CostNumber = Field(
        description="To 4 places; only the order's total is rounded further."
    )
    over_delivery_percent: Number
    under_delivery_percent: Number
    is_unlimited_overdelivery: bool
    is_final_delivery: bool
    source_type: str | None
    source_id: UUID | None
    schedules: list[ScheduleRead]


class WarningRead(Read):
    """Something a buyer should know; it stops nothing."""

    code: str = Field(
        description=(
            "supplier_on_watch, below_minimum_quantity, not_order_multiple or "
            "above_maximum_quantity."
        )
    )
    line_no: int | None = None
    params: dict[str, str] = Field(
        default_factory=dict, description="The supplier's code, or `quantity` and `limit`."
    )


class PurchaseOrderSummary(Read):
    """An order as lists show it."""

    id: UUID
    number: str
    supplier: Link
    status: OrderStatus
    receipt_status: ReceiptStatus
    confirmation_status: ConfirmationStatus
    close_reason: str | None = Field(description="completed, short_closed or cancelled_remainder.")
    is_on_hold: bool
    hold_reason: str | None
    allowed_actions: list[str] = Field(
        description="What its state and the caller's permissions allow now. Duty rules and amount "
        "limits are judged when it is done."
    )
    revision: int = Field(description="1 as first approved; each change adds one.")
    amount: Money
    line_count: int
    exchange_rate: Number = Field(description="Base currency for one unit of the currency.")
    dated_on: date
    ordered_on: date | None = Field(description="The day it was issued; lead time counts from it.")
    next_due_on: date | None = Field(description="The earliest day something is expected.")
    external_ref: str | None
    note: str
    approved_at: datetime | None
    issued_at: datetime | None
    closed_at: datetime | None
    version: int
    created_at: datetime
    updated_at: datetime


class PurchaseOrderRead(PurchaseOrderSummary):
    """An order with its lines."""

    warnings: list[WarningRead]
    lines: list[LineRead]


class PurchaseOrderList(Page[PurchaseOrderSummary]):
    """A page of orders."""


class PurchaseOrderFilter(PageParams):
    """Which orders to list, newest first (with `updated_since`: in the order of their change)."""

    status: list[OrderStatus] = Field(
        default_factory=list, max_length=5, description="Only orders in one of these states."
    )
    receipt_status: list[ReceiptStatus] = Field(
        default_factory=list, max_length=4, description="Only with so much received."
    )
    confirmation_status: list[ConfirmationStatus] = Field(
        default_factory=list, max_length=5, description="Only with such an answer of the supplier."
    )
    is_on_hold: bool | None = Field(default=None, description="Only those (not) on hold.")
    supplier: SupplierKey | None = None
    item: ItemKey | None = None
    warehouse: WarehouseKey | None = None
    next_due_on_gte: Day | None = Field(
        default=None, description="The earliest thing still expected is due on this day or later."
    )
    next_due_on_lte: Day | None = Field(
        default=None, description="Something due on this day or earlier has not arrived."
    )
    q: str | None = Field(default=None, max_length=64, description="Beginning of the number.")
    updated_since: Instant | None = Field(default=None, description="Changed at or after.")


class ChangedValue(Read):
    """One value a revision changed; lines and schedules are named by their numbers."""

    path: str = Field(description="Such as `/lines/1/quantity`.")
    old: str | bool | None = Field(description="Null: it was not there.")
    new: str | bool | None = Field(description="Null: it is gone.")


class RevisionRead(Read):
    """One change of an approved or issued order."""

    revision: int
    reason: str
    changes: list[ChangedValue] = Field(
        description="Those of prices hold null twice without `costs:read`."
    )
    principal_name: str
    created_at: datetime


class RevisionList(Page[RevisionRead]):
    """A page of revisions, latest first."""
