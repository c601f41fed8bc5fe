"""Tables of purchase orders. Quantities are in base units unless the name says otherwise.

What is derived from lines (amount, statuses, next due date) is written with them at once.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, Numeric, String, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from scm_api.core.db import (
    QUANTITY,
    UNIT_PRICE,
    VALUE,
    Base,
    Identified,
    Versioned,
    same_organization,
)

# Where a line may come from.
SOURCE_TYPES = ("suggestion", "requisition", "sales_order", "production_order", "contract", "other")
EXCHANGE_RATE = Numeric(20, 10)
PERCENT = Numeric(7, 4)


class PurchaseOrder(Versioned, Base):
    """The header: one supplier, one currency, one state."""

    __tablename__ = "purchase_order"

    number: Mapped[str] = mapped_column(String(32))
    supplier_id: Mapped[UUID]
    status: Mapped[str] = mapped_column(String(16), server_default="draft")
    receipt_status: Mapped[str] = mapped_column(String(16), server_default="none")
    confirmation_status: Mapped[str] = mapped_column(String(16), server_default="none")
    close_reason: Mapped[str | None] = mapped_column(String(32))
    is_on_hold: Mapped[bool] = mapped_column(server_default=text("false"))
    hold_reason: Mapped[str | None] = mapped_column(String(200))
    revision: Mapped[int] = mapped_column(server_default="1")
    currency: Mapped[str] = mapped_column(String(3))
    # Base currency for one unit of the order's currency; stock is valued with it.
    exchange_rate: Mapped[Decimal] = mapped_column(EXCHANGE_RATE, server_default="1")
    amount: Mapped[Decimal] = mapped_column(VALUE)
    line_count: Mapped[int]
    # The document's own date decides prices; the day it was issued starts the lead time.
    dated_on: Mapped[date]
    ordered_on: Mapped[date | None]
    next_due_on: Mapped[date | None]
    approved_at: Mapped[datetime | None]
    issued_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    external_ref: Mapped[str | None] = mapped_column(String(64))
    note: Mapped[str] = mapped_column(Text, server_default="")
    warnings: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default="[]")

    __table_args__ = (
        same_organization("supplier_id", "supplier"),
        CheckConstraint(
            "status in ('draft', 'approved', 'issued', 'closed', 'cancelled')", name="status"
        ),
        CheckConstraint(
            "receipt_status in ('none', 'partial', 'full', 'over')", name="receipt_status"
        ),
        CheckConstraint(
            "confirmation_status in ('none', 'partial', 'confirmed', 'changed', 'rejected')",
            name="confirmation_status",
        ),
        CheckConstraint(
            "close_reason in ('completed', 'short_closed', 'cancelled_remainder')",
            name="close_reason",
        ),
        CheckConstraint("(status = 'closed') = (close_reason is not null)", name="closed_why"),
        CheckConstraint("is_on_hold = (hold_reason is not null)", name="held_why"),
        CheckConstraint(
            "status not in ('issued', 'closed') or ordered_on is not null", name="ordered_when"
        ),
        CheckConstraint("exchange_rate > 0", name="exchange_rate"),
        CheckConstraint("amount >= 0", name="amount"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        Index("uq_purchase_order_number", "organization_id", text("lower(number)"), unique=True),
        Index(
            "uq_purchase_order_external_ref",
            "organization_id",
            "external_ref",
            unique=True,
            postgresql_where=text("external_ref is not null"),
        ),
        Index("ix_purchase_order_supplier_id", "organization_id", "supplier_id", "id"),
        Index("ix_purchase_order_status", "organization_id", "status", "id"),
        Index("ix_purchase_order_updated_at", "organization_id", "updated_at", "id"),
        Index(
            "ix_purchase_order_next_due_on",
            "organization_id",
            "next_due_on",
            postgresql_where=text("next_due_on is not null"),
        ),
    )


class PurchaseOrderLine(Identified, Base):
    """One item to one warehouse. Changed only under the header's lock, so it has no version."""

    __tablename__ = "purchase_order_line"

    order_id: Mapped[UUID]
    line_no: Mapped[int]
    item_id: Mapped[UUID]
    warehouse_id: Mapped[UUID]
    supplier_sku: Mapped[str | None] = mapped_column(String(64))
    # As written on the order, and converted exactly.
    unit: Mapped[str] = mapped_column(String(8))
    unit_quantity: Mapped[Decimal] = mapped_column(QUANTITY)
    quantity: Mapped[Decimal] = mapped_column(QUANTITY)
    # `unit_price` buys `price_per` of `price_unit`, which are `price_base_quantity` base units.
    unit_price: Mapped[Decimal] = mapped_column(UNIT_PRICE)
    price_per: Mapped[Decimal] = mapped_column(QUANTITY)
    price_unit: Mapped[str] = mapped_column(String(8))
    price_base_quantity: Mapped[Decimal] = mapped_column(QUANTITY)
    over_delivery_percent: Mapped[Decimal] = mapped_column(PERCENT)
    under_delivery_percent: Mapped[Decimal] = mapped_column(PERCENT)
    is_unlimited_overdelivery: Mapped[bool]
    received_quantity: Mapped[Decimal] = mapped_column(QUANTITY)
    # The supplier said this was all (`final delivery`), or we gave up the rest (`closed`).
    is_final_delivery: Mapped[bool]
    is_closed: Mapped[bool]
    source_type: Mapped[str | None] = mapped_column(String(32))
    source_id: Mapped[UUID | None]

    __table_args__ = (
        same_organization("order_id", "purchase_order"),
        same_organization("item_id", "item"),
        same_organization("warehouse_id", "warehouse"),
        UniqueConstraint("organization_id", "order_id", "line_no"),
        CheckConstraint("line_no > 0", name="line_no"),
        CheckConstraint(
            f"source_type in ({', '.join(map(repr, SOURCE_TYPES))})", name="source_type"
        ),
        CheckConstraint("quantity > 0 and unit_quantity > 0", name="quantity"),
        CheckConstraint("unit_price >= 0", name="unit_price"),
        CheckConstraint("price_per > 0 and price_base_quantity > 0", name="price_per"),
        CheckConstraint("over_delivery_percent between 0 and 100", name="over_delivery_percent"),
        CheckConstraint("under_delivery_percent between 0 and 100", name="under_delivery_percent"),
        CheckConstraint("received_quantity >= 0", name="received_quantity"),
        # The last guard behind the tolerance rule: exact in numeric arithmetic.
        CheckConstraint(
            "is_unlimited_overdelivery "
            "or received_quantity * 100 <= quantity * (100 + over_delivery_percent)",
            name="tolerance",
        ),
        Index("ix_purchase_order_line_item_id", "organization_id", "item_id", "warehouse_id"),
        Index("ix_purchase_order_line_source", "organization_id", "source_type", "source_id"),
    )


