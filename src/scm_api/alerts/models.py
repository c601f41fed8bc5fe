"""Tables of alerts and of the rules they are raised by."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, String, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from scm_api.alerts.rules import KINDS, STOCK_KINDS
from scm_api.core.db import Base, Owned, Versioned, same_organization

SEVERITIES = ("low", "medium", "high", "critical")
STATUSES = ("open", "acknowledged", "snoozed", "resolved")


def _one_of(column: str, values: tuple[str, ...]) -> str:
    return f"{column} in ({', '.join(repr(value) for value in values)})"


class AlertRule(Owned, Base):
    """How one kind of alert is raised here; without a row the defaults in alerts.rules apply."""

    __tablename__ = "alert_rule"

    kind: Mapped[str] = mapped_column(String(32), primary_key=True)
    severity: Mapped[str] = mapped_column(String(16))
    is_enabled: Mapped[bool]
    # Typed by the kind's model in alerts.rules.
    thresholds: Mapped[dict[str, Any]] = mapped_column(JSONB)
    version: Mapped[int]
    updated_at: Mapped[datetime]

    __table_args__ = (
        CheckConstraint(_one_of("kind", KINDS), name="kind"),
        CheckConstraint(_one_of("severity", SEVERITIES), name="severity"),
    )


class Alert(Versioned, Base):
    """One condition on one subject, from the day it was raised until it is resolved."""

    __tablename__ = "alert"

    number: Mapped[str] = mapped_column(String(32))
    kind: Mapped[str] = mapped_column(String(32))
    severity: Mapped[str] = mapped_column(String(16))
    status: Mapped[str] = mapped_column(String(16), server_default="open")
    # The subject as one text, by which a condition finds its alert.
    subject: Mapped[str] = mapped_column(String(80))
    # What that is: an item in a warehouse, an order, or an order's line. An order line's item and
    # warehouse, and the supplier concerned, stand here too, so that lists can filter by them.
    item_id: Mapped[UUID | None]
    warehouse_id: Mapped[UUID | None]
    order_id: Mapped[UUID | None]
    order_line_id: Mapped[UUID | None]
    supplier_id: Mapped[UUID | None]
    # The numbers it was raised on, which decisions can be judged by later, and the newest ones.
    evidence: Mapped[dict[str, Any]] = mapped_column(JSONB)
    latest: Mapped[dict[str, Any]] = mapped_column(JSONB)
    actions: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    first_raised_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    raised_count: Mapped[int] = mapped_column(server_default="1")
    assignee: Mapped[str | None] = mapped_column(String(200))
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[str | None] = mapped_column(String(200))
    snoozed_until: Mapped[datetime | None]
    resolved_at: Mapped[datetime | None]
    resolution: Mapped[str | None] = mapped_column(String(16))
    resolved_by: Mapped[str | None] = mapped_column(String(200))
    reason: Mapped[str | None] = mapped_column(String(200))

    __table_args__ = (
        same_organization("item_id", "item"),
        same_organization("warehouse_id", "warehouse"),
        same_organization("order_id", "purchase_order"),
        same_organization("order_line_id", "purchase_order_line"),
        same_organization("supplier_id", "supplier"),
        CheckConstraint(_one_of("kind", KINDS), name="kind"),
        CheckConstraint(_one_of("severity", SEVERITIES), name="severity"),
        CheckConstraint(_one_of("status", STATUSES), name="status"),
        CheckConstraint("raised_count > 0", name="raised_count"),
        CheckConstraint(
            f"({_one_of('kind', STOCK_KINDS)}) = (order_id is null) "
            "and (order_id is not null or (item_id is not null and warehouse_id is not null)) "
            "and (kind = 'late_order') = (order_line_id is not null)",
            name="about",
        ),
        CheckConstraint("(status = 'snoozed') = (snoozed_until is not null)", name="snoozed"),
        CheckConstraint(
            "(status = 'resolved') = (resolved_at is not null) "
            "and (status = 'resolved') = (resolution is not null) "
            "and (resolution is null or resolution in ('auto', 'manual'))",
            name="resolved",
        ),
        Index("uq_alert_number", "organization_id", text("lower(number)"), unique=True),
        # One alert that is not resolved for a kind and a subject, whoever raises it.
        Index(
            "uq_alert_subject",
            "organization_id",
            "kind",
            "subject",
            unique=True,
            postgresql_where=text("status <> 'resolved'"),
        ),
        Index("ix_alert_page", "organization_id", "first_raised_at", "id"),
        Index("ix_alert_item_id", "organization_id", "item_id", "warehouse_id"),
        Index("ix_alert_order_id", "organization_id", "order_id"),
        Index("ix_alert_supplier_id", "organization_id", "supplier_id"),
    )
