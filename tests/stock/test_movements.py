"""Posting to the ledger: conservation, value, refusal, and what a caller learns."""

from decimal import Decimal

from scm_api.stock.audit import audit
from tests.stock.support import company, line, opening, position
from tests.support import Client, new_client, problem_codes


async def assert_sound(api: Client) -> None:
    """The derived rows are what the ledger says."""
    async with api.runtime.database.transaction(api.principal(), now=api.runtime.clock()) as tx:
        assert await audit(tx) == []


async def test_a_receipt_and_an_issue_move_quantity_and_value(api: Client) -> None:
    await company(api)
    await opening(api, "A", "10", "5")
    body = {"type": "purchase_receipt", "lines": [line("A", "10", unit_cost="7")]}
    await api.ok("POST", "/v1/stock-movements", json=body)
    issued = await api.ok(
        "POST", "/v1/stock-movements", json={"type": "sales_issue", "lines": [line("A", "5")]}
    )
    assert issued["lines"] == [{"line_no": 1, "value": "30.0000", "on_hand_after": "15.0000"}]
    now = await position(api, "A")
    assert (now["on_hand"], now["value"], now["average_cost"]) == (
        "15.0000",
        "90.0000",
        "6.000000",
    )
    await assert_sound(api)


async def test_the_last_unit_takes_the_last_cent(api: Client) -> None:
    await company(api)
    await opening(api, "A", "3", "3.333333")
    lines = [line("A", "1"), line("A", "1"), line("A", "1")]
    issued = await api.ok("POST", "/v1/stock-movements", json={"type": "scrap", "lines": lines})
    values = [Decimal(row["value"]) for row in issued["lines"]]
    assert sum(values) == Decimal("10.0000")
    assert (await position(api, "A"))["value"] == "0.0000"
    await assert_sound(api)


async def test_a_refused_issue_changes_nothing_and_names_every_line(api: Client) -> None:
    await company(api)
    await opening(api, "A", "10")
    lines = [line("A", "4"), line("B", "1"), line("A", "7")]
    response = await api.post("/v1/stock-movements", {"type": "sales_issue", "lines": lines})
    assert response.status_code == 409
    problem = response.json()
    assert problem["code"] == "insufficient_stock"
    assert [error["pointer"] for error in problem["errors"]] == [
        "#/lines/0/quantity",
        "#/lines/1/quantity",
        "#/lines/2/quantity",
    ]
    assert problem["errors"][1]["params"] == {"available": "0", "requested": "1"}
    assert (await position(api, "A"))["on_hand"] == "10.0000"
    assert len((await api.ok("GET", "/v1/stock-movements"))["data"]) == 1


async def test_a_refused_issue_leaves_a_shortage_behind(api: Client) -> None:
    await company(api)
    await opening(api, "A", "10")
    body = {"type": "sales_issue", "lines": [line("A", "14")]}
    for _ in range(2):
        await api.post("/v1/stock-movements", body, headers={"Idempotency-Key": "order-7"})
    shortages = await api.ok("GET", "/v1/shortages")
    assert [row["quantity"] for row in shortages["data"]] == ["4.0000"]


async def test_all_errors_of_a_document_come_at_once(api: Client) -> None:
    await company(api)
    lines = [
        line("NOPE", "1"),
        line("A", "1", "WH-7"),
        line("A", "1", location="ZZ"),
        line("A", "1", unit="BOX"),
        line("A", "1", lot={"code": "L1"}),
        line("A", "1", to_warehouse={"code": "WH-2"}),
    ]
    response = await api.post("/v1/stock-movements", {"type": "sales_issue", "lines": lines})
    assert response.status_code == 422
    assert [error["pointer"] for error in response.json()["errors"]] == [
        "#/lines/0/item",
        "#/lines/1/warehouse",
        "#/lines/2/location",
        "#/lines/3/unit",
        "#/lines/4/lot",
        "#/lines/5/to_warehouse",
    ]


async def test_a_transfer_takes_its_value_along(api: Client) -> None:
    await company(api)
    await opening(api, "A", "10", "5")
    body = {"type": "transfer", "lines": [line("A", "4", to_warehouse={"code": "WH-2"})]}
    await api.ok("POST", "/v1/stock-movements", json=body)
    assert (await position(api, "A", "WH-1"))["value"] == "30.0000"
    assert (await position(api, "A", "WH-2"))["value"] == "20.0000"
    await assert_sound(api)


