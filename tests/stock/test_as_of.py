"""Stock at past instants, and postings dated back."""

from datetime import timedelta
from decimal import Decimal as D

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scm_api.stock.policy import Figures, judge, project
from tests.stock.support import company, line, opening, position
from tests.support import Client


async def on_hand(api: Client, sku: str, at: str) -> dict[str, str]:
    rows = await api.ok("GET", "/v1/stock/as-of", params={"as_of": at, "item": sku})
    return {row["warehouse"]["code"]: row["on_hand"] for row in rows["data"]}


async def test_stock_at_an_instant_is_what_had_happened_by_then(api: Client) -> None:
    await company(api)
    await opening(api, "A", "10", occurred_at="2026-01-10T08:00:00+08:00")
    await api.ok(
        "POST",
        "/v1/stock-movements",
        json={
            "type": "transfer",
            "occurred_at": "2026-02-01T00:00:00+08:00",
            "lines": [line("A", "4", to_warehouse={"code": "WH-2"})],
        },
    )
    assert await on_hand(api, "A", "2026-01-01T00:00:00+08:00") == {}
    assert await on_hand(api, "A", "2026-01-31T23:59:59+08:00") == {"WH-1": "10.0000"}
    assert await on_hand(api, "A", "2026-02-01T00:00:00+08:00") == {
        "WH-1": "6.0000",
        "WH-2": "4.0000",
    }
    value = await api.ok("GET", "/v1/stock/valuation", params={"as_of": "2026-03-01T00:00:00Z"})
    assert value["total"] == (await api.ok("GET", "/v1/stock/valuation"))["total"] == "100.0000"


async def test_an_issue_dated_back_may_not_make_a_later_balance_negative(api: Client) -> None:
    await company(api)
    await opening(api, "A", "10", occurred_at="2026-01-10T00:00:00Z")
    sold = {"type": "sales_issue", "lines": [line("A", "9")]}
    await api.ok(
        "POST", "/v1/stock-movements", json={**sold, "occurred_at": "2026-02-10T00:00:00Z"}
    )
    await opening(api, "A", "50", occurred_at="2026-03-10T00:00:00Z")
    late = {"type": "sales_issue", "occurred_at": "2026-01-20T00:00:00Z"}
    refused = await api.post("/v1/stock-movements", {**late, "lines": [line("A", "2")]})
    assert refused.status_code == 409
    assert refused.json()["errors"][0]["code"] == "exceeds_later_stock"
    await api.ok("POST", "/v1/stock-movements", json={**late, "lines": [line("A", "1")]})
    assert await on_hand(api, "A", "2026-02-28T00:00:00Z") == {"WH-1": "0.0000"}


async def test_an_issue_may_not_be_dated_before_the_goods_came(api: Client) -> None:
    await company(api)
    await opening(api, "A", "10", occurred_at="2026-01-10T00:00:00Z")
    early = {
        "type": "sales_issue",
        "occurred_at": "2026-01-09T00:00:00Z",
        "lines": [line("A", "1")],
    }
    assert (await api.post("/v1/stock-movements", early)).status_code == 409


async def test_a_posting_in_the_future_is_refused(api: Client) -> None:
    await company(api)
    tomorrow = (api.runtime.clock() + timedelta(days=1)).isoformat()
    body = {"type": "opening", "occurred_at": tomorrow, "lines": [line("A", "1")]}
    response = await api.post("/v1/stock-movements", body)
    assert response.json()["errors"][0]["code"] == "in_the_future"


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    steps=st.lists(
        st.tuples(st.booleans(), st.integers(1, 9), st.integers(0, 20)), min_size=1, max_size=12
    )
)
async def test_any_history_in_any_order_agrees_with_a_naive_model(
    api: Client, steps: list[tuple[bool, int, int]]
) -> None:
    sku = f"H{api.runtime.clock().timestamp()}"
    if not (await api.ok("GET", "/v1/warehouses"))["data"]:
        await company(api)
    await api.ok("POST", "/v1/items", json={"sku": sku, "name": "H", "base_unit": "EA"})
    accepted: list[tuple[int, int]] = []
    for enters, quantity, day in steps:
        body = {
            "type": "adjustment_in" if enters else "adjustment_out",
            "occurred_at": f"2026-01-{day + 1:02d}T00:00:00Z",
            "lines": [line(sku, str(quantity))],
        }
        response = await api.post("/v1/stock-movements", body)
        trial = [*accepted, (day, quantity if enters else -quantity)]
        levels = [sum(q for d, q in trial if d <= at) for at in range(21)]
        assert response.is_success == (min(levels) >= 0), (steps, response.text)
        if response.is_success:
            accepted = trial
    for at in (0, 7, 20):
        expected = sum(q for d, q in accepted if d <= at)
        shown = await on_hand(api, sku, f"2026-01-{at + 1:02d}T12:00:00Z")
        assert float(shown.get("WH-1", 0)) == expected


async def test_a_projection_adds_arrivals_and_takes_demand_away(api: Client) -> None:
    await company(api)
    await opening(api, "A", "10")
    shown = await api.ok(
        "GET", "/v1/items/sku=A/projection", params={"warehouse": "code=WH-1", "days": 3}
    )
    assert [day["available"] for day in shown["days"]] == ["10.0000"] * 3
    assert shown["stockout_on"] is None
    assert (await position(api, "A"))["stock_status"] == "ok"


def test_projection_names_the_first_day_below_zero() -> None:
    assert project(D(5), D(2), [D(0), D(0), D(0), D(4)]) == ([D(3), D(1), D(-1), D(1)], 2)


def test_a_position_is_judged_by_its_worst_reason() -> None:
    figures = Figures(D(0), D(5), D(2), D(4), D(10), D(30), 3)
    status, reasons = judge(figures)
    assert status == "stocked_out"
    assert [r.code for r in reasons] == [
        "no_stock_with_demand",
        "below_safety_stock",
        "at_or_below_reorder_point",
    ]
    assert judge(Figures(D(40), D(0), D(2), D(4), D(10), D(30), None))[0] == "excess"
