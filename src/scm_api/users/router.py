"""HTTP of an organization's members."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Request

from scm_api.access.errors import DutyConflict, PermissionEscalation
from scm_api.access.schemas import conflict_reads
from scm_api.core.errors import NotFound, VersionMismatch
from scm_api.core.http import IfMatch, OpenTx, ReplyLanguage, ReplyTo, operation, router
from scm_api.core.runtime import Runtime
from scm_api.users import service
from scm_api.users.errors import (
    AccountShared,
    AlreadyMember,
    InvitationPending,
    LastAdministrator,
    OwnMembership,
)
from scm_api.users.schemas import (
    InvitationLink,
    MemberChanged,
    MemberFilter,
    MemberInvite,
    MemberInvited,
    MemberList,
    MemberPatch,
    MemberRead,
    PasswordResetLink,
)

users = router("users")

UserKey = Annotated[
    UUID, Path(description="The person's id.", examples=["01900000-0000-4000-8000-0000000000b1"])
]


def _public_url(request: Request) -> str | None:
    runtime: Runtime = request.app.state.runtime
    return runtime.settings.public_url


@users.get("", summary="List users", **operation("users:read"))
async def list_(tx: OpenTx, reply: ReplyTo, wanted: Annotated[MemberFilter, Query()]) -> MemberList:
    """The people of the organization by e-mail, invited and suspended ones too."""
    page = await service.list_all(tx, wanted)
    reply.next_page(page.next_cursor)
    return MemberList(**page.body(list(await service.reads(tx, page.rows))))


@users.get("/{user}", summary="Read a user", **operation("users:read", errors=[NotFound]))
async def get(tx: OpenTx, reply: ReplyTo, user: UserKey) -> MemberRead:
    """One person of the organization."""
    member = await service.get(tx, user)
    reply.etag(member.version)
    return (await service.reads(tx, [member]))[0]


@users.post(
    "",
    status_code=201,
    summary="Invite a user",
    **operation(
        "users:write",
        errors=[PermissionEscalation, DutyConflict, AlreadyMember, InvitationPending],
        secrets=["invitation_token", "invitation_url"],
    ),
)
async def invite(
    tx: OpenTx, request: Request, reply: ReplyTo, language: ReplyLanguage, body: MemberInvite
) -> MemberInvited:
    """Invite a person by a link that is good once and for seven days; handing it over is the
    caller's part. Whether the e-mail has an account already is not told."""
    invited = await service.invite(tx, body)
    reply.created(f"/v1/users/{invited.member.id}", invited.member.version)
    (read,) = await service.reads(tx, [invited.member])
    return MemberInvited(
        **dict(read),
        duty_conflicts=conflict_reads(invited.conflicts, language),
        invitation_token=invited.link.token,
        invitation_url=invited.link.url(_public_url(request)),
    )


@users.post(
    "/{user}/invitation",
    summary="Invite a user again",
    **operation(
        "users:write",
        errors=[NotFound, PermissionEscalation, AlreadyMember],
        secrets=["invitation_token", "invitation_url"],
    ),
)
async def invite_again(tx: OpenTx, request: Request, user: UserKey) -> InvitationLink:
    """A new link for an invitation that is not accepted yet; the earlier one becomes worthless."""
    link = await service.invite_again(tx, user)
    return InvitationLink(
        invitation_token=link.token,
        invitation_url=link.url(_public_url(request)),
        expires_at=link.expires_at,
    )


@users.patch(
    "/{user}",
    summary="Change a user",
    **operation(
        "users:write",
        errors=[
            NotFound,
            VersionMismatch,
            OwnMembership,
            PermissionEscalation,
            DutyConflict,
            LastAdministrator,
            InvitationPending,
        ],
    ),
)
async def change(
    tx: OpenTx,
    reply: ReplyTo,
    language: ReplyLanguage,
    user: UserKey,
    body: MemberPatch,
    if_match: IfMatch,
) -> MemberChanged:
    """Change roles, limits or status of a person here (JSON Merge Patch), felt within a second.
    Whoever changes somebody must have all he may, before and after; nobody changes himself."""
    member, conflicts = await service.change(tx, user, body, if_match)
    reply.etag(member.version)
    (read,) = await service.reads(tx, [member])
    return MemberChanged(**dict(read), duty_conflicts=conflict_reads(conflicts, language))


@users.delete(
    "/{user}",
    status_code=204,
    summary="Remove a user",
    **operation(
        "users:write",
        errors=[NotFound, VersionMismatch, OwnMembership, PermissionEscalation, LastAdministrator],
    ),
)
async def remove(tx: OpenTx, user: UserKey, if_match: IfMatch) -> None:
    """End somebody's membership. His account stays his; his personal keys here are revoked."""
    await service.remove(tx, user, if_match)


@users.post(
    "/{user}/password-reset",
    summary="Offer a password reset",
    **operation(
        "users:write",
        errors=[NotFound, OwnMembership, PermissionEscalation, AccountShared, InvitationPending],
        secrets=["reset_token", "reset_url"],
    ),
)
async def offer_reset(tx: OpenTx, request: Request, user: UserKey) -> PasswordResetLink:
    """A link, good once and for a day, by which the person sets a new password. Only for accounts
    that belong to this organization alone and may no more than the caller."""
    link = await service.reset_link(tx, user)
    return PasswordResetLink(
        reset_token=link.token,
        reset_url=link.url(_public_url(request)),
        expires_at=link.expires_at,
    )
