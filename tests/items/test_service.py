"""What other rooms call, the base unit once stock moved, and how the database finds items."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from scm_api.core.ids import uuid7
from scm_api.core.schemas import ItemReference
from scm_api.items import service
from tests.support import Client, instant, problem_codes

NOW = instant("2026-11-22T08:00:00Z")
BOLT = {
    "sku": "B-1",
    "name": "Bolt",
    "base_unit": "EA",
    "units": [{"unit": "BOX", "numerator": 12}],
}


async def test_references_resolve_by_id_and_sku_and_unknown_ones_are_absent(
    api: Client, other: Client
) -> None:
    bolt = await api.ok("POST", "/v1/items", json=BOLT)
    await api.ok("POST", "/v1/items", json={"sku": "N-1", "name": "Nut", "base_unit": "KGM"})
    foreign = await other.ok("POST", "/v1/items", json={**BOLT, "sku": "F-1"})
    by_id, by_sku = ItemReference(id=bolt["id"]), ItemReference(sku="b-1")
    nut = ItemReference(sku="N-1")
    lost = [ItemReference(sku="F-1"), ItemReference(id=foreign["id"]), ItemReference(id=uuid4())]
    async with api.runtime.database.transaction(api.principal(), now=NOW) as tx:
        found = await service.resolve(tx, [by_id, by_sku, nut, *lost])
        assert await service.resolve(tx, []) == {}
    assert set(found) == {by_id, by_sku, nut}
    facts = found[by_sku]
    assert facts == found[by_id]
    assert (str(facts.id), facts.sku, facts.status) == (bolt["id"], "B-1", "active")
    assert facts.units == {"EA": (1, 1), "BOX": (12, 1)}
    assert service.to_base(facts, Decimal("1.5"), "盒") == 18
    assert found[nut].units == {"KGM": (1, 1)}


async def test_the_base_unit_stays_once_stock_moved(api: Client) -> None:
    item = await api.ok("POST", "/v1/items", json=BOLT)
    path = "/v1/items/sku=B-1"
    forgotten = await api.patch(path, {"base_unit": "PCE"})
    assert problem_codes(forgotten) == ["units_for_new_base_unit"]
    await api.ok("PATCH", path, json={"base_unit": "PCE", "units": []})
    await api.ok("PATCH", path, json={"base_unit": "EA"})
    await move(api, item["id"])
    refused = await api.patch(path, {"base_unit": "PCE"})
    assert [(e["pointer"], e["code"]) for e in refused.json()["errors"]] == [
        ("#/base_unit", "base_unit_in_use")
    ]
    bulk = {
        "items": [{"sku": "N-1", "name": "n", "base_unit": "EA"}, {"sku": "B-1", "base_unit": "kg"}]
    }
    assert problem_codes(await api.put("/v1/items/bulk", bulk)) == ["base_unit_in_use"]
    await api.ok("PATCH", path, json={"base_unit": "个", "name": "Same unit, new name"})


async def test_how_an_item_is_tracked_stays_once_stock_moved(api: Client) -> None:
    item = await api.ok("POST", "/v1/items", json=BOLT)
    path = f"/v1/items/{item['id']}"
    tracked = {"is_lot_tracked": True, "is_serial_tracked": True, "is_expiry_tracked": True}
    before = await api.ok("PATCH", path, json=tracked)
    assert before["is_lot_tracked"] is True
    await move(api, item["id"])
    for name in tracked:
        refused = await api.patch(path, {name: False, "note": "no more"})
        assert refused.status_code == 422
        assert [(e["pointer"], e["code"]) for e in refused.json()["errors"]] == [
            (f"#/{name}", "tracking_in_use")
        ]
    bulk = {"items": [{"sku": "B-1", "is_lot_tracked": False}]}
    assert problem_codes(await api.put("/v1/items/bulk", bulk)) == ["tracking_in_use"]
    # PUT sets what it leaves out to its default: that is a change too.
    replaced = await api.put(path, BOLT)
    assert problem_codes(replaced) == ["tracking_in_use"] * 3
    kept = await api.ok("PATCH", path, json={**tracked, "note": "as it was"})
    assert kept["version"] == before["version"] + 1


async def move(client: Client, item_id: str) -> None:
    """Post one opening movement of an item, as the ledger would."""
    warehouse = await client.ok("POST", "/v1/warehouses", json={"code": "W", "name": "W"})
    async with client.runtime.database.transaction(client.principal(), now=NOW) as tx:
        document = uuid7()
        await tx.execute(
            """
            insert into stock_document (organization_id, id, type, occurred_at, recorded_at,
                                        line_count, principal_id)
            values ($1, $2, 'opening', $3, $3, 1, $1)
            """,
            tx.organization_id,
            document,
            NOW,
        )
        await tx.execute(
            """
            insert into stock_movement (organization_id, document_id, line_no, item_id,
              from_location_id, to_location_id, from_status, to_status, quantity, value,
              occurred_at, recorded_at)
            select $1, $2, 1, $3, o.id, s.id, 'unrestricted', 'unrestricted', 1, 1, $5, $5
            from location o, location s
            where o.organization_id = $1 and o.kind = 'opening'
              and s.organization_id = $1 and s.warehouse_id = $4
            """,
            tx.organization_id,
            document,
            item_id,
            warehouse["id"],
            NOW,
        )
        await tx.driver.execute("commit")


@pytest.fixture
async def many(api: Client) -> Client:
    """A caller with 3000 items, and the statistics of a database that holds them."""
    for start in (0, 1000, 2000):
        items: list[dict[str, Any]] = [
            {
                "sku": f"SKU-{number:06d}",
                "name": f"Part {number}",
                "name_zh": "深沟球轴承" if number % 500 == 0 else "普通零件",
                "base_unit": "EA",
                "external_references": [{"system": "sap", "reference": f"M{number}"}],
            }
            for number in range(start, start + 1000)
        ]
        await api.ok("PUT", "/v1/items/bulk", json={"items": items})
    return api


async def plan(client: Client, sql: str, *args: Any) -> str:
    """The plan of a statement as the application's own role, under row-level security."""
    async with client.runtime.database.transaction(client.principal(), now=NOW) as tx:
        rows = await tx.fetch(f"explain {sql}", *args)
        return "\n".join(row[0] for row in rows)


