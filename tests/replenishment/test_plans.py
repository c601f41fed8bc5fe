"""Plans over HTTP: hand-checked figures, the same again, and what counts as demand and supply."""

import math
from datetime import timedelta
from decimal import Decimal
from statistics import NormalDist
from typing import Any

import pytest

from tests.replenishment.company import WAREHOUSE, Company, ids
from tests.support import Client, problem_codes

Z95 = NormalDist().inv_cdf(0.95)


async def _company(api: Client, left: int = 100, **terms: Any) -> Company:
    """Ten a day for thirty days of one item, of which `left` remain; eight days to replenish."""
    company = await Company.found(api)
    await company.item("A")
    await company.supplier("S-1", 8)
    await company.source("S-1", "A", **terms)
    await company.stocked("A", left, [10] * 30)
    return company


async def test_levels_and_quantity_are_those_of_the_textbook(api: Client) -> None:
    company = await _company(api)
    plan = await company.plan()
    assert plan["status"] == "succeeded"
    assert plan["summary"]["outcomes"] == {"suggested": 1}
    assert set(plan["timings"]) == {"load", "forecast", "compute", "write", "total"}
    (line,) = (await api.ok("GET", f"/v1/replenishment/plans/{plan['id']}/lines"))["data"]
    # Nine days of ten units; a lead time never observed spreads by a quarter of itself.
    safety_stock = Z95 * 10 * 2
    lot = math.sqrt(2 * 50 * 3650 / (10 * 0.25))
    assert float(line["daily_demand"]) == 10
    assert float(line["safety_stock"]) == pytest.approx(safety_stock, abs=1e-4)
    assert float(line["reorder_point"]) == pytest.approx(90 + safety_stock, abs=1e-4)
    assert float(line["order_up_to"]) == pytest.approx(90 + safety_stock + lot - 10, abs=1e-4)
    assert (line["position"], line["demand_class"]) == ("100.0000", "smooth")
    (suggestion,) = await company.suggestions(status="open")
    need = 90 + safety_stock + lot - 10 - 100
    assert Decimal(suggestion["quantity"]) == math.ceil(need)
    assert suggestion["supplier"]["code"] == "S-1"
    assert Decimal(suggestion["value"]) == math.ceil(need) * 10
    assert (suggestion["order_on"], suggestion["arrives_on"]) == (company.on(0), company.on(8))
    position = (await api.ok("GET", "/v1/stock", params={"item": "A"}))["data"][0]
    assert position["reorder_point"] == line["reorder_point"]


async def test_the_same_again_gives_the_same_plan_and_no_second_suggestion(api: Client) -> None:
    company = await _company(api)
    first = await company.plan()
    second = await company.plan()
    for name in ("input_hash", "result_hash"):
        assert first[name] == second[name]
    assert first["summary"]["suggestions"]["opened"] == 1
    assert second["summary"]["suggestions"] == {
        "opened": 0,
        "changed": 0,
        "unchanged": 1,
        "expired": 0,
    }
    (suggestion,) = await company.suggestions()
    assert (suggestion["version"], suggestion["plan_id"]) == (1, second["id"])
    events = await api.ok("GET", "/v1/events", params={"type": "replenishment_plan.completed"})
    assert [e["data"]["opened"] for e in events["data"]] == [1, 0]


async def test_a_suggestion_follows_its_inputs_and_is_withdrawn_when_not_needed(
    api: Client,
) -> None:
    company = await _company(api)
    await company.plan()
    (before,) = await company.suggestions(status="open")
    await company.move("sales_issue", "A", 50, 0 + 1)
    changed = await company.plan()
    assert changed["summary"]["suggestions"]["changed"] == 1
    (after,) = await company.suggestions(status="open")
    assert after["id"] == before["id"]
    assert Decimal(after["quantity"]) > Decimal(before["quantity"])
    await company.move("adjustment_in", "A", 2000, 1)
    plan = await company.plan()
    assert plan["summary"]["suggestions"]["expired"] == 1
    assert [row["status"] for row in await company.suggestions()] == ["expired"]
    why_not = await company.explain("A")
    assert (why_not["outcome"], why_not["decision"]) == ("above_reorder_point", "wait")
    assert Decimal(why_not["flip"]["units_away"]) < 0


