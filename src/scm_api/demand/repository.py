"""All SQL of demand history and sales plans."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

import asyncpg
from sqlalchemy import select

from scm_api.core import pages
from scm_api.core.pages import PageOf
from scm_api.core.tx import Tx
from scm_api.demand.models import SalesPlan
from scm_api.demand.schemas import SalesPlanFilter, SalesPlanRange
from scm_api.items.models import Item
from scm_api.warehouses.models import Warehouse

# Each movement seen from both its ends that lie in a warehouse: what left counts positive. A
# reversal has the kind and the day of what it reverses, and its ends the other way round.
_ENDS = """
with chosen as ({chosen}),
ends as (
  select coalesce(o.type, d.type) as type, m.item_id, w.id as warehouse_id,
         (coalesce(o.occurred_at, d.occurred_at) at time zone w.time_zone)::date as day,
         e.sign * m.quantity as quantity
  from chosen c
  join stock_document d on d.organization_id = $1 and d.id = c.id
  left join stock_document o on o.organization_id = $1 and o.id = d.reversal_of
  join stock_movement m on m.organization_id = $1 and m.document_id = d.id
  cross join lateral (values (m.from_location_id, 1), (m.to_location_id, -1))
       as e(location_id, sign)
  join location l on l.organization_id = $1 and l.id = e.location_id
  join warehouse w on w.organization_id = $1 and w.id = l.warehouse_id
),
seen as (
  insert into demand_series (organization_id, item_id, warehouse_id, first_on)
  select $1, item_id, warehouse_id, min(day) from ends
  group by item_id, warehouse_id order by item_id, warehouse_id
  on conflict (organization_id, item_id, warehouse_id) do update
    set first_on = excluded.first_on where excluded.first_on < demand_series.first_on
)
insert into demand_day (organization_id, item_id, warehouse_id, day, issued, returned)
select $1, item_id, warehouse_id, day,
       coalesce(sum(quantity) filter (where type <> 'customer_return'), 0),
       coalesce(-sum(quantity) filter (where type = 'customer_return'), 0)
from ends
where type in ('sales_issue', 'consumption', 'production_issue', 'customer_return')
group by item_id, warehouse_id, day order by item_id, warehouse_id, day
on conflict (organization_id, item_id, warehouse_id, day) do update
  set issued = demand_day.issued + excluded.issued,
      returned = demand_day.returned + excluded.returned
"""
_SHORTAGES = """
with chosen as ({chosen}),
days as (
  select s.item_id, s.warehouse_id, s.occurred_on as day, sum(s.quantity) as quantity
  from chosen c
  join shortage s on s.organization_id = $1 and s.batch_id = c.id
  group by s.item_id, s.warehouse_id, s.occurred_on
),
seen as (
  insert into demand_series (organization_id, item_id, warehouse_id, first_on)
  select $1, item_id, warehouse_id, min(day) from days
  group by item_id, warehouse_id order by item_id, warehouse_id
  on conflict (organization_id, item_id, warehouse_id) do update
    set first_on = excluded.first_on where excluded.first_on < demand_series.first_on
)
insert into demand_day (organization_id, item_id, warehouse_id, day, shortage)
select $1, item_id, warehouse_id, day, quantity from days order by item_id, warehouse_id, day
on conflict (organization_id, item_id, warehouse_id, day) do update
  set shortage = demand_day.shortage + excluded.shortage
