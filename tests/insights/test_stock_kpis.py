"""Key figures of stock: worked by hand, and recomputed day by day from a random ledger."""

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.alerts.support import plan
from tests.insights import naive
from tests.stock.support import company, line, opening
from tests.support import Client, new_client, problem_codes

FIRST, LAST = "2026-03-01", "2026-03-10"


async def post(api: Client, type_: str, on: str, *lines: Any, **more: Any) -> Any:
    """Post at noon of a day in Shanghai."""
    body = {"type": type_, "lines": list(lines), "occurred_at": f"{on}T12:00:00+08:00", **more}
    return await api.ok("POST", "/v1/stock-movements", json=body)


async def kpi(api: Client, name: str, **params: Any) -> Any:
    return await api.ok("GET", f"/v1/kpis/{name}", params={"from": FIRST, "to": LAST, **params})


async def test_turnover_by_hand_counts_the_posting_day_as_half_a_day(api: Client) -> None:
    await company(api)
    await post(api, "opening", "2026-02-01", line("A", "100", unit_cost="10"))
    await post(api, "sales_issue", "2026-03-04", line("A", "40"))
    answer = await kpi(api, "inventory-turnover")
    total = answer["total"]
    assert (total["opening_value"], total["closing_value"]) == ("1000.0000", "600.0000")
    # Three days of 1000, one of 800, six of 600: 7400 / 10.
    assert total["average_value"] == "740.0000"
    assert total["consumption_value"] == "400.0000"
    assert total["turnover"] == "0.5405"
    # 740 / (400 / 10).
    assert total["days_of_inventory"] == "18.50"
    assert total["turnover_per_year"] == "19.7297"
    assert (answer["days"], answer["currency"], total["n"]) == (10, "CNY", 1)
    assert "half a day" in answer["formula"]
    assert "半天" in answer["formula_zh"]


async def test_a_reversed_issue_is_no_consumption(api: Client) -> None:
    await company(api)
    await post(api, "opening", "2026-02-01", line("A", "100", unit_cost="10"))
    issue = await post(api, "sales_issue", "2026-03-04", line("A", "40"))
    await api.ok(
        "POST", f"/v1/stock-movements/{issue['id']}/reverse", json={"reason": "Scanned twice"}
    )
    total = (await kpi(api, "inventory-turnover"))["total"]
    assert (total["consumption_value"], total["days_of_inventory"]) == ("0.0000", None)
    filled = (await kpi(api, "fill-rate"))["total"]
    assert (filled["issued_quantity"], filled["fill_rate"]) == ("0", None)


async def test_stock_out_rate_by_hand(api: Client) -> None:
    await company(api)
    await post(api, "opening", "2026-02-01", line("A", "10", unit_cost="1"))
    # Sold out from the 4th to the 7th; the 8th brings new stock.
    await post(api, "sales_issue", "2026-03-04", line("A", "10"))
    await post(api, "adjustment_in", "2026-03-08", line("A", "5", unit_cost="1"))
    # Stocked from the 6th on, never asked for, and then taken away: no stock-out.
    await post(api, "opening", "2026-03-06", line("B", "10", unit_cost="1"))
    await post(api, "scrap", "2026-03-08", line("B", "10"))
    # Gone before the period and not asked for: not active.
    await post(api, "opening", "2026-02-01", line("C", "1", unit_cost="1"))
    await post(api, "scrap", "2026-02-02", line("C", "1"))
    total = (await kpi(api, "stock-out-rate"))["total"]
    assert (total["n"], total["item_days"], total["stocked_out_days"]) == (2, 15, 4)
    assert (total["stock_out_rate"], total["achieved_fill"]) == ("0.2667", "0.7333")
    assert total["stocked_out_items"] == 1


async def test_an_item_sold_out_long_before_is_still_out_of_stock(api: Client) -> None:
    await company(api)
    # Sold out in January, nobody reported a shortage, asked for March.
    await post(api, "opening", "2026-01-01", line("A", "10", unit_cost="1"))
    await post(api, "sales_issue", "2026-01-20", line("A", "10"))
    # Sold out too long ago for anybody to miss it: 92 days before the first of March.
    await post(api, "opening", "2025-11-01", line("B", "10", unit_cost="1"))
    await post(api, "sales_issue", "2025-11-29", line("B", "10"))
    answer = await kpi(api, "stock-out-rate", group_by="item")
    assert [row["group"]["code"] for row in answer["groups"]] == ["A"]
    total = answer["total"]
    assert (total["n"], total["item_days"], total["stocked_out_days"]) == (1, 10, 10)
    assert total["stock_out_rate"] == "1.0000"
    assert "91 days" in answer["formula"]
    assert "91 天" in answer["formula_zh"]