async def test_a_filtered_plan_leaves_other_suggestions_alone(api: Client) -> None:
    company = await _company(api)
    await company.item("B")
    await company.source("S-1", "B")
    await company.stocked("B", 20, [3] * 10)
    assert (await company.plan())["summary"]["lines"] == 2
    await company.move("adjustment_in", "A", 2000, 1)
    plan = await company.plan(items=[{"sku": "B"}])
    assert plan["summary"]["lines"] == 1
    assert len(await company.suggestions(status="open")) == 2
    refused = await api.post(
        "/v1/replenishment/plans", {"items": [{"sku": "NO"}], "warehouses": [{"code": "NO"}]}
    )
    assert problem_codes(refused) == ["unknown_reference"] * 2


async def test_unserved_demand_counts_as_demand(api: Client) -> None:
    company = await _company(api)
    await company.plan()
    (before,) = await company.suggestions(status="open")
    lines = [
        {
            "item": {"sku": "A"},
            "warehouse": WAREHOUSE,
            "quantity": "10",
            "occurred_at": company.at(day),
        }
        for day in range(1, 31)
    ]
    await api.ok("POST", "/v1/shortages", json={"lines": lines})
    await company.plan()
    (after,) = await company.suggestions(status="open")
    assert Decimal(after["quantity"]) > Decimal(before["quantity"])
    why = await company.explain("A")
    assert Decimal(why["inputs"]["daily_mean"]) > 15


async def test_a_promotion_within_the_protection_interval_raises_the_suggestion(
    api: Client,
) -> None:
    company = await _company(api)
    await company.plan()
    (before,) = await company.suggestions(status="open")
    row = {"item": {"sku": "A"}, "warehouse": WAREHOUSE, "quantity": "70", "kind": "promotion"}
    rows = [{**row, "day": company.on(4)}, {**row, "day": company.on(40)}]
    await api.ok("PUT", "/v1/sales-plans/bulk", json={"rows": rows})
    await company.plan()
    (after,) = await company.suggestions(status="open")
    assert Decimal(after["quantity"]) >= Decimal(before["quantity"]) + 70
    why = await company.explain("A")
    assert why["steps"][1]["name"] == "protection_mean"
    assert Decimal(why["steps"][1]["value"]) == 160
    assert [p["on"] for p in why["planned_demand"]] == [company.on(4), company.on(40)]


async def test_only_arrivals_within_the_protection_interval_count(api: Client) -> None:
    company = await _company(api)
    for days, quantity in ((5, "30"), (30, "500")):
        body = {
            "supplier": {"code": "S-1"},
            "warehouse": WAREHOUSE,
            "lines": [{"item": {"sku": "A"}, "quantity": quantity, "need_by": company.on(days)}],
        }
        order = await api.ok("POST", "/v1/purchase-orders", json=body)
        for version, action in enumerate(("approve", "issue"), 1):
            path = f"/v1/purchase-orders/{order['id']}/{action}"
            await api.ok("POST", path, json={"version": version})
    await company.plan()
    why = await company.explain("A")
    values = {step["name"]: Decimal(step["value"]) for step in why["steps"]}
    assert [values["on_order"], values["position"]] == [30, 130]


async def test_the_nearest_policy_that_sets_a_field_wins(api: Client) -> None:
    company = await _company(api)
    await api.ok("POST", "/v1/categories", json={"code": "TOP", "name": "Top"})
    await api.ok(
        "POST", "/v1/categories", json={"code": "SUB", "name": "Sub", "parent": {"code": "TOP"}}
    )
    await api.patch("/v1/items/sku=A", {"category": {"code": "SUB"}})
    await company.policy(review_days=7, order_cost="20")
    await company.policy(warehouse=WAREHOUSE, review_days=6, holding_rate="0.2")
    await company.policy(category={"code": "TOP"}, review_days=5, service_level="0.98")
    await company.policy(item={"sku": "A"}, review_days=4)
    await company.policy(item={"sku": "A"}, warehouse=WAREHOUSE, minimum_stock="300")
    found = await api.ok(
        "GET",
        "/v1/replenishment/policies/effective",
        params={"item": "sku=A", "warehouse": "code=WH-1"},
    )
    fields = {n: (f["value"], f["inherited_from"]) for n, f in found["fields"].items()}
    assert fields["review_days"] == (4, "item")
    assert (Decimal(fields["service_level"][0]), fields["service_level"][1]) == (
        Decimal("0.98"),
        "category",
    )
    assert fields["holding_rate"][1] == "warehouse"
    assert fields["order_cost"][1] == "organization"
    assert fields["minimum_stock"][1] == "item_warehouse"
    assert fields["method"] == ("rop_eoq", "product")
    await company.plan()
    why = await company.explain("A")
    assert Decimal(why["inputs"]["policy_min"]) == 300
    assert why["policy"]["review_days"]["scope"] == "item"
    refused = await api.put(
        "/v1/replenishment/policies", {"category": {"code": "TOP"}, "warehouse": WAREHOUSE}
    )
    assert problem_codes(refused) == ["incomplete_scope"]


