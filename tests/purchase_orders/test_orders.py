"""Writing, pricing, editing, listing and confirming orders over HTTP."""

from typing import Any

from tests.purchase_orders.world import (
    DAY,
    act,
    build,
    draft,
    inbound,
    issued,
    line,
    order_body,
    read,
    sell,
)
from tests.support import Client, new_client, problem_codes

ORDERS = "/v1/purchase-orders"


def places(response: Any) -> dict[str, str]:
    """The rules a problem names, by their places."""
    return {error["pointer"]: error["code"] for error in response.json()["errors"]}


async def test_one_call_makes_an_order_with_lines_and_schedules(api: Client) -> None:
    await build(api)
    response = await api.post(ORDERS, order_body(line(), line("SKU-2", "10"), external_ref="E-1"))
    assert response.status_code == 201
    order = response.json()
    assert response.headers["location"] == f"{ORDERS}/{order['id']}"
    assert response.headers["etag"] == '"1"'
    assert order["allowed_actions"] == ["change", "approve", "cancel", "hold"]
    assert [row["line_no"] for row in order["lines"]] == [1, 2]
    only = order["lines"][0]["schedules"]
    assert [(part["quantity"], part["need_by"]) for part in only] == [("60.0000", DAY)]
    for key in (order["id"], "number=po-000001", "ref=E-1"):
        assert (await api.ok("GET", f"{ORDERS}/{key}"))["id"] == order["id"]


async def test_the_price_list_decides_by_quantity_and_day(api: Client) -> None:
    await build(api)
    await sell(
        api,
        "S-1",
        "SKU-2",
        prices=[
            {"minimum_quantity": "0", "unit_price": "3", "valid_to": "2029-12-31"},
            {"minimum_quantity": "0", "unit_price": "320", "price_per": "100",
             "valid_from": "2030-01-01"},
        ],
    )  # fmt: skip
    order = await draft(
        api,
        line(quantity="119"),
        line(quantity="120"),
        line("SKU-2", "50"),
        line("SKU-2", "2", unit="BOX", unit_price="30"),
        line("SKU-2", "24", unit_price="30", price_unit="盒"),
        dated_on="2030-02-01",
    )
    rows = order["lines"]
    assert [(r["unit_price"], r["amount"]) for r in rows] == [
        ("5.000000", "595.0000"),
        ("4.500000", "540.0000"),
        ("320.000000", "160.0000"),
        ("30.000000", "60.0000"),
        ("30.000000", "60.0000"),
    ]
    assert rows[0]["supplier_sku"] == "F-1"
    assert (rows[3]["price_unit"], rows[3]["quantity"]) == ("BOX", "24.0000")
    codes = [(w["code"], w["line_no"]) for w in order["warnings"]]
    assert codes == [("not_order_multiple", 1)]


async def test_every_broken_rule_of_an_order_is_named_at_once(api: Client) -> None:
    await build(api)
    body = order_body(
        line("NOPE"),
        line(quantity="1", unit="KGM"),
        line("SKU-3", "1"),
        line(need_by=DAY, schedules=[{"quantity": "60", "need_by": DAY}]),
        line(quantity="10", schedules=[{"quantity": "6", "need_by": DAY}]),
        line(price_per="10"),
        line(warehouse={"code": "NOPE"}),
        line(quantity="1000000000", unit="BOX", unit_price="1"),
    )
    response = await api.post(ORDERS, body)
    assert response.status_code == 422
    assert places(response) == {
        "#/lines/0/item": "unknown_reference",
        "#/lines/1/unit": "unknown_unit",
        "#/lines/2/unit_price": "no_price",
        "#/lines/3/schedules": "either_date_or_schedules",
        "#/lines/4/schedules": "schedules_do_not_sum",
        "#/lines/5/price_per": "without_unit_price",
        "#/lines/6/warehouse": "unknown_reference",
        "#/lines/7/quantity": "too_large",
    }
    bare = {"supplier": {"code": "S-1"}, "lines": [line()]}
    assert places(await api.post(ORDERS, bare)) == {
        "#/lines/0/warehouse": "required_here",
        "#/lines/0/need_by": "required_here",
    }
    assert (await api.ok("GET", ORDERS))["data"] == []


