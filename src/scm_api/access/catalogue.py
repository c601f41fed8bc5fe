"""What can be granted: the permissions and roles there are, and what roles come to together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from scm_api.access.errors import UNKNOWN_PERMISSION, UNKNOWN_ROLE
from scm_api.access.models import Role
from scm_api.access.permissions import EVERYTHING, TEMPLATES, permissions_of
from scm_api.core.errors import FieldError, Invalid
from scm_api.core.http import PERMISSIONS
from scm_api.core.redaction import SEE_COSTS
from scm_api.core.tx import Tx


def known_permissions() -> frozenset[str]:
    """Every permission: what operations need, what shows costs, and what templates grant already
    for rooms to come. `*` is not among them."""
    named = {p for template in TEMPLATES.values() for p in template.permissions}
    return frozenset(PERMISSIONS | named | {SEE_COSTS}) - {EVERYTHING}


@dataclass(frozen=True)
class Grant:
    """Roles by their true codes, permissions beside them, and what both come to."""

    roles: list[str]
    permissions: list[str]
    effective: frozenset[str]


async def own_roles(tx: Tx, codes: Sequence[str] | None = None) -> dict[str, Role]:
    """The organization's own roles by code in lower case; all, or those named. Named ones cannot
    be deleted before a writing transaction ends."""
    statement = select(Role).where(Role.organization_id == tx.organization_id)
    if codes is not None:
        lower = [code.lower() for code in codes]
        statement = statement.where(func.lower(Role.code).in_(lower))
    found = (await tx.session.execute(statement.order_by(Role.code))).scalars()
    return {role.code.lower(): role for role in found}


async def grant(tx: Tx, roles: Sequence[str], permissions: Sequence[str] = ()) -> Grant:
    """What roles and permissions come to.

    Raises `Invalid`, pointing at `/roles/0` or `/permissions/0`, for those there are not.
    """
    own = await _held(tx, roles)
    known = known_permissions() | {EVERYTHING}
    found: list[FieldError] = [
        UNKNOWN_PERMISSION.at(f"/permissions/{place}", permission=permission)
        for place, permission in enumerate(permissions)
        if permission not in known
    ]
    found += [
        UNKNOWN_ROLE.at(f"/roles/{place}", role=code)
        for place, code in enumerate(roles)
        if code.lower() not in TEMPLATES and code.lower() not in own
    ]
    if found:
        raise Invalid(found)
    return _grant(roles, permissions, own)


def _grant(roles: Sequence[str], permissions: Sequence[str], own: Mapping[str, Role]) -> Grant:
    codes = [own[c.lower()].code if c.lower() in own else c.lower() for c in roles]
    granted = permissions_of(roles, {code: role.permissions for code, role in own.items()})
    return Grant(
        list(dict.fromkeys(codes)),
        sorted(set(permissions)),
        granted | frozenset(permissions),
    )


async def effective(
    tx: Tx, roles: Sequence[str], permissions: Sequence[str] = ()
) -> frozenset[str]:
    """What stored roles and permissions come to; a role that is gone grants nothing."""
    return _grant(roles, permissions, await own_roles(tx, roles)).effective


async def _held(tx: Tx, roles: Sequence[str]) -> dict[str, Role]:
    wanted = [code for code in roles if code.lower() not in TEMPLATES]
    if not wanted:
        return {}
    if await tx.fetchval("select current_setting('transaction_read_only') = 'off'"):
        # Else a role deleted meanwhile would leave its code behind, for a new role to fill.
        await tx.fetch(
            "select from role where organization_id = $1 and lower(code) = any($2) for share",
            tx.organization_id,
            [code.lower() for code in wanted],
        )
    return await own_roles(tx, wanted)
