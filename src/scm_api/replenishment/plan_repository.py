"""All SQL of plans: what is planned, what is known about it, and what is written."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import asyncpg
from pydantic_core import to_json
from sqlalchemy import Select, case, func, select

from scm_api.core import pages
from scm_api.core.jobs import JobRow
from scm_api.core.pages import PageOf, PageParams
from scm_api.core.tx import Tx
from scm_api.items.models import Item
from scm_api.replenishment.models import ReplenishmentPlan, ReplenishmentPlanLine
from scm_api.replenishment.schemas import PlanFilter
from scm_api.suppliers.models import Supplier
from scm_api.warehouses.models import Warehouse

Pairs = Sequence[tuple[UUID, UUID]]


@dataclass(frozen=True)
class Scope:
    """Which item-locations a plan considers; None: all of them."""

    warehouse_ids: list[UUID] | None
    item_ids: list[UUID] | None
    category_ids: list[UUID] | None
    supplier_ids: list[UUID] | None

    @property
    def is_everything(self) -> bool:
        parts = (self.warehouse_ids, self.item_ids, self.category_ids, self.supplier_ids)
        return all(part is None for part in parts)


_PLACES = """
with recursive wanted_category as (
  select id from category where organization_id = $1 and id = any($5)
  union
  select c.id from category c join wanted_category w on c.parent_id = w.id
  where c.organization_id = $1
),
pair as (
  select item_id, warehouse_id from stock_position where organization_id = $1
  union select item_id, warehouse_id from demand_series where organization_id = $1
  union select item_id, warehouse_id from sales_plan where organization_id = $1 and day >= $2
  union select item_id, warehouse_id from replenishment_policy
        where organization_id = $1 and scope = 'item_warehouse' and effective_from <= $2
)
select p.item_id, p.warehouse_id, i.category_id, i.status,
       coalesce(s.unrestricted, 0)::float8 as on_hand,
       coalesce(s.reserved, 0)::float8 as reserved,
       coalesce(nullif(s.last_unit_cost, 0),
                case when s.on_hand > 0 then s.value / s.on_hand end, 0)::float8 as unit_cost,
       s.reorder_point::float8 as previous_reorder_point
from pair p
join item i on i.organization_id = $1 and i.id = p.item_id
join warehouse w on w.organization_id = $1 and w.id = p.warehouse_id and w.is_active
left join stock_position s on s.organization_id = $1 and s.item_id = p.item_id
 and s.warehouse_id = p.warehouse_id
where ($3::uuid[] is null or p.warehouse_id = any($3))
  and ($4::uuid[] is null or p.item_id = any($4))
  and ($5::uuid[] is null or i.category_id in (select id from wanted_category))
  and ($6::uuid[] is null or p.item_id in (
    select x.item_id from supplier_item x
    where x.organization_id = $1 and x.is_active and x.supplier_id = any($6)))