async def test_an_order_in_another_currency_needs_a_rate(api: Client) -> None:
    await build(api)
    lines = [line(unit_price="1.005")]
    refused = await api.post(ORDERS, order_body(*lines, currency="JPY"))
    assert problem_codes(refused) == ["exchange_rate_required"]
    refused = await api.post(ORDERS, order_body(*lines, exchange_rate="7"))
    assert problem_codes(refused) == ["exchange_rate_not_one"]
    refused = await api.post(ORDERS, order_body(line(), currency="JPY", exchange_rate="0.05"))
    assert problem_codes(refused) == ["no_price"]
    order = await draft(api, *lines, currency="JPY", exchange_rate="0.05")
    assert order["amount"] == {"amount": "60", "currency": "JPY"}


async def test_nothing_is_ordered_from_a_blocked_supplier(api: Client) -> None:
    await build(api)
    order = await draft(api)
    await api.ok("PATCH", "/v1/suppliers/code=S-1", json={"status": "on_watch"})
    assert [w["code"] for w in (await read(api, order))["warnings"]] == ["supplier_on_watch"]
    await api.ok("PATCH", "/v1/suppliers/code=S-1", json={"status": "blocked"})
    assert places(await api.post(ORDERS, order_body())) == {"#/supplier": "supplier_blocked"}
    refused = await api.post(f"{ORDERS}/{order['id']}/approve", {"version": 1})
    assert (refused.status_code, refused.json()["code"]) == (409, "supplier_blocked")
    assert (await read(api, order))["status"] == "draft"


async def test_an_external_reference_is_used_once(api: Client) -> None:
    await build(api)
    await draft(api, external_ref="E-1")
    refused = await api.post(ORDERS, order_body(external_ref="E-1"))
    assert (refused.status_code, refused.json()["code"]) == (409, "duplicate")
    # The refused order gave its number back.
    assert (await draft(api))["number"] == "PO-000002"


async def test_a_draft_is_edited_as_a_whole_and_never_over_somebody_else(api: Client) -> None:
    await build(api)
    order = await draft(api, line(), line("SKU-2", "5"))
    path, first = f"{ORDERS}/{order['id']}", {"If-Match": '"1"'}
    wanted = {"note": "Call first", "lines": [line("SKU-2", "10", need_by=DAY)]}
    wanted["lines"][0]["warehouse"] = {"code": "WH-2"}  # type: ignore[index]
    response = await api.patch(path, wanted, headers=first)
    edited = response.json()
    assert response.headers["etag"] == '"2"'
    assert (edited["note"], edited["line_count"]) == ("Call first", 1)
    assert edited["amount"]["amount"] == "32.00"
    assert edited["lines"][0]["warehouse"]["code"] == "WH-2"
    assert (await api.patch(path, {"note": ""}, headers=first)).status_code == 412
    unchanged = await api.patch(path, {"note": "Call first"})
    assert unchanged.json()["version"] == 2
    await act(api, edited, "approve")
    refused = await api.patch(path, {"note": "Too late"})
    assert (refused.status_code, refused.json()["code"]) == (409, "illegal_transition")


async def test_a_decision_needs_the_version_it_was_made_on(api: Client) -> None:
    await build(api)
    order = await draft(api)
    path = f"{ORDERS}/{order['id']}"
    assert (await api.post(f"{path}/approve", {})).status_code == 428
    assert (await api.post(f"{path}/approve", {"version": 7})).status_code == 412
    approved = await api.post(f"{path}/approve", {}, headers={"If-Match": '"1"'})
    assert approved.status_code == 200
    assert (await api.post(f"{path}/issue", {})).status_code == 428
    assert (await api.post(f"{path}/revise", {"reason": "Why"})).status_code == 428
    await act(api, approved.json(), "issue")
    assert (await api.post(f"{path}/confirm", {})).status_code == 428


async def test_approving_needs_its_own_permission(api: Client) -> None:
    await build(api)
    order = await draft(api)
    buyer = await new_client(
        api.runtime,
        api.http,
        permissions=("purchase_orders:write", "purchase_orders:read"),
        organization_id=api.organization_id,
    )
    refused = await buyer.post(f"{ORDERS}/{order['id']}/approve", {"version": 1})
    assert refused.status_code == 403
    assert refused.json()["required_permission"] == "purchase_orders:approve"


