"""The life of an order over HTTP: what each state allows, and how every refusal looks."""

from typing import Any

import pytest

from tests.purchase_orders.world import (
    act,
    arrived,
    build,
    draft,
    inbound,
    issued,
    line,
    read,
    receipt_body,
    receive,
)
from tests.support import Client

ORDERS = "/v1/purchase-orders"
BODIES: dict[str, dict[str, Any]] = {
    "approve": {},
    "unapprove": {},
    "issue": {},
    "confirm": {},
    "revise": {"reason": "Why", "lines": [{"line_no": 1, "quantity": "72"}]},
    "short_close": {"reason": "Why"},
    "cancel": {"reason": "Why"},
    "reopen": {"reason": "Why"},
    "hold": {"reason": "Why"},
    "release": {},
}


async def in_state(api: Client, state: str) -> dict[str, Any]:
    """An order in a state, reached the way a user reaches it."""
    if state == "draft":
        return await draft(api)
    if state == "approved":
        return await act(api, await draft(api), "approve")
    order = await issued(api)
    if state == "held":
        return await act(api, order, "hold", reason="Quality")
    if state == "completed":
        await receive(api, order, arrived("60"))
        return await read(api, order)
    if state == "short_closed":
        return await act(api, order, "short-close", reason="Enough")
    if state == "cancelled_remainder":
        await receive(api, order, arrived("1"))
        return await act(api, await read(api, order), "cancel", reason="Enough")
    if state == "cancelled":
        return await act(api, order, "cancel", reason="Mistake")
    return order


STATES = {
    "draft": {"change", "approve", "cancel", "hold"},
    "approved": {"unapprove", "issue", "revise", "cancel", "hold"},
    "issued": {"confirm", "revise", "receive", "short_close", "cancel", "hold"},
    "held": {"confirm", "revise", "short_close", "cancel", "release"},
    "completed": {"receive"},
    "short_closed": {"reopen"},
    "cancelled_remainder": {"reopen"},
    "cancelled": set(),
}


@pytest.mark.parametrize("state", STATES)
async def test_a_state_allows_exactly_what_it_says_and_refuses_the_rest(
    api: Client, state: str
) -> None:
    await build(api)
    order = await in_state(api, state)
    assert set(order["allowed_actions"]) == STATES[state]
    for action, body in BODIES.items():
        path = f"{ORDERS}/{order['id']}/{action.replace('_', '-')}?dry_run=true"
        response = await api.post(path, {**body, "version": order["version"]})
        if action in STATES[state]:
            assert response.status_code == 200, (action, response.text)
            continue
        problem = response.json()
        assert (response.status_code, problem["code"]) == (409, "illegal_transition"), action
        assert problem["allowed"] == order["allowed_actions"]
        assert problem["action"] == action
    received = await api.post("/v1/receipts?dry_run=true", receipt_body(order, arrived("1")))
    codes = {201: "", 409: received.json().get("code")}
    if state == "completed":
        # Possible in this state, but the line tolerates no more.
        assert codes[received.status_code] == "over_tolerance"
    else:
        assert (received.status_code == 201) == ("receive" in STATES[state])
    assert (await read(api, order))["version"] == order["version"]


async def test_a_refusal_speaks_chinese_when_asked(api: Client) -> None:
    await build(api)
    order = await draft(api)
    path = f"{ORDERS}/{order['id']}/issue"
    refused = await api.post(path, {"version": 1}, headers={"Accept-Language": "zh-CN"})
    assert "现在可执行" in refused.json()["detail"]


async def test_cancelling_gives_up_what_is_expected(api: Client) -> None:
    await build(api)
    order = await issued(api, line(), line("SKU-2", "10"))
    cancelled = await act(api, order, "cancel", reason="No need")
    assert (cancelled["status"], cancelled["close_reason"]) == ("cancelled", None)
    assert [row["status"] for row in cancelled["lines"]] == ["cancelled", "cancelled"]
    assert await inbound(api) == []


async def test_an_order_closed_short_expects_nothing_until_it_is_reopened(api: Client) -> None:
    await build(api)
    order = await issued(api, line(), line("SKU-2", "10"))
    await receive(api, order, arrived("20"))
    closed = await act(api, await read(api, order), "short-close", reason="Supplier stops")
    assert (closed["status"], closed["close_reason"]) == ("closed", "short_closed")
    assert [row["status"] for row in closed["lines"]] == ["closed", "cancelled"]
    # What was given up costs nothing: 20 x 5.00.
    assert closed["amount"]["amount"] == "100.00"
    assert await inbound(api) == []
    reopened = await act(api, closed, "reopen", reason="They deliver after all")
    assert (reopened["status"], reopened["closed_at"]) == ("issued", None)
    assert reopened["amount"]["amount"] == "332.00"
    assert [quantity for _, quantity in await inbound(api)] == ["40.0000", "10.0000"]


async def test_a_held_order_keeps_its_reason_until_released(api: Client) -> None:
    await build(api)
    order = await act(api, await draft(api), "hold", reason="Price too high")
    assert (order["is_on_hold"], order["hold_reason"]) == (True, "Price too high")
    held = (await api.ok("GET", ORDERS, params={"is_on_hold": "true"}))["data"]
    assert [row["number"] for row in held] == [order["number"]]
    released = await act(api, order, "release")
    assert (released["is_on_hold"], released["hold_reason"]) == (False, None)
    assert "approve" in released["allowed_actions"]
