"""Tables of demand: daily history derived from the ledger, and what sales plan ahead."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from scm_api.core.db import BALANCE, QUANTITY, Base, Owned, same_organization

KINDS = ("promotion", "sales_plan")
MODES = ("add", "replace", "max")


class DemandDay(Owned, Base):
    """One business day of one item-location. Derived: `demand.service.rebuild` makes it again."""

    __tablename__ = "demand_day"

    item_id: Mapped[UUID] = mapped_column(primary_key=True)
    warehouse_id: Mapped[UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    # A reversal is subtracted from the day of what it reverses, so history is corrected, not
    # followed by a day of negative demand.
    issued: Mapped[Decimal] = mapped_column(BALANCE, server_default="0")
    returned: Mapped[Decimal] = mapped_column(BALANCE, server_default="0")
    shortage: Mapped[Decimal] = mapped_column(BALANCE, server_default="0")

    __table_args__ = (
        same_organization("item_id", "item"),
        same_organization("warehouse_id", "warehouse"),
        CheckConstraint("shortage >= 0", name="shortage"),
    )


class DemandSeries(Owned, Base):
    """Since when an item-location is known: days before say nothing about its demand."""

    __tablename__ = "demand_series"

    item_id: Mapped[UUID] = mapped_column(primary_key=True)
    warehouse_id: Mapped[UUID] = mapped_column(primary_key=True)
    first_on: Mapped[date]

    __table_args__ = (
        same_organization("item_id", "item"),
        same_organization("warehouse_id", "warehouse"),
        Index("ix_demand_series_warehouse_id", "organization_id", "warehouse_id"),
    )


class SalesPlan(Owned, Base):
    """Demand somebody knows ahead for one day: a promotion, or what sales plan to sell."""

    __tablename__ = "sales_plan"

    item_id: Mapped[UUID] = mapped_column(primary_key=True)
    warehouse_id: Mapped[UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    quantity: Mapped[Decimal] = mapped_column(QUANTITY)
    mode: Mapped[str] = mapped_column(String(8))
    source: Mapped[str] = mapped_column(String(64), server_default="")
    updated_at: Mapped[datetime] = mapped_column(server_default=text("now()"))

    __table_args__ = (
        same_organization("item_id", "item"),
        same_organization("warehouse_id", "warehouse"),
        CheckConstraint("kind in ('promotion', 'sales_plan')", name="kind"),
        CheckConstraint("mode in ('add', 'replace', 'max')", name="mode"),
        # Only an uplift may be negative (demand pulled forward by a promotion).
        CheckConstraint("quantity >= 0 or mode = 'add'", name="quantity"),
        Index("ix_sales_plan_day", "organization_id", "day", "item_id", "warehouse_id", "kind"),
    )
