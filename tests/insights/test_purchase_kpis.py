"""Purchase on-time rate, worked by hand."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.insights.naive import ZONE
from tests.purchase_orders import world
from tests.support import Client

TODAY = datetime.now(UTC).astimezone(ZONE).date()


def ago(days: int) -> str:
    return (TODAY - timedelta(days=days)).isoformat()


def noon(days: int) -> str:
    return f"{ago(days)}T12:00:00+08:00"


async def figures(api: Client, **params: Any) -> Any:
    span = {"from": ago(60), "to": TODAY.isoformat()}
    return await api.ok("GET", "/v1/kpis/purchase-on-time", params={**span, **params})


def counts(figures: Any) -> tuple[int, ...]:
    names = ("n", "on_time", "early", "late", "missing", "on_time_in_full")
    return tuple(figures[name] for name in names)


async def bought(
    api: Client,
    due: int,
    came: int | None,
    *,
    confirmed: int | None = None,
    quantity: str = "60",
    arrived: str = "60",
    **line_more: Any,
) -> dict[str, Any]:
    """An order due (and confirmed for) and received so many days ago."""
    order = await world.issued(
        api, world.line("SKU-1", quantity, **line_more), need_by=ago(due), dated_on=ago(59)
    )
    if confirmed is not None:
        answer = {"line_no": 1, "confirmed_on": ago(confirmed)}
        order = await world.act(api, order, "confirm", lines=[answer])
    if came is not None:
        await world.receive(api, order, world.arrived(arrived), occurred_at=noon(came))
    return order


async def test_early_late_and_missing_deliveries_are_told_apart(api: Client) -> None:
    await world.build(api)
    await bought(api, due=10, came=10)
    await bought(api, due=10, came=15)
    await bought(api, due=10, came=6)
    await bought(api, due=10, came=None)
    answer = await figures(api)
    assert counts(answer["total"]["requested"]) == (4, 2, 1, 1, 1, 2)
    assert answer["total"]["requested"]["on_time_rate"] == "0.5000"
    assert answer["total"]["requested"]["average_days_late"] == "4.00"
    tolerant = await figures(api, early_days=5)
    assert tolerant["total"]["requested"]["early"] == 0


async def test_confirmed_and_requested_dates_are_judged_apart(api: Client) -> None:
    await world.build(api)
    # Asked for 20 days ago, confirmed for 10 days ago, came 12 days ago.
    await bought(api, due=20, confirmed=10, came=12)
    total = (await figures(api))["total"]
    assert counts(total["requested"]) == (1, 0, 0, 1, 0, 0)
    assert counts(total["confirmed"]) == (1, 1, 1, 0, 0, 1)


async def test_within_the_tolerance_is_on_time_but_not_in_full(api: Client) -> None:
    await world.build(api)
    await bought(api, due=10, came=11, quantity="100", arrived="96", under_delivery_percent="5")
    total = (await figures(api))["total"]["requested"]
    assert counts(total) == (1, 1, 1, 0, 0, 0)
    assert total["on_time_in_full_rate"] == "0.0000"


async def test_what_arrives_fills_the_schedules_by_date(api: Client) -> None:
    await world.build(api)
    schedules = [{"quantity": "60", "need_by": ago(20)}, {"quantity": "40", "need_by": ago(10)}]
    order = await world.issued(
        api, world.line("SKU-1", "100", schedules=schedules), dated_on=ago(59)
    )
    await world.receive(api, order, world.arrived("50"), occurred_at=noon(20))
    await world.receive(api, order, world.arrived("30"), occurred_at=noon(18))
    await world.receive(api, order, world.arrived("20"), occurred_at=noon(10))
    total = (await figures(api))["total"]["requested"]
    # The first 60 were complete two days late; all 100 on the very day.
    assert counts(total) == (2, 1, 0, 1, 0, 1)
    only_first = await figures(api, to=ago(15))
    assert counts(only_first["total"]["requested"]) == (1, 0, 0, 1, 0, 0)


async def test_a_reversed_receipt_never_arrived_and_knowledge_has_a_time(api: Client) -> None:
    await world.build(api)
    order = await bought(api, due=10, came=None)
    receipt = await world.receive(api, order, world.arrived("60"), occurred_at=noon(10))
    then = await figures(api)
    assert counts(then["total"]["requested"])[:2] == (1, 1)
    path = f"/v1/receipts/{receipt['id']}"
    version = (await api.ok("GET", path))["version"]
    await api.ok("POST", f"{path}/reverse", json={"reason": "Wrong order", "version": version})
    assert counts((await figures(api))["total"]["requested"]) == (1, 0, 0, 0, 1, 0)
    again = await figures(api, as_of=then["as_of"])
    assert again["total"] == then["total"]


async def test_suppliers_are_compared_the_least_punctual_first(api: Client) -> None:
    await world.build(api)
    await api.ok("POST", "/v1/suppliers", json={"code": "S-2", "name": "Two", "currency": "CNY"})
    await world.sell(api, "S-2", "SKU-1", prices=[{"minimum_quantity": "0", "unit_price": "5"}])
    await bought(api, due=10, came=10)
    late = await world.issued(
        api, world.line("SKU-1", "60"), need_by=ago(10), dated_on=ago(59), supplier={"code": "S-2"}
    )
    await world.receive(api, late, world.arrived("60"), occurred_at=noon(5))
    answer = await figures(api, group_by="supplier")
    rates = [(r["group"]["code"], r["requested"]["on_time_rate"]) for r in answer["groups"]]
    assert rates == [("S-2", "0.0000"), ("S-1", "1.0000")]
    alone = await figures(api, supplier="s-1")
    assert counts(alone["total"]["requested"])[:2] == (1, 1)


async def test_drafts_and_cancelled_orders_were_never_due(api: Client) -> None:
    await world.build(api)
    await world.draft(api, world.line("SKU-1", "60"), need_by=ago(10), dated_on=ago(59))
    order = await bought(api, due=10, came=None)
    await world.act(api, order, "cancel", reason="No longer needed")
    total = (await figures(api))["total"]
    assert total["confirmed"]["n"] == total["requested"]["n"] == 0


async def test_what_is_due_today_may_still_come(api: Client) -> None:
    await world.build(api)
    await bought(api, due=0, came=None)
    await bought(api, due=1, came=None)
    answer = await figures(api)
    assert counts(answer["total"]["requested"]) == (1, 0, 0, 0, 1, 0)
    assert answer["total"]["requested"]["on_time_rate"] == "0.0000"
    # What has come by today counts.
    await bought(api, due=0, came=1)
    assert counts((await figures(api))["total"]["requested"]) == (2, 1, 1, 0, 1, 1)
