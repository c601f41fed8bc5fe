"""Logging in by password: whoever fails learns nothing, neither from the answer nor from its time.

Known and unknown people cost the same statements and the same argon2 work.
"""

from dataclasses import dataclass
from uuid import UUID

import asyncpg

from scm_api.access import access_log
from scm_api.access.access_kinds import Kind
from scm_api.access.authentication import digest, new_token, split_token
from scm_api.core.errors import UNKNOWN_REFERENCE, Invalid, Problem
from scm_api.core.ids import uuid7
from scm_api.core.tx import Tx
from scm_api.users import passwords, second_factor, sessions, throttle
from scm_api.users.errors import LoginFailed, LoginThrottled, SecondFactorRequired
from scm_api.users.sessions import Method, SessionTokens

_DEVICES = 20


@dataclass(frozen=True)
class Proof:
    """What somebody shows to prove who he is. `email` is in lower case."""

    email: str
    password: str
    totp_code: str | None = None
    recovery_code: str | None = None
    device_token: str | None = None


@dataclass(frozen=True)
class Person:
    """Who has proved to be himself, and how."""

    id: UUID
    email: str
    name: str
    method: Method
    device_id: UUID | None


@dataclass(frozen=True)
class Login:
    """An opened session, and the token of a device that was not known before."""

    person: Person
    tokens: SessionTokens
    device_token: str | None


_FIND = """
select u.id as user_id, u.name, u.is_active, c.password_hash, d.id as device_id, m.organization_id,
       case when c.totp_confirmed_at is not null then c.totp_secret end as totp_secret
from (values ($1::text)) as asked (email)
left join user_account u on lower(u.email) = asked.email
left join user_credential c on c.user_id = u.id
left join known_device d on d.user_id = u.id and d.secret_sha256 = $2
left join lateral (
  select organization_id from membership
  where user_id = u.id and status = 'active' order by joined_at, organization_id limit 1) m on true
"""


async def log_in(
    tx: Tx, proof: Proof, *, organization: str | None, user_agent: str | None
) -> Login:
    """Open a session. `organization` is the code of what its calls are about.

    Raises `LoginFailed`, `LoginThrottled`, `SecondFactorRequired`; `Invalid` for an organization
    the person does not belong to; `Unavailable` under a flood.
    """
    person = await prove(tx, proof)
    organization_id = await _chosen(tx, person.id, organization)
    device_token = None
    if person.device_id is None:
        device_token = await _remember_device(tx, person.id)
    else:
        await tx.execute(
            "update known_device set last_used_at = now() where id = $1", person.device_id
        )
    tokens = await sessions.start(
        tx,
        person.id,
        method=person.method,
        organization_id=organization_id,
        address=tx.source.address,
        user_agent=user_agent,
    )
    return Login(person, tokens, device_token)


async def prove(tx: Tx, proof: Proof) -> Person:
    """Who shows this proof. Raises `LoginFailed`, `LoginThrottled`, `SecondFactorRequired`.

    Attempts that run at the same moment all see the count before them, so that at most as many
    more get through as passwords are checked at once.
    """
    row = await tx.fetchrow(_FIND, proof.email, _device_digest(proof.device_token))
    assert row is not None
    counts = throttle.Throttle(tx, proof.email, tx.source.address, row["device_id"])
    try:
        await counts.admit()
    except LoginThrottled as waiting:
        raise counted(tx, waiting) from None
    checked = await passwords.check(proof.password, row["password_hash"])
    if not checked.is_right or not row["is_active"]:
        await counts.failed()
        raise await _failed(tx, row, _reason(row))
    method: Method = "password"
    if row["totp_secret"] is not None:
        await _check_code(tx, row, proof, counts)
        method = "password_totp"
    if checked.is_outdated:
        await _rehash(tx, row["user_id"], proof.password)
    await counts.succeeded()
    return Person(row["user_id"], proof.email, row["name"], method, row["device_id"])


def counted(tx: Tx, problem: Problem) -> Problem:
    """A refusal whose count is kept even in a dry run: trying a password is guessing it."""
    tx.dry_run = False
    return problem


def _reason(row: asyncpg.Record) -> str:
    if row["user_id"] is None:
        return "unknown_email"
    if row["password_hash"] is None:
        return "no_password"
    return "wrong_password" if row["is_active"] else "inactive"


async def _failed(tx: Tx, row: asyncpg.Record, reason: str) -> Problem:
    await _note(tx, "login_failed", row, {"reason": reason})
    return counted(tx, LoginFailed())


async def _note(
    tx: Tx, kind: Kind, row: asyncpg.Record, detail: dict[str, str] | None = None
) -> None:
    await access_log.write(
        tx.driver,
        kind,
        organization_id=row["organization_id"],
        user_id=row["user_id"],
        address=tx.source.address,
        request_id=tx.request_id,
        detail=detail,
    )


async def _check_code(tx: Tx, row: asyncpg.Record, proof: Proof, counts: throttle.Throttle) -> None:
    user_id: UUID = row["user_id"]
    if proof.totp_code is None and proof.recovery_code is None:
        await _note(tx, "second_factor_required", row)
        raise counted(tx, SecondFactorRequired())
    codes = throttle.scope(throttle.CODES, "codes", user_id)
    if row["device_id"] is None:
        await throttle.admit(tx, codes)
    if proof.totp_code is not None:
        is_right = await second_factor.use_code(tx, user_id, row["totp_secret"], proof.totp_code)
    else:
        is_right = await second_factor.use_recovery_code(tx, user_id, proof.recovery_code or "")
    if not is_right:
        await counts.failed()
        await throttle.count(tx, codes)
        raise await _failed(tx, row, "wrong_code")


async def _rehash(tx: Tx, user_id: UUID, password: str) -> None:
    await tx.execute(
        "update user_credential set password_hash = $2 where user_id = $1",
        user_id,
        await passwords.hash_of(passwords.normal(password)),
    )


async def _chosen(tx: Tx, user_id: UUID, code: str | None) -> UUID | None:
    if code is None:
        return None
    found: UUID | None = await tx.fetchval(
        """
        select m.organization_id from membership m join organization o on o.id = m.organization_id
        where m.user_id = $1 and m.status = 'active' and lower(o.code) = lower($2)
        """,
        user_id,
        code,
    )
    if found is None:
        raise Invalid([UNKNOWN_REFERENCE.at("/organization", kind="organization", reference=code)])
    return found


def _device_digest(token: str | None) -> bytes:
    parts = split_token(token) if token is not None else None
    return digest(parts[2]) if parts is not None and parts[0] == "scm_dv" else bytes(32)


_FORGET_DEVICES = """
delete from known_device where user_id = $1 and id not in (
  select id from known_device where user_id = $1 order by last_used_at desc limit $2)
"""


async def _remember_device(tx: Tx, user_id: UUID) -> str:
    """A token for a client that was not known; the longest unused beyond twenty are forgotten."""
    token = new_token("scm_dv")
    await tx.execute(
        "insert into known_device (id, user_id, secret_sha256) values ($1, $2, $3)",
        uuid7(),
        user_id,
        token.digest,
    )
    await tx.execute(_FORGET_DEVICES, user_id, _DEVICES)
    return token.text
