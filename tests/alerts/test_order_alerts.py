"""Alerts about purchase orders: the clock raises them, answers and arrivals end them."""

from datetime import UTC, datetime, timedelta

from tests.alerts.support import kinds, one, sweep
from tests.purchase_orders import world
from tests.support import Client


def later(days: int) -> datetime:
    return datetime.now(UTC) + timedelta(days=days)


async def test_an_order_becomes_late_by_time_alone_and_its_receipt_ends_that(api: Client) -> None:
    await world.build(api)
    due = later(10).date().isoformat()
    order = await world.issued(api, world.line("SKU-1", "60"), need_by=due)
    order = await world.act(api, order, "confirm")
    await sweep(api, later(9))
    assert "late_order" not in await kinds(api)
    await sweep(api, later(13))
    alert = await one(api, "late_order")
    assert alert["order"] == {"id": order["id"], "number": "PO-000001", "line_no": 1}
    assert alert["supplier"]["code"] == "S-1"
    assert alert["evidence"]["quantity"] == "60.0000"
    assert alert["evidence"]["due_on"] == due
    assert alert["evidence"]["days_late"] in (3, 4)
    look, revise = alert["actions"]
    assert (look["href"], look["params"]) == (f"/v1/purchase-orders/{order['id']}", {})
    # The body is up to you, the call is there.
    assert (await api.post(revise["href"], {})).json()["code"] == "validation_failed"
    await world.receive(api, order, world.arrived("60"))
    await api.settle()
    assert "late_order" not in await kinds(api)
    found = await api.ok("GET", f"/v1/alerts/{alert['id']}")
    assert (found["status"], found["resolution"]) == ("resolved", "auto")


async def test_every_late_line_has_an_alert_of_its_own(api: Client) -> None:
    await world.build(api)
    due = later(2).date().isoformat()
    lines = [world.line("SKU-1", "60"), world.line("SKU-2", "10")]
    order = await world.issued(api, *lines, need_by=due)
    await sweep(api, later(5))
    found = await api.ok("GET", "/v1/alerts", params={"kind": "late_order", "order": "PO-000001"})
    assert sorted(row["order"]["line_no"] for row in found["data"]) == [1, 2]
    await world.receive(api, order, world.arrived("10", 2))
    await sweep(api, later(5))
    assert (await one(api, "late_order"))["order"]["line_no"] == 1


async def test_a_supplier_who_does_not_answer_is_reported_after_the_rules_days(
    api: Client,
) -> None:
    await world.build(api)
    order = await world.issued(api, world.line("SKU-1", "60"), need_by=world.DAY)
    await sweep(api, later(2))
    assert await kinds(api) == []
    await sweep(api, later(4))
    alert = await one(api, "unconfirmed_order")
    assert alert["order"]["number"] == "PO-000001"
    assert alert["evidence"]["days_waiting"] == 4
    assert alert["actions"][0]["href"] == f"/v1/purchase-orders/{order['id']}/confirm"
    await world.act(api, order, "confirm")
    await api.settle()
    assert await kinds(api) == []


async def test_a_cancelled_order_has_no_alerts(api: Client) -> None:
    await world.build(api)
    due = later(2).date().isoformat()
    order = await world.issued(api, world.line("SKU-1", "60"), need_by=due)
    await sweep(api, later(6))
    assert await kinds(api) == ["late_order", "unconfirmed_order"]
    await world.act(api, order, "cancel", reason="No longer needed")
    await api.settle()
    assert await kinds(api) == []
