"""Changing approved and issued orders: revisions, and what follows from them."""

from typing import Any

from tests.purchase_orders.world import (
    DAY,
    act,
    arrived,
    build,
    draft,
    inbound,
    issued,
    line,
    read,
    receive,
)
from tests.support import Client, problem_codes

ORDERS = "/v1/purchase-orders"


async def revisions(api: Client, order: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await api.ok("GET", f"{ORDERS}/{order['id']}/revisions"))["data"]
    return found


async def test_a_change_is_a_revision_that_says_what_was_and_what_is(api: Client) -> None:
    await build(api)
    order = await issued(api, line(), line("SKU-2", "10"))
    changes = [
        {"line_no": 1, "quantity": "72", "need_by": "2030-03-20", "unit_price": "4.75"},
        {"line_no": 2, "over_delivery_percent": "10"},
    ]
    changed = await act(api, order, "revise", reason="Customer wants more", lines=changes)
    assert (changed["revision"], changed["amount"]["amount"]) == (2, "374.00")
    assert await inbound(api) == [(DAY, "10.0000"), ("2030-03-20", "72.0000")]
    (revision,) = await revisions(api, order)
    assert (revision["revision"], revision["reason"]) == (2, "Customer wants more")
    assert revision["principal_name"] == "test key"
    assert revision["changes"] == [
        {"path": "/lines/1/quantity", "old": "60.0000", "new": "72.0000"},
        {"path": "/lines/1/schedules/1/need_by", "old": DAY, "new": "2030-03-20"},
        {"path": "/lines/1/schedules/1/quantity", "old": "60.0000", "new": "72.0000"},
        {"path": "/lines/1/unit_price", "old": "5.000000", "new": "4.750000"},
        {"path": "/lines/2/over_delivery_percent", "old": "0.0000", "new": "10.0000"},
    ]
    feed = await api.ok("GET", "/v1/events", params={"type": "purchase_order.revised"})
    data = feed["data"][0]["data"]
    assert (data["revision"], data["change_count"]) == (2, 5)
    assert data["changes"] == revision["changes"]


async def test_a_change_that_changes_nothing_makes_no_revision(api: Client) -> None:
    await build(api)
    order = await issued(api)
    same = [{"line_no": 1, "quantity": "60", "need_by": DAY, "unit_price": "5"}]
    unchanged = await act(api, order, "revise", reason="Nothing", lines=same)
    assert (unchanged["revision"], unchanged["version"]) == (1, order["version"])
    assert await revisions(api, order) == []


async def test_what_changed_must_be_confirmed_again(api: Client) -> None:
    await build(api)
    order = await issued(api, line(), line("SKU-2", "10"))
    confirmed = await act(api, order, "confirm")
    lines = [{"line_no": 1, "quantity": "72"}]
    changed = await act(api, confirmed, "revise", reason="More", lines=lines)
    assert [row["confirmation_status"] for row in changed["lines"]] == ["none", "confirmed"]
    assert changed["confirmation_status"] == "partial"


async def test_a_change_never_goes_below_what_arrived(api: Client) -> None:
    await build(api)
    order = await issued(api, line(over_delivery_percent="10"), line("SKU-2", "10"))
    await receive(api, order, arrived("30"))
    order = await read(api, order)
    path = f"{ORDERS}/{order['id']}/revise"

    async def change(**fields: Any) -> Any:
        body = {"reason": "Less", "version": order["version"], "lines": [{"line_no": 1, **fields}]}
        return await api.post(path, body)

    assert problem_codes(await change(quantity="29.9999")) == ["below_received"]
    assert problem_codes(await change(quantity="70", need_by=DAY, schedules=[
        {"quantity": "70", "need_by": DAY}])) == ["either_date_or_schedules"]  # fmt: skip
    assert problem_codes(await change(schedules=[{"quantity": "1", "need_by": DAY}])) == [
        "schedules_do_not_sum"
    ]
    assert (await read(api, order))["revision"] == 1
    # Exactly what arrived: the line is done, the other is still open.
    done = (await change(quantity="30")).json()
    assert [row["status"] for row in done["lines"]] == ["delivered", "open"]
    assert (done["status"], done["receipt_status"]) == ("issued", "partial")


async def test_giving_up_the_last_open_line_ends_the_order(api: Client) -> None:
    await build(api)
    order = await issued(api, line(), line("SKU-2", "10"))
    await receive(api, order, arrived("60"))
    give_up = [{"line_no": 2, "is_closed": True}]
    closed = await act(api, await read(api, order), "revise", reason="Stop", lines=give_up)
    assert (closed["status"], closed["close_reason"]) == ("closed", "completed")
    nothing = await issued(api)
    give_up = [{"line_no": 1, "is_closed": True}]
    cancelled = await act(api, nothing, "revise", reason="Stop", lines=give_up)
    assert cancelled["status"] == "cancelled"


async def test_schedules_can_be_split_and_the_order_stays_approved(api: Client) -> None:
    await build(api)
    order = await act(api, await draft(api), "approve")
    parts = [{"quantity": "20", "need_by": DAY}, {"quantity": "40", "need_by": "2030-05-01"}]
    lines = [{"line_no": 1, "schedules": parts}]
    changed = await act(api, order, "revise", reason="Two lorries", lines=lines)
    assert changed["status"] == "approved"
    assert [part["quantity"] for part in changed["lines"][0]["schedules"]] == ["20.0000", "40.0000"]
    assert await inbound(api) == []
    (revision,) = await revisions(api, order)
    assert revision["changes"] == [
        {"path": "/lines/1/schedules/1/quantity", "old": "60.0000", "new": "20.0000"},
        {"path": "/lines/1/schedules/2/need_by", "old": None, "new": "2030-05-01"},
        {"path": "/lines/1/schedules/2/quantity", "old": None, "new": "40.0000"},
    ]


async def test_of_two_changes_to_one_version_the_second_is_refused(api: Client) -> None:
    await build(api)
    order = await issued(api)
    path = f"{ORDERS}/{order['id']}/revise"
    body = {"reason": "More", "version": order["version"]}
    first = await api.post(path, {**body, "lines": [{"line_no": 1, "quantity": "72"}]})
    second = await api.post(path, {**body, "lines": [{"line_no": 1, "quantity": "84"}]})
    assert (first.status_code, second.status_code) == (200, 412)
    assert (await read(api, order))["lines"][0]["quantity"] == "72.0000"