"""
_THESE = "select unnest($2::uuid[]) as id"
# Exactly what the consumer has counted so far: the events up to its bookmark.
_COUNTED = """
select e.subject_id as id from event e
where e.organization_id = $1 and e.type = $2 and (e.tx_order, e.seq) <= ($3, $4)
"""


async def add_documents(tx: Tx, document_ids: Sequence[UUID]) -> None:
    """Add the demand of posted documents to their days, in one statement."""
    await tx.execute(_ENDS.format(chosen=_THESE), tx.organization_id, list(document_ids))


async def add_shortages(tx: Tx, batch_ids: Sequence[UUID]) -> None:
    """Add batches of shortages to their days, in one statement."""
    await tx.execute(_SHORTAGES.format(chosen=_THESE), tx.organization_id, list(batch_ids))


async def rebuild(tx: Tx, consumer: str, posted: str, recorded: str) -> None:
    """Make history again from the ledger, as far as the consumer has read; it waits meanwhile."""
    bookmark = await tx.fetchrow(
        """
        select tx_order, seq from event_consumer where organization_id = $1 and name = $2
        for update
        """,
        tx.organization_id,
        consumer,
    )
    await tx.execute("delete from demand_day where organization_id = $1", tx.organization_id)
    await tx.execute("delete from demand_series where organization_id = $1", tx.organization_id)
    if bookmark is None:
        return
    place = (bookmark["tx_order"], bookmark["seq"])
    await tx.execute(_ENDS.format(chosen=_COUNTED), tx.organization_id, posted, *place)
    await tx.execute(_SHORTAGES.format(chosen=_COUNTED), tx.organization_id, recorded, *place)


# A range of the primary key a series: "offset 0" keeps the planner from joining the whole table.
_CELLS = """
select ((s.n - 1) * {days} + (d.day - $4::date))::int4, greatest(d.issued + d.shortage, 0)::float8
from unnest($2::uuid[], $3::uuid[]) with ordinality as s(item_id, warehouse_id, n)
cross join lateral (
  select day, issued, shortage from demand_day
  where organization_id = $1 and item_id = s.item_id and warehouse_id = s.warehouse_id
    and day >= $4 and day < $4::date + {days}
  offset 0
) d
"""


async def copy_cells(
    tx: Tx, pairs: Sequence[tuple[UUID, UUID]], first_day: date, days: int
) -> bytearray:
    """Demand as PostgreSQL's binary COPY: per row (series x days + day) int4, quantity float8.

    Many times faster than rows: nothing becomes a Python object.
    """
    out = bytearray()

    async def keep(data: bytes) -> None:
        out.extend(data)

    items, warehouses = zip(*pairs, strict=True)
    await tx.driver.copy_from_query(
        _CELLS.format(days=int(days)),
        tx.organization_id,
        list(items),
        list(warehouses),
        first_day,
        output=keep,
        format="binary",
    )
    return out


async def first_days(tx: Tx, pairs: Sequence[tuple[UUID, UUID]]) -> list[date | None]:
    """Since when each item-location is known, in the order asked."""
    items, warehouses = zip(*pairs, strict=True)
    rows = await tx.fetch(
        """
        select d.first_on
        from unnest($2::uuid[], $3::uuid[]) with ordinality as s(item_id, warehouse_id, n)
        left join demand_series d on d.organization_id = $1 and d.item_id = s.item_id
          and d.warehouse_id = s.warehouse_id
        order by s.n
        """,
        tx.organization_id,
        items,
        warehouses,
    )
    return [row["first_on"] for row in rows]


async def days_of(
    tx: Tx, item_id: UUID, warehouse_id: UUID, first_day: date, last_day: date
) -> list[asyncpg.Record]:
    """The recorded days of one item-location."""
    return await tx.fetch(
        """
        select day, issued, returned, shortage from demand_day
        where organization_id = $1 and item_id = $2 and warehouse_id = $3
          and day between $4 and $5
        order by day
        """,
        tx.organization_id,
        item_id,
        warehouse_id,
        first_day,
        last_day,
    )


async def planned(
    tx: Tx, pairs: Sequence[tuple[UUID, UUID]], first_day: date, days: int
) -> list[asyncpg.Record]:
    """Planned days as (series, day, mode, quantity), both counted from 0."""
    items, warehouses = zip(*pairs, strict=True)
    return await tx.fetch(
        """
        select (s.n - 1)::int as series, (p.day - $4::date)::int as day, p.mode,
               p.quantity::float8 as quantity
        from unnest($2::uuid[], $3::uuid[]) with ordinality as s(item_id, warehouse_id, n)
        join sales_plan p on p.organization_id = $1 and p.item_id = s.item_id
         and p.warehouse_id = s.warehouse_id and p.day >= $4 and p.day < $4::date + $5::int
        order by s.n, p.day, p.kind
        """,
        tx.organization_id,
        items,
        warehouses,
        first_day,
        days,
    )


async def write_plans(tx: Tx, rows: Sequence[tuple[object, ...]]) -> int:
    """Write (item, warehouse, day, kind, quantity, mode, source) rows; gives how many changed."""
    if not rows:
        return 0
    changed = await tx.fetchval(
        """
        with written as (
          insert into sales_plan as p (organization_id, item_id, warehouse_id, day, kind, quantity,
                                       mode, source, updated_at)
          select $1, r.*, $2
          from unnest($3::uuid[], $4::uuid[], $5::date[], $6::text[], $7::numeric[], $8::text[],
                      $9::text[]) as r(item_id, warehouse_id, day, kind, quantity, mode, source)
          order by r.item_id, r.warehouse_id, r.day, r.kind
          on conflict (organization_id, item_id, warehouse_id, day, kind) do update
            set quantity = excluded.quantity, mode = excluded.mode, source = excluded.source,
                updated_at = excluded.updated_at
            where (p.quantity, p.mode, p.source)
                  is distinct from (excluded.quantity, excluded.mode, excluded.source)
          returning 1
        )
        select count(*) from written
        """,
        tx.organization_id,
        tx.now,
        *zip(*rows, strict=True),
    )
    return int(changed)


async def delete_plans(tx: Tx, keys: Sequence[tuple[object, ...]]) -> int:
    """Delete planned days by (item, warehouse, day, kind); gives how many there were."""
    if not keys:
        return 0
    deleted = await tx.fetchval(
        """
        with gone as (
          delete from sales_plan p
          using unnest($2::uuid[], $3::uuid[], $4::date[], $5::text[])
                as k(item_id, warehouse_id, day, kind)
          where p.organization_id = $1 and p.item_id = k.item_id
            and p.warehouse_id = k.warehouse_id and p.day = k.day and p.kind = k.kind
          returning 1
        )
        select count(*) from gone
        """,
        tx.organization_id,
        *zip(*keys, strict=True),
    )
    return int(deleted)


async def delete_range(
    tx: Tx, wanted: SalesPlanRange, item_id: UUID | None, warehouse_id: UUID | None
) -> int:
    """Delete the planned days of a range; gives how many there were."""
    deleted = await tx.fetchval(
        """
        with gone as (
          delete from sales_plan
          where organization_id = $1 and day between $2 and $3
            and ($4::uuid is null or item_id = $4) and ($5::uuid is null or warehouse_id = $5)
            and ($6::text is null or kind = $6) and ($7::text is null or source = $7)
          returning 1
        )
        select count(*) from gone
        """,
        tx.organization_id,
        wanted.from_on,
        wanted.to_on,
        item_id,
        warehouse_id,
        wanted.kind,
        wanted.source,
    )
    return int(deleted)


async def list_plans(
    tx: Tx, wanted: SalesPlanFilter, item_id: UUID | None, warehouse_id: UUID | None
) -> PageOf:
    """Planned days with their item and warehouse, by day."""
    plan = SalesPlan
    statement = (
        select(plan, Item, Warehouse)
        .join(Item, (Item.organization_id == tx.organization_id) & (Item.id == plan.item_id))
        .join(
            Warehouse,
            (Warehouse.organization_id == tx.organization_id) & (Warehouse.id == plan.warehouse_id),
        )
        .where(plan.organization_id == tx.organization_id)
    )
    for column, value in (
        (plan.item_id, item_id),
        (plan.warehouse_id, warehouse_id),
        (plan.kind, wanted.kind),
    ):
        if value is not None:
            statement = statement.where(column == value)
    if wanted.from_on is not None:
        statement = statement.where(plan.day >= wanted.from_on)
    if wanted.to_on is not None:
        statement = statement.where(plan.day <= wanted.to_on)
    order = [
        (plan.day, False),
        (plan.item_id, False),
        (plan.warehouse_id, False),
        (plan.kind, False),
    ]
    return await pages.page(tx, statement, wanted, order)