async def test_writing_a_policy_again_changes_it_and_a_later_day_keeps_the_present(
    api: Client,
) -> None:
    company = await _company(api)
    first = await company.policy(item={"sku": "A"}, service_level="0.9")
    second = await company.policy(item={"sku": "A"}, service_level="0.99")
    later = await company.policy(
        item={"sku": "A"}, service_level="0.5", effective_from=company.on(10)
    )
    assert (second["id"], second["version"]) == (first["id"], 2)
    assert later["id"] != first["id"]
    await company.plan()
    why = await company.explain("A")
    assert Decimal(why["inputs"]["service_level"]) == Decimal("0.99")
    events = await api.ok("GET", "/v1/events", params={"type": "replenishment_policy.changed"})
    assert len(events["data"]) == 3


async def test_methods_choose_the_level_ordered_up_to(api: Client) -> None:
    company = await _company(api)
    await company.policy(method="order_up_to", review_days=7)
    await company.plan()
    why = await company.explain("A")
    steps = {step["name"]: Decimal(step["value"]) for step in why["steps"]}
    assert steps["order_up_to"] == steps["reorder_point"]
    assert steps["protection_days"] == 15
    await company.policy(method="min_max", minimum_stock="150", maximum_stock="400")
    await company.plan()
    (suggestion,) = await company.suggestions(status="open")
    assert suggestion["quantity"] == "300.0000"


async def test_minimum_multiple_and_price_break_shape_the_quantity(api: Client) -> None:
    company = await _company(
        api,
        minimum_quantity="48",
        order_multiple="12",
        prices=[[48, "10"], [600, "8"]],
    )
    await company.plan()
    (suggestion,) = await company.suggestions(status="open")
    assert suggestion["quantity"] == "600.0000"
    assert Decimal(suggestion["unit_price"]) == 8
    why = await company.explain("A")
    assert why["price_breaks"]["chosen"] == 1
    assert why["rounding"][1]["changed"] is True


async def test_the_supplier_is_chosen_for_a_stated_reason(api: Client) -> None:
    company = await _company(api, priority=1)
    await company.supplier("S-2", 7)
    await company.source("S-2", "A", "12", priority=2)
    await company.plan()
    why = (await company.explain("A"))["source"]
    assert (why["supplier"]["code"], why["reason"]) == ("S-1", "best_priority")
    assert [(r["code"], r["reason"]) for r in why["rejected"]] == [("S-2", "lower_priority")]
    await api.ok(
        "POST",
        "/v1/suppliers/code=S-1/shutdowns",
        json={"starts_on": company.on(-2), "ends_on": company.on(10), "reason": "Holiday"},
    )
    await company.plan()
    why = (await company.explain("A"))["source"]
    assert (why["supplier"]["code"], why["reason"]) == ("S-2", "delivers_during_shutdown")
    (rejected,) = why["rejected"]
    assert (rejected["reason"], rejected["closed_until"]) == ("shut_down", company.on(10))
    (suggestion,) = await company.suggestions(status="open")
    assert suggestion["supplier"]["code"] == "S-2"


async def test_each_outcome_says_why_not(api: Client) -> None:
    company = await _company(api)
    await company.item("IDLE")
    await company.move("opening", "IDLE", 5, 9)
    await company.item("OLD")
    await company.stocked("OLD", 1, [4] * 5)
    await api.patch("/v1/items/sku=OLD", {"status": "obsolete"})
    await company.item("ORPHAN")
    await company.stocked("ORPHAN", 1, [4] * 5)
    plan = await company.plan()
    assert plan["summary"]["outcomes"] == {"suggested": 2, "no_demand": 1, "item_not_active": 1}
    assert (await company.explain("IDLE"))["outcome"] == "no_demand"
    assert (await company.explain("OLD"))["outcome"] == "item_not_active"
    orphan = await company.explain("ORPHAN")
    assert (orphan["outcome"], orphan["source"]["reason"]) == ("suggested", "no_source")
    assert Decimal(orphan["inputs"]["lead_time_days"]) == 14
    unknown = await api.get(
        "/v1/replenishment/explain", params={"item": "sku=NO", "warehouse": "code=WH-1"}
    )
    assert unknown.status_code == 404


