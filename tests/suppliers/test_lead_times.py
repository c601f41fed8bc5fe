"""Observed lead times: recorded in sets, summarized per item, and given to planning as arrays."""

import asyncio
import statistics
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import numpy as np

from scm_api.replenishment.lead_time import estimate_lead_times
from scm_api.suppliers import service
from scm_api.suppliers.service import ObservedLeadTime
from tests.suppliers.world import LINK, STEPS, make_world
from tests.support import Client, instant

ORDERED = date(2026, 3, 1)
ON = date(2026, 6, 1)


def observed(
    ids: dict[str, str], days: int, *, sku: str = "A", promised: int | None = None, start: int = 0
) -> ObservedLeadTime:
    ordered_on = ORDERED + timedelta(days=start)
    return ObservedLeadTime(
        supplier_id=UUID(ids["S-1"]),
        item_id=UUID(ids[sku]),
        ordered_on=ordered_on,
        received_on=ordered_on + timedelta(days=days),
        requested_on=None if promised is None else ordered_on + timedelta(days=promised),
        quantity=Decimal("12.5"),
    )


async def record(api: Client, *rows: ObservedLeadTime) -> None:
    """Record in a transaction of its own, as a receipt does."""
    now = instant("2026-06-01T00:00:00Z")
    async with api.runtime.database.transaction(api.principal(), now=now) as tx:
        await service.record_lead_times(tx, rows)
        await tx.execute("commit")


async def test_a_supplier_item_learns_mean_and_spread_from_receipts(api: Client) -> None:
    ids = await make_world(api)
    await api.put(LINK, {})
    await record(api, *(observed(ids, days) for days in (8, 10)))
    await record(api, observed(ids, 15), observed(ids, 4, sku="B"))
    found = await api.get(LINK)
    expected = statistics.stdev([8, 10, 15])
    assert found.json()["measured_lead_time"] == {
        "count": 3,
        "mean_days": "11.0000",
        "sd_days": f"{expected:.4f}",
    }
    # A reader with an older answer must not be told that it is still current.
    assert found.headers["etag"] == '"3"'


async def test_receipts_recorded_at_the_same_time_all_count(api: Client) -> None:
    ids = await make_world(api)
    await api.put(LINK, {})
    await api.put("/v1/suppliers/code=S-1/items/sku=B", {})
    pairs = [[observed(ids, n), observed(ids, n, sku="B")] for n in range(8)]
    await asyncio.gather(
        *(record(api, *pair[:: 1 if n % 2 else -1]) for n, pair in enumerate(pairs))
    )
    assert (await api.ok("GET", LINK))["measured_lead_time"]["mean_days"] == "3.5000"
    assert (await api.ok("GET", LINK))["measured_lead_time"]["count"] == 8


async def test_what_was_observed_before_the_supplier_item_existed_counts(api: Client) -> None:
    ids = await make_world(api)
    await record(api, observed(ids, 8), observed(ids, 10))
    created = (await api.put(LINK, {})).json()
    assert created["measured_lead_time"]["count"] == 2
    await api.put(LINK, {"priority": 2})
    await record(api, observed(ids, 12))
    assert (await api.ok("GET", LINK))["measured_lead_time"]["mean_days"] == "10.0000"


async def test_every_observation_is_listed_newest_first(api: Client, other: Client) -> None:
    ids = await make_world(api)
    early = observed(ids, -3, sku="B")
    await record(api, observed(ids, 8, promised=9), observed(ids, 10, start=5), early)
    path = "/v1/suppliers/code=S-1/lead-times"
    rows = (await api.ok("GET", path))["data"]
    assert [(row["item"]["sku"], row["days"]) for row in rows] == [("A", 10), ("A", 8), ("B", 0)]
    assert rows[1]["requested_on"] == "2026-03-10"
    assert (rows[1]["quantity"], rows[1]["purchase_order_id"]) == ("12.5000", None)
    page = await api.ok("GET", path, params={"limit": 2, "item": "sku=A"})
    assert (len(page["data"]), page["has_more"]) == (2, False)
    assert (await other.get(f"/v1/suppliers/{ids['S-1']}/lead-times")).status_code == 404


async def test_the_summary_of_an_item_has_its_quantiles_and_its_on_time_share(api: Client) -> None:
    ids = await make_world(api)
    days = [5, 7, 9, 20]
    rows = [observed(ids, d, promised=p) for d, p in zip(days, [5, 6, 9, None], strict=True)]
    await record(api, *rows, observed(ids, 3, sku="B"))
    path = "/v1/suppliers/code=S-1/lead-times/summary"
    first, second = (await api.ok("GET", path))["data"]
    assert first == {
        "item": {"id": ids["A"], "sku": "A", "name": "Item A"},
        "count": 4,
        "mean_days": "10.2500",
        "sd_days": f"{statistics.stdev(days):.4f}",
        "p50_days": f"{np.quantile(days, 0.5):.4f}",
        "p90_days": f"{np.quantile(days, 0.9):.4f}",
        "promised_count": 3,
        "on_time_share": "0.6667",
    }
    assert (second["sd_days"], second["on_time_share"]) == (None, None)


