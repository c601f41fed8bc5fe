"""One's organizations, their settings and groups, over HTTP."""

from uuid import uuid4

from tests.organizations.support import company, opening, order, person
from tests.support import Client, new_client, problem_codes

CURRENT = "/v1/organizations/current"


async def test_a_key_lists_its_own_organization_only(api: Client, other: Client) -> None:
    found = (await api.ok("GET", "/v1/organizations"))["data"]
    assert [row["id"] for row in found] == [str(api.organization_id)]
    assert found[0]["is_current"] is True


async def test_a_person_lists_all_organizations_and_the_roles_in_each(
    api: Client, other: Client
) -> None:
    third = await new_client(api.runtime, api.http)
    li = await person({api.organization_id: ["buyer"], other.organization_id: ["admin"]}, api)
    response = await li.call("GET", "/v1/organizations", other)
    found = {row["id"]: row for row in response.json()["data"]}
    assert found.keys() == {str(api.organization_id), str(other.organization_id)}
    assert str(third.organization_id) not in response.text
    assert found[str(api.organization_id)]["roles"] == ["buyer"]
    assert found[str(other.organization_id)]["is_current"] is True
    assert found[str(api.organization_id)]["is_current"] is False


async def test_one_s_organizations_come_in_pages(api: Client, other: Client) -> None:
    li = await person({api.organization_id: ["buyer"], other.organization_id: ["buyer"]}, api)
    first = (await li.call("GET", "/v1/organizations?limit=1&include_total=true", api)).json()
    path = f"/v1/organizations?limit=1&cursor={first['next_cursor']}"
    second = (await li.call("GET", path, api)).json()
    assert first["total"] == 2
    ids = {first["data"][0]["id"], second["data"][0]["id"]}
    assert ids == {str(api.organization_id), str(other.organization_id)}
    assert second["has_more"] is False


async def test_settings_are_changed_at_the_version_that_was_read(
    api: Client, other: Client
) -> None:
    read = await api.get(CURRENT)
    body = {
        "name": "Main Trading",
        "language": "zh-CN",
        "work_week": ["saturday", "monday"],
        "time_zone": "Europe/Berlin",
        "base_currency": "EUR",
    }
    headers = {"If-Match": read.headers["etag"]}
    changed = await api.patch(CURRENT, body, headers=headers)
    assert changed.status_code == 200, changed.text
    assert changed.json()["work_week"] == ["monday", "saturday"]
    assert {n: changed.json()[n] for n in body} | {"work_week": body["work_week"]} == body
    assert changed.headers["etag"] != read.headers["etag"]
    assert (await api.patch(CURRENT, body, headers=headers)).status_code == 412
    assert (await other.ok("GET", CURRENT))["name"] == "Test company"


async def test_a_change_of_nothing_keeps_the_version(api: Client) -> None:
    read = (await api.get(CURRENT)).json()
    again = await api.patch(CURRENT, {"name": read["name"], "work_week": read["work_week"]})
    assert again.json()["version"] == read["version"]


async def test_wrong_settings_are_named(api: Client) -> None:
    zone = await api.patch(CURRENT, {"time_zone": "Mars/Olympus"})
    assert problem_codes(zone) == ["unknown_time_zone"]
    twice = await api.patch(CURRENT, {"work_week": ["monday", "monday"]})
    assert problem_codes(twice) == ["listed_twice"]
    none = await api.patch(CURRENT, {"work_week": []})
    assert problem_codes(none) == ["too_few"]


async def test_a_change_of_settings_stands_in_the_trail_and_in_the_feed(api: Client) -> None:
    await api.ok("PATCH", CURRENT, json={"over_delivery_percent": "7"})
    async with api.runtime.database.transaction(api.principal(), now=api.runtime.clock()) as tx:
        entry = await tx.fetchrow(
            "select changes from audit_entry where object_type = 'organization' "
            "and action = 'changed'"
        )
        event = await tx.fetchrow("select data from event where type = 'organization.changed'")
    assert entry is not None
    assert event is not None
    assert float(entry["changes"]["over_delivery_percent"]["new"]) == 7
    assert event["data"]["changes"]["over_delivery_percent"]["new"] == "7"