async def test_keys_and_search_use_their_indexes_under_row_level_security(
    many: Client, admin: Any
) -> None:
    await admin.execute("analyze item; analyze item_search; analyze item_external_reference")
    org = many.organization_id
    by_sku = await plan(
        many,
        "select id from item where organization_id = $1 and sku_key = any($2)",
        org,
        ["sku-000077", "sku-000078"],
    )
    assert "uq_item_sku" in by_sku
    assert any("Index Cond" in line and "sku_key" in line for line in by_sku.splitlines())
    by_reference = await plan(
        many,
        "select item_id from item_external_reference "
        "where organization_id = $1 and system = $2 and reference = $3",
        org,
        "sap",
        "M77",
    )
    assert "uq_item_external_reference_reference" in by_reference
    function = await admin.fetchval("select prosrc from pg_proc where proname = 'find_items'")
    body = function.replace("wanted ||", "'{球轴}'::text[] ||").replace(
        "(patterns)", "('{%球轴%}')"
    )
    await admin.execute(f"select set_config('app.organization_id', '{org}', false)")
    # So few rows could as well be read one by one; the question is whether the index can be used.
    await admin.execute("set enable_seqscan = off")
    rows = await admin.fetch(f"explain {body}")
    assert "ix_item_search_grams" in "\n".join(row[0] for row in rows)
    found = await many.ok("GET", "/v1/items", params={"q": "球轴", "limit": 500})
    assert [row["sku"] for row in found["data"]] == [f"SKU-{n:06d}" for n in range(0, 3000, 500)]


async def test_the_search_function_shows_only_the_transactions_organization(
    many: Client, other: Client
) -> None:
    async with other.runtime.database.transaction(other.principal(), now=NOW) as tx:
        assert await tx.fetch("select find_items('{}', '{}')") == []
        assert await tx.fetchval("select count(*) from item_search") == 0
    async with many.runtime.database.system() as driver:
        assert await driver.fetch("select find_items('{}', '{}')") == []
