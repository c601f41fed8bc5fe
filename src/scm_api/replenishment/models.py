"""Tables of replenishment: policies, plans with every line they considered, and suggestions."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, Numeric, String, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from scm_api.core.db import (
    BALANCE,
    QUANTITY,
    UNIT_PRICE,
    VALUE,
    Base,
    Identified,
    Owned,
    Versioned,
    same_organization,
)

RATE = Numeric(9, 6)
SCOPES = ("organization", "warehouse", "category", "item", "item_warehouse")
METHODS = ("rop_eoq", "order_up_to", "min_max")
STATUSES = ("open", "accepted", "converted", "dismissed", "expired")


class ReplenishmentPolicy(Versioned, Base):
    """How to replenish within one scope from one day on. A null field is inherited from the next
    wider scope: item in a warehouse, item, category and its parents, warehouse, organization."""

    __tablename__ = "replenishment_policy"

    scope: Mapped[str] = mapped_column(String(16))
    item_id: Mapped[UUID | None]
    warehouse_id: Mapped[UUID | None]
    category_id: Mapped[UUID | None]
    effective_from: Mapped[date]
    method: Mapped[str | None] = mapped_column(String(16))
    service_rule: Mapped[str | None] = mapped_column(String(16))
    service_level: Mapped[Decimal | None] = mapped_column(RATE)
    review_days: Mapped[int | None]
    lead_time_days: Mapped[int | None]
    holding_rate: Mapped[Decimal | None] = mapped_column(RATE)
    order_cost: Mapped[Decimal | None] = mapped_column(UNIT_PRICE)
    minimum_stock: Mapped[Decimal | None] = mapped_column(QUANTITY)
    maximum_stock: Mapped[Decimal | None] = mapped_column(QUANTITY)

    __table_args__ = (
        same_organization("item_id", "item"),
        same_organization("warehouse_id", "warehouse"),
        same_organization("category_id", "category"),
        CheckConstraint(
            "(scope in ('item', 'item_warehouse')) = (item_id is not null) "
            "and (scope in ('warehouse', 'item_warehouse')) = (warehouse_id is not null) "
            "and (scope = 'category') = (category_id is not null) "
            "and scope in ('organization', 'warehouse', 'category', 'item', 'item_warehouse')",
            name="scope",
        ),
        CheckConstraint("method in ('rop_eoq', 'order_up_to', 'min_max')", name="method"),
        CheckConstraint("service_rule in ('cycle_service', 'fill_rate')", name="service_rule"),
        CheckConstraint("service_level > 0 and service_level < 1", name="service_level"),
        CheckConstraint("review_days between 1 and 365", name="review_days"),
        CheckConstraint("lead_time_days between 0 and 730", name="lead_time_days"),
        CheckConstraint("holding_rate >= 0", name="holding_rate"),
        CheckConstraint("order_cost >= 0", name="order_cost"),
        CheckConstraint("minimum_stock >= 0", name="minimum_stock"),
        CheckConstraint("maximum_stock >= coalesce(minimum_stock, 0)", name="maximum_stock"),
        Index(
            "uq_replenishment_policy_scope",
            "organization_id",
            "scope",
            "item_id",
            "warehouse_id",
            "category_id",
            "effective_from",
            unique=True,
            postgresql_nulls_not_distinct=True,
        ),
    )


class ReplenishmentPlan(Identified, Base):
    """One planning run: what it looked at and what came out. Its state is that of its job, which is
    forgotten earlier; then the row tells how the plan ended."""

    __tablename__ = "replenishment_plan"

    job_id: Mapped[UUID]
    as_of: Mapped[date]
    request: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    completed_at: Mapped[datetime | None]
    status: Mapped[str] = mapped_column(String(16), server_default="queued")
    # As the job keeps it: {"en": {...}, "zh-CN": {...}}.
    error: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    summary: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    timings: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    # SHA-256 over the inputs and over the outcomes of all lines: the same again, the same hashes.
    input_hash: Mapped[str | None] = mapped_column(String(64))
    result_hash: Mapped[str | None] = mapped_column(String(64))

    __table_args__ = (
        # No foreign key to the job, which is forgotten after a month.
        CheckConstraint("status in ('queued', 'succeeded', 'failed', 'canceled')", name="status"),
        Index("ix_replenishment_plan_created_at", "organization_id", "created_at", "id"),
    )


class ReplenishmentPlanLine(Owned, Base):
    """One item-location of a plan, with or without a suggestion, and why."""

    __tablename__ = "replenishment_plan_line"

    plan_id: Mapped[UUID] = mapped_column(primary_key=True)
    item_id: Mapped[UUID] = mapped_column(primary_key=True)
    warehouse_id: Mapped[UUID] = mapped_column(primary_key=True)
    outcome: Mapped[str] = mapped_column(String(32))
    supplier_id: Mapped[UUID | None]
    quantity: Mapped[Decimal] = mapped_column(BALANCE)
    value: Mapped[Decimal] = mapped_column(VALUE)
    currency: Mapped[str] = mapped_column(String(3))
    on_hand: Mapped[Decimal] = mapped_column(BALANCE)
    reserved: Mapped[Decimal] = mapped_column(BALANCE)
    on_order: Mapped[Decimal] = mapped_column(BALANCE)
    position: Mapped[Decimal] = mapped_column(BALANCE)
    daily_demand: Mapped[Decimal] = mapped_column(BALANCE)
    safety_stock: Mapped[Decimal] = mapped_column(BALANCE)
    reorder_point: Mapped[Decimal] = mapped_column(BALANCE)
    order_up_to: Mapped[Decimal] = mapped_column(BALANCE)
    previous_reorder_point: Mapped[Decimal | None] = mapped_column(BALANCE)
    demand_class: Mapped[str] = mapped_column(String(16))
    abc: Mapped[str] = mapped_column(String(1))
    xyz: Mapped[str] = mapped_column(String(1))
    order_on: Mapped[date | None]
    needed_on: Mapped[date | None]
    stockout_on: Mapped[date | None]
    # The very numbers the decision was computed from; `recipe.explain` computes it again.
    recipe: Mapped[dict[str, Any]] = mapped_column(JSONB)

    __table_args__ = (
        # Derived in one transaction with what it names, and deleted after a month: foreign keys
        # to items, warehouses and suppliers would only cost.
        same_organization("plan_id", "replenishment_plan", ondelete="CASCADE"),
        CheckConstraint(
            "outcome in ('suggested', 'above_reorder_point', 'no_demand', 'accepted_waiting', "
            "'paused', 'item_not_active')",
            name="outcome",
        ),
        CheckConstraint("abc in ('A', 'B', 'C') and xyz in ('X', 'Y', 'Z')", name="class"),
        CheckConstraint("quantity >= 0 and value >= 0", name="quantity"),
        Index(
            "ix_replenishment_plan_line_item",
            "organization_id",
            "item_id",
            "warehouse_id",
            "plan_id",
        ),
    )


class ReplenishmentSuggestion(Versioned, Base):
    """An order the plan advises. One item-location has at most one that is open or accepted."""

    __tablename__ = "replenishment_suggestion"

    item_id: Mapped[UUID]
    warehouse_id: Mapped[UUID]
    supplier_id: Mapped[UUID | None]
    plan_id: Mapped[UUID]
    status: Mapped[str] = mapped_column(String(16), server_default="open")
    # What the plan computed, and what a person accepted instead.
    quantity: Mapped[Decimal] = mapped_column(QUANTITY)
    adjusted_quantity: Mapped[Decimal | None] = mapped_column(QUANTITY)
    unit_price: Mapped[Decimal | None] = mapped_column(UNIT_PRICE)
    currency: Mapped[str | None] = mapped_column(String(3))
    order_on: Mapped[date]
    needed_on: Mapped[date | None]
    stockout_on: Mapped[date | None]
    arrives_on: Mapped[date]
    recipe: Mapped[dict[str, Any]] = mapped_column(JSONB)
    reason: Mapped[str] = mapped_column(String(200), server_default="")
    paused_until: Mapped[date | None]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None]
    purchase_order_id: Mapped[UUID | None]

    __table_args__ = (
        same_organization("item_id", "item"),
        same_organization("warehouse_id", "warehouse"),
        same_organization("supplier_id", "supplier"),
        same_organization("plan_id", "replenishment_plan"),
        same_organization("purchase_order_id", "purchase_order"),
        CheckConstraint(
            "status in ('open', 'accepted', 'converted', 'dismissed', 'expired')", name="status"
        ),
        CheckConstraint("quantity > 0", name="quantity"),
        CheckConstraint("adjusted_quantity > 0", name="adjusted_quantity"),
        CheckConstraint(
            "(status = 'converted') = (purchase_order_id is not null)", name="converted_to"
        ),
        Index(
            "uq_replenishment_suggestion_live",
            "organization_id",
            "item_id",
            "warehouse_id",
            unique=True,
            postgresql_where=text("status in ('open', 'accepted')"),
        ),
        Index("ix_replenishment_suggestion_page", "organization_id", "order_on", "id"),
        Index(
            "ix_replenishment_suggestion_paused",
            "organization_id",
            "paused_until",
            postgresql_where=text("status = 'dismissed'"),
        ),
        Index("ix_replenishment_suggestion_plan_id", "organization_id", "plan_id"),
    )
