"""Receiving and reversing over HTTP: order, stock, cost and expectations move together."""

from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.purchase_orders.world import (
    DAY,
    act,
    arrived,
    build,
    draft,
    inbound,
    issued,
    line,
    on_hand,
    read,
    receipt_body,
    receive,
)
from tests.support import Client, new_client, problem_codes

RECEIPTS = "/v1/receipts"
SHANGHAI = ZoneInfo("Asia/Shanghai")


async def lead_times(api: Client) -> int:
    found = await api.ok("GET", "/v1/suppliers/code=S-1/lead-times")
    return len(found["data"])


async def test_a_receipt_moves_order_stock_and_expectation_at_once(api: Client) -> None:
    await build(api)
    order = await issued(api)
    body = receipt_body(order, arrived("2", unit="BOX"), delivery_note="DN-7", external_ref="R-1")
    response = await api.post(RECEIPTS, body)
    assert response.status_code == 201
    receipt = response.json()
    assert response.headers["location"] == f"{RECEIPTS}/{receipt['id']}"
    assert (receipt["number"], receipt["order"]["number"]) == ("GR-000001", "PO-000001")
    (row,) = receipt["lines"]
    assert (row["quantity"], row["unit_quantity"], row["unit"]) == ("24.0000", "2.0000", "BOX")
    assert (row["unit_cost"], receipt["value"]) == ("5.000000", "120.0000")
    assert (row["location"], row["order_line_no"]) == ("STOCK", 1)
    assert await on_hand(api, "SKU-1") == "24.0000"
    assert await inbound(api) == [(DAY, "36.0000")]
    assert (await read(api, order))["lines"][0]["received_quantity"] == "24.0000"
    assert await lead_times(api) == 1
    for key in (receipt["id"], "number=gr-000001", "ref=R-1"):
        assert (await api.ok("GET", f"{RECEIPTS}/{key}"))["id"] == receipt["id"]
    again = await api.post(RECEIPTS, body)
    assert (again.status_code, again.json()["code"]) == (409, "duplicate")
    assert await on_hand(api, "SKU-1") == "24.0000"


@pytest.mark.parametrize("split", [["66"], ["60", "6"], ["6", "60"], ["22", "22", "22"]])
async def test_the_tolerance_takes_the_same_total_however_it_is_split(
    api: Client, split: list[str]
) -> None:
    await build(api)
    order = await issued(api, line(over_delivery_percent="10"))
    for quantity in split:
        await receive(api, order, arrived(quantity))
    now = await read(api, order)
    assert (now["receipt_status"], now["close_reason"]) == ("over", "completed")
    refused = await api.post(RECEIPTS, receipt_body(order, arrived("0.0001")))
    assert (refused.status_code, refused.json()["code"]) == (409, "over_tolerance")


async def test_more_than_tolerated_changes_nothing(api: Client) -> None:
    await build(api)
    order = await issued(api, line(), line("SKU-2", "10", over_delivery_percent="20"))
    body = receipt_body(order, arrived("10"), arrived("7", 2), arrived("6", 2))
    refused = await api.post(RECEIPTS, body)
    problem = refused.json()
    assert (refused.status_code, problem["code"]) == (409, "over_tolerance")
    (error,) = problem["errors"]
    assert error["pointer"] == "#/lines/2/quantity"
    assert error["params"] == {
        "line_no": 2,
        "receivable": "5.0000",
        "requested": "6.0000",
    }
    assert await on_hand(api, "SKU-1") == "0.0000"
    assert (await read(api, order))["receipt_status"] == "none"
    assert (await receive(api, order, arrived("10")))["number"] == "GR-000001"


async def test_enough_within_tolerance_or_the_final_delivery_closes_the_order(api: Client) -> None:
    await build(api)
    order = await issued(api, line(under_delivery_percent="5"), line("SKU-2", "10"))
    await receive(api, order, arrived("57"), arrived("2", 2, is_final_delivery=True))
    now = await read(api, order)
    assert (now["status"], now["close_reason"], now["receipt_status"]) == (
        "closed",
        "completed",
        "full",
    )
    assert await inbound(api) == []


