"""Number rules: patterns, restarts, and numbers that stay gapless and unique."""

import asyncio
from dataclasses import replace
from datetime import date

import pytest

from scm_api.core.runtime import Runtime
from scm_api.organizations.number_policy import begins_anew, broken_rules
from tests.organizations.support import company, opening, order
from tests.support import Client, instant, problem_codes

RULES = "/v1/organizations/current/number-rules"


@pytest.mark.parametrize(
    ("pattern", "restarts", "codes"),
    [
        ("PO-{n:6}", "never", []),
        ("采购-{yyyy}{mm}{dd}-{n}", "day", []),
        ("PO{yy}{mm}{n:4}", "month", []),
        ("{n}.{yyyy}", "year", []),
        ("PO-", "never", ["one_counter"]),
        ("{n}{n:3}", "never", ["one_counter"]),
        ("PO-{n:0}", "never", ["unknown_token", "one_counter"]),
        ("PO-{n:11}", "never", ["unknown_token", "one_counter"]),
        ("PO-{week}{n}", "never", ["unknown_token"]),
        ("PO {n}", "never", ["literal_characters"]),
        ("PO/{n}", "never", ["literal_characters"]),
        ("PO{{n}", "never", ["literal_characters"]),
        ("P" * 23 + "{n}", "never", ["number_too_long"]),
        ("PO-{n}", "year", ["ambiguous_restart"]),
        ("PO-{mm}{n}", "month", ["ambiguous_restart"]),
        ("PO-{yyyy}{n}", "month", ["ambiguous_restart"]),
        ("PO-{yyyy}{mm}{n}", "day", ["ambiguous_restart"]),
    ],
)
def test_a_rule_must_give_unique_and_short_numbers(
    pattern: str, restarts: str, codes: list[str]
) -> None:
    assert [error.rule.code for error in broken_rules(pattern, restarts)] == codes


def test_counting_begins_anew_when_a_period_has_begun() -> None:
    old, new = date(2026, 12, 31), date(2027, 1, 1)
    for restarts in ("year", "month", "day"):
        assert begins_anew(restarts, old, new)
        assert not begins_anew(restarts, new, old)
        assert not begins_anew(restarts, None, new)
    assert not begins_anew("never", old, new)
    assert not begins_anew("year", date(2026, 1, 1), old)


async def _ordered(api: Client) -> str:
    return (await api.ok("POST", "/v1/purchase-orders", json=order()))["number"]


async def test_documents_are_numbered_by_the_rule_from_now_on(api: Client, other: Client) -> None:
    await company(api)
    assert await _ordered(api) == "PO-000001"
    rule = await api.ok("GET", f"{RULES}/purchase_order")
    assert (rule["is_built_in"], rule["pattern"], rule["next"]) == (True, "PO-{n:6}", "PO-000002")
    put = await api.ok("PUT", f"{RULES}/purchase_order", json={"pattern": "采购.{n:4}"})
    assert (put["is_built_in"], put["next"]) == (False, "采购.0002")
    assert await _ordered(api) == "采购.0002"
    assert await _ordered(api) == "采购.0003"
    found = await api.ok("GET", "/v1/purchase-orders/number=采购.0003")
    assert found["number"] == "采购.0003"
    await company(other)
    assert await _ordered(other) == "PO-000001"


async def test_the_preview_is_the_number_that_comes(api: Client) -> None:
    await company(api)
    for body in (
        {"pattern": "A{yyyy}-{n}", "restarts": "year", "next": 41},
        {"pattern": "{yy}{mm}{dd}{n:3}", "restarts": "day", "next": 1},
        {"pattern": "{yy}{mm}{dd}{n:3}", "restarts": "never", "next": 1},
    ):
        told = (await api.ok("PUT", f"{RULES}/purchase_order", json=body))["next"]
        assert await _ordered(api) == told
        told = (await api.ok("GET", f"{RULES}/purchase_order"))["next"]
        assert await _ordered(api) == told


def _at(api: Client, text: str) -> Client:
    """The same caller at another time; services are called, so that only this clock differs."""
    runtime = replace(api.runtime, clock=lambda: instant(text))
    return replace(api, runtime=runtime)


async def _taken(runtime: Runtime, api: Client, kind: str, count: int = 1) -> list[str]:
    from_clock = runtime.clock()
    async with runtime.database.transaction(api.principal(), now=from_clock) as tx:
        taken = await tx.fetchval(
            "select next_numbers($1, $2, 'PO-{n:6}', $3, $4)",
            tx.organization_id,
            kind,
            count,
            tx.now,
        )
        await tx.driver.execute("commit")
    return list(taken)


