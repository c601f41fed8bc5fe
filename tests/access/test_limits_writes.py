"""A write that touches the outside is refused and changes nothing, in every operation there is."""

from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio

from scm_api.core.runtime import Runtime
from tests.access import limits_world
from tests.access.limits_world import OTHER_CATEGORY, OTHER_WAREHOUSE, Outside, Place
from tests.contract import spec, world
from tests.support import Client

NEED_BY = "2030-03-01"
INSIDE = Place("SKU-1001", "WH-1")


class Company:
    """The company, its keeper, and an order with a line on either side."""

    def __init__(self, api: Client, keeper: Client, place: Place, outside: Outside) -> None:
        self.api, self.keeper, self.place, self.outside = api, keeper, place, outside
        self.mixed = ""


async def _company(
    runtime: Runtime, http: httpx.AsyncClient, admin: asyncpg.Connection, place: Place
) -> Company:
    api = await world.build(runtime, http)
    await limits_world.make_category(api, place)
    confined = {"warehouse": "WH-1"} if place is OTHER_WAREHOUSE else {"category": "CAT-1"}
    keeper = await limits_world.keeper(admin, api, **confined)
    company = Company(api, keeper, place, await limits_world.plant(api, place))
    company.mixed = await order_of(api, INSIDE, place)
    return company


async def order_of(api: Client, *places: Place) -> str:
    """An issued order with a line of 10 for each place; gives its path."""
    lines = [{**place.line, "quantity": "10", "unit_price": "1"} for place in places]
    body = {"supplier": {"code": "S-01"}, "need_by": NEED_BY, "lines": lines}
    number = (await api.ok("POST", "/v1/purchase-orders", json=body))["number"]
    path = f"/v1/purchase-orders/number={number}"
    for action in ("approve", "issue"):
        await world.act(api, path, action)
    return path


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def companies(runtime: Runtime, http: httpx.AsyncClient, urls: Any) -> dict[str, Company]:
    """A company for the keeper of a warehouse and one for the keeper of a category."""
    admin = await asyncpg.connect(urls.admin)
    try:
        return {
            "warehouse": await _company(runtime, http, admin, OTHER_WAREHOUSE),
            "category": await _company(runtime, http, admin, OTHER_CATEGORY),
        }
    finally:
        await admin.close()


def _lines(*places: Place, **more: Any) -> list[dict[str, Any]]:
    return [{**place.line, "quantity": "99999999", **more} for place in places]


def _order(*places: Place) -> dict[str, Any]:
    lines = _lines(*places, unit_price="1")
    return {"supplier": {"code": "S-01"}, "need_by": NEED_BY, "lines": lines}


ACTIONS: dict[str, dict[str, Any]] = {
    "approve": {},
    "unapprove": {},
    "issue": {},
    "hold": {"reason": "no"},
    "release": {},
    "cancel": {"reason": "no"},
    "short-close": {"reason": "no"},
    "reopen": {"reason": "no"},
    "confirm": {"lines": [{"line_no": 1, "confirmed_on": NEED_BY}]},
    "revise": {"reason": "no", "lines": [{"line_no": 1, "quantity": "11"}]},
}


def _documents(made: Outside) -> dict[str, tuple[str, str, Any, int]]:
    order = f"/v1/purchase-orders/number={made.order}"
    suggestions = "/v1/replenishment/suggestions"
    suggestion = f"{suggestions}/{made.suggestion}"
    alert = f"/v1/alerts/number={made.alert}"
    return {
        **{f"order {a}": ("POST", f"{order}/{a}", b, 404) for a, b in ACTIONS.items()},
        "order change": ("PATCH", order, {"note": "mine"}, 404),
        "receive": (
            "POST",
            "/v1/receipts",
            {
                "order": {"number": made.order},
                "lines": [{"line_no": 1, "quantity": "1"}],
            },
            404,
        ),
        "receipt reverse": (
            "POST",
            f"/v1/receipts/number={made.receipt}/reverse",
            {"reason": "no"},
            404,
        ),
        "stock reverse": (
            "POST",
            f"/v1/stock-movements/{made.document}/reverse",
            {"reason": "no"},
            404,
        ),
        "accept": ("POST", f"{suggestion}/accept", {}, 404),
        "dismiss": ("POST", f"{suggestion}/dismiss", {"reason": "no"}, 404),
        "convert": ("POST", f"{suggestions}/convert", {"ids": [made.suggestion]}, 422),
        "acknowledge": ("POST", f"{alert}/acknowledge", {}, 404),
        "snooze": ("POST", f"{alert}/snooze", {"until": "2030-01-01T00:00:00Z"}, 404),
        "resolve": ("POST", f"{alert}/resolve", {"reason": "no"}, 404),
        "assign": ("POST", f"{alert}/assign", {"assignee": "me"}, 404),
        "job cancel": ("POST", f"/v1/jobs/{made.job}/cancel", None, 404),
    }  # fmt: skip


