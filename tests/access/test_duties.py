"""Segregation of duties on real documents, and the rules an organization makes of it."""

from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
import pytest_asyncio

from scm_api.access import duties
from scm_api.access.duty_policy import ORDER_CREATOR_APPROVES
from scm_api.access.errors import SegregationOfDuties
from scm_api.core.runtime import Runtime
from scm_api.core.tx import Limits, Principal
from scm_api.purchase_orders.events import OrderCreated
from tests.access.test_keys import bind, make, member
from tests.purchase_orders.world import act, build, draft, line
from tests.support import Client, new_client, problem_codes

RULES = "/v1/duty-rules"
RULE = f"{RULES}/{ORDER_CREATOR_APPROVES}"


@pytest_asyncio.fixture(loop_scope="session")
async def api(runtime: Runtime, http: httpx.AsyncClient) -> Client:
    """A caller where the rules of duties are as they come."""
    made = await new_client(runtime, http, duties="default")
    await build(made)
    return made


async def key(api: Client, *roles: str, limits: Limits | None = None) -> Client:
    more: dict[str, Any] = {} if limits is None else {"limits": limits}
    return await new_client(
        api.runtime,
        api.http,
        permissions=(),
        roles=roles,
        organization_id=api.organization_id,
        **more,
    )


async def approve(caller: Client, order: dict[str, Any]) -> httpx.Response:
    path = f"/v1/purchase-orders/{order['id']}"
    version = (await caller.get(path)).json()["version"]
    return await caller.post(f"{path}/approve", {"version": version})


async def test_who_created_an_order_cannot_approve_it(api: Client) -> None:
    order = await draft(api)
    refused = await approve(api, order)
    assert refused.status_code == 403
    body = refused.json()
    assert (body["code"], body["rule"]) == ("sod_violation", ORDER_CREATOR_APPROVES)
    assert body["actor"] == "test key"
    after = await api.ok("GET", f"/v1/purchase-orders/{order['id']}")
    assert (after["status"], after["version"]) == ("draft", order["version"])
    assert (await approve(await key(api, "approver"), order)).status_code == 200


async def test_who_changed_an_order_cannot_approve_it_either(api: Client) -> None:
    buyer, second = await key(api, "buyer"), await key(api, "buyer", "approver")
    order = await draft(buyer)
    await second.ok("PATCH", f"/v1/purchase-orders/{order['id']}", json={"note": "more"})
    assert (await approve(second, order)).json()["code"] == "sod_violation"
    assert (await approve(await key(api, "approver"), order)).status_code == 200


async def test_a_revision_counts_as_writing(api: Client) -> None:
    buyer, second = await key(api, "buyer"), await key(api, "buyer", "approver")
    order = await draft(buyer)
    approved = await act(await key(api, "approver"), order, "approve")
    revised = {"reason": "More", "lines": [{"line_no": 1, "quantity": "72"}]}
    issued = await act(buyer, approved, "issue")
    await act(second, issued, "revise", **revised)
    async with api.runtime.database.transaction(api.principal(), now=api.runtime.clock()) as tx:
        row = await tx.fetchrow(
            "select principal_id from event where subject_id = $1 and type = $2",
            UUID(order["id"]),
            "purchase_order.revised",
        )
        assert row is not None
        tx.principal = Principal(
            "api_key", row["principal_id"], "second", api.organization_id, frozenset("*")
        )
        with pytest.raises(SegregationOfDuties):
            await duties.check(tx, ORDER_CREATOR_APPROVES, UUID(order["id"]))


