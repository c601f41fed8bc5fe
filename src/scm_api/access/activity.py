"""Whether whoever asked for work may still have it done, when its turn comes.

Only ends that somebody decided count: a session or key that merely ran out stops no work.
"""

from scm_api.core.runtime import Runtime
from scm_api.core.tx import Principal

_IS_ACTIVE = """
select ($2::uuid is null or exists (
          select from api_key k
          where k.organization_id = $1 and k.id = $2 and k.revoked_at is null))
   and ($3::uuid is null or exists (
          select from membership m join user_account u on u.id = m.user_id
          where m.organization_id = $1 and m.user_id = $3 and m.status = 'active' and u.is_active))
"""


async def is_active(runtime: Runtime, principal: Principal) -> bool:
    """Whether the principal's key is not revoked and its person still belongs to the organization;
    processes of the system always are."""
    async with runtime.database.system() as driver:
        found: bool = await driver.fetchval(
            _IS_ACTIVE, principal.organization_id, principal.key_id, principal.user_id
        )
    return found