async def test_blocked_stock_is_on_hand_and_not_available(api: Client) -> None:
    await company(api)
    await opening(api, "A", "10")
    await api.ok(
        "POST", "/v1/stock-movements", json={"type": "to_blocked", "lines": [line("A", "4")]}
    )
    now = await position(api, "A")
    assert (now["on_hand"], now["unrestricted"], now["available"]) == (
        "10.0000",
        "6.0000",
        "6.0000",
    )
    refused = await api.post(
        "/v1/stock-movements", {"type": "sales_issue", "lines": [line("A", "7")]}
    )
    assert refused.status_code == 409
    await assert_sound(api)


async def test_compare_and_set_refuses_a_quantity_that_changed(api: Client) -> None:
    await company(api)
    await opening(api, "A", "10")
    stale = {"type": "count_loss", "lines": [line("A", "1", expected_on_hand="9")]}
    response = await api.post("/v1/stock-movements", stale)
    assert (response.status_code, response.json()["code"]) == (409, "quantity_changed")
    assert response.json()["errors"][0]["params"]["actual"] == "10.0000"
    fresh = {"type": "count_loss", "lines": [line("A", "1", expected_on_hand="10")]}
    await api.ok("POST", "/v1/stock-movements", json=fresh)


async def test_a_document_is_reversed_once_and_both_point_at_each_other(api: Client) -> None:
    await company(api)
    first = await opening(api, "A", "10", "5")
    await opening(api, "A", "10", "7")
    path = f"/v1/stock-movements/{first['id']}"
    back = await api.ok("POST", f"{path}/reverse", json={"reason": "typed twice"})
    assert back["reversal_of"] == first["id"]
    assert (await api.ok("GET", path))["reversed_by"] == back["id"]
    assert (await position(api, "A"))["value"] == "70.0000"
    again = await api.post(f"{path}/reverse", {"reason": "again"})
    assert (again.status_code, again.json()["code"]) == (409, "already_reversed")
    of_reversal = await api.post(f"/v1/stock-movements/{back['id']}/reverse", {"reason": "x"})
    assert of_reversal.status_code == 409
    await assert_sound(api)


async def test_a_lot_tracked_item_is_kept_by_lot(api: Client) -> None:
    await company(api)
    await api.ok(
        "POST",
        "/v1/items",
        json={"sku": "L", "name": "Lots", "base_unit": "EA", "is_lot_tracked": True},
    )
    lines = [
        line("L", "5", lot={"code": "2026-A", "expires_on": "2027-01-31"}),
        line("L", "3", lot={"code": "2026-B"}),
    ]
    await api.ok("POST", "/v1/stock-movements", json={"type": "opening", "lines": lines})
    missing = await api.post(
        "/v1/stock-movements", {"type": "sales_issue", "lines": [line("L", "1")]}
    )
    assert problem_codes(missing) == ["lot_required"]
    too_much = await api.post(
        "/v1/stock-movements",
        {"type": "sales_issue", "lines": [line("L", "4", lot={"code": "2026-B"})]},
    )
    assert too_much.status_code == 409
    balances = (await api.ok("GET", "/v1/stock/balances?item=L"))["data"]
    assert {(row["lot"], row["on_hand"]) for row in balances} == {
        ("2026-A", "5.0000"),
        ("2026-B", "3.0000"),
    }


async def test_the_same_external_reference_is_not_posted_twice(api: Client) -> None:
    await company(api)
    await opening(api, "A", "10", external_ref="SCAN-1")
    body = {"type": "opening", "external_ref": "SCAN-1", "lines": [line("A", "10")]}
    response = await api.post("/v1/stock-movements", body)
    assert (response.status_code, response.json()["code"]) == (409, "duplicate")


async def test_negative_stock_is_possible_only_where_it_is_allowed_and_comes_back_in_steps(
    api: Client,
) -> None:
    await company(api)
    shop = {"code": "SHOP", "name": "Shop", "allows_negative_stock": True}
    await api.ok("POST", "/v1/warehouses", json=shop)
    sold = {"type": "sales_issue", "lines": [line("A", "10", "SHOP")]}
    issued = await api.ok("POST", "/v1/stock-movements", json=sold)
    bought = {"type": "purchase_receipt", "lines": [line("A", "3", "SHOP", unit_cost="4")]}
    await api.ok("POST", "/v1/stock-movements", json=bought)
    await opening(api, "A", "5")
    there = {"to_warehouse": {"code": "SHOP"}}
    moved = {"type": "transfer", "lines": [line("A", "2", **there)]}
    await api.ok("POST", "/v1/stock-movements", json=moved)
    assert (await position(api, "A", "SHOP"))["on_hand"] == "-5.0000"
    await api.patch("/v1/warehouses/SHOP", {"allows_negative_stock": False})
    more = await api.post("/v1/stock-movements", sold)
    assert more.status_code == 409
    await api.ok("POST", "/v1/stock-movements", json=bought)
    path = f"/v1/stock-movements/{issued['id']}/reverse"
    await api.ok("POST", path, json={"reason": "returned"})
    assert (await position(api, "A", "SHOP"))["on_hand"] == "8.0000"
    await assert_sound(api)


