"""Whoever lacks `costs:read` learns no cost and no price: not in lists, details, events, changes,
explanations, key figures, replays or words. Everybody else reads what he always read."""

import asyncio
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import asyncpg
import httpx
import pytest
import pytest_asyncio

from scm_api.alerts import service as alerts
from scm_api.core.redaction import MARK, SEE_COSTS
from tests.contract.conftest import CopyWorld
from tests.contract.spec import Operation, assert_documented, operations, resolve, walk
from tests.contract.world import act, copy, second_key
from tests.support import Client
from tests.users.people import join

PRICE = "7.7731"
KNOWN_SECONDS = 1.1  # a changed key is noticed within a second
MONEY = re.compile(r"(^|_)(prices?|costs?|amounts?|values?)(_|$)")
# Named like money, and not hidden.
NOT_HIDDEN = {
    "ApiKeyRead.amount_limit": "a bound of what one may decide on, no price",
    "ApiKeySecret.amount_limit": "a bound of what one may decide on, no price",
    "EffectiveField.value": "judged by the name of the field it is of",
    **{
        f"Explained{part}.is_cost_derived": "says that costs play a part, not which"
        for part in ("Flip", "Level", "Rounding", "Step")
    },
    "Explanation.price_breaks": "its prices are marked themselves",
    "FillFigures.value_fill_rate": "a ratio",
    "FillRow.value_fill_rate": "a ratio",
    "ItemRead.cost_method": "a word",
    "LineRead.price_per": "a quantity",
    "LineRead.price_unit": "a unit",
    "MemberChanged.amount_limit": "a bound of what one may decide on, no price",
    "MemberInvited.amount_limit": "a bound of what one may decide on, no price",
    "MemberRead.amount_limit": "a bound of what one may decide on, no price",
    "OwnOrganization.amount_limit": "a bound of what one may decide on, no price",
    "Offer.price": "its price is marked itself",
    "PriceStepRead.price_per": "a quantity",
    "PurchaseOrderRead.amount": "its amount is marked itself",
    "PurchaseOrderSummary.amount": "its amount is marked itself",
    "SupplierItemOffer.prices": "their prices are marked themselves",
    "SupplierItemRead.prices": "their prices are marked themselves",
}


def permissions(*, without: str = "") -> tuple[str, ...]:
    """All permissions that operations ask for but one."""
    asked = {o.permission for o in operations()}
    asked |= {p for o in operations() for p in o.spec.get("x-additional-permissions", [])}
    return tuple(sorted(p for p in asked if ":" in p and p != without))


def answers(operation: Operation) -> Iterator[dict[str, Any]]:
    """The schemas of an operation's successes."""
    for response in operation.successes.values():
        for content in response.get("content", {}).values():
            yield content["schema"]


def models(schema: Any, seen: dict[str, Any] | None = None) -> dict[str, Any]:
    """Every model that a schema leads to, by name."""
    found = {} if seen is None else seen
    for _, part in walk(schema):
        name = part.get("$ref", "").rsplit("/", 1)[-1]
        if name and name not in found:
            found[name] = resolve(part)
            models(found[name], found)
    return found


OPEN_TO_ALL = [o for o in operations() if o.permission != SEE_COSTS]
ANSWERED = {
    name: model
    for operation in OPEN_TO_ALL
    for schema in answers(operation)
    for name, model in models(schema).items()
}


def test_every_field_named_like_money_is_hidden_or_has_a_reason_not_to_be() -> None:
    bare = {
        f"{model}.{name}"
        for model, schema in ANSWERED.items()
        for name, field in schema.get("properties", {}).items()
        if MONEY.search(name) and MARK not in field
    }
    assert bare == NOT_HIDDEN.keys()


def test_a_hidden_field_may_be_null_and_is_there_all_the_same() -> None:
    marked = 0
    for model, schema in ANSWERED.items():
        for name, field in schema.get("properties", {}).items():
            if MARK in field:
                marked += 1
                assert field[MARK] == SEE_COSTS
                assert {"type": "null"} in field["anyOf"], f"{model}.{name}"
                assert f"Null without `{SEE_COSTS}`" in field["description"]
    assert marked > 30


