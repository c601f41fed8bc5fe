"""A large catalogue written straight into the tables, where HTTP would take minutes."""

from datetime import timedelta

import numpy as np

from scm_api.core.ids import uuid7
from tests.replenishment.company import Company

_ITEMS = """
insert into item (organization_id, id, sku, sku_key, name, base_unit)
select $1, r.id, r.sku, lower(r.sku), r.sku, 'EA' from unnest($2::uuid[], $3::text[]) as r(id, sku)
"""
_SOURCES = """
with source as (
  insert into supplier_item (organization_id, id, supplier_id, item_id, priority, minimum_quantity,
                             order_multiple)
  select $1, gen_random_uuid(), u.id, i.id, 1, 12, 6
  from item i, supplier u where i.organization_id = $1 and u.organization_id = $1
  returning id
)
insert into supplier_price (organization_id, id, supplier_item_id, minimum_quantity, unit_price,
                            currency, valid_from)
select $1, gen_random_uuid(), id, 0, 10, 'CNY', '2020-01-01' from source
"""
_POSITIONS = """
insert into stock_position (organization_id, item_id, warehouse_id, on_hand, unrestricted, value,
                            last_unit_cost, updated_at)
select $1, i.id, w.id, 20, 20, 200, 10, now()
from item i, warehouse w where i.organization_id = $1 and w.organization_id = $1
"""
_SERIES = """
insert into demand_series (organization_id, item_id, warehouse_id, first_on)
select $1, i.id, w.id, $2 from item i, warehouse w
where i.organization_id = $1 and w.organization_id = $1
"""
_DAYS = """
insert into demand_day (organization_id, item_id, warehouse_id, day, issued)
select $1, r.item_id, w.id, $2::date + r.day, r.quantity
from unnest($3::uuid[], $4::int[], $5::int[]) as r(item_id, day, quantity)
join warehouse w on w.organization_id = $1
"""


async def fill(company: Company, items: int, days: int) -> None:
    """Items with one source each and `days` days of demand: smooth, slow and intermittent."""
    random = np.random.default_rng(7)
    api = company.api
    await company.supplier("S-1", 7)
    first = company.today - timedelta(days=days)
    names = [uuid7() for _ in range(items)]
    rates = random.gamma(0.8, 4.0, items)
    async with api.runtime.database.transaction(api.principal(), now=api.runtime.clock()) as tx:
        await tx.execute("set local statement_timeout = 0")
        skus = [f"X{n:05}" for n in range(items)]
        await tx.execute(_ITEMS, api.organization_id, names, skus)
        for sql in (_SOURCES, _POSITIONS):
            await tx.execute(sql, api.organization_id)
        await tx.execute(_SERIES, api.organization_id, first)
        for begin in range(0, items, 500):
            part = names[begin : begin + 500]
            demand = random.poisson(rates[begin : begin + 500, None], (len(part), days))
            rows, columns = np.nonzero(demand)
            await tx.execute(
                _DAYS,
                api.organization_id,
                first,
                [part[n] for n in rows],
                columns.tolist(),
                demand[rows, columns].tolist(),
            )
        await tx.driver.execute("commit")