async def test_nobody_raises_the_amount_of_an_approved_order_alone(api: Client) -> None:
    buyer = await key(api, "buyer")
    order = await draft(buyer)
    approved = await act(await key(api, "approver"), order, "approve")
    path = f"/v1/purchase-orders/{order['id']}/revise"
    more: dict[str, Any] = {
        "reason": "More",
        "version": approved["version"],
        "lines": [{"line_no": 1, "unit_price": "1000"}],
    }
    refused = await buyer.post(path, more)
    assert refused.status_code == 403
    assert refused.json()["required_permission"] == "purchase_orders:approve"
    assert (await api.post(path, more)).status_code == 200  # who wrote none of it
    writer = await key(api, "buyer", "approver")
    own = await act(await key(api, "approver"), await draft(writer), "approve")
    raised = await writer.post(
        f"/v1/purchase-orders/{own['id']}/revise", {**more, "version": own["version"]}
    )
    assert raised.json()["code"] == "sod_violation"
    small = await key(api, "buyer", "approver", limits=Limits(amount=Decimal(1)))
    limited = await small.post(
        f"/v1/purchase-orders/{own['id']}/revise", {**more, "version": own["version"]}
    )
    assert limited.json()["code"] == "amount_limit_exceeded"
    for sly in (
        {"is_unlimited_overdelivery": True},
        {"over_delivery_percent": "50"},
        {"quantity": "10", "unit_price": "45"},  # as much money, ten times the price
    ):
        lines = [{"line_no": 1, **sly}]
        refused = await buyer.post(
            f"/v1/purchase-orders/{own['id']}/revise",
            {**more, "version": own["version"], "lines": lines},
        )
        assert refused.json()["code"] == "permission_denied", sly
    # To less, or later, is the buyer's own business.
    less = {**more, "version": own["version"], "lines": [{"line_no": 1, "unit_price": "0.01"}]}
    assert (await buyer.post(f"/v1/purchase-orders/{own['id']}/revise", less)).status_code == 200


async def test_what_was_written_in_the_same_transaction_counts_too(api: Client) -> None:
    document = uuid4()
    async with api.runtime.database.transaction(api.principal(), now=api.runtime.clock()) as tx:
        await duties.check(tx, ORDER_CREATOR_APPROVES, document)
        tx.emit(OrderCreated(document, number="PO-1", supplier_id="", status="draft"))
        with pytest.raises(SegregationOfDuties):
            await duties.check(tx, ORDER_CREATOR_APPROVES, document)


async def test_one_person_is_one_whichever_key_he_uses(
    api: Client, admin: asyncpg.Connection
) -> None:
    user_id, _ = await member(admin, api, "admin")
    first, one = await make(api, permissions=["*"])
    second, other = await make(api, permissions=["*"])
    third, colleague = await make(api, permissions=["*"])
    for made in (first, second):
        await bind(admin, made["id"], user_id)
    await bind(admin, third["id"], (await member(admin, api, "admin"))[0])
    order = await draft(one)
    assert (await approve(other, order)).json()["code"] == "sod_violation"
    events = await api.ok("GET", "/v1/events", params={"subject_id": order["id"]})
    assert events["data"][0]["principal"]["user_id"] == str(user_id)
    assert (await approve(colleague, order)).status_code == 200


async def test_a_person_does_not_approve_with_a_key_he_made(
    api: Client, admin: asyncpg.Connection
) -> None:
    user_id, _ = await member(admin, api, "admin")
    bound, person = await make(api, permissions=["*"])
    await bind(admin, bound["id"], user_id)
    order = await draft(person)
    made, second = await make(person, roles=["approver"])
    assert set(made["maker_ids"]) == {str(user_id), bound["id"]}
    assert (await approve(second, order)).json()["code"] == "sod_violation"
    # Nor the other way about, nor with two keys of which he made both, nor further down.
    _, writer = await make(person, roles=["buyer"])
    written = await draft(writer)
    for hand in (person, second):
        assert (await approve(hand, written)).json()["code"] == "sod_violation"
    _, maker = await make(person, permissions=["*"])
    _, grandchild = await make(maker, roles=["approver"])
    assert (await approve(grandchild, order)).json()["code"] == "sod_violation"
    assert (await approve(await key(api, "approver"), order)).status_code == 200


async def test_who_renews_a_key_is_one_with_it_from_then_on(api: Client) -> None:
    foreign = await key(api, "approver")
    order = await draft(api)
    listed = await api.ok("GET", "/v1/api-keys")
    ids = [one["id"] for one in listed["data"] if one["roles"] == ["approver"]]
    renewed = await api.ok("POST", f"/v1/api-keys/{ids[0]}/rotate", json={"overlap_hours": 1})
    taken = Client(api.runtime, api.http, api.organization_id, renewed["token"])
    assert (await approve(taken, order)).json()["code"] == "sod_violation"
    assert (await approve(foreign, order)).json()["code"] == "sod_violation"


