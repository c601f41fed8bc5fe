"""Opening an account again for somebody who is locked out, and closing one that others are in.

Who does it for somebody else could become that person: an administrator may it only for an account
of his organization alone and with no more than he has himself, the operator for every account.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import asyncpg

from scm_api.access.access_kinds import Kind
from scm_api.access.system_view import system_view
from scm_api.core.errors import NotFound
from scm_api.core.tx import Tx
from scm_api.users import links, members, people, repository, second_factor, sessions
from scm_api.users.errors import AccountShared, InvitationPending, NoSecondFactor
from scm_api.users.links import NewLink

_OPERATOR: Mapping[str, Any] = {"by": "operator"}


async def reset_link(tx: Tx, user_id: UUID) -> NewLink:
    """A link by which a member sets a new password.

    Raises `NotFound`, `OwnMembership`, `InvitationPending`, `PermissionEscalation`,
    `AccountShared`.
    """
    await _check_may_open(tx, user_id)
    async with system_view(tx):
        await _check_alone(tx, user_id)
        link = await links.make(tx, "password_reset", user_id, tx.organization_id)
        await _log(tx, "password_reset_offered", user_id)
    return link


async def remove_totp(tx: Tx, user_id: UUID) -> None:
    """Take the second factor off a member and end his sessions. Raises as `reset_link`, and
    `NoSecondFactor`."""
    await _check_may_open(tx, user_id)
    async with system_view(tx):
        await _check_alone(tx, user_id)
        if not await second_factor.remove(tx, user_id):
            raise NoSecondFactor
        await sessions.end(tx, user_id, why="totp_removed")
        await _log(tx, "totp_removed", user_id)


async def end_sessions(tx: Tx, user_id: UUID) -> None:
    """End all sessions of a member. Raises as `reset_link`."""
    await _check_may_open(tx, user_id)
    async with system_view(tx):
        await _check_alone(tx, user_id)
        await sessions.end(tx, user_id, why="ended_by_administrator")
        await _log(tx, "sessions_ended", user_id)


async def _check_may_open(tx: Tx, user_id: UUID) -> None:
    membership = await members.others(tx, user_id)
    if membership.status == "invited":
        raise InvitationPending(email=(await members.get(tx, user_id)).email)
    await members.check_reach(tx, membership)


async def _check_alone(tx: Tx, user_id: UUID) -> None:
    if await repository.belongs_elsewhere(tx, user_id):
        raise AccountShared


async def _log(tx: Tx, kind: Kind, user_id: UUID) -> None:
    await people.log(
        tx, kind, user_id, tx.organization_id, detail={"by": str(tx.principal.actor_id)}
    )


async def reset_by_operator(
    driver: asyncpg.Connection, email: str, *, also_totp: bool = False
) -> NewLink:
    """A link by which anybody sets a new password, in a system transaction, as the command line
    does; `also_totp` takes off his second factor and ends his sessions at once.

    Every organization of his reads of it in its access log. Raises `NotFound`.
    """
    user_id = await driver.fetchval(
        "select id from user_account where lower(email) = lower($1) and is_active", email
    )
    if user_id is None:
        raise NotFound(kind="user", reference=email)
    if also_totp:
        await second_factor.remove(driver, user_id)
        await sessions.end(driver, user_id, why="totp_removed")
        await people.log_everywhere(driver, "totp_removed", user_id, detail=_OPERATOR)
    link = await links.make(driver, "password_reset", user_id, None)
    await people.log_everywhere(driver, "password_reset_offered", user_id, detail=_OPERATOR)
    return link
