"""Warehouses over HTTP; also the reference for how a domain's tests look."""

import asyncio
from base64 import b64decode, urlsafe_b64encode
from uuid import UUID

from pydantic_core import from_json, to_json

from scm_api.core.schemas import Reference
from scm_api.warehouses import service
from tests.support import Client, instant, problem_codes

WEST = {"code": "WH-9", "name": "West", "name_zh": "西仓"}


async def test_a_new_warehouse_has_the_organizations_time_zone_and_a_default_location(
    api: Client,
) -> None:
    response = await api.post("/v1/warehouses", WEST)
    assert response.status_code == 201
    warehouse = response.json()
    assert response.headers["location"] == f"/v1/warehouses/{warehouse['id']}"
    assert response.headers["etag"] == '"1"'
    assert warehouse["time_zone"] == "Asia/Shanghai"
    locations = await api.ok("GET", "/v1/warehouses/code=wh-9/locations")
    assert [(row["code"], row["is_default"]) for row in locations["data"]] == [("STOCK", True)]


async def test_a_code_is_unique_whatever_its_case(api: Client) -> None:
    await api.ok("POST", "/v1/warehouses", json=WEST)
    response = await api.post("/v1/warehouses", {**WEST, "code": "wh-9"})
    assert response.status_code == 409
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["code"] == "duplicate"
    assert response.json()["field"] == "code"


async def test_two_organizations_may_use_the_same_code_and_never_see_each_other(
    api: Client, other: Client
) -> None:
    mine = await api.ok("POST", "/v1/warehouses", json=WEST)
    await other.ok("POST", "/v1/warehouses", json=WEST)
    assert (await other.get(f"/v1/warehouses/{mine['id']}")).status_code == 404
    assert len((await other.ok("GET", "/v1/warehouses"))["data"]) == 1


async def test_an_unknown_field_and_an_unknown_time_zone_are_named(api: Client) -> None:
    response = await api.post("/v1/warehouses", {**WEST, "colour": "red"})
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "#/colour"
    response = await api.post("/v1/warehouses", {**WEST, "time_zone": "Mars/Base"})
    assert problem_codes(response) == ["unknown_time_zone"]


async def test_a_problem_speaks_chinese_when_asked(api: Client) -> None:
    response = await api.post("/v1/warehouses", {}, headers={"Accept-Language": "zh-CN"})
    assert response.headers["content-language"] == "zh-CN"
    assert response.json()["errors"][0]["detail"] == "此字段必填。"


async def test_of_two_changes_to_one_version_the_second_is_refused(api: Client) -> None:
    await api.ok("POST", "/v1/warehouses", json=WEST)
    path, first = "/v1/warehouses/code=WH-9", {"If-Match": '"1"'}
    changed = await api.patch(path, {"name": "West 2"}, headers=first)
    assert changed.headers["etag"] == '"2"'
    refused = await api.patch(path, {"name": "West 3"}, headers=first)
    assert refused.status_code == 412
    assert refused.json()["current_version"] == 2
    cached = await api.get(path, headers={"If-None-Match": '"2"'})
    assert (cached.status_code, cached.content) == (304, b"")


async def test_a_repeated_key_gives_the_first_answer_and_one_effect(api: Client) -> None:
    headers = {"Idempotency-Key": "first-west"}
    answers = await asyncio.gather(
        *(api.post("/v1/warehouses", WEST, headers=headers) for _ in range(12))
    )
    assert {a.status_code for a in answers} == {201}
    assert len({a.content for a in answers}) == 1
    assert sum(a.headers.get("idempotent-replayed") == "true" for a in answers) == 11
    reused = await api.post("/v1/warehouses", {**WEST, "code": "X"}, headers=headers)
    assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")


async def test_a_dry_run_answers_like_the_real_thing_and_keeps_nothing(api: Client) -> None:
    response = await api.post("/v1/warehouses?dry_run=true", WEST)
    assert (response.status_code, response.headers["dry-run"]) == (201, "true")
    assert (await api.ok("GET", "/v1/warehouses"))["data"] == []


