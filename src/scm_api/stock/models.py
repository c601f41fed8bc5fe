"""Tables of the ledger and of the rows derived from it in the same transaction."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from scm_api.core.db import (
    BALANCE,
    QUANTITY,
    UNIT_PRICE,
    VALUE,
    Base,
    Identified,
    Owned,
    same_organization,
)

MOVEMENT_TYPES = (
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
)
STATUSES = ("unrestricted", "quality", "blocked", "returns")


def _one_of(column: str, values: tuple[str, ...]) -> str:
    return f"{column} in ({', '.join(repr(value) for value in values)})"


class Lot(Identified, Base):
    """A batch of an item with its own code and expiry."""

    __tablename__ = "lot"

    item_id: Mapped[UUID]
    code: Mapped[str] = mapped_column(String(64))
    expires_on: Mapped[date | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))

    __table_args__ = (
        same_organization("item_id", "item"),
        Index("uq_lot_code", "organization_id", "item_id", text("lower(code)"), unique=True),
    )


class StockDocument(Identified, Base):
    """The header of one posting. Never changed: a mistake is reversed by a new document."""

    __tablename__ = "stock_document"

    # The caller's own name for the posting: a second net against posting it twice. Documents have
    # no number series of their own: its lock would make everybody who posts wait for each other.
    external_ref: Mapped[str | None] = mapped_column(String(64))
    type: Mapped[str] = mapped_column(String(32))
    reason: Mapped[str] = mapped_column(String(2000), server_default="")
    reference_type: Mapped[str | None] = mapped_column(String(32))
    reference_id: Mapped[UUID | None]
    reference: Mapped[str | None] = mapped_column(String(64))
    reversal_of: Mapped[UUID | None]
    # When it happened in the world, and when we learned of it.
    occurred_at: Mapped[datetime]
    recorded_at: Mapped[datetime]
    line_count: Mapped[int]
    principal_id: Mapped[UUID]

    __table_args__ = (
        same_organization("reversal_of", "stock_document"),
        CheckConstraint(_one_of("type", MOVEMENT_TYPES), name="type"),
        CheckConstraint("line_count between 1 and 10000", name="line_count"),
        Index(
            "uq_stock_document_external_ref",
            "organization_id",
            "external_ref",
            unique=True,
            postgresql_where=text("external_ref is not null"),
        ),
        # A document is reversed once at most.
        Index(
            "uq_stock_document_reversal_of",
            "organization_id",
            "reversal_of",
            unique=True,
            postgresql_where=text("reversal_of is not null"),
        ),
        Index("ix_stock_document_recorded_at", "organization_id", "recorded_at", "id"),
        Index("ix_stock_document_reference", "organization_id", "reference_type", "reference_id"),
    )


class StockMovement(Owned, Base):
    """A line of the ledger: quantity and value go from one place to another. Append-only."""

    __tablename__ = "stock_movement"

    document_id: Mapped[UUID] = mapped_column(primary_key=True)
    line_no: Mapped[int] = mapped_column(primary_key=True)
    item_id: Mapped[UUID]
    lot_id: Mapped[UUID | None]
    from_location_id: Mapped[UUID]
    to_location_id: Mapped[UUID]
    from_status: Mapped[str] = mapped_column(String(16))
    to_status: Mapped[str] = mapped_column(String(16))
    quantity: Mapped[Decimal] = mapped_column(QUANTITY)
    value: Mapped[Decimal] = mapped_column(VALUE)
    occurred_at: Mapped[datetime]
    recorded_at: Mapped[datetime]

    __table_args__ = (
        same_organization("document_id", "stock_document"),
        same_organization("item_id", "item"),
        same_organization("lot_id", "lot"),
        same_organization("from_location_id", "location"),
        same_organization("to_location_id", "location"),
        CheckConstraint("quantity > 0 and quantity <= 1000000000", name="quantity"),
        CheckConstraint("value >= 0", name="value"),
        CheckConstraint(_one_of("from_status", STATUSES), name="from_status"),
        CheckConstraint(_one_of("to_status", STATUSES), name="to_status"),
        CheckConstraint(
            "from_location_id <> to_location_id or from_status <> to_status", name="moves"
        ),
        # The ledger as people read it, newest first.
        Index(
            "ix_stock_movement_time",
            "organization_id",
            text("occurred_at desc"),
            text("document_id desc"),
            text("line_no desc"),
        ),
        # What entered and what left one item-location, in time order, from the index alone.
        Index(
            "ix_stock_movement_in",
            "organization_id",
            "item_id",
            "to_location_id",
            "occurred_at",
            postgresql_include=["quantity", "value", "to_status", "lot_id"],
        ),
        Index(
            "ix_stock_movement_out",
            "organization_id",
            "item_id",
            "from_location_id",
            "occurred_at",
            postgresql_include=["quantity", "value", "from_status", "lot_id"],
        ),
    )


class StockBalance(Owned, Base):
    """What is in one place now, per lot and status; changed only with the movements it sums up."""

    __tablename__ = "stock_balance"

    item_id: Mapped[UUID] = mapped_column(primary_key=True)
    location_id: Mapped[UUID] = mapped_column(primary_key=True)
    # The nil UUID stands for "no lot", so that the key needs no nulls.
    lot_key: Mapped[UUID] = mapped_column(primary_key=True)
    status: Mapped[str] = mapped_column(String(16), primary_key=True)
    warehouse_id: Mapped[UUID]
    on_hand: Mapped[Decimal] = mapped_column(BALANCE)
    is_negative_allowed: Mapped[bool] = mapped_column(server_default=text("false"))
    last_occurred_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __table_args__ = (
        same_organization("item_id", "item"),
        same_organization("location_id", "location"),
        same_organization("warehouse_id", "warehouse"),
        CheckConstraint("on_hand >= 0 or is_negative_allowed", name="not_negative"),
        CheckConstraint(_one_of("status", STATUSES), name="status"),
        Index("ix_stock_balance_location_id", "organization_id", "location_id"),
    )


class StockPosition(Owned, Base):
    """One item in one warehouse: quantity, value, and the levels planning set for it."""

    __tablename__ = "stock_position"

    item_id: Mapped[UUID] = mapped_column(primary_key=True)
    warehouse_id: Mapped[UUID] = mapped_column(primary_key=True)
    # on_hand = all statuses in internal places; unrestricted is the part free to use.
    on_hand: Mapped[Decimal] = mapped_column(BALANCE, server_default="0")
    unrestricted: Mapped[Decimal] = mapped_column(BALANCE, server_default="0")
    reserved: Mapped[Decimal] = mapped_column(BALANCE, server_default="0")
    in_transit: Mapped[Decimal] = mapped_column(BALANCE, server_default="0")
    value: Mapped[Decimal] = mapped_column(VALUE, server_default="0")
    last_unit_cost: Mapped[Decimal] = mapped_column(UNIT_PRICE, server_default="0")
    last_occurred_at: Mapped[datetime | None]
    updated_at: Mapped[datetime]
    # Set by replenishment, read by positions and alerts; null until planned once.
    daily_demand: Mapped[Decimal | None] = mapped_column(BALANCE)
    safety_stock: Mapped[Decimal | None] = mapped_column(BALANCE)
    reorder_point: Mapped[Decimal | None] = mapped_column(BALANCE)
    order_up_to: Mapped[Decimal | None] = mapped_column(BALANCE)
    planned_at: Mapped[datetime | None]

    __table_args__ = (
        same_organization("item_id", "item"),
        same_organization("warehouse_id", "warehouse"),
        CheckConstraint("reserved >= 0", name="reserved"),
        CheckConstraint("in_transit >= 0", name="in_transit"),
        Index("ix_stock_position_warehouse_id", "organization_id", "warehouse_id", "item_id"),
    )


class InboundSupply(Owned, Base):
    """A quantity that will arrive: an open schedule line of an order, later a transfer or a
    production order. Written by the room that knows, through `stock.service.expect`."""

    __tablename__ = "inbound_supply"

    source_type: Mapped[str] = mapped_column(String(32), primary_key=True)
    source_line_id: Mapped[UUID] = mapped_column(primary_key=True)
    source_id: Mapped[UUID]
    source_number: Mapped[str] = mapped_column(String(32))
    item_id: Mapped[UUID]
    warehouse_id: Mapped[UUID]
    due_on: Mapped[date]
    quantity: Mapped[Decimal] = mapped_column(QUANTITY)
    is_confirmed: Mapped[bool] = mapped_column(server_default=text("false"))

    __table_args__ = (
        same_organization("item_id", "item"),
        same_organization("warehouse_id", "warehouse"),
        CheckConstraint("quantity > 0", name="quantity"),
        Index("ix_inbound_supply_item", "organization_id", "item_id", "warehouse_id", "due_on"),
        Index("ix_inbound_supply_due_on", "organization_id", "warehouse_id", "due_on"),
        Index("ix_inbound_supply_source", "organization_id", "source_type", "source_id"),
    )
