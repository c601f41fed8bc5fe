"""Many at once: the last goods of an order are received exactly once, and nobody deadlocks."""

import asyncio
from collections import Counter
from decimal import Decimal
from typing import Any

import httpx

from tests.purchase_orders.world import (
    act,
    arrived,
    build,
    inbound,
    issued,
    line,
    on_hand,
    read,
    receipt_body,
    receive,
)
from tests.support import Client


async def patiently(api: Client, body: dict[str, Any]) -> httpx.Response:
    """Receive as a client does that waits when told the pool of connections is exhausted."""
    while True:
        response = await api.post("/v1/receipts", body)
        if response.status_code != 503:
            return response
        await asyncio.sleep(float(response.headers["Retry-After"]))


async def test_fifty_receipts_of_the_last_goods_take_exactly_what_is_tolerated(
    api: Client,
) -> None:
    await build(api)
    # 60 ordered, 66 tolerated: of 50 receipts of 3, exactly 22 fit.
    order = await issued(api, line(over_delivery_percent="10"))
    answers = await asyncio.gather(
        *(patiently(api, receipt_body(order, arrived("3"))) for _ in range(50))
    )
    told = Counter((a.status_code, a.json().get("code")) for a in answers)
    assert told == {(201, None): 22, (409, "over_tolerance"): 28}
    numbers = sorted(a.json()["number"] for a in answers if a.status_code == 201)
    assert numbers == [f"GR-{n:06d}" for n in range(1, 23)]
    now = await read(api, order)
    assert now["lines"][0]["received_quantity"] == "66.0000"
    assert (now["close_reason"], await on_hand(api, "SKU-1")) == ("completed", "66.0000")


async def test_crossing_receipts_of_several_orders_never_deadlock(api: Client) -> None:
    await build(api)
    lines = [line("SKU-1", "100"), line("SKU-2", "100")]
    orders = [await issued(api, *ordered) for ordered in (lines, lines[::-1], lines, lines[::-1])]
    answers = await asyncio.gather(
        *(
            api.post("/v1/receipts", receipt_body(order, arrived("10", a), arrived("10", b)))
            for a, b in ((1, 2), (2, 1)) * 3
            for order in orders
        )
    )
    assert {a.status_code for a in answers} == {201}
    assert await on_hand(api, "SKU-1") == await on_hand(api, "SKU-2") == "240.0000"
    expected = sum(Decimal(quantity) for _, quantity in await inbound(api))
    assert expected == Decimal(800 - 480)


async def test_one_of_many_reversals_counts(api: Client) -> None:
    await build(api)
    order = await issued(api)
    receipt = await receive(api, order, arrived("60"))
    path = f"/v1/receipts/{receipt['id']}/reverse"
    answers = await asyncio.gather(*(api.post(path, {"reason": "Broken"}) for _ in range(10)))
    told = Counter((a.status_code, a.json().get("code")) for a in answers)
    assert told == {(200, None): 1, (409, "already_reversed"): 9}
    assert await on_hand(api, "SKU-1") == "0.0000"


async def test_a_receipt_and_a_cancellation_never_both_win(api: Client) -> None:
    await build(api)
    orders = [await issued(api) for _ in range(8)]
    for order in orders:
        received, cancelled = await asyncio.gather(
            api.post("/v1/receipts", receipt_body(order, arrived("60"))),
            api.post(f"/v1/purchase-orders/{order['id']}/cancel", {"reason": "Late"}),
        )
        now = await read(api, order)
        if received.status_code == 201:
            # Completed before the cancellation came, which then had nothing left to cancel.
            assert cancelled.status_code == 409
            assert now["close_reason"] == "completed"
        else:
            assert (received.status_code, cancelled.status_code) == (409, 200)
            assert now["status"] == "cancelled"


async def test_two_changes_at_once_are_two_revisions(api: Client) -> None:
    await build(api)
    order = await issued(api)
    path = f"/v1/purchase-orders/{order['id']}/revise"

    async def change(quantity: int) -> int:
        body = {
            "reason": "More",
            "version": order["version"],
            "lines": [{"line_no": 1, "quantity": str(quantity)}],
        }
        return (await api.post(path, body)).status_code

    statuses = await asyncio.gather(*(change(72 + 12 * n) for n in range(8)))
    assert Counter(statuses) == {200: 1, 412: 7}
    assert (await read(api, order))["revision"] == 2
    assert (await act(api, await read(api, order), "confirm"))["confirmation_status"] == "confirmed"
