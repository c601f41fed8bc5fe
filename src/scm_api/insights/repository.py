"""Runs the SQL of key figures: one statement each, from the ledger, shortages and receipts."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import asyncpg

from scm_api.core.tx import Tx
from scm_api.insights.ground import GROUND, Statement


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
        {GROUND}{statement.cells},
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
        # A transfer is seen from both its ends, of which only one may be the caller's.
        tx.principal.limits.warehouses,
    )


async def organization(tx: Tx) -> asyncpg.Record:
    """The organization's currency and time zone."""
    row = await tx.fetchrow(
        "select base_currency, time_zone from organization where id = $1", tx.organization_id
    )
    assert row is not None
    return row