async def test_what_a_reversed_receipt_taught_is_forgotten(api: Client) -> None:
    ids = await make_world(api)
    receipt_id = uuid4()
    await api.put(LINK, {})
    await record(api, observed(ids, 8))
    before = (await api.ok("GET", f"{LINK}"))["measured_lead_time"]
    await record(api, replace(observed(ids, 90), receipt_id=receipt_id))
    assert (await api.ok("GET", f"{LINK}"))["measured_lead_time"] != before
    now = instant("2026-06-01T00:00:00Z")
    async with api.runtime.database.transaction(api.principal(), now=now) as tx:
        await service.withdraw_lead_times(tx, receipt_id)
        await tx.execute("commit")
    assert (await api.ok("GET", f"{LINK}"))["measured_lead_time"] == before


async def test_planning_gets_usable_sources_with_prices_shutdowns_and_observations(
    api: Client, other: Client
) -> None:
    ids = await make_world(api)
    expired = {"unit_price": "1", "valid_from": "2020-01-01", "valid_to": "2025-12-31"}
    await api.put(LINK, {"priority": 2, "prices": [expired, *STEPS]})
    await api.put("/v1/suppliers/code=S-2/items/sku=A", {"priority": 1})
    await api.put("/v1/suppliers/code=S-1/items/sku=B", {"is_active": False})
    await api.put("/v1/suppliers/code=S-2/items/sku=C", {})
    for start, end in (("2026-05-01", "2026-05-31"), ("2026-07-01", "2026-07-05")):
        body = {"starts_on": start, "ends_on": end}
        await api.ok("POST", "/v1/suppliers/code=S-1/shutdowns", json=body)
    await record(api, *(observed(ids, 5 + n, promised=7, start=n) for n in range(60)))
    now = instant("2026-06-01T00:00:00Z")
    async with api.runtime.database.transaction(api.principal(), now=now) as tx:
        found = await service.links(tx, [UUID(ids[sku]) for sku in "AB"], ON)
        everything = await service.links(tx, None, ON)
        await tx.execute("update supplier set status = 'blocked' where code = 'S-2'")
        without_blocked = await service.links(tx, None, ON)
        nothing = await service.links(tx, [], ON)
    assert [(link.supplier_code, link.priority) for link in found.links] == [("S-2", 1), ("S-1", 2)]
    second, first = found.links
    assert [step.unit_price for step in first.prices] == [Decimal(5), Decimal("4.5")]
    assert first.shutdowns == ((date(2026, 7, 1), date(2026, 7, 5)),)
    assert (first.stated_lead_time_days, first.measured.count) == (10, 60)
    assert (second.prices, second.shutdowns, second.measured.count) == ((), (), 0)
    assert found.offsets.tolist() == [0, 0, 50]
    assert found.days.tolist() == [float(64 - n) for n in range(50)]
    assert set(found.promised_days.tolist()) == {7.0}
    assert found.supplier.tolist() == [0, 1]
    assert np.array_equal(found.stated_days, [np.nan, 10.0], equal_nan=True)
    assert len(everything.links) == 3
    assert [link.supplier_code for link in without_blocked.links] == ["S-1"]
    assert (nothing.links, nothing.offsets.tolist(), nothing.days.size) == ([], [0], 0)
    learned = estimate_lead_times(
        found.days,
        found.offsets,
        found.supplier,
        found.stated_days,
        promised_days=found.promised_days,
    )
    assert learned.n.tolist() == [0, 50]
    async with other.runtime.database.transaction(other.principal(), now=now) as tx:
        assert (await service.links(tx, None, ON)).links == []
        assert (await service.links(tx, [UUID(ids["A"])], ON)).links == []


async def test_purchasing_gets_the_terms_and_price_of_every_line_in_order(api: Client) -> None:
    ids = await make_world(api)
    await api.put(LINK, {"supplier_sku": "X-1", "lead_time_days": 4, "prices": STEPS})
    await api.put("/v1/suppliers/code=S-1/items/sku=B", {"is_active": False})
    wanted = [("C", "1"), ("A", "99.9999"), ("A", "100"), ("B", "5")]
    lines = [(UUID(ids[sku]), Decimal(quantity)) for sku, quantity in wanted]
    now = instant("2026-06-01T00:00:00Z")
    async with api.runtime.database.transaction(api.principal(), now=now) as tx:
        found = await service.price(tx, UUID(ids["S-1"]), lines, ON)
        long_ago = await service.price(tx, UUID(ids["S-1"]), lines, date(2025, 12, 31))
    unlisted, small, large, inactive = found
    assert unlisted is None
    assert small is not None
    assert small.price is not None
    assert (small.supplier_sku, small.stated_lead_time_days) == ("X-1", 4)
    assert (small.price.price_of_one, small.price.currency) == (Decimal(5), "CNY")
    assert large is not None
    assert large.price is not None
    assert large.price.price_of_one == Decimal("4.5")
    assert inactive is not None
    assert (inactive.is_active, inactive.price) == (False, None)
    assert long_ago[1] is not None
    assert long_ago[1].price is None
