"""What the tests of the trail share: a small company over HTTP, and what the trail says of it."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg
from pydantic_core import from_json

from scm_api.audit import Organization, verify_organization
from scm_api.core.runtime import Runtime
from scm_api.trail import sealing
from scm_api.trail.verifying import Verification
from tests.support import Client


async def small_company(api: Client, items: int = 3) -> None:
    """A warehouse, a supplier, items with stock, and one order received in part."""
    await api.ok("POST", "/v1/warehouses", json={"code": "W", "name": "Main"})
    await api.ok("POST", "/v1/suppliers", json={"code": "S", "name": "Supplier"})
    for n in range(items):
        item = {"sku": f"I-{n}", "name": f"Item {n}", "base_unit": "EA"}
        await api.ok("POST", "/v1/items", json=item)
        terms = {"prices": [{"minimum_quantity": "0", "unit_price": "4.5"}]}
        await api.ok("PUT", f"/v1/suppliers/code=S/items/sku=I-{n}", json=terms)
    await post(api, "opening", [(f"I-{n}", "10") for n in range(items)], unit_cost="4.5")


async def post(
    api: Client, kind: str, lines: Sequence[tuple[str, str]], **more: Any
) -> dict[str, Any]:
    """A stock document of (sku, quantity) lines."""
    body = {
        "type": kind,
        "lines": [
            {"item": {"sku": sku}, "quantity": quantity, "warehouse": {"code": "W"}, **more}
            for sku, quantity in lines
        ],
    }
    posted: dict[str, Any] = await api.ok("POST", "/v1/stock-movements", json=body)
    return posted


async def entries(admin: asyncpg.Connection, organization_id: UUID) -> list[dict[str, Any]]:
    """All entries of an organization, oldest first, with their JSON read."""
    await admin.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=str, decoder=from_json, format="text"
    )
    rows = await admin.fetch(
        "select * from audit_entry where organization_id = $1 order by tx_order, seq",
        organization_id,
    )
    return [dict(row) for row in rows]


async def seal(api: Client) -> list[sealing.Seal]:
    """Seal all that waits in the caller's organization."""
    made: list[sealing.Seal] = []
    while batch := await sealing.seal_next(api.runtime, api.organization_id):
        made += batch
    return made


async def verified(
    runtime: Runtime, organization_id: UUID, heads: Sequence[bytes] = ()
) -> Verification:
    """What verifying one organization finds."""
    return await verify_organization(runtime, Organization(organization_id, "code"), heads)
