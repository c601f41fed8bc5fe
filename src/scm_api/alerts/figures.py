"""SQL that gathers what alerts are judged by: one statement, however many positions or orders.

Past stock and demand come from the ledger itself, so the figures are right at once, whatever other
followers of the event feed have read.
"""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import asyncpg

from scm_api.alerts.policy import Arrival, Figures, Trend
from scm_api.core.tx import Tx
from scm_api.stock.policy import DEMAND_TYPES

# Lead time of the item's first source: as measured once there is something to measure by.
_MEASURED_AT_LEAST = 3
_STOCK = """
with supply as (
  select s.item_id, s.warehouse_id,
         array_agg(s.due_on order by s.due_on, s.source_line_id) as due_ons,
         array_agg(s.quantity order by s.due_on, s.source_line_id) as quantities,
         array_agg(s.source_type order by s.due_on, s.source_line_id) as source_types,
         array_agg(s.source_id order by s.due_on, s.source_line_id) as source_ids,
         array_agg(s.source_number order by s.due_on, s.source_line_id) as source_numbers
  from inbound_supply s where s.organization_id = $1 {of_items_s}
  group by s.item_id, s.warehouse_id
),
source as (
  select distinct on (si.item_id) si.item_id, s.id as supplier_id, s.code as supplier_code,
         coalesce(case when si.lead_time_count >= $5
                       then ceil(si.lead_time_sum / si.lead_time_count) end,
                  si.lead_time_days, s.lead_time_days)::int as lead_time_days
  from supplier_item si
  join supplier s on s.organization_id = $1 and s.id = si.supplier_id and s.status <> 'blocked'
  where si.organization_id = $1 and si.is_active {of_items_si}
  order by si.item_id, si.priority, s.code
),
flow as (
  select m.item_id, l.warehouse_id, $2::timestamptz - m.occurred_at as age,
         case when l.kind = 'internal' and e.status = 'unrestricted'
              then e.sign * m.quantity else 0 end as free,
         case when d.type = any($6::text[]) then -e.sign * m.quantity else 0 end as demand
  from stock_movement m
  join stock_document d on d.organization_id = $1 and d.id = m.document_id
  cross join lateral (values (m.from_location_id, m.from_status, -1),
                             (m.to_location_id, m.to_status, 1)) as e(location_id, status, sign)
  join location l on l.organization_id = $1 and l.id = e.location_id
                 and l.warehouse_id is not null
  where m.organization_id = $1 and m.occurred_at > $4 {of_items_m}
  union all
  select s.item_id, s.warehouse_id, $2::timestamptz - s.occurred_at, 0, s.quantity
  from shortage s where s.organization_id = $1 and s.occurred_at > $4 {of_items_s}
),
past as (
  select item_id, warehouse_id,
         sum(free) filter (where age < $3::interval / 2) as half,
         sum(free) filter (where age < $3::interval) as whole,
         sum(free) as twice,
         sum(demand) filter (where age < $3::interval) as demand_now,
         sum(demand) filter (where age >= $3::interval / 2 and age < $3::interval * 1.5)
           as demand_middle,
         sum(demand) filter (where age >= $3::interval) as demand_start
  from flow group by item_id, warehouse_id
)
select p.item_id, p.warehouse_id, i.sku, w.code as warehouse,
       i.status = 'active' and w.is_active as is_active,
       ($2::timestamptz at time zone w.time_zone)::date as today,
       p.unrestricted, p.reserved, p.on_hand + p.in_transit as quantity, p.value,
       p.daily_demand, p.safety_stock, p.reorder_point, p.order_up_to,
       supply.due_ons, supply.quantities, supply.source_types, supply.source_ids,
       supply.source_numbers,
       source.supplier_id, source.supplier_code, source.lead_time_days,
       coalesce(past.half, 0) as half, coalesce(past.whole, 0) as whole,
       coalesce(past.twice, 0) as twice, coalesce(past.demand_now, 0) as demand_now,
       coalesce(past.demand_middle, 0) as demand_middle,
       coalesce(past.demand_start, 0) as demand_start
from stock_position p
join item i on i.organization_id = $1 and i.id = p.item_id
join warehouse w on w.organization_id = $1 and w.id = p.warehouse_id
left join supply on supply.item_id = p.item_id and supply.warehouse_id = p.warehouse_id
left join source on source.item_id = p.item_id
left join past on past.item_id = p.item_id and past.warehouse_id = p.warehouse_id
where p.organization_id = $1 {of_items_p}
order by p.item_id, w.code
"""


