"""HTTP of an organization's members."""

from typing import Annotated

from fastapi import Path, Query, Request

from scm_api.access.errors import DutyConflict, PermissionEscalation
from scm_api.access.schemas import conflict_reads
from scm_api.core.errors import NotFound, VersionMismatch
from scm_api.core.http import IfMatch, OpenTx, ReplyLanguage, ReplyTo, operation, router
from scm_api.core.runtime import Runtime
from scm_api.users import members, recovery
from scm_api.users.errors import (
    AccountShared,
    AlreadyMember,
    InvitationPending,
    LastAdministrator,
    NoSecondFactor,
    OwnMembership,
)
from scm_api.users.member_schemas import (
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

_OPENING = (NotFound, OwnMembership, PermissionEscalation, AccountShared, InvitationPending)

UserKey = Annotated[
    str,
    Path(
        max_length=300,
        description="The person's id (a UUID) or `email=zhang.min@example.com`.",
        examples=["email=zhang.min@example.com"],
    ),
]


def _public_url(request: Request) -> str | None:
    runtime: Runtime = request.app.state.runtime
    return runtime.settings.public_url


@users.get("", summary="List users", **operation("users:read"))
async def list_(tx: OpenTx, reply: ReplyTo, wanted: Annotated[MemberFilter, Query()]) -> MemberList:
    """The people of the organization by e-mail, invited and suspended ones too."""
    page = await members.list_all(tx, wanted)
    reply.next_page(page.next_cursor)
    return MemberList(**page.body(list(await members.reads(tx, page.rows))))


@users.get("/{user}", summary="Read a user", **operation("users:read", errors=[NotFound]))
async def get(tx: OpenTx, reply: ReplyTo, user: UserKey) -> MemberRead:
    """One person of the organization."""
    member = await members.get(tx, await members.identify(tx, user))
    reply.etag(member.version)
    return (await members.reads(tx, [member]))[0]


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
    caller's part. Whether the e-mail has an account already this answer does not tell."""
    invited = await members.invite(tx, body)
    reply.created(f"/v1/users/{invited.member.id}", invited.member.version)
    (read,) = await members.reads(tx, [invited.member])
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
    link = await members.invite_again(tx, await members.identify(tx, user))
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
    member, conflicts = await members.change(tx, await members.identify(tx, user), body, if_match)
    reply.etag(member.version)
    (read,) = await members.reads(tx, [member])
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
    await members.remove(tx, await members.identify(tx, user), if_match)


@users.post(
    "/{user}/password-reset",
    summary="Offer a password reset",
    **operation(
        "users:write",
        errors=_OPENING,
        secrets=["reset_token", "reset_url"],
    ),
)
async def offer_reset(tx: OpenTx, request: Request, user: UserKey) -> PasswordResetLink:
    """A link, good once and for a day, by which the person sets a new password. Only for accounts
    that belong to this organization alone and may no more than the caller."""
    link = await recovery.reset_link(tx, await members.identify(tx, user))
    return PasswordResetLink(
        reset_token=link.token,
        reset_url=link.url(_public_url(request)),
        expires_at=link.expires_at,
    )


@users.delete(
    "/{user}/totp",
    status_code=204,
    summary="Remove a user's second factor",
    **operation("users:write", errors=[*_OPENING, NoSecondFactor]),
)
async def remove_totp(tx: OpenTx, user: UserKey) -> None:
    """Take the second factor off somebody who lost authenticator and recovery codes; all his
    sessions end. Only for accounts that belong to this organization alone and may no more than the
    caller; of a shared account, the operator does it (`scm-api users reset --remove-totp`)."""
    await recovery.remove_totp(tx, await members.identify(tx, user))


@users.delete(
    "/{user}/sessions",
    status_code=204,
    summary="End a user's sessions",
    **operation("users:write", errors=_OPENING),
)
async def end_sessions(tx: OpenTx, user: UserKey) -> None:
    """End all sessions of a person, felt within a second. A session is for all of a person's
    organizations: only for accounts that belong to this organization alone and may no more than the
    caller. Anybody else is kept out of this organization by suspending him."""
    await recovery.end_sessions(tx, await members.identify(tx, user))
