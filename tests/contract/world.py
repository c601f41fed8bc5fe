"""The example world: the company that every example of the OpenAPI document speaks of.

Built once over HTTP; tests that change it work on a copy in an organization of their own.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import httpx

from scm_api.alerts import service as alerts
from scm_api.core.db import Base
from scm_api.core.runtime import Runtime
from tests.contract import world_access, world_organizations, world_trail
from tests.support import Client, new_client

JOB = UUID("01900000-0000-7000-8000-000000000001")
PLAN = SUGGESTION = JOB
SHUTDOWN = UUID("019ab0c2-d0a0-7000-b0c1-a2b3c4d5e6f7")
HISTORY_DAYS = 365


async def build(runtime: Runtime, http: httpx.AsyncClient, mark: str = "") -> Client:
    """A new organization with the example world in it; `mark` stands in every name."""
    api = await new_client(runtime, http, is_sandbox=True)
    await _master_data(api, mark)
    await _sourcing(api, mark)
    await _stock(api)
    await _orders(api)
    await _background(api)
    await _plan(api)
    await _alerts(api)
    await world_access.build(api)
    await world_organizations.build(api)
    await world_trail.build(api)
    return api


async def _master_data(api: Client, mark: str) -> None:
    for code, name in (("WH-1", "Shanghai"), ("WH-2", "Chengdu")):
        await api.ok("POST", "/v1/warehouses", json={"code": code, "name": f"{name}{mark}"})
    await api.ok("POST", "/v1/categories", json={"code": "CAT-1", "name": f"Bearings{mark}"})
    bearing = {
        "category": {"code": "CAT-1"},
        "units": [{"unit": "BOX", "numerator": 12}],
        "barcodes": [{"gtin": "06901234567892"}],
        "external_references": [{"system": "erp", "reference": "4711"}],
    }
    for sku, more in (("SKU-1001", bearing), ("SKU-1002", {}), ("SKU-1003", {})):
        body = {"sku": sku, "name": f"Part {sku[-1]}{mark}", "base_unit": "EA", **more}
        await api.ok("POST", "/v1/items", json=body)


async def _sourcing(api: Client, mark: str) -> None:
    for code, days in (("S-01", 14), ("S-02", 7)):
        body = {"code": code, "name": f"Supplier {code}{mark}", "lead_time_days": days}
        await api.ok("POST", "/v1/suppliers", json=body)
    terms: dict[str, Any] = {
        "priority": 1,
        "minimum_quantity": "10",
        "order_multiple": "1",
        "prices": [
            {"minimum_quantity": "0", "unit_price": "4.50"},
            {"minimum_quantity": "500", "unit_price": "4.10"},
        ],
    }
    for supplier, sku, more in (
        ("S-01", "SKU-1001", {}),
        ("S-01", "SKU-1002", {}),
        ("S-02", "SKU-1001", {"priority": 2}),
    ):
        path = f"/v1/suppliers/code={supplier}/items/sku={sku}"
        await api.ok("PUT", path, json={**terms, **more})


async def _stock(api: Client) -> None:
    def line(sku: str) -> dict[str, Any]:
        place = {"item": {"sku": sku}, "warehouse": {"code": "WH-1"}}
        return {**place, "quantity": "100", "unit_cost": "4.50"}

    body = {
        "type": "opening",
        "external_ref": "OPENING-1",
        "lines": [line("SKU-1001"), line("SKU-1002")],
    }
    await api.ok("POST", "/v1/stock-movements", json=body)


async def _orders(api: Client) -> None:
    """PO-000001 issued, 2 draft, 3 approved, 4 received in part, 5 on hold, 6 given up."""
    for _ in range(6):
        line = {"item": {"sku": "SKU-1001"}, "quantity": "50"}
        head = {"supplier": {"code": "S-01"}, "warehouse": {"code": "WH-1"}}
        body = {**head, "need_by": "2030-03-01", "lines": [line]}
        await api.ok("POST", "/v1/purchase-orders", json=body)
    for number in (1, 3, 4, 5, 6):
        path = f"/v1/purchase-orders/number=PO-{number:06d}"
        await act(api, path, "approve")
        if number != 3:
            await act(api, path, "issue")
    await act(api, path, "short-close", {"reason": "The supplier has no more"})
    await act(api, "/v1/purchase-orders/number=PO-000005", "hold", {"reason": "Price in doubt"})
    arrived = {"order": {"number": "PO-000004"}, "lines": [{"line_no": 1, "quantity": "20"}]}
    await api.ok("POST", "/v1/receipts", json=arrived)


async def act(api: Client, path: str, action: str, body: Any = None) -> Any:
    """Take an action on a document at the version it has now."""
    read = await api.get(path)
    headers = {"If-Match": read.headers["etag"]}
    return await api.ok("POST", f"{path}/{action}", json=body or {}, headers=headers)


async def _background(api: Client) -> None:
    """What examples name by fixed ids, and a year of daily demand on SKU-1001 in WH-1."""
    runtime = api.runtime
    now = runtime.clock()
    async with runtime.database.transaction(api.principal(), now=now) as tx:
        await tx.execute(
            """
            insert into job (organization_id, id, kind, params, principal, created_at, expires_at)
            values ($1, $2, 'example', '{}', '{}', $3, $4)
            """,
            tx.organization_id,
            JOB,
            now,
            now + timedelta(days=30),
        )
        await tx.execute(
            """
            insert into supplier_shutdown (organization_id, id, supplier_id, starts_on, ends_on)
            select $1, $2, id, '2030-02-01', '2030-02-10' from supplier
            where organization_id = $1 and code = 'S-01'
            """,
            tx.organization_id,
            SHUTDOWN,
        )
        await tx.execute(
            """
            with place as (
              select i.id as item_id, w.id as warehouse_id from item i, warehouse w
              where i.organization_id = $1 and w.organization_id = $1
                and i.sku = 'SKU-1001' and w.code = 'WH-1'
            ), series as (
              insert into demand_series (organization_id, item_id, warehouse_id, first_on)
              select $1, item_id, warehouse_id, $2::date from place
              on conflict (organization_id, item_id, warehouse_id)
                do update set first_on = excluded.first_on
            )
            insert into demand_day (organization_id, item_id, warehouse_id, day, issued)
            select $1, item_id, warehouse_id, $2::date + n, 30 + (n * 7) % 5
            from place, generate_series(0, $3) n
            on conflict do nothing
            """,
            tx.organization_id,
            now.date() - timedelta(days=HISTORY_DAYS),
            HISTORY_DAYS - 1,
        )
        await tx.driver.execute("commit")


async def _plan(api: Client) -> None:
    """One finished plan; it and its suggestion for SKU-1001 get the ids that examples name."""
    started = await api.post("/v1/replenishment/plans", {"warehouses": [{"code": "WH-1"}]})
    await api.run_job(started)
    async with api.runtime.database.transaction(api.principal(), now=api.runtime.clock()) as tx:
        organization, made = tx.organization_id, UUID(started.json()["plan_id"])
        await tx.execute(
            """
            insert into replenishment_plan
            select (jsonb_populate_record(p, jsonb_build_object('id', $3::uuid))).*
            from replenishment_plan p where organization_id = $1 and id = $2
            """,
            organization,
            made,
            PLAN,
        )
        for table in ("replenishment_plan_line", "replenishment_suggestion"):
            sql = f"update {table} set plan_id = $3 where organization_id = $1 and plan_id = $2"
            await tx.execute(sql, organization, made, PLAN)
        sql = "delete from replenishment_plan where organization_id = $1 and id = $2"
        await tx.execute(sql, organization, made)
        renamed = await tx.execute(
            """
            update replenishment_suggestion set id = $2
            where organization_id = $1 and item_id = (
              select id from item where organization_id = $1 and sku = 'SKU-1001')
            """,
            organization,
            SUGGESTION,
        )
        assert renamed == "UPDATE 1", "the plan suggests nothing for SKU-1001"
        await tx.driver.execute("commit")


async def _alerts(api: Client) -> None:
    """What all this calls for, AL-000001 and on."""
    async with api.runtime.database.transaction(api.principal(), now=api.runtime.clock()) as tx:
        stock, _ = await alerts.sweep(tx)
        assert stock.raised, "nothing in this world needs attention"
        await tx.driver.execute("commit")


_NOT_COPIED = {"organization", "idempotency_key"}
# What is unique beyond an organization.
_MADE_ANEW = {"api_key.public": "left(md5(random()::text), 16)"}


async def copy(admin: asyncpg.Connection, world: Client) -> Client:
    """The same world in an organization of its own: every row, with the same ids."""
    api = await new_client(world.runtime, world.http, duties="default", is_sandbox=True)
    for table in Base.metadata.sorted_tables:
        if "organization_id" not in table.c or table.name in _NOT_COPIED:
            continue
        names = [column.name for column in table.c if column.computed is None]
        values = [
            _MADE_ANEW.get(f"{table.name}.{name}")
            or ("$2" if name == "organization_id" else f'"{name}"')
            for name in names
        ]
        columns = ", ".join(f'"{name}"' for name in names)
        await admin.execute(
            f"insert into {table.name} ({columns}) overriding system value "
            f"select {', '.join(values)} from {table.name} where organization_id = $1",
            world.organization_id,
            api.organization_id,
        )
    return api


async def digest(admin: asyncpg.Connection, organization_id: UUID) -> dict[str, str]:
    """What each table holds of an organization, as one checksum a table; keys' use is left out."""
    tables = [
        table.name
        for table in Base.metadata.sorted_tables
        if "organization_id" in table.c and table.name != "api_key"
    ]
    parts = [
        f"select '{name}' as name, md5(coalesce(string_agg(t::text, e'\\n' order by t::text), ''))"
        f" as sum from {name} t where organization_id = $1"
        for name in tables
    ]
    parts.append(
        "select 'queue', count(*)::text from pgqueuer "
        "where position(convert_to($1::uuid::text, 'UTF8') in payload) > 0"
    )
    rows = await admin.fetch(" union all ".join(parts), organization_id)
    return {row["name"]: row["sum"] for row in rows}


async def second_key(world: Client, *permissions: str) -> Client:
    """Another key of the same organization, with these permissions only."""
    return await new_client(
        world.runtime, world.http, permissions=permissions, organization_id=world.organization_id
    )
