"""All SQL of supplier-items and their price lists. Writers lock supplier-items by (supplier, item)
and replace price lists only under that lock."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import astuple
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import Select, select

from scm_api.core import pages
from scm_api.core.ids import uuid7
from scm_api.core.pages import PageOf
from scm_api.core.tx import Tx
from scm_api.items.models import Item
from scm_api.suppliers.item_schemas import OfferParams
from scm_api.suppliers.models import Supplier, SupplierItem
from scm_api.suppliers.policy import PriceStep

Pair = tuple[UUID, UUID]
Row = tuple[SupplierItem, Supplier, Item]


def _rows(tx: Tx) -> Select[SupplierItem, Supplier, Item]:
    return (
        select(SupplierItem, Supplier, Item)
        .join(
            Supplier,
            (Supplier.organization_id == SupplierItem.organization_id)
            & (Supplier.id == SupplierItem.supplier_id),
        )
        .join(
            Item,
            (Item.organization_id == SupplierItem.organization_id)
            & (Item.id == SupplierItem.item_id),
        )
        .where(SupplierItem.organization_id == tx.organization_id)
    )


async def find(tx: Tx, supplier_id: UUID, item_id: UUID) -> Row | None:
    """A supplier-item with its supplier and its item."""
    statement = _rows(tx).where(
        SupplierItem.supplier_id == supplier_id, SupplierItem.item_id == item_id
    )
    # The row may have been written by plain SQL in this transaction.
    options = {"populate_existing": True}
    row = (await tx.session.execute(statement, execution_options=options)).one_or_none()
    return None if row is None else (row[0], row[1], row[2])


async def list_supplier_items(
    tx: Tx,
    wanted: OfferParams,
    *,
    supplier_id: UUID | None = None,
    item_id: UUID | None = None,
) -> PageOf:
    """Supplier-items by SKU, then by rank among the sources of the item."""
    statement = _rows(tx)
    if supplier_id is not None:
        statement = statement.where(SupplierItem.supplier_id == supplier_id)
    if item_id is not None:
        statement = statement.where(SupplierItem.item_id == item_id)
    if wanted.is_active is not None:
        statement = statement.where(SupplierItem.is_active == wanted.is_active)
    order = [
        (Item.sku, False),
        (SupplierItem.priority, False),
        (Supplier.code, False),
        (SupplierItem.id, False),
    ]
    return await pages.page(tx, statement, wanted, order)


async def lock(tx: Tx, pairs: Collection[Pair]) -> dict[Pair, asyncpg.Record]:
    """The existing supplier-items among (supplier, item) pairs, locked, with their terms."""
    rows = await tx.fetch(
        """
        select supplier_id, item_id, id, version, supplier_sku, priority, is_active,
               lead_time_days, minimum_quantity, order_multiple, maximum_quantity
        from supplier_item
        where organization_id = $1 and id = any(array(
          select l.id from unnest($2::uuid[], $3::uuid[]) as k(supplier_id, item_id)
          -- The limit keeps this a look-up per pair even while the statistics are stale.
          cross join lateral (
            select id from supplier_item
            where organization_id = $1 and supplier_id = k.supplier_id and item_id = k.item_id
            limit 1
          ) l
        ))
        order by supplier_id, item_id
        for update
        """,
        tx.organization_id,
        [supplier_id for supplier_id, _ in pairs],
        [item_id for _, item_id in pairs],
    )
    return {(row["supplier_id"], row["item_id"]): row for row in rows}


async def prices(tx: Tx, supplier_item_ids: Collection[UUID]) -> dict[UUID, list[PriceStep]]:
    """The whole price lists of supplier-items; those without one are absent."""
    rows = await tx.fetch(
        """
        select supplier_item_id, minimum_quantity, unit_price, price_per, currency, valid_from,
               valid_to
        from supplier_price
        where organization_id = $1 and supplier_item_id = any($2)
        order by supplier_item_id, minimum_quantity, valid_from
        """,
        tx.organization_id,
        list(supplier_item_ids),
    )
    found: dict[UUID, list[PriceStep]] = {}
    for supplier_item_id, *step in rows:
        found.setdefault(supplier_item_id, []).append(PriceStep(*step))
    return found


async def upsert(
    tx: Tx, terms: Sequence[tuple[UUID, UUID, Mapping[str, Any]]]
) -> dict[Pair, tuple[UUID, int]]:
    """Write (supplier, item, terms) rows; gives (id, version) by pair.

    A new supplier-item starts with what was observed of it before it was entered.
    """
    names = (
        "supplier_sku",
        "priority",
        "is_active",
        "lead_time_days",
        "minimum_quantity",
        "order_multiple",
        "maximum_quantity",
    )
    rows = await tx.fetch(
        """
        insert into supplier_item (
          organization_id, id, supplier_id, item_id, supplier_sku, priority, is_active,
          lead_time_days, minimum_quantity, order_multiple, maximum_quantity, lead_time_count,
          lead_time_sum, lead_time_sum_squares, version, created_at, updated_at
        )
        select $1, r.id, r.supplier_id, r.item_id, r.supplier_sku, r.priority, r.is_active,
               r.lead_time_days, r.minimum_quantity, r.order_multiple, r.maximum_quantity,
               o.count, o.sum, o.sum_squares, 1, $2, $2
        from unnest($3::uuid[], $4::uuid[], $5::uuid[], $6::text[], $7::int[], $8::bool[],
                    $9::int[], $10::numeric[], $11::numeric[], $12::numeric[])
             as r(id, supplier_id, item_id, supplier_sku, priority, is_active, lead_time_days,
                  minimum_quantity, order_multiple, maximum_quantity)
        cross join lateral (
          select count(*) as count, coalesce(sum(days), 0) as sum,
                 coalesce(sum(days::bigint * days), 0) as sum_squares
          from lead_time_observation
          where organization_id = $1 and supplier_id = r.supplier_id and item_id = r.item_id
        ) o
        order by r.supplier_id, r.item_id
        on conflict (organization_id, supplier_id, item_id) do update set
          supplier_sku = excluded.supplier_sku, priority = excluded.priority,
          is_active = excluded.is_active, lead_time_days = excluded.lead_time_days,
          minimum_quantity = excluded.minimum_quantity, order_multiple = excluded.order_multiple,
          maximum_quantity = excluded.maximum_quantity, version = supplier_item.version + 1,
          updated_at = excluded.updated_at
        returning supplier_id, item_id, id, version
        """,
        tx.organization_id,
        tx.now,
        [uuid7() for _ in terms],
        [supplier_id for supplier_id, _, _ in terms],
        [item_id for _, item_id, _ in terms],
        *([values[name] for _, _, values in terms] for name in names),
    )
    return {(row["supplier_id"], row["item_id"]): (row["id"], row["version"]) for row in rows}


async def replace_prices(tx: Tx, lists: Mapping[UUID, Sequence[PriceStep]]) -> None:
    """Replace the whole price lists of supplier-items whose rows this transaction has locked."""
    if not lists:
        return
    await tx.execute(
        "delete from supplier_price where organization_id = $1 and supplier_item_id = any($2)",
        tx.organization_id,
        list(lists),
    )
    steps = [(id, *astuple(step)) for id, steps in lists.items() for step in steps]
    await tx.execute(
        """
        insert into supplier_price (organization_id, id, supplier_item_id, minimum_quantity,
                                    unit_price, price_per, currency, valid_from, valid_to)
        select $1, p.* from unnest($2::uuid[], $3::uuid[], $4::numeric[], $5::numeric[],
                                   $6::numeric[], $7::text[], $8::date[], $9::date[]) as p
        """,
        tx.organization_id,
        [uuid7() for _ in steps],
        *([step[column] for step in steps] for column in range(7)),
    )
