"""SQL behind purchasing and planning: whole catalogues at a time, and the observed lead times."""

from collections.abc import Collection, Sequence
from datetime import date
from uuid import UUID

import asyncpg

from scm_api.core.ids import uuid7
from scm_api.core.tx import Tx
from scm_api.suppliers.policy import ObservedLeadTime, PriceStep


async def terms(
    tx: Tx, supplier_id: UUID, item_ids: Collection[UUID]
) -> dict[UUID, asyncpg.Record]:
    """What a supplier sells of some items, by item."""
    rows = await tx.fetch(
        """
        select l.item_id, l.id, l.supplier_sku, l.is_active, l.minimum_quantity, l.order_multiple,
               l.maximum_quantity,
               coalesce(l.lead_time_days, s.lead_time_days) as stated_lead_time_days
        from supplier_item l
        join supplier s on s.organization_id = l.organization_id and s.id = l.supplier_id
        where l.organization_id = $1 and l.supplier_id = $2 and l.item_id = any($3)
        """,
        tx.organization_id,
        supplier_id,
        list(item_ids),
    )
    return {row["item_id"]: row for row in rows}


async def sources(tx: Tx, item_ids: Sequence[UUID] | None) -> list[asyncpg.Record]:
    """Active supplier-items of suppliers that are not blocked, by item and rank."""
    return await tx.fetch(
        """
        select l.id, l.supplier_id, s.code as supplier_code, s.status as supplier_status,
               l.item_id, l.supplier_sku, l.priority, l.minimum_quantity, l.order_multiple,
               l.maximum_quantity, l.lead_time_count, l.lead_time_sum, l.lead_time_sum_squares,
               coalesce(l.lead_time_days, s.lead_time_days) as stated_lead_time_days
        from supplier_item l
        join supplier s on s.organization_id = l.organization_id and s.id = l.supplier_id
        where l.organization_id = $1 and ($2::uuid[] is null or l.item_id = any($2))
          and l.is_active and s.status <> 'blocked'
        order by l.item_id, l.priority, s.code
        """,
        tx.organization_id,
        item_ids if item_ids is None else list(item_ids),
    )


async def valid_prices(
    tx: Tx, supplier_item_ids: Collection[UUID], on: date
) -> dict[UUID, list[PriceStep]]:
    """The price steps of supplier-items that are valid on a day, by minimum quantity."""
    rows = await tx.fetch(
        """
        select supplier_item_id, minimum_quantity, unit_price, price_per, currency, valid_from,
               valid_to
        from supplier_price
        where organization_id = $1 and supplier_item_id = any($2)
          and valid_from <= $3 and (valid_to is null or valid_to >= $3)
        order by supplier_item_id, minimum_quantity
        """,
        tx.organization_id,
        list(supplier_item_ids),
        on,
    )
    found: dict[UUID, list[PriceStep]] = {}
    for supplier_item_id, *step in rows:
        found.setdefault(supplier_item_id, []).append(PriceStep(*step))
    return found


async def newest_observations(
    tx: Tx, supplier_item_ids: Collection[UUID], limit: int
) -> dict[UUID, tuple[list[int], list[int | None]]]:
    """(days, promised days) of the newest deliveries of each supplier-item, newest first."""
    rows = await tx.fetch(
        """
        select l.id, o.days, o.promised_days
        from supplier_item l
        cross join lateral (
          select array_agg(n.days order by n.received_on desc, n.id desc) as days,
                 array_agg(coalesce(n.confirmed_on, n.requested_on) - n.ordered_on
                           order by n.received_on desc, n.id desc) as promised_days
          from (
            select id, days, ordered_on, confirmed_on, requested_on, received_on
            from lead_time_observation
            where organization_id = $1 and supplier_id = l.supplier_id and item_id = l.item_id
            order by received_on desc, id desc
            limit $3
          ) n
        ) o
        where l.organization_id = $1 and l.id = any($2) and l.lead_time_count > 0
        """,
        tx.organization_id,
        list(supplier_item_ids),
        limit,
    )
    return {row["id"]: (row["days"], row["promised_days"]) for row in rows}


async def observe(tx: Tx, rows: Sequence[ObservedLeadTime]) -> None:
    """Append observations and add them up in their supplier-items. The version
    counts up because the answer changes, and with it the ETag."""
    await tx.execute(
        """
        insert into lead_time_observation (
          organization_id, id, supplier_id, item_id, purchase_order_id, purchase_order_line_id,
          receipt_id, ordered_on, confirmed_on, requested_on, received_on, days, quantity
        )
        select $1, o.* from unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[],
                                   $7::uuid[], $8::date[], $9::date[], $10::date[], $11::date[],
                                   $12::int[], $13::numeric[]) as o
        """,
        tx.organization_id,
        [uuid7() for _ in rows],
        [row.supplier_id for row in rows],
        [row.item_id for row in rows],
        [row.purchase_order_id for row in rows],
        [row.purchase_order_line_id for row in rows],
        [row.receipt_id for row in rows],
        [row.ordered_on for row in rows],
        [row.confirmed_on for row in rows],
        [row.requested_on for row in rows],
        [row.received_on for row in rows],
        [row.days for row in rows],
        [row.quantity for row in rows],
    )
    await tx.execute(
        """
        with seen as (
          select supplier_id, item_id, count(*) as count, sum(days) as sum,
                 sum(days::bigint * days) as sum_squares
          from unnest($2::uuid[], $3::uuid[], $4::int[]) as o(supplier_id, item_id, days)
          group by supplier_id, item_id
          order by supplier_id, item_id
        ), locked as (
          select l.id, seen.count, seen.sum, seen.sum_squares
          from seen
          -- The limit keeps this a look-up per pair even while the statistics are stale.
          cross join lateral (
            select id from supplier_item
            where organization_id = $1 and supplier_id = seen.supplier_id
              and item_id = seen.item_id
            limit 1
            for update
          ) l
        )
        update supplier_item l
        set lead_time_count = l.lead_time_count + locked.count,
            lead_time_sum = l.lead_time_sum + locked.sum,
            lead_time_sum_squares = l.lead_time_sum_squares + locked.sum_squares,
            version = l.version + 1, updated_at = $5
        from locked
        where l.organization_id = $1 and l.id = locked.id
        """,
        tx.organization_id,
        [row.supplier_id for row in rows],
        [row.item_id for row in rows],
        [row.days for row in rows],
        tx.now,
    )


async def withdraw(tx: Tx, receipt_id: UUID) -> None:
    """Forget what a receipt taught, and take it out of the sums of its supplier-items."""
    await tx.execute(
        """
        with gone as (
          delete from lead_time_observation where organization_id = $1 and receipt_id = $2
          returning supplier_id, item_id, days
        ), sums as (
          select supplier_id, item_id, count(*) as count, sum(days) as sum,
                 sum(days::bigint * days) as sum_squares
          from gone group by supplier_id, item_id
        ), locked as (
          select l.id, s.count, s.sum, s.sum_squares
          from sums s
          join supplier_item l on l.organization_id = $1 and l.supplier_id = s.supplier_id
                              and l.item_id = s.item_id
          order by l.supplier_id, l.item_id for update of l
        )
        update supplier_item l
        set lead_time_count = l.lead_time_count - locked.count,
            lead_time_sum = l.lead_time_sum - locked.sum,
            lead_time_sum_squares = l.lead_time_sum_squares - locked.sum_squares,
            version = l.version + 1, updated_at = $3
        from locked
        where l.organization_id = $1 and l.id = locked.id
        """,
        tx.organization_id,
        receipt_id,
        tx.now,
    )
