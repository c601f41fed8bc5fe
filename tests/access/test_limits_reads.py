"""Adding rows outside changes nothing that a confined caller reads, in any operation there is."""

import re
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio

from scm_api.core.runtime import Runtime
from tests.access import limits_world
from tests.access.limits_world import HIDDEN, OTHER_CATEGORY, OTHER_WAREHOUSE, Outside, Place
from tests.contract import spec, world
from tests.support import Client

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+\d\d:\d\d)")
_ROOMS = {
    tag
    for operation in spec.operations()
    for tag in operation.spec["tags"]
    if tag not in ("system", "api-keys", "users", "sessions", "me")
}
# How fast a supplier delivers is known of him, wherever it was; each delivery counts the terms up.
_OF_SUPPLIER = re.compile(r'"measured_lead_time":(\{[^{}]*\}|null)|"version":\d+')


@dataclass
class Seen:
    """What a keeper read before and after the outside was planted."""

    keeper: Client
    outside: Outside
    place: Place
    before: dict[str, tuple[int, str]]


async def _sight(keeper: Client, call: spec.Call) -> tuple[int, str]:
    response = await call.send(keeper)
    # Documents of all warehouses are numbered together, without gaps.
    volatile = r'"(request_id|next)":"[^"]*"'
    text = re.sub(volatile, "", _TIME.sub("time", response.text))
    return response.status_code, _OF_SUPPLIER.sub("", text) if "supplier" in call.url else text


def _calls() -> dict[str, spec.Call]:
    calls: dict[str, spec.Call] = {}
    for operation in spec.operations():
        if operation.method != "get" or not _ROOMS & set(operation.spec["tags"]):
            continue
        call = calls[operation.id] = operation.example()
        names = {p["name"] for p in operation.parameters if p["in"] == "query"}
        if "include_total" in names:
            calls[f"{operation.id} counted"] = call.with_(
                query={"include_total": "true", "limit": 200}
            )
        if "warehouse" in names:
            calls[f"{operation.id} of WH-2"] = call.with_(query={"warehouse": "code=WH-2"})
        if "q" in names:
            calls[f"{operation.id} found"] = call.with_(query={"q": HIDDEN})
        if "group_by" in names:
            for group in ("item", "warehouse", "category"):
                calls[f"{operation.id} by {group}"] = call.with_(query={"group_by": group})
        if "as_of" in names and "kpis" not in operation.path:
            calls[f"{operation.id} then"] = call.with_(query={"as_of": "2035-01-01T00:00:00Z"})
    return calls


async def _seen(
    runtime: Runtime, http: httpx.AsyncClient, admin: asyncpg.Connection, place: Place
) -> Seen:
    api = await world.build(runtime, http)
    await limits_world.make_category(api, place)
    confined = {"warehouse": "WH-1"} if place is OTHER_WAREHOUSE else {"category": "CAT-1"}
    keeper = await limits_world.keeper(admin, api, **confined)
    await api.settle()
    before = {name: await _sight(keeper, call) for name, call in _calls().items()}
    return Seen(keeper, await limits_world.plant(api, place), place, before)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def sightings(runtime: Runtime, http: httpx.AsyncClient, urls: Any) -> dict[str, Seen]:
    """Both keepers, who looked before anything was outside."""
    admin = await asyncpg.connect(urls.admin)
    try:
        return {
            "warehouse": await _seen(runtime, http, admin, OTHER_WAREHOUSE),
            "category": await _seen(runtime, http, admin, OTHER_CATEGORY),
        }
    finally:
        await admin.close()


@pytest.mark.parametrize("kind", ["warehouse", "category"])
@pytest.mark.parametrize("name", sorted(_calls()))
async def test_what_happens_outside_changes_nothing_a_keeper_reads(
    sightings: dict[str, Seen], kind: str, name: str
) -> None:
    seen = sightings[kind]

    now = await _sight(seen.keeper, _calls()[name])

    assert now == seen.before[name]
    assert now[0] < 500
    assert HIDDEN not in now[1]


@pytest.mark.parametrize("kind", ["warehouse", "category"])
async def test_no_document_outside_is_found_by_its_name(
    sightings: dict[str, Seen], kind: str
) -> None:
    seen = sightings[kind]
    outside, place = seen.outside, seen.place
    for path in (
        f"/v1/purchase-orders/number={outside.order}",
        f"/v1/purchase-orders/number={outside.order}/revisions",
        f"/v1/purchase-orders/ref={HIDDEN}",
        f"/v1/receipts/number={outside.receipt}",
        f"/v1/stock-movements/{outside.document}",
        f"/v1/stock-movements/ref={HIDDEN}",
        f"/v1/replenishment/plans/{outside.plan}",
        f"/v1/replenishment/plans/{outside.plan}/lines",
        f"/v1/replenishment/suggestions/{outside.suggestion}",
        f"/v1/replenishment/suggestions/{outside.suggestion}/explain",
        f"/v1/replenishment/explain?item=sku={place.sku}&warehouse=code={place.warehouse}",
        f"/v1/alerts/number={outside.alert}",
        f"/v1/jobs/{outside.job}",
    ):
        response = await seen.keeper.get(path)
        assert response.status_code == 404, f"{path}: {response.text}"


async def test_the_feed_and_the_trail_are_closed_to_keepers(sightings: dict[str, Seen]) -> None:
    for seen in sightings.values():
        for path in ("/v1/events", "/v1/audit"):
            spec.assert_problem(await seen.keeper.get(path), 403, "outside_limits")


async def test_places_are_master_data_for_everybody(sightings: dict[str, Seen]) -> None:
    keeper = sightings["warehouse"].keeper
    codes = [w["code"] for w in (await keeper.ok("GET", "/v1/warehouses"))["data"]]
    assert codes == ["WH-1", "WH-2"]
    assert (await keeper.ok("GET", "/v1/warehouses/code=WH-2/locations"))["data"]