async def test_an_order_made_of_suggestions_is_written_by_who_converted_them(
    world: Client,
) -> None:
    assert (await world.call("DELETE", RULE)).status_code == 204
    body = {"where": {"supplier": "code=S-01"}}
    made = await world.ok("POST", "/v1/replenishment/suggestions/convert", json=body)
    (order, *_) = made["orders"]
    assert (await approve(world, order)).json()["code"] == "sod_violation"
    assert (await approve(await key(world, "approver"), order)).status_code == 200


async def test_a_rule_can_warn_or_be_off(api: Client) -> None:
    put = await api.put(RULE, {"mode": "warn"}, headers={"If-Match": '"1"'})
    assert (put.json()["mode"], put.headers["etag"]) == ("warn", '"2"')
    order = await draft(api)
    assert (await approve(api, order)).status_code == 200
    feed = await api.ok("GET", "/v1/events", params={"type": "duty_rule.warned"})
    (warned,) = feed["data"]
    assert warned["subject_id"] == order["id"]
    assert warned["data"] == {"rule": ORDER_CREATOR_APPROVES}
    await api.ok("PUT", RULE, json={"mode": "off"})
    assert (await approve(api, await draft(api))).status_code == 200
    feed = await api.ok("GET", "/v1/events", params={"type": "duty_rule.warned"})
    assert len(feed["data"]) == 1
    assert (await api.call("DELETE", RULE)).status_code == 204
    assert (await api.ok("GET", RULE))["mode"] == "block"
    assert (await approve(api, await draft(api))).status_code == 403


async def test_changing_a_rule_needs_its_version_and_leaves_a_trace(
    api: Client, admin: asyncpg.Connection
) -> None:
    assert (await api.put(RULE, {"mode": "off"}, headers={"If-Match": '"5"'})).status_code == 412
    await api.ok("PUT", RULE, json={"mode": "off"})
    rows = await admin.fetch(
        "select action, changes from audit_entry where organization_id = $1 "
        "and object_type = 'duty_rule'",
        api.organization_id,
    )
    assert len(rows) == 1
    assert '"off"' in str(rows[0]["changes"])


@pytest.mark.parametrize(
    ("code", "body", "rules"),
    [
        (ORDER_CREATOR_APPROVES, {"first": ["items:read"]}, ["built_in_rule"]),
        ("mine", {"name": "Mine"}, ["required_for_own_rule", "required_for_own_rule"]),
        (
            "mine",
            {"name": "Mine", "first": ["items:eat"], "second": ["items:read"]},
            ["unknown_permission"],
        ),
        (
            "mine",
            {"name": "Mine", "first": ["items:read"], "second": ["items:read"]},
            ["on_both_sides"],
        ),
    ],
)
async def test_a_rule_that_makes_no_sense_is_refused(
    api: Client, code: str, body: dict[str, Any], rules: list[str]
) -> None:
    refused = await api.put(f"{RULES}/{code}", {"mode": "block", **body})
    assert refused.status_code == 422
    assert problem_codes(refused) == rules


async def test_a_rule_of_ones_own_refuses_grants_that_join_its_sides(api: Client) -> None:
    rule = {
        "mode": "block",
        "name": "Who counts does not plan",
        "first": ["stock:post"],
        "second": ["replenishment:plan"],
    }
    created = await api.put(f"{RULES}/counter_plans", rule)
    assert (created.status_code, created.json()["scope"]) == (200, "grant")
    both = ["stock:post", "replenishment:plan"]
    asked = {"roles": ["planner"], "permissions": ["stock:post"]}
    told = await api.ok("POST", "/v1/roles/check", json=asked)
    (conflict,) = told["duty_conflicts"]
    assert (conflict["rule"], conflict["effect"]) == ("counter_plans", "refused")
    assert (conflict["first"], conflict["second"]) == (["stock:post"], ["replenishment:plan"])
    for refused in (
        await api.post("/v1/api-keys", {"name": "k", **asked}),
        await api.post("/v1/roles", {"code": "r", "name": "r", "permissions": both}),
    ):
        assert refused.status_code == 409
        assert refused.json()["code"] == "duty_conflict"
        assert refused.json()["rules"] == ["counter_plans"]
    made = await api.ok("POST", "/v1/api-keys", json={"name": "k", "roles": ["planner"]})
    widened = await api.patch(f"/v1/api-keys/{made['id']}", {"permissions": ["stock:post"]})
    assert widened.json()["code"] == "duty_conflict"
    # Who holds everything is told, not stopped.
    all_of_it = await api.ok("POST", "/v1/api-keys", json={"name": "k", "permissions": ["*"]})
    assert "counter_plans" in [one["rule"] for one in all_of_it["duty_conflicts"]]
    assert (await api.call("DELETE", f"{RULES}/counter_plans")).status_code == 204
    assert (await api.post("/v1/api-keys", {"name": "k", **asked})).status_code == 201