async def test_an_item_planned_to_be_sold_is_out_of_stock_without_it(api: Client) -> None:
    await company(api)
    today = datetime.now(UTC).astimezone(naive.ZONE).date().isoformat()
    for sku in ("A", "B"):
        await post(api, "opening", "2026-01-01", line(sku, "1", unit_cost="1"))
        await post(api, "scrap", "2026-01-02", line(sku, "1"))
    before = await kpi(api, "stock-out-rate", to=today, **{"from": today})
    assert before["total"]["n"] == 0
    await plan(api, "A", demand="5")
    await plan(api, "B", demand="0")
    after = await kpi(api, "stock-out-rate", to=today, **{"from": today})
    assert (after["total"]["n"], after["total"]["stocked_out_days"]) == (1, 1)
    again = await kpi(api, "stock-out-rate", to=today, **{"from": today, "as_of": before["as_of"]})
    assert again == before


async def test_fill_rate_by_hand_in_units_and_in_value(api: Client) -> None:
    await company(api)
    await post(api, "opening", "2026-02-01", line("A", "10", unit_cost="4"))
    await post(api, "sales_issue", "2026-03-04", line("A", "10"))
    short = {"type": "sales_issue", "lines": [line("A", "6")]}
    refused = await api.post(
        "/v1/stock-movements", {**short, "occurred_at": "2026-03-05T12:00:00+08:00"}
    )
    assert refused.status_code == 409
    total = (await kpi(api, "fill-rate"))["total"]
    assert (total["issued_quantity"], total["shortage_quantity"]) == ("10.0000", "6.0000")
    assert (total["issued_value"], total["shortage_value"]) == ("40.0000", "24.0000")
    assert (total["fill_rate"], total["value_fill_rate"]) == ("0.6250", "0.6250")


async def test_shortages_without_issues_count_at_the_cost_stock_had_come_in_at(
    api: Client,
) -> None:
    await company(api)
    await post(api, "opening", "2026-02-01", line("A", "10", unit_cost="3"))
    await post(api, "purchase_receipt", "2026-02-10", line("A", "10", unit_cost="4"))
    await post(api, "scrap", "2026-02-20", line("A", "20"))
    # The first ever stock of B comes after the period.
    await post(api, "opening", "2026-03-15", line("B", "10", unit_cost="7"))
    await post(api, "opening", "2026-03-20", line("B", "10", unit_cost="8"))
    await post(api, "scrap", "2026-03-21", line("B", "20"))
    for sku in ("A", "B"):
        body = {"type": "sales_issue", "lines": [line(sku, "6")]}
        body["occurred_at"] = "2026-03-05T12:00:00+08:00"
        assert (await api.post("/v1/stock-movements", body)).status_code == 409
    # What came in later, at another price, is not what was missing then.
    await post(api, "opening", "2026-03-15", line("A", "10", unit_cost="400"))
    answer = await kpi(api, "fill-rate", group_by="item")
    values = [(row["group"]["code"], row["shortage_value"]) for row in answer["groups"]]
    assert values == [("B", "42.0000"), ("A", "24.0000")]


async def test_overstock_is_judged_by_the_plan_or_else_by_days_of_cover(api: Client) -> None:
    await company(api)
    today = datetime.now(UTC).astimezone(naive.ZONE).date().isoformat()
    await opening(api, "A", "100", "10")
    await opening(api, "B", "100", "10")
    await plan(api, "A", up_to="60")
    await api.ok(
        "POST", "/v1/stock-movements", json={"type": "sales_issue", "lines": [line("B", "10")]}
    )
    params = {"from": today, "to": today, "cover_days": 2, "group_by": "item"}
    answer = await kpi(api, "overstock", **params)
    # A: 40 above 60. B: 90 held, 10 a day for 2 days allowed, 70 above.
    assert answer["total"]["overstock_value"] == "1100.0000"
    assert answer["total"]["stock_value"] == "1900.0000"
    assert answer["total"]["overstock_share"] == "0.5789"
    assert (answer["total"]["n"], answer["total"]["unplanned_items"]) == (2, 1)
    assert [row["group"]["code"] for row in answer["groups"]] == ["B", "A"]
    assert [row["overstock_value"] for row in answer["groups"]] == ["700.0000", "400.0000"]