def _requests(place: Place) -> dict[str, tuple[str, str, Any, int]]:
    lines, post = _lines(place), "/v1/stock-movements"
    plan_row = {**place.line, "day": "2030-01-01", "quantity": "5"}
    planned = {"items": [{"sku": place.sku}], "warehouses": [{"code": place.warehouse}]}
    return {
        "opening": ("POST", post, {"type": "opening", "lines": lines}, 403),
        "issue": ("POST", post, {"type": "sales_issue", "lines": lines}, 403),
        "one of two": ("POST", post, {"type": "scrap", "lines": _lines(INSIDE, place)}, 403),
        "receive unordered": ("POST", "/v1/receipts", {"lines": lines}, 403),
        "order": ("POST", "/v1/purchase-orders", _order(place), 403),
        "mixed order": ("POST", "/v1/purchase-orders", _order(INSIDE, place), 403),
        "policy": ("PUT", "/v1/replenishment/policies", {**place.line, "minimum_stock": "1"}, 403),
        "policy of all": ("PUT", "/v1/replenishment/policies", {"minimum_stock": "1"}, 403),
        "alert rule": (
            "PUT",
            "/v1/alert-rules/low_stock",
            {"is_enabled": False, "thresholds": {}},
            403,
        ),
        "sales plan": ("PUT", "/v1/sales-plans/bulk", {"rows": [plan_row]}, 403),
        "shortage": ("POST", "/v1/shortages", {"lines": _lines(place)}, 403),
        "plan": ("POST", "/v1/replenishment/plans", planned, 403),
        **_for_all(),
    }


def _for_all() -> dict[str, tuple[str, str, Any, int]]:
    """What holds for the whole organization, whatever one is confined to."""
    own = "/v1/organizations/current"
    rule = {"name": "r", "first": ["items:read"], "second": ["items:write"], "mode": "block"}
    role = {"code": "mine", "name": "Mine", "permissions": ["items:read"]}
    blocked = {"status": "blocked"}
    return {
        "settings": ("PATCH", own, {"name": "Mine"}, 403),
        "holidays": ("PUT", f"{own}/holidays", {"year": 2030, "days": []}, 403),
        "number rule": ("PUT", f"{own}/number-rules/receipt", {"pattern": "R-{n}"}, 403),
        "close a period": ("POST", f"{own}/fiscal-periods/2020-01/close", {}, 403),
        "reopen a period": (
            "POST",
            f"{own}/fiscal-periods/2020-01/reopen",
            {"reason": "no"},
            403,
        ),
        "duty rule": ("PUT", "/v1/duty-rules/order_creator_approves", {"mode": "off"}, 403),
        "duty rule of one's own": ("PUT", "/v1/duty-rules/own_rule", rule, 403),
        "duty rule to its default": (
            "DELETE",
            "/v1/duty-rules/order_creator_approves",
            None,
            403,
        ),
        "role": ("POST", "/v1/roles", role, 403),
        "supplier blocked": ("PATCH", "/v1/suppliers/code=S-01", blocked, 403),
    }


def _of_warehouse() -> dict[str, tuple[str, str, Any, int]]:
    there = "/v1/warehouses/code=WH-2"
    transfer = {**_lines(INSIDE)[0], "to_warehouse": {"code": "WH-2"}, "quantity": "1"}
    back = {**_lines(OTHER_WAREHOUSE)[0], "to_warehouse": {"code": "WH-1"}, "quantity": "1"}
    policy = {"warehouse": {"code": "WH-2"}, "minimum_stock": "1"}
    of_item = {"item": {"sku": "SKU-1001"}, "minimum_stock": "1"}
    return {
        "transfer out": ("POST", "/v1/stock-movements", _transfer(transfer), 403),
        "transfer in": ("POST", "/v1/stock-movements", _transfer(back), 403),
        "new warehouse": ("POST", "/v1/warehouses", {"code": "WH-3", "name": "Third"}, 403),
        "warehouse": ("PATCH", there, {"name": "Mine"}, 403),
        "location": ("POST", f"{there}/locations", {"code": "A", "name": "A"}, 403),
        "policy of warehouse": ("PUT", "/v1/replenishment/policies", policy, 403),
        "policy of item": ("PUT", "/v1/replenishment/policies", of_item, 403),
    }


