"""Accounts of people: made by an invitation, opened by a link, kept by the person alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from scm_api.access import access_log, duties
from scm_api.access.access_kinds import Kind
from scm_api.access.permissions import permissions_of
from scm_api.core.errors import Invalid
from scm_api.core.tx import UNLIMITED, Source, Tx
from scm_api.users import links, logins, passwords, repository, sessions
from scm_api.users.errors import EMAIL, AlreadyMember, LinkNotValid
from scm_api.users.links import NewLink, Statements
from scm_api.users.logins import Proof
from scm_api.users.person_schemas import InvitationLook, PasswordResetLook, is_email


@dataclass(frozen=True)
class Accepted:
    """A membership that has begun."""

    user_id: UUID
    email: str
    organization_id: UUID
    organization: str
    organization_name: str


_FIND = "select id from user_account where lower(email) = $1"


async def find_or_create(tx: Statements, email: str, name: str) -> UUID:
    """The account of an e-mail in lower case, made if there is none.

    Ids of people are random: they tell no organization how long an account has existed.
    """
    made: UUID | None = await tx.fetchval(
        "insert into user_account (id, email, name) values ($1, $2, $3) "
        "on conflict do nothing returning id",
        uuid4(),
        email,
        name,
    )
    found: UUID = made or await tx.fetchval(_FIND, email)
    return found


async def invite_first(
    driver: asyncpg.Connection, organization_id: UUID, *, email: str, name: str, role: str
) -> NewLink:
    """Invite a person in a system transaction, as the command line does: somebody must be first.
    `role` is one that there is, in lower case.

    Raises `Invalid` for what is no e-mail, `DutyConflict`, `AlreadyMember`, also where an
    invitation is pending.
    """
    if not is_email(email):
        raise Invalid([EMAIL.at("/email")])
    own = await driver.fetch(
        "select lower(code), permissions from role where organization_id = $1", organization_id
    )
    await duties.check_grant_in(driver, organization_id, permissions_of([role], dict(own)))
    email = email.lower()
    user_id = await find_or_create(driver, email, name)
    if not await repository.add(driver, organization_id, user_id, name, [role], UNLIMITED):
        raise AlreadyMember(email=email)
    return await links.make(driver, "invitation", user_id, organization_id)


_INVITED = """
select m.id as membership_id, m.invited_as, o.id as organization_id, o.code, o.name as organization,
       u.id as user_id, u.email, u.name, u.is_active,
       c.totp_confirmed_at is not null as needs_code, c.password_hash is not null
         or exists (select from user_identity i where i.user_id = u.id) as has_account
from user_account u
join membership m on m.user_id = u.id and m.organization_id = $2 and m.status = 'invited'
join organization o on o.id = m.organization_id
left join user_credential c on c.user_id = u.id
where u.id = $1
"""
_ACT_AS = """
select set_config('app.actor', (nullif(current_setting('app.actor', true), '')::jsonb
  || jsonb_build_object('kind', 'user', 'id', $1::text, 'user', $1::text, 'name', $2::text))::text,
  true)
"""
_JOIN = """
update membership set status = 'active', joined_at = now(), version = version + 1,
                      updated_at = now()
where organization_id = $1 and id = $2
"""


async def accept(tx: Tx, token: str, name: str | None, proof: Proof) -> Accepted:
    """Accept an invitation. Who has no account yet chooses `proof.password`; who has one proves
    with it that he is the person invited (`proof.email` is not looked at).

    Raises `LinkNotValid`, `Invalid`; `LoginFailed`, `LoginThrottled`, `SecondFactorRequired`.
    """
    row = await _invited(tx, token)
    if row["has_account"]:
        person = await logins.prove(
            tx,
            Proof(
                row["email"],
                proof.password,
                proof.totp_code,
                proof.recovery_code,
                proof.device_token,
            ),
        )
        assert person.id == row["user_id"]
        return await _join(tx, row)
    if not row["is_active"]:
        raise LinkNotValid
    chosen_name = name or row["invited_as"] or row["name"]
    chosen = passwords.check_choice(
        proof.password,
        email=row["email"],
        name=chosen_name,
        organizations=(row["code"], row["organization"]),
    )
    await tx.execute(
        "update user_account set name = $2, version = version + 1, updated_at = now() "
        "where id = $1",
        row["user_id"],
        chosen_name,
    )
    await set_password(tx, row["user_id"], chosen)
    return await _join(tx, row)


async def accept_as(tx: Tx, token: str, user_id: UUID) -> Accepted:
    """Accept an invitation as the person who is logged in. Raises `LinkNotValid`, also for an
    invitation of somebody else."""
    row = await _invited(tx, token)
    if row["user_id"] != user_id:
        raise LinkNotValid
    return await _join(tx, row)


async def _invited(tx: Tx, token: str) -> asyncpg.Record:
    link = await links.open_link(tx, "invitation", token)
    row = await tx.fetchrow(
        _INVITED + "for update of u, m", link["user_id"], link["for_organization_id"]
    )
    if row is None:
        raise LinkNotValid
    return row


async def look_at_invitation(tx: Tx, token: str) -> InvitationLook:
    """What the holder of an invitation has to know to accept it; nothing is used up. Raises
    `LinkNotValid`."""
    link = await links.find(tx, "invitation", token)
    row = await tx.fetchrow(_INVITED, link["user_id"], link["for_organization_id"])
    if row is None or not (row["has_account"] or row["is_active"]):
        raise LinkNotValid
    return InvitationLook(
        email=row["email"],
        organization_name=row["organization"],
        has_account=row["has_account"],
        needs_code=row["needs_code"],
        expires_at=link["expires_at"],
    )


async def _join(tx: Tx, row: asyncpg.Record) -> Accepted:
    user_id, organization_id = row["user_id"], row["organization_id"]
    if tx.principal.user_id is None:
        # Whoever opened the link has become this person; the trail shall say so.
        await tx.execute(_ACT_AS, str(user_id), row["name"])
    await links.consume(tx, "invitation", user_id, organization_id)
    await tx.execute(_JOIN, organization_id, row["membership_id"])
    await log(tx, "invitation_accepted", user_id, organization_id)
    return Accepted(user_id, row["email"], organization_id, row["code"], row["organization"])


OWN_ORGANIZATIONS = """
array(select unnest(array[o.code, o.name]) from membership m
      join organization o on o.id = m.organization_id
      where m.user_id = u.id and m.status <> 'invited') as organizations
