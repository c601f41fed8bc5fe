"""Tables of suppliers, what they supply, their prices and their calendars."""

from datetime import date
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from scm_api.core.db import (
    BALANCE,
    QUANTITY,
    UNIT_PRICE,
    Base,
    Identified,
    Versioned,
    same_organization,
)


class Supplier(Versioned, Base):
    """A company we buy from."""

    __tablename__ = "supplier"

    code: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(200))
    name_zh: Mapped[str | None] = mapped_column(String(200))
    status: Mapped[str] = mapped_column(String(16), server_default="active")
    currency: Mapped[str] = mapped_column(String(3))
    country: Mapped[str | None] = mapped_column(String(2))
    lead_time_days: Mapped[int | None]
    email: Mapped[str | None] = mapped_column(String(254))
    external_ref: Mapped[str | None] = mapped_column(String(64))
    note: Mapped[str] = mapped_column(Text, server_default="")

    __table_args__ = (
        CheckConstraint("status in ('active', 'on_watch', 'blocked')", name="status"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        CheckConstraint("lead_time_days between 0 and 730", name="lead_time_days"),
        Index("uq_supplier_code", "organization_id", text("lower(code)"), unique=True),
        Index(
            "uq_supplier_external_ref",
            "organization_id",
            "external_ref",
            unique=True,
            postgresql_where=text("external_ref is not null"),
        ),
    )


class SupplierItem(Versioned, Base):
    """An item as one supplier sells it: the link that purchasing and planning work with."""

    __tablename__ = "supplier_item"

    supplier_id: Mapped[UUID]
    item_id: Mapped[UUID]
    supplier_sku: Mapped[str | None] = mapped_column(String(64))
    priority: Mapped[int] = mapped_column(server_default="1")
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    lead_time_days: Mapped[int | None]
    minimum_quantity: Mapped[Decimal] = mapped_column(QUANTITY, server_default="0")
    order_multiple: Mapped[Decimal | None] = mapped_column(QUANTITY)
    maximum_quantity: Mapped[Decimal | None] = mapped_column(QUANTITY)
    # What receipts taught us (updated with every receipt): count, sum and sum of squares of days
    # from order to receipt, so mean and spread are one division away.
    lead_time_count: Mapped[int] = mapped_column(server_default="0")
    lead_time_sum: Mapped[Decimal] = mapped_column(BALANCE, server_default="0")
    lead_time_sum_squares: Mapped[Decimal] = mapped_column(BALANCE, server_default="0")

    __table_args__ = (
        same_organization("supplier_id", "supplier"),
        same_organization("item_id", "item"),
        UniqueConstraint("organization_id", "supplier_id", "item_id"),
        Index("ix_supplier_item_item_id", "organization_id", "item_id", "priority"),
        CheckConstraint("priority between 1 and 99", name="priority"),
        CheckConstraint("lead_time_days between 0 and 730", name="lead_time_days"),
        CheckConstraint("minimum_quantity >= 0", name="minimum_quantity"),
        CheckConstraint("order_multiple > 0", name="order_multiple"),
        CheckConstraint("maximum_quantity >= minimum_quantity", name="maximum_quantity"),
    )


class SupplierPrice(Identified, Base):
    """One step of a price list: from `minimum_quantity` up, while valid. Overlapping steps with the
    same minimum quantity cannot exist (checked under the supplier item's lock)."""

    __tablename__ = "supplier_price"

    supplier_item_id: Mapped[UUID]
    minimum_quantity: Mapped[Decimal] = mapped_column(QUANTITY)
    unit_price: Mapped[Decimal] = mapped_column(UNIT_PRICE)
    price_per: Mapped[Decimal] = mapped_column(QUANTITY, server_default="1")
    currency: Mapped[str] = mapped_column(String(3))
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]

    __table_args__ = (
        same_organization("supplier_item_id", "supplier_item", ondelete="CASCADE"),
        UniqueConstraint("organization_id", "supplier_item_id", "minimum_quantity", "valid_from"),
        CheckConstraint("minimum_quantity >= 0", name="minimum_quantity"),
        CheckConstraint("unit_price >= 0 and price_per > 0", name="price"),
        CheckConstraint("valid_to >= valid_from", name="validity"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
    )


class SupplierShutdown(Identified, Base):
    """Days on which a supplier neither works nor ships, first and last day included; periods may
    overlap."""

    __tablename__ = "supplier_shutdown"

    supplier_id: Mapped[UUID]
    starts_on: Mapped[date]
    ends_on: Mapped[date]
    reason: Mapped[str] = mapped_column(String(200), server_default="")

    __table_args__ = (
        same_organization("supplier_id", "supplier", ondelete="CASCADE"),
        CheckConstraint("ends_on >= starts_on", name="order"),
        Index("ix_supplier_shutdown_supplier_id", "organization_id", "supplier_id", "starts_on"),
    )


class LeadTimeObservation(Identified, Base):
    """How long one delivery took. Planning needs every observation, not only their mean, so they
    are kept from the first receipt on; one goes only with the receipt it came from."""

    __tablename__ = "lead_time_observation"

    supplier_id: Mapped[UUID]
    item_id: Mapped[UUID]
    # Null for deliveries that have no order here, such as imported history.
    purchase_order_id: Mapped[UUID | None]
    purchase_order_line_id: Mapped[UUID | None]
    receipt_id: Mapped[UUID | None]
    ordered_on: Mapped[date]
    # The delivery dates the supplier promised and we asked for.
    confirmed_on: Mapped[date | None]
    requested_on: Mapped[date | None]
    received_on: Mapped[date]
    days: Mapped[int]
    quantity: Mapped[Decimal] = mapped_column(QUANTITY)

    __table_args__ = (
        same_organization("supplier_id", "supplier"),
        same_organization("item_id", "item"),
        CheckConstraint("days >= 0", name="days"),
        CheckConstraint("quantity > 0", name="quantity"),
        Index(
            "ix_lead_time_observation_newest",
            "organization_id",
            "supplier_id",
            "item_id",
            text("received_on desc"),
            text("id desc"),
        ),
        Index(
            "ix_lead_time_observation_receipt_id",
            "organization_id",
            "receipt_id",
            postgresql_where=text("receipt_id is not null"),
        ),
    )
