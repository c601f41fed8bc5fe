"""All SQL of replenishment policies."""

from datetime import date
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import Select, func, select

from scm_api.core import pages
from scm_api.core.pages import PageOf
from scm_api.core.tx import Tx
from scm_api.items.models import Category, Item
from scm_api.replenishment.models import ReplenishmentPolicy
from scm_api.replenishment.policy_schemas import PolicyFilter
from scm_api.warehouses.models import Warehouse

Policy = ReplenishmentPolicy


async def in_force(tx: Tx, on: date) -> list[asyncpg.Record]:
    """The newest policy of every scope on a day."""
    return await tx.fetch(
        """
        select distinct on (scope, item_id, warehouse_id, category_id) *
        from replenishment_policy
        where organization_id = $1 and effective_from <= $2
        order by scope, item_id, warehouse_id, category_id, effective_from desc
        """,
        tx.organization_id,
        on,
    )


async def category_parents(tx: Tx) -> dict[UUID, UUID | None]:
    """The category tree."""
    rows = await tx.fetch(
        "select id, parent_id from category where organization_id = $1", tx.organization_id
    )
    return {row["id"]: row["parent_id"] for row in rows}


async def find(
    tx: Tx,
    scope: str,
    item_id: UUID | None,
    warehouse_id: UUID | None,
    category_id: UUID | None,
    on: date,
) -> Policy | None:
    """The policy of exactly this scope that applies on a day."""
    statement = (
        select(Policy)
        .where(
            Policy.organization_id == tx.organization_id,
            Policy.scope == scope,
            Policy.item_id.is_not_distinct_from(item_id),
            Policy.warehouse_id.is_not_distinct_from(warehouse_id),
            Policy.category_id.is_not_distinct_from(category_id),
            Policy.effective_from <= on,
        )
        .order_by(Policy.effective_from.desc())
        .limit(1)
    )
    return (await tx.session.execute(statement)).scalar_one_or_none()


def _shown(tx: Tx) -> Select[Any, Any, Any, Any]:
    org = tx.organization_id
    return (
        select(Policy, Item, Warehouse, Category)
        .outerjoin(Item, (Item.organization_id == org) & (Item.id == Policy.item_id))
        .outerjoin(
            Warehouse, (Warehouse.organization_id == org) & (Warehouse.id == Policy.warehouse_id)
        )
        .outerjoin(
            Category, (Category.organization_id == org) & (Category.id == Policy.category_id)
        )
        .where(Policy.organization_id == org)
    )


async def shown(tx: Tx, policy_id: UUID) -> Any:
    """A policy with what it names."""
    return (await tx.session.execute(_shown(tx).where(Policy.id == policy_id))).one()


async def list_policies(
    tx: Tx, wanted: PolicyFilter, item_id: UUID | None, warehouse_id: UUID | None
) -> PageOf:
    """Policies with what they name, by scope, the newest first within it."""
    statement = _shown(tx)
    for column, value in (
        (Policy.scope, wanted.scope),
        (Policy.item_id, item_id),
        (Policy.warehouse_id, warehouse_id),
    ):
        if value is not None:
            statement = statement.where(column == value)
    order = [(Policy.scope, False), (Policy.effective_from, True), (Policy.id, True)]
    return await pages.page(tx, statement, wanted, order)


async def category(tx: Tx, id: UUID | None, code: str | None) -> Category | None:
    """The category with this id or code."""
    statement = select(Category).where(Category.organization_id == tx.organization_id)
    if id is not None:
        statement = statement.where(Category.id == id)
    else:
        statement = statement.where(func.lower(Category.code) == func.lower(code))
    return (await tx.session.execute(statement)).scalar_one_or_none()
