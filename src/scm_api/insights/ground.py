"""What every key figure is made from: the SQL of its ground, and the shape of a figure on it."""

from dataclasses import dataclass

from scm_api.stock.policy import DEMAND_TYPES


@dataclass(frozen=True)
class Statement:
    """One key figure: how its cells are made and summed, and by what groups are worst first."""

    cells: str
    sums: str
    worst: str


DEMAND = ", ".join(f"'{name}'" for name in DEMAND_TYPES)
# The common ground: each movement seen from its ends inside a warehouse, on that warehouse's days.
# A reversal counts as demand on the day of what it reverses, like in the history of demand.
GROUND = f"""
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
    and ($11::uuid[] is null or w.id = any($11))
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
    from ends, span where type in ({DEMAND}) and demand_day between first_day and last_day
    union all
    select item_id, warehouse_id, 0, 0, quantity
    from short, span where day between first_day and last_day
  ) x group by x.item_id, x.warehouse_id
)"""
