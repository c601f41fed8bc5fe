"""What people do with an alert, the rules they set, and what evaluation costs."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from scm_api.alerts import service
from scm_api.core.tx import Tx
from tests.alerts.support import alerts, ids, one, plan, sweep
from tests.stock.support import company, line, opening
from tests.support import Client, new_client, problem_codes


async def out_of_stock(api: Client) -> Any:
    """One alert: A is stocked out."""
    await company(api)
    await opening(api, "A", "10")
    body = {"type": "sales_issue", "lines": [line("A", "10")]}
    await api.ok("POST", "/v1/stock-movements", json=body)
    await api.settle()
    return await one(api, "stocked_out")


def later(hours: int) -> datetime:
    return datetime.now(UTC) + timedelta(hours=hours)


async def test_an_acknowledged_alert_stays_so_while_its_condition_holds(api: Client) -> None:
    alert = await out_of_stock(api)
    path = f"/v1/alerts/{alert['id']}"
    answer = await api.post(f"{path}/acknowledge", {}, headers={"If-Match": '"1"'})
    assert answer.headers["etag"] == '"2"'
    assert (answer.json()["status"], answer.json()["acknowledged_by"]) == (
        "acknowledged",
        "test key",
    )
    await sweep(api, later(1))
    assert (await one(api, "stocked_out"))["status"] == "acknowledged"
    again = await api.post(f"{path}/acknowledge", {})
    assert again.status_code == 409
    assert again.json()["allowed"] == ["snooze", "resolve", "assign"]
    stale = await api.post(f"{path}/snooze", {"until": "2030-01-01T00:00:00Z", "version": 1})
    assert stale.status_code == 412


async def test_a_snoozed_alert_comes_back_after_its_date_if_it_is_still_true(api: Client) -> None:
    alert = await out_of_stock(api)
    until = later(24).isoformat()
    snoozed = await api.ok("POST", f"/v1/alerts/{alert['id']}/snooze", json={"until": until})
    assert snoozed["status"] == "snoozed"
    await sweep(api, later(23))
    assert (await one(api, "stocked_out"))["status"] == "snoozed"
    await sweep(api, later(25))
    back = await one(api, "stocked_out")
    assert (back["id"], back["status"], back["raised_count"]) == (alert["id"], "open", 2)
    feed = await api.ok("GET", "/v1/events", params={"type": ["alert.raised"]})
    assert [event["data"]["raised_count"] for event in feed["data"]] == [1, 2]


async def test_a_snoozed_alert_that_ends_meanwhile_does_not_come_back(api: Client) -> None:
    alert = await out_of_stock(api)
    until = later(24).isoformat()
    await api.ok("POST", f"/v1/alerts/{alert['id']}/snooze", json={"until": until})
    await opening(api, "A", "10")
    await api.settle()
    found = await api.ok("GET", f"/v1/alerts/{alert['id']}")
    assert (found["status"], found["snoozed_until"]) == ("resolved", None)


async def test_nobody_can_snooze_into_the_past(api: Client) -> None:
    alert = await out_of_stock(api)
    body = {"until": "2020-01-01T00:00:00Z"}
    refused = await api.post(f"/v1/alerts/number={alert['number']}/snooze", body)
    assert problem_codes(refused) == ["not_in_the_future"]


async def test_an_alert_settled_by_hand_is_raised_anew_if_it_is_still_true(api: Client) -> None:
    alert = await out_of_stock(api)
    path = f"/v1/alerts/{alert['id']}"
    done = await api.ok("POST", f"{path}/resolve", json={"reason": "Ordered by telephone"})
    assert (done["status"], done["resolution"], done["resolved_by"]) == (
        "resolved",
        "manual",
        "test key",
    )
    assert (await api.post(f"{path}/resolve", {"reason": "Twice"})).status_code == 409
    await sweep(api, later(1))
    assert (await one(api, "stocked_out"))["number"] == "AL-000002"


async def test_an_alert_can_be_given_to_somebody(api: Client) -> None:
    alert = await out_of_stock(api)
    path = f"/v1/alerts/{alert['id']}/assign"
    assert (await api.ok("POST", path, json={"assignee": "Li"}))["assignee"] == "Li"
    assert (await api.ok("POST", path, json={"assignee": None}))["assignee"] is None


async def test_rules_have_defaults_and_can_be_changed_per_organization(
    api: Client, other: Client
) -> None:
    rules = await api.ok("GET", "/v1/alert-rules")
    assert len(rules["data"]) == 7
    response = await api.get("/v1/alert-rules/late_order")
    assert response.headers["etag"] == '"1"'
    assert response.json() == {
        "kind": "late_order",
        "is_enabled": True,
        "severity": "high",
        "thresholds": {"grace_days": 0},
        "version": 1,
    }
    body = {"severity": "critical", "thresholds": {"grace_days": 2}}
    changed = await api.put("/v1/alert-rules/late_order", body, headers={"If-Match": '"1"'})
    assert changed.json()["version"] == 2
    assert changed.json()["thresholds"] == {"grace_days": 2}
    stale = await api.put("/v1/alert-rules/late_order", body, headers={"If-Match": '"1"'})
    assert stale.status_code == 412
    assert (await other.ok("GET", "/v1/alert-rules/late_order"))["version"] == 1


async def test_a_threshold_of_another_kind_is_refused_by_name(api: Client) -> None:
    response = await api.put("/v1/alert-rules/low_stock", {"thresholds": {"grace_days": 2}})
    assert problem_codes(response) == ["threshold_of_another_kind"]
    assert response.json()["errors"][0]["pointer"] == "#/thresholds/grace_days"
    response = await api.put("/v1/alert-rules/late_order", {"thresholds": {"grace_days": -1}})
    assert response.json()["errors"][0]["pointer"] == "#/thresholds/grace_days"
    assert (await api.put("/v1/alert-rules/boredom", {})).status_code == 422


async def test_a_changed_rule_is_applied_at_once(api: Client) -> None:
    alert = await out_of_stock(api)
    await api.ok("PUT", "/v1/alert-rules/stocked_out", json={"severity": "low"})
    await api.settle()
    assert (await one(api, "stocked_out"))["severity"] == "low"
    await api.ok("PUT", "/v1/alert-rules/stocked_out", json={"is_enabled": False})
    await api.settle()
    found = await api.ok("GET", f"/v1/alerts/{alert['id']}")
    assert (found["status"], found["reason"]) == ("resolved", "rule_disabled")


async def test_reading_needs_a_permission_and_acting_another(api: Client) -> None:
    alert = await out_of_stock(api)
    reader = await new_client(
        api.runtime, api.http, permissions=("alerts:read",), organization_id=api.organization_id
    )
    path = f"/v1/alerts/{alert['id']}"
    assert (await reader.get(path)).status_code == 200
    refused = await reader.post(f"{path}/acknowledge", {})
    assert refused.json()["required_permission"] == "alerts:write"
    refused = await reader.put("/v1/alert-rules/low_stock", {})
    assert refused.json()["required_permission"] == "alert_rules:write"
    stranger = await new_client(
        api.runtime, api.http, permissions=("stock:read",), organization_id=api.organization_id
    )
    assert (await stranger.get(path)).status_code == 403


async def many_items(api: Client, count: int, prefix: str = "M") -> None:
    """Planned positions of `count` items in one warehouse; the first of every ten is low."""
    _, warehouse_id = await ids(api, "A")
    async with api.runtime.database.transaction(api.principal(), now=api.runtime.clock()) as tx:
        items = [uuid4() for _ in range(count)]
        await tx.execute(
            """
            insert into item (organization_id, id, sku, sku_key, name, base_unit)
            select $1, id, $3 || n, lower($3 || n), 'Many', 'EA'
            from unnest($2::uuid[]) with ordinality as u(id, n)
            """,
            tx.organization_id,
            items,
            prefix,
        )
        await tx.execute(
            """
            insert into stock_position (organization_id, item_id, warehouse_id, on_hand,
              unrestricted, value, daily_demand, safety_stock, reorder_point, order_up_to,
              updated_at)
            select $1, id, $3, held, held, held * 10, 2, 20, 50, 90, now()
            from unnest($2::uuid[]) with ordinality as u(id, n)
            cross join lateral (select case when n % 10 = 1 then 10 else 80 end as held) h
            """,
            tx.organization_id,
            items,
            warehouse_id,
        )
        await tx.driver.execute("commit")


async def statements(api: Client, pairs: list[tuple[UUID, UUID]] | None) -> tuple[int, Any]:
    """How many statements one evaluation sends, and its outcome."""
    async with (
        api.counted() as sent,
        api.runtime.database.transaction(api.principal(), now=api.runtime.clock()) as tx,
    ):
        sent.clear()
        outcome = await service.evaluate(tx, pairs)
        # A new connection asks what types there are; that is no part of the evaluation.
        count = sum("typeinfo_tree" not in sql for sql in sent)
        await tx.driver.execute("commit")
    return count, outcome


async def test_evaluating_5000_positions_takes_as_many_statements_as_one(api: Client) -> None:
    await company(api)
    await many_items(api, 1)
    few, outcome = await statements(api, None)
    assert (outcome.evaluated, outcome.raised) == (1, 2)
    await many_items(api, 5000, "N")
    many, outcome = await statements(api, None)
    assert (outcome.evaluated, outcome.raised, outcome.seen) == (5001, 1000, 2)
    assert many <= few <= 6
    again, outcome = await statements(api, None)
    assert (outcome.raised, outcome.seen) == (0, 1002)
    assert again == many


async def test_an_evaluation_of_one_pair_leaves_the_others_alone(api: Client) -> None:
    await company(api)
    for sku in ("A", "B"):
        await opening(api, sku, "10")
        await plan(api, sku, demand="0", point="50", safety="0")
    pair = await ids(api, "A")
    async with api.runtime.database.transaction(api.principal(), now=api.runtime.clock()) as tx:
        await service.evaluate(tx, [pair])
        await tx.driver.execute("commit")
    assert [alert["item"]["sku"] for alert in await alerts(api)] == ["A"]
    await sweep(api, later(0))
    assert sorted(alert["item"]["sku"] for alert in await alerts(api)) == ["A", "B"]


@pytest.mark.parametrize("rolls_back", [True, False])
async def test_alerts_and_their_events_come_together_or_not_at_all(
    api: Client, rolls_back: bool
) -> None:
    await company(api)
    await many_items(api, 3)
    tx: Tx
    async with api.runtime.database.transaction(api.principal(), now=api.runtime.clock()) as tx:
        await service.sweep(tx)
        assert len(tx.events) == 2
        if not rolls_back:
            await tx.driver.execute("commit")
    assert len(await alerts(api)) == (0 if rolls_back else 2)
