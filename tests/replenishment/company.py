"""A small company for tests of demand and planning: whole-unit demand, one line a call."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from tests.support import Client

WAREHOUSE = {"code": "WH-1"}
ZONE = ZoneInfo("Asia/Shanghai")


@dataclass
class Company:
    """One organization with one warehouse, both in Shanghai; days are counted from today there."""

    api: Client
    today: date

    @classmethod
    async def found(cls, api: Client) -> "Company":
        await api.ok("POST", "/v1/warehouses", json={**WAREHOUSE, "name": "Main"})
        return cls(api, api.runtime.clock().astimezone(ZONE).date())

    def at(self, days_ago: int) -> str:
        """Noon so many days ago."""
        day = self.today - timedelta(days=days_ago)
        return datetime.combine(day, time(12), ZONE).isoformat()

    def on(self, days_ahead: int) -> str:
        return (self.today + timedelta(days=days_ahead)).isoformat()

    async def item(self, sku: str, **fields: Any) -> Any:
        body = {"sku": sku, "name": sku, "base_unit": "EA", **fields}
        return await self.api.ok("POST", "/v1/items", json=body)

    async def supplier(self, code: str, lead_time_days: int, **fields: Any) -> Any:
        body = {"code": code, "name": code, "lead_time_days": lead_time_days, **fields}
        return await self.api.ok("POST", "/v1/suppliers", json=body)

    async def source(self, supplier: str, sku: str, price: str = "10", **terms: Any) -> None:
        prices = terms.pop("prices", [[0, price]])
        steps = [
            {"minimum_quantity": str(least), "unit_price": unit, "valid_from": "2020-01-01"}
            for least, unit in prices
        ]
        await self.api.ok(
            "PUT",
            f"/v1/suppliers/code={supplier}/items/sku={sku}",
            json={**terms, "prices": steps},
        )

    async def move(self, kind: str, sku: str, quantity: int, days_ago: int, **fields: Any) -> Any:
        """Post one movement of one item."""
        line = {
            "item": {"sku": sku},
            "quantity": str(quantity),
            "warehouse": WAREHOUSE,
            **fields,
        }
        return await self.api.ok(
            "POST",
            "/v1/stock-movements",
            json={"type": kind, "occurred_at": self.at(days_ago), "lines": [line]},
        )

    async def stocked(self, sku: str, left: int, daily: list[int], cost: str = "10") -> None:
        """Sell `daily` on the days up to yesterday, so that `left` remain."""
        await self.move("opening", sku, left + sum(daily), len(daily), unit_cost=cost)
        for n, quantity in enumerate(daily):
            if quantity:
                await self.move("sales_issue", sku, quantity, len(daily) - n)

    async def policy(self, **fields: Any) -> Any:
        return await self.api.ok("PUT", "/v1/replenishment/policies", json=fields)

    async def plan(self, **body: Any) -> Any:
        """Make a plan; gives it finished."""
        response = await self.api.post("/v1/replenishment/plans", body)
        job = await self.api.run_job(response)
        assert job["status"] == "succeeded", job
        return await self.api.ok("GET", f"/v1/replenishment/plans/{response.json()['plan_id']}")

    async def suggestions(self, **where: Any) -> list[Any]:
        answer = await self.api.ok("GET", "/v1/replenishment/suggestions", params=where)
        rows: list[Any] = answer["data"]
        return rows

    async def explain(self, sku: str) -> Any:
        return await self.api.ok(
            "GET",
            "/v1/replenishment/explain",
            params={"item": f"sku={sku}", "warehouse": "code=WH-1"},
        )

    async def rows(self, sql: str, *args: Any) -> list[Any]:
        """Rows of the organization by plain SQL; `$1` is the organization."""
        async with self.api.runtime.database.transaction(
            self.api.principal(), now=self.api.runtime.clock()
        ) as tx:
            return await tx.fetch(sql, self.api.organization_id, *args)


def ids(rows: list[Any]) -> list[UUID]:
    return [UUID(row["id"]) for row in rows]