async def test_nobody_receives_and_posts_the_invoice(api: Client) -> None:
    body = {"name": "k", "roles": ["warehouse"], "permissions": ["invoices:write"]}
    refused = await api.post("/v1/api-keys", body)
    assert refused.json()["rules"] == ["receiver_posts_invoice"]


async def test_an_order_above_the_amount_limit_is_for_somebody_else(api: Client) -> None:
    keeper = await key(api, "approver", limits=Limits(amount=Decimal(300)))
    within = await draft(api, line(quantity="60"))
    assert within["amount"] == {"amount": "300.00", "currency": "CNY"}
    assert (await approve(keeper, within)).status_code == 200
    above = await draft(api, line(quantity="72"))
    refused = await approve(keeper, above)
    assert refused.status_code == 403
    body = refused.json()
    assert body["code"] == "amount_limit_exceeded"
    assert (body["amount"], body["limit"], body["currency"]) == ("360.00", "300.00", "CNY")
    assert "worth 360.00 CNY" in body["detail"]
    blind = await new_client(
        api.runtime,
        api.http,
        permissions=("purchase_orders:read", "purchase_orders:approve"),
        organization_id=api.organization_id,
        limits=Limits(amount=Decimal(300)),
    )
    told = (await approve(blind, above)).json()
    assert (told["code"], told["amount"], told["limit"]) == (body["code"], None, "300.00")
    assert "360" not in told["detail"]
    assert (await approve(await key(api, "approver"), above)).status_code == 200


async def test_who_has_an_amount_limit_approves_no_line_without_one(api: Client) -> None:
    order = await draft(api, line("SKU-1", "60", is_unlimited_overdelivery=True))
    refused = await approve(await key(api, "approver", limits=Limits(amount=Decimal(10**6))), order)
    assert (refused.status_code, refused.json()["code"]) == (403, "outside_limits")
    assert (await approve(await key(api, "approver"), order)).status_code == 200


async def test_prices_are_revised_by_who_sees_them(api: Client) -> None:
    order = await draft(api)
    blind = await new_client(
        api.runtime,
        api.http,
        permissions=("purchase_orders:read", "purchase_orders:write"),
        organization_id=api.organization_id,
    )
    approved = await act(await key(api, "approver"), order, "approve")
    body = {"reason": "?", "version": approved["version"], "lines": []}
    for guess in ("0.0001", "4.5", "1000"):
        body["lines"] = [{"line_no": 1, "unit_price": guess}]
        refused = await blind.post(f"/v1/purchase-orders/{order['id']}/revise?dry_run=true", body)
        assert refused.json()["required_permission"] == "costs:read"


async def test_the_amount_limit_is_in_base_currency(api: Client) -> None:
    supplier = {"code": "S-USD", "name": "Abroad", "currency": "USD"}
    await api.ok("POST", "/v1/suppliers", json=supplier)
    keeper = await key(api, "approver", limits=Limits(amount=Decimal(700)))
    terms = {"supplier": {"code": "S-USD"}, "exchange_rate": "7.00"}
    within = await draft(api, line(quantity="10", unit_price="10.00"), **terms)
    assert (await approve(keeper, within)).status_code == 200
    above = await draft(api, line(quantity="10", unit_price="10.01"), **terms)
    refused = await approve(keeper, above)
    assert Decimal(refused.json()["amount"]) == Decimal("700.70")