async def test_an_accepted_suggestion_is_left_alone(api: Client) -> None:
    company = await _company(api)
    await company.plan()
    (suggestion,) = await company.suggestions(status="open")
    accepted = await api.ok(
        "POST",
        f"/v1/replenishment/suggestions/{suggestion['id']}/accept",
        json={"adjusted_quantity": "50", "reason": "Shelf is small"},
        headers={"If-Match": '"1"'},
    )
    assert (accepted["status"], accepted["review"]) == ("accepted", "adjusted")
    assert accepted["value"] == "500.0000"
    again = await api.post(f"/v1/replenishment/suggestions/{suggestion['id']}/accept", {})
    assert again.json()["code"] == "illegal_transition"
    plan = await company.plan()
    assert plan["summary"]["outcomes"] == {"accepted_waiting": 1}
    assert [row["status"] for row in await company.suggestions()] == ["accepted"]


async def test_a_dismissal_pauses_suggestions_until_its_day(
    api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    company = await _company(api)
    await company.plan()
    (suggestion,) = await company.suggestions(status="open")
    await api.ok(
        "POST",
        f"/v1/replenishment/suggestions/{suggestion['id']}/dismiss",
        json={"reason": "Successor comes", "paused_until": company.on(5)},
    )
    assert (await company.plan())["summary"]["outcomes"] == {"paused": 1}
    now = api.runtime.clock()
    for days, outcome in ((5, "paused"), (6, "suggested")):
        monkeypatch.setattr(api.runtime, "clock", lambda days=days: now + timedelta(days=days))
        assert (await company.plan())["summary"]["outcomes"] == {outcome: 1}
    assert {row["status"] for row in await company.suggestions()} == {"dismissed", "open"}


async def test_suggestions_become_one_draft_order_a_supplier_and_only_once(api: Client) -> None:
    company = await _company(api)
    await company.supplier("S-2", 5)
    for sku, supplier in (("B", "S-1"), ("C", "S-2")):
        await company.item(sku)
        await company.source(supplier, sku)
        await company.stocked(sku, 1, [5] * 10)
    await company.plan()
    rows = await company.suggestions(status="open")
    made = await api.ok("POST", "/v1/replenishment/suggestions/convert", json={"where": {}})
    assert (made["converted"], [o["lines"] for o in made["orders"]]) == (3, [2, 1])
    lines = await company.rows(
        """
        select l.source_type, l.source_id, l.quantity, o.status from purchase_order_line l
        join purchase_order o on o.organization_id = $1 and o.id = l.order_id
        where l.organization_id = $1
        """
    )
    assert {row["source_id"] for row in lines} == set(ids(rows))
    assert {(row["source_type"], row["status"]) for row in lines} == {("suggestion", "draft")}
    wanted = {row["id"]: Decimal(row["quantity"]) for row in rows}
    assert {str(row["source_id"]): row["quantity"] for row in lines} == wanted
    bodies: list[dict[str, Any]] = [{"where": {}}, {"ids": [rows[0]["id"]]}]
    for body in bodies:
        again = await api.post("/v1/replenishment/suggestions/convert", body)
        assert (again.status_code, again.json()["code"]) == (409, "nothing_left_to_convert")
    # What is drafted is on its way: the next plan does not order it twice.
    plan = await company.plan()
    assert plan["summary"]["outcomes"] == {"above_reorder_point": 3}


async def test_what_nobody_sells_is_named_and_nothing_is_converted(api: Client) -> None:
    company = await _company(api)
    await company.item("ORPHAN")
    await company.stocked("ORPHAN", 1, [4] * 5)
    await company.plan()
    response = await api.post("/v1/replenishment/suggestions/convert", {"where": {}})
    assert problem_codes(response) == ["no_supplier"]
    assert {row["status"] for row in await company.suggestions()} == {"open"}
    made = await api.ok(
        "POST",
        "/v1/replenishment/suggestions/convert",
        json={"where": {"supplier": "code=S-1"}},
    )
    assert made["converted"] == 1


async def test_another_organization_sees_nothing_of_a_plan(api: Client, other: Client) -> None:
    company = await _company(api)
    plan = await company.plan()
    (suggestion,) = await company.suggestions()
    for path in (f"plans/{plan['id']}", f"suggestions/{suggestion['id']}/explain"):
        assert (await other.get(f"/v1/replenishment/{path}")).status_code == 404
    assert (await other.ok("GET", "/v1/replenishment/suggestions"))["data"] == []
