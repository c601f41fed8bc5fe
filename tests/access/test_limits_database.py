"""What the database itself holds a confined principal to, and that nobody else pays for it."""

from collections.abc import AsyncIterator
from dataclasses import replace

import asyncpg
import httpx
import pytest
import pytest_asyncio

from scm_api.app import create_app
from scm_api.core.runtime import Runtime
from scm_api.core.self_check import Finding, self_check
from scm_api.process import Urls, make_runtime
from scm_api.settings import Settings
from tests.access import limits_world
from tests.contract import world
from tests.support import Client

_LIMITED_TABLES = """
select c.relname from pg_class c
where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace and exists (
  select from pg_attribute a where a.attrelid = c.oid and not a.attisdropped
    and a.attname in ('item_id', 'warehouse_id'))
"""


async def test_every_table_of_items_or_warehouses_has_all_four_policies(
    admin: asyncpg.Connection, runtime: Runtime
) -> None:
    tables = {row["relname"] for row in await admin.fetch(_LIMITED_TABLES)}
    assert {"stock_balance", "stock_movement", "purchase_order_line", "alert"} <= tables
    rows = await admin.fetch(
        "select polrelid::regclass::text as name, array_agg(polcmd::text order by polcmd) as kinds "
        "from pg_policy where polname like 'limited\\_%' and not polpermissive "
        "and polroles = array['scm_limited'::regrole::oid] group by 1"
    )
    assert tables <= {row["name"] for row in rows}
    assert {tuple(row["kinds"]) for row in rows} == {("a", "d", "r", "w")}


_GRANT = "grant scm_limited to scm_app with inherit false, set true"


async def _findings(urls: Urls) -> list[Finding]:
    driver = await asyncpg.connect(urls.app)
    try:
        return await self_check(driver, Settings(), is_embedded=True)
    finally:
        await driver.close()


@pytest.mark.parametrize(
    ("damage", "mend", "what"),
    [
        (
            "create table shelf (organization_id uuid, item_id uuid)",
            "drop table shelf",
            "shelf",
        ),
        (
            "alter policy limited_read on lot to scm_app",
            "alter policy limited_read on lot to scm_limited",
            "lot",
        ),
        ("alter role scm_limited bypassrls", "alter role scm_limited nobypassrls", "BYPASSRLS"),
        ("alter role scm_limited login", "alter role scm_limited nologin", "log in"),
        (
            "grant update on event to scm_limited",
            "revoke update on event from scm_limited",
            "event",
        ),
        ("revoke scm_limited from scm_app", _GRANT, "act as"),
        ("grant scm_limited to scm_app with inherit true", _GRANT, "inherited"),
    ],
)
async def test_a_gap_in_the_limits_forbids_serving(
    urls: Urls, admin: asyncpg.Connection, damage: str, mend: str, what: str
) -> None:
    assert [f for f in await _findings(urls) if f.check == "limits"] == []
    await admin.execute(damage)
    try:
        found = [f for f in await _findings(urls) if f.check == "limits"]
    finally:
        await admin.execute(mend)
    assert len(found) == 1
    assert what in found[0].what


@pytest_asyncio.fixture(loop_scope="session")
async def pair(
    runtime: Runtime, http: httpx.AsyncClient, urls: Urls, admin: asyncpg.Connection
) -> AsyncIterator[tuple[Client, Client]]:
    """Everybody's caller and a keeper, on a pool of one connection."""
    api = await world.build(runtime, http)
    keeper = await limits_world.keeper(admin, api, warehouse="WH-1")
    single = make_runtime(Settings(db_pool_size=1), urls)
    transport = httpx.ASGITransport(create_app(single), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield replace(api, http=client), replace(keeper, http=client)
    await single.database.dispose()


async def test_one_connection_never_mixes_the_plans_of_two_roles(
    pair: tuple[Client, Client],
) -> None:
    api, keeper = pair
    line = {"item": {"sku": "SKU-1001"}, "quantity": "1", "unit_cost": "1"}
    for turn in range(1, 9):
        for code in ("WH-1", "WH-2"):
            body = {"type": "opening", "lines": [{**line, "warehouse": {"code": code}}]}
            await api.ok("POST", "/v1/stock-movements", json=body)
            refused = (await keeper.post("/v1/stock-movements", body)).status_code
            assert refused == (201 if code == "WH-1" else 403)
        own = await keeper.ok("GET", "/v1/items/sku=SKU-1001/position")
        everything = await api.ok("GET", "/v1/items/sku=SKU-1001/position")
        assert {p["warehouse"]["code"] for p in own["data"]} == {"WH-1"}
        on_hand = {p["warehouse"]["code"]: float(p["on_hand"]) for p in everything["data"]}
        assert on_hand["WH-2"] == turn


_HOT = (
    "select * from stock_position where organization_id = $1 and item_id = $1",
    "select * from item where organization_id = $1 order by sku, id limit 50",
)


@pytest.mark.parametrize("statement", _HOT)
async def test_who_is_not_confined_pays_nothing(urls: Urls, statement: str) -> None:
    driver = await asyncpg.connect(urls.app)
    try:
        plain = statement.replace("$1", "'00000000-0000-0000-0000-000000000001'")
        for role, is_there in (("scm_app", False), ("scm_limited", True)):
            async with driver.transaction():
                await driver.execute(
                    f"set local role {role}; select set_config('app.warehouses', '*', true), "
                    "set_config('app.categories', '*', true)"
                )
                plan = "\n".join(row[0] for row in await driver.fetch(f"explain {plain}"))
            assert ("InitPlan" in plan) is is_there, plan
    finally:
        await driver.close()
