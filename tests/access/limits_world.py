"""A company with an inside and an outside: what two confined callers may and may not know.

The inside is the example world (WH-1, CAT-1); `plant` adds the outside: stock and documents of WH-2
for the keeper of a warehouse, an item of another category for the keeper of a category.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg

from scm_api.alerts import service as alerts
from tests.contract.world import act
from tests.support import Client, new_client

HIDDEN = "hidden-outside"
OPENING, ORDERED, ARRIVED, SHORT, PLANNED = "70717", "7171", "717", "7771", "7177"


@dataclass
class Place:
    """Where the outside lies: rows of this item in this warehouse."""

    sku: str
    warehouse: str

    @property
    def line(self) -> dict[str, Any]:
        return {"item": {"sku": self.sku}, "warehouse": {"code": self.warehouse}}


# What is outside for whom.
OTHER_WAREHOUSE = Place("SKU-1001", "WH-2")
OTHER_CATEGORY = Place("OUT-9", "WH-1")


async def ids_of(admin: asyncpg.Connection, api: Client, table: str, code: str) -> list[UUID]:
    """The id behind a code, as the list that limits are."""
    found = await admin.fetchval(
        f"select id from {table} where organization_id = $1 and code = $2",
        api.organization_id,
        code,
    )
    return [found]


async def keeper(
    admin: asyncpg.Connection,
    api: Client,
    *,
    warehouse: str | None = None,
    category: str | None = None,
) -> Client:
    """A key with every permission, confined to a warehouse or a category."""
    made = await new_client(api.runtime, api.http, organization_id=api.organization_id)
    await admin.execute(
        "update api_key set warehouse_ids = $3, category_ids = $4 "
        "where organization_id = $1 and public = $2",
        api.organization_id,
        made.token.split("_")[2],
        None if warehouse is None else await ids_of(admin, api, "warehouse", warehouse),
        None if category is None else await ids_of(admin, api, "category", category),
    )
    return made


async def make_category(api: Client, place: Place) -> None:
    """The category of the outside, if it has one of its own; a category is no secret."""
    if place is OTHER_WAREHOUSE:
        return
    await api.ok("POST", "/v1/categories", json={"code": "CAT-9", "name": "Other"})


@dataclass
class Outside:
    """What was planted, by what names it in paths."""

    order: str
    receipt: str
    document: str
    job: str
    plan: str
    suggestion: str
    alert: str


async def plant(api: Client, place: Place) -> Outside:
    """Stock, orders, a receipt, a shortage, plans, policies, a suggestion and alerts outside."""
    if place is OTHER_CATEGORY:
        item = {"sku": place.sku, "name": HIDDEN, "base_unit": "EA", "category": {"code": "CAT-9"}}
        await api.ok("POST", "/v1/items", json=item)
        terms = {"prices": [{"minimum_quantity": "0", "unit_price": "71.7"}]}
        path = f"/v1/suppliers/code=S-01/items/sku={place.sku}"
        await api.ok("PUT", path, json={"supplier_sku": HIDDEN, **terms})
    document = await _stock(api, place)
    order, receipt = await _orders(api, place)
    await _ahead(api, place)
    plan = await _plan(api, place)
    async with api.runtime.database.transaction(api.principal(), now=api.runtime.clock()) as tx:
        await alerts.sweep(tx)
        await tx.driver.execute("commit")
    found = (await api.ok("GET", _of("/v1/alerts", place)))["data"]
    suggested = (await api.ok("GET", _of("/v1/replenishment/suggestions", place)))["data"]
    assert found
    assert suggested
    made = (order, receipt, document, plan["id"], plan["plan_id"])
    return Outside(*made, suggested[0]["id"], found[0]["number"])


def _of(path: str, place: Place) -> str:
    return f"{path}?item=sku={place.sku}&warehouse=code={place.warehouse}"


async def _stock(api: Client, place: Place) -> str:
    body = {
        "type": "opening",
        "reason": HIDDEN,
        "external_ref": HIDDEN,
        "lines": [{**place.line, "quantity": OPENING, "unit_cost": "7.17"}],
    }
    made: str = (await api.ok("POST", "/v1/stock-movements", json=body))["id"]
    out = {"type": "sales_issue", "lines": [{**place.line, "quantity": "70000"}]}
    await api.ok("POST", "/v1/stock-movements", json=out)
    short = {"lines": [{**place.line, "quantity": SHORT, "reason": HIDDEN}]}
    await api.ok("POST", "/v1/shortages", json=short)
    return made


async def _orders(api: Client, place: Place) -> tuple[str, str]:
    body = {
        "supplier": {"code": "S-01"},
        "warehouse": {"code": place.warehouse},
        "external_ref": HIDDEN,
        "note": HIDDEN,
        "need_by": "2030-03-01",
        "lines": [{"item": {"sku": place.sku}, "quantity": ORDERED}],
    }
    number = (await api.ok("POST", "/v1/purchase-orders", json=body))["number"]
    path = f"/v1/purchase-orders/number={number}"
    await act(api, path, "approve")
    await act(api, path, "issue")
    arrived = {
        "order": {"number": number},
        "note": HIDDEN,
        "lines": [{"line_no": 1, "quantity": ARRIVED}],
    }
    receipt = await api.ok("POST", "/v1/receipts", json=arrived)
    return number, receipt["number"]


async def _ahead(api: Client, place: Place) -> None:
    day = (api.runtime.clock() + timedelta(days=9)).date().isoformat()
    row = {**place.line, "day": day, "quantity": PLANNED, "source": HIDDEN}
    await api.ok("PUT", "/v1/sales-plans/bulk", json={"rows": [row]})
    policy = {**place.line, "minimum_stock": "71717"}
    await api.ok("PUT", "/v1/replenishment/policies", json=policy)
    await api.settle()


async def _plan(api: Client, place: Place) -> Any:
    scope = {"warehouses": [{"code": place.warehouse}], "items": [{"sku": place.sku}]}
    started = await api.post("/v1/replenishment/plans", scope)
    done = await api.run_job(started)
    assert done["status"] == "succeeded", done
    return started.json()