def test_values_alone_need_the_permission_as_a_whole() -> None:
    needed = {o.id for o in operations() if o.permission == SEE_COSTS}
    assert needed == {"stock_valuation"}


def test_nobody_reads_money_without_a_permission() -> None:
    asked_of_oneself = [o for o in operations() if not o.is_permitted]
    assert asked_of_oneself
    for operation in asked_of_oneself:
        assert not [f for f in _fields(operation) if MARK in f], operation.id


class Callers(NamedTuple):
    """Two keys of one organization in which things cost distinctive figures."""

    full: Client
    limited: Client


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def callers(session_admin: asyncpg.Connection, template: Client) -> Callers:
    """One sees costs, the other has every permission but that."""
    full = await copy(session_admin, template)
    await _prices(full)
    await _planned(full)
    await join(full)
    return Callers(full, await second_key(full, *permissions(without=SEE_COSTS)))


async def _prices(full: Client) -> None:
    """A price list, stock, a revised order and its receipt, all at the price."""
    terms = {"prices": [{"minimum_quantity": "0", "unit_price": PRICE}]}
    for sku in ("SKU-1001", "SKU-1003"):
        await full.ok("PUT", f"/v1/suppliers/code=S-01/items/sku={sku}", json=terms)
    opening = {
        "item": {"sku": "SKU-1003"},
        "warehouse": {"code": "WH-1"},
        "quantity": "1003",
        "unit_cost": PRICE,
    }
    body = {"type": "opening", "external_ref": "PRICED", "lines": [opening]}
    await full.ok("POST", "/v1/stock-movements", json=body)
    order = "/v1/purchase-orders/number=PO-000001"
    change = {"lines": [{"line_no": 1, "unit_price": PRICE}], "reason": "Copper is dear"}
    await act(full, order, "revise", change)
    arrived = {"order": {"number": "PO-000001"}, "lines": [{"line_no": 1, "quantity": "13"}]}
    await full.ok("POST", "/v1/receipts", json=arrived)
    rule = {"thresholds": {"minimum_value": PRICE}}
    await full.ok("PUT", "/v1/alert-rules/overstock", json=rule)


async def _planned(full: Client) -> None:
    """A policy with a cost, a plan by it, and an alert about a surplus."""
    policy = {
        "item": {"sku": "SKU-1003"},
        "order_cost": PRICE,
        "minimum_stock": "5",
        "maximum_stock": "10",
    }
    await full.ok("PUT", "/v1/replenishment/policies", json=policy)
    # The plan of the example world stays the one that examples name; this one is the latest.
    await full.run_job(await full.post("/v1/replenishment/plans", {}))
    async with full.runtime.database.transaction(full.principal(), now=full.runtime.clock()) as tx:
        await alerts.sweep(tx)
        await tx.driver.execute("commit")


def _hidden(full: Any, limited: Any, place: str) -> Iterator[tuple[str, Any]]:
    """Where the limited caller reads null instead of something; nothing else may differ."""
    if limited is None and full is not None:
        yield place, full
    elif isinstance(full, dict):
        assert full.keys() == limited.keys(), place
        for name in full:
            yield from _hidden(full[name], limited[name], f"{place}/{name}")
    elif isinstance(full, list):
        assert len(full) == len(limited), place
        for entry, other in zip(full, limited, strict=True):
            yield from _hidden(entry, other, f"{place}/*")
    elif not place.endswith("/as_of"):  # the instant of the request, unless one was asked for
        assert full == limited, place


def _fields(operation: Operation) -> list[dict[str, Any]]:
    """The fields of every model in an operation's answers."""
    return [
        field
        for schema in answers(operation)
        for model in models(schema).values()
        for field in model.get("properties", {}).values()
    ]


# What somebody reads of himself differs by who asks, and holds no money at all.
READS = [o for o in operations() if o.method == "get" and o.is_permitted]
# Reads of money that no schema marks: it is named in free content.
BY_NAME = {"alerts_list", "events_list", "purchase_orders_list_revisions"}