async def test_a_refused_issue_makes_no_lot_and_no_position(api: Client) -> None:
    await company(api)
    tracked = {"sku": "L", "name": "Lots", "base_unit": "EA", "is_lot_tracked": True}
    await api.ok("POST", "/v1/items", json=tracked)
    body = {"type": "sales_issue", "lines": [line("L", "1", lot={"code": "GHOST"})]}
    response = await api.post("/v1/stock-movements", body)
    assert problem_codes(response) == ["unknown_reference"]
    await api.post("/v1/stock-movements", {"type": "sales_issue", "lines": [line("A", "1")]})
    assert (await api.ok("GET", "/v1/items/sku=A/position"))["data"] == []
    assert (await api.ok("GET", "/v1/items/sku=L/position"))["data"] == []


async def test_a_lot_has_one_expiry_date(api: Client) -> None:
    await company(api)
    tracked = {"sku": "L", "name": "Lots", "base_unit": "EA", "is_lot_tracked": True}
    await api.ok("POST", "/v1/items", json=tracked)
    first = line("L", "1", lot={"code": "B1", "expires_on": "2027-01-31"})
    other = line("L", "1", lot={"code": "B1", "expires_on": "2027-02-28"})
    response = await api.post("/v1/stock-movements", {"type": "opening", "lines": [first, other]})
    assert problem_codes(response) == ["lot_expiry_differs"]
    await api.ok("POST", "/v1/stock-movements", json={"type": "opening", "lines": [first]})
    response = await api.post("/v1/stock-movements", {"type": "opening", "lines": [other]})
    assert response.json()["errors"][0]["pointer"] == "#/lines/0/lot/expires_on"


async def test_only_what_the_whole_warehouse_lacks_is_a_shortage(api: Client) -> None:
    await company(api)
    await api.ok("POST", "/v1/warehouses/WH-1/locations", json={"code": "A-2", "name": "A-2"})
    await opening(api, "A", "3")
    split = {"type": "opening", "lines": [line("A", "2", location="A-2")]}
    await api.ok("POST", "/v1/stock-movements", json=split)
    wrong_shelf = {"type": "sales_issue", "lines": [line("A", "5", location="A-2")]}
    assert (await api.post("/v1/stock-movements", wrong_shelf)).status_code == 409
    held = {"type": "consumption", "lines": [line("A", "1", status="quality")]}
    assert (await api.post("/v1/stock-movements", held)).status_code == 409
    assert (await api.ok("GET", "/v1/shortages"))["data"] == []
    lines = [line("A", "5"), line("A", "4", location="A-2")]
    await api.post("/v1/stock-movements", {"type": "sales_issue", "lines": lines})
    shortages = (await api.ok("GET", "/v1/shortages"))["data"]
    assert [row["quantity"] for row in shortages] == ["4.0000"]


async def test_a_reversal_never_lies_before_its_original(api: Client) -> None:
    await company(api)
    await opening(api, "A", "5", occurred_at="2026-01-01T00:00:00Z")
    sold = await api.ok(
        "POST", "/v1/stock-movements", json={"type": "sales_issue", "lines": [line("A", "1")]}
    )
    body = {"reason": "x", "occurred_at": "2026-02-01T00:00:00Z"}
    response = await api.post(f"/v1/stock-movements/{sold['id']}/reverse", body)
    assert problem_codes(response) == ["before_original"]


async def test_money_is_hidden_from_those_who_may_not_see_it(api: Client) -> None:
    await company(api)
    await opening(api, "A", "5")
    keeper = await new_client(
        api.runtime,
        api.http,
        permissions=("stock:read", "stock:post"),
        organization_id=api.organization_id,
    )
    shown = await position(keeper, "A")
    assert (shown["on_hand"], shown["value"], shown["average_cost"]) == ("5.0000", None, None)
    (entry,) = (await keeper.ok("GET", "/v1/stock-movements"))["data"]
    assert entry["value"] is None
    body = {"type": "sales_issue", "lines": [line("A", "1")]}
    posted = await keeper.ok("POST", "/v1/stock-movements", json=body)
    assert posted["lines"][0]["value"] is None
    assert (await keeper.get("/v1/stock/valuation")).status_code == 403