order by p.item_id, p.warehouse_id
"""


async def places(tx: Tx, scope: Scope, as_of: date) -> list[asyncpg.Record]:
    """All item-locations of the scope that hold stock, had demand, are planned or have a policy."""
    return await tx.fetch(
        _PLACES,
        tx.organization_id,
        as_of,
        scope.warehouse_ids,
        scope.item_ids,
        scope.category_ids,
        scope.supplier_ids,
    )


async def held_back(tx: Tx, as_of: date) -> dict[tuple[UUID, UUID], str]:
    """Item-locations whose suggestion waits for conversion, or was dismissed until a later day."""
    rows = await tx.fetch(
        """
        select item_id, warehouse_id, max(status) as status from replenishment_suggestion
        where organization_id = $1
          and (status = 'accepted' or (status = 'dismissed' and paused_until >= $2))
        group by item_id, warehouse_id, status
        """,
        tx.organization_id,
        as_of,
    )
    names = {"accepted": "accepted_waiting", "dismissed": "paused"}
    # Accepted last, so that it wins over an older dismissal.
    ordered = sorted(rows, key=lambda row: row["status"], reverse=True)
    return {(row["item_id"], row["warehouse_id"]): names[row["status"]] for row in ordered}


async def receipts(tx: Tx, pairs: Pairs, as_of: date, days: int) -> list[asyncpg.Record]:
    """What is on order as (series, day, quantity), overdue on day 0: expected supply, and orders
    that are drafted or approved but not yet expected, so that nothing is ordered twice."""
    items, warehouses = zip(*pairs, strict=True)
    return await tx.fetch(
        """
        with place as (
          select * from unnest($2::uuid[], $3::uuid[]) with ordinality
            as s(item_id, warehouse_id, n)
        ),
        supply as (
          select p.n, i.due_on, i.quantity
          from place p
          join inbound_supply i on i.organization_id = $1 and i.item_id = p.item_id
           and i.warehouse_id = p.warehouse_id
          where i.due_on < $4::date + $5::int
          union all
          select p.n, s.need_by, s.quantity
          from place p
          join purchase_order_line l on l.organization_id = $1 and l.item_id = p.item_id
           and l.warehouse_id = p.warehouse_id and not l.is_closed
          join purchase_order o on o.organization_id = $1 and o.id = l.order_id
           and o.status in ('draft', 'approved')
          join purchase_order_schedule s on s.organization_id = $1 and s.line_id = l.id
          where s.need_by < $4::date + $5::int
            and not exists (select from inbound_supply x
                            where x.organization_id = $1 and x.source_id = o.id)
        )
        select (n - 1)::int as series, greatest(due_on - $4::date, 0)::int as day,
               sum(quantity)::float8 as quantity
        from supply group by 1, 2 order by 1, 2
        """,
        tx.organization_id,
        items,
        warehouses,
        as_of,
        days,
    )


_LOCK = "hashtextextended('replenishment_plan/' || $1::text, 0)"


async def lock(tx: Tx) -> None:
    """Let no other plan and no conversion of the organization run until this transaction ends, and
    let this one take its time: the limits of a session are meant for requests.

    Like everything a plan does before it writes, this draws no transaction id: one that is drawn
    and held would keep the event feed of all organizations waiting.
    """
    await tx.execute("set local statement_timeout = 0; set local lock_timeout = 0")
    await tx.execute(f"select pg_advisory_xact_lock({_LOCK})", str(tx.organization_id))


async def hold_off_plans(tx: Tx) -> bool:
    """Let no plan of the organization begin until this transaction ends; False while one runs or
    waits to."""
    held: bool = await tx.fetchval(
        f"select pg_try_advisory_xact_lock_shared({_LOCK})", str(tx.organization_id)
    )
    return held


async def insert_plan(
    tx: Tx, plan_id: UUID, job_id: UUID, as_of: date, request: dict[str, Any]
) -> None:
    await tx.execute(
        """
        insert into replenishment_plan (organization_id, id, job_id, as_of, request, created_at,
                                        created_by)
        values ($1, $2, $3, $4, $5::text::jsonb, $6, $7)
        """,
        tx.organization_id,
        plan_id,
        job_id,
        as_of,
        to_json(request).decode(),
        tx.now,
        tx.principal.name,
    )


# The job knows best; a plan whose job was forgotten before it began was canceled in the queue.
_STATUS = func.coalesce(
    JobRow.status,
    case(
        (ReplenishmentPlan.status == "queued", "canceled"),
        else_=ReplenishmentPlan.status,
    ),
)


def _plans(tx: Tx) -> Select[Any, Any, Any]:
    plan, org = ReplenishmentPlan, tx.organization_id
    return (
        select(plan, _STATUS, func.coalesce(JobRow.error, plan.error))
        .outerjoin(JobRow, (JobRow.organization_id == org) & (JobRow.id == plan.job_id))
        .where(plan.organization_id == org)
    )


async def find_plan(tx: Tx, plan_id: UUID) -> Any:
    """(plan, status, error), or None; status and error are those of its job while that is kept."""
    statement = _plans(tx).where(ReplenishmentPlan.id == plan_id)
    return (await tx.session.execute(statement)).one_or_none()


async def visible_jobs(tx: Tx, ids: Collection[UUID]) -> set[UUID]:
    """Which of these jobs the caller sees."""
    rows = await tx.fetch(
        "select id from job where organization_id = $1 and id = any($2)", tx.organization_id, ids
    )
    return {row["id"] for row in rows}


async def list_plans(tx: Tx, wanted: PlanFilter) -> PageOf:
    """Plans as `find_plan` gives them, newest first."""
    plan, statement = ReplenishmentPlan, _plans(tx)
    if wanted.status:
        statement = statement.where(_STATUS.in_(wanted.status))
    return await pages.page(tx, statement, wanted, [(plan.created_at, True), (plan.id, True)])


async def list_lines(
    tx: Tx,
    plan_id: UUID,
    wanted: PageParams,
    *,
    outcomes: Sequence[str],
    item_id: UUID | None,
    warehouse_id: UUID | None,
) -> PageOf:
    """The lines of a plan with their item, warehouse and supplier."""
    line, org = ReplenishmentPlanLine, tx.organization_id
    statement = (
        select(line, Item, Warehouse, Supplier)
        .join(Item, (Item.organization_id == org) & (Item.id == line.item_id))
        .join(Warehouse, (Warehouse.organization_id == org) & (Warehouse.id == line.warehouse_id))
        .outerjoin(Supplier, (Supplier.organization_id == org) & (Supplier.id == line.supplier_id))
        .where(line.organization_id == org, line.plan_id == plan_id)
    )
    for column, value in (
        (line.item_id, item_id),
        (line.warehouse_id, warehouse_id),
    ):
        if value is not None:
            statement = statement.where(column == value)
    if outcomes:
        statement = statement.where(line.outcome.in_(outcomes))
    return await pages.page(
        tx, statement, wanted, [(line.item_id, False), (line.warehouse_id, False)]
    )


async def latest_line(tx: Tx, item_id: UUID, warehouse_id: UUID) -> asyncpg.Record | None:
    """The line of the newest plan that considered an item-location."""
    return await tx.fetchrow(
        """
        select * from replenishment_plan_line
        where organization_id = $1 and item_id = $2 and warehouse_id = $3
        order by plan_id desc limit 1
        """,
        tx.organization_id,
        item_id,
        warehouse_id,
    )


async def today(tx: Tx) -> date:
    """The business day in the organization's time zone."""
    day: date = await tx.fetchval(
        "select ($2::timestamptz at time zone time_zone)::date from organization where id = $1",
        tx.organization_id,
        tx.now,
    )
    return day


async def base_currency(tx: Tx) -> str:
    """The currency of the organization's books."""
    currency: str = await tx.fetchval(
        "select base_currency from organization where id = $1", tx.organization_id
    )
    return currency


async def category_ids(tx: Tx, codes: Sequence[str]) -> dict[str, UUID]:
    """Categories by lower-case code."""
    rows = await tx.fetch(
        """
        select id, lower(code) as code from category
        where organization_id = $1 and lower(code) = any($2)
        """,
        tx.organization_id,
        [code.lower() for code in codes],
    )
    return {row["code"]: row["id"] for row in rows}
