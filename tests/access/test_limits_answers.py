"""What answers to writes of a confined caller do not tell: who holds a value, an old answer."""

import asyncio

import asyncpg

from tests.access import limits_world
from tests.access.limits_world import Place
from tests.contract import spec
from tests.support import Client


async def test_a_used_value_is_refused_without_saying_which_item_outside_has_it(
    api: Client, admin: asyncpg.Connection
) -> None:
    for code in ("CAT-1", "CAT-9"):
        await api.ok("POST", "/v1/categories", json={"code": code, "name": code})
    for sku, code in (("SKU-1001", "CAT-1"), ("OUT-9", "CAT-9")):
        item = {"sku": sku, "name": sku, "base_unit": "EA", "category": {"code": code}}
        await api.ok("POST", "/v1/items", json=item)
    keeper = await limits_world.keeper(admin, api, category="CAT-1")
    outside = "/v1/items/sku=OUT-9"
    gtin, reference = "4006381333931", {"system": "erp", "reference": "R-9"}
    held = {"barcodes": [{"gtin": gtin}], "external_references": [reference]}
    etag = (await api.get(outside)).headers["etag"]
    taken = await api.patch(outside, held, headers={"If-Match": etag})
    assert taken.status_code == 200, taken.text

    own = "/v1/items/sku=SKU-1001"
    match = {"If-Match": (await api.get(own)).headers["etag"]}
    body = {"mode": "atomic", "items": [{"sku": "SKU-1001", **held}]}
    for caller, is_named in ((keeper, False), (api, True)):
        for refused in (
            await caller.patch(own, held, headers=match),
            await caller.put("/v1/items/bulk", body),
        ):
            assert refused.status_code == 422, refused.text
            codes = [error["code"] for error in refused.json()["errors"]]
            assert codes == ["already_used", "already_used"]
            assert ("OUT-9" in refused.text) is is_named


async def test_an_answer_is_not_replayed_to_whoever_was_confined_since(
    api: Client, admin: asyncpg.Connection
) -> None:
    for code in ("WH-1", "WH-2"):
        await api.ok("POST", "/v1/warehouses", json={"code": code, "name": code})
    await api.ok("POST", "/v1/items", json={"sku": "A", "name": "A", "base_unit": "EA"})
    keeper = await limits_world.keeper(admin, api, warehouse="WH-2")
    path, headers = "/v1/stock-movements", {"Idempotency-Key": "once"}
    line = {**Place("A", "WH-2").line, "quantity": "5", "unit_cost": "1"}
    body = {"type": "opening", "lines": [line]}
    made = await keeper.post(path, body, headers=headers)
    assert made.status_code == 201, made.text
    again = await keeper.post(path, body, headers=headers)
    assert again.headers["Idempotent-Replayed"] == "true"
    await admin.execute(
        "update api_key set warehouse_ids = $3 where organization_id = $1 and public = $2",
        api.organization_id,
        keeper.token.split("_")[2],
        await limits_world.ids_of(admin, api, "warehouse", "WH-1"),
    )
    await asyncio.sleep(1.1)  # a changed key is noticed within a second
    refused = await keeper.post(path, body, headers=headers)
    spec.assert_problem(refused, 422, "idempotency_key_reused")
