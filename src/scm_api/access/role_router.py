"""HTTP of roles, permissions and the segregation of duties."""

from typing import Annotated

from fastapi import Path, Request

from scm_api.access import duties, holders
from scm_api.access import roles as service
from scm_api.access.duty_policy import Duty
from scm_api.access.errors import DutyConflict, PermissionEscalation, RoleInUse, RoleIsTemplate
from scm_api.access.schemas import (
    DutyRuleList,
    DutyRulePut,
    DutyRuleRead,
    DutyRuleWritten,
    GrantCheck,
    GrantCheckRead,
    PermissionList,
    RoleChanged,
    RoleCreate,
    RoleList,
    RolePatch,
    RoleRead,
    Slug,
)
from scm_api.core.errors import Duplicate, NotFound, OutsideLimits, VersionMismatch
from scm_api.core.http import IfMatch, OpenTx, ReplyLanguage, ReplyTo, operation, router
from scm_api.core.language import Language

roles = router("roles")
permissions = router("roles", prefix="/v1/permissions")
duty_rules = router("duty-rules")

_KEY = "A UUID or `code=buyer`."
RoleKey = Annotated[str, Path(max_length=80, description=_KEY, examples=["code=buyer"])]
OwnRoleKey = Annotated[str, Path(max_length=80, description=_KEY, examples=["code=stocktaker"])]
RuleCode = Annotated[
    Slug, Path(description="The rule's code.", examples=["order_creator_approves"])
]
OwnRuleCode = Annotated[
    Slug, Path(description="The rule's code.", examples=["planner_writes_orders"])
]


@roles.get("", summary="List roles", **operation("roles:read"))
async def list_(tx: OpenTx, language: ReplyLanguage) -> RoleList:
    """The templates every organization has, then its own roles, with the duties they hold
    together."""
    return RoleList(data=await service.read_all(tx, language))


@roles.post(
    "/check",
    summary="See what a grant comes to",
    **operation("roles:read", read_only=True),
)
async def check(tx: OpenTx, language: ReplyLanguage, body: GrantCheck) -> GrantCheckRead:
    """What roles and permissions come to together, what of it goes beyond your own, and which
    duties it would join, before anything is granted."""
    return await service.check(tx, body, language)


@roles.post(
    "",
    status_code=201,
    summary="Make a role",
    **operation("roles:write", errors=[Duplicate, PermissionEscalation, DutyConflict]),
)
async def create(tx: OpenTx, reply: ReplyTo, language: ReplyLanguage, body: RoleCreate) -> RoleRead:
    """Make a role of permissions you have yourself, without limits."""
    made = await service.create(tx, body, language)
    reply.created(f"/v1/roles/{made.id}", made.version)
    return made


@roles.get("/{role}", summary="Read a role", **operation("roles:read", errors=[NotFound]))
async def get(tx: OpenTx, reply: ReplyTo, language: ReplyLanguage, role: RoleKey) -> RoleRead:
    """One role, template or own."""
    found = await service.read(tx, role, language)
    reply.etag(found.version)
    return found


@roles.patch(
    "/{role}",
    summary="Change a role",
    **operation(
        "roles:write",
        errors=[NotFound, VersionMismatch, RoleIsTemplate, PermissionEscalation, DutyConflict],
    ),
)
async def change(
    tx: OpenTx,
    reply: ReplyTo,
    language: ReplyLanguage,
    role: OwnRoleKey,
    body: RolePatch,
    if_match: IfMatch,
) -> RoleChanged:
    """Change a role of your own (JSON Merge Patch); who holds it feels it within a second. Refused
    where it would give a holder both sides of a duty rule that blocks."""
    changed = await service.change(tx, role, body, if_match, language)
    reply.etag(changed.version)
    return changed


@roles.delete(
    "/{role}",
    status_code=204,
    summary="Delete a role",
    **operation(
        "roles:write",
        errors=[NotFound, VersionMismatch, RoleIsTemplate, RoleInUse, PermissionEscalation],
    ),
)
async def delete(tx: OpenTx, role: OwnRoleKey, if_match: IfMatch) -> None:
    """Delete a role that no person and no key holds."""
    await service.delete(tx, role, if_match)


@permissions.get("", summary="List permissions", **operation("roles:read"))
async def list_permissions(tx: OpenTx, request: Request) -> PermissionList:
    """Every permission, the operations that need it, and the roles that grant it."""
    return PermissionList(data=await service.permissions(tx, request.app.router.routes))


def _rule(duty: Duty, language: Language) -> DutyRuleRead:
    return DutyRuleRead(
        code=duty.code,
        name=duty.name.render(language, {}),
        mode=duty.mode,
        scope=duty.scope,
        first=list(duty.first),
        second=list(duty.second),
        is_built_in=duty.is_built_in,
        version=duty.version,
    )


@duty_rules.get("", name="list", summary="List duty rules", **operation("duty_rules:read"))
async def list_rules(tx: OpenTx, language: ReplyLanguage) -> DutyRuleList:
    """The rules of segregated duties as they apply here."""
    found = await duties.rules(tx)
    return DutyRuleList(data=[_rule(duty, language) for duty in found.values()])


@duty_rules.get(
    "/{code}",
    name="get",
    summary="Read a duty rule",
    **operation("duty_rules:read", errors=[NotFound]),
)
async def get_rule(
    tx: OpenTx, reply: ReplyTo, language: ReplyLanguage, code: RuleCode
) -> DutyRuleRead:
    """One rule as it applies here."""
    found = await duties.get(tx, code)
    reply.etag(found.version)
    return _rule(found, language)


@duty_rules.put(
    "/{code}",
    name="put",
    summary="Write a duty rule",
    **operation("duty_rules:write", errors=[OutsideLimits, VersionMismatch]),
)
async def put_rule(
    tx: OpenTx,
    reply: ReplyTo,
    language: ReplyLanguage,
    code: OwnRuleCode,
    body: DutyRulePut,
    if_match: IfMatch,
) -> DutyRuleWritten:
    """Change the mode of a built-in rule, or write one of your own: two sides of permissions that
    nobody shall hold together. What is held already stays and is reported."""
    written = await duties.put(tx, code, body, if_match)
    found = await holders.of_rule(tx, written)
    reply.etag(written.version)
    return DutyRuleWritten(
        **dict(_rule(written, language)),
        holder_conflicts=holders.conflict_reads(found, language),
    )


@duty_rules.delete(
    "/{code}",
    name="delete",
    status_code=204,
    summary="Delete a duty rule",
    **operation("duty_rules:write", errors=[NotFound, OutsideLimits, VersionMismatch]),
)
async def delete_rule(tx: OpenTx, code: OwnRuleCode, if_match: IfMatch) -> None:
    """Bring a built-in rule back to its default, or do away with one of your own."""
    await duties.remove(tx, code, if_match)
