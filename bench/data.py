"""The data of the benchmarks, loaded past the API where no caller could load it as fast."""

from dataclasses import dataclass
from uuid import UUID

from bench.harness import Bench, owner
from bench.sql import ITEM


@dataclass(frozen=True)
class Places:
    """Where the benchmark's stock is and where it goes."""

    warehouse: UUID
    place: UUID
    customer: UUID


def item_id(number: int) -> str:
    """The id of a benchmark item."""
    return f"00000000-0000-7000-8000-{number:012x}"


async def stocked_items(bench: Bench, count: int) -> Places:
    """`count` items, each with a million units in one warehouse, put there by the ledger itself."""
    from scm_api.warehouses import service as warehouses
    from scm_api.warehouses.schemas import WarehouseCreate

    runtime = bench.runtime
    async with runtime.database.transaction(bench.principal, now=runtime.clock()) as tx:
        warehouse = await warehouses.create(tx, WarehouseCreate(code="WH-1", name="Main"))
        place = await tx.fetchval(
            "select id from location where warehouse_id = $1 and is_default", warehouse.id
        )
        customer = await tx.fetchval("select id from location where kind = 'customer'")
        opening = await tx.fetchval("select id from location where kind = 'opening'")
        await tx.execute("commit")
    connection = await owner(bench)
    await connection.execute(
        f"""
        insert into item (organization_id, id, sku, sku_key, name, base_unit)
        select $1, {ITEM.format(n="n")}, 'SKU-' || n, 'sku-' || n, 'Item ' || n, 'EA'
        from generate_series(0, $2::int - 1) n
        """,
        bench.organization_id,
        count,
    )
    for first in range(0, count, 1000):
        await connection.execute(
            f"""
            select count(*) from (select array_agg({ITEM.format(n="n")}) as ids, count(*)::int as c
              from generate_series($2::int, least($2 + 1000, $6) - 1) n) i, stock_post(
              $1, gen_random_uuid(), 'opening', null, '', null, null, null, null, now(), now(), $1,
              i.ids, array_fill(null::uuid, array[i.c]), array_fill(1000000::numeric, array[i.c]),
              array_fill($5::uuid, array[i.c]), array_fill(null::uuid, array[i.c]),
              array_fill('unrestricted'::text, array[i.c]), array_fill(false, array[i.c]),
              array_fill($3::uuid, array[i.c]), array_fill($4::uuid, array[i.c]),
              array_fill('unrestricted'::text, array[i.c]), array_fill(false, array[i.c]),
              array_fill(false, array[i.c]), array_fill(false, array[i.c]),
              array_fill(10::numeric, array[i.c]),
              array_fill(null::numeric, array[i.c]), array_fill(null::numeric, array[i.c]))
            """,
            bench.organization_id,
            first,
            place,
            warehouse.id,
            opening,
            count,
        )
    await connection.execute("vacuum analyze")
    await connection.close()
    return Places(warehouse.id, place, customer)
