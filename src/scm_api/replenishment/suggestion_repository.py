"""All SQL of suggestions."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import Select, select

from scm_api.core import pages
from scm_api.core.pages import PageOf, PageParams
from scm_api.core.tx import Tx
from scm_api.items.models import Item
from scm_api.replenishment.models import ReplenishmentSuggestion
from scm_api.suppliers.models import Supplier
from scm_api.warehouses.models import Warehouse

Suggestion = ReplenishmentSuggestion


def _shown(tx: Tx) -> Select[Any, Any, Any, Any]:
    org = tx.organization_id
    return (
        select(Suggestion, Item, Warehouse, Supplier)
        .join(Item, (Item.organization_id == org) & (Item.id == Suggestion.item_id))
        .join(
            Warehouse,
            (Warehouse.organization_id == org) & (Warehouse.id == Suggestion.warehouse_id),
        )
        .outerjoin(
            Supplier, (Supplier.organization_id == org) & (Supplier.id == Suggestion.supplier_id)
        )
        .where(Suggestion.organization_id == org)
    )


async def find(tx: Tx, suggestion_id: UUID) -> Any:
    """A suggestion with its item, warehouse and supplier, or None."""
    statement = _shown(tx).where(Suggestion.id == suggestion_id)
    return (await tx.session.execute(statement)).one_or_none()


async def list_suggestions(
    tx: Tx,
    wanted: PageParams,
    *,
    statuses: Sequence[str],
    item_id: UUID | None,
    warehouse_id: UUID | None,
    supplier_id: UUID | None,
    plan_id: UUID | None,
    needed_on_lte: date | None,
) -> PageOf:
    """Suggestions with what they name, the oldest order day first."""
    statement = _shown(tx)
    for column, value in (
        (Suggestion.item_id, item_id),
        (Suggestion.warehouse_id, warehouse_id),
        (Suggestion.supplier_id, supplier_id),
        (Suggestion.plan_id, plan_id),
    ):
        if value is not None:
            statement = statement.where(column == value)
    if statuses:
        statement = statement.where(Suggestion.status.in_(statuses))
    if needed_on_lte is not None:
        statement = statement.where(Suggestion.needed_on <= needed_on_lte)
    return await pages.page(
        tx, statement, wanted, [(Suggestion.order_on, False), (Suggestion.id, False)]
    )


_CHOSEN = """
select s.id, s.status, s.item_id, s.warehouse_id, s.supplier_id, s.currency, s.unit_price,
       coalesce(s.adjusted_quantity, s.quantity) as quantity, s.arrives_on,
       i.sku, u.code as supplier_code
from replenishment_suggestion s
join item i on i.organization_id = $1 and i.id = s.item_id
left join supplier u on u.organization_id = $1 and u.id = s.supplier_id
where s.organization_id = $1
"""


async def lock_ids(tx: Tx, ids: Sequence[UUID]) -> list[asyncpg.Record]:
    """The suggestions with these ids in any state, locked in the order of their item-locations, as
    plans lock them."""
    return await tx.fetch(
        _CHOSEN + " and s.id = any($2) order by s.item_id, s.warehouse_id, s.id for update of s",
        tx.organization_id,
        sorted(set(ids)),
    )


async def lock_where(
    tx: Tx,
    statuses: Sequence[str],
    *,
    item_id: UUID | None,
    warehouse_id: UUID | None,
    supplier_id: UUID | None,
    plan_id: UUID | None,
    needed_on_lte: date | None,
    limit: int,
) -> list[asyncpg.Record]:
    """The first suggestions a selection means, locked in the order of their item-locations."""
    return await tx.fetch(
        _CHOSEN
        + """
          and s.status = any($2) and ($3::uuid is null or s.item_id = $3)
          and ($4::uuid is null or s.warehouse_id = $4)
          and ($5::uuid is null or s.supplier_id = $5)
          and ($6::uuid is null or s.plan_id = $6)
          and ($7::date is null or s.needed_on <= $7)
        order by s.item_id, s.warehouse_id, s.id limit $8 for update of s
        """,
        tx.organization_id,
        list(statuses),
        item_id,
        warehouse_id,
        supplier_id,
        plan_id,
        needed_on_lte,
        limit,
    )


async def mark_converted(tx: Tx, orders: Sequence[tuple[UUID, UUID]]) -> None:
    """Set (suggestion, purchase order) pairs converted, in one statement."""
    ids, order_ids = zip(*orders, strict=True)
    await tx.execute(
        """
        update replenishment_suggestion s
        set status = 'converted', purchase_order_id = o.order_id, version = version + 1,
            updated_at = $2, decided_at = $2, decided_by = $3
        from unnest($4::uuid[], $5::uuid[]) as o(id, order_id)
        where s.organization_id = $1 and s.id = o.id
        """,
        tx.organization_id,
        tx.now,
        tx.principal.name,
        ids,
        order_ids,
    )