async def test_goods_go_to_the_place_lot_and_status_that_are_named(api: Client) -> None:
    await build(api)
    dock = {"code": "DOCK", "name": "Dock"}
    await api.ok("POST", "/v1/warehouses/code=WH-1/locations", json=dock)
    order = await issued(api, line("SKU-3", "10", unit_price="2"))
    lot = {"code": "L-1", "expires_on": "2031-01-01"}
    more = {"lot": lot, "location": "dock", "stock_status": "quality"}
    (row,) = (await receive(api, order, arrived("4", **more)))["lines"]
    assert (row["location"], row["lot"], row["expires_on"]) == ("DOCK", "L-1", "2031-01-01")
    (position,) = (await api.ok("GET", "/v1/stock"))["data"]
    assert (position["on_hand"], position["unrestricted"]) == ("4.0000", "0.0000")
    refused = await api.post(RECEIPTS, receipt_body(order, arrived("1"), arrived("1", 2)))
    assert problem_codes(refused) == ["unknown_order_line", "lot_required"]
    wrong = arrived("1", lot=lot, location="NOPE", item={"sku": "SKU-3"})
    refused = await api.post(RECEIPTS, receipt_body(order, wrong))
    assert problem_codes(refused) == ["not_against_an_order", "unknown_reference"]


async def test_stock_is_valued_in_base_currency(api: Client) -> None:
    await build(api)
    price = {"unit_price": "100", "price_per": "1", "price_unit": "BOX"}
    order = await issued(api, line(**price), currency="EUR", exchange_rate="7.8")
    receipt = await receive(api, order, arrived("12"))
    assert receipt["lines"][0]["unit_cost"] == "65.000000"
    assert receipt["value"] == "780.0000"


async def test_goods_without_an_order_need_their_own_permission(api: Client) -> None:
    await build(api)
    row = {
        "item": {"sku": "SKU-1"},
        "warehouse": {"code": "WH-1"},
        "quantity": "3",
        "unit_cost": "4.20",
    }
    body = {"supplier": {"code": "S-1"}, "lines": [row]}
    receipt = await api.ok("POST", RECEIPTS, json=body)
    assert (receipt["order"], receipt["supplier"]["code"]) == (None, "S-1")
    assert (receipt["value"], await on_hand(api, "SKU-1")) == ("12.6000", "3.0000")
    bad = {"lines": [{"line_no": 1, "quantity": "1"}]}
    assert problem_codes(await api.post(RECEIPTS, bad)) == [
        "only_against_an_order",
        "required_without_order",
        "required_without_order",
    ]
    clerk = await new_client(
        api.runtime,
        api.http,
        permissions=("receipts:write",),
        organization_id=api.organization_id,
    )
    refused = await clerk.post(RECEIPTS, body)
    assert refused.json()["required_permission"] == "receipts:write_without_order"


async def test_without_an_order_nothing_inactive_takes_goods(api: Client) -> None:
    await build(api)
    await api.ok("PATCH", "/v1/items/sku=SKU-2", json={"status": "blocked"})
    await api.ok("PATCH", "/v1/warehouses/code=WH-2", json={"is_active": False})
    rows = [
        {"item": {"sku": sku}, "warehouse": {"code": code}, "quantity": "1", "unit_cost": "1"}
        for sku, code in (("SKU-1", "WH-1"), ("SKU-2", "WH-1"), ("SKU-1", "WH-2"))
    ]
    refused = await api.post(RECEIPTS, {"lines": rows})
    assert refused.status_code == 422
    assert [(e["pointer"], e["code"]) for e in refused.json()["errors"]] == [
        ("#/lines/1/item", "not_active"),
        ("#/lines/2/warehouse", "not_active"),
    ]
    assert await on_hand(api, "SKU-1") == "0.0000"


async def test_a_reversal_gives_everything_back(api: Client) -> None:
    await build(api)
    order = await issued(api)
    await receive(api, order, arrived("20"))
    last = await receive(api, order, arrived("40", is_final_delivery=True))
    assert (await read(api, order))["status"] == "closed"
    path = f"{RECEIPTS}/{last['id']}/reverse"
    stale = await api.post(path, {"reason": "Wrong lorry"}, headers={"If-Match": '"9"'})
    assert stale.status_code == 412
    response = await api.post(path, {"reason": "Wrong lorry"})
    taken_back = response.json()
    assert (response.status_code, taken_back["status"]) == (200, "reversed")
    assert taken_back["reversal_reason"] == "Wrong lorry"
    now = await read(api, order)
    assert (now["status"], now["close_reason"], now["receipt_status"]) == (
        "issued",
        None,
        "partial",
    )
    assert now["lines"][0]["is_final_delivery"] is False
    assert await on_hand(api, "SKU-1") == "20.0000"
    assert await inbound(api) == [(DAY, "40.0000")]
    document = await api.ok("GET", f"/v1/stock-movements/{last['stock_document_id']}")
    assert document["reversed_by"] == taken_back["reversal_document_id"]
    again = await api.post(path, {"reason": "Twice"})
    assert (again.status_code, again.json()["code"]) == (409, "already_reversed")
    await receive(api, order, arrived("40"))
    assert (await read(api, order))["close_reason"] == "completed"


