"""Use cases of roles. A role has no limits of its own, so who is limited himself makes none."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fastapi.routing import APIRoute
from pydantic import MISSING

from scm_api.access import catalogue, duties, holders
from scm_api.access.duty_policy import Duty, conflicts
from scm_api.access.errors import (
    TEMPLATE_CODE,
    UNKNOWN_PERMISSION,
    RoleInUse,
    RoleIsTemplate,
)
from scm_api.access.granting import check_grant, escalation
from scm_api.access.models import Role
from scm_api.access.permissions import EVERYTHING, TEMPLATES, RoleTemplate
from scm_api.access.schemas import (
    GrantCheck,
    GrantCheckRead,
    PermissionRead,
    RoleChanged,
    RoleCreate,
    RolePatch,
    RoleRead,
    conflict_reads,
)
from scm_api.core.documents import Key, insert, write
from scm_api.core.errors import Invalid, NotFound
from scm_api.core.http import Versions, check_version
from scm_api.core.ids import uuid7
from scm_api.core.language import Language
from scm_api.core.operation_route import OperationRoute
from scm_api.core.redaction import SEE_COSTS
from scm_api.core.tx import UNLIMITED, Tx


async def read_all(tx: Tx, language: Language) -> list[RoleRead]:
    """Templates, then the organization's own roles, by code."""
    own = await catalogue.own_roles(tx)
    return await _reads(tx, [*TEMPLATES.values(), *own.values()], language)


async def read(tx: Tx, key: str, language: Language) -> RoleRead:
    """The role behind a path key: a UUID or `code=buyer`. Raises `NotFound`."""
    return (await _reads(tx, [await _find(tx, key)], language))[0]


async def create(tx: Tx, body: RoleCreate, language: Language) -> RoleRead:
    """Make a role. Raises `Invalid`, `Duplicate`, `PermissionEscalation`, `DutyConflict`."""
    if body.code.lower() in TEMPLATES:
        raise Invalid([TEMPLATE_CODE.at("/code", code=body.code)])
    permissions = await _checked(tx, body.permissions)
    check_grant(tx.principal, frozenset(permissions), UNLIMITED)
    values = body.model_dump(exclude={"permissions"})
    role = Role(organization_id=tx.organization_id, id=uuid7(), permissions=permissions, **values)
    await insert(tx, role, kind="role", unique=("code",))
    return (await _reads(tx, [role], language))[0]


async def change(
    tx: Tx, key: str, body: RolePatch, if_match: Versions | None, language: Language
) -> RoleChanged:
    """Change a role of one's own; who holds it feels it within a second. What it grants, before
    and after, must be the caller's too, and its holders must not come to hold separated duties.

    Raises `NotFound`, `RoleIsTemplate`, `VersionMismatch`, `Invalid`, `PermissionEscalation`,
    `DutyConflict`.
    """
    role = await _find_own(tx, key)
    check_version(role.version, if_match, body.version)
    wanted = body.model_dump(exclude={"version"}, exclude_unset=True)
    permissions = role.permissions
    if body.permissions is not MISSING:
        permissions = wanted["permissions"] = await _checked(tx, body.permissions)
    check_grant(tx.principal, frozenset(role.permissions) | frozenset(permissions), UNLIMITED)
    changes = {name: value for name, value in wanted.items() if getattr(role, name) != value}
    found: list[holders.HolderConflict] = []
    if "permissions" in changes:
        await _lock(tx, role)
        rules = (await duties.rules(tx)).values()
        found = await holders.check_role(tx, role.code, permissions, rules)
    if changes:
        await write(tx, role, changes, kind="role")
    read = (await _reads(tx, [role], language))[0]
    return RoleChanged(**dict(read), holder_conflicts=holders.conflict_reads(found, language))


async def _lock(tx: Tx, role: Role) -> None:
    """Whoever is about to grant the role waits, or is waited for."""
    await tx.fetch(
        "select from role where organization_id = $1 and id = $2 for update",
        tx.organization_id,
        role.id,
    )


_USES = """
select (select count(*) from membership m where m.organization_id = $1
        and exists (select from unnest(m.roles) r where lower(r) = lower($2))) as people,
       (select count(*) from api_key k where k.organization_id = $1 and k.revoked_at is null
        and exists (select from unnest(k.roles) r where lower(r) = lower($2))) as keys
"""