def _transfer(line: dict[str, Any]) -> dict[str, Any]:
    return {"type": "transfer", "lines": [line]}


def _of_category() -> dict[str, tuple[str, str, Any, int]]:
    item = {"sku": "OUT-9", "name": "Mine", "base_unit": "EA", "category": {"code": "CAT-1"}}
    into = {"category": {"code": "CAT-9"}}
    new = {"sku": "NEW-1", "name": "New", "base_unit": "EA"}
    terms = {"supplier": {"code": "S-01"}, "item": {"sku": "OUT-9"}, "priority": 3}
    policies = "/v1/replenishment/policies"
    return {
        "item": ("PATCH", "/v1/items/sku=OUT-9", {"name": "Mine"}, 404),
        "item taken": ("PATCH", "/v1/items/sku=OUT-9", {"category": {"code": "CAT-1"}}, 404),
        "item put": ("PUT", "/v1/items/sku=OUT-9", item, 409),
        "items bulk": ("PUT", "/v1/items/bulk", {"mode": "partial", "items": [item]}, 403),
        "item given away": ("PATCH", "/v1/items/sku=SKU-1001", into, 403),
        "new item": ("POST", "/v1/items", {**new, **into}, 403),
        "new item of none": ("POST", "/v1/items", new, 403),
        "category": ("PATCH", "/v1/categories/code=CAT-9", {"name": "Mine"}, 403),
        "category taken": (
            "PATCH",
            "/v1/categories/code=CAT-9",
            {"parent": {"code": "CAT-1"}},
            403,
        ),
        "terms": ("PUT", "/v1/suppliers/code=S-01/items/sku=OUT-9", {"priority": 3}, 404),
        "terms bulk": ("PUT", "/v1/supplier-items/bulk", {"lines": [terms]}, 403),
        "policy of category": ("PUT", policies, {**into, "minimum_stock": "1"}, 403),
        "policy of warehouse": (
            "PUT",
            policies,
            {"warehouse": {"code": "WH-1"}, "minimum_stock": "1"},
            403,
        ),
    }


def _writes(company: Company) -> dict[str, tuple[str, str, Any, int]]:
    own = _of_warehouse() if company.place is OTHER_WAREHOUSE else _of_category()
    mixed = {
        f"mixed {action}": ("POST", f"{company.mixed}/{action}", body, 403)
        for action, body in ACTIONS.items()
    }
    mixed["mixed change"] = ("PATCH", company.mixed, {"note": "mine"}, 403)
    theirs = {
        "order": {"number": company.mixed.split("=")[1]},
        "lines": [{"line_no": n, "quantity": "1"} for n in (1, 2)],
    }
    mixed["receive theirs"] = ("POST", "/v1/receipts", theirs, 403)
    return {**_documents(company.outside), **_requests(company.place), **own, **mixed}


@pytest.mark.parametrize("kind", ["warehouse", "category"])
async def test_what_touches_the_outside_is_refused_and_changes_nothing(
    companies: dict[str, Company], admin: asyncpg.Connection, kind: str
) -> None:
    company = companies[kind]
    before = await world.digest(admin, company.api.organization_id)
    wrong = []
    for name, (method, path, body, status) in _writes(company).items():
        response = await company.keeper.call(method, path, json=body)
        if response.status_code != status:
            wrong.append(f"{name}: {response.status_code} {response.text[:300]}")
        if status == 403 and response.status_code == 403:
            # Roles cannot be confined: whoever is would grant more than he has.
            code = "permission_escalation" if name == "role" else "outside_limits"
            spec.assert_problem(response, 403, code)
        assert limits_world.OPENING not in response.text
        after = await world.digest(admin, company.api.organization_id)
        assert after == before, name
    assert wrong == []


@pytest.mark.parametrize("kind", ["warehouse", "category"])
async def test_deleting_a_range_of_plans_deletes_the_keepers_own(
    companies: dict[str, Company], kind: str
) -> None:
    company = companies[kind]
    day = "2031-01-01"
    own = {**INSIDE.line, "day": day, "quantity": "5"}
    theirs = {**company.place.line, "day": day, "quantity": "5"}
    await company.api.ok("PUT", "/v1/sales-plans/bulk", json={"rows": [own, theirs]})

    gone = await company.keeper.ok("DELETE", f"/v1/sales-plans?from={day}&to={day}")

    assert gone["deleted"] == 1
    left = await company.api.ok("GET", f"/v1/sales-plans?from={day}&to={day}")
    assert [row["item"]["sku"] for row in left["data"]] == [company.place.sku]


