"""From a need to stock on the shelf, over HTTP, as a buyer and a warehouse live it."""

from tests.purchase_orders.world import act, arrived, build, draft, inbound, line, read, receive
from tests.support import Client


async def position(api: Client, sku: str) -> dict[str, str]:
    found = await api.ok("GET", f"/v1/items/sku={sku}/position")
    return {row["warehouse"]["code"]: row for row in found["data"]}["WH-1"]


async def test_a_need_becomes_an_order_and_the_order_becomes_stock(api: Client) -> None:
    await build(api)

    # The buyer orders 10 boxes of one item and 100 pieces of another in two deliveries.
    order = await draft(
        api,
        line("SKU-1", "10", unit="BOX"),
        line(
            "SKU-2",
            "100",
            schedules=[
                {"quantity": "60", "need_by": "2030-03-01"},
                {"quantity": "40", "need_by": "2030-03-15"},
            ],
        ),
    )
    assert (order["number"], order["status"]) == ("PO-000001", "draft")
    # 120 EA reach the price break of 4.50; 100 x 3.20.
    assert order["amount"] == {"amount": "860.00", "currency": "CNY"}
    assert order["lines"][0]["quantity"] == "120.0000"
    assert await inbound(api) == []

    order = await act(api, order, "approve")
    order = await act(api, order, "issue")
    assert order["status"] == "issued"
    assert await inbound(api) == [
        ("2030-03-01", "120.0000"),
        ("2030-03-01", "60.0000"),
        ("2030-03-15", "40.0000"),
    ]

    # The supplier answers: the boxes come two days later.
    confirmation = [{"line_no": 1, "confirmed_on": "2030-03-03"}, {"line_no": 2}]
    order = await act(api, order, "confirm", lines=confirmation)
    assert order["confirmation_status"] == "changed"
    assert [row["confirmation_status"] for row in order["lines"]] == ["changed", "confirmed"]
    assert (await inbound(api))[1] == ("2030-03-03", "120.0000")

    # The first lorry brings half of the boxes and all of the pieces of the first delivery.
    receipt = await receive(api, order, arrived("5"), arrived("60", 2), delivery_note="DN-1")
    assert (receipt["number"], receipt["value"]) == ("GR-000001", "462.0000")
    order = await read(api, order)
    assert (order["status"], order["receipt_status"]) == ("issued", "partial")
    assert await inbound(api) == [("2030-03-03", "60.0000"), ("2030-03-15", "40.0000")]
    stock = await position(api, "SKU-1")
    assert (stock["on_hand"], stock["on_order"], stock["value"]) == (
        "60.0000",
        "60.0000",
        "270.0000",
    )

    # The second lorry brings the rest: the order closes itself.
    await receive(api, order, arrived("5"), arrived("40", 2))
    order = await read(api, order)
    assert (order["status"], order["close_reason"]) == ("closed", "completed")
    assert (order["receipt_status"], order["next_due_on"]) == ("full", None)
    assert await inbound(api) == []
    assert (await position(api, "SKU-2"))["on_hand"] == "100.0000"

    await _everybody_can_follow_it(api, order["id"])


async def _everybody_can_follow_it(api: Client, order_id: str) -> None:
    feed = await api.ok("GET", "/v1/events", params={"limit": 500})
    told = [event["type"] for event in feed["data"] if event["subject_id"] == order_id]
    assert told == [
        "purchase_order.created",
        "purchase_order.approved",
        "purchase_order.issued",
        "purchase_order.confirmed",
        "purchase_order.closed",
    ]
    posted = [event for event in feed["data"] if event["type"] == "receipt.posted"]
    assert len(posted) == 2
    assert posted[0]["data"]["order_id"] == order_id
    assert len(posted[0]["data"]["item_warehouses"]) == 2

    # What the receipts taught about the supplier is known to planning.
    sold = await api.ok("GET", "/v1/suppliers/code=S-1/lead-times/summary")
    assert {row["item"]["sku"] for row in sold["data"]} == {"SKU-1", "SKU-2"}
