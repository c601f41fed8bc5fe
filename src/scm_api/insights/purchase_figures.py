"""SQL of the key figures of purchasing: cells are schedule lines, once for each kind of date."""

from scm_api.insights.ground import Statement

_PURCHASE = """,
arrived as (
  select l.order_line_id as line_id, (r.occurred_at at time zone w.time_zone)::date as day,
         sum(l.quantity) as quantity, bool_or(l.is_final_delivery) as is_final
  from receipt_line l
  join receipt r on r.organization_id = $1 and r.id = l.receipt_id
  join warehouse w on w.organization_id = $1 and w.id = l.warehouse_id
  where l.organization_id = $1 and l.order_line_id is not null and r.recorded_at <= $4
    and (r.reversed_at is null or r.reversed_at > $4)
  group by 1, 2
),
filled as (
  select line_id, day, is_final,
         sum(quantity) over (partition by line_id order by day) as total
  from arrived
),
promise as (
  select s.id as schedule_id, b.basis, o.supplier_id, l.id as line_id, l.item_id, l.warehouse_id,
         l.under_delivery_percent, b.due_on, b.quantity,
         -- A reopened order takes a final delivery back, from its last change on.
         l.is_final_delivery or o.updated_at > $4 as can_be_final,
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
  where o.organization_id = $1 and o.issued_at <= $4
    and (o.status in ('issued', 'closed') or o.status = 'cancelled' and o.closed_at > $4)
    and ($5::uuid is null or l.warehouse_id = $5) and ($8::uuid is null or o.supplier_id = $8)
    and b.quantity > 0 and not (b.basis = 'confirmed' and s.confirmation = 'rejected')
    -- Given up with nothing received, by then: with the line's own change, or with its order.
    and not (
      l.is_closed and not exists (select from filled f where f.line_id = l.id)
      and coalesce((
        select max(v.created_at) from purchase_order_revision v
        where v.organization_id = $1 and v.order_id = o.id and v.changes @> jsonb_build_array(
          jsonb_build_object('path', '/lines/' || l.line_no || '/is_closed', 'new', true))
      ), o.closed_at, '-infinity') <= $4)
),
done as (
  select p.schedule_id, p.basis, p.supplier_id, p.item_id, p.warehouse_id, p.due_on,
         min(f.day) filter (where f.total >= p.due_total) as full_on,
         coalesce(
           min(f.day) filter (
             where f.total >= p.due_total * (100 - p.under_delivery_percent) / 100),
           min(f.day) filter (
             where f.is_final and p.can_be_final and f.total > p.due_total - p.quantity)
         ) as done_on
  from promise p
  cross join span s
  left join filled f on f.line_id = p.line_id
  where p.due_on between s.first_day and s.last_day
  group by p.schedule_id, p.basis, p.supplier_id, p.item_id, p.warehouse_id, p.due_on
),
cell as (
  select d.*, s.parameter as early_days from done d
  cross join span s
  join warehouse w on w.organization_id = $1 and w.id = d.warehouse_id
  -- What is due today may still come today.
  where d.done_on is not null or d.due_on < (s.as_of at time zone w.time_zone)::date
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
  coalesce(sum(c.done_on - c.due_on) filter (where {mine} and c.done_on > c.due_on), 0)
    as {basis}_days_late"""


PURCHASE_ON_TIME = Statement(
    _PURCHASE,
    ",".join(_punctuality(basis) for basis in ("confirmed", "requested")),
    "s.confirmed_n - s.confirmed_on_time desc",
)