class PurchaseOrderSchedule(Identified, Base):
    """A part of a line with a date of its own, and the supplier's answer to it."""

    __tablename__ = "purchase_order_schedule"

    line_id: Mapped[UUID]
    schedule_no: Mapped[int]
    quantity: Mapped[Decimal] = mapped_column(QUANTITY)
    need_by: Mapped[date]
    confirmation: Mapped[str] = mapped_column(String(16))
    confirmed_quantity: Mapped[Decimal | None] = mapped_column(QUANTITY)
    confirmed_on: Mapped[date | None]

    __table_args__ = (
        same_organization("line_id", "purchase_order_line", ondelete="CASCADE"),
        UniqueConstraint("organization_id", "line_id", "schedule_no"),
        CheckConstraint("schedule_no > 0", name="schedule_no"),
        CheckConstraint("quantity > 0", name="quantity"),
        CheckConstraint(
            "confirmation in ('none', 'confirmed', 'changed', 'rejected')", name="confirmation"
        ),
        CheckConstraint("confirmed_quantity >= 0", name="confirmed_quantity"),
        CheckConstraint(
            "(confirmation in ('confirmed', 'changed')) = (confirmed_on is not null) "
            "and (confirmed_on is null) = (confirmed_quantity is null)",
            name="confirmed_what",
        ),
    )


class PurchaseOrderRevision(Identified, Base):
    """What one change of an approved or issued order changed. Append-only by convention."""

    __tablename__ = "purchase_order_revision"

    order_id: Mapped[UUID]
    revision: Mapped[int]
    reason: Mapped[str] = mapped_column(String(200))
    # [{"path": "/lines/1/quantity", "old": "50.0000", "new": "60.0000"}]; lines by their number.
    changes: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    principal_id: Mapped[UUID]
    principal_name: Mapped[str]
    created_at: Mapped[datetime]

    __table_args__ = (
        same_organization("order_id", "purchase_order"),
        UniqueConstraint("organization_id", "order_id", "revision"),
        CheckConstraint("revision > 1", name="revision"),
    )
