"""Nobody grants more than he has: the pure rule behind keys, roles and memberships."""

from scm_api.access.errors import PermissionEscalation
from scm_api.access.permissions import EVERYTHING
from scm_api.core.tx import Limits, Principal


def escalation(granter: Principal, permissions: frozenset[str], limits: Limits) -> list[str]:
    """What of a grant goes beyond the granter's own: names of permissions (`*` needs `*`), then
    `warehouses`, `categories` and `amount_limit` where the grant reaches further than his limits.

    Categories of the grant may be roots of subtrees: whoever holds a category holds what is below.
    """
    own = granter.limits
    exceeds = [] if EVERYTHING in granter.permissions else sorted(permissions - granter.permissions)
    if _reaches_further(limits.warehouses, own.warehouses):
        exceeds.append("warehouses")
    if _reaches_further(limits.categories, own.categories):
        exceeds.append("categories")
    if own.amount is not None and (limits.amount is None or limits.amount > own.amount):
        exceeds.append("amount_limit")
    return exceeds


def check_grant(granter: Principal, permissions: frozenset[str], limits: Limits) -> None:
    """Raise `PermissionEscalation`, naming everything that exceeds the granter's own."""
    exceeds = escalation(granter, permissions, limits)
    if exceeds:
        raise PermissionEscalation(exceeds=exceeds)


def _reaches_further(granted: frozenset[object] | None, own: frozenset[object] | None) -> bool:
    return own is not None and (granted is None or not granted <= own)
