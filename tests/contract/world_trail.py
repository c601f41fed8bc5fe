"""The example world's audit entry and seals."""

from uuid import UUID

from scm_api.trail import sealing
from tests.support import Client

ENTRY = UUID("019ab0c2-d0a0-7000-8000-0000000a0d17")


async def build(api: Client) -> None:
    """A change of a name, under the id that examples name, and a seal over all there is."""
    async with api.runtime.database.transaction(api.principal(), now=api.runtime.clock()) as tx:
        await tx.execute(
            """
            insert into audit_entry (organization_id, id, object_type, object_id, action, changes,
                                     principal_kind, principal_name)
            select $1, $2, 'item', id, 'changed', '{"name": {"old": "Part", "new": "Part 1"}}',
                   'api_key', 'test key'
            from item where organization_id = $1 and sku = 'SKU-1001'
            """,
            tx.organization_id,
            ENTRY,
        )
        await tx.driver.execute("commit")
    while await sealing.seal_next(api.runtime, api.organization_id):
        pass