async def test_the_list_filters_and_pages_without_gaps(api: Client) -> None:
    await build(api)
    first = await draft(api, line("SKU-2", "5"))
    second = await issued(api, line(need_by="2030-01-01"))
    third = await draft(api, line(warehouse={"code": "WH-2"}))

    async def numbers(**params: Any) -> list[str]:
        return [row["number"] for row in (await api.ok("GET", ORDERS, params=params))["data"]]

    assert await numbers() == [third["number"], second["number"], first["number"]]
    assert await numbers(status="issued") == [second["number"]]
    assert await numbers(status=["issued", "draft"], item="sku=SKU-2") == [first["number"]]
    assert await numbers(warehouse="code=WH-2") == [third["number"]]
    assert await numbers(supplier="code=S-1", q="po-000002") == [second["number"]]
    assert await numbers(next_due_on_lte="2029-12-31") == []
    assert await numbers(next_due_on_lte="2030-01-01") == [second["number"]]
    assert await numbers(receipt_status="full") == []
    since = await numbers(updated_since=second["updated_at"])
    assert since == [second["number"], third["number"]]
    page = await api.ok("GET", ORDERS, params={"limit": 2})
    rest = await api.ok("GET", ORDERS, params={"limit": 2, "cursor": page["next_cursor"]})
    assert [row["number"] for row in rest["data"]] == [first["number"]]
    unknown = await api.get(ORDERS, params={"supplier": "code=NOPE"})
    assert (unknown.status_code, problem_codes(unknown)) == (422, ["unknown_reference"])


async def test_another_organization_sees_and_does_nothing(api: Client, other: Client) -> None:
    await build(api)
    await build(other)
    order = await issued(api)
    path = f"{ORDERS}/{order['id']}"
    assert (await other.get(path)).status_code == 404
    assert (await other.post(f"{path}/hold", {"reason": "Mine"})).status_code == 404
    assert (await other.ok("GET", ORDERS))["data"] == []
    theirs = order_body(supplier={"id": order["supplier"]["id"]})
    assert places(await other.post(ORDERS, theirs)) == {"#/supplier": "unknown_reference"}
    assert (await draft(other))["number"] == "PO-000001"


async def test_the_supplier_answers_line_by_line(api: Client) -> None:
    await build(api)
    parts = [{"quantity": "40", "need_by": DAY}, {"quantity": "60", "need_by": "2030-04-01"}]
    order = await issued(api, line(), line("SKU-2", "100", schedules=parts))
    one = await act(api, order, "confirm", lines=[{"line_no": 1}])
    assert one["confirmation_status"] == "partial"
    answers = [
        {"line_no": 2, "schedule_no": 1, "answer": "rejected"},
        {"line_no": 2, "schedule_no": 2, "quantity": "50", "confirmed_on": "2030-04-05"},
    ]
    both = await act(api, one, "confirm", lines=answers)
    assert both["confirmation_status"] == "changed"
    assert await inbound(api) == [(DAY, "60.0000"), ("2030-04-05", "50.0000")]
    # Everything as asked, in one word.
    accepted = await act(api, both, "confirm")
    assert accepted["confirmation_status"] == "confirmed"
    assert len(await inbound(api)) == 3
    bad = [
        {"line_no": 9},
        {"line_no": 2, "quantity": "100"},
        {"line_no": 2, "schedule_no": 3},
        {"line_no": 1, "quantity": "61"},
        {"line_no": 1, "answer": "rejected", "confirmed_on": DAY},
    ]
    body = {"lines": bad, "version": accepted["version"]}
    refused = await api.post(f"{ORDERS}/{order['id']}/confirm", body)
    assert problem_codes(refused) == [
        "unknown_line",
        "schedule_required",
        "unknown_schedule",
        "more_than_tolerated",
        "not_with_rejection",
    ]


async def test_a_dry_run_shows_the_order_and_keeps_nothing(api: Client) -> None:
    await build(api)
    response = await api.post(f"{ORDERS}?dry_run=true", order_body())
    assert (response.status_code, response.json()["number"]) == (201, "PO-000001")
    assert (await api.ok("GET", ORDERS))["data"] == []
    assert (await draft(api))["number"] == "PO-000001"


async def test_an_order_offers_only_what_the_caller_may_do(api: Client) -> None:
    await build(api)
    body = order_body(line())
    created = (await api.post(ORDERS, body)).json()
    offered = {
        "buyer": ["change", "cancel", "hold"],
        "approver": ["approve"],
        "auditor": [],
        "admin": ["change", "approve", "cancel", "hold"],
    }
    for role, actions in offered.items():
        caller = await new_client(
            api.runtime,
            api.http,
            permissions=(),
            roles=(role,),
            organization_id=api.organization_id,
        )
        read = await caller.ok("GET", f"{ORDERS}/{created['id']}")
        listed = await caller.ok("GET", ORDERS)
        assert read["allowed_actions"] == actions, role
        assert listed["data"][0]["allowed_actions"] == actions, role