async def _read(operation: Operation, caller: Client) -> httpx.Response:
    call = operation.example()
    if operation.id == "users_get":
        members = await caller.ok("GET", "/v1/users?limit=1")
        call = call.with_(path={"user": members["data"][0]["id"]})
    if operation.id == "alert_rules_get":
        call = call.with_(path={"kind": "overstock"})
    if operation.id == "events_list":
        call = call.with_(query={"limit": 1000})
    if operation.id == "stock_as_of":
        call = call.with_(query={"as_of": caller.runtime.clock().isoformat()})
    return await call.send(caller)


async def test_no_read_tells_a_cost_or_a_price(callers: Callers) -> None:
    secret: dict[str, str] = {}
    texts: dict[str, str] = {}
    shown: set[str] = set()
    marked = {o.id for o in READS if any(MARK in f for f in _fields(o))}
    for operation in READS:
        if operation.permission == SEE_COSTS:
            continue
        full, limited = [await _read(operation, caller) for caller in callers]
        assert full.status_code == limited.status_code == 200, (operation.id, limited.text)
        assert_documented(operation, limited)
        texts[operation.id] = limited.text
        found = list(_hidden(full.json(), limited.json(), operation.id))
        if found:
            shown.add(operation.id)
        for place, value in found:
            assert isinstance(value, str | int), place
            # Shorter figures are somebody's quantity too.
            if len(re.sub(r"[.\-]|0+$", "", str(value)).strip("0")) >= 5:
                secret[str(value).rstrip("0")] = place
    assert PRICE in secret
    leaks = {
        f"{where}: {value} of {place}"
        for value, place in secret.items()
        for where, text in texts.items()
        if re.search(rf"(?<![\d.-]){re.escape(value)}0*(?![\d-])", text)
    }
    assert not leaks
    assert marked <= shown, "the example world shows no money there"
    assert shown >= BY_NAME


async def test_valuation_needs_the_permission(callers: Callers) -> None:
    refused = await callers.limited.get("/v1/stock/valuation")
    assert refused.status_code == 403
    assert refused.json()["required_permission"] == SEE_COSTS
    assert (await callers.full.get("/v1/stock/valuation")).status_code == 200


async def test_a_changed_price_is_seen_as_changed(callers: Callers) -> None:
    path = "/v1/purchase-orders/number=PO-000001/revisions"
    (revision,) = (await callers.limited.ok("GET", path))["data"]
    change = {"path": "/lines/1/unit_price", "old": None, "new": None}
    assert revision["changes"] == [change]
    events = await callers.limited.ok("GET", "/v1/events?limit=1000")
    data = {event["type"]: event["data"] for event in events["data"]}
    assert data["purchase_order.revised"]["changes"] == [change]
    assert data["replenishment_policy.changed"]["changes"]["order_cost"] == {
        "old": None,
        "new": None,
    }
    assert data["replenishment_policy.changed"]["changes"]["maximum_stock"]["new"] == "10"


async def test_an_alert_tells_the_surplus_and_not_its_value(callers: Callers) -> None:
    found = await callers.limited.ok("GET", "/v1/alerts?kind=overstock&item=SKU-1003")
    (alert,) = found["data"]
    assert alert["evidence"]["surplus_value"] is None
    assert alert["evidence"]["surplus"] == "993.0000"
    assert "993" in alert["message"]


async def test_who_sees_costs_reads_every_byte(callers: Callers) -> None:
    explicit = await second_key(callers.full, *permissions())
    told = 0
    for operation in READS:
        every, some = [await _read(operation, caller) for caller in (callers.full, explicit)]
        assert every.status_code == some.status_code == 200
        # `as_of` is the instant of the request.
        now = re.compile(rb'"as_of":"[^"]+"')
        assert now.sub(b"", every.content) == now.sub(b"", some.content), operation.id
        told += PRICE in some.text
    assert told >= 10