async def test_the_currency_is_fixed_by_the_first_document(api: Client, other: Client) -> None:
    for caller, path, body in (
        (api, "/v1/stock-movements", opening()),
        (other, "/v1/purchase-orders", order()),
    ):
        await company(caller)
        await caller.ok("PATCH", CURRENT, json={"base_currency": "USD"})
        await caller.ok("PATCH", CURRENT, json={"base_currency": "CNY"})
        await caller.ok("POST", path, json=body)
        refused = await caller.patch(CURRENT, {"base_currency": "USD"})
        assert (refused.status_code, refused.json()["code"]) == (409, "setting_in_use")
        assert refused.json()["field"] == "base_currency"


async def test_new_warehouses_take_the_organization_s_negative_stock_rule(api: Client) -> None:
    async def made(code: str, **body: bool) -> bool:
        json = {"code": code, "name": code, **body}
        return (await api.ok("POST", "/v1/warehouses", json=json))["allows_negative_stock"]

    assert await made("WH-1") is False
    await api.ok("PATCH", CURRENT, json={"allows_negative_stock": True})
    assert await made("WH-2") is True
    assert await made("WH-3", allows_negative_stock=False) is False


async def test_new_order_lines_take_the_organization_s_tolerances(api: Client) -> None:
    await company(api)
    await api.ok(
        "PATCH", CURRENT, json={"over_delivery_percent": "5", "under_delivery_percent": "2.5"}
    )

    def told(read: dict) -> tuple[float, float]:
        line = read["lines"][0]
        return float(line["over_delivery_percent"]), float(line["under_delivery_percent"])

    made = await api.ok("POST", "/v1/purchase-orders", json=order())
    assert told(made) == (5, 2.5)
    strict = await api.ok("POST", "/v1/purchase-orders", json=order(over_delivery_percent="0"))
    assert told(strict) == (0, 2.5)
    path = f"/v1/purchase-orders/{strict['id']}"
    line = order(warehouse={"code": "WH-1"}, need_by="2030-03-01")["lines"][0]
    redone = await api.ok("PATCH", path, json={"lines": [line]})
    assert told(redone) == (5, 2.5)


async def test_a_key_creates_an_organization_and_gets_its_first_key_once(api: Client) -> None:
    body = {
        "code": f"new-{uuid4().hex[:8]}",
        "name": "New",
        "base_currency": "USD",
        "time_zone": "America/New_York",
        "is_sandbox": True,
    }
    headers = {"Idempotency-Key": "k-1"}
    made = await api.post("/v1/organizations", body, headers=headers)
    assert made.status_code == 201, made.text
    assert made.json()["organization"]["is_sandbox"] is True
    token = made.json()["api_key"]["token"]
    assert token.startswith("scm_test_")
    first = Client(api.runtime, api.http, api.organization_id, token)
    read = await first.ok("GET", made.headers["location"])
    assert (read["code"], read["base_currency"]) == (body["code"], "USD")
    replayed = await api.post("/v1/organizations", body, headers=headers)
    assert replayed.headers["idempotent-replayed"] == "true"
    assert token not in replayed.text
    again = await api.post("/v1/organizations", {**body, "code": body["code"].upper()})
    assert again.json()["code"] == "duplicate"


async def test_a_person_who_creates_an_organization_administers_it(api: Client) -> None:
    li = await person({api.organization_id: ["admin"]}, api)
    code = f"new-{uuid4().hex[:8]}"
    body = {"code": code, "name": "New", "base_currency": "CNY"}
    made = await li.call("POST", "/v1/organizations", api, json=body)
    assert made.status_code == 201, made.text
    assert made.json()["api_key"] is None
    named = {"Authorization": f"Bearer {li.token}", "Scm-Organization": code}
    there = await api.http.get(made.headers["location"], headers=named)
    assert there.json() == made.json()["organization"]
    mine = (await li.call("GET", "/v1/organizations", api)).json()["data"]
    assert {row["code"]: row["roles"] for row in mine}[code] == ["admin"]


