"""Fiscal periods: their months, closing in order, and postings refused into closed ones."""

from datetime import date, timedelta

import asyncpg
import pytest

from scm_api.organizations import period_policy
from tests.organizations.support import company, opening, order, person
from tests.support import Client

PERIODS = "/v1/organizations/current/fiscal-periods"


async def _close(api: Client, code: str) -> tuple[int, dict]:
    response = await api.post(f"{PERIODS}/{code}/close", {})
    return response.status_code, response.json()


async def _reopen(api: Client, code: str) -> tuple[int, dict]:
    response = await api.post(f"{PERIODS}/{code}/reopen", {"reason": "Forgotten receipt"})
    return response.status_code, response.json()


@pytest.mark.parametrize("first_month", range(1, 13))
async def test_every_day_lies_in_one_period_and_the_database_names_it_alike(
    first_month: int, admin: asyncpg.Connection
) -> None:
    days = [date(2023, 12, 15) + timedelta(days=n) for n in range(0, 800, 7)]
    told = await admin.fetch(
        "select fiscal_period_code(d, $2) as code from unnest($1::date[]) d", days, first_month
    )
    for day, row in zip(days, told, strict=True):
        found = period_policy.period_of(day, first_month)
        assert found.code == row["code"]
        assert found.starts_on <= day <= found.ends_on
        assert period_policy.parse(found.code, first_month) == found


def test_a_fiscal_year_is_named_after_the_year_it_begins_in() -> None:
    months = period_policy.periods_of(2026, 4)
    assert (months[0].code, months[0].starts_on) == ("2026-P01", date(2026, 4, 1))
    assert (months[11].code, months[11].ends_on) == ("2026-P12", date(2027, 3, 31))
    for code in ("2026-P13", "2026-P00", "1999-P01", "2026-01", "x"):
        assert period_policy.parse(code, 1) is None


async def test_nothing_is_posted_into_a_closed_period(api: Client, other: Client) -> None:
    await company(api)
    await api.ok("POST", "/v1/stock-movements", json=opening("2026-01-15T00:00:00Z"))
    status, closed = await _close(api, "2026-P01")
    assert (status, closed["status"]) == (200, "closed")
    refused = await api.post("/v1/stock-movements", opening("2026-01-31T15:59:59Z"))
    assert (refused.status_code, refused.json()["code"]) == (409, "period_closed")
    assert refused.json()["period"] == "2026-P01"
    # In Shanghai February has begun.
    after = await api.post("/v1/stock-movements", opening("2026-01-31T16:00:00Z"))
    assert after.status_code == 201, after.text
    earlier = await api.post("/v1/stock-movements", opening("2025-11-02T00:00:00Z"))
    assert earlier.json()["period"] == "2025-P11"
    position = (await api.ok("GET", "/v1/items/sku=A/position"))["data"][0]
    assert position["on_hand"] == "20.0000"
    await company(other)
    theirs = await other.post("/v1/stock-movements", opening("2026-01-15T00:00:00Z"))
    assert theirs.status_code == 201


async def test_a_reversal_goes_into_an_open_period(api: Client) -> None:
    await company(api)
    made = await api.ok("POST", "/v1/stock-movements", json=opening("2026-01-15T00:00:00Z"))
    await _close(api, "2026-P01")
    path = f"/v1/stock-movements/{made['id']}/reverse"
    refused = await api.post(path, {"reason": "wrong"})
    assert refused.json()["code"] == "period_closed"
    body = {"reason": "wrong", "occurred_at": "2026-02-01T00:00:00Z"}
    assert (await api.post(path, body)).status_code == 201


async def test_receipts_and_their_reversals_keep_to_open_periods(api: Client) -> None:
    await company(api)
    made = await api.ok("POST", "/v1/purchase-orders", json=order())
    path = f"/v1/purchase-orders/{made['id']}"
    for action in ("approve", "issue"):
        etag = (await api.get(path)).headers["etag"]
        await api.ok("POST", f"{path}/{action}", json={}, headers={"If-Match": etag})
    body = {
        "order": {"number": made["number"]},
        "lines": [{"line_no": 1, "quantity": "1"}],
        "occurred_at": "2026-01-20T00:00:00Z",
    }
    first = await api.ok("POST", "/v1/receipts", json=body)
    await _close(api, "2026-P01")
    second = await api.post("/v1/receipts", body)
    assert second.json()["code"] == "period_closed"
    back = await api.post(f"/v1/receipts/{first['id']}/reverse", {"reason": "x"})
    assert back.json()["code"] == "period_closed"
    read = await api.ok("GET", path)
    assert read["lines"][0]["received_quantity"] == "1.0000"