async def of_stock(tx: Tx, item_ids: Sequence[UUID] | None, compared_days: int) -> list[Figures]:
    """The figures of all positions of the items (None: of all), by item."""
    scope = {
        f"of_items_{alias}": "" if item_ids is None else f"and {alias}.item_id = any($7)"
        for alias in ("s", "si", "m", "p")
    }
    days = timedelta(days=compared_days)
    arguments = [
        tx.organization_id,
        tx.now,
        days,
        tx.now - 2 * days,
        _MEASURED_AT_LEAST,
        list(DEMAND_TYPES),
    ]
    if item_ids is not None:
        arguments.append(list(item_ids))
    rows = await tx.fetch(_STOCK.format(**scope), *arguments)
    return [_figures(row, compared_days) for row in rows]


def _figures(row: asyncpg.Record, days: int) -> Figures:
    free, mean = row["unrestricted"], round(row["demand_now"] / days, 4)
    return Figures(
        item_id=row["item_id"],
        warehouse_id=row["warehouse_id"],
        sku=row["sku"],
        warehouse=row["warehouse"],
        is_active=row["is_active"],
        today=row["today"],
        available=free - row["reserved"],
        quantity=row["quantity"],
        value=row["value"],
        # A plan may say zero of an item that somebody has begun to ask for.
        daily_demand=row["daily_demand"] or max(mean, Decimal(0)),
        safety_stock=row["safety_stock"],
        reorder_point=row["reorder_point"],
        order_up_to=row["order_up_to"],
        arrivals=_arrivals(row),
        trend=Trend(
            days=days,
            stock=(free, free - row["half"], free - row["whole"]),
            daily_demand=(
                mean,
                round(row["demand_middle"] / days, 4),
                round(row["demand_start"] / days, 4),
            ),
            was_stocked=free - row["twice"] > 0,
        ),
        supplier_id=row["supplier_id"],
        supplier=row["supplier_code"],
        lead_time_days=row["lead_time_days"],
    )


def _arrivals(row: asyncpg.Record) -> list[Arrival]:
    if row["due_ons"] is None:
        return []
    names = ("due_ons", "quantities", "source_types", "source_ids", "source_numbers")
    return [Arrival(*values) for values in zip(*(row[name] for name in names), strict=True)]


# Open schedule lines of issued orders are exactly the inbound supply of orders.
_OVERDUE = """
select s.source_id as order_id, c.line_id, l.line_no, s.source_number as number, s.item_id,
       s.warehouse_id, o.supplier_id, i.sku, w.code as warehouse,
       min(s.due_on) as due_on, sum(s.quantity) as quantity,
       bool_and(s.is_confirmed) as is_confirmed,
       ($2::timestamptz at time zone w.time_zone)::date - min(s.due_on) as days_late,
       min(p.unrestricted - p.reserved) as available
from inbound_supply s
join purchase_order o on o.organization_id = $1 and o.id = s.source_id
join purchase_order_schedule c on c.organization_id = $1 and c.id = s.source_line_id
join purchase_order_line l on l.organization_id = $1 and l.id = c.line_id
join item i on i.organization_id = $1 and i.id = s.item_id
join warehouse w on w.organization_id = $1 and w.id = s.warehouse_id
left join stock_position p on p.organization_id = $1 and p.item_id = s.item_id
                          and p.warehouse_id = s.warehouse_id
where s.organization_id = $1 and s.source_type = 'purchase_order'
  and s.due_on < ($2::timestamptz at time zone w.time_zone)::date - $3::int
  and ($4::uuid[] is null or s.source_id = any($4))
group by s.source_id, c.line_id, l.line_no, s.source_number, s.item_id, s.warehouse_id,
         o.supplier_id, i.sku, w.code, w.time_zone
"""
_UNCONFIRMED = """
select o.id as order_id, o.number, o.supplier_id, o.issued_at, o.confirmation_status,
       o.next_due_on, o.amount, o.currency,
       floor(extract(epoch from $2::timestamptz - o.issued_at) / 86400)::int as days_waiting
from purchase_order o
where o.organization_id = $1 and o.status = 'issued' and o.next_due_on is not null
  and o.confirmation_status in ('none', 'partial')
  and o.issued_at <= $2::timestamptz - make_interval(days => $3)
  and ($4::uuid[] is null or o.id = any($4))
"""


async def overdue_lines(
    tx: Tx, order_ids: Sequence[UUID] | None, grace_days: int
) -> list[asyncpg.Record]:
    """Lines of issued orders with an open quantity due more than `grace_days` ago."""
    return await tx.fetch(_OVERDUE, tx.organization_id, tx.now, grace_days, order_ids)


async def unconfirmed_orders(
    tx: Tx, order_ids: Sequence[UUID] | None, after_days: int
) -> list[asyncpg.Record]:
    """Issued orders the supplier has not fully answered `after_days` after the issue."""
    return await tx.fetch(_UNCONFIRMED, tx.organization_id, tx.now, after_days, order_ids)
