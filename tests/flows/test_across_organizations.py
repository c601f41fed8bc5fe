"""A person with a different role in each of his organizations asks for the key figures of all of
them: one row each, a total from summed inputs, and nothing that he may not see anywhere."""

from collections.abc import Mapping
from typing import Any

from tests.core.across_world import code_of, organization, organizations, person
from tests.stock.support import company, line
from tests.support import Client, problem_codes

PERIOD = {"from": "2026-03-01", "to": "2026-03-10"}
NAMES = ("inventory-turnover", "stock-out-rate", "fill-rate", "overstock", "purchase-on-time")
# What is money in a row, and what is computed from money.
VALUES: Mapping[str, tuple[str, ...]] = {
    "inventory-turnover": (
        "opening_value",
        "closing_value",
        "value_days",
        "average_value",
        "consumption_value",
    ),
    "fill-rate": ("issued_value", "shortage_value"),
    "overstock": ("stock_value", "overstock_value"),
}
RATIOS: Mapping[str, tuple[str, ...]] = {
    "inventory-turnover": ("turnover", "turnover_per_year", "days_of_inventory"),
    "fill-rate": ("value_fill_rate",),
    "overstock": ("overstock_share",),
}


async def post(api: Client, type_: str, on: str, *lines: Any) -> int:
    """Post at noon of a day in Shanghai; gives the status."""
    body = {"type": type_, "lines": list(lines), "occurred_at": f"{on}T12:00:00+08:00"}
    return (await api.post("/v1/stock-movements", body)).status_code


async def trade(first: Client, second: Client) -> None:
    """100 pieces at 10 in one organization, 40 of them sold and 70 more asked for in vain; 50 at
    10 in the other, 10 of them sold."""
    for one in (first, second):
        await company(one, "A")
    assert await post(first, "opening", "2026-02-01", line("A", "100", unit_cost="10")) == 201
    assert await post(first, "sales_issue", "2026-03-04", line("A", "40")) == 201
    assert await post(first, "sales_issue", "2026-03-05", line("A", "70")) == 409
    assert await post(second, "opening", "2026-02-01", line("A", "50", unit_cost="10")) == 201
    assert await post(second, "sales_issue", "2026-03-09", line("A", "10")) == 201


async def kpi(caller: Client, name: str, **params: Any) -> Any:
    return await caller.ok(
        "GET", f"/v1/kpis/{name}", params={"organization": "*", **PERIOD, **params}
    )


async def test_key_figures_of_two_organizations_by_hand(api: Client) -> None:
    first, second = await organizations(api, "A", "B")
    await trade(first, second)
    caller, _ = await person((second, "planner"), (first, "planner"))
    answer = await kpi(caller, "inventory-turnover")
    assert (answer["group_by"], answer["group_count"]) == ("organization", 2)
    assert (answer["currency"], answer["days"], answer["left_out"]) == ("CNY", 10, [])
    rows = answer["groups"]
    codes = [await code_of(first), await code_of(second)]
    assert [row["group"] for row in rows] == [
        {"id": str(one.organization_id), "code": code, "name": f"Name of {code}"}
        for one, code in zip((first, second), codes, strict=True)
    ]
    # Three days of 1000, one of 800, six of 600; eight of 500, one of 450, one of 400.
    assert [row["value_days"] for row in rows] == ["7400.00000", "4850.00000"]
    assert [row["turnover"] for row in rows] == ["0.5405", "0.2062"]
    assert [row["currency"] for row in rows] == ["CNY", "CNY"]
    total = answer["total"]
    assert (total["n"], total["value_days"], total["average_value"]) == (
        2,
        "12250.00000",
        "1225.0000",
    )
    assert (total["opening_value"], total["closing_value"]) == ("1500.0000", "1000.0000")
    assert total["consumption_value"] == "500.0000"
    # 500 / 1225, not the mean of 0.5405 and 0.2062; 1225 / (500 / 10).
    assert (total["turnover"], total["days_of_inventory"]) == ("0.4082", "24.50")
    assert total["turnover_per_year"] == "14.8980"

    filled = await kpi(caller, "fill-rate")
    # 10 of the 70 asked for were not there: 40 / 50 and 10 / 10.
    assert [row["fill_rate"] for row in filled["groups"]] == ["0.8000", "1.0000"]
    assert (filled["total"]["issued_quantity"], filled["total"]["shortage_quantity"]) == (
        "50.0000",
        "10.0000",
    )
    assert (filled["total"]["fill_rate"], filled["total"]["value_fill_rate"]) == (
        "0.8333",
        "0.8333",
    )


