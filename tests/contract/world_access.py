"""Keys, roles and duty rules of the example world."""

from uuid import UUID

from tests.support import Client

KEY = UUID("01900000-0000-7000-8000-0000000000a1")


async def build(api: Client) -> None:
    """A key of the warehouse, a role nobody holds, and a duty rule of one's own."""
    body = {"name": "Scanner", "roles": ["warehouse"], "warehouses": [{"code": "WH-1"}]}
    made = await api.ok("POST", "/v1/api-keys", json=body)
    async with api.runtime.database.transaction(api.principal(), now=api.runtime.clock()) as tx:
        await tx.execute(
            "update api_key set id = $3 where organization_id = $1 and id = $2",
            tx.organization_id,
            UUID(made["id"]),
            KEY,
        )
        await tx.driver.execute("commit")
    role = {"code": "stocktaker", "name": "Stocktaker", "permissions": ["stock:read"]}
    await api.ok("POST", "/v1/roles", json=role)
    rule = {
        "mode": "warn",
        "name": "Who plans does not order",
        "first": ["replenishment:plan"],
        "second": ["purchase_orders:write"],
    }
    await api.ok("PUT", "/v1/duty-rules/planner_writes_orders", json=rule)
