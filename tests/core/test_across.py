"""Lists over several organizations: pages that continue over borders, names that open nothing, and
exactly the permissions that the caller has in each."""

import itertools
from dataclasses import replace
from typing import Any

import httpx
import pytest

from scm_api.app import create_app
from scm_api.core.across import check
from scm_api.core.budgets import Budgets
from scm_api.core.schemas import Link
from tests.contract.spec import Operation, assert_documented, operations, resolve
from tests.core.across_world import (
    code_of,
    organizations,
    person,
    put_in_group,
    read_to_the_end,
)
from tests.support import Client, new_client, problem_codes

LISTS = (
    "/v1/alerts",
    "/v1/items",
    "/v1/purchase-orders",
    "/v1/receipts",
    "/v1/replenishment/suggestions",
    "/v1/shortages",
    "/v1/stock",
    "/v1/stock/balances",
    "/v1/suppliers",
    "/v1/warehouses",
)


async def with_warehouses(api: Client, *codes: str) -> None:
    for code in codes:
        await api.ok("POST", "/v1/warehouses", json={"code": code, "name": code})


async def world(api: Client) -> tuple[list[Client], Client]:
    """Organizations A (3 warehouses), B (none), C (2), D (1), E (4), and an auditor of A to D."""
    made = await organizations(api, "A", "B", "C", "D", "E")
    for one, codes in zip(
        made, (["W1", "W2", "W3"], [], ["W1", "X2"], ["W1"], ["W1", "W2", "W3", "W4"]), strict=True
    ):
        await with_warehouses(one, *codes)
    caller, _ = await person(*((one, "auditor") for one in reversed(made[:4])))
    return made, caller