@pytest.mark.parametrize("kind", ["warehouse", "category"])
async def test_keepers_receive_their_own_lines_and_the_order_is_judged_by_all(
    companies: dict[str, Company], admin: asyncpg.Connection, kind: str
) -> None:
    company, api = companies[kind], companies[kind].api
    path = await order_of(api, INSIDE, company.place)
    number = path.split("=")[1]

    body = {"order": {"number": number}, "lines": [{"line_no": 1, "quantity": "10"}]}
    receipt = await company.keeper.ok("POST", "/v1/receipts", json=body)

    read = await api.ok("GET", path)
    assert (read["status"], read["receipt_status"]) == ("issued", "partial")
    seen = await company.keeper.ok("GET", path)
    assert [line["line_no"] for line in seen["lines"]] == [1]
    assert (seen["line_count"], seen["receipt_status"]) == (1, "full")
    assert seen["amount"]["amount"] == "10.00"
    assert seen["allowed_actions"] == ["receive"]
    listed = await company.keeper.ok("GET", "/v1/purchase-orders", params={"q": number})
    assert listed["data"][0]["line_count"] == 1
    open_quantities = await admin.fetch(
        "select quantity from inbound_supply where organization_id = $1 and source_number = $2",
        api.organization_id,
        number,
    )
    assert [row["quantity"] for row in open_quantities] == [10]

    body["lines"] = [{"line_no": 2, "quantity": "10"}]
    both = await api.ok("POST", "/v1/receipts", json=body)
    assert (await api.ok("GET", path))["status"] == "closed"
    refused = await company.keeper.post(f"/v1/receipts/{both['id']}/reverse", {"reason": "no"})
    spec.assert_problem(refused, 404)
    await company.keeper.ok(
        "POST", f"/v1/receipts/{receipt['id']}/reverse", json={"reason": "wrong goods"}
    )
    read = await api.ok("GET", path)
    assert (read["status"], read["receipt_status"]) == ("issued", "partial")


async def test_a_transfer_with_one_end_outside_is_reversed_as_a_whole_or_not(
    companies: dict[str, Company], admin: asyncpg.Connection
) -> None:
    company = companies["warehouse"]
    line = {**INSIDE.line, "quantity": "1", "to_warehouse": {"code": "WH-2"}}
    moved = await company.api.ok("POST", "/v1/stock-movements", json=_transfer(line))
    before = await world.digest(admin, company.api.organization_id)

    path = f"/v1/stock-movements/{moved['id']}"
    assert len((await company.keeper.ok("GET", path))["lines"]) == 1
    refused = await company.keeper.post(f"{path}/reverse", {"reason": "no"})

    spec.assert_problem(refused, 403, "outside_limits")
    assert await world.digest(admin, company.api.organization_id) == before
    as_of = await company.keeper.ok(
        "GET", "/v1/stock/as-of", params={"as_of": "2035-01-01T00:00:00Z"}
    )
    assert {row["warehouse"]["code"] for row in as_of["data"]} == {"WH-1"}


@pytest.mark.parametrize("kind", ["warehouse", "category"])
async def test_a_keepers_plan_considers_and_changes_only_what_is_his(
    companies: dict[str, Company], admin: asyncpg.Connection, kind: str
) -> None:
    company = companies[kind]

    started = await company.keeper.post("/v1/replenishment/plans", {})
    job = await company.keeper.run_job(started)

    assert job["status"] == "succeeded", job
    path = f"/v1/replenishment/plans/{started.json()['plan_id']}"
    everything = await company.api.ok("GET", f"{path}/lines?limit=200")
    own = await company.keeper.ok("GET", f"{path}/lines?limit=200")
    assert everything == own
    pairs = {(row["item"]["sku"], row["warehouse"]["code"]) for row in own["data"]}
    assert ("SKU-1001", "WH-1") in pairs
    assert (company.place.sku, company.place.warehouse) not in pairs
    assert (await company.keeper.ok("GET", path))["summary"]["lines"] == len(pairs)
    theirs = await company.api.ok(
        "GET", f"/v1/replenishment/suggestions/{company.outside.suggestion}"
    )
    assert theirs["status"] == "open"


async def test_converting_by_a_filter_takes_the_keepers_own_suggestions(
    companies: dict[str, Company],
) -> None:
    company = companies["warehouse"]

    made = await company.keeper.ok(
        "POST", "/v1/replenishment/suggestions/convert", json={"where": {}}
    )

    assert made["converted"] > 0
    theirs = await company.api.ok(
        "GET", f"/v1/replenishment/suggestions/{company.outside.suggestion}"
    )
    assert theirs["status"] == "open"
