"""All SQL of shortages."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg
from sqlalchemy import select

from scm_api.core import pages
from scm_api.core.ids import uuid7
from scm_api.core.pages import PageOf
from scm_api.core.tx import Tx
from scm_api.items.models import Item
from scm_api.stock.shortage_models import Shortage
from scm_api.stock.shortage_schemas import ShortageFilter
from scm_api.warehouses.models import Warehouse

_INSERT = """
insert into shortage (organization_id, id, item_id, warehouse_id, quantity, occurred_at,
                      occurred_on, source, source_ref, reason, reference, batch_id, recorded_at)
select $1, r.id, r.item_id, r.warehouse_id, r.quantity, r.occurred_at,
       (r.occurred_at at time zone w.time_zone)::date, r.source,
       coalesce(r.source_ref, r.id::text), r.reason, r.reference, $2, $3
from unnest($4::uuid[], $5::uuid[], $6::uuid[], $7::numeric[], $8::timestamptz[], $9::text[],
            $10::text[], $11::text[], $12::text[])
     as r(id, item_id, warehouse_id, quantity, occurred_at, source, source_ref, reason, reference)
join warehouse w on w.organization_id = $1 and w.id = r.warehouse_id
order by r.source, r.source_ref, r.item_id, r.warehouse_id
on conflict (organization_id, source, source_ref, item_id, warehouse_id) do nothing
returning id
"""


async def insert(
    tx: Tx, batch_id: UUID, rows: Sequence[tuple[object, ...]], ids: Sequence[UUID] | None = None
) -> set[UUID]:
    """Insert (item, warehouse, quantity, occurred_at, source, source_ref, reason, reference) rows
    that are not known yet; gives the ids of the new ones."""
    names = list(ids) if ids is not None else [uuid7() for _ in rows]
    columns = list(zip(*rows, strict=True))
    inserted = await tx.fetch(_INSERT, tx.organization_id, batch_id, tx.now, names, *columns)
    return {row["id"] for row in inserted}


async def known(
    tx: Tx, source: str, keys: Sequence[tuple[str, UUID, UUID]]
) -> dict[tuple[str, UUID, UUID], UUID]:
    """Ids of recorded shortages by (source_ref, item, warehouse)."""
    if not keys:
        return {}
    refs, items, warehouses = zip(*keys, strict=True)
    rows: list[asyncpg.Record] = await tx.fetch(
        """
        select s.id, s.source_ref, s.item_id, s.warehouse_id
        from unnest($3::text[], $4::uuid[], $5::uuid[]) as k(source_ref, item_id, warehouse_id)
        join shortage s on s.organization_id = $1 and s.source = $2
          and s.source_ref = k.source_ref and s.item_id = k.item_id
          and s.warehouse_id = k.warehouse_id
        """,
        tx.organization_id,
        source,
        refs,
        items,
        warehouses,
    )
    return {(row["source_ref"], row["item_id"], row["warehouse_id"]): row["id"] for row in rows}


async def list_shortages(
    tx: Tx, wanted: ShortageFilter, item_id: UUID | None, warehouse_id: UUID | None
) -> PageOf:
    """Shortages with their item and warehouse, newest first."""
    statement = (
        select(Shortage, Item, Warehouse)
        .join(Item, (Item.organization_id == tx.organization_id) & (Item.id == Shortage.item_id))
        .join(
            Warehouse,
            (Warehouse.organization_id == tx.organization_id)
            & (Warehouse.id == Shortage.warehouse_id),
        )
        .where(Shortage.organization_id == tx.organization_id)
    )
    if item_id is not None:
        statement = statement.where(Shortage.item_id == item_id)
    if warehouse_id is not None:
        statement = statement.where(Shortage.warehouse_id == warehouse_id)
    if wanted.source is not None:
        statement = statement.where(Shortage.source == wanted.source)
    if wanted.occurred_on_gte is not None:
        statement = statement.where(Shortage.occurred_on >= wanted.occurred_on_gte)
    if wanted.occurred_on_lte is not None:
        statement = statement.where(Shortage.occurred_on <= wanted.occurred_on_lte)
    order = [(Shortage.occurred_at, True), (Shortage.id, True)]
    return await pages.page(tx, statement, wanted, order)