"""
_RESET = f"""
select u.email, u.name, u.is_active, {OWN_ORGANIZATIONS},
       exists (select from membership m
               where m.user_id = u.id and m.organization_id is distinct from $2) as is_shared
from user_account u where u.id = $1
"""


async def look_at_reset(tx: Tx, token: str) -> PasswordResetLook:
    """Whose password a link resets; nothing is used up. Raises `LinkNotValid`."""
    link = await links.find(tx, "password_reset", token)
    row = await _to_reset(tx, link, _RESET)
    return PasswordResetLook(email=row["email"], expires_at=link["expires_at"])


async def _to_reset(tx: Tx, link: asyncpg.Record, statement: str) -> asyncpg.Record:
    row = await tx.fetchrow(statement, link["user_id"], link["for_organization_id"])
    # Since the link was made, the account may have become another organization's, too.
    is_ours = row is not None and not (link["for_organization_id"] and row["is_shared"])
    if row is None or not is_ours or not row["is_active"]:
        raise LinkNotValid
    return row


async def reset_password(tx: Tx, token: str, password: str) -> None:
    """Set a password by link: every session ends, every device is forgotten, and no other link
    works any more. The second factor stays. Raises `LinkNotValid`, `Invalid`."""
    link = await links.open_link(tx, "password_reset", token)
    user_id, organization_id = link["user_id"], link["for_organization_id"]
    row = await _to_reset(tx, link, _RESET + "for update")
    chosen = passwords.check_choice(
        password, email=row["email"], name=row["name"], organizations=row["organizations"]
    )
    await set_password(tx, user_id, chosen)
    await sessions.end(tx, user_id, why="password_reset")
    await links.consume(tx, "password_reset", user_id)
    await log(tx, "password_reset", user_id, organization_id)


_KEEP_HASH = """
insert into user_credential (user_id, password_hash, password_changed_at) values ($1, $2, now())
on conflict (user_id) do update
set password_hash = excluded.password_hash, password_changed_at = excluded.password_changed_at
"""


async def set_password(tx: Tx, user_id: UUID, chosen: str) -> None:
    """Keep a password in its normal form as argon2id; devices known so far are forgotten."""
    await tx.execute(_KEEP_HASH, user_id, await passwords.hash_of(chosen))
    await tx.execute("delete from known_device where user_id = $1", user_id)


async def log(
    tx: Tx,
    kind: Kind,
    user_id: UUID,
    organization_id: UUID | None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Note in the access log what happened to an account."""
    await access_log.write(
        tx.driver,
        kind,
        organization_id=organization_id,
        user_id=user_id,
        address=tx.source.address,
        request_id=tx.request_id,
        detail=dict(detail or {}),
    )


_BELONGS_TO = """
select organization_id from membership where user_id = $1 and status <> 'invited' order by 1
"""


async def log_everywhere(
    driver: asyncpg.Connection,
    kind: Kind,
    user_id: UUID,
    *,
    source: Source | None = None,
    detail: Mapping[str, Any],
) -> None:
    """Note it once for each organization the person belongs to, so that each of them reads it."""
    rows = await driver.fetch(_BELONGS_TO, user_id)
    for organization_id in [row["organization_id"] for row in rows] or [None]:
        await access_log.write(
            driver,
            kind,
            organization_id=organization_id,
            user_id=user_id,
            address=source.address if source else None,
            request_id=source.request_id if source else "",
            detail=dict(detail),
        )
