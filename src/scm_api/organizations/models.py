"""Tables of an organization's settings that are lists: holidays, fiscal periods, number rules."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, String, text
from sqlalchemy.orm import Mapped, mapped_column

from scm_api.core.db import Base, Owned


class Holiday(Owned, Base):
    """A day that differs from the work week: a holiday, or a worked week-end (调休)."""

    __tablename__ = "holiday"

    day: Mapped[date] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    is_working: Mapped[bool] = mapped_column(server_default=text("false"))

    __table_args__ = (ForeignKeyConstraint(["organization_id"], ["organization.id"]),)


class FiscalPeriod(Owned, Base):
    """A month of the books. Nothing is posted into a closed one."""

    __tablename__ = "fiscal_period"

    starts_on: Mapped[date] = mapped_column(primary_key=True)
    ends_on: Mapped[date]
    code: Mapped[str] = mapped_column(String(16))
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[UUID | None]

    __table_args__ = (
        ForeignKeyConstraint(["organization_id"], ["organization.id"]),
        CheckConstraint("ends_on >= starts_on", name="order"),
    )


class NumberRule(Owned, Base):
    """How the documents of one kind are numbered; without a row the built-in rule applies."""

    __tablename__ = "number_rule"

    kind: Mapped[str] = mapped_column(String(32), primary_key=True)
    # Such as `PO-{yyyy}-{n:5}`.
    pattern: Mapped[str] = mapped_column(String(64))
    restarts: Mapped[str] = mapped_column(String(8), server_default="never")

    __table_args__ = (
        ForeignKeyConstraint(["organization_id"], ["organization.id"]),
        CheckConstraint("restarts in ('never', 'year', 'month', 'day')", name="restarts"),
    )