async def test_counting_restarts_with_the_organization_s_own_year(api: Client) -> None:
    # Shanghai is eight hours ahead: there the year ends at 16:00 UTC.
    await api.ok(
        "PUT",
        f"{RULES}/receipt",
        json={"pattern": "GR{yyyy}-{n:3}", "restarts": "year", "next": 8},
    )
    numbers = []
    for text in (
        "2098-12-31T15:59:59Z",
        "2098-12-31T16:00:00Z",
        # A process whose clock is behind does not begin the old year again.
        "2098-12-31T15:59:59Z",
        "2099-12-31T16:00:00Z",
    ):
        numbers += await _taken(_at(api, text).runtime, api, "receipt", 2)
    assert numbers == [
        "GR2098-001",
        "GR2098-002",
        "GR2099-001",
        "GR2099-002",
        "GR2099-003",
        "GR2099-004",
        "GR2100-001",
        "GR2100-002",
    ]


async def test_numbers_that_documents_have_are_passed_over(api: Client) -> None:
    await company(api)
    assert [await _ordered(api) for _ in range(3)] == ["PO-000001", "PO-000002", "PO-000003"]
    path = f"{RULES}/purchase_order"
    # The same form begun again at 1 would give PO-000001 a second time.
    put = await api.ok("PUT", path, json={"pattern": "po-{n:6}", "next": 1})
    assert put["next"] == "po-000004"
    assert await _ordered(api) == "po-000004"
    other_form = await api.ok("PUT", path, json={"pattern": "X{n:2}", "next": 1})
    assert other_form["next"] == "X01"
    assert await _ordered(api) == "X01"
    back = await api.ok("PUT", path, json={"pattern": "PO-{n:6}"})
    assert back["next"] == "PO-000005"


async def test_a_period_that_begins_passes_over_what_is_there(api: Client) -> None:
    await company(api)
    year = api.runtime.clock().year + 2
    path = f"{RULES}/purchase_order"
    # Somebody wrote next year into the pattern by hand.
    await api.ok("PUT", path, json={"pattern": f"PO{year}-{{n}}", "next": 1})
    assert [await _ordered(api) for _ in range(2)] == [f"PO{year}-1", f"PO{year}-2"]
    await api.ok("PUT", path, json={"pattern": "PO{yyyy}-{n}", "restarts": "year"})
    later = _at(api, f"{year}-06-01T00:00:00Z")
    assert await _taken(later.runtime, api, "purchase_order", 2) == [f"PO{year}-3", f"PO{year}-4"]


async def test_a_rule_is_changed_at_the_version_that_was_read(api: Client) -> None:
    path = f"{RULES}/alert"
    etag = (await api.get(path)).headers["etag"]
    first = await api.put(path, {"pattern": "W-{n}"}, headers={"If-Match": etag})
    assert first.status_code == 200, first.text
    assert (
        await api.put(path, {"pattern": "V-{n}"}, headers={"If-Match": etag})
    ).status_code == 412
    kept = await api.put(path, {"pattern": "W-{n}"})
    assert kept.headers["etag"] == first.headers["etag"]
    wrong = await api.put(path, {"pattern": "W"})
    assert problem_codes(wrong) == ["one_counter"]
    assert (await api.put(f"{RULES}/invoice", {"pattern": "W-{n}"})).status_code == 422


async def test_alerts_are_numbered_by_their_rule(api: Client) -> None:
    await company(api)
    await api.ok("PUT", f"{RULES}/alert", json={"pattern": "W{n:2}"})
    await api.ok("PATCH", "/v1/organizations/current", json={"allows_negative_stock": True})
    await api.ok("POST", "/v1/stock-movements", json=opening())
    rules = await api.ok("GET", f"{RULES}")
    assert {row["kind"]: row["next"] for row in rules["data"]}["alert"] == "W01"
    assert await _taken(api.runtime, api, "alert", 2) == ["W01", "W02"]


async def test_a_new_rule_among_many_orders_leaves_no_gap_and_no_double(api: Client) -> None:
    await company(api)

    async def change() -> None:
        await asyncio.sleep(0.05)
        await api.ok("PUT", f"{RULES}/purchase_order", json={"pattern": "N{n}"})

    made = await asyncio.gather(*(_ordered(api) for _ in range(20)), change())
    numbers = [number for number in made if number is not None]
    counted = sorted(int(number.lstrip("PON-")) for number in numbers)
    assert counted == list(range(1, 21))


async def test_a_change_of_rule_stands_in_the_trail_and_numbers_do_not(api: Client) -> None:
    await company(api)
    await _ordered(api)
    await api.ok("PUT", f"{RULES}/purchase_order", json={"pattern": "N{n}"})
    await _ordered(api)
    async with api.runtime.database.transaction(api.principal(), now=api.runtime.clock()) as tx:
        rows = await tx.fetch(
            "select object_key, changes from audit_entry where object_type = 'number_series'"
        )
    assert [row["object_key"] for row in rows] == [{"kind": "purchase_order"}]
    assert rows[0]["changes"]["pattern"] == {"old": None, "new": "N{n}"}