async def test_goods_dated_before_their_order_teach_no_lead_time(api: Client) -> None:
    await build(api)
    order = await issued(api)
    midnight = datetime.combine(date.fromisoformat(order["ordered_on"]), time(), SHANGHAI)
    before = (midnight - timedelta(seconds=1)).isoformat()
    await receive(api, order, arrived("1"), occurred_at=before)
    assert (await read(api, order))["lines"][0]["received_quantity"] == "1.0000"
    assert await lead_times(api) == 0
    await receive(api, order, arrived("1"), occurred_at=midnight.isoformat())
    assert await lead_times(api) == 1


async def test_a_line_stays_final_while_a_posted_receipt_says_so(api: Client) -> None:
    await build(api)
    order = await issued(api)
    first = await receive(api, order, arrived("20", is_final_delivery=True))
    late = await receive(api, order, arrived("5", is_final_delivery=True))
    for receipt, status, is_final in ((late, "closed", True), (first, "issued", False)):
        path = f"{RECEIPTS}/{receipt['id']}/reverse"
        await api.ok("POST", path, json={"reason": "Wrong lorry"})
        now = await read(api, order)
        assert (now["status"], now["lines"][0]["is_final_delivery"]) == (status, is_final)
    assert await inbound(api) == [(DAY, "60.0000")]


async def test_goods_that_have_gone_cannot_be_taken_back(api: Client) -> None:
    await build(api)
    order = await issued(api)
    receipt = await receive(api, order, arrived("60"))
    issue = {
        "type": "consumption",
        "lines": [{"item": {"sku": "SKU-1"}, "warehouse": {"code": "WH-1"}, "quantity": "1"}],
    }
    await api.ok("POST", "/v1/stock-movements", json=issue)
    refused = await api.post(f"{RECEIPTS}/{receipt['id']}/reverse", {"reason": "Too late"})
    assert (refused.status_code, refused.json()["code"]) == (409, "insufficient_stock")
    assert (await read(api, order))["close_reason"] == "completed"
    assert (await api.ok("GET", f"{RECEIPTS}/{receipt['id']}"))["status"] == "posted"


async def test_a_reversal_leaves_an_order_closed_short_closed(api: Client) -> None:
    await build(api)
    order = await issued(api)
    receipt = await receive(api, order, arrived("20"))
    await act(api, await read(api, order), "short-close", reason="Enough")
    await api.ok("POST", f"{RECEIPTS}/{receipt['id']}/reverse", json={"reason": "Broken"})
    now = await read(api, order)
    assert (now["status"], now["close_reason"]) == ("closed", "short_closed")
    assert (now["receipt_status"], await inbound(api)) == ("none", [])


async def test_the_list_filters_and_another_organization_sees_nothing(
    api: Client, other: Client
) -> None:
    await build(api)
    first, second = await issued(api), await issued(api, line("SKU-2", "10"))
    one = await receive(api, first, arrived("1"), delivery_note="DN-1")
    two = await receive(api, second, arrived("1"))

    async def numbers(**params: Any) -> list[str]:
        return [row["number"] for row in (await api.ok("GET", RECEIPTS, params=params))["data"]]

    assert await numbers() == [two["number"], one["number"]]
    assert await numbers(order=f"number={first['number']}") == [one["number"]]
    assert await numbers(item="sku=SKU-2", supplier="code=S-1") == [two["number"]]
    assert await numbers(q="dn-") == [one["number"]]
    assert await numbers(status="reversed") == []
    assert len(await numbers(status=["reversed", "posted"])) == len(await numbers())
    assert await numbers(updated_since=two["recorded_at"]) == [two["number"]]
    assert (await other.get(f"{RECEIPTS}/{one['id']}")).status_code == 404
    assert (await other.ok("GET", RECEIPTS))["data"] == []
    refused = await other.post(RECEIPTS, receipt_body(first, arrived("1")))
    assert refused.status_code == 404


async def test_only_an_issued_order_takes_goods(api: Client) -> None:
    await build(api)
    order = await draft(api)
    refused = await api.post(RECEIPTS, receipt_body(order, arrived("1")))
    problem = refused.json()
    assert (refused.status_code, problem["code"]) == (409, "illegal_transition")
    assert problem["allowed"] == order["allowed_actions"]


async def test_a_repeated_key_receives_once(api: Client) -> None:
    await build(api)
    order = await issued(api)
    headers = {"Idempotency-Key": "scan-1"}
    first = await api.post(RECEIPTS, receipt_body(order, arrived("10")), headers=headers)
    again = await api.post(RECEIPTS, receipt_body(order, arrived("10")), headers=headers)
    assert first.content == again.content
    assert await on_hand(api, "SKU-1") == "10.0000"
