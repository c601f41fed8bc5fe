"""SQL of the key figures of stock: cells are item-locations, made from the ground's CTEs."""

from scm_api.insights.ground import DEMAND, Statement
from scm_api.insights.policy import LOOK_BACK_DAYS

_TURNOVER = f""",
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
  where (type in ({DEMAND}) or type = 'customer_return')
    and demand_day between first_day and last_day
  group by item_id, warehouse_id
),
cell as (
  select h.*, coalesce(c.value, 0) as consumption from held h
  left join consumed c using (item_id, warehouse_id)
)"""
_TURNOVER_SUMS = """
  count(*) filter (where c.half_days <> 0 or c.consumption <> 0) as n,
  coalesce(sum(c.opening), 0) as opening_value, coalesce(sum(c.closing), 0) as closing_value,
  coalesce(sum(c.half_days), 0) * 0.5 as value_days,
  coalesce(sum(c.consumption), 0) as consumption_value"""

# What was planned by then: the position's levels if they are that old, else those of the newest
# plan known then. Lines of old plans are deleted: where that has happened, today's levels must do.
_LEVELS = """
known as (
  select w.id as warehouse_id, u.planned_before, exists (
           select from replenishment_plan r
           where r.organization_id = $1 and r.completed_at < u.planned_before and not exists (
             select from replenishment_plan_line l
             where l.organization_id = $1 and l.plan_id = r.id)
         ) as is_forgotten
  from warehouse w
  cross join span s
  cross join lateral (
    select least(s.as_of + interval '1 microsecond',
                 (s.last_day + 1)::timestamp at time zone w.time_zone) as planned_before
  ) u
  where w.organization_id = $1
),
levels as (
  select p.item_id, p.warehouse_id,
         case when p.planned_at < k.planned_before then p.daily_demand
              when plan.item_id is not null then plan.daily_demand
              when k.is_forgotten then p.daily_demand end as daily_demand,
         case when p.planned_at < k.planned_before then p.order_up_to
              when plan.item_id is not null then plan.order_up_to
              when k.is_forgotten then p.order_up_to end as order_up_to
  from stock_position p
  join known k on k.warehouse_id = p.warehouse_id
  left join lateral (
    select l.item_id, l.daily_demand, l.order_up_to from replenishment_plan_line l
    join replenishment_plan r on r.organization_id = $1 and r.id = l.plan_id
                             and r.completed_at < k.planned_before
    where p.planned_at >= k.planned_before and l.organization_id = $1
      and l.item_id = p.item_id and l.warehouse_id = p.warehouse_id
    -- Ids are in order of time, and this index too.
    order by l.plan_id desc limit 1
  ) plan on true
  where p.organization_id = $1 and p.planned_at is not null
)"""

# What happened before the period counts on its first day, so that the closing stock of every day is
# a running sum; between two changes it stays the same.
# Who is out of stock for the whole period issues nothing in it: demand is looked for further back,
# and in the plan.
_STOCK_OUT = f""",
{_LEVELS},
wanted as (
  select x.item_id, x.warehouse_id
  from (
    select item_id, warehouse_id, -quantity as quantity from ends, span
    where type in ({DEMAND}) and demand_day between first_day - {LOOK_BACK_DAYS} and last_day
    union all
    select item_id, warehouse_id, quantity from short, span
    where day between first_day - {LOOK_BACK_DAYS} and last_day
  ) x group by x.item_id, x.warehouse_id having sum(x.quantity) > 0
  union
  select item_id, warehouse_id from levels where daily_demand > 0
),
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
  left join wanted d on d.item_id = r.item_id and d.warehouse_id = r.warehouse_id
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
                              else coalesce(entered.unit_cost, 0) end, 4) as short_value
  from demand d
  cross join span s
  left join lateral (
    -- From the ledger: the position's last cost may have been learned after as_of.
    select m.value / m.quantity as unit_cost
    from place t
    join stock_movement m on m.organization_id = $1 and m.item_id = d.item_id
                         and m.to_location_id = t.id
    join location f on f.organization_id = $1 and f.id = m.from_location_id
    where t.warehouse_id = d.warehouse_id and f.warehouse_id is distinct from t.warehouse_id
      and m.recorded_at <= s.as_of and d.issued <= 0 and d.short > 0
    order by (m.occurred_at at time zone t.time_zone)::date > s.last_day,
             abs(extract(epoch from m.occurred_at)
                 - extract(epoch from (s.last_day + 1)::timestamp at time zone t.time_zone)),
             m.recorded_at desc, m.document_id desc, m.line_no desc
    limit 1
  ) entered on true
  where d.issued <> 0 or d.short <> 0
)"""
_FILL_SUMS = """
  count(*) as n, coalesce(sum(c.issued), 0) as issued_quantity,
  coalesce(sum(c.short), 0) as shortage_quantity,
  coalesce(sum(c.issued_value), 0) as issued_value,
  coalesce(sum(c.short_value), 0) as shortage_value"""

_OVERSTOCK = f""",
held as (
  select item_id, warehouse_id, sum(quantity) as quantity, sum(value) as value
  from ends, span where day <= last_day group by item_id, warehouse_id having sum(quantity) > 0
),
{_LEVELS},
levelled as (
  select h.*, l.order_up_to as planned,
         s.parameter * coalesce(d.issued + d.short, 0) / s.days as covered
  from held h
  cross join span s
  left join levels l on l.item_id = h.item_id and l.warehouse_id = h.warehouse_id
  left join demand d on d.item_id = h.item_id and d.warehouse_id = h.warehouse_id
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

# Longest days of inventory first: stock that nothing is taken from lasts for ever.
_SLOWEST = """
case when s.value_days <= 0 then -1
     when s.consumption_value <= 0 then 'infinity'
     else s.value_days / s.consumption_value end desc, s.value_days desc"""

TURNOVER = Statement(_TURNOVER, _TURNOVER_SUMS, _SLOWEST)
STOCK_OUT = Statement(_STOCK_OUT, _STOCK_OUT_SUMS, "s.stocked_out_days desc")
FILL = Statement(_FILL, _FILL_SUMS, "s.shortage_value desc")
OVERSTOCK = Statement(_OVERSTOCK, _OVERSTOCK_SUMS, "s.overstock_value desc")