def found(pages: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """(organization, warehouse) of all rows; of the organization, its letter."""
    return [
        (row["organization"]["code"][-1], row["code"]) for page in pages for row in page["data"]
    ]


ALL = [("A", "W1"), ("A", "W2"), ("A", "W3"), ("C", "W1"), ("C", "X2"), ("D", "W1")]


async def test_pages_of_any_size_give_every_row_once_and_in_order(api: Client) -> None:
    made, caller = await world(api)
    plain = [await one.ok("GET", "/v1/warehouses") for one in made[:4]]
    for limit in range(1, 8):
        pages = await read_to_the_end(
            caller, "/v1/warehouses", organization="*", limit=limit, include_total=True
        )
        assert found(pages) == ALL
        assert [len(page["data"]) for page in pages[:-1]] == [limit] * (len(pages) - 1)
        assert 0 < len(pages[-1]["data"]) <= limit
        assert {page["total"] for page in pages} == {len(ALL)}
        bare = [
            {name: value for name, value in row.items() if name != "organization"}
            for page in pages
            for row in page["data"]
        ]
        assert bare == list(itertools.chain(*(page["data"] for page in plain)))


async def test_an_organization_is_named_by_code_or_id_or_group(api: Client) -> None:
    made, caller = await world(api)
    first, empty, third, fourth, foreign = made
    codes = [await code_of(one) for one in made]
    named = {"organization": [codes[2].upper(), str(first.organization_id)]}
    pages = [await caller.ok("GET", "/v1/warehouses", params=named)]
    assert found(pages) == ALL[:5]
    await put_in_group(api, f"{codes[0]}-group", third, fourth, foreign)
    grouped = {"organization_group": f"{codes[0]}-GROUP", "limit": 2}
    pages = await read_to_the_end(caller, "/v1/warehouses", **grouped)
    assert found(pages) == ALL[3:]
    nothing = await caller.ok("GET", "/v1/warehouses", params={"organization": codes[1]})
    assert (nothing["data"], nothing["has_more"], nothing["left_out"]) == ([], False, [])
    assert (await empty.ok("GET", "/v1/warehouses"))["data"] == []


async def test_an_organization_of_others_is_as_unknown_as_none(api: Client) -> None:
    made, caller = await world(api)
    await put_in_group(api, f"{await code_of(made[0])}-foreign", made[4])
    answers = []
    for name, value in (
        ("organization", await code_of(made[4])),
        ("organization", str(made[4].organization_id)),
        ("organization_group", f"{await code_of(made[0])}-foreign"),
        ("organization", "none-such"),
        ("organization_group", "none-such"),
        ("organization_group", "*"),
        ("organization_group", ""),
        ("organization", ""),
    ):
        response = await caller.get("/v1/warehouses", params={name: value})
        assert (response.status_code, problem_codes(response)) == (422, ["unknown_reference"])
        (error,) = response.json()["errors"]
        assert (error["parameter"], error["params"]["reference"]) == (name, value)
        answers.append(error["detail"].replace(value, "") if value else "")
    assert answers[0] == answers[1] == answers[3]
    # Beside one's own, too.
    both = {"organization": ["*", await code_of(made[4])]}
    assert (await caller.get("/v1/warehouses", params=both)).status_code == 422
    chosen = {"organization": "*", "organization_group": "x"}
    response = await caller.get("/v1/warehouses", params=chosen)
    assert (response.status_code, problem_codes(response)) == (422, ["one_selection"])


async def test_each_organization_grants_its_own_permission_and_hides_its_own_costs(
    api: Client,
) -> None:
    planner, seller, supplier, foreign = await organizations(api, "A", "B", "C", "D")
    for one in (planner, seller, supplier, foreign):
        await with_warehouses(one, "W1")
        item = {"sku": "S-1", "name": "Screw", "base_unit": "EA"}
        await one.ok("POST", "/v1/items", json=item)
        line = {"item": {"sku": "S-1"}, "warehouse": {"code": "W1"}}
        lines = [{**line, "quantity": "10", "unit_cost": "3"}]
        await one.ok("POST", "/v1/stock-movements", json={"type": "opening", "lines": lines})
    # Logged in where he may do nothing of the kind: that does not count.
    caller, _ = await person((supplier, "supplier"), (seller, "sales"), (planner, "planner"))
    page = await caller.ok("GET", "/v1/stock", params={"organization": "*"})
    shown = [(r["organization"]["code"][-1], r["on_hand"], r["value"]) for r in page["data"]]
    assert shown == [("A", "10.0000", "30.0000"), ("B", "10.0000", None)]
    assert [one["code"][-1] for one in page["left_out"]] == ["C"]
    refused = await caller.get("/v1/stock", params={"organization": await code_of(supplier)})
    assert refused.status_code == 403
    assert refused.json()["required_permission"] == "stock:read"
    # Limits hold where they were set.
    async with api.runtime.database.system() as driver:
        await driver.execute(
            "update membership set warehouse_ids = '{}' where organization_id = $1",
            planner.organization_id,
        )
    page = await caller.ok("GET", "/v1/stock", params={"organization": "*"})
    assert [row["organization"]["code"][-1] for row in page["data"]] == ["B"]


async def test_only_active_members_belong_to_an_organization(api: Client) -> None:
    made = await organizations(api, "A", "B")
    caller, _ = await person((made[0], "admin"), (made[1], "admin"), status="invited")
    response = await caller.get("/v1/warehouses", params={"organization": "*"})
    assert response.status_code == 403
    response = await caller.get("/v1/warehouses", params={"organization": await code_of(made[0])})
    assert response.status_code == 422


async def test_a_key_knows_only_its_own_organization(api: Client) -> None:
    made, caller = await world(api)
    pages = [await made[0].ok("GET", "/v1/warehouses", params={"organization": "*"})]
    assert found(pages) == ALL[:3]
    foreign = {"organization": await code_of(made[2])}
    assert (await made[0].get("/v1/warehouses", params=foreign)).status_code == 422
    # A person's own key does not reach further than other keys.
    key = await new_client(api.runtime, api.http, organization_id=made[2].organization_id)
    async with api.runtime.database.system() as driver:
        await driver.execute(
            "update api_key set user_id = (select user_id from membership "
            "where organization_id = $1) where organization_id = $1",
            made[2].organization_id,
        )
    pages = [await key.ok("GET", "/v1/warehouses", params={"organization": "*"})]
    assert found(pages) == ALL[3:5]
    assert found([await caller.ok("GET", "/v1/warehouses", params={"organization": "*"})]) == ALL


async def test_a_cursor_of_anything_else_is_refused(api: Client) -> None:
    made, caller = await world(api)
    asked = {"organization": "*", "limit": 1}
    first = await caller.ok("GET", "/v1/warehouses", params=asked)
    cursor: str = first["next_cursor"]
    organization, mark, inner = cursor.split(".")
    assert organization == made[0].organization_id.hex
    own = (await made[0].ok("GET", "/v1/warehouses", params={"limit": 1}))["next_cursor"]
    for forged in (
        f"{made[4].organization_id.hex}.{mark}.{inner}",
        f"{made[4].organization_id.hex}.{mark}.",
        f"{organization}.{'0' * 12}.{inner}",
        f"{organization}.{mark}.{inner}x.",
        organization,
        own,
        "",
        "..",
        f"{organization}.{mark}.仓",
    ):
        response = await caller.get("/v1/warehouses", params={**asked, "cursor": forged})
        assert (response.status_code, problem_codes(response)) == (422, ["invalid_cursor"]), forged
    for changed in ({"organization": await code_of(made[0])}, {"include_total": True}):
        response = await caller.get("/v1/warehouses", params={**asked, **changed, "cursor": cursor})
        assert response.status_code == (422 if "organization" in changed else 200)
    alone = {"Scm-Organization": await code_of(made[0])}
    response = await caller.get("/v1/warehouses", params={"cursor": cursor}, headers=alone)
    assert response.status_code == 422


async def test_a_cursor_ends_with_the_membership_it_was_given_for(api: Client) -> None:
    made, caller = await world(api)
    asked = {"organization": "*", "limit": 1}
    first = await caller.ok("GET", "/v1/warehouses", params=asked)
    async with api.runtime.database.system() as driver:
        await driver.execute(
            "update membership set status = 'suspended' where organization_id = $1",
            made[0].organization_id,
        )
    more = {**asked, "cursor": first["next_cursor"]}
    assert (await caller.get("/v1/warehouses", params=more)).status_code == 422
    assert found(await read_to_the_end(caller, "/v1/warehouses", **asked)) == ALL[3:]


async def test_a_filter_that_one_organization_does_not_know_finds_nothing_there(
    api: Client,
) -> None:
    planned, empty, selling = await organizations(api, "A", "B", "C")
    for one in (planned, selling):
        await with_warehouses(one, "W1", "W2")
        item = {"sku": "S-1", "name": "Screw", "base_unit": "EA"}
        await one.ok("POST", "/v1/items", json=item)
        line = {"item": {"sku": "S-1"}, "quantity": "10", "unit_cost": "3"}
        lines = [{**line, "warehouse": {"code": code}} for code in ("W1", "W2")]
        await one.ok("POST", "/v1/stock-movements", json={"type": "opening", "lines": lines})
    await with_warehouses(selling, "W3")
    caller, _ = await person((planned, "planner"), (empty, "planner"), (selling, "sales"))
    for limit in range(1, 4):
        asked = {"organization": "*", "warehouse": "W2", "limit": limit, "include_total": True}
        pages = await read_to_the_end(caller, "/v1/stock", **asked)
        rows = [row for page in pages for row in page["data"]]
        shown = [(row["organization"]["code"][-1], row["warehouse"]["code"]) for row in rows]
        assert shown == [("A", "W2"), ("C", "W2")]
        assert {page["total"] for page in pages} == {2}
    known = await caller.ok("GET", "/v1/stock", params={"organization": "*", "warehouse": "W3"})
    assert known["data"] == []
    unknown = {"organization": "*", "warehouse": "W4"}
    response = await caller.get("/v1/stock", params=unknown)
    assert (response.status_code, problem_codes(response)) == (422, ["unknown_reference"])


@pytest.mark.parametrize(
    "wrong", [{"limit": 0}, {"limit": 501}, {"limit": "x"}, {"include_total": "?"}, {"colour": "x"}]
)
async def test_other_parameters_are_checked_as_ever(api: Client, wrong: dict[str, Any]) -> None:
    plain = await api.get("/v1/warehouses", params=wrong)
    response = await api.get("/v1/warehouses", params={**wrong, "organization": "*"})
    assert response.status_code == plain.status_code == 422
    assert response.json()["errors"] == plain.json()["errors"]


async def test_the_next_page_stands_in_the_link_and_no_version_is_promised(api: Client) -> None:
    made, caller = await world(api)
    codes = [await code_of(made[0]), await code_of(made[2])]
    asked = {"organization": codes, "limit": 2}
    response = await caller.get("/v1/warehouses", params=asked, headers={"If-None-Match": "*"})
    assert response.status_code == 200
    assert "etag" not in response.headers
    pages = [response.json()]
    while "next" in response.links:
        response = await caller.get(response.links["next"]["url"])
        pages.append(response.json())
    assert found(pages) == ALL[:5]


async def test_every_organization_costs_the_same_few_statements(api: Client) -> None:
    made, caller = await world(api)
    codes = [await code_of(one) for one in made]
    sent = []
    for count in range(1, 5):
        asked = {"organization": codes[:count]}
        # Who the caller is stays known for a second.
        await caller.get("/v1/warehouses", params=asked)
        async with caller.counted() as statements:
            await caller.ok("GET", "/v1/warehouses", params=asked)
        sent.append(len(statements))
    steps = {more - fewer for fewer, more in itertools.pairwise(sent)}
    assert len(steps) == 1
    assert steps.pop() <= 4


async def test_a_call_counts_once_against_the_rate_limit(api: Client) -> None:
    _, caller = await world(api)
    settings = api.runtime.settings.model_copy(update={"rate_limit_key_per_minute": 60})
    limited = create_app(replace(api.runtime, settings=settings, budgets=Budgets()))
    remaining = []
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(limited), base_url="http://test"
    ) as http:
        caller.http = http
        for _ in range(2):
            response = await caller.get("/v1/warehouses", params={"organization": "*"})
            assert response.status_code == 200
            remaining.append(int(response.headers["RateLimit"].split("r=")[1].split(";")[0]))
    assert remaining == [59, 58]


