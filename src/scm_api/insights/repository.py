"""All SQL of key figures: one statement each, from the ledger, the shortages and the receipts."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import asyncpg

from scm_api.core.tx import Tx
from scm_api.stock.policy import DEMAND_TYPES


@dataclass(frozen=True)
class Scope:
    """What a key figure looks at: days (both included), knowledge, and filters by id."""

    first_day: date
    last_day: date
    as_of: datetime
    warehouse_id: UUID | None
    item_id: UUID | None
    category_id: UUID | None
    supplier_id: UUID | None

    @property
    def days(self) -> int:
        return (self.last_day - self.first_day).days + 1


# Group -> its expression over (cell c, article a), and the table that names it.
_GROUPS: Mapping[str | None, tuple[str, str]] = {
    None: ("null::uuid", "warehouse"),
    "warehouse": ("c.warehouse_id", "warehouse"),
    "category": ("a.category_id", "category"),
    "item": ("c.item_id", "item"),
    "supplier": ("c.supplier_id", "supplier"),
}

_DEMAND = ", ".join(f"'{name}'" for name in DEMAND_TYPES)
# The common ground: each movement seen from its ends inside a warehouse, on that warehouse's days.
# A reversal counts as demand on the day of what it reverses, like in the history of demand.
_GROUND = f"""
with recursive tree as (
  select id from category where organization_id = $1 and id = $7
  union all
  select c.id from category c join tree t on c.parent_id = t.id where c.organization_id = $1
),
span as (
  select $2::date as first_day, $3::date as last_day, $3::date - $2::date + 1 as days,
         $4::timestamptz as as_of, $8::uuid as supplier_id, $9::int as parameter
),
article as (
  select id, category_id from item
  where organization_id = $1 and ($6::uuid is null or id = $6)
    and ($7::uuid is null or category_id in (select id from tree))
),
place as (
  select l.id, l.kind, w.id as warehouse_id, w.time_zone from location l
  join warehouse w on w.organization_id = $1 and w.id = l.warehouse_id
  where l.organization_id = $1 and ($5::uuid is null or w.id = $5)
),
ends as (
  select m.item_id, p.warehouse_id, (m.occurred_at at time zone p.time_zone)::date as day,
         (coalesce(o.occurred_at, m.occurred_at) at time zone p.time_zone)::date as demand_day,
         e.sign * m.quantity as quantity, e.sign * m.value as value, d.type,
         p.kind = 'internal' and e.status = 'unrestricted' as is_free
  from stock_movement m
  join stock_document d on d.organization_id = $1 and d.id = m.document_id
  left join stock_document o on o.organization_id = $1 and o.id = d.reversal_of
  cross join lateral (values (m.from_location_id, m.from_status, -1),
                             (m.to_location_id, m.to_status, 1)) as e(location_id, status, sign)
  join place p on p.id = e.location_id
  join article a on a.id = m.item_id
  where m.organization_id = $1 and m.recorded_at <= $4
),
short as (
  select s.item_id, s.warehouse_id, s.occurred_on as day, s.quantity from shortage s
  join article a on a.id = s.item_id
  where s.organization_id = $1 and s.recorded_at <= $4 and ($5::uuid is null or s.warehouse_id = $5)
),
demand as (
  select x.item_id, x.warehouse_id, sum(x.issued) as issued, sum(x.issued_value) as issued_value,
         sum(x.short) as short
  from (
    select item_id, warehouse_id, -quantity as issued, -value as issued_value, 0 as short
    from ends, span where type in ({_DEMAND}) and demand_day between first_day and last_day
    union all
    select item_id, warehouse_id, 0, 0, quantity
    from short, span where day between first_day and last_day
  ) x group by x.item_id, x.warehouse_id
)"""

_TURNOVER = """,
held as (
  select item_id, warehouse_id,
         coalesce(sum(value) filter (where day < first_day), 0) as opening,
         sum(value) as closing,
         sum(value * case when day < first_day then 2 * days
                          else 2 * (last_day - day) + 1 end) as half_days
  from ends, span where day <= last_day group by item_id, warehouse_id
),
consumed as (
  select item_id, warehouse_id, -sum(value) as value from ends, span
  where (type in ({demand}) or type = 'customer_return')
    and demand_day between first_day and last_day
  group by item_id, warehouse_id
),
cell as (
  select h.*, coalesce(c.value, 0) as consumption from held h
  left join consumed c using (item_id, warehouse_id)
)""".replace("{demand}", _DEMAND)
_TURNOVER_SUMS = """
  count(*) filter (where c.half_days <> 0 or c.consumption <> 0) as n,
  coalesce(sum(c.opening), 0) as opening_value, coalesce(sum(c.closing), 0) as closing_value,
  coalesce(sum(c.half_days), 0) as value_half_days,
  coalesce(sum(c.consumption), 0) as consumption_value"""

# What happened before the period counts on its first day, so that the closing stock of every day is
# a running sum; between two changes it stays the same.
_STOCK_OUT = """,
change as (
  select x.item_id, x.warehouse_id, x.day, sum(x.quantity) as quantity
  from (
    select item_id, warehouse_id, greatest(day, first_day) as day,
           case when is_free then quantity else 0 end as quantity
    from ends, span where day <= last_day
    union all
    select item_id, warehouse_id, greatest(day, first_day), 0 from short, span
    where day <= last_day
  ) x group by x.item_id, x.warehouse_id, x.day
),
running as (
  select c.item_id, c.warehouse_id, sum(c.quantity) over w as closing,
         lead(c.day, 1, s.last_day + 1) over w - c.day as days
  from change c cross join span s
  window w as (partition by c.item_id, c.warehouse_id order by c.day)
),
stretch as (
  select item_id, warehouse_id, sum(days) as days,
         coalesce(sum(days) filter (where closing <= 0), 0) as empty_days,
         bool_or(closing > 0) as had_stock
  from running group by item_id, warehouse_id
),
cell as (
  select r.item_id, r.warehouse_id, r.days,
         case when d.item_id is null then 0 else r.empty_days end as out_days
  from stretch r
  left join demand d on d.item_id = r.item_id and d.warehouse_id = r.warehouse_id
                    and d.issued + d.short > 0
  where r.had_stock or d.item_id is not null
)"""
_STOCK_OUT_SUMS = """
  count(*) as n, coalesce(sum(c.days), 0)::bigint as item_days,
  coalesce(sum(c.out_days), 0)::bigint as stocked_out_days,
  count(*) filter (where c.out_days > 0) as stocked_out_items"""

_FILL = """,
cell as (
  select d.item_id, d.warehouse_id, d.issued, d.issued_value, d.short,
         round(d.short * case when d.issued > 0 then d.issued_value / d.issued
                              else coalesce(p.last_unit_cost, 0) end, 4) as short_value
  from demand d
  left join stock_position p on p.organization_id = $1 and p.item_id = d.item_id
                            and p.warehouse_id = d.warehouse_id
  where d.issued <> 0 or d.short <> 0
)"""
_FILL_SUMS = """
  count(*) as n, coalesce(sum(c.issued), 0) as issued_quantity,
  coalesce(sum(c.short), 0) as shortage_quantity,
  coalesce(sum(c.issued_value), 0) as issued_value,
  coalesce(sum(c.short_value), 0) as shortage_value"""

_OVERSTOCK = """,
held as (
  select item_id, warehouse_id, sum(quantity) as quantity, sum(value) as value
  from ends, span where day <= last_day group by item_id, warehouse_id having sum(quantity) > 0
),
levelled as (
  select h.*, coalesce(
           case when p.planned_at <= s.as_of
                 and (p.planned_at at time zone w.time_zone)::date <= s.last_day
                then p.order_up_to end,
           plan.order_up_to) as planned,
         s.parameter * coalesce(d.issued + d.short, 0) / s.days as covered
  from held h
  cross join span s
  join warehouse w on w.organization_id = $1 and w.id = h.warehouse_id
  left join stock_position p on p.organization_id = $1 and p.item_id = h.item_id
                            and p.warehouse_id = h.warehouse_id
  left join demand d on d.item_id = h.item_id and d.warehouse_id = h.warehouse_id
  left join lateral (
    select l.order_up_to from replenishment_plan_line l
    join replenishment_plan r on r.organization_id = $1 and r.id = l.plan_id
    where l.organization_id = $1 and l.item_id = h.item_id and l.warehouse_id = h.warehouse_id
      and r.completed_at <= s.as_of
      and (r.completed_at at time zone w.time_zone)::date <= s.last_day
    order by r.completed_at desc limit 1
  ) plan on true
),
cell as (
  select item_id, warehouse_id, value, planned is null as is_unplanned,
         greatest(quantity - coalesce(planned, greatest(covered, 0)), 0) as surplus,
         round(value * greatest(quantity - coalesce(planned, greatest(covered, 0)), 0)
               / quantity, 4) as surplus_value
  from levelled
)"""
_OVERSTOCK_SUMS = """
  count(*) as n, count(*) filter (where c.surplus > 0) as overstocked_items,
  count(*) filter (where c.is_unplanned) as unplanned_items,
  coalesce(sum(c.value), 0) as stock_value,
  coalesce(sum(c.surplus_value), 0) as overstock_value"""

_PURCHASE = """,
arrived as (
  select l.order_line_id as line_id, (r.occurred_at at time zone w.time_zone)::date as day,
         sum(l.quantity) as quantity
  from receipt_line l
  join receipt r on r.organization_id = $1 and r.id = l.receipt_id
  join warehouse w on w.organization_id = $1 and w.id = l.warehouse_id
  where l.organization_id = $1 and l.order_line_id is not null and r.recorded_at <= $4
    and (r.reversed_at is null or r.reversed_at > $4)
  group by 1, 2
),
filled as (
  select line_id, day, sum(quantity) over (partition by line_id order by day) as total from arrived
),
promise as (
  select s.id as schedule_id, b.basis, o.supplier_id, l.id as line_id, l.item_id, l.warehouse_id,
         l.under_delivery_percent, l.is_final_delivery, b.due_on, b.quantity,
         sum(b.quantity) over (partition by l.id, b.basis order by b.due_on, s.schedule_no)
           as due_total
  from purchase_order o
  join purchase_order_line l on l.organization_id = $1 and l.order_id = o.id
  join article a on a.id = l.item_id
  join purchase_order_schedule s on s.organization_id = $1 and s.line_id = l.id
  cross join lateral (values
    ('requested', s.need_by, s.quantity),
    ('confirmed', coalesce(s.confirmed_on, s.need_by), coalesce(s.confirmed_quantity, s.quantity))
  ) as b(basis, due_on, quantity)
  where o.organization_id = $1 and o.status in ('issued', 'closed') and o.issued_at <= $4
    and ($5::uuid is null or l.warehouse_id = $5) and ($8::uuid is null or o.supplier_id = $8)
    and not (l.is_closed and l.received_quantity = 0) and b.quantity > 0
    and not (b.basis = 'confirmed' and s.confirmation = 'rejected')
),
done as (
  select p.schedule_id, p.basis, p.supplier_id, p.item_id, p.warehouse_id, p.due_on,
         min(f.day) filter (where f.total >= p.due_total) as full_on,
         coalesce(
           min(f.day) filter (
             where f.total >= p.due_total * (100 - p.under_delivery_percent) / 100),
           case when p.is_final_delivery and max(f.total) > p.due_total - p.quantity
                then max(f.day) end) as done_on
  from promise p
  cross join span s
  left join filled f on f.line_id = p.line_id
  where p.due_on between s.first_day and s.last_day
  group by p.schedule_id, p.basis, p.supplier_id, p.item_id, p.warehouse_id, p.due_on,
           p.is_final_delivery, p.due_total, p.quantity
),
cell as (
  select d.*, s.parameter as early_days from done d cross join span s
)"""


def _punctuality(basis: str) -> str:
    mine = f"c.basis = '{basis}'"
    return f"""
  count(*) filter (where {mine}) as {basis}_n,
  count(*) filter (where {mine} and c.done_on <= c.due_on) as {basis}_on_time,
  count(*) filter (where {mine} and c.done_on < c.due_on - c.early_days) as {basis}_early,
  count(*) filter (where {mine} and c.done_on > c.due_on) as {basis}_late,
  count(*) filter (where {mine} and c.done_on is null) as {basis}_missing,
  count(*) filter (where {mine} and c.full_on <= c.due_on) as {basis}_on_time_in_full,
  sum(c.done_on - c.due_on) filter (where {mine} and c.done_on > c.due_on) as {basis}_days_late"""


@dataclass(frozen=True)
class Statement:
    """One key figure: how its cells are made and summed, and by what groups are worst first."""

    cells: str
    sums: str
    worst: str


TURNOVER = Statement(_TURNOVER, _TURNOVER_SUMS, "value_half_days - consumption_value desc")
STOCK_OUT = Statement(_STOCK_OUT, _STOCK_OUT_SUMS, "stocked_out_days desc")
FILL = Statement(_FILL, _FILL_SUMS, "shortage_value desc")
OVERSTOCK = Statement(_OVERSTOCK, _OVERSTOCK_SUMS, "overstock_value desc")
PURCHASE_ON_TIME = Statement(
    _PURCHASE,
    ",".join(_punctuality(basis) for basis in ("confirmed", "requested")),
    "confirmed_n - confirmed_on_time desc",
)


async def compute(
    tx: Tx,
    statement: Statement,
    scope: Scope,
    group_by: str | None,
    limit: int,
    parameter: int | None = None,
) -> list[asyncpg.Record]:
    """The total in the first row, then the worst groups: (is_total, key, code, name, group_count,
    and the sums)."""
    key, table = _GROUPS[group_by]
    sets = "()" if group_by is None else f"(), ({key})"
    is_total = "1" if group_by is None else f"grouping({key})"
    code = "sku" if table == "item" else "code"
    return await tx.fetch(
        f"""
        {_GROUND}{statement.cells},
        summed as (
          select {key if group_by else "null::uuid"} as key, {is_total} as is_total,
                 {statement.sums}
          from cell c join article a on a.id = c.item_id
          group by grouping sets ({sets})
        )
        select s.*, g.{code} as code, g.name, count(*) over () - 1 as group_count
        from summed s
        left join {table} g on g.organization_id = $1 and g.id = s.key
        order by s.is_total desc, {statement.worst}, g.{code} nulls last, s.key
        limit $10
        """,
        tx.organization_id,
        scope.first_day,
        scope.last_day,
        scope.as_of,
        scope.warehouse_id,
        scope.item_id,
        scope.category_id,
        scope.supplier_id,
        parameter,
        limit + 1,
    )


async def references(
    tx: Tx, warehouse: str | None, item: str | None, category: str | None, supplier: str | None
) -> asyncpg.Record:
    """The organization's currency and time zone, and the ids behind codes or ids; null = none."""
    row = await tx.fetchrow(
        """
        select o.base_currency, o.time_zone,
          (select id from warehouse where organization_id = $1
             and (lower(code) = lower($2) or id::text = lower($2))) as warehouse_id,
          (select id from item where organization_id = $1
             and (sku_key = lower($3) or id::text = lower($3))) as item_id,
          (select id from category where organization_id = $1
             and (lower(code) = lower($4) or id::text = lower($4))) as category_id,
          (select id from supplier where organization_id = $1
             and (lower(code) = lower($5) or id::text = lower($5))) as supplier_id
        from organization o where o.id = $1
        """,
        tx.organization_id,
        warehouse,
        item,
        category,
        supplier,
    )
    assert row is not None
    return row
