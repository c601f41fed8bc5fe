"""Tables of an organization's settings that are lists: holidays and fiscal periods."""

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
