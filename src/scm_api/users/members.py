"""Use cases of an organization's members. Nobody gives, takes or opens more than he has himself."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import MISSING

from scm_api.access import catalogue, duties
from scm_api.access.duty_policy import Conflict
from scm_api.access.granting import check_grant
from scm_api.access.limits import limits_of, places, resolve_limits, stored
from scm_api.access.models import Membership
from scm_api.access.system_view import system_view
from scm_api.core.documents import Key, write
from scm_api.core.errors import NotFound, VersionMismatch
from scm_api.core.http import Versions, check_version
from scm_api.core.pages import PageOf
from scm_api.core.tx import UNLIMITED, Limits, Tx
from scm_api.users import links, people, repository
from scm_api.users.errors import (
    AlreadyMember,
    InvitationPending,
    LastAdministrator,
    OwnMembership,
)
from scm_api.users.links import NewLink
from scm_api.users.member_schemas import MemberFilter, MemberInvite, MemberPatch, MemberRead
from scm_api.users.repository import Member


@dataclass(frozen=True)
class Invited:
    """An invited person, his link, and the duties his roles put in one hand."""

    member: Member
    link: NewLink
    conflicts: list[Conflict]


async def get(tx: Tx, user_id: UUID) -> Member:
    """One member. Raises `NotFound`, for people of other organizations too."""
    found = await repository.find(tx, user_id)
    if found is None:
        raise NotFound(kind="user", reference=str(user_id))
    return found


async def identify(tx: Tx, key: str) -> UUID:
    """The id of the member behind a path key: a UUID or `email=...`. Raises `NotFound`."""
    parsed = Key.parse(key, natural="email")
    found = parsed.id
    if parsed.natural is not None:
        found = await repository.id_of(tx, parsed.natural)
    if found is None:
        raise NotFound(kind="user", reference=key)
    return found


async def list_all(tx: Tx, wanted: MemberFilter) -> PageOf:
    """Members by e-mail."""
    return await repository.list_members(tx, wanted)


async def reads(tx: Tx, members: Iterable[Member]) -> list[MemberRead]:
    """Members as answers show them."""
    kept = list(members)
    known = await places(tx, kept)
    return [
        MemberRead(
            **{name: value for name, value in vars(one).items() if not name.endswith("_ids")},
            warehouses=known.of(one.warehouse_ids),
            categories=known.of(one.category_ids),
        )
        for one in kept
    ]


async def invite(tx: Tx, body: MemberInvite) -> Invited:
    """Invite a person. Whether he has an account already, the answer does not tell.

    Raises `Invalid`, `PermissionEscalation`, `DutyConflict`, `AlreadyMember`, `InvitationPending`.
    """
    grant = await catalogue.grant(tx, body.roles)
    limits = await resolve_limits(tx, body.warehouses, body.categories, body.amount_limit)
    check_grant(tx.principal, grant.effective, limits)
    conflicts = await duties.check_grant(tx, grant.effective)
    async with system_view(tx):
        user_id = await people.find_or_create(tx, body.email, body.name)
        is_new = await repository.add(
            tx, tx.organization_id, user_id, body.name, grant.roles, limits
        )
        if is_new:
            link = await links.make(tx, "invitation", user_id, tx.organization_id)
    member = await get(tx, user_id)
    if not is_new:
        is_pending = member.status == "invited"
        raise (InvitationPending if is_pending else AlreadyMember)(email=body.email)
    return Invited(member, link, conflicts)


async def invite_again(tx: Tx, user_id: UUID) -> NewLink:
    """A new invitation link; the earlier ones become worthless. Whoever holds it may become this
    member, so the caller must have all the member will have.

    Raises `NotFound`, `AlreadyMember`, `PermissionEscalation`.
    """
    membership = await _find(tx, user_id)
    if membership.status != "invited":
        raise AlreadyMember(email=(await get(tx, user_id)).email)
    await check_reach(tx, membership)
    async with system_view(tx):
        return await links.make(tx, "invitation", user_id, tx.organization_id)


async def change(
    tx: Tx, user_id: UUID, body: MemberPatch, if_match: Versions | None
) -> tuple[Member, list[Conflict]]:
    """Change roles, limits or status; felt within a second. What the member may, before and after,
    must be the caller's too.

    Raises `NotFound`, `OwnMembership`, `VersionMismatch`, `Invalid`, `PermissionEscalation`,
    `DutyConflict`, `LastAdministrator`, `InvitationPending`.
    """
    membership = await others(tx, user_id)
    check_version(membership.version, if_match, body.version)
    await check_reach(tx, membership)
    wanted = await _wanted(tx, membership, body)
    if "status" in wanted and membership.status == "invited":
        raise InvitationPending(email=(await get(tx, user_id)).email)
    roles: list[str] = wanted.get("roles", membership.roles)
    effective = await catalogue.effective(tx, roles)
    if "roles" in wanted:
        conflicts = await duties.check_grant(tx, effective)
    else:
        conflicts = await duties.find_conflicts(tx, effective)
    changes = {n: value for n, value in wanted.items() if getattr(membership, n) != value}
    if changes:
        limits = Limits(
            _as_set(wanted.get("warehouse_ids", membership.warehouse_ids)),
            _as_set(wanted.get("category_ids", membership.category_ids)),
            wanted.get("amount_limit", membership.amount_limit),
        )
        check_grant(tx.principal, effective, limits)
        status = wanted.get("status", membership.status)
        stays = status == "active" and _is_administrator(roles) and limits == UNLIMITED
        if not stays:
            await _keep_an_administrator(tx, user_id)
        await write(tx, membership, changes, kind="user")
    return await get(tx, user_id), conflicts


async def _wanted(tx: Tx, membership: Membership, body: MemberPatch) -> dict[str, Any]:
    """The columns that a patch names."""
    wanted: dict[str, Any] = body.model_dump(include={"amount_limit", "status"}, exclude_unset=True)
    if body.roles is not MISSING:
        wanted["roles"] = (await catalogue.grant(tx, body.roles)).roles
    found = await resolve_limits(
        tx,
        None if body.warehouses is MISSING else body.warehouses,
        None if body.categories is MISSING else body.categories,
    )
    if body.warehouses is not MISSING:
        wanted["warehouse_ids"] = stored(found.warehouses)
    if body.categories is not MISSING:
        wanted["category_ids"] = stored(found.categories)
    return wanted


async def remove(tx: Tx, user_id: UUID, if_match: Versions | None) -> None:
    """End a membership: the person keeps his account, his keys here are revoked, his links are
    worthless.

    Raises `NotFound`, `OwnMembership`, `VersionMismatch`, `PermissionEscalation`,
    `LastAdministrator`.
    """
    membership = await others(tx, user_id)
    check_version(membership.version, if_match)
    await check_reach(tx, membership)
    await _keep_an_administrator(tx, user_id)
    async with system_view(tx):
        await links.consume(tx, "invitation", user_id, tx.organization_id)
        await links.consume(tx, "password_reset", user_id, tx.organization_id)
    if not await repository.remove(tx, membership):
        raise VersionMismatch(current_version=membership.version + 1)


async def _find(tx: Tx, user_id: UUID) -> Membership:
    found = await repository.membership(tx, user_id)
    if found is None:
        raise NotFound(kind="user", reference=str(user_id))
    return found


async def others(tx: Tx, user_id: UUID) -> Membership:
    """The membership of somebody else. Raises `NotFound`, `OwnMembership`."""
    membership = await _find(tx, user_id)
    if tx.principal.user_id == user_id:
        raise OwnMembership
    return membership


async def check_reach(tx: Tx, membership: Membership) -> None:
    """That all a member may is the caller's too."""
    effective = await catalogue.effective(tx, membership.roles)
    check_grant(tx.principal, effective, limits_of(membership))


def _is_administrator(roles: Iterable[str]) -> bool:
    return "admin" in {code.lower() for code in roles}


async def _keep_an_administrator(tx: Tx, user_id: UUID) -> None:
    if await repository.administrators(tx) == [user_id]:
        raise LastAdministrator(email=(await get(tx, user_id)).email)


def _as_set(ids: list[UUID] | None) -> frozenset[UUID] | None:
    return None if ids is None else frozenset(ids)