async def test_pages_follow_the_cursor_without_gaps(api: Client) -> None:
    for number in range(5):
        await api.ok("POST", "/v1/warehouses", json={"code": f"W{number}", "name": "W"})
    seen, path = [], "/v1/warehouses?limit=2"
    while path:
        response = await api.get(path)
        seen += [row["code"] for row in response.json()["data"]]
        link = response.headers.get("link")
        path = link.split(">")[0][1:] if link else ""
    assert seen == ["W0", "W1", "W2", "W3", "W4"]
    tampered = await api.get("/v1/warehouses?cursor=AAAA")
    assert problem_codes(tampered) == ["invalid_cursor"]


async def test_every_change_stands_in_the_event_feed_with_old_and_new(api: Client) -> None:
    await api.ok("POST", "/v1/warehouses", json=WEST)
    await api.patch("/v1/warehouses/code=WH-9", {"name": "West 2"})
    feed = await api.ok("GET", "/v1/events")
    assert [event["type"] for event in feed["data"]] == ["warehouse.created", "warehouse.changed"]
    assert feed["data"][1]["data"]["changes"] == {"name": {"old": "West", "new": "West 2"}}
    again = await api.ok("GET", "/v1/events", params={"after": feed["next_after"]})
    assert again["data"] == []


async def test_references_resolve_by_id_and_code_and_unknown_ones_are_absent(
    api: Client, other: Client
) -> None:
    mine = await api.ok("POST", "/v1/warehouses", json=WEST)
    await other.ok("POST", "/v1/warehouses", json={**WEST, "code": "WH-7"})
    by_id, by_code = Reference(id=mine["id"]), Reference(code="wh-9")
    now = instant("2026-11-22T08:00:00Z")
    async with api.runtime.database.transaction(api.principal(), now=now) as tx:
        found = await service.resolve(tx, [by_id, by_code, Reference(code="WH-7")])
    assert set(found) == {by_id, by_code}
    assert found[by_id] == found[by_code]
    assert (found[by_id].code, found[by_id].is_active) == ("WH-9", True)
    assert found[by_id].default_location_id is not None


async def test_an_empty_location_can_be_closed_and_the_default_cannot(api: Client) -> None:
    await api.ok("POST", "/v1/warehouses", json=WEST)
    path = "/v1/warehouses/code=WH-9/locations"
    await api.ok("POST", path, json={"code": "A-01", "name": "Bay"})
    closed = await api.patch(f"{path}/A-01", {"is_active": False})
    assert (closed.status_code, closed.json()["is_active"]) == (200, False)
    refused = await api.patch(f"{path}/STOCK", {"is_active": False})
    assert (refused.status_code, refused.json()["code"]) == (409, "location_in_use")
    feed = await api.ok("GET", "/v1/events")
    assert [event["type"] for event in feed["data"]][1:] == ["location.created", "location.changed"]


async def test_a_forged_cursor_and_a_nul_are_refused(api: Client) -> None:
    for number in range(2):
        await api.ok("POST", "/v1/warehouses", json={"code": f"W{number}", "name": "W"})
    page = await api.ok("GET", "/v1/warehouses?limit=1")
    mark, code, _ = from_json(b64decode(page["next_cursor"] + "==", b"-_"))
    for forged in (
        [mark, code, 5],
        [mark, code, []],
        [mark, 7, str(UUID(int=1))],
        [mark, "a\0", 1],
    ):
        cursor = urlsafe_b64encode(to_json(forged)).decode().rstrip("=")
        response = await api.get("/v1/warehouses", params={"limit": 1, "cursor": cursor})
        assert problem_codes(response) == ["invalid_cursor"], forged
    assert (await api.get("/v1/warehouses/W%000")).status_code == 400
    assert problem_codes(await api.get("/v1/warehouses?q=%00")) == ["no_nul"]


async def test_said_twice_dry_run_is_dry(api: Client) -> None:
    response = await api.post("/v1/warehouses?dry_run=true&dry_run=false", WEST)
    assert response.headers["dry-run"] == "true"
    assert (await api.ok("GET", "/v1/warehouses"))["data"] == []