async def delete(tx: Tx, key: str, if_match: Versions | None) -> None:
    """Delete a role nobody holds. Raises `NotFound`, `RoleIsTemplate`, `RoleInUse`,
    `VersionMismatch`, `PermissionEscalation`."""
    role = await _find_own(tx, key)
    await _lock(tx, role)
    check_version(role.version, if_match)
    check_grant(tx.principal, frozenset(role.permissions), UNLIMITED)
    uses = await tx.fetchrow(_USES, tx.organization_id, role.code)
    assert uses is not None
    if uses["people"] or uses["keys"]:
        raise RoleInUse(role=role.code, people=uses["people"], keys=uses["keys"])
    await tx.execute(
        "delete from role where organization_id = $1 and id = $2", tx.organization_id, role.id
    )


async def check(tx: Tx, body: GrantCheck, language: Language) -> GrantCheckRead:
    """What roles and permissions come to, what of it the caller lacks, and which duties it would
    hold together. Raises `Invalid`."""
    grant = await catalogue.grant(tx, body.roles, body.permissions)
    found = await duties.find_conflicts(tx, grant.effective)
    return GrantCheckRead(
        permissions=sorted(grant.effective),
        exceeds=escalation(tx.principal, grant.effective, tx.principal.limits),
        duty_conflicts=conflict_reads(found, language),
    )


async def permissions(tx: Tx, routes: Iterable[Any]) -> list[PermissionRead]:
    """Every permission with the operations that need it and the roles that grant it."""
    needed: dict[str, set[str]] = {name: set() for name in catalogue.known_permissions()}
    for route in routes:
        if isinstance(route, OperationRoute):
            for permission in _needs(route):
                needed.setdefault(permission, set()).add(route.unique_id)
    own = await catalogue.own_roles(tx)
    granting: Mapping[str, Iterable[str]] = {
        **{code: template.permissions for code, template in TEMPLATES.items()},
        **{role.code: role.permissions for role in own.values()},
    }
    return [
        PermissionRead(
            permission=name,
            operations=sorted(operations),
            # To see costs is no operation of its own.
            is_effective=bool(operations) or name == SEE_COSTS,
            roles=[
                code for code, has in granting.items() if not {name, EVERYTHING}.isdisjoint(has)
            ],
        )
        for name, operations in sorted(needed.items())
        if name in catalogue.known_permissions()
    ]


def _needs(route: APIRoute) -> list[str]:
    extra = route.openapi_extra or {}
    return [extra["x-permission"], *extra.get("x-additional-permissions", ())]


async def _find(tx: Tx, key: str) -> Role | RoleTemplate:
    parsed = Key.parse(key, natural="code")
    natural = (parsed.natural or "").lower()
    if natural in TEMPLATES:
        return TEMPLATES[natural]
    own = await catalogue.own_roles(tx)
    found = own.get(natural) or next((r for r in own.values() if r.id == parsed.id), None)
    if found is None:
        raise NotFound(kind="role", reference=key)
    return found


async def _find_own(tx: Tx, key: str) -> Role:
    found = await _find(tx, key)
    if isinstance(found, RoleTemplate):
        raise RoleIsTemplate(role=found.code)
    return found


async def _checked(tx: Tx, wanted: Sequence[str]) -> list[str]:
    """Permissions a role may hold together, sorted."""
    known = catalogue.known_permissions() | {EVERYTHING}
    unknown = [
        UNKNOWN_PERMISSION.at(f"/permissions/{place}", permission=permission)
        for place, permission in enumerate(wanted)
        if permission not in known
    ]
    if unknown:
        raise Invalid(unknown)
    await duties.check_grant(tx, frozenset(wanted))
    return sorted(set(wanted))


async def _reads(
    tx: Tx, roles: Sequence[Role | RoleTemplate], language: Language
) -> list[RoleRead]:
    rules = (await duties.rules(tx)).values()
    return [_read(role, rules, language) for role in roles]


def _read(role: Role | RoleTemplate, rules: Iterable[Duty], language: Language) -> RoleRead:
    found = conflict_reads(conflicts(frozenset(role.permissions), rules), language)
    if isinstance(role, Role):
        own = {n: getattr(role, n) for n in ("id", "code", "name", "description", "version")}
        return RoleRead(
            **own, is_template=False, permissions=role.permissions, duty_conflicts=found
        )
    return RoleRead(
        id=None,
        code=role.code,
        name=role.name.render(language, {}),
        description=role.description.render(language, {}),
        is_template=True,
        permissions=sorted(role.permissions),
        duty_conflicts=found,
        version=1,
    )
