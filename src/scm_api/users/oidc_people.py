"""From what a provider says to a person here. Only a person somebody invited is known.

An e-mail address links an identity once, and never to an account that has a password: its owner
links it himself while logged in. Why: docs/decisions/0013-oidc.md.
"""

from dataclasses import dataclass
from uuid import UUID

import asyncpg
from pydantic_core import to_json

from scm_api.access import access_log
from scm_api.access.authentication import Refused
from scm_api.core.tx import Source
from scm_api.users.oidc_tokens import Claims


@dataclass(frozen=True)
class Person:
    """An account that is active."""

    id: UUID
    name: str


_KNOWN = """
select u.id, u.name, u.is_active from user_identity i join user_account u on u.id = i.user_id
where i.issuer = $1 and i.subject = $2
"""


async def person_of(driver: asyncpg.Connection, claims: Claims, source: Source) -> Person:
    """The person of a genuine token, linked now if it is the first of an invited one.

    In a transaction that sees people. Raises `Refused`.
    """
    row = await driver.fetchrow(_KNOWN, claims.issuer, claims.subject)
    if row is None:
        return await _link_invited(driver, claims, source)
    if not row["is_active"]:
        raise Refused("person_inactive", user_id=row["id"])
    return Person(row["id"], row["name"])


# Locked, so that of two identities with one address only the first is linked.
_BY_EMAIL = """
select id, name from user_account where lower(email) = lower($1) and is_active for update
"""
_MAY_BE_LINKED = """
select exists (select from membership where user_id = $1 and status in ('invited', 'active'))
         as is_invited,
       exists (select from user_identity where user_id = $1 and issuer = $2) as has_identity,
       exists (select from user_credential where user_id = $1 and password_hash is not null)
         as has_password
"""


async def _link_invited(driver: asyncpg.Connection, claims: Claims, source: Source) -> Person:
    email = claims.email
    # Folding of other alphabets makes different addresses equal (the Kelvin sign and k).
    if email is None or not email.isascii():
        raise Refused("identity_unknown")
    account = await driver.fetchrow(_BY_EMAIL, email)
    if account is None:
        raise Refused("identity_unknown")
    user_id = account["id"]
    now = await driver.fetchrow(_MAY_BE_LINKED, user_id, claims.issuer)
    if not now["is_invited"]:
        raise Refused("identity_not_invited", user_id=user_id)
    if now["has_identity"]:
        raise Refused("identity_is_another", user_id=user_id)
    if now["has_password"]:
        raise Refused("identity_needs_linking", user_id=user_id)
    if not await link(driver, user_id, claims, source):
        # Another request with the same token was faster.
        return await person_of(driver, claims, source)
    person = Person(user_id, account["name"])
    await _join(driver, person, source)
    return person


async def link(driver: asyncpg.Connection, user_id: UUID, claims: Claims, source: Source) -> bool:
    """Make an identity a person's; False if it already is somebody's."""
    is_new = await driver.fetchval(
        """
        insert into user_identity (issuer, subject, user_id) values ($1, $2, $3)
        on conflict do nothing returning true
        """,
        claims.issuer,
        claims.subject,
        user_id,
    )
    if is_new:
        await access_log.write(
            driver,
            "identity_linked",
            user_id=user_id,
            address=source.address,
            request_id=source.request_id,
            detail={"issuer": claims.issuer},
        )
    return bool(is_new)


async def _join(driver: asyncpg.Connection, person: Person, source: Source) -> None:
    """Accept the person's invitations: the provider proved the address they were sent to. Their
    links end, for whoever holds one could set a password."""
    actor = {
        "kind": "user",
        "id": person.id,
        "name": person.name,
        "user": person.id,
        "address": source.address,
        "request": source.request_id,
        "operation": source.operation,
    }
    said = to_json({name: value for name, value in actor.items() if value}).decode()
    await driver.execute("select set_config('app.actor', $1, true)", said)
    await driver.execute(
        """
        update membership set status = 'active', joined_at = now(), version = version + 1,
               updated_at = now()
        where user_id = $1 and status = 'invited'
        """,
        person.id,
    )
    await driver.execute(
        """
        update one_time_link set used_at = now()
        where user_id = $1 and kind = 'invitation' and used_at is null
        """,
        person.id,
    )