WRITES = [o for o in operations() if o.method != "get" and any(MARK in f for f in _fields(o))]


def _marked(schema: Any, value: Any) -> Iterator[Any]:
    """What stands in the fields of an answer that its schema marks."""
    schema = resolve(schema)
    for branch in schema.get("anyOf", []):
        yield from _marked(branch, value)
    if isinstance(value, list):
        for entry in value:
            yield from _marked(schema.get("items", {}), entry)
    if isinstance(value, dict):
        for name, field in schema.get("properties", {}).items():
            if MARK in field:
                yield value.get(name)
            elif name in value:
                yield from _marked(field, value[name])


@pytest.mark.parametrize("operation", WRITES, ids=str)
async def test_no_write_answers_a_cost_or_a_price(
    operation: Operation, copy_world: CopyWorld
) -> None:
    world = await copy_world()
    limited = await second_key(world, *permissions(without=SEE_COSTS))
    call = await operation.runnable(limited)
    if operation.writes:
        call = call.with_(headers={"Idempotency-Key": "once"})
    for _ in range(2):
        response = await call.send(limited)
        assert response.is_success, response.text
        assert_documented(operation, response)
        content = operation.successes[response.status_code]["content"]
        found = list(_marked(content["application/json"]["schema"], response.json()))
        assert set(found) <= {None}
    assert ("idempotent-replayed" in response.headers) == operation.writes


async def test_an_answer_stored_for_one_who_saw_costs_is_not_replayed_with_them(
    world: Client, admin: asyncpg.Connection
) -> None:
    caller = await second_key(world, *permissions())
    headers = {"Idempotency-Key": "before"}
    line = {
        "item": {"sku": "SKU-1003"},
        "warehouse": {"code": "WH-1"},
        "quantity": "3",
        "unit_cost": PRICE,
    }
    body = {"type": "opening", "lines": [line]}
    first = await caller.post("/v1/stock-movements", body, headers=headers)
    assert first.json()["lines"][0]["value"] is not None
    await admin.execute(
        "update api_key set permissions = $2 "
        "where organization_id = $1 and not permissions @> array['*'::text]",
        world.organization_id,
        list(permissions(without=SEE_COSTS)),
    )
    await asyncio.sleep(KNOWN_SECONDS)
    again = await caller.post("/v1/stock-movements", body, headers=headers)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json()["lines"][0]["value"] is None


async def test_a_value_nobody_shows_cannot_be_asked_for_by_a_threshold(callers: Callers) -> None:
    path = "/v1/alert-rules/overstock"
    asked = {"thresholds": {"minimum_value": "7000"}}
    refused = await callers.limited.put(path, asked)
    assert refused.status_code == 403
    assert refused.json()["required_permission"] == SEE_COSTS
    await callers.limited.ok("PUT", path, json={"thresholds": {"cover_days": 99}})
    rule = await callers.full.ok("GET", path)
    assert (rule["thresholds"]["minimum_value"], rule["thresholds"]["cover_days"]) == (PRICE, 99)


async def test_an_order_cost_nobody_shows_is_not_lost_by_writing_its_policy(
    callers: Callers,
) -> None:
    path, policy = "/v1/replenishment/policies", {"item": {"sku": "SKU-1003"}}
    refused = await callers.limited.put(path, {**policy, "order_cost": "1"})
    assert refused.status_code == 403
    written = await callers.limited.put(path, {**policy, "maximum_stock": "11"})
    assert written.json()["order_cost"] is None
    stored = await callers.full.ok("GET", f"{path}?item=sku=SKU-1003")
    assert stored["data"][0]["order_cost"] == "7.773100"
    assert stored["data"][0]["maximum_stock"] == "11.0000"


def test_no_filter_or_order_asks_for_a_hidden_value() -> None:
    named = {
        f"{operation.id}.{parameter['name']}"
        for operation in OPEN_TO_ALL
        for parameter in operation.parameters
        if MONEY.search(parameter["name"]) or parameter["name"] in ("sort", "order_by")
    }
    assert named == set()
