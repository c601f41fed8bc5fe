"""Tables of receipts. A posted receipt is never edited: a mistake is reversed as a whole."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, String, Text, UniqueConstraint, text
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


class Receipt(Versioned, Base):
    """One arrival of goods, and the stock documents that brought it in and took it back."""

    __tablename__ = "receipt"

    number: Mapped[str] = mapped_column(String(32))
    status: Mapped[str] = mapped_column(String(16), server_default="posted")
    order_id: Mapped[UUID | None]
    supplier_id: Mapped[UUID | None]
    # When it happened in the world, and when we learned of it.
    occurred_at: Mapped[datetime]
    recorded_at: Mapped[datetime]
    delivery_note: Mapped[str | None] = mapped_column(String(64))
    external_ref: Mapped[str | None] = mapped_column(String(64))
    note: Mapped[str] = mapped_column(Text, server_default="")
    line_count: Mapped[int]
    # In the organization's base currency.
    value: Mapped[Decimal] = mapped_column(VALUE)
    stock_document_id: Mapped[UUID]
    reversal_document_id: Mapped[UUID | None]
    reversed_at: Mapped[datetime | None]
    reversal_reason: Mapped[str | None] = mapped_column(String(200))

    __table_args__ = (
        same_organization("order_id", "purchase_order"),
        same_organization("supplier_id", "supplier"),
        same_organization("stock_document_id", "stock_document"),
        same_organization("reversal_document_id", "stock_document"),
        CheckConstraint("status in ('posted', 'reversed')", name="status"),
        CheckConstraint(
            "(status = 'reversed') = (reversal_document_id is not null) "
            "and (status = 'reversed') = (reversed_at is not null)",
            name="reversed_by",
        ),
        Index("uq_receipt_number", "organization_id", text("lower(number)"), unique=True),
        Index(
            "uq_receipt_external_ref",
            "organization_id",
            "external_ref",
            unique=True,
            postgresql_where=text("external_ref is not null"),
        ),
        Index("ix_receipt_order_id", "organization_id", "order_id"),
        Index("ix_receipt_supplier_id", "organization_id", "supplier_id", "id"),
        Index("ix_receipt_updated_at", "organization_id", "updated_at", "id"),
    )


class ReceiptLine(Identified, Base):
    """A quantity of one item that arrived at one location."""

    __tablename__ = "receipt_line"

    receipt_id: Mapped[UUID]
    line_no: Mapped[int]
    order_line_id: Mapped[UUID | None]
    item_id: Mapped[UUID]
    warehouse_id: Mapped[UUID]
    location_id: Mapped[UUID]
    lot_id: Mapped[UUID | None]
    unit: Mapped[str] = mapped_column(String(8))
    unit_quantity: Mapped[Decimal] = mapped_column(QUANTITY)
    quantity: Mapped[Decimal] = mapped_column(QUANTITY)
    stock_status: Mapped[str] = mapped_column(String(16))
    # Base currency for one base unit.
    unit_cost: Mapped[Decimal] = mapped_column(UNIT_PRICE)
    is_final_delivery: Mapped[bool]

    __table_args__ = (
        same_organization("receipt_id", "receipt"),
        same_organization("order_line_id", "purchase_order_line"),
        same_organization("item_id", "item"),
        same_organization("warehouse_id", "warehouse"),
        same_organization("location_id", "location"),
        same_organization("lot_id", "lot"),
        UniqueConstraint("organization_id", "receipt_id", "line_no"),
        CheckConstraint("quantity > 0 and unit_quantity > 0", name="quantity"),
        CheckConstraint("stock_status in ('unrestricted', 'quality')", name="stock_status"),
        CheckConstraint("unit_cost >= 0", name="unit_cost"),
        Index("ix_receipt_line_order_line_id", "organization_id", "order_line_id"),
        Index("ix_receipt_line_item_id", "organization_id", "item_id"),
    )
