"""Demand history follows the ledger; shortages and sales plans are demand too."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import numpy as np

from scm_api.demand import service as demand
from tests.replenishment.company import WAREHOUSE, Company
from tests.support import Client, problem_codes

_DAYS = """
select day, issued::int as issued, returned::int as returned, shortage::int as shortage
from demand_day where organization_id = $1 order by item_id, warehouse_id, day
"""
_SERIES = "select item_id, warehouse_id, first_on from demand_series where organization_id = $1"


async def _company(api: Client) -> Company:
    company = await Company.found(api)
    await company.item("A")
    await company.move("opening", "A", 100, 20, unit_cost="5")
    return company


def _shortage(sku: str = "A", **fields: Any) -> dict[str, Any]:
    return {"item": {"sku": sku}, "warehouse": WAREHOUSE, "quantity": "3", **fields}


async def test_issues_returns_and_reversals_add_up_by_business_day(api: Client) -> None:
    company = await _company(api)
    await company.move("sales_issue", "A", 7, 5)
    await company.move("consumption", "A", 2, 5)
    await company.move("customer_return", "A", 1, 4)
    await company.move("scrap", "A", 9, 4)
    wrong = await company.move("sales_issue", "A", 30, 5)
    await api.ok(
        "POST", f"/v1/stock-movements/{wrong['id']}/reverse", json={"reason": "scanned twice"}
    )
    await api.settle()
    found = [tuple(row.values())[1:] for row in await company.rows(_DAYS)]
    assert found == [(9, 0, 0), (0, 1, 0)]
    (series,) = await company.rows(_SERIES)
    assert series["first_on"] == company.today - timedelta(days=20)


async def test_a_day_is_the_warehouses_day_not_that_of_utc(api: Client) -> None:
    company = await _company(api)
    day = (company.today - timedelta(days=3)).isoformat()
    line = {"item": {"sku": "A"}, "quantity": "4", "warehouse": WAREHOUSE}
    await api.ok(
        "POST",
        "/v1/stock-movements",
        json={"type": "sales_issue", "occurred_at": f"{day}T20:00:00Z", "lines": [line]},
    )
    await api.settle()
    (row,) = await company.rows(_DAYS)
    assert row["day"] == company.today - timedelta(days=2)


async def test_history_made_again_equals_history_kept_up_to_date(api: Client) -> None:
    company = await _company(api)
    await company.item("B")
    await company.move("opening", "B", 50, 9)
    for days_ago, quantity in ((8, 3), (8, 4), (2, 5)):
        await company.move("sales_issue", "B", quantity, days_ago)
        await company.move("sales_issue", "A", quantity + 1, days_ago)
    await company.move("customer_return", "A", 1, 1)
    await api.ok("POST", "/v1/shortages", json={"lines": [_shortage(occurred_at=company.at(2))]})
    await api.settle()
    kept = await company.rows(_DAYS), sorted(await company.rows(_SERIES))
    assert len(kept[0]) == 5
    # Not counted yet, so it must not be counted by the rebuild either, and once afterwards.
    await company.move("sales_issue", "A", 11, 1)
    async with api.runtime.database.transaction(api.principal(), now=api.runtime.clock()) as tx:
        await demand.rebuild(tx)
        await tx.driver.execute("commit")
    assert (await company.rows(_DAYS), sorted(await company.rows(_SERIES))) == kept
    await api.settle()
    total = sum(row["issued"] for row in await company.rows(_DAYS))
    assert total == sum(row["issued"] for row in kept[0]) + 11


async def test_a_shortage_is_recorded_once_however_often_it_is_reported(api: Client) -> None:
    company = await _company(api)
    body = {"lines": [_shortage(external_ref="order-1"), _shortage()]}
    first = await api.ok("POST", "/v1/shortages", json=body)
    again = await api.ok("POST", "/v1/shortages", json=body)
    assert (first["recorded"], first["already_known"]) == (2, 0)
    assert (again["recorded"], again["already_known"]) == (1, 1)
    assert again["lines"][0] == {"id": first["lines"][0]["id"], "is_new": False}
    listed = await api.ok("GET", "/v1/shortages", params={"item": "sku=A"})
    assert len(listed["data"]) == 3
    assert {row["item"]["sku"] for row in listed["data"]} == {"A"}
    await api.settle()
    assert [row["shortage"] for row in await company.rows(_DAYS)] == [9]


async def test_every_wrong_line_of_a_shortage_report_is_named(api: Client) -> None:
    await _company(api)
    lines = [
        _shortage("NONE"),
        _shortage(warehouse={"code": "NONE"}),
        _shortage(unit="KGM"),
        _shortage(external_ref="x"),
        _shortage(external_ref="x"),
    ]
    response = await api.post("/v1/shortages", {"lines": lines})
    assert response.status_code == 422
    assert problem_codes(response) == [
        "unknown_reference",
        "unknown_reference",
        "unknown_unit",
        "not_unique",
    ]


async def test_history_is_a_matrix_with_a_mask_of_known_days(api: Client) -> None:
    company = await _company(api)
    await company.item("B")
    await company.move("sales_issue", "A", 7, 5)
    await company.move("opening", "B", 50, 3)
    await company.move("sales_issue", "B", 2, 1)
    await api.ok("POST", "/v1/shortages", json={"lines": [_shortage(occurred_at=company.at(5))]})
    await api.settle()
    names = {sku: UUID((await api.ok("GET", f"/v1/items/sku={sku}"))["id"]) for sku in ("A", "B")}
    place = UUID((await api.ok("GET", "/v1/warehouses/code=WH-1"))["id"])
    async with api.runtime.database.transaction(api.principal(), now=api.runtime.clock()) as tx:
        first = company.today - timedelta(days=7)
        pairs = [(names["B"], place), (names["A"], place), (place, place)]
        past = await demand.history(tx, pairs, first, 7)
    assert past.demand.tolist() == [[0] * 6 + [2], [0, 0, 10, 0, 0, 0, 0], [0] * 7]
    assert past.valid.sum(axis=1).tolist() == [3, 7, 0]
    assert np.flatnonzero(past.valid[0]).tolist() == [4, 5, 6]


async def test_sales_plans_are_written_again_without_effect_and_deleted_by_null(
    api: Client,
) -> None:
    company = await _company(api)
    row = {"item": {"sku": "A"}, "warehouse": WAREHOUSE, "day": company.on(3), "quantity": "40"}
    uplift = {**row, "kind": "promotion", "quantity": "-5", "day": company.on(9)}
    body = {"rows": [row, uplift]}
    first = await api.ok("PUT", "/v1/sales-plans/bulk", json=body)
    assert first == {"written": 2, "unchanged": 0, "deleted": 0}
    again = await api.ok("PUT", "/v1/sales-plans/bulk", json=body)
    assert again == {"written": 0, "unchanged": 2, "deleted": 0}
    listed = await api.ok("GET", "/v1/sales-plans", params={"to": company.on(5)})
    assert [(r["mode"], r["quantity"]) for r in listed["data"]] == [("replace", "40.0000")]
    gone = await api.ok("PUT", "/v1/sales-plans/bulk", json={"rows": [{**row, "quantity": None}]})
    assert gone["deleted"] == 1
    span = {"from": company.on(0), "to": company.on(30), "item": "sku=A"}
    assert (await api.ok("DELETE", "/v1/sales-plans", params=span))["deleted"] == 1
    refused = await api.put("/v1/sales-plans/bulk", {"rows": [{**row, "quantity": "-1"}]})
    assert problem_codes(refused) == ["negative_plan"]
    twice = await api.put("/v1/sales-plans/bulk", {"rows": [row, row]})
    assert problem_codes(twice) == ["not_unique"]


async def test_organizations_do_not_see_each_others_demand(api: Client, other: Client) -> None:
    company = await _company(api)
    await company.move("sales_issue", "A", 7, 5)
    await api.ok("POST", "/v1/shortages", json={"lines": [_shortage()]})
    await api.settle()
    assert (await other.ok("GET", "/v1/shortages"))["data"] == []
    assert await Company(other, company.today).rows(_DAYS) == []
