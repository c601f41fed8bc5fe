"""Alerts about stock over HTTP: they come with an event, once, and go by themselves."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from tests.alerts.support import alerts, ids, kinds, one, plan, sweep
from tests.purchase_orders import world
from tests.stock.support import line, opening
from tests.support import Client


async def issue(api: Client, quantity: str, sku: str = "SKU-1", **more: Any) -> Any:
    body = {"type": "sales_issue", "lines": [line(sku, quantity)], **more}
    return await api.ok("POST", "/v1/stock-movements", json=body)


async def test_an_issue_raises_low_stock_and_a_receipt_clears_it(api: Client) -> None:
    await world.build(api)
    await opening(api, "SKU-1", "60")
    await plan(api, "SKU-1", demand="1", point="50", safety="20")
    await api.settle()
    assert await alerts(api) == []
    await issue(api, "15")
    await api.settle()
    alert = await one(api, "low_stock")
    assert alert["number"] == "AL-000001"
    assert (alert["status"], alert["severity"]) == ("open", "medium")
    assert alert["item"]["sku"] == "SKU-1"
    assert alert["warehouse"]["code"] == "WH-1"
    assert alert["evidence"]["position"] == "45.0000"
    assert alert["evidence"]["reorder_point"] == "50.0000"
    assert alert["evidence"]["is_at_reorder_point"] is True
    assert alert["evidence"]["is_below_safety_stock"] is False
    assert alert["message"].startswith("SKU-1 in WH-1 is low: 45 available")
    assert "库存偏低" in alert["message_zh"]
    body = {"type": "adjustment_in", "lines": [line("SKU-1", "100", unit_cost="10")]}
    await api.ok("POST", "/v1/stock-movements", json=body)
    await api.settle()
    assert await alerts(api) == []
    cleared = await api.ok("GET", f"/v1/alerts/{alert['id']}")
    assert (cleared["status"], cleared["resolution"]) == ("resolved", "auto")
    assert cleared["reason"] == "condition_ended"
    feed = await api.ok("GET", "/v1/events", params={"type": ["alert.raised", "alert.resolved"]})
    assert [event["type"] for event in feed["data"]] == ["alert.raised", "alert.resolved"]


async def test_ten_issues_raise_one_alert(api: Client) -> None:
    await world.build(api)
    await opening(api, "SKU-1", "60")
    await plan(api, "SKU-1", point="60", safety="0")
    for _ in range(10):
        await issue(api, "1")
        await api.settle()
    alert = await one(api, "low_stock")
    assert alert["raised_count"] == 1
    assert alert["evidence"]["available"] == "59.0000"
    assert alert["latest"]["available"] == "50.0000"
    # Only seen again: the version that people hold is still good.
    assert alert["version"] == 1


async def test_what_is_ordered_counts_and_ordering_clears_low_stock(api: Client) -> None:
    await world.build(api)
    await opening(api, "SKU-1", "40")
    await plan(api, "SKU-1", demand="0.5", point="50", safety="20")
    await issue(api, "1")
    await api.settle()
    assert await kinds(api) == ["low_stock"]
    soon = (datetime.now(UTC) + timedelta(days=3)).date().isoformat()
    await world.issued(api, world.line("SKU-1", "60"), need_by=soon)
    await api.settle()
    assert await kinds(api) == []


async def test_the_suggested_order_can_be_sent_as_it_stands(api: Client) -> None:
    await world.build(api)
    await opening(api, "SKU-1", "40")
    await plan(api, "SKU-1", demand="0.5", point="50", up_to="200")
    await issue(api, "10")
    await api.settle()
    alert = await one(api, "low_stock")
    action = next(a for a in alert["actions"] if a["action"] == "create_order")
    assert action["params"]["lines"] == [{"item": {"sku": "SKU-1"}, "quantity": "170.0000"}]
    order = await api.ok(action["method"], action["href"], json=action["params"])
    assert order["supplier"]["code"] == "S-1"


async def test_a_transfer_is_suggested_from_the_warehouse_that_has_too_much(api: Client) -> None:
    await world.build(api)
    await opening(api, "SKU-1", "10")
    body = {
        "type": "opening",
        "lines": [line("SKU-1", "500", "WH-2", unit_cost="10")],
    }
    await api.ok("POST", "/v1/stock-movements", json=body)
    await plan(api, "SKU-1", point="50", up_to="100")
    await plan(api, "SKU-1", point="50", up_to="100", warehouse="WH-2")
    await issue(api, "1")
    await api.settle()
    low = await one(api, "low_stock")
    transfer = next(a for a in low["actions"] if a["action"] == "transfer")
    assert transfer["params"]["lines"][0]["quantity"] == "91.0000"
    await api.ok(transfer["method"], transfer["href"], json=transfer["params"])
    await api.settle()
    assert "low_stock" not in await kinds(api)


async def test_stock_that_is_gone_is_stocked_out_only_where_somebody_wants_it(api: Client) -> None:
    await world.build(api)
    await opening(api, "SKU-1", "10")
    await opening(api, "SKU-2", "10")
    await issue(api, "10", "SKU-1")
    scrap = {"type": "scrap", "lines": [line("SKU-2", "10")]}
    await api.ok("POST", "/v1/stock-movements", json=scrap)
    await api.settle()
    alert = await one(api, "stocked_out")
    assert (alert["item"]["sku"], alert["severity"]) == ("SKU-1", "critical")
    # Never planned: the demand is what the ledger shows, 10 in 28 days.
    assert alert["evidence"]["daily_demand"] == "0.3571"


async def test_demand_that_was_refused_is_demand_too(api: Client) -> None:
    await world.build(api)
    await opening(api, "SKU-1", "10")
    scrap = {"type": "scrap", "lines": [line("SKU-1", "10")]}
    await api.ok("POST", "/v1/stock-movements", json=scrap)
    await api.settle()
    assert await kinds(api) == []
    body = {"type": "sales_issue", "lines": [line("SKU-1", "3")]}
    assert (await api.post("/v1/stock-movements", body)).status_code == 409
    await api.settle()
    assert await kinds(api) == ["stocked_out"]


async def test_a_potential_stockout_names_the_day(api: Client) -> None:
    await world.build(api)
    await opening(api, "SKU-1", "28")
    await plan(api, "SKU-1", demand="5", safety="0", point="0", up_to="200")
    await issue(api, "3")
    await api.settle()
    alert = await one(api, "potential_stockout")
    today = datetime.now(UTC).astimezone().date()
    out = datetime.fromisoformat(alert["evidence"]["stockout_on"]).date()
    # 25 last for five days; the sixth, five days from today, finds nothing.
    assert abs((out - today).days - 5) <= 1
    assert alert["evidence"]["lead_time_days"] == 14
    # 9 days without stock until an order of today arrives.
    assert alert["evidence"]["potential_lost_quantity"] == "45.0000"


async def test_an_arrival_in_time_averts_a_potential_stockout(api: Client) -> None:
    await world.build(api)
    await opening(api, "SKU-1", "28")
    await plan(api, "SKU-1", demand="5", safety="0", point="0", up_to="400")
    await issue(api, "3")
    await api.settle()
    assert await kinds(api) == ["potential_stockout"]
    soon = (datetime.now(UTC) + timedelta(days=3)).date().isoformat()
    await world.issued(api, world.line("SKU-1", "240"), need_by=soon)
    await api.settle()
    assert await kinds(api) == []


async def test_overstock_tells_the_surplus_and_its_value(api: Client) -> None:
    await world.build(api)
    await plan(api, "SKU-1", up_to="200")
    await opening(api, "SKU-1", "250", "10")
    await api.settle()
    alert = await one(api, "overstock")
    assert alert["evidence"]["surplus"] == "50.0000"
    assert alert["evidence"]["surplus_value"] == "500.0000"
    assert alert["severity"] == "low"
    await issue(api, "50")
    await api.settle()
    assert await kinds(api) == []


async def test_cover_that_falls_steadily_is_a_trend(api: Client) -> None:
    await world.build(api)
    now = datetime.now(UTC)
    start = (now - timedelta(days=70)).isoformat()
    await opening(api, "SKU-1", "1000", occurred_at=start)
    for days_ago, quantity in [(50, 56), (40, 56), (25, 200), (20, 200), (10, 200), (5, 200)]:
        at = (now - timedelta(days=days_ago)).isoformat()
        await issue(api, str(quantity), occurred_at=at)
    await plan(api, "SKU-1", demand="28", safety="0", point="280", up_to="2000")
    await sweep(api, datetime.now(UTC))
    alert = await one(api, "negative_cover_trend")
    evidence = alert["evidence"]
    # Now 88 at 800/28 a day; 28 days ago 888 at 112/28 a day.
    assert (evidence["cover_days"], evidence["cover_days_before"]) == ("3.1", "222.0")
    # Half way 488 were left, and (56 + 400) / 28 a day were asked for in the 28 days before.
    assert evidence["cover_days_halfway"] == "30.0"
    assert evidence["protection_days"] == "10.0"


async def test_one_organization_never_sees_anothers_alerts(api: Client, other: Client) -> None:
    await world.build(api)
    await opening(api, "SKU-1", "10")
    await issue(api, "10")
    await api.settle()
    alert = await one(api, "stocked_out")
    assert await alerts(other) == []
    assert (await other.get(f"/v1/alerts/{alert['id']}")).status_code == 404
    assert (await other.post(f"/v1/alerts/{alert['id']}/acknowledge", {})).status_code == 404


async def test_alerts_are_found_by_what_they_are_about(api: Client) -> None:
    await world.build(api)
    for sku in ("SKU-1", "SKU-2"):
        await opening(api, sku, "10")
        await issue(api, "10", sku)
    await api.settle()
    item_id, _ = await ids(api, "SKU-1")
    assert len(await alerts(api)) == 2
    assert len(await alerts(api, item="sku-1")) == 1
    assert len(await alerts(api, item=str(item_id))) == 1
    assert len(await alerts(api, supplier="S-1", warehouse="WH-1", severity="critical")) == 2
    assert len(await alerts(api, item="sku=SKU-1", warehouse="code=WH-1")) == 1
    assert await alerts(api, kind="overstock") == []
    for name in ("item", "warehouse", "supplier", "order"):
        refused = await api.get("/v1/alerts", params={name: str(uuid4())})
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["parameter"] == name
    refused = await api.get("/v1/alerts", params={"kind": "boredom"})
    assert refused.status_code == 422
