"""Reading the trail over HTTP: filters, pages, seals, accesses, and who may not."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg

from tests.access.test_keys import member
from tests.support import Client, new_client
from tests.trail.world import post, seal, small_company


async def data(api: Client, **query: Any) -> list[dict[str, Any]]:
    """All entries that fit, over all pages."""
    found: list[dict[str, Any]] = []
    while True:
        page = await api.ok("GET", "/v1/audit", params={"limit": 7, **query})
        found += page["data"]
        if not page["has_more"]:
            return found
        query["cursor"] = page["next_cursor"]


async def test_entries_come_newest_first_once_each_and_say_when_they_are_sealed(
    api: Client,
) -> None:
    await small_company(api)
    await seal(api)
    await api.ok("PATCH", "/v1/items/sku=I-0", json={"name": "Renamed"})
    found = await data(api)
    assert len({entry["id"] for entry in found}) == len(found) > 20
    times = [entry["recorded_at"] for entry in found]
    assert times == sorted(times, reverse=True)
    newest, *rest = found
    assert (newest["sealed"], newest["seal_no"]) == (False, None)
    assert {(entry["sealed"], entry["seal_no"]) for entry in rest} == {(True, 1)}
    await seal(api)
    again = await api.ok("GET", f"/v1/audit/{newest['id']}")
    assert again == {**newest, "sealed": True, "seal_no": 2}
    assert newest["changes"] == {"name": {"old": "Item 0", "new": "Renamed"}}
    assert newest["operation"] == "items_change"


async def test_each_filter_finds_what_it_says(api: Client, admin: asyncpg.Connection) -> None:
    await small_company(api)
    second = await new_client(api.runtime, api.http, organization_id=api.organization_id)
    answer = await second.patch("/v1/items/sku=I-0", {"name": "Renamed"})
    item = answer.json()["id"]
    everything = await data(api)
    (mine,) = [e for e in everything if e["request_id"] == answer.headers["x-request-id"]]

    async def fits(**query: Any) -> list[dict[str, Any]]:
        return await data(api, **query)

    assert await fits(request_id=answer.headers["x-request-id"]) == [mine]
    assert await fits(key=mine["principal"]["key_id"]) == [mine]
    assert await fits(principal=mine["principal"]["id"]) == [mine]
    assert await fits(field="name", action="changed", object_type="item") == [mine]
    assert await fits(field="name", object=item) == [mine, *(await fits(field="sku", object=item))]
    since = mine["recorded_at"]
    assert await fits(operation="items_change", recorded_at_gte=since) == [mine]
    assert await fits(operation="items_change", request_id=mine["request_id"]) == [mine]
    assert await fits(person=str(uuid4())) == []
    assert {e["object"]["id"] for e in await fits(object=item, object_type="item")} == {item}
    supplier = (await api.ok("GET", "/v1/suppliers/code=S"))["id"]
    parts = {e["object"]["type"] for e in await fits(object=supplier)}
    assert parts == {"supplier", "supplier_item"}
    by_type = await fits(object_type="warehouse")
    assert [e["object"]["type"] for e in by_type] == ["warehouse"]
    assert await fits(recorded_at_gte=mine["recorded_at"]) == [mine]
    older = await fits(recorded_at_lt=mine["recorded_at"])
    assert [e["id"] for e in older] == [e["id"] for e in everything if e != mine]
    person = uuid4()
    await admin.execute(
        "update audit_entry set user_id = $2 where organization_id = $1 and id = $3",
        api.organization_id,
        person,
        mine["id"],
    )
    assert [e["id"] for e in await fits(person=str(person))] == [mine["id"]]


async def test_a_search_that_would_read_the_whole_trail_is_refused(api: Client) -> None:
    for query in (
        {"field": "name"},
        {"operation": "items_change"},
        {"field": "name", "action": "changed", "recorded_at_lt": "2030-01-01T00:00:00Z"},
    ):
        refused = await api.get("/v1/audit", params=query)
        (error,) = refused.json()["errors"]
        assert (refused.status_code, error["code"]) == (422, "needs_a_bound")
        assert error["parameter"] == next(iter(query))
        assert "object_type" in error["detail"]


async def test_a_page_takes_as_many_statements_whatever_it_holds(api: Client) -> None:
    await small_company(api)
    await seal(api)
    counts = []
    for limit in (1, 20):
        async with api.counted() as sent:
            await api.ok("GET", f"/v1/audit?limit={limit}")
        counts.append(len(sent))
    assert counts[0] == counts[1] <= 4


async def test_prices_are_shown_only_to_those_who_see_costs(api: Client) -> None:
    await small_company(api, items=1)
    blind = await new_client(
        api.runtime, api.http, permissions=("audit:read",), organization_id=api.organization_id
    )
    (open_,) = await data(api, object_type="supplier_price")
    (hidden,) = await data(blind, object_type="supplier_price")
    assert open_["changes"]["unit_price"]["new"] is not None
    assert hidden["changes"]["unit_price"] == {"old": None, "new": None}
    assert hidden["id"] == open_["id"]


async def test_the_trail_needs_its_permission_and_stays_within_the_organization(
    api: Client, other: Client
) -> None:
    await small_company(api, items=1)
    reader = await new_client(
        api.runtime, api.http, permissions=("items:read",), organization_id=api.organization_id
    )
    for path in ("/v1/audit", "/v1/audit/accesses", "/v1/audit/seals", f"/v1/audit/{uuid4()}"):
        refused = await reader.get(path)
        assert (refused.status_code, refused.json()["required_permission"]) == (403, "audit:read")
    (entry, *_) = await data(api)
    assert (await other.get(f"/v1/audit/{entry['id']}")).status_code == 404
    assert entry["id"] not in {e["id"] for e in await data(other)}


async def test_whoever_is_confined_reads_neither_trail_nor_feed(
    api: Client, admin: asyncpg.Connection
) -> None:
    await small_company(api, items=1)
    confined = await new_client(api.runtime, api.http, organization_id=api.organization_id)
    warehouse = await admin.fetchval(
        "select id from warehouse where organization_id = $1", api.organization_id
    )
    await admin.execute(
        """
        update api_key set warehouse_ids = array[$2::uuid]
        where organization_id = $1 and public = $3
        """,
        api.organization_id,
        warehouse,
        confined.token.split("_")[2],
    )
    paths = ("/v1/audit", "/v1/audit/accesses", "/v1/audit/seals", f"/v1/audit/{uuid4()}")
    for path in (*paths, "/v1/events"):
        refused = await confined.get(path)
        assert (refused.status_code, refused.json()["code"]) == (403, "outside_limits"), path
    assert (await confined.get("/v1/items")).status_code == 200


async def test_refused_keys_are_listed_with_the_reason(api: Client, other: Client) -> None:
    prefix, _, secret = api.token.rpartition("_")
    wrong = Client(api.runtime, api.http, api.organization_id, f"{prefix}_{'A' * len(secret)}")
    assert (await wrong.get("/v1/items")).status_code == 401
    page = await api.ok("GET", "/v1/audit/accesses")
    (attempt,) = page["data"]
    assert attempt["address"] == "127.0.0.1"
    assert (attempt["count"], attempt["key_id"] is not None) == (1, True)
    assert await _accesses(api, kind=attempt["kind"], key=attempt["key_id"]) == [attempt]
    assert await _accesses(api, kind="key_unknown") == []
    unknown = await api.get("/v1/audit/accesses", params={"kind": "no_such_kind"})
    assert unknown.status_code == 422
    assert await _accesses(api, happened_at_lt=attempt["happened_at"]) == []
    assert await _accesses(api, happened_at_gte=attempt["happened_at"]) == [attempt]
    assert await _accesses(api, person=str(uuid4())) == []
    assert await _accesses(other) == []


async def test_what_happens_to_members_is_told_though_it_names_no_organization(
    api: Client, other: Client, admin: asyncpg.Connection
) -> None:
    user_id, membership_id = await member(admin, api, "admin")
    invited, invitation_id = await member(admin, api, "buyer")
    await admin.execute("update membership set status = 'invited' where id = $1", invitation_id)
    add = """
        insert into access_log (id, kind, user_id, happened_at)
        values (gen_random_uuid(), $1, $2, now() + $3::int * interval '1 hour')
    """
    await admin.execute(add, "refresh_reused", user_id, -1)  # before he joined
    await admin.execute(add, "login_succeeded", user_id, 0)
    await admin.execute(add, "login_succeeded", invited, 0)
    (login,) = await _accesses(api)
    assert (login["kind"], login["user_id"]) == ("login_succeeded", str(user_id))
    assert await _accesses(other) == []
    assert await _accesses(api, include_total="true") == [login]
    # After he left, what happened until then is still told, and nothing later.
    sql = "delete from membership where organization_id = $1 and id = $2"
    await admin.execute(sql, api.organization_id, membership_id)
    await admin.execute(add, "login_succeeded", user_id, 1)
    assert await _accesses(api) == [login]


async def _accesses(api: Client, **query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await api.ok("GET", "/v1/audit/accesses", params=query))["data"]
    return found


async def test_seals_are_listed_as_they_are_chained(api: Client) -> None:
    await small_company(api, items=1)
    made = await seal(api)
    await post(api, "sales_issue", [("I-0", "1")])
    made += await seal(api)
    page = await api.ok("GET", "/v1/audit/seals", params={"limit": 2})
    listed = page["data"]
    while page["has_more"]:
        cursor = {"limit": 2, "cursor": page["next_cursor"]}
        page = await api.ok("GET", "/v1/audit/seals", params=cursor)
        listed += page["data"]
    by_stream = sorted(made, key=lambda one: (one.stream, -one.no))
    assert [(s["stream"], s["no"], s["row_count"], s["root"], s["seal"]) for s in listed] == [
        (one.stream, one.no, one.row_count, one.root.hex(), one.seal.hex()) for one in by_stream
    ]
    ledger = await api.ok("GET", "/v1/audit/seals", params={"stream": "ledger"})
    assert [s["row_count"] for s in ledger["data"]] == [2, 2]
    soon = api.runtime.clock() - timedelta(minutes=1)
    assert all(s["sealed_at"] > soon.isoformat()[:19] for s in listed)