async def test_each_row_is_what_the_organization_itself_says(api: Client) -> None:
    first, second = await organizations(api, "A", "B")
    await trade(first, second)
    caller, _ = await person((second, "planner"), (first, "planner"))
    for name in NAMES:
        answer = await kpi(caller, name)
        for one, row in zip((first, second), answer["groups"], strict=True):
            plain = await one.ok("GET", f"/v1/kpis/{name}", params=PERIOD)
            figures = {key: row[key] for key in row if key not in ("group", "currency")}
            assert figures == plain["total"], name
            assert answer["formula"] == plain["formula"]
            assert "left_out" not in plain
    known = await kpi(caller, "overstock", cover_days=1)
    assert known["cover_days"] == 1


async def test_values_of_different_currencies_are_not_added_but_quantities_are(
    api: Client,
) -> None:
    (first,) = await organizations(api, "A")
    second = await organization(api, f"{await code_of(first)}-usd", currency="USD")
    await trade(first, second)
    caller, _ = await person((first, "planner"), (second, "planner"))
    for name in NAMES:
        answer = await kpi(caller, name)
        assert answer["currency"] is None
        assert [row["currency"] for row in answer["groups"]] == ["CNY", "USD"]
        hidden = {*VALUES.get(name, ()), *RATIOS.get(name, ())}
        assert {key for key in hidden if answer["total"][key] is not None} == set()
        for row in answer["groups"]:
            assert all(row[key] is not None for key in VALUES.get(name, ()))
    filled = (await kpi(caller, "fill-rate"))["total"]
    assert (filled["fill_rate"], filled["issued_quantity"], filled["n"]) == ("0.8333", "50.0000", 2)
    out = (await kpi(caller, "stock-out-rate"))["total"]
    assert (out["item_days"], out["stock_out_rate"]) == (20, "0.0000")


async def test_values_hidden_in_one_organization_cannot_be_told_from_the_total(
    api: Client,
) -> None:
    planned, sold, closed, foreign = await organizations(api, "A", "B", "C", "D")
    await trade(planned, sold)
    await trade(closed, foreign)
    caller, _ = await person((closed, "supplier"), (sold, "sales"), (planned, "planner"))
    for name in NAMES:
        answer = await kpi(caller, name)
        assert [row["group"]["code"][-1] for row in answer["groups"]] == ["A", "B"]
        assert [one["code"][-1] for one in answer["left_out"]] == ["C"]
        shown, hidden = answer["groups"]
        for key in VALUES.get(name, ()):
            assert (shown[key] is None, hidden[key]) == (False, None)
        for key in (*VALUES.get(name, ()), *RATIOS.get(name, ())):
            assert answer["total"][key] is None, key
    assert (await kpi(caller, "fill-rate"))["total"]["fill_rate"] == "0.8333"


async def test_the_last_day_is_the_same_for_all_where_it_is_not_given(api: Client) -> None:
    # Fifteen hours and more apart: never the same day at both ends of the world.
    (east,) = await organizations(api, "E", time_zone="Pacific/Kiritimati")
    west = await organization(api, f"{await code_of(east)}-w", time_zone="Pacific/Pago_Pago")
    caller, _ = await person((east, "planner"), (west, "planner"))
    last_days = [(await one.ok("GET", "/v1/kpis/stock-out-rate"))["to"] for one in (east, west)]
    assert last_days[0] > last_days[1]
    answer = await caller.ok("GET", "/v1/kpis/stock-out-rate", params={"organization": "*"})
    assert (answer["to"], answer["days"], answer["group_count"]) == (last_days[1], 30, 2)
    # As ever, a day that has not begun everywhere is refused when asked for.
    early = {"organization": "*", "to": last_days[0]}
    response = await caller.get("/v1/kpis/stock-out-rate", params=early)
    assert (response.status_code, problem_codes(response)) == (422, ["period_in_the_future"])


async def test_a_filter_unknown_to_one_organization_leaves_it_out_of_the_groups(
    api: Client,
) -> None:
    first, second = await organizations(api, "A", "B")
    await trade(first, second)
    await first.ok("POST", "/v1/warehouses", json={"code": "OWN", "name": "Own"})
    caller, _ = await person((first, "planner"), (second, "planner"))
    answer = await kpi(caller, "fill-rate", warehouse="OWN")
    assert [row["group"]["code"][-1] for row in answer["groups"]] == ["A"]
    params = {"organization": "*", "warehouse": "NONE"}
    response = await caller.get("/v1/kpis/fill-rate", params=params)
    assert (response.status_code, problem_codes(response)) == (422, ["unknown_reference"])
    grouped = {"organization": "*", "group_by": "item"}
    response = await caller.get("/v1/kpis/fill-rate", params=grouped)
    assert (response.status_code, problem_codes(response)) == (422, ["grouped_by_organization"])


async def test_nothing_remains_where_nothing_is_granted(api: Client) -> None:
    first, second = await organizations(api, "A", "B")
    caller, _ = await person((first, "supplier"), (second, "warehouse"))
    response = await caller.get("/v1/kpis/fill-rate", params={"organization": "*"})
    assert response.status_code == 403
    assert response.json()["required_permission"] == "insights:read"
