"""SQL of the key figures of stock: cells are item-locations, made from the ground's CTEs."""

from scm_api.insights.ground import DEMAND, Statement
from scm_api.insights.policy import LOOK_BACK_DAYS

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
)""".replace("{demand}", DEMAND)
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

@@FILL
_FILL_SUMS = """
  count(*) as n, coalesce(sum(c.issued), 0) as issued_quantity,
  coalesce(sum(c.short), 0) as shortage_quantity,
  coalesce(sum(c.issued_value), 0) as issued_value,
  coalesce(sum(c.short_value), 0) as shortage_value"""

@@OVER
_OVERSTOCK_SUMS = """
  count(*) as n, count(*) filter (where c.surplus > 0) as overstocked_items,
  count(*) filter (where c.is_unplanned) as unplanned_items,
  coalesce(sum(c.value), 0) as stock_value,
  coalesce(sum(c.surplus_value), 0) as overstock_value"""

