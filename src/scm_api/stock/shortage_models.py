"""The table of demand nobody could serve: what sales figures alone would hide from planning."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from scm_api.core.db import QUANTITY, Base, Identified, same_organization


class Shortage(Identified, Base):
    """A quantity that was asked for and not served. Append-only; the same (source, source_ref) of
    an item-location is recorded once, however often it is reported."""

    __tablename__ = "shortage"

    item_id: Mapped[UUID]
    warehouse_id: Mapped[UUID]
    quantity: Mapped[Decimal] = mapped_column(QUANTITY)
    occurred_at: Mapped[datetime]
    # The business day in the warehouse's time zone, fixed when recorded.
    occurred_on: Mapped[date]
    source: Mapped[str] = mapped_column(String(32))
    source_ref: Mapped[str] = mapped_column(String(200))
    reason: Mapped[str] = mapped_column(String(200), server_default="")
    reference: Mapped[str | None] = mapped_column(String(64))
    # The call that recorded it; its event names the call, so that demand counts each row once.
    batch_id: Mapped[UUID]
    recorded_at: Mapped[datetime] = mapped_column(server_default=text("now()"))

    __table_args__ = (
        same_organization("item_id", "item"),
        same_organization("warehouse_id", "warehouse"),
        CheckConstraint("quantity > 0", name="quantity"),
        Index(
            "uq_shortage_source_ref",
            "organization_id",
            "source",
            "source_ref",
            "item_id",
            "warehouse_id",
            unique=True,
        ),
        Index("ix_shortage_occurred_at", "organization_id", "occurred_at", "id"),
        Index("ix_shortage_item_id", "organization_id", "item_id", "warehouse_id", "occurred_on"),
        Index("ix_shortage_batch_id", "organization_id", "batch_id"),
    )
