"""All SQL that writes what a plan decided: lines, suggestions, and the plan's own result."""

from datetime import date
from typing import Any
from uuid import UUID

from pydantic_core import to_json

from scm_api.core.ids import uuid7
from scm_api.core.tx import Tx

LINE_COLUMNS = (
    ("item_id", "uuid"),
    ("warehouse_id", "uuid"),
    ("outcome", "text"),
    ("supplier_id", "uuid"),
    ("quantity", "float8"),
    ("value", "float8"),
    ("currency", "text"),
    ("on_hand", "float8"),
    ("reserved", "float8"),
    ("on_order", "float8"),
    ("position", "float8"),
    ("daily_demand", "float8"),
    ("safety_stock", "float8"),
    ("reorder_point", "float8"),
    ("order_up_to", "float8"),
    ("previous_reorder_point", "float8"),
    ("demand_class", "text"),
    ("abc", "text"),
    ("xyz", "text"),
    ("order_on", "date"),
    ("needed_on", "date"),
    ("stockout_on", "date"),
    ("recipe", "text"),
)
_LINE_NAMES = ", ".join(f'"{name}"' for name, _ in LINE_COLUMNS)
_CASTS = {"float8": "::numeric", "text": "", "uuid": "", "date": ""}
_LINE_VALUES = ", ".join(
    f'r."{name}"' + ("::jsonb" if name == "recipe" else _CASTS[kind]) for name, kind in LINE_COLUMNS
)
_WRITE_LINES = f"""
insert into replenishment_plan_line (organization_id, plan_id, {_LINE_NAMES})
select $1, $2, {_LINE_VALUES}
from unnest({", ".join(f"${n}::{kind}[]" for n, (_, kind) in enumerate(LINE_COLUMNS, 3))})
     as r({_LINE_NAMES})
"""


async def write_lines(tx: Tx, plan_id: UUID, columns: dict[str, list[Any]]) -> None:
    """Insert lines given as columns (`LINE_COLUMNS`), in one statement."""
    ordered = [columns[name] for name, _ in LINE_COLUMNS]
    await tx.execute(_WRITE_LINES, tx.organization_id, plan_id, *ordered)


_WRITE_SUGGESTIONS = """
with considered as (
  select * from unnest($3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], $7::float8[], $8::float8[],
                       $9::text[], $10::date[], $11::date[], $12::date[], $13::text[])
    as r(id, item_id, warehouse_id, supplier_id, quantity, unit_price, currency, needed_on,
         stockout_on, arrives_on, recipe)
),
wanted as (
  select * from considered c
  -- Dismissed with a pause while the plan was computed.
  where not exists (
    select from replenishment_suggestion s
    where s.organization_id = $1 and s.item_id = c.item_id and s.warehouse_id = c.warehouse_id
      and s.status = 'dismissed' and s.paused_until >= $14)
),
before as (
  select s.item_id, s.warehouse_id, s.quantity, s.supplier_id
  from wanted w
  join replenishment_suggestion s on s.organization_id = $1 and s.item_id = w.item_id
   and s.warehouse_id = w.warehouse_id and s.status = 'open'
),
written as (
  insert into replenishment_suggestion as s (
    organization_id, id, item_id, warehouse_id, supplier_id, plan_id, quantity, unit_price,
    currency, order_on, needed_on, stockout_on, arrives_on, recipe, created_at, updated_at)
  select $1, id, item_id, warehouse_id, supplier_id, $2, quantity::numeric, unit_price::numeric,
         currency, $14, needed_on, stockout_on, arrives_on, recipe::jsonb, $15, $15
  from wanted order by item_id, warehouse_id
  on conflict (organization_id, item_id, warehouse_id) where status in ('open', 'accepted')
  do update set
    plan_id = excluded.plan_id, unit_price = excluded.unit_price, currency = excluded.currency,
    order_on = excluded.order_on, needed_on = excluded.needed_on,
    stockout_on = excluded.stockout_on, arrives_on = excluded.arrives_on,
    recipe = excluded.recipe, quantity = excluded.quantity, supplier_id = excluded.supplier_id,
    version = s.version + ((s.quantity, s.supplier_id)
                           is distinct from (excluded.quantity, excluded.supplier_id))::int,
    updated_at = case when (s.quantity, s.supplier_id)
                           is distinct from (excluded.quantity, excluded.supplier_id)
                 then excluded.updated_at else s.updated_at end
    where s.status = 'open'
  returning s.item_id, s.warehouse_id, s.quantity, s.supplier_id
)
select count(*) filter (where b.item_id is null) as opened,
       count(*) filter (where b.item_id is not null
         and (b.quantity, b.supplier_id) is distinct from (w.quantity, w.supplier_id)) as changed,
       count(*) filter (where (b.quantity, b.supplier_id)
         is not distinct from (w.quantity, w.supplier_id)) as unchanged
from written w left join before b using (item_id, warehouse_id)
"""