async def test_filters_take_every_kind_of_key_and_refuse_unknown_ones(api: Client) -> None:
    await company(api)
    reference = {"external_references": [{"system": "sap", "reference": "4711"}]}
    await api.patch("/v1/items/sku=A", reference)
    await opening(api, "A", "5")
    await opening(api, "B", "5")
    paths = ("/v1/stock", "/v1/stock/balances", "/v1/stock-movements", "/v1/stock/as-of")
    for path in paths:
        when = {"as_of": "2100-01-01T00:00:00Z"} if path.endswith("as-of") else {}
        for key in ("A", "sku=a", "ref=sap:4711"):
            found = await api.ok("GET", path, params={"item": key, "warehouse": "wh-1", **when})
            assert [row["item"]["sku"] for row in found["data"]] == ["A"], (path, key)
        refused = await api.get(path, params={"item": "NOPE", **when})
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["parameter"] == "item"


async def test_a_thousand_lines_cost_as_many_statements_as_two(api: Client) -> None:
    skus = [f"S{number}" for number in range(500)]
    await company(api, "A")
    await api.ok(
        "PUT",
        "/v1/items/bulk",
        json={
            "mode": "atomic",
            "items": [{"sku": sku, "name": sku, "base_unit": "EA"} for sku in skus],
        },
    )
    await opening(api, "A", "1")
    counts = []
    for chosen in (skus[:2], skus * 2):
        lines = [line(sku, "1", unit_cost="2") for sku in chosen]
        async with api.counted() as statements:
            await api.ok("POST", "/v1/stock-movements", json={"type": "opening", "lines": lines})
        counts.append(len(statements))
    assert counts[0] == counts[1] <= 6
    await assert_sound(api)


async def test_a_document_cannot_move_an_item_both_ways_between_warehouses(api: Client) -> None:
    await company(api)
    await opening(api, "A", "10", "7")
    there = line("A", "10", to_warehouse={"code": "WH-2"})
    back = line("A", "10", "WH-2", to_warehouse={"code": "WH-1"})
    response = await api.post("/v1/stock-movements", {"type": "transfer", "lines": [there, back]})
    assert problem_codes(response) == ["gives_and_takes"]
    await assert_sound(api)


async def test_a_wrong_expectation_of_an_empty_place_is_a_conflict(api: Client) -> None:
    await company(api)
    body = {"type": "adjustment_in", "lines": [line("A", "1", expected_on_hand="5")]}
    response = await api.post("/v1/stock-movements", body)
    assert (response.status_code, response.json()["code"]) == (409, "quantity_changed")


async def test_lot_codes_that_differ_only_in_case_are_one_lot(api: Client) -> None:
    await company(api)
    tracked = {"sku": "L", "name": "Lots", "base_unit": "EA", "is_lot_tracked": True}
    await api.ok("POST", "/v1/items", json=tracked)
    lines = [line("L", "1", lot={"code": "zz"}), line("L", "2", lot={"code": "ZZ"})]
    await api.ok("POST", "/v1/stock-movements", json={"type": "opening", "lines": lines})
    (balance,) = (await api.ok("GET", "/v1/stock/balances"))["data"]
    assert (balance["lot"], balance["on_hand"]) == ("zz", "3.0000")


async def test_two_callers_with_the_same_key_leave_two_shortages(api: Client) -> None:
    await company(api)
    second = await new_client(api.runtime, api.http, organization_id=api.organization_id)
    for caller in (api, second, api):
        body = {"type": "sales_issue", "lines": [line("A", "5")]}
        await caller.post("/v1/stock-movements", body, headers={"Idempotency-Key": "k" * 255})
    assert len((await api.ok("GET", "/v1/shortages"))["data"]) == 2


async def test_times_at_the_ends_of_the_calendar_are_refused_by_name(api: Client) -> None:
    await company(api)
    for when in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", 0, "253402300800"):
        body = {"type": "opening", "occurred_at": when, "lines": [line("A", "1")]}
        response = await api.post("/v1/stock-movements", body)
        assert response.status_code == 422, when
        assert response.json()["errors"][0]["pointer"] == "#/occurred_at", when


async def test_what_fills_negative_stock_enters_at_what_was_taken(api: Client) -> None:
    await company(api)
    shop = {"code": "SHOP", "name": "Shop", "allows_negative_stock": True}
    await api.ok("POST", "/v1/warehouses", json=shop)

    async def post(kind: str, quantity: str, **more: str) -> None:
        body = {"type": kind, "lines": [line("A", quantity, "SHOP", **more)]}
        await api.ok("POST", "/v1/stock-movements", json=body)

    await post("opening", "1", unit_cost="100")
    await post("sales_issue", "10")
    await post("opening", "4", unit_cost="1")
    await post("opening", "6", unit_cost="1")
    now = await position(api, "A", "SHOP")
    assert (now["on_hand"], now["value"]) == ("1.0000", "1.0000")
    await post("sales_issue", "1")
    assert (await position(api, "A", "SHOP"))["value"] == "0.0000"
    await assert_sound(api)
