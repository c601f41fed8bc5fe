"""Suppliers and their shut-downs over HTTP."""

from tests.support import Client, problem_codes

ACME = {"code": "S-90", "name": "Acme", "name_zh": "艾克米", "lead_time_days": 14}


async def test_a_new_supplier_is_active_and_has_the_organizations_currency(api: Client) -> None:
    response = await api.post("/v1/suppliers", ACME)
    assert response.status_code == 201
    supplier = response.json()
    assert response.headers["location"] == f"/v1/suppliers/{supplier['id']}"
    assert response.headers["etag"] == '"1"'
    assert (supplier["currency"], supplier["status"]) == ("CNY", "active")
    for key in (supplier["id"], "code=s-90"):
        assert (await api.ok("GET", f"/v1/suppliers/{key}")) == supplier


async def test_code_and_external_reference_are_unique(api: Client) -> None:
    await api.ok("POST", "/v1/suppliers", json={**ACME, "external_ref": "4711"})
    same_code = await api.post("/v1/suppliers", {**ACME, "code": "s-90"})
    assert (same_code.status_code, same_code.json()["field"]) == (409, "code")
    body = {**ACME, "code": "S-91", "external_ref": "4711"}
    same_ref = await api.post("/v1/suppliers", body)
    assert (same_ref.status_code, same_ref.json()["field"]) == (409, "external_ref")
    assert (await api.ok("GET", "/v1/suppliers/ref=4711"))["code"] == "S-90"


async def test_wrong_fields_are_all_named_at_once(api: Client) -> None:
    body = {**ACME, "currency": "rmb", "country": "China", "email": "x", "lead_time_days": 731}
    response = await api.post("/v1/suppliers", body)
    assert response.status_code == 422
    assert {error["pointer"] for error in response.json()["errors"]} == {
        "#/currency",
        "#/country",
        "#/email",
        "#/lead_time_days",
    }


async def test_the_list_is_filtered_by_status_and_by_part_of_a_name(api: Client) -> None:
    await api.ok("POST", "/v1/suppliers", json=ACME)
    await api.ok(
        "POST", "/v1/suppliers", json={"code": "S-91", "name": "Bolt", "status": "blocked"}
    )

    async def codes(**params: str) -> list[str]:
        rows = await api.ok("GET", "/v1/suppliers", params=params)
        return [row["code"] for row in rows["data"]]

    assert await codes() == ["S-90", "S-91"]
    assert await codes(status="blocked") == ["S-91"]
    assert await codes(q="克米") == ["S-90"]
    assert await codes(q="s-9") == ["S-90", "S-91"]
    assert await codes(q="%") == []


async def test_a_change_writes_only_what_it_names_and_stale_ones_are_refused(api: Client) -> None:
    await api.ok("POST", "/v1/suppliers", json=ACME)
    path, first = "/v1/suppliers/code=S-90", {"If-Match": '"1"'}
    changed = await api.patch(path, {"status": "on_watch"}, headers=first)
    assert (changed.headers["etag"], changed.json()["name"]) == ('"2"', "Acme")
    assert (await api.patch(path, {"status": "active"}, headers=first)).status_code == 412
    assert (await api.patch(path, {"status": "active", "version": 1})).status_code == 412
    cleared = await api.patch(path, {"name_zh": None})
    assert cleared.json()["name_zh"] is None
    feed = await api.ok("GET", "/v1/events")
    assert [event["type"] for event in feed["data"]] == ["supplier.created"] + [
        "supplier.changed"
    ] * 2
    assert feed["data"][1]["data"]["changes"] == {"status": {"old": "active", "new": "on_watch"}}


async def test_organizations_never_see_each_others_suppliers(api: Client, other: Client) -> None:
    mine = await api.ok("POST", "/v1/suppliers", json=ACME)
    await other.ok("POST", "/v1/suppliers", json=ACME)
    path = f"/v1/suppliers/{mine['id']}"
    assert (await other.get(path)).status_code == 404
    assert (await other.patch(path, {"name": "Stolen"})).status_code == 404
    shutdown = {"starts_on": "2027-02-05", "ends_on": "2027-02-14"}
    assert (await other.post(f"{path}/shutdowns", shutdown)).status_code == 404
    assert (await api.ok("GET", path))["name"] == "Acme"
    assert len((await other.ok("GET", "/v1/suppliers"))["data"]) == 1


async def test_shutdowns_are_listed_in_order_and_can_be_removed(api: Client) -> None:
    await api.ok("POST", "/v1/suppliers", json=ACME)
    path = "/v1/suppliers/code=S-90/shutdowns"
    late = {"starts_on": "2027-10-01", "ends_on": "2027-10-07", "reason": "国庆节"}
    early = {"starts_on": "2027-02-05", "ends_on": "2027-02-14"}
    await api.ok("POST", path, json=late)
    made = await api.ok("POST", path, json=early)
    rows = (await api.ok("GET", path))["data"]
    assert [row["starts_on"] for row in rows] == ["2027-02-05", "2027-10-01"]
    coming = (await api.ok("GET", path, params={"ends_on_gte": "2027-02-15"}))["data"]
    assert [row["reason"] for row in coming] == ["国庆节"]
    removed = await api.call("DELETE", f"{path}/{made['id']}")
    assert (removed.status_code, removed.content) == (204, b"")
    assert (await api.call("DELETE", f"{path}/{made['id']}")).status_code == 404
    assert len((await api.ok("GET", path))["data"]) == 1
    feed = await api.ok("GET", "/v1/events", params={"type": "supplier.changed"})
    assert feed["data"][-1]["data"]["changes"] == {
        "shutdown": {"old": ["2027-02-05", "2027-02-14"], "new": None}
    }


async def test_a_shutdown_must_be_days_of_the_calendar_in_order(api: Client) -> None:
    await api.ok("POST", "/v1/suppliers", json=ACME)
    path = "/v1/suppliers/code=S-90/shutdowns"
    backwards = await api.post(path, {"starts_on": "2027-02-14", "ends_on": "2027-02-05"})
    assert problem_codes(backwards) == ["ends_before_it_starts"]
    strange = await api.post(path, {"starts_on": 0, "ends_on": "9999-12-31"})
    assert problem_codes(strange) == ["not_a_date", "outside_calendar"]
    assert (await api.ok("GET", path))["data"] == []