async def write_suggestions(
    tx: Tx, plan_id: UUID, as_of: date, columns: dict[str, list[Any]]
) -> dict[str, int]:
    """Open suggestions, or bring the open ones up to date; gives how many were which."""
    names = (
        "item_id",
        "warehouse_id",
        "supplier_id",
        "quantity",
        "unit_price",
        "currency",
        "needed_on",
        "stockout_on",
        "arrives_on",
        "recipe",
    )
    row = await tx.fetchrow(
        _WRITE_SUGGESTIONS,
        tx.organization_id,
        plan_id,
        [uuid7() for _ in columns["item_id"]],
        *(columns[name] for name in names),
        as_of,
        tx.now,
    )
    assert row is not None
    return dict(row)


async def expire_others(tx: Tx, plan_id: UUID, *, is_everything: bool) -> int:
    """Withdraw open suggestions that this plan considered and did not make again."""
    gone = await tx.fetchval(
        """
        with others as (
          select s.id from replenishment_suggestion s
          where s.organization_id = $1 and s.status = 'open' and s.plan_id <> $2
            and ($3 or exists (
              select from replenishment_plan_line l
              where l.organization_id = $1 and l.plan_id = $2 and l.item_id = s.item_id
                and l.warehouse_id = s.warehouse_id))
          order by s.item_id, s.warehouse_id, s.id for update
        ),
        gone as (
          update replenishment_suggestion s
          set status = 'expired', version = version + 1, updated_at = $4, decided_at = $4
          from others o where s.organization_id = $1 and s.id = o.id
          returning 1
        )
        select count(*) from gone
        """,
        tx.organization_id,
        plan_id,
        is_everything,
        tx.now,
    )
    return int(gone)


async def finish_plan(
    tx: Tx,
    plan_id: UUID,
    completed_at: Any,
    summary: dict[str, Any],
    timings: dict[str, Any],
    input_hash: str,
    result_hash: str,
) -> None:
    await tx.execute(
        """
        update replenishment_plan
        set status = 'succeeded', error = null, completed_at = $3,
            summary = $4::text::jsonb, timings = $5::text::jsonb,
            input_hash = $6, result_hash = $7
        where organization_id = $1 and id = $2
        """,
        tx.organization_id,
        plan_id,
        completed_at,
        to_json(summary).decode(),
        to_json(timings).decode(),
        input_hash,
        result_hash,
    )


async def end_plan(tx: Tx, plan_id: UUID, status: str, error: dict[str, Any] | None) -> None:
    """Keep with the plan that it failed or was canceled, and why."""
    await tx.execute(
        """
        update replenishment_plan set status = $3, error = $4::text::jsonb
        where organization_id = $1 and id = $2
        """,
        tx.organization_id,
        plan_id,
        status,
        None if error is None else to_json(error).decode(),
    )


async def forget_lines(tx: Tx, before: Any) -> None:
    """Delete the lines of plans made before a time; plans and suggestions stay."""
    await tx.execute(
        """
        delete from replenishment_plan_line
        where organization_id = $1 and plan_id in (
          select id from replenishment_plan where organization_id = $1 and created_at < $2)
        """,
        tx.organization_id,
        before,
    )