async def test_groups_add_up_and_the_worst_come_first(api: Client) -> None:
    await company(api)
    await api.ok("POST", "/v1/categories", json={"code": "C-1", "name": "First"})
    await api.patch("/v1/items/sku=A", {"category": {"code": "C-1"}})
    for sku, warehouse, quantity in (("A", "WH-1", "50"), ("B", "WH-2", "20"), ("C", "WH-2", "5")):
        await post(api, "opening", "2026-02-01", line(sku, quantity, warehouse, unit_cost="2"))
    by_place = await kpi(api, "inventory-turnover", group_by="warehouse")
    assert [row["group"]["code"] for row in by_place["groups"]] == ["WH-1", "WH-2"]
    assert [row["average_value"] for row in by_place["groups"]] == ["100.0000", "50.0000"]
    by_category = await kpi(api, "inventory-turnover", group_by="category")
    assert [row["group"]["code"] for row in by_category["groups"]] == ["C-1", None]
    by_item = await kpi(api, "inventory-turnover", group_by="item", limit=2)
    assert [row["group"]["code"] for row in by_item["groups"]] == ["A", "B"]
    assert by_item["group_count"] == 3
    one = await kpi(api, "inventory-turnover", warehouse="wh-2", item="c")
    assert one["total"]["average_value"] == "10.0000"
    of_category = await kpi(api, "inventory-turnover", category="C-1")
    assert of_category["total"]["average_value"] == "100.0000"


async def test_what_lasts_longest_comes_first_however_little_it_is_worth(api: Client) -> None:
    await company(api, "QUICK", "SLOW", "DEAD", "GONE")
    for sku, quantity, cost in (("QUICK", "100", "50"), ("SLOW", "100", "5"), ("DEAD", "1", "1")):
        await post(api, "opening", "2026-02-01", line(sku, quantity, unit_cost=cost))
    await post(api, "opening", "2026-02-01", line("GONE", "1", unit_cost="1"))
    await post(api, "scrap", "2026-02-02", line("GONE", "1"))
    await post(api, "sales_issue", "2026-03-04", line("QUICK", "80"))
    await post(api, "sales_issue", "2026-03-04", line("SLOW", "2"))
    answer = await kpi(api, "inventory-turnover", group_by="item")
    lasts = [(row["group"]["code"], row["days_of_inventory"]) for row in answer["groups"]]
    # Nothing is ever taken from DEAD; of GONE there is nothing to last.
    assert [code for code, _ in lasts] == ["DEAD", "SLOW", "QUICK", "GONE"]
    assert (lasts[0][1], lasts[3][1]) == (None, None)
    assert Decimal(lasts[1][1]) > Decimal(lasts[2][1])