def test_these_lists_and_the_key_figures_go_over_organizations_and_nothing_else() -> None:
    rows = {o.path for o in operations() if o.spec.get("x-across") == "rows"}
    assert rows == set(LISTS)
    groups = {o.path for o in operations() if o.spec.get("x-across") == "groups"}
    assert groups == {o.path for o in operations() if o.path.startswith("/v1/kpis/")}
    for operation in operations():
        names = {p["name"] for p in operation.parameters}
        has_both = {"organization", "organization_group"} <= names
        assert has_both == ("x-across" in operation.spec), operation.id
        assert operation.method == "get" or "x-across" not in operation.spec


@pytest.mark.parametrize("path", LISTS)
async def test_every_list_answers_over_organizations(api: Client, path: str) -> None:
    page = await api.ok("GET", path, params={"organization": "*", "include_total": True})
    expected = {"data": [], "has_more": False, "next_cursor": None, "total": 0, "left_out": []}
    assert page == expected


ACROSS = [operation for operation in operations() if "x-across" in operation.spec]


@pytest.mark.parametrize("operation", ACROSS, ids=str)
async def test_the_document_says_what_comes_over_organizations(
    api: Client, operation: Operation
) -> None:
    first, second, closed = await organizations(api, "A", "B", "C")
    for one in (first, second):
        await with_warehouses(one, "W1")
    caller, _ = await person((first, "auditor"), (second, "auditor"), (closed, "supplier"))
    response = await caller.get(operation.path, params={"organization": "*"})
    assert response.status_code == 200
    assert_documented(operation, response)
    body = response.json()
    (left_out,) = body["left_out"]
    assert left_out["id"] == str(closed.organization_id)
    answer = resolve(operation.successes[200]["content"]["application/json"]["schema"])
    assert body.keys() <= answer["properties"].keys()
    rows = "data" if operation.spec["x-across"] == "rows" else "groups"
    row_model = resolve(answer["properties"][rows]["items"])
    assert {"organization", "currency"} & row_model["properties"].keys()
    for row in body[rows]:
        assert row.keys() <= row_model["properties"].keys()


def test_what_cannot_go_over_organizations_stops_the_start() -> None:
    for kind, is_write in (("rows", True), ("groups", False), ("columns", False)):
        with pytest.raises(TypeError):
            check(kind, "/v1/things", is_write=is_write, model=Link)


@pytest.mark.parametrize("path", ["/v1/events", "/v1/jobs", "/v1/stock-movements", "/v1/problems"])
async def test_elsewhere_the_parameters_are_unknown(api: Client, path: str) -> None:
    for name in ("organization", "organization_group"):
        response = await api.get(path, params={name: "*"})
        assert (response.status_code, problem_codes(response)) == (422, ["unknown_parameter"])
