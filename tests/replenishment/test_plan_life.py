"""What may happen beside a plan and after it: conversions, pauses, other organizations, purges."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from scm_api.core import jobs, outbox
from scm_api.core.jobs import Work
from scm_api.replenishment import plan_repository, service, suggestion_service
from scm_api.worker import purge_jobs
from tests.replenishment.company import WAREHOUSE, Company
from tests.support import Client, problem_codes

PLANS = "/v1/replenishment/plans"
CONVERT = "/v1/replenishment/suggestions/convert"


async def _company(api: Client, *skus: str, left: int = 100, days: int = 12) -> Company:
    """Ten a day of every item; a supplier of all of them needs eight days."""
    company = await Company.found(api)
    await company.supplier("S-1", 8)
    for sku in skus or ("A",):
        await company.item(sku)
        await company.source("S-1", sku)
        await company.stocked(sku, left, [10] * days)
    return company


@dataclass
class Interrupted(Work):
    """A job during whose arithmetic something else happens."""

    meanwhile: Callable[[], Awaitable[None]]

    async def compute(self, function: Any, *args: Any) -> Any:
        await self.meanwhile()
        return await super().compute(function, *args)


async def _plan_while(api: Client, meanwhile: Callable[[], Awaitable[None]]) -> None:
    started = (await api.post(PLANS, {})).json()
    async with api.runtime.database.transaction(api.principal(), now=api.runtime.clock()) as tx:
        job = await jobs.find(tx, UUID(started["id"]))
        work = Interrupted(api.runtime, tx.principal, job["id"], job["params"], meanwhile)
        await service.make(tx, work)
        await outbox.flush(tx)
        await tx.driver.execute("commit")


async def test_nothing_is_converted_while_a_plan_is_made(api: Client) -> None:
    company = await _company(api)
    await company.plan()
    answers = []

    async def convert() -> None:
        answers.append(await api.post(CONVERT, {"where": {}}))

    await _plan_while(api, convert)
    assert {(a.status_code, a.json()["code"]) for a in answers} == {(409, "plan_running")}
    assert answers[0].json()["retryable"] is True
    assert answers[0].headers["retry-after"] == "2"
    assert (await api.ok("POST", CONVERT, json={"where": {}}))["converted"] == 1
    plan = await company.plan()
    assert plan["summary"]["outcomes"] == {"above_reorder_point": 1}


async def test_plans_and_conversions_at_once_never_order_the_same_need_twice(api: Client) -> None:
    company = await _company(api)
    await company.plan()
    for _ in range(5):
        started = await api.post(PLANS, {})
        await asyncio.gather(
            api.run_job(started), *(api.post(CONVERT, {"where": {}}) for _ in range(3))
        )
        states = Counter(row["status"] for row in await company.suggestions())
        assert states["open"] + states["converted"] == 1, states


async def test_conversions_do_not_keep_each_other_out(api: Client) -> None:
    await _company(api)
    async with (
        api.runtime.database.transaction(api.principal(), now=api.runtime.clock()) as one,
        api.runtime.database.transaction(api.principal(), now=api.runtime.clock()) as two,
    ):
        assert await plan_repository.hold_off_plans(one)
        assert await plan_repository.hold_off_plans(two)


async def test_what_is_paused_while_a_plan_is_made_stays_paused(api: Client) -> None:
    company = await _company(api)
    await company.plan()
    (suggestion,) = await company.suggestions()
    path = f"/v1/replenishment/suggestions/{suggestion['id']}/dismiss"

    async def dismiss() -> None:
        await api.post(path, {"reason": "Successor", "paused_until": company.on(9)})

    await _plan_while(api, dismiss)
    assert [row["status"] for row in await company.suggestions()] == ["dismissed"]


async def test_the_feed_of_others_goes_on_while_a_plan_is_made(
    api: Client, other: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "BLOCK", 1)
    await _company(api, "A", "B", "C")
    seen: list[int] = []

    async def happen() -> None:
        number = len(seen) + 1
        await other.ok("POST", "/v1/warehouses", json={"code": f"W-{number}", "name": "x"})
        events = (await other.ok("GET", "/v1/events"))["data"]
        seen.append(sum(event["type"] == "warehouse.created" for event in events))

    await _plan_while(api, happen)
    assert len(seen) > 6
    assert seen == list(range(1, len(seen) + 1))


async def _purge(api: Client, admin: asyncpg.Connection) -> None:
    await admin.execute(
        "update job set expires_at = now() - interval '1 day' where organization_id = $1",
        api.organization_id,
    )
    await purge_jobs(api.runtime)
    left = "select count(*) from job where organization_id = $1"
    assert await admin.fetchval(left, api.organization_id) == 0


async def test_a_plan_outlives_its_job(api: Client, admin: asyncpg.Connection) -> None:
    company = await _company(api)
    made = await company.plan()
    failing = await api.post(PLANS, {})
    await admin.execute(
        "update job set params = params - 'history_days' where organization_id = $1 and id = $2",
        api.organization_id,
        UUID(failing.json()["id"]),
    )
    assert (await api.run_job(failing))["status"] == "failed"
    stopped = await api.post(PLANS, {})
    await admin.execute(
        "update job set is_cancel_requested = true where organization_id = $1 and id = $2",
        api.organization_id,
        UUID(stopped.json()["id"]),
    )
    assert (await api.run_job(stopped))["status"] == "canceled"
    never = (await api.post(PLANS, {})).json()
    await api.ok("POST", f"/v1/jobs/{never['id']}/cancel")
    before = (await api.ok("GET", PLANS))["data"]
    assert [p["status"] for p in before] == ["canceled", "canceled", "failed", "succeeded"]
    await _purge(api, admin)
    assert (await api.ok("GET", PLANS))["data"] == before
    failed = await api.ok("GET", f"{PLANS}/{failing.json()['plan_id']}")
    assert (failed["error"]["code"], failed["error"]["title"]) == (
        "internal_error",
        "Internal error",
    )
    in_chinese = {"Accept-Language": "zh-CN"}
    spoken = await api.get(f"{PLANS}/{failed['id']}", headers=in_chinese)
    assert spoken.json()["error"]["title"] == "内部错误"
    assert (await api.ok("GET", f"{PLANS}/{made['id']}"))["summary"] == made["summary"]
    listed = await api.ok("GET", PLANS, params={"status": ["failed", "succeeded"]})
    assert [p["status"] for p in listed["data"]] == ["failed", "succeeded"]


@pytest.mark.parametrize("as_of", ["2019-01-01", "2199-12-20"])
async def test_a_plan_of_another_time_is_refused(api: Client, as_of: str) -> None:
    company = await _company(api)
    response = await api.post(PLANS, {"as_of": as_of})
    assert problem_codes(response) == ["as_of_too_far"]
    (error,) = response.json()["errors"]
    assert error["pointer"] == "#/as_of"
    assert error["params"] == {"first": company.on(-7), "last": company.on(1)}
    for day in (-7, 1):
        assert (await company.plan(as_of=company.on(day)))["status"] == "succeeded"
    for day in (-8, 2):
        assert problem_codes(await api.post(PLANS, {"as_of": company.on(day)})) == ["as_of_too_far"]


async def test_a_price_in_another_currency_is_no_cost_in_the_books(api: Client) -> None:
    company = await Company.found(api)
    for sku, currency, cost in (("HOME", "CNY", "0"), ("AWAY", "USD", "0"), ("BOTH", "USD", "4")):
        await company.item(sku)
        await company.supplier(f"S-{sku}", 8, currency=currency)
        await company.source(f"S-{sku}", sku, price="7")
        await company.stocked(sku, 20, [10] * 12, cost=cost)
    await company.item("NONE")
    await company.stocked("NONE", 20, [10] * 12, cost="3")
    plan = await company.plan()
    rows = (await api.ok("GET", f"{PLANS}/{plan['id']}/lines"))["data"]
    shown = {row["item"]["sku"]: row["currency"] for row in rows}
    assert shown == {"HOME": "CNY", "AWAY": "USD", "BOTH": "USD", "NONE": "CNY"}
    costs = {sku: float((await company.explain(sku))["inputs"]["unit_cost"]) for sku in shown}
    assert costs == {"HOME": 7, "AWAY": 0, "BOTH": 4, "NONE": 3}
    found = {row["item"]["sku"]: row for row in await company.suggestions()}
    assert (found["AWAY"]["currency"], float(found["AWAY"]["unit_price"])) == ("USD", 7)
    assert (found["NONE"]["currency"], found["NONE"]["value"]) == (None, None)


async def test_a_shut_down_ahead_brings_the_order_day_forward(api: Client) -> None:
    company = await _company(api, left=200, days=30)
    plan = await company.plan()
    (line,) = (await api.ok("GET", f"{PLANS}/{plan['id']}/lines"))["data"]
    assert (line["outcome"], line["order_on"]) == ("above_reorder_point", company.on(7))
    await api.ok(
        "POST",
        "/v1/suppliers/code=S-1/shutdowns",
        json={"starts_on": company.on(9), "ends_on": company.on(20), "reason": "Holiday"},
    )
    plan = await company.plan()
    (line,) = (await api.ok("GET", f"{PLANS}/{plan['id']}/lines"))["data"]
    # Needed within the shut-down, so it has to arrive before: on day 8, ordered today.
    assert (line["outcome"], line["order_on"]) == ("above_reorder_point", company.on(0))
    assert (await company.explain("A"))["order_on"] == company.on(0)


async def test_one_call_converts_so_many_and_says_that_there_are_more(
    api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suggestion_service, "AT_ONCE", 2)
    company = await _company(api, "A", "B", "C")
    await company.plan()
    answers = [await api.ok("POST", CONVERT, json={"where": {}}) for _ in range(2)]
    assert [(a["converted"], a["has_more"]) for a in answers] == [(2, True), (1, False)]


async def test_what_orders_refuse_is_told_at_what_was_asked_for(api: Client) -> None:
    company = await _company(api, "A", "B", "C")
    await company.supplier("S-2", 8, currency="USD")
    await company.item("D")
    await company.source("S-2", "D")
    await company.stocked("D", 100, [10] * 12)
    await company.plan()
    by_sku = {row["item"]["sku"]: row["id"] for row in await company.suggestions()}
    await api.ok("PATCH", "/v1/suppliers/code=S-1", json={"status": "blocked"})
    await api.ok("PATCH", "/v1/items/sku=B", json={"status": "blocked"})

    async def told(body: dict[str, Any]) -> set[tuple[str, str]]:
        response = await api.post(CONVERT, body)
        assert response.status_code == 422
        errors = [(e["pointer"], e["code"]) for e in response.json()["errors"]]
        assert len(errors) == len(set(errors))
        return set(errors)

    rate = ("#/exchange_rates/USD", "exchange_rate_required")
    assert await told({"ids": [by_sku[sku] for sku in "DBA"]}) == {
        rate,
        ("#/ids/1", "supplier_blocked"),
        ("#/ids/2", "supplier_blocked"),
        ("#/ids/1", "not_orderable"),
    }
    blocked = {("#/where", "supplier_blocked"), ("#/where", "not_orderable")}
    assert await told({"where": {}}) == {rate, *blocked}
    assert {row["status"] for row in await company.suggestions()} == {"open"}


async def test_a_suggestion_larger_than_an_order_line_is_refused_by_name(api: Client) -> None:
    company = await _company(api)
    await company.source("S-1", "A", minimum_quantity="1000000000", order_multiple="7")
    await company.plan()
    (suggestion,) = await company.suggestions()
    assert float(suggestion["quantity"]) > 1e9
    for body, pointer in (({"ids": [suggestion["id"]]}, "#/ids/0"), ({"where": {}}, "#/where")):
        response = await api.post(CONVERT, body)
        (error,) = response.json()["errors"]
        assert (response.status_code, error["pointer"]) == (422, pointer)
        assert (error["code"], error["params"]["sku"]) == ("too_large", "A")


async def test_a_filter_that_names_nothing_is_refused_where_it_stands(api: Client) -> None:
    await _company(api)
    listed = await api.get("/v1/replenishment/suggestions", params={"supplier": "code=NO"})
    assert (listed.status_code, listed.json()["errors"][0]["parameter"]) == (422, "supplier")
    converted = await api.post(CONVERT, {"where": {"item": "sku=NO"}})
    assert converted.status_code == 422
    assert converted.json()["errors"][0]["pointer"] == "#/where/item"


async def test_several_statuses_are_asked_for_at_once(api: Client) -> None:
    company = await _company(api, "A", "B", "C")
    await company.plan()
    first, second, _ = await company.suggestions()
    for row, action, body in (
        (first, "accept", {}),
        (second, "dismiss", {"reason": "Enough"}),
    ):
        await api.ok("POST", f"/v1/replenishment/suggestions/{row['id']}/{action}", json=body)
    found = await company.suggestions(status=["accepted", "dismissed"])
    assert {row["status"] for row in found} == {"accepted", "dismissed"}


async def test_an_explanation_speaks_both_languages_and_names_its_spread(api: Client) -> None:
    company = await _company(api)
    await company.supplier("S-2", 3)
    await company.source("S-2", "A", priority=5)
    await company.plan()
    why = await company.explain("A")
    for words in (why["source"], *why["source"]["rejected"]):
        assert words["text"].isascii()
        assert not words["text_zh"].isascii()
    assert why["forecast"]["spread"] == "daily_sd"
    assert why["forecast"]["spread_text"].startswith("Safety stock scales daily_sd")
    assert why["inputs"]["service_rule"] == "cycle_service"


async def test_many_shortages_and_plans_say_that_they_are_many(api: Client) -> None:
    company = await Company.found(api)
    await company.item("A")
    place = {"item": {"sku": "A"}, "warehouse": WAREHOUSE}
    response = await api.post("/v1/shortages", {"lines": [{**place, "quantity": "1"}]})
    assert response.status_code == 200
    row = {**place, "day": company.on(3), "quantity": "4"}
    await api.ok("PUT", "/v1/sales-plans/bulk", json={"rows": [row]})
    span = {"from": company.on(0), "to": company.on(9)}
    assert (await api.ok("DELETE", "/v1/sales-plans", params=span))["deleted"] == 1
    types = {"type": ["shortage.recorded", "sales_plan.changed"]}
    events = (await api.ok("GET", "/v1/events", params=types))["data"]
    assert [(e["data"]["is_many"], len(e["data"]["item_warehouses"])) for e in events] == [
        (False, 1),
        (False, 1),
        (True, 0),
    ]