async def test_only_who_may_do_everything_creates_an_organization(api: Client) -> None:
    body = {"code": f"new-{uuid4().hex[:8]}", "name": "New", "base_currency": "CNY"}
    clerk = await new_client(
        api.runtime,
        api.http,
        permissions=("organizations:create",),
        organization_id=api.organization_id,
    )
    refused = await clerk.post("/v1/organizations", body)
    assert (refused.status_code, refused.json()["required_permission"]) == (403, "*")
    nobody = await new_client(
        api.runtime, api.http, permissions=("items:read",), organization_id=api.organization_id
    )
    refused = await nobody.post("/v1/organizations", body)
    assert refused.json()["required_permission"] == "organizations:create"
    assert (await api.post("/v1/organizations", body)).status_code == 201


async def test_a_new_code_makes_a_group_and_leaving_it_empty_ends_it(
    api: Client, other: Client
) -> None:
    code = f"group-{uuid4().hex[:8]}"
    made = await api.ok("PATCH", CURRENT, json={"group": code})
    assert made["group"] == code
    (group,) = (await api.ok("GET", "/v1/organization-groups"))["data"]
    assert [one["id"] for one in group["organizations"]] == [str(api.organization_id)]
    taken = await other.patch(CURRENT, {"group": code.upper()})
    assert (taken.status_code, taken.json()["code"]) == (409, "duplicate")
    assert (await other.ok("GET", "/v1/organization-groups"))["data"] == []
    await api.ok("PATCH", CURRENT, json={"group": None})
    assert (await api.ok("GET", "/v1/organization-groups"))["data"] == []
    assert (await other.ok("PATCH", CURRENT, json={"group": code}))["group"] == code


async def test_whoever_may_change_two_organizations_joins_them_into_a_group(
    api: Client, other: Client
) -> None:
    code = f"group-{uuid4().hex[:8]}"
    await api.ok("PATCH", CURRENT, json={"group": code})
    buyer = await person({api.organization_id: ["buyer"], other.organization_id: ["admin"]}, api)
    refused = await buyer.call("PATCH", CURRENT, other, json={"group": code})
    assert refused.json()["code"] == "duplicate"
    head = await person({api.organization_id: ["admin"], other.organization_id: ["admin"]}, api)
    joined = await head.call("PATCH", CURRENT, other, json={"group": code})
    assert joined.json()["group"] == code
    (group,) = (await head.call("GET", "/v1/organization-groups", api)).json()["data"]
    assert len(group["organizations"]) == 2
    # A key of one organization learns nothing of the other.
    alone = await api.get("/v1/organization-groups")
    assert str(other.organization_id) not in alone.text
    made = await api.post(
        "/v1/organizations",
        {"code": f"new-{uuid4().hex[:8]}", "name": "Third", "base_currency": "CNY"},
    )
    assert made.json()["organization"]["group"] == code


async def test_a_caller_without_permission_is_told_which_one_it_takes(api: Client) -> None:
    nobody = await new_client(
        api.runtime, api.http, permissions=("items:read",), organization_id=api.organization_id
    )
    for method, path, needed in (
        ("GET", CURRENT, "organizations:read"),
        ("GET", f"{CURRENT}/fiscal-periods", "organizations:read"),
    ):
        refused = await nobody.call(method, path)
        assert refused.json()["required_permission"] == needed
    refused = await nobody.post("/v1/sandbox/reset", {"confirm": "x"})
    assert refused.json()["required_permission"] == "sandbox:reset"
    refused = await nobody.post(f"{CURRENT}/fiscal-periods/2020-P01/close", {})
    assert refused.json()["required_permission"] == "fiscal_periods:close"