async def test_periods_are_closed_in_order_and_reopened_in_reverse(api: Client) -> None:
    assert (await _close(api, "2026-P02"))[0] == 200
    status, problem = await _close(api, "2026-P04")
    assert (status, problem["code"]) == (409, "period_out_of_order")
    assert problem["expected"] == "2026-P03"
    assert (await _close(api, "2026-P01"))[1]["code"] == "illegal_transition"
    assert (await _close(api, "2026-P03"))[0] == 200
    status, problem = await _reopen(api, "2026-P02")
    assert (problem["code"], problem["expected"]) == ("period_out_of_order", "2026-P03")
    assert (await _reopen(api, "2026-P04"))[1]["code"] == "illegal_transition"
    assert (await _reopen(api, "2026-P03"))[1]["status"] == "open"
    listed = await api.ok("GET", f"{PERIODS}?year=2026")
    assert [row["status"] for row in listed["data"]] == ["closed"] * 2 + ["open"] * 10
    assert listed["closed_through"] == "2026-02-28"
    me = await api.ok("GET", "/v1/me")
    closer = {"kind": "api_key", "id": me["id"], "name": "test key"}
    assert listed["data"][1]["closed_by"] == closer
    assert listed["data"][0]["closed_at"] is None
    assert (await _reopen(api, "2026-P02"))[0] == 200
    assert (await api.ok("GET", PERIODS))["closed_through"] is None


async def test_a_period_that_is_not_over_cannot_be_closed(api: Client) -> None:
    current = (await api.ok("GET", PERIODS))["year"]
    status, problem = await _close(api, f"{current + 1}-P12")
    assert (status, problem["code"]) == (409, "period_not_over")
    assert (await _close(api, "2026-P13"))[0] == 404


async def test_what_periods_are_built_on_is_fixed_while_one_is_closed(api: Client) -> None:
    current = "/v1/organizations/current"
    await _close(api, "2026-P01")
    for body in ({"time_zone": "UTC"}, {"fiscal_year_start_month": 4}):
        refused = await api.patch(current, body)
        assert (refused.status_code, refused.json()["code"]) == (409, "setting_in_use")
    await _reopen(api, "2026-P01")
    changed = await api.ok("PATCH", current, json={"fiscal_year_start_month": 4})
    assert changed["fiscal_year_start_month"] == 4
    assert (await api.ok("GET", f"{PERIODS}?year=2026"))["data"][0]["starts_on"] == "2026-04-01"


async def test_closing_costs_a_posting_no_statement(api: Client) -> None:
    await company(api)
    await api.ok("POST", "/v1/stock-movements", json=opening())
    async with api.counted() as before:
        await api.ok("POST", "/v1/stock-movements", json=opening())
    await _close(api, "2026-P01")
    async with api.counted() as after:
        await api.ok("POST", "/v1/stock-movements", json=opening())
    assert len(after) <= len(before)
    assert not [sent for sent in after if "fiscal_period" in sent]


async def test_a_period_says_which_person_closed_it(api: Client) -> None:
    closer = await person({api.organization_id: ["finance"]}, api)
    closed = await closer.call("POST", f"{PERIODS}/2026-P02/close", api, json={})
    assert closed.status_code == 200, closed.text
    who = {"kind": "user", "id": str(closer.user_id), "name": "Li Na"}
    assert closed.json()["closed_by"] == who
    # He leaves, and his name with him.
    async with api.runtime.database.system() as driver:
        await driver.execute("delete from membership where user_id = $1", closer.user_id)
    listed = await api.ok("GET", f"{PERIODS}?year=2026")
    assert listed["data"][1]["closed_by"] == {**who, "name": None}