async def random_ledger(api: Client, seed: int) -> None:
    """Sixty days of buying, selling, refusing, moving, blocking and reversing."""
    chance = random.Random(seed)
    await company(api)
    start = date(2026, 2, 1)
    for n in range(60):
        on = (start + timedelta(days=n)).isoformat()
        sku, here = chance.choice("ABC"), chance.choice(["WH-1", "WH-2"])
        quantity = str(chance.randint(1, 30))
        kinds: list[tuple[str, dict[str, Any]]] = [
            ("purchase_receipt", {"unit_cost": str(chance.randint(1, 9))}),
            ("sales_issue", {}),
            ("sales_issue", {}),
            ("consumption", {}),
            ("customer_return", {}),
            ("to_quality", {}),
            ("transfer", {"to_warehouse": {"code": "WH-2" if here == "WH-1" else "WH-1"}}),
        ]
        kind, more = chance.choice(kinds)
        body = {
            "type": kind,
            "lines": [line(sku, quantity, here, **more)],
            "occurred_at": f"{on}T{chance.randint(0, 23):02d}:30:00+08:00",
        }
        posted = await api.post("/v1/stock-movements", body)
        assert posted.status_code in (201, 409), posted.text
        if posted.status_code == 201 and chance.random() < 0.15:
            # What came in may have gone already: then it stays.
            await api.post(
                f"/v1/stock-movements/{posted.json()['id']}/reverse", {"reason": "Mistake"}
            )


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_any_ledger_gives_what_a_count_day_by_day_gives(api: Client, seed: int) -> None:
    await random_ledger(api, seed)
    ledger = await naive.read(api)
    assert len(ledger.ends) > 30
    for first, last in (
        (date(2026, 2, 10), date(2026, 3, 20)),
        (date(2026, 1, 1), date(2026, 5, 1)),
    ):
        params = {"from": first.isoformat(), "to": last.isoformat()}
        average, consumed = naive.turnover(ledger, first, last)
        total = (await kpi(api, "inventory-turnover", **params))["total"]
        assert total["average_value"] == format(average.quantize(Decimal("0.0001")), "f")
        assert Decimal(total["consumption_value"]) == consumed
        total = (await kpi(api, "stock-out-rate", **params))["total"]
        found = total["n"], total["item_days"], total["stocked_out_days"]
        assert found == naive.stock_out(ledger, first, last)
        asked = naive.demand(ledger, first, last).values()
        total = (await kpi(api, "fill-rate", **params))["total"]
        assert Decimal(total["issued_quantity"]) == sum(issued for issued, _ in asked)
        assert Decimal(total["shortage_quantity"]) == sum(short for _, short in asked)


async def test_an_empty_company_has_figures_without_rates(api: Client) -> None:
    for name in ("inventory-turnover", "stock-out-rate", "fill-rate", "overstock"):
        answer = await kpi(api, name, group_by="item")
        assert answer["total"]["n"] == 0
        assert answer["groups"] == []
    assert (await kpi(api, "purchase-on-time"))["total"]["confirmed"]["n"] == 0


async def test_wrong_parameters_are_all_named(api: Client) -> None:
    path = "/v1/kpis/fill-rate"
    params = {"from": "2026-03-02", "to": "2026-03-01", "warehouse": "NOWHERE", "item": "NOTHING"}
    refused = await api.get(path, params=params)
    assert problem_codes(refused) == ["unknown_reference", "unknown_reference", "bad_period"]
    assert [e["parameter"] for e in refused.json()["errors"]] == ["warehouse", "item", "from"]
    refused = await api.get(path, params={"category": "NONE"})
    assert refused.json()["errors"][0]["parameter"] == "category"
    refused = await api.get("/v1/kpis/purchase-on-time", params={"supplier": "code=NOBODY"})
    assert refused.json()["errors"][0]["parameter"] == "supplier"
    refused = await api.get(path, params={"to": "2099-01-01"})
    assert "period_in_the_future" in problem_codes(refused)
    refused = await api.get(path, params={"as_of": "2099-01-01T00:00:00Z"})
    assert problem_codes(refused) == ["not_a_past_instant"]
    refused = await api.get(path, params={"group_by": "supplier"})
    assert refused.status_code == 422


async def test_figures_need_their_permission_and_show_one_organization(
    api: Client, other: Client
) -> None:
    await company(api)
    await post(api, "opening", "2026-02-01", line("A", "100", unit_cost="10"))
    assert (await kpi(other, "inventory-turnover"))["total"]["n"] == 0
    weak = await new_client(
        api.runtime, api.http, permissions=("stock:read",), organization_id=api.organization_id
    )
    refused = await weak.get("/v1/kpis/inventory-turnover")
    assert (refused.status_code, refused.json()["required_permission"]) == (403, "insights:read")


async def statements(api: Client) -> int:
    """How many statements a figure sends; what a new connection asks about types is none of it."""
    async with api.counted() as sent:
        await kpi(api, "stock-out-rate", group_by="item")
    return sum("typeinfo_tree" not in sql for sql in sent)


async def test_a_figure_takes_as_many_statements_whatever_it_covers(api: Client) -> None:
    await company(api)
    few = await statements(api)
    await post(
        api,
        "opening",
        "2026-02-01",
        *(line(sku, "5", place, unit_cost="1") for sku in "ABC" for place in ("WH-1", "WH-2")),
    )
    assert await statements(api) == few
