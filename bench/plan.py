"""A plan of 10,000 item-locations with a year of days, made by the job a caller would start.

`python -m bench.plan [item-locations]`. The peers (performance.md of the design) are the plain
reorder runs of Odoo (154 s) and Tryton (82 s) over 10,000 rules, measured elsewhere on the same
kind of machine: named for size only, the ratios printed here are of this run alone.
"""

import asyncio
import resource
import sys
import time
from typing import Any
from uuid import UUID

import httpx

from bench.data import stocked_items
from bench.harness import Bench, bench_database, owner, show
from bench.sql import ITEM
from scm_api.app import create_app
from scm_api.core import jobs
from scm_api.warehouses import service as warehouses
from scm_api.warehouses.schemas import WarehouseCreate

DAYS = 365
# Demand of an item-location-day: a Poisson-like count on the share of days the item sells at all,
# the same each run.
_DEMAND = f"""
insert into demand_day (organization_id, item_id, warehouse_id, day, issued)
select $1, {ITEM.format(n="n")}, w, current_date - d, 1 + (hashint8(n * 1000 + d) & 7)
from generate_series(0, $2::int - 1) n, unnest($3::uuid[]) w, generate_series(1, {DAYS}) d
where (hashint8(n * 7919 + d) & 15) < 1 + (n & 15)
"""


async def _master_data(bench: Bench, items: int) -> list[UUID]:
    places = await stocked_items(bench, items)
    runtime = bench.runtime
    async with runtime.database.transaction(bench.principal, now=runtime.clock()) as tx:
        second = await warehouses.create(tx, WarehouseCreate(code="WH-2", name="Second"))
        await tx.execute("commit")
    connection = await owner(bench)
    await connection.execute(
        """
        insert into supplier (organization_id, id, code, name, currency, lead_time_days)
        select $1, gen_random_uuid(), 'S-' || n, 'Supplier ' || n, 'CNY', 5 + n
        from generate_series(1, 20) n
        """,
        bench.organization_id,
    )
    await connection.execute(
        """
        insert into supplier_item (organization_id, id, supplier_id, item_id, lead_time_days,
                                   minimum_quantity, order_multiple)
        select $1, gen_random_uuid(), s.id, i.id, 5 + (hashtext(i.sku) & 15), 12, 6
        from item i
        join supplier s on s.organization_id = $1
                       and s.code = 'S-' || 1 + (hashtext(i.sku) & 15)
        where i.organization_id = $1
        """,
        bench.organization_id,
    )
    await connection.execute(
        """
        insert into supplier_price (organization_id, id, supplier_item_id, minimum_quantity,
                                    unit_price, currency, valid_from)
        select $1, gen_random_uuid(), id, 0, 10, 'CNY', date '2020-01-01' from supplier_item
        where organization_id = $1
        """,
        bench.organization_id,
    )
    await connection.execute(
        """
        insert into stock_position (organization_id, item_id, warehouse_id, updated_at)
        select $1, i.id, $2, now() from item i where i.organization_id = $1
        """,
        bench.organization_id,
        second.id,
    )
    both = [places.warehouse, second.id]
    await connection.execute(_DEMAND, bench.organization_id, items, both)
    await connection.execute("vacuum analyze")
    await connection.close()
    return both


async def measure(item_locations: int = 10_000) -> dict[str, Any]:
    """Seconds of the whole job and of its phases, and the peak memory of the process."""
    async with bench_database() as bench:
        await _master_data(bench, item_locations // 2)
        base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        transport = httpx.ASGITransport(create_app(bench.runtime))
        headers = {"Authorization": f"Bearer {bench.token}"}
        async with httpx.AsyncClient(
            transport=transport, base_url="http://bench", headers=headers
        ) as client:
            runs = []
            for _ in range(2):
                accepted = await client.post("/v1/replenishment/plans", json={})
                accepted.raise_for_status()
                job = accepted.json()
                start = time.perf_counter()
                await jobs.run(bench.runtime, bench.organization_id, UUID(job["id"]))
                seconds = time.perf_counter() - start
                done = (await client.get(f"/v1/jobs/{job['id']}")).json()
                if done["status"] != "succeeded":
                    raise RuntimeError(str(done["error"]))
                plan = (await client.get(accepted.headers["location"])).json()
                if "links" in job and "plan" in job["links"]:
                    plan = (await client.get(job["links"]["plan"])).json()
                runs.append({"seconds": seconds, "timings": plan.get("timings")})
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "item_locations": item_locations,
        "days": DAYS,
        "runs": runs,
        "summary": plan["summary"],
        "memory_mb": {"before": base, "peak": peak},
    }


def table(result: dict[str, Any]) -> None:
    """Print the phases of both runs: the first opens all suggestions, the second finds them."""
    phases = list(result["runs"][0]["timings"])
    rows = [
        [label, f"{run['seconds']:.1f}", *(f"{float(run['timings'][name]):.2f}" for name in phases)]
        for label, run in zip(("first", "again"), result["runs"], strict=True)
    ]
    memory = result["memory_mb"]
    title = (
        f"Plan of {result['item_locations']:,} item-locations x {DAYS} days; memory "
        f"{memory['before']:.0f} -> {memory['peak']:.0f} MB"
    )
    show(title, ["run", "seconds", *phases], rows)


if __name__ == "__main__":
    table(asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)))
