"""Key figures computed again as of an earlier instant are what they were then."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.alerts.support import plan
from tests.insights.naive import ZONE
from tests.purchase_orders import world
from tests.stock.support import line
from tests.support import Client

TODAY = datetime.now(UTC).astimezone(ZONE).date()
FIRST = (TODAY - timedelta(days=60)).isoformat()


def ago(days: int) -> str:
    return (TODAY - timedelta(days=days)).isoformat()


def noon(days: int) -> str:
    return f"{ago(days)}T12:00:00+08:00"


async def kpi(api: Client, name: str, **params: Any) -> Any:
    span = {"from": FIRST, "to": TODAY.isoformat()}
    return await api.ok("GET", f"/v1/kpis/{name}", params={**span, **params})


async def post(api: Client, type_: str, days_ago: int, *lines: Any) -> None:
    body = {"type": type_, "lines": list(lines), "occurred_at": noon(days_ago)}
    await api.ok("POST", "/v1/stock-movements", json=body)


async def ordered(api: Client, due: int) -> dict[str, Any]:
    """60 units of SKU-1 due so many days ago."""
    return await world.issued(api, world.line("SKU-1", "60"), need_by=ago(due), dated_on=ago(60))


async def planned(api: Client) -> None:
    """A plan of everything, as the replenishment makes it."""
    await api.run_job(await api.post("/v1/replenishment/plans", {}))


async def before_all(api: Client) -> dict[str, Any]:
    """Stock and issues of SKU-1, a shortage of SKU-2, a plan, and an order that is late."""
    await world.build(api)
    await post(api, "opening", 50, line("SKU-1", "500", unit_cost="10"))
    await post(api, "opening", 50, line("SKU-2", "10", unit_cost="4"))
    await post(api, "scrap", 49, line("SKU-2", "10"))
    await post(api, "sales_issue", 40, line("SKU-1", "40"))
    short = {"type": "sales_issue", "lines": [line("SKU-2", "6")], "occurred_at": noon(30)}
    assert (await api.post("/v1/stock-movements", short)).status_code == 409
    await planned(api)
    return await ordered(api, due=10)


async def issue_back_dated(api: Client, _: dict[str, Any]) -> None:
    await post(api, "sales_issue", 20, line("SKU-1", "40"))


async def sell_out_back_dated(api: Client, _: dict[str, Any]) -> None:
    await post(api, "sales_issue", 20, line("SKU-1", "460"))


async def receive_dearer(api: Client, _: dict[str, Any]) -> None:
    await post(api, "purchase_receipt", 1, line("SKU-2", "10", unit_cost="400"))


async def plan_otherwise(api: Client, _: dict[str, Any]) -> None:
    policy = {"item": {"sku": "SKU-1"}, "minimum_stock": "900"}
    await api.ok("PUT", "/v1/replenishment/policies", json=policy)
    await planned(api)


async def receive_late(api: Client, order: dict[str, Any]) -> None:
    await world.receive(api, order, world.arrived("60"), occurred_at=noon(5))


async def receive_the_last(api: Client, order: dict[str, Any]) -> None:
    part = world.arrived("20", is_final_delivery=True)
    await world.receive(api, order, part, occurred_at=noon(10))


async def cancel(api: Client, order: dict[str, Any]) -> None:
    await world.act(api, order, "cancel", reason="No longer needed")


async def close_the_line(api: Client, order: dict[str, Any]) -> None:
    lines = [{"line_no": 1, "is_closed": True}]
    await world.act(api, order, "revise", reason="Not needed", lines=lines)


async def issue_another(api: Client, _: dict[str, Any]) -> None:
    await ordered(api, due=12)


@pytest.mark.parametrize(
    ("name", "later"),
    [
        ("inventory-turnover", issue_back_dated),
        ("stock-out-rate", sell_out_back_dated),
        ("fill-rate", receive_dearer),
        ("overstock", plan_otherwise),
        ("purchase-on-time", receive_late),
        ("purchase-on-time", receive_the_last),
        ("purchase-on-time", cancel),
        ("purchase-on-time", close_the_line),
        ("purchase-on-time", issue_another),
    ],
)
async def test_what_was_known_then_can_be_computed_again(
    api: Client, name: str, later: Callable[[Client, dict[str, Any]], Awaitable[None]]
) -> None:
    order = await before_all(api)
    before = await kpi(api, name)
    await later(api, order)
    assert await kpi(api, name, as_of=before["as_of"]) == before
    assert (await kpi(api, name))["total"] != before["total"]


async def test_a_line_closed_before_its_order_was_closed_then(api: Client) -> None:
    await before_all(api)
    lines = [world.line("SKU-1", "60"), world.line("SKU-2", "5")]
    order = await world.issued(api, *lines, need_by=ago(12), dated_on=ago(60))
    await close_the_line(api, order)
    before = await kpi(api, "purchase-on-time")
    assert before["total"]["requested"]["n"] == 2
    await world.act(api, await world.read(api, order), "cancel", reason="All of it")
    assert (await kpi(api, "purchase-on-time"))["total"]["requested"]["n"] == 1
    assert await kpi(api, "purchase-on-time", as_of=before["as_of"]) == before


async def test_a_final_delivery_is_done_until_the_order_is_reopened(api: Client) -> None:
    await before_all(api)
    two = await world.issued(
        api, world.line("SKU-1", "60"), world.line("SKU-2", "5"), need_by=ago(10), dated_on=ago(60)
    )
    last = world.arrived("20", is_final_delivery=True)
    await world.receive(api, two, last, occurred_at=noon(10))
    closed = await world.act(api, await world.read(api, two), "short-close", reason="Enough")
    done = await kpi(api, "purchase-on-time")
    assert (done["total"]["requested"]["n"], done["total"]["requested"]["on_time"]) == (2, 1)
    await world.act(api, closed, "reopen", reason="They found the rest")
    total = (await kpi(api, "purchase-on-time"))["total"]
    assert (total["requested"]["n"], total["requested"]["on_time"]) == (3, 0)
    assert total["requested"]["missing"] == 3


async def test_a_level_planned_for_the_first_time_was_not_planned_before(api: Client) -> None:
    await world.build(api)
    await post(api, "opening", 50, line("SKU-1", "500", unit_cost="10"))
    before = await kpi(api, "overstock")
    await plan(api, "SKU-1", up_to="60")
    assert (await kpi(api, "overstock"))["total"]["unplanned_items"] == 0
    assert await kpi(api, "overstock", as_of=before["as_of"]) == before


async def test_where_the_lines_of_old_plans_are_gone_the_level_of_now_counts(api: Client) -> None:
    await before_all(api)
    before = await kpi(api, "overstock")
    await plan(api, "SKU-1", up_to="60")
    assert await kpi(api, "overstock", as_of=before["as_of"]) == before
    async with api.runtime.database.transaction(api.principal(), now=api.runtime.clock()) as tx:
        await tx.execute(
            "delete from replenishment_plan_line where organization_id = $1", tx.organization_id
        )
        await tx.driver.execute("commit")
    without = await kpi(api, "overstock", as_of=before["as_of"])
    assert without["total"]["unplanned_items"] == 0
    assert without["total"] == (await kpi(api, "overstock"))["total"]
